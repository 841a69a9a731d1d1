/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_TRIAL_PLAN_H
#define BRINELL_TRIAL_PLAN_H

#include "harness/trial/engine.h"

/**
 * struct plan - the trials of a run, in order
 * @trials: owned, with their scenarios
 * @count:  number of trials
 */
struct plan {
	struct planned_trial *trials;
	size_t count;
};

int plan_add(struct plan *plan, struct scenario *scenario, const char *bench, uint64_t seed);
json_t *plan_to_json(const struct plan *plan);
int plan_from_records(struct plan *plan, const json_t *records, struct reason *why);
void plan_free(struct plan *plan);
void plan_shuffle(struct plan *plan, uint64_t seed);
uint64_t plan_seed(uint64_t seed, size_t index);

#endif
