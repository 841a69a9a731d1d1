// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: each report of journals that hold every verdict, and of texts that are made to break
 * a format. JUnit is checked by xmllint against bats/unit/junit-10.xsd, the HTML page for whatever
 * could reach out of it.
 *
 * rooms: reports/html
 */
#include <regex.h>
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

#define HOSTILE                                                                                    \
	"</pre><script>alert(1)</script>]]>&\"'\x01\x1b[31m # SKIP\nok 9\tπ\xef\xbf\xbf"          \
	"\u202e\u2066\u200f\xc2\x9b"

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

static void junit_distinguishes_failures_from_errors(void **state)
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

/* No tool has known failures: a skipped test is shown with its reason, and fails no build. */
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

/* A journal whose last record is missing: a count of tests must show it. */
static void a_journal_that_is_not_whole_is_a_test_that_failed(void **state)
{
	static const struct {
		const char *format, *text;
	} cases[] = {
		{"ktap", "1..2\n"},
		{"ktap", "not ok 2 journal # ERROR inconclusive\n"},
		{"tap", "not ok 2 journal # ERROR inconclusive\n"},
		{"junit", "tests=\"2\" failures=\"0\" errors=\"1\""},
		{"github", "::warning title=journal::inconclusive: the end of the run is missing"},
		{"lava", "TEST_CASE_ID=journal RESULT=unknown"},
		{"kcidb", "\"path\":\"brinell.journal\",\"status\":\"ERROR\""},
	};
	__cleanup_free char *text = NULL;
	size_t whole;

	(void)state;
	assert_int_equal(
		read_small_file("bats/unit/golden/pass-contained/journal.jsonl", &text, NULL), 0);
	whole = strlen(text);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct report *report = report_find(cases[i].format);
		size_t cut = whole - 1;
		__cleanup_free char *all = NULL, *part = NULL;

		while (text[cut - 1] != '\n')
			cut--;
		all = render_journal(report, text, whole);
		part = render_journal(report, text, cut);
		assert_null(strstr(all, cases[i].text));
		if (!strstr(part, cases[i].text))
			fail_msg("%s lacks '%s':\n%s", cases[i].format, cases[i].text, part);
	}
}

/* The build that a test names is the one of the report. */
static void tests_of_kcidb_are_of_their_run(void **state)
{
	__cleanup_json json_t *results = NULL;
	__cleanup_json json_t *records = golden("pass-contained", &results);
	__cleanup_free char *text = render_results("kcidb", results, records);
	__cleanup_json json_t *report = json_loads(text, 0, NULL);
	const json_t *build = json_array_get(json_object_get(report, "builds"), 0);
	const json_t *test = json_array_get(json_object_get(report, "tests"), 0);

	(void)state;
	assert_string_equal(json_text(test, "build_id", ""), json_text(build, "id", "none"));
}

static void the_emulator_is_of_the_environment(void **state)
{
	__cleanup_json json_t *boot = json_pack("[{s:s, s:{s:s, s:{s:s}}}]", "type", "boot", "body",
						"host", "h0", "facts", "emulator", "QEMU 10.0");
	__cleanup_json json_t *environment = environment_of(boot);

	(void)state;
	assert_string_equal(json_text(environment, "emulator", ""), "QEMU 10.0");
}

static void other_formats_agree(void **state)
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

static json_t *measured_results(void)
{
	return json_pack(
		"{s:s, s:s, s:b, s:[{s:s, s:s, s:s, s:{s:{s:s, s:s, s:s, s:f, s:[f,f,f]}, s:{s:s, "
		"s:s, s:s, s:i}}}, {s:s, s:s, s:s, s:{s:{s:s, s:s, s:s, s:i}}}, {s:s, s:s, s:s, "
		"s:{s:{s:s, s:i}}}]}",
		"run", "20261129T010000Z-1", "version", "0.1", "complete", 1, "trials", "trial",
		"1", "scenario", "perf/a-8", "verdict", "pass", "metrics", "time", "unit", "ns",
		"direction", "lower", "boot", "x", "value", 2.0, "samples", 1.0, 2.0, 6.0, "time@y",
		"unit", "ns", "direction", "lower", "boot", "y", "value", 4, "trial", "2",
		"scenario", "perf/\"b\n", "verdict", "pass", "metrics", "speed 9", "unit", "1 / s",
		"direction", "higher", "boot", "x", "value", 5, "trial", "3", "scenario",
		"perf/a-8", "verdict", "fail", "metrics", "time", "unit", "ns", "value", 99);
}

