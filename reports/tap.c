// SPDX-License-Identifier: GPL-2.0-only
/*
 * TAP version 13 (testanything.org), for parsers that refuse the version line of KTAP. The lines are those of KTAP; its
 * ERROR directive is a comment there.
 */
#include "reports/ktap.h"
#include "reports/report.h"

static int write_tap(FILE *out, const json_t *results, const json_t *records)
{
	return ktap_write(out, "TAP version 13", results, records);
}

static const struct report report_tap = {
	.name = "tap",
	.summary = "TAP version 13, for tools that do not read KTAP",
	.write = write_tap,
};

REGISTER(report, report_tap);
