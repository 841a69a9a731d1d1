// SPDX-License-Identifier: GPL-2.0-only
/*
 * An agent behind a pipe: the program that leads to it, the messages of that program, and its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "harness/bench/bench.h"
#include "harness/lib/spawn.h"

/* The kernel waits up to a second for the firmware. A victim that hangs in the kernel delays the agent by three. */
#define RESTORE_TIMEOUT_NS (15 * NSEC_PER_SEC)
/* A program writes its last message before it ends; a master connection of ssh keeps the pipe open. */
#define LAST_MESSAGE_NS (2 * NSEC_PER_SEC)

/* Lines of a host that are passed on, in one boot of it. */
#define SHOWN_MOST 100

/* Messages of ssh (OpenSSH: ssh.c, sshconnect.c, sshconnect2.c) and of the remote shell, and what helps. */
static const struct {
	const char *message, *remedy;
} remedies[] = {
	{"brinell-agent", "install brinell-agent in the path of that user on the host"},
	{"cannot run ssh", "install openssh-client"},
	{"Could not resolve hostname", "check the name of the host"},
	{"Permission denied", "ssh must log in without a password: see ssh-copy-id(1)"},
	{"Host key verification failed",
	 "run ssh by hand once and compare the key of the host with the one that is known"},
	{"Connection refused", "start sshd on the host"},
	{"timed out", "check that the host is up and reachable"},
	{"No route to host", "check that the host is up and reachable"},
};

/**
 * bench_spawn_agent - start a program whose standard input and output are the agent
 * @bench: receives the channel
 * @argv:  NULL-terminated
 * @why:   reason of a failure
 *
 * The program ends with the stream, and with the controller. bench_reap_agent() releases it.
 *
 * Return: 0 or -errno.
 */
int bench_spawn_agent(struct bench *bench, const char *const *argv, struct reason *why)
{
	/* Only the controller handles Ctrl-C; it then restores the state through this agent. */
	struct spawn spawn = {.argv = argv, .place = SPAWN_GROUP, .death_signal = SIGTERM};
	int ends[2], error;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return fail_errno(why, -errno, "socketpair");
	spawn.streams[0] = spawn.streams[1] = ends[1];
	spawn.streams[2] = SPAWN_PIPE;
	error = spawn_start(&spawn, why);
	close(ends[1]);
	if (error) {
		close(ends[0]);
		return error;
	}
	fcntl(spawn.ends[2], F_SETFL, O_NONBLOCK);
	bench->agent = channel_new(ends[0], ends[0]);
	bench->errors_fd = spawn.ends[2];
	bench->errors = (struct lines){.most = sizeof(bench->last_line) - 1};
	bench->last_line[0] = '\0';
	bench->shown = 0;
	bench->private = (void *)(intptr_t)spawn.pid;
	return 0;
}

static void close_errors(struct bench *bench)
{
	if (bench->errors_fd >= 0)
		close(bench->errors_fd);
	bench->errors_fd = -1;
	lines_release(&bench->errors);
}

static void take_line(struct bench *bench, char *line)
{
	static const char *const own[] = {"brinell: ", "error: "};

	line[strcspn(line, "\r")] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (strncmp(line, own[i], strlen(own[i])) == 0)
			line += strlen(own[i]);
	if (!*line)
		return;
	if (bench->shown < SHOWN_MOST)
		log_info("%s: %s", bench->host, line);
	else if (bench->shown == SHOWN_MOST)
		log_warning("%s: further lines are dropped", bench->host);
	bench->shown += bench->shown <= SHOWN_MOST;
	snprintf(bench->last_line, sizeof(bench->last_line), "%s", line);
}

/** bench_hear_errors - read messages of the program that leads to the agent, and pass them on */
void bench_hear_errors(struct bench *bench)
{
	int got = lines_read(&bench->errors, bench->errors_fd), found;
	size_t length;
	char *line;

	/* The last message may lack its newline. */
	if (got < 0)
		lines_feed(&bench->errors, "\n", 1);
	while ((found = lines_next(&bench->errors, &line, &length)) != 0)
		if (found > 0)
			take_line(bench, line);
	if (got < 0)
		close_errors(bench);
}

/* The end of the stream may not have been read yet. */
static bool has_ended(const struct bench *bench)
{
	struct pollfd stream = {.fd = bench->agent ? channel_fd(bench->agent) : -1};

	return !bench->agent || (poll(&stream, 1, 0) > 0 && stream.revents & POLLHUP);
}

static void receive_last_message(struct bench *bench)
{
	int64_t until = now_monotonic_ns() + LAST_MESSAGE_NS, left;

	while (bench->errors_fd >= 0 && (left = until - now_monotonic_ns()) > 0) {
		struct pollfd errors = {.fd = bench->errors_fd, .events = POLLIN};

		if (poll(&errors, 1, (int)(left / NSEC_PER_MSEC) + 1) > 0)
			bench_hear_errors(bench);
	}
}

static const char *remedy_of(const char *message)
{
	for (size_t i = 0; i < ARRAY_SIZE(remedies); i++)
		if (strstr(message, remedies[i].message))
			return remedies[i].remedy;
	return NULL;
}

/**
 * bench_end_reason - why the agent of a host is gone
 * @call: that failed
 * @why:  receives the last message of the program that led to the agent, with a remedy for what is known
 *
 * Return: -ECONNRESET.
 */
int bench_end_reason(struct bench *bench, const char *call, struct reason *why)
{
	const char *remedy;

	if (has_ended(bench))
		receive_last_message(bench);
	remedy = remedy_of(bench->last_line);
	return fail(why, -ECONNRESET, "%s: the agent on %s is gone%s%s%s%s%s", call,
		    bench->address ? bench->address : "the host", *bench->last_line ? ": " : "",
		    bench->last_line, remedy ? " (" : "", remedy ?: "", remedy ? ")" : "");
}

/* A signal, such as a second Ctrl-C, does not interrupt the agent's restore. Its messages are read, or it would block. */
static bool ends_in_time(struct bench *bench, pid_t pid)
{
	int64_t until = now_monotonic_ns() + RESTORE_TIMEOUT_NS, left;
	__cleanup_close int fd = pidfd_open(pid, 0);

	while (fd >= 0 && (left = until - now_monotonic_ns()) > 0) {
		struct pollfd fds[] = {{.fd = fd, .events = POLLIN},
				       {.fd = bench->errors_fd, .events = POLLIN}};

		if (poll(fds, ARRAY_SIZE(fds), (int)(left / NSEC_PER_MSEC) + 1) < 0) {
			if (errno != EINTR)
				return false;
			continue;
		}
		if (fds[1].revents)
			bench_hear_errors(bench);
		if (fds[0].revents)
			return true;
	}
	return false;
}

/** bench_reap_agent - end the program of bench_spawn_agent(), if there is one */
void bench_reap_agent(struct bench *bench)
{
	pid_t pid = (pid_t)(intptr_t)bench->private;

	if (pid <= 0)
		return;
	/* At the end of its stream the agent restores the state that its injector changed, then exits. */
	channel_free(bench->agent);
	bench->agent = NULL;
	if (!ends_in_time(bench, pid))
		kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	close_errors(bench);
	bench->private = NULL;
}
