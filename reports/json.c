// SPDX-License-Identifier: GPL-2.0-only
/*
 * results.json: the results of the judge with the names of the tests and their environment, a line each trial.
 */
#include <errno.h>

#include "reports/environment.h"
#include "reports/report.h"
#include "reports/text.h"

static int write_head(FILE *out, const struct report_run *run)
{
	__cleanup_json json_t *environment = environment_of(run->about);

	fputs("{\"environment\":", out);
	if (json_dumpf(environment, out, JSON_COMPACT | JSON_ENSURE_ASCII) < 0)
		return -EIO;
	fputs(",\n\"trials\":[", out);
	return 0;
}

/* Text of the journal is JSON, but may contain control characters for a terminal. */
static void write_text(FILE *out, const char *text, size_t length)
{
	const char *begin = text, *end = text + length;

	for (; text < end; text++) {
		size_t control = (unsigned char)*text < 0x7f ? 0 : text_control(text);
		unsigned int point = (unsigned char)*text;

		if (!control)
			continue;
		fwrite(begin, 1, (size_t)(text - begin), out);
		for (size_t i = 1; i < control; i++)
			point = (i == 1 ? point & (control == 2 ? 0x1f : 0x0f) : point) << 6 |
				((unsigned char)text[i] & 0x3f);
		fprintf(out, "\\u%04x", point);
		text += control - 1;
		begin = text + 1;
	}
	fwrite(begin, 1, (size_t)(end - begin), out);
}

/* The text of a recorded result is complete; without a text the result itself is. */
static int write_trial(FILE *out, const struct report_run *run, const struct report_trial *trial)
{
	__cleanup_json json_t *name = json_string(trial->name);

	(void)run;
	fputs(trial->number == 1 ? "\n{\"name\":" : ",\n{\"name\":", out);
	if (json_dumpf(name, out, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) < 0)
		return -EIO;
	fputc(',', out);
	if (trial->text)
		write_text(out, trial->text, trial->text_length);
	else if (json_dumpf(trial->result, out, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_EMBED) < 0)
		return -EIO;
	else
		fputc('}', out);
	return 0;
}

static int write_tail(FILE *out, const struct report_run *run)
{
	fputs("],\n", out);
	if (json_dumpf(run->summary, out, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_EMBED) < 0)
		return -EIO;
	fputs("}\n", out);
	return 0;
}

REGISTERED(report, report_json) = {
	.name = "json",
	.summary = "the results with all evidence and metrics, for programs",
	.file = "results.json",
	.head = write_head,
	.trial = write_trial,
	.tail = write_tail,
};