/* Only what passed is measured; a boot counts once; names stay in their field. */
static void measurements_are_exported(void **state)
{
	__cleanup_json json_t *results = measured_results();
	__cleanup_free char *go = render_results("gobench", results, NULL);
	__cleanup_free char *otava = render_results("otava", results, NULL);
	__cleanup_free char *metrics = render_results("openmetrics", results, NULL);

	(void)state;
	assert_string_equal(go, "Unit ns/op better=lower\nUnit 1_/_s better=higher\n"
				"BenchmarkPerf/a-8/time 1 2 ns/op\n"
				"BenchmarkPerf/a-8/time 1 4 ns/op\n"
				"BenchmarkPerf/\"b_/speed_9 1 5 1_/_s\n");
	assert_string_equal(otava,
			    "time,run,version,\"perf/a-8 time\",\"perf/\"\"b  speed 9\"\r\n"
			    "\"2026-11-29T01:00:00Z\",\"20261129T010000Z-1\",\"0.1\",3,5\r\n");
	assert_non_null(strstr(metrics, "\nbrinell_run_complete 1\n"));
	assert_non_null(
		strstr(metrics, "\nbrinell_trials{scenario=\"perf/a-8\",verdict=\"fail\"} 1\n"));
	assert_non_null(strstr(
		metrics, "\nbrinell_metric_median{scenario=\"perf/\\\"b \",metric=\"speed 9\","
			 "unit=\"1 / s\",direction=\"higher\"} 5\n"));
	assert_non_null(strstr(metrics, "direction=\"lower\"} 2\n# EOF\n")
				?: strstr(metrics, "direction=\"higher\"} 1\n# EOF\n"));
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

/* Of kunit_parser.py (Linux 6.19, tools/testing/kunit): what it matches, and where it stops. */
#define KUNIT_RESULT "^ *(ok|not ok) ([0-9]+) (- )?([^#]*)( # .*)?$"
#define KUNIT_SKIP "^ *(ok|not ok) ([0-9]+) (- )?(.*) # SKIP(.*)$"
#define KUNIT_OTHER "^ *(KTAP version|TAP version|# Subtest: |1\\.\\.[0-9])"
#define KUNIT_END "(List of all partitions:|Kernel panic - not syncing: VFS:|reboot: System halted)"

enum kunit {
	KUNIT_PASSED,
	KUNIT_FAILED,
	KUNIT_SKIPPED,
	KUNIT_COUNTS
};

static bool matches(const char *pattern, const char *text, regmatch_t groups[6])
{
	regex_t regex;
	bool found;

	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED), 0);
	found = regexec(&regex, text, 6, groups, 0) == 0;
	regfree(&regex);
	return found;
}

/* Counts the results as that parser does, and fails where it would report an error or read something else. */
static void parse_as_kunit(char *ktap, unsigned int counts[KUNIT_COUNTS])
{
	char *rest, *line = strtok_r(ktap, "\n", &rest);
	unsigned int planned, number = 0;
	regmatch_t groups[6];

	memset(counts, 0, KUNIT_COUNTS * sizeof(*counts));
	assert_string_equal(line, "KTAP version 1");
	line = strtok_r(NULL, "\n", &rest);
	assert_int_equal(sscanf(line, "1..%u", &planned), 1);
	while ((line = strtok_r(NULL, "\n", &rest))) {
		assert_false(matches(KUNIT_END, line, groups));
		assert_false(matches(KUNIT_OTHER, line, groups));
		if (!matches(KUNIT_RESULT, line, groups)) {
			assert_int_equal(line[0], '#');
			continue;
		}
		assert_int_equal(atoi(line + groups[2].rm_so), ++number);
		assert_true(groups[4].rm_eo > groups[4].rm_so);
		if (matches(KUNIT_SKIP, line, groups))
			counts[KUNIT_SKIPPED]++;
		else
			counts[line[groups[1].rm_so] == 'o' ? KUNIT_PASSED : KUNIT_FAILED]++;
	}
	assert_int_equal(number, planned);
}

