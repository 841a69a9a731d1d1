// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the judge on trials with guests and migrations (bats/unit/guest_cases.h). BRINELL_GOLDEN=write writes their
 * journals anew; test_judge then writes the results that belong to them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "bats/unit/guest_cases.h"
#include "bats/unit/judge_records.h"
#include "harness/judge/judge.h"

#include <cmocka.h>

#define GOLDEN "bats/unit/golden"

static void golden_journals_match_their_cases(void **state)
{
	const char *mode = getenv("BRINELL_GOLDEN");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(guest_cases); i++) {
		__cleanup_free char *directory = format_text(GOLDEN "/%s", guest_cases[i].name);
		__cleanup_free char *path = format_text("%s/journal.jsonl", directory);
		__cleanup_free char *journal = write_case(&guest_cases[i]);
		__cleanup_free char *golden = NULL;

		if (mode && strcmp(mode, "write") == 0) {
			(void)mkdir(directory, 0777);
			assert_int_equal(write_file_atomically(directory, "journal.jsonl", journal,
							       strlen(journal)),
					 0);
		}
		if (read_small_file(path, &golden, NULL))
			fail_msg("%s is missing", path);
		if (strcmp(golden, journal) != 0)
			fail_msg("%s differs from guest_cases.h", path);
	}
}

static const struct guest_case *find_case(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(guest_cases); i++)
		if (strcmp(guest_cases[i].name, name) == 0)
			return &guest_cases[i];
	fail_msg("there is no case %s", name);
	return NULL;
}

static json_t *judge_case(const char *name)
{
	__cleanup_json json_t *records = tell_case(find_case(name));

	return judge_trial(records, "0001");
}

static const char *axis(const json_t *result, const char *name)
{
	return json_text(json_object_get(result, "axes"), name, "");
}

