// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the process of a storm: it is ready, counts and ends; it is stopped; one whose kernel never comes back is
 * reported as hung and left behind; one that is killed at any moment leaves no process.
 */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "inject/gmem/process.h"

#include <cmocka.h>

#include "bats/unit/fake_gmem.h"

#define PATIENCE_NS (30 * NSEC_PER_SEC)

static struct storm_knobs knobs;
static struct storm_order order;
static struct activity run;
static struct process process;
static struct storm_report last;
static size_t violations;

static void drop(void *context, json_t *event)
{
	(void)context;
	json_decref(event);
}

static void note_ready(struct activity *activity, const void *report)
{
	(void)activity;
	(void)report;
}

static void note_report(struct activity *activity, const void *packet)
{
	const struct storm_report *report = packet;

	(void)activity;
	violations += report->head.kind == STORM_VIOLATION;
	last = *report;
}

static const struct process_kind kind = {
	.name = "storm",
	.report_size = sizeof(struct storm_report),
	.quit_ms = 5000,
	.body = storm_body,
	.ready = note_ready,
	.report = note_report,
};

static void start(void)
{
	struct reason why = {0};

	order = (struct storm_order){&knobs, &fake_kernel, NULL};
	run = (struct activity){.name = "storm", .facts = json_object(), .emit = drop, .fd = -1};
	violations = 0;
	last = (struct storm_report){0};
	if (process_start(&run, &process, &kind, &order, PATIENCE_NS, &why))
		fail_msg("%s", why.text);
}

static void await_kind(enum storm_report_kind wanted)
{
	int64_t until = now_monotonic_ns() + PATIENCE_NS;

	while (process_await(&process, until) == 1) {
		note_report(&run, process.packet);
		if (last.head.kind == (int32_t)wanted)
			return;
	}
	fail_msg("no report of kind %d", (int)wanted);
}

/* All descendants come to this process when their parents end (PR_SET_CHILD_SUBREAPER). */
static void assert_nothing_left(void)
{
	int64_t until = now_monotonic_ns() + PATIENCE_NS;
	pid_t pid;

	while ((pid = waitpid(-1, NULL, 0)) > 0)
		assert_true(now_monotonic_ns() < until);
	assert_int_equal(errno, ECHILD);
}

static int set_up(void **state)
{
	(void)state;
	fake = (struct fake_kernel){0};
	knobs = (struct storm_knobs){
		.shape = {.workload = GMEM_FLIP, .protected = true, .pages = 64, .vcpus = 1},
		.vms = 1,
		.converters = 1,
		.most = 8,
		.align = 1,
		.check = true,
		.discard = DISCARD_SHARED | DISCARD_PRIVATE,
		.refuser = -1,
		.stall_ns = PATIENCE_NS,
		.seed = 7,
		.users = {"mapping", "process", "vcpu"},
		.user_count = 3,
	};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	process_stop(&run, &process);
	json_decref(run.facts);
	return 0;
}

static void a_storm_counts_and_ends(void **state)
{
	(void)state;
	knobs.operations = 500;
	start();
	await_kind(STORM_END);
	assert_int_equal(last.head.error, 0);
	assert_int_equal(last.counts.converted, 500);
	assert_true(last.counts.rss_kib > 0);
	process_stop(&run, &process);
	assert_nothing_left();
}

static void a_storm_is_stopped(void **state)
{
	struct reason why;

	(void)state;
	start();
	await_kind(STORM_COUNTS);
	assert_int_equal(process_request(&run, &process, PROCESS_QUIT, &why), 0);
	await_kind(STORM_END);
	assert_int_equal(last.head.error, 0);
	assert_true(last.counts.converted > 0);
	process_stop(&run, &process);
	assert_nothing_left();
}

static void a_violation_is_reported(void **state)
{
	(void)state;
	knobs.operations = 100;
	knobs.plant = PLANT_MODEL;
	start();
	await_kind(STORM_END);
	assert_true(violations > 0 && violations <= STORM_SHOWN);
	assert_true(last.counts.corrupted >= violations);
}

_Noreturn static int hang(struct gmem_vm *vm, const struct gmem_range *range, bool to_private,
			  uint64_t *stopped)
{
	(void)vm;
	(void)range;
	(void)to_private;
	(void)stopped;
	for (;;)
		pause();
}

static void a_kernel_that_never_comes_back_is_reported(void **state)
{
	static struct gmem_kernel stuck;
	struct reason why = {0};

	(void)state;
	stuck = fake_kernel;
	stuck.convert = hang;
	knobs.stall_ns = NSEC_PER_SEC;
	knobs.check = false;
	order = (struct storm_order){&knobs, &stuck, NULL};
	run = (struct activity){.name = "storm", .facts = json_object(), .emit = drop, .fd = -1};
	assert_int_equal(process_start(&run, &process, &kind, &order, PATIENCE_NS, &why), 0);
	await_kind(STORM_HUNG);
	assert_non_null(strstr(last.stacks, "thread "));
	process_stop(&run, &process);
	assert_nothing_left();
}

static void a_storm_that_is_killed_leaves_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		start();
		usleep((useconds_t)(gmem_mix((uint64_t)i) % 20000));
		assert_int_equal(kill(run.pid, SIGKILL), 0);
		process_stop(&run, &process);
		assert_nothing_left();
		json_decref(run.facts);
		run.facts = NULL;
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_storm_counts_and_ends),
		TEST(a_storm_is_stopped),
		TEST(a_violation_is_reported),
		TEST(a_kernel_that_never_comes_back_is_reported),
		TEST(a_storm_that_is_killed_leaves_nothing),
	};

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
