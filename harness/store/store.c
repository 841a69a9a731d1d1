// SPDX-License-Identifier: GPL-2.0-only
/*
 * The directory of a run: made once, never overwritten; results and reports are replaced as a whole
 * or not at all.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "harness/journal/journal.h"
#include "harness/store/store.h"

/* A new link is renamed within microseconds. */
#define LINK_AGE_S 60

static char *default_name(void)
{
	__cleanup_free char *date = format_utc(time(NULL), "%Y%m%d-%H%M%S");
	uint32_t random = 0;

	(void)!getrandom(&random, sizeof(random), 0);
	return format_text("%s-%08x", date, random);
}

/* Removes temporary files of killed programs. @age_s: least age, at which no program will rename the file any more */
static void remove_leftovers(const char *directory, const char *pattern, time_t age_s)
{
	DIR *folder = opendir(directory);
	const struct dirent *entry;
	struct stat status;

	while (folder && (entry = readdir(folder)))
		if (fnmatch(pattern, entry->d_name, FNM_PERIOD) == 0 &&
		    fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		    time(NULL) - status.st_mtime >= age_s)
			unlinkat(dirfd(folder), entry->d_name, 0);
	if (folder)
		closedir(folder);
}

/*
 * The link is optional: a file system without links, or a file of the user with that name, is no
 * error.
 */
static void point_latest(const char *name)
{
	__cleanup_free char *link = format_text("%s/latest", STORE_RUNS);
	__cleanup_free char *fresh = format_text("%s/.latest-%s", STORE_RUNS, name);
	struct stat status;

	if (lstat(link, &status) == 0 && !S_ISLNK(status.st_mode)) {
		log_warning("%s is no link: it was left as it is", link);
		return;
	}
	remove_leftovers(STORE_RUNS, ".latest-*", LINK_AGE_S);
	if (symlink(name, fresh) < 0 || rename(fresh, link) < 0) {
		log_warning("pointing %s at %s: %s", link, name, strerror(errno));
		unlink(fresh);
	}
}

/**
 * store_check_owner - whether a directory may be written: it is this user's, and its parts are no links to elsewhere
 * @path: of the directory of a run
 * @why:  filled on an error
 *
 * Return: 0, also when nothing is there; -ENOTDIR, -EPERM.
 */
int store_check_owner(const char *path, struct reason *why)
{
	__cleanup_free char *artifacts = format_text("%s/%s", path, STORE_ARTIFACTS);
	struct stat status;

	if (stat(path, &status) < 0)
		return 0;
	if (!S_ISDIR(status.st_mode))
		return fail(why, -ENOTDIR, "'%s' is no directory", path);
	if (status.st_uid != geteuid())
		return fail(why, -EPERM, "'%s' belongs to another user (%u)", path, status.st_uid);
	if (lstat(artifacts, &status) == 0 && !S_ISDIR(status.st_mode))
		return fail(why, -ENOTDIR, "'%s' is no directory", artifacts);
	return 0;
}

static int check_new(const char *path, struct reason *why)
{
	__cleanup_free char *journal = format_text("%s/%s", path, JOURNAL_FILE);
	struct reason inner = {""};
	struct stat status;
	int error;

	if (!*path)
		return fail(why, -EINVAL, "the name of the directory for the results is empty");
	error = store_check_owner(path, &inner);
	if (error)
		return fail(why, error, "%s; give another directory with --out", inner.text);
	if (lstat(journal, &status) == 0)
		return fail(
			why, -EEXIST,
			"'%s' holds a run already: give another directory with --out, or finish "
			"that run with 'brinell resume %s'",
			path, path);
	return 0;
}

/**
 * store_create_run - make the directory of a new run
 * @out:       path from the user, or NULL for brinell-runs/DATE-ID with a link
 *             brinell-runs/latest to it
 * @directory: receives its path; owned by the caller
 * @why:       filled on an error
 *
 * An existing directory of the user is accepted if it has no run. If two programs use the same one, journal_create() succeeds
 * in only one of them.
 *
 * Return: 0; -EEXIST when a run is there; -EPERM for a directory of another user; -errno.
 */
int store_create_run(const char *out, char **directory, struct reason *why)
{
	__cleanup_free char *name = out ? NULL : default_name();
	__cleanup_free char *path = out ? strdup(out) : format_text("%s/%s", STORE_RUNS, name);
	__cleanup_free char *artifacts = format_text("%s/%s", path, STORE_ARTIFACTS);
	int error = check_new(path, why);

	if (error)
		return error;
	error = make_directories(artifacts);
	if (error)
		return fail(why, error, "making the directory '%s': %s; give another with --out",
			    path, strerror(-error));
	if (access(path, W_OK) < 0)
		return fail(why, -errno,
			    "'%s' can not be written: %s; give another directory with --out", path,
			    strerror(errno));
	if (name)
		point_latest(name);
	*directory = steal(path);
	return 0;
}

/*
 * Opens a file for each report that has one. One that can not be written is named, and the others are written all the same.
 */
static int open_reports(const char *directory, const struct report **reports,
			struct atomic_file *files, size_t *count, struct reason *why)
{
	int first = 0;

	*count = 0;
	for (size_t i = 0; i < report_count() && *count < RENDER_MOST; i++) {
		const struct report *report = report_at(i);
		__cleanup_free char *leftovers = NULL;
		int error;

		if (!report->file)
			continue;
		/* Left by write_file_atomically(): no other program writes, because the lock is held. */
		leftovers = format_text(".%s.??????", report->file);
		remove_leftovers(directory, leftovers, 0);
		error = atomic_file_open(&files[*count], directory, report->file);
		if (!error)
			reports[(*count)++] = report;
		else if (!first)
			first = fail(why, error, "writing %s/%s: %s", directory, report->file,
				     strerror(-error));
	}
	return first;
}

/**
 * store_write_reports - write results.json and every report that has a file in a run's directory
 * @directory: of the run
 * @rendering: of what, and how; its reports are set here
 * @summary:   receives what judge_run() gives; owned by the caller, and NULL when nothing was judged
 * @why:       filled on an error
 *
 * Each file is replaced as a whole. The others are written even if one fails.
 *
 * Return: 0; -EBUSY when another brinell writes them just now; -EPERM in a directory of another user; the first -errno.
 */
int store_write_reports(const char *directory, struct rendering rendering, json_t **summary,
			struct reason *why)
{
	__cleanup_close int folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct report *reports[RENDER_MOST];
	struct atomic_file files[RENDER_MOST];
	FILE *outs[RENDER_MOST];
	int first, error;

	*summary = NULL;
	if (folder < 0)
		return fail(why, -errno, "opening the directory '%s': %s", directory,
			    strerror(errno));
	first = store_check_owner(directory, why);
	if (first)
		return first;
	if (flock(folder, LOCK_EX | LOCK_NB) < 0)
		return fail(why, -EBUSY, "another brinell writes the reports of '%s' just now",
			    directory);
	first = open_reports(directory, reports, files, &rendering.count, why);
	for (size_t i = 0; i < rendering.count; i++)
		outs[i] = files[i].out;
	rendering.reports = reports;
	rendering.outs = outs;
	error = render(&rendering, summary);
	for (size_t i = 0; i < rendering.count; i++) {
		int closed = atomic_file_close(&files[i], error);

		if (closed && !first)
			first = fail(why, closed, "writing %s/%s: %s", directory, reports[i]->file,
				     strerror(-closed));
	}
	return first;
}
