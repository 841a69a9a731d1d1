// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: an injector whose fault runs in a process of its own: the agent answers meanwhile, the fault streams progress,
 * ends or is stopped, and the state that it has set is restored after SIGKILL of the process or of the agent.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>

#include "harness/host/process.h"
#include "harness/host/sticky.h"
#include "inject/injector.h"
#include "bats/unit/agent_talk.h"
#include "bats/unit/fake_root.h"

#define KNOB "/sys/kernel/knob"
#define TICK_MS "10"
#define CALLS 20
#define GONE_TIMEOUT_NS (10 * NSEC_PER_SEC)

enum storm_report_kind {
	STORM_TICK = PROCESS_OWN,
	STORM_DONE,
};

struct storm {
	struct process process;
};

static const struct param storm_params[] = {
	{"ticks", PARAM_NUMBER, "number of ticks of the fault", "1000000", NULL, false},
	{"tick", PARAM_NUMBER, "milliseconds of each; 0: as fast as possible", TICK_MS, NULL,
	 false},
	{0},
};

static void probe_nothing(json_t *findings)
{
	(void)findings;
}

_Noreturn static void storm_body(int socket, const void *options)
{
	const struct injection *injection = options;
	uint64_t ticks = param_number(injection->arguments, "ticks");
	int tick_ms = (int)param_number(injection->arguments, "tick");
	struct process_report report = {.kind = PROCESS_READY};

	process_begin();
	process_say(socket, &report, sizeof(report), 0);
	for (uint64_t i = 0; i < ticks; i++) {
		struct pollfd request = {.fd = socket, .events = POLLIN};

		if (poll(&request, 1, tick_ms))
			_exit(0);
		report.kind = STORM_TICK;
		report.address = i + 1;
		process_say(socket, &report, sizeof(report), MSG_DONTWAIT);
	}
	report.kind = STORM_DONE;
	process_say(socket, &report, sizeof(report), 0);
	for (;;)
		pause();
}

static void storm_ready(struct activity *run, const void *report)
{
	(void)run;
	(void)report;
}

static void storm_report(struct activity *run, const void *packet)
{
	const struct process_report *report = packet;
	struct injection *injection = run->private;
	double ticks = (double)param_number(injection->arguments, "ticks");

	if (report->kind == STORM_TICK)
		injection_progress(injection, (double)report->address / ticks, "storm");
	else
		injection_end(injection, 0, "");
}

static const struct process_kind storm_kind = {
	.name = "storm",
	.report_size = sizeof(struct process_report),
	.body = storm_body,
	.ready = storm_ready,
	.report = storm_report,
};

static int storm_prepare(struct injection *injection, struct reason *why)
{
	struct storm *storm;
	int error = change_lock(&injection->change, why);

	if (error)
		return error;
	storm = injection->private = calloc(1, sizeof(*storm));
	assert_non_null(storm);
	return injection_set(injection, KNOB, STICKY_TEXT, "set", why);
}

static int storm_fire(struct injection *injection, struct reason *why)
{
	struct storm *storm = injection->private;

	if (injection->change.dry_run)
		return 0;
	json_object_set_new(injection->result, "seed", json_integer((json_int_t)injection->seed));
	return process_start(&injection->run, &storm->process, &storm_kind, injection,
			     10 * NSEC_PER_SEC, why);
}

static void storm_dispatch(struct injection *injection)
{
	struct storm *storm = injection->private;

	process_dispatch(&injection->run, &storm->process);
	if (!injection->run.pid)
		injection_end(injection, -ECHILD, "its process ended");
}

static void storm_stop(struct injection *injection)
{
	struct storm *storm = injection->private;

	process_stop(&injection->run, &storm->process);
}

static int storm_restore(struct injection *injection, struct reason *why)
{
	struct storm *storm = injection->private;

	process_stop(&injection->run, &storm->process);
	return injection_finish(injection, why);
}

REGISTERED(injector, storm_injector) = {
	.name = "storm",
	.summary = "runs long",
	.params = storm_params,
	.probe = probe_nothing,
	.prepare = storm_prepare,
	.fire = storm_fire,
	.dispatch = storm_dispatch,
	.stop = storm_stop,
	.restore = storm_restore,
};

static pid_t agent;
static struct channel *channel;

static void kill_agent(void)
{
	kill(agent, SIGKILL);
	waitpid(agent, NULL, 0);
	channel_free(channel);
	channel = NULL;
}

static int open_fixture(void **state)
{
	assert_int_equal(make_root(state), 0);
	put_expendable();
	put(KNOB, "before");
	agent = start_agent(&channel);
	return 0;
}

static int close_fixture(void **state)
{
	kill_agent();
	return remove_root(state);
}

/* Return: the pid of the process of the fault. */
static pid_t fire(json_t *arguments)
{
	__cleanup_json json_t *request = json_pack("{s:i, s:s}", "id", 9000, "call", "inject.fire");
	__cleanup_json json_t *ready = NULL;
	__cleanup_json json_t *answer = NULL;
	const json_t *fired;

	ask_well(channel, "inject.prepare",
		 json_pack("{s:s, s:o, s:I}", "injector", "storm", "arguments", arguments, "seed",
			   (json_int_t)77));
	assert_content(KNOB, "set");
	assert_int_equal(channel_send(channel, request, TALK_PATIENCE_MS), 0);
	ready = await(channel, "witness", "injector");
	answer = await(channel, "id", NULL);
	fired = json_object_get(answer, "ok");
	assert_true(json_is_true(json_object_get(fired, "running")));
	assert_int_equal(json_number(json_object_get(fired, "result"), "seed", 0), 77);
	return (pid_t)json_number(json_object_get(ready, "data"), "pid", 0);
}

