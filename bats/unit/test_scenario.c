// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scenario files: every kind of mistake is found at its exact place, settings reach what they name, the journal's spec
 * reads back as the same scenario, and the shipped library is whole.
 *
 * rooms: harness/trial
 */
#include <errno.h>
#include <string.h>

#include "bats/unit/scenario_refusal.h"
#include "harness/agent/probe.h"
#include "inject/gmem/storm.h"

#define HEAD "scenario: x/y\ntitle: t\n"
#define WORKLOAD "workloads:\n  victim: {kind: memory}\n"
#define STEPS "steps:\n  - start: victim\n"
#define INJECT "  - inject: {with: einj, at: victim, type: memory-uncorrectable-nonfatal}\n"
#define GOOD HEAD WORKLOAD STEPS INJECT
#define EXPECT GOOD "expect:\n"

static const struct refusal refusals[] = {
	/* the form of the file */
	{"", "1:1", "empty"},
	{"# only a comment\n", "1:1", "empty"},
	{"\xef\xbb\xbf" GOOD, "1:1", "byte order mark"},
	{"scenario: x\n\ttitle: t\n", "2:1", "tab in the indentation"},
	{"scenario: x\ntitle: \xff\n", "2:8", "not UTF-8"},
	{"scenario: \xc0\xaf\n", "1:11", "not UTF-8"},
	{"scenario: \xed\xa0\x80\n", "1:11", "not UTF-8"},
	{"scenario: x\ntitle: \x01\n", "2:8", "control character"},
	{"title: \"a\\0b\"\n", "1:8", "NUL in a text"},
	{GOOD "---\nscenario: z\n", "8:1", "a second document"},
	{"title: &a t\n", "1:8", "anchor"},
	{"title: *a\n", "1:8", "alias"},
	{"title: !!str t\n", "1:8", "tag"},
	{"title: [\n", "2:1", "not YAML"},
	{"title: 'open\n", "2:1", "not YAML"},
	{"a: [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]\n", "1:19", "nested too deep"},
	{"- a list\n", "1:1", "must be a mapping"},
	{"text\n", "1:1", "must be a mapping"},
	/* the head */
	{HEAD "tilte: t\n", "3:1", "unknown key 'tilte'; did you mean 'title'?"},
	{HEAD "qqqqqqqq: t\n", "3:1", "unknown key 'qqqqqqqq'; known: scenario, title"},
	{HEAD "title: u\n", "3:1", "duplicate key 'title', first on line 2"},
	{HEAD "[a, b]: t\n", "3:1", "must be a word"},
	{"scenario: x/y\nsteps: []\n", "1:1", "'title' is missing"},
	{HEAD, "1:1", "'steps' is missing"},
	{"scenario: [x]\ntitle: t\nsteps: []\n", "1:11", "must be one value and is a list"},
	{"scenario: X Y\ntitle: t\nsteps: []\n", "1:11", "use a-z, 0-9 and -"},
	{"scenario: x\ntitle:\nsteps: []\n", "2:7", "'title' is empty"},
	{"scenario: x\ntitle: |\n  a\n  b\nsteps: []\n", "2:8", "several lines"},
	{GOOD "tags: demo\n", "8:7", "must be a list; write [demo]"},
	{GOOD "tags: [de mo]\n", "8:8", "use a-z, 0-9 and -"},
	{GOOD "requires: [a, [b]]\n", "8:15", "must be one value"},
	{GOOD "fresh-boot: maybe\n", "8:13", "it must be one of: true, false"},
	{GOOD "deadline: 20\n", "8:11", "a time with its unit"},
	{GOOD "deadline: 0s\n", "8:11", "more than 0s"},
	{GOOD "settle: 2min\n", "8:9", "longer than 'deadline'"},
	{GOOD "rig: {einj-revision: 3}\n", "8:22", "must be one of 1, 2"},
	{GOOD "rig: {memroy: 1G}\n", "8:7", "did you mean 'memory'?"},
	{GOOD "rig: {memory: much}\n", "8:15", "must be a size"},
	{GOOD "rig: 5\n", "8:6", "must be a mapping"},
	/* workloads */
	{HEAD "workloads: [a]\nsteps: []\n", "3:12", "must be a mapping of NAME"},
	{HEAD "workloads:\n  victim: memory\nsteps: []\n", "4:11", "must be a mapping"},
	{HEAD "workloads:\n  victim: {page: thp}\nsteps: []\n", "4:11", "has no 'kind'"},
	{HEAD "workloads:\n  victim: {kind: memroy}\nsteps: []\n", "4:18",
	 "unknown workload kind 'memroy'; did you mean 'memory'?"},
	{HEAD "workloads:\n  victim: {kind: memory, tuch: load}\nsteps: []\n", "4:26",
	 "unknown key 'tuch'; did you mean 'touch'?"},
	{HEAD "workloads:\n  victim: {kind: memory, page: anonymus}\nsteps: []\n", "4:32",
	 "did you mean 'anonymous'?"},
	{HEAD "workloads:\n  victim: {kind: memory, page: [thp]}\nsteps: []\n", "4:32",
	 "must be one value and is a list"},
	{HEAD "workloads:\n  Victim: {kind: memory}\nsteps: []\n", "4:3", "use a-z, 0-9 and -"},
	{HEAD "workloads:\n  a: {kind: memory}\n  a: {kind: memory}\nsteps: []\n", "5:3",
	 "duplicate key 'a', first on line 4"},
	{HEAD WORKLOAD STEPS INJECT "  - stop: victim\n  - touch: victim\n", "9:12",
	 "a step before this one stopped"},
	{HEAD "workloads:\n  victim: {kind: memory}\n  idle: {kind: memory}\n" STEPS INJECT, "5:3",
	 "no step starts workload 'idle'"},
	/* steps */
	{HEAD "steps: []\n", "3:8", "at least one step"},
	{HEAD "steps: {start: victim}\n", "3:8", "must be a list"},
	{HEAD WORKLOAD "steps:\n  - start\n", "6:5", "a mapping of one key"},
	{HEAD WORKLOAD "steps:\n  - {start: victim, touch: victim}\n", "6:5",
	 "a mapping of one key"},
	{HEAD WORKLOAD "steps:\n  - strat: victim\n", "6:5",
	 "unknown step 'strat'; did you mean 'start'?"},
	{HEAD WORKLOAD STEPS "  - stop-injection: hwpoison\n", "7:21", "does not use"},
	{HEAD WORKLOAD "steps:\n  - start: vicitm\n", "6:12",
	 "unknown workload 'vicitm'; did you mean 'victim'?"},
	{HEAD WORKLOAD STEPS "  - start: victim\n", "7:12", "was started before"},
	{HEAD WORKLOAD "steps:\n  - touch: victim\n", "6:12", "no step before this one started"},
	{HEAD WORKLOAD "steps:\n  - stop: victim\n", "6:11", "no step before this one started"},
	{HEAD WORKLOAD "steps:\n  - inject: {with: einj, at: victim, type: memory-correctable}\n",
	 "6:30", "no step before this one started"},
	{HEAD "workloads:\n  victim: {kind: memory, touch: none}\n" STEPS "  - touch: victim\n",
	 "7:12", "declared not to touch"},
	{HEAD WORKLOAD STEPS "  - touch: page\n", "7:12", "unknown workload 'page'"},
	{HEAD WORKLOAD STEPS "  - inject: einj\n", "7:13", "must be a mapping"},
	{HEAD WORKLOAD STEPS "  - inject: {at: victim}\n", "7:13", "has no 'with'"},
	{HEAD WORKLOAD STEPS "  - inject: {with: enij, at: victim}\n", "7:20",
	 "unknown injector 'enij'; did you mean 'einj'?"},
	{HEAD WORKLOAD STEPS "  - inject: {with: einj, at: victim, typ: x}\n", "7:38",
	 "unknown key 'typ'; did you mean 'type'?"},
	{HEAD WORKLOAD STEPS "  - inject: {with: einj, at: victim}\n", "7:13", "'type' is missing"},
	{HEAD WORKLOAD STEPS "  - inject: {with: einj, at: victim, type: memory-corectable}\n",
	 "7:44", "did you mean 'memory-correctable'?"},
	{HEAD WORKLOAD STEPS
	 "  - inject: {with: einj, at: victim, type: memory-correctable, mask: wide}\n",
	 "7:70", "must be a number"},
	{HEAD WORKLOAD STEPS "  - inject: {with: einj, type: memory-correctable}\n", "7:13",
	 "address"},
	{GOOD "  - wait: {match: x}\n", "8:11", "has no 'for'"},
	{GOOD "  - wait: {for: kmsg}\n", "8:11", "has no 'match'"},
	{GOOD "  - wait: {for: kmgs, match: x}\n", "8:17",
	 "unknown witness 'kmgs'; did you mean 'kmsg'?"},
	{GOOD "  - wait: {for: kmsg, match: '(x'}\n", "8:30", "no regular expression"},
	{GOOD "  - wait: {for: kmsg, match: x, within: 5}\n", "8:41", "a time with its unit"},
	{GOOD "  - wait: {for: kmsg, match: x, within: 1min}\n", "8:41",
	 "longer than the trial's deadline"},
	{GOOD "  - wait: {for: kmsg, match: x, witin: 5s}\n", "8:33", "did you mean 'within'?"},
	{GOOD "  - firmware: busy\n", "8:15", "has no 'call'"},
	{GOOD "  - firmware: {call: answer, call: answer}\n", "8:30", "duplicate key 'call'"},
	/* expectations */
	{GOOD "expect: died\n", "8:9", "must be a mapping"},
	{EXPECT "  proces: killed\n", "9:3", "unknown key 'proces'; did you mean 'process'?"},
	{EXPECT "  not_log: [a]\n", "9:3", "key 'not_log' is now spelled 'not-log'; rename it"},
	{EXPECT "  process: kiled\n", "9:12", "did you mean 'killed'?"},
	{EXPECT "  host: dead\n", "9:9", "it must be one of: up, hung, died"},
	{EXPECT "  delivered: 2\n", "9:14", "it must be one of: true, false"},
	{EXPECT "  lsb: 64\n", "9:8", "a number of address bits"},
	{EXPECT "  refused: EBUZY\n", "9:12", "did you mean 'EBUSY'?"},
	{EXPECT "  log: text\n", "9:8", "must be a list"},
	{EXPECT "  log: [a, 'b[']\n", "9:12", "no regular expression"},
	{EXPECT "  log: ['pid \\d+']\n", "9:9", "'\\d' at character 5"},
	{EXPECT "  log: ['pid \\d+']\n", "9:9", "write [0-9]"},
	{EXPECT "  log: ['task \\S+']\n", "9:9", "write [^[:space:]]"},
	{EXPECT "  not-log: ['task .* \\<writer\\> blocked']\n", "9:13", "write < for itself"},
	{EXPECT "  not-log: ['process \\`x']\n", "9:13", "write ` for itself"},
	{EXPECT "  log: ['BUG: |Oops|']\n", "9:9", "matches every line"},
	{EXPECT "  log: ['[[:alpha:]\\w]']\n", "9:9", "write [[:alnum:]_], between"},
	{EXPECT "  not-log: ['a[]\\.]b']\n", "9:13", "backslash between brackets at character 4"},
	{EXPECT "  log: ['\\Aa']\n", "9:9", "'\\A' at character 1"},
	{EXPECT "  interrupts: {NMI: 1}\n", "9:16", "it must be one of: MCE"},
	{EXPECT "  interrupts: {MCE: some}\n", "9:21", "write >=, <=, ==, > or <"},
	{EXPECT "  interrupts: {MCE: 1, MCE: 2}\n", "9:24", "duplicate key 'MCE'"},
	{EXPECT "  corrupted-kb: =4\n", "9:17", "write >=, <=, ==, > or <"},
	{EXPECT "  data: intact\n", "9:9", "no step touches"},
	{EXPECT "  refused: EBUSY\n  delivered: true\n", "10:14", "contradicts 'refused: EBUSY'"},
	{EXPECT "  refused: EBUSY\n  host: died\n", "10:9", "contradicts 'refused: EBUSY'"},
	{EXPECT "  delivered: false\n  process: killed\n", "10:12",
	 "contradicts 'delivered: false'"},
	{EXPECT "  process: unharmed\n  code: BUS_MCEERR_AR\n", "10:9",
	 "contradicts 'process: unharmed'"},
	{EXPECT "  signal: none\n  lsb: 12\n", "10:8", "contradicts 'signal: none'"},
	{EXPECT "  host: died\n  process: contained\n", "10:12", "contradicts 'host: died'"},
	{EXPECT "  process: killed\n  address: match\n", "10:12", "contradicts 'process: killed'"},
	{HEAD "steps:\n  - firmware: {call: reset}\n", "4:3", "no step injects"},
	{HEAD "steps:\n  - inject: {with: einj, type: processor-correctable}\n"
	      "expect: {process: killed}\n",
	 "5:19", "there is no workload"},
};

