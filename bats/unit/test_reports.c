// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: each report of journals that hold every verdict, and of texts that are made to break
 * a format. JUnit is checked by xmllint against bats/unit/junit-10.xsd, the HTML page for whatever
 * could reach out of it.
 *
 * rooms: reports/html
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "bats/unit/judge_records.h"
#include "harness/journal/journal.h"
#include "harness/judge/judge.h"
#include "reports/environment.h"
#include "reports/report.h"
#include "reports/story.h"
#include "reports/table.h"
#include "reports/text.h"

#include <cmocka.h>

#define HOSTILE "</pre><script>alert(1)</script>]]>&\"'\x01\x1b[31m # SKIP\nok 9\tπ\xef\xbf\xbf"

static json_t *golden(const char *name, json_t **results)
{
	__cleanup_free char *directory = format_text("bats/unit/golden/%s", name);
	json_t *records = NULL;

	assert_int_equal(journal_load(directory, &records, NULL, NULL), 0);
	*results = judge_records(records);
	return records;
}

/* One trial with the same hostile text wherever a text can be. */
static json_t *hostile_records(void)
{
	return json_pack("[{s:i, s:I, s:s, s:{s:i, s:s, s:s, s:[s, s, s], s:[{s:s, s:s}]}},"
			 " {s:i, s:I, s:s, s:s, s:{s:s, s:s, s:s, s:{s:[s]}}},"
			 " {s:i, s:I, s:s, s:s, s:{s:s, s:{s:s}}},"
			 " {s:i, s:I, s:s, s:s, s:{s:s, s:s, s:{s:s}, s:s}},"
			 " {s:i, s:I, s:s, s:s, s:{s:s, s:s}},"
			 " {s:i, s:I, s:s, s:s, s:{s:s, s:s}}]",
			 "seq", 1, "time_ns", (json_int_t)1000, "type", "run", "body", "journal", 1,
			 "run", HOSTILE, "version", HOSTILE, "argv", "run", "--set", HOSTILE,
			 "plan", "trial", "0001", "scenario", HOSTILE, "seq", 2, "time_ns",
			 (json_int_t)2000, "type", "trial", "trial", "0001", "body", "scenario",
			 HOSTILE, "title", HOSTILE, "bench", HOSTILE, "expect", "not-log",
			 "<script>", "seq", 3, "time_ns", (json_int_t)3000, "type", "facts",
			 "trial", "0001", "body", "workload", HOSTILE, "facts", "address", HOSTILE,
			 "seq", 4, "time_ns", (json_int_t)4000, "type", "intent", "trial", "0001",
			 "body", "injector", HOSTILE, "target", HOSTILE, "arguments", "type",
			 HOSTILE, "host", "h0", "seq", 5, "time_ns", (json_int_t)5000, "type",
			 "event", "trial", "0001", "body", "witness", "kmsg", "text",
			 "Kernel panic - not syncing: " HOSTILE, "seq", 6, "time_ns",
			 (json_int_t)6000, "type", "close", "trial", "0001", "body", "cause",
			 "infra", "reason", HOSTILE);
}

static void assert_valid_junit(const char *text)
{
	FILE *lint = popen(
		"xmllint --noout --schema bats/unit/junit-10.xsd - 2>/tmp/brinell-xmllint.$PPID; "
		"code=$?; [ $code = 0 ] || cat /tmp/brinell-xmllint.$PPID >&2; "
		"rm -f /tmp/brinell-xmllint.$PPID; exit $code",
		"we");

	assert_non_null(lint);
	fputs(text, lint);
	assert_int_equal(pclose(lint), 0);
}

static void junit_is_valid_for_every_verdict(void **state)
{
	static const char *const names[] = {"pass-contained",
					    "fail-corrupted",
					    "inconclusive-nothing-seen",
					    "infra-never-started",
					    "skip-named",
					    "pending-unfinished-run",
					    "fail-known-failure",
					    "pass-known-failure-fixed"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		__cleanup_json json_t *results = NULL;
		__cleanup_json json_t *records = golden(names[i], &results);
		__cleanup_free char *text = render_results("junit", results, records);

		assert_valid_junit(text);
	}
}

