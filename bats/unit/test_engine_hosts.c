// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: hosts that are lost, or seem to be. If a host dies or stops answering before the fault, the
 * trial is repeated once; an answer of an agent about a guest is no evidence about its host.
 */
#include <signal.h>

#include "bats/unit/engine_test.h"

#define START "  - start: victim\n"
#define TOUCH "  - touch: victim\n"
#define MIGRATE "  - migrate: g1\n  - when: migration.ended\n"
#define NO_FAULT "expect: {delivered: false}\n"

static void lose_at(enum fake_mishap mishap, const char *call, int doomed)
{
	fake.mishap = mishap;
	fake.call = call;
	fake.doomed = doomed;
}

static const char *verdict(const struct fixture *fixture)
{
	return json_text(find_record(fixture, "verdict"), "verdict", "");
}

/* What is on record of the attempts of one trial: how often it was begun, and how it ended the first time. */
static void check_attempts(const struct fixture *fixture, int attempts, const char *first)
{
	assert_int_equal(count_records(fixture, "trial"), attempts);
	assert_int_equal(count_records(fixture, "close"), attempts);
	assert_int_equal(count_records(fixture, "verdict"), 1);
	assert_string_equal(json_text(find_record(fixture, "close"), "cause", ""), first);
}

/* Run one trial, which is begun @attempts times, and whose first attempt ends by @first. */
static void run_attempts(struct fixture *fixture, const char *bench, const char *steps,
			 int attempts, const char *first)
{
	run(fixture, bench, steps, 1);
	check_attempts(fixture, attempts, first);
}

static void test_dies_before_the_fault(void **state)
{
	struct fixture *fixture = *state;

	lose_at(FAKE_DIES, "workload.start", 1);
	run_attempts(fixture, "fake", START STRIKE TOUCH, 2, "host-died");
	assert_string_equal(cause(fixture), "done");
	assert_int_equal(count_calls(fixture, " boot "), 2);
	/* The verdict is of the second attempt: there, a fault was fired. */
	assert_int_equal(count_calls(fixture, "inject.fire"), 1);
	assert_string_not_equal(verdict(fixture), "infra");
}

static void test_dies_before_each_fault(void **state)
{
	struct fixture *fixture = *state;

	lose_at(FAKE_DIES, "workload.start", 0);
	run_attempts(fixture, "fake", START STRIKE TOUCH, 2, "host-died");
	assert_int_equal(count_calls(fixture, " boot "), 2);
	assert_string_equal(verdict(fixture), "infra");
}

static void test_dies_while_it_boots(void **state)
{
	struct fixture *fixture = *state;

	lose_at(FAKE_DIES, "hello", 1);
	run_attempts(fixture, "fake", START STRIKE TOUCH, 2, "infra");
	assert_string_equal(cause(fixture), "done");
	assert_int_equal(count_calls(fixture, " boot "), 2);
}

static void test_dies_of_the_fault(void **state)
{
	struct fixture *fixture = *state;

	lose_at(FAKE_DIES, "inject.fire", 0);
	run_attempts(fixture, "fake", START STRIKE TOUCH, 1, "host-died");
	assert_int_equal(count_calls(fixture, "inject.fire"), 1);
	assert_int_equal(count_calls(fixture, " boot "), 1);
}

/* A crash of its emulator shows nothing about a host. */
static void test_taken_after_the_fault(void **state)
{
	struct fixture *fixture = *state;

	fake.taken = true;
	lose_at(FAKE_DIES, "workload.touch", 1);
	run_attempts(fixture, "fake", START STRIKE TOUCH, 2, "agent-lost");
	assert_string_equal(cause(fixture), "done");
	assert_int_equal(count_calls(fixture, "inject.fire"), 2);
}

static void test_taken_after_each_fault(void **state)
{
	struct fixture *fixture = *state;

	fake.taken = true;
	lose_at(FAKE_DIES, "workload.touch", 0);
	run_attempts(fixture, "fake", START STRIKE TOUCH, 2, "agent-lost");
	assert_string_equal(verdict(fixture), "inconclusive");
}

/* The end of the host is what counts, whichever of its parts shows it first. */
static void test_taken_while_its_firmware_is_asked(void **state)
{
	struct fixture *fixture = *state;

	fake.taken = true;
	lose_at(FAKE_DIES, "scrub", 0);
	run_attempts(fixture, "fake", START STRIKE "  - firmware: {call: scrub}\n" TOUCH, 2,
		     "agent-lost");
	assert_string_equal(verdict(fixture), "inconclusive");
}

