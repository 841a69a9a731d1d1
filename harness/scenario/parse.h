/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_SCENARIO_PARSE_H
#define BRINELL_SCENARIO_PARSE_H

#include "harness/scenario/document.h"
#include "harness/scenario/scenario.h"

typedef int (*check_text_fn)(const struct document *document, int node, const char *what,
			     const char *text);

int check_arguments(const struct document *document, int mapping, const char *what,
		    const char *const *own_keys, const struct param *table, json_t **arguments);
int check_duration(const struct document *document, int node, const char *what,
		   int64_t *nanoseconds);
int check_choice(const struct document *document, int node, const char *what,
		 const char *const *choices, const char **text);
int check_bool(const struct document *document, int node, const char *what, bool *value);
int check_texts(const struct document *document, int node, const char *what,
		check_text_fn check_item, json_t **texts);
int check_regex(const struct document *document, int node, const char *what, const char *text);
int check_word(const struct document *document, int node, const char *what, const char *text,
	       const char *also);

int parse_guests(const struct document *document, int node, struct scenario *scenario);
int check_memory(const struct document *document, int node, uint64_t bytes);
int find_guest(const struct document *document, int node, const char *what,
	       const struct scenario *scenario, size_t *index);
int parse_workload_guest(const struct document *document, int node, const struct scenario *scenario,
			 struct scenario_workload *workload);

bool names_step(const struct document *document, int steps, const char *name);
int parse_steps(const struct document *document, int node, struct scenario *scenario);

int parse_expectations(const struct document *document, int node, struct scenario *scenario);
int read_expectations(const struct document *document, int node, json_t **expect);
int check_expectations(const struct document *document, int node, const json_t *expect,
		       const struct scenario *scenario);
int parse_versions(const struct document *document, int node, struct scenario *scenario);
int parse_known_failure(const struct document *document, int node, struct scenario *scenario);
int parse_metrics(const struct document *document, int node, struct scenario *scenario);

json_t *scenario_to_json(const struct scenario *scenario);

#endif
