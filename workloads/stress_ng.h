/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_WORKLOADS_STRESS_NG_H
#define BRINELL_WORKLOADS_STRESS_NG_H

#include "harness/host/process.h"
#include "workloads/workload.h"

/* Exit status of stress-ng after an error of a stressor (its manual, EXIT STATUS). */
#define STRESS_NOT_SUCCESS 2

/**
 * struct stress_options - how stress-ng is run
 * @stressor:  name
 * @instances: of it; 0 for one on each processor
 * @time_ns:   duration; 0 without @ops: until it is touched
 * @ops:       number of bogo operations, or 0
 * @verify:    --verify
 * @words:     further arguments: array of text, or NULL
 */
struct stress_options {
	const char *stressor;
	uint64_t instances;
	int64_t time_ns;
	uint64_t ops;
	bool verify;
	const json_t *words;
};

enum stress_request {
	STRESS_TOUCH = 'T',
	STRESS_QUIT = PROCESS_QUIT,
};

/**
 * enum stress_report_kind - reports of the supervisor, besides those of all processes
 * @STRESS_METRIC: name and value
 * @STRESS_FAIL:   base.text is a line of stress-ng that names an error
 * @STRESS_ENDED:  status and base.signal; after all the others
 */
enum stress_report_kind {
	STRESS_METRIC = PROCESS_OWN,
	STRESS_FAIL,
	STRESS_ENDED,
};

/** struct stress_report - one packet; @child is the process of stress-ng itself, @again: a repeated report */
struct stress_report {
	struct process_report base;
	int32_t child;
	int32_t status;
	bool again;
	double value;
	char name[96];
};

void stress_process(int socket, const void *options) __attribute__((noreturn));

#endif
