// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the trial engine with fake hosts: a guest is started and kept, its page is found on the host
 * before the fault and looked for again when it moves, and a migration is followed from one host to the other.
 */
#include "bats/unit/engine_test.h"

static void test_strike(void **state)
{
	struct fixture *fixture = *state;
	const json_t *intent;

	run(fixture, "fake", "  - start: victim\n" STRIKE "  - touch: victim\n", 1);
	intent = find_record(fixture, "intent");
	assert_string_equal(cause(fixture), "done");
	assert_string_equal(json_text(intent, "guest", ""), "g1");
	assert_string_equal(json_text(intent, "gpa", ""), "0x100000");
	assert_string_equal(json_text(intent, "pfn", ""), "0x2000");
	assert_string_equal(json_text(intent, "host", ""), "h0");
	/* As the injector declares its faults. */
	assert_string_equal(json_string_value(json_array_get(json_object_get(intent, "fault"), 0)),
			    "memory");
	/* The frame of the host, and QEMU's process, are what the host's witnesses look at. */
	assert_non_null(strstr(fixture->calls, "witness.focus {\"pfn\":\"0x2000\",\"pids\":[77]}"));
	assert_non_null(strstr(fixture->calls, "\"pfn\":\"0x2000\"},\"injector\":\"hwpoison\""));
	assert_int_equal(count_calls(fixture, "inject.fire"), 1);
}

/* Another workload, started before the fault or after it, does not take the witnesses from the frame of the fault. */
static void test_focus_stays_with_the_frame_of_the_fault(void **state)
{
	struct fixture *fixture = *state;
	const char *fire;

	fake.on_host = true;
	run(fixture, "fake", "  - start: victim\n" STRIKE "  - start: load\n", 1);
	fire = strstr(fixture->calls, "inject.fire");
	assert_non_null(fire);
	assert_non_null(strstr(fire, "workload.start"));
	assert_null(strstr(fire, "witness.focus"));
	/* That of the aim, to which the start leaves it. */
	assert_int_equal(count_calls(fixture, "witness.focus"), 1);
}

static int count_words(const struct fixture *fixture, const char *witness)
{
	const json_t *record;
	size_t index;
	int count = 0;

	json_array_foreach (fixture->records, index, record) {
		const json_t *body = json_object_get(record, "body");

		count += strcmp(json_text(record, "type", ""), "event") == 0 &&
			 strcmp(json_text(body, "guest", ""), "g1") == 0 &&
			 strcmp(json_text(body, "witness", ""), witness) == 0;
	}
	return count;
}

/* A guest is a witness of itself, and of its host never. */
static void test_words_of_a_guest(void **state)
{
	struct fixture *fixture = *state;

	run(fixture, "fake", "  - start: victim\n" STRIKE "  - touch: victim\n", 1);
	assert_int_equal(count_words(fixture, "trace"), 1);
	assert_int_equal(count_words(fixture, "workload"), 2);
	assert_int_equal(count_words(fixture, "pageflags"), 0);
	assert_int_equal(count_words(fixture, "guest-link"), 1);
}

static void test_page_moves(void **state)
{
	struct fixture *fixture = *state;

	/* Once between the look-up and the fault: it is aimed at again, where it is then. */
	fake.moves = 1;
	run(fixture, "fake", "  - start: victim\n" STRIKE, 1);
	assert_string_equal(cause(fixture), "done");
	assert_string_equal(json_text(find_record(fixture, "intent"), "pfn", ""), "0x2000");
	assert_int_equal(count_calls(fixture, "inject.prepare"), 2);
	assert_int_equal(count_calls(fixture, "inject.restore"), 2);
	assert_int_equal(count_calls(fixture, "inject.fire"), 1);
}

static void test_page_never_rests(void **state)
{
	struct fixture *fixture = *state;

	fake.moves = 100;
	run(fixture, "fake", "  - start: victim\n" STRIKE, 1);
	assert_int_equal(count_calls(fixture, "inject.fire"), 0);
	assert_null(find_record(fixture, "intent"));
	assert_string_equal(cause(fixture), "infra");
}

