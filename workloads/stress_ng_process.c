// SPDX-License-Identifier: GPL-2.0-only
/*
 * The supervisor process of stress-ng: starts it, reads its output, reports its end, and ends all its processes.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "harness/host/machine.h"
#include "harness/lib/lines.h"
#include "harness/lib/spawn.h"
#include "workloads/stress_ng.h"

#define FAILS_MOST 4
#define METRICS_MOST 64
#define ARGUMENTS_MOST 128
#define LEAVE_NS (4 * NSEC_PER_SEC)
#define FIGURES_NS (3 * NSEC_PER_SEC)
#define BEGIN_TRIES 500

/**
 * struct supervisor - state of the present or last run of stress-ng
 * @output:   pipe of its output; @lines: what was read of it
 * @figures:  file in memory that it writes its metrics to
 * @last:     the last line of its output
 * @fails:    the first lines that name an error
 * @dispatched: its stressors have begun
 * @interrupted: a touch has requested its end
 */
static struct supervisor {
	const struct stress_options *options;
	int socket, output, pidfd, figures;
	pid_t child;
	struct lines lines;
	char last[200];
	char fails[FAILS_MOST][200];
	size_t fail_count;
	bool dispatched, interrupted, ended, reported;
	int status, signal;
} supervisor;

static void send_report(struct stress_report *report, int kind)
{
	report->base.kind = kind;
	report->child = supervisor.child;
	report->again = supervisor.reported;
	(void)process_say(supervisor.socket, &report->base, sizeof(*report), 0);
}

static size_t make_arguments(char **argv, char *program)
{
	const struct stress_options *options = supervisor.options;
	size_t used = 0, index;
	const json_t *word;

	argv[used++] = program;
	argv[used++] = format_text("--%s", options->stressor);
	argv[used++] = format_text("%" PRIu64, options->instances);
	if (options->ops) {
		argv[used++] = format_text("--%s-ops", options->stressor);
		argv[used++] = format_text("%" PRIu64, options->ops);
	}
	argv[used++] = xstrdup("--timeout");
	/* 0: no limit. */
	argv[used++] = format_text("%lld", (long long)(options->time_ns / NSEC_PER_SEC));
	if (options->verify)
		argv[used++] = xstrdup("--verify");
	argv[used++] = xstrdup("--metrics-brief");
	argv[used++] = xstrdup("--yaml");
	argv[used++] = format_text("/proc/self/fd/%d", supervisor.figures);
	argv[used++] = xstrdup("--temp-path");
	argv[used++] = xstrdup("/tmp");
	json_array_foreach (options->words, index, word)
		if (used < ARGUMENTS_MOST - 1)
			argv[used++] = xstrdup(json_string_value(word));
	argv[used] = NULL;
	return used;
}

static int start_program(struct reason *why)
{
	char *argv[ARGUMENTS_MOST];
	char *program = machine_find_program("stress-ng");
	/* A process group of its own, for kill(2) of all its processes. */
	struct spawn spawn = {.argv = (const char *const *)argv,
			      .streams = {SPAWN_NULL, SPAWN_PIPE, SPAWN_OUTPUT},
			      .place = SPAWN_GROUP,
			      .death_signal = SIGKILL};
	size_t used;
	int error;

	if (!program)
		return fail(why, -ENOTSUP,
			    "this machine has no stress-ng: install the package stress-ng; a micro "
			    "guest has it when its 'programs' name it");
	supervisor.figures = memfd_create("brinell-stress-ng", 0);
	if (supervisor.figures < 0)
		return fail_errno(why, -errno, "memfd_create");
	used = make_arguments(argv, program);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	error = spawn_start(&spawn, why);
	while (used)
		free(argv[--used]);
	if (error)
		return error;
	supervisor.child = spawn.pid;
	supervisor.output = spawn.ends[1];
	supervisor.pidfd = pidfd_open(supervisor.child, 0);
	(void)fcntl(supervisor.output, F_SETFL, O_NONBLOCK);
	return 0;
}