static void axes_and_reasons_match_the_cases(void **state)
{
	static const struct {
		const char *name, *guest, *migration, *reason;
	} cases[] = {
		{"pass-guest-unharmed", "unharmed", "none", "delivered (kernel log, pageflags)"},
		{"pass-guest-contained", "contained", "none", "hypervisor, guest log"},
		{"pass-guest-machine-check", "contained", "none", "(workload, guest log)"},
		{"pass-guest-corrected", "unharmed", "none", "(guest log, guest trace)"},
		{"inconclusive-guest-corrected-elsewhere", "unharmed", "none",
		 "another page or process"},
		{"inconclusive-guest-corrected-untraced", "unharmed", "none", "leaves open"},
		{"inconclusive-guest-polled-alone", "unharmed", "none", "not proven delivered"},
		{"pass-guest-killed-by-panic", "killed", "none", ""},
		{"pass-guest-killed-by-reboot", "killed", "none", "guest log, guest link"},
		{"pass-guest-killed-with-host", "killed", "none", ""},
		{"pass-guest-hung", "hung", "none", ""},
		{"fail-guest-qemu-crash", "killed", "none",
		 "expected contained: QEMU crash: g1: crashed stopped failed"},
		{"fail-guest-destroyed", "killed", "none", "the domain was destroyed"},
		{"pass-guest-killed-by-hypervisor", "killed", "none", ""},
		{"pass-guest-one-of-several", "contained", "none", ""},
		{"fail-guest-none-of-several", "unharmed", "none",
		 "guest 'g1' is unharmed, expected contained"},
		{"pass-migration-local", "unharmed", "completed", "no fault was asked for"},
		{"pass-migration-local-failed", "unharmed", "failed", ""},
		{"inconclusive-migration-local-unseen", "unknown", "unknown",
		 "only the source reports"},
		{"inconclusive-guest-cut-off", "unknown", "none",
		 "only one sign that the guest is alive"},
		{"pass-guest-namesake-ends", "unharmed", "none", ""},
		{"pass-migration-long-downtime", "unharmed", "completed", ""},
		{"pass-migration-gaps", "unharmed", "completed", ""},
		{"fail-guest-corrupted", "corrupted", "none", "load: corrupted"},
		{"fail-guest-bystander-died", "contained", "none",
		 "guest 'g2' was killed: guest kernel crash: Kernel panic"},
		{"fail-guest-other-host-died", "contained", "none",
		 "host 'h1', at which no fault was aimed, died: Kernel panic"},
		{"inconclusive-guest-reports-nothing", "unknown", "none",
		 "no evidence about the guest after the fault"},
		{"inconclusive-guest-beat-before-fault", "unknown", "none",
		 "only one sign that the guest is alive: g1: status running"},
		{"inconclusive-guest-panics-and-beats", "unknown", "none",
		 "reported dead, heartbeats continue"},
		{"inconclusive-guest-one-sign-of-death", "unknown", "none",
		 "only one sign that the guest died"},
		{"inconclusive-guest-another-page", "contained", "none",
		 "about another page or process than the fault: Memory failure: 0x11a3f4"},
		{"inconclusive-guest-frame-on-host", "unharmed", "none",
		 "about another page or process than the fault: Memory failure: 0x5a3f"},
		{"pass-libvirt-daemon-killed", "unknown", "none", "(process, hypervisor)"},
		{"inconclusive-libvirt-silent", "unknown", "none",
		 "only one sign that the guest is alive"},
		{"pass-migration-completed", "unharmed", "completed", "no fault was asked for"},
		{"pass-migration-refused", "unharmed", "refused", "no fault was asked for"},
		{"pass-migration-cancelled", "unharmed", "cancelled", "no fault was asked for"},
		{"pass-migration-failed-at-target", "unharmed", "failed", ""},
		{"pass-migration-guest-killed", "killed", "failed", ""},
		{"fail-migration-failed", "unharmed", "failed", "is failed, expected completed"},
		{"fail-migration-lost", "killed", "lost", "the guest runs on no host: QEMU crash"},
		{"fail-migration-lost-in-post-copy", "hung", "lost", "the guest runs on no host"},
		{"pass-migration-post-copy", "unharmed", "completed", ""},
		{"inconclusive-migration-post-copy-goes-on", "unharmed", "unknown",
		 "no event reports the end of the migration"},
		{"fail-migration-stands-still", "hung", "lost", "the guest runs on no host"},
		{"inconclusive-migration-failed-unseen", "unknown", "unknown",
		 "no evidence shows the guest running at the source"},
		{"fail-guest-corrupted-before", "corrupted", "none", "load: corrupted"},
		{"fail-migration-another-boot", "unknown", "lost", "another boot of the guest"},
		{"inconclusive-migration-only-source", "unknown", "unknown",
		 "only the source reports that the migration completed"},
		{"inconclusive-migration-runs-twice", "unharmed", "unknown",
		 "runs at the source, and the hypervisor reports it as running at the target"},
		{"inconclusive-migration-trigger-missed", "unknown", "completed",
		 "the fault was not fired"},
		{"pass-version-refuses", "unharmed", "refused", ""},
		{"fail-version-unknown", "unharmed", "refused", "is refused, expected completed"},
		{"fail-known-failure", "unharmed", "failed", "is failed, expected completed"},
		{"pass-known-failure-fixed", "unharmed", "completed", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		__cleanup_json json_t *result = judge_case(cases[i].name);
		const char *verdict = json_text(result, "verdict", "");
		const char *reason = json_text(result, "reason", "");

		if (strncmp(cases[i].name, verdict, strlen(verdict)) != 0 ||
		    strcmp(axis(result, "guest"), cases[i].guest) != 0 ||
		    strcmp(axis(result, "migration"), cases[i].migration) != 0 ||
		    !strstr(reason, cases[i].reason))
			fail_msg("%s: verdict %s, guest %s, migration %s: %s", cases[i].name,
				 verdict, axis(result, "guest"), axis(result, "migration"), reason);
	}
}

/* Without its end a trial passes only for the question whether it is settled, and then by its last evidence. */
static void what_passes_settles_with_its_last_evidence(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(guest_cases); i++) {
		__cleanup_json json_t *records = tell_case(&guest_cases[i]);
		__cleanup_json json_t *part = json_array();
		bool passes = strncmp(guest_cases[i].name, "pass", 4) == 0, settled = false;
		json_t *record;
		size_t index;

		json_array_foreach (records, index, record) {
			__cleanup_json json_t *result = judge_trial(part, "0001");

			assert_string_not_equal(json_text(result, "verdict", ""), "pass");
			if (strcmp(json_text(record, "type", ""), "close") == 0)
				break;
			json_array_append(part, record);
			settled = judge_is_settled(part, "0001");
		}
		/* Silence is only known when it lasts to the end, and so is that of a guest that hangs. */
		if (strcmp(guest_cases[i].name, "pass-guest-hung") == 0)
			passes = false;
		if (settled != passes)
			fail_msg("%s %s", guest_cases[i].name,
				 settled ? "counts as settled" : "does not settle");
	}
}

