// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the workload perf-stat counts what this test does, on all processors and in a process with its children, each of
 * which is counted once, whenever it is born.
 *
 * wraps: syscall
 */
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "bats/unit/workload_test.h"
#include "harness/host/counters.h"
#include "harness/host/event.h"
#include "harness/lib/spawn.h"
#include "bats/unit/fake_root.h"

static struct activity other = {.name = (char *)"load"};

static const struct activity *find_other(void *context, const char *name)
{
	(void)context;
	return strcmp(name, other.name) == 0 ? &other : NULL;
}

static int start_perf(struct activity *run, json_t *given)
{
	const struct workload *workload = workload_find("perf-stat");
	int error;

	why.text[0] = '\0';
	*run = (struct activity){.workload = workload,
				 .name = strdup("counts"),
				 .facts = json_object(),
				 .fd = -1,
				 .find = find_other,
				 .emit = keep_event};
	events = json_array();
	error = param_check(workload->params, given, &run->arguments, &why);
	json_decref(given);
	return error ? error : workload->start(run, &why);
}

static void skip_without_counters(void)
{
	struct counter counter;
	int error = counter_open(&counter, "page-faults", (struct counted){.pid = getpid()}, &why);

	counter_close(&counter);
	if (error) {
		print_message("skipped: %s\n", why.text);
		skip();
	}
}

/* Each page that is touched for the first time is a fault. */
static void fault(size_t pages)
{
	size_t size = pages * 4096;
	volatile char *memory =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(memory != MAP_FAILED);
	(void)madvise((void *)memory, size, MADV_NOHUGEPAGE);
	for (size_t at = 0; at < size; at += 4096)
		memory[at] = 1;
	munmap((void *)memory, size);
}

static double figure(const json_t *event, const char *name)
{
	const json_t *metric = json_object_get(json_object_get(event, "metrics"), name);

	assert_non_null(metric);
	return json_number_value(json_object_get(metric, "value"));
}

static double total(struct activity *run, const char *name)
{
	json_array_clear(events);
	assert_int_equal(run->workload->touch(run, &why), 0);
	assert_null(find_event("checked"));
	return figure(await(run, "checked"), name);
}

/* Generations of processes; the last faults on request, and reports it. */
static pid_t start_children(int *go, int *done)
{
	int begin[2], end[2];
	pid_t pid;

	assert_int_equal(pipe2(begin, O_CLOEXEC), 0);
	assert_int_equal(pipe2(end, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		char byte;

		close(begin[1]);
		if (fork() == 0) {
			(void)!write(end[1], "r", 1);
			while (read(begin[0], &byte, 1) == 1) {
				/* Born after the counting began. */
				if (fork() == 0) {
					fault(1000);
					_exit(0);
				}
				(void)wait(NULL);
				(void)!write(end[1], "d", 1);
			}
			_exit(0);
		}
		while (wait(NULL) < 0 && errno == EINTR)
			;
		_exit(0);
	}
	close(begin[0]);
	*go = begin[1];
	*done = end[0];
	return pid;
}

static void a_process_is_counted_with_its_children(void **state)
{
	struct activity run;
	int go, done;
	double before;
	char byte;

	(void)state;
	skip_without_counters();
	other.pid = start_children(&go, &done);
	assert_int_equal(read(done, &byte, 1), 1);
	if (start_perf(&run, json_pack("{s:s, s:[s, s]}", "of", "load", "events", "page-faults",
				       "task-clock")))
		fail_msg("%s", why.text);
	assert_int_equal(json_number(run.facts, "places", 0), 2);
	assert_int_equal(json_number(run.facts, "counted", 0), other.pid);
	before = total(&run, "perf_page_faults");
	assert_true(before < 1000);
	assert_int_equal(write(go, "g", 1), 1);
	assert_int_equal(read(done, &byte, 1), 1);
	/* The count of this process itself is another one. */
	fault(5000);
	assert_true(total(&run, "perf_page_faults") >= before + 1000);
	assert_true(total(&run, "perf_page_faults") < before + 3000);
	assert_true(total(&run, "perf_task_clock") > 0);
	close(go);
	close(done);
	assert_int_equal(waitpid(other.pid, NULL, 0), other.pid);
	/* What was counted stays. */
	assert_true(total(&run, "perf_page_faults") >= before + 1000);
	finish(&run);
}

/* What happens just after the next counter was opened on the process. */
static int breed_go = -1, breed_done = -1;

/* What the next counters give: value, time enabled, time running; none when not set. */
static const uint64_t *fake_readings;

static int fake_counter(void)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(write(ends[1], fake_readings, 24), 24);
	fake_readings += 3;
	close(ends[1]);
	return ends[0];
}