static void mistakes_are_found_at_their_place(void **state)
{
	(void)state;
	expect_refusals(refusals, ARRAY_SIZE(refusals));
}

static void nul_bytes_are_found(void **state)
{
	static const char text[] = "scenario: x\ntitle: a\0b\n";

	(void)state;
	expect_refusal(text, sizeof(text) - 1, "2:9", "NUL byte");
}

static void huge_files_are_refused(void **state)
{
	size_t length = (1u << 20) + 1;
	__cleanup_free char *text = malloc(length + 1);

	(void)state;
	assert_non_null(text);
	memset(text, '#', length);
	text[length] = '\0';
	expect_refusal(text, length, "1:1", "are too many");
}

static void too_many_values_are_refused(void **state)
{
	size_t length = 3 * 5000 + 8;
	__cleanup_free char *text = calloc(1, length + 1);

	(void)state;
	assert_non_null(text);
	strcpy(text, "tags: [");
	for (size_t i = 0; i < 5000; i++)
		strcpy(text + strlen("tags: [") + 3 * i, "a, ");
	/* The mapping, the key and the list come first; the 4097th value stands behind 4093 of the list. */
	expect_refusal(text, strlen(text), "1:12287", "too many values");
}

static void a_good_file_is_read_whole(void **state)
{
	struct scenario *scenario = parse_good(
		"scenario: x/y\ntitle: t\nobjective: >\n  two\n  lines\nexercises: e\nreference: "
		"r\n"
		"tags: [a, b]\nrequires: ['einj:memory-correctable']\nfresh-boot: true\n"
		"deadline: 9s\nsettle: 100ms\nrig: {memory: 2G, processors: 1}\n" WORKLOAD STEPS
			INJECT "  - wait: {for: kmsg, match: 'a b', within: 3s}\n"
		"  - firmware: {call: answer, status: success}\n  - touch: victim\n"
		"  - stop: victim\nexpect: {interrupts: {MCE: 2, dmar0: '>=1'}, log: [x], lsb: "
		"12}\n",
		NULL);

	(void)state;
	assert_string_equal(scenario->name, "x/y");
	assert_string_equal(scenario->objective, "two lines");
	assert_string_equal(scenario->exercises, "e");
	assert_string_equal(scenario->bench, "intel");
	assert_true(scenario->fresh_boot);
	assert_int_equal(scenario->deadline_ns, 9 * NSEC_PER_SEC);
	assert_int_equal(scenario->settle_ns, 100 * NSEC_PER_MSEC);
	assert_int_equal(json_array_size(scenario->tags), 2);
	assert_string_equal(json_text(scenario->rig, "memory", ""), "2147483648");
	assert_int_equal(scenario->workload_count, 1);
	assert_string_equal(scenario->workloads[0].kind, "memory");
	assert_int_equal(scenario->step_count, 6);
	assert_string_equal(scenario->steps[1].kind->name, "inject");
	assert_int_equal(scenario->steps[1].line, 18);
	assert_string_equal(scenario->steps[1].subject, "victim");
	assert_string_equal(scenario->steps[1].injector, "einj");
	assert_string_equal(json_text(scenario->steps[2].arguments, "match", ""), "a b");
	assert_int_equal(scenario->steps[2].within_ns, 3 * NSEC_PER_SEC);
	assert_string_equal(json_text(scenario->steps[3].arguments, "status", ""), "success");
	assert_string_equal(json_text(json_object_get(scenario->expect, "interrupts"), "MCE", ""),
			    "==2");
	assert_int_equal(json_number(scenario->expect, "lsb", 0), 12);
	assert_string_equal(json_text(scenario->expect, "host", ""), "up");
	assert_true(json_is_true(json_object_get(scenario->expect, "delivered")));
	scenario_free(scenario);
}

