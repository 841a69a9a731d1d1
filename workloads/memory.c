// SPDX-License-Identifier: GPL-2.0-only
/*
 * memory: a process that owns a page of a chosen kind and touches it in a chosen way. This is the agent's side, which
 * never waits for the victim without a bound: a victim may hang in the kernel for ever.
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

#include "inject/injector.h"
#include "inject/machine.h"
#include "workloads/memory.h"
#include "workloads/workload.h"

#define READY_TIMEOUT_MS 8000
#define QUIT_TIMEOUT_MS 1000
#define KILL_TIMEOUT_MS 2000
#define HUGE_PAGES "/sys/kernel/mm/hugepages/hugepages-2048kB"

static const char *const pages[] = {
	[PAGE_ANONYMOUS] = "anonymous",	    [PAGE_THP] = "thp",
	[PAGE_HUGETLB] = "hugetlb",	    [PAGE_SHARED] = "shared",
	[PAGE_MLOCKED] = "mlocked",	    [PAGE_FILE_CLEAN] = "file-clean",
	[PAGE_FILE_DIRTY] = "file-dirty",   [PAGE_TMPFS] = "tmpfs",
	[PAGE_INSTRUCTION] = "instruction", NULL,
};

static const char *const touches[] = {
	[TOUCH_LOAD] = "load",		 [TOUCH_STORE] = "store",
	[TOUCH_EXECUTE] = "execute",	 [TOUCH_COPYIN] = "copyin",
	[TOUCH_COPYOUT] = "copyout",	 [TOUCH_COPY_ON_WRITE] = "copy-on-write",
	[TOUCH_THREADS] = "threads",	 [TOUCH_PREFETCH] = "prefetch",
	[TOUCH_UNALIGNED] = "unaligned", [TOUCH_MEMCPY] = "memcpy",
	[TOUCH_FUTEX] = "futex",	 [TOUCH_FULL_STORE] = "full-store",
	[TOUCH_NONE] = "none",		 NULL,
};

static const char *const handlers[] = {"catch", "none", NULL};
static const char *const mce_kills[] = {"default", "early", "late", NULL};

static const struct param memory_params[] = {
	{"page", PARAM_CHOICE, "kind of page", "anonymous", pages, false},
	{"touch", PARAM_CHOICE, "how it is touched", "load", touches, false},
	{"handler", PARAM_CHOICE, "catch SIGBUS, or none: die of it", "catch", handlers, false},
	{"mce-kill", PARAM_CHOICE, "prctl(PR_MCE_KILL): told early, late, or as the host's default",
	 "default", mce_kills, false},
	{"offset", PARAM_NUMBER, "of the struck line in its page; a multiple of 64", "0x400", NULL,
	 false},
	{"deadline", PARAM_DURATION, "a touch that takes longer is reported as hung", "5s", NULL,
	 false},
	{"directory", PARAM_STRING, "on a disk, for the kinds file-* and instruction", NULL, NULL,
	 false},
	{0},
};

struct memory_run {
	struct memory_options options;
	int socket;
	int pidfd;
	int timer;
	char *huge_pages_before;
	bool touching;
};

static size_t choice_index(const char *const *choices, const char *text)
{
	size_t index = 0;

	while (choices[index] && strcmp(choices[index], text) != 0)
		index++;
	return index;
}

static int take_options(const json_t *arguments, struct memory_options *options, struct reason *why)
{
	static const int kills[] = {PR_MCE_KILL_DEFAULT, PR_MCE_KILL_EARLY, PR_MCE_KILL_LATE};
	const char *kill_text = param_text(arguments, "mce-kill");

	*options = (struct memory_options){
		.page = (enum memory_page)choice_index(pages, param_text(arguments, "page")),
		.touch = (enum memory_touch)choice_index(touches, param_text(arguments, "touch")),
		.handler = strcmp(param_text(arguments, "handler"), "catch") == 0,
		.mce_kill = kills[choice_index(mce_kills, kill_text)],
		.offset = param_number(arguments, "offset"),
		.directory = param_text(arguments, "directory"),
	};
	if (options->offset % MEMORY_LINE || options->offset < MEMORY_LINE ||
	    options->offset > MEMORY_PAGE - 2 * MEMORY_LINE)
		return fail(why, -EINVAL,
			    "'offset' is 0x%" PRIx64 ": it must be a multiple of 64 with a line "
			    "before and a line behind it in the page",
			    options->offset);
	return memory_touch_fits(options->page, options->touch, why) ? 0 : -EINVAL;
}

/* A huge page must be set aside by the administrator; on a machine that may be broken brinell is one. */
static int reserve_huge_page(struct memory_run *memory, struct reason *why)
{
	__cleanup_free char *free_pages = NULL;
	__cleanup_free char *all = NULL;
	char path[4096], text[32];
	int error;

	if (read_small_file(system_path(path, HUGE_PAGES "/free_hugepages"), &free_pages, NULL) ||
	    read_small_file(system_path(path, HUGE_PAGES "/nr_hugepages"), &all, NULL))
		return fail(why, -ENOTSUP, "this machine has no huge pages of 2 MiB (%s)",
			    HUGE_PAGES);
	if (strtoul(free_pages, NULL, 10) > 0)
		return 0;
	if (machine_is_expendable(NULL))
		return fail(why, -ENOTSUP,
			    "no huge page is free: write a higher number to %s/nr_hugepages, or "
			    "let brinell do it by naming this host in /etc/brinell/expendable",
			    HUGE_PAGES);
	snprintf(text, sizeof(text), "%lu", strtoul(all, NULL, 10) + 1);
	error = write_small_file(system_path(path, HUGE_PAGES "/nr_hugepages"), text);
	if (error)
		return fail(why, error, "write %s to %s/nr_hugepages: %s", text, HUGE_PAGES,
			    strerror(-error));
	memory->huge_pages_before = steal(all);
	return 0;
}

