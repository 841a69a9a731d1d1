// SPDX-License-Identifier: GPL-2.0-only
/*
 * The process of a workload or of an injection, from the side of the agent. It may hang in the kernel for ever at any
 * time, because of the fault: every wait for it has a bound.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/close_range.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include "harness/host/process.h"
#include "harness/lib/param.h"

#define QUIT_TIMEOUT_MS 1000
/* Reports that one dispatch handles: a process that floods must not hold up the agent. */
#define DISPATCH_MAX 64
#define KILL_TIMEOUT_MS 2000

const char *const process_mce_kills[] = {"default", "early", "late", NULL};

/** process_choice - which of its choices a checked argument is */
size_t process_choice(const json_t *arguments, const char *name, const char *const *choices)
{
	const char *text = param_text(arguments, name);
	size_t index = 0;

	while (choices[index] && strcmp(choices[index], text) != 0)
		index++;
	return index;
}

/** process_mce_kill - the policy for prctl(PR_MCE_KILL_SET) of the argument "mce-kill", one of process_mce_kills */
int process_mce_kill(const json_t *arguments)
{
	static const int kills[] = {PR_MCE_KILL_DEFAULT, PR_MCE_KILL_EARLY, PR_MCE_KILL_LATE};

	return kills[process_choice(arguments, "mce-kill", process_mce_kills)];
}

static const char *signal_code_name(int number, int code)
{
	static const char *const names[] = {[BUS_ADRALN] = "BUS_ADRALN",
					    [BUS_ADRERR] = "BUS_ADRERR",
					    [BUS_OBJERR] = "BUS_OBJERR",
					    [BUS_MCEERR_AR] = "BUS_MCEERR_AR",
					    [BUS_MCEERR_AO] = "BUS_MCEERR_AO"};

	if (number != SIGBUS)
		return "";
	if (code < 0 || (size_t)code >= ARRAY_SIZE(names) || !names[code])
		return "unknown";
	return names[code];
}

/**
 * process_emit - hand one event to the agent
 * @event:  its name
 * @report: source of pid and time; NULL: the process, now
 * @data:   further fields; stolen
 * @text:   for people
 */
void process_emit(struct activity *run, const char *event, const struct process_report *report,
		  json_t *data, const char *text)
{
	__cleanup_free char *whole = format_text("%s: %s", run->name, text);

	json_object_set_new(data, run->workload ? "workload" : "injector", json_string(run->name));
	json_object_set_new(data, "event", json_string(event));
	json_object_set_new(data, "pid", json_integer(report ? report->pid : run->pid));
	json_object_set_new(data, "time_ns",
			    json_integer(report && report->time_ns ? report->time_ns
								   : now_realtime_ns()));
	json_object_set_new(data, "text", json_string(whole));
	run->emit(run->context, data);
}

/** process_emit_signal - report a signal that the process has caught; @data: further fields, stolen */
void process_emit_signal(struct activity *run, const struct process_report *report, json_t *data)
{
	const char *code = signal_code_name(report->signal, report->code);
	__cleanup_free char *name = format_text("SIG%s", sigabbrev_np(report->signal));
	__cleanup_free char *text = format_text("%s %s at 0x%" PRIx64 ", lsb %d", name, code,
						report->address, report->lsb);

	json_object_set_new(data, "signal", json_integer(report->signal));
	json_object_set_new(data, "signal_name", json_string(name));
	json_object_set_new(data, "code", json_integer(report->code));
	json_object_set_new(data, "code_name", json_string(code));
	json_object_set_new(data, "address", json_sprintf("0x%" PRIx64, report->address));
	json_object_set_new(data, "lsb", json_integer(report->lsb));
	process_emit(run, "signal", report, data, text);
}

/** process_emit_error - report that a @call of the process has failed with the error of the report */
void process_emit_error(struct activity *run, const struct process_report *report, const char *call)
{
	const char *name = error_name(report->error);
	__cleanup_free char *text =
		format_text("%s failed: %s (%s)", call, name, strerror(report->error));

	process_emit(run, "error", report,
		     json_pack("{s:s, s:i, s:s}", "call", call, "errno", report->error,
			       "errno_name", name),
		     text);
}

/** process_emit_exit - report the end of a process: its @status, or -1 and the @number of a signal */
void process_emit_exit(struct activity *run, pid_t pid, int status, int number)
{
	struct process_report report = {.pid = pid};
	__cleanup_free char *text =
		number ? format_text("process %d ended by SIG%s", pid, sigabbrev_np(number))
		       : format_text("process %d ended with status %d", pid, status);

	process_emit(run, "exit", &report,
		     json_pack("{s:i, s:i}", "status", status, "signal", number), text);
}

/** process_fact - add a fact as 0x text, unless @value is 0 */
void process_fact(struct activity *run, const char *name, uint64_t value)
{
	if (value)
		json_object_set_new(run->facts, name, json_sprintf("0x%" PRIx64, value));
}

