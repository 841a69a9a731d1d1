// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a timeline shows of guests and migrations, as text, with exact numbers.
 */
#include <inttypes.h>
#include <string.h>

#include "reports/html/html.h"
#include "reports/html/picture.h"
#include "reports/text.h"

/* Holes of a guest that are reported one by one, the longest. */
#define HOLE_LINES 12
/* Iterations that are reported one by one: the first and the last ones. */
#define FIRST_ITERATIONS 5
#define LAST_ITERATIONS 3
/* With more stages and iterations their table is folded. */
#define OPEN_STAGES 8

static void write_record(FILE *out, const struct course_guest *guest)
{
	const struct guest_record *start = guest->record ? &guest->record->guest_start : NULL;
	const char *name;
	json_t *version;

	if (!start)
		return;
	text_xml_format(out, "<li>It ran on %s%s%s%s", guest->record->host ?: "a host",
			start->warm ? ", left from an earlier trial" : ", started for this trial",
			start->kernel ? ", kernel " : "", start->kernel ?: "");
	json_object_foreach (json_object_get(start->facts, "software"), name, version)
		text_xml_format(out, ", %s %s", name, json_string_value(version) ?: "?");
	fputs(".</li>", out);
}

static void write_stay(FILE *out, const struct course_stay *stay)
{
	text_xml_format(out, "<li>Alive on %s from %s to %s", stay->host,
			short_time(stay->from_ns).text, short_time(stay->to_ns).text);
	if (stay->beats)
		fprintf(out, ": %" PRId64 " heartbeats, longest interval %s", stay->beats,
			short_duration(stay->longest_ns).text);
	if (stay->beats && stay->missed)
		fprintf(out, ", %" PRId64 " missed", stay->missed);
	fputs(".</li>", out);
}

static void write_clocks(FILE *out, const json_t *clocks)
{
	const char *clock, *separator = "";
	json_t *passed;

	if (!json_object_size(clocks))
		return;
	fputs("; by the guest's clocks: ", out);
	json_object_foreach ((json_t *)clocks, clock, passed) {
		if (!json_is_integer(passed))
			continue;
		text_xml_format(out, "%s%s %s", separator, clock,
				short_duration(json_integer_value(passed)).text);
		separator = ", ";
	}
}

static void write_hole(FILE *out, const struct course_hole *hole)
{
	fprintf(out, "<li>No sign of life for <strong>%s</strong> from %s on, ",
		short_duration(hole->to_ns - hole->from_ns).text, short_time(hole->from_ns).text);
	if (hole->kind == COURSE_MOVE)
		text_xml_format(out, "between the last one on %s and the first one on %s",
				hole->host, hole->next ?: "another host");
	else
		text_xml_format(out, "on %s%s", hole->host,
				hole->open ? ", to the end of the trial" : "");
	if (hole->kind == COURSE_MOVE && hole->downtime_ns)
		fprintf(out, "; measured downtime <strong>%s</strong>",
			short_duration(hole->downtime_ns).text);
	write_clocks(out, hole->clocks);
	fputs(".</li>", out);
}

static int by_length(const void *one, const void *other)
{
	const struct course_hole *a = one, *b = other;
	int64_t length_a = a->to_ns - a->from_ns, length_b = b->to_ns - b->from_ns;

	return length_a < length_b ? 1 : length_a > length_b ? -1 : 0;
}

static void write_holes(FILE *out, const struct course_guest *guest)
{
	size_t count = guest->hole_count, reported = count < HOLE_LINES ? count : HOLE_LINES;
	__cleanup_free struct course_hole *holes = xcalloc(count + 1, sizeof(*holes));

	if (!count)
		return;
	memcpy(holes, guest->holes, count * sizeof(*holes));
	if (count > HOLE_LINES)
		qsort(holes, count, sizeof(*holes), by_length);
	for (size_t i = 0; i < reported; i++)
		write_hole(out, &holes[i]);
	if (reported < count)
		fprintf(out, "<li>%zu shorter holes are in the journal.</li>", count - reported);
}

static void write_guest(FILE *out, const struct course_guest *guest)
{
	text_xml_format(out, "<h3>Guest <span class=\"id\">%s</span></h3><ul class=\"words\">",
			guest->name);
	write_record(out, guest);
	for (size_t i = 0; i < guest->stay_count; i++)
		write_stay(out, &guest->stays[i]);
	write_holes(out, guest);
	if (!guest->stay_count)
		fputs("<li>There was no sign of life.</li>", out);
	fputs("</ul>", out);
}