static void test_taken_while_its_firmware_strikes(void **state)
{
	struct fixture *fixture = *state;

	fake.taken = fake.asks = true;
	lose_at(FAKE_DIES, "machine-check", 0);
	run_attempts(fixture, "fake", START STRIKE TOUCH, 2, "agent-lost");
	/* The fault may have struck. */
	assert_int_equal(count_records(fixture, "outcome"), 0);
	assert_string_equal(verdict(fixture), "inconclusive");
}

static void test_dies_while_its_firmware_strikes(void **state)
{
	struct fixture *fixture = *state;

	fake.asks = true;
	lose_at(FAKE_DIES, "machine-check", 0);
	run_attempts(fixture, "fake", START STRIKE TOUCH, 1, "host-died");
}

static void test_taken_in_its_migration(void **state)
{
	struct fixture *fixture = *state;

	fake.taken = true;
	lose_at(FAKE_DIES, "guest.receive", 2);
	run_attempts(fixture, "fake-pair", START MIGRATE NO_FAULT, 2, "agent-lost");
	assert_string_equal(cause(fixture), "done");
}

/* The next trial gets a host that was booted anew. */
static void test_dies_after_the_fault(void **state)
{
	struct fixture *fixture = *state;

	lose_at(FAKE_DIES, "workload.touch", 1);
	run(fixture, "fake", START STRIKE TOUCH, 2);
	assert_int_equal(count_records(fixture, "trial"), 2);
	assert_int_equal(count_calls(fixture, "inject.fire"), 2);
	assert_int_equal(count_calls(fixture, " boot "), 2);
	assert_string_equal(cause(fixture), "done");
}

static void test_silent_before_the_fault(void **state)
{
	struct fixture *fixture = *state;

	fake.deadline = "2s";
	lose_at(FAKE_IS_SILENT, "workload.start", 1);
	run_attempts(fixture, "fake", START STRIKE TOUCH, 2, "deadline");
	assert_int_equal(count_calls(fixture, " boot "), 2);
	assert_int_equal(count_calls(fixture, "inject.fire"), 1);
}

/* An emulator may hang. */
static void test_silent_after_the_fault(void **state)
{
	struct fixture *fixture = *state;

	fake.deadline = "2s";
	lose_at(FAKE_IS_SILENT, "workload.touch", 1);
	run_attempts(fixture, "fake", START STRIKE TOUCH, 2, "deadline");
	assert_int_equal(count_calls(fixture, "inject.fire"), 2);
	assert_string_equal(cause(fixture), "done");
}

static void test_silent_metal_after_the_fault(void **state)
{
	struct fixture *fixture = *state;

	fake.deadline = "2s";
	lose_at(FAKE_IS_SILENT, "workload.touch", 1);
	run_attempts(fixture, "fake-metal", START STRIKE TOUCH, 1, "deadline");
}

/* A trial without a fault is about what its steps do to the host: its death is no accident. */
static void test_dies_without_a_fault(void **state)
{
	struct fixture *fixture = *state;

	lose_at(FAKE_DIES, "workload.touch", 0);
	run_attempts(fixture, "fake", START TOUCH NO_FAULT, 1, "host-died");
}

static void test_dies_before_its_migration(void **state)
{
	struct fixture *fixture = *state;

	lose_at(FAKE_DIES, "workload.start", 2);
	run_attempts(fixture, "fake-pair", START MIGRATE NO_FAULT, 2, "host-died");
	assert_string_equal(cause(fixture), "done");
}

static void test_dies_in_its_migration(void **state)
{
	struct fixture *fixture = *state;

	lose_at(FAKE_DIES, "guest.receive", 0);
	run_attempts(fixture, "fake-pair", START MIGRATE NO_FAULT, 1, "host-died");
}

/* The other host of a pair is up, and can not report the state of the workload. */
static void test_dies_with_its_workload(void **state)
{
	struct fixture *fixture = *state;

	fake.on_host = true;
	fake.deadline = "5s";
	lose_at(FAKE_DIES_THEN, "workload.touch", 0);
	run(fixture, "fake-pair", START STRIKE TOUCH, 1);
	assert_string_equal(cause(fixture), "host-died");
}

static void test_dies_with_its_guest(void **state)
{
	struct fixture *fixture = *state;

	lose_at(FAKE_DIES, "inject.fire", 0);
	run(fixture, "fake-pair", START STRIKE TOUCH, 1);
	assert_int_equal(count_calls(fixture, " boot "), 2);
	assert_string_equal(cause(fixture), "host-died");
}