static void kunit_parser_reads_the_same(void **state)
{
	static const struct {
		const char *name;
		enum kunit result;
	} cases[] = {
		{"pass-contained", KUNIT_PASSED},
		{"fail-corrupted", KUNIT_FAILED},
		{"inconclusive-nothing-seen", KUNIT_FAILED},
		{"infra-bench-failed", KUNIT_FAILED},
		{"skip-named", KUNIT_SKIPPED},
		{"fail-known-failure", KUNIT_SKIPPED},
		{"pass-known-failure-fixed", KUNIT_PASSED},
	};
	unsigned int counts[KUNIT_COUNTS];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		__cleanup_json json_t *results = NULL;
		__cleanup_json json_t *records = golden(cases[i].name, &results);
		__cleanup_free char *ktap = render_results("ktap", results, records);

		parse_as_kunit(ktap, counts);
		assert_int_equal(counts[cases[i].result], 1);
		assert_int_equal(
			counts[KUNIT_PASSED] + counts[KUNIT_FAILED] + counts[KUNIT_SKIPPED], 1);
	}
}

/* Lines of a dying kernel do not end the document, and no witness begins a subtest. */
static void kunit_parser_reads_to_the_end(void **state)
{
	__cleanup_json json_t *results =
		json_pack("{s:[{s:s, s:s, s:s, s:[{s:s, s:s}, {s:s, s:s}, {s:s, s:s}]}]}", "trials",
			  "trial", "1", "verdict", "fail", "reason", "reboot: System halted",
			  "evidence", "witness", "console", "text",
			  "Kernel panic - not syncing: VFS: Unable to mount root fs", "witness",
			  "console", "text", "List of all partitions:", "witness", "Subtest",
			  "text", "x\n1..4\nKTAP version 1\nok 1 x");
	__cleanup_free char *ktap = render_results("ktap", results, NULL);
	unsigned int counts[KUNIT_COUNTS];

	(void)state;
	parse_as_kunit(ktap, counts);
	assert_int_equal(counts[KUNIT_FAILED], 1);
}

static const char *text_at(const json_t *list, size_t index, const char *key)
{
	const char *text = json_text(json_array_get(list, index), key, NULL);

	assert_non_null(text);
	return text;
}

static void check_kcidb_number(const json_t *test, const json_t *number)
{
	const char *key;
	json_t *value;

	assert_int_equal(json_is(test, "status", "DONE"), number != NULL);
	if (!number)
		return;
	assert_true(json_is_number(json_object_get(number, "value")));
	json_object_foreach ((json_t *)number, key, value) {
		assert_true(is_one_of(key, "value", "unit", "prefix"));
		assert_true(strcmp(key, "value") == 0 || json_is_string(value));
	}
	assert_true(is_one_of(json_text(number, "prefix", "metric"), "metric", "binary"));
}

static void check_kcidb_test(const json_t *data, const json_t *test)
{
	static const char *const keys[] = {"id",	  "origin",	 "build_id",   "path",
					   "status",	  "comment",	 "start_time", "duration",
					   "log_excerpt", "environment", "misc",       "number"};
	static const char statuses[] = " FAIL ERROR MISS PASS DONE SKIP ";
	__cleanup_free char *status = format_text(" %s ", json_text(test, "status", "MISS"));
	regmatch_t groups[6];
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)test, key, value) {
		bool known = false;

		assert_false(json_is_null(value));
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			known |= strcmp(keys[i], key) == 0;
		if (!known)
			fail_msg("a test has no '%s'", key);
	}
	assert_true(matches("^brinell:[A-Za-z0-9_-]+$", json_text(test, "id", ""), groups));
	assert_string_equal(json_text(test, "origin", ""), "brinell");
	assert_string_equal(json_text(test, "build_id", ""),
			    text_at(json_object_get(data, "builds"), 0, "id"));
	assert_true(matches("^[a-zA-Z0-9_-]+(\\.[a-zA-Z0-9_-]+)*$", json_text(test, "path", ""),
			    groups));
	assert_non_null(strstr(statuses, status));
	assert_true(strlen(json_text(test, "log_excerpt", "")) <= 16384);
	assert_true(matches("^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\+00:00)?$",
			    json_text(test, "start_time", ""), groups));
	check_kcidb_number(test, json_object_get(test, "number"));
}

