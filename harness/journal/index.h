/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_JOURNAL_INDEX_H
#define BRINELL_JOURNAL_INDEX_H

#include "harness/journal/reader.h"

#define JOURNAL_INDEX_FILE "journal.index"

/**
 * struct journal_trial - where a trial is in a journal, and how far it got
 * @id:       owned by the index
 * @scenario, @bench, @seed: of the plan; NULL: the trial is not in it
 * @turn:     how often its scenario came in the plan so far, from 1
 * @begin, @end: offsets of its first record and behind its last; equal: there is none
 * @number, @sequence: of its first record: the line, and its number in the journal
 * @records:  of its last attempt, without the verdict
 * @attempts: how often it was started
 * @fired:    it has an intent or an outcome
 * @intended, @closed, @skipped, @judged: it has an intent, a close of its last attempt, a close that skips it, a verdict
 * @damaged:  lines are lost within it or next to it
 * @verdict:  body of its last verdict record
 * @recorded: verdict in it, "" for none
 */
struct journal_trial {
	char *id, *scenario, *bench;
	int64_t seed;
	unsigned int turn;
	size_t begin, end;
	unsigned int number;
	uint64_t sequence;
	unsigned int records, attempts;
	bool fired, intended, closed, skipped, judged, damaged;
	struct span verdict;
	char recorded[16];
};

/**
 * struct journal_mark - a place in a journal where lines are lost
 * @line:  its number
 * @what:  "checksum", "gap" or "order"
 * @begin, @end: offsets of the end of the record before it, and of the record behind it
 * @before, @after: places of the trials of the next records before and behind it; SIZE_MAX: there is none behind it
 */
struct journal_mark {
	unsigned int line;
	const char *what;
	size_t begin, end, before, after;
	int64_t time_ns;
};

/**
 * struct journal_index - the trials of a journal
 * @trials: in the order of the plan; behind them those that are not in it
 * @about:  records about the run: its run records without the plan, and the boot and guest records, each
 *          kind of machine once; an array of records, owned
 * @run:    body of the first run record
 * @ended:  body of the end record; NULL: the run has not ended
 * @planned: number of trials in the plan; @planned_twice: an id stands there more than once
 * @first_ns, @last_ns: times of the first and the last record
 */
struct journal_index {
	const char *text;
	size_t length;
	int fd;
	struct journal_trial *trials;
	size_t count, planned, room;
	bool planned_twice;
	struct journal_mark *marks;
	size_t mark_count, mark_room;
	json_t *about, *ended;
	struct span run;
	int64_t first_ns, last_ns;
	struct journal_damage damage;
	/* While it is built. */
	json_t *by_id, *turns, *known;
	size_t last, reported;
};

int journal_index_open(const char *directory, struct journal_index **index, struct reason *why);
int journal_index_parse(const char *text, size_t length, struct journal_index **index,
			struct reason *why);
void journal_index_release(const struct journal_index *index, size_t begin, size_t end);
json_t *journal_index_records(const struct journal_index *index, const struct journal_trial *trial);
struct journal_trial *journal_index_trial(const struct journal_index *index, struct span id);
struct journal_trial *journal_index_find(const struct journal_index *index, const char *wanted);
size_t journal_index_widest(const struct journal_index *index);
void journal_index_free(struct journal_index *index);

int journal_lookup(const char *directory, const char *wanted, char **id, json_t **records);

static inline void cleanup_journal_index(struct journal_index **index)
{
	journal_index_free(*index);
}

#define __cleanup_index __attribute__((cleanup(cleanup_journal_index)))

#endif
