// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running the tools that make the image: apt, dpkg-deb, modinfo, depmod, cpio, and taking trees
 * away again.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "harness/rig/image/image.h"

/* The last lines of what a tool said on standard error, on one line: the reason it failed. */
static void last_words(int log, char *text, size_t size)
{
	off_t length = lseek(log, 0, SEEK_END);
	off_t start = length > (off_t)(size - 1) ? length - (off_t)(size - 1) : 0;
	ssize_t got = pread(log, text, size - 1, start);

	text[got > 0 ? got : 0] = '\0';
	for (char *character = text; *character; character++)
		if (*character == '\n')
			*character = character[1] ? ';' : '\0';
}

__attribute__((noreturn)) static void become(const struct image_command *command, int output,
					     int log, pid_t parent)
{
	int none;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(127);
	none = open("/dev/null", O_RDWR);
	dup2(command->input > 0 ? command->input : none, STDIN_FILENO);
	dup2(output >= 0 ? output : none, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	if (command->directory && chdir(command->directory) < 0) {
		dprintf(STDERR_FILENO, "%s: %s", command->directory, strerror(errno));
		_exit(127);
	}
	setenv("LC_ALL", "C.UTF-8", 1);
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	if (command->environment)
		putenv((char *)command->environment);
	execvp(command->argv[0], (char *const *)command->argv);
	dprintf(STDERR_FILENO, "cannot run it: %s; ./setup installs it", strerror(errno));
	_exit(127);
}

static void read_lines(int fd, const struct image_command *command)
{
	__cleanup_file FILE *stream = fdopen(dup(fd), "r");
	__cleanup_free char *line = NULL;
	size_t size = 0;
	ssize_t length;

	if (!stream)
		return;
	while ((length = getline(&line, &size, stream)) > 0) {
		if (line[length - 1] == '\n')
			line[length - 1] = '\0';
		if (command->line)
			command->line(command->context, line);
	}
}

/**
 * image_run - run a program to its end
 * @command: what and how
 * @why:     filled with the tool's own last words when it fails
 *
 * Return: 0 when it ended with status 0, -EIO when it did not, or -errno.
 */
int image_run(const struct image_command *command, struct reason *why)
{
	__cleanup_close int log = memfd_create("stderr", MFD_CLOEXEC);
	__cleanup_close int reader = -1;
	char words[700];
	int pipes[2] = {-1, -1};
	pid_t parent = getpid();
	pid_t child;
	int status;

	if (log < 0 || (command->output <= 0 && pipe2(pipes, O_CLOEXEC) < 0))
		return fail(why, -errno, "cannot run %s: %s", command->argv[0], strerror(errno));
	reader = pipes[0];
	child = fork();
	if (child == 0)
		become(command, command->output > 0 ? command->output : pipes[1], log, parent);
	if (pipes[1] >= 0)
		close(pipes[1]);
	if (child < 0)
		return fail(why, -errno, "cannot run %s: %s", command->argv[0], strerror(errno));
	if (reader >= 0)
		read_lines(reader, command);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return fail(why, -errno, "waiting for %s: %s", command->argv[0],
				    strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	last_words(log, words, sizeof(words));
	return fail(why, -EIO, "%s %s failed (%s %d): %s", command->argv[0],
		    command->argv[1] ? command->argv[1] : "",
		    WIFEXITED(status) ? "status" : "signal",
		    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
		    *words ? words : "it did not say why");
}

static void collect_line(void *context, const char *text)
{
	FILE *stream = context;

	fprintf(stream, "%s\n", text);
}

/**
 * image_run_text - run a program and keep what it prints
 * @argv:        NULL-terminated
 * @environment: one NAME=VALUE to add, or NULL
 * @text:        receives its output; owned by the caller
 *
 * Return: as image_run().
 */
int image_run_text(const char *const *argv, const char *environment, char **text,
		   struct reason *why)
{
	__cleanup_free char *output = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&output, &size);
	struct image_command command = {
		.argv = argv, .environment = environment, .line = collect_line, .context = stream};
	int error;

	if (!stream)
		return fail(why, -ENOMEM, "no memory to run %s", argv[0]);
	error = image_run(&command, why);
	fclose(stream);
	if (error)
		return error;
	*text = steal(output);
	return 0;
}

static __thread unsigned long long removed_bytes;

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)where;
	if (kind == FTW_F)
		removed_bytes += (unsigned long long)status->st_blocks * 512;
	/* A directory that was unpacked without write permission could not be emptied. */
	return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

/**
 * image_remove_tree - rm -rf
 * @path:  file or directory; may be missing
 * @bytes: what it took on the disk is added here; may be NULL
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
 * image_check_space - refuse before something is begun that can not be ended
 * @path:  a directory of the file system
 * @bytes: that will be needed there at the same time
 * @what:  for the message
 *
 * Return: 0, or -ENOSPC with the reason.
 */
int image_check_space(const char *path, unsigned long long bytes, const char *what,
		      struct reason *why)
{
	struct statvfs status;
	unsigned long long available;

	if (statvfs(path, &status) < 0)
		return fail(why, -errno, "cannot look at the file system of %s: %s", path,
			    strerror(errno));
	available = (unsigned long long)status.f_bavail * status.f_frsize;
	if (available >= bytes)
		return 0;
	return fail(why, -ENOSPC,
		    "%s needs %llu MiB free in %s, there are %llu MiB; make room, or set "
		    "XDG_CACHE_HOME "
		    "to a directory on another disk",
		    what, (bytes + (1u << 20) - 1) >> 20, path, available >> 20);
}

/**
 * image_hash - FNV-1a of 64 bits, to name things in the cache by what went into them
 * @hash: IMAGE_HASH_START, or the value so far
 */
uint64_t image_hash(uint64_t hash, const void *data, size_t length)
{
	const unsigned char *bytes = data;

	while (length--)
		hash = (hash ^ *bytes++) * 0x100000001b3ull;
	return hash;
}
