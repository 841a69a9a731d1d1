/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_COMMANDS_COMPARE_COMMAND_H
#define BRINELL_COMMANDS_COMPARE_COMMAND_H

#include "harness/compare/compare.h"

/* Options that `brinell compare` and `brinell calibrate` share. */
#define COMPARE_OPTIONS                                                                            \
	{"boots", required_argument, NULL, 'n'}, {"samples", required_argument, NULL, 'k'},        \
		{"out", required_argument, NULL, 'o'}, {"budget", required_argument, NULL, 'b'},   \
		{"alpha", required_argument, NULL, 'p'}, {"seed", required_argument, NULL, 's'},   \
		{"dry-run", no_argument, NULL, 'd'},                                               \
	{                                                                                          \
		"json", no_argument, NULL, 'j'                                                     \
	}

/**
 * struct compare_request - options of a comparison that makes its runs
 * @a, @b: words of the sides
 * @out:   directory; NULL: one named by the date
 * @boots: of each side; 0: as many as the calibration requires
 * @html:  file that receives the page, or NULL
 * @index: of the history
 * @dry_run: make no runs
 */
struct compare_request {
	struct compare_options options;
	json_t *a, *b;
	const char *out, *html, *index;
	double boots, samples, seed;
	bool as_json, dry_run;
};

bool compare_read_option(const char *command, int option, struct compare_request *request);
json_t *compare_plan(const char *command, const struct compare_request *request, int count,
		     char *const *names, char **out);
int compare_begin(const char *command, const char *out, json_t *plan);
int compare_finish(const char *directory, const json_t *plan, bool as_json);
json_t *compare_calibration(const char *directory, const char *bench, const json_t *scenarios);
void compare_draw(FILE *out, const json_t *plan, json_t *comparison);
int compare_show(const char *directory, bool as_json);
int calibrate_finish(const char *directory, const json_t *plan, bool as_json);

#endif
