// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of the kernel that keep what was written to them: saved, set, and put back.
 */
#include <errno.h>
#include <string.h>

#include "inject/sticky.h"

static struct sticky_file *find(struct sticky *sticky, const char *path)
{
	for (size_t i = 0; i < sticky->count; i++)
		if (strcmp(sticky->files[i].path, path) == 0)
			return &sticky->files[i];
	return NULL;
}

/**
 * sticky_save - remember what a file says now
 * @sticky: where
 * @path:   absolute; a file that is not there or can not be read is remembered as such
 * @format: for putting it back
 *
 * Return: the entry, borrowed; NULL when there are too many.
 */
struct sticky_file *sticky_save(struct sticky *sticky, const char *path, enum sticky_format format)
{
	struct sticky_file *file = find(sticky, path);
	char buffer[4096];

	if (file)
		return file;
	if (sticky->count == STICKY_FILE_LIMIT)
		return NULL;
	file = &sticky->files[sticky->count++];
	*file = (struct sticky_file){.path = strdup(path), .format = format};
	if (read_small_file(system_path(buffer, path), &file->saved, NULL) == 0)
		file->saved[strcspn(file->saved, "\n")] = '\0';
	return file;
}

static int put(struct injection *injection, const struct sticky_file *file, const char *text,
	       struct reason *why)
{
	__cleanup_free char *whole =
		format_text("%s%s%s", file->format == STICKY_BARE_HEX ? "0x" : "", text,
			    file->format == STICKY_LINE ? "\n" : "");

	return injection_write(injection, file->path, whole, why);
}

/**
 * sticky_set - write a file that was saved before
 * @sticky:    that holds it
 * @injection: whose write it is
 * @path:      as given to sticky_save()
 * @text:      as the kernel wants it; the newline of STICKY_LINE is added here
 * @why:       reason of a failure
 *
 * Return: 0 or -errno of the write. It counts as set in both cases: some files change before they refuse.
 */
int sticky_set(struct sticky *sticky, struct injection *injection, const char *path,
	       const char *text, struct reason *why)
{
	struct sticky_file *file = find(sticky, path);
	__cleanup_free char *whole = NULL;

	if (!file)
		return fail(why, -EINVAL, "%s was not saved before it was to be set", path);
	file->set = true;
	whole = format_text("%s%s", text, file->format == STICKY_LINE ? "\n" : "");
	return injection_write(injection, path, whole, why);
}

/**
 * sticky_restore - put back every file that was set, the last one first
 * @sticky:    what was saved
 * @injection: whose writes they are
 * @why:       reason of the first failure
 *
 * Goes on after a failure. A file that could not be read, or was empty, has nothing to be put back.
 *
 * Return: 0 or the first -errno.
 */
int sticky_restore(struct sticky *sticky, struct injection *injection, struct reason *why)
{
	int first = 0;

	for (size_t i = sticky->count; i-- > 0;) {
		struct sticky_file *file = &sticky->files[i];
		int error;

		if (!file->set || !file->saved || !*file->saved)
			continue;
		error = put(injection, file, file->saved, first ? NULL : why);
		if (error && !first)
			first = error;
		file->set = false;
	}
	return first;
}

/** sticky_free - forget what was saved */
void sticky_free(struct sticky *sticky)
{
	for (size_t i = 0; i < sticky->count; i++) {
		free(sticky->files[i].path);
		free(sticky->files[i].saved);
	}
	sticky->count = 0;
}
