// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the workload perf-record samples processes where they work, and names what the kernel has written into its buffers.
 *
 * wraps: syscall
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "bats/unit/workload_test.h"
#include "harness/host/counters.h"
#include "harness/host/samples.h"
#include "harness/lib/elf.h"
#include "harness/lib/spawn.h"
#include "bats/unit/fake_root.h"

/* Path of the fake buffers of the kernel, without the number of the processor; NULL: the real buffers. */
static const char *fake_buffers;

long __real_syscall(long number, ...);
long __wrap_syscall(long number, long a, long b, long c, long d, long e);

long __wrap_syscall(long number, long a, long b, long c, long d, long e)
{
	__cleanup_free char *file = NULL;
	int fd;

	if (number != SYS_perf_event_open || !fake_buffers)
		return __real_syscall(number, a, b, c, d, e);
	file = format_text("%s%ld", fake_buffers, c);
	fd = open(file, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		errno = ENODEV;
	return fd;
}

static struct perf_event_mmap_page *rings[2];
static uint64_t now;

/* Near the end of the buffer, so that a record begins there and goes on at its begin. */
static int make_rings(void **state)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE) + SAMPLES_RING_BYTES;

	assert_int_equal(make_root(state), 0);
	put("ring", "");
	fake_buffers = strdup(place("ring"));
	for (size_t i = 0; i < ARRAY_SIZE(rings); i++) {
		__cleanup_free char *file = format_text("%s%zu", fake_buffers, i);
		__cleanup_close int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

		assert_int_equal(ftruncate(fd, (off_t)size), 0);
		rings[i] = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		assert_true(rings[i] != MAP_FAILED);
		rings[i]->data_head = rings[i]->data_tail = SAMPLES_RING_BYTES - 24;
	}
	now = 0;
	put("/proc/kallsyms", "ffffffff81000000 T first\n"
			      "ffffffff81000000 T first_too\n"
			      "ffffffff81000200 t third\n"
			      "ffffffff81000300 d data\n"
			      "ffffffff81000100 t second\n"
			      "damaged\n"
			      "0000000000000000 T secret\n"
			      "ffffffffc0000000 t inner\t[module]\n");
	return 0;
}

static int remove_rings(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rings); i++)
		munmap(rings[i], (size_t)sysconf(_SC_PAGESIZE) + SAMPLES_RING_BYTES);
	free((char *)fake_buffers);
	fake_buffers = NULL;
	return remove_root(state);
}

static void write_bytes(size_t processor, const void *bytes, size_t size)
{
	char *data = (char *)rings[processor] + sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < size; i++)
		data[rings[processor]->data_head++ % SAMPLES_RING_BYTES] = ((const char *)bytes)[i];
}

/* @text: at its end, or NULL. */
static void record(uint32_t type, uint16_t misc, const void *body, size_t size, const char *text)
{
	size_t length = text ? (strlen(text) + 8) / 8 * 8 : 0;
	const uint64_t id[] = {0, ++now};
	struct perf_event_header header = {type, misc,
					   (uint16_t)(sizeof(header) + size + length + sizeof(id))};
	char padded[256] = "";

	strcpy(padded, text ?: "");
	write_bytes(0, &header, sizeof(header));
	write_bytes(0, body, size);
	write_bytes(0, padded, length);
	write_bytes(0, id, sizeof(id));
}

static uint16_t mode;

static void sampled_at(size_t processor, uint64_t time, uint32_t tid, const uint64_t *frames,
		       uint64_t count)
{
	const struct {
		struct perf_event_header header;
		uint32_t pid, tid;
		uint64_t time, count;
	} head = {{PERF_RECORD_SAMPLE, mode, (uint16_t)(sizeof(head) + count * sizeof(*frames))},
		  tid,
		  tid,
		  time,
		  count};

	write_bytes(processor, &head, sizeof(head));
	write_bytes(processor, frames, count * sizeof(*frames));
}

static void sampled(uint32_t tid, const uint64_t *frames, uint64_t count)
{
	sampled_at(0, ++now, tid, frames, count);
}

/* Beyond the ids that the kernel gives. */
#define PARENT 0x7f000000u
#define CHILD 0x7f000001u
#define THREAD 0x7f000002u
#define STRANGER 0x7f000003u

/* All stacks that a touch reports; they are freed with its events. */
static const json_t *touch_for_stacks(struct activity *run)
{
	json_t *all;
	const json_t *event;
	size_t index;

	assert_int_equal(run->workload->touch(run, &why), 0);
	(void)await(run, "checked");
	all = json_object();
	json_array_foreach (events, index, event) {
		__cleanup_free char *line = json_dumps(event, JSON_ENSURE_ASCII);

		/* More, a guest may not send. */
		assert_true(strlen(line) <= 64 << 10);
		json_object_update(all, json_object_get(event, "stacks"));
	}
	json_array_append_new(events, all);
	return all;
}