/* Removes the last record of a type, of a witness if it is an event, and all behind it. */
static void cut_at(json_t *records, const char *type, const char *witness)
{
	size_t last = json_array_size(records);
	bool found = false;

	while (last && !found) {
		const json_t *record = json_array_get(records, --last);

		found = strcmp(json_text(record, "type", ""), type) == 0 &&
			strcmp(json_text(json_object_get(record, "body"), "witness", ""),
			       witness) == 0;
		json_array_remove(records, last);
	}
}

/* A guest whose state is read too early may be about to die. */
static void life_is_only_seen_after_the_last_step(void **state)
{
	__cleanup_json json_t *records = tell_case(find_case("pass-guest-unharmed"));

	(void)state;
	cut_at(records, "close", "");
	assert_true(judge_is_settled(records, "0001"));
	script.records = records;
	at(1290);
	step("wait");
	assert_false(judge_is_settled(records, "0001"));
	lives_on("h0");
	assert_false(judge_is_settled(records, "0001"));
	at(1500);
	status("h0", "running", "booted");
	heart_now("h0", 200);
	assert_false(judge_is_settled(records, "0001"));
	heart_now("h0", 5);
	assert_true(judge_is_settled(records, "0001"));
}

/* That it left the source, and that the hypervisor starts it at the target, is not yet that it lives there. */
static void a_guest_is_awaited_at_the_target(void **state)
{
	__cleanup_json json_t *records = tell_case(find_case("pass-migration-completed"));

	(void)state;
	cut_at(records, "event", "migration");
	script.records = records;
	at(3200);
	migration_ends("completed");
	status("h1", "running", "migrated");
	assert_false(judge_is_settled(records, "0001"));
	at(3600);
	first_beat("h1");
	assert_true(judge_is_settled(records, "0001"));
}

static int64_t metric(const json_t *result, const char *name, const char *unit)
{
	const json_t *found = json_object_get(json_object_get(result, "metrics"), name);

	assert_string_equal(json_text(found, "unit", "none"), unit);
	return json_number(found, "value", -1);
}

static void a_migration_is_measured(void **state)
{
	__cleanup_json json_t *result = judge_case("pass-migration-completed");
	__cleanup_json json_t *contained = judge_case("pass-guest-contained");
	__cleanup_json json_t *away = judge_case("pass-migration-long-downtime");
	__cleanup_json json_t *clock = judge_case("pass-migration-own-clock");
	__cleanup_json json_t *gaps = judge_case("pass-migration-gaps");

	(void)state;
	assert_int_equal(metric(result, "guest_downtime", "ns"), 700 * NSEC_PER_MSEC);
	assert_int_equal(metric(away, "guest_downtime", "ns"), 1500 * NSEC_PER_MSEC);
	assert_int_equal(metric(clock, "guest_downtime", "ns"), 60 * NSEC_PER_MSEC);
	assert_int_equal(metric(gaps, "guest_downtime", "ns"), 500 * NSEC_PER_MSEC);
	assert_int_equal(metric(gaps, "qemu_downtime", "ns"), 490 * NSEC_PER_MSEC);
	assert_int_equal(metric(gaps, "beat_to_stop", "ns"), 10 * NSEC_PER_MSEC);
	assert_int_equal(metric(gaps, "resume_to_beat", "ns"), 5 * NSEC_PER_MSEC);
	assert_int_equal(metric(gaps, "clock_difference", "us"), 3000);
	assert_null(json_object_get(json_object_get(result, "metrics"), "qemu_downtime"));
	assert_null(json_object_get(json_object_get(result, "metrics"), "clock_difference"));
	assert_int_equal(metric(result, "hypervisor_downtime", "ns"), 62 * NSEC_PER_MSEC);
	assert_int_equal(metric(result, "migration_time", "ns"), 3 * NSEC_PER_SEC);
	assert_int_equal(metric(result, "iterations", "count"), 4);
	assert_int_equal(metric(contained, "intent_to_guest_signal", "ns"), 101 * NSEC_PER_MSEC);
	assert_null(json_object_get(json_object_get(contained, "metrics"), "guest_downtime"));
}

