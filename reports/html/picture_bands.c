// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bands of a timeline: the stages of a migration, and the stays of a guest on its hosts with their holes.
 */
#include <inttypes.h>
#include <string.h>

#include "reports/html/picture.h"
#include "reports/text.h"

#define STAY_THICK 8
#define STAGE_THICK 22
/* The rows of labels above the stages, from the band upwards. */
#define LABEL_ROWS 3
#define LABEL_HEIGHT 15
/* Number of holes that are drawn, the longest first; the table has all. */
#define HOLE_LIMIT 40
/* Narrower than this a hole is a stroke, and iterations are drawn together. */
#define NARROW 2.5

/**
 * label_write - write a text if it overlaps no other
 * @out:   NULL only to check whether there is room
 * @row:   of labels that were written at this height
 * @x:     where its middle should be
 * @least: it may not begin before
 * @most:  it may not end behind
 * @class: of the style sheet
 *
 * Return: whether there was room for it.
 */
bool label_write(FILE *out, struct labels *row, double x, double y, double least, double most,
		 const char *class, const char *text)
{
	double width = (double)text_columns(text) * LETTER_WIDTH, from = x - width / 2;

	if (from + width > most)
		from = most - width;
	if (from < least)
		from = least;
	if (from + width > most || row->count == ARRAY_SIZE(row->taken))
		return false;
	for (size_t i = 0; i < row->count; i++)
		if (from < row->taken[i].to + LETTER_WIDTH &&
		    from + width + LETTER_WIDTH > row->taken[i].from)
			return false;
	row->taken[row->count].from = from;
	row->taken[row->count++].to = from + width;
	if (!out)
		return true;
	text_xml_format(out,
			"<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>",
			class, from + width / 2, y, text);
	return true;
}

static bool is_copy(const struct course_stage *stage)
{
	return strcmp(stage->name, "pre-copy") == 0;
}

static const char *class_of(const char *stage)
{
	return is_one_of(stage, "setup", "switchover", "post-copy") ? stage : "stage";
}

static double end_of(const struct picture *picture, const struct course_migration *migration,
		     const struct course_stage *stage)
{
	bool last = stage == &migration->stages[migration->stage_count - 1];

	return picture_x(picture, last ? migration->to_ns : stage->to_ns);
}

static void write_box(FILE *out, const char *class, double from, double to, int y,
		      const char *title)
{
	if (to - from < 1)
		to = from + 1;
	text_xml_format(out,
			"<rect class=\"band %s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" "
			"height=\"%d\"><title>%s</title></rect>",
			class, from, y, to - from, STAGE_THICK, title);
}

/* One iteration, or several that are too short to be distinguished from each other: numbers first to last. */
static void write_iterations(FILE *out, const struct picture *picture,
			     const struct course_migration *migration, size_t first, size_t last,
			     int y, bool odd)
{
	const struct course_stage *begin = &migration->stages[first],
				  *end = &migration->stages[last];
	double from = picture_x(picture, begin->from_ns), to = end_of(picture, migration, end);
	char time[32], left[32], number[48] = "", title[192];

	text_duration(time, end->to_ns - begin->from_ns);
	text_size(left, begin->remaining);
	if (begin->iteration > 0)
		snprintf(number, sizeof(number),
			 begin->iteration == end->iteration ? "%" PRId64 : "%" PRId64 "–%" PRId64,
			 begin->iteration, end->iteration);
	snprintf(title, sizeof(title), "pre-copy%s%s: %s, at first %s remaining",
		 first == last ? ", iteration " : ", iterations ", *number ? number : "not known",
		 time, begin->remaining < 0 ? "an unknown amount" : left);
	write_box(out, first != last ? "copy many" : odd ? "copy odd" : "copy", from, to, y, title);
	if ((double)text_columns(number) * LETTER_WIDTH + 2 <= to - from)
		fprintf(picture->texts,
			"<text class=\"number\" x=\"%.1f\" y=\"%d\" "
			"text-anchor=\"middle\">%s</text>",
			(from + to) / 2, y + 15, number);
}

/* The boxes of a migration. Neighbouring iterations of which none is wide enough for its number are one. */
static void write_stages(FILE *out, const struct picture *picture,
			 const struct course_migration *migration, int y)
{
	bool odd = false;

	for (size_t i = 0; i < migration->stage_count; i++) {
		const struct course_stage *stage = &migration->stages[i];
		char time[32], title[160];
		size_t last = i;

		if (!picture_sees(picture, stage->from_ns, stage->to_ns))
			continue;
		if (!is_copy(stage)) {
			text_duration(time, stage->to_ns - stage->from_ns);
			snprintf(title, sizeof(title), "%.64s: %s", stage->name, time);
			write_box(out, class_of(stage->name), picture_x(picture, stage->from_ns),
				  end_of(picture, migration, stage), y, title);
			continue;
		}
		while (last + 1 < migration->stage_count && is_copy(&migration->stages[last + 1]) &&
		       picture_x(picture, migration->stages[last + 1].to_ns) -
				       picture_x(picture, migration->stages[last + 1].from_ns) <
			       2 * LETTER_WIDTH &&
		       picture_x(picture, stage->to_ns) - picture_x(picture, stage->from_ns) <
			       2 * LETTER_WIDTH)
			last++;
		write_iterations(out, picture, migration, i, last, y, odd);
		odd = !odd;
		i = last;
	}
}

