// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: inputs that look like a pass and must not be one. Each has a neighbour that differs in the point in question
 * alone and passes, so that it is this point that decides.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "bats/unit/judge_records.h"
#include "harness/journal/journal.h"

#include <cmocka.h>

#define ID "0001"
#define RECOVERED "Memory failure: 0x11a3f4: recovery action for dirty LRU page: Recovered"
#define CONSUMED "mce: Uncorrected hardware memory error in user-access at 11a3f4000"
#define KMSG(text)                                                                                 \
	{                                                                                          \
		"kmsg", text, "{\"facility\": 0}"                                                  \
	}
#define MEMINFO                                                                                    \
	{                                                                                          \
		"meminfo", "", "{\"HardwareCorrupted\": {\"before\": 0, \"after\": 4}}"            \
	}
#define MCE                                                                                        \
	{                                                                                          \
		"interrupts", "", "{\"MCE\": {\"before\": 0, \"after\": 1}}"                       \
	}
#define PAGE                                                                                       \
	{                                                                                          \
		"pageflags", "",                                                                   \
			"{\"pfn\": \"0x11a3f4\", \"hwpoison\": true, \"hwpoison-changed\": true}"  \
	}
#define FIRED_NS 1763712000006600000
#define EVENTS_MAX 6

struct entry {
	const char *witness, *text, *data;
};

static json_t *record_of(const char *type, json_t *body)
{
	return json_pack("{s:I, s:s, s:s, s:o}", "time_ns", (json_int_t)1763712000008000000, "type",
			 type, "trial", ID, "body", body);
}

static size_t find(const json_t *records, const char *type)
{
	size_t index;
	json_t *record;

	json_array_foreach (records, index, record)
		if (json_is(record, "type", type))
			break;
	return index;
}

static json_t *body_of(json_t *records, const char *type)
{
	return json_object_get(json_array_get(records, find(records, type)), "body");
}

/* A trial whose fault hit frame 0x11a3f4, without evidence, and a witness that follows the kernel's log. */
static json_t *plain_trial(void)
{
	__cleanup_json json_t *all = NULL;
	json_t *records = json_array(), *record;
	struct reason why;
	size_t index;

	if (journal_load("bats/unit/golden/pass-contained", &all, NULL, &why))
		fail_msg("%s", why.text);
	json_array_foreach (all, index, record)
		if (!json_is(record, "type", "event"))
			json_array_append(records, record);
	json_object_set_new(body_of(records, "trial"), "expect", json_pack("{s:s}", "host", "up"));
	json_array_insert_new(records, find(records, "step"),
			      record_of("witnesses",
					json_pack("{s:s, s:[s], s:{s:s, s:s}}", "host", "h0",
						  "started", "kmsg", "formats", "kmsg",
						  "kernel-log", "trace", "trace-event")));
	return records;
}

/* Behind the fault, by the clock too. */
static void add_reports(json_t *records, const struct entry *events)
{
	json_int_t fired =
		json_number(json_array_get(records, find(records, "intent")), "time_ns", 0);

	for (; events->witness; events++) {
		json_t *event = record_of(
			"event",
			json_pack("{s:s, s:s, s:s, s:o*}", "witness", events->witness, "host", "h0",
				  "text", events->text, "data",
				  events->data ? json_loads(events->data, 0, NULL) : NULL));

		if (json_number(event, "time_ns", 0) < fired)
			json_object_set_new(event, "time_ns", json_integer(fired));
		json_array_insert_new(records, find(records, "close"), event);
	}
}

static void assert_verdict(const json_t *records, const char *verdict, const char *code)
{
	__cleanup_json json_t *result = judge_trial(records, ID);

	if (!json_is(result, "verdict", verdict) || (code && !json_is(result, "code", code)))
		fail_msg("verdict %s (%s): %s", json_text(result, "verdict", ""),
			 json_text(result, "code", ""), json_text(result, "reason", ""));
}

static void assert_events(const struct entry *events, const char *verdict, const char *code)
{
	__cleanup_json json_t *records = plain_trial();

	add_reports(records, events);
	assert_verdict(records, verdict, code);
}

static void text_that_the_kernel_quotes_is_no_report(void **state)
{
	static const char *const quotes[] = {
		"audit: type=1112 audit(1.2:3): pid=9 uid=0 msg='text=\"" RECOVERED "\"'",
		"usb 1-1: Product: " RECOVERED,
		"usb 1-1: SerialNumber: " RECOVERED,
		"input: " RECOVERED " as /devices/virtual/input/input7",
		"process '" RECOVERED "' started with executable stack",
		"Kernel command line: note=\"" RECOVERED "\"",
		"EXT4-fs (sdb1): mounted filesystem " RECOVERED,
		"a.out " RECOVERED,
		"x: [    1.000000] " RECOVERED,
	};
	const struct entry own[] = {KMSG(RECOVERED), PAGE, {0}};

	(void)state;
	assert_events(own, "pass", NULL);
	for (size_t i = 0; i < ARRAY_SIZE(quotes); i++) {
		const struct entry events[] = {KMSG(quotes[i]), PAGE, {0}};

		assert_events(events, "inconclusive", "one-witness");
	}
}

