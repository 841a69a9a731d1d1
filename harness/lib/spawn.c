// SPDX-License-Identifier: GPL-2.0-only
/*
 * Start of programs.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "harness/lib/spawn.h"

/* Signals that the caller ignores or blocks would stay so. */
static void reset_signals(void)
{
	const struct sigaction usual = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		sigaction(number, &usual, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void take_place(const struct spawn *spawn, pid_t parent)
{
	if (spawn->place == SPAWN_GROUP)
		setpgid(0, 0);
	else if (spawn->place != SPAWN_CHILD)
		setsid();
	if (spawn->place == SPAWN_ORPHAN && fork() > 0)
		_exit(0);
	if (spawn->place >= SPAWN_DAEMON)
		(void)!chdir("/");
	if (!spawn->death_signal)
		return;
	prctl(PR_SET_PDEATHSIG, spawn->death_signal);
	if (getppid() != parent)
		_exit(127);
}

/* In the child of a program with threads: only what a signal handler may do, until exec. */
__attribute__((noreturn)) static void become(const struct spawn *spawn, const int streams[3],
					     pid_t parent)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), high[3];

	take_place(spawn, parent);
	reset_signals();
	/* Above the standard streams first, so that none overwrites another. */
	for (int i = 0; i < 3; i++)
		high[i] = fcntl(streams[i] == SPAWN_NULL ? null : streams[i], F_DUPFD_CLOEXEC, 3);
	for (int i = 0; i < 3; i++)
		dup2(high[i], i);
	if (spawn->place >= SPAWN_DAEMON)
		(void)close_range(3, ~0u, 0);
	for (size_t i = 0; i < spawn->keep_count; i++)
		if (spawn->keep[i] >= 0)
			fcntl(spawn->keep[i], F_SETFD, 0);
	execvpe(spawn->file ?: spawn->argv[0], (char *const *)spawn->argv,
		spawn->environment ? spawn->environment : environ);
	dprintf(STDERR_FILENO, "brinell: error: cannot run %s: %s\n", spawn->argv[0],
		strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static void close_ends(const int ends[3])
{
	for (int i = 0; i < 3; i++)
		if (ends[i] >= 0)
			close(ends[i]);
}

/* @streams: those of the program, @own: the descriptors among them that the caller does not need later. */
static int open_streams(struct spawn *spawn, int streams[3], int own[3])
{
	for (int i = 0; i < 3; i++) {
		int ends[2];

		streams[i] = spawn->streams[i] == SPAWN_OUTPUT ? streams[1] : spawn->streams[i];
		if (streams[i] != SPAWN_PIPE)
			continue;
		if (pipe2(ends, O_CLOEXEC) < 0)
			return -errno;
		streams[i] = own[i] = ends[i > 0];
		spawn->ends[i] = ends[i == 0];
	}
	return 0;
}

/**
 * spawn_start - start a program
 * @spawn: what and how; receives its process, which the caller waits for
 * @why:   reason of a failure
 *
 * A program that can not be run writes so to its standard error, and ends with status 127 (126 if it is there).
 *
 * Return: 0 or -errno.
 */
int spawn_start(struct spawn *spawn, struct reason *why)
{
	pid_t parent = getpid();
	int streams[3], own[3] = {-1, -1, -1}, error;

	for (int i = 0; i < 3; i++)
		spawn->ends[i] = -1;
	error = open_streams(spawn, streams, own);
	if (!error) {
		spawn->pid = fork();
		if (spawn->pid == 0)
			become(spawn, streams, parent);
		error = spawn->pid < 0 ? -errno : 0;
	}
	close_ends(own);
	if (!error)
		return 0;
	close_ends(spawn->ends);
	return fail_errno(why, error, "cannot start %s", spawn->argv[0]);
}

/**
 * spawn_wait - wait for the end of a program
 * @timeout_ms: -1: without a limit
 * @status:     receives that of wait(2)
 *
 * Return: 0, -ETIMEDOUT while it runs on, or -errno.
 */
int spawn_wait(const struct spawn *spawn, int timeout_ms, int *status)
{
	__cleanup_close int fd = pidfd_open(spawn->pid, 0);
	struct pollfd end = {.fd = fd, .events = POLLIN};
	int ready;

	if (fd < 0)
		return -errno;
	do {
		ready = poll(&end, 1, timeout_ms);
	} while (ready < 0 && errno == EINTR);
	if (!ready)
		return -ETIMEDOUT;
	return waitpid(spawn->pid, status, 0) < 0 ? -errno : 0;
}