static void add_metrics(json_t *records, size_t before, const char *host, const char *event,
			double rate)
{
	const json_t *last = json_array_get(records, before - 1);

	json_array_insert_new(
		records, before,
		json_pack("{s:I, s:s, s:s, s:{s:s, s:s, s:s, s:s, s:{s:s, s:s, s:{s:{s:f, s:s, "
			  "s:s}, s:{s:s}, s:{s:f, s:f}, s:{s:i}}}}}",
			  "time_ns", (json_int_t)json_number(last, "time_ns", 0), "type", "event",
			  "trial", "0001", "body", "witness", "workload", "host", host, "guest",
			  "g1", "text", "", "data", "workload", "load", "event", event, "metrics",
			  "rate", "value", rate, "unit", "pages/s", "better", "higher", "broken",
			  "value", "much", "turns", "value", rate, "counted", 1 / rate, "absent",
			  "counted", 0));
}

/* A report of beats behind the record at @place, which may be before the fault. */
static void add_beats(json_t *records, size_t place, int64_t longest_ns)
{
	const json_t *last = json_array_get(records, place);

	json_array_insert_new(
		records, place + 1,
		json_pack("{s:I, s:s, s:s, s:{s:s, s:s, s:s, s:s, s:{s:s, s:I, s:i}}}", "time_ns",
			  (json_int_t)json_number(last, "time_ns", 0) + 1, "type", "event", "trial",
			  "0001", "body", "witness", "heartbeat", "host", "h0", "guest", "g1",
			  "text", "", "data", "what", "heartbeat", "longest_ns",
			  (json_int_t)longest_ns, "beats", 9));
}

static void a_storm_shows_what_it_did_to_its_neighbours(void **state)
{
	__cleanup_json json_t *records = NULL;
	__cleanup_json json_t *result = NULL;
	struct journal_damage damage;
	struct reason why = {0};
	const json_t *metric;
	size_t intent = 0;

	(void)state;
	assert_int_equal(journal_load(GOLDEN "/pass-conversion-done", &records, &damage, &why), 0);
	while (strcmp(json_text(json_array_get(records, intent), "type", ""), "intent") != 0)
		intent++;
	add_beats(records, intent - 1, 900);
	add_beats(records, intent + 1, 300);
	add_beats(records, intent + 1, 400);
	add_beats(records, intent + 1, 200);
	result = judge_trial(records, "0001");
	assert_string_equal(json_text(result, "verdict", ""), "pass");
	metric = json_object_get(json_object_get(result, "metrics"), "guest_longest_gap");
	assert_int_equal(json_number(metric, "value", 0), 400);
}

/* Each interval is a sample, the total is none; another boot is another machine. */
static void workloads_give_metrics(void **state)
{
	__cleanup_json json_t *records = tell_case(find_case("pass-migration-completed"));
	size_t close = json_array_size(records) - 1;
	__cleanup_json json_t *result = NULL;
	const json_t *metrics, *rate, *other;
	json_t *samples;

	(void)state;
	while (strcmp(json_text(json_array_get(records, close), "type", ""), "close") != 0)
		close--;
	add_metrics(records, close++, "h0", "metrics", 4);
	add_metrics(records, close++, "h0", "metrics", 7);
	add_metrics(records, close++, "h0", "checked", 11);
	add_metrics(records, close++, "h1", "metrics", 2.5);
	result = judge_trial(records, "0001");
	metrics = json_object_get(result, "metrics");
	rate = json_object_get(metrics, "load.rate");
	samples = json_object_get(rate, "samples");
	assert_int_equal(json_array_size(samples), 2);
	assert_true(json_number_value(json_array_get(samples, 1)) == 7);
	assert_true(json_number_value(json_object_get(rate, "value")) == 5.5);
	assert_string_equal(json_text(rate, "unit", ""), "pages/s");
	assert_string_equal(json_text(rate, "direction", ""), "higher");
	assert_string_equal(json_text(rate, "host", ""), "h0");
	assert_string_equal(json_text(rate, "guest", ""), "g1");
	assert_string_equal(json_text(rate, "workload", ""), "load");
	assert_string_equal(json_text(rate, "boot", ""), BOOT_H0);
	other = json_object_get(metrics, "load.rate@" BOOT_H1);
	assert_int_equal(json_array_size(json_object_get(other, "samples")), 1);
	assert_string_equal(json_text(other, "host", ""), "h1");
	assert_null(json_object_get(json_object_get(metrics, "load.broken"), "value"));
	/* The least share in which a counter counted is that of the metric. */
	other = json_object_get(metrics, "load.turns");
	assert_true(json_number_value(json_object_get(other, "counted")) == 1.0 / 7);
	other = json_object_get(metrics, "load.absent");
	assert_true(json_is_null(json_object_get(other, "value")));
	assert_int_equal(json_array_size(json_object_get(other, "samples")), 0);
	assert_int_equal(json_number(other, "counted", 1), 0);
	rate = json_object_get(metrics, "trial_time");
	assert_string_equal(json_text(rate, "direction", ""), "lower");
	assert_int_equal(json_array_size(json_object_get(rate, "samples")), 1);
}

