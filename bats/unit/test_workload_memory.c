// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the memory workload without any fault: every kind of page touched in every way is intact, what can not be
 * is refused, and no process is left behind. Nothing here poisons anything.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/uio.h>

#include "bats/unit/workload_test.h"
#include "inject/injector.h"
#include "workloads/memory.h"

static size_t count_events(const char *name)
{
	const json_t *event;
	size_t index, count = 0;

	json_array_foreach (events, index, event)
		count += strcmp(json_text(event, "event", ""), name) == 0;
	return count;
}

static const char *const pages[] = {"anonymous",  "thp",	"hugetlb", "shared",	 "mlocked",
				    "file-clean", "file-dirty", "tmpfs",   "instruction"};
static const char *const touches[] = {"load",	   "store",	    "execute", "copyin",
				      "copyout",   "copy-on-write", "threads", "prefetch",
				      "unaligned", "memcpy",	    "futex",   "full-store",
				      "none"};

static bool reads(const char *touch)
{
	return !is_one_of(touch, "store", "prefetch", "copy-on-write", "none");
}

/* Return: whether the machine has such pages. */
static bool touch_page(const char *page, const char *touch)
{
	struct activity run;
	int error = start(&run, "memory", json_pack("{s:s, s:s}", "page", page, "touch", touch));

	if (error) {
		/* What does not fit together is refused as such; what this machine lacks as that. */
		assert_true(error == -EINVAL || error == -ENOTSUP);
		assert_true(why.text[0]);
		finish(&run);
		return error == -EINVAL;
	}
	assert_true(json_integer_value(json_object_get(run.facts, "pid")) > 0);
	assert_true(json_number(run.facts, "address", 0) % 4096 == 0x400);
	assert_int_equal(run.workload->touch(&run, &why), 0);
	(void)await(&run, "checked");
	if (!find_event("touched"))
		fail_msg("%s touched by %s: %s", page, touch, json_dumps(events, JSON_INDENT(1)));
	/* A line that was not read is not reported. */
	assert_ptr_equal(json_object_get(find_event("touched"), "value_ok"),
			 reads(touch) ? json_true() : NULL);
	assert_string_equal(json_text(find_event("touched"), "data", "none"),
			    reads(touch) ? "intact" : "none");
	assert_null(find_event("corrupted"));
	assert_null(find_event("signal"));
	assert_null(find_event("error"));
	assert_int_equal(count_events("touched"), strcmp(touch, "threads") == 0
							  ? (strcmp(page, "shared") == 0 ? 3 : 2)
						  : strcmp(page, "shared") == 0 ? 2
										: 1);
	finish(&run);
	return true;
}

static void touch_in_every_way(const char *page)
{
	for (size_t i = 0; i < ARRAY_SIZE(touches); i++) {
		if (touch_page(page, touches[i]))
			continue;
		print_message("skipped: this machine gives no page of kind %s\n", page);
		skip();
	}
}

#define PAGE_TEST(function, number)                                                                \
	static void function(void **state)                                                         \
	{                                                                                          \
		(void)state;                                                                       \
		touch_in_every_way(pages[number]);                                                 \
	}
PAGE_TEST(anonymous_is_intact, 0)
PAGE_TEST(thp_is_intact, 1)
PAGE_TEST(hugetlb_is_intact, 2)
PAGE_TEST(shared_is_intact, 3)
PAGE_TEST(mlocked_is_intact, 4)
PAGE_TEST(file_clean_is_intact, 5)
PAGE_TEST(file_dirty_is_intact, 6)
PAGE_TEST(tmpfs_is_intact, 7)
PAGE_TEST(instruction_is_intact, 8)

/* A page can be touched again and again by one process. */
static void touches_repeat(void **state)
{
	struct activity run;

	(void)state;
	assert_int_equal(start(&run, "memory", NULL), 0);
	for (int i = 0; i < 3; i++) {
		json_array_clear(events);
		assert_int_equal(run.workload->touch(&run, &why), 0);
		(void)await(&run, "checked");
		(void)await(&run, "touched");
	}
	finish(&run);
}

static void touch_by(struct activity *run, const char *way)
{
	json_array_clear(events);
	assert_int_equal(run->workload->touch_by(run, way, &why), 0);
	(void)await(run, "checked");
}

/* What was in the page before it was written again is noticed. */
static void another_touch_on_request(void **state)
{
	unsigned char page[MEMORY_PAGE];
	struct iovec here = {.iov_base = page, .iov_len = sizeof(page)}, there = here;
	struct activity run;

	(void)state;
	assert_int_equal(start(&run, "memory", NULL), 0);
	there.iov_base = (void *)(fact(&run, "address") & -(uintptr_t)MEMORY_PAGE);
	assert_int_equal(process_vm_readv(run.pid, &here, 1, &there, 1, 0), MEMORY_PAGE);
	touch_by(&run, "store");
	assert_null(json_object_get(find_event("touched"), "value_ok"));
	touch_by(&run, "load");
	assert_true(json_is_true(json_object_get(find_event("touched"), "value_ok")));
	assert_null(find_event("corrupted"));
	assert_int_equal(process_vm_writev(run.pid, &here, 1, &there, 1, 0), MEMORY_PAGE);
	touch_by(&run, "load");
	assert_string_equal(json_text(find_event("touched"), "data", ""), "other");
	assert_int_equal(run.workload->touch_by(&run, "execute", &why), -EINVAL);
	finish(&run);
	assert_int_equal(start(&run, "memory", json_pack("{s:s}", "page", "shared")), 0);
	assert_int_equal(run.workload->touch_by(&run, "store", &why), -EOPNOTSUPP);
	finish(&run);
}

