// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the index of runs on a disk that is full at any moment, and while another process has it.
 */
#include <errno.h>
#include <sqlite3.h>

#include "harness/history/history.h"
#include "bats/unit/fake_root.h"

/* Writes that the disk still takes; those after it find it full. */
static long writes_left = -1;

static ssize_t write_until_full(int fd, const void *bytes, size_t length, off_t offset)
{
	if (writes_left >= 0 && writes_left-- == 0) {
		writes_left = 0;
		errno = ENOSPC;
		return -1;
	}
	return pwrite(fd, bytes, length, offset);
}

static void fill_disk_after(long writes)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	writes_left = writes;
	assert_int_equal(vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)write_until_full),
			 SQLITE_OK);
	assert_int_equal(vfs->xSetSystemCall(vfs, "pwrite64",
					     (sqlite3_syscall_ptr)write_until_full),
			 SQLITE_OK);
}

static int64_t waited_us;

/* The library waits for a lock by this function: no test waits itself. */
static int pass_time(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	waited_us += us;
	return us;
}

static struct reason why;

static void put_run(int number)
{
	__cleanup_free char *path = format_text("/runs/%02d/results.json", number);
	__cleanup_free char *text = format_text(
		"{\"run\":\"202611%02dT010000Z-0\",\"version\":\"0.1\",\"complete\":true,"
		"\"trials\":["
		"{\"trial\":\"0001\",\"scenario\":\"perf/case\",\"bench\":\"kvm\",\"verdict\":"
		"\"pass\",\"metrics\":{\"time\":{\"unit\":\"ms\",\"direction\":\"lower\",\"value\":"
		"%d,"
		"\"samples\":[%d],\"boot\":\"b%d\"}}}]}",
		number, number, number, number);

	put(path, text);
}

static int add(struct history *history, int number)
{
	__cleanup_free char *path = format_text("%s/runs/%02d", root, number);
	bool added = false;
	int error = history_add(history, path, &added, &why);

	assert_true(error || added);
	return error;
}

static struct history *opened(const char *path)
{
	struct history *history;

	if (history_open(path, &history, &why))
		fail_msg("%s", why.text);
	return history;
}

static size_t runs_in(struct history *history)
{
	__cleanup_json json_t *runs = NULL, *series = NULL;

	if (history_runs(history, &runs, &why) ||
	    history_series(history, NULL, NULL, NULL, &series, &why))
		fail_msg("%s", why.text);
	assert_int_equal(json_array_size(runs), json_array_size(series));
	return json_array_size(runs);
}

/* An import of three runs, as the command makes it. */
static int import(struct history *history)
{
	int error = history_begin(history, &why);

	for (int number = 2; number <= 4 && !error; number++)
		error = add(history, number);
	return history_end(history, error ? NULL : &why) ?: error;
}

static void a_full_disk_loses_nothing(void **state)
{
	__cleanup_free char *path = format_text("%s/history.db", root);
	struct history *history;
	long writes = 0;
	int error;

	(void)state;
	for (int number = 1; number <= 4; number++)
		put_run(number);
	history = opened(path);
	assert_int_equal(add(history, 1), 0);
	history_close(history);
	do {
		history = opened(path);
		fill_disk_after(writes);
		error = import(history);
		fill_disk_after(-1);
		assert_int_equal(runs_in(history), error ? 1 : 4);
		history_close(history);
		history = opened(path);
		assert_int_equal(runs_in(history), error ? 1 : 4);
		history_close(history);
		if (error &&
		    (error != -EIO || !strstr(why.text, "free some space: the index is unchanged")))
			fail_msg("after %ld writes: %d, %s", writes, error, why.text);
	} while (error && ++writes < 100);
	print_message("%ld writes failed one after the other\n", writes);
	assert_in_range(writes, 3, 99);
}

static void a_full_disk_makes_no_index(void **state)
{
	__cleanup_free char *path = format_text("%s/history.db", root);
	struct history *history;

	(void)state;
	fill_disk_after(0);
	assert_int_equal(history_open(path, &history, &why), -EIO);
	assert_non_null(strstr(why.text, "free some space"));
	fill_disk_after(-1);
	history = opened(path);
	assert_int_equal(runs_in(history), 0);
	history_close(history);
}

/* It is waited for, and then what it has written is there. */
static void an_index_that_another_process_has_is_left_to_it(void **state)
{
	__cleanup_free char *path = format_text("%s/history.db", root);
	struct history *history;
	sqlite3 *other;

	(void)state;
	sqlite3_vfs_find(NULL)->xSleep = pass_time;
	put_run(1);
	history = opened(path);
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
	history_close(history);
	assert_int_equal(history_open(path, &history, &why), -EBUSY);
	assert_non_null(strstr(why.text, "another brinell has locked it"));
	assert_true(waited_us >= 4 * 1000 * 1000);
	assert_int_equal(sqlite3_exec(other, "INSERT INTO run VALUES ('r', 'd', '1', 1); COMMIT",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(other);
	history = opened(path);
	assert_int_equal(add(history, 1), 0);
	{
		__cleanup_json json_t *runs = NULL;

		assert_int_equal(history_runs(history, &runs, &why), 0);
		assert_int_equal(json_array_size(runs), 2);
	}
	history_close(history);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ROOT(a_full_disk_loses_nothing),
		WITH_ROOT(a_full_disk_makes_no_index),
		WITH_ROOT(an_index_that_another_process_has_is_left_to_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
