/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_GMEM_PROCESS_H
#define BRINELL_GMEM_PROCESS_H

#include "harness/host/process.h"
#include "inject/gmem/storm.h"

enum storm_report_kind {
	STORM_COUNTS = PROCESS_OWN,
	STORM_VIOLATION,
	STORM_HUNG,
	STORM_LEAK,
	STORM_END,
};

#define STORM_STACKS 2000

/**
 * struct storm_report - a packet of the storm's process
 * @head:      kind; @error and @text at the end
 * @violation: of STORM_VIOLATION
 * @counts:    so far; of all kinds but STORM_VIOLATION
 * @stacks:    of STORM_HUNG: kernel stacks of its threads
 */
struct storm_report {
	struct process_report head;
	struct storm_violation violation;
	struct storm_counts counts;
	char stacks[STORM_STACKS];
};

/**
 * struct storm_order - arguments of the process
 * @enter: the storm calls it first; NULL: none
 * @leave: the watchdog calls it after the storm if the agent is gone; NULL: none
 */
struct storm_order {
	const struct storm_knobs *knobs;
	const struct gmem_kernel *kernel;
	int (*enter)(struct reason *why);
	void (*leave)(void);
};

extern void storm_body(int socket, const void *order) __attribute__((noreturn));

#endif
