// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: directories of runs: made once, never overwritten, with a link to the latest;
 * reports replaced as a whole.
 *
 * rooms: reports/html
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "bats/unit/judge_records.h"
#include "harness/journal/journal.h"
#include "harness/judge/judge.h"
#include "harness/store/store.h"

#include <cmocka.h>

static int home = -1;

static int enter_directory(void **state)
{
	static char directory[64];

	log_level_set(2);
	strcpy(directory, "/tmp/brinell-test-XXXXXX");
	*state = mkdtemp(directory);
	home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *state && home >= 0 ? chdir(directory) : -1;
}

static int leave_directory(void **state)
{
	__cleanup_free char *command = format_text("rm -rf '%s'", (char *)*state);
	int error = fchdir(home);

	close(home);
	return error ? error : system(command);
}

static void latest_points_at_the_last_run(void **state)
{
	__cleanup_free char *first = NULL;
	__cleanup_free char *second = NULL;
	struct reason why;
	const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	struct stat wanted, latest;

	(void)state;
	assert_int_equal(store_create_run(NULL, &first, &why), 0);
	/* Of a run that was killed, and of one that is at it. */
	assert_int_equal(symlink("gone", "brinell-runs/.latest-gone"), 0);
	assert_int_equal(symlink("other", "brinell-runs/.latest-other"), 0);
	assert_int_equal(utimensat(AT_FDCWD, "brinell-runs/.latest-gone", old, AT_SYMLINK_NOFOLLOW),
			 0);
	assert_int_equal(store_create_run(NULL, &second, &why), 0);
	assert_string_not_equal(first, second);
	assert_int_equal(stat(second, &wanted), 0);
	assert_int_equal(stat("brinell-runs/latest", &latest), 0);
	assert_int_equal(wanted.st_ino, latest.st_ino);
	assert_int_equal(access("brinell-runs/latest/artifacts", F_OK), 0);
	assert_int_equal(lstat("brinell-runs/.latest-gone", &latest), -1);
	assert_int_equal(lstat("brinell-runs/.latest-other", &latest), 0);
	assert_int_equal(unlink("brinell-runs/.latest-other"), 0);
}

static void a_run_is_never_overwritten(void **state)
{
	__cleanup_free char *directory = NULL;
	__cleanup_free char *again = NULL;
	struct journal *journal;
	struct reason why;

	(void)state;
	assert_int_equal(store_create_run("mine", &directory, &why), 0);
	assert_int_equal(store_create_run("mine", &again, &why), 0);
	assert_int_equal(journal_create(directory, &journal, &why), 0);
	journal_close(journal);
	free(again);
	again = NULL;
	assert_int_equal(store_create_run("mine", &again, &why), -EEXIST);
	assert_non_null(strstr(why.text, "brinell resume mine"));
}

static void an_impossible_directory_is_named(void **state)
{
	char *directory = NULL;
	struct reason why;

	(void)state;
	assert_int_equal(write_file_atomically(".", "file", "", 0), 0);
	assert_int_not_equal(store_create_run("file/run", &directory, &why), 0);
	assert_non_null(strstr(why.text, "file/run"));
}

static void a_foreign_directory_is_refused(void **state)
{
	char *directory = NULL;
	struct reason why;

	(void)state;
	assert_int_equal(store_create_run("", &directory, &why), -EINVAL);
	assert_int_equal(mkdir("linked", 0755), 0);
	assert_int_equal(symlink("/tmp", "linked/artifacts"), 0);
	assert_int_equal(store_create_run("linked", &directory, &why), -ENOTDIR);
	assert_non_null(strstr(why.text, "linked/artifacts"));
	assert_int_equal(mkdir("dangling", 0755), 0);
	assert_int_equal(symlink("nowhere", "dangling/journal.jsonl"), 0);
	assert_int_equal(store_create_run("dangling", &directory, &why), -EEXIST);
	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir("theirs", 0777), 0);
	assert_int_equal(chown("theirs", 65534, 65534), 0);
	assert_int_equal(store_create_run("theirs", &directory, &why), -EPERM);
	assert_non_null(strstr(why.text, "65534"));
}

static struct journal_index *small_index(void)
{
	struct journal_index *index = NULL;
	__cleanup_json json_t *body = json_object();
	struct reason why;
	static char *text;

	free(text);
	text = journal_encode(1, 1, "run", NULL, body);
	assert_int_equal(journal_index_parse(text, strlen(text), &index, &why), 0);
	return index;
}

static void all_reports_are_written(void **state)
{
	static const char *const files[] = {"results.json", "report.html", "junit.xml", "ktap.txt"};
	__cleanup_index struct journal_index *index = small_index();
	__cleanup_json json_t *results = NULL;
	__cleanup_json json_t *read = NULL;
	struct reason why;

	(void)state;
	/* What a killed writer has left goes, files of others stay. */
	assert_int_equal(write_file_atomically(".", ".results.json.a1B2c3", "half", 4), 0);
	assert_int_equal(write_file_atomically(".", ".results.json.mine", "", 0), 0);
	assert_int_equal(
		store_write_reports(".", (struct rendering){.index = index}, &results, &why), 0);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		assert_int_equal(access(files[i], R_OK), 0);
	assert_int_not_equal(access(".results.json.a1B2c3", F_OK), 0);
	assert_int_equal(access(".results.json.mine", F_OK), 0);
	read = json_load_file("results.json", 0, NULL);
	assert_true(
		json_equal(json_object_get(read, "counts"), json_object_get(results, "counts")));
}

static void two_writers_do_not_mix(void **state)
{
	__cleanup_close int other = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	__cleanup_index struct journal_index *index = small_index();
	__cleanup_json json_t *results = NULL;
	struct reason why;

	(void)state;
	assert_int_equal(flock(other, LOCK_EX), 0);
	assert_int_equal(store_write_reports(".", (struct rendering){.index = index}, &results,
					     &why),
			 -EBUSY);
	assert_int_not_equal(access("results.json", F_OK), 0);
}

static void a_directory_in_the_way_spares_the_other_reports(void **state)
{
	__cleanup_index struct journal_index *index = small_index();
	__cleanup_json json_t *results = NULL;
	struct reason why;

	(void)state;
	assert_int_equal(mkdir("junit.xml", 0755), 0);
	assert_int_not_equal(
		store_write_reports(".", (struct rendering){.index = index}, &results, &why), 0);
	assert_non_null(strstr(why.text, "junit.xml"));
	assert_int_equal(access("results.json", R_OK), 0);
	assert_int_equal(access("report.html", R_OK), 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, enter_directory, leave_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(latest_points_at_the_last_run),
		test(a_run_is_never_overwritten),
		test(an_impossible_directory_is_named),
		test(a_foreign_directory_is_refused),
		test(all_reports_are_written),
		test(two_writers_do_not_mix),
		test(a_directory_in_the_way_spares_the_other_reports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