static bool is_told(const struct fixture *fixture, const char *event)
{
	const json_t *record;
	size_t index;

	json_array_foreach (fixture->records, index, record) {
		const json_t *body = json_object_get(record, "body");

		if (strcmp(json_text(body, "witness", ""), "engine") == 0 &&
		    strcmp(json_text(json_object_get(body, "data"), "event", ""), event) == 0)
			return true;
	}
	return false;
}

/* The kernel does not get hold of a page: because it moves it, or because another user holds it. */
static void test_page_moves_under_the_fault(void **state)
{
	for (int strays = 0; strays < 2; strays++) {
		tear_down(state);
		set_up(state);
		fake.busy = true;
		fake.strays = strays;
		run(*state, "fake", "  - start: victim\n" STRIKE "  - touch: victim\n", 1);
		assert_string_equal(cause(*state), "done");
		assert_int_equal(count_calls(*state, "inject.fire"), 1);
		assert_int_equal(is_told(*state, "moved-under-fault"), strays);
	}
}

/* A poisoned page is none of QEMU's any more; a second fault is aimed at where it was, and it is for the host to refuse it. */
static void test_same_page_twice(void **state)
{
	struct fixture *fixture = *state;

	fake.poisons = true;
	run(fixture, "fake", "  - start: victim\n" STRIKE STRIKE, 1);
	assert_string_equal(cause(fixture), "done");
	assert_int_equal(count_calls(fixture, "inject.fire"), 2);
	assert_int_equal(count_calls(fixture, "\"pfn\":\"0x2000\"},\"injector\":\"hwpoison\""), 2);
}

static void test_guest_is_kept(void **state)
{
	struct fixture *fixture = *state;

	run(fixture, "fake", "  - start: victim\n" STRIKE "  - touch: victim\n", 2);
	/* The judge finds too little evidence here to call the guest well: it is not trusted again. */
	assert_int_equal(count_calls(fixture, "guest.start"), 2);
	assert_int_equal(count_calls(fixture, "guest.stop"), 2);
}

static void test_guest_dies(void **state)
{
	struct fixture *fixture = *state;

	fake.dies = true;
	run(fixture, "fake", "  - start: victim\n" STRIKE "  - touch: victim\n  - touch: victim\n",
	    1);
	/* The end of a guest is an outcome, and not the end of the trial. */
	assert_string_equal(cause(fixture), "done");
	assert_int_equal(count_calls(fixture, "workload.touch"), 1);
}

static void test_migration(void **state)
{
	struct fixture *fixture = *state;

	run(fixture, "fake-pair",
	    "  - start: victim\n  - migrate: {guest: g1, bandwidth: 2M}\n  - when: "
	    "\"migration.iteration >= 2\"\n" STRIKE
	    "  - when: migration.ended\n  - touch: victim\n",
	    1);
	assert_string_equal(cause(fixture), "done");
	assert_non_null(strstr(fixture->calls,
			       "h1 guest.receive {\"arguments\":\"\",\"backing\":\"anonymous\""));
	assert_non_null(strstr(fixture->calls, "h0 guest.migrate {\"address\":\"tcp://h1\""));
	assert_non_null(strstr(fixture->calls, "\"bandwidth\":2097152"));
	/* After its hello at the target the calls go there. */
	assert_non_null(strstr(
		fixture->calls,
		"h1 guest.call {\"args\":{\"name\":\"victim\"},\"call\":\"workload.touch\""));
	assert_int_equal(count_calls(fixture, "h1 guest.stop"), 1);
	assert_int_equal(count_calls(fixture, "h0 guest.stop"), 1);
	/* At its source first: at its target it may not have come yet. */
	assert_true(strstr(fixture->calls, "h0 guest.stop") <
		    strstr(fixture->calls, "h1 guest.stop"));
}

