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
	       record_same_machine(one, other);
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

/* One line of a console for each that was written: the kernel may have printed the same. */
static void mark_program(struct trial_case *trial, const struct record *program)
{
	for_each_record (trial, record) {
		struct kernel_line *line = &trial->lines[record - trial->records];

		if (line->of_program || !event_is_of_console(record) ||
		    !record_same_machine(program, record) ||
		    strcmp(kernel_message(record->event.text), program->event.text) != 0)
			continue;
		*line = (struct kernel_line){.meaning = MEANS_NOTHING, .of_program = true};
		return;
	}
}

/* A console shows what programs write to /dev/kmsg like lines of the kernel. The log has their facility. */
static void mark_programs(struct trial_case *trial)
{
	for_each_record (trial, record)
		if (record->type == RECORD_EVENT && !event_is_of_console(record) &&
		    case_format(trial, record) == FORMAT_KERNEL_LOG &&
		    json_number(record->event.data, "facility", 0) != 0)
			mark_program(trial, record);
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
	mark_programs(trial);
}

/** case_is_of_kernel - event_is_of_kernel(), also for a line of a console that the log shows to be of a program */
bool case_is_of_kernel(const struct trial_case *trial, const struct record *record)
{
	return event_is_of_kernel(record) && !case_line(trial, record)->of_program;
}

/** case_line - the meaning of a line of a kernel's log; nothing for all other records */
const struct kernel_line *case_line(const struct trial_case *trial, const struct record *record)
{
	return &trial->lines[record - trial->records];
}