static void give_back_huge_page(struct memory_run *memory)
{
	char path[4096];
	int error;

	if (!memory->huge_pages_before)
		return;
	error = write_small_file(system_path(path, HUGE_PAGES "/nr_hugepages"),
				 memory->huge_pages_before);
	if (error)
		log_warning("memory: write %s to %s/nr_hugepages: %s", memory->huge_pages_before,
			    HUGE_PAGES, strerror(-error));
	free(memory->huge_pages_before);
	memory->huge_pages_before = NULL;
}

static const char *signal_code_name(int number, int code)
{
	if (number != SIGBUS)
		return "";
	switch (code) {
	case BUS_ADRALN:
		return "BUS_ADRALN";
	case BUS_ADRERR:
		return "BUS_ADRERR";
	case BUS_OBJERR:
		return "BUS_OBJERR";
	case BUS_MCEERR_AR:
		return "BUS_MCEERR_AR";
	case BUS_MCEERR_AO:
		return "BUS_MCEERR_AO";
	default:
		return "unknown";
	}
}

static void emit(struct workload_run *run, const char *event, const struct memory_report *report,
		 json_t *data, const char *text)
{
	__cleanup_free char *whole = format_text("%s: %s", run->name, text);

	json_object_set_new(data, "workload", json_string(run->name));
	json_object_set_new(data, "event", json_string(event));
	json_object_set_new(data, "pid", json_integer(report ? report->pid : run->pid));
	json_object_set_new(data, "time_ns",
			    json_integer(report && report->time_ns ? report->time_ns
								   : now_realtime_ns()));
	json_object_set_new(data, "text", json_string(whole));
	run->emit(run->context, data);
}