/* A label in the lowest row in which it has room, with a line to what it names. Returns the rows in use up to it. */
static int write_label(const struct picture *picture, struct labels *rows, double x, int y,
		       const char *class, const char *text)
{
	double least = picture_left(picture), most = PICTURE_WIDTH - 2;

	for (int i = 0; i < LABEL_ROWS; i++) {
		double base = y - 7 - i * LABEL_HEIGHT;

		if (!label_write(picture->texts, &rows[i], x, base, least, most, class, text))
			continue;
		if (picture->texts)
			fprintf(picture->texts,
				"<line class=\"leader\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" "
				"y2=\"%d\"/>",
				x, base + 3, x, y);
		/* Later labels keep off the line. */
		for (int j = 0; j < i; j++)
			if (rows[j].count < ARRAY_SIZE(rows[j].taken)) {
				rows[j].taken[rows[j].count].from = x;
				rows[j].taken[rows[j].count++].to = x;
			}
		return i + 1;
	}
	return 0;
}

static int write_stage_labels(const struct picture *picture, struct labels *rows,
			      const struct course_migration *migration, int y)
{
	/* The most important label gets its place first. */
	static const char *const order[] = {"switchover", "post-copy", "pre-copy", "setup"};
	char time[32], label[96];
	int used = 0, row;

	if (picture_sees(picture, migration->to_ns, migration->to_ns)) {
		snprintf(label, sizeof(label), "%.32s",
			 migration->outcome ? migration->outcome : "no end was reported");
		used = write_label(picture, rows, picture_x(picture, migration->to_ns), y,
				   "strong end", label);
	}
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		int64_t from = 0, length = course_stage_ns(migration, order[i], &from), to;

		if (length < 0 || __builtin_add_overflow(from, length, &to) ||
		    !picture_sees(picture, from, to))
			continue;
		text_duration(time, length);
		snprintf(label, sizeof(label), "%s %s", order[i], time);
		row = write_label(picture, rows,
				  (picture_x(picture, from) + picture_x(picture, to)) / 2, y,
				  "strong", label);
		used = row > used ? row : used;
	}
	return used;
}

/** bands_height - what the lane of a guest's migrations needs, with the rows of its labels */
int bands_height(const struct picture *picture, const char *guest)
{
	struct labels rows[LABEL_ROWS] = {0};
	int used = 1;

	for (size_t i = 0; i < picture->course->migration_count; i++) {
		const struct course_migration *migration = &picture->course->migrations[i];
		int more;

		if (strcmp(migration->guest, guest) != 0 ||
		    !picture_sees(picture, migration->from_ns, migration->to_ns))
			continue;
		more = write_stage_labels(picture, rows, migration, 0);
		used = more > used ? more : used;
	}
	return STAGE_THICK + 14 + used * LABEL_HEIGHT;
}

static void write_migrations(FILE *out, const struct picture *picture, const struct lane *lane)
{
	int y = lane->y + lane->height / 2 - STAGE_THICK - 6;
	struct labels rows[LABEL_ROWS] = {0};

	for (size_t i = 0; i < picture->course->migration_count; i++) {
		const struct course_migration *migration = &picture->course->migrations[i];
		double x;

		if (strcmp(migration->guest, lane->guest) != 0 ||
		    !picture_sees(picture, migration->from_ns, migration->to_ns))
			continue;
		write_stages(out, picture, migration, y);
		if (picture_sees(picture, migration->to_ns, migration->to_ns)) {
			x = picture_x(picture, migration->to_ns);
			fprintf(out,
				"<line class=\"%s\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>",
				migration->outcome ? "end" : "end open", x, y - 3, x,
				y + STAGE_THICK + 3);
		}
		write_stage_labels(picture, rows, migration, y);
	}
}

static int by_length(const void *one, const void *other)
{
	const struct course_hole *a = *(struct course_hole *const *)one,
				 *b = *(struct course_hole *const *)other;
	int64_t length_a = a->to_ns - a->from_ns, length_b = b->to_ns - b->from_ns;

	return length_a < length_b ? 1 : length_a > length_b ? -1 : 0;
}

