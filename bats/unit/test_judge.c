// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the judge on recorded journals (bats/unit/golden), on every part of one, and on
 * lines of the kernel's log. BRINELL_GOLDEN=write writes the expected results anew; look at what
 * changed before you commit it.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "bats/unit/judge_records.h"
#include "harness/journal/journal.h"
#include "harness/evidence/evidence.h"
#include "harness/evidence/vocabulary.h"
#include "harness/judge/judge.h"

#include <cmocka.h>

#define GOLDEN "bats/unit/golden"

static json_t *load(const char *name)
{
	__cleanup_free char *directory = format_text(GOLDEN "/%s", name);
	json_t *records = NULL;
	struct reason why;

	if (journal_load(directory, &records, NULL, &why))
		fail_msg("%s", why.text);
	return records;
}

static const char *first_verdict(const json_t *results)
{
	return json_text(json_array_get(json_object_get(results, "trials"), 0), "verdict", "none");
}

static int no_dots(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void for_each_golden(void (*check)(const char *name))
{
	struct dirent **names = NULL;
	int count = scandir(GOLDEN, &names, no_dots, alphasort);

	assert_true(count >= 20);
	for (int i = 0; i < count; i++) {
		check(names[i]->d_name);
		free(names[i]);
	}
	free(names);
}

static void check_golden(const char *name)
{
	__cleanup_json json_t *records = load(name);
	__cleanup_json json_t *results = judge_records(records);
	__cleanup_json json_t *expected = NULL;
	__cleanup_free char *path = format_text(GOLDEN "/%s/results.json", name);
	__cleanup_free char *word = strndup(name, strcspn(name, "-"));
	const char *mode = getenv("BRINELL_GOLDEN");

	if (mode && strcmp(mode, "write") == 0) {
		__cleanup_free char *text = json_dumps(results, JSON_INDENT(1));
		__cleanup_free char *line = format_text("%s\n", text);
		__cleanup_free char *directory = format_text(GOLDEN "/%s", name);

		assert_int_equal(
			write_file_atomically(directory, "results.json", line, strlen(line)), 0);
	}
	expected = json_load_file(path, 0, NULL);
	if (!json_equal(results, expected)) {
		__cleanup_free char *got = json_dumps(results, JSON_INDENT(1));

		fail_msg("%s: the results differ from %s:\n%s", name, path, got);
	}
	/*
	 * The name of a case contains its verdict, so that a rewritten file can not hide a changed
	 * one.
	 */
	if (strcmp(word, "pending") != 0 && strcmp(word, first_verdict(results)) != 0)
		fail_msg("%s: the verdict is %s", name, first_verdict(results));
}

static void golden_journals_give_their_results(void **state)
{
	(void)state;
	for_each_golden(check_golden);
}

static char *read_document(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	assert_non_null(file);
	assert_true(getdelim(&text, &size, '\0', file) > 0);
	fclose(file);
	return text;
}

static void every_reason_code_is_documented(void **state)
{
	static const struct {
		const char *name, *meaning;
	} rows[] = {
#define ROW(id, name, meaning) {name, meaning},
		REASON_CODES(ROW)
#undef ROW
	};
	__cleanup_free char *document = read_document("docs/verdicts.md");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		__cleanup_free char *row =
			format_text("\n| `%s` | %s |\n", rows[i].name, rows[i].meaning);

		if (!strstr(document, row))
			fail_msg("docs/verdicts.md lacks the line%s", row);
		assert_int_equal(code_find(rows[i].name), i);
	}
	assert_int_equal(code_find("no-such-code"), CODE_COUNT);
}

