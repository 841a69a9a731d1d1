// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters of kernel and processor events, by perf_event_open(2), as the program perf makes them, which has no place in the
 * memory of a guest. The tests compare the counts of both.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "harness/host/counters.h"
#include "harness/host/event.h"
#include "harness/host/samples.h"

#define PLACES_MOST 1024
#define FAMILY_TRIES 20

/* What KVM counts itself for all VMs that live: "kvm/exits" (Documentation/virt/kvm/api.rst, KVM_GET_STATS_FD; its sums are in debugfs). */
#define KVM_COUNTS "/sys/kernel/debug/kvm"

static int read_kvm(const char *name, double *value)
{
	__cleanup_free char *file = format_text(KVM_COUNTS "/%s", name + strlen("kvm/"));
	__cleanup_free char *text = NULL;
	char path[4096];
	int error = read_small_file(system_path(path, file), &text, NULL);

	*value = error ? 0 : strtod(text, NULL);
	return error;
}

static int open_kvm(struct counter *counter, struct counted where, struct reason *why)
{
	if (where.frequency)
		return fail(why, -EINVAL, "%s is a count and can not be sampled", counter->name);
	if (where.pid)
		return fail(why, -EINVAL,
			    "%s counts the exits of all VMs: leave out the workload ('of')",
			    counter->name);
	if (strchr(counter->name + strlen("kvm/"), '/'))
		return fail(why, -EINVAL, "no event '%s': it is a file of " KVM_COUNTS,
			    counter->name);
	counter->is_kvm = true;
	if (read_kvm(counter->name, &counter->base))
		return fail(why, -ENOTSUP,
			    "%s: there is no such file in " KVM_COUNTS
			    ": KVM is not loaded, debugfs is not mounted, or this kernel counts "
			    "nothing of that name",
			    counter->name);
	return 0;
}

