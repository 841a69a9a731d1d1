// SPDX-License-Identifier: GPL-2.0-only
/*
 * pattern: a process that owns much memory, every line of which says what it is; it writes and verifies it all the time.
 * This is the agent's side, which never waits for the process without a bound.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include "workloads/pattern.h"
#include "workloads/workload.h"

/* To fill its memory it may take this long, and a second more for each @READY_BYTES: an emulated guest is slow. */
#define READY_NS (8 * NSEC_PER_SEC)
#define READY_BYTES (32u << 20)
#define QUIT_TIMEOUT_MS 1000
#define KILL_TIMEOUT_MS 2000

static const char *const backings[] = {[BACKING_ANONYMOUS] = "anonymous",
				       [BACKING_THP] = "thp",
				       [BACKING_SHARED] = "shared",
				       NULL};
static const char *const verifies[] = {"continuous", "on-demand", NULL};
static const char *const orders[] = {"sequential", "random", NULL};
static const char *const mce_kills[] = {"default", "early", "late", NULL};

static const struct param pattern_params[] = {
	{"size", PARAM_SIZE, "of the memory; whole pages of 4 KiB", "64M", NULL, false},
	{"page", PARAM_CHOICE, "kind of its pages", "anonymous", backings, false},
	{"rate", PARAM_NUMBER, "pages written anew, a second; 0 for none", "1000", NULL, false},
	{"order", PARAM_CHOICE, "in which they are written", "sequential", orders, false},
	{"verify", PARAM_CHOICE, "all the time, or only when touched", "continuous", verifies,
	 false},
	{"verify-rate", PARAM_NUMBER, "pages verified, a second; 0 for as fast as it goes", "0",
	 NULL, false},
	{"seed", PARAM_NUMBER, "of the pattern and of a random order", "1", NULL, false},
	{"victim", PARAM_NUMBER, "number of the page that a fault is meant for; the middle one",
	 NULL, NULL, false},
	{"lock", PARAM_BOOL, "mlock(2)", "false", NULL, false},
	{"mce-kill", PARAM_CHOICE, "prctl(PR_MCE_KILL): told early, late, or as the host's default",
	 "default", mce_kills, false},
	{"interval", PARAM_DURATION, "between two reports of its figures", "1s", NULL, false},
	{"shown", PARAM_NUMBER, "mismatches, and signals, that are told one by one", "16", NULL,
	 false},
	{"deadline", PARAM_DURATION, "a touch that takes longer is reported as hung", "30s", NULL,
	 false},
	{0},
};

/* @before: the totals of the last report, and @before_ns when that was. */
struct pattern_run {
	struct pattern_options options;
	int socket, pidfd, timer;
	bool touching;
	struct pattern_totals before;
	int64_t before_ns;
};

static size_t choice(const json_t *arguments, const char *name, const char *const *choices)
{
	const char *text = param_text(arguments, name);
	size_t index = 0;

	while (choices[index] && strcmp(choices[index], text) != 0)
		index++;
	return index;
}

/* Memory that could be had without driving out others, by /proc/meminfo; or as much as there may be. */
static uint64_t available_bytes(void)
{
	__cleanup_free char *text = NULL;
	unsigned long long kilobytes;
	char path[4096];
	const char *at;

	if (read_small_file(system_path(path, "/proc/meminfo"), &text, NULL))
		return UINT64_MAX;
	at = strstr(text, "MemAvailable:");
	return at && sscanf(at, "MemAvailable: %llu", &kilobytes) == 1 ? kilobytes << 10
								       : UINT64_MAX;
}

static int take_options(const json_t *arguments, struct pattern_options *options,
			struct reason *why)
{
	static const int kills[] = {PR_MCE_KILL_DEFAULT, PR_MCE_KILL_EARLY, PR_MCE_KILL_LATE};
	uint64_t pages, available = available_bytes();

