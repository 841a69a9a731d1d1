// SPDX-License-Identifier: GPL-2.0-only
/*
 * JUnit XML in the one dialect that Jenkins' strict junit-10.xsd, GitLab and Buildbot all take: no
 * file=, no properties in a test case, three decimals, the message both as attribute and as text, a
 * name that is unique.
 */
#include <inttypes.h>
#include <string.h>

#include "reports/environment.h"
#include "reports/report.h"
#include "reports/text.h"

/* GitLab refuses files beyond 30 MB: the whole evidence is in results.json. */
#define EVIDENCE_BYTES (16 * 1024)

static double seconds(const json_t *result)
{
	int64_t time = metric_ns(result, "trial_time");

	return time < 0 ? 0 : (double)time / (double)NSEC_PER_SEC;
}

/* Readers group by the dots of a class name, as in a path of packages. */
static void write_class(FILE *out, const char *scenario)
{
	__cleanup_free char *name = xstrdup(scenario);

	if (!name)
		return;
	for (char *slash = name; (slash = strchr(slash, '/')); slash++)
		*slash = '.';
	text_xml(out, name);
}

static void write_evidence(FILE *out, const json_t *result)
{
	const json_t *evidence = json_object_get(result, "evidence");
	bool fixed = json_is_true(json_object_get(result, "fixed"));
	size_t written = 0, index;
	json_t *line;

	if (!json_array_size(evidence) && !fixed)
		return;
	fputs("<system-out>", out);
	if (fixed)
		fputs("FIXED: the known failure of this scenario is gone\n", out);
	json_array_foreach (evidence, index, line) {
		const char *text = json_text(line, "text", "");

		written += strlen(text);
		if (written > EVIDENCE_BYTES) {
			fputs("(more in results.json)\n", out);
			break;
		}
		text_xml(out, json_text(line, "witness", "?"));
		if (json_text(line, "guest", NULL)) {
			fputs(" of ", out);
			text_xml(out, json_text(line, "guest", ""));
		}
		fputs(": ", out);
		text_xml(out, text);
		fputc('\n', out);
	}
	fputs("</system-out>", out);
}

/* A known failure is skipped: the format has no known failures, and the tools show the reason of a skipped test. */
static const char *element_of(const json_t *result)
{
	const char *verdict = json_text(result, "verdict", "inconclusive");

	if (strcmp(verdict, "pass") == 0)
		return NULL;
	if (strcmp(verdict, "skip") == 0 || json_text(result, "known", NULL))
		return "skipped";
	return strcmp(verdict, "fail") == 0 ? "failure" : "error";
}

static void write_case(FILE *out, const json_t *result, const char *name)
{
	const char *verdict = json_text(result, "verdict", "inconclusive");
	const char *known = json_text(result, "known", NULL);
	__cleanup_free char *reason =
		format_text("%s%s%s%s", known ? "known failure: " : "", known ?: "",
			    known ? ": " : "", json_text(result, "reason", ""));
	const char *element = element_of(result);

	fputs("    <testcase classname=\"", out);
	write_class(out, json_text(result, "scenario", "unknown"));
	fputs("\" name=\"", out);
	text_xml(out, name);
	fprintf(out, "\" time=\"%.3f\">", seconds(result));
	if (element) {
		fprintf(out, "<%s message=\"", element);
		text_xml(out, reason);
		fputs("\" type=\"", out);
		text_xml(out, verdict);
		fputc('.', out);
		text_xml(out, json_text(result, "code", "none"));
		fputs("\">", out);
		text_xml(out, reason);
		fprintf(out, "</%s>", element);
	}
	write_evidence(out, result);
	fputs("</testcase>\n", out);
}

static void write_properties(FILE *out, const json_t *about)
{
	__cleanup_json json_t *environment = environment_of(about);
	const char *name;
	json_t *value;

	fputs("    <properties>\n", out);
	json_object_foreach (environment, name, value) {
		fprintf(out, "      <property name=\"%s\" value=\"", name);
		text_xml(out, json_string_value(value));
		fputs("\"/>\n", out);
	}
	fputs("    </properties>\n", out);
}

static int64_t count_of(const struct report_run *run, const char *verdict)
{
	return json_number(json_object_get(run->summary, "counts"), verdict, 0);
}

static int write_head(FILE *out, const struct report_run *run)
{
	int64_t flaws = json_array_size(run->flaws) > 0;

	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite "
	      "name=\"brinell.",
	      out);
	text_xml(out, json_text(run->summary, "run", "unknown"));
	fprintf(out,
		"\" tests=\"%" PRId64 "\" failures=\"%" PRId64 "\" errors=\"%" PRId64
		"\" skipped=\"%" PRId64 "\" time=\"%.3f\">\n",
		(int64_t)run->trials - count_of(run, "pending") + flaws, count_of(run, "fail"),
		count_of(run, "inconclusive") + count_of(run, "infra") + flaws,
		count_of(run, "skip") + count_of(run, "known"),
		(double)run->time_ns / (double)NSEC_PER_SEC);
	write_properties(out, run->about);
	return 0;
}

static int write_trial(FILE *out, const struct report_run *run, const struct report_trial *trial)
{
	(void)run;
	write_case(out, trial->result, trial->name);
	return 0;
}

static int write_tail(FILE *out, const struct report_run *run)
{
	(void)run;
	fputs("  </testsuite>\n</testsuites>\n", out);
	return 0;
}

REGISTERED(report, report_junit) = {
	.name = "junit",
	.tests = true,
	.summary = "JUnit XML, for Jenkins, GitLab and Buildbot",
	.file = "junit.xml",
	.needs = REPORT_EVIDENCE,
	.counts_first = true,
	.head = write_head,
	.trial = write_trial,
	.tail = write_tail,
};
