// SPDX-License-Identifier: GPL-2.0-only
/*
 * frame: finds a page frame that no process owns as plain memory: code of the kernel, a page table, a free frame. Its
 * process uses it. This is the agent's side.
 */
#include "workloads/frame.h"
#include "harness/host/frames.h"

/* Reading the flags of all frames is slow on an emulated machine. */
#define READY_NS (30 * NSEC_PER_SEC)

static const char *const names[] = {
	[FRAME_IS_FREE] = "free",
	[FRAME_IS_KERNEL_TEXT] = "kernel-text",
	[FRAME_IS_PAGE_TABLE] = "page-table",
	[FRAME_IS_PAGE_CACHE] = "page-cache",
	[FRAME_IS_BALLOON] = "balloon",
	[FRAME_IS_SLAB] = "slab",
	NULL,
};

static const struct param frame_params[] = {
	{"which", PARAM_CHOICE, "kind of frame", NULL, names, true},
	{"call", PARAM_CHOICE, "of kernel-text: the system call whose code is the target", NULL,
	 frame_calls, false},
	{"limit", PARAM_SIZE,
	 "of free and balloon: maximum of memory that a touch allocates; nine tenths of "
	 "MemAvailable",
	 NULL, NULL, false},
	{"directory", PARAM_STRING, "of page-cache: on a disk", NULL, NULL, false},
	{"deadline", PARAM_DURATION, "a touch that takes longer is reported as hung", "30s", NULL,
	 false},
	{0},
};

struct frame_run {
	struct process process;
	struct frame_options options;
};

static void note_facts(struct activity *run, const void *packet)
{
	const struct frame_report *ready = packet;
	const struct frame_options *options = &((struct frame_run *)run->private)->options;

	json_object_set_new(run->facts, "which", json_string(names[options->which]));
	process_fact(run, "pfn", ready->pfn);
	process_fact(run, "physical", ready->pfn * FRAME_SIZE);
	process_fact(run, "page_size", FRAME_SIZE);
	process_fact(run, "address", ready->base.address);
	process_fact(run, "kernel_address", ready->kernel_address);
	json_object_set_new(run->facts, "frames", json_integer((json_int_t)ready->frames));
	if (ready->call[0])
		json_object_set_new(run->facts, "call", json_string(ready->call));
}

static void emit_touched(struct activity *run, const struct frame_report *report)
{
	json_t *data = json_pack("{s:b}", "value_ok", report->right);

	if (report->read)
		json_object_set_new(data, "data", json_string(report->right ? "intact" : "other"));
	process_emit(run, "touched", &report->base, data, report->base.text);
}

static void handle_report(struct activity *run, const void *packet)
{
	struct frame_run *frame = run->private;
	const struct frame_report *report = packet;
	json_t *data = NULL;

	switch (report->base.kind) {
	case PROCESS_SIGNAL:
		data = json_object();
		json_object_set(data, "expected_address", json_object_get(run->facts, "address"));
		process_emit_signal(run, &report->base, data);
		break;
	case FRAME_TOUCHED:
		emit_touched(run, report);
		break;
	case FRAME_ERROR:
		process_emit_error(run, &report->base, report->base.text);
		break;
	case FRAME_CHECKED:
		process_touched(&frame->process);
		process_emit(run, "checked", &report->base,
			     json_pack("{s:b}", "poisoned", report->poisoned),
			     report->poisoned ? "the kernel has retired the frame"
					      : "the frame is not marked as poisoned");
		break;
	default:
		break;
	}
}

static int prepare(struct activity *run, int64_t *ready_ns, struct reason *why)
{
	((struct frame_run *)run->private)->options = (struct frame_options){
		.which = (enum frame_which)process_choice(run->arguments, "which", names),
		.call = param_text(run->arguments, "call"),
		.directory = param_text(run->arguments, "directory"),
		.limit = param_number(run->arguments, "limit"),
	};
	return 0;
}

static const struct process_workload finder = {
	.kind = {.name = "frame",
		 .report_size = sizeof(struct frame_report),
		 .body = frame_process,
		 .ready = note_facts,
		 .report = handle_report},
	.size = sizeof(struct frame_run),
	.options = offsetof(struct frame_run, options),
	.ready_ns = READY_NS,
	.request = FRAME_TOUCH,
	.prepare = prepare,
};

REGISTERED(workload, frame) = {
	.name = "frame",
	.summary = "a page frame of the kernel, or a free one, and its consumer",
	.params = frame_params,
	.process = &finder,
	PROCESS_WORKLOAD,
};