/* Return: arguments of the first such call, owned by the caller. */
static json_t *arguments_of(const struct fixture *fixture, const char *call)
{
	const char *at = strstr(fixture->calls, call);

	assert_non_null(at);
	return json_loads(at + strlen(call), JSON_DISABLE_EOF_CHECK, NULL);
}

/* The target makes the same files for the guest as the source. */
static void test_target_gets_the_whole_guest(void **state)
{
	struct fixture *fixture = *state;
	__cleanup_json json_t *start = NULL, *receive = NULL;
	const char *key;
	json_t *value;

	fake.guest = "guests: {g1: {machine: hvm, system: linux, memory: 64M, processors: 2, "
		     "kernel-arguments: quiet, backing: thp}}\n"
		     "workloads:\n  victim: {kind: memory, in: g1}\n";
	run(fixture, "fake-pair", "  - start: victim\n  - migrate: g1\n" STRIKE, 1);
	start = arguments_of(fixture, "h0 guest.start ");
	receive = arguments_of(fixture, "h1 guest.receive ");
	assert_string_equal(json_text(start, "machine", ""), "hvm");
	json_object_del(start, "timeout_ms");
	json_object_foreach (start, key, value)
		if (!json_equal(value, json_object_get(receive, key)))
			fail_msg("guest.receive has another '%s' than guest.start", key);
}

/* The page that a guest has left behind is looked for where it was. */
static void test_page_at_the_source(void **state)
{
	struct fixture *fixture = *state;

	run(fixture, "fake-pair",
	    "  - start: victim\n  - migrate: g1\n  - when: migration.ended\n  - inject: {with: "
	    "hwpoison, at: victim, method: corrupt-pfn, on: source}\n",
	    1);
	assert_string_equal(cause(fixture), "done");
	assert_non_null(strstr(fixture->calls, "h0 guest.resolve"));
	assert_null(strstr(fixture->calls, "h1 guest.resolve"));
	assert_non_null(strstr(fixture->calls, "h0 inject.fire"));
}

static void test_trigger_is_missed(void **state)
{
	struct fixture *fixture = *state;

	fake.refuses = true;
	run(fixture, "fake-pair",
	    "  - start: victim\n  - migrate: {guest: g1}\n  - when: \"migration.iteration >= "
	    "2\"\n" STRIKE,
	    1);
	assert_int_equal(count_calls(fixture, "inject.fire"), 0);
	assert_string_equal(cause(fixture), "trigger-missed");
}

static void test_one_host_can_not_migrate(void **state)
{
	struct fixture *fixture = *state;

	run(fixture, "fake", "  - start: victim\n  - migrate: {guest: g1}\n" STRIKE, 1);
	assert_string_equal(cause(fixture), "skip");
}

static void test_migration_on_one_host(void **state)
{
	struct fixture *fixture = *state;
	const char *fire;

	run(fixture, "fake-local",
	    "  - start: victim\n  - migrate: {guest: g1, hold: sent, page: victim}\n"
	    "  - inject: {with: qemu-mce, at: victim, kind: srao}\n  - release: g1\n",
	    1);
	assert_string_equal(cause(fixture), "done");
	assert_int_equal(count_calls(fixture, "guest.receive"), 0);
	assert_int_equal(count_calls(fixture, "\"uri\""), 0);
	assert_non_null(strstr(fixture->calls, "\"hold\":\"sent\""));
	/* What shows only at the source is looked for while the guest is there. */
	fire = strstr(fixture->calls, "inject.fire");
	assert_non_null(fire);
	assert_ptr_equal(strstr(fire, "\nh0 "), strstr(fire, "\nh0 witness.collect"));
}

static void test_balloon(void **state)
{
	struct fixture *fixture = *state;

	refuse("guest.balloon", -ETIMEDOUT);
	run(fixture, "fake",
	    "  - start: victim\n" STRIKE
	    "  - balloon: {guest: g1, memory: 128M, within: 2s}\n  - touch: victim\n",
	    1);
	assert_non_null(strstr(fixture->calls, "\"timeout_ms\":2000"));
	/* A guest that keeps its memory is an outcome, and not the end of the trial. */
	assert_string_equal(cause(fixture), "done");
	assert_int_equal(count_calls(fixture, "workload.touch"), 1);
}