/* What was set for its fault went down with it: a fault of the other host can be fired all the same. */
static void test_dies_before_another_fault(void **state)
{
	struct fixture *fixture = *state;

	fake.host = "h0";
	lose_at(FAKE_DIES_THEN, "inject.fire", 0);
	run(fixture, "fake-pair", START STRIKE "  - inject: {with: panic, on: h1}\n", 1);
	assert_int_equal(count_calls(fixture, "h0 inject.fire"), 1);
	assert_int_equal(count_calls(fixture, "h1 inject.fire"), 1);
	assert_string_equal(cause(fixture), "done");
}

/* A guest that has left says hello at its new host a moment after the old one is down: it is awaited there. */
static void test_dies_behind_its_guest(void **state)
{
	struct fixture *fixture = *state;

	fake.late_hello = true;
	fake.host = "h0";
	lose_at(FAKE_DIES, "inject.fire", 0);
	run(fixture, "fake-pair",
	    START MIGRATE "  - inject: {with: panic, on: source}\n" TOUCH "expect: {host: died}\n",
	    1);
	assert_string_equal(cause(fixture), "done");
	assert_non_null(strstr(
		fixture->calls,
		"h1 guest.call {\"args\":{\"name\":\"victim\"},\"call\":\"workload.touch\""));
}

/* A machine that was up, and went down, boots by itself, and that takes its time. */
static void test_machine_that_boots_is_awaited(void **state)
{
	struct fixture *fixture = *state;

	fake.requires = "fresh-boot: true\n";
	fake.spared = 1;
	lose_at(FAKE_DIES, "hello", 3);
	run(fixture, "fake-metal", START STRIKE TOUCH, 2);
	assert_int_equal(count_calls(fixture, " boot "), 4);
	assert_int_equal(count_records(fixture, "trial"), 2);
	assert_int_equal(count_calls(fixture, "inject.fire"), 2);
}

static void test_machine_that_stays_away_is_given_up(void **state)
{
	struct fixture *fixture = *state;

	fake.requires = "fresh-boot: true\n";
	fake.spared = 1;
	lose_at(FAKE_DIES, "hello", 0);
	run(fixture, "fake-metal", START STRIKE TOUCH, 2);
	assert_true(count_calls(fixture, " boot ") > 3);
	assert_int_equal(count_records(fixture, "trial"), 3);
	assert_int_equal(count_calls(fixture, "inject.fire"), 1);
	assert_string_equal(cause(fixture), "infra");
}

/* That one never was up in this run: its name may be wrong, and is not worth a wait. */
static void test_machine_that_never_was_up_is_not_awaited(void **state)
{
	struct fixture *fixture = *state;

	lose_at(FAKE_DIES, "hello", 0);
	run(fixture, "fake-metal", START STRIKE TOUCH, 1);
	assert_int_equal(count_calls(fixture, " boot "), 2);
	assert_string_equal(cause(fixture), "infra");
}

/* A bench that is so old that it could be ended in the middle of a trial is closed before, and opened anew. */
static void test_old_bench_is_left_in_time(void **state)
{
	struct fixture *fixture = *state;

	fake.ages_ns = 7300 * NSEC_PER_SEC;
	run(fixture, "fake", START STRIKE TOUCH, 2);
	assert_int_equal(count_calls(fixture, " boot "), 2);
	assert_int_equal(count_records(fixture, "trial"), 2);
	assert_int_equal(count_calls(fixture, "inject.fire"), 2);
}

/* What one trial has poisoned on any host is no evidence for the next. */
static void test_firmware_is_reset(void **state)
{
	struct fixture *fixture = *state;

	run(fixture, "fake-pair", START STRIKE, 2);
	assert_int_equal(count_calls(fixture, "h0 firmware {\"call\":\"reset\"}"), 2);
	assert_int_equal(count_calls(fixture, "h1 firmware {\"call\":\"reset\"}"), 2);
}

/* A fault that only the firmware can make: its refusal is that of the fault. */
static void test_firmware_makes_the_fault(void **state)
{
	struct fixture *fixture = *state;

	fake.asks = true;
	run(fixture, "fake", START STRIKE, 1);
	assert_int_equal(count_calls(fixture, "h0 firmware {\"call\":\"machine-check\"}"), 1);
	assert_int_equal(json_number(find_record(fixture, "outcome"), "error", 0), -EBUSY);
	assert_string_equal(json_text(find_record(fixture, "outcome"), "reason", ""), "not now");
}