static void emit_signal(struct workload_run *run, const struct memory_report *report)
{
	const char *code = signal_code_name(report->signal, report->code);
	__cleanup_free char *text =
		format_text("SIG%s %s at 0x%" PRIx64 ", lsb %d", sigabbrev_np(report->signal), code,
			    report->address, report->lsb);

	emit(run, "signal", report,
	     json_pack("{s:i, s:o, s:i, s:s, s:o, s:i, s:o}", "signal", report->signal,
		       "signal_name", json_sprintf("SIG%s", sigabbrev_np(report->signal)), "code",
		       report->code, "code_name", code, "address",
		       json_sprintf("0x%" PRIx64, report->address), "lsb", report->lsb,
		       "expected_address", json_sprintf("0x%" PRIx64, report->expected)),
	     text);
}

static void emit_touched(struct workload_run *run, const struct memory_report *report)
{
	static const char *const names[] = {"unread", "intact", "zero", "other"};
	bool fine = report->data == DATA_UNREAD || report->data == DATA_INTACT;
	json_t *data = json_pack("{s:b}", "value_ok", fine);
	__cleanup_free char *text =
		format_text("touched by %s: %s", param_text(run->arguments, "touch"),
			    report->data == DATA_UNREAD ? "done" : names[report->data]);

	if (report->data != DATA_UNREAD)
		json_object_set_new(data, "data", json_string(names[report->data]));
	emit(run, "touched", report, data, text);
}

static void emit_error(struct workload_run *run, const struct memory_report *report)
{
	__cleanup_free char *text = format_text("%s failed: %s (%s)", report->call,
						error_name(report->error), strerror(report->error));

	emit(run, "error", report,
	     json_pack("{s:s, s:i, s:s}", "call", report->call, "errno", report->error,
		       "errno_name", error_name(report->error)),
	     text);
}

static void emit_corrupted(struct workload_run *run, const struct memory_report *report)
{
	__cleanup_free char *text =
		format_text("0x%" PRIx64 " holds 0x%" PRIx64 " instead of 0x%" PRIx64,
			    report->address, report->found, report->expected);

	emit(run, "corrupted", report,
	     json_pack("{s:o, s:o, s:o}", "address", json_sprintf("0x%" PRIx64, report->address),
		       "found", json_sprintf("0x%" PRIx64, report->found), "expected",
		       json_sprintf("0x%" PRIx64, report->expected)),
	     text);
}

static void emit_exit(struct workload_run *run, pid_t pid, int status, int number)
{
	struct memory_report report = {.pid = pid};
	__cleanup_free char *text =
		number ? format_text("process %d ended by SIG%s", pid, sigabbrev_np(number))
		       : format_text("process %d ended with status %d", pid, status);

	emit(run, "exit", &report, json_pack("{s:i, s:i}", "status", status, "signal", number),
	     text);
}

static void arm(struct memory_run *memory, int64_t nanoseconds)
{
	struct itimerspec time = {.it_value = {.tv_sec = nanoseconds / NSEC_PER_SEC,
					       .tv_nsec = nanoseconds % NSEC_PER_SEC}};

	timerfd_settime(memory->timer, 0, &time, NULL);
}

static void handle_report(struct workload_run *run, const struct memory_report *report)
{
	struct memory_run *memory = run->private;

	switch (report->kind) {
	case REPORT_SIGNAL:
		emit_signal(run, report);
		break;
	case REPORT_TOUCHED:
		emit_touched(run, report);
		break;
	case REPORT_ERROR:
		emit_error(run, report);
		break;
	case REPORT_CORRUPTED:
		emit_corrupted(run, report);
		break;
	case REPORT_CHECKED:
		memory->touching = false;
		arm(memory, 0);
		emit(run, "checked", report,
		     json_pack("{s:s}", "elsewhere", report->error ? "lost" : "read"),
		     report->error ? "a page beside the struck one is lost too"
				   : "all other pages were read again");
		break;
	case REPORT_MEMBER_EXIT:
		emit_exit(run, report->code, report->status, report->signal);
		break;
	default:
		break;
	}
}

