// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running programs to their end, and removing trees.
 */
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "harness/lib/spawn.h"
#include "harness/rig/image/image.h"

static void read_lines(int fd, const struct image_command *command)
{
	__cleanup_file FILE *stream = fdopen(fd, "r");
	__cleanup_free char *line = NULL;
	size_t size = 0;
	ssize_t length;

	while (stream && (length = getline(&line, &size, stream)) > 0) {
		line[length - (line[length - 1] == '\n')] = '\0';
		if (command->line)
			command->line(command->context, line);
	}
}

/*
 * The reason is what the program wrote on standard error: the text after "error: " on its last line,
 * or the end of all on one line.
 */
static int failure(const char *const *argv, int status, int log, struct reason *why)
{
	bool exited = WIFEXITED(status);
	off_t length = lseek(log, 0, SEEK_END);
	char text[700] = "";
	const off_t room = sizeof(text) - 1;
	ssize_t got = pread(log, text, (size_t)room, length > room ? length - room : 0);
	char *last;

	if (got > 0 && text[got - 1] == '\n')
		text[got - 1] = '\0';
	last = strrchr(text, '\n');
	last = last ? last + 1 : text;
	if (strncmp(last, "error: ", 7) == 0)
		return fail(why, -EIO, "%s", last + 7);
	for (char *character = text; (character = strchr(character, '\n'));)
		*character = ';';
	return fail(why, -EIO, "%s %s failed (%s %d): %s%s", argv[0], argv[1] ? argv[1] : "",
		    exited ? "status" : "signal", exited ? WEXITSTATUS(status) : WTERMSIG(status),
		    *text ? text : "no error message",
		    exited && WEXITSTATUS(status) == 127 ? "; ./setup installs it" : "");
}

/**
 * image_run - run a program to its end
 * @command: what and how
 * @why:     filled with the program's own error message when it fails
 *
 * Return: 0 when it ended with status 0, -EIO when it did not, or -errno.
 */
int image_run(const struct image_command *command, struct reason *why)
{
	__cleanup_close int log = memfd_create("stderr", MFD_CLOEXEC);
	struct spawn spawn = {.argv = command->argv,
			      .streams = {SPAWN_NULL, SPAWN_PIPE, log},
			      .death_signal = SIGTERM};
	int status = 0;
	int error = spawn_start(&spawn, why);

	if (error)
		return error;
	read_lines(spawn.ends[1], command);
	error = spawn_wait(&spawn, -1, &status);
	if (error)
		return fail_errno(why, error, "waiting for %s", command->argv[0]);
	return status ? failure(command->argv, status, log, why) : 0;
}

static __thread unsigned long long removed_bytes;

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	if (kind == FTW_F)
		removed_bytes += (unsigned long long)status->st_blocks * 512;
	return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

/**
 * image_remove_tree - rm -rf
 * @path:  file or directory; may be missing
 * @bytes: the space it took on the disk is added here; may be NULL
 *
 * Return: 0 or -errno.
 */
int image_remove_tree(const char *path, unsigned long long *bytes)
{
	int error = 0;

	removed_bytes = 0;
	if (nftw(path, remove_entry, 32, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT)
		error = -errno;
	if (bytes)
		*bytes += removed_bytes;
	return error;
}