/* The process is killed from outside: its end is reported with the signal, and the next touch finds no process. */
static void end_is_reported(void **state)
{
	struct activity run;

	(void)state;
	assert_int_equal(start(&run, "memory", NULL), 0);
	kill(run.pid, SIGBUS);
	(void)await(&run, "signal");
	assert_string_equal(json_text(find_event("signal"), "signal_name", ""), "SIGBUS");
	assert_null(json_object_get(find_event("signal"), "metrics"));
	(void)await(&run, "exit");
	assert_int_equal(run.workload->touch(&run, &why), 0);
	(void)await(&run, "gone");
	finish(&run);
}

/* The memory behind the page is taken away: the victim's touch ends in a signal, and takes its time. */
static void time_to_the_signal_is_measured(void **state)
{
	__cleanup_free char *path = NULL;
	const json_t *metric;
	struct activity run;
	char link[64];
	ssize_t length = -1;

	(void)state;
	assert_int_equal(start(&run, "memory", json_pack("{s:s}", "page", "tmpfs")), 0);
	for (int fd = 0; fd < 64 && (length < 0 || !strstr(link, "brinell-victim")); fd++) {
		free(path);
		path = format_text("/proc/%d/fd/%d", run.pid, fd);
		length = readlink(path, link, sizeof(link) - 1);
		link[length < 0 ? 0 : length] = '\0';
	}
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(run.workload->touch(&run, &why), 0);
	(void)await(&run, "checked");
	assert_string_equal(json_text(find_event("signal"), "code_name", ""), "BUS_ADRERR");
	metric = json_object_get(json_object_get(find_event("signal"), "metrics"),
				 "touch_to_signal");
	assert_string_equal(json_text(metric, "unit", ""), "ns");
	assert_in_range(json_number(metric, "value", 0), 1, 10 * NSEC_PER_SEC);
	finish(&run);
}

static void unhandled_signal_ends_the_process(void **state)
{
	struct activity run;

	(void)state;
	assert_int_equal(start(&run, "memory", json_pack("{s:s}", "handler", "none")), 0);
	kill(run.pid, SIGBUS);
	(void)await(&run, "exit");
	assert_null(find_event("signal"));
	assert_int_equal(json_number(find_event("exit"), "signal", 0), SIGBUS);
	finish(&run);
}

/* A victim that hangs is reported after its deadline, and can still be ended. */
static void a_hang_is_reported(void **state)
{
	struct activity run;

	(void)state;
	assert_int_equal(start(&run, "memory", json_pack("{s:s}", "deadline", "50ms")), 0);
	kill(run.pid, SIGSTOP);
	assert_int_equal(run.workload->touch(&run, &why), 0);
	(void)await(&run, "hung");
	assert_null(find_event("touched"));
	finish(&run);
}

/* Poisoning is for machines that may be broken: here the victim gets no request. */
static void poisoning_needs_permission(void **state)
{
	struct activity run;

	(void)state;
	system_root_set("/nonexistent");
	assert_int_equal(start(&run, "memory", NULL), 0);
	assert_int_equal(run.workload->command(&run, "madvise-hard", &why), -EPERM);
	assert_non_null(strstr(why.text, "expendable"));
	assert_int_equal(run.workload->command(&run, "dance", &why), -EINVAL);
	assert_non_null(strstr(why.text, "madvise-soft"));
	finish(&run);
	system_root_set("");
}

static void comparison_sees_one_wrong_bit(void **state)
{
	unsigned char page[MEMORY_PAGE] __attribute__((aligned(8)));

	(void)state;
	memory_fill_page(page, 7);
	assert_int_equal(memory_compare(page, 7, 0, 512), DATA_INTACT);
	assert_int_equal(memory_compare(page, 8, 0, 512), DATA_OTHER);
	assert_int_equal(memory_compare(page, 7, 1, 511), DATA_OTHER);
	page[4095] ^= 0x80;
	assert_int_equal(memory_compare(page, 7, 0, 512), DATA_OTHER);
	memset(page, 0, sizeof(page));
	assert_int_equal(memory_compare(page, 7, 0, 512), DATA_ZERO);
}

static void bad_offsets_are_refused(void **state)
{
	static const char *const offsets[] = {"0", "0x20", "0xfc0", "0x1000"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		struct activity run;

		assert_int_equal(start(&run, "memory", json_pack("{s:s}", "offset", offsets[i])),
				 -EINVAL);
		assert_non_null(strstr(why.text, "multiple of 64"));
		finish(&run);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comparison_sees_one_wrong_bit),
		cmocka_unit_test(bad_offsets_are_refused),
		cmocka_unit_test(anonymous_is_intact),
		cmocka_unit_test(thp_is_intact),
		cmocka_unit_test(hugetlb_is_intact),
		cmocka_unit_test(shared_is_intact),
		cmocka_unit_test(mlocked_is_intact),
		cmocka_unit_test(file_clean_is_intact),
		cmocka_unit_test(file_dirty_is_intact),
		cmocka_unit_test(tmpfs_is_intact),
		cmocka_unit_test(instruction_is_intact),
		cmocka_unit_test(touches_repeat),
		cmocka_unit_test(another_touch_on_request),
		cmocka_unit_test(end_is_reported),
		cmocka_unit_test(time_to_the_signal_is_measured),
		cmocka_unit_test(unhandled_signal_ends_the_process),
		cmocka_unit_test(a_hang_is_reported),
		cmocka_unit_test(poisoning_needs_permission),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