static void junit_tells_failures_from_errors(void **state)
{
	__cleanup_json json_t *failed = NULL;
	__cleanup_json json_t *unclear = NULL;
	__cleanup_json json_t *failed_records = golden("fail-corrupted", &failed);
	__cleanup_json json_t *unclear_records = golden("inconclusive-nothing-seen", &unclear);
	__cleanup_free char *failure = render_results("junit", failed, failed_records);
	__cleanup_free char *error = render_results("junit", unclear, unclear_records);

	(void)state;
	assert_non_null(strstr(failure, "failures=\"1\" errors=\"0\""));
	assert_non_null(strstr(failure, "<failure message="));
	assert_non_null(strstr(error, "failures=\"0\" errors=\"1\""));
	assert_non_null(strstr(failure, " type=\"fail.victim-corrupted\">"));
	assert_non_null(strstr(error, "<error message=\"the fault is not proven"));
	assert_non_null(strstr(error, " type=\"inconclusive.delivered-not-proven\">"));
}

/* No tool knows a failure that does not count: skipped is what each shows with its reason, and breaks no build. */
static void junit_skips_what_is_known(void **state)
{
	__cleanup_json json_t *known = NULL;
	__cleanup_json json_t *fixed = NULL;
	__cleanup_json json_t *known_records = golden("fail-known-failure", &known);
	__cleanup_json json_t *fixed_records = golden("pass-known-failure-fixed", &fixed);
	__cleanup_free char *skipped = render_results("junit", known, known_records);
	__cleanup_free char *passed = render_results("junit", fixed, fixed_records);

	(void)state;
	assert_non_null(strstr(skipped, "failures=\"0\" errors=\"0\" skipped=\"1\""));
	assert_non_null(
		strstr(skipped, "<skipped message=\"known failure: QEMU gives up too early"));
	assert_non_null(strstr(passed, "failures=\"0\" errors=\"0\" skipped=\"0\""));
	assert_non_null(strstr(passed, "FIXED: the known failure of this scenario is gone"));
}

/* The same name everywhere, and what a run ran on. */
static void names_are_stable(void **state)
{
	__cleanup_json json_t *results = NULL;
	__cleanup_json json_t *records = golden("pass-contained", &results);
	__cleanup_free char *junit = render_results("junit", results, records);
	__cleanup_free char *text = render_results("json", results, records);
	__cleanup_json json_t *again = json_loads(text, 0, NULL);
	const json_t *environment = json_object_get(again, "environment");
	const json_t *trial = json_array_get(json_object_get(again, "trials"), 0);

	(void)state;
	assert_non_null(strstr(junit, "classname=\"einj.load\" name=\"einj/load 1\""));
	assert_non_null(strstr(junit, "<property name=\"seed\" value=\"7\"/>"));
	assert_string_equal(json_text(trial, "name", ""), "einj/load 1");
	assert_string_equal(json_text(environment, "start", ""), "2025-11-21T08:00:00Z");
	assert_string_equal(json_text(environment, "command", ""), "brinell run einj/load");
	assert_string_equal(json_text(environment, "kernel", ""), "7.2.12+deb13-amd64");
}

