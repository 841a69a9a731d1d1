/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_LIB_LINES_H
#define BRINELL_LIB_LINES_H

#include "harness/lib/util.h"

/**
 * struct lines - cuts a stream of bytes into lines
 * @most: bytes of the longest line; a longer one is dropped up to its end
 *
 * Zero the rest. Memory is bounded by @most and what one call adds.
 */
struct lines {
	size_t most;
	char *bytes;
	size_t size, start, scanned, used;
	bool skipping;
};

int lines_read(struct lines *lines, int fd);
void lines_feed(struct lines *lines, const void *bytes, size_t length);
int lines_next(struct lines *lines, char **line, size_t *length);
void lines_release(struct lines *lines);

#endif
