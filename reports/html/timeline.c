// SPDX-License-Identifier: GPL-2.0-only
/*
 * The timeline of a trial as an SVG: a lane for each witness, from the intent (or the migration before it) to the last
 * evidence. Where most of it happens in a small part of the time, that part is drawn again, larger.
 */
#include <string.h>

#include "reports/html/picture.h"
#include "reports/story.h"
#include "reports/text.h"
#include "reports/html/timeline.h"

#define CLOSE_LIMIT 3
/* What takes less of the width than this part is drawn again. */
#define CLOSE_SHARE 6

/** A part of the time that is drawn larger. */
struct close_up {
	int64_t from_ns, to_ns;
};

/** picture_left - where the time begins, right of the names of the lanes */
int picture_left(const struct picture *picture)
{
	return picture->grouped ? 126 : 96;
}

/** picture_x - where a time is; times outside of the picture are on its edge */
double picture_x(const struct picture *picture, int64_t at_ns)
{
	int left = picture_left(picture);
	double share = ((double)at_ns - (double)picture->from_ns) /
		       ((double)picture->to_ns - (double)picture->from_ns);

	share = share < 0 ? 0 : share > 1 ? 1 : share;
	return left + share * (PICTURE_WIDTH - left - PICTURE_RIGHT);
}

/** picture_sees - whether something of a time is in the picture */
bool picture_sees(const struct picture *picture, int64_t from_ns, int64_t to_ns)
{
	return to_ns >= picture->from_ns && from_ns <= picture->to_ns;
}

/*
 * From the intent, or from the migration that began before, to the last mark or the end of the last stay or hole of a guest.
 * The close is left out, because a trial that waits for its deadline would compress all other records into one point, and so
 * are records before the intent on a host without guests.
 */
static void find_window(struct picture *picture)
{
	const struct course *course = picture->course;
	int64_t first = course_first(course), last = first, margin;

	for_each_record (course, record) {
		struct mark mark;

		if (record->type == RECORD_OUTCOME && course_time(course, record) > last)
			last = course_time(course, record);
		if (record->type != RECORD_CLOSE && mark_of(picture, record, &mark) &&
		    mark.at_ns > last)
			last = mark.at_ns;
	}
	for (size_t i = 0; i < course->migration_count; i++)
		last = course->migrations[i].to_ns > last ? course->migrations[i].to_ns : last;
	for (size_t i = 0; i < course->guest_count; i++)
		for (size_t j = 0; j < course->guests[i].hole_count; j++)
			if (!course->guests[i].holes[j].open &&
			    course->guests[i].holes[j].to_ns > last)
				last = course->guests[i].holes[j].to_ns;
	if (last - first < 10000)
		last = first + 10000;
	margin = (last - first) * 3 / 100;
	picture->from_ns = first - margin;
	picture->to_ns = last + 2 * margin;
}

/* 1, 2 or 5 times a power of ten milliseconds, so that at most eight ticks fit. */
static double tick_step(double range)
{
	double step = 1e-3;

	while (range / step > 8) {
		static const double factors[] = {2, 2.5, 2};
		static const size_t count = ARRAY_SIZE(factors);

		for (size_t i = 0; i < count && range / step > 8; i++)
			step *= factors[i];
	}
	return step;
}

static void write_axis(FILE *out, const struct picture *picture)
{
	double from = (double)picture->from_ns / 1e6, to = (double)picture->to_ns / 1e6;
	double step = tick_step(to - from),
	       unit = step >= 500 || to >= 10000 || from <= -10000 ? 1000 : 1;
	long long first = (long long)(from / step) - 1;

	for (long long i = first; (double)i * step <= to; i++) {
		double ms = (double)i * step, x = picture_x(picture, (int64_t)(ms * 1e6));

		if (ms < from)
			continue;
		if (i)
			fprintf(out,
				"<line class=\"tick\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" "
				"y2=\"%d\"/>",
				x, picture->top, x, picture->bottom);
		fprintf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s%.8g%s</text>", x,
			picture->bottom + 18, i < 0 ? "−" : "", (i < 0 ? -ms : ms) / unit,
			unit > 1 ? " s" : " ms");
	}
}

static const struct course_migration *migration_of(const struct course *course, const char *guest)
{
	for (size_t i = 0; i < course->migration_count; i++)
		if (strcmp(course->migrations[i].guest, guest) == 0)
			return &course->migrations[i];
	return NULL;
}

static void write_heading(const struct picture *picture, const struct lane *lane)
{
	FILE *out = picture->texts;
	const struct course_migration *migration =
		lane->guest ? migration_of(picture->course, lane->guest) : NULL;

	text_xml_format(out,
			"<line class=\"group\" x1=\"0\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>"
			"<text class=\"heading\" x=\"0\" y=\"%d\">%s %s",
			lane->y - 11, PICTURE_WIDTH, lane->y - 11, lane->y + 7,
			lane->guest ? "guest" : "host", lane->name);
	if (migration)
		text_xml_format(out, "%s%s%s%s",
				migration->target ? ", moves from " : ", is to move from ",
				migration->source, migration->target ? " to " : "",
				migration->target ?: "");
	fputs("</text>", out);
}

