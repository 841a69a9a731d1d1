// SPDX-License-Identifier: GPL-2.0-only
/*
 * The serial console of a rig host: whatever bytes come, they become stamped lines of printable
 * text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "harness/rig/host/supervisor_console.h"

#include <cmocka.h>

struct seen {
	char text[8][CONSOLE_LINE_MAX + 8];
	int64_t time_ns[8];
	bool more[8];
	size_t count;
};

static struct seen seen;
static struct console console;

static void on_line(void *context, int64_t time_ns, const char *text, bool more)
{
	struct seen *into = context;

	assert_true(into->count < 8);
	snprintf(into->text[into->count], sizeof(into->text[0]), "%s", text);
	into->time_ns[into->count] = time_ns;
	into->more[into->count++] = more;
}

static int setup(void **state)
{
	(void)state;
	memset(&seen, 0, sizeof(seen));
	memset(&console, 0, sizeof(console));
	console.emit = on_line;
	console.context = &seen;
	return 0;
}

static void test_lines(void **state)
{
	(void)state;
	console_feed(&console, "one\r\ntwo\n", 9, 7);
	assert_int_equal(seen.count, 2);
	assert_string_equal(seen.text[0], "one");
	assert_string_equal(seen.text[1], "two");
	assert_int_equal(seen.time_ns[1], 7);
}

static void test_partial_line_has_the_time_of_its_first_byte(void **state)
{
	(void)state;
	console_feed(&console, "Kernel pa", 9, 10);
	console_feed(&console, "nic\nnext", 8, 20);
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.text[0], "Kernel panic");
	assert_int_equal(seen.time_ns[0], 10);
	console_flush(&console);
	assert_int_equal(seen.count, 2);
	assert_string_equal(seen.text[1], "next");
	assert_int_equal(seen.time_ns[1], 20);
	console_flush(&console);
	assert_int_equal(seen.count, 2);
}

static void test_rubbish_becomes_printable(void **state)
{
	(void)state;
	console_feed(&console, "a\0b\x1b[6n\xff\t.\n", 11, 1);
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.text[0], "a\\x00b\\x1b[6n\\xff\t.");
}

static void test_empty_lines_are_lines(void **state)
{
	(void)state;
	console_feed(&console, "\n\r\n", 3, 5);
	assert_int_equal(seen.count, 2);
	assert_string_equal(seen.text[1], "");
	assert_int_equal(seen.time_ns[0], 5);
}

static void test_line_without_end_is_cut_and_nothing_lost(void **state)
{
	size_t total = 0;
	char block[1000];

	(void)state;
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 10; i++)
		console_feed(&console, block, sizeof(block), i);
	/* Escapes are four characters: the cut must not overrun, wherever it falls. */
	memset(block, 0, sizeof(block));
	console_feed(&console, block, sizeof(block), 11);
	console_feed(&console, "\n", 1, 12);
	assert_true(seen.count >= 3);
	for (size_t i = 0; i < seen.count; i++) {
		assert_true(strlen(seen.text[i]) < CONSOLE_LINE_MAX + 4);
		assert_int_equal(seen.more[i], i + 1 < seen.count);
		total += strlen(seen.text[i]);
	}
	assert_int_equal(total, 10 * 1000 + 4 * 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_lines, setup),
		cmocka_unit_test_setup(test_partial_line_has_the_time_of_its_first_byte, setup),
		cmocka_unit_test_setup(test_rubbish_becomes_printable, setup),
		cmocka_unit_test_setup(test_empty_lines_are_lines, setup),
		cmocka_unit_test_setup(test_line_without_end_is_cut_and_nothing_lost, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
