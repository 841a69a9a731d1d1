// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trace events of errors, in a tracefs instance of our own, so that other tracing is not disturbed. The five files
 * that this needs are used directly (Documentation/trace/ftrace.rst): the agent stays small, and a fake tracefs can
 * test it.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <regex.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/witness/trace_format.h"
#include "harness/witness/witness.h"
#include "harness/host/machine.h"
#include "harness/lib/lines.h"

#define TRACING "/sys/kernel/tracing"
#define PREFIX "brinell-"
#define LINE_MAX_BYTES 4096

/*
 * "          <...>-93      [001] d..1.    12.345678: mce_record: CPU: 1, ...". A process may be named as it likes, in at most 15
 * characters: too few for all of this.
 */
#define HEAD "-[0-9]+ +(\\([^)]*\\) +)?\\[[0-9]+\\] +[^ ]+ +([0-9]+\\.[0-9]+): ([A-Za-z0-9_]+):"

/*
 * All events of these are errors; of iommu only one is, and the others come with each mapping. memory_failure_event moved from
 * ras to a system of its own in Linux 6.19.
 */
static const struct {
	const char *name, *only;
} systems[] = {
	{"mce", NULL},
	{"ras", NULL},
	{"memory_failure", NULL},
	{"cxl", NULL},
	{"iommu", "io_page_fault"},
};

#define EVENTS_MAX 64

/* @fd: its trace_pipe; @events: that this kernel has. */
struct trace {
	char *instance;
	int fd;
	struct trace_event {
		const char *system;
		char *name, *format;
	} events[EVENTS_MAX];
	size_t event_count;
	regex_t head;
	struct lines lines;
};

/*
 * Making an instance and switching its events patches the kernel and waits for all processors, which an
 * emulated host feels in every trial. So it is kept from one trial to the next, until the agent ends.
 */
static struct trace *kept;

static void trace_probe(json_t *findings)
{
	char path[4096];

	finding_add(findings, "tracefs", access(system_path(path, TRACING "/instances"), W_OK) == 0,
		    "tracefs is not mounted on " TRACING " or not writable",
		    "as root: mount -t tracefs tracefs " TRACING);
	for (size_t i = 0; i < 2; i++) {
		__cleanup_free char *name = format_text("tracefs:%s", systems[i].name);
		__cleanup_free char *directory = format_text(TRACING "/events/%s", systems[i].name);

		finding_add(findings, name, access(system_path(path, directory), F_OK) == 0,
			    "this kernel has no such trace events",
			    "boot a kernel with CONFIG_RAS and CONFIG_X86_MCE");
	}
}

/* A killed agent leaves its trace instance, whose name has the agent's PID. */
static void remove_leftovers(void)
{
	char path[4096];
	__cleanup_directory DIR *directory = opendir(system_path(path, TRACING "/instances"));
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		__cleanup_free char *instance = format_text("%s/%s", path, entry->d_name);
		long pid;

		if (sscanf(entry->d_name, PREFIX "%ld", &pid) == 1 && kill((pid_t)pid, 0) < 0 &&
		    errno == ESRCH)
			(void)rmdir(instance);
	}
}

static int write_instance(const struct trace *trace, const char *file, const char *text)
{
	__cleanup_free char *path = format_text("%s/%s", trace->instance, file);

	return write_small_file(path, text);
}

static void trace_release(void)
{
	if (!kept)
		return;
	if (kept->fd >= 0)
		close(kept->fd);
	(void)rmdir(kept->instance);
	for (size_t i = 0; i < kept->event_count; i++) {
		free(kept->events[i].name);
		free(kept->events[i].format);
	}
	regfree(&kept->head);
	free(kept->instance);
	lines_release(&kept->lines);
	free(kept);
	kept = NULL;
}

static void enable_event(struct trace *trace, const char *system, const char *name)
{
	__cleanup_free char *enable = format_text("events/%s/%s/enable", system, name);
	__cleanup_free char *path =
		format_text("%s/events/%s/%s/format", trace->instance, system, name);
	struct trace_event *event = &trace->events[trace->event_count];

	if (trace->event_count == EVENTS_MAX || write_instance(trace, enable, "1"))
		return;
	*event = (struct trace_event){.system = system, .name = xstrdup(name)};
	(void)read_small_file(path, &event->format, NULL);
	trace->event_count++;
}

static void enable_system(struct trace *trace, const char *system, const char *only)
{
	__cleanup_free char *path = format_text("%s/events/%s", trace->instance, system);
	__cleanup_directory DIR *directory = opendir(path);
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, "enable") != 0 &&
		    strcmp(entry->d_name, "filter") != 0 &&
		    (!only || strcmp(entry->d_name, only) == 0))
			enable_event(trace, system, entry->d_name);
}