/* What the kernel refuses the next counters with, after so many that it gives; and a filter. */
static int refusal, filter_refusal, given_before;

long __real_syscall(long number, ...);
long __wrap_syscall(long number, long a, long b, long c, long d, long e);

/* Things happen between two system calls as they do on a busy machine. */
long __wrap_syscall(long number, long a, long b, long c, long d, long e)
{
	bool counter = number == SYS_perf_event_open;
	long result;
	char byte;

	if (counter && refusal && given_before-- <= 0) {
		errno = refusal;
		return -1;
	}
	if (counter && fake_readings)
		return fake_counter();
	result = __real_syscall(number, a, b, c, d, e);
	if (counter && breed_go >= 0 && (pid_t)b == other.pid) {
		(void)!write(breed_go, "b", 1);
		(void)!read(breed_done, &byte, 1);
		breed_go = -1;
	}
	return result;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list list;
	const char *filter;

	va_start(list, request);
	filter = va_arg(list, const char *);
	va_end(list);
	assert_true(fd >= 0 && request == PERF_EVENT_IOC_SET_FILTER && *filter);
	errno = filter_refusal;
	return filter_refusal ? -1 : 0;
}

/* The first byte makes it breed; the child faults at the second one. */
static pid_t start_breeder(int *go, int *done)
{
	int begin[2], end[2];
	pid_t pid;

	assert_int_equal(pipe2(begin, O_CLOEXEC), 0);
	assert_int_equal(pipe2(end, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		char byte;

		close(begin[1]);
		(void)!read(begin[0], &byte, 1);
		if (fork() == 0) {
			(void)!write(end[1], "b", 1);
			(void)!read(begin[0], &byte, 1);
			fault(1000);
			(void)!write(end[1], "d", 1);
			(void)!read(begin[0], &byte, 1);
			_exit(0);
		}
		(void)wait(NULL);
		_exit(0);
	}
	close(begin[0]);
	*go = begin[1];
	*done = end[0];
	return pid;
}

static void a_child_born_meanwhile_is_counted_once(void **state)
{
	struct activity run;
	double before, after;
	int go, done;
	char byte;

	(void)state;
	skip_without_counters();
	other.pid = start_breeder(&go, &done);
	breed_go = go;
	breed_done = done;
	if (start_perf(&run, json_pack("{s:s, s:[s]}", "of", "load", "events", "page-faults")))
		fail_msg("%s", why.text);
	assert_int_equal(breed_go, -1);
	assert_int_equal(json_number(run.facts, "places", 0), 2);
	before = total(&run, "perf_page_faults");
	assert_int_equal(write(go, "g", 1), 1);
	assert_int_equal(read(done, &byte, 1), 1);
	after = total(&run, "perf_page_faults");
	assert_true(after >= before + 1000);
	assert_true(after < before + 1900);
	close(go);
	close(done);
	assert_int_equal(waitpid(other.pid, NULL, 0), other.pid);
	finish(&run);
}

static void all_processors_are_counted_in_intervals(void **state)
{
	struct activity run;
	const json_t *event;

	(void)state;
	skip_without_counters();
	if (start_perf(&run,
		       json_pack("{s:s, s:[s]}", "interval", "20ms", "events", "page-faults")))
		fail_msg("%s", why.text);
	assert_int_equal(json_number(run.facts, "places", 0), sysconf(_SC_NPROCESSORS_ONLN));
	fault(3000);
	event = await(&run, "metrics");
	assert_true(figure(event, "perf_page_faults") >= 3000);
	assert_true(json_number(event, "since_ns", 0) > 0);
	assert_true(total(&run, "perf_page_faults") >= 3000);
	finish(&run);
}

static void missing_sources_are_reported(void **state)
{
	struct activity run;
	struct counter counter;
	bool hardware;
	const json_t *name, *metric;
	size_t index, missing = 0;

	(void)state;
	skip_without_counters();
	hardware = counter_open(&counter, "cycles", (struct counted){0}, &why) == 0;
	counter_close(&counter);
	assert_int_equal(start_perf(&run, json_object()), 0);
	json_array_foreach (json_object_get(run.facts, "unsupported"), index, name)
		missing += strcmp(json_string_value(name), "cycles") == 0;
	assert_int_equal(missing, hardware ? 0 : 1);
	assert_true(total(&run, "perf_cpu_clock") > 0);
	/* Its metric has that, too. */
	metric = json_object_get(json_object_get(find_event("checked"), "metrics"), "perf_cycles");
	assert_int_equal(json_number(metric, "counted", 1), hardware ? 1 : 0);
	finish(&run);
	if (hardware)
		return;
	/* An event that is named explicitly fails if it does not exist. */
	assert_int_equal(start_perf(&run, json_pack("{s:[s]}", "events", "cycles")), -ENOTSUP);
	assert_non_null(strstr(why.text, "no such counter"));
	finish(&run);
}

/* A processor with fewer counters than events lets them take turns. */
static void estimates_are_flagged(void **state)
{
	static const uint64_t readings[] = {100, 1000, 400, 7, 1000, 0, 50, 1000, 1000};
	struct activity run;
	const json_t *metrics;

	(void)state;
	fake_readings = readings;
	other.pid = getpid();
	assert_int_equal(start_perf(&run, json_pack("{s:s, s:[s, s, s]}", "of", "load", "events",
						    "cycles", "instructions", "branches")),
			 0);
	fake_readings = NULL;
	assert_int_equal(run.workload->touch(&run, &why), 0);
	metrics = json_object_get(await(&run, "checked"), "metrics");
	assert_float_equal(figure(find_event("checked"), "perf_cycles"), 250, 0.001);
	assert_float_equal(json_number_value(json_object_get(
				   json_object_get(metrics, "perf_cycles"), "counted")),
			   0.4, 0.001);
	assert_null(json_object_get(json_object_get(metrics, "perf_instructions"), "value"));
	assert_int_equal(json_number(json_object_get(metrics, "perf_instructions"), "counted", -1),
			 0);
	assert_null(json_object_get(json_object_get(metrics, "perf_branches"), "counted"));
	finish(&run);
}

/* KVM's sums are those of the VMs that live: a smaller one belongs to others. */
#define KVM_EXITS "/sys/kernel/debug/kvm/exits"
static void exits_are_those_that_kvm_counts(void **state)
{
	struct activity run;

	(void)state;
	put(KVM_EXITS, "1000\n");
	assert_int_equal(start_perf(&run, json_pack("{s:[s]}", "events", "kvm/exits")), 0);
	put(KVM_EXITS, "1250\n");
	assert_float_equal(total(&run, "perf_kvm_exits"), 250, 0.001);
	put(KVM_EXITS, "10\n");
	json_array_clear(events);
	assert_int_equal(run.workload->touch(&run, &why), 0);
	assert_int_equal(json_object_size(json_object_get(await(&run, "checked"), "metrics")), 0);
	finish(&run);
	assert_int_equal(start_perf(&run, json_pack("{s:[s]}", "events", "kvm/entrances")),
			 -ENOTSUP);
	assert_non_null(strstr(why.text, "kvm/entrances"));
	finish(&run);
	other.pid = getpid();
	assert_int_equal(start_perf(&run,
				    json_pack("{s:[s], s:s}", "events", "kvm/exits", "of", "load")),
			 -EINVAL);
	finish(&run);
}

#define PMU "/sys/bus/event_source/devices/"
static void make_pmus(void)
{
	put(PMU "cpu/type", "4\n");
	put(PMU "cpu/format/event", "config:0-7,32-35\n");
	put(PMU "cpu/format/umask", "config:8-15\n");
	put(PMU "cpu/format/ldlat", "config1:0-15\n");
	put(PMU "cpu/format/torn", "config:7-2\n");
	put(PMU "cpu/events/stalls", "event=0x1a3,umask=0x4\n");
	put(PMU "cpu/events/endless", "endless\n");
	put(PMU "power/type", "21\n");
	put(PMU "power/cpumask", "0,28-29\n");
	put(PMU "power/format/event", "config:0-7\n");
	put(PMU "power/events/energy-pkg", "event=0x02\n");
	put(PMU "power/events/energy-pkg.scale", "2.5e-1\n");
	put(PMU "power/events/energy-pkg.unit", "Joules\n");
	put("/sys/kernel/tracing/events/kvm/kvm_exit/id", "1234\n");
}

static struct event described(const char *name)
{
	struct event event;

	if (event_describe(name, &event, &why))
		fail_msg("%s: %s", name, why.text);
	return event;
}

static void names_are_those_of_the_machine(void **state)
{
	struct event event;

	(void)state;
	make_pmus();
	event = described("cpu/event=0x1a3,umask=0x4,ldlat=3/");
	assert_int_equal(event.attributes.type, 4);
	assert_int_equal(event.attributes.config, 0x1000004a3);
	assert_int_equal(event.attributes.config1, 3);
	assert_true(event_is_on(&event, 7));
	assert_int_equal(described("cpu/stalls/").attributes.config, 0x1000004a3);
	/* What comes later counts. */
	assert_int_equal(described("cpu/stalls,umask=0x1/k").attributes.config, 0x1000001a3);
	assert_int_equal(described("cpu/config=0x77/").attributes.config, 0x77);
	assert_int_equal(described("r01C2").attributes.config, 0x1c2);
	assert_int_equal(described("r01c2:u").attributes.type, PERF_TYPE_RAW);
	event = described("power/energy-pkg/");
	assert_string_equal(event.unit, "Joules");
	assert_float_equal(event.scale, 0.25, 0);
	assert_true(event_is_on(&event, 0) && event_is_on(&event, 29));
	assert_false(event_is_on(&event, 1) || event_is_on(&event, 30));
	event = described("kvm:kvm_exit/exit_reason==0x400/");
	assert_int_equal(event.attributes.config, 1234);
	assert_string_equal(event.filter, "exit_reason==0x400");
	assert_string_equal(described("kvm:kvm_exit").filter, "");
	assert_string_equal(described("task-clock").unit, "ns");
}

static void modifiers_choose_what_is_counted(void **state)
{
	struct perf_event_attr attributes;

	(void)state;
	make_pmus();
	attributes = described("cycles").attributes;
	assert_false(attributes.exclude_user || attributes.exclude_kernel ||
		     attributes.exclude_guest || attributes.exclude_host);
	attributes = described("cycles:u").attributes;
	assert_true(!attributes.exclude_user && attributes.exclude_kernel && attributes.exclude_hv);
	attributes = described("cycles:kG").attributes;
	assert_true(attributes.exclude_user && !attributes.exclude_kernel);
	assert_true(attributes.exclude_host && !attributes.exclude_guest);
	assert_true(described("cpu/stalls/H").attributes.exclude_guest);
}

static void expect_no_event(const char *name, int error, const char *text)
{
	struct event event;
	int got = event_describe(name, &event, &why);

	if (got != error || !strstr(why.text, text))
		fail_msg("%s: %d: %s", name, got, why.text);
}

static void names_that_mean_nothing_are_refused(void **state)
{
	(void)state;
	make_pmus();
	expect_no_event("cpu/event=0x2000/", -ERANGE, "does not fit into config:0-7,32-35");
	expect_no_event("cpu/torn=1/", -EINVAL, "does not fit into config:7-2");
	expect_no_event("cpu/event=/", -EINVAL, "'event=' has no number");
	expect_no_event("cpu/event=-1/", -EINVAL, "has no number");
	expect_no_event("cpu/event=1x/", -EINVAL, "has no number");
	expect_no_event("cpu/event=99999999999999999999/", -EINVAL, "has no number");
	expect_no_event("cpu/nothing/", -ENOTSUP, "neither in format/ nor in events/");
	expect_no_event("cpu/stalls=1/", -ENOTSUP, "neither in format/ nor in events/");
	expect_no_event("cpu/endless/", -ENOTSUP, "neither in format/ nor in events/");
	expect_no_event("cpu/../type/", -EINVAL, "no term");
	expect_no_event("cpu/,/", -EINVAL, "no term");
	expect_no_event("cpu/event=1", -EINVAL, "PMU/EVENT/");
	expect_no_event("../cpu/event=1/", -EINVAL, "PMU/EVENT/");
	expect_no_event("uncore_imc/cas_count_read/", -ENOTSUP, "this machine has no PMU");
	expect_no_event("cycles:pp", -EINVAL, "'pp' are no modifiers");
	expect_no_event("cpu/stalls/x", -EINVAL, "'x' are no modifiers");
	expect_no_event("rx", -EINVAL, "no event 'rx'");
	expect_no_event("", -EINVAL, "no event ''");
	expect_no_event("kvm:kvm_exit/", -EINVAL, "a filter is");
	expect_no_event("kvm:kvm_exit/x", -EINVAL, "a filter is");
}

/* Words to the program perf, which acknowledges them. */
static void tell_perf(int control, int acknowledged, const char *word)
{
	char answer[5];

	assert_int_equal(write(control, word, strlen(word)), strlen(word));
	assert_int_equal(read(acknowledged, answer, sizeof(answer)), sizeof(answer));
	assert_memory_equal(answer, "ack\n", 5);
}

/* Where the program perf is, it counts the same beside. */
static void the_program_perf_counts_the_same(void **state)
{
	char pid[16], descriptors[32];
	const char *const argv[] = {"perf",	 "stat", "-j",
				    "-D",	 "-1",	 "--control",
				    descriptors, "-e",	 "page-faults,task-clock,msr/tsc/",
				    "-p",	 pid,	 NULL};
	static const char *const names[] = {"perf_page_faults", "perf_task_clock", "perf_msr_tsc"};
	int control[2], acknowledge[2], go, done, status, keep[2];
	struct spawn spawn = {.argv = argv,
			      .streams = {SPAWN_NULL, SPAWN_NULL, SPAWN_PIPE},
			      .keep = keep,
			      .keep_count = 2,
			      .death_signal = SIGKILL};
	__cleanup_file FILE *out = NULL;
	double own[ARRAY_SIZE(names)];
	struct activity run;
	struct event event;
	size_t line = 0;
	char text[512], byte;

	(void)state;
	skip_without_counters();
	if (event_describe("msr/tsc/", &event, &why) || access("/usr/bin/perf", X_OK)) {
		print_message("skipped: no program perf, or no PMU msr\n");
		skip();
	}
	other.pid = start_breeder(&go, &done);
	assert_int_equal(pipe2(control, O_CLOEXEC), 0);
	assert_int_equal(pipe2(acknowledge, O_CLOEXEC), 0);
	keep[0] = control[0];
	keep[1] = acknowledge[1];
	snprintf(pid, sizeof(pid), "%d", other.pid);
	snprintf(descriptors, sizeof(descriptors), "fd:%d,%d", keep[0], keep[1]);
	assert_int_equal(spawn_start(&spawn, &why), 0);
	close(control[0]);
	close(acknowledge[1]);
	tell_perf(control[1], acknowledge[0], "enable\n");
	if (start_perf(&run, json_pack("{s:s, s:[s, s, s]}", "of", "load", "events", "page-faults",
				       "task-clock", "msr/tsc/")))
		fail_msg("%s", why.text);
	/* The process waits whenever anything is read. */
	assert_int_equal(write(go, "b", 1), 1);
	assert_int_equal(read(done, &byte, 1), 1);
	assert_int_equal(write(go, "f", 1), 1);
	assert_int_equal(read(done, &byte, 1), 1);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		own[i] = total(&run, names[i]);
	tell_perf(control[1], acknowledge[0], "disable\n");
	kill(spawn.pid, SIGINT);
	out = fdopen(spawn.ends[2], "r");
	while (fgets(text, sizeof(text), out)) {
		__cleanup_json json_t *counts = json_loads(text, 0, NULL);
		double value = strtod(json_text(counts, "counter-value", ""), NULL);

		if (!counts)
			continue;
		/* perf prints milliseconds. */
		if (line == 1)
			value *= NSEC_PER_MSEC;
		assert_true(line < ARRAY_SIZE(names));
		print_message("%s: %.0f, by perf %.0f\n", names[line], own[line], value);
		if (line == 0)
			assert_true(fabs(own[0] - value) <= 8);
		assert_true(fabs(own[line] - value) <= value * 0.1);
		line++;
	}
	assert_int_equal(line, ARRAY_SIZE(names));
	assert_int_equal(spawn_wait(&spawn, -1, &status), 0);
	close(control[1]);
	close(acknowledge[0]);
	close(go);
	close(done);
	assert_int_equal(waitpid(other.pid, NULL, 0), other.pid);
	finish(&run);
}

static void expect_refusal(json_t *given, int error, const char *text)
{
	struct activity run;
	int got = start_perf(&run, given);

	if (got != error || !strstr(why.text, text))
		fail_msg("%d: %s", got, why.text);
	finish(&run);
}

static void *wait_for_ever(void *nothing)
{
	pause();
	return nothing;
}

static void what_can_not_be_is_refused(void **state)
{
	char long_name[129];
	json_t *many = json_array();

	(void)state;
	memset(long_name, 'a', sizeof(long_name));
	expect_refusal(json_pack("{s:s}", "of", "nobody"), -ENOENT, "start it before");
	other.pid = 0;
	expect_refusal(json_pack("{s:s}", "of", "load"), -ESRCH, "has no process");
	expect_refusal(json_pack("{s:[s]}", "events", "cicles"), -EINVAL, "no event 'cicles'");
	expect_refusal(json_pack("{s:[s]}", "events", "kvm:kvm_nothing"), -ENOTSUP, "tracefs");
	expect_refusal(json_pack("{s:s}", "interval", "1ms"), -EINVAL, "10 ms");
	expect_refusal(json_pack("{s:[s]}", "events", "kvm/a/b"), -EINVAL, "it is a file of");
	expect_refusal(json_pack("{s:[s%]}", "events", long_name, (size_t)128), -EINVAL,
		       "longer than 127 letters");
	for (size_t i = 0; i <= COUNTERS_MOST; i++)
		json_array_append_new(many, json_string("task-clock"));
	expect_refusal(json_pack("{s:o}", "events", many), -E2BIG, "more than 16");
}

/* Of a process that has ended, nothing is left to count. */
static void a_process_that_ended_is_refused(void **state)
{
	static const uint64_t readings[] = {1, 1, 1};
	struct activity run;

	(void)state;
	other.pid = fork();
	if (other.pid == 0)
		_exit(0);
	assert_int_equal(waitpid(other.pid, NULL, 0), other.pid);
	expect_refusal(json_pack("{s:s, s:[s]}", "of", "load", "events", "page-faults"), -ESRCH,
		       "No such process");
	/* It ends between the look for its threads and the first counter. */
	other.pid = getpid();
	refusal = ESRCH;
	expect_refusal(json_pack("{s:s, s:[s]}", "of", "load", "events", "page-faults"), -ESRCH,
		       "No such process");
	/* One of its threads does. */
	fake_readings = readings;
	given_before = 1;
	assert_int_equal(pthread_create(&(pthread_t){0}, NULL, wait_for_ever, NULL), 0);
	assert_int_equal(
		start_perf(&run, json_pack("{s:s, s:[s]}", "of", "load", "events", "page-faults")),
		0);
	assert_int_equal(json_number(run.facts, "places", 0), 1);
	fake_readings = NULL;
	refusal = 0;
	finish(&run);
}

/* @error: of the kernel; @of: NULL: all processors. */
static void expect_explanation(int error, const char *event, const char *of, int result,
			       const char *text)
{
	refusal = error;
	given_before = 0;
	expect_refusal(json_pack("{s:[s], s:s*}", "events", event, "of", of), result, text);
	refusal = 0;
}

static void what_the_kernel_refuses_is_explained(void **state)
{
	static const uint64_t readings[] = {1, 1, 1, 2, 2, 2};
	struct activity run;

	(void)state;
	make_pmus();
	other.pid = getpid();
	expect_explanation(ENOENT, "cycles", NULL, -ENOTSUP, "or what emulates it, has no such");
	expect_explanation(EOPNOTSUPP, "cpu/stalls/", NULL, -ENOTSUP, "has no such counter");
	expect_explanation(ENODEV, "cycles", NULL, -ENOTSUP, "has no such counter");
	expect_explanation(ENOENT, "page-faults", NULL, -ENOTSUP, "not supported by this kernel");
	expect_explanation(ENOENT, "kvm:kvm_exit", NULL, -ENOTSUP, "not supported by this kernel");
	expect_explanation(EACCES, "cycles", NULL, -EACCES, "perf_event_paranoid");
	expect_explanation(EPERM, "page-faults", "load", -EPERM, "CAP_PERFMON");
	expect_explanation(EINVAL, "power/energy-pkg/", "load", -EINVAL, "on processors only");
	expect_explanation(EINVAL, "cycles", NULL, -EINVAL, "perf_event_open for cycles");
	expect_explanation(EMFILE, "cycles", "load", -EMFILE, "Too many open files");
	fake_readings = readings;
	filter_refusal = EINVAL;
	expect_refusal(json_pack("{s:[s]}", "events", "kvm:kvm_exit/nothing==1/"), -EINVAL,
		       "the kernel refuses the filter");
	filter_refusal = 0;
	/* A processor that is offline has no counters, and the others have. */
	fake_readings = readings;
	refusal = ENODEV;
	given_before = 1;
	assert_int_equal(start_perf(&run,
				    json_pack("{s:[s]}", "events", "kvm:kvm_exit/exit_reason==1/")),
			 0);
	assert_int_equal(json_number(run.facts, "places", 0), 1);
	fake_readings = NULL;
	refusal = 0;
	finish(&run);
}

static void filters_have_a_form(void **state)
{
	char name[256];

	(void)state;
	make_pmus();
	snprintf(name, sizeof(name), "kvm:kvm_exit/%095d/", 0);
	assert_int_equal(strlen(described(name).filter), 95);
	snprintf(name, sizeof(name), "kvm:kvm_exit/%096d/", 0);
	expect_no_event(name, -EINVAL, "at most 95 letters");
	expect_no_event("kvm:kvm_exit//", -EINVAL, "a filter is");
	expect_no_event("kvm:kvm_exit/exit_reason==1/u", -EINVAL, "a filter is");
	expect_no_event("kvm:kvm_nothing/exit_reason==1/", -ENOTSUP, "no trace event");
	/* Events that have none. */
	expect_no_event("page-faults/address==1/", -ENOTSUP, "no PMU");
	expect_no_event("cycles:u/address==1/", -EINVAL, "are no modifiers");
	expect_no_event("r01c2:k/address==1/", -EINVAL, "are no modifiers");
	expect_no_event("cycles:U", -EINVAL, "'U' are no modifiers");
	expect_no_event("cycles:u:k", -EINVAL, "'u:k' are no modifiers");
	expect_no_event("kvm:kvm_exit:u", -ENOTSUP, "no trace event");
	assert_true(described("cycles:I").attributes.exclude_idle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_is_counted_with_its_children),
		cmocka_unit_test(a_child_born_meanwhile_is_counted_once),
		cmocka_unit_test(all_processors_are_counted_in_intervals),
		cmocka_unit_test(missing_sources_are_reported),
		cmocka_unit_test(estimates_are_flagged),
		WITH_ROOT(exits_are_those_that_kvm_counts),
		WITH_ROOT(names_are_those_of_the_machine),
		WITH_ROOT(modifiers_choose_what_is_counted),
		WITH_ROOT(names_that_mean_nothing_are_refused),
		cmocka_unit_test(the_program_perf_counts_the_same),
		cmocka_unit_test(what_can_not_be_is_refused),
		WITH_ROOT(what_the_kernel_refuses_is_explained),
		WITH_ROOT(filters_have_a_form),
		cmocka_unit_test(a_process_that_ended_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
