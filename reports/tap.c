// SPDX-License-Identifier: GPL-2.0-only
/*
 * TAP version 13 (testanything.org), for parsers that refuse the version line of KTAP. The lines are those of KTAP; its
 * ERROR directive is a comment there.
 */
#include "reports/ktap.h"
#include "reports/report.h"

static int write_head(FILE *out, const struct report_run *run)
{
	ktap_begin(out, "TAP version 13", run->trials + (json_array_size(run->flaws) > 0));
	return 0;
}

REGISTERED(report, report_tap) = {
	.name = "tap",
	.tests = true,
	.summary = "TAP version 13, for tools that do not read KTAP",
	.needs = REPORT_EVIDENCE,
	.head = write_head,
	.trial = ktap_write_trial,
};
