/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_JOURNAL_JOURNAL_H
#define BRINELL_JOURNAL_JOURNAL_H

#include "harness/lib/util.h"

#define JOURNAL_FILE "journal.jsonl"
#define JOURNAL_VERSION 1

/*
 * Type of the records that a reader puts where lines of the file were lost; never written to a
 * file.
 */
#define JOURNAL_DAMAGE "damage"

struct journal;

/**
 * struct journal_damage - what was wrong with a journal that was read
 * @torn_bytes:   length of the torn tail, 0 when there was none
 * @bad_lines:    records in the middle that failed their checksum or were no JSON
 * @first_bad:    line number of the first of them
 * @gaps:         missing sequence numbers
 */
struct journal_damage {
	size_t torn_bytes;
	unsigned int bad_lines;
	unsigned int first_bad;
	unsigned int gaps;
};

int journal_create(const char *directory, struct journal **journal, struct reason *why);
int journal_open(const char *directory, struct journal **journal, struct journal_damage *damage,
		 struct reason *why);
int journal_append_at(struct journal *journal, int64_t time_ns, const char *type, const char *trial,
		      json_t *body);
int journal_append(struct journal *journal, const char *type, const char *trial, json_t *body);
int journal_append_text(struct journal *journal, const char *type, const char *body);
int journal_close(struct journal *journal);
const char *journal_failure(const struct journal *journal);

int journal_load(const char *directory, json_t **records, struct journal_damage *damage,
		 struct reason *why);
int journal_parse(const char *text, size_t length, json_t **records, struct journal_damage *damage,
		  struct reason *why);
char *journal_encode(uint64_t sequence, int64_t time_ns, const char *type, const char *trial,
		     const json_t *body);

#endif
