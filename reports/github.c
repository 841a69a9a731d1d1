// SPDX-License-Identifier: GPL-2.0-only
/*
 * Annotations of GitHub Actions (docs.github.com, "Workflow commands for GitHub Actions"): a line for each trial that did
 * not pass, and for each known failure that is gone.
 */
#include <string.h>

#include "reports/report.h"
#include "reports/text.h"

/* A property ends at ',' or ':', a message only at the line's end; both escape with per cent signs. */
static void write_escaped(FILE *out, const char *text, const char *special)
{
	for (; *text; text++) {
		size_t control = text_control(text);

		if (control)
			fputc(' ', out);
		else if (strchr(special, *text))
			fprintf(out, "%%%02X", (unsigned char)*text);
		else
			fputc(*text, out);
		text += control ? control - 1 : 0;
	}
}

static const char *level_of(const json_t *result)
{
	const char *verdict = json_text(result, "verdict", "inconclusive");

	if (json_is_true(json_object_get(result, "fixed")))
		return "warning";
	if (strcmp(verdict, "pass") == 0)
		return NULL;
	if (strcmp(verdict, "skip") == 0 || json_text(result, "known", NULL))
		return "notice";
	return strcmp(verdict, "fail") == 0 ? "error" : "warning";
}

static int write_trial(FILE *out, const struct report_run *run, const struct report_trial *trial)
{
	const json_t *result = trial->result;
	const char *level = level_of(result);
	const char *verdict = json_text(result, "verdict", "inconclusive");

	(void)run;
	if (!level)
		return 0;
	fprintf(out, "::%s title=", level);
	write_escaped(out, trial->name, "%:,");
	fputs("::", out);
	write_escaped(out, verdict, "%");
	fputs(": ", out);
	write_escaped(out,
		      strcmp(verdict, "pass") == 0
			      ? "the known failure of this scenario is gone"
			      : json_text(result, "known", json_text(result, "reason", "")),
		      "%");
	fputc('\n', out);
	return 0;
}

REGISTERED(report, report_github) = {
	.name = "github",
	.tests = true,
	.summary = "annotations of GitHub Actions, to be printed in a step",
	.trial = write_trial,
};
