// SPDX-License-Identifier: GPL-2.0-only
/*
 * The library: a directory of scenario files, each known by its path without ".yaml".
 */
#include <errno.h>
#include <fnmatch.h>
#include <fts.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/scenario/document.h"
#include "harness/scenario/scenario.h"

#define SUFFIX ".yaml"

static bool is_directory(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* In a source tree the program lies in build/ or build/asan/ or build/unit/: its own library comes first. */
static char *library_around_program(void)
{
	char program[4096];
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);

	if (length < 0)
		return NULL;
	program[length] = '\0';
	for (unsigned int level = 0; level < 4; level++) {
		char *slash = strrchr(program, '/');
		char *directory;

		if (!slash)
			break;
		*slash = '\0';
		directory = format_text("%s/harness/scenario/library", program);
		if (is_directory(directory))
			return directory;
		free(directory);
		/* An installation can be anywhere: DESTDIR, or another prefix than the one that was built for. */
		directory = format_text("%s/share/brinell/scenarios", program);
		if (is_directory(directory))
			return directory;
		free(directory);
	}
	return NULL;
}

/**
 * scenario_library_path - where the shipped scenarios are
 * @directory: receives an absolute path without symbolic links; owned by the caller
 *
 * $BRINELL_LIBRARY, else the source tree or the installation that the program lies in, else where `make install` puts
 * them.
 *
 * Return: 0, or -ENOENT when there is no such directory.
 */
int scenario_library_path(char **directory)
{
	const char *chosen = getenv("BRINELL_LIBRARY");
	__cleanup_free char *of_tree = chosen ? NULL : library_around_program();

	if (!chosen)
		chosen = of_tree ?: SCENARIO_DIR;
	if (!is_directory(chosen))
		return -ENOENT;
	*directory = realpath(chosen, NULL);
	return *directory ? 0 : -errno;
}

static int compare_entries(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/**
 * scenario_library_list - names of all scenarios of the library, in alphabetical order
 * @names: receives an array of texts; owned by the caller
 * @why:   reason why there is no library
 *
 * Return: 0 or -errno.
 */
int scenario_library_list(json_t **names, struct reason *why)
{
	__cleanup_free char *library = NULL;
	__cleanup_json json_t *found = json_array();
	char *roots[2] = {NULL, NULL};
	FTSENT *entry;
	FTS *walk;

	if (scenario_library_path(&library))
		return fail(why, -ENOENT,
			    "there is no library of scenarios at %s; set BRINELL_LIBRARY to its "
			    "directory, or run make install",
			    getenv("BRINELL_LIBRARY") ? getenv("BRINELL_LIBRARY") : SCENARIO_DIR);
	roots[0] = library;
	walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, compare_entries);
	if (!walk)
		return fail_errno(why, -errno, "cannot read the library %s", library);
	while ((entry = fts_read(walk))) {
		const char *relative = entry->fts_path + strlen(library) + 1;
		size_t length = strlen(entry->fts_name);

		if (entry->fts_info != FTS_F || entry->fts_name[0] == '.' ||
		    length <= strlen(SUFFIX) ||
		    strcmp(entry->fts_name + length - strlen(SUFFIX), SUFFIX) != 0)
			continue;
		json_array_append_new(found,
				      json_stringn(relative, strlen(relative) - strlen(SUFFIX)));
	}
	fts_close(walk);
	*names = steal(found);
	return 0;
}

static int append_once(json_t *paths, const char *path, struct reason *why)
{
	size_t index;
	json_t *item;

	json_array_foreach (paths, index, item)
		if (strcmp(json_string_value(item), path) == 0)
			return 0;
	return json_array_append_new(paths, json_string(path)) == 0
		       ? 0
		       : fail(why, -EILSEQ, "the path '%s' is not UTF-8; rename its directory",
			      path);
}

/* 1 when the scenario file has the tag, 0 when not, or an error of the file. */
static int has_tag(const char *path, const char *tag, struct reason *why)
{
	struct scenario *scenario;
	size_t index;
	json_t *item;
	int found = scenario_load(path, NULL, &scenario, why);

	if (found)
		return found;
	json_array_foreach (scenario->tags, index, item)
		if (strcmp(json_string_value(item), tag) == 0)
			found = 1;
	scenario_free(scenario);
	return found;
}

static int nothing_selected(const char *pattern, const json_t *names, struct reason *why)
{
	__cleanup_json json_t *near = json_array();
	__cleanup_free char *list = NULL;
	const char *nearest = nearest_name(pattern, names);
	const char *last = strrchr(pattern, '/');
	size_t index;
	json_t *item;

	if (*pattern == '@')
		return fail(why, -ENOENT,
			    "no scenario has the tag '%s'; see `brinell list scenarios` for tags",
			    pattern + 1);
	if (nearest)
		json_array_append_new(near, json_string(nearest));
	json_array_foreach (names, index, item) {
		const char *name = json_string_value(item);

		if ((!nearest || strcmp(nearest, name) != 0) && json_array_size(near) < 8 &&
		    *pattern && strcasestr(name, last && last[1] ? last + 1 : pattern))
			json_array_append(near, item);
	}
	if (json_array_size(near) == 0)
		return fail(why, -ENOENT,
			    "no scenario matches '%s'; see `brinell list scenarios` for names",
			    pattern);
	list = join_names(near);
	return fail(why, -ENOENT, "no scenario matches '%s'; near: %s", pattern, list);
}

/* As in a shell, so that "kvm" with a star does not mean what is below kvm/migration too. A star alone means all of them. */
static bool name_matches(const char *pattern, const char *name)
{
	return strcmp(pattern, "*") == 0 || fnmatch(pattern, name, FNM_PATHNAME) == 0;
}

/**
 * scenario_select - the scenario files that a word of the command line means
 * @pattern: path of a file; "@TAG"; or a name of the library, or a pattern of names (a star stops at a slash; a star alone
 *           means all)
 * @paths:   array to append paths to, each once
 * @why:     names similar scenarios when none matches
 *
 * Return: 0, -ENOENT when nothing was selected, or an error of reading the library.
 */
int scenario_select(const char *pattern, json_t *paths, struct reason *why)
{
	__cleanup_free char *library = NULL;
	__cleanup_json json_t *names = NULL;
	struct stat status;
	size_t length = strlen(pattern);
	bool selected = false;
	size_t index;
	json_t *item;
	int error;

	error = stat(pattern, &status) < 0 ? errno : S_ISDIR(status.st_mode) ? EISDIR : 0;
	if (!error)
		return append_once(paths, pattern, why);
	if (*pattern == '/' || *pattern == '.' ||
	    (length > strlen(SUFFIX) && strcmp(pattern + length - strlen(SUFFIX), SUFFIX) == 0))
		return fail(why, -ENOENT,
			    "no scenario file %s: %s; see `brinell list scenarios` for names",
			    pattern, strerror(error));
	error = scenario_library_list(&names, why);
	if (error)
		return error;
	(void)scenario_library_path(&library);
	json_array_foreach (names, index, item) {
		__cleanup_free char *path =
			format_text("%s/%s" SUFFIX, library, json_string_value(item));
		int match = *pattern == '@' ? has_tag(path, pattern + 1, why)
					    : name_matches(pattern, json_string_value(item));

		if (match < 0)
			return match;
		error = match ? append_once(paths, path, why) : 0;
		if (error)
			return error;
		selected = selected || match;
	}
	return selected ? 0 : nothing_selected(pattern, names, why);
}
