// SPDX-License-Identifier: GPL-2.0-only
/*
 * The plan of a run: made once from the scenarios, stored in the journal with their whole text, so that a resume runs
 * the plan, not the present content of the files.
 */
#include <errno.h>

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

/** plan_take - add a scenario that trials of the plan run; owned by the plan from here on */
struct scenario *plan_take(struct plan *plan, struct scenario *scenario)
{
	plan->scenarios =
		xreallocarray(plan->scenarios, plan->scenario_count + 1, sizeof(*plan->scenarios));
	plan->scenarios[plan->scenario_count++] = scenario;
	return scenario;
}

static void name_trial(struct plan *plan, size_t place)
{
	struct planned_trial *trial = &plan->trials[place];
	const char *scenario = trial->scenario->name;

	if (!plan->turns)
		plan->turns = json_object();
	trial->turn = (unsigned int)json_number(plan->turns, scenario, 0) + 1;
	json_object_set_new(plan->turns, scenario, json_integer(trial->turn));
	snprintf(trial->id, sizeof(trial->id), "%04u", (unsigned int)(place + 1) % 10000000);
}

/**
 * plan_add - append a trial
 * @plan:     to append to
 * @scenario: of plan_take()
 * @bench:    name of its bench; copied
 * @seed:     of the trial
 *
 * Return: 0, or -E2BIG beyond PLAN_MOST trials.
 */
int plan_add(struct plan *plan, struct scenario *scenario, const char *bench, uint64_t seed)
{
	if (plan->count >= PLAN_MOST)
		return -E2BIG;
	if (plan->count == plan->room) {
		plan->room = plan->room ? 2 * plan->room : 64;
		plan->trials = xreallocarray(plan->trials, plan->room, sizeof(*plan->trials));
	}
	plan->trials[plan->count++] =
		(struct planned_trial){.scenario = scenario, .bench = xstrdup(bench), .seed = seed};
	name_trial(plan, plan->count - 1);
	return 0;
}

/** plan_trial_name - name of the test that a trial is, as in the reports; owned by the caller */
char *plan_trial_name(const struct planned_trial *trial)
{
	return format_text("%s %u", trial->scenario->name, trial->turn);
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
	json_object_clear(plan->turns);
	for (size_t i = 0; i < plan->count; i++)
		name_trial(plan, i);
}

static size_t place_of(const struct plan *plan, const struct scenario *scenario)
{
	size_t place = 0;

	while (plan->scenarios[place] != scenario)
		place++;
	return place;
}

/**
 * plan_write - the plan as the `run` record has it
 * @plan: the plan
 * @out:  gets `"specs":[...],"plan":[...]`: each specification once, and an entry a trial
 *
 * It is text from the start: a hundred thousand trials are 10 MB of it, and ten times that as values.
 */
void plan_write(const struct plan *plan, FILE *out)
{
	fputs("\"specs\":[", out);
	for (size_t i = 0; i < plan->scenario_count; i++) {
		fputs(i ? "," : "", out);
		json_dumpf(plan->scenarios[i]->spec, out, JSON_COMPACT);
	}
	fputs("],\"plan\":[", out);
	for (size_t i = 0; i < plan->count; i++) {
		const struct planned_trial *trial = &plan->trials[i];
		__cleanup_json json_t *entry =
			json_pack("{s:s, s:s, s:s, s:I, s:I}", "trial", trial->id, "scenario",
				  trial->scenario->name, "bench", trial->bench, "seed",
				  (json_int_t)trial->seed, "spec",
				  (json_int_t)place_of(plan, trial->scenario));

		fputs(i ? "," : "", out);
		json_dumpf(entry, out, JSON_COMPACT);
	}
	fputs("]", out);
}

/* Takes the specification of a trial; the same text is the same scenario. */
static int take_spec(struct plan *plan, json_t *known, struct span text, struct scenario **scenario,
		     struct reason *why)
{
	json_t *place = json_object_getn(known, text.text, text.length);
	__cleanup_json json_t *spec = NULL;
	int error;

	if (place) {
		*scenario = plan->scenarios[json_integer_value(place)];
		return 0;
	}
	spec = scan_decode(text, NULL);
	error = scenario_from_spec(spec, scenario, why);
	if (error)
		return error;
	json_object_setn_new(known, text.text, text.length,
			     json_integer((json_int_t)plan->scenario_count));
	plan_take(plan, *scenario);
	return 0;
}

/* Specifications are in a list of their own; in journals of earlier releases each entry has one. */
static struct span spec_of(const struct span *specs, size_t count, struct span entry)
{
	struct span spec = scan_member(entry, "spec");
	int64_t place;

	if (!scan_number(spec, &place))
		return spec;
	return place >= 0 && (size_t)place < count ? specs[place] : (struct span){"", 0};
}

static struct span *list_specs(struct span run, size_t *count)
{
	struct span list = scan_member(run, "specs"), value, *specs = NULL;

	*count = 0;
	while (scan_next(&list, '[', NULL, &value)) {
		specs = xreallocarray(specs, *count + 1, sizeof(*specs));
		specs[(*count)++] = value;
	}
	return specs;
}

static int take_entry(struct plan *plan, const struct journal_index *index, json_t *known,
		      struct span entry, struct span spec, struct reason *why)
{
	struct span id = scan_string(scan_member(entry, "trial"));
	const struct journal_trial *trial = journal_index_trial(index, id);
	struct planned_trial *planned;
	struct scenario *scenario;
	int error = take_spec(plan, known, spec, &scenario, why);

	if (!error)
		error = plan_add(plan, scenario, trial ? trial->bench : "",
				 trial ? (uint64_t)trial->seed : 0);
	if (error)
		return error;
	planned = &plan->trials[plan->count - 1];
	if (!span_is(id, planned->id))
		return fail(why, -EBADMSG,
			    "the plan of the run is no plan of brinell: its trial "
			    "%zu is named '%.*s'",
			    plan->count, (int)(id.length < 40 ? id.length : 40), id.text);
	planned->attempts = trial->attempts;
	planned->done = trial->judged;
	return 0;
}

/**
 * plan_from_index - the plan of a run that was cut off
 * @plan:  empty; receives the trials with what is known of them, in the order of the index
 * @index: of the journal
 * @why:   reason of a failure
 *
 * Return: 0, -EBADMSG when the journal holds no plan, or an error of a scenario's.
 */
int plan_from_index(struct plan *plan, const struct journal_index *index, struct reason *why)
{
	struct span list = scan_member(index->run, "plan"), entry;
	__cleanup_json json_t *known = json_object();
	__cleanup_free struct span *specs = NULL;
	size_t count;
	int error = 0;

	if (!index->run.length)
		return fail(why, -EBADMSG,
			    "the journal holds no plan: its first record is missing");
	specs = list_specs(index->run, &count);
	while (!error && scan_next(&list, '[', NULL, &entry))
		error = take_entry(plan, index, known, entry, spec_of(specs, count, entry), why);
	return error;
}

/** plan_free - free the trials and their scenarios */
void plan_free(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		free(plan->trials[i].bench);
	for (size_t i = 0; i < plan->scenario_count; i++)
		scenario_free(plan->scenarios[i]);
	free(plan->scenarios);
	free(plan->trials);
	json_decref(plan->turns);
	*plan = (struct plan){0};
}
