// SPDX-License-Identifier: GPL-2.0-only
/*
 * results.json: the results of the judge with the names of the tests and their environment, a line each trial.
 */
#include <errno.h>

#include "reports/environment.h"
#include "reports/report.h"

static int write_head(FILE *out, const struct report_run *run)
{
	__cleanup_json json_t *environment = environment_of(run->about);

	fputs("{\"environment\":", out);
	if (json_dumpf(environment, out, JSON_COMPACT) < 0)
		return -EIO;
	fputs(",\n\"trials\":[", out);
	return 0;
}

static int write_trial(FILE *out, const struct report_run *run, const struct report_trial *trial)
{
	__cleanup_json json_t *name = json_string(trial->name);

	(void)run;
	fputs(trial->number == 1 ? "\n{\"name\":" : ",\n{\"name\":", out);
	if (json_dumpf(name, out, JSON_ENCODE_ANY) < 0)
		return -EIO;
	fputc(',', out);
	if (trial->text)
		fwrite(trial->text, 1, trial->text_length, out);
	else if (json_dumpf(trial->result, out, JSON_COMPACT | JSON_EMBED) < 0)
		return -EIO;
	else
		fputc('}', out);
	return 0;
}

static int write_tail(FILE *out, const struct report_run *run)
{
	fputs("],\n", out);
	if (json_dumpf(run->summary, out, JSON_COMPACT | JSON_EMBED) < 0)
		return -EIO;
	fputs("}\n", out);
	return 0;
}

static const struct report report_json = {
	.name = "json",
	.summary = "the results with all evidence and metrics, for programs",
	.file = "results.json",
	.needs = REPORT_EVIDENCE | REPORT_DETAILS,
	.head = write_head,
	.trial = write_trial,
	.tail = write_tail,
};

REGISTER(report, report_json);
