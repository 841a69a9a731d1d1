/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_WORKLOADS_WORKLOAD_H
#define BRINELL_WORKLOADS_WORKLOAD_H

#include "harness/host/process.h"
#include "harness/lib/param.h"
#include "harness/lib/registry.h"

/**
 * struct process_workload - a workload that is a child process
 * @kind:     of the process
 * @size:     of run->private, which begins with a struct process
 * @options:  offset in it of the argument for the main function of the process
 * @ready_ns: timeout of the start
 * @request:  of a touch
 * @prepare:  fills the options, and may lengthen the timeout
 * @release:  frees the contents of run->private; also after a failed @prepare. May be NULL
 */
struct process_workload {
	struct process_kind kind;
	size_t size, options;
	int64_t ready_ns;
	char request;
	int (*prepare)(struct activity *run, int64_t *ready_ns, struct reason *why);
	void (*release)(struct activity *run);
};

/**
 * struct workload - self-checking work of a host or guest under fault
 * @name:    as in scenarios: `kind: NAME`
 * @summary: one line
 * @params:  its parameters
 * @start:   starts it (a child process) and waits until it is ready; fills @run->facts with
 *           {"pid", "address", "pfn", "physical", "page_size", ...}, numbers as 0x text
 * @touch:   touches its memory in its configured way; returns at once, the results come as events
 * @touch_by: touches it in another way, "load" or "store", which writes other data than before; may be NULL
 * @dispatch: reads the reports of the child; called when @run->fd is readable; emits events
 * @command: an action that only its process can do, such as "madvise-hard"; waits for the answer; may be NULL
 * @stop:    ends it, by its pid, and reaps it
 * @probe:   adds findings about missing requirements; may be NULL
 * @process: of process_workload_start() and its like
 */
struct workload {
	const char *name;
	const char *summary;
	const struct param *params;
	int (*start)(struct activity *run, struct reason *why);
	int (*touch)(struct activity *run, struct reason *why);
	int (*touch_by)(struct activity *run, const char *way, struct reason *why);
	int (*command)(struct activity *run, const char *command, struct reason *why);
	void (*dispatch)(struct activity *run);
	void (*stop)(struct activity *run);
	void (*probe)(json_t *findings);
	const struct process_workload *process;
};

/* The functions of a workload with @process. */
int process_workload_start(struct activity *run, struct reason *why);
int process_workload_touch(struct activity *run, struct reason *why);
void process_workload_dispatch(struct activity *run);
void process_workload_stop(struct activity *run);
#define PROCESS_WORKLOAD                                                                           \
	.start = process_workload_start, .touch = process_workload_touch,                          \
	.dispatch = process_workload_dispatch, .stop = process_workload_stop

REGISTRY(workload)

#endif
