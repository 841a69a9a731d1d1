/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_WORKLOADS_WORKLOAD_H
#define BRINELL_WORKLOADS_WORKLOAD_H

#include "harness/lib/param.h"
#include "harness/lib/registry.h"

struct workload_run;

/* Hands one event (stolen) to the agent, which sends it on; see docs/protocol.md for the fields. */
typedef void (*workload_event_fn)(void *context, json_t *event);

/* The workload of that name which runs on the same machine, or NULL. */
typedef const struct workload_run *(*workload_find_fn)(void *context, const char *name);

/**
 * struct workload - what a host (or a guest) does while a fault strikes, and checks about itself
 * @name:    as in scenarios: `kind: NAME`
 * @summary: one line
 * @params:  its parameters
 * @start:   starts it (a child process) and waits until it is ready; fills @run->facts with
 *           {"pid", "address", "pfn", "physical", "page_size", ...}, numbers as 0x text
 * @touch:   tells it to touch its memory in its configured way; returns at once, what happens comes as events
 * @dispatch: reads what the child says; called when @run->fd is readable; emits events
 * @command: something else that only its process can do, such as "madvise-hard"; waits for the answer; may be NULL
 * @stop:    ends it, by its pid, and reaps it
 * @probe:   adds to the findings what this machine lacks for it; may be NULL
 */
struct workload {
	const char *name;
	const char *summary;
	const struct param *params;
	int (*start)(struct workload_run *run, struct reason *why);
	int (*touch)(struct workload_run *run, struct reason *why);
	int (*command)(struct workload_run *run, const char *command, struct reason *why);
	void (*dispatch)(struct workload_run *run);
	void (*stop)(struct workload_run *run);
	void (*probe)(json_t *findings);
};

REGISTRY(workload)

/**
 * struct workload_run - a running workload
 * @workload:  which
 * @name:      its name in the scenario ("victim"); owned
 * @arguments: checked; owned
 * @facts:     what @start found out; owned
 * @fd:        to poll for reading, or -1
 * @pid:       of its process, or 0
 * @find:      another running workload by its name, with @context; may be NULL
 * @emit:      where events go, with @context. Each is {"workload": NAME, "event": WHAT, ...}
 */
struct workload_run {
	const struct workload *workload;
	char *name;
	json_t *arguments;
	json_t *facts;
	int fd;
	pid_t pid;
	workload_find_fn find;
	workload_event_fn emit;
	void *context;
	void *private;
};

#endif