/* Return: 1 for a report, 0 when the victim closed its end, -EAGAIN when there is none now. */
static int receive(struct memory_run *memory, struct memory_report *report)
{
	ssize_t got;

	if (memory->socket < 0)
		return 0;
	do {
		got = recv(memory->socket, report, sizeof(*report), MSG_DONTWAIT);
	} while (got < 0 && errno == EINTR);
	if (got == sizeof(*report)) {
		report->call[sizeof(report->call) - 1] = '\0';
		report->text[sizeof(report->text) - 1] = '\0';
		return 1;
	}
	if (got < 0 && errno == EAGAIN)
		return -EAGAIN;
	return 0;
}

/* Waits for a report, at most until a time of CLOCK_MONOTONIC. Return: as receive(), -ETIMEDOUT. */
static int await_report(struct memory_run *memory, int64_t until, struct memory_report *report)
{
	for (;;) {
		struct pollfd state = {.fd = memory->socket, .events = POLLIN};
		int got = receive(memory, report);
		int64_t left = (until - now_monotonic_ns()) / NSEC_PER_MSEC;

		if (got != -EAGAIN)
			return got;
		if (left <= 0)
			return -ETIMEDOUT;
		(void)poll(&state, 1, (int)left);
	}
}

/* Waits, bounded, for the end of the process. Return: whether it was reaped. */
static bool reap(struct memory_run *memory, int timeout_ms, siginfo_t *info)
{
	struct pollfd state = {.fd = memory->pidfd, .events = POLLIN};
	int64_t until = now_monotonic_ns() + timeout_ms * NSEC_PER_MSEC;

	for (;;) {
		int64_t left = (until - now_monotonic_ns()) / NSEC_PER_MSEC;

		*info = (siginfo_t){0};
		if (waitid(P_PIDFD, (id_t)memory->pidfd, info, WEXITED | WNOHANG) == 0 &&
		    info->si_pid)
			return true;
		if (left <= 0)
			return false;
		(void)poll(&state, 1, (int)left);
	}
}

static void close_all(struct workload_run *run)
{
	struct memory_run *memory = run->private;

	give_back_huge_page(memory);
	if (memory->socket >= 0)
		close(memory->socket);
	if (memory->pidfd >= 0)
		close(memory->pidfd);
	if (memory->timer >= 0)
		close(memory->timer);
	if (run->fd >= 0)
		close(run->fd);
	run->fd = -1;
	run->pid = 0;
	free(memory);
	run->private = NULL;
}

static void memory_stop(struct workload_run *run)
{
	struct memory_run *memory = run->private;
	siginfo_t info;

	if (!memory)
		return;
	if (run->pid > 0) {
		bool gone = false;

		if (!memory->touching && send(memory->socket, (char[]){REQUEST_QUIT}, 1,
					      MSG_NOSIGNAL | MSG_DONTWAIT) == 1)
			gone = reap(memory, QUIT_TIMEOUT_MS, &info);
		if (!gone) {
			kill(run->pid, SIGKILL);
			gone = reap(memory, KILL_TIMEOUT_MS, &info);
		}
		if (!gone)
			log_warning(
				"%s: process %d does not die of SIGKILL: it hangs in the kernel",
				run->name, run->pid);
	}
	close_all(run);
}

static int fork_victim(struct workload_run *run, struct reason *why)
{
	struct memory_run *memory = run->private;
	pid_t agent = getpid();
	int sockets[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return fail(why, -errno, "memory: socketpair: %s", strerror(errno));
	run->pid = fork();
	if (run->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != agent)
			_exit(1);
		/* What the agent has open is none of the victim's business. */
		if (dup2(sockets[1], 3) < 0)
			_exit(1);
		(void)close_range(4, ~0u, 0);
		memory_victim(3, &memory->options);
	}
	close(sockets[1]);
	memory->socket = sockets[0];
	if (run->pid < 0) {
		run->pid = 0;
		return fail(why, -errno, "memory: fork: %s", strerror(errno));
	}
	memory->pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
	if (memory->pidfd < 0)
		return fail(why, -errno, "memory: pidfd_open: %s", strerror(errno));
	return 0;
}