	*options = (struct pattern_options){
		.backing = (enum pattern_backing)choice(arguments, "page", backings),
		.size = param_number(arguments, "size"),
		.seed = param_number(arguments, "seed"),
		.dirty_rate = param_number(arguments, "rate"),
		.verify_rate = param_number(arguments, "verify-rate"),
		.continuous = choice(arguments, "verify", verifies) == 0,
		.random = choice(arguments, "order", orders) == 1,
		.lock = param_bool(arguments, "lock"),
		.interval_ns = param_duration_ns(arguments, "interval"),
		.shown = param_number(arguments, "shown"),
		.mce_kill = kills[choice(arguments, "mce-kill", mce_kills)],
	};
	pages = options->size / PATTERN_PAGE;
	options->victim =
		param_given(arguments, "victim") ? param_number(arguments, "victim") : pages / 2;
	if (!pages || options->size % PATTERN_PAGE || pages >= PATTERN_PAGES_MAX)
		return fail(why, -EINVAL, "'size' is %" PRIu64 ": it must be whole pages of 4 KiB",
			    options->size);
	if (options->victim >= pages)
		return fail(why, -EINVAL,
			    "'victim' is %" PRIu64 ", but there are %" PRIu64 " pages",
			    options->victim, pages);
	if (options->dirty_rate > NSEC_PER_SEC || options->verify_rate > NSEC_PER_SEC)
		return fail(why, -EINVAL, "'rate' and 'verify-rate' are at most 1000000000");
	if (options->interval_ns < 10 * NSEC_PER_MSEC)
		return fail(why, -EINVAL, "'interval' must be 10 ms at least");
	if (options->size > available / 10 * 9)
		return fail(why, -ENOMEM,
			    "'size' is %" PRIu64 " MiB, but only %" PRIu64
			    " MiB are available: the kernel would kill for it",
			    options->size >> 20, available >> 20);
	return 0;
}

static const char *signal_code_name(int number, int code)
{
	static const char *const names[] = {[BUS_ADRALN] = "BUS_ADRALN",
					    [BUS_ADRERR] = "BUS_ADRERR",
					    [BUS_OBJERR] = "BUS_OBJERR",
					    [BUS_MCEERR_AR] = "BUS_MCEERR_AR",
					    [BUS_MCEERR_AO] = "BUS_MCEERR_AO"};

	if (number != SIGBUS || code < 0 || (size_t)code >= ARRAY_SIZE(names) || !names[code])
		return "unknown";
	return names[code];
}

static void emit(struct workload_run *run, const char *event, int64_t time_ns, json_t *data,
		 const char *text)
{
	__cleanup_free char *whole = format_text("%s: %s", run->name, text);

	json_object_set_new(data, "workload", json_string(run->name));
	json_object_set_new(data, "event", json_string(event));
	json_object_set_new(data, "pid", json_integer(run->pid));
	json_object_set_new(data, "time_ns", json_integer(time_ns ? time_ns : now_realtime_ns()));
	json_object_set_new(data, "text", json_string(whole));
	run->emit(run->context, data);
}

static void emit_signal(struct workload_run *run, const struct pattern_report *report)
{
	const char *code = signal_code_name(report->signal, report->code);
	__cleanup_free char *text =
		format_text("SIG%s %s at 0x%" PRIx64 ", lsb %d", sigabbrev_np(report->signal), code,
			    report->address, report->lsb);
	json_t *data = json_pack("{s:i, s:o, s:i, s:s, s:o, s:i}", "signal", report->signal,
				 "signal_name", json_sprintf("SIG%s", sigabbrev_np(report->signal)),
				 "code", report->code, "code_name", code, "address",
				 json_sprintf("0x%" PRIx64, report->address), "lsb", report->lsb);

	if (report->mismatch.page != UINT64_MAX)
		json_object_set_new(data, "page", json_integer((json_int_t)report->mismatch.page));
	json_object_set(data, "expected_address", json_object_get(run->facts, "address"));
	emit(run, "signal", report->time_ns, data, text);
}

static void emit_mismatch(struct workload_run *run, const struct pattern_report *report)
{
	const struct pattern_mismatch *seen = &report->mismatch;
	const char *kind = pattern_fault_names[seen->fault % PATTERN_FAULTS];
	__cleanup_free char *text = format_text(
		"%s: page %" PRIu64 " at 0x%" PRIx64 " (%u of %d lines) holds 0x%" PRIx64
		" instead of 0x%" PRIx64 ", generation %u instead of %u",
		kind, seen->page, report->address, seen->lines, PATTERN_LINES, seen->found,
		seen->expected, seen->found_generation, seen->expected_generation);
	json_t *data = json_pack("{s:s, s:I, s:o, s:o, s:o, s:I, s:I, s:I, s:I}", "kind", kind,
				 "page", (json_int_t)seen->page, "address",
				 json_sprintf("0x%" PRIx64, report->address), "found",
				 json_sprintf("0x%" PRIx64, seen->found), "expected",
				 json_sprintf("0x%" PRIx64, seen->expected), "expected_generation",
				 (json_int_t)seen->expected_generation, "found_generation",
				 (json_int_t)seen->found_generation, "lines",
				 (json_int_t)seen->lines, "bits", (json_int_t)seen->bits);

	if (seen->fault == PATTERN_FOREIGN) {
		json_object_set_new(data, "found_page", json_integer((json_int_t)seen->found_page));
		json_object_set_new(data, "found_seed", json_integer(seen->found_seed));
	}
	emit(run, "corrupted", report->time_ns, data, text);
}

