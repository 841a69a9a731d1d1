/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_TRIAL_PLAN_H
#define BRINELL_TRIAL_PLAN_H

#include "harness/trial/engine.h"

/* Ids have at most seven digits. */
#define PLAN_MOST 1000000

/**
 * struct plan - the trials of a run, in order
 * @trials: owned
 * @count:  number of trials
 * @scenarios: what they run, each once; owned
 * @turns:  {SCENARIO: how often it came so far}
 */
struct plan {
	struct planned_trial *trials;
	size_t count, room;
	struct scenario **scenarios;
	size_t scenario_count;
	json_t *turns;
};

int plan_add(struct plan *plan, struct scenario *scenario, const char *bench, uint64_t seed);
struct scenario *plan_take(struct plan *plan, struct scenario *scenario);
char *plan_trial_name(const struct planned_trial *trial);
void plan_write(const struct plan *plan, FILE *out);
int plan_from_index(struct plan *plan, const struct journal_index *index, struct reason *why);
void plan_free(struct plan *plan);
void plan_shuffle(struct plan *plan, uint64_t seed);
uint64_t plan_seed(uint64_t seed, size_t index);

#endif