static int watch(struct workload_run *run, struct reason *why)
{
	struct memory_run *memory = run->private;
	const int fds[] = {memory->socket, memory->pidfd, memory->timer};

	run->fd = epoll_create1(EPOLL_CLOEXEC);
	for (size_t i = 0; run->fd >= 0 && i < ARRAY_SIZE(fds); i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.fd = fds[i]};

		if (epoll_ctl(run->fd, EPOLL_CTL_ADD, fds[i], &event) < 0)
			return fail(why, -errno, "memory: epoll_ctl: %s", strerror(errno));
	}
	return run->fd < 0 ? fail(why, -errno, "memory: epoll_create: %s", strerror(errno)) : 0;
}

static void note_facts(struct workload_run *run, const struct memory_report *ready)
{
	struct memory_run *memory = run->private;
	const struct {
		const char *name;
		uint64_t value;
	} facts[] = {
		{"address", ready->address},
		{"page_size", ready->page_size},
		{"offset", memory->options.offset},
		{"region", ready->region},
		{"region_size", ready->region_size},
		/* Without CAP_SYS_ADMIN the frame reads as zero: then nobody may take it for one. */
		{"pfn", ready->pfn},
		{"physical", ready->pfn ? ready->pfn << 12 | memory->options.offset : 0},
	};

	json_object_set_new(run->facts, "pid", json_integer(run->pid));
	if (ready->code > 0)
		json_object_set_new(run->facts, "children", json_pack("[i]", ready->code));
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		if (facts[i].value)
			json_object_set_new(run->facts, facts[i].name,
					    json_sprintf("0x%" PRIx64, facts[i].value));
	json_object_set_new(run->facts, "page", json_string(pages[memory->options.page]));
}

static int await_ready(struct workload_run *run, struct reason *why)
{
	struct memory_run *memory = run->private;
	int64_t until = now_monotonic_ns() + READY_TIMEOUT_MS * NSEC_PER_MSEC;
	struct memory_report report;
	int got = await_report(memory, until, &report);

	if (got == 1 && report.kind == REPORT_READY) {
		note_facts(run, &report);
		emit(run, "ready", &report, json_object(), "ready");
		return 0;
	}
	if (got == 1 && report.kind == REPORT_FAILED)
		return fail(why, report.error, "memory: %s", report.text);
	return fail(why, got == -ETIMEDOUT ? -EAGAIN : -ECHILD,
		    "memory: the victim %s before its page was ready",
		    got == -ETIMEDOUT ? "took too long" : "ended");
}

static int memory_start(struct workload_run *run, struct reason *why)
{
	struct memory_run *memory = calloc(1, sizeof(*memory));
	int error;

	if (!memory)
		return -ENOMEM;
	*memory = (struct memory_run){.socket = -1, .pidfd = -1};
	run->private = memory;
	memory->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	error = memory->timer < 0 ? fail(why, -errno, "memory: timerfd_create: %s", strerror(errno))
				  : take_options(run->arguments, &memory->options, why);
	if (!error && memory->options.page == PAGE_HUGETLB)
		error = reserve_huge_page(memory, why);
	if (!error)
		error = fork_victim(run, why);
	if (!error)
		error = watch(run, why);
	if (!error)
		error = await_ready(run, why);
	if (error)
		memory_stop(run);
	return error;
}

