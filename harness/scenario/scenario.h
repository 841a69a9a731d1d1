/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_SCENARIO_SCENARIO_H
#define BRINELL_SCENARIO_SCENARIO_H

#include "harness/lib/util.h"

struct step_kind;

/**
 * struct scenario_guest - a virtual machine that a scenario names
 * @name:      "g1"
 * @arguments: {"kind": "micro", "memory", "processors", "backing", "kernel-arguments", "programs", "fresh"}, every
 *             default written out; or {"kind": "domain", "domain": NAME}
 */
struct scenario_guest {
	char *name;
	json_t *arguments;
};

/**
 * struct scenario_workload - a workload that a scenario names
 * @name:      "victim"
 * @kind:      name in the workload registry
 * @guest:     in which it runs, or NULL: on the host
 * @arguments: checked by that workload's table
 */
struct scenario_workload {
	char *name;
	char *kind;
	char *guest;
	json_t *arguments;
};

/**
 * struct scenario_step - one step
 * @kind:      what it does; see harness/scenario/steps.h
 * @line:      in the scenario's file
 * @subject:   workload name (start, touch, stop, or the target of an inject: may be NULL), witness (wait)
 * @injector:  name in the injector registry (inject)
 * @guest:     of the step: migrate, when, limit, post-copy, cancel, balloon; an inject whose injector works on a
 *             guest; a wait for events of a guest alone; else NULL
 * @host:      of an inject: "h0", "h1", "source", "target", or NULL: where its target is
 * @arguments: inject: checked by the injector's table; firmware: passed on; wait: {"match": regex}; when: {"condition": text},
 *             as condition_parse() takes it; migrate, limit, balloon: checked by the table of the step
 * @within_ns: wait, when, balloon: how long at the most
 */
struct scenario_step {
	const struct step_kind *kind;
	unsigned int line;
	char *subject;
	char *injector;
	char *guest;
	char *host;
	json_t *arguments;
	int64_t within_ns;
};

/**
 * struct scenario - a checked scenario file
 *
 * All owned by the scenario. @exercises is the code that the fault takes through the kernel. @expect and @spec are JSON
 * as in the journal (docs/journal.md); @requires is an array of findings as the probes name them, such as
 * "einj:memory-uncorrectable-nonfatal". @versions and @known_failure are as in the file, or NULL. @metrics has the budget of each
 * metric, such as "10%", or is NULL. @cell has the scenario's place on each axis of a matrix, or is NULL.
 */
struct scenario {
	char *name;
	char *path;
	char *title;
	char *objective;
	char *exercises;
	char *reference;
	char *bench;
	json_t *tags;
	json_t *requires;
	json_t *rig;
	json_t *versions;
	json_t *known_failure;
	json_t *metrics;
	json_t *cell;
	struct scenario_guest *guests;
	size_t guest_count;
	struct scenario_workload *workloads;
	size_t workload_count;
	struct scenario_step *steps;
	size_t step_count;
	json_t *expect;
	json_t *spec;
	int64_t deadline_ns;
	int64_t settle_ns;
	bool fresh_boot;
};

int scenario_parse(const char *path, const char *text, size_t length, const json_t *settings,
		   struct scenario **scenario, struct reason *why);
int scenario_load(const char *path, const json_t *settings, struct scenario **scenario,
		  struct reason *why);
int scenario_from_spec(const json_t *spec, struct scenario **scenario, struct reason *why);
void scenario_free(struct scenario *scenario);

int scenario_library_path(char **directory);
int scenario_library_list(json_t **names, struct reason *why);
int scenario_select(const char *pattern, json_t *paths, struct reason *why);

#endif