/* What schema 5.3 requires (kernelci/kcidb-io, kcidb_io/schema/v05_03.py). */
static void check_kcidb(const json_t *results, const json_t *records)
{
	__cleanup_free char *text = render_results("kcidb", results, records);
	__cleanup_json json_t *data = json_loads(text, 0, NULL);
	const json_t *version = json_object_get(data, "version");
	__cleanup_json json_t *ids = json_object();
	json_t *each;
	size_t index;

	assert_non_null(data);
	assert_int_equal(json_number(version, "major", 0), 5);
	assert_int_equal(json_number(version, "minor", 0), 3);
	assert_string_equal(text_at(json_object_get(data, "builds"), 0, "checkout_id"),
			    text_at(json_object_get(data, "checkouts"), 0, "id"));
	json_array_foreach (json_object_get(data, "tests"), index, each) {
		check_kcidb_test(data, each);
		/* An id is of one test. */
		assert_int_equal(json_object_size(ids), index);
		json_object_set_new(ids, text_at(json_object_get(data, "tests"), index, "id"),
				    json_true());
	}
}

/* Each metric of a trial that passed is a test with a number, of those that the scenario declares if it does. */
static void kcidb_has_a_number_for_each_metric(void **state)
{
	__cleanup_json json_t *results = json_loads(
		"{\"trials\": [{\"trial\": \"0001\", \"scenario\": \"perf/a\", \"verdict\": "
		"\"pass\","
		" \"metrics\": {\"t.x\": {\"value\": 1500000000, \"unit\": \"ns\", \"direction\": "
		"\"lower\"},"
		" \"t.x@2\": {\"value\": 2e9, \"unit\": \"ns\"}, \"n\": {\"value\": 3, \"unit\": "
		"\"count\"},"
		" \"s\": {\"value\": 0.5, \"unit\": \"ops/s\"}, \"odd\": {\"value\": null}}},"
		" {\"trial\": \"0002\", \"scenario\": \"perf/b\", \"verdict\": \"pass\", "
		"\"budgets\": {\"n\": null},"
		" \"metrics\": {\"n\": {\"value\": 7, \"unit\": \"\"}, \"other\": {\"value\": 8, "
		"\"unit\": \"\"}}},"
		" {\"trial\": \"0003\", \"scenario\": \"perf/b\", \"verdict\": \"fail\", "
		"\"metrics\": {\"n\": {\"value\": 9}}}]}",
		0, NULL);
	static const struct {
		const char *id, *path, *number;
	} expected[] = {
		{"-0001", "brinell.perf.a", NULL},
		{"-0001-t_x", "brinell.perf.a.t_x",
		 "{\"prefix\":\"metric\",\"unit\":\"s\",\"value\":1.5}"},
		{"-0001-t_x_2", "brinell.perf.a.t_x",
		 "{\"prefix\":\"metric\",\"unit\":\"s\",\"value\":2.0}"},
		{"-0001-n", "brinell.perf.a.n", "{\"value\":3}"},
		{"-0001-s", "brinell.perf.a.s", "{\"unit\":\"ops/s\",\"value\":0.5}"},
		{"-0002", "brinell.perf.b", NULL},
		{"-0002-n", "brinell.perf.b.n", "{\"value\":7}"},
		{"-0003", "brinell.perf.b", NULL},
	};
	__cleanup_free char *text = render_results("kcidb", results, NULL);
	__cleanup_json json_t *data = json_loads(text, 0, NULL);
	const json_t *tests = json_object_get(data, "tests");

	(void)state;
	check_kcidb(results, NULL);
	assert_int_equal(json_array_size(tests), ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		const json_t *number = json_object_get(json_array_get(tests, i), "number");
		__cleanup_free char *dump =
			number ? json_dumps(number,
					    JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(6))
			       : NULL;
		const char *id = text_at(tests, i, "id");

		assert_non_null(strstr(id, expected[i].id));
		assert_string_equal(strstr(id, expected[i].id), expected[i].id);
		assert_string_equal(text_at(tests, i, "path"), expected[i].path);
		assert_string_equal(dump ?: "", expected[i].number ?: "");
	}
}

static void kcidb_has_what_its_schema_requires(void **state)
{
	static const char *const names[] = {
		"pass-contained",      "fail-corrupted",     "inconclusive-nothing-seen",
		"infra-never-started", "skip-named",	     "pending-unfinished-run",
		"fail-known-failure",  "fail-migration-lost"};
	__cleanup_json json_t *hostile = hostile_records();
	__cleanup_json json_t *verdicts = judge_records(hostile);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		__cleanup_json json_t *results = NULL;
		__cleanup_json json_t *records = golden(names[i], &results);

		check_kcidb(results, records);
	}
	check_kcidb(verdicts, hostile);
}

