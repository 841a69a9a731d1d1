/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_JOURNAL_LINE_H
#define BRINELL_JOURNAL_LINE_H

#include "harness/journal/journal.h"

/* Length of `,"crc":"xxxxxxxx"}`, which seals every line. */
#define JOURNAL_SEAL 18

/**
 * struct journal_end - where a journal's last good record ends
 * @bytes:    offset in the file
 * @sequence: number of that record, 0 when there is none
 */
struct journal_end {
	size_t bytes;
	uint64_t sequence;
};

int journal_scan(const char *text, size_t length, json_t *records, struct journal_damage *damage,
		 struct journal_end *end, struct reason *why);

void journal_rename_older(json_t *record);

#endif
