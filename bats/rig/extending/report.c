// SPDX-License-Identifier: GPL-2.0-only
/*
 * A report in one file: a line a trial.
 */
#include "reports/report.h"

static int write_added(FILE *out, const json_t *results, const json_t *records)
{
	const json_t *trial;
	size_t index;

	(void)records;
	json_array_foreach (json_object_get(results, "trials"), index, trial)
		fprintf(out, "%s: %s\n", json_text(trial, "scenario", ""),
			json_text(trial, "verdict", ""));
	return 0;
}

static const struct report report_added = {
	.name = "added-report",
	.summary = "a report in one file",
	.write = write_added,
};

REGISTER(report, report_added);
