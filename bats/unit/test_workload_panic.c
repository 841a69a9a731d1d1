// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the workload panic, with a fake file in place of the one that crashes the kernel.
 */
#include "bats/unit/workload_test.h"
#include "bats/unit/fake_root.h"

static void the_kernel_is_crashed_after_the_answer(void **state)
{
	__cleanup_free char *path = format_text("%s/proc/sysrq-trigger", root);
	__cleanup_free char *before = NULL;
	__cleanup_free char *after = NULL;
	struct activity run;

	(void)state;
	put("/proc/sysrq-trigger", "");
	put_expendable();
	if (start(&run, "panic", json_object()))
		fail_msg("%s", why.text);
	run.workload->dispatch(&run);
	assert_null(find_event("crash"));
	assert_int_equal(run.workload->touch(&run, &why), 0);
	assert_int_equal(read_small_file(path, &before, NULL), 0);
	assert_string_equal(before, "");
	assert_non_null(strstr(json_text(await(&run, "checked"), "text", ""), "did not crash"));
	assert_non_null(find_event("crash"));
	assert_int_equal(read_small_file(path, &after, NULL), 0);
	assert_string_equal(after, "c");
	finish(&run);
}

static void expect_refusal(int error, const char *text)
{
	struct activity run;
	int got = start(&run, "panic", json_object());

	if (got != error || !strstr(why.text, text))
		fail_msg("%d: %s", got, why.text);
	finish(&run);
}

static void other_machines_are_not_crashed(void **state)
{
	(void)state;
	put("/proc/sysrq-trigger", "");
	expect_refusal(-EPERM, "expendable");
}

static void a_kernel_without_the_file_is_reported(void **state)
{
	(void)state;
	put_expendable();
	expect_refusal(-ENOTSUP, "CONFIG_MAGIC_SYSRQ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)
	const struct CMUnitTest tests[] = {
		TEST(the_kernel_is_crashed_after_the_answer),
		TEST(other_machines_are_not_crashed),
		TEST(a_kernel_without_the_file_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
