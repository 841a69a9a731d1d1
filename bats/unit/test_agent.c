// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the agent with a fake injector and a fake witness: what was set is put back however the agent ends,
 * a fault is fired once, and bytes that are no text do not silence it.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "harness/agent/agent.h"
#include "harness/witness/witness.h"
#include "inject/injector.h"
#include "bats/unit/agent_talk.h"
#include "bats/unit/fake_root.h"

/* Shared with the process of the agent. */
static struct {
	volatile int set, fired, restored;
} * seen;

static const struct param no_params[] = {{0}};

static void probe_nothing(json_t *findings)
{
	(void)findings;
}

static int fake_prepare(struct injection *injection, struct reason *why)
{
	(void)injection;
	(void)why;
	seen->set = 1;
	return 0;
}

static int fake_fire(struct injection *injection, struct reason *why)
{
	(void)injection;
	(void)why;
	seen->fired++;
	return 0;
}

static int fake_restore(struct injection *injection, struct reason *why)
{
	(void)injection;
	(void)why;
	seen->restored++;
	return 0;
}

REGISTERED(injector, fake_injector) = {
	.name = "fake",
	.summary = "counts",
	.params = no_params,
	.probe = probe_nothing,
	.prepare = fake_prepare,
	.fire = fake_fire,
	.restore = fake_restore,
};

static int fake_start(struct witness_run *run, struct reason *why)
{
	(void)run;
	(void)why;
	return 0;
}

static void fake_collect(struct witness_run *run)
{
	run->emit(run->context, "fake", 1, "DIMM \xff\xc3 \xc3\xa9", NULL);
}

static void fake_stop(struct witness_run *run)
{
	(void)run;
}

static const struct witness_proof fake_proofs[] = {{"errors", true, "memory", "any"}, {0}};

REGISTERED(witness, fake_witness) = {
	.name = "fake",
	.group = "fake",
	.proofs = fake_proofs,
	.summary = "says what is no UTF-8",
	.probe = probe_nothing,
	.start = fake_start,
	.collect = fake_collect,
	.stop = fake_stop,
};

struct fixture {
	pid_t agent;
	struct channel *channel;
};

static int open_fixture(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_int_equal(make_root(state), 0);
	put_expendable();
	fixture->agent = start_agent(&fixture->channel);
	*state = fixture;
	return 0;
}

static int close_fixture(void **state)
{
	struct fixture *fixture = *state;

	channel_free(fixture->channel);
	if (fixture->agent > 0) {
		kill(fixture->agent, SIGKILL);
		waitpid(fixture->agent, NULL, 0);
	}
	munmap(seen, sizeof(*seen));
	free(fixture);
	return remove_root(state);
}

static void await_exit(struct fixture *fixture)
{
	int status = -1;

	assert_int_equal(waitpid(fixture->agent, &status, 0), fixture->agent);
	fixture->agent = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_PASSED);
}

static void what_was_set_is_restored_when_the_controller_is_gone(void **state)
{
	struct fixture *fixture = *state;

	ask_well(fixture->channel, "inject.prepare", json_pack("{s:s}", "injector", "fake"));
	assert_int_equal(seen->set, 1);
	channel_free(fixture->channel);
	fixture->channel = NULL;
	await_exit(fixture);
	assert_int_equal(seen->restored, 1);
}

/* This signal comes when the controller was killed, or when sshd finds the connection dead. */
static void what_was_set_is_restored_at_a_signal(void **state)
{
	struct fixture *fixture = *state;

	ask_well(fixture->channel, "inject.prepare", json_pack("{s:s}", "injector", "fake"));
	kill(fixture->agent, SIGTERM);
	await_exit(fixture);
	assert_int_equal(seen->restored, 1);
}

static void what_was_prepared_is_fired_once(void **state)
{
	struct fixture *fixture = *state;
	__cleanup_json json_t *again = NULL;

	ask_well(fixture->channel, "inject.prepare", json_pack("{s:s}", "injector", "fake"));
	ask_well(fixture->channel, "inject.fire", NULL);
	again = ask(fixture->channel, "inject.fire", NULL);
	assert_string_equal(json_text(json_object_get(again, "error"), "name", ""), "EALREADY");
	assert_int_equal(seen->fired, 1);
	ask_well(fixture->channel, "inject.restore", NULL);
	ask_well(fixture->channel, "inject.prepare", json_pack("{s:s}", "injector", "fake"));
	ask_well(fixture->channel, "inject.fire", NULL);
	assert_int_equal(seen->fired, 2);
}

