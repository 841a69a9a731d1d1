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

/*
 * The reason of a failure in what a program wrote on standard error: the text after "error: " on its last line, or the
 * end of all, on one line. Return: it is of the first kind.
 */
static bool error_text(int log, char *text, size_t size)
{
	off_t length = lseek(log, 0, SEEK_END);
	off_t start = length > (off_t)(size - 1) ? length - (off_t)(size - 1) : 0;
	ssize_t got = pread(log, text, size - 1, start);
	char *last;

	text[got > 0 ? got : 0] = '\0';
	while (got > 0 && text[got - 1] == '\n')
		text[--got] = '\0';
	last = strrchr(text, '\n') ? strrchr(text, '\n') + 1 : text;
	if (strncmp(last, "error: ", 7) == 0) {
		memmove(text, last + 7, strlen(last + 7) + 1);
		return true;
	}
	for (char *character = text; *character; character++)
		if (*character == '\n')
			*character = ';';
	return false;
}

__attribute__((noreturn)) static void become(const struct image_command *command, int output,
					     int log, pid_t parent)
{
	int none;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(127);
	none = open("/dev/null", O_RDWR | O_CLOEXEC);
	output = fcntl(output, F_DUPFD_CLOEXEC, 16);
	dup2(none, STDIN_FILENO);
	dup2(none, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	dup2(output, command->channel ? command->channel : STDOUT_FILENO);
	if (command->directory && chdir(command->directory) < 0) {
		dprintf(STDERR_FILENO, "%s: %s", command->directory, strerror(errno));
		_exit(127);
	}
	setenv("LC_ALL", "C.UTF-8", 1);
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
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
		if (line[length - 1] == '\n')
			line[length - 1] = '\0';
		if (command->line)
			command->line(command->context, line);
	}
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
	const char *name = command->argv[0];
	char text[700];
	int pipes[2];
	pid_t parent = getpid();
	pid_t child;
	int status;

	if (log < 0 || pipe2(pipes, O_CLOEXEC) < 0)
		return fail(why, -errno, "cannot run %s: %s", name, strerror(errno));
	child = fork();
	if (child == 0)
		become(command, pipes[1], log, parent);
	close(pipes[1]);
	if (child < 0) {
		close(pipes[0]);
		return fail(why, -errno, "cannot run %s: %s", name, strerror(errno));
	}
	read_lines(pipes[0], command);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return fail(why, -errno, "waiting for %s: %s", name, strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (error_text(log, text, sizeof(text)))
		return fail(why, -EIO, "%s", text);
	return fail(why, -EIO, "%s %s failed (%s %d): %s", name,
		    command->argv[1] ? command->argv[1] : "",
		    WIFEXITED(status) ? "status" : "signal",
		    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
		    *text ? text : "no error message");
}

static void collect_line(void *context, const char *line)
{
	fprintf(context, "%s\n", line);
}

/**
 * image_run_text - run a program and keep what it prints
 * @argv: NULL-terminated
 * @text: receives its output; owned by the caller
 *
 * Return: as image_run().
 */
int image_run_text(const char *const *argv, char **text, struct reason *why)
{
	__cleanup_free char *output = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&output, &size);
	int error;

	if (!stream)
		return fail(why, -ENOMEM, "no memory to run %s", argv[0]);
	error = image_run(
		&(struct image_command){.argv = argv, .line = collect_line, .context = stream},
		why);
	fclose(stream);
	if (!error)
		*text = steal(output);
	return error;
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

/**
 * image_hash - FNV-1a of 64 bits, which names things in the cache by what went into them
 * @hash: IMAGE_HASH_START, or the value so far
 */
uint64_t image_hash(uint64_t hash, const void *data, size_t length)
{
	const unsigned char *bytes = data;

	while (length--)
		hash = (hash ^ *bytes++) * 0x100000001b3ull;
	return hash;
}
