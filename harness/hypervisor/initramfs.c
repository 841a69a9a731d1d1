// SPDX-License-Identifier: GPL-2.0-only
/*
 * The initramfs of a micro guest: brinell-guest as /init, modules, programs, and /dev/console for error messages of /init. The
 * format is that of the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "harness/hypervisor/domain.h"

#define MODULES_MAX 128

/* An archive that is written; @error keeps the first error. */
struct archive {
	FILE *out;
	unsigned int inode;
	int error;
};

static void put(struct archive *archive, const void *data, size_t length)
{
	/* Directories and devices have no data. */
	if (length && !archive->error && fwrite(data, 1, length, archive->out) != length)
		archive->error = -EIO;
}

static void pad(struct archive *archive, size_t length)
{
	put(archive, "\0\0\0", -length & 3);
}

static void put_entry(struct archive *archive, const char *name, unsigned int mode, dev_t device,
		      const void *data, size_t length)
{
	char header[111];
	size_t name_size = strlen(name) + 1;

	snprintf(header, sizeof(header),
		 "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", ++archive->inode,
		 mode, 0u, 0u, 1u, 0u, (unsigned int)length, 0u, 0u, major(device), minor(device),
		 (unsigned int)name_size, 0u);
	put(archive, header, 110);
	put(archive, name, name_size);
	pad(archive, 110 + name_size);
	put(archive, data, length);
	pad(archive, length);
}

static int put_file(struct archive *archive, const char *name, unsigned int mode, const char *from,
		    struct reason *why)
{
	__cleanup_free char *text = NULL;
	size_t length;
	int error = read_small_file(from, &text, &length);

	if (error)
		return fail_errno(why, error, "put %s into an initramfs", from);
	put_entry(archive, name, S_IFREG | mode, 0, text, length);
	return 0;
}

static int put_modules(struct archive *archive, const char *directory, struct reason *why)
{
	__cleanup_json json_t *paths = NULL;
	__cleanup_free char *loaded = NULL;
	size_t size = 0, index;
	__cleanup_file FILE *load = open_memstream(&loaded, &size);
	int error = modules_collect(directory, &paths, why);
	json_t *path;

	if (error || !json_array_size(paths))
		return error;
	if (json_array_size(paths) > MODULES_MAX)
		return fail(why, -E2BIG, "a guest needs %zu modules of %s, more than %d",
			    json_array_size(paths), directory, MODULES_MAX);
	put_entry(archive, "lib", S_IFDIR | 0755, 0, NULL, 0);
	put_entry(archive, "lib/modules", S_IFDIR | 0755, 0, NULL, 0);
	json_array_foreach (paths, index, path) {
		const char *from = json_string_value(path);
		__cleanup_free char *name = format_text("lib/modules/%s", strrchr(from, '/') + 1);

		error = put_file(archive, name, 0644, from, why);
		if (error)
			return error;
		fprintf(load, "/%s\n", name);
	}
	if (!load || fflush(load) != 0)
		return -ENOMEM;
	put_entry(archive, "modules", S_IFREG | 0644, 0, loaded, size);
	return 0;
}

/* Add the directories of a path, each once. */
static void put_directories(struct archive *archive, const char *path, json_t *made)
{
	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		__cleanup_free char *directory = format_text("%.*s", (int)(slash - path), path);

		if (json_object_get(made, directory))
			continue;
		json_object_set_new(made, directory, json_true());
		put_entry(archive, directory + 1, S_IFDIR | 0755, 0, NULL, 0);
	}
}

/* Programs and libraries keep their paths, with links followed, where the loader searches for them. */
static int put_programs(struct archive *archive, const json_t *programs, struct reason *why)
{
	__cleanup_json json_t *made = json_object();
	__cleanup_json json_t *files = NULL;
	json_t *file;
	size_t index;
	int error = programs_collect(programs, &files, why);

	json_array_foreach (files, index, file) {
		const char *path = json_string_value(file);
		char from[4096];

		if (error)
			break;
		put_directories(archive, path, made);
		error = put_file(archive, path + 1, 0755, system_path(from, path), why);
	}
	return error;
}

/**
 * initramfs_write - write the initramfs of a micro guest
 * @path:   of the archive; an existing file is replaced
 * @source: contents
 * @why:    reason of a failure
 *
 * Return: 0 or -errno; then @path is removed.
 */
int initramfs_write(const char *path, const struct initramfs_source *source, struct reason *why)
{
	static const char *const directories[] = {"dev", "proc", "sys", "tmp", "etc", "run"};
	struct archive archive = {.out = fopen(path, "we")};
	int error = 0;

	if (!archive.out)
		return fail_errno(why, -errno, "write %s", path);
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
		put_entry(&archive, directories[i], S_IFDIR | 0755, 0, NULL, 0);
	/* The kernel opens it for /init before anything is mounted (init/main.c, console_on_rootfs()). */
	put_entry(&archive, "dev/console", S_IFCHR | 0600, makedev(5, 1), NULL, 0);
	error = put_file(&archive, "init", 0755, source->program, why);
	if (!error && source->modules)
		error = put_modules(&archive, source->modules, why);
	if (!error)
		error = put_programs(&archive, source->programs, why);
	put_entry(&archive, "TRAILER!!!", 0, 0, NULL, 0);
	if (fclose(archive.out) != 0 && !archive.error)
		archive.error = -errno;
	if (!error && archive.error)
		error = fail(why, archive.error, "write %s: %s", path, strerror(-archive.error));
	if (error)
		unlink(path);
	return error;
}
