// SPDX-License-Identifier: GPL-2.0-only
/*
 * CSV (RFC 4180): one line a trial, for spreadsheets and databases.
 */
#include <inttypes.h>
#include <string.h>

#include "reports/environment.h"
#include "reports/report.h"
#include "reports/text.h"

/* A spreadsheet calculates what begins with one of "=+-@"; an apostrophe before it makes it text. */
static void write_text(FILE *out, const char *text)
{
	fputc('"', out);
	if (*text && strchr("=+-@", *text))
		fputc('\'', out);
	for (; *text; text++) {
		size_t control = text_control(text);

		if (*text == '"')
			fputc('"', out);
		fputc(control ? ' ' : *text, out);
		text += control ? control - 1 : 0;
	}
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

static int write_csv(FILE *out, const json_t *results, const json_t *records)
{
	__cleanup_json json_t *names = test_names_of(records);
	json_t *result;
	size_t index;

	fputs("name,trial,scenario,bench,verdict,code,guest,process,migration,host,delivered,seed,"
	      "time_ms,known,reason\r\n",
	      out);
	json_array_foreach (json_object_get(results, "trials"), index, result)
		write_line(out, test_name(names, result), result);
	return 0;
}

static const struct report report_csv = {
	.name = "csv",
	.summary = "one line a trial, for spreadsheets and databases",
	.write = write_csv,
};

REGISTER(report, report_csv);
