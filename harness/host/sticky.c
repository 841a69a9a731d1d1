// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of the kernel that keep what was written to them: saved, set, and put back.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "harness/host/sticky.h"

#define STATE_NAME "inject.state"

static char *state_path(char buffer[static 4096])
{
	system_path(buffer, CHANGE_DIRECTORY);
	strncat(buffer, "/" STATE_NAME, 4096 - strlen(buffer) - 1);
	return buffer;
}

static struct sticky_file *find(struct sticky *sticky, const char *path)
{
	for (size_t i = 0; i < sticky->count; i++)
		if (strcmp(sticky->files[i].path, path) == 0)
			return &sticky->files[i];
	return NULL;
}

/**
 * sticky_save - save the present content of a file
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
	*file = (struct sticky_file){.path = xstrdup(path), .format = format};
	if (read_small_file(system_path(buffer, path), &file->saved, NULL) == 0)
		file->saved[strcspn(file->saved, "\n")] = '\0';
	return file;
}

static int put(struct change *change, const struct sticky_file *file, const char *text,
	       struct reason *why)
{
	bool nothing = file->format == STICKY_OVERRIDE && strcmp(text, "(null)") == 0;
	__cleanup_free char *whole =
		format_text("%s%s%s", file->format == STICKY_BARE_HEX ? "0x" : "",
			    nothing ? "" : text,
			    file->format == STICKY_LINE || nothing ? "\n" : "");

	return change_write(change, file->path, whole, why);
}

/*
 * State is recorded before it is set: an injector that is killed can not restore it, so the next agent or injector does.
 * The record lies in /run, as a reboot resets the kernel's files too.
 */
static int record_state(const struct sticky *sticky)
{
	__cleanup_json json_t *files = json_array();
	char path[4096];

	for (size_t i = 0; i < sticky->count; i++) {
		const struct sticky_file *file = &sticky->files[i];

		if (file->set && file->saved && *file->saved)
			json_array_append_new(files, json_pack("{s:s, s:i, s:s}", "path",
							       file->path, "format", file->format,
							       "saved", file->saved));
	}
	return write_json_atomically(system_path(path, CHANGE_DIRECTORY), STATE_NAME, files);
}

static int record_or_fail(const struct sticky *sticky, const char *path, struct reason *why)
{
	int error = record_state(sticky);

	return error ? fail_errno(why, error,
				  "nothing is set that could not be put back: record %s of %s",
				  STATE_NAME, path)
		     : 0;
}

/**
 * sticky_set - write a file that was saved before
 * @sticky:    that holds it
 * @change: whose write it is
 * @path:      as given to sticky_save()
 * @text:      in the kernel's format; the newline of STICKY_LINE is added here
 * @why:       reason of a failure
 *
 * Return: 0 or -errno of the write. It counts as set in both cases: some files change before they refuse.
 */
int sticky_set(struct sticky *sticky, struct change *change, const char *path, const char *text,
	       struct reason *why)
{
	struct sticky_file *file = find(sticky, path);
	__cleanup_free char *whole = NULL;

	if (!file)
		return fail(why, -EINVAL, "%s was not saved before it was to be set", path);
	file->set = true;
	if (!change->dry_run) {
		int error = record_or_fail(sticky, path, why);

		if (error)
			return error;
	}
	whole = format_text("%s%s", text, file->format == STICKY_LINE ? "\n" : "");
	return change_write(change, path, whole, why);
}

/**
 * sticky_undo - save a write that undoes the next one, for files without content (bind, unbind)
 * @sticky: where
 * @change: whose write comes next
 * @path:   of the file that undoes it
 * @text:   to be written there by sticky_restore(), or after SIGKILL by sticky_recover()
 * @why:    reason of a failure
 *
 * Return: 0 or -errno; then the write must not be done.
 */
int sticky_undo(struct sticky *sticky, struct change *change, const char *path, const char *text,
		struct reason *why)
{
	if (sticky->count == STICKY_FILE_LIMIT)
		return fail(why, -E2BIG, "too many files to set");
	sticky->files[sticky->count++] =
		(struct sticky_file){.path = xstrdup(path), .saved = xstrdup(text), .set = true};
	return change->dry_run ? 0 : record_or_fail(sticky, path, why);
}

/**
 * sticky_restore - put back every file that was set, the last one first
 * @sticky:    what was saved
 * @change: whose writes they are
 * @why:       reason of the first failure
 *
 * Goes on after a failure. A file that could not be read, or was empty, has nothing to be put back.
 *
 * Return: 0 or the first -errno.
 */
int sticky_restore(struct sticky *sticky, struct change *change, struct reason *why)
{
	int first = 0;

	for (size_t i = sticky->count; i-- > 0;) {
		struct sticky_file *file = &sticky->files[i];
		int error;

		if (!file->set || !file->saved || !*file->saved)
			continue;
		error = put(change, file, file->saved, first ? NULL : why);
		if (error && !first)
			first = error;
		file->set = false;
	}
	if (!first && !change->dry_run) {
		char path[4096];

		unlink(state_path(path));
	}
	return first;
}

/** sticky_left - whether a killed injector has left something to restore, or one is active */
bool sticky_left(void)
{
	char path[4096];

	return access(state_path(path), F_OK) == 0;
}

/**
 * sticky_recover - restore the state that a killed injector has left set
 * @change: holds the lock; the writes are noted in it
 *
 * Files that are gone, with their module, need no restoring.
 */
void sticky_recover(struct change *change)
{
	char path[4096];
	__cleanup_json json_t *files = json_load_file(state_path(path), 0, NULL);

	for (size_t i = json_array_size(files); i-- > 0;) {
		const json_t *entry = json_array_get(files, i);
		const struct sticky_file file = {
			.path = (char *)json_text(entry, "path", ""),
			.format = (enum sticky_format)json_number(entry, "format", STICKY_TEXT),
		};
		struct reason why = {0};

		if (put(change, &file, json_text(entry, "saved", ""), &why))
			log_warning("left by an injector that was killed: %s", why.text);
	}
	unlink(state_path(path));
}

/** sticky_free - free the saved state */
void sticky_free(struct sticky *sticky)
{
	for (size_t i = 0; i < sticky->count; i++) {
		free(sticky->files[i].path);
		free(sticky->files[i].saved);
	}
	sticky->count = 0;
}
