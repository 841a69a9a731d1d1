/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_TRIAL_ENGINE_H
#define BRINELL_TRIAL_ENGINE_H

#include "harness/lib/util.h"
#include "harness/journal/index.h"
#include "harness/scenario/scenario.h"

/**
 * struct planned_trial - one trial of a run's plan
 * @id:       "0001", unique in the run
 * @turn:     how often its scenario came in the plan so far, from 1
 * @scenario: owned by the plan; trials of the same specification share it
 * @bench:    name of its bench
 * @seed:     of its random choices
 * @attempts: how often it was started already (before a resume)
 * @done:     it has its verdict
 */
struct planned_trial {
	char id[12];
	unsigned int turn;
	struct scenario *scenario;
	char *bench;
	uint64_t seed;
	unsigned int attempts;
	bool done;
};

/**
 * struct engine_view - observers of a run; all may be NULL
 * @started:  a trial begins
 * @doing:    what it does now, for a live line
 * @progress: something long (the image of the rig): @fraction 0 to 1, or below 0 when unknown
 * @finished: a trial has its verdict: @result as in results.json, borrowed
 */
struct engine_view {
	void (*started)(void *context, const struct planned_trial *trial, size_t index);
	void (*doing)(void *context, const char *what);
	void (*progress)(void *context, const char *what, double fraction);
	void (*finished)(void *context, const struct planned_trial *trial, size_t index,
			 const json_t *result);
	void *context;
};

/**
 * struct engine_options - what a run needs besides its plan
 * @journal:     open; borrowed
 * @artifacts:   directory for consoles and logs
 * @kernel:      bzImage for rig hosts, or NULL
 * @modules:     its modules, or NULL
 * @view:        watches
 * @stop_on_fail: run no further trial after one that failed; a known failure does not count
 * @interrupted: set by a signal handler
 */
struct engine_options {
	struct journal *journal;
	const char *artifacts;
	const char *kernel;
	const char *modules;
	struct engine_view view;
	bool stop_on_fail;
	const volatile int *interrupted;
};

int engine_run(const struct engine_options *options, struct planned_trial *plan, size_t count,
	       struct reason *why);
int engine_close_from_evidence(struct journal *journal, json_t *records,
			       const struct journal_trial *trial);

#endif