/* The probe waits for libvirt: before that, findings are missing or double. */
static void test_libvirt_is_up_before_the_host_is_probed(void **state)
{
	struct fixture *fixture = *state;

	fake.requires = "requires: [kill:libvirtd]\n";
	run(fixture, "fake", "  - start: victim\n" STRIKE, 1);
	assert_string_equal(cause(fixture), "done");
	assert_int_equal(count_calls(fixture, " ready "), 1);
	assert_int_equal(count_calls(fixture, " probe "), 1);
	assert_true(strstr(fixture->calls, " ready ") < strstr(fixture->calls, " probe "));
}

static const json_t *only_outcome(const struct fixture *fixture)
{
	assert_int_equal(count_records(fixture, "outcome"), 1);
	return find_record(fixture, "outcome");
}

/* The steps after the inject step are taken while the fault runs, and its outcome is recorded at its end. */
static void test_fault_runs(void **state)
{
	struct fixture *fixture = *state;
	const json_t *outcome;

	fake.on_host = fake.runs = true;
	progress_seen = 0;
	run(fixture, "fake",
	    "  - start: victim\n" STRIKE "  - stop-injection: hwpoison\n  - stop: victim\n", 1);
	assert_string_equal(cause(fixture), "done");
	outcome = only_outcome(fixture);
	assert_string_equal(json_text(outcome, "injector", ""), "hwpoison");
	assert_string_equal(json_text(outcome, "host", ""), "h0");
	assert_int_equal(json_number(outcome, "error", 0), -10);
	assert_int_equal(json_number(json_object_get(outcome, "result"), "rounds", 0), 3);
	assert_true(progress_seen == 0.5);
	assert_int_equal(count_calls(fixture, "inject.stop"), 1);
	assert_true(strstr(fixture->calls, "inject.stop") <
		    strstr(fixture->calls, "workload.stop"));
	assert_non_null(strstr(fixture->calls, "\"seed\":0"));
}

static void test_fault_ends_by_itself(void **state)
{
	struct fixture *fixture = *state;

	fake.on_host = fake.runs = fake.brief = true;
	run(fixture, "fake",
	    "  - start: victim\n" STRIKE "  - wait: {for: injector, match: ended, within: 10s}\n",
	    1);
	assert_string_equal(cause(fixture), "done");
	assert_int_equal(json_number(only_outcome(fixture), "error", 0), -10);
	assert_int_equal(count_calls(fixture, "inject.stop"), 0);
}

static void test_fault_outlives_the_steps(void **state)
{
	struct fixture *fixture = *state;

	fake.on_host = fake.runs = true;
	run(fixture, "fake", "  - start: victim\n" STRIKE, 1);
	assert_string_equal(cause(fixture), "done");
	assert_int_equal(json_number(only_outcome(fixture), "error", 0), -10);
	assert_int_equal(count_calls(fixture, "inject.stop"), 1);
}

static void test_no_address(void **state)
{
	struct bench *bench = NULL;
	struct reason why = {0};

	(void)state;
	assert_int_equal(bench_open("fake-pair:x", &(struct bench_options){0}, &bench, &why),
			 -ENOENT);
	assert_null(bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_strike, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_focus_stays_with_the_frame_of_the_fault,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_words_of_a_guest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_page_moves, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_page_never_rests, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_page_moves_under_the_fault, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_same_page_twice, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_page_at_the_source, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_guest_is_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_guest_dies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_migration, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_target_gets_the_whole_guest, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_trigger_is_missed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_host_can_not_migrate, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_migration_on_one_host, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_balloon, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_libvirt_is_up_before_the_host_is_probed,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_fault_runs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_fault_ends_by_itself, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_fault_outlives_the_steps, set_up, tear_down),
		cmocka_unit_test(test_no_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
