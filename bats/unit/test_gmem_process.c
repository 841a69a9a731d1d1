// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the process of a storm: it is ready, counts and ends; it is stopped; one whose kernel never comes back is
 * reported as hung and left behind; one that is killed at any moment leaves no process; what the kernel still holds afterwards
 * is reported before the end.
 *
 * wraps: fork
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "inject/gmem/kvm.h"
#include "inject/gmem/process.h"

#include <cmocka.h>

#include "bats/unit/fake_gmem.h"
#include "bats/unit/fake_root.h"

#define PATIENCE_NS (30 * NSEC_PER_SEC)

static struct storm_knobs knobs;
static struct storm_order order;
static struct activity run;
static struct process process;
static struct storm_report last;
static size_t violations, leaks;
static char leak[200];

/* Whether forks of processes beside the first fail, and the process that forks the first one. */
static bool no_forks;
static pid_t first_parent;

pid_t __real_fork(void);
pid_t __wrap_fork(void);

pid_t __wrap_fork(void)
{
	if (!no_forks || getpid() == first_parent)
		return __real_fork();
	errno = EAGAIN;
	return -1;
}

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
	if (report->head.kind == STORM_LEAK && leaks++ == 0)
		snprintf(leak, sizeof(leak), "%s", report->head.text);
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

static int try_to_start(const struct gmem_kernel *kernel, struct reason *why)
{
	order = (struct storm_order){.knobs = &knobs, .kernel = kernel};
	run = (struct activity){.name = "storm", .facts = json_object(), .emit = drop, .fd = -1};
	violations = leaks = 0;
	last = (struct storm_report){0};
	return process_start(&run, &process, &kind, &order, PATIENCE_NS, why);
}

static void start_on(const struct gmem_kernel *kernel)
{
	struct reason why = {0};

	if (try_to_start(kernel, &why))
		fail_msg("%s", why.text);
}

static void start(void)
{
	start_on(&fake_kernel);
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
	assert_int_equal(make_root(state), 0);
	put("/sys/kernel/debug/kvm/mmu", "");
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
	return remove_root(state);
}

/* What the kernel holds: pins, pages that are unevictable, of shared memory, of page tables, vCPUs. */
static void put_counts(int pins, int unevictable, int shmem, int tables, int vcpus)
{
	__cleanup_free char *text =
		format_text("nr_unevictable %d\nnr_shmem %d\nnr_foll_pin_acquired "
			    "%d\nnr_foll_pin_released 100\n"
			    "nr_sec_page_table_pages %d\n",
			    unevictable, shmem, 100 + pins, tables);
	__cleanup_free char *objects = format_text("%d N0=%d\n", vcpus, vcpus);

	put("/proc/vmstat", text);
	put("/sys/kernel/slab/kvm_vcpu/objects", objects);
}

static void leave_nothing(struct gmem_vm *vm)
{
	put_counts(0, 160, 1500, 10, 5);
	fake_close(vm);
}

static void leave_pins(struct gmem_vm *vm)
{
	put_counts(3, 161, 1513, 11, 6);
	fake_close(vm);
}

static void what_is_left_is_reported_before_the_end(void **state)
{
	static struct gmem_kernel kernel;

	knobs.operations = 10;
	kernel = fake_kernel;
	kernel.close = leave_pins;
	put_counts(0, 97, 1000, 10, 5);
	start_on(&kernel);
	await_kind(STORM_END);
	assert_int_equal(leaks, 1);
	assert_string_equal(leak, "leaked: 3 pins of pages, 513 pages of shared memory, "
				  "1 page tables of VMs, 1 objects of kvm_vcpu");
	process_stop(&run, &process);
	/* Another VM has page tables and vCPUs, too. */
	json_decref(run.facts);
	put("/sys/kernel/debug/kvm/1-10/mmu", "");
	put_counts(0, 97, 1001, 10, 5);
	start_on(&kernel);
	await_kind(STORM_END);
	assert_string_equal(leak, "leaked: 3 pins of pages");
}

static void what_others_may_take_is_no_leak(void **state)
{
	static struct gmem_kernel kernel;

	knobs.operations = 10;
	kernel = fake_kernel;
	kernel.close = leave_nothing;
	put_counts(0, 97, 1000, 10, 5);
	start_on(&kernel);
	await_kind(STORM_END);
	assert_int_equal(leaks, 0);
}

/* As a VM of KVM would show itself. */
static int open_and_stay(struct gmem_vm *vm, struct reason *why)
{
	__cleanup_free char *place = format_text("/sys/kernel/debug/kvm/%d-5/mmu", getpid());

	put(place, "");
	return fake_open(vm, why);
}