static const struct lane *stay_lane(const struct picture *picture, const char *guest,
				    const char *host)
{
	struct mark mark = {.guest = guest, .host = host};

	return lane_of(picture, &mark);
}

static void write_stay(FILE *out, const struct picture *picture, const struct course_guest *guest,
		       const struct course_stay *stay)
{
	const struct lane *lane = stay_lane(picture, guest->name, stay->host);
	double from = picture_x(picture, stay->from_ns), to = picture_x(picture, stay->to_ns);

	if (!lane || !picture_sees(picture, stay->from_ns, stay->to_ns))
		return;
	text_xml_format(
		out,
		"<rect class=\"life\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\">"
		"<title>%s on %s: %" PRId64 " heartbeats, longest interval %s</title></rect>",
		from, lane->y - STAY_THICK / 2, to - from < 1 ? 1 : to - from, STAY_THICK,
		guest->name, stay->host, stay->beats,
		stay->beats ? short_duration(stay->longest_ns).text : "not known");
}

/* A hole is drawn over the band: what lies under it shows again. */
static void write_gap(FILE *out, const struct lane *lane, double from, double to)
{
	if (to - from < NARROW) {
		fprintf(out, "<line class=\"gap\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>",
			(from + to) / 2, lane->y - 7, (from + to) / 2, lane->y + 7);
		return;
	}
	fprintf(out,
		"<rect class=\"hole\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>"
		"<path class=\"gap\" d=\"M%.1f %dv14M%.1f %dv14\"/>",
		from, lane->y - STAY_THICK / 2 - 1, to - from, STAY_THICK + 2, from, lane->y - 7,
		to, lane->y - 7);
}

static void write_move(FILE *out, const struct lane *lane, const struct lane *next, double from,
		       double to)
{
	fprintf(out, "<path class=\"away\" d=\"M%.1f %dH%.1fV%d\"/>", from, lane->y, to,
		next ? next->y : lane->y);
}

static void write_silence(FILE *out, const struct lane *lane, double from, double to)
{
	fprintf(out, "<rect class=\"silent\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>",
		from, lane->y - STAY_THICK / 2, to - from < 1 ? 1 : to - from, STAY_THICK);
}

static void write_hole(FILE *out, const struct picture *picture, const struct course_guest *guest,
		       const struct course_hole *hole, struct labels *rows)
{
	const struct lane *lane = stay_lane(picture, guest->name, hole->host);
	double from = picture_x(picture, hole->from_ns), to = picture_x(picture, hole->to_ns);
	const char *also = hole->kind == COURSE_SILENT ? "silent " : "";
	char time[32], down[32], label[96];

	if (!lane || !picture_sees(picture, hole->from_ns, hole->to_ns))
		return;
	text_duration(time, hole->to_ns - hole->from_ns);
	text_duration(down, hole->downtime_ns);
	snprintf(label, sizeof(label), "%s%s%s%s", also, time, hole->downtime_ns ? ", down " : "",
		 hole->downtime_ns ? down : "");
	fprintf(out, "<g><title>%s%s</title>", label, hole->open ? ", to the end" : "");
	if (hole->kind == COURSE_GAP)
		write_gap(out, lane, from, to);
	else if (hole->kind == COURSE_MOVE)
		write_move(out, lane, stay_lane(picture, guest->name, hole->next), from, to);
	else
		write_silence(out, lane, from, to);
	fputs("</g>", out);
	label_write(picture->texts, &rows[lane - picture->lanes], (from + to) / 2, lane->y - 10,
		    picture_left(picture), PICTURE_WIDTH - 2, "strong", label);
}

static void write_guest(FILE *out, const struct picture *picture, const struct course_guest *guest)
{
	struct labels rows[LANE_LIMIT] = {0};
	__cleanup_free const struct course_hole **longest =
		xcalloc(guest->hole_count + 1, sizeof(const struct course_hole *));

	for (size_t i = 0; i < guest->stay_count; i++)
		write_stay(out, picture, guest, &guest->stays[i]);
	for (size_t i = 0; i < guest->hole_count; i++)
		longest[i] = &guest->holes[i];
	qsort(longest, guest->hole_count, sizeof(const struct course_hole *), by_length);
	for (size_t i = 0; i < guest->hole_count && i < HOLE_LIMIT; i++)
		write_hole(out, picture, guest, longest[i], rows);
}

/** bands_write - migrations and stays of all guests */
void bands_write(FILE *out, const struct picture *picture)
{
	for (size_t i = 0; i < picture->lane_count; i++)
		if (picture->lanes[i].kind == LANE_MIGRATION)
			write_migrations(out, picture, &picture->lanes[i]);
	for (size_t i = 0; i < picture->course->guest_count; i++)
		write_guest(out, picture, &picture->course->guests[i]);
}
