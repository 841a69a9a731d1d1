// SPDX-License-Identifier: GPL-2.0-only
/*
 * The process of a storm and its watchdog. The storm runs in a child: a thread that never returns from the kernel can not be
 * reaped, and must not block the trial. The watchdog reports the child's counts, checks its progress, and reports the kernel
 * stacks of its threads when there is none.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "inject/gmem/leaks.h"
#include "inject/gmem/process.h"

#define TICK_MS 200
#define REPORT_NS NSEC_PER_SEC
#define STOP_NS (5 * NSEC_PER_SEC)
/* The kernel frees some objects late: what is freed within this time is no leak. */
#define LEAK_NS (2 * NSEC_PER_SEC)
#define LEAK_PAUSE_US 50000

/* State of the child, in shared memory; @ended: storm_run() returned, with @error and @text. */
struct shared {
	struct storm_counts counts;
	bool ended;
	int error;
	char text[200];
};

/**
 * struct watch - the watchdog
 * @shared: memory shared with the child; @counts: in it
 * @child, @pidfd: of the storm
 * @progress, @progress_ns: last progress, and its time
 * @reported_ns: last report
 * @stop_ns: time of the request to stop; 0: none
 * @before: the kernel's counts before the storm
 */
struct watch {
	int socket;
	const struct storm_order *order;
	struct shared *shared;
	struct storm_counts *counts;
	pid_t child;
	int pidfd;
	uint64_t progress;
	int64_t progress_ns, reported_ns, stop_ns;
	struct leaks before;
};

static void send_report(int socket, struct storm_report *report, enum storm_report_kind kind)
{
	report->head.kind = (int32_t)kind;
	process_say(socket, &report->head, sizeof(*report), 0);
}

static void send_counts(const struct watch *watch, enum storm_report_kind kind, int error,
			const char *text)
{
	struct storm_report report = {.head = {.error = error}, .counts = *watch->counts};

	snprintf(report.head.text, sizeof(report.head.text), "%s", text);
	send_report(watch->socket, &report, kind);
}

static void send_violation(void *context, const struct storm_violation *violation)
{
	struct storm_report report = {.violation = *violation};

	send_report(*(int *)context, &report, STORM_VIOLATION);
}

static void send_failure(int socket, int error, const struct reason *why)
{
	struct storm_report report = {.head = {.kind = PROCESS_FAILED, .error = error}};

	snprintf(report.head.text, sizeof(report.head.text), "%.199s", why->text);
	process_say(socket, &report.head, sizeof(report), 0);
}

_Noreturn static void run_storm(int socket, const struct storm_order *order, struct shared *shared)
{
	struct storm_report report = {0};
	struct reason why = {0};
	struct storm *storm;
	int error = order->enter ? order->enter(&why) : 0;

	error = error ? error
		      : storm_open(&storm, order->knobs, order->kernel, &shared->counts,
				   send_violation, &socket, &why);

	if (error) {
		send_failure(socket, error, &why);
		_exit(1);
	}
	report.head.kind = PROCESS_READY;
	process_say(socket, &report.head, sizeof(report), 0);
	shared->error = storm_run(storm, &why);
	/* Also a fault that did not occur sets the reason. */
	snprintf(shared->text, sizeof(shared->text), "%.199s", shared->error ? why.text : "");
	storm_close(storm);
	shared->ended = true;
	_exit(0);
}

static void check_leaks(struct watch *watch)
{
	__cleanup_free char *left = NULL;
	__cleanup_free char *text = NULL;
	int64_t until = now_monotonic_ns() + LEAK_NS;
	struct leaks now;

	for (;;) {
		leaks_count(&now, watch->child);
		free(left);
		left = leaks_find(&watch->before, &now);
		if (!left)
			return;
		if (now_monotonic_ns() >= until)
			break;
		usleep(LEAK_PAUSE_US);
	}
	text = format_text("leaked: %s", left);
	send_counts(watch, STORM_LEAK, 0, text);
}

/* A planted defect, for tests: a VM that is not closed until this process ends. */
static void plant_leak(const struct storm_order *order)
{
	static struct gmem_vm vm = {.shared_fd = -1};
	const struct gmem_range all = {0, order->knobs->shape.pages};
	struct reason why;

	vm.kernel = order->kernel;
	vm.shape = &order->knobs->shape;
	if (order->knobs->plant == PLANT_LEAK && order->kernel->open(&vm, &why) == 0)
		(void)order->kernel->allocate(&vm, &all);
}

static void add_thread(const struct watch *watch, const char *thread, char *out, size_t room)
{
	__cleanup_free char *place = format_text("/proc/%d/task/%s/stack", watch->child, thread);
	__cleanup_free char *status = format_text("/proc/%d/task/%s/stat", watch->child, thread);
	__cleanup_free char *stack = NULL;
	__cleanup_free char *stat = NULL;
	const char *state = NULL;

	(void)read_small_file(place, &stack, NULL);
	if (read_small_file(status, &stat, NULL) == 0)
		state = strrchr(stat, ')');
	snprintf(out, room, "thread %s, state %c:\n%s", thread, state ? state[2] : '?',
		 stack ? stack : "");
}