static const json_t *stacks_of(struct activity *run)
{
	if (start(run, "perf-record", json_object()))
		fail_msg("%s", why.text);
	return touch_for_stacks(run);
}

static void expect_stack(const json_t *stacks, const char *stack, int samples)
{
	if (json_number(stacks, stack, 0) != samples)
		fail_msg("'%s' is not %d times in %s", stack, samples, json_dumps(stacks, 0));
}

static void stacks_are_named_and_counted(void **state)
{
	static const uint64_t deep[] = {
		PERF_CONTEXT_KERNEL, 0xffffffff81000110, 0xffffffff81000120, 0xffffffff81000310,
		0xffffffff81000010,  PERF_CONTEXT_USER,	 0x400123,	     0x900001};
	static const uint64_t module[] = {0xffffffffc0000010}, low[] = {0xffffffff80000000},
			      clock[] = {0x7000};
	const struct {
		uint32_t pid, tid;
		uint64_t start, length, offset;
	} library = {PARENT, PARENT, 0x400000, 0x10000, 0x1000},
	  vdso = {PARENT, PARENT, 0x7000, 0x1000, 0},
	  anonymous = {PARENT, PARENT, 0x900000, 0x1000, 0};
	const uint32_t parent[] = {PARENT, PARENT}, child[] = {CHILD, PARENT, CHILD, PARENT},
		       thread[] = {CHILD, CHILD, THREAD, CHILD}, named[] = {CHILD, THREAD};
	const uint64_t time = 0, lost[] = {1, 7};
	struct activity run;
	const json_t *stacks;
	char child_time[24];

	(void)state;
	record(PERF_RECORD_COMM, PERF_RECORD_MISC_COMM_EXEC, parent, sizeof(parent), "cat;dog");
	record(PERF_RECORD_MMAP, 0, &library, sizeof(library), "/no/such/lib.so");
	record(PERF_RECORD_MMAP, 0, &vdso, sizeof(vdso), "[vdso]");
	record(PERF_RECORD_MMAP, 0, &anonymous, sizeof(anonymous), "//anon");
	memcpy(child_time, child, sizeof(child));
	memcpy(child_time + sizeof(child), &time, sizeof(time));
	record(PERF_RECORD_FORK, 0, child_time, sizeof(child_time), NULL);
	memcpy(child_time, thread, sizeof(thread));
	record(PERF_RECORD_FORK, 0, child_time, sizeof(child_time), NULL);
	record(PERF_RECORD_COMM, 0, named, sizeof(named),
	       "thr\xff"
	       "ead");
	sampled(CHILD, deep, ARRAY_SIZE(deep));
	sampled(THREAD, clock, 1);
	sampled(0, module, 1);
	sampled(STRANGER, low, 1);
	sampled(STRANGER, low, 0);
	mode = PERF_RECORD_MISC_GUEST_USER;
	sampled(CHILD, NULL, 0);
	mode = 0;
	record(PERF_RECORD_LOST, 0, lost, sizeof(lost), NULL);
	stacks = stacks_of(&run);
	expect_stack(stacks, "cat,dog;[unknown];[lib.so];first;third;second", 1);
	expect_stack(stacks, "thr?ead;[vdso]", 1);
	expect_stack(stacks, "swapper;inner", 1);
	expect_stack(stacks, "[unknown];[kernel]", 1);
	expect_stack(stacks, "[unknown]", 1);
	expect_stack(stacks, "cat,dog;[guest]", 1);
	assert_int_equal(json_object_size(stacks), 6);
	assert_int_equal(json_number(find_event("checked"), "samples", 0), 6);
	assert_int_equal(json_number(find_event("checked"), "lost", 0), 7);
	finish(&run);
}

/* Tasks are known on one processor and sampled on another. */
static void records_are_read_in_their_order(void **state)
{
	static const uint64_t frames[] = {0xffffffff81000010};
	const uint32_t task[] = {PARENT, PARENT};
	struct activity run;
	const json_t *stacks;

	(void)state;
	if (sysconf(_SC_NPROCESSORS_CONF) < 2)
		skip();
	sampled_at(1, 2, PARENT, frames, 1);
	sampled_at(1, 4, PARENT, frames, 1);
	record(PERF_RECORD_COMM, 0, task, sizeof(task), "old");
	now = 2;
	record(PERF_RECORD_COMM, 0, task, sizeof(task), "new");
	stacks = stacks_of(&run);
	expect_stack(stacks, "old;first", 1);
	expect_stack(stacks, "new;first", 1);
	finish(&run);
}

