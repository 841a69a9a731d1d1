// SPDX-License-Identifier: GPL-2.0-only
/*
 * perf-record: samples what the processors do, and reports the stacks that it saw, each with the number of its samples. An own
 * process does it, because the symbols of an emulated kernel take seconds to read.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "harness/host/samples.h"
#include "workloads/workload.h"

#define READY_NS (60 * NSEC_PER_SEC)
#define STACK_MOST 4000
/* Of all events together, and of one, which a guest may send (EVENT_BYTES_MAX). */
#define STACKS_BYTES (500 << 10)
#define EVENT_BYTES (40 << 10)

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

/* One packet: a stack, outermost first, with frames separated by ';' as in FlameGraph; or the end, with all samples and those lost. */
struct record_report {
	struct process_report base;
	uint64_t samples, lost;
	char stack[STACK_MOST + 1];
};

/* @stacks: {STACK: samples} of the report that is coming in, and their length */
struct record_run {
	struct process process;
	struct record_options options;
	json_t *stacks;
	size_t length;
};

/* Below: the process. */
static void send_report(int socket, struct record_report *report, int kind)
{
	report->base.kind = kind;
	(void)process_say(socket, &report->base, sizeof(*report), 0);
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
static void say_stacks(int socket, json_t *stacks)
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
		send_report(socket, &report, RECORD_STACK);
		report.samples = 0;
	}
}

static void serve_touch(int socket, struct samples *samples)
{
	struct record_report report = {0};
	__cleanup_json json_t *stacks = json_object();

	samples_stop(samples);
	report.samples = samples_fold(samples, stacks, &report.lost);
	say_stacks(socket, stacks);
	send_report(socket, &report, RECORD_ENDED);
}

static void record_process(int socket, const void *given) __attribute__((noreturn));

static void record_process(int socket, const void *given)
{
	const struct record_options *options = given;
	struct record_report report = {0};
	struct samples *samples = NULL;
	struct reason why = {0};
	char request;

	process_begin();
	report.base.error = samples_open(&samples, options->event, options->frequency, &why);
	snprintf(report.base.text, sizeof(report.base.text), "%.199s", why.text);
	send_report(socket, &report, report.base.error ? PROCESS_FAILED : PROCESS_READY);
	while (!report.base.error) {
		samples_await(samples, socket);
		if (recv(socket, &request, 1, 0) != 1 || request == PROCESS_QUIT)
			break;
		serve_touch(socket, samples);
	}
	samples_close(samples);
	_exit(0);
}

/* Below: the agent. */
static void emit_stacks(struct activity *run, const struct record_report *report)
{
	struct record_run *record = run->private;
	__cleanup_free char *text = format_text("%zu stacks", json_object_size(record->stacks));

	process_emit(run, "stacks", &report->base,
		     json_pack("{s:o}", "stacks", steal(record->stacks)), text);
	record->stacks = json_object();
	record->length = 0;
}

static void add_stack(struct activity *run, const struct record_report *report)
{
	struct record_run *record = run->private;

	if (record->length + strlen(report->stack) > EVENT_BYTES)
		emit_stacks(run, report);
	record->length += strlen(report->stack) + 32;
	json_object_set_new(record->stacks, report->stack,
			    json_integer((json_int_t)report->samples +
					 json_number(record->stacks, report->stack, 0)));
}

static void emit_end(struct activity *run, const struct record_report *report)
{
	struct record_run *record = run->private;
	__cleanup_free char *text =
		format_text("%llu samples", (unsigned long long)report->samples);

	if (json_object_size(record->stacks))
		emit_stacks(run, report);
	process_touched(&record->process);
	process_emit(run, "checked", &report->base,
		     json_pack("{s:I, s:I}", "samples", (json_int_t)report->samples, "lost",
			       (json_int_t)report->lost),
		     text);
}

static void handle_report(struct activity *run, const void *packet)
{
	const struct record_report *report = packet;

	if (report->base.kind == RECORD_ENDED)
		emit_end(run, report);
	else if (report->base.kind == RECORD_STACK)
		add_stack(run, report);
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

REGISTERED(workload, perf_record) = {
	.name = "perf-record",
	.summary = "samples the stacks of all processors",
	.params = record_params,
	.process = &recording,
	PROCESS_WORKLOAD,
};
