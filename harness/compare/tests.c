// SPDX-License-Identifier: GPL-2.0-only
/*
 * A comparison as a list of tests, in the formats of CI systems: each row is a test, which fails if it regressed.
 */
#include <string.h>

#include "harness/compare/compare.h"
#include "harness/compare/table.h"

/* A row that makes no statement is skipped: like the exit code, it fails no build. */
static const char *verdict_of(const json_t *row)
{
	const char *verdict = json_text(row, "verdict", "");

	if (strcmp(verdict, "regressed") == 0)
		return "fail";
	return is_one_of(verdict, "improved", "no-change-shown") ? "pass" : "skip";
}

static int write_row(FILE *out, const json_t *row, size_t number, const struct report *report,
		     const struct report_run *run)
{
	char *cells[TABLE_COLUMNS];
	__cleanup_free char *reason = NULL;
	__cleanup_json json_t *result = NULL;
	int error;

	table_fill(row, cells);
	reason = format_text("%s; A %s, B %s, change %s, p %s", cells[5], cells[1], cells[2],
			     cells[3], cells[4]);
	result = json_pack("{s:o, s:s, s:s, s:s, s:s}", "trial", json_sprintf("%04zu", number),
			   "scenario", json_text(row, "scenario", ""), "verdict", verdict_of(row),
			   "code", json_text(row, "verdict", ""), "reason", reason);
	error = report->trial(
		out, run,
		&(struct report_trial){.number = number, .name = cells[0], .result = result});
	for (size_t i = 0; i < TABLE_COLUMNS; i++)
		free(cells[i]);
	return error;
}

/** compare_is_list - whether a format is a list of tests that a comparison can fill: KTAP's lines describe a fault */
bool compare_is_list(const struct report *report)
{
	return is_one_of(report->name, "junit", "github", "lava");
}

/**
 * compare_list - write a comparison as a list of tests
 * @out:        stream
 * @comparison: of compare_runs()
 * @report:     of compare_is_list()
 *
 * Return: 0 or -errno.
 */
int compare_list(FILE *out, const json_t *comparison, const struct report *report)
{
	static const char *const lists[] = {"metrics", "rates"};
	__cleanup_json json_t *counts = json_object();
	__cleanup_json json_t *summary =
		json_pack("{s:s, s:O}", "run", "comparison", "counts", counts);
	struct report_run run = {.summary = summary};
	size_t number = 0, index;
	json_t *row;
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		json_array_foreach (json_object_get(comparison, lists[i]), index, row) {
			json_add(counts, verdict_of(row), 1);
			run.trials++;
		}
	}
	if (report->head)
		error = report->head(out, &run);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		json_array_foreach (json_object_get(comparison, lists[i]), index, row)
			error = error ?: write_row(out, row, ++number, report, &run);
	return report->tail ? error ?: report->tail(out, &run) : error;
}
