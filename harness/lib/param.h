/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_LIB_PARAM_H
#define BRINELL_LIB_PARAM_H

#include "harness/lib/util.h"

/**
 * enum param_kind - what the text of a parameter means
 * @PARAM_STRING:   any text
 * @PARAM_BOOL:     true or false (yes/no, on/off too)
 * @PARAM_NUMBER:   unsigned 64-bit, decimal or 0x hexadecimal; addresses and masks too
 * @PARAM_SIZE:     bytes, with an optional K, M or G (powers of 1024)
 * @PARAM_DURATION: nanoseconds, written with ns, us, ms, s, min (or m) or h
 * @PARAM_CHOICE:   one of @choices
 * @PARAM_LIST:     several texts (YAML list; on the command line separated by commas)
 */
enum param_kind {
	PARAM_STRING,
	PARAM_BOOL,
	PARAM_NUMBER,
	PARAM_SIZE,
	PARAM_DURATION,
	PARAM_CHOICE,
	PARAM_LIST,
};

/**
 * struct param - one parameter of an injector, a workload or a scenario section
 * @name:     key in a scenario file, `--name` on the command line
 * @kind:     what its text means
 * @help:     one line
 * @fallback: default as text, or NULL when it is left unset
 * @choices:  NULL-terminated, for PARAM_CHOICE, and for the items of a PARAM_LIST; NULL: any text
 * @required: its absence is an error
 *
 * A table of these ends in an entry without a name. The same table checks scenario files, options of
 * `brinell inject` and requests that reach an agent, and prints the help.
 */
struct param {
	const char *name;
	enum param_kind kind;
	const char *help;
	const char *fallback;
	const char *const *choices;
	bool required;
};

/*
 * Checked arguments are a JSON object of name -> text in canonical form (numbers, sizes and durations as decimal
 * or 0x text because JSON integers of 64 bits without sign do not exist); lists are JSON arrays of text.
 */
const struct param *param_find(const struct param *table, const char *name);
int param_set(const struct param *table, json_t *arguments, const char *name, const char *text,
	      struct reason *why);
int param_finish(const struct param *table, json_t *arguments, struct reason *why);
int param_check(const struct param *table, const json_t *given, json_t **arguments,
		struct reason *why);
void param_print_help(FILE *out, const struct param *table);

bool param_given(const json_t *arguments, const char *name);
const char *param_text(const json_t *arguments, const char *name);
bool param_bool(const json_t *arguments, const char *name);
uint64_t param_number(const json_t *arguments, const char *name);
int64_t param_duration_ns(const json_t *arguments, const char *name);

int parse_number(const char *text, uint64_t *number);
int parse_size(const char *text, uint64_t *bytes);
int parse_duration(const char *text, int64_t *nanoseconds);

#endif