static void a_refused_fault_is_not_delivered(void **state)
{
	struct scenario *scenario = parse_good(EXPECT "  refused: EBUSY\n", NULL);

	(void)state;
	assert_true(json_is_false(json_object_get(scenario->expect, "delivered")));
	scenario_free(scenario);
	scenario = parse_good(GOOD INJECT "expect: {refused: EBUSY, delivered: true, "
					  "process: killed}\n",
			      NULL);
	assert_true(json_is_true(json_object_get(scenario->expect, "delivered")));
	scenario_free(scenario);
}

static void settings_reach_what_they_name(void **state)
{
	json_t *settings =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "victim.page", "thp", "deadline",
			  "7s", "steps.1.type", "memory-correctable", "steps.0.start", "victim",
			  "workloads.victim.touch", "store", "expect.log.0", "new", "tags", "p,q");
	struct scenario *scenario = parse_good(GOOD "tags: [a]\nexpect: {log: [old]}\n", settings);

	(void)state;
	json_decref(settings);
	assert_string_equal(json_text(scenario->workloads[0].arguments, "page", ""), "thp");
	assert_string_equal(json_text(scenario->workloads[0].arguments, "touch", ""), "store");
	assert_int_equal(scenario->deadline_ns, 7 * NSEC_PER_SEC);
	assert_string_equal(json_text(scenario->steps[1].arguments, "type", ""),
			    "memory-correctable");
	assert_int_equal(json_array_size(scenario->tags), 2);
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(scenario->expect, "log"), 0)),
		"new");
	scenario_free(scenario);
}