/* The lines of a log that a scenario expects, in the same words of others. */
static void a_quote_does_not_meet_an_expectation(void **state)
{
	static const struct {
		struct entry entry;
		const char *verdict;
	} lines[] = {
		{KMSG(RECOVERED), "pass"},
		{KMSG("audit: type=1112 audit(1.2:3): msg='" RECOVERED "'"), "fail"},
		{KMSG("usb 1-1: Product: " RECOVERED), "fail"},
		{KMSG("Memory failure: 0x777: recovery action for dirty LRU page: Recovered"),
		 "fail"},
		{{"console", "[   12.345678] " RECOVERED, NULL}, "fail"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		const struct entry events[] = {
			KMSG("mce: Uncorrected hardware memory error in user-access at 11a3f4000"),
			{"pageflags", "",
			 "{\"pfn\": \"0x11a3f4\", \"hwpoison\": true, \"hwpoison-changed\": true}"},
			lines[i].entry,
			{0}};
		__cleanup_json json_t *records = plain_trial();

		json_object_set_new(body_of(records, "trial"), "expect",
				    json_pack("{s:[s]}", "log",
					      "Memory failure: 0x[0-9a-f]+: .*Recovered"));
		add_reports(records, events);
		assert_verdict(records, lines[i].verdict, NULL);
	}
}

/* Any program with a terminal can write to a console; the log of a host that is up has what the kernel shows there. */
static void a_console_alone_is_anybody(void **state)
{
	const struct entry shown[] = {{"console", "[   12.345678] " RECOVERED, NULL}, PAGE, {0}};
	__cleanup_json json_t *records = plain_trial();

	(void)state;
	assert_events(shown, "inconclusive", "one-witness");
	json_array_remove(records, find(records, "witnesses"));
	add_reports(records, shown);
	assert_verdict(records, "pass", NULL);
}

static void the_end_of_an_error_proves_no_error(void **state)
{
	const struct entry repaired[] = {
		KMSG("Unpoison: Unpoisoned page 0x11a3f4"),
		{"pageflags", "",
		 "{\"pfn\": \"0x11a3f4\", \"hwpoison\": false, \"hwpoison-changed\": true}"},
		{"meminfo", "", "{\"HardwareCorrupted\": {\"before\": 4, \"after\": 0}}"},
		{0}};
	__cleanup_json json_t *records = plain_trial();

	(void)state;
	assert_events(repaired, "inconclusive", NULL);
	json_object_set_new(body_of(records, "intent"), "fault",
			    json_pack("[s, s]", "memory", "repaired"));
	add_reports(records, repaired);
	assert_verdict(records, "pass", NULL);
}

static void half_a_counter_counts_nothing(void **state)
{
	static const char *const data[] = {
		"{\"MCE\": {\"after\": 5}}",
		"{\"MCE\": {\"before\": -5}}",
		"{\"MCE\": {\"before\": -1, \"after\": 0}}",
		"{\"MCE\": true}",
	};
	const struct entry whole[] = {KMSG(CONSUMED), MCE, {0}};

	(void)state;
	assert_events(whole, "pass", NULL);
	for (size_t i = 0; i < ARRAY_SIZE(data); i++) {
		const struct entry events[] = {KMSG(CONSUMED), {"interrupts", "", data[i]}, {0}};

		assert_events(events, "inconclusive", "one-witness");
	}
}

/*
 * A machine check of memory or of the processor, and an interrupt of one: an error of another page, which nothing names, would look
 * the same.
 */
static void what_leaves_its_kind_open_needs_a_name(void **state)
{
	const struct entry logged = KMSG("mce: [Hardware Error]: Machine check events logged");
	const struct entry open[] = {logged, MCE, {0}};
	const struct entry named[] = {logged, MCE, PAGE, {0}};
	const struct entry without_kind[] = {
		KMSG("{1}[Hardware Error]: Hardware error from APEI Generic Hardware Error Source: "
		     "0"),
		{"workload", "",
		 "{\"workload\": \"victim\", \"event\": \"touched\", \"value_ok\": true}"},
		{0}};
	const struct entry touched[] = {without_kind[1], {0}};
	const struct entry *harmless[] = {without_kind, open, touched};

	(void)state;
	assert_events(open, "inconclusive", "delivered-not-proven");
	assert_events(named, "pass", NULL);
	/* An error without a page has its kind from its bank. */
	for (int said = 0; said < 2; said++) {
		__cleanup_json json_t *records = plain_trial();
		const struct entry bank[] = {
			{"trace", "mce_record: ",
			 "{\"event\": \"mce:mce_record\", \"fields\": {\"status\": "
			 "\"0x9c00000000000135\", \"cpu\": 0, \"bank\": 1}}"},
			{0}};
		json_t *intent = body_of(records, "intent");

		json_object_set_new(intent, "fault", json_pack("[s, s]", "processor", "corrected"));
		add_reports(records, (const struct entry[]){logged, {0}});
		if (said)
			add_reports(records, bank);
		assert_verdict(records, said ? "pass" : "inconclusive", NULL);
	}
	/* A section that Linux has no decoder for: its type has the kind, the event its severity. */
	for (int severity = 1; severity < 3; severity++) {
		__cleanup_free char *fields = format_text(
			"{\"event\": \"ras:non_standard_event\", \"fields\": {\"sev\": %d}}",
			severity);
		const struct entry section[] = {
			KMSG("{1}[Hardware Error]:   section type: unknown, "
			     "9876ccad-b447-4bdb-b65e-16f193c4f3db"),
			{"trace", "sec type:adcc7698-47b4-db4b-b65e-16f193c4f3db", fields},
			{0}};
		__cleanup_json json_t *records = plain_trial();

		json_object_set_new(body_of(records, "intent"), "fault",
				    json_pack("[s, s]", "processor", "corrected"));
		add_reports(records, section);
		assert_verdict(records, severity == 1 ? "pass" : "inconclusive", NULL);
	}
	/* Nor does it show that a fault had no effect. */
	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++) {
		__cleanup_json json_t *records = plain_trial();

		json_object_set_new(body_of(records, "trial"), "expect",
				    json_pack("{s:b}", "delivered", 0));
		add_reports(records, harmless[i]);
		assert_verdict(records, i < 2 ? "fail" : "pass", NULL);
	}
}

static json_t *line_at(const char *guest, int64_t seen_ns, int64_t guest_ns, int facility,
		       const char *text)
{
	json_t *event =
		record_of("event", json_pack("{s:s, s:s, s:s*, s:I, s:s, s:{s:i, s:I}}", "witness",
					     "kmsg", "host", "h0", "guest", guest, "host_time_ns",
					     (json_int_t)seen_ns, "text", text, "data", "facility",
					     facility, "guest_time_ns", (json_int_t)guest_ns));

	json_object_set_new(event, "time_ns",
			    json_integer(seen_ns > FIRED_NS ? seen_ns : FIRED_NS));
	return event;
}

