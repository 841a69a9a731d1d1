/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_COMPARE_COMPARE_H
#define BRINELL_COMPARE_COMPARE_H

#include "harness/lib/util.h"
#include "reports/report.h"

/* Percent, of metrics of scenarios that declare no budget. */
#define COMPARE_BUDGET 5.0

/**
 * struct compare_options - thresholds of a comparison
 * @budget:     smallest change that counts: percent of a metric's median, points of a rate of failure
 * @alpha:      probability of any false alarm in a comparison
 * @seed:       of the bootstrap
 * @across:     fingerprints that may differ, separated by commas; NULL: none
 * @only:       rows to compare: {SCENARIO: {METRIC: true}}, "failures" is the rate of failure; NULL: all
 */
struct compare_options {
	double budget, alpha;
	uint64_t seed;
	const char *across;
	const json_t *only;
};

int compare_load(const char *name, const char *const directories[], size_t count, json_t **side,
		 struct reason *why);
int compare_check_across(const char *across, struct reason *why);
json_t *compare_runs(const json_t *a, const json_t *b, const struct compare_options *options);
void compare_page(FILE *out, const json_t *comparison);
bool compare_has(const struct report *report);
int compare_report(FILE *out, const json_t *comparison, const struct report *report);
void compare_print(FILE *out, const json_t *comparison);

#endif