/* The next event of the injector that has this name; owned by the caller. */
static json_t *await_event(const char *name)
{
	for (;;) {
		json_t *event = await(channel, "witness", "injector");

		if (strcmp(json_text(json_object_get(event, "data"), "event", ""), name) == 0)
			return event;
		json_decref(event);
	}
}

static void assert_gone(pid_t pid)
{
	int64_t until = now_monotonic_ns() + GONE_TIMEOUT_NS;

	assert_true(pid > 0);
	while (kill(pid, 0) == 0 && now_monotonic_ns() < until)
		(void)poll(NULL, 0, 10);
	assert_int_equal(kill(pid, 0), -1);
}

static int compare(const void *a, const void *b)
{
	int64_t first = *(const int64_t *)a, second = *(const int64_t *)b;

	return (first > second) - (first < second);
}

/* The fault has no end of its own here: an agent that waited for it would never answer. The time is for people to read. */
static void ask_while_it_runs(void)
{
	int64_t times[CALLS];

	for (size_t i = 0; i < CALLS; i++) {
		int64_t before = now_monotonic_ns();

		ask_well(channel, "usage", NULL);
		times[i] = now_monotonic_ns() - before;
	}
	qsort(times, CALLS, sizeof(*times), compare);
	print_message("a call takes %.3f ms (median of %d) while a fault runs\n",
		      (double)times[CALLS / 2] / NSEC_PER_MSEC, CALLS);
}

static void the_agent_answers_while_a_fault_runs(void **state)
{
	__cleanup_json json_t *request =
		json_pack("{s:i, s:s}", "id", 9002, "call", "inject.restore");
	__cleanup_json json_t *end = NULL;
	__cleanup_json json_t *answer = NULL;

	(void)state;
	fire(json_object());
	ask_while_it_runs();
	/* The end of the fault is an event here too. */
	assert_int_equal(channel_send(channel, request, TALK_PATIENCE_MS), 0);
	end = await_event("end");
	answer = await(channel, "id", NULL);
	assert_content(KNOB, "before");
}

/* The process writes reports faster than the agent can send them. */
static void the_agent_answers_while_a_fault_floods(void **state)
{
	(void)state;
	fire(json_pack("{s:i, s:i}", "tick", 0, "ticks", 1000000000));
	ask_while_it_runs();
}

static void a_fault_streams_progress_until_its_end(void **state)
{
	__cleanup_json json_t *progress = NULL;
	__cleanup_json json_t *end = NULL;
	const json_t *data;

	(void)state;
	fire(json_pack("{s:i}", "ticks", 4));
	progress = await_event("progress");
	data = json_object_get(progress, "data");
	assert_string_equal(json_text(data, "injector", ""), "storm");
	assert_true(json_real_value(json_object_get(data, "fraction")) == 0.25);
	end = await_event("end");
	data = json_object_get(end, "data");
	assert_int_equal(json_number(data, "error", -1), 0);
	assert_true(json_number(data, "duration_ns", 0) >= 40 * NSEC_PER_MSEC);
	/* The state stays set until it is restored. */
	assert_content(KNOB, "set");
	ask_well(channel, "inject.restore", NULL);
	assert_content(KNOB, "before");
}

static void a_fault_is_stopped_before_its_end(void **state)
{
	pid_t pid = fire(json_object());
	__cleanup_json json_t *request = json_pack("{s:i, s:s}", "id", 9001, "call", "inject.stop");
	__cleanup_json json_t *again = NULL;
	__cleanup_json json_t *end = NULL;
	__cleanup_json json_t *answer = NULL;

	(void)state;
	assert_int_equal(channel_send(channel, request, TALK_PATIENCE_MS), 0);
	end = await_event("end");
	answer = await(channel, "id", NULL);
	assert_true(json_is_true(json_object_get(json_object_get(answer, "ok"), "stopped")));
	assert_true(json_is_true(json_object_get(
		json_object_get(json_object_get(end, "data"), "result"), "stopped")));
	assert_gone(pid);
	again = ask(channel, "inject.stop", NULL);
	assert_true(json_is_false(json_object_get(json_object_get(again, "ok"), "stopped")));
	ask_well(channel, "inject.restore", NULL);
	assert_content(KNOB, "before");
}

static void the_end_of_its_process_ends_a_fault(void **state)
{
	pid_t pid = fire(json_object());
	__cleanup_json json_t *end = NULL;

	(void)state;
	assert_int_equal(kill(pid, SIGKILL), 0);
	end = await_event("end");
	assert_int_equal(json_number(json_object_get(end, "data"), "error", 0), -ECHILD);
	ask_well(channel, "inject.restore", NULL);
	assert_content(KNOB, "before");
}

static void the_end_of_the_controller_stops_a_fault(void **state)
{
	pid_t pid = fire(json_object());
	int status = -1;

	(void)state;
	channel_free(channel);
	assert_int_equal(waitpid(agent, &status, 0), agent);
	assert_true(WIFEXITED(status));
	assert_gone(pid);
	assert_content(KNOB, "before");
	agent = start_agent(&channel);
}

static void the_next_agent_restores_after_one_that_was_killed(void **state)
{
	pid_t pid = fire(json_object());

	(void)state;
	kill_agent();
	assert_gone(pid);
	assert_content(KNOB, "set");
	agent = start_agent(&channel);
	ask_well(channel, "hello", NULL);
	assert_content(KNOB, "before");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_fixture, close_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_agent_answers_while_a_fault_runs),
		TEST(the_agent_answers_while_a_fault_floods),
		TEST(a_fault_streams_progress_until_its_end),
		TEST(a_fault_is_stopped_before_its_end),
		TEST(the_end_of_its_process_ends_a_fault),
		TEST(the_end_of_the_controller_stops_a_fault),
		TEST(the_next_agent_restores_after_one_that_was_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