/* How long the call took that injected, and its kernel to boot, is measured by the host itself. */
static void host_times_injection_and_boot(void **state)
{
	__cleanup_json json_t *records = tell_case(find_case("pass-guest-contained"));
	__cleanup_json json_t *result = NULL;
	json_t *record;
	size_t index;

	(void)state;
	json_array_foreach (records, index, record)
		if (strcmp(json_text(record, "type", ""), "outcome") == 0)
			json_object_set_new(json_object_get(record, "body"), "result",
					    json_pack("{s:i}", "duration_ns", 4711));
	json_array_foreach (records, index, record)
		if (strcmp(json_text(record, "type", ""), "boot") == 0) {
			json_object_set_new(json_object_get(record, "body"), "boot_ns",
					    json_integer(5000));
			json_object_set_new(json_object_get(record, "body"), "facts",
					    json_pack("{s:i}", "monotonic_ns", 3000));
		}
	result = judge_trial(records, "0001");
	assert_int_equal(metric(result, "fire_time", "ns"), 4711);
	assert_int_equal(metric(result, "power_on_to_agent", "ns"), 5000);
	assert_int_equal(metric(result, "kernel_to_agent", "ns"), 3000);
}

/* The result of the case when its injector is one that this version does not know. */
static json_t *judge_with_injector(const char *name, const char *key, const char *value)
{
	__cleanup_json json_t *records = tell_case(find_case(name));
	json_t *record;
	size_t index;

	json_array_foreach (records, index, record) {
		json_t *body = json_object_get(record, "body");

		if (!json_object_get(body, "injector"))
			continue;
		json_object_set_new(body, "injector", json_string("fake"));
		if (key)
			json_object_set_new(body, key, json_string(value));
	}
	return judge_trial(records, "0001");
}

/* What a fault kills, and which witness only repeats its command, is read from the intent. */
static void the_intent_declares_the_effect_of_an_injector(void **state)
{
	__cleanup_json json_t *kills =
		judge_with_injector("pass-libvirt-daemon-killed", "kills", "virtqemud");
	__cleanup_json json_t *silent =
		judge_with_injector("pass-libvirt-daemon-killed", NULL, NULL);
	__cleanup_json json_t *heard = judge_with_injector("pass-guest-contained", NULL, NULL);
	__cleanup_json json_t *echoed =
		judge_with_injector("pass-guest-contained", "echoed-by", "hypervisor");

	(void)state;
	assert_string_equal(json_text(kills, "verdict", ""), "pass");
	assert_string_equal(json_text(silent, "code", ""), "delivered-not-proven");
	assert_non_null(strstr(json_text(heard, "reason", ""), "hypervisor"));
	assert_null(strstr(json_text(echoed, "reason", ""), "hypervisor"));
}

static json_t *judge_case_run(const char *name)
{
	__cleanup_json json_t *records = tell_case(find_case(name));

	return judge_records(records);
}

static void a_known_failure_is_counted_apart(void **state)
{
	__cleanup_json json_t *known = judge_case_run("fail-known-failure");
	__cleanup_json json_t *other = judge_case_run("fail-known-in-another-version");
	__cleanup_json json_t *fixed = judge_case_run("pass-known-failure-fixed");
	__cleanup_json json_t *expected = judge_case_run("pass-migration-completed");
	const json_t *trial = json_array_get(json_object_get(known, "trials"), 0);

	(void)state;
	assert_string_equal(json_text(trial, "known", ""),
			    "QEMU gives up too early, migration/ram.c");
	assert_int_equal(json_number(json_object_get(known, "counts"), "known", 0), 1);
	assert_int_equal(json_number(json_object_get(known, "counts"), "fail", -1), 0);
	assert_int_equal(judge_exit_code(known), EXIT_PASSED);
	assert_int_equal(json_number(json_object_get(other, "counts"), "known", -1), 0);
	assert_int_equal(judge_exit_code(other), EXIT_FAILED);
	trial = json_array_get(json_object_get(fixed, "trials"), 0);
	assert_true(json_is_true(json_object_get(trial, "fixed")));
	trial = json_array_get(json_object_get(expected, "trials"), 0);
	assert_null(json_object_get(trial, "fixed"));
}