/* "stress-ng: fail:  [123] cpu: ..." */
static void take_line(const char *line)
{
	const char *wrong = strstr(line, "stress-ng: fail:");

	/* A line with a hint is not the reason. */
	if (*line && strncmp(line, "Try ", 4) != 0)
		snprintf(supervisor.last, sizeof(supervisor.last), "%.199s", line);
	supervisor.dispatched = supervisor.dispatched || strstr(line, " dispatching hogs");
	if (wrong && supervisor.fail_count < FAILS_MOST)
		snprintf(supervisor.fails[supervisor.fail_count++], sizeof(supervisor.fails[0]),
			 "%.199s", line);
}

/* Return: whether there may be more later. */
static bool read_output(void)
{
	size_t length;
	char *line;
	int got, found;

	while ((got = lines_read(&supervisor.lines, supervisor.output)) > 0)
		while ((found = lines_next(&supervisor.lines, &line, &length)))
			if (found > 0)
				take_line(line);
	return got == 0;
}

static void take_output(short events)
{
	if (!events || supervisor.output < 0 || read_output())
		return;
	close(supervisor.output);
	supervisor.output = -1;
}

/* Reaps what there is. Stressors whose parent has ended are children of this process. Return: whether any is left. */
static bool reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != supervisor.child)
			continue;
		supervisor.ended = true;
		supervisor.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		supervisor.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	}
	return pid == 0;
}

