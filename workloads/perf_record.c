// SPDX-License-Identifier: GPL-2.0-only
/*
 * perf-record: samples what the processors do, with the program perf, and reports the stacks that it saw, each with the
 * number of its samples. An own process runs perf, because the symbols of an emulated kernel take seconds to read.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>

#include "harness/host/machine.h"
#include "harness/lib/spawn.h"
#include "workloads/workload.h"

#define READY_NS (60 * NSEC_PER_SEC)
#define PING_MS 50000
#define STOP_MS 30000
#define FRAMES_MOST 127
#define STACK_MOST 4000
/* An event is one line of the protocol (PROTOCOL_LINE_MAX). */
#define STACKS_BYTES (500 << 10)

static const struct param record_params[] = {
	{"event", PARAM_STRING, "that is sampled, as in perf list; :I leaves out idle processors",
	 "cpu-clock:I", NULL, false},
	{"frequency", PARAM_NUMBER, "samples a second", "199", NULL, false},
	{"deadline", PARAM_DURATION, "a touch that waits longer for the stacks is reported as hung",
	 "120s", NULL, false},
	{0},
};

struct record_options {
	const char *event;
	uint64_t frequency;
};

enum record_request {
	RECORD_TOUCH = 'T',
};

enum record_report_kind {
	RECORD_STACK = PROCESS_OWN,
	RECORD_ENDED,
};

/* One packet: a stack, outermost first, with frames separated by ';' as in FlameGraph; or the end, with all samples. */
struct record_report {
	struct process_report base;
	uint64_t samples;
	char stack[STACK_MOST + 1];
};

/* @stacks: {STACK: samples} of the report that is coming in */
struct record_run {
	struct process process;
	struct record_options options;
	json_t *stacks;
};

/* Below: the process. @program: perf; @data, @errors: files in memory; @control, @answers: of perf record --control. */
static struct recorder {
	struct spawn perf;
	char *program;
	int socket, data, errors, control, answers;
} recorder;

static int start_perf(const struct record_options *options, struct reason *why)
{
	int control[2], answers[2], error;
	__cleanup_free char *ends = NULL;
	char frequency[24];

	recorder.program = machine_find_program("perf");
	if (!recorder.program)
		return fail(why, -ENOTSUP,
			    "this machine has no program perf: install the package linux-perf");
	recorder.data = memfd_create("brinell-perf", MFD_CLOEXEC);
	recorder.errors = memfd_create("brinell-perf-errors", MFD_CLOEXEC);
	if (recorder.data < 0 || recorder.errors < 0 || pipe2(control, O_CLOEXEC) < 0 ||
	    pipe2(answers, O_CLOEXEC) < 0)
		return fail_errno(why, -errno, "memory and pipes for perf");
	ends = format_text("--control=fd:%d,%d", control[0], answers[1]);
	snprintf(frequency, sizeof(frequency), "%llu", (unsigned long long)options->frequency);
	const int kept[] = {control[0], answers[1]};
	const char *const argv[] = {
		recorder.program, "record", "--all-cpus", "-g", "-B", "-N", "-e",
		options->event,	  "-F",	    frequency,	  "-o", "-",  ends, NULL};

	recorder.perf = (struct spawn){
		.argv = argv,
		.streams = {SPAWN_NULL, recorder.data, recorder.errors},
		.keep = kept,
		.keep_count = ARRAY_SIZE(kept),
		.place = SPAWN_GROUP,
		.death_signal = SIGKILL,
	};
	recorder.control = control[1];
	recorder.answers = answers[0];
	error = spawn_start(&recorder.perf, why);
	close(control[0]);
	close(answers[1]);
	return error;
}

/* What perf says at last. */
static void last_error(char *text, size_t size)
{
	ssize_t got;
	char *line;

	got = pread(recorder.errors, text, size - 1, 0);
	text[got < 0 ? 0 : got] = '\0';
	for (size_t length = strlen(text); length && isspace((unsigned char)text[length - 1]);)
		text[--length] = '\0';
	line = strrchr(text, '\n');
	if (line)
		memmove(text, line + 1, strlen(line));
}

