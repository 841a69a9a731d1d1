// SPDX-License-Identifier: GPL-2.0-only
/*
 * stress-ng: any of its stressors, with its own verification. This is the agent's side.
 */
#include <errno.h>
#include <string.h>

#include "harness/host/machine.h"
#include "workloads/stress_ng.h"

/* Timeout of the start: stress-ng tests its stressors and loads a dozen libraries, which is slow on an emulated machine. */
#define READY_NS (30 * NSEC_PER_SEC)
/* The supervisor waits for the metrics of an interrupted run, then for the end of all processes. */
#define QUIT_MS 8000

static const struct param stress_params[] = {
	{"stressor", PARAM_STRING, "as in stress-ng --STRESSOR: cpu, vm, memcpy, fork, ...", NULL,
	 NULL, true},
	{"instances", PARAM_NUMBER, "of it; 0: one on each processor", "1", NULL, false},
	{"time", PARAM_DURATION, "duration, in whole seconds; without it and 'ops': until a touch",
	 NULL, NULL, false},
	{"ops", PARAM_NUMBER, "number of bogo operations of each instance", NULL, NULL, false},
	{"verify", PARAM_BOOL, "check the results (--verify)", "yes", NULL, false},
	{"options", PARAM_LIST, "further arguments for stress-ng, such as --vm-bytes, 64M", NULL,
	 NULL, false},
	{"deadline", PARAM_DURATION, "a touch that waits longer for its end is reported as hung",
	 "60s", NULL, false},
	{0},
};

/* @metrics: of the reported run; @failed: it reported an error; @worked: it did at least one operation. */
struct stress_run {
	struct process process;
	struct stress_options options;
	json_t *metrics;
	bool failed, worked;
};

static int take_options(const json_t *arguments, struct stress_options *options, struct reason *why)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

	*options = (struct stress_options){
		.stressor = param_text(arguments, "stressor"),
		.instances = param_number(arguments, "instances"),
		.time_ns =
			param_given(arguments, "time") ? param_duration_ns(arguments, "time") : 0,
		.ops = param_number(arguments, "ops"),
		.verify = param_bool(arguments, "verify"),
		.words = json_object_get(arguments, "options"),
	};
	if (!*options->stressor || *options->stressor == '-' ||
	    options->stressor[strspn(options->stressor, letters)])
		return fail(why, -EINVAL,
			    "'stressor' is '%s': it must be a name as in stress-ng --stressors",
			    options->stressor);
	if (options->time_ns % NSEC_PER_SEC)
		return fail(why, -EINVAL, "'time' must be whole seconds");
	if (options->instances > 4096)
		return fail(why, -EINVAL, "'instances' is at most 4096");
	return 0;
}

static const char *unit_of(const char *name)
{
	if (strstr(name, "per_second"))
		return "ops/s";
	if (strstr(name, "time"))
		return "s";
	if (strstr(name, "rss"))
		return "KiB";
	return strstr(name, "ops") ? "ops" : "";
}

static void take_metric(struct stress_run *stress, const struct stress_report *report)
{
	const char *unit = unit_of(report->name);

	if (strstr(report->name, "_bogo_ops") && report->value > 0)
		stress->worked = true;
	if (!stress->metrics)
		stress->metrics = json_object();
	json_object_set_new(stress->metrics, report->name,
			    json_pack("{s:f, s:s, s:s}", "value", report->value, "unit", unit,
				      "better", *unit == 's' || *unit == 'K' ? "lower" : "higher"));
}

/* An error of a stressor means wrong data only with --verify. */
static void emit_failure(struct activity *run, const struct stress_report *report)
{
	struct stress_run *stress = run->private;

	stress->failed = true;
	if (!report->again)
		process_emit(run, stress->options.verify ? "corrupted" : "error", &report->base,
			     json_pack("{s:s, s:s}", "stressor", stress->options.stressor, "call",
				       "stress-ng"),
			     report->base.text);
}

static void emit_end(struct activity *run, const struct stress_report *report)
{
	struct stress_run *stress = run->private;
	bool well = report->status == 0 && !stress->failed;
	json_t *data = json_pack("{s:i, s:i, s:o*}", "status", report->status, "signal",
				 report->base.signal, "metrics", stress->metrics);
	const char *text = well ? "stress-ng ended without an error" : "stress-ng failed";

	stress->metrics = NULL;
	stress->failed = false;
	process_touched(&stress->process);
	if (well)
		process_emit(run, "touched", &report->base,
			     stress->options.verify && stress->worked
				     ? json_pack("{s:b, s:s}", "value_ok", 1, "data", "intact")
				     : json_object(),
			     text);
	process_emit(run, "checked", &report->base, data, text);
	if (!report->again)
		process_emit_exit(run, report->child, report->status, report->base.signal);
}

static void handle_report(struct activity *run, const void *packet)
{
	const struct stress_report *report = packet;

	switch (report->base.kind) {
	case PROCESS_SIGNAL:
		process_emit_signal(run, &report->base, json_object());
		break;
	case STRESS_METRIC:
		take_metric(run->private, report);
		break;
	case STRESS_FAIL:
		emit_failure(run, report);
		break;
	case STRESS_ENDED:
		emit_end(run, report);
		break;
	default:
		break;
	}
}

static void note_facts(struct activity *run, const void *packet)
{
	const struct stress_report *ready = packet;
	const struct stress_run *stress = run->private;

	json_object_set_new(run->facts, "children", json_pack("[i]", ready->child));
	json_object_set_new(run->facts, "stressor", json_string(stress->options.stressor));
}

static int prepare(struct activity *run, int64_t *ready_ns, struct reason *why)
{
	return take_options(run->arguments, &((struct stress_run *)run->private)->options, why);
}

static void release(struct activity *run)
{
	json_decref(((struct stress_run *)run->private)->metrics);
}

static const struct process_workload supervisor = {
	.kind = {.name = "stress-ng",
		 .report_size = sizeof(struct stress_report),
		 .quit_ms = QUIT_MS,
		 .body = stress_process,
		 .ready = note_facts,
		 .report = handle_report},
	.size = sizeof(struct stress_run),
	.options = offsetof(struct stress_run, options),
	.ready_ns = READY_NS,
	.request = STRESS_TOUCH,
	.prepare = prepare,
	.release = release,
};

static void stress_probe(json_t *findings)
{
	__cleanup_free char *program = machine_find_program("stress-ng");

	finding_add(findings, "stress-ng", program != NULL,
		    "the program stress-ng is not installed",
		    "install the package stress-ng; only workloads of that kind need it");
}

REGISTERED(workload, stress_ng) = {
	.name = "stress-ng",
	.summary = "any stressor of stress-ng, with its own check of results",
	.params = stress_params,
	.probe = stress_probe,
	.process = &supervisor,
	PROCESS_WORKLOAD,
};
