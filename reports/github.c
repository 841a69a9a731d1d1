// SPDX-License-Identifier: GPL-2.0-only
/*
 * Annotations of GitHub Actions (docs.github.com, "Workflow commands for GitHub Actions"): a line for each trial that did
 * not pass, and for each known failure that is gone.
 */
#include <string.h>

#include "reports/environment.h"
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

static int write_github(FILE *out, const json_t *results, const json_t *records)
{
	__cleanup_json json_t *names = test_names_of(records);
	json_t *result;
	size_t index;

	json_array_foreach (json_object_get(results, "trials"), index, result) {
		const char *level = level_of(result);
		const char *verdict = json_text(result, "verdict", "inconclusive");

		if (!level)
			continue;
		fprintf(out, "::%s title=", level);
		write_escaped(out, test_name(names, result), "%:,");
		fputs("::", out);
		write_escaped(out, verdict, "%");
		fputs(": ", out);
		write_escaped(out,
			      strcmp(verdict, "pass") == 0
				      ? "the known failure of this scenario is gone"
				      : json_text(result, "known", json_text(result, "reason", "")),
			      "%");
		fputc('\n', out);
	}
	return 0;
}

static const struct report report_github = {
	.name = "github",
	.summary = "annotations of GitHub Actions, to be printed in a step",
	.write = write_github,
};

REGISTER(report, report_github);
