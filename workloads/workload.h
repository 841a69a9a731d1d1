/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_WORKLOADS_WORKLOAD_H
#define BRINELL_WORKLOADS_WORKLOAD_H

#include "harness/host/activity.h"
#include "harness/lib/param.h"
#include "harness/lib/registry.h"

/**
 * struct workload - self-checking work of a host or guest under fault
 * @name:    as in scenarios: `kind: NAME`
 * @summary: one line
 * @params:  its parameters
 * @start:   starts it (a child process) and waits until it is ready; fills @run->facts with
 *           {"pid", "address", "pfn", "physical", "page_size", ...}, numbers as 0x text
 * @touch:   touches its memory in its configured way; returns at once, the results come as events
 * @dispatch: reads the reports of the child; called when @run->fd is readable; emits events
 * @command: an action that only its process can do, such as "madvise-hard"; waits for the answer; may be NULL
 * @stop:    ends it, by its pid, and reaps it
 * @probe:   adds findings about missing requirements; may be NULL
 */
struct workload {
	const char *name;
	const char *summary;
	const struct param *params;
	int (*start)(struct activity *run, struct reason *why);
	int (*touch)(struct activity *run, struct reason *why);
	int (*command)(struct activity *run, const char *command, struct reason *why);
	void (*dispatch)(struct activity *run);
	void (*stop)(struct activity *run);
	void (*probe)(json_t *findings);
};

REGISTRY(workload)

#endif