/* It answers as soon as it samples. */
static int await_sampling(struct reason *why)
{
	struct pollfd answer = {.fd = recorder.answers, .events = POLLIN};
	char text[1024];

	if (write(recorder.control, "ping\n", 5) == 5 && poll(&answer, 1, PING_MS) > 0 &&
	    answer.revents & POLLIN)
		return 0;
	last_error(text, sizeof(text));
	return fail(why, -ENOTSUP, "perf does not begin to sample: %s",
		    *text ? text : "it says nothing");
}

static void say(struct record_report *report, int kind)
{
	report->base.kind = kind;
	(void)process_say(recorder.socket, &report->base, sizeof(*report), 0);
}

/*
 * perf lists the innermost frame first. Frames of one name behind each other are one: without symbols all are, and where there
 * are no frame pointers the same address can come a hundred times.
 */
static void add_stack(json_t *stacks, const char *comm, char *const *frames, size_t count)
{
	__cleanup_free char *stack = xstrdup(*comm ? comm : "[unknown]");
	const char *before = "";

	while (count--) {
		if (strcmp(frames[count], before) != 0)
			append_text(&stack, ";", "%s", frames[count]);
		before = frames[count];
	}
	stack[strnlen(stack, STACK_MOST)] = '\0';
	json_object_set_new(stacks, stack, json_integer(json_number(stacks, stack, 0) + 1));
}

/* Of each sample: a line with the name of the process, a line "\t ADDRESS SYMBOL" for each frame, and an empty one. */
static uint64_t fold(FILE *in, json_t *stacks)
{
	char line[1024], comm[32] = "", symbol[256], *frames[FRAMES_MOST];
	uint64_t samples = 0;
	size_t count = 0;

	while (fgets(line, sizeof(line), in)) {
		if (*line == '\n' && *comm) {
			add_stack(stacks, comm, frames, count);
			samples++;
			*comm = '\0';
		}
		if (*line == '\n')
			while (count)
				free(frames[--count]);
		else if (!isspace((unsigned char)*line))
			snprintf(comm, sizeof(comm), "%.*s", (int)strcspn(line, " \t\n"), line);
		else if (count < FRAMES_MOST && sscanf(line, " %*x %255[^\n]", symbol) == 1)
			frames[count++] = xstrdup(symbol);
	}
	while (count)
		free(frames[--count]);
	return samples;
}

struct folded {
	const char *stack;
	uint64_t samples;
};

static int more_samples(const void *a, const void *b)
{
	const struct folded *left = a, *right = b;

	return left->samples == right->samples	? strcmp(left->stack, right->stack)
	       : left->samples < right->samples ? 1
						: -1;
}

/* The most frequent first; the rest, once there is too much of it, is one. */
static void say_stacks(json_t *stacks)
{
	size_t count = 0, bytes = 0;
	__cleanup_free struct folded *all = xcalloc(json_object_size(stacks) + 1, sizeof(*all));
	struct record_report report = {0};
	const char *stack;
	json_t *samples;

	json_object_foreach (stacks, stack, samples)
		all[count++] = (struct folded){stack, (uint64_t)json_integer_value(samples)};
	qsort(all, count, sizeof(*all), more_samples);
	for (size_t i = 0; i < count; i++) {
		bytes += strlen(all[i].stack) + 32;
		report.samples += all[i].samples;
		if (bytes > STACKS_BYTES && i + 1 < count)
			continue;
		snprintf(report.stack, sizeof(report.stack), "%s",
			 bytes > STACKS_BYTES ? "[rest]" : all[i].stack);
		say(&report, RECORD_STACK);
		report.samples = 0;
	}
}

static int read_stacks(json_t *stacks, uint64_t *samples, struct reason *why)
{
	const char *const argv[] = {recorder.program, "script", "-i", "-", "-F",
				    "comm,ip,sym",    NULL};
	struct spawn script = {.argv = argv,
			       .streams = {recorder.data, SPAWN_PIPE, recorder.errors},
			       .death_signal = SIGKILL};
	__cleanup_file FILE *in = NULL;
	char text[1024];
	int status, error;

	(void)lseek(recorder.data, 0, SEEK_SET);
	error = spawn_start(&script, why);
	if (error)
		return error;
	in = fdopen(script.ends[1], "r");
	*samples = fold(in, stacks);
	error = spawn_wait(&script, STOP_MS, &status);
	if (!error && (*samples || status == 0))
		return 0;
	last_error(text, sizeof(text));
	return fail(why, error ?: -EIO, "perf script: %s", text);
}

