// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page frames of the machine that this runs on, as the kernel reports them to root: those behind the addresses of this
 * process, those of a kind, and those of the kernel's own code (Documentation/admin-guide/mm/pagemap.rst).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "harness/host/frames.h"

#define PRESENT (1ull << 63)
#define NUMBER ((1ull << 55) - 1)
/* Frames that are read at once. */
#define CHUNK 8192

/**
 * frames_of - the page frames behind a range of this process
 * @address: of its first page
 * @count:   pages of 4 KiB
 * @pfns:    receives them; 0 for a page that is not present, or whose frame is hidden
 *
 * Return: 0 or -errno of /proc/self/pagemap.
 */
int frames_of(const void *address, size_t count, uint64_t *pfns)
{
	char path[4096];
	__cleanup_close int fd =
		open(system_path(path, "/proc/self/pagemap"), O_RDONLY | O_CLOEXEC);
	size_t size = count * sizeof(*pfns);
	ssize_t got;

	if (fd < 0)
		return -errno;
	got = pread(fd, pfns, size, (off_t)((uintptr_t)address / FRAME_SIZE * sizeof(*pfns)));
	if (got != (ssize_t)size)
		return got < 0 ? -errno : -EIO;
	for (size_t i = 0; i < count; i++)
		pfns[i] = pfns[i] & PRESENT ? pfns[i] & NUMBER : 0;
	return 0;
}

/** frame_of - the page frame behind an address of this process; 0 if it is not present, or its frame is hidden */
uint64_t frame_of(const void *address)
{
	uint64_t pfn;

	return frames_of(address, 1, &pfn) ? 0 : pfn;
}

static int grow(struct frame_set *set, uint64_t count)
{
	size_t before = (set->count + 7) / 8, after = (count + 7) / 8;
	unsigned char *bits = realloc(set->bits, after);

	if (!bits)
		return -ENOMEM;
	memset(bits + before, 0, after - before);
	set->bits = bits;
	set->count = count;
	return 0;
}

/* Return: frames that were read, 0 at the end of the file, or -errno. */
static int take_chunk(struct frame_set *set, int fd, unsigned int flag, size_t most)
{
	uint64_t flags[CHUNK];
	size_t had = set->count, count = most < CHUNK ? most : CHUNK;
	ssize_t got = pread(fd, flags, count * sizeof(*flags),
			    (off_t)((set->first + had) * sizeof(*flags)));
	int error;

	if (got < (ssize_t)sizeof(*flags))
		return got < 0 ? -errno : 0;
	count = (size_t)got / sizeof(*flags);
	error = grow(set, had + count);
	for (size_t i = 0; !error && i < count; i++)
		if (flags[i] >> flag & 1)
			set->bits[(had + i) / 8] |= (unsigned char)(1 << (had + i) % 8);
	return error ?: (int)count;
}

/**
 * frame_set_take - the frames that have a flag now
 * @set:   receives them; frame_set_release() when done
 * @flag:  number of a bit of /proc/kpageflags
 * @range: where to look; its bits are of no interest, and a count of 0 means to the end
 * @why:   reason of a failure
 *
 * Return: 0, -ENOTSUP when the kernel hides them from this process, or -errno.
 */
int frame_set_take(struct frame_set *set, unsigned int flag, struct frame_set range,
		   struct reason *why)
{
	char path[4096];
	__cleanup_close int fd = open(system_path(path, "/proc/kpageflags"), O_RDONLY | O_CLOEXEC);
	int got = 1;

	*set = (struct frame_set){.first = range.first};
	if (fd < 0)
		return fail(why, -ENOTSUP,
			    "/proc/kpageflags: %s; it takes root (CAP_SYS_ADMIN) and a kernel with "
			    "CONFIG_PROC_PAGE_MONITOR",
			    strerror(errno));
	while (got > 0 && (!range.count || set->count < range.count))
		got = take_chunk(set, fd, flag, range.count ? range.count - set->count : CHUNK);
	if (got >= 0 && !set->count)
		got = -ENODATA;
	if (got >= 0)
		return 0;
	frame_set_release(set);
	return fail_errno(why, got, "read /proc/kpageflags");
}

/** frame_set_release - give up the memory of a set */
void frame_set_release(struct frame_set *set)
{
	free(set->bits);
	*set = (struct frame_set){0};
}

/** frame_set_has - whether a frame is in a set */
bool frame_set_has(const struct frame_set *set, uint64_t pfn)
{
	uint64_t at = pfn - set->first;

	return at < set->count && set->bits[at / 8] >> at % 8 & 1;
}

/**
 * frame_set_new - what has been added
 * @number: receives how many frames @after has that @before has not
 *
 * Return: the one in the middle of these; 0 when there is none.
 */
uint64_t frame_set_new(const struct frame_set *before, const struct frame_set *after,
		       uint64_t *number)
{
	uint64_t seen = 0;

	*number = 0;
	for (uint64_t pfn = after->first; pfn < after->first + after->count; pfn++)
		*number += frame_set_has(after, pfn) && !frame_set_has(before, pfn);
	for (uint64_t pfn = after->first; pfn < after->first + after->count; pfn++)
		if (frame_set_has(after, pfn) && !frame_set_has(before, pfn) &&
		    seen++ == *number / 2)
			return pfn;
	return 0;
}

/**
 * frame_set_middle_of_longest - the frame that has the most of its kind around it
 * @align:  frames; the buddy allocator splits blocks of this size, so half a block is kept away from its ends
 * @length: receives how many frames of the kind are in a row there
 *
 * Return: a frame, of the last of equally long rows; 0 when the set is empty.
 */
uint64_t frame_set_middle_of_longest(const struct frame_set *set, uint64_t align, uint64_t *length)
{
	uint64_t row = 0, best_end = 0, middle, inner;

	*length = 0;
	for (uint64_t pfn = set->first; pfn < set->first + set->count; pfn++) {
		row = frame_set_has(set, pfn) ? row + 1 : 0;
		if (!row || row < *length)
			continue;
		*length = row;
		best_end = pfn + 1;
	}
	if (!*length)
		return 0;
	middle = best_end - 1 - *length / 2;
	inner = (middle & ~(align - 1)) + align / 2;
	return inner < best_end && inner >= best_end - *length ? inner : middle;
}