static void write_stage(FILE *out, const struct course_stage *first,
			const struct course_stage *last)
{
	text_xml_format(out, "<tr><td>%s", first->name);
	if (first->iteration > 0)
		fprintf(out, first == last ? ", iteration %" PRId64 : ", iterations %" PRId64,
			first->iteration);
	if (first != last)
		fprintf(out, " to %" PRId64, last->iteration);
	fprintf(out,
		"</td><td class=\"num\">%s</td><td class=\"num\">%s</td><td "
		"class=\"num\">%s</td></tr>",
		short_time(first->from_ns).text, short_duration(last->to_ns - first->from_ns).text,
		short_size(first->remaining).text);
}

/* Where the iterations that follow @first without another stage between them end. */
static size_t last_iteration(const struct course_migration *migration, size_t first)
{
	size_t last = first;

	while (last + 1 < migration->stage_count &&
	       strcmp(migration->stages[last + 1].name, migration->stages[first].name) == 0)
		last++;
	return last;
}

static void write_stages(FILE *out, const struct course_migration *migration)
{
	for (size_t i = 0; i < migration->stage_count; i++) {
		size_t last = last_iteration(migration, i);

		for (size_t from = i; i <= last; i++) {
			if (i == from + FIRST_ITERATIONS && last > i + LAST_ITERATIONS) {
				write_stage(out, &migration->stages[i],
					    &migration->stages[last - LAST_ITERATIONS]);
				i = last - LAST_ITERATIONS;
				continue;
			}
			write_stage(out, &migration->stages[i], &migration->stages[i]);
		}
		i = last;
	}
}

/* The stages in one sentence: "setup 20 ms, pre-copy 30.5 s in 411 iterations, switchover 60 ms". */
static void write_spans(FILE *out, const struct course_migration *migration)
{
	const struct course_stage *stages = migration->stages;

	fputs("<p>It went through ", out);
	for (size_t i = 0; i < migration->stage_count; i++) {
		size_t last = last_iteration(migration, i);

		text_xml_format(out, "%s%s %s", i ? ", " : "", stages[i].name,
				short_duration(stages[last].to_ns - stages[i].from_ns).text);
		if (strcmp(stages[i].name, "pre-copy") == 0)
			fprintf(out, " in %zu iteration%s", last - i + 1, last > i ? "s" : "");
		i = last;
	}
	fputs(".</p>", out);
}

static void write_migration(FILE *out, const struct course_migration *migration)
{
	text_xml_format(out,
			"<h3>Migration of <span class=\"id\">%s</span> from <span class=\"id\">%s",
			migration->guest, migration->source);
	if (migration->target)
		text_xml_format(out, "</span> to <span class=\"id\">%s", migration->target);
	fputs("</span></h3><p>", out);
	if (migration->outcome)
		text_xml_format(out, "It ended <strong>%s</strong> after ", migration->outcome);
	else
		fputs("<strong>Its end was never reported.</strong> The last report came after ",
		      out);
	text_xml_format(out, "%s%s%s.", short_duration(migration->to_ns - migration->from_ns).text,
			*migration->reason ? ": " : "", migration->reason);
	if (migration->downtime_ns >= 0)
		fprintf(out, " The hypervisor reports a downtime of %s.",
			short_duration(migration->downtime_ns).text);
	fputs("</p>", out);
	if (!migration->stage_count)
		return;
	write_spans(out, migration);
	fprintf(out, "<details%s><summary>Stages and iterations</summary>",
		migration->stage_count <= OPEN_STAGES ? " open" : "");
	fputs("<div class=\"scroll\"><table class=\"stages\"><thead><tr><th "
	      "scope=\"col\">Stage</th>"
	      "<th scope=\"col\">Began</th><th scope=\"col\">Took</th><th scope=\"col\">"
	      "Remaining at first</th></tr></thead><tbody>",
	      out);
	write_stages(out, migration);
	fputs("</tbody></table></div></details>", out);
}

/** html_course - guests and migrations of a trial in words; nothing when it had none */
void html_course(FILE *out, const struct course *course)
{
	for (size_t i = 0; i < course->migration_count; i++)
		write_migration(out, &course->migrations[i]);
	for (size_t i = 0; i < course->guest_count; i++)
		write_guest(out, &course->guests[i]);
}