/* The log had lines that were still to be read when the fault was fired. The time of a record is that of the kernel. */
static void what_was_written_before_the_fault_is_no_proof(void **state)
{
	static const struct {
		int64_t offset_ns;
		const char *verdict;
	} times[] = {{-2 * NSEC_PER_SEC, "inconclusive"},
		     {-NSEC_PER_MSEC, "pass"},
		     {NSEC_PER_MSEC, "pass"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		__cleanup_json json_t *records = plain_trial();
		const struct entry page[] = {PAGE, {0}};

		json_object_set_new(json_array_get(records, find(records, "intent")), "time_ns",
				    json_integer(FIRED_NS));
		json_array_insert_new(records, find(records, "close"),
				      line_at(NULL, FIRED_NS + times[i].offset_ns, 0, 0,
					      RECOVERED));
		/* Behind it, so that it shows that the clock of the host is not behind. */
		add_reports(records, page);
		assert_verdict(records, times[i].verdict, NULL);
		/* Nor is it the line that a scenario expects. */
		add_reports(records, (const struct entry[]){KMSG(CONSUMED), {0}});
		json_object_set_new(body_of(records, "trial"), "expect",
				    json_pack("{s:[s]}", "log", "recovery action for"));
		assert_verdict(records, i ? "pass" : "fail", i ? NULL : "line-missing");
	}
}

/* A host that hung before the fault, and by now may go on. */
static void a_stall_of_before_the_fault_is_not_its_doing(void **state)
{
	static const char *const verdicts[] = {"pass", "fail"};
	static const char *const codes[] = {NULL, "host-survived"};

	(void)state;
	for (int older = 0; older < 2; older++) {
		const struct entry own[] = {KMSG(RECOVERED), PAGE, {0}};
		__cleanup_json json_t *records = plain_trial();

		json_object_set_new(body_of(records, "trial"), "expect",
				    json_pack("{s:s}", "host", "hung"));
		json_array_insert_new(
			records, find(records, "close"),
			line_at(NULL, FIRED_NS - older * 30 * NSEC_PER_SEC, 0, 0,
				"watchdog: BUG: soft lockup - CPU#0 stuck for 23s! [memory:412]"));
		add_reports(records, own);
		assert_verdict(records, verdicts[older], codes[older]);
		/* It is harm all the same. */
		json_object_set_new(body_of(records, "trial"), "expect",
				    json_pack("{s:s}", "host", "up"));
		assert_verdict(records, "fail",
			       older ? "kernel-damaged" : "host-hung-unexpectedly");
	}
}

/* The clock of a guest is any. Ten seconds passed there between two lines that arrive together: the first was on its way for as long. */
static void what_a_guest_wrote_before_the_fault_is_no_proof(void **state)
{
	static const char noise[] = "mce: [Hardware Error]: Machine check events logged";
	static const int64_t later_ns[] = {17, 17 + NSEC_PER_MSEC, 17 + 10 * NSEC_PER_SEC};
	struct reason why;

	(void)state;
	for (size_t i = 0; i < 2 + ARRAY_SIZE(later_ns); i++) {
		__cleanup_json json_t *records = NULL;
		size_t at;

		if (journal_load("bats/unit/golden/pass-guest-corrected", &records, NULL, &why))
			fail_msg("%s", why.text);
		at = find(records, i < ARRAY_SIZE(later_ns) ? "close" : "intent");
		if (i < ARRAY_SIZE(later_ns))
			json_array_insert_new(records, at,
					      line_at("g1", 1763712001100000001, later_ns[i], 0,
						      "random: crng init done"));
		else
			json_array_insert_new(records, at,
					      line_at("g1", 1763712000900000000, 9,
						      i == ARRAY_SIZE(later_ns), noise));
		/* A guest that reports such errors all the time. A program that writes the same line is none. */
		assert_verdict(records, i == 2 || i == 4 ? "inconclusive" : "pass",
			       i == 2 || i == 4 ? "one-witness" : NULL);
	}
}

/* No witness follows the log, in which a report of damage would be. */
static void a_log_that_nothing_follows_is_not_clean(void **state)
{
	const struct entry own[] = {{"trace", "pfn 0x11a3f4",
				     "{\"event\": \"ras:memory_failure_event\", \"fields\": "
				     "{\"pfn\": \"0x11a3f4\"}}"},
				    PAGE,
				    {0}};

	(void)state;
	for (int followed = 0; followed < 2; followed++) {
		__cleanup_json json_t *records = plain_trial();

		json_object_set_new(body_of(records, "witnesses"), "started",
				    json_pack("[s]", followed ? "kmsg" : "trace"));
		add_reports(records, own);
		assert_verdict(records, followed ? "pass" : "inconclusive",
			       followed ? NULL : "log-not-seen");
	}
}

/* The effect of a fault on a damaged kernel shows nothing about an intact one. */
static void a_kernel_that_was_broken_before_proves_nothing(void **state)
{
	static const struct {
		const char *line;
		int facility;
		const char *verdict;
	} lines[] = {{"BUG: Bad page state in process x  pfn:11a3f4", 0, "inconclusive"},
		     {"BUG: Bad page state in process x  pfn:11a3f4", 1, "pass"},
		     {"systemd[1]: Started x", 0, "pass"}};
	const struct entry own[] = {KMSG(RECOVERED), PAGE, {0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		__cleanup_json json_t *records = plain_trial();

		json_array_insert_new(records, find(records, "intent"),
				      line_at(NULL, FIRED_NS, 0, lines[i].facility, lines[i].line));
		add_reports(records, own);
		assert_verdict(records, lines[i].verdict, i ? NULL : "kernel-damaged");
	}
}

/* The signal of a process of the same name, on the host that nothing was aimed at. */
static void a_namesake_on_another_host_is_no_victim(void **state)
{
	(void)state;
	for (int here = 0; here < 2; here++) {
		const struct entry own[] = {
			KMSG(RECOVERED),
			PAGE,
			{"workload", "victim: SIGBUS",
			 "{\"workload\": \"victim\", \"event\": \"signal\", \"signal\": 7, "
			 "\"signal_name\": \"SIGBUS\", \"code_name\": \"BUS_MCEERR_AR\"}"},
			{0}};
		__cleanup_json json_t *records = plain_trial();

		json_object_set_new(body_of(records, "trial"), "expect",
				    json_pack("{s:s}", "signal", "SIGBUS"));
		add_reports(records, own);
		if (!here)
			json_object_set_new(
				json_object_get(json_array_get(records, find(records, "close") - 1),
						"body"),
				"host", json_string("h1"));
		assert_verdict(records, here ? "pass" : "inconclusive",
			       here ? NULL : "victim-silent");
	}
}

/* However many expectations a scenario has, the last one counts. */
static void the_last_of_many_expectations_counts(void **state)
{
	(void)state;
	for (int found = 0; found < 2; found++) {
		const struct entry own[] = {KMSG(RECOVERED), PAGE, {0}};
		__cleanup_json json_t *records = plain_trial();
		json_t *patterns = json_array();

		for (int i = 0; i < 100; i++)
			json_array_append_new(patterns, json_string("Recovered"));
		json_array_append_new(patterns, json_string(found ? "Recovered" : "absent"));
		json_object_set_new(body_of(records, "trial"), "expect",
				    json_pack("{s:o}", "log", patterns));
		add_reports(records, own);
		assert_verdict(records, found ? "pass" : "fail", found ? NULL : "line-missing");
	}
}

/* A record that is written into a bank is reported from there and from nowhere else. */
static void another_bank_is_another_error(void **state)
{
	static const struct {
		int cpu, bank;
		const char *verdict;
	} banks[] = {{1, 4, "pass"}, {0, 4, "inconclusive"}, {1, 9, "inconclusive"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(banks); i++) {
		__cleanup_json json_t *records = plain_trial();
		__cleanup_free char *line =
			format_text("mce: [Hardware Error]: CPU %d: Machine Check: 0 Bank %d: "
				    "9c00000000000135",
				    banks[i].cpu, banks[i].bank);
		__cleanup_free char *fields =
			format_text("{\"event\": \"mce:mce_record\", \"fields\": {\"status\": "
				    "\"0x9c00000000000135\", \"cpu\": %d, \"bank\": %d}}",
				    banks[i].cpu, banks[i].bank);
		const struct entry events[] = {KMSG(line), {"trace", "mce_record: ", fields}, {0}};
		json_t *intent = body_of(records, "intent");

		json_object_del(intent, "pfn");
		json_object_del(intent, "address");
		json_object_del(intent, "target");
		json_object_update_new(intent,
				       json_pack("{s:s, s:{s:i, s:i}, s:[s, s]}", "injector",
						 "mce-inject", "arguments", "cpu", 1, "bank", 4,
						 "fault", "processor", "corrected"));
		json_array_remove(records, find(records, "facts"));
		add_reports(records, events);
		assert_verdict(records, banks[i].verdict, NULL);
	}
}

/* MCi_MISC: the lowest valid bit of the address. */
static void an_address_of_a_gigabyte_names_no_page(void **state)
{
	static const struct {
		const char *misc, *verdict;
	} addresses[] = {{"0x86", "pass"},
			 {"0x8c", "pass"},
			 {"0x9e", "inconclusive"},
			 {"0x46", "inconclusive"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		__cleanup_free char *fields =
			format_text("{\"event\": \"mce:mce_record\", \"fields\": {\"status\": "
				    "\"0xbd80000000100134\", \"addr\": \"0x11a3f4000\", \"misc\": "
				    "\"%s\"}}",
				    addresses[i].misc);
		const struct entry events[] = {
			KMSG(RECOVERED),
			{"trace", "mce_record: ", fields},
			/* Another error: only reports that name the page count. */
			KMSG("Memory failure: 0x777: recovery action for dirty LRU page: "
			     "Recovered"),
			{0}};

		assert_events(events, addresses[i].verdict, NULL);
	}
}

/* A lost line could be a report of damage of the kernel. */
static void a_loss_counts_whatever_is_expected(void **state)
{
	static const struct entry losses[] = {
		{"kmsg", "155 kernel log records lost", "{\"lost\": 155}"},
		{"trace", "1 trace events lost", "{\"lost\": 1}"},
		{"interrupts", "processors came or went", "{\"lost\": 1}"},
		{"console", "** 155 printk messages dropped **", NULL},
		KMSG("AER recover: Buffer overflow when recovering AER for 0000:00:1c:0"),
		KMSG("mce: CMCI storm detected: switching to poll mode"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(losses); i++) {
		const struct entry events[] = {KMSG(RECOVERED), MEMINFO, losses[i], {0}};
		__cleanup_json json_t *records = plain_trial();

		add_reports(records, events);
		assert_verdict(records, "inconclusive", "log-lost");
	}
}

/* The reason of a loss is what was lost, and the machine that lost it. */
static void a_loss_is_described_as_what_it_is(void **state)
{
	static const struct {
		const char *witness, *host, *text, *reason;
	} losses[] = {
		{"kmsg", "h0", "155 kernel log records lost",
		 "records of the kernel log of the host were lost"},
		{"interrupts", "h0", "processors came or went: interrupts are counted anew",
		 "reports of h0 were lost: processors came or went"},
		{"kmsg", "h1", "7 kernel log records lost",
		 "records of the kernel log of h1 were lost"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(losses); i++) {
		const struct entry own[] = {KMSG(RECOVERED), PAGE, {0}};
		__cleanup_json json_t *records = plain_trial(), *result = NULL;

		add_reports(records, own);
		json_array_insert_new(
			records, find(records, "close"),
			record_of("event", json_pack("{s:s, s:s, s:s, s:{s:i}}", "witness",
						     losses[i].witness, "host", losses[i].host,
						     "text", losses[i].text, "data", "lost", 1)));
		result = judge_trial(records, ID);
		assert_string_equal(json_text(result, "code", ""), "log-lost");
		if (!strstr(json_text(result, "reason", ""), losses[i].reason))
			fail_msg("%s", json_text(result, "reason", ""));
	}
}

/* Lines of long reports that are left out have no meaning, but a scenario may ask for any line. */
static void a_line_that_was_left_out_is_not_missing(void **state)
{
	static const struct entry folded = {
		"kmsg", "110 lines of this report are left out",
		"{\"event\": \"folded\", \"lines\": 110, \"facility\": 1}"};
	static const struct {
		const char *pattern;
		bool folded;
		const char *verdict, *code;
	} cases[] = {
		{"recovery action", true, "pass", NULL},
		{"recovery action", false, "pass", NULL},
		{"anon [0-9]+", true, "inconclusive", "line-not-seen"},
		{"lines of this report", true, "inconclusive", "line-not-seen"},
		{"anon [0-9]+", false, "fail", "line-missing"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct entry events[] = {KMSG(RECOVERED),
					       MEMINFO,
					       cases[i].folded ? folded : (struct entry){0},
					       {0}};
		__cleanup_json json_t *records = plain_trial();

		json_object_set_new(body_of(records, "trial"), "expect",
				    json_pack("{s:[s]}", "log", cases[i].pattern));
		add_reports(records, events);
		assert_verdict(records, cases[i].verdict, cases[i].code);
	}
}

/* Two faults at two pages; the witnesses report the first, or both. */
static void every_fault_is_proven_by_itself(void **state)
{
	const struct entry first[] = {
		KMSG(RECOVERED),
		{"trace", "memory_failure_event: ",
		 "{\"event\": \"ras:memory_failure_event\", \"fields\": {\"pfn\": \"0x11a3f4\"}}"},
		{0}};
	const struct entry second[] = {
		KMSG("Memory failure: 0x22b000: recovery action for dirty LRU page: Recovered"),
		{"trace", "memory_failure_event: ",
		 "{\"event\": \"ras:memory_failure_event\", \"fields\": {\"pfn\": \"0x22b000\"}}"},
		{0}};

	(void)state;
	for (int seen = 0; seen < 4; seen++) {
		__cleanup_json json_t *records = plain_trial();
		json_t *intent = json_deep_copy(json_array_get(records, find(records, "intent")));
		json_t *outcome = json_deep_copy(json_array_get(records, find(records, "outcome")));
		json_t *body = json_object_get(intent, "body");

		json_object_del(body, "target");
		json_object_set_new(body, "pfn", json_string("0x22b000"));
		json_object_set_new(body, "address", json_string("0x22b000000"));
		json_object_set_new(json_object_get(body, "arguments"), "address",
				    json_string("0x22b000000"));
		json_array_insert_new(records, find(records, "close"), intent);
		json_array_insert_new(records, find(records, "close"), outcome);
		if (seen & 1)
			add_reports(records, first);
		if (seen & 2)
			add_reports(records, second);
		assert_verdict(records, seen == 3 ? "pass" : "inconclusive",
			       seen == 3 ? NULL : "delivered-not-proven");
		/* One that was refused needs no proof. */
		json_object_set_new(json_object_get(outcome, "body"), "error", json_integer(-16));
		assert_verdict(records, seen & 1 ? "pass" : "inconclusive", NULL);
	}
}

/* Two faults at one page; what both look like is seen behind the second alone, or behind each. */
static void the_second_fault_does_not_prove_the_first(void **state)
{
	const struct entry own[] = {
		KMSG(RECOVERED),
		{"trace", "memory_failure_event: ",
		 "{\"event\": \"ras:memory_failure_event\", \"fields\": {\"pfn\": \"0x11a3f4\"}}"},
		{0}};

	(void)state;
	for (int seen = 1; seen < 4; seen++) {
		__cleanup_json json_t *records = plain_trial();
		json_t *intent = json_deep_copy(json_array_get(records, find(records, "intent")));
		json_t *outcome = json_deep_copy(json_array_get(records, find(records, "outcome")));

		if (seen & 1)
			add_reports(records, own);
		json_array_insert_new(records, find(records, "close"), intent);
		json_array_insert_new(records, find(records, "close"), outcome);
		if (seen & 2)
			add_reports(records, own);
		assert_verdict(records, seen == 3 ? "pass" : "inconclusive",
			       seen == 3 ? NULL : "delivered-not-proven");
	}
}

/* A judge that does not know how to compare an expectation has not compared it. */
static void an_expectation_of_another_type_is_not_met(void **state)
{
	static const struct {
		const char *expect, *verdict;
	} expectations[] = {
		{"{\"process\": \"contained\", \"page\": \"poisoned\", \"log\": [\"Recovered\"]}",
		 "pass"},
		{"{\"process\": [\"contained\"]}", "inconclusive"},
		{"{\"page\": 5}", "inconclusive"},
		{"{\"host\": 5}", "inconclusive"},
		{"{\"log\": \"Recovered\"}", "inconclusive"},
		{"{\"not-log\": \"Recovered\"}", "inconclusive"},
		{"{\"log\": {\"any\": [\"Recovered\"]}}", "inconclusive"},
		{"{\"interrupts\": [\"MCE\"]}", "inconclusive"},
		{"{\"delivered\": \"yes\"}", "inconclusive"},
		{"{\"code\": 4}", "inconclusive"},
	};
	struct reason why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(expectations); i++) {
		__cleanup_json json_t *records = NULL;

		if (journal_load("bats/unit/golden/pass-contained", &records, NULL, &why))
			fail_msg("%s", why.text);
		json_object_set_new(body_of(records, "trial"), "expect",
				    json_loads(expectations[i].expect, 0, NULL));
		assert_verdict(records, expectations[i].verdict, NULL);
	}
}

/* The guest under fault dies, while all reports of an error are about another page. */
static void a_death_by_another_error_proves_nothing(void **state)
{
	static const char ours[] = "0x11a3f4", other[] = "0x11a3f5";
	struct reason why;

	(void)state;
	for (int strange = 0; strange < 2; strange++) {
		__cleanup_json json_t *records = NULL, *entry = NULL;
		__cleanup_free char *text = NULL;
		json_t *record;
		size_t index;

		if (journal_load("bats/unit/golden/pass-guest-killed-by-panic", &records, NULL,
				 &why))
			fail_msg("%s", why.text);
		entry = json_array();
		json_array_foreach (records, index, record)
			if (json_is(record, "type", "event"))
				json_array_append(entry, record);
		text = json_dumps(entry, 0);
		for (char *at = text; strange && (at = strstr(at, ours)); at++)
			memcpy(at, other, strlen(other));
		json_decref(entry);
		entry = json_loads(text, 0, NULL);
		for (size_t next = 0, i = 0; i < json_array_size(records); i++)
			if (json_is(json_array_get(records, i), "type", "event"))
				json_array_set(records, i, json_array_get(entry, next++));
		assert_verdict(records, strange ? "inconclusive" : "pass", NULL);
	}
}

/* The guest under fault dies, without a report of an error. */
static void a_death_without_an_error_proves_nothing(void **state)
{
	struct reason why;

	(void)state;
	for (int seen = 0; seen < 2; seen++) {
		__cleanup_json json_t *records = NULL;
		size_t at = 0;

		if (journal_load("bats/unit/golden/pass-guest-killed-by-panic", &records, NULL,
				 &why))
			fail_msg("%s", why.text);
		while (!seen && at < json_array_size(records)) {
			const json_t *body = json_object_get(json_array_get(records, at), "body");

			if (json_is(body, "witness", "kmsg") ||
			    json_is(body, "witness", "pageflags"))
				json_array_remove(records, at);
			else
				at++;
		}
		assert_verdict(records, seen ? "pass" : "inconclusive",
			       seen ? NULL : "delivered-not-proven");
	}
}

/* That a guest dies is known; that the kernel of its host breaks is not. */
static void a_known_failure_hides_no_other(void **state)
{
	static const struct {
		const char *line;
		enum brinell_exit code;
	} lines[] = {
		{"g1 was destroyed", EXIT_PASSED},
		{"Oops: invalid opcode: 0000 [#1] PREEMPT SMP NOPTI", EXIT_FAILED},
		{"WARNING: CPU: 1 PID: 412 at mm/memory-failure.c:1234 memory_failure+0x1/0x2",
		 EXIT_FAILED},
		{"watchdog: BUG: soft lockup - CPU#0 stuck for 23s! [memory:412]", EXIT_FAILED},
		{"DMAR: [DMA Write NO_PASID] Request device [0000:00:04.0] fault addr 0xdead000",
		 EXIT_FAILED},
	};
	struct reason why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		const struct entry events[] = {KMSG(lines[i].line), {0}};
		__cleanup_json json_t *records = NULL, *summary = NULL;

		if (journal_load("bats/unit/golden/fail-guest-destroyed", &records, NULL, &why))
			fail_msg("%s", why.text);
		json_object_set_new(json_object_get(body_of(records, "trial"), "spec"),
				    "known-failure",
				    json_pack("{s:[s], s:s}", "code", "guest-killed-destroyed",
					      "reason", "a guest is destroyed"));
		add_reports(records, events);
		summary = judge_records(records);
		assert_int_equal(judge_exit_code(summary), lines[i].code);
	}
}

/* Each violation and each warning must be a known one, not only the first, which the result quotes. */
static void every_violation_must_be_known(void **state)
{
	static const char torn[] = "{\"event\": \"torn\", \"injector\": \"gmem-storm\"}";
	static const char broken[] = "{\"event\": \"broken\", \"injector\": \"gmem-storm\"}";
	static const struct {
		struct entry events[3];
		bool known;
	} cases[] = {
		{{{0}}, true},
		{{{"users", "gmem-storm: user mapping, page 9 of VM 0, after operation 50: SIGSEGV",
		   torn}},
		 true},
		{{{"users", "gmem-storm: user mapping, page 9 of VM 0, after operation 50: SIGBUS",
		   torn}},
		 false},
		{{{"users", "gmem-storm: user mapping, page 9 of VM 0, after operation 50: SIGSEGV",
		   broken}},
		 false},
		{{KMSG("WARNING: mmu/tdp_mmu.c:1137 at kvm_tdp_mmu_map+0x5cd/0x7b0 [kvm], CPU#1: "
		       "x/8")},
		 true},
		{{KMSG("WARNING: mmu/tdp_mmu.c:1137 at kvm_tdp_mmu_map+0x5cd/0x7b0 [kvm], CPU#1: "
		       "x/8"),
		  KMSG("WARNING: mmu/tdp_mmu.c:99 at kvm_tdp_mmu_zap+0x5cd/0x7b0 [kvm], CPU#1: "
		       "x/8")},
		 false},
	};
	struct reason why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct entry events[4] = {{0}};
		__cleanup_json json_t *records = NULL, *result = NULL;

		memcpy(events, cases[i].events, sizeof(cases[i].events));
		if (journal_load("bats/unit/golden/fail-conversion-torn", &records, NULL, &why))
			fail_msg("%s", why.text);
		json_object_set_new(
			json_object_get(body_of(records, "trial"), "spec"), "known-failure",
			json_pack("[{s:[s], s:s, s:s}, {s:[s], s:s, s:s}]", "code",
				  "conversion-torn", "evidence", "user .*: SIGSEGV", "reason",
				  "users lose pages", "code", "kernel-damaged", "evidence",
				  "WARNING: .* at kvm_tdp_mmu_map", "reason", "KVM warns"));
		add_reports(records, events);
		result = judge_trial(records, ID);
		if (!json_is(result, "verdict", "fail") ||
		    !json_object_get(result, "known") == cases[i].known)
			fail_msg("case %zu: %s, %s", i, json_text(result, "code", ""),
				 json_text(result, "known", "not known"));
	}
}

/*
 * The lines of one report together: each alone leaves its kind, its severity or its place open. The second event is a
 * witness that reported a fault of the kind of the fault.
 */
static void a_report_is_read_as_a_whole(void **state)
{
	static const char umc[] = "mce: [Hardware Error]: CPU 2: Machine Check: 0 Bank 17: ";
	static const char registers[] =
		"mce: [Hardware Error]: TSC 0 ADDR 11a3f4000 SYND a0a IPID 9600050f00 ";
	static const char amd[] =
		"mce: [Hardware Error]: PROCESSOR 2:a20f12 TIME 1 SOCKET 0 APIC 4";
	static const char intel[] =
		"mce: [Hardware Error]: PROCESSOR 0:606a6 TIME 1 SOCKET 0 APIC 0";
	static const struct {
		const char *lines[4], *kind, *severity, *verdict;
	} reports[] = {
		/* AMD's memory controller, with a code that on Intel is one of a cache. */
		{{"dc2040000000011b", registers, amd}, "processor", "corrected", "inconclusive"},
		{{"dc2040000000011b", registers, amd}, "memory", "corrected", "pass"},
		/* The victim's page, and an error of it that was corrected. */
		{{"8c00004000010090", "mce: [Hardware Error]: TSC 4b8a3d3c ADDR 11a3f4000 MISC 8c ",
		  intel},
		 "memory",
		 "uncorrected",
		 "inconclusive"},
		{{"bd80000000100134", "mce: [Hardware Error]: TSC 4b8a3d3c ADDR 11a3f4000 MISC 8c ",
		  intel},
		 "memory",
		 "uncorrected",
		 "pass"},
		{{NULL, "{1}[Hardware Error]: event severity: corrected",
		  "{1}[Hardware Error]:   section_type: memory error",
		  "{1}[Hardware Error]:   physical_address: 0x000000011a3f4000"},
		 "memory",
		 "uncorrected",
		 "inconclusive"},
		{{NULL, "{1}[Hardware Error]: event severity: recoverable",
		  "{1}[Hardware Error]:   section_type: memory error",
		  "{1}[Hardware Error]:   physical_address: 0x000000011a3f4000"},
		 "memory",
		 "uncorrected",
		 "pass"},
		{{NULL, "{1}[Hardware Error]: event severity: info",
		  "{1}[Hardware Error]:   section_type: memory error",
		  "{1}[Hardware Error]:   physical_address: 0x000000011a3f4000"},
		 "memory",
		 "uncorrected",
		 "inconclusive"},
	};
	const struct entry threshold[] = {
		{"interrupts", "", "{\"THR\": {\"before\": 0, \"after\": 1}}"}, {0}};
	const struct entry page[] = {PAGE, {0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(reports); i++) {
		__cleanup_json json_t *records = plain_trial();

		json_object_set_new(body_of(records, "intent"), "fault",
				    json_pack("[s, s]", reports[i].kind, reports[i].severity));
		for (size_t k = 0; k < 4; k++) {
			__cleanup_free char *status =
				format_text("%s%s", umc, reports[i].lines[0] ?: "");
			const struct entry line[] = {
				KMSG(k || !reports[i].lines[0] ? reports[i].lines[k] : status),
				{0}};

			if (line[0].text)
				add_reports(records, line);
		}
		add_reports(records,
			    strcmp(reports[i].severity, "corrected") == 0 ? threshold : page);
		assert_verdict(records, reports[i].verdict, NULL);
	}
}

/* A report of memory and a threshold interrupt, as a corrected error causes them: which of both it is, nothing shows. */
static void an_open_severity_needs_one_that_is_known(void **state)
{
	static const char handling[] = "EDAC skx MC0: HANDLING MCE MEMORY ERROR";
	static const char *const severities[] = {"uncorrected", "corrected"};
	const struct entry threshold = {"interrupts", "",
					"{\"THR\": {\"before\": 0, \"after\": 1}}"};
	const struct entry open[] = {KMSG(handling), threshold, {0}};
	const struct entry fatal[] = {KMSG(handling), MCE, {0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(severities); i++) {
		__cleanup_json json_t *records = plain_trial(), *known = plain_trial();

		json_object_set_new(body_of(records, "intent"), "fault",
				    json_pack("[s, s]", "memory", severities[i]));
		json_object_set_new(body_of(known, "intent"), "fault",
				    json_pack("[s, s]", "memory", severities[i]));
		add_reports(records, open);
		assert_verdict(records, "inconclusive", "delivered-not-proven");
		add_reports(known, fatal);
		assert_verdict(known, i ? "inconclusive" : "pass", NULL);
	}
}

/* The driver that prints an error of CXL also fires its event. */
static void one_driver_of_cxl_is_one_witness(void **state)
{
	const struct entry twice[] = {
		KMSG("pcieport 0000:00:1c.6: CXL Bus Error: severity=Correctable"),
		{"trace", "cxl_aer_correctable_error: memdev=mem0 host=0000:0d:00.0 serial=1",
		 "{\"event\": \"cxl:cxl_aer_correctable_error\", \"fields\": {}}"},
		{0}};
	__cleanup_json json_t *records = plain_trial();

	(void)state;
	json_object_set_new(body_of(records, "intent"), "fault",
			    json_pack("[s, s, s]", "cxl", "pcie", "corrected"));
	add_reports(records, twice);
	assert_verdict(records, "inconclusive", "one-witness");
}

/* What a program writes to /dev/kmsg is on the console, too, where no facility is shown. */
static void a_program_in_the_log_is_one_on_the_console(void **state)
{
	static const char *const texts[] = {
		"BUG: test 17 begins",
		"Kernel panic - not syncing: only a test",
		"watchdog: BUG: soft lockup - CPU#0 stuck for 23s! [memory:412]",
		"my marker",
	};
	const struct entry own[] = {KMSG(RECOVERED), PAGE, {0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		__cleanup_free char *console = format_text("[   12.345678][  T412] %s", texts[i]);
		const struct entry shown[] = {{"console", console, "{}"}, {0}};
		const struct entry written[] = {{"kmsg", texts[i], "{\"facility\": 1}"}, {0}};
		__cleanup_json json_t *records = plain_trial();

		json_object_set_new(body_of(records, "trial"), "expect",
				    json_pack("{s:s, s:[s]}", "host", "up", "not-log",
					      "my marker"));
		add_reports(records, own);
		add_reports(records, shown);
		assert_verdict(records, i == 1 ? "inconclusive" : "fail", NULL);
		add_reports(records, written);
		assert_verdict(records, "pass", NULL);
		/* The kernel printed it, too. */
		add_reports(records, shown);
		assert_verdict(records, i == 1 ? "inconclusive" : "fail", NULL);
	}
}

/* The reason names the report of the victim that does not fit, and not silence. */
static void another_severity_at_the_victim_is_named(void **state)
{
	const struct entry corrected[] = {
		KMSG("EDAC MC0: 1 CE memory read error on x (channel:0 slot:0 page:0x11a3f4 "
		     "offset:0x0 grain:32 syndrome:0x0)"),
		{0}};
	__cleanup_json json_t *records = plain_trial(), *result = NULL;

	(void)state;
	add_reports(records, corrected);
	result = judge_trial(records, ID);
	assert_string_equal(json_text(result, "code", ""), "other-error");
	assert_non_null(strstr(json_text(result, "reason", ""), "of the victim"));
	assert_non_null(strstr(json_text(result, "reason", ""), "EDAC MC0: 1 CE"));
}

/* A record of several lines is as many on a console, which escapes bytes that the log has. */
static void a_record_of_a_program_is_several_lines(void **state)
{
	const struct entry own[] = {KMSG(RECOVERED), PAGE, {0}};
	const struct entry shown[] = {{"console", "[   12.345678] test 17\tbegins", "{}"},
				      {"console", "[   12.345678] BUG: Ger\\xc3\\xa4t \\ x", "{}"},
				      {0}};
	const struct entry written[] = {
		{"kmsg", "test 17\tbegins\nBUG: Ger\xc3\xa4t \\ x", "{\"facility\": 1}"}, {0}};
	__cleanup_json json_t *records = plain_trial();

	(void)state;
	add_reports(records, own);
	add_reports(records, shown);
	assert_verdict(records, "fail", "kernel-damaged");
	add_reports(records, written);
	assert_verdict(records, "pass", NULL);
}

/* Earlier agents recorded no facility. */
static void a_record_without_facility_may_be_of_a_program(void **state)
{
	static const struct {
		const char *text, *data, *verdict;
	} lines[] = {
		{"mcelog[88]: BUG: no memory", "{}", "pass"},
		{"mcelog[88]: BUG: no memory", "{\"facility\": 0}", "fail"},
		{"BUG: Bad page state in process mcelog  pfn:777", "{}", "fail"},
		{"memory[412]: segfault at 0 ip 0000000000401136 sp 00007ffc error 6 in x", "{}",
		 "fail"},
	};
	const struct entry own[] = {KMSG(RECOVERED), PAGE, {0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		const struct entry line[] = {{"kmsg", lines[i].text, lines[i].data}, {0}};
		__cleanup_json json_t *records = plain_trial();

		add_reports(records, own);
		add_reports(records, line);
		assert_verdict(records, lines[i].verdict, NULL);
	}
}

/* Where the kernel shows times, a line without one is of a program. */
static void a_line_without_time_is_of_a_program(void **state)
{
	static const char *const texts[] = {
		"myapp: BUG: assertion failed",
		"root@h0:~# echo Kernel panic - not syncing: test",
		"INFO: task docker:31805 blocked for more than 120 seconds.",
	};
	const struct entry own[] = {KMSG(RECOVERED), PAGE, {0}};
	const struct entry timed[] = {{"console", "[   12.345678] random: crng init done", "{}"},
				      {0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		__cleanup_free char *prompt = format_text("login: [   12.345678] %s", texts[i]);
		const struct entry shown[] = {{"console", texts[i], "{}"}, {0}};
		const struct entry behind[] = {{"console", prompt, "{}"}, {0}};
		__cleanup_json json_t *records = plain_trial();
		const char *otherwise = i == 1 ? "inconclusive" : "fail";

		add_reports(records, own);
		add_reports(records, shown);
		assert_verdict(records, otherwise, NULL);
		add_reports(records, timed);
		assert_verdict(records, "pass", NULL);
		/* A kernel prints behind what a program left open. */
		add_reports(records, behind);
		assert_verdict(records, otherwise, NULL);
	}
}

/* A serial line leaves out lines that the log has, if the log goes on. */
static void what_a_console_leaves_out_is_in_the_log(void **state)
{
	const struct entry own[] = {KMSG(RECOVERED), PAGE, {0}};
	const struct entry dropped[] = {{"console", "** 155 printk messages dropped **", "{}"},
					{0}};
	const struct entry later[] = {KMSG("random: crng init done"), {0}};
	__cleanup_json json_t *records = plain_trial();

	(void)state;
	add_reports(records, own);
	add_reports(records, dropped);
	assert_verdict(records, "inconclusive", "log-lost");
	add_reports(records, later);
	assert_verdict(records, "pass", NULL);
	json_object_set_new(body_of(records, "witnesses"), "started", json_pack("[s]", "trace"));
	assert_verdict(records, "inconclusive", NULL);
}

/* A host that died names the page that it died of. */
static void a_panic_over_another_page_is_no_proof(void **state)
{
	static const char *const panics[][2] = {
		{"Memory failure: 0x11a3f4: unrecoverable page", "pass"},
		{"Memory failure: 0x777: unrecoverable page", "inconclusive"},
		{"Fatal machine check", "pass"},
		{"UE memory read error on DIMM (channel:0 slot:0 page:0x777 offset:0x0 grain:32)",
		 "inconclusive"},
		{"VFS: Unable to mount root fs on unknown-block(0,0)", "fail"},
		{"Attempted to kill init! exitcode=0x0000000b", "fail"},
		{"Attempted to kill init! exitcode=0x00000007", "pass"},
		{"corrupted shadow stack detected inside scheduler", "fail"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(panics); i++) {
		__cleanup_free char *text =
			format_text("[   12.345678] Kernel panic - not syncing: %s", panics[i][0]);
		const struct entry events[] = {{"console", text, "{}"},
					       {"bench", "the emulator ended",
						"{\"event\": \"host-died\"}"},
					       {0}};
		__cleanup_json json_t *records = plain_trial();

		json_object_set_new(body_of(records, "trial"), "expect",
				    json_pack("{s:s}", "host", "died"));
		json_object_set_new(body_of(records, "close"), "cause", json_string("host-died"));
		add_reports(records, events);
		assert_verdict(records, panics[i][1], NULL);
	}
}

/* Xen prints the reason behind the panic. */
static void a_bug_of_xen_is_no_death_by_a_fault(void **state)
{
	static const char *const reasons[][2] = {
		{"(XEN) Fatal machine check", "pass"},
		{"(XEN) FATAL TRAP: vec 2, NMI[0000]", "pass"},
		{"(XEN) FATAL PAGE FAULT", "fail"},
		{"(XEN) Xen BUG at mm.c:123", "fail"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		const struct entry events[] = {{"console", "(XEN) Panic on CPU 0:", "{}"},
					       {"console", reasons[i][0], "{}"},
					       {"bench", "the emulator ended",
						"{\"event\": \"host-died\"}"},
					       {0}};
		__cleanup_json json_t *records = plain_trial();

		json_object_set_new(body_of(records, "trial"), "expect",
				    json_pack("{s:s}", "host", "died"));
		json_object_set_new(body_of(records, "close"), "cause", json_string("host-died"));
		add_reports(records, events);
		assert_verdict(records, reasons[i][1], i < 2 ? NULL : "kernel-damaged");
	}
}

/* What programs and users name is not what the kernel reports of itself; on a console a time stands before it. */
static void the_names_of_others_are_no_harm(void **state)
{
	static const char *const lines[][2] = {
		{"kmsg", "BUG: x invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE)"},
		{"kmsg", "CPU: 1 UID: 0 PID: 999 Comm: BUG: x Not tainted 6.12.0 #1"},
		{"console", "[    0.000000] Command line: note=\"Kernel panic - not syncing: x\""},
		{"console", "[    0.000000][    T0] Kernel command line: x=\"BUG: y\""},
		{"console", "[   12.345678] audit: type=1400 audit(1.2:3): comm=\"BUG: x\""},
		{"console", "[   12.345678] usb 1-1: Product: Oops: x"},
		{"console", "[   12.345678] systemd[1]: BUG: x"},
		{"console", "(d1) [   12.345678] BUG: unable to handle page fault for address: ff"},
		{"console", "(d12) Kernel panic - not syncing: Fatal exception"},
		{"kmsg", "net_ratelimit: 12 callbacks suppressed"},
	};
	static const char *const harms[][2] = {
		{"kmsg", "BUG: unable to handle page fault for address: ffff888100000000"},
		{"console", "[   12.345678] BUG: unable to handle page fault for address: ffff"},
		{"console", "[   12.345678][ T412] Kernel BUG at foo+0x0/0x10 [verbose debug info "
			    "unavailable]"},
	};
	const struct entry own[] = {KMSG(RECOVERED), PAGE, {0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines) + ARRAY_SIZE(harms); i++) {
		bool harm = i >= ARRAY_SIZE(lines);
		const char *const *line = harm ? harms[i - ARRAY_SIZE(lines)] : lines[i];
		const struct entry events[] = {{line[0], line[1], "{\"facility\": 0}"}, {0}};
		__cleanup_json json_t *records = plain_trial();

		add_reports(records, own);
		add_reports(records, events);
		assert_verdict(records, harm ? "fail" : "pass", harm ? "kernel-damaged" : NULL);
	}
}

/* A record of damage that was still to be read when the fault was fired. */
static void damage_of_before_the_fault_is_not_its_doing(void **state)
{
	static const struct {
		const char *text, *verdict;
		int64_t offset_ns;
	} lines[] = {
		{"BUG: Bad page state in process x  pfn:777", "inconclusive", -2 * NSEC_PER_SEC},
		{"BUG: Bad page state in process x  pfn:777", "fail", NSEC_PER_MSEC},
		{"WARNING: CPU: 1 PID: 4 at mm/x.c:12 x+0x1/0x2", "pass", -2 * NSEC_PER_SEC},
		{"WARNING: CPU: 1 PID: 4 at mm/x.c:12 x+0x1/0x2", "fail", NSEC_PER_MSEC},
	};
	const struct entry own[] = {KMSG(RECOVERED), PAGE, {0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		__cleanup_json json_t *records = plain_trial();

		json_object_set_new(json_array_get(records, find(records, "intent")), "time_ns",
				    json_integer(FIRED_NS));
		json_array_insert_new(records, find(records, "close"),
				      line_at(NULL, FIRED_NS + lines[i].offset_ns, 0, 0,
					      lines[i].text));
		add_reports(records, own);
		assert_verdict(records, lines[i].verdict, i == 2 ? NULL : "kernel-damaged");
	}
}

/* A line from before the fault, which is read after it, breaks no expectation either. */
static void a_forbidden_line_of_before_the_fault_is_none(void **state)
{
	static const struct {
		int64_t offset_ns;
		const char *verdict, *code;
	} lines[] = {{-2 * NSEC_PER_SEC, "pass", NULL}, {NSEC_PER_MSEC, "fail", "forbidden-line"}};
	const struct entry own[] = {KMSG(RECOVERED), PAGE, {0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		__cleanup_json json_t *records = plain_trial();

		json_object_set_new(body_of(records, "trial"), "expect",
				    json_pack("{s:s, s:[s]}", "host", "up", "not-log",
					      "link is not ready"));
		json_object_set_new(json_array_get(records, find(records, "intent")), "time_ns",
				    json_integer(FIRED_NS));
		json_array_insert_new(records, find(records, "close"),
				      line_at(NULL, FIRED_NS + lines[i].offset_ns, 0, 0,
					      "IPv6: ADDRCONF: eth0: link is not ready"));
		add_reports(records, own);
		assert_verdict(records, lines[i].verdict, lines[i].code);
	}
}

/* A fault without a target that names its frame is meant for no workload beside it; one of a processor has no frame. */
static void a_fault_without_a_target_is_meant_for_its_own_frame(void **state)
{
	static const struct {
		const char *type, *address, *text, *verdict;
	} faults[] = {
		{"memory-uncorrectable-nonfatal", "0x222000000",
		 "Memory failure: 0x222000: recovery action for dirty LRU page: Recovered", "pass"},
		{"memory-uncorrectable-nonfatal", "0x222000000", RECOVERED, "inconclusive"},
		{"memory-uncorrectable-nonfatal", "0x11a3f4040", RECOVERED, "pass"},
		{"processor-correctable", NULL,
		 "mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 3: 9c00004000010135", "pass"},
	};
	static const struct entry address[] = {
		KMSG("mce: [Hardware Error]: TSC 4b8a3d3c ADDR 3a5d7a040 MISC 86 "), {0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		bool memory = faults[i].address != NULL;
		const struct entry events[] = {
			KMSG(faults[i].text),
			{"interrupts", "",
			 memory ? "{\"MCE\": {\"before\": 0, \"after\": 1}}"
				: "{\"THR\": {\"before\": 0, \"after\": 1}}"},
			{0}};
		__cleanup_json json_t *records = plain_trial();
		json_t *intent = body_of(records, "intent");

		json_object_del(intent, "target");
		json_object_del(intent, "pfn");
		json_object_del(intent, "address");
		if (memory)
			json_object_set_new(intent, "address", json_string(faults[i].address));
		json_object_set_new(intent, "arguments",
				    json_pack("{s:s, s:s*}", "type", faults[i].type, "address",
					      faults[i].address));
		add_reports(records, events);
		if (!memory)
			add_reports(records, address);
		assert_verdict(records, faults[i].verdict, i == 1 ? "foreign-evidence" : NULL);
	}
}

/* An error that can be in any page of a large block names none. */
static void a_coarse_address_names_no_page(void **state)
{
	static const char *const lines[][2] = {
		{"EDAC MC0: 1 UE x on y (channel:0 slot:0 page:0x11a3f4 offset:0x0 grain:32)",
		 "pass"},
		{"EDAC MC0: 1 UE x on y (channel:0 slot:0 page:0x11a3f0 offset:0x0 grain:32)",
		 "inconclusive"},
		{"EDAC MC0: 1 UE x on y (channel:0 slot:0 page:0x11a3f0 offset:0x0 grain:32768)",
		 "pass"},
		{"EDAC MC0: 1 UE x on y (channel:0 slot:0 page:0x11a3f8 offset:0x0 grain:32768)",
		 "inconclusive"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		const struct entry events[] = {KMSG(lines[i][0]), PAGE, {0}};

		assert_events(events, lines[i][1], NULL);
	}
}

/* A record out of place is a record that is missing. */
static void an_outcome_before_its_fault_is_none(void **state)
{
	const struct entry own[] = {KMSG(RECOVERED), MEMINFO, {0}};
	__cleanup_json json_t *records = plain_trial();
	__cleanup_json json_t *outcome = NULL;

	(void)state;
	add_reports(records, own);
	outcome = json_incref(json_array_get(records, find(records, "outcome")));
	json_array_remove(records, find(records, "outcome"));
	assert_verdict(records, "inconclusive", "injector-silent");
	json_array_insert(records, find(records, "intent"), outcome);
	assert_verdict(records, "inconclusive", "injector-silent");
}

static void a_trial_that_is_planned_twice_is_missing_once(void **state)
{
	__cleanup_json json_t *records = NULL, *whole = NULL, *summary = NULL;
	json_t *plan;
	struct reason why;

	(void)state;
	if (journal_load("bats/unit/golden/pass-contained", &records, NULL, &why))
		fail_msg("%s", why.text);
	whole = judge_records(records);
	assert_int_equal(judge_exit_code(whole), EXIT_PASSED);
	plan = json_object_get(body_of(records, "run"), "plan");
	json_array_append(plan, json_array_get(plan, 0));
	summary = judge_records(records);
	assert_int_equal(judge_exit_code(summary), EXIT_INCONCLUSIVE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_that_the_kernel_quotes_is_no_report),
		cmocka_unit_test(a_quote_does_not_meet_an_expectation),
		cmocka_unit_test(a_console_alone_is_anybody),
		cmocka_unit_test(the_end_of_an_error_proves_no_error),
		cmocka_unit_test(half_a_counter_counts_nothing),
		cmocka_unit_test(what_leaves_its_kind_open_needs_a_name),
		cmocka_unit_test(what_was_written_before_the_fault_is_no_proof),
		cmocka_unit_test(a_stall_of_before_the_fault_is_not_its_doing),
		cmocka_unit_test(what_a_guest_wrote_before_the_fault_is_no_proof),
		cmocka_unit_test(a_log_that_nothing_follows_is_not_clean),
		cmocka_unit_test(a_kernel_that_was_broken_before_proves_nothing),
		cmocka_unit_test(a_namesake_on_another_host_is_no_victim),
		cmocka_unit_test(the_last_of_many_expectations_counts),
		cmocka_unit_test(another_bank_is_another_error),
		cmocka_unit_test(an_address_of_a_gigabyte_names_no_page),
		cmocka_unit_test(a_loss_counts_whatever_is_expected),
		cmocka_unit_test(a_loss_is_described_as_what_it_is),
		cmocka_unit_test(a_line_that_was_left_out_is_not_missing),
		cmocka_unit_test(every_fault_is_proven_by_itself),
		cmocka_unit_test(the_second_fault_does_not_prove_the_first),
		cmocka_unit_test(an_expectation_of_another_type_is_not_met),
		cmocka_unit_test(a_death_by_another_error_proves_nothing),
		cmocka_unit_test(a_death_without_an_error_proves_nothing),
		cmocka_unit_test(a_known_failure_hides_no_other),
		cmocka_unit_test(every_violation_must_be_known),
		cmocka_unit_test(a_report_is_read_as_a_whole),
		cmocka_unit_test(an_open_severity_needs_one_that_is_known),
		cmocka_unit_test(one_driver_of_cxl_is_one_witness),
		cmocka_unit_test(what_a_console_leaves_out_is_in_the_log),
		cmocka_unit_test(a_program_in_the_log_is_one_on_the_console),
		cmocka_unit_test(another_severity_at_the_victim_is_named),
		cmocka_unit_test(a_record_of_a_program_is_several_lines),
		cmocka_unit_test(a_record_without_facility_may_be_of_a_program),
		cmocka_unit_test(a_line_without_time_is_of_a_program),
		cmocka_unit_test(a_panic_over_another_page_is_no_proof),
		cmocka_unit_test(a_bug_of_xen_is_no_death_by_a_fault),
		cmocka_unit_test(the_names_of_others_are_no_harm),
		cmocka_unit_test(damage_of_before_the_fault_is_not_its_doing),
		cmocka_unit_test(a_forbidden_line_of_before_the_fault_is_none),
		cmocka_unit_test(a_fault_without_a_target_is_meant_for_its_own_frame),
		cmocka_unit_test(a_coarse_address_names_no_page),
		cmocka_unit_test(an_outcome_before_its_fault_is_none),
		cmocka_unit_test(a_trial_that_is_planned_twice_is_missing_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
