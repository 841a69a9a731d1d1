/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_LIB_SCAN_H
#define BRINELL_LIB_SCAN_H

#include <string.h>

#include "harness/lib/util.h"

/**
 * struct span - a piece of a text, not terminated; borrowed
 */
struct span {
	const char *text;
	size_t length;
};

/** span_is - whether a span equals a text; inline, because it runs for every record, and the length of a literal is constant */
static inline bool span_is(struct span span, const char *text)
{
	size_t length = strlen(text);

	return span.length == length && memcmp(span.text, text, length) == 0;
}

/* Which members of an object are decoded; @parent is the key that the object has itself, empty for the outermost. */
typedef bool (*scan_wanted_fn)(struct span parent, struct span key);

size_t scan_plain(const char *text, size_t length);
struct span scan_string(struct span value);
bool scan_number(struct span value, int64_t *number);
bool scan_next(struct span *rest, char open, struct span *key, struct span *value);
struct span scan_member(struct span object, const char *key);
json_t *scan_decode(struct span text, scan_wanted_fn wanted);

#endif