static void write_lanes(FILE *out, const struct picture *picture)
{
	int left = picture_left(picture);

	for (size_t i = 0; i < picture->lane_count; i++) {
		const struct lane *lane = &picture->lanes[i];
		const char *host;
		int y = lane->y;

		if (lane->kind == LANE_HEADING) {
			write_heading(picture, lane);
			continue;
		}
		if (lane->kind == LANE_MIGRATION)
			y += lane->height / 2 - 17;
		else
			fprintf(out,
				"<line class=\"lane\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>",
				left, y, PICTURE_WIDTH - PICTURE_RIGHT, y);
		host = lane->kind == LANE_STAY || lane->guest ? lane->host : NULL;
		text_xml_format(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s%s%s</text>",
				left - 10, y + 4, lane->kind == LANE_STAY ? "alive on" : lane->name,
				host ? " " : "", host ?: "");
	}
}

static void write_instant(FILE *out, const struct picture *picture, const struct record *record,
			  const char *class, const char *word, struct labels *row)
{
	int64_t at = course_time(picture->course, record);
	double x = picture_x(picture, at);
	const char *witness;
	__cleanup_free char *text = story_line(record, picture->course->host_count > 1, &witness);

	if (!picture_sees(picture, at, at))
		return;
	fprintf(out, "<g><line class=\"%s\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>", class,
		x, picture->top - 4, x, picture->bottom);
	label_write(picture->texts, row, x, picture->top - 10, 0, PICTURE_WIDTH, "strong", word);
	text_xml_format(out, "<title>%s %s: %s</title></g>", short_time(at).text, word, text ?: "");
}

static void write_instants(FILE *out, const struct picture *picture)
{
	struct labels row = {0};

	for_each_record (picture->course, record)
		if (record->type == RECORD_INTENT)
			write_instant(out, picture, record, "when", "intent", &row);
	for_each_record (picture->course, record)
		if (record->type == RECORD_OUTCOME)
			write_instant(out, picture, record, "outcome", "outcome", &row);
}

static void write_close_up(FILE *out, const struct picture *picture,
			   const struct close_up *close_up, char letter)
{
	double from = picture_x(picture, close_up->from_ns),
	       to = picture_x(picture, close_up->to_ns);

	fprintf(out,
		"<rect class=\"close\" x=\"%.1f\" y=\"20\" width=\"%.1f\" height=\"%d\"/>"
		"<text class=\"strong\" x=\"%.1f\" y=\"14\" text-anchor=\"middle\">%c</text>",
		from, to - from < 3 ? 3 : to - from, picture->bottom - 20, (from + to) / 2, letter);
}

static bool has_instants(const struct picture *picture)
{
	for_each_record (picture->course, record) {
		int64_t at = course_time(picture->course, record);

		if ((record->type == RECORD_INTENT || record->type == RECORD_OUTCOME) &&
		    picture_sees(picture, at, at))
			return true;
	}
	return false;
}

static void write_picture(FILE *out, struct picture *picture, const char *what,
			  const struct close_up *close_ups, size_t close_count)
{
	__cleanup_free char *texts = NULL;
	size_t length;

	picture->texts = NULL;
	picture->top = close_count || has_instants(picture) ? 44 : 12;
	lanes_find(picture);
	picture->texts = open_memstream(&texts, &length);
	if (!picture->texts)
		return;
	text_xml_format(
		out,
		"<div class=\"timeline\" tabindex=\"0\" role=\"group\" aria-label=\"%s, "
		"scrolls sideways\"><svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s "
		"of trial %s: %zu lanes; the text below has the same content\">",
		what, PICTURE_WIDTH, picture->bottom + 28, what,
		json_text(picture->result, "trial", ""), picture->lane_count);
	for (size_t i = 0; i < close_count; i++)
		write_close_up(out, picture, &close_ups[i], (char)('A' + (char)i));
	write_axis(out, picture);
	write_lanes(out, picture);
	bands_write(out, picture);
	conversions_write(out, picture);
	write_instants(out, picture);
	fclose(picture->texts);
	fputs(texts, out);
	marks_write(out, picture);
	fputs("</svg></div>", out);
}

/*
 * What follows the intent closely: as long as the next mark comes before three times the time that has passed, it belongs
 * to it.
 */
