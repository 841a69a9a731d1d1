// SPDX-License-Identifier: GPL-2.0-only
/*
 * KTAP version 1 (Documentation/dev-tools/ktap.rst): live on standard output, and as a file. The
 * plan comes first, so that a run that is cut off shows as results that are missing.
 */
#include <string.h>

#include "reports/ktap.h"
#include "reports/text.h"

/** ktap_begin - version line, such as KTAP_VERSION, and plan */
void ktap_begin(FILE *out, const char *version, size_t trials)
{
	fprintf(out, "%s\n1..%zu\n", version, trials);
}

/*
 * kunit_parser.py stops reading at these, wherever they stand in a line (KTAP_END), and takes "# Subtest: " for the head of
 * a subtest: in a quoted line a space stands for their colon.
 */
static const char *const misread[] = {"# Subtest:", "List of all partitions:",
				      "Kernel panic - not syncing: VFS:", "reboot: System halted"};

static void diagnostic(FILE *out, const char *name, const char *text)
{
	char line[1024];
	int length = snprintf(line, sizeof(line), "# %s: %s", name, text);
	__cleanup_free char *whole =
		length < (int)sizeof(line) ? NULL : format_text("# %s: %s", name, text);
	char *shown = whole ?: line;

	for (size_t i = 0; i < ARRAY_SIZE(misread); i++)
		for (char *at = shown; (at = strstr(at, misread[i]));)
			*strchr(at, ':') = ' ';
	text_one_line(out, shown, "");
	fputc('\n', out);
}

/*
 * A known failure is "ok ... # SKIP": kunit_parser.py and prove count it as skipped. TODO is discouraged by ktap.rst, and
 * kunit_parser.py takes "not ok ... # TODO" for a failure.
 */
static void directive(FILE *out, const json_t *result, const char *verdict)
{
	const char *known = json_text(result, "known", NULL);
	bool skip = strcmp(verdict, "skip") == 0;

	if (skip || known) {
		fputs(known ? " # SKIP known failure: " : " # SKIP ", out);
		text_one_line(out, known ?: json_text(result, "reason", ""), "#");
	} else if (strcmp(verdict, "pass") != 0 && strcmp(verdict, "fail") != 0) {
		fprintf(out, " # ERROR %s", verdict);
	}
}

/* A line of evidence with its witness, and the guest if the witness is in one. */
static void quote(FILE *out, const json_t *line)
{
	const char *witness = json_text(line, "witness", "?"), *text = json_text(line, "text", "");
	const char *guest = json_text(line, "guest", NULL);
	__cleanup_free char *name =
		guest ? format_text("%s of %s", witness, guest) : xstrdup(witness);

	diagnostic(out, name ?: witness, text);
}

/**
 * ktap_result - one trial, with its diagnostics before its result line
 * @out:    file
 * @number: from 1
 * @name:   of the test, see struct report_trial
 * @result: of the trial, as in results.json
 */
void ktap_result(FILE *out, size_t number, const char *name, const json_t *result)
{
	const char *verdict = json_text(result, "verdict", "inconclusive");
	bool skip = strcmp(verdict, "skip") == 0, pass = strcmp(verdict, "pass") == 0;
	char axes[256], time[32];
	json_t *line;
	size_t index;

	text_axes(axes, result);
	text_duration(time, metric_ns(result, "trial_time"));
	text_line(out, "# trial %s: %s, delivered: %s, time: %s", json_text(result, "trial", "?"),
		  axes, json_is_true(json_object_get(result, "delivered")) ? "yes" : "no", time);
	json_array_foreach (json_object_get(result, "evidence"), index, line)
		quote(out, line);
	diagnostic(out, "code", json_text(result, "code", "none"));
	if (!skip)
		diagnostic(out, "reason", json_text(result, "reason", ""));
	if (json_is_true(json_object_get(result, "fixed")))
		diagnostic(out, "FIXED", "the known failure of this scenario is gone");
	fprintf(out, "%s %zu ", pass || skip || json_text(result, "known", NULL) ? "ok" : "not ok",
		number);
	text_one_line(out, name, "#");
	directive(out, result, verdict);
	fputc('\n', out);
}

/** ktap_write_trial - a trial of a document; @trial of struct report */
int ktap_write_trial(FILE *out, const struct report_run *run, const struct report_trial *trial)
{
	(void)run;
	ktap_result(out, trial->number, trial->name, trial->result);
	return 0;
}

/* Pending trials are in the plan: a missing line shows a trial without a result. */
static int write_head(FILE *out, const struct report_run *run)
{
	ktap_begin(out, KTAP_VERSION, run->trials + (json_array_size(run->flaws) > 0));
	return 0;
}

REGISTERED(report, report_ktap) = {
	.name = "ktap",
	.tests = true,
	.summary = "KTAP version 1, for kselftest, KernelCI, LAVA and prove",
	.file = "ktap.txt",
	.needs = REPORT_EVIDENCE,
	.head = write_head,
	.trial = ktap_write_trial,
};