static json_t *totals_json(const struct pattern_totals *totals)
{
	json_t *found = json_object();

	for (size_t i = PATTERN_INTACT + 1; i < PATTERN_FAULTS; i++)
		if (totals->found[i])
			json_object_set_new(found, pattern_fault_names[i],
					    json_integer((json_int_t)totals->found[i]));
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "verified", (json_int_t)totals->verified,
			 "written", (json_int_t)totals->written, "passes",
			 (json_int_t)totals->passes, "lost", (json_int_t)totals->lost, "unsaid",
			 (json_int_t)totals->unsaid, "mismatches", found);
}

static json_t *metric(double value, const char *unit, const char *better)
{
	return json_pack("{s:f, s:s, s:s}", "value", value, "unit", unit, "better", better);
}

static void emit_totals(struct workload_run *run, const struct pattern_report *report)
{
	struct pattern_run *pattern = run->private;
	double seconds = (double)(report->monotonic_ns - pattern->before_ns) / NSEC_PER_SEC;
	const struct pattern_totals *now = &report->totals, *before = &pattern->before;
	double verified = seconds > 0 ? (double)(now->verified - before->verified) / seconds : 0;
	double written = seconds > 0 ? (double)(now->written - before->written) / seconds : 0;
	__cleanup_free char *text =
		format_text("%.0f pages/s verified, %.0f pages/s written", verified, written);

	emit(run, "metrics", report->time_ns,
	     json_pack("{s:o, s:{s:o, s:o, s:o}}", "totals", totals_json(now), "metrics",
		       "pattern_verified_pages", metric(verified, "pages/s", "higher"),
		       "pattern_verified_bytes",
		       metric(verified * PATTERN_PAGE, "bytes/s", "higher"),
		       "pattern_written_pages", metric(written, "pages/s", "higher")),
	     text);
	pattern->before = *now;
	pattern->before_ns = report->monotonic_ns;
}

static void arm(const struct pattern_run *pattern, int64_t nanoseconds)
{
	struct itimerspec time = {.it_value = {.tv_sec = nanoseconds / NSEC_PER_SEC,
					       .tv_nsec = nanoseconds % NSEC_PER_SEC}};

	timerfd_settime(pattern->timer, 0, &time, NULL);
}

/* The end of a touch: all pages were read. */
static void emit_verified(struct workload_run *run, const struct pattern_report *report)
{
	struct pattern_run *pattern = run->private;
	uint32_t wrong = report->mismatch.bits, lost = report->mismatch.lines;
	__cleanup_free char *text = format_text(
		"all pages were read: %u are not what was written, %u were lost now", wrong, lost);

	pattern->touching = false;
	arm(pattern, 0);
	/* A page that was lost at this touch has its signal, and is not said to be touched well. */
	if (!lost)
		emit(run, "touched", report->time_ns,
		     json_pack("{s:b, s:s}", "value_ok", wrong == 0, "data",
			       wrong ? "other" : "intact"),
		     text);
	emit(run, "checked", report->time_ns,
	     json_pack("{s:I, s:I, s:o}", "wrong", (json_int_t)wrong, "lost", (json_int_t)lost,
		       "totals", totals_json(&report->totals)),
	     text);
}

static void handle_report(struct workload_run *run, const struct pattern_report *report)
{
	switch (report->kind) {
	case PATTERN_SIGNAL:
		emit_signal(run, report);
		break;
	case PATTERN_MISMATCH:
		emit_mismatch(run, report);
		break;
	case PATTERN_TOTALS:
		emit_totals(run, report);
		break;
	case PATTERN_VERIFIED:
		emit_verified(run, report);
		break;
	default:
		break;
	}
}

/* Return: 1 for a report, 0 when the process closed its end, -EAGAIN when there is none now. */
static int receive(struct pattern_run *pattern, struct pattern_report *report)
{
	ssize_t got;

	if (pattern->socket < 0)
		return 0;
	do {
		got = recv(pattern->socket, report, sizeof(*report), MSG_DONTWAIT);
	} while (got < 0 && errno == EINTR);
	if (got == sizeof(*report)) {
		report->text[sizeof(report->text) - 1] = '\0';
		return 1;
	}
	return got < 0 && errno == EAGAIN ? -EAGAIN : 0;
}

