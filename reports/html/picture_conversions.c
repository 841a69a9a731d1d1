// SPDX-License-Identifier: GPL-2.0-only
/*
 * The conversions of guest memory in the lane of its users: a box for each interval, as high as the rate; a second one in it for
 * those that were refused.
 */
#include "reports/html/picture.h"
#include "reports/text.h"

#define BOX_MOST 22.0
/* Intervals of a long storm that are narrower than this together are one box. */
#define NARROW 3.0

/* @converted, @refused: how many */
struct interval {
	int64_t from_ns, to_ns;
	double converted, refused;
	int y;
};

static double rate_of(const json_t *data, const char *name)
{
	const json_t *metric = json_object_get(json_object_get(data, "metrics"), name);

	return json_number_value(json_object_get(metric, "value"));
}

/* The data of a report of conversions, or NULL. */
static const json_t *conversions_of(const struct record *record)
{
	return event_is_from(record, SOURCE_USERS) && event_is_named(record, "metrics")
		       ? record->event.data
		       : NULL;
}

/** conversions_show - whether a record is drawn as a box */
bool conversions_show(const struct record *record)
{
	return conversions_of(record) != NULL;
}

static double most_of(const struct picture *picture)
{
	double most = 1;

	for_each_record (picture->course, record) {
		const json_t *data = conversions_of(record);
		double sum = rate_of(data, "conversions") + rate_of(data, "refusals");

		most = sum > most ? sum : most;
	}
	return most;
}

static void write_box(FILE *out, const char *class, double from, double to, int y, double height,
		      const char *title)
{
	if (height < 0.5)
		return;
	fprintf(out,
		"<rect class=\"band %s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
		"height=\"%.1f\"><title>",
		class, from, y - height / 2, to - from < 1 ? 1 : to - from, height);
	text_xml(out, title);
	fputs("</title></rect>", out);
}

static bool read_interval(const struct picture *picture, const struct record *record,
			  struct interval *interval)
{
	const json_t *data = conversions_of(record);
	int64_t to_ns = course_time(picture->course, record);
	const struct lane *lane;
	struct mark mark;
	double seconds;

	*interval = (struct interval){.to_ns = to_ns};
	if (!data ||
	    __builtin_sub_overflow(to_ns, json_number(data, "since_ns", 0), &interval->from_ns) ||
	    !picture_sees(picture, interval->from_ns, to_ns) || !mark_of(picture, record, &mark))
		return false;
	lane = lane_of(picture, &mark);
	if (!lane)
		return false;
	seconds = (double)(to_ns - interval->from_ns) / NSEC_PER_SEC;
	interval->converted = rate_of(data, "conversions") * seconds;
	interval->refused = rate_of(data, "refusals") * seconds;
	interval->y = lane->y;
	return true;
}

static void write_interval(FILE *out, const struct picture *picture,
			   const struct interval *interval, double most)
{
	double from = picture_x(picture, interval->from_ns);
	double to = picture_x(picture, interval->to_ns);
	double seconds = (double)(interval->to_ns - interval->from_ns) / NSEC_PER_SEC;
	double converted = interval->converted / seconds, refused = interval->refused / seconds;
	char title[120];

	if (interval->to_ns <= interval->from_ns)
		return;
	snprintf(title, sizeof(title), "%.1f conversions and %.1f refusals a second", converted,
		 refused);
	write_box(out, "storm", from, to, interval->y, BOX_MOST * (converted + refused) / most,
		  title);
	write_box(out, "refused", from, to, interval->y, BOX_MOST * refused / most, title);
}

/** conversions_write - the boxes of all intervals */
void conversions_write(FILE *out, const struct picture *picture)
{
	double most = most_of(picture);
	struct interval box = {0};

	for_each_record (picture->course, record) {
		struct interval next;

		if (!read_interval(picture, record, &next))
			continue;
		if (next.y == box.y &&
		    picture_x(picture, next.to_ns) - picture_x(picture, box.from_ns) <= NARROW) {
			next.from_ns = box.from_ns;
			next.converted += box.converted;
			next.refused += box.refused;
		} else {
			write_interval(out, picture, &box, most);
		}
		box = next;
	}
	write_interval(out, picture, &box, most);
}
