/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_SCENARIO_PARSE_H
#define BRINELL_SCENARIO_PARSE_H

#include "harness/scenario/document.h"
#include "harness/scenario/scenario.h"

int check_arguments(const struct document *document, int mapping, const char *what,
		    const char *const *own_keys, const struct param *table, json_t **arguments);
int check_duration(const struct document *document, int node, const char *what,
		   int64_t *nanoseconds);
int check_choice(const struct document *document, int node, const char *what,
		 const char *const *choices, const char **text);
int check_bool(const struct document *document, int node, const char *what, bool *value);
int check_texts(const struct document *document, int node, const char *what,
		int (*check_item)(const struct document *document, int node, const char *what,
				  const char *text),
		json_t **texts);
int check_regex(const struct document *document, int node, const char *what, const char *text);

int parse_steps(const struct document *document, int node, struct scenario *scenario);
int parse_expectations(const struct document *document, int node, struct scenario *scenario);

#endif