/* One file is a witness that proves: what it declares goes with the answer that starts it. */
static void witnesses_declare_their_proofs(void **state)
{
	struct fixture *fixture = *state;
	__cleanup_json json_t *answer = ask(fixture->channel, "witness.start", NULL);
	const json_t *reply = json_object_get(answer, "ok"), *found = NULL;
	json_t *proof;
	size_t index;

	json_array_foreach (json_object_get(reply, "proofs"), index, proof)
		if (strcmp(json_text(proof, "witness", ""), "fake") == 0)
			found = proof;
	assert_non_null(found);
	assert_string_equal(json_text(found, "group", ""), "fake");
	assert_string_equal(json_text(found, "field", ""), "errors");
	assert_string_equal(json_text(found, "kind", ""), "memory");
	assert_true(json_is_true(json_object_get(found, "grows")));
}

static void evidence_that_is_no_text_is_not_lost(void **state)
{
	struct fixture *fixture = *state;
	__cleanup_json json_t *event = NULL;
	__cleanup_json json_t *collect =
		json_pack("{s:i, s:s}", "id", 99, "call", "witness.collect");

	ask_well(fixture->channel, "witness.start", NULL);
	assert_int_equal(channel_send(fixture->channel, collect, 60000), 0);
	event = await(fixture->channel, "witness", "fake");
	assert_string_equal(json_text(event, "text", ""), "DIMM ?? \xc3\xa9");
	ask_well(fixture->channel, "usage", NULL);
}

static void a_program_that_closes_its_output_does_not_hold_the_agent_up(void **state)
{
	struct fixture *fixture = *state;
	__cleanup_json json_t *answer =
		ask(fixture->channel, "run",
		    json_pack("{s:[s, s, s], s:i}", "argv", "sh", "-c",
			      "exec >&- 2>&-; exec sleep 30", "timeout_ms", 200));
	const json_t *ok = json_object_get(answer, "ok");

	assert_true(json_is_true(json_object_get(ok, "timed_out")));
	assert_int_equal(json_number(ok, "signal", 0), SIGKILL);
}

static void a_program_gets_its_status_and_its_text(void **state)
{
	struct fixture *fixture = *state;
	__cleanup_json json_t *answer = ask(fixture->channel, "run",
					    json_pack("{s:[s, s, s]}", "argv", "sh", "-c",
						      "printf 'a\\377\\000b'; exit 3"));
	const json_t *ok = json_object_get(answer, "ok");

	assert_int_equal(json_number(ok, "status", 0), 3);
	assert_false(json_is_true(json_object_get(ok, "timed_out")));
	assert_string_equal(json_text(ok, "stdout", ""), "a??b");
}

/* Even of a machine that may be broken only the rig sets the clock; the step is too small to have an effect. */
static void clock_is_reported_and_can_not_be_set(void **state)
{
	struct fixture *fixture = *state;
	int64_t before = now_realtime_ns();
	__cleanup_json json_t *reply = ask(fixture->channel, "clock", NULL);
	__cleanup_json json_t *set =
		ask(fixture->channel, "clock", json_pack("{s:i}", "step_ns", 1));
	int64_t time_ns = json_number(json_object_get(reply, "ok"), "time_ns", 0);

	assert_true(time_ns >= before && time_ns <= now_realtime_ns());
	assert_string_equal(json_text(json_object_get(set, "error"), "name", ""), "EPERM");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_fixture, close_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_set_is_restored_when_the_controller_is_gone),
		TEST(what_was_set_is_restored_at_a_signal),
		TEST(what_was_prepared_is_fired_once),
		TEST(witnesses_declare_their_proofs),
		TEST(evidence_that_is_no_text_is_not_lost),
		TEST(a_program_that_closes_its_output_does_not_hold_the_agent_up),
		TEST(a_program_gets_its_status_and_its_text),
		TEST(clock_is_reported_and_can_not_be_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
