/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_NIGHTLY_NIGHTLY_H
#define BRINELL_NIGHTLY_NIGHTLY_H

#include "harness/lib/util.h"

/* The plan of a night, in its directory. */
#define NIGHT_FILE "night.json"
/* Bounds the summary, which is sent by mail. */
#define SUMMARY_LINES 40
/* Code of a step whose process a signal ended. */
#define EXIT_KILLED 128

/**
 * struct nightly - configuration of nights
 * @out:       directory of the nights
 * @keep:      number of nights to keep
 * @budget_ns: time after which no step starts; 0: no limit
 * @steps:     array of steps, each an array of words: "run", "compare" or "calibrate" and what follows it
 * @lines:     lines of the steps in the file
 * @lock:      of @out against a second nightly, from night_run(); -1: none
 */
struct nightly {
	char *out;
	uint64_t keep;
	int64_t budget_ns;
	json_t *steps, *lines;
	int lock;
};

int nightly_read(const char *path, struct nightly *nightly, struct reason *why);
void nightly_free(struct nightly *nightly);

char *night_interrupted(const struct nightly *nightly);
int night_load(const char *directory, json_t **night, struct reason *why);
bool night_check(const struct nightly *nightly, const char *path);
int night_run(struct nightly *nightly, char **directory, json_t **outcome, struct reason *why);
char *night_summary(const char *directory, const json_t *outcome, const json_t *report);
bool night_is_bad(const json_t *outcome, const json_t *report);

#endif
