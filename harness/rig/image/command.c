// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running programs to their end, and removing trees.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "harness/rig/image/image.h"

/* Ends with the process that started it. */
__attribute__((noreturn)) static void become(const struct image_command *command, int output,
					     int log, pid_t parent)
{
	int none = open("/dev/null", O_RDWR | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	output = fcntl(output, F_DUPFD_CLOEXEC, 16);
	dup2(none, STDIN_FILENO);
	dup2(none, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	dup2(output, command->channel ? command->channel : STDOUT_FILENO);
	setenv("LC_ALL", "C.UTF-8", 1);
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	if (getppid() == parent)
		execvp(command->argv[0], (char *const *)command->argv);
	dprintf(STDERR_FILENO, "cannot run it: %s; ./setup installs it", strerror(errno));
	_exit(127);
}

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
	return fail(why, -EIO, "%s %s failed (%s %d): %s", argv[0], argv[1] ? argv[1] : "",
		    exited ? "status" : "signal", exited ? WEXITSTATUS(status) : WTERMSIG(status),
		    *text ? text : "no error message");
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
	pid_t parent = getpid(), child = -1;
	int pipes[2] = {-1, -1}, status;

	if (log >= 0 && pipe2(pipes, O_CLOEXEC) == 0)
		child = fork();
	if (child == 0)
		become(command, pipes[1], log, parent);
	close(pipes[1]);
	if (child < 0) {
		close(pipes[0]);
		return fail(why, -errno, "cannot run %s: %s", command->argv[0], strerror(errno));
	}
	read_lines(pipes[0], command);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return fail(why, -errno, "waiting for %s: %s", command->argv[0],
				    strerror(errno));
	return status ? failure(command->argv, status, log, why) : 0;
}

static __thread unsigned long long removed_bytes;

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)where;
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
