/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_UNIT_FAKE_ROOT_H
#define BRINELL_UNIT_FAKE_ROOT_H

/*
 * A fake machine of files: what system_path() finds is below a directory of the test's own. To be included after
 * all headers of the project.
 */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/lib/util.h"

#include <cmocka.h>

static char root[64];

/* A setup: an empty machine. */
static inline int make_root(void **state)
{
	(void)state;
	strcpy(root, "/tmp/brinell-root.XXXXXX");
	if (!mkdtemp(root))
		return -1;
	system_root_set(root);
	return 0;
}

static inline int remove_entry(const char *path, const struct stat *status, int type,
			       struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

/* The teardown. */
static inline int remove_root(void **state)
{
	(void)state;
	system_root_set("");
	return nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

#define WITH_ROOT(function) cmocka_unit_test_setup_teardown(function, make_root, remove_root)

/* Where a path of that machine is; until the next call. */
static inline const char *place(const char *path)
{
	static char whole[512];

	snprintf(whole, sizeof(whole), "%s%s%s", root, *path == '/' ? "" : "/", path);
	return whole;
}

static inline void put_bytes(const char *path, const void *bytes, size_t length)
{
	__cleanup_free char *directory = strdup(place(path));
	FILE *file;

	*strrchr(directory, '/') = '\0';
	assert_int_equal(make_directories(directory), 0);
	file = fopen(place(path), "we");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

static inline void put(const char *path, const char *text)
{
	put_bytes(path, text, strlen(text));
}

/* That machine may be broken. */
static inline void put_expendable(void)
{
	char host[256] = "";

	assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
	put("/etc/brinell/expendable", host);
}

/* Owned by the caller; "(missing)" when there is no such file. */
static inline char *content(const char *path)
{
	char *text;

	return read_small_file(place(path), &text, NULL) ? strdup("(missing)") : text;
}

static inline void assert_content(const char *path, const char *expected)
{
	__cleanup_free char *text = content(path);

	if (strcmp(text, expected) != 0)
		fail_msg("%s holds '%s' instead of '%s'", path, text, expected);
}

#endif