/* A record that can not be ends what is read. */
static void damaged_records_are_left_out(void **state)
{
	static const uint64_t frames[] = {0xffffffff81000010};
	const struct perf_event_header empty = {.type = PERF_RECORD_SAMPLE};
	const uint32_t nobody[] = {PARENT};
	const struct {
		struct perf_event_header header;
		uint64_t task, time, count;
	} endless = {{PERF_RECORD_SAMPLE, 0, sizeof(endless)}, 0, 1, UINT64_MAX};
	struct activity run;
	const json_t *stacks;

	(void)state;
	record(PERF_RECORD_COMM, 0, nobody, sizeof(nobody), NULL);
	record(PERF_RECORD_MMAP, 0, nobody, sizeof(nobody), NULL);
	record(PERF_RECORD_FORK, 0, nobody, sizeof(nobody), NULL);
	record(PERF_RECORD_LOST, 0, nobody, sizeof(nobody), NULL);
	record(PERF_RECORD_SAMPLE, 0, nobody, sizeof(nobody), NULL);
	write_bytes(0, &endless, sizeof(endless));
	sampled(0, frames, 1);
	write_bytes(0, &empty, sizeof(empty));
	sampled(0, frames, 1);
	stacks = stacks_of(&run);
	expect_stack(stacks, "swapper;first", 1);
	expect_stack(stacks, "swapper", 1);
	assert_int_equal(json_number(find_event("checked"), "samples", 0), 2);
	finish(&run);
}

/* An event is a line of the protocol, which has an end: what is seldom is together. */
static void much_is_cut(void **state)
{
	__cleanup_free char *text = NULL;
	const json_t *stacks;
	struct activity run;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	for (unsigned int i = 0; i < 2500; i++) {
		uint64_t frame = 0xffffffff81000000 + i * 16;

		fprintf(out, "%lx T %0240u\n", frame, i);
		sampled(0, &frame, 1);
		if (i == 2499)
			sampled(0, &frame, 1);
	}
	fclose(out);
	put("/proc/kallsyms", text);
	stacks = stacks_of(&run);
	assert_int_equal(json_number(find_event("checked"), "samples", 0), 2501);
	assert_in_range(json_number(stacks, "[rest]", 0), 500, 2499);
	assert_int_equal(json_number(stacks, "[rest]", 0) + (int)json_object_size(stacks), 2501);
	finish(&run);
}

static void find_json_object(void *context, uint64_t offset, uint64_t size, const char *name)
{
	(void)size;
	if (strcmp(name, "json_object") == 0)
		*(uint64_t *)context = offset;
}

/* Any byte may be another one, and the end may be missing. */
static void damaged_programs_are_read_without_harm(void **state)
{
	__cleanup_free char *bytes = NULL;
	uint64_t offset = 0, ignored;
	Dl_info library;
	size_t size;

	(void)state;
	assert_true(dladdr(dlsym(RTLD_DEFAULT, "json_object"), &library));
	assert_int_equal(elf_functions_read(library.dli_fname, find_json_object, &offset), 0);
	assert_int_equal(offset, (uintptr_t)library.dli_saddr - (uintptr_t)library.dli_fbase);
	assert_int_equal(read_small_file(library.dli_fname, &bytes, &size), 0);
	/* The headers are at both ends. */
	for (size_t i = 0; i < size; i += i < 1024 || i + 4096 > size ? 1 : 61) {
		char was = bytes[i];

		bytes[i] = (char)~was;
		put_bytes("damaged", bytes, size);
		assert_int_equal(elf_functions_read(place("damaged"), find_json_object, &ignored),
				 0);
		bytes[i] = was;
		put_bytes("damaged", bytes, i);
		assert_int_equal(elf_functions_read(place("damaged"), find_json_object, &ignored),
				 0);
	}
	assert_int_equal(elf_functions_read(place("nothing"), find_json_object, &ignored), -ENOENT);
}

/* The work of a process, until it is killed. */
static void __attribute__((noinline)) work_in_a_program(void)
{
	for (volatile unsigned long i = 0;; i++)
		;
}

static void work_in_the_kernel(void)
{
	static char bytes[1 << 20];
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
}

static pid_t start_work(const char *name, void (*work)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, name);
		work();
		_exit(0);
	}
	return pid;
}