static int open_instance(struct trace *trace, struct reason *why)
{
	__cleanup_free char *pipe = format_text("%s/trace_pipe", trace->instance);

	if (mkdir(trace->instance, 0700) < 0 && errno != EEXIST)
		return fail_errno(why, -errno, "mkdir %s", trace->instance);
	/* Times that can be set beside those of the kernel's log; and a reader that is woken by the first event. */
	(void)write_instance(trace, "trace_clock", "mono");
	(void)write_instance(trace, "buffer_percent", "0");
	for (size_t i = 0; i < ARRAY_SIZE(systems); i++)
		enable_system(trace, systems[i].name, systems[i].only);
	if (!trace->event_count)
		return fail(why, -EOPNOTSUPP, "this kernel has none of the trace events of errors");
	trace->fd = open(pipe, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return trace->fd < 0 ? fail_errno(why, -errno, "open %s", pipe) : 0;
}

static int make_instance(struct reason *why)
{
	char path[4096];
	int error;

	kept = xzalloc(sizeof(*kept));
	remove_leftovers();
	kept->fd = -1;
	kept->lines.most = LINE_MAX_BYTES;
	if (regcomp(&kept->head, HEAD, REG_EXTENDED) != 0)
		abort();
	kept->instance = format_text("%s/" PREFIX "%d", system_path(path, TRACING "/instances"),
				     (int)getpid());
	error = open_instance(kept, why);
	if (error)
		trace_release();
	return error;
}

static int trace_start(struct witness_run *run, struct reason *why)
{
	int error = kept ? 0 : make_instance(why);

	if (error)
		return error;
	/* What came since the trial before is no evidence of this one. */
	while (lines_read(&kept->lines, kept->fd) > 0)
		lines_release(&kept->lines);
	lines_release(&kept->lines);
	run->fd = kept->fd;
	run->private = kept;
	return 0;
}

static void trace_stop(struct witness_run *run)
{
	run->fd = -1;
	run->private = NULL;
}

static void add_number(json_t *fields, const char *name, const char *text, const char *before)
{
	const char *at = strstr(text, before);
	uint64_t number;

	if (!at || sscanf(at + strlen(before), "%" SCNx64, &number) != 1)
		return;

	__cleanup_free char *value = format_text("0x%" PRIx64, number);

	json_object_set_new(fields, name, json_string(value));
}

/* Without a format file, the fields by which a trial recognises its own error; formats of include/trace/events/mce.h and include/ras/ras_event.h. */
static json_t *read_fields(const char *name, const char *text)
{
	json_t *fields = json_object();

	if (strcmp(name, "mce_record") == 0) {
		const char *bank = strstr(text, ", MC");

		/* ", MCGc/s: " comes before ", MC5: ". */
		while (bank && !isdigit((unsigned char)bank[4]))
			bank = strstr(bank + 1, ", MC");

		/* The records of older kernels have "ADDR/MISC/SYND: a/b/c". */
		add_number(fields, "addr", text, "ADDR: ");
		add_number(fields, "addr", text, "ADDR/MISC/SYND: ");
		if (bank)
			add_number(fields, "status", bank, ": ");
	} else {
		add_number(fields, "pfn", text, "pfn 0x");
		add_number(fields, "address", text, "address:0x");
	}
	return fields;
}

static const struct trace_event *event_of(const struct trace *trace, const char *name)
{
	for (size_t i = 0; i < trace->event_count; i++)
		if (strcmp(trace->events[i].name, name) == 0)
			return &trace->events[i];
	return NULL;
}

/* A line of an event, or "CPU:1 [LOST 12 EVENTS]"; without the number if the kernel does not have it (kernel/trace/trace.c, print_trace_line()). */
static void read_line(struct witness_run *run, char *line)
{
	const struct trace *trace = run->private;
	const struct trace_event *event;
	regmatch_t groups[4];
	unsigned long lost = 1;
	int end = 0;
	int64_t time_ns;

	(void)sscanf(line, "CPU:%*d [LOST EVENTS]%n", &end);
	if (end || sscanf(line, "CPU:%*d [LOST %lu EVENTS]", &lost) == 1) {
		__cleanup_free char *text = format_text("%lu trace events lost", lost);

		run->emit(run->context, "trace", now_realtime_ns(), text,
			  json_pack("{s:I}", "lost", (json_int_t)lost));
		return;
	}
	if (regexec(&trace->head, line, ARRAY_SIZE(groups), groups, 0) != 0)
		return;
	line[groups[3].rm_eo] = '\0';
	event = event_of(trace, line + groups[3].rm_so);
	if (!event)
		return;
	time_ns = (int64_t)(strtod(line + groups[2].rm_so, NULL) * NSEC_PER_SEC) +
		  now_realtime_ns() - now_monotonic_ns();

	const char *rest = line + groups[3].rm_eo + 1;
	__cleanup_free char *name = format_text("%s:%s", event->system, event->name);
	__cleanup_free char *text = format_text("%s:%s", event->name, rest);
	json_t *fields =
		event->format ? trace_fields(event->format, rest) : read_fields(event->name, rest);

	run->emit(run->context, "trace", time_ns, text,
		  json_pack("{s:s, s:o}", "event", name, "fields", fields));
}

static void trace_read(struct witness_run *run)
{
	struct lines *lines = &((struct trace *)run->private)->lines;
	size_t length;
	char *line;
	int got;

	while (lines_read(lines, run->fd) > 0)
		while ((got = lines_next(lines, &line, &length)))
			if (got > 0)
				read_line(run, line);
}

REGISTERED(witness, trace_witness) = {
	.name = "trace",
	.summary = "trace events of machine checks and memory failures, in a separate tracefs "
		   "instance",
	.format = "trace-event",
	.probe = trace_probe,
	.start = trace_start,
	.dispatch = trace_read,
	.collect = trace_read,
	.stop = trace_stop,
	.release = trace_release,
};