static bool close_to_intent(const struct picture *picture, struct close_up *close_up)
{
	int64_t last = 2 * NSEC_PER_MSEC, margin;
	size_t marks = 0;

	for_each_record (picture->course, record) {
		struct mark mark;

		if (!mark_of(picture, record, &mark) || mark.at_ns < 0 ||
		    record->type == RECORD_CLOSE)
			continue;
		if (mark.at_ns > 3 * last + 20 * NSEC_PER_MSEC)
			break;
		last = mark.at_ns > last ? mark.at_ns : last;
		marks++;
	}
	margin = last / 10;
	*close_up = (struct close_up){.from_ns = -margin, .to_ns = last + margin};
	return picture->course->fired && marks > 2;
}

/* The switchover of a migration together with the time without a sign of life of the guest. */
static bool close_to_switchover(const struct picture *picture,
				const struct course_migration *migration, struct close_up *close_up)
{
	const struct course *course = picture->course;
	int64_t from = 0, length = course_stage_ns(migration, "switchover", &from), to;
	int64_t margin;

	if (length < 0)
		return false;
	to = from + length;
	for (size_t i = 0; i < course->guest_count; i++)
		for (size_t j = 0; j < course->guests[i].hole_count; j++) {
			const struct course_hole *hole = &course->guests[i].holes[j];

			if (strcmp(course->guests[i].name, migration->guest) != 0 || hole->open ||
			    hole->to_ns < from || hole->from_ns > to)
				continue;
			from = hole->from_ns < from ? hole->from_ns : from;
			to = hole->to_ns > to ? hole->to_ns : to;
		}
	margin = (to - from) / 2 + 10 * NSEC_PER_MSEC;
	*close_up = (struct close_up){.from_ns = from - margin, .to_ns = to + margin};
	return true;
}

/* Adds a part of the time that is too small to be read; it may be one with the part before. */
static void add_close_up(const struct picture *picture, struct close_up *close_ups, size_t *count,
			 struct close_up wanted)
{
	int64_t whole = picture->to_ns - picture->from_ns;

	if (wanted.to_ns > picture->to_ns)
		wanted.to_ns = picture->to_ns;
	if (wanted.from_ns < picture->from_ns)
		wanted.from_ns = picture->from_ns;
	for (size_t i = 0; i < *count; i++) {
		struct close_up *other = &close_ups[i], both = wanted;

		if (wanted.from_ns > other->to_ns || wanted.to_ns < other->from_ns)
			continue;
		both.from_ns = other->from_ns < both.from_ns ? other->from_ns : both.from_ns;
		both.to_ns = other->to_ns > both.to_ns ? other->to_ns : both.to_ns;
		if (both.to_ns - both.from_ns < whole / CLOSE_SHARE &&
		    both.to_ns - both.from_ns < 4 * (wanted.to_ns - wanted.from_ns)) {
			*other = both;
			return;
		}
	}
	if (wanted.to_ns - wanted.from_ns < whole / CLOSE_SHARE && *count < CLOSE_LIMIT)
		close_ups[(*count)++] = wanted;
}

static size_t find_close_ups(const struct picture *picture, struct close_up *close_ups)
{
	struct close_up close_up;
	size_t count = 0;

	if (close_to_intent(picture, &close_up))
		add_close_up(picture, close_ups, &count, close_up);
	for (size_t i = 0; i < picture->course->migration_count; i++)
		if (close_to_switchover(picture, &picture->course->migrations[i], &close_up))
			add_close_up(picture, close_ups, &count, close_up);
	if (count > 1 && close_ups[0].from_ns > close_ups[1].from_ns) {
		close_up = close_ups[0];
		close_ups[0] = close_ups[1];
		close_ups[1] = close_up;
	}
	return count;
}

static void write_caption(FILE *out, char letter, const struct close_up *close_up)
{
	fprintf(out, "<p class=\"caption\">Close-up %c: %s from %s on</p>", letter,
		short_duration(close_up->to_ns - close_up->from_ns).text,
		short_time(close_up->from_ns).text);
}

/**
 * timeline_write - the timeline of a trial as inline SVG
 * @out:    HTML file
 * @course: of the trial
 * @result: of the trial: evidence that it quotes is drawn full, other events hollow
 *
 * Nothing is written for a trial that fired no fault and used no guest.
 */
void timeline_write(FILE *out, const struct course *course, const json_t *result)
{
	struct picture picture = {
		.course = course,
		.result = result,
		.grouped = course->guest_count || course->host_count > 1,
	};
	struct close_up close_ups[CLOSE_LIMIT] = {0};
	size_t count;

	if (!course->fired && !course->guest_count)
		return;
	find_window(&picture);
	count = find_close_ups(&picture, close_ups);
	write_picture(out, &picture, "Timeline", close_ups, count);
	for (size_t i = 0; i < count; i++) {
		picture.from_ns = close_ups[i].from_ns;
		picture.to_ns = close_ups[i].to_ns;
		write_caption(out, (char)('A' + (char)i), &close_ups[i]);
		write_picture(out, &picture, "Close-up", NULL, 0);
	}
}