/* The trial with one witness, and an event of another that declares in which group it is. */
static json_t *judge_declared(const char *group, const char *kind, const char *pfn, int after)
{
	__cleanup_json json_t *records = load("inconclusive-one-witness");
	json_t *record;
	size_t index;

	json_array_foreach (records, index, record)
		if (strcmp(json_text(record, "type", ""), "step") == 0)
			break;
	json_array_insert_new(records, index,
			      json_pack("{s:I, s:s, s:s, s:{s:s, s:[s, s], s:[], s:[{s:s, s:s, "
					"s:s, s:b, s:s, s:s}]}}",
					"time_ns", (json_int_t)1763712000005150000, "type",
					"witnesses", "trial", "0001", "body", "host", "h0",
					"started", "kmsg", "fake", "missing", "proofs", "witness",
					"fake", "group", group, "field", "errors", "grows", 1,
					"kind", kind, "severity", "uncorrected"));
	json_array_foreach (records, index, record)
		if (strcmp(json_text(record, "type", ""), "close") == 0)
			break;
	json_array_insert_new(
		records, index,
		json_pack("{s:I, s:s, s:s, s:{s:s, s:s, s:s, s:{s:s*, s:{s:i, s:i}}}}", "time_ns",
			  (json_int_t)1763712000008900000, "type", "event", "trial", "0001", "body",
			  "witness", "fake", "host", "h0", "text", "errors", "data", "pfn", pfn,
			  "errors", "before", 1, "after", after));
	return judge_trial(records, "0001");
}

