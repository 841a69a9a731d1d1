// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lines of kernel logs and their meaning. All are read before the evidence is weighed, because a report of several lines gets
 * its meaning from all of them.
 */
#include <string.h>

#include "harness/judge/axes/axes.h"

static bool same_source(const struct record *one, const struct record *other)
{
	return strcmp(one->event.witness, other->event.witness) == 0 &&
	       strcmp(one->host ?: "", other->host ?: "") == 0 &&
	       strcmp(one->guest ?: "", other->guest ?: "") == 0;
}

/* Join the lines of one log, from @first on, and mark them in @joined. */
static void join_source(struct trial_case *trial, const struct record *first, bool *joined)
{
	__cleanup_free struct kernel_line **lines =
		xreallocarray(NULL, trial->record_count, sizeof(struct kernel_line *));
	size_t count = 0;

	for (const struct record *record = first; record < trial->records + trial->record_count;
	     record++) {
		size_t i = (size_t)(record - trial->records);

		if (joined[i] || !same_source(first, record))
			continue;
		joined[i] = true;
		lines[count++] = &trial->lines[i];
	}
	kernel_lines_join(lines, count);
}

/** case_read_lines - read all lines of kernel logs; the formats of the witnesses are known */
void case_read_lines(struct trial_case *trial)
{
	__cleanup_free bool *joined = xreallocarray(NULL, trial->record_count + 1, sizeof(bool));

	trial->lines = xreallocarray(NULL, trial->record_count + 1, sizeof(*trial->lines));
	for_each_record (trial, record) {
		size_t i = (size_t)(record - trial->records);

		trial->lines[i] = (struct kernel_line){.meaning = MEANS_NOTHING};
		joined[i] = record->type != RECORD_EVENT ||
			    case_format(trial, record) != FORMAT_KERNEL_LOG;
		if (!joined[i])
			trial->lines[i] = kernel_line_read(record->event.text);
	}
	for_each_record (trial, record)
		if (!joined[record - trial->records])
			join_source(trial, record, joined);
}

/** case_line - the meaning of a line of a kernel's log; nothing for all other records */
const struct kernel_line *case_line(const struct trial_case *trial, const struct record *record)
{
	return &trial->lines[record - trial->records];
}