static int request(struct workload_run *run, enum memory_request what, struct reason *why)
{
	struct memory_run *memory = run->private;
	char byte = (char)what;

	if (!memory || memory->socket < 0 || run->pid <= 0)
		return fail(why, -ESRCH, "%s: its process has ended", run->name);
	if (memory->touching)
		return fail(why, -EBUSY, "%s: it is still at its last touch", run->name);
	if (send(memory->socket, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return fail(why, -errno, "%s: its process takes no request: %s", run->name,
			    strerror(errno));
	return 0;
}

static void drain(struct workload_run *run)
{
	struct memory_run *memory = run->private;
	struct memory_report report;
	int got;

	while ((got = receive(memory, &report)) == 1)
		handle_report(run, &report);
	if (got == 0 && memory->socket >= 0) {
		epoll_ctl(run->fd, EPOLL_CTL_DEL, memory->socket, NULL);
		close(memory->socket);
		memory->socket = -1;
	}
}

static void memory_dispatch(struct workload_run *run)
{
	struct memory_run *memory = run->private;
	uint64_t expirations;
	siginfo_t info;

	if (!memory)
		return;
	/* All that it said before it ended comes before the news of its end. */
	drain(run);
	if (run->pid > 0 && reap(memory, 0, &info)) {
		drain(run);
		epoll_ctl(run->fd, EPOLL_CTL_DEL, memory->pidfd, NULL);
		arm(memory, 0);
		memory->touching = false;
		emit_exit(run, run->pid, info.si_code == CLD_EXITED ? info.si_status : -1,
			  info.si_code == CLD_EXITED ? 0 : info.si_status);
		run->pid = 0;
	}
	if (read(memory->timer, &expirations, sizeof(expirations)) == sizeof(expirations) &&
	    memory->touching)
		emit(run, "hung", NULL, json_object(), "did not come back from its touch");
}

static int memory_touch(struct workload_run *run, struct reason *why)
{
	struct memory_run *memory = run->private;
	int error;

	memory_dispatch(run);
	error = request(run, REQUEST_TOUCH, why);
	/* A fault that has killed it already is a result, not a failure of the request. */
	if (error == -ESRCH || error == -EPIPE || error == -ECONNRESET) {
		emit(run, "gone", NULL, json_object(),
		     "has ended: nobody is there to touch the page");
		return 0;
	}
	if (error)
		return error;
	memory->touching = true;
	arm(memory, param_duration_ns(run->arguments, "deadline"));
	return 0;
}

static int memory_command(struct workload_run *run, const char *command, struct reason *why)
{
	struct memory_run *memory = run->private;
	int64_t until = now_monotonic_ns() + param_duration_ns(run->arguments, "deadline");
	struct memory_report report;
	bool hard = strcmp(command, "madvise-hard") == 0;
	int error, got;

	if (!hard && strcmp(command, "madvise-soft") != 0)
		return fail(why, -EINVAL, "%s: no command '%s'; known: madvise-hard, madvise-soft",
			    run->name, command);
	error = machine_is_expendable(why);
	if (!error)
		error = request(run, hard ? REQUEST_MADVISE_HARD : REQUEST_MADVISE_SOFT, why);
	if (error)
		return error;
	while ((got = await_report(memory, until, &report)) == 1) {
		if (report.kind != REPORT_ANSWER) {
			handle_report(run, &report);
			continue;
		}
		if (!report.error)
			return 0;
		return fail(why, -report.error, "%s: madvise(%s) on its own page: %s", run->name,
			    hard ? "MADV_HWPOISON" : "MADV_SOFT_OFFLINE", strerror(report.error));
	}
	/* Killed in the middle is what a poisoned process may look like: the event says so. */
	if (got == 0)
		return 0;
	return fail(why, -ETIME, "%s: madvise on its own page did not come back", run->name);
}

static const struct workload memory = {
	.name = "memory",
	.summary = "a process that owns a page of a chosen kind, and touches it in a chosen way",
	.params = memory_params,
	.start = memory_start,
	.touch = memory_touch,
	.command = memory_command,
	.dispatch = memory_dispatch,
	.stop = memory_stop,
};

REGISTER(workload, memory);
