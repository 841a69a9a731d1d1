// SPDX-License-Identifier: GPL-2.0-only
/*
 * A comparison in the formats of other programs. For CI systems each row is a test, which fails if it regressed; benchstat gets the
 * samples of both sides.
 */
#include <string.h>

#include "harness/compare/compare.h"
#include "harness/compare/table.h"
#include "reports/measured.h"

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
	result = json_pack("{s:o, s:s, s:o, s:s, s:s, s:s}", "trial", json_sprintf("%04zu", number),
			   "scenario", json_text(row, "scenario", ""), "path",
			   json_sprintf("%s/%s", json_text(row, "scenario", ""),
					json_text(row, "metric", "failures")),
			   "verdict", verdict_of(row), "code", json_text(row, "verdict", ""),
			   "reason", reason);
	error = report->trial(
		out, run,
		&(struct report_trial){.number = number, .name = cells[0], .result = result});
	for (size_t i = 0; i < TABLE_COLUMNS; i++)
		free(cells[i]);
	return error;
}

static bool is_of_values(const struct report *report)
{
	return strcmp(report->name, "gobench") == 0;
}

/** compare_has - whether a comparison has a format: KTAP's lines describe a fault, for example */
bool compare_has(const struct report *report)
{
	return is_one_of(report->name, "junit", "github", "lava", "kcidb") || is_of_values(report);
}

/* Records from which a report takes the name of a run, its command and its kernel: the first run of each side names a comparison. */
static json_t *about_of(const json_t *comparison)
{
	const json_t *a = json_object_get(comparison, "a"), *b = json_object_get(comparison, "b");
	const char *command = json_text(comparison, "command", "");
	void *kernel =
		json_object_iter(json_object_get(json_object_get(b, "fingerprint"), "kernel"));

	return json_pack("[{s:s, s:{s:o, s:[s]}}, {s:s, s:{s:s*}}]", "type", "run", "body", "run",
			 json_sprintf("%s_%s", json_text(a, "run", "unknown"),
				      json_text(b, "run", "unknown")),
			 "argv", command + strcspn(command, " ") + (strchr(command, ' ') != NULL),
			 "type", "boot", "body", "kernel",
			 kernel ? json_object_iter_key(kernel) : NULL);
}

static int write_list(FILE *out, const json_t *comparison, const struct report *report)
{
	static const char *const lists[] = {"metrics", "rates"};
	__cleanup_json json_t *counts = json_object();
	__cleanup_json json_t *summary =
		json_pack("{s:s, s:O}", "run", "comparison", "counts", counts);
	__cleanup_json json_t *about = about_of(comparison);
	struct report_run run = {.summary = summary, .about = about};
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

/* Return: the values of a side as of measured_take(), owned by the caller. */
static json_t *values_of(const json_t *comparison, const char *side)
{
	json_t *measured = json_object(), *row, *values;
	size_t index, boot;

	json_array_foreach (json_object_get(comparison, "metrics"), index, row) {
		const char *scenario = json_text(row, "scenario", "");
		json_t *boots = json_object();

		json_array_foreach (json_object_get(json_object_get(row, side), "values"), boot,
				    values) {
			__cleanup_free char *number = format_text("%zu", boot);

			json_object_set(boots, number, values);
		}
		json_object_set_new(measured_member(measured, scenario),
				    json_text(row, "metric", ""),
				    json_pack("{s:s, s:s, s:o}", "unit", json_text(row, "unit", ""),
					      "direction", json_text(row, "direction", "none"),
					      "boots", boots));
	}
	return measured;
}

/* A line of configuration names the side of those that follow: `benchstat -col side`. */
static void write_values(FILE *out, const json_t *comparison)
{
	static const char *const sides[] = {"a", "b"};

	for (size_t i = 0; i < ARRAY_SIZE(sides); i++) {
		__cleanup_json json_t *measured = values_of(comparison, sides[i]);

		fprintf(out, "side: %s\n", sides[i]);
		gobench_write(out, measured);
	}
}

/**
 * compare_report - write a comparison in a format
 * @out:        stream
 * @comparison: of compare_runs()
 * @report:     of compare_has()
 *
 * Return: 0 or -errno.
 */
int compare_report(FILE *out, const json_t *comparison, const struct report *report)
{
	if (!is_of_values(report))
		return write_list(out, comparison, report);
	write_values(out, comparison);
	return 0;
}
