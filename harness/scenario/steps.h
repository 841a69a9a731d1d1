/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_SCENARIO_STEPS_H
#define BRINELL_SCENARIO_STEPS_H

#include "harness/scenario/parse.h"

enum life {
	LIFE_DECLARED,
	LIFE_STARTED,
	LIFE_STOPPED,
};

/**
 * struct guest_walk - what is known of a guest at a step
 * @used:      a workload runs in it, or a step names it
 * @migrated:  a step before this one began a migration
 * @migrating: it may still be running
 * @post_copy: it may be switched to post-copy
 */
struct guest_walk {
	bool used, migrated, migrating, post_copy;
};

/**
 * struct walk - what is known at a step
 * @lives:    of the scenario's workloads, in their order
 * @guests:   in their order
 * @migrated: a step before this one began a migration of any guest
 */
struct walk {
	struct scenario *scenario;
	enum life *lives;
	struct guest_walk *guests;
	bool migrated;
};

int take_subject(const struct document *document, int node, const char *step,
		 const struct walk *walk, struct scenario_step *entry, size_t *index);
int take_guest(const struct document *document, int node, int place, const char *step,
	       struct walk *walk, struct scenario_step *entry, size_t *index);
int take_within(const struct document *document, int node, int place, int64_t usual_ns,
		const struct walk *walk, struct scenario_step *entry);

int parse_inject(const struct document *document, int node, struct walk *walk,
		 struct scenario_step *step);
int parse_migrate(const struct document *document, int node, struct walk *walk,
		  struct scenario_step *step);
int parse_when(const struct document *document, int node, struct walk *walk,
	       struct scenario_step *step);
int parse_limit(const struct document *document, int node, struct walk *walk,
		struct scenario_step *step);
int parse_post_copy(const struct document *document, int node, struct walk *walk,
		    struct scenario_step *step);
int parse_cancel(const struct document *document, int node, struct walk *walk,
		 struct scenario_step *step);
int parse_balloon(const struct document *document, int node, struct walk *walk,
		  struct scenario_step *step);

#endif
