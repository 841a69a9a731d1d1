// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reports that the kernel prints in several lines. One line of a machine check has the status, another the address, a third the
 * vendor of the processor; one line of a firmware record has the severity, another the kind, a third the address. Each line
 * receives the values of the others.
 */
#include "harness/evidence/evidence.h"

/*
 * Lines of a report come one after another, but others can stand between them. A record of firmware may have many sections, and
 * dumps of sections that Linux has no decoder for.
 */
#define DISTANCE 16
#define CPER_DISTANCE 4096
#define LINES_MOST 256

/* @lines: of one report; @count: of them */
struct report {
	struct kernel_line *lines[LINES_MOST];
	size_t count;
};

static struct machine_check sum_of(const struct report *report)
{
	struct machine_check sum = {.vendor = MACHINE_CHECK_VENDOR_UNKNOWN};

	for (size_t i = 0; i < report->count; i++) {
		const struct machine_check *check = &report->lines[i]->part.check;

		if (check->vendor != MACHINE_CHECK_VENDOR_UNKNOWN)
			sum.vendor = check->vendor;
		sum.status = sum.status ?: check->status;
		sum.ipid = sum.ipid ?: check->ipid;
		sum.address = sum.has_address ? sum.address : check->address;
		sum.misc = sum.has_misc ? sum.misc : check->misc;
		sum.has_address |= check->has_address;
		sum.has_misc |= check->has_misc;
	}
	return sum;
}

/* Without MCA_IPID, the lines of the decoder for AMD name the part of the machine themselves. */
static void join_machine_check(const struct report *report)
{
	struct machine_check check = sum_of(report);
	struct nature nature = nature_of_machine_check(&check);
	bool decoded = report->lines[0]->part.block == BLOCK_DECODED;
	const struct kernel_line *bank = NULL;

	if (!check.status)
		return;
	for (size_t i = 0; i < report->count && !bank; i++)
		bank = report->lines[i]->has_bank ? report->lines[i] : NULL;
	for (size_t i = 0; i < report->count; i++) {
		struct kernel_line *line = report->lines[i];

		if (line->meaning == MEANS_NOTHING)
			continue;
		line->nature.severities = nature.severities;
		if (!decoded || check.ipid)
			line->nature.kinds = nature.kinds;
		line->has_pfn = (!decoded || check.ipid) && machine_check_has_page(&check);
		line->pfn = check.address >> 12;
		if (bank) {
			line->has_bank = true;
			line->cpu = bank->cpu;
			line->bank = bank->bank;
		}
	}
}

/* Kinds and severity in the lines from @from up to @end: of a section, or of all. */
static struct nature nature_of_lines(const struct report *report, size_t from, size_t end,
				     struct nature nature)
{
	for (size_t i = from; i < end; i++) {
		const struct kernel_line *line = report->lines[i];

		if (line->part.kind)
			nature.kinds |= line->nature.kinds;
		if (line->part.severity)
			nature.severities = line->nature.severities;
	}
	return nature;
}

/* The mask has the valid bits of the address. */
static uint64_t pages_of(const struct report *report, size_t from, size_t end)
{
	for (size_t i = from; i < end; i++) {
		uint64_t mask = report->lines[i]->part.mask;

		if (mask)
			return (mask & -mask) >> 12;
	}
	return 0;
}

/* @has_severity: the record has one, where 0 is "info": no error */
static void join_lines(const struct report *report, size_t from, size_t end, struct nature nature,
		       bool has_severity)
{
	uint64_t pages = pages_of(report, from, end);

	for (size_t i = from; i < end; i++) {
		struct kernel_line *line = report->lines[i];

		if (line->meaning == MEANS_NOTHING)
			continue;
		if (has_severity && !nature.severities)
			line->meaning = MEANS_NOTHING;
		line->nature.severities = nature.severities;
		if (nature.kinds)
			line->nature.kinds = nature.kinds;
		line->pages = pages;
	}
}

static size_t section_end(const struct report *report, size_t from)
{
	size_t end = from + 1;
	bool kind = report->lines[from]->part.kind;

	for (; end < report->count; end++) {
		const struct line_part *part = &report->lines[end]->part;

		if (part->section || (part->kind && kind))
			break;
		kind |= part->kind;
	}
	return end;
}

static void join_record(const struct report *report)
{
	size_t head = 0;
	struct nature event, whole;
	bool has_severity = false;

	while (head < report->count && !report->lines[head]->part.section &&
	       !report->lines[head]->part.kind)
		has_severity |= report->lines[head++]->part.severity;
	event = nature_of_lines(report, 0, head, (struct nature){0, 0});
	whole = (struct nature){nature_of_lines(report, head, report->count, event).kinds,
				event.severities};
	for (size_t from = head, end; from < report->count; from = end) {
		end = section_end(report, from);
		join_lines(report, from, end,
			   nature_of_lines(report, from, end, (struct nature){0, event.severities}),
			   has_severity || report->lines[from]->part.section);
	}
	join_lines(report, 0, head, whole, has_severity);
}

/* The lines behind the first one that are of its report; a second severity of an event begins another. */
static void collect(struct report *report, struct kernel_line *const *lines, size_t count)
{
	const struct line_part *first = &lines[0]->part;
	size_t distance = first->block == BLOCK_CPER ? CPER_DISTANCE : DISTANCE;
	bool severity = first->severity;

	report->lines[0] = lines[0];
	report->count = 1;
	for (size_t i = 1; i < count && i < distance && report->count < LINES_MOST; i++) {
		const struct line_part *part = &lines[i]->part;

		if (part->block != first->block)
			continue;
		if (part->first || part->number != first->number ||
		    (part->severity && !part->section && severity))
			break;
		severity |= part->severity;
		report->lines[report->count++] = lines[i];
	}
}

static bool begins(const struct kernel_line *line)
{
	return line->part.first ||
	       (line->part.block == BLOCK_CPER && line->part.severity && !line->part.section);
}

/**
 * kernel_lines_join - complete the lines of reports that have several
 * @lines: one after another as one source has them
 * @count: of them
 */
void kernel_lines_join(struct kernel_line *const *lines, size_t count)
{
	const struct kernel_line *previous = NULL;

	for (size_t i = 0; i < count; i++) {
		struct report report;

		if (!begins(lines[i]))
			continue;
		/* Its header, right before it, has begun the record. */
		if (previous && !lines[i]->part.first && previous->part.first &&
		    previous->part.number == lines[i]->part.number) {
			previous = NULL;
			continue;
		}
		previous = lines[i]->part.block == BLOCK_CPER ? lines[i] : NULL;
		collect(&report, lines + i, count - i);
		if (lines[i]->part.block == BLOCK_CPER)
			join_record(&report);
		else
			join_machine_check(&report);
	}
}
