// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: checksums against their published values, files that survive a crash, reasons, programs, and lines.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "harness/lib/lines.h"
#include "harness/lib/spawn.h"
#include "harness/lib/text.h"

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
	assert_int_equal(write_file_atomically(path, "file", "x", 1), -ENOTDIR);
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

static void a_program_gets_its_streams_and_ends(void **state)
{
	int given = dup(STDIN_FILENO), status = 0;
	__cleanup_free char *script = format_text("read a; echo $a; echo no >&2; "
						  "[ -e /proc/self/fd/%d ] && exit 7",
						  given);
	const char *const argv[] = {"sh", "-c", script, NULL};
	struct spawn spawn = {.argv = argv,
			      .streams = {SPAWN_PIPE, SPAWN_PIPE, SPAWN_OUTPUT},
			      .keep = &given,
			      .keep_count = 1};
	char text[16] = "";

	(void)state;
	fcntl(given, F_SETFD, FD_CLOEXEC);
	assert_int_equal(spawn_start(&spawn, NULL), 0);
	assert_int_equal(spawn.ends[2], -1);
	assert_int_equal(spawn_wait(&spawn, 0, &status), -ETIMEDOUT);
	assert_int_equal(write(spawn.ends[0], "yes\n", 4), 4);
	assert_int_equal(spawn_wait(&spawn, -1, &status), 0);
	assert_int_equal(WEXITSTATUS(status), 7);
	assert_int_equal(read(spawn.ends[1], text, sizeof(text)), 7);
	assert_string_equal(text, "yes\nno\n");
	close(spawn.ends[0]);
	close(spawn.ends[1]);
	close(given);
}

static void a_program_that_can_not_be_run_is_reported(void **state)
{
	const char *const argv[] = {"brinell-no-such-program", NULL};
	struct spawn spawn = {.argv = argv, .streams = {SPAWN_NULL, SPAWN_NULL, SPAWN_PIPE}};
	char text[128] = "";
	int status = 0;

	(void)state;
	assert_int_equal(spawn_start(&spawn, NULL), 0);
	assert_int_equal(spawn_wait(&spawn, -1, &status), 0);
	assert_int_equal(WEXITSTATUS(status), 127);
	assert_true(read(spawn.ends[2], text, sizeof(text) - 1) > 0);
	assert_non_null(strstr(text, "cannot run brinell-no-such-program"));
	close(spawn.ends[2]);
}

static void lines_come_whole(void **state)
{
	struct lines lines = {.most = 5};
	size_t length;
	char *line;

	(void)state;
	assert_int_equal(lines_next(&lines, &line, &length), 0);
	lines_feed(&lines, "a", 1);
	assert_int_equal(lines_next(&lines, &line, &length), 0);
	lines_feed(&lines, "b\nlonger\n\nto", 13);
	assert_int_equal(lines_next(&lines, &line, &length), 1);
	assert_string_equal(line, "ab");
	assert_int_equal(lines_next(&lines, &line, &length), -EMSGSIZE);
	assert_int_equal(lines_next(&lines, &line, &length), 1);
	assert_int_equal(length, 0);
	assert_int_equal(lines_next(&lines, &line, &length), 0);
	lines_feed(&lines, "o long", 6);
	assert_int_equal(lines_next(&lines, &line, &length), -EMSGSIZE);
	lines_feed(&lines, " by far\nz\n", 10);
	assert_int_equal(lines_next(&lines, &line, &length), 1);
	assert_string_equal(line, "z");
	lines_release(&lines);
}

static void xml_is_escaped_where_it_is_given(void **state)
{
	__cleanup_free char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	(void)state;
	text_xml_format(out, "<a b=\"%s\">%d%% of %zu, %.1f %c %" PRId64 "</a>%s", "<&\"'\x01>", -7,
			(size_t)1 << 40, 2.25, 'x', INT64_MIN, "");
	fclose(out);
	assert_string_equal(text, "<a b=\"&lt;&amp;&quot;&#39;\xef\xbf\xbd&gt;\">-7% of "
				  "1099511627776, 2.2 x -9223372036854775808</a>");
}

static void words_are_split_and_quoted_as_in_a_shell(void **state)
{
	static const char *const words[] = {"plain",	   "",	"a b", "it's", "\\",
					    "\"x\\\" y\"", "'", "\t#"};
	char line[] = "  run\ta\\ b'c \"d'\"e \\\" \\f 'g\" '' x\\";
	__cleanup_free char *text = NULL;
	char *rest = line, *word;

	(void)state;
	assert_int_equal(next_shell_word(&rest, &word), 0);
	assert_string_equal(word, "run");
	assert_int_equal(next_shell_word(&rest, &word), 0);
	assert_string_equal(word, "a bc \"de \" \\f 'g");
	assert_int_equal(next_shell_word(&rest, &word), 0);
	assert_string_equal(word, "");
	assert_int_equal(next_shell_word(&rest, &word), 0);
	assert_string_equal(word, "x\\");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(next_shell_word(&rest, &word), 0);
		assert_null(word);
	}
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		append_shell_word(&text, words[i]);
	rest = text;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		assert_int_equal(next_shell_word(&rest, &word), 0);
		assert_string_equal(word, words[i]);
	}
	strcpy(line, "a 'b c");
	rest = line;
	assert_int_equal(next_shell_word(&rest, &word), 0);
	assert_int_equal(next_shell_word(&rest, &word), -EINVAL);
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
		cmocka_unit_test(a_program_gets_its_streams_and_ends),
		cmocka_unit_test(a_program_that_can_not_be_run_is_reported),
		cmocka_unit_test(lines_come_whole),
		cmocka_unit_test(xml_is_escaped_where_it_is_given),
		cmocka_unit_test(words_are_split_and_quoted_as_in_a_shell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