static bool has_check(const json_t *result, const char *check, const char *reason)
{
	json_t *each;
	size_t index;

	json_array_foreach (json_object_get(result, "checks"), index, each)
		if (strcmp(json_text(each, "check", ""), check) == 0 &&
		    strstr(json_text(each, "reason", ""), reason))
			return true;
	return false;
}

/* The result of the case whose known failure is described with @key in place of the one that it has. */
static json_t *known_by(const char *removed, const char *key, const char *value)
{
	__cleanup_json json_t *records = tell_case(find_case("fail-known-failure"));
	json_t *record, *known;
	size_t index;

	json_array_foreach (records, index, record) {
		known = json_object_get(json_object_get(json_object_get(record, "body"), "spec"),
					"known-failure");
		if (!known)
			continue;
		json_object_del(known, removed);
		json_object_set_new(known, key, json_string(value));
	}
	return judge_trial(records, "0001");
}

static void a_known_failure_may_name_its_evidence(void **state)
{
	__cleanup_json json_t *seen = known_by("", "evidence", "ended.*failed|failed");
	__cleanup_json json_t *unseen = known_by("", "evidence", "never said");
	__cleanup_json json_t *old = known_by("code", "match", "is failed");

	(void)state;
	assert_non_null(json_object_get(seen, "known"));
	assert_null(json_object_get(unseen, "known"));
	assert_null(json_object_get(old, "known"));
	assert_true(has_check(old, "versions", "it has 'match', where this version reads 'code'"));
}

static void a_rare_failure_is_not_gone_in_a_pass(void **state)
{
	__cleanup_json json_t *records = tell_case(find_case("pass-known-failure-fixed"));
	__cleanup_json json_t *fixed = judge_trial(records, "0001"), *passed = NULL;
	json_t *record, *known;
	size_t index;

	(void)state;
	json_array_foreach (records, index, record) {
		known = json_object_get(json_object_get(json_object_get(record, "body"), "spec"),
					"known-failure");
		if (known)
			json_object_set_new(known, "rare", json_true());
	}
	passed = judge_trial(records, "0001");
	assert_true(json_is_true(json_object_get(fixed, "fixed")));
	assert_null(json_object_get(passed, "fixed"));
}

static void the_checks_name_the_versions_that_apply(void **state)
{
	__cleanup_json json_t *applies = judge_case("pass-version-refuses");
	__cleanup_json json_t *not_known = judge_case("fail-version-unknown");

	(void)state;
	assert_true(has_check(applies, "versions", "entry 3 of 'versions' applies"));
	assert_false(has_check(applies, "versions", "entry 2"));
	assert_true(has_check(not_known, "versions", "the version of qemu is not known"));
}

/* A machine check may strike an address that no workload has. */
static void an_address_of_the_guest_is_aim_enough(void **state)
{
	__cleanup_json json_t *records = tell_case(find_case("pass-guest-machine-check"));
	__cleanup_json json_t *result = NULL;
	json_t *record;
	size_t index;

	(void)state;
	json_array_foreach (records, index, record)
		if (strcmp(json_text(record, "type", ""), "facts") == 0)
			break;
	json_array_remove(records, index);
	result = judge_trial(records, "0001");
	assert_string_equal(json_text(result, "verdict", ""), "pass");
}

/* The witnesses of a guest are quoted as its own. */
static void quotes_name_the_guest(void **state)
{
	__cleanup_json json_t *result = judge_case("pass-guest-contained");
	size_t of_guest = 0, of_host = 0, index;
	json_t *quote;

	(void)state;
	json_array_foreach (json_object_get(result, "evidence"), index, quote) {
		if (strcmp(json_text(quote, "witness", ""), "kmsg") != 0)
			continue;
		of_guest += strcmp(json_text(quote, "guest", ""), "g1") == 0;
		of_host += json_text(quote, "guest", NULL) == NULL;
	}
	assert_int_equal(of_guest, 2);
	assert_int_equal(of_host, 2);
}