/* Until a process has computed for long enough to be sampled, however many others do. */
static void wait_for_share(pid_t pid)
{
	struct counter counter;
	double ran = 0;

	assert_int_equal(counter_open(&counter, "task-clock", (struct counted){.pid = pid}, &why),
			 0);
	while (ran < 0.2 * NSEC_PER_SEC) {
		(void)poll(NULL, 0, 20);
		assert_int_equal(counter_read(&counter, &ran, NULL), 0);
	}
	counter_close(&counter);
}

static void end_work(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* The samples of stacks that begin and end so; an empty @leaf: of all. */
static int64_t samples_in(const json_t *stacks, const char *comm, const char *leaf)
{
	size_t length = strlen(comm);
	const char *stack;
	json_t *samples;
	int64_t sum = 0;

	json_object_foreach ((json_t *)stacks, stack, samples) {
		const char *last = strrchr(stack, ';');

		if (strncmp(stack, comm, length) == 0 && stack[length] == ';' &&
		    (!*leaf || strcmp(last + 1, leaf) == 0))
			sum += json_integer_value(samples);
	}
	return sum;
}

static void work_is_found_where_it_is_done(void **state)
{
	const char *const argv[] = {"sh", "-c", "while :; do :; done", NULL};
	struct spawn shell = {.argv = argv, .death_signal = SIGKILL};
	pid_t before, kernel;
	struct activity run;
	const json_t *stacks;
	int status;

	(void)state;
	before = start_work("at work", work_in_a_program);
	if (start(&run, "perf-record", json_pack("{s:s}", "frequency", "997"))) {
		print_message("skipped: %s\n", why.text);
		finish(&run);
		end_work(before);
		skip();
	}
	kernel = start_work("reader", work_in_the_kernel);
	assert_int_equal(spawn_start(&shell, &why), 0);
	wait_for_share(before);
	wait_for_share(kernel);
	wait_for_share(shell.pid);
	stacks = touch_for_stacks(&run);
	end_work(before);
	end_work(kernel);
	kill(shell.pid, SIGKILL);
	assert_int_equal(spawn_wait(&shell, -1, &status), 0);
	print_message("%ld of %ld samples in a program\n",
		      samples_in(stacks, "at work", "work_in_a_program"),
		      samples_in(stacks, "at work", ""));
	if (samples_in(stacks, "at work", "work_in_a_program") * 4 <
		    samples_in(stacks, "at work", "") * 3 ||
	    samples_in(stacks, "at work", "") < 30 || samples_in(stacks, "reader", "") < 30 ||
	    samples_in(stacks, "reader", "[kernel]") || samples_in(stacks, "reader", "[unknown]") ||
	    samples_in(stacks, "sh", "") < 100 ||
	    samples_in(stacks, "sh", "[unknown]") * 4 > samples_in(stacks, "sh", ""))
		fail_msg("%s", json_dumps(stacks, JSON_INDENT(1)));
	finish(&run);
}

static void expect_refusal(json_t *given, int error, const char *text)
{
	struct activity run;
	int got = start(&run, "perf-record", given);

	if (got != error || !strstr(why.text, text))
		fail_msg("%d: %s", got, why.text);
	finish(&run);
}

static void what_can_not_be_is_refused(void **state)
{
	(void)state;
	expect_refusal(json_pack("{s:s}", "event", "cicles"), -EINVAL, "no event 'cicles'");
	expect_refusal(json_pack("{s:s}", "event", "cycles:Q"), -EINVAL, "'Q' are no modifiers");
	expect_refusal(json_pack("{s:s}", "event", "kvm/exits"), -EINVAL, "can not be sampled");
	expect_refusal(json_pack("{s:s}", "frequency", "0"), -EINVAL, "1 to 10000");
	expect_refusal(json_pack("{s:s}", "frequency", "10001"), -EINVAL, "1 to 10000");
	/* What can be opened and is no buffer. */
	assert_int_equal(unlink(place("ring0")), 0);
	assert_int_equal(mkfifo(place("ring0"), 0600), 0);
	expect_refusal(json_object(), -ENODEV, "a buffer for samples");
}

#define WITH_RINGS(function) cmocka_unit_test_setup_teardown(function, make_rings, remove_rings)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RINGS(stacks_are_named_and_counted),
		WITH_RINGS(records_are_read_in_their_order),
		WITH_RINGS(damaged_records_are_left_out),
		WITH_RINGS(much_is_cut),
		WITH_ROOT(damaged_programs_are_read_without_harm),
		cmocka_unit_test(work_is_found_where_it_is_done),
		WITH_RINGS(what_can_not_be_is_refused),
	};

	signal(SIGPIPE, SIG_IGN); /* as the agent */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
