// SPDX-License-Identifier: GPL-2.0-only
/*
 * Picks the few modules that a host needs out of a kernel's thousands, with all that they depend
 * on, unpacked.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>

#include "harness/rig/image/image.h"

/*
 * A module found in the tree: its canonical name ('-' is '_', as the kernel has it) and its file.
 */
struct module {
	char *name;
	char *path;
};

struct module_index {
	struct module *modules;
	size_t count;
};

static __thread struct module_index *walked;

static char *canonical_name(const char *file)
{
	const char *base = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
	const char *end = strstr(base, ".ko");
	char *name = strndup(base, end ? (size_t)(end - base) : strlen(base));

	for (char *character = name; character && *character; character++)
		if (*character == '-')
			*character = '_';
	return name;
}

static bool is_module(const char *path)
{
	static const char *const endings[] = {".ko", ".ko.xz", ".ko.zst", ".ko.gz"};
	size_t length = strlen(path);

	for (size_t i = 0; i < ARRAY_SIZE(endings); i++)
		if (length > strlen(endings[i]) &&
		    strcmp(path + length - strlen(endings[i]), endings[i]) == 0)
			return true;
	return false;
}

static int index_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	struct module *larger;

	(void)status;
	(void)where;
	if (kind != FTW_F || !is_module(path))
		return 0;
	if ((walked->count & 63) == 0) {
		larger = reallocarray(walked->modules, walked->count + 64, sizeof(*larger));
		if (!larger)
			return -1;
		walked->modules = larger;
	}
	walked->modules[walked->count].name = canonical_name(path);
	walked->modules[walked->count].path = strdup(path);
	walked->count++;
	return 0;
}

static void index_free(struct module_index *index)
{
	for (size_t i = 0; i < index->count; i++) {
		free(index->modules[i].name);
		free(index->modules[i].path);
	}
	free(index->modules);
}

static const struct module *index_find(const struct module_index *index, const char *wanted)
{
	__cleanup_free char *name = canonical_name(wanted);

	for (size_t i = 0; i < index->count; i++)
		if (strcmp(index->modules[i].name, name) == 0)
			return &index->modules[i];
	return NULL;
}

static int unpack_module(const struct module *module, const char *target, struct reason *why)
{
	__cleanup_free char *path = format_text("%s/%s.ko", target, module->name);
	__cleanup_close int output = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	const char *ending = strrchr(module->path, '.');
	const char *tool = strcmp(ending, ".xz") == 0	 ? "xz"
			   : strcmp(ending, ".zst") == 0 ? "zstd"
			   : strcmp(ending, ".gz") == 0	 ? "gzip"
							 : "cat";
	const char *const argv[] = {tool, strcmp(tool, "cat") ? "-dc" : "--", module->path, NULL};
	struct image_command command = {.argv = argv, .output = output};

	if (output < 0)
		return fail(why, -errno, "cannot write %s: %s", path, strerror(errno));
	return image_run(&command, why);
}

/* Depth first, so that each module comes behind all that it needs. */
static int pick(const struct module_index *index, const char *wanted, const char *target,
		json_t *order, struct reason *why)
{
	const struct module *module = index_find(index, wanted);
	__cleanup_free char *depends = NULL;
	char *rest, *word;
	int error;

	/* Built in, or this kernel does not have it: the host tells when it is missed. */
	if (!module)
		return 0;
	for (size_t i = 0; i < json_array_size(order); i++)
		if (strcmp(json_string_value(json_array_get(order, i)), module->name) == 0)
			return 0;
	const char *const argv[] = {"modinfo", "-F", "depends", module->path, NULL};

	error = image_run_text(argv, NULL, &depends, why);
	if (error)
		return error;
	for (word = strtok_r(depends, ",\n", &rest); word; word = strtok_r(NULL, ",\n", &rest)) {
		error = pick(index, word, target, order, why);
		if (error)
			return error;
	}
	error = unpack_module(module, target, why);
	if (!error)
		json_array_append_new(order, json_string(module->name));
	return error;
}

static int write_list(const char *target, const char *list, const json_t *order, struct reason *why)
{
	__cleanup_free char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	int error;

	if (!stream)
		return -ENOMEM;
	for (size_t i = 0; i < json_array_size(order); i++)
		fprintf(stream, "%s.ko\n", json_string_value(json_array_get(order, i)));
	fclose(stream);
	error = write_file_atomically(target, list, text, size);
	return error ? fail(why, error, "cannot write %s/%s: %s", target, list, strerror(-error))
		     : 0;
}

/**
 * image_modules_pick - the modules of a profile, with what they need, unpacked into one directory
 * @tree:   a /lib/modules/RELEASE or a build tree
 * @names:  NULL-terminated
 * @list:   name of a file
 * @target: directory; receives NAME.ko files, and @list with their names in the order of their
 *          dependencies
 *
 * Modules that the tree does not have are built in or missing; both are fine here. Return: 0 or
 * -errno.
 */
int image_modules_pick(const char *tree, const char *const *names, const char *list,
		       const char *target, struct reason *why)
{
	__cleanup_json json_t *order = json_array();
	struct module_index index = {0};
	int error = 0;

	walked = &index;
	if (nftw(tree, index_entry, 32, FTW_PHYS) < 0) {
		error = -errno;
		index_free(&index);
		return fail(why, error, "cannot look for kernel modules in %s: %s", tree,
			    strerror(-error));
	}
	for (; !error && *names; names++)
		error = pick(&index, *names, target, order, why);
	index_free(&index);
	return error ? error : write_list(target, list, order, why);
}

/**
 * image_modules_pick_all - the modules that a host loads, and those that it has for its guests
 * @tree:    a /lib/modules/RELEASE or a build tree
 * @profile: names them
 * @target:  directory; receives NAME.ko files, brinell.load and, with guests, brinell.guest
 *
 * Return: 0 or -errno.
 */
int image_modules_pick_all(const char *tree, const struct rig_profile *profile, const char *target,
			   struct reason *why)
{
	int error = image_modules_pick(tree, profile->modules, "brinell.load", target, why);

	if (!error && profile->guest_modules)
		error = image_modules_pick(tree, profile->guest_modules, "brinell.guest", target,
					   why);
	return error;
}