/* The same line means another thing from the guest than from its host. */
static void a_guest_is_no_witness_of_its_host(void **state)
{
	__cleanup_json json_t *records = tell_case(find_case("inconclusive-guest-another-page"));
	__cleanup_json json_t *result = NULL;

	(void)state;
	cut_at(records, "close", "");
	script.records = records;
	at(1200);
	guest_log("Kernel panic - not syncing: I am the host");
	event("h0", "g1", "console", "Kernel panic - not syncing: I am the host", "{}");
	event("h0", "g1", "bench", "the host went down", "{'event': 'host-died'}");
	event("h0", "g1", "trace", "mce_record", "{'event': 'mce:mce_record', 'fields': {}}");
	event("h0", "g1", "pageflags", "hwpoison",
	      "{'pfn': '0x11a3f4', 'before': '0x5828', 'after': '0x85828',"
	      "'hwpoison-changed': true}");
	put("close", "{'cause': 'done'}");
	result = judge_trial(records, "0001");
	assert_string_equal(axis(result, "host"), "up");
	assert_false(json_is_true(json_object_get(result, "delivered")));
}

/* The records of a case that also expects a line of a witness. */
static json_t *tell_expecting(const char *witness, const char *line)
{
	json_t *records = tell_case(find_case("pass-guest-contained"));
	json_t *record;
	size_t index;

	json_array_foreach (records, index, record)
		if (strcmp(json_text(record, "type", ""), "trial") == 0)
			json_object_set_new(json_object_get(json_object_get(record, "body"),
							    "expect"),
					    "events", json_pack("{s:[s]}", witness, line));
	return records;
}

static json_t *judge_expecting(const char *witness)
{
	__cleanup_json json_t *records = tell_expecting(witness, "what nobody says");

	return judge_trial(records, "0001");
}

/* A line that a witness did not report is missing; without any event of the witness it is not known. */
static void a_witness_without_events_contradicts_nothing(void **state)
{
	__cleanup_json json_t *spoken = judge_expecting("hypervisor");
	__cleanup_json json_t *silent = judge_expecting("guest-console");

	(void)state;
	assert_string_equal(json_text(spoken, "verdict", ""), "fail");
	assert_string_equal(json_text(silent, "verdict", ""), "inconclusive");
}

/* A report of a guest does not meet an expectation of its host. */
static json_t *judge_frame_said_by(const char *guest)
{
	__cleanup_json json_t *records = tell_expecting("frame-state", "is out of use$");

	cut_at(records, "close", "");
	script.records = records;
	at(1200);
	event("h0", guest, "frame-state", "frame 0x123 was in use or free and is out of use", "{}");
	put("close", "{'cause': 'done'}");
	return judge_trial(records, "0001");
}

static void a_guest_is_no_witness_of_a_frame(void **state)
{
	__cleanup_json json_t *host = judge_frame_said_by(NULL);
	__cleanup_json json_t *guest = judge_frame_said_by("g1");

	(void)state;
	assert_string_equal(json_text(host, "verdict", ""), "pass");
	assert_string_equal(json_text(guest, "verdict", ""), "inconclusive");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_journals_match_their_cases),
		cmocka_unit_test(axes_and_reasons_match_the_cases),
		cmocka_unit_test(what_passes_settles_with_its_last_evidence),
		cmocka_unit_test(life_is_only_seen_after_the_last_step),
		cmocka_unit_test(a_guest_is_awaited_at_the_target),
		cmocka_unit_test(a_migration_is_measured),
		cmocka_unit_test(the_intent_declares_the_effect_of_an_injector),
		cmocka_unit_test(workloads_give_metrics),
		cmocka_unit_test(host_times_injection_and_boot),
		cmocka_unit_test(a_storm_shows_what_it_did_to_its_neighbours),
		cmocka_unit_test(a_known_failure_is_counted_apart),
		cmocka_unit_test(a_known_failure_may_name_its_evidence),
		cmocka_unit_test(a_rare_failure_is_not_gone_in_a_pass),
		cmocka_unit_test(the_checks_name_the_versions_that_apply),
		cmocka_unit_test(an_address_of_the_guest_is_aim_enough),
		cmocka_unit_test(quotes_name_the_guest),
		cmocka_unit_test(a_guest_is_no_witness_of_its_host),
		cmocka_unit_test(a_witness_without_events_contradicts_nothing),
		cmocka_unit_test(a_guest_is_no_witness_of_a_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
