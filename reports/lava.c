// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals of LAVA (Linaro/lava, lava_dispatcher/test_shell/lava-test-case): a test shell that prints them records a result
 * for each trial. A known failure is skipped, as in KTAP; a trial without a result is unknown.
 */
#include <string.h>

#include "reports/report.h"
#include "reports/text.h"

static const char *result_of(const json_t *result)
{
	const char *verdict = json_text(result, "verdict", "inconclusive");

	if (strcmp(verdict, "pass") == 0)
		return "pass";
	if (strcmp(verdict, "skip") == 0 || json_text(result, "known", NULL))
		return "skip";
	return strcmp(verdict, "fail") == 0 ? "fail" : "unknown";
}

/* The parameters of a signal are separated by spaces, and an id is part of a URL. */
static void write_id(FILE *out, const char *name)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	for (; *name; name++)
		fputc(*name == '/'	       ? '.'
		      : *name == ' '	       ? '-'
		      : strchr(allowed, *name) ? *name
					       : '_',
		      out);
}

static int write_trial(FILE *out, const struct report_run *run, const struct report_trial *trial)
{
	int64_t time = metric_ns(trial->result, "trial_time");

	(void)run;
	fputs("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=", out);
	write_id(out, trial->name);
	fprintf(out, " RESULT=%s", result_of(trial->result));
	if (time >= 0)
		fprintf(out, " UNITS=seconds MEASUREMENT=%.3f",
			(double)time / (double)NSEC_PER_SEC);
	fputs(">\n", out);
	return 0;
}

REGISTERED(report, report_lava) = {
	.name = "lava",
	.tests = true,
	.summary = "signals of LAVA, to be printed in a test shell",
	.trial = write_trial,
};
