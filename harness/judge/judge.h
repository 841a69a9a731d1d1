/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_JUDGE_JUDGE_H
#define BRINELL_JUDGE_JUDGE_H

#include "harness/journal/index.h"
#include "harness/lib/util.h"

/**
 * struct judge_options - how the trials of a journal are judged
 * @again:   judge every trial, also one with a recorded verdict of this same judge
 * @wanted:  members of a recorded result that are decoded; NULL: all
 */
struct judge_options {
	bool again;
	scan_wanted_fn wanted;
};

/**
 * struct judged - one trial of a run, judged
 * @number: from 1
 * @trial:  of the index; borrowed
 * @name:   of the test: the scenario and how often it came in the run
 * @result: as in results.json, without the name; of a recorded one only what was wanted
 * @records: of the trial, where it was judged; else NULL
 * @text:   the members of @result as JSON with the bracket that closes it, where it was recorded; else empty
 */
struct judged {
	size_t number;
	const struct journal_trial *trial;
	char *name;
	json_t *result, *records;
	struct span text;
};

typedef int (*judged_fn)(void *context, const struct judged *judged);

json_t *judge_trial(const json_t *records, const char *trial);
bool judge_is_settled(const json_t *records, const char *trial);
json_t *judge_seal(json_t *result, size_t records);

bool judge_is_brief(struct span parent, struct span key);
void judge_result(const struct journal_index *index, const struct judge_options *options,
		  struct judged *judged);
void judged_free(struct judged *judged);
int judge_run(const struct journal_index *index, const struct judge_options *options,
	      judged_fn each, void *context, json_t **summary);
json_t *judge_flaws(const struct journal_index *index);
bool judge_is_pending(const struct journal_index *index, const struct journal_trial *trial);
json_t *judge_counts(void);
void judge_count(json_t *counts, const json_t *result);
enum brinell_exit judge_exit_code(const json_t *summary);

#endif