static void a_witness_declares_what_it_proves(void **state)
{
	static const struct {
		const char *group, *kind, *pfn;
		int after;
		const char *code;
	} cases[] = {
		{"edac", "memory", NULL, 2, "as-expected"},
		{"edac", "memory", "0x11a3f4", 2, "as-expected"},
		{"edac", "memory", "0x5a3f", 2, "one-witness"},
		{"edac", "memory", NULL, 1, "one-witness"},
		{"edac", "pcie", NULL, 2, "one-witness"},
		{"kernel log", "memory", NULL, 2, "one-witness"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		__cleanup_json json_t *result =
			judge_declared(cases[i].group, cases[i].kind, cases[i].pfn, cases[i].after);

		if (strcmp(json_text(result, "code", ""), cases[i].code) != 0)
			fail_msg("%s of %s: %s: %s", cases[i].kind, cases[i].group,
				 json_text(result, "code", ""), json_text(result, "reason", ""));
		if (i == 0)
			assert_non_null(
				strstr(json_text(result, "reason", ""), "kernel log, edac"));
	}
}

/* Without one of its records a trial may not pass, unless what is left proves the same. */
static void check_prefixes(const char *name)
{
	__cleanup_json json_t *records = load(name);
	__cleanup_json json_t *part = json_array();
	json_t *record;
	size_t index;

	json_array_foreach (records, index, record) {
		__cleanup_json json_t *before = judge_trial(part, "0001");

		if (strcmp(json_text(before, "verdict", ""), "pass") == 0)
			assert_true(index + 4 >= json_array_size(records));
		json_array_append(part, record);
	}
}

static void a_part_of_a_journal_does_not_pass(void **state)
{
	(void)state;
	check_prefixes("pass-contained");
	check_prefixes("pass-killed");
	check_prefixes("pass-refused");
	check_prefixes("pass-host-died-console-and-bench");
}

/*
 * Settled means that the end would be a pass; it must come with the last evidence that is expected,
 * not before.
 */
static void a_trial_settles_when_all_evidence_is_there(void **state)
{
	__cleanup_json json_t *records = load("pass-contained");
	__cleanup_json json_t *part = json_array();
	const char *last_witness = "";
	bool settled = false;
	json_t *record;
	size_t index;

	(void)state;
	json_array_foreach (records, index, record) {
		if (strcmp(json_text(record, "type", ""), "close") == 0)
			break;
		assert_false(settled);
		json_array_append(part, record);
		settled = judge_is_settled(part, "0001");
		last_witness = json_text(json_object_get(record, "body"), "witness", "");
	}
	assert_true(settled);
	assert_string_equal(last_witness, "pageflags");
}

static void check_never_settled(const char *name)
{
	__cleanup_json json_t *records = load(name);
	size_t last = json_array_size(records);

	if (strncmp(name, "fail-", 5) != 0 && strncmp(name, "inconclusive-", 13) != 0)
		return;
	/*
	 * The engine asks before the close; a cut-off or a lost agent is known to the judge by the
	 * close alone.
	 */
	if (strstr(name, "agent-lost") || strstr(name, "closed-by-resume") ||
	    strstr(name, "fired-twice") || strstr(name, "flipped") ||
	    strstr(name, "record-missing") || strstr(name, "unknown-way"))
		return;
	while (last &&
	       strcmp(json_text(json_array_get(records, last - 1), "type", ""), "close") != 0)
		json_array_remove(records, --last);
	json_array_remove(records, last - 1);
	if (judge_is_settled(records, "0001"))
		fail_msg("%s counts as settled", name);
}

static void what_will_not_pass_never_settles(void **state)
{
	(void)state;
	for_each_golden(check_never_settled);
}

/* Evidence in another order, but after the intent, gives the same result. */
static void the_order_of_the_evidence_does_not_matter(void **state)
{
	__cleanup_json json_t *records = load("pass-contained");
	__cleanup_json json_t *shuffled = json_array();
	__cleanup_json json_t *result = NULL;
	size_t intent = 0, close = 0, index;
	json_t *record;

	(void)state;
	json_array_foreach (records, index, record) {
		if (strcmp(json_text(record, "type", ""), "intent") == 0)
			intent = index;
		if (strcmp(json_text(record, "type", ""), "close") == 0)
			close = index;
	}
	for (index = 0; index <= intent; index++)
		json_array_append(shuffled, json_array_get(records, index));
	for (index = close - 1; index > intent; index--)
		json_array_append(shuffled, json_array_get(records, index));
	json_array_append(shuffled, json_array_get(records, close));
	result = judge_trial(shuffled, "0001");
	assert_string_equal(json_text(result, "verdict", ""), "pass");
}

/* The verdict on a recorded trial that expects something else, whose touch has or has not read the line, and that is done. @expect is stolen. */
static void expect_verdict(const char *name, bool read, json_t *expect, const char *verdict)
{
	__cleanup_json json_t *records = load(name);
	__cleanup_json json_t *result = NULL;
	json_t *record;
	size_t index;

	assert_non_null(expect);
	json_array_foreach (records, index, record) {
		json_t *body = json_object_get(record, "body");
		json_t *data = json_object_get(body, "data");

		if (strcmp(json_text(record, "type", ""), "trial") == 0)
			json_object_set(body, "expect", expect);
		if (strcmp(json_text(record, "type", ""), "close") == 0)
			json_object_set_new(body, "cause", json_string("done"));
		if (read || strcmp(json_text(data, "event", ""), "touched") != 0)
			continue;
		json_object_del(data, "value_ok");
		json_object_del(data, "data");
	}
	json_decref(expect);
	result = judge_trial(records, "0001");
	if (strcmp(json_text(result, "verdict", ""), verdict) != 0)
		fail_msg("%s, %s: %s, %s", name, read ? "read" : "not read",
			 json_text(result, "verdict", ""), json_text(result, "reason", ""));
}

/* A touch that reads nothing shows that its process goes on, and nothing of the data. */
static void what_was_not_read_is_not_intact(void **state)
{
	static const char corrected[] = "pass-unharmed-corrected";
	static const char unseen[] = "inconclusive-nothing-seen";

	(void)state;
	for (int read = 0; read < 2; read++) {
		const char *if_read = read ? "pass" : "inconclusive";

		expect_verdict(corrected, read,
			       json_pack("{s:s, s:s}", "process", "unharmed", "signal", "none"),
			       "pass");
		expect_verdict(corrected, read, json_pack("{s:s}", "data", "intact"), if_read);
		expect_verdict(unseen, read,
			       json_pack("{s:b, s:s}", "delivered", 0, "process", "unharmed"),
			       if_read);
	}
}

static void the_gravest_verdict_decides_the_exit(void **state)
{
	static const struct {
		const char *counts;
		enum brinell_exit code;
	} cases[] = {
		{"{\"counts\":{\"pass\":3,\"skip\":1}}", EXIT_PASSED},
		{"{\"counts\":{\"pass\":3,\"infra\":1}}", EXIT_INFRA},
		{"{\"counts\":{\"pass\":3,\"pending\":1}}", EXIT_INFRA},
		{"{\"counts\":{\"infra\":1,\"inconclusive\":1}}", EXIT_INCONCLUSIVE},
		{"{\"counts\":{\"inconclusive\":1,\"fail\":1}}", EXIT_FAILED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		__cleanup_json json_t *results = json_loads(cases[i].counts, 0, NULL);

		assert_int_equal(judge_exit_code(results), cases[i].code);
	}
}

/* A journal from which a record was taken, with nothing else to show for it, may not end as one that passed. */
static void an_incomplete_journal_is_marked(void **state)
{
	static const char *const needed[] = {"run", "trial", "end", "intent"};
	__cleanup_json json_t *records = load("pass-contained");
	__cleanup_json json_t *whole = judge_records(records);
	json_t *record, *end = NULL;
	size_t index;

	(void)state;
	assert_int_equal(judge_exit_code(whole), EXIT_PASSED);
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		__cleanup_json json_t *part = json_array();
		__cleanup_json json_t *results = NULL;

		json_array_foreach (records, index, record) {
			if (strcmp(json_text(record, "type", ""), needed[i]) != 0)
				json_array_append(part, record);
			if (strcmp(json_text(record, "type", ""), "end") == 0)
				end = record;
		}
		results = judge_records(part);
		if (judge_exit_code(results) == EXIT_PASSED)
			fail_msg("without its '%s' record the run passes", needed[i]);
	}
	json_object_set_new(json_object_get(end, "body"), "verdicts",
			    json_pack("{s:i, s:i}", "pass", 2, "fail", 0));

	__cleanup_json json_t *more = judge_records(records);

	assert_int_equal(json_array_size(json_object_get(more, "flaws")), 2);
	assert_int_equal(judge_exit_code(more), EXIT_INCONCLUSIVE);
}

/* The records of a run that passed, with a sealed verdict that only a reader of the journal can know. */
static json_t *sealed_records(void)
{
	__cleanup_json json_t *golden = load("pass-contained");
	json_t *records = json_array(), *record;
	size_t index, own = 0;

	json_array_foreach (golden, index, record) {
		if (json_is(record, "type", "verdict")) {
			json_t *body = json_object_get(record, "body");

			json_object_set_new(body, "reason", json_string("as recorded"));
			record = json_pack("{s:I, s:s, s:s, s:o}", "time_ns",
					   (json_int_t)json_number(record, "time_ns", 0), "type",
					   "verdict", "trial", "0001", "body",
					   judge_seal(body, own));
			json_array_append_new(records, record);
			continue;
		}
		own += json_text(record, "trial", NULL) != NULL;
		json_array_append(records, record);
	}
	return records;
}

static bool took_recorded(const json_t *records)
{
	__cleanup_json json_t *results = judge_records(records);
	const json_t *trial = json_array_get(json_object_get(results, "trials"), 0);

	return strcmp(json_text(trial, "reason", ""), "as recorded") == 0;
}

/* A recorded verdict counts only as long as its judge and all that this judge has seen are there. */
static void a_recorded_verdict_counts_while_its_records_do(void **state)
{
	__cleanup_json json_t *records = sealed_records();
	json_t *mark =
		json_pack("{s:s, s:{s:s}}", "type", JOURNAL_DAMAGE, "body", "what", "checksum");
	size_t verdict = json_array_size(records) - 2;
	json_t *seal = json_object_get(json_object_get(json_array_get(records, verdict), "body"),
				       "judged");

	(void)state;
	assert_non_null(seal);
	assert_true(took_recorded(records));
	for (size_t i = 1; i < verdict; i++) {
		__cleanup_json json_t *part = json_copy(records);

		json_array_remove(part, i);
		assert_false(took_recorded(part));
	}
	for (size_t i = 1; i <= verdict + 1; i++) {
		__cleanup_json json_t *part = json_copy(records);

		json_array_insert(part, i, mark);
		assert_false(took_recorded(part));
	}
	json_object_set_new(seal, "by", json_string("another judge"));
	assert_false(took_recorded(records));
	json_decref(mark);
}

static void kernel_lines_have_their_meaning(void **state)
{
	static const struct {
		const char *text;
		enum meaning meaning;
		uint64_t pfn;
		int64_t pid;
	} lines[] = {
		{"mce: [Hardware Error]: Machine check events logged", MEANS_HARDWARE_ERROR, 0, 0},
		{"mce: [Hardware Error]: CPU 1: Machine Check Exception: 5 Bank 1: be00",
		 MEANS_HARDWARE_ERROR, 0, 0},
		{"mce: [Hardware Error]: TSC 5f1c ADDR 11a3f4000 MISC 8c", MEANS_HARDWARE_ERROR,
		 0x11a3f4, 0},
		{"mce: Uncorrected hardware memory error in user-access at 11a3f4040",
		 MEANS_HARDWARE_ERROR, 0x11a3f4, 0},
		{"{1}[Hardware Error]: Hardware error from APEI Generic Hardware Error Source: 0",
		 MEANS_HARDWARE_ERROR, 0, 0},
		{"{1}[Hardware Error]:   physical_address: 0x000000011a3f4000",
		 MEANS_HARDWARE_ERROR, 0x11a3f4, 0},
		{"Memory failure: 0x11a3f4: Sending SIGBUS to a b:412 due to hardware memory "
		 "corruption",
		 MEANS_SIGBUS_SENT, 0x11a3f4, 412},
		{"Memory failure: 0x1: recovery action for clean LRU page: Recovered",
		 MEANS_PAGE_HANDLED, 1, 0},
		{"Memory failure: 0x1: recovery action for reserved kernel page: Ignored",
		 MEANS_PAGE_HANDLED, 1, 0},
		{"Memory failure: 0x1: forcibly killing x:9 because of failure to unmap corrupted "
		 "page",
		 MEANS_KILLED, 1, 9},
		{"MCE: Killing memory:412 due to hardware memory corruption fault at 7f3309503400",
		 MEANS_SIGBUS_SENT, 0, 412},
		{"Unpoison: Software-unpoisoned page 0x11a3f4", MEANS_PAGE_HANDLED, 0x11a3f4, 0},
		{"[   12.3] Kernel panic - not syncing: Fatal machine check", MEANS_PANIC, 0, 0},
		{"INFO: task memory:412 blocked for more than 120 seconds.", MEANS_STUCK, 0, 0},
		{"rcu: INFO: rcu_preempt self-detected stall on CPU", MEANS_STUCK, 0, 0},
		{"DMAR: [DMA Write NO_PASID] Request device [00:02.0] fault addr 0x1000 [fault "
		 "reason 0x05]",
		 MEANS_IOMMU_FAULT, 0, 0},
		/*
		 * What an injector announces proves nothing, nor does a panic that only plays one.
		 */
		{"Injecting memory failure for pfn 0x11a3f4 at process virtual address 0x7f00",
		 MEANS_NOTHING, 0, 0},
		{"Soft offlining pfn 0x11a3f4 at process virtual address 0x7f00", MEANS_NOTHING, 0,
		 0},
		{"mce: Triggering MCE exception on CPU 0", MEANS_NOTHING, 0, 0},
		{"mce: [Hardware Error]: Fake kernel panic: Fatal machine check", MEANS_NOTHING, 0,
		 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct kernel_line line = kernel_line_read(lines[i].text);

		if (line.meaning != lines[i].meaning || line.pfn != lines[i].pfn ||
		    line.pid != lines[i].pid)
			fail_msg("'%s' is read as meaning %d, pfn %llx, pid %lld", lines[i].text,
				 line.meaning, (unsigned long long)line.pfn, (long long)line.pid);
	}
}

static void patterns_without_a_bound_are_refused(void **state)
{
	struct reason why = {""};

	(void)state;
	assert_int_equal(regex_check("Memory failure: 0x[0-9a-f]{1,16}: .*Recovered", &why), 0);
	assert_int_not_equal(regex_check("((a{1,255}){1,255}){1,255}", &why), 0);
	assert_int_not_equal(regex_check("(a*)\\1", &why), 0);
	assert_int_not_equal(regex_check("((", &why), 0);
	/* What glibc takes for a place is a character to others. */
	assert_int_not_equal(regex_check("cache \\'x\\'", &why), 0);
	assert_int_not_equal(regex_check(".*", &why), 0);
	assert_int_not_equal(regex_check("Recovered|", &why), 0);
	assert_int_equal(regex_check("[.][*]|.", &why), 0);
}

static size_t find(const json_t *records, const char *type)
{
	size_t index;
	json_t *record;

	json_array_foreach ((json_t *)records, index, record)
		if (strcmp(json_text(record, "type", ""), type) == 0)
			return index;
	fail_msg("no record of type %s", type);
	return 0;
}

static json_t *event_of(const char *witness, const char *data)
{
	return json_pack("{s:I, s:s, s:s, s:{s:s, s:s, s:s, s:o}}", "time_ns",
			 (json_int_t)1763712000008000000, "type", "event", "trial", "0001", "body",
			 "witness", witness, "host", "h0", "text", "", "data",
			 json_loads(data, 0, NULL));
}

/* The journal of a good trial whose events after the intent are others. */
static json_t *with_events(const char *const (*events)[2])
{
	json_t *records = load("pass-contained"), *record;

	for (size_t index = json_array_size(records); index-- > 0;) {
		record = json_array_get(records, index);
		if (strcmp(json_text(record, "type", ""), "event") == 0)
			json_array_remove(records, index);
	}
	for (; (*events)[0]; events++)
		json_array_insert_new(records, find(records, "close"),
				      event_of((*events)[0], (*events)[1]));
	return records;
}

static void close_with(json_t *records, const char *cause)
{
	json_t *close = json_array_get(records, find(records, "close"));

	json_object_set_new(json_object_get(close, "body"), "cause", json_string(cause));
}

static void assert_verdict(const json_t *records, const char *verdict, bool delivered)
{
	__cleanup_json json_t *result = judge_trial(records, "0001");

	assert_string_equal(json_text(result, "verdict", ""), verdict);
	assert_int_equal(json_is_true(json_object_get(result, "delivered")), delivered);
}

static void wrong_data_fail_whatever_became_of_the_bench(void **state)
{
	__cleanup_json json_t *records = load("pass-contained");

	(void)state;
	close_with(records, "skip");
	assert_verdict(records, "infra", true);
	json_array_insert_new(records, find(records, "close"),
			      event_of("workload",
				       "{\"workload\": \"victim\", \"event\": \"corrupted\"}"));
	assert_verdict(records, "fail", true);
	close_with(records, "infra");
	assert_verdict(records, "fail", true);
}

static void counters_from_before_the_intent_prove_nothing(void **state)
{
	static const char *const counters[][2] = {
		{"interrupts", "{\"MCE\": {\"before\": 0, \"after\": 2}}"},
		{"meminfo", "{\"HardwareCorrupted\": {\"before\": 0, \"after\": 4}}"},
		{"pageflags", "{\"pfn\": \"0x11a3f4\", \"hwpoison\": true, \"hwpoison-changed\": "
			      "true}"},
		{NULL, NULL}};
	__cleanup_json json_t *records = with_events(counters);
	__cleanup_json json_t *before = judge_trial(records, "0001"), *after = NULL;

	(void)state;
	assert_string_equal(json_text(before, "code", ""), "victim-silent");
	for (size_t i = 0; i < 2; i++)
		json_array_insert_new(records, find(records, "intent"),
				      event_of(counters[i][0], counters[i][1]));
	after = judge_trial(records, "0001");
	assert_string_equal(json_text(after, "code", ""), "one-witness");
}

/* All reports of an injector about its own fault have the same source. */
static void an_injector_is_no_witness_of_its_own_fault(void **state)
{
	static const char *const own[][2] = {
		{"injector",
		 "{\"injector\": \"storm\", \"event\": \"progress\", \"fraction\": 0.5, "
		 "\"MCE\": {\"before\": 0, \"after\": 2}}"},
		{"injector",
		 "{\"injector\": \"storm\", \"event\": \"signal\", \"signal\": 7, \"code\": "
		 "4, \"pid\": 4242, \"pfn\": \"0x11a3f4\", \"hwpoison\": true}"},
		{"injector", "{\"injector\": \"storm\", \"event\": \"end\", \"error\": 0}"},
		{NULL, NULL}};
	__cleanup_json json_t *records = with_events(own);

	(void)state;
	assert_verdict(records, "inconclusive", false);
}

static void a_page_that_was_poisoned_before_proves_nothing(void **state)
{
	static const char *const after[][2] = {
		{"pageflags", "{\"pfn\": \"0x11a3f4\", \"before\": \"0x80828\", \"after\": "
			      "\"0x85828\", \"hwpoison\": true, \"hwpoison-changed\": false}"},
		{NULL, NULL}};
	__cleanup_json json_t *records = with_events(after);

	(void)state;
	assert_verdict(records, "inconclusive", false);
}

/* A report without a name may belong to another error at the same time. */
static void beside_another_error_only_lines_that_name_the_victim_count(void **state)
{
	static const char *const mixed[][2] = {
		{"pageflags", "{\"pfn\": \"0x11a3f4\", \"before\": \"0x5828\", \"after\": "
			      "\"0x85828\", \"hwpoison\": true, \"hwpoison-changed\": true}"},
		{"interrupts", "{\"MCE\": {\"before\": 0, \"after\": 2}}"},
		{"trace", "{\"event\": \"ras:memory_failure_event\", \"fields\": {\"pfn\": "
			  "\"0x777\"}}"},
		{NULL, NULL}};
	__cleanup_json json_t *records = with_events(mixed);
	__cleanup_json json_t *result = NULL;

	(void)state;
	result = judge_trial(records, "0001");
	assert_string_equal(json_text(result, "verdict", ""), "inconclusive");
	assert_non_null(strstr(json_text(result, "reason", ""), "(pageflags)"));
}

static void a_host_that_no_longer_answers_is_not_up(void **state)
{
	__cleanup_json json_t *records = load("pass-contained");

	(void)state;
	close_with(records, "deadline");
	assert_verdict(records, "inconclusive", true);
	json_array_insert_new(records, find(records, "close"),
			      json_pack("{s:i, s:s, s:s, s:{s:i}}", "time_ns", 1, "type", "usage",
					"trial", "0001", "body", "fds", 9));
	assert_verdict(records, "pass", true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_journals_give_their_results),
		cmocka_unit_test(a_recorded_verdict_counts_while_its_records_do),
		cmocka_unit_test(every_reason_code_is_documented),
		cmocka_unit_test(a_witness_declares_what_it_proves),
		cmocka_unit_test(a_part_of_a_journal_does_not_pass),
		cmocka_unit_test(a_trial_settles_when_all_evidence_is_there),
		cmocka_unit_test(what_will_not_pass_never_settles),
		cmocka_unit_test(the_order_of_the_evidence_does_not_matter),
		cmocka_unit_test(what_was_not_read_is_not_intact),
		cmocka_unit_test(the_gravest_verdict_decides_the_exit),
		cmocka_unit_test(an_incomplete_journal_is_marked),
		cmocka_unit_test(kernel_lines_have_their_meaning),
		cmocka_unit_test(wrong_data_fail_whatever_became_of_the_bench),
		cmocka_unit_test(counters_from_before_the_intent_prove_nothing),
		cmocka_unit_test(an_injector_is_no_witness_of_its_own_fault),
		cmocka_unit_test(a_page_that_was_poisoned_before_proves_nothing),
		cmocka_unit_test(beside_another_error_only_lines_that_name_the_victim_count),
		cmocka_unit_test(a_host_that_no_longer_answers_is_not_up),
		cmocka_unit_test(patterns_without_a_bound_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