static void wrong_settings_are_named(void **state)
{
	static const struct {
		const char *key, *value, *message;
	} wrong[] = {
		{"vicitm.page", "thp",
		 "t.yaml: setting 'vicitm.page=thp': the scenario has no 'vicitm'"},
		{"victim.pgae", "thp",
		 "t.yaml: setting 'victim.pgae=thp': unknown key 'pgae'; did you mean 'page'?"},
		{"victim.page", "thb", "t.yaml: setting 'victim.page=thb': 'page' is 'thb'"},
		{"deadlin", "5s",
		 "t.yaml: setting 'deadlin=5s': unknown key 'deadlin'; did you mean 'deadline'?"},
		{"deadline", "soon", "t.yaml: setting 'deadline=soon': 'deadline' is 'soon'"},
		{"steps.7.type", "x",
		 "t.yaml: setting 'steps.7.type=x': there is no '7' in a list of 2"},
		{"steps.one.type", "x", "t.yaml: setting 'steps.one.type=x': there is no 'one'"},
		{"title.x", "y",
		 "t.yaml: setting 'title.x=y': 'title' is one value and has no parts"},
		{"", "y", "t.yaml: setting '=y': the scenario has no ''"},
		{"steps", "y", "t.yaml: setting 'steps=y': 'steps' must be a list"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		json_t *settings = json_pack("{s:s}", wrong[i].key, wrong[i].value);
		struct scenario *scenario = NULL;
		struct reason why = {""};

		assert_int_not_equal(parse(GOOD, strlen(GOOD), settings, &scenario, &why), 0);
		json_decref(settings);
		if (strncmp(why.text, wrong[i].message, strlen(wrong[i].message)) != 0)
			fail_msg("expected '%s', got '%s'", wrong[i].message, why.text);
	}
}

static char *library_file(const char *library, const char *name)
{
	return format_text("%s/%s.yaml", library, name);
}

static bool has(const json_t *texts, const char *text)
{
	size_t index;
	json_t *item;

	json_array_foreach (texts, index, item)
		if (strcmp(json_string_value(item), text) == 0)
			return true;
	return false;
}

static size_t count_of(const json_t *names, const char *prefix)
{
	size_t count = 0, index;
	json_t *name;

	json_array_foreach (names, index, name)
		count += strncmp(json_string_value(name), prefix, strlen(prefix)) == 0;
	return count;
}

/* The floor: what peers test on x86 must have its scenario here. */
static const char *const peers[] = {
	"einj_mem_uc single",
	"einj_mem_uc double",
	"einj_mem_uc split",
	"einj_mem_uc THP",
	"einj_mem_uc hugetlb",
	"einj_mem_uc store",
	"einj_mem_uc prefetch",
	"einj_mem_uc memcpy",
	"einj_mem_uc instr",
	"einj_mem_uc patrol",
	"einj_mem_uc thread",
	"einj_mem_uc share",
	"einj_mem_uc overflow",
	"einj_mem_uc llc",
	"einj_mem_uc copyin",
	"einj_mem_uc copyout",
	"einj_mem_uc copy-on-write",
	"einj_mem_uc futex",
	"einj_mem_uc mlock",
	"einj_mem_uc core_ce",
	"einj_mem_uc core_non_fatal",
	"einj_mem_uc core_fatal",
	"madv_hard.anon",
	"madv_hard.clean_pagecache",
	"madv_hard.dirty_pagecache",
	"madv_soft.anon",
	"madv_soft.clean_pagecache",
	"madv_soft.dirty_pagecache",
};

/* Values of the axes that storms and DMA are about; what can not be expected is the code of a known failure. */
static const char *const outcomes[] = {
	"conversion done",
	"conversion refused-intact",
	"conversion refused-torn",
	"code conversion-corrupted",
	"iommu quiet",
	"iommu fault",
};

static void note_outcomes(const struct scenario *scenario, json_t *seen)
{
	static const char *const axes[] = {"conversion", "iommu"};
	json_t *code;
	size_t index;

	for (size_t i = 0; i < ARRAY_SIZE(axes); i++)
		json_array_append_new(seen, json_sprintf("%s %s", axes[i],
							 json_text(scenario->expect, axes[i], "")));
	json_array_foreach (json_object_get(scenario->known_failure, "code"), index, code)
		json_array_append_new(seen, json_sprintf("code %s", json_string_value(code)));
}

static size_t selected(const char *pattern, struct reason *why)
{
	__cleanup_json json_t *paths = json_array();
	int error = scenario_select(pattern, paths, why);

	assert_int_equal(error == 0, json_array_size(paths) > 0);
	return json_array_size(paths);
}

/* What the probes of this program report. */
static json_t *probed(void)
{
	__cleanup_json json_t *findings = NULL;
	json_t *names = json_array(), *finding;
	size_t index;

	system_root_set("/nonexistent");
	findings = probe_machine();
	system_root_set("");
	json_array_foreach (findings, index, finding)
		json_array_append(names, json_object_get(finding, "name"));
	return names;
}

/* A requirement that no probe reports would skip its scenario for ever. */
static void assert_requirements_are_probed(const struct scenario *scenario, const json_t *known)
{
	size_t index;
	json_t *needed;

	json_array_foreach (scenario->requires, index, needed)
		if (!has(known, json_string_value(needed)))
			fail_msg("%s requires '%s', which no probe reports", scenario->name,
				 json_string_value(needed));
}

static bool is_refused_once(const struct storm_knobs *knobs)
{
	for (uint64_t i = 0; i < knobs->operations; i++) {
		struct storm_operation operation;

		storm_plan(knobs, i, &operation);
		if (operation.refused && operation.to_private)
			return true;
	}
	return false;
}

/* A refusal that an expectation needs comes with every seed. */
static void assert_refusals_come(const struct scenario *scenario)
{
	const char *conversion = json_text(scenario->expect, "conversion", "");

	for (size_t i = 0; i < scenario->step_count; i++) {
		const json_t *arguments = scenario->steps[i].arguments;
		struct storm_knobs knobs;
		struct reason why;

		if (strncmp(conversion, "refused", 7) != 0 ||
		    !json_text(arguments, "refuser", NULL))
			continue;
		assert_int_equal(storm_knobs_read(arguments, 0, &knobs, &why), 0);
		for (knobs.seed = 1; knobs.seed <= 10000; knobs.seed++)
			if (!is_refused_once(&knobs))
				fail_msg("%s: seed %lu has no refusal", scenario->name,
					 (unsigned long)knobs.seed);
		storm_knobs_release(&knobs);
	}
}

static void the_library_is_whole(void **state)
{
	__cleanup_free char *library = NULL;
	__cleanup_json json_t *names = NULL;
	__cleanup_json json_t *references = json_array(), *seen = json_array();
	__cleanup_json json_t *findings = probed();
	struct reason why = {""};
	size_t index, demos = 0;
	json_t *name;

	(void)state;
	assert_int_equal(scenario_library_path(&library), 0);
	if (scenario_library_list(&names, &why))
		fail_msg("%s", why.text);
	assert_true(count_of(names, "einj/") >= 20);
	assert_true(count_of(names, "mce/") >= 8);
	assert_true(count_of(names, "hwpoison/") >= 12);
	assert_true(count_of(names, "kvm/") - count_of(names, "kvm/migration/") >= 26);
	assert_true(count_of(names, "kvm/migration/") >= 20);
	json_array_foreach (names, index, name) {
		__cleanup_free char *path = library_file(library, json_string_value(name));
		struct scenario *scenario = NULL, *again = NULL;

		if (scenario_load(path, NULL, &scenario, &why))
			fail_msg("%s", why.text);
		assert_string_equal(scenario->name, json_string_value(name));
		if (!scenario->objective || !scenario->exercises || !scenario->reference ||
		    json_array_size(scenario->tags) == 0)
			fail_msg("%s: objective, exercises, reference or tags is missing", path);
		assert_requirements_are_probed(scenario, findings);
		assert_refusals_come(scenario);
		demos += has(scenario->tags, "demo");
		note_outcomes(scenario, seen);
		json_array_append_new(references, json_string(scenario->reference));
		if (scenario_from_spec(scenario->spec, &again, &why))
			fail_msg("%s", why.text);
		if (!json_equal(scenario->spec, again->spec))
			fail_msg("%s: its spec reads back as another scenario", path);
		assert_string_equal(scenario->title, again->title);
		assert_string_equal(scenario->objective, again->objective);
		assert_string_equal(scenario->exercises, again->exercises);
		assert_string_equal(scenario->reference, again->reference);
		assert_int_equal(scenario->step_count, again->step_count);
		scenario_free(again);
		scenario_free(scenario);
	}
	assert_in_range(demos, 12, 24);
	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++)
		if (!has(seen, outcomes[i]))
			fail_msg("no scenario has '%s'", outcomes[i]);
	assert_int_equal(selected("@demo", &why), demos);
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		size_t length = strlen(peers[i]);
		bool found = false;
		json_t *reference;

		json_array_foreach (references, index, reference) {
			const char *at = strstr(json_string_value(reference), peers[i]);

			found = found || (at && (at[length] == '\0' || at[length] == ','));
		}
		if (!found)
			fail_msg("no scenario refers to the peer's case '%s'", peers[i]);
	}
}

