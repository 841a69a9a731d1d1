// SPDX-License-Identifier: GPL-2.0-only
/*
 * CSV (RFC 4180): one line a trial, for spreadsheets and databases.
 */
#include <inttypes.h>
#include <string.h>

#include "reports/report.h"
#include "reports/text.h"

/* A spreadsheet calculates what begins with one of "=+-@"; an apostrophe before it makes it text. */
static void write_text(FILE *out, const char *text)
{
	fputc('"', out);
	if (*text && strchr("=+-@", *text))
		fputc('\'', out);
	text_escaped(out, text, "\"", '"');
	fputc('"', out);
}

static void write_line(FILE *out, const char *name, const json_t *result)
{
	static const char *const texts[] = {"trial", "scenario", "bench", "verdict", "code"};
	static const char *const axes[] = {"guest", "process", "migration", "host"};
	int64_t time = metric_ns(result, "trial_time");

	write_text(out, name);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		fputc(',', out);
		write_text(out, json_text(result, texts[i], ""));
	}
	for (size_t i = 0; i < ARRAY_SIZE(axes); i++) {
		fputc(',', out);
		write_text(out, json_text(json_object_get(result, "axes"), axes[i], ""));
	}
	fprintf(out, ",%s,%" PRId64 ",",
		json_is_true(json_object_get(result, "delivered")) ? "true" : "false",
		json_number(result, "seed", 0));
	if (time >= 0)
		fprintf(out, "%.3f", (double)time / (double)NSEC_PER_MSEC);
	fputc(',', out);
	write_text(out, json_text(result, "known", ""));
	fputc(',', out);
	write_text(out, json_text(result, "reason", ""));
	fputs("\r\n", out);
}

static int write_head(FILE *out, const struct report_run *run)
{
	(void)run;
	fputs("name,trial,scenario,bench,verdict,code,guest,process,migration,host,delivered,seed,"
	      "time_ms,known,reason\r\n",
	      out);
	return 0;
}

static int write_trial(FILE *out, const struct report_run *run, const struct report_trial *trial)
{
	(void)run;
	write_line(out, trial->name, trial->result);
	return 0;
}

REGISTERED(report, report_csv) = {
	.name = "csv",
	.summary = "one line a trial, for spreadsheets and databases",
	.head = write_head,
	.trial = write_trial,
};