static void other_formats_say_the_same(void **state)
{
	static const struct {
		const char *name, *format, *text;
	} cases[] = {
		{"fail-known-failure", "tap", "TAP version 13\n1..1\n"},
		{"pass-contained", "csv",
		 "\r\n\"einj/load 1\",\"0001\",\"einj/load\",\"intel\",\"pass\","},
		{"fail-corrupted", "github", "::error title=einj/load 1::fail: the victim read"},
		{"inconclusive-nothing-seen", "github",
		 "::warning title=einj/load 1::inconclusive: "},
		{"fail-known-failure", "github", "::notice title=kvm/case 1::fail: QEMU gives"},
		{"pass-known-failure-fixed", "github", "::warning title=kvm/case 1::pass: "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		__cleanup_json json_t *results = NULL;
		__cleanup_json json_t *records = golden(cases[i].name, &results);
		__cleanup_free char *text = render_results(cases[i].format, results, records);

		if (!strstr(text, cases[i].text))
			fail_msg("%s gives\n%s", cases[i].name, text);
	}
}

/* Texts of a journal end no field, add no line and no workflow command, and are no formula. */
static void hostile_text_stays_in_its_field(void **state)
{
	__cleanup_json json_t *results = json_pack("{s:[{s:s, s:s, s:s, s:s}]}", "trials", "trial",
						   "1", "scenario", "=x,\"\n::error::", "verdict",
						   "fail", "reason", "50%\r\n::stop-commands::x");
	__cleanup_free char *csv = render_results("csv", results, NULL);
	__cleanup_free char *github = render_results("github", results, NULL);

	(void)state;
	assert_non_null(strstr(csv, "\n\"'=x,\"\" ::error:: 1\",\"1\","));
	assert_string_equal(github, "::error title==x%2C\" %3A%3Aerror%3A%3A 1::fail: 50%25  "
				    "::stop-commands::x\n");
}

static char *table_of(const char *name)
{
	__cleanup_json json_t *results = NULL;
	__cleanup_json json_t *records = golden(name, &results);
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	setenv("COLUMNS", "100", 1);
	print_table(out, results);
	fclose(out);
	return text;
}

static void the_table_counts_known_failures_apart(void **state)
{
	__cleanup_free char *known = table_of("fail-known-failure");
	__cleanup_free char *fixed = table_of("pass-known-failure-fixed");

	(void)state;
	assert_non_null(strstr(known, "fail, known"));
	assert_non_null(strstr(known, "known: QEMU gives up too early, migration/ram.c\n"));
	assert_non_null(strstr(known, "migration-failed: the migration is failed"));
	assert_non_null(strstr(known, "\n1 known\n"));
	assert_non_null(strstr(fixed, "pass, fixed"));
	assert_non_null(strstr(fixed, "FIXED: the known failure of this scenario is gone\n"));
	assert_non_null(strstr(fixed, "\n1 pass\n"));
}

static void hostile_text_breaks_no_format(void **state)
{
	__cleanup_json json_t *records = hostile_records();
	__cleanup_json json_t *results = NULL;
	__cleanup_free char *junit = NULL;
	__cleanup_free char *html = NULL;
	__cleanup_free char *ktap = NULL;

	(void)state;
	assert_non_null(records);
	results = judge_records(records);
	junit = render_results("junit", results, records);
	html = render_results("html", results, records);
	ktap = render_results("ktap", results, records);
	assert_valid_junit(junit);
	assert_null(strstr(html, "<script>alert"));
	assert_null(strstr(html, "\x1b"));
	assert_null(strstr(ktap, "\nok 9"));
	assert_null(strstr(ktap, "\x1b"));
}

static void html_stands_alone(void **state)
{
	static const char *const outside[] = {"http://", "https://", " src=",  "@import",
					      "url(",	 "<link",    "<iframe"};
	__cleanup_json json_t *results = NULL;
	__cleanup_json json_t *records = golden("pass-contained", &results);
	__cleanup_free char *html = render_results("html", results, records);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(outside); i++)
		if (strstr(html, outside[i]))
			fail_msg("the page holds '%s'", outside[i]);
	assert_non_null(strstr(html, "default-src 'none'"));
	assert_non_null(strstr(html, "The emulated rig."));
	assert_non_null(strstr(html, "<svg "));
	assert_non_null(strstr(
		html, "Memory failure: 0x11a3f4: recovery action for dirty LRU page: Recovered"));
	/* Style and script are embedded whole. */
	assert_non_null(strstr(html, "<style>/* SPDX-License-Identifier"));
	assert_non_null(strstr(html, "prefers-color-scheme: dark"));
	assert_non_null(strstr(html, "}\n</style></head>"));
	assert_non_null(strstr(html, "<script>// SPDX-License-Identifier"));
	assert_non_null(strstr(html, "})();\n</script></body></html>\n"));
	assert_non_null(strstr(html, "<tr data-card=\"t1\" data-verdict=\"pass\" "
				     "data-scenario=\"einj/load\">"));
}

/* A parser that counts must find the plan first, and as many results as trials. */
static void ktap_has_a_plan_and_all_results(void **state)
{
	__cleanup_json json_t *results = NULL;
	__cleanup_json json_t *records = golden("pending-unfinished-run", &results);
	__cleanup_free char *text = render_results("ktap", results, records);

	(void)state;
	assert_ptr_equal(strstr(text, "KTAP version 1\n1..2\n"), text);
	assert_non_null(strstr(text, "\nok 1 einj/load 1\n"));
	assert_null(strstr(text, "ok 2 "));
}

