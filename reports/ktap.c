// SPDX-License-Identifier: GPL-2.0-only
/*
 * KTAP version 1 (Documentation/dev-tools/ktap.rst): live on standard output, and as a file. The
 * plan comes first, so that a run that is cut off shows as results that are missing.
 */
#include <string.h>

#include "reports/ktap.h"
#include "reports/report.h"
#include "reports/text.h"

/** ktap_begin - version and plan */
void ktap_begin(FILE *out, size_t trials)
{
	fprintf(out, "KTAP version 1\n1..%zu\n", trials);
	fflush(out);
}

static void diagnostic(FILE *out, const char *name, const char *text)
{
	fputs("# ", out);
	text_one_line(out, name, "");
	fputs(": ", out);
	text_one_line(out, text, "");
	fputc('\n', out);
}

/* TAP has a word for a failure that is known: it does not count, and one that does not come is told loudly. */
static void directive(FILE *out, const json_t *result, const char *verdict)
{
	const char *known = json_text(result, "known", NULL);
	bool pass = strcmp(verdict, "pass") == 0;

	if (strcmp(verdict, "skip") == 0) {
		fputs(" # SKIP ", out);
		text_one_line(out, json_text(result, "reason", ""), "#");
	} else if (known) {
		fputs(" # TODO known failure: ", out);
		text_one_line(out, known, "#");
	} else if (json_is_true(json_object_get(result, "fixed"))) {
		fputs(" # TODO the known failure of this scenario is gone", out);
	} else if (!pass && strcmp(verdict, "fail") != 0) {
		fprintf(out, " # ERROR %s", verdict);
	}
}

/* Whose witness it is: that of a guest is named with the guest. */
static void quote(FILE *out, const json_t *line)
{
	const char *witness = json_text(line, "witness", "?"), *text = json_text(line, "text", "");
	const char *guest = json_text(line, "guest", NULL);
	__cleanup_free char *name =
		guest ? format_text("%s of %s", witness, guest) : strdup(witness);

	diagnostic(out, name ? name : witness, text);
}

/**
 * ktap_result - one trial, with its diagnostics before its result line
 * @out:    file; flushed, so that a reader of a pipe sees each trial when it ends
 * @number: from 1
 * @result: of the trial, as in results.json
 */
void ktap_result(FILE *out, size_t number, const json_t *result)
{
	const char *verdict = json_text(result, "verdict", "inconclusive");
	bool skip = strcmp(verdict, "skip") == 0, pass = strcmp(verdict, "pass") == 0;
	char axes[256], time[32];
	json_t *line;
	size_t index;

	text_axes(axes, result);
	text_duration(time, metric_ns(result, "trial_time"));
	fputs("# trial ", out);
	text_one_line(out, json_text(result, "trial", "?"), "");
	fprintf(out, ": %s, delivered: %s, time: %s\n", axes,
		json_is_true(json_object_get(result, "delivered")) ? "yes" : "no", time);
	json_array_foreach (json_object_get(result, "evidence"), index, line)
		quote(out, line);
	diagnostic(out, "code", json_text(result, "code", "none"));
	if (!skip)
		diagnostic(out, "reason", json_text(result, "reason", ""));
	fprintf(out, "%s %zu ", pass || skip ? "ok" : "not ok", number);
	text_one_line(out, json_text(result, "scenario", "unknown"), "#");
	fputc(' ', out);
	text_one_line(out, json_text(result, "trial", "?"), "#");
	directive(out, result, verdict);
	fputc('\n', out);
	fflush(out);
}

static int write_ktap(FILE *out, const json_t *results, const json_t *records)
{
	const json_t *trials = json_object_get(results, "trials");
	json_t *result;
	size_t index;

	(void)records;
	/* Pending trials are in the plan: their missing lines are what a reader must see. */
	ktap_begin(out,
		   json_array_size(trials) + json_array_size(json_object_get(results, "pending")));
	json_array_foreach (trials, index, result)
		ktap_result(out, index + 1, result);
	return 0;
}

static const struct report report_ktap = {
	.name = "ktap",
	.summary = "KTAP version 1, for kselftest, KernelCI, LAVA and prove",
	.file = "ktap.txt",
	.write = write_ktap,
};

REGISTER(report, report_ktap);
