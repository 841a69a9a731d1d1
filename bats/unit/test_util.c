// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: checksums against their published values, files that survive a crash, and reasons.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/lib/util.h"

#include <cmocka.h>

/* The check value of the CRC catalogue, and two vectors of RFC 3720 appendix B.4. */
static void crc32c_has_its_known_values(void **state)
{
	unsigned char zeros[32] = {0}, ones[32];

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(0, zeros, sizeof(zeros)), 0x8a9136aa);
	assert_int_equal(crc32c(0, ones, sizeof(ones)), 0x62a8ab43);
	assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
}

static int make_directory(void **state)
{
	static char directory[64];

	strcpy(directory, "/tmp/brinell-test-XXXXXX");
	*state = mkdtemp(directory);
	return *state ? 0 : -1;
}

static int remove_directory(void **state)
{
	__cleanup_free char *command = format_text("rm -rf '%s'", (char *)*state);

	return system(command);
}

static void files_are_replaced_whole(void **state)
{
	__cleanup_free char *path = format_text("%s/file", (char *)*state);
	__cleanup_free char *text = NULL;
	size_t length;

	assert_int_equal(write_file_atomically(*state, "file", "old", 3), 0);
	assert_int_equal(write_file_atomically(*state, "file", "newer", 5), 0);
	assert_int_equal(read_small_file(path, &text, &length), 0);
	assert_int_equal(length, 5);
	assert_string_equal(text, "newer");
	assert_int_equal(write_file_atomically("/nonexistent", "file", "x", 1), -ENOENT);
}

static void directories_are_made(void **state)
{
	__cleanup_free char *deep = format_text("%s/a/b/c", (char *)*state);
	__cleanup_free char *file = format_text("%s/file", (char *)*state);
	__cleanup_free char *below = format_text("%s/file/x", (char *)*state);
	struct stat status;

	assert_int_equal(make_directories(deep), 0);
	assert_int_equal(make_directories(deep), 0);
	assert_int_equal(stat(deep, &status), 0);
	assert_int_equal(write_file_atomically(*state, "file", "", 0), 0);
	assert_int_equal(make_directories(file), -ENOTDIR);
	assert_int_equal(make_directories(below), -ENOTDIR);
}

static void numbers_come_in_both_forms(void **state)
{
	__cleanup_json json_t *object =
		json_pack("{s:i, s:s, s:s, s:n}", "a", 5, "b", "0x10", "c", "x", "d");

	(void)state;
	assert_int_equal(json_number(object, "a", -1), 5);
	assert_int_equal(json_number(object, "b", -1), 16);
	assert_int_equal(json_number(object, "c", -1), -1);
	assert_int_equal(json_number(object, "d", -1), -1);
	assert_int_equal(json_number(NULL, "d", -2), -2);
}

static void reasons_are_cut_not_overrun(void **state)
{
	struct reason why;
	static char text[4096];

	(void)state;
	memset(text, 'z', sizeof(text) - 1);
	assert_int_equal((fail)(&why, -EIO, "%s", text), -EIO);
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
	assert_int_equal((fail)(NULL, -EIO, "nobody asks"), -EIO);
	assert_string_equal(error_name(-EBUSY), "EBUSY");
	assert_string_equal(error_name(133), "EHWPOISON");
}

static void what_is_no_text_is_mended(void **state)
{
	static const struct {
		const char *bytes, *text;
	} cases[] = {
		{"plain", "plain"},
		{"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
		 "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
		{"a\xff"
		 "b",
		 "a?b"},
		{"\xc0\x80", "??"},
		{"\xed\xa0\x80", "???"},
		{"\xf4\x90\x80\x80", "????"},
		{"cut \xe2\x82", "cut ??"},
	};
	struct reason why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		__cleanup_free char *text = strdup(cases[i].bytes);
		__cleanup_json json_t *json = json_string(mend_text(text));

		assert_string_equal(text, cases[i].text);
		assert_non_null(json);
	}
	/* A reason that is cut in the middle of a character can still be written into the journal. */
	for (int before = 0; before < 4; before++) {
		char longest[2 * sizeof(why.text)];
		size_t used = 0;

		while (used + 3 < sizeof(longest)) {
			memcpy(longest + used, "\xe2\x82\xac", 3);
			used += 3;
		}
		longest[used] = '\0';
		(fail)(&why, -EINVAL, "%.*s%s", before, "aaaa", longest);
		__cleanup_json json_t *json = json_string(why.text);

		assert_non_null(json);
	}
}

static void root_moves_the_machine(void **state)
{
	char path[4096];

	(void)state;
	assert_string_equal(system_path(path, "/proc/meminfo"), "/proc/meminfo");
	system_root_set("/fake");
	assert_string_equal(system_path(path, "/proc/meminfo"), "/fake/proc/meminfo");
	system_root_set("");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc32c_has_its_known_values),
		cmocka_unit_test_setup_teardown(files_are_replaced_whole, make_directory,
						remove_directory),
		cmocka_unit_test_setup_teardown(directories_are_made, make_directory,
						remove_directory),
		cmocka_unit_test(numbers_come_in_both_forms),
		cmocka_unit_test(reasons_are_cut_not_overrun),
		cmocka_unit_test(what_is_no_text_is_mended),
		cmocka_unit_test(root_moves_the_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