static void send_hung(struct watch *watch)
{
	__cleanup_free char *place = format_text("/proc/%d/task", watch->child);
	struct storm_report report = {.counts = *watch->counts};
	__cleanup_directory DIR *threads = opendir(place);
	struct dirent *entry;

	while (threads && (entry = readdir(threads))) {
		size_t used = strlen(report.stacks);

		if (entry->d_name[0] != '.')
			add_thread(watch, entry->d_name, report.stacks + used,
				   sizeof(report.stacks) - used);
	}
	send_report(watch->socket, &report, STORM_HUNG);
}

static bool is_stalled(struct watch *watch, int64_t now)
{
	uint64_t progress = watch->counts->operations + watch->counts->checked;

	if (progress != watch->progress) {
		watch->progress = progress;
		watch->progress_ns = now;
	}
	return now - watch->progress_ns > watch->order->knobs->stall_ns;
}

/* Return: whether the child has ended. A child that could not begin has reported that itself. */
static bool has_ended(struct watch *watch)
{
	const struct shared *shared = watch->shared;
	char text[100];
	int status;

	if (waitpid(watch->child, &status, WNOHANG) != watch->child)
		return false;
	check_leaks(watch);
	if (shared->ended)
		send_counts(watch, STORM_END, shared->error, shared->text);
	if (WIFSIGNALED(status)) {
		snprintf(text, sizeof(text), "the process of the storm ended by signal %d",
			 WTERMSIG(status));
		send_counts(watch, STORM_END, watch->stop_ns ? 0 : -ECHILD, text);
	}
	return true;
}

static void handle_request(struct watch *watch, int64_t now)
{
	char request;

	if (recv(watch->socket, &request, 1, MSG_DONTWAIT) == 1 && request == PROCESS_QUIT) {
		watch->counts->stop = true;
		watch->stop_ns = now;
		return;
	}
	/* The agent closed the socket. */
	kill(watch->child, SIGKILL);
	(void)poll(&(struct pollfd){.fd = watch->pidfd, .events = POLLIN}, 1,
		   STOP_NS / NSEC_PER_MSEC);
	if (watch->order->leave)
		watch->order->leave();
	_exit(0);
}

_Noreturn static void watch_storm(struct watch *watch)
{
	watch->progress_ns = now_monotonic_ns();
	for (;;) {
		struct pollfd fds[] = {{.fd = watch->socket, .events = POLLIN},
				       {.fd = watch->pidfd, .events = POLLIN}};
		bool request = poll(fds, ARRAY_SIZE(fds), TICK_MS) > 0 && fds[0].revents;
		int64_t now = now_monotonic_ns();

		if (has_ended(watch))
			break;
		if (request && !watch->stop_ns)
			handle_request(watch, now);
		if (watch->stop_ns && now - watch->stop_ns > STOP_NS)
			kill(watch->child, SIGKILL);
		if (is_stalled(watch, now)) {
			send_hung(watch);
			kill(watch->child, SIGKILL);
			break;
		}
		if (now - watch->reported_ns < REPORT_NS || watch->stop_ns ||
		    !watch->counts->operations)
			continue;
		watch->reported_ns = now;
		send_counts(watch, STORM_COUNTS, 0, "");
	}
	_exit(0);
}

static int start_storm(struct watch *watch, struct reason *why)
{
	pid_t parent = getpid();

	watch->shared = mmap(NULL, sizeof(*watch->shared), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (watch->shared == MAP_FAILED)
		return fail_errno(why, -errno, "no memory for the counts of the storm");
	watch->counts = &watch->shared->counts;
	watch->child = fork();
	if (watch->child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		run_storm(watch->socket, watch->order, watch->shared);
	}
	return watch->child < 0 ? fail_errno(why, -errno, "the process of the storm can not start")
				: 0;
}

/**
 * storm_body - body of the injector's process: starts the storm and watches it
 * @socket: for reports (struct storm_report) and the request to stop
 * @order:  struct storm_order
 */
void storm_body(int socket, const void *order)
{
	struct watch watch = {.socket = socket, .order = order};
	struct reason why = {0};
	int error;

	process_begin();
	/* The watchdog outlives the agent: it kills the storm and removes its cgroup. */
	prctl(PR_SET_PDEATHSIG, 0);
	leaks_count(&watch.before, 0);
	plant_leak(order);
	error = start_storm(&watch, &why);
	if (error) {
		send_failure(socket, error, &why);
		_exit(1);
	}
	watch.pidfd = (int)syscall(SYS_pidfd_open, watch.child, 0);
	watch_storm(&watch);
}
