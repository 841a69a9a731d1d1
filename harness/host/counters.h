/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_HOST_COUNTERS_H
#define BRINELL_HOST_COUNTERS_H

#include "harness/lib/util.h"

#define COUNTERS_MOST 16

/**
 * struct counter - one event of perf_event_open(2), counted in many places
 * @name:  as perf(1) calls it
 * @unit:  of its value
 * @scale: from what the kernel counts to that
 * @fds:   one for each processor, or for each thread
 * @count: of these
 * @is_kvm: a sum that KVM keeps, which was @base when the counting began
 */
struct counter {
	char name[128];
	char unit[16];
	double scale;
	int *fds;
	size_t count;
	bool is_kvm;
	double base;
};

/**
 * struct counted - where it is counted
 * @pid: a process with all its threads and descendants, including later ones; 0: all processors
 * @frequency: 0, or samples a second that the kernel takes of it, with their stacks (harness/host/samples.h)
 */
struct counted {
	pid_t pid;
	uint64_t frequency;
};

int counter_open(struct counter *counter, const char *name, struct counted where,
		 struct reason *why);
int counter_read(const struct counter *counter, double *value, double *share);
void counter_close(struct counter *counter);
int tracepoint_read(const char *name, const char *file, char **text, struct reason *why);

#endif