static void say_metric(const char *stressor, const char *key, double value)
{
	struct stress_report report = {.value = value};

	snprintf(report.name, sizeof(report.name), "stress_ng_%.31s_%.47s", stressor, key);
	for (char *letter = report.name; *letter; letter++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789", *letter))
			*letter = '_';
	send_report(&report, STRESS_METRIC);
}

/* The file is YAML, in a form that can be read by lines: "    - stressor: cpu", then "      key: number". */
static void say_metrics(void)
{
	char stressor[64] = "", key[64], *end;
	__cleanup_file FILE *file = fdopen(dup(supervisor.figures), "r");
	char line[256];
	size_t count = 0;

	if (!file)
		return;
	rewind(file);
	while (fgets(line, sizeof(line), file) && count < METRICS_MOST) {
		char *colon = strchr(line, ':');
		double value;

		if (sscanf(line, " - stressor: %63s", stressor) == 1 || !*stressor || !colon)
			continue;
		value = strtod(colon + 1, &end);
		if (end == colon + 1 || sscanf(line, " %63[^:]", key) != 1)
			continue;
		say_metric(stressor, key, value);
		count++;
	}
}

static void say_end(void)
{
	struct stress_report report = {.status = supervisor.status,
				       .base.signal = supervisor.signal};

	say_metrics();
	for (size_t i = 0; i < supervisor.fail_count && supervisor.status == STRESS_NOT_SUCCESS;
	     i++) {
		struct stress_report wrong = {0};

		snprintf(wrong.base.text, sizeof(wrong.base.text), "%s", supervisor.fails[i]);
		send_report(&wrong, STRESS_FAIL);
	}
	send_report(&report, STRESS_ENDED);
	supervisor.reported = true;
}

/* An interrupted run reports its figures, with a timeout. */
static void await_figures(void)
{
	int64_t until = now_monotonic_ns() + FIGURES_NS, left;

	while (!supervisor.ended && (left = until - now_monotonic_ns()) > 0) {
		struct pollfd fds[] = {{.fd = supervisor.output, .events = POLLIN},
				       {.fd = supervisor.pidfd, .events = POLLIN}};

		(void)poll(fds, ARRAY_SIZE(fds), (int)(left / NSEC_PER_MSEC) + 1);
		take_output(fds[0].revents);
		(void)reap();
	}
	if (!supervisor.ended)
		return;
	take_output(POLLIN);
	say_end();
}

static _Noreturn void leave(void)
{
	const struct timespec pause = {.tv_nsec = 10 * NSEC_PER_MSEC};
	int64_t until = now_monotonic_ns() + LEAVE_NS;
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	/*
	 * Children may be forked while others are killed, and orphans of stress-ng become children of this process. After the
	 * last one its pid may be reused.
	 */
	while (reap() && now_monotonic_ns() < until) {
		if (!supervisor.ended)
			kill(supervisor.child, SIGKILL);
		if (kill(-supervisor.child, SIGKILL) < 0 && supervisor.ended)
			break;
		(void)sigtimedwait(&child, NULL, &pause);
	}
	_exit(0);
}

static void serve_request(void)
{
	char request;
	ssize_t got = recv(supervisor.socket, &request, 1, MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got == 1 && request == STRESS_QUIT && supervisor.interrupted && !supervisor.reported)
		await_figures();
	if (got != 1 || request == STRESS_QUIT)
		leave();
	if (supervisor.ended)
		say_end();
	else if (!supervisor.options->time_ns && !supervisor.options->ops)
		supervisor.interrupted = kill(supervisor.child, SIGINT) == 0;
}

/* Waits for an event, and handles it. */
static void turn(void)
{
	struct pollfd fds[] = {{.fd = supervisor.socket, .events = POLLIN},
			       {.fd = supervisor.output, .events = POLLIN},
			       {.fd = supervisor.ended ? -1 : supervisor.pidfd, .events = POLLIN}};

	(void)poll(fds, ARRAY_SIZE(fds), -1);
	take_output(fds[1].revents);
	(void)reap();
	if (fds[0].revents)
		serve_request();
}

/* Whether a stressor has started; true if the kernel does not list children. */
static bool has_children(void)
{
	__cleanup_free char *path =
		format_text("/proc/%d/task/%d/children", supervisor.child, supervisor.child);
	__cleanup_free char *children = NULL;

	return read_small_file(path, &children, NULL) || *children;
}

/* Its own messages: an error before the start of the stressors is the reason of the failure. */
static int await_dispatch(struct reason *why)
{
	while (!supervisor.dispatched && !supervisor.ended)
		turn();
	/* It logs this too early, and no event marks the real start. */
	for (int i = 0; i < BEGIN_TRIES && !supervisor.ended && !has_children(); i++) {
		(void)poll(&(struct pollfd){.fd = supervisor.pidfd, .events = POLLIN}, 1, 10);
		(void)reap();
	}
	if (supervisor.output >= 0)
		(void)read_output();
	if (supervisor.dispatched)
		return 0;
	return fail(why, -EINVAL, "stress-ng ended with status %d before its stressors began: %s",
		    supervisor.status, supervisor.last);
}

/**
 * stress_process - main function of the supervisor of stress-ng
 * @socket:  SOCK_SEQPACKET to the agent: requests of one byte in, struct stress_report out
 * @options: struct stress_options; borrowed
 *
 * Ends with the socket, and stress-ng with it.
 */
_Noreturn void stress_process(int socket, const void *options)
{
	struct stress_report report = {0};
	struct reason why = {0};

	supervisor = (struct supervisor){.socket = socket,
					 .options = options,
					 .output = -1,
					 .pidfd = -1,
					 .figures = -1,
					 .lines.most = 65536};
	process_begin();
	(void)fcntl(socket, F_SETFD, FD_CLOEXEC);
	report.base.error = start_program(&why);
	if (!report.base.error)
		report.base.error = await_dispatch(&why);
	if (report.base.error) {
		snprintf(report.base.text, sizeof(report.base.text), "%.199s", why.text);
		send_report(&report, PROCESS_FAILED);
		if (supervisor.child > 0)
			leave();
		_exit(1);
	}
	send_report(&report, PROCESS_READY);
	for (;;) {
		if (supervisor.ended && !supervisor.reported) {
			if (supervisor.output >= 0)
				(void)read_output();
			say_end();
		}
		turn();
	}
}
