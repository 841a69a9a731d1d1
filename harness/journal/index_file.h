/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_JOURNAL_INDEX_FILE_H
#define BRINELL_JOURNAL_INDEX_FILE_H

#include "harness/journal/index.h"

/* Inner header of the index's files. */

json_t *journal_window(struct journal_reader *reader, const char *id);
bool journal_id_matches(const char *id, const char *wanted);
void journal_count_damage(struct journal_damage *found, const struct journal_reader *reader,
			  const struct journal_line *mark);

void index_file_write(const char *directory, const struct journal_index *index);

#endif
