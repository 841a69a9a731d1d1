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

static void take_for_program(struct kernel_line *line)
{
	*line = (struct kernel_line){.meaning = MEANS_NOTHING, .of_program = true};
}

/* Consoles, and agents of earlier versions, escape bytes outside of printable ASCII as "\x09". */
static unsigned char next_byte(const char **text)
{
	unsigned char byte;

	if (!escaped_byte(*text, &byte) || (byte >= ' ' && byte < 127))
		return (unsigned char)*(*text)++;
	*text += strlen("\\x00");
	return byte;
}

/* Return: whether a line of a console shows this line of a record, which ends at @end. */
static bool shows_line(const char *shown, const char *line, const char *end)
{
	while (*shown && line < end)
		if (next_byte(&shown) != next_byte(&line))
			return false;
	return !*shown && line >= end;
}

/* One line of a console for each that was written: the kernel may have printed the same. */
static void mark_line(struct trial_case *trial, const struct record *program, const char *text,
		      const char *end)
{
	for_each_record (trial, record) {
		struct kernel_line *line = &trial->lines[record - trial->records];

		if (line->of_program || !event_is_of_console(record) ||
		    !record_same_machine(program, record) ||
		    !shows_line(kernel_message(record->event.text), text, end))
			continue;
		take_for_program(line);
		return;
	}
}

/* A record of several lines is as many on a console, each with a time of its own. */
static void mark_program(struct trial_case *trial, const struct record *program)
{
	for (const char *text = program->event.text, *end; *text; text = end + (*end == '\n')) {
		end = text + strcspn(text, "\n");
		mark_line(trial, program, text, end);
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

/* "[   12.345678]", anywhere: a kernel line follows a prompt that a program left open. */
static bool shows_time(const char *text)
{
	for (const char *at = text; (at = strchr(at, '[')); at++) {
		size_t blanks = strspn(at + 1, " ");
		size_t whole = strspn(at + 1 + blanks, "0123456789");
		const char *point = at + 1 + blanks + whole;

		if (whole && *point == '.' && strspn(point + 1, "0123456789") == 6 &&
		    point[7] == ']')
			return true;
	}
	return false;
}

#define CONSOLES_MOST (HOST_LIMIT + GUEST_LIMIT * HOST_LIMIT)

/* A console of each machine on which the kernel shows times; a record of each. */
struct timed_consoles {
	const struct record *of[CONSOLES_MOST];
	size_t count;
};

static bool is_timed(const struct timed_consoles *consoles, const struct record *record)
{
	for (size_t i = 0; i < consoles->count; i++)
		if (same_source(consoles->of[i], record))
			return true;
	return false;
}

/*
 * A kernel that shows times on its console has one in each of its lines, so lines without are of programs: other than the notice of
 * dropped lines (kernel/printk/printk.c, console_prepend_dropped()) and the lines of Xen.
 */
static void mark_untimed(struct trial_case *trial)
{
	struct timed_consoles consoles = {0};

	for_each_record (trial, record)
		if (event_is_of_console(record) && consoles.count < CONSOLES_MOST &&
		    shows_time(record->event.text) && !is_timed(&consoles, record))
			consoles.of[consoles.count++] = record;
	for_each_record (trial, record) {
		struct kernel_line *line = &trial->lines[record - trial->records];

		if (event_is_of_console(record) && is_timed(&consoles, record) &&
		    line->meaning != MEANS_LOST && !shows_time(record->event.text) &&
		    strncmp(record->event.text, "(XEN) ", 6) != 0)
			take_for_program(line);
	}
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
	mark_untimed(trial);
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
