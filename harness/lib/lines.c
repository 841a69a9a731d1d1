// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lines of a stream of bytes.
 */
#include <errno.h>
#include <string.h>

#include "harness/lib/lines.h"

#define READ_BYTES 65536

static char *make_room(struct lines *lines, size_t wanted)
{
	if (lines->start && lines->size - lines->used < wanted) {
		lines->used -= lines->start;
		lines->scanned -= lines->start;
		memmove(lines->bytes, lines->bytes + lines->start, lines->used);
		lines->start = 0;
	}
	if (lines->size - lines->used < wanted) {
		lines->size = (lines->used + wanted) * 2;
		lines->bytes = xreallocarray(lines->bytes, lines->size, 1);
	}
	return lines->bytes + lines->used;
}

/**
 * lines_read - add what a descriptor has now, 64 KiB at most: call lines_next() until there is none before the next read
 *
 * Return: number of bytes read, 0 when there is nothing now, -EPIPE at the end of the stream, or -errno.
 */
int lines_read(struct lines *lines, int fd)
{
	char *room = make_room(lines, READ_BYTES);
	ssize_t got = read(fd, room, READ_BYTES);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	lines->used += (size_t)got;
	return got ? (int)got : -EPIPE;
}

/** lines_feed - add bytes */
void lines_feed(struct lines *lines, const void *bytes, size_t length)
{
	memcpy(make_room(lines, length), bytes, length);
	lines->used += length;
}

/**
 * lines_next - the next whole line
 * @line:   receives it, with a NUL in place of the newline; valid until bytes are added
 * @length: receives its bytes
 *
 * Return: 1 with a line, 0 when no whole line is there, -EMSGSIZE once for each line that was too long.
 */
int lines_next(struct lines *lines, char **line, size_t *length)
{
	while (lines->bytes) {
		char *begin = lines->bytes + lines->start;
		size_t left = lines->used - lines->scanned;
		char *end = left ? memchr(lines->bytes + lines->scanned, '\n', left) : NULL;
		bool skipping = lines->skipping;

		*length = end ? (size_t)(end - begin) : lines->used - lines->start;
		lines->scanned = lines->used;
		if (!end && *length <= lines->most)
			return 0;
		if (end)
			lines->start = lines->scanned = (size_t)(end + 1 - lines->bytes);
		else
			lines->start = lines->scanned = lines->used = 0;
		lines->skipping = !end;
		if (skipping)
			continue;
		if (!end || *length > lines->most)
			return -EMSGSIZE;
		*end = '\0';
		*line = begin;
		return 1;
	}
	return 0;
}

/** lines_release - drop and free all bytes */
void lines_release(struct lines *lines)
{
	free(lines->bytes);
	*lines = (struct lines){.most = lines->most};
}
