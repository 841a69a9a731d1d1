// SPDX-License-Identifier: GPL-2.0-only
/*
 * A report in one file: a line a trial.
 */
#include "reports/report.h"

static int write_trial(FILE *out, const struct report_run *run, const struct report_trial *trial)
{
	(void)run;
	fprintf(out, "%s: %s\n", json_text(trial->result, "scenario", ""),
		json_text(trial->result, "verdict", ""));
	return 0;
}

REGISTERED(report, report_added) = {
	.name = "added-report",
	.summary = "a report in one file",
	.trial = write_trial,
};
