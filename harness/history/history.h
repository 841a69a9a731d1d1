/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_HISTORY_HISTORY_H
#define BRINELL_HISTORY_HISTORY_H

#include "harness/lib/util.h"

/*
 * An index of runs: the medians of their metrics and their counts of failures, in SQLite. All its data come from the
 * run directories, so that a lost or damaged index can be built again.
 */
struct history;

#define HISTORY_FILE "brinell-runs/history.db"

int history_open(const char *path, struct history **history, struct reason *why);
void history_close(struct history *history);
int history_begin(struct history *history, struct reason *why);
int history_end(struct history *history, struct reason *why);
int history_add(struct history *history, const char *directory, bool *added, struct reason *why);
int history_pin(struct history *history, const char *name, const char *run, struct reason *why);
int history_runs(struct history *history, json_t **runs, struct reason *why);
int history_run(struct history *history, const char *run, json_t **directory, struct reason *why);
int history_show(struct history *history, const char *run, json_t **rows, struct reason *why);
int history_series(struct history *history, const char *scenario, const char *metric,
		   const char *bench, json_t **series, struct reason *why);
int history_failures(struct history *history, const char *since, json_t **failures,
		     struct reason *why);

int trend_points(const json_t *values, json_t **points, struct reason *why);
int history_check(struct history *history, const char *since, json_t **report, struct reason *why);
void history_print(FILE *out, const json_t *point);
bool history_is_worse(const json_t *report);

#endif