/* Errors of a guest or of libvirt with an error number of the bench: none of them means that the host was lost. */
static void test_host_that_answers_is_not_lost(void **state)
{
	static const int errors[] = {-ETIMEDOUT, -EHOSTDOWN, -ECONNRESET, -EINTR};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		tear_down(state);
		set_up(state);
		refuse("workload.touch", errors[i]);
		run(*state, "fake", "  - start: victim\n" STRIKE "  - touch: victim\n", 2);
		assert_string_equal(cause(*state), "done");
		assert_int_equal(count_calls(*state, "inject.fire"), 2);
		assert_int_equal(count_calls(*state, " boot "), 1);

		/* The page is looked for twice for each fault. */
		tear_down(state);
		set_up(state);
		refuse("guest.resolve", errors[i]);
		fake.late = 2;
		run(*state, "fake", "  - start: victim\n" STRIKE STRIKE "  - touch: victim\n", 1);
		assert_string_equal(cause(*state), "done");
		assert_int_equal(count_calls(*state, "workload.touch"), 1);
	}
}

static void test_libvirt_hangs_after_the_fault(void **state)
{
	static const char *const calls[] = {"guest.receive", "guest.migrate"};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		tear_down(state);
		set_up(state);
		refuse(calls[i], -ETIMEDOUT);
		run(*state, "fake-pair", START STRIKE "  - migrate: g1\n" TOUCH, 1);
		assert_string_equal(cause(*state), "done");
		assert_int_equal(count_calls(*state, "workload.touch"), 1);

		tear_down(state);
		set_up(state);
		refuse(calls[i], -ETIMEDOUT);
		run(*state, "fake-pair", START "  - migrate: g1\n" STRIKE, 1);
		assert_string_equal(cause(*state), "infra");
		assert_int_equal(count_records(*state, "trial"), 2);
	}
}

/* Before the fault such an answer is a failure of the bench, and the trial is tried again: not the deadline of a host. */
static void test_host_that_answers_before_the_fault(void **state)
{
	struct fixture *fixture = *state;

	refuse("guest.resolve", -ETIMEDOUT);
	run(fixture, "fake", "  - start: victim\n" STRIKE, 1);
	assert_string_equal(cause(fixture), "infra");
	assert_int_equal(count_records(fixture, "trial"), 2);
}

/* An injector that gives up is an outcome, with its own error, and not the end of the trial. */
static void test_injector_refuses(void **state)
{
	struct fixture *fixture = *state;

	refuse("inject.prepare", -ETIMEDOUT);
	run(fixture, "fake", "  - start: victim\n" STRIKE, 1);
	assert_string_equal(cause(fixture), "done");
	assert_int_equal(count_calls(fixture, "inject.fire"), 0);
	assert_int_equal(json_number(find_record(fixture, "outcome"), "error", 0), -ETIMEDOUT);
}

/* Whoever waits for a guest gives up before the deadline of the trial does: 20 s, here. */
static void test_guest_is_awaited_within_the_deadline(void **state)
{
	struct fixture *fixture = *state;
	const char *at;

	run(fixture, "fake", "  - start: victim\n" STRIKE, 1);
	at = strstr(fixture->calls, "\"call\":\"workload.start\"");
	assert_non_null(at);
	at = strstr(at, "\"timeout_ms\":");
	assert_non_null(at);
	assert_in_range(atoi(at + strlen("\"timeout_ms\":")), 1, 15000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_dies_before_the_fault, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dies_before_each_fault, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dies_while_it_boots, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dies_of_the_fault, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_taken_after_the_fault, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_taken_after_each_fault, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_taken_while_its_firmware_is_asked, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_taken_while_its_firmware_strikes, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_dies_while_its_firmware_strikes, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_taken_in_its_migration, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dies_after_the_fault, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_silent_before_the_fault, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_silent_after_the_fault, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_silent_metal_after_the_fault, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_dies_without_a_fault, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dies_before_its_migration, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dies_in_its_migration, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dies_with_its_workload, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dies_before_another_fault, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dies_with_its_guest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dies_behind_its_guest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_machine_that_boots_is_awaited, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_machine_that_stays_away_is_given_up, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_machine_that_never_was_up_is_not_awaited,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_old_bench_is_left_in_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_firmware_is_reset, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_firmware_makes_the_fault, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_host_that_answers_is_not_lost, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_host_that_answers_before_the_fault, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_libvirt_hangs_after_the_fault, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_injector_refuses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_guest_is_awaited_within_the_deadline, set_up,
						tear_down),
	};

	/* A host that dies leaves calls unread; brinell ignores SIGPIPE for that. */
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