/* Waits, bounded, for the end of the process. Return: whether it was reaped. */
static bool reap(struct pattern_run *pattern, int timeout_ms, siginfo_t *info)
{
	struct pollfd state = {.fd = pattern->pidfd, .events = POLLIN};

	*info = (siginfo_t){0};
	if (pattern->pidfd < 0 || poll(&state, 1, timeout_ms) <= 0)
		return false;
	return waitid(P_PIDFD, (id_t)pattern->pidfd, info, WEXITED | WNOHANG) == 0 && info->si_pid;
}

static void drain(struct workload_run *run)
{
	struct pattern_run *pattern = run->private;
	struct pattern_report report;
	int got;

	while ((got = receive(pattern, &report)) == 1)
		handle_report(run, &report);
	if (got == 0 && pattern->socket >= 0) {
		epoll_ctl(run->fd, EPOLL_CTL_DEL, pattern->socket, NULL);
		close(pattern->socket);
		pattern->socket = -1;
	}
}

static void close_all(struct workload_run *run)
{
	struct pattern_run *pattern = run->private;
	const int fds[] = {pattern->socket, pattern->pidfd, pattern->timer, run->fd};

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	run->fd = -1;
	run->pid = 0;
	free(pattern);
	run->private = NULL;
}

static void pattern_stop(struct workload_run *run)
{
	struct pattern_run *pattern = run->private;
	siginfo_t info;
	bool gone;

	if (!pattern)
		return;
	if (run->pid > 0) {
		gone = pattern->socket >= 0 && !pattern->touching &&
		       send(pattern->socket, (char[]){PATTERN_QUIT}, 1,
			    MSG_NOSIGNAL | MSG_DONTWAIT) == 1 &&
		       reap(pattern, QUIT_TIMEOUT_MS, &info);
		if (!gone) {
			kill(run->pid, SIGKILL);
			gone = reap(pattern, KILL_TIMEOUT_MS, &info);
		}
		if (!gone)
			log_warning(
				"%s: process %d does not die of SIGKILL: it hangs in the kernel",
				run->name, run->pid);
	}
	close_all(run);
}

static int fork_process(struct workload_run *run, struct reason *why)
{
	struct pattern_run *pattern = run->private;
	pid_t agent = getpid();
	int sockets[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return fail(why, -errno, "pattern: socketpair: %s", strerror(errno));
	run->pid = fork();
	if (run->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != agent)
			_exit(1);
		/* What the agent has open is none of its business. */
		if (dup2(sockets[1], 3) < 0)
			_exit(1);
		(void)close_range(4, ~0u, 0);
		pattern_process(3, &pattern->options);
	}
	close(sockets[1]);
	pattern->socket = sockets[0];
	if (run->pid < 0) {
		run->pid = 0;
		return fail(why, -errno, "pattern: fork: %s", strerror(errno));
	}
	pattern->pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
	return pattern->pidfd < 0 ? fail(why, -errno, "pattern: pidfd_open: %s", strerror(errno))
				  : 0;
}

static int watch(struct workload_run *run, struct reason *why)
{
	struct pattern_run *pattern = run->private;
	const int fds[] = {pattern->socket, pattern->pidfd, pattern->timer};

	run->fd = epoll_create1(EPOLL_CLOEXEC);
	for (size_t i = 0; run->fd >= 0 && i < ARRAY_SIZE(fds); i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.fd = fds[i]};

		if (epoll_ctl(run->fd, EPOLL_CTL_ADD, fds[i], &event) < 0)
			return fail(why, -errno, "pattern: epoll_ctl: %s", strerror(errno));
	}
	return run->fd < 0 ? fail(why, -errno, "pattern: epoll_create: %s", strerror(errno)) : 0;
}

static void note_facts(struct workload_run *run, const struct pattern_report *ready)
{
	const struct pattern_options *options = &((struct pattern_run *)run->private)->options;
	const struct {
		const char *name;
		uint64_t value;
	} facts[] = {
		{"address", ready->address},
		{"page_size", PATTERN_PAGE},
		{"region", ready->region},
		{"region_size", options->size},
		{"victim", options->victim},
		{"seed", options->seed},
		/* Without CAP_SYS_ADMIN the frame reads as zero: then nobody may take it for one. */
		{"pfn", ready->pfn},
		{"physical", ready->pfn << 12},
	};

	json_object_set_new(run->facts, "pid", json_integer(run->pid));
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		if (facts[i].value)
			json_object_set_new(run->facts, facts[i].name,
					    json_sprintf("0x%" PRIx64, facts[i].value));
	json_object_set_new(run->facts, "page", json_string(backings[options->backing]));
}

