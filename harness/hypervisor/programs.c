// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dynamic loader and the libraries of a program of this machine, found by the default search of ld.so(8). Reads the ELF
 * files only; executes nothing.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/lib/elf.h"
#include "harness/hypervisor/domain.h"

#define FILES_MAX 512

static const char *const program_places[] = {
	"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin",
};

/* The default directories of the loader, of Debian and of others. Those of ld.so.conf do not exist in a guest either. */
static const char *const library_places[] = {
	"/lib/x86_64-linux-gnu",
	"/usr/lib/x86_64-linux-gnu",
	"/lib64",
	"/usr/lib64",
	"/lib",
	"/usr/lib",
};

/**
 * struct closure - a set of files and their dependencies
 * @files: array of paths in the order in which they were found
 * @seen:  object of these paths, and of the names of libraries
 */
struct closure {
	json_t *files;
	json_t *seen;
};

static bool is_file(const char *path)
{
	struct stat status;
	char place[4096];

	return stat(system_path(place, path), &status) == 0 && S_ISREG(status.st_mode);
}

static char *find_in(const char *const *places, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		char *path = format_text("%s/%s", places[i], name);

		if (path && is_file(path))
			return path;
		free(path);
	}
	return NULL;
}

/* "$ORIGIN/../lib" of /opt/bin/program is /opt/bin/../lib. */
static char *expand_origin(const char *directory, size_t length, const char *of)
{
	static const char *const words[] = {"$ORIGIN", "${ORIGIN}"};
	const char *slash = strrchr(of, '/');
	int origin = slash ? (int)(slash - of) : 0;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t word = strlen(words[i]);

		if (length >= word && strncmp(directory, words[i], word) == 0)
			return format_text("%.*s%.*s", origin, of, (int)(length - word),
					   directory + word);
	}
	return format_text("%.*s", (int)length, directory);
}

static char *find_library(const char *name, const char *of, const char *search)
{
	while (search && *search) {
		size_t length = strcspn(search, ":");
		__cleanup_free char *directory = expand_origin(search, length, of);
		const char *const places[] = {directory};
		char *path = length ? find_in(places, 1, name) : NULL;

		if (path)
			return path;
		search += length + (search[length] == ':');
	}
	return find_in(library_places, ARRAY_SIZE(library_places), name);
}

static void add_file(struct closure *closure, const char *path)
{
	if (json_object_get(closure->seen, path))
		return;
	json_object_set_new(closure->seen, path, json_true());
	json_array_append_new(closure->files, json_string(path));
}

static int add_library(struct closure *closure, const char *name, const char *of,
		       const char *search, struct reason *why)
{
	__cleanup_free char *path = NULL;

	if (json_object_get(closure->seen, name))
		return 0;
	json_object_set_new(closure->seen, name, json_true());
	path = *name == '/' ? xstrdup(name) : find_library(name, of, search);
	if (!path || !is_file(path))
		return fail(why, -ENOENT,
			    "%s needs the library %s, which is in none of the directories of the "
			    "dynamic loader",
			    of, name);
	add_file(closure, path);
	return 0;
}

/* The C library loads libgcc_s when a thread is cancelled or exits, and aborts the process if it is missing. */
static void add_unwinder(struct closure *closure)
{
	__cleanup_free char *path =
		find_in(library_places, ARRAY_SIZE(library_places), "libgcc_s.so.1");

	if (path && json_object_get(closure->seen, "libc.so.6"))
		add_file(closure, path);
}

/* @first: a program; else a library or the loader. */
static int add_links(struct closure *closure, const char *path, bool first, struct reason *why)
{
	struct elf_links links;
	char place[4096];
	const json_t *name;
	size_t index;
	int error = elf_links_read(&links, system_path(place, path), why);

	if (!error && !links.program)
		error = fail(why, -ENOEXEC, "%s is not an x86-64 program%s", path,
			     first ? "; for a script, name its interpreter" : "");
	if (!error && links.interpreter && !is_file(links.interpreter))
		error = fail(why, -ENOENT, "%s needs the dynamic loader %s, which does not exist",
			     path, links.interpreter);
	if (!error && links.interpreter)
		add_file(closure, links.interpreter);
	json_array_foreach (links.needed, index, name)
		if (!error)
			error = add_library(closure, json_string_value(name), path, links.search,
					    why);
	elf_links_release(&links);
	return error;
}

static int add_program(struct closure *closure, const char *name, struct reason *why)
{
	__cleanup_free char *path =
		*name == '/' ? xstrdup(name)
			     : find_in(program_places, ARRAY_SIZE(program_places), name);

	if (!path || !is_file(path))
		return fail(why, -ENOENT, "this machine has no program %s for a guest", name);
	add_file(closure, path);
	return 0;
}

/**
 * programs_collect - find programs of this machine with their loader and libraries
 * @names: array of names, searched in the usual directories, or of paths; NULL: none
 * @files: receives an array of paths; owned by the caller also after a failure
 * @why:   reason of a failure
 *
 * Libraries of dlopen(3) are not found, except libgcc_s, which every threaded program may load.
 *
 * Return: 0, -ENOENT, -ENOEXEC if a file is no program, or another -errno.
 */
int programs_collect(const json_t *names, json_t **files, struct reason *why)
{
	__cleanup_json json_t *seen = json_object();
	struct closure closure = {.files = json_array(), .seen = seen};
	const json_t *name;
	size_t programs, index;
	int error = 0;

	*files = closure.files;
	json_array_foreach (names, index, name)
		if (!error)
			error = add_program(&closure, json_string_value(name), why);
	programs = json_array_size(closure.files);
	for (size_t i = 0; !error && i < json_array_size(closure.files); i++) {
		error = add_links(&closure, json_string_value(json_array_get(closure.files, i)),
				  i < programs, why);
		add_unwinder(&closure);
		if (!error && i > FILES_MAX)
			error = fail(why, -E2BIG, "the programs need more than %d files",
				     FILES_MAX);
	}
	return error;
}