static void lava_signals_have_ids_without_spaces(void **state)
{
	__cleanup_json json_t *hostile = hostile_records();
	__cleanup_json json_t *verdicts = judge_records(hostile);
	__cleanup_free char *odd = render_results("lava", verdicts, hostile);
	__cleanup_json json_t *results = NULL;
	__cleanup_json json_t *records = golden("fail-corrupted", &results);
	__cleanup_free char *fail = render_results("lava", results, records);
	regmatch_t groups[6];

	(void)state;
	assert_string_equal(
		fail, "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=einj.load-1 RESULT=fail UNITS=seconds "
		      "MEASUREMENT=0.011>\n");
	assert_true(matches("^<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=[A-Za-z0-9_.-]+ "
			    "RESULT=unknown( UNITS=seconds MEASUREMENT=[0-9.]+)?>\n$",
			    odd, groups));
}

/* No terminal and no reader is led astray by any report. */
static void assert_no_controls(const char *format, const char *text)
{
	for (const char *at = text; *at; at++)
		if (!strchr("\t\r\n", *at) && text_control(at))
			fail_msg("%s holds a control character: %.60s", format, at);
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
	for (size_t i = 0; i < report_count(); i++) {
		__cleanup_free char *text = render_results(report_at(i)->name, results, records);

		assert_no_controls(report_at(i)->name, text);
	}
	junit = render_results("junit", results, records);
	html = render_results("html", results, records);
	ktap = render_results("ktap", results, records);
	assert_valid_junit(junit);
	assert_null(strstr(html, "<script>alert"));
	assert_null(strstr(ktap, "\nok 9"));
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

static void html_shows_arguments_for_people(void **state)
{
	__cleanup_json json_t *results = NULL;
	__cleanup_json json_t *records = golden("pass-conversion-done", &results);
	__cleanup_free char *html = render_results("html", results, records);

	(void)state;
	assert_non_null(
		strstr(html, "<dt>users</dt><dd class=\"mono\">mapping, process, vcpu</dd>"));
	assert_non_null(strstr(html, "<dt>operations</dt><dd class=\"mono\">100</dd>"));
	assert_non_null(strstr(html, "<dt>stall</dt><dd class=\"mono\">20.00 s</dd>"));
}

static void html_shows_what_a_storm_came_to(void **state)
{
	__cleanup_json json_t *results = NULL;
	__cleanup_json json_t *records = golden("fail-conversion-torn", &results);
	__cleanup_free char *html = render_results("html", results, records);
	const char *storm = strstr(html, "<h3>The storm</h3>");

	(void)state;
	assert_non_null(storm);
	assert_non_null(strstr(storm, "<dd>47, of 358 pages; 13 refused</dd>"));
	assert_non_null(strstr(storm, "torn 22, corrupted 0, broken 0; 3448 pages checked"));
	assert_non_null(
		strstr(storm, "<td>mapping</td><td class=\"text\"><span class=\"v fail\">"));
	assert_non_null(strstr(storm, "after operation 0: SIGSEGV, and 7 more</td>"));
	assert_non_null(strstr(
		storm, "<td>uring (refuses)</td><td class=\"text\"><span class=\"v pass\">"));
	assert_non_null(strstr(storm, "<rect class=\"storm\" width=\"400\" height=\"12\"/><rect "
				      "class=\"finding\" x=\"40."));
	/* Reports of progress alone make no mark. */
	assert_null(strstr(html, "injector: gmem-storm: 15 conversions"));
}

static void add_cell_trial(json_t *records, int number, const char *guest, const char *error,
			   const char *moment, const char *touch)
{
	__cleanup_free char *id = format_text("%04d", number);
	json_t *plan = json_object_get(json_object_get(json_array_get(records, 0), "body"), "plan");
	json_t *bodies[] = {json_pack("{s:s, s:s, s:{s:{s:s, s:s, s:s, s:s}}}", "scenario",
				      "xen/cell", "title", "a cell", "spec", "cell", "guest", guest,
				      "error", error, "moment", moment, "touch", touch),
			    json_pack("{s:s}", "injector", "fake"),
			    json_pack("{s:s}", "cause", "infra")};
	static const char *const types[] = {"trial", "intent", "close"};

	json_array_append_new(plan, json_pack("{s:s, s:s}", "trial", id, "scenario", "xen/cell"));
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		json_array_append_new(records,
				      json_pack("{s:I, s:s, s:s, s:o}", "time_ns",
						(json_int_t)(number * 1000 + (int)i), "type",
						types[i], "trial", id, "body", bodies[i]));
}

/*
 * The columns are of the last axis, the rows of the one before, each in the order of the numbers in front of its values. A table has those of
 * the whole matrix, also where it has no trial.
 */
static void html_draws_the_matrix(void **state)
{
	static const char *const parts[] = {
		"<h2>Matrix xen: guest × error × moment × touch</h2><h3>guest: pvh</h3><div "
		"class=\"matrices\"><table class=\"matrix\"><caption>error: "
		"srao</caption><thead><tr>"
		"<th scope=\"col\">moment \\ touch</th><th scope=\"col\">read</th>",
		"<th scope=\"row\">sent</th><td><a class=\"cell infra\" href=\"#t2\" "
		"title=\"xen/cell: "
		"infra\">infra</a></td>",
		"<th scope=\"row\">after</th><td><a class=\"cell infra\" href=\"#t1\"",
		"</div><h3>guest: hvm</h3><div class=\"matrices\"><table class=\"matrix\"><caption>"
		"error: &lt;/pre",
		"<th scope=\"row\">sent</th><td><span class=\"cell none\">–</span></td>",
		"<th scope=\"row\">after</th><td><a class=\"cell infra\" href=\"#t3\"",
		"<h3>guest: &lt;/pre",
	};
	const char *at;
	__cleanup_json json_t *records =
		json_pack("[{s:i, s:I, s:s, s:{s:i, s:s, s:s, s:[]}}]", "seq", 1, "time_ns",
			  (json_int_t)1, "type", "run", "body", "journal", 1, "run", "r", "version",
			  "1", "plan");
	__cleanup_free char *text = NULL;
	__cleanup_free char *html = NULL;

	(void)state;
	add_cell_trial(records, 1, "1 pvh", "1 srao", "10 after", "read");
	add_cell_trial(records, 2, "1 pvh", "1 srao", "9 sent", "read");
	add_cell_trial(records, 3, "2 hvm", "2 " HOSTILE, "10 after", "read");
	add_cell_trial(records, 4, "3 " HOSTILE, "1 srao", "11 " HOSTILE, "1 " HOSTILE);
	text = journal_text(records);
	html = render_journal(report_find("html"), text, strlen(text));
	assert_non_null(html);
	at = html;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const char *found = strstr(at, parts[i]);

		if (!found)
			fail_msg("%s is not in %.1200s", parts[i], at);
		at = found + strlen(parts[i]);
	}
	assert_null(strstr(html, "<script>alert"));
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

static void ktap_writes_the_verdicts(void **state)
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
		cmocka_unit_test(junit_distinguishes_failures_from_errors),
		cmocka_unit_test(hostile_text_breaks_no_format),
		cmocka_unit_test(kunit_parser_reads_the_same),
		cmocka_unit_test(kunit_parser_reads_to_the_end),
		cmocka_unit_test(kcidb_has_what_its_schema_requires),
		cmocka_unit_test(kcidb_has_a_number_for_each_metric),
		cmocka_unit_test(lava_signals_have_ids_without_spaces),
		cmocka_unit_test(html_stands_alone),
		cmocka_unit_test(html_shows_arguments_for_people),
		cmocka_unit_test(html_shows_what_a_storm_came_to),
		cmocka_unit_test(html_draws_the_matrix),
		cmocka_unit_test(ktap_has_a_plan_and_all_results),
		cmocka_unit_test(ktap_writes_the_verdicts),
		cmocka_unit_test(junit_skips_what_is_known),
		cmocka_unit_test(names_are_stable),
		cmocka_unit_test(a_journal_that_is_not_whole_is_a_test_that_failed),
		cmocka_unit_test(tests_of_kcidb_are_of_their_run),
		cmocka_unit_test(the_emulator_is_of_the_environment),
		cmocka_unit_test(other_formats_agree),
		cmocka_unit_test(hostile_text_stays_in_its_field),
		cmocka_unit_test(measurements_are_exported),
		cmocka_unit_test(the_table_counts_known_failures_apart),
		cmocka_unit_test(the_table_fits_its_width),
		cmocka_unit_test(times_are_for_people),
		cmocka_unit_test(a_story_counts_from_the_intent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
