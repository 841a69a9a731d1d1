/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_JOURNAL_READER_H
#define BRINELL_JOURNAL_READER_H

#include "harness/journal/journal.h"
#include "harness/lib/scan.h"

/**
 * struct journal_line - a record as its line has it, before its body is decoded; all text is borrowed
 * @damage: "checksum", "gap" or "order": no record, but a mark that something is lost here; else NULL
 * @number: of the line, from 1
 * @begin, @end: offsets of the line and of what follows it; of a mark: between which records it stands
 * @trial:  its text is NULL for a record of the whole run
 * @record: decoded already, because the line is not as journal_encode() writes it; else NULL
 */
struct journal_line {
	const char *damage;
	unsigned int number;
	size_t begin, end;
	uint64_t sequence;
	int64_t time_ns;
	struct span type, trial, body;
	json_t *record;
};

/**
 * struct journal_reader - goes through the lines of a journal, one at a time
 * @text, @length: of the journal, or of a part of it that begins and ends with a line
 * @at:       offset of the next line that is read
 * @number:   of the line before it
 * @sequence: of the last good record
 * @good_end: offset behind it
 * @drop:     release the pages of a mapped file that were read
 */
struct journal_reader {
	const char *text;
	size_t length, at;
	unsigned int number;
	uint64_t sequence;
	int64_t time_ns;
	size_t good_end;
	bool drop;
	/* Of a good line that waits until the marks before it were delivered, and the bad lines before it. */
	struct journal_line held;
	bool holds, ended;
	unsigned int bad, bad_marked, bad_first;
	const char *gap;
	size_t dropped;
};

bool journal_next(struct journal_reader *reader, struct journal_line *line);
json_t *journal_record(const struct journal_line *line);
void journal_reader_close(struct journal_reader *reader);

int journal_check_version(struct span body, struct reason *why);
int journal_open_file(const char *directory, int flags, int *fd, struct reason *why);
int journal_map(int fd, const char **text, size_t *length, struct reason *why);
void journal_drop(const char *text, size_t begin, size_t end);
void journal_unmap(const char *text, size_t length);

#endif
