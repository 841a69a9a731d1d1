// SPDX-License-Identifier: GPL-2.0-only
/*
 * The plan of a run: made once from the scenarios, stored in the journal with their whole text, so that a resume runs
 * what was planned then and not what the files say now.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "harness/trial/plan.h"

/**
 * plan_seed - seed of one trial
 * @seed:  of the run
 * @index: of the trial
 *
 * The first trial has the seed of the run, so that `--seed` with the seed of any trial repeats that trial alone. The
 * others get a step of SplitMix64 (Steele, Lea, Flood 2014): neighbours have nothing in common.
 *
 * Return: below 2^63, so that it is a JSON integer.
 */
uint64_t plan_seed(uint64_t seed, size_t index)
{
	uint64_t mixed = seed + index * 0x9e3779b97f4a7c15ull;

	if (index == 0)
		return seed;
	mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9ull;
	mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebull;
	return (mixed ^ mixed >> 31) >> 1;
}

static void number_trial(struct plan *plan, size_t index)
{
	struct planned_trial *trial = &plan->trials[index];

	snprintf(trial->id, sizeof(trial->id), "%04zu", (index + 1) % 10000);
}

/**
 * plan_add - append a trial
 * @plan:     to append to
 * @scenario: taken over
 * @bench:    name of its bench; copied
 * @seed:     of the trial
 *
 * Return: 0, or -E2BIG beyond 9999 trials.
 */
int plan_add(struct plan *plan, struct scenario *scenario, const char *bench, uint64_t seed)
{
	if (plan->count >= 9999)
		return -E2BIG;
	plan->trials = xreallocarray(plan->trials, plan->count + 1, sizeof(*plan->trials));
	plan->trials[plan->count++] =
		(struct planned_trial){.scenario = scenario, .bench = xstrdup(bench), .seed = seed};
	number_trial(plan, plan->count - 1);
	return 0;
}

/**
 * plan_shuffle - put the trials of a plan into a random order
 * @plan: nothing of it has run
 * @seed: of the run: the same seed gives the same order
 *
 * Each trial keeps its seed; the ids follow the new order.
 */
void plan_shuffle(struct plan *plan, uint64_t seed)
{
	for (size_t i = plan->count; i > 1; i--) {
		size_t other = plan_seed(seed, i) % i;
		struct planned_trial last = plan->trials[i - 1];

		plan->trials[i - 1] = plan->trials[other];
		plan->trials[other] = last;
	}
	for (size_t i = 0; i < plan->count; i++)
		number_trial(plan, i);
}

/** plan_to_json - the plan as the `run` record has it; owned by the caller */
json_t *plan_to_json(const struct plan *plan)
{
	json_t *trials = json_array();

	for (size_t i = 0; i < plan->count; i++) {
		const struct planned_trial *trial = &plan->trials[i];

		json_array_append_new(trials,
				      json_pack("{s:s, s:s, s:s, s:I, s:O}", "trial", trial->id,
						"scenario", trial->scenario->name, "bench",
						trial->bench, "seed", (json_int_t)trial->seed,
						"spec", trial->scenario->spec));
	}
	return trials;
}

static struct planned_trial *find_trial(struct plan *plan, const char *id)
{
	for (size_t i = 0; i < plan->count; i++)
		if (strcmp(plan->trials[i].id, id) == 0)
			return &plan->trials[i];
	return NULL;
}

static int read_plan(struct plan *plan, const json_t *run, struct reason *why)
{
	const json_t *entry;
	size_t index;

	json_array_foreach (json_object_get(run, "plan"), index, entry) {
		struct scenario *scenario;
		int error = scenario_from_spec(json_object_get(entry, "spec"), &scenario, why)
				    ?: plan_add(plan, scenario, json_text(entry, "bench", ""),
						(uint64_t)json_number(entry, "seed", 0));

		if (error)
			return error;
	}
	return 0;
}

/**
 * plan_from_records - the plan of a run that was cut off
 * @plan:    empty; receives the trials with what is known of them
 * @records: the journal
 * @why:     reason of a failure
 *
 * Return: 0, -EBADMSG when the journal holds no plan, or an error of a scenario's.
 */
int plan_from_records(struct plan *plan, const json_t *records, struct reason *why)
{
	const json_t *record;
	bool planned = false;
	size_t index;

	json_array_foreach ((json_t *)records, index, record) {
		const char *type = json_text(record, "type", "");
		struct planned_trial *trial = find_trial(plan, json_text(record, "trial", ""));

		if (strcmp(type, "run") == 0 && !planned) {
			int error = read_plan(plan, json_object_get(record, "body"), why);

			if (error)
				return error;
			planned = true;
		} else if (trial && strcmp(type, "trial") == 0) {
			trial->attempts++;
		} else if (trial && strcmp(type, "verdict") == 0) {
			trial->done = true;
		}
	}
	if (!planned)
		return fail(why, -EBADMSG,
			    "the journal holds no plan: its first record is missing");
	return 0;
}

/** plan_free - forget the trials and their scenarios */
void plan_free(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		scenario_free(plan->trials[i].scenario);
		free(plan->trials[i].bench);
	}
	free(plan->trials);
	*plan = (struct plan){0};
}
