/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_REPORTS_TEXT_H
#define BRINELL_REPORTS_TEXT_H

#include "harness/lib/text.h"

/* Writes a file that the Makefile embeds: its path with "_" for what is no letter. Not terminated. */
#define WRITE_EMBEDDED(out, name)                                                                  \
	fwrite(_binary_##name##_start, 1, (size_t)(_binary_##name##_end - _binary_##name##_start), \
	       out)

void text_colours(FILE *out);
void text_json(FILE *out, const json_t *value);
void text_escaped(FILE *out, const char *text, const char *special, char escape);
void text_one_line(FILE *out, const char *text, const char *forbidden);
void text_line(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_duration(char buffer[static 32], int64_t nanoseconds);

/* A text returned by value. */
struct short_text {
	char text[32];
};
struct short_text short_duration(int64_t nanoseconds);
struct short_text short_time(int64_t nanoseconds);
struct short_text short_size(int64_t bytes);
void text_size(char buffer[static 32], int64_t bytes);
void text_axes(char buffer[static 256], const json_t *result);
int64_t metric_ns(const json_t *result, const char *name);
int64_t number_sum(int64_t one, int64_t other);
size_t text_columns(const char *text);

#endif