static void a_planted_leak_is_reported(void **state)
{
	static struct gmem_kernel kernel;

	knobs.operations = 10;
	knobs.plant = PLANT_LEAK;
	kernel = fake_kernel;
	kernel.open = open_and_stay;
	start_on(&kernel);
	await_kind(STORM_END);
	assert_string_equal(leak, "leaked: 2 VMs");
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

static void a_storm_whose_process_can_not_start_is_refused(void **state)
{
	struct reason why = {0};

	(void)state;
	no_forks = true;
	first_parent = getpid();
	assert_int_equal(try_to_start(&fake_kernel, &why), -EAGAIN);
	no_forks = false;
	assert_non_null(strstr(why.text, "the process of the storm can not start: Resource"));
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

	(void)state;
	stuck = fake_kernel;
	stuck.convert = hang;
	knobs.stall_ns = NSEC_PER_SEC;
	knobs.check = false;
	start_on(&stuck);
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

/* Of the storm of an agent that is killed. */
static struct group {
	bool entered, left;
} * group;

static int enter_group(struct reason *why)
{
	(void)why;
	group->entered = true;
	return 0;
}

static void leave_group(void)
{
	group->left = true;
}

_Noreturn static void be_an_agent(void)
{
	struct reason why = {0};

	order = (struct storm_order){&knobs, &fake_kernel, enter_group, leave_group};
	run = (struct activity){.name = "storm", .facts = json_object(), .emit = drop, .fd = -1};
	if (process_start(&run, &process, &kind, &order, PATIENCE_NS, &why))
		_exit(1);
	for (;;)
		pause();
}

static void an_agent_that_is_killed_leaves_nothing(void **state)
{
	unsigned int entered = 0;

	(void)state;
	group = mmap(NULL, sizeof(*group), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	assert_ptr_not_equal(group, MAP_FAILED);
	for (int i = 0; i < 50; i++) {
		pid_t agent;

		*group = (struct group){0};
		agent = fork();
		if (agent == 0)
			be_an_agent();
		usleep((useconds_t)(gmem_mix((uint64_t)i) % 40000));
		assert_int_equal(kill(agent, SIGKILL), 0);
		assert_nothing_left();
		/* It may be killed before it entered. */
		assert_true(group->left || !group->entered);
		entered += group->entered;
	}
	assert_true(entered > 0);
	munmap(group, sizeof(*group));
}

/* An agent that is killed at that moment would leave it. */
static void a_memory_cgroup_is_probed_and_not_made(void **state)
{
	struct reason why = {0};

	(void)state;
	assert_int_equal(gmem_group_probe(&why), -EOPNOTSUPP);
	put("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids dmem\n");
	assert_int_equal(gmem_group_probe(&why), -EOPNOTSUPP);
	assert_non_null(strstr(why.text, "no memory controller"));
	put("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
	assert_int_equal(gmem_group_probe(&why), 0);
	assert_int_equal(access("/sys/fs/cgroup/brinell-gmem", F_OK), -1);
	assert_int_equal(access(place("/sys/fs/cgroup/brinell-gmem"), F_OK), -1);
}

static void what_faults_need_is_probed(void **state)
{
	__cleanup_json json_t *findings = json_array();
	const json_t *limit = NULL;
	struct reason why = {0};
	json_t *each;
	size_t index;

	(void)state;
	assert_int_equal(gmem_host_poison_probe(&why), -EPERM);
	put("/sys/kernel/debug/hwpoison/corrupt-pfn", "");
	assert_int_equal(gmem_host_poison_probe(&why), 0);
	gmem_probe_findings(findings);
	json_array_foreach (findings, index, each)
		if (strcmp(json_text(each, "name", ""), "gmem:memory-limit") == 0)
			limit = each;
	assert_false(json_is_true(json_object_get(limit, "ok")));
	assert_non_null(strstr(json_text(limit, "reason", ""), "no memory controller"));
}

/* Here only where the kernel has no such file: an armed failure would strike this test. */
static void a_failure_that_can_not_be_armed_is_refused(void **state)
{
	struct reason why = {0};

	(void)state;
	if (access("/proc/thread-self/fail-nth", F_OK) == 0)
		skip();
	assert_int_equal(gmem_failure_arm(GMEM_FAIL_SLAB, 1, &why), -ENOENT);
	assert_non_null(strstr(why.text, "fault failslab: arming it"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_storm_counts_and_ends),
		TEST(a_storm_is_stopped),
		TEST(a_storm_whose_process_can_not_start_is_refused),
		TEST(a_violation_is_reported),
		TEST(a_kernel_that_never_comes_back_is_reported),
		TEST(what_is_left_is_reported_before_the_end),
		TEST(what_others_may_take_is_no_leak),
		TEST(a_planted_leak_is_reported),
		TEST(a_storm_that_is_killed_leaves_nothing),
		TEST(an_agent_that_is_killed_leaves_nothing),
		TEST(a_memory_cgroup_is_probed_and_not_made),
		TEST(what_faults_need_is_probed),
		TEST(a_failure_that_can_not_be_armed_is_refused),
	};

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