static void arm(const struct process *process, int64_t nanoseconds)
{
	struct itimerspec time = {.it_value = {.tv_sec = nanoseconds / NSEC_PER_SEC,
					       .tv_nsec = nanoseconds % NSEC_PER_SEC}};

	timerfd_settime(process->timer, 0, &time, NULL);
}

/** process_touched - handle the report of the process that its touch is finished */
void process_touched(struct process *process)
{
	process->touching = false;
	arm(process, 0);
}

/* Return: 1 for a report, 0 when the process closed its end, -EAGAIN when there is none now. */
static int receive(struct process *process)
{
	struct process_report *report = process->packet;
	ssize_t got;

	if (process->socket < 0)
		return 0;
	do {
		got = recv(process->socket, report, process->kind->report_size, MSG_DONTWAIT);
	} while (got < 0 && errno == EINTR);
	if (got == (ssize_t)process->kind->report_size) {
		report->text[sizeof(report->text) - 1] = '\0';
		return 1;
	}
	return got < 0 && errno == EAGAIN ? -EAGAIN : 0;
}

/**
 * process_await - wait for a report
 * @until: at most until then, of CLOCK_MONOTONIC
 *
 * Return: 1 with the report in @process->packet, 0 when the process closed its end, -ETIMEDOUT.
 */
int process_await(struct process *process, int64_t until)
{
	for (;;) {
		struct pollfd state = {.fd = process->socket, .events = POLLIN};
		int got = receive(process);
		int64_t left = (until - now_monotonic_ns()) / NSEC_PER_MSEC;

		if (got != -EAGAIN)
			return got;
		if (left <= 0)
			return -ETIMEDOUT;
		(void)poll(&state, 1, left < INT32_MAX ? (int)left : INT32_MAX);
	}
}

/* Waits, bounded, for the end of the process. Return: whether it was reaped. */
static bool reap(const struct activity *run, const struct process *process, int timeout_ms,
		 siginfo_t *info)
{
	struct pollfd state = {.fd = process->pidfd, .events = POLLIN};
	int64_t until = now_monotonic_ns() + timeout_ms * NSEC_PER_MSEC;

	for (;;) {
		int64_t left = (until - now_monotonic_ns()) / NSEC_PER_MSEC;

		*info = (siginfo_t){0};
		if (waitid(P_PID, (id_t)run->pid, info, WEXITED | WNOHANG) == 0 && info->si_pid)
			return true;
		if (left <= 0)
			return false;
		(void)poll(&state, 1, (int)left);
	}
}

static void drain(struct activity *run, struct process *process, int limit)
{
	int got = -EAGAIN;

	for (int i = 0; i < limit && (got = receive(process)) == 1; i++)
		process->kind->report(run, process->packet);
	if (got == 0 && process->socket >= 0) {
		epoll_ctl(run->fd, EPOLL_CTL_DEL, process->socket, NULL);
		close(process->socket);
		process->socket = -1;
	}
}