/* `brinell resume` of a run that an earlier version began. */
static void old_keys_of_a_journal_are_read(void **state)
{
	struct scenario *scenario = NULL;
	struct reason why;
	json_t *spec =
		json_pack("{s:s, s:s, s:{s:{s:s}}, s:[{s:s}, {s:{s:s, s:s, s:s}}], s:{s:[s], s:s}}",
			  "scenario", "x/y", "title", "t", "workloads", "victim", "kind", "memory",
			  "steps", "start", "victim", "inject", "with", "einj", "at", "victim",
			  "type", "memory-correctable", "expect", "not_log", "a", "corrupted_kb",
			  "==0");

	(void)state;
	if (scenario_from_spec(spec, &scenario, &why))
		fail_msg("%s", why.text);
	assert_non_null(json_object_get(scenario->expect, "not-log"));
	assert_string_equal(json_text(scenario->expect, "corrupted-kb", ""), "==0");
	scenario_free(scenario);
	json_decref(spec);
}

static void a_library_file_has_the_name_of_its_path(void **state)
{
	__cleanup_free char *library = NULL;
	__cleanup_free char *path = NULL;
	struct scenario *scenario = NULL;
	struct reason why = {""};

	(void)state;
	assert_int_equal(scenario_library_path(&library), 0);
	path = library_file(library, "einj/single");
	assert_int_not_equal(scenario_parse(path, GOOD, strlen(GOOD), NULL, &scenario, &why), 0);
	assert_non_null(strstr(why.text, "einj/single.yaml:1:11: "));
	assert_non_null(strstr(why.text, "write scenario: einj/single"));
}