static int add_place(struct counter *counter, struct event *event, pid_t pid, int processor)
{
	int fd;

	counter->fds = xreallocarray(counter->fds, counter->count + 1, sizeof(fd));
	if (counter->count >= PLACES_MOST)
		return -E2BIG;
	fd = (int)syscall(SYS_perf_event_open, &event->attributes, pid, processor, -1,
			  PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	counter->fds[counter->count++] = fd;
	return *event->filter && ioctl(fd, PERF_EVENT_IOC_SET_FILTER, event->filter) < 0 ? -errno
											 : 0;
}

static int add_processors(struct counter *counter, struct event *event)
{
	long processors = sysconf(_SC_NPROCESSORS_CONF);
	int error = 0;

	for (int i = 0; i < processors && (!error || error == -ENODEV); i++)
		if (event_is_on(event, i))
			error = add_place(counter, event, -1, i);
	/* An offline processor has no counters. */
	return error == -ENODEV && counter->count ? 0 : error;
}

/* Threads of a process, and its descendants. */
struct family {
	pid_t *threads, *children;
	size_t thread_count, child_count;
};

static void family_release(struct family *family)
{
	free(family->threads);
	free(family->children);
	*family = (struct family){0};
}

static void add_pid(pid_t **pids, size_t *count, pid_t pid)
{
	*pids = xreallocarray(*pids, *count + 1, sizeof(pid));
	(*pids)[(*count)++] = pid;
}

static void family_add_thread(struct family *family, pid_t pid, const char *thread)
{
	__cleanup_free char *path = format_text("/proc/%d/task/%s/children", pid, thread);
	__cleanup_free char *children = NULL;
	char *next, *end;

	add_pid(&family->threads, &family->thread_count, atoi(thread));
	/* It may end at any time. */
	if (read_small_file(path, &children, NULL))
		return;
	for (next = children;; next = end) {
		long child = strtol(next, &end, 10);

		if (end == next)
			break;
		add_pid(&family->children, &family->child_count, (pid_t)child);
	}
}

static void family_of(pid_t pid, struct family *family)
{
	__cleanup_free char *path = format_text("/proc/%d/task", pid);
	__cleanup_directory DIR *threads = opendir(path);
	struct dirent *entry;

	family_release(family);
	while (threads && (entry = readdir(threads)))
		if (isdigit((unsigned char)entry->d_name[0]))
			family_add_thread(family, pid, entry->d_name);
}

static bool all_among(const pid_t *some, size_t some_count, const pid_t *all, size_t all_count)
{
	for (size_t i = 0; i < some_count; i++) {
		size_t at = 0;

		while (at < all_count && all[at] != some[i])
			at++;
		if (at == all_count)
			return false;
	}
	return true;
}

static int add_threads(struct counter *counter, struct event *event, const struct family *family)
{
	int error = 0;

	for (size_t i = 0; i < family->thread_count && (!error || error == -ESRCH); i++)
		error = add_place(counter, event, family->threads[i], -1);
	return error == -ESRCH ? 0 : error;
}

/*
 * A child of a counted thread inherits its counter, and must not get another one. The kernel does not show whether a child
 * inherited a counter. So no child may appear between the scan of the family and the opening of the last counter. If one
 * does, the counters are closed, which also closes the inherited ones, and the scan is repeated. A process that forks
 * faster than that may be counted too low, but never twice.
 */
static int add_family(struct counter *counter, struct event *event, pid_t pid,
		      struct family *family)
{
	__attribute__((cleanup(family_release))) struct family now = {0};
	size_t had = counter->count;

	for (int i = 0;; i++) {
		int error;

		family_of(pid, family);
		error = add_threads(counter, event, family);
		family_of(pid, &now);
		if (error || i == FAMILY_TRIES ||
		    (all_among(now.threads, now.thread_count, family->threads,
			       family->thread_count) &&
		     all_among(now.children, now.child_count, family->children,
			       family->child_count)))
			return error;
		while (counter->count > had)
			close(counter->fds[--counter->count]);
	}
}

static int add_process(struct counter *counter, struct event *event, pid_t pid)
{
	__attribute__((cleanup(family_release))) struct family family = {0};
	int error = add_family(counter, event, pid, &family);

	for (size_t i = 0; !error && i < family.child_count; i++)
		error = add_process(counter, event, family.children[i]);
	return error;
}

/* Beside the samples come the names and mappings of tasks that begin. The reader wakes up when a buffer is half full. */
static void sample(struct perf_event_attr *attributes, uint64_t frequency)
{
	attributes->freq = 1;
	attributes->sample_freq = frequency;
	attributes->sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CALLCHAIN;
	attributes->sample_id_all = 1;
	attributes->use_clockid = 1;
	attributes->clockid = CLOCK_MONOTONIC;
	attributes->comm = attributes->comm_exec = attributes->mmap = attributes->task = 1;
	attributes->watermark = 1;
	attributes->wakeup_watermark = SAMPLES_RING_BYTES / 2;
}

static int explain(const struct event *event, const char *name, struct counted where, int error,
		   struct reason *why)
{
	uint32_t type = event->attributes.type;
	bool hardware = type != PERF_TYPE_SOFTWARE && type != PERF_TYPE_TRACEPOINT;

	if (error == -ENOENT || error == -EOPNOTSUPP || error == -ENODEV)
		return fail(why, -ENOTSUP, "%s: not supported%s", name,
			    hardware ? ": this processor, or what emulates it, has no such counter"
				     : " by this kernel");
	if (error == -EACCES || error == -EPERM)
		return fail(why, error,
			    "%s: not allowed: it takes root, CAP_PERFMON, or a lower "
			    "kernel.perf_event_paranoid",
			    name);
	if (error == -EINVAL && *event->filter)
		return fail(why, error,
			    "%s: the kernel refuses the filter: its fields are in "
			    "the file 'format' of the trace event",
			    name);
	if (error == -EINVAL && where.pid)
		return fail(why, error,
			    "%s: the kernel counts it on processors only: leave out "
			    "the workload ('of')",
			    name);
	return fail_errno(why, error, "perf_event_open for %s", name);
}

/**
 * counter_open - start to count an event
 * @counter: needs counter_close() also after a failure
 * @name:    of event_describe(), or kvm/NAME for a sum of KVM
 * @where:   processors, or a process
 * @why:     reason of a failure
 *
 * Return: 0, -EINVAL for an unknown name, -ENOTSUP if this machine cannot count it, -ESRCH without such a
 * process, or -errno.
 */
int counter_open(struct counter *counter, const char *name, struct counted where,
		 struct reason *why)
{
	struct event event;
	int error;

	*counter = (struct counter){.scale = 1};
	if (strlen(name) >= sizeof(counter->name))
		return fail(why, -EINVAL, "the name of an event is longer than %zu letters: %s",
			    sizeof(counter->name) - 1, name);
	strcpy(counter->name, name);
	if (strncmp(name, "kvm/", strlen("kvm/")) == 0)
		return open_kvm(counter, where, why);
	error = event_describe(name, &event, why);
	if (error)
		return error;
	counter->scale = event.scale;
	snprintf(counter->unit, sizeof(counter->unit), "%s", event.unit);
	event.attributes.inherit = where.pid != 0;
	if (where.frequency)
		sample(&event.attributes, where.frequency);
	error = where.pid ? add_process(counter, &event, where.pid)
			  : add_processors(counter, &event);
	if (!error && !counter->count)
		error = where.pid ? -ESRCH : -ENODEV;
	return error ? explain(&event, name, where, error, why) : 0;
}

/**
 * counter_read - the sum of all places
 * @value: receives it; an estimate if the processor has fewer counters than events, which then take turns
 * @share: receives the share of the time in which it counted, 0 to 1; may be NULL
 *
 * Return: 0, -ESTALE when a VM that KVM had counted has ended, or -errno.
 */
int counter_read(const struct counter *counter, double *value, double *share)
{
	uint64_t enabled = 0, running = 0;

	*value = 0;
	if (share)
		*share = 1;
	if (counter->is_kvm) {
		int error = read_kvm(counter->name, value);

		*value -= counter->base;
		return error ?: *value < 0 ? -ESTALE : 0;
	}
	for (size_t i = 0; i < counter->count; i++) {
		/* Value, time enabled, time running (perf_event_open(2), read_format). */
		uint64_t seen[3];
		ssize_t got = read(counter->fds[i], seen, sizeof(seen));

		if (got != sizeof(seen))
			return got < 0 ? -errno : -EIO;
		if (seen[2])
			*value += (double)seen[0] * (double)seen[1] / (double)seen[2];
		enabled += seen[1];
		running += seen[2];
	}
	*value *= counter->scale;
	if (share && enabled)
		*share = (double)running / (double)enabled;
	return 0;
}

/** counter_close - stop counting */
void counter_close(struct counter *counter)
{
	for (size_t i = 0; i < counter->count; i++)
		close(counter->fds[i]);
	free(counter->fds);
	*counter = (struct counter){0};
}
