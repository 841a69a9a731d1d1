/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_SCENARIO_STEPS_H
#define BRINELL_SCENARIO_STEPS_H

#include "harness/lib/registry.h"
#include "harness/scenario/parse.h"

struct engine;

enum workload_state {
	WORKLOAD_DECLARED,
	WORKLOAD_STARTED,
	WORKLOAD_STOPPED,
};

/**
 * struct guest_walk - what is known of a guest at a step
 * @used:      a workload runs in it, or a step names it
 * @migrated:  a step before this one began a migration
 * @migrating: it may still be running
 * @post_copy: it may be switched to post-copy
 * @held: it stands still at some moment, until a step releases it
 */
struct guest_walk {
	bool used, migrated, migrating, post_copy, held;
};

/**
 * struct walk - what is known at a step
 * @states:   of the scenario's workloads, in their order
 * @guests:   in their order
 * @migrated: a step before this one began a migration of any guest
 */
struct walk {
	struct scenario *scenario;
	enum workload_state *states;
	struct guest_walk *guests;
	bool migrated;
};

int take_subject(const struct document *document, int node, const char *step,
		 const struct walk *walk, struct scenario_step *entry, size_t *index);
int take_guest(const struct document *document, int node, int place, const char *step,
	       struct walk *walk, struct scenario_step *entry, size_t *index);
int scenario_find_workload(const struct document *document, int node, const char *name,
			   const struct scenario *scenario, size_t *index);
int take_within(const struct document *document, int node, int place, int64_t usual_ns,
		const struct walk *walk, struct scenario_step *entry);

typedef int step_parse_fn(const struct document *document, int node, struct walk *walk,
			  struct scenario_step *step);
typedef json_t *step_to_json_fn(const struct scenario_step *step);
typedef int step_run_fn(struct engine *engine, const struct scenario_step *step,
			struct reason *why);

/**
 * struct step_kind - what a step of a trial does
 * @name:     key of the step in a scenario
 * @summary:  one line
 * @injects:  it fires a fault
 * @migrates: it begins a migration
 * @touches:  it has a workload touch its memory
 * @parse:    checks the value of the key at its turn and fills the step
 * @to_json:  the value of the key again, with every default written out
 * @run:      does it. 0, -ENXIO when a guest does not answer (the trial goes on), or what ends the trial
 */
struct step_kind {
	const char *name;
	const char *summary;
	bool injects, migrates, touches;
	step_parse_fn *parse;
	step_to_json_fn *to_json;
	step_run_fn *run;
};

REGISTRY(step_kind)

/** struct steps_count - how many steps of a scenario do what */
struct steps_count {
	size_t injects, migrates, touches;
};

struct steps_count steps_count(const struct scenario *scenario);

step_parse_fn parse_start, parse_stop, parse_stop_injection, parse_touch, parse_wait,
	parse_firmware, parse_inject, parse_migrate, parse_when, parse_limit, parse_post_copy,
	parse_cancel, parse_release, parse_cut, parse_flip, parse_balloon;
step_to_json_fn subject_to_json, touch_to_json, arguments_to_json, wait_to_json, inject_to_json,
	guest_to_json, guest_step_to_json;

#endif