static void end_process(const struct activity *run, const struct process *process)
{
	int quit_ms = process->kind->quit_ms ?: QUIT_TIMEOUT_MS;
	bool listens = !process->touching || process->kind->quit_ms;
	siginfo_t info;

	if (process->socket >= 0 && listens &&
	    send(process->socket, (char[]){PROCESS_QUIT}, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 &&
	    reap(run, process, quit_ms, &info))
		return;
	kill(run->pid, SIGKILL);
	if (!reap(run, process, KILL_TIMEOUT_MS, &info))
		log_warning("%s: process %d does not die of SIGKILL: it hangs in the kernel",
			    run->name, run->pid);
}

/** process_stop - end the process, reap it, and free its resources; also of one that was never started */
void process_stop(struct activity *run, struct process *process)
{
	const int fds[] = {process->socket, process->pidfd, process->timer, run->fd};

	if (!process->kind)
		return;
	if (run->pid > 0)
		end_process(run, process);
	/* The result of a touch in progress is still reported. */
	if (process->touching)
		drain(run, process, INT32_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(process->packet);
	*process = (struct process){.socket = -1, .pidfd = -1, .timer = -1};
	run->fd = -1;
	run->pid = 0;
}

static int fork_process(struct activity *run, struct process *process, const void *options,
			struct reason *why)
{
	const char *name = process->kind->name;
	pid_t agent = getpid();
	int sockets[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return fail_errno(why, -errno, "%s: socketpair", name);
	run->pid = fork();
	if (run->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != agent)
			_exit(1);
		/* Files that the agent has open, its lock among them, must not outlive the agent. */
		if (dup2(sockets[1], 3) < 0)
			_exit(1);
		(void)close_range(4, ~0u, 0);
		process->kind->body(3, options);
	}
	close(sockets[1]);
	process->socket = sockets[0];
	if (run->pid < 0) {
		run->pid = 0;
		return fail_errno(why, -errno, "%s: fork", name);
	}
	process->pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
	return process->pidfd < 0 ? fail_errno(why, -errno, "%s: pidfd_open", name) : 0;
}

static int watch(struct activity *run, const struct process *process, struct reason *why)
{
	const int fds[] = {process->socket, process->pidfd, process->timer};

	run->fd = epoll_create1(EPOLL_CLOEXEC);
	for (size_t i = 0; run->fd >= 0 && i < ARRAY_SIZE(fds); i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.fd = fds[i]};

		if (epoll_ctl(run->fd, EPOLL_CTL_ADD, fds[i], &event) < 0)
			return fail_errno(why, -errno, "%s: epoll_ctl", process->kind->name);
	}
	return run->fd < 0 ? fail_errno(why, -errno, "%s: epoll_create", process->kind->name) : 0;
}

static int await_ready(struct activity *run, struct process *process, int64_t ready_ns,
		       struct reason *why)
{
	int got = process_await(process, now_monotonic_ns() + ready_ns);
	const struct process_report *report = process->packet;

	if (got == 1 && report->kind == PROCESS_READY) {
		json_object_set_new(run->facts, "pid", json_integer(run->pid));
		process->kind->ready(run, report);
		process_emit(run, "ready", report, json_object(), "ready");
		return 0;
	}
	if (got == 1 && report->kind == PROCESS_FAILED)
		return fail(why, report->error, "%s: %s", process->kind->name, report->text);
	return fail(why, got == -ETIMEDOUT ? -EAGAIN : -ECHILD,
		    "%s: its process %s before it was ready", process->kind->name,
		    got == -ETIMEDOUT ? "took too long" : "ended");
}

/**
 * process_start - start a process, and wait until it is ready
 * @run:      its facts are filled, and "ready" is emitted
 * @process:  must exist as long as @run
 * @options:  for the body; must be there until this returns
 * @ready_ns: timeout
 * @why:      reason of a failure
 *
 * Return: 0, the error that the process reports, -EAGAIN, -ECHILD, or -errno; process_stop() is due in any case.
 */
int process_start(struct activity *run, struct process *process, const struct process_kind *kind,
		  const void *options, int64_t ready_ns, struct reason *why)
{
	*process = (struct process){
		.kind = kind, .socket = -1, .pidfd = -1, .packet = xzalloc(kind->report_size)};
	process->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (process->timer < 0)
		return fail_errno(why, -errno, "%s: timerfd_create", kind->name);
	return fork_process(run, process, options, why)
		?: watch(run, process, why)
		?: await_ready(run, process, ready_ns, why);
}

/** process_dispatch - handle all reports of the process, its end, and a touch that takes too long */
void process_dispatch(struct activity *run, struct process *process)
{
	uint64_t expirations;
	siginfo_t info;

	/* All reports come before the event of its end. */
	drain(run, process, DISPATCH_MAX);
	if (run->pid > 0 && reap(run, process, 0, &info)) {
		bool exited = info.si_code == CLD_EXITED;

		drain(run, process, INT32_MAX);
		epoll_ctl(run->fd, EPOLL_CTL_DEL, process->pidfd, NULL);
		process_touched(process);
		process_emit_exit(run, run->pid, exited ? info.si_status : -1,
				  exited ? 0 : info.si_status);
		run->pid = 0;
	}
	if (read(process->timer, &expirations, sizeof(expirations)) == sizeof(expirations) &&
	    process->touching)
		process_emit(run, "hung", NULL, json_object(), "did not come back from its touch");
}

/**
 * process_request - ask the process for something
 * @request: of its own language
 *
 * Return: 0, -ESRCH when it has ended, -EBUSY when it is at a touch, or -errno.
 */
int process_request(const struct activity *run, const struct process *process, char request,
		    struct reason *why)
{
	if (run->pid <= 0 || process->socket < 0)
		return fail(why, -ESRCH, "%s: its process has ended", run->name);
	if (process->touching)
		return fail(why, -EBUSY, "%s: it is still at its last touch", run->name);
	if (send(process->socket, &request, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return fail_errno(why, -errno, "%s: its process takes no request", run->name);
	return 0;
}

/**
 * process_touch - request a touch and start its deadline; process_touched() ends it
 *
 * Return: 0, also when it has ended, which is reported as "gone"; -EBUSY, or -errno.
 */
int process_touch(struct activity *run, struct process *process, char request, struct reason *why)
{
	int error;

	process_dispatch(run, process);
	error = process_request(run, process, request, why);
	/* A fault that has killed it already is a result, not a failure of the request. */
	if (error == -ESRCH || error == -EPIPE || error == -ECONNRESET) {
		process_emit(run, "gone", NULL, json_object(), "has ended before its touch");
		return 0;
	}
	if (error)
		return error;
	process->touching = true;
	arm(process, param_duration_ns(run->arguments, "deadline"));
	return 0;
}
