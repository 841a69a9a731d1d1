/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_GMEM_ENGINE_H
#define BRINELL_GMEM_ENGINE_H

/* Internals of the storm engine. */

#include <pthread.h>

#include "inject/gmem/users.h"

/**
 * struct converter - a thread that executes the kernel's part of an operation, or that runs a vCPU which reads pages (a toucher)
 * @operation: of this round; @go: execute it
 * @result: 0 or -errno; @page: where the kernel stopped
 * @why: of a toucher, whose @result is below 0
 */
struct converter {
	struct storm *storm;
	pthread_t thread;
	bool started, go;
	struct storm_operation operation;
	int result;
	uint64_t page;
	struct reason why;
};

/**
 * struct storm - state of a storm
 * @users:    of each VM, in the order of announcements
 * @begin, @end: barriers of a round, with more than one converter; @starting: held until they exist
 * @disturbed: a fault of this round unmaps memory that vCPUs touch
 */
struct storm {
	struct storm_knobs knobs;
	const struct gmem_kernel *kernel;
	struct storm_counts *counts;
	storm_violation_fn report;
	void *context;

	struct gmem_vm vms[STORM_VMS];
	bool vm_open[STORM_VMS];
	struct gmem_user users[STORM_VMS][STORM_USERS];
	size_t user_count[STORM_VMS];

	struct converter converters[STORM_CONVERTERS];
	pthread_barrier_t begin, end;
	pthread_mutex_t starting;
	bool threads;
	bool ending;
	bool disturbed;
	uint64_t shown;
};

/* convert.c */
int convert_by_kernel(struct storm *storm, const struct storm_operation *operation, uint64_t *page);
int storm_convert_request(struct gmem_vm *vm, const struct gmem_range *range, bool to_private);

/* rounds.c */
void rounds_block_signals(void);
int rounds_open(struct storm *storm, struct reason *why);
void rounds_close(struct storm *storm);
int round_execute(struct storm *storm, unsigned int count, const struct storm_operation *fault,
		  struct reason *why);

/* oracle.c */
void oracle_violation(struct storm *storm, const struct storm_operation *operation,
		      enum storm_outcome outcome, const char *user, uint64_t page,
		      const char *text);
void oracle_check(struct storm *storm, const struct storm_operation *operation);
void oracle_check_all(struct storm *storm, unsigned int vm,
		      const struct storm_operation *operation);
int users_open(struct storm *storm, unsigned int vm, struct reason *why);
void users_close(struct storm *storm, unsigned int vm);
bool users_release(struct storm *storm, const struct storm_operation *operation);
void users_reacquire(struct storm *storm, const struct storm_operation *operation, bool failed);

/* faults.c */
int storm_fault(struct storm *storm, const struct storm_operation *operation, struct reason *why);

/* storm.c */
int storm_vm_open(struct storm *storm, unsigned int vm, struct reason *why);
void storm_vm_close(struct storm *storm, unsigned int vm);
void storm_note_error(struct storm *storm, int error);
void storm_write(struct storm *storm, const struct storm_operation *operation,
		 const struct gmem_range *range);

#endif
