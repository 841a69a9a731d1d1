/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_COMPARE_ROUNDS_H
#define BRINELL_COMPARE_ROUNDS_H

#include "harness/compare/compare.h"

/* The plan of a comparison, in its directory. */
#define COMPARISON_FILE "comparison.json"
/* The result of a comparison, as --json prints it. */
#define COMPARED_FILE "compared.json"
/* Most boots of a side. */
#define BOOTS_MOST 99

int side_check(const json_t *words, struct reason *why);
int side_arguments(const json_t *words, json_t *argv, char **path);
char *side_across(const json_t *a, const json_t *b, const char *across);

int rounds_check(json_t *plan, struct reason *why);
int rounds_create(const char *directory, json_t *plan, struct reason *why);
int rounds_load(const char *directory, json_t **plan, struct reason *why);
int rounds_check_sides(const json_t *plan, struct reason *why);
int rounds_result(const char *directory, const json_t *plan, json_t **result, struct reason *why);
void rounds_show(const json_t *plan);
int rounds_make(const char *directory, const json_t *plan, struct reason *why);
json_t *rounds_directories(const char *directory, const json_t *plan);
int rounds_run(const char *directory, const json_t *plan, json_t **comparison, struct reason *why);

#endif