static int await_ready(struct workload_run *run, struct reason *why)
{
	struct pattern_run *pattern = run->private;
	int64_t until = now_monotonic_ns() + READY_NS +
			(int64_t)(pattern->options.size / READY_BYTES) * NSEC_PER_SEC;
	struct pattern_report report;
	int got;

	while ((got = receive(pattern, &report)) == -EAGAIN) {
		struct pollfd state = {.fd = pattern->socket, .events = POLLIN};
		int64_t left = (until - now_monotonic_ns()) / NSEC_PER_MSEC;

		if (left <= 0)
			break;
		(void)poll(&state, 1, left < INT32_MAX ? (int)left : INT32_MAX);
	}
	if (got == 1 && report.kind == PATTERN_READY) {
		note_facts(run, &report);
		pattern->before = report.totals;
		pattern->before_ns = report.monotonic_ns;
		emit(run, "ready", report.time_ns, json_object(), "ready");
		return 0;
	}
	if (got == 1 && report.kind == PATTERN_FAILED)
		return fail(why, report.error, "pattern: %s", report.text);
	return fail(why, got == -EAGAIN ? -EAGAIN : -ECHILD,
		    "pattern: its process %s before its memory was filled",
		    got == -EAGAIN ? "took too long" : "ended");
}

static int pattern_start(struct workload_run *run, struct reason *why)
{
	struct pattern_run *pattern = calloc(1, sizeof(*pattern));
	int error;

	if (!pattern)
		return -ENOMEM;
	*pattern = (struct pattern_run){.socket = -1, .pidfd = -1};
	run->private = pattern;
	pattern->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	error = pattern->timer < 0
			? fail(why, -errno, "pattern: timerfd_create: %s", strerror(errno))
			: take_options(run->arguments, &pattern->options, why);
	if (!error)
		error = fork_process(run, why);
	if (!error)
		error = watch(run, why);
	if (!error)
		error = await_ready(run, why);
	if (error)
		pattern_stop(run);
	return error;
}

static void pattern_dispatch(struct workload_run *run)
{
	struct pattern_run *pattern = run->private;
	uint64_t expirations;
	siginfo_t info;

	if (!pattern)
		return;
	/* All that it said before it ended comes before the news of its end. */
	drain(run);
	if (run->pid > 0 && reap(pattern, 0, &info)) {
		bool exited = info.si_code == CLD_EXITED;
		__cleanup_free char *text =
			exited ? format_text("its process ended with status %d", info.si_status)
			       : format_text("its process ended by SIG%s",
					     sigabbrev_np(info.si_status));

		drain(run);
		epoll_ctl(run->fd, EPOLL_CTL_DEL, pattern->pidfd, NULL);
		arm(pattern, 0);
		pattern->touching = false;
		emit(run, "exit", 0,
		     json_pack("{s:i, s:i}", "status", exited ? info.si_status : -1, "signal",
			       exited ? 0 : info.si_status),
		     text);
		run->pid = 0;
	}
	if (read(pattern->timer, &expirations, sizeof(expirations)) == sizeof(expirations) &&
	    pattern->touching)
		emit(run, "hung", 0, json_object(), "did not come back from its touch");
}

/* On demand: verify all pages now. */
static int pattern_touch(struct workload_run *run, struct reason *why)
{
	struct pattern_run *pattern = run->private;

	pattern_dispatch(run);
	if (run->pid > 0 && pattern->touching)
		return fail(why, -EBUSY, "%s: it is still at its last touch", run->name);
	/* A fault that has killed it already is a result, not a failure of the request. */
	if (run->pid <= 0 || pattern->socket < 0 ||
	    send(pattern->socket, (char[]){PATTERN_VERIFY}, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		emit(run, "gone", 0, json_object(), "has ended: nobody is there to verify");
		return 0;
	}
	pattern->touching = true;
	arm(pattern, param_duration_ns(run->arguments, "deadline"));
	return 0;
}

static const struct workload pattern = {
	.name = "pattern",
	.summary = "a process that owns much memory, and writes and verifies it all the time",
	.params = pattern_params,
	.start = pattern_start,
	.touch = pattern_touch,
	.dispatch = pattern_dispatch,
	.stop = pattern_stop,
};

REGISTER(workload, pattern);
