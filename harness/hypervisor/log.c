// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of the log of a domain's QEMU.
 */
#include <fcntl.h>
#include <string.h>

#include "harness/hypervisor/domain.h"

#define LOG_READ_BYTES 4096

/* Read the last bytes of a file. Return: their number; 0: none. */
static size_t read_end(const char *place, char *text, size_t most)
{
	char path[4096];
	__cleanup_close int fd = open(system_path(path, place), O_RDONLY | O_CLOEXEC);
	off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	ssize_t got;

	if (size <= 0)
		return 0;
	got = pread(fd, text, most, size > (off_t)most ? size - (off_t)most : 0);
	return got > 0 ? (size_t)got : 0;
}

/* libvirt logs QEMU's command line, one option a line, each with a continuation. */
static bool is_command(const char *line)
{
	size_t length = strlen(line);

	return length && line[length - 1] == '\\';
}

/**
 * domain_log_tail - read the last lines of the log of a domain, such as the signal that ended QEMU, and its sender
 * @begin:  of the path of the log, up to the name of the domain
 * @domain: its name
 * @most:   largest length of the text
 *
 * Return: the lines, with " | " between them, owned by the caller; empty if the log can not be read.
 */
char *domain_log_tail(const char *begin, const char *domain, size_t most)
{
	__cleanup_free char *place = format_text("%s%s.log", begin, domain);
	char text[LOG_READ_BYTES + 1];
	size_t length = read_end(place, text, LOG_READ_BYTES);
	char *tail = xstrdup("");

	text[length] = '\0';
	/* From the last line backwards, as many as fit. */
	while (length) {
		char *longer, *newline, *line;

		if (text[length - 1] == '\n')
			text[--length] = '\0';
		newline = strrchr(text, '\n');
		line = newline ? newline + 1 : text;
		if (is_command(line) || strlen(line) + strlen(tail) + 3 > most)
			break;
		if (*line) {
			longer = format_text("%s%s%s", line, *tail ? " | " : "", tail);
			free(tail);
			tail = longer;
		}
		length = (size_t)(line - text);
		text[length] = '\0';
	}
	return mend_text(tail);
}