static void scenarios_are_selected(void **state)
{
	__cleanup_json json_t *names = NULL;
	__cleanup_json json_t *paths = json_array();
	struct reason why = {""};

	(void)state;
	assert_int_equal(scenario_library_list(&names, &why), 0);
	assert_int_equal(selected("einj/single", &why), 1);
	assert_int_equal(selected("einj/*", &why), count_of(names, "einj/"));
	assert_int_equal(selected("*", &why), json_array_size(names));
	assert_int_equal(scenario_select("einj/single", paths, &why), 0);
	assert_int_equal(scenario_select("einj/singl?", paths, &why), 0);
	assert_int_equal(json_array_size(paths), 1);
	assert_int_equal(selected(json_string_value(json_array_get(paths, 0)), &why), 1);

	assert_int_equal(selected("einj/signle", &why), 0);
	assert_non_null(strstr(why.text, "near: einj/single"));
	assert_int_equal(selected("thp", &why), 0);
	assert_non_null(strstr(why.text, "einj/thp"));
	setenv("BRINELL_LIBRARY", "bats/unit/golden", 1);
	assert_int_equal(selected("@nothing", &why), 0);
	unsetenv("BRINELL_LIBRARY");
	assert_non_null(strstr(why.text, "no scenario has the tag 'nothing'"));
	assert_int_equal(selected("./not-there.yaml", &why), 0);
	assert_non_null(strstr(why.text, "no scenario file ./not-there.yaml"));
}

static void a_missing_library_is_named(void **state)
{
	__cleanup_json json_t *names = NULL;
	struct reason why = {""};
	int error;

	(void)state;
	setenv("BRINELL_LIBRARY", "/not/there", 1);
	error = scenario_library_list(&names, &why);
	unsetenv("BRINELL_LIBRARY");
	assert_int_equal(error, -ENOENT);
	assert_non_null(strstr(why.text, "/not/there"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_found_at_their_place),
		cmocka_unit_test(nul_bytes_are_found),
		cmocka_unit_test(huge_files_are_refused),
		cmocka_unit_test(too_many_values_are_refused),
		cmocka_unit_test(a_good_file_is_read_whole),
		cmocka_unit_test(a_refused_fault_is_not_delivered),
		cmocka_unit_test(settings_reach_what_they_name),
		cmocka_unit_test(wrong_settings_are_named),
		cmocka_unit_test(the_library_is_whole),
		cmocka_unit_test(old_keys_of_a_journal_are_read),
		cmocka_unit_test(a_library_file_has_the_name_of_its_path),
		cmocka_unit_test(scenarios_are_selected),
		cmocka_unit_test(a_missing_library_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