static void stop_perf(int number)
{
	int status;

	if (recorder.perf.pid <= 0)
		return;
	kill(recorder.perf.pid, number);
	if (spawn_wait(&recorder.perf, STOP_MS, &status))
		kill(recorder.perf.pid, SIGKILL);
	recorder.perf.pid = 0;
}

static void serve_touch(void)
{
	struct record_report report = {0};
	__cleanup_json json_t *stacks = json_object();
	struct reason why = {0};

	stop_perf(SIGINT);
	report.base.error = read_stacks(stacks, &report.samples, &why);
	snprintf(report.base.text, sizeof(report.base.text), "%.199s", why.text);
	say_stacks(stacks);
	say(&report, RECORD_ENDED);
}

static void record_process(int socket, const void *options) __attribute__((noreturn));

static void record_process(int socket, const void *options)
{
	struct record_report report = {0};
	struct reason why = {0};
	char request;
	ssize_t got;

	recorder = (struct recorder){.socket = socket};
	process_begin();
	(void)fcntl(socket, F_SETFD, FD_CLOEXEC);
	report.base.error = start_perf(options, &why) ?: await_sampling(&why);
	snprintf(report.base.text, sizeof(report.base.text), "%.199s", why.text);
	say(&report, report.base.error ? PROCESS_FAILED : PROCESS_READY);
	while (!report.base.error) {
		got = recv(socket, &request, 1, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got != 1 || request == PROCESS_QUIT)
			break;
		serve_touch();
	}
	stop_perf(SIGKILL);
	_exit(0);
}

/* Below: the agent. */
static void emit_end(struct activity *run, const struct record_report *report)
{
	struct record_run *record = run->private;
	__cleanup_free char *text =
		format_text("%llu samples in %zu stacks", (unsigned long long)report->samples,
			    json_object_size(record->stacks));

	process_touched(&record->process);
	process_emit(run, "checked", &report->base,
		     json_pack("{s:I, s:o, s:s*}", "samples", (json_int_t)report->samples, "stacks",
			       steal(record->stacks), "error",
			       report->base.error ? report->base.text : NULL),
		     report->base.error ? report->base.text : text);
	record->stacks = json_object();
}

static void handle_report(struct activity *run, const void *packet)
{
	const struct record_report *report = packet;
	struct record_run *record = run->private;

	if (report->base.kind == RECORD_ENDED)
		emit_end(run, report);
	else if (report->base.kind == RECORD_STACK)
		json_object_set_new(record->stacks, report->stack,
				    json_integer((json_int_t)report->samples));
}

static void note_facts(struct activity *run, const void *packet)
{
	(void)packet;
	json_object_set_new(run->facts, "event", json_string(param_text(run->arguments, "event")));
}

static int prepare(struct activity *run, int64_t *ready_ns, struct reason *why)
{
	struct record_run *record = run->private;

	(void)ready_ns;
	record->stacks = json_object();
	record->options = (struct record_options){
		.event = param_text(run->arguments, "event"),
		.frequency = param_number(run->arguments, "frequency"),
	};
	if (!record->options.frequency || record->options.frequency > 10000)
		return fail(why, -EINVAL, "'frequency' is 1 to 10000 samples a second");
	if (*record->options.event == '-' || !*record->options.event)
		return fail(why, -EINVAL, "'event' is '%s': it must be a name as in perf list",
			    record->options.event);
	return 0;
}

static void release(struct activity *run)
{
	json_decref(((struct record_run *)run->private)->stacks);
}

static const struct process_workload recording = {
	.kind = {.name = "perf-record",
		 .report_size = sizeof(struct record_report),
		 .body = record_process,
		 .ready = note_facts,
		 .report = handle_report},
	.size = sizeof(struct record_run),
	.options = offsetof(struct record_run, options),
	.ready_ns = READY_NS,
	.request = RECORD_TOUCH,
	.prepare = prepare,
	.release = release,
};

static void record_probe(json_t *findings)
{
	__cleanup_free char *program = machine_find_program("perf");

	finding_add(findings, "perf", program != NULL, "the program perf is not there",
		    "install the package linux-perf; only workloads perf-record need it");
}

REGISTERED(workload, perf_record) = {
	.name = "perf-record",
	.summary = "samples the stacks of all processors meanwhile, with the program perf",
	.params = record_params,
	.probe = record_probe,
	.process = &recording,
	PROCESS_WORKLOAD,
};