static void ktap_words_the_verdicts(void **state)
{
	static const struct {
		const char *name, *line;
	} cases[] = {
		{"pass-contained", "\nok 1 einj/load 1\n"},
		{"fail-corrupted", "\nnot ok 1 einj/load 1\n"},
		{"inconclusive-nothing-seen", "\nnot ok 1 einj/load 1 # ERROR inconclusive\n"},
		{"infra-bench-failed", "\nnot ok 1 einj/load 1 # ERROR infra\n"},
		{"skip-named",
		 "\nok 1 einj/load 1 # SKIP needs einj:v2: the firmware has no EINJv2\n"},
		{"fail-known-failure", "\nok 1 kvm/case 1 # SKIP known failure: QEMU gives "
				       "up too early, migration/ram.c\n"},
		{"pass-known-failure-fixed",
		 "\n# FIXED: the known failure of this scenario is gone\nok 1 kvm/case 1\n"},
		{"fail-migration-lost", "\n# code: guest-lost-qemu-crash\n"},
		{"pass-guest-contained", "\n# kmsg of g1: Memory failure: 0x5a3f"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		__cleanup_json json_t *results = NULL;
		__cleanup_json json_t *records = golden(cases[i].name, &results);
		__cleanup_free char *text = render_results("ktap", results, records);

		if (!strstr(text, cases[i].line))
			fail_msg("%s gives\n%s", cases[i].name, text);
	}
}

static void the_table_fits_its_width(void **state)
{
	static const char *const widths[] = {"60", "100", "160"};
	__cleanup_json json_t *results = NULL;
	__cleanup_json json_t *records = golden("inconclusive-another-page", &results);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
		__cleanup_free char *text = NULL;
		size_t length;
		FILE *out = open_memstream(&text, &length);

		setenv("COLUMNS", widths[i], 1);
		print_table(out, results);
		fclose(out);
		assert_null(strstr(text, "\033"));
		for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
			if (text_columns(line) > (size_t)atoi(widths[i]) + (i == 0 ? 20 : 0))
				fail_msg("wider than %s: '%s'", widths[i], line);
	}
	unsetenv("COLUMNS");
}

static void times_are_for_people(void **state)
{
	static const struct {
		int64_t time;
		const char *text;
	} cases[] = {{-1, "-"},
		     {812000, "812 µs"},
		     {12300000, "12.3 ms"},
		     {812000000, "812 ms"},
		     {4560000000, "4.56 s"}};
	char text[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		text_duration(text, cases[i].time);
		assert_string_equal(text, cases[i].text);
	}
}

static void a_story_counts_from_the_intent(void **state)
{
	__cleanup_json json_t *results = NULL;
	__cleanup_json json_t *records = golden("pass-contained", &results);
	__cleanup_json json_t *story = story_of(records, "0001");
	int64_t last = INT64_MIN;
	bool zero = false;
	json_t *line;
	size_t index;

	(void)state;
	json_array_foreach (story, index, line) {
		assert_true(json_number(line, "offset_ns", 0) >= last);
		last = json_number(line, "offset_ns", 0);
		zero = zero || (last == 0 && strcmp(json_text(line, "type", ""), "intent") == 0);
	}
	assert_true(zero);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(junit_is_valid_for_every_verdict),
		cmocka_unit_test(junit_tells_failures_from_errors),
		cmocka_unit_test(hostile_text_breaks_no_format),
		cmocka_unit_test(html_stands_alone),
		cmocka_unit_test(ktap_has_a_plan_and_all_results),
		cmocka_unit_test(ktap_words_the_verdicts),
		cmocka_unit_test(junit_skips_what_is_known),
		cmocka_unit_test(names_are_stable),
		cmocka_unit_test(other_formats_say_the_same),
		cmocka_unit_test(hostile_text_stays_in_its_field),
		cmocka_unit_test(the_table_counts_known_failures_apart),
		cmocka_unit_test(the_table_fits_its_width),
		cmocka_unit_test(times_are_for_people),
		cmocka_unit_test(a_story_counts_from_the_intent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
