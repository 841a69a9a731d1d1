// SPDX-License-Identifier: GPL-2.0-only
/*
 * results.json: the judge's words, for programs.
 */
#include <errno.h>

#include "reports/report.h"

static int write_json(FILE *out, const json_t *results, const json_t *records)
{
	(void)records;
	if (json_dumpf(results, out, JSON_INDENT(1)) < 0)
		return -EIO;
	fputc('\n', out);
	return 0;
}

static const struct report report_json = {
	.name = "json",
	.summary = "the results with all evidence and metrics, for programs",
	.file = "results.json",
	.write = write_json,
};

REGISTER(report, report_json);
