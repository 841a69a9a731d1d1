// SPDX-License-Identifier: GPL-2.0-only
/*
 * The conversions of guest memory in the lane of its users: a box for each interval, as high as the rate; a second one in it for
 * those that were refused.
 */
#include <string.h>

#include "reports/html/picture.h"
#include "reports/text.h"

#define BOX_MOST 22.0

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

static void write_interval(FILE *out, const struct picture *picture, const struct record *record,
			   double most)
{
	const json_t *data = conversions_of(record);
	int64_t to_ns = course_time(picture->course, record), from_ns;
	double converted = rate_of(data, "conversions"), refused = rate_of(data, "refusals");
	const struct lane *lane;
	struct mark mark;
	char title[120];

	if (!data || __builtin_sub_overflow(to_ns, json_number(data, "since_ns", 0), &from_ns) ||
	    !picture_sees(picture, from_ns, to_ns) || !mark_of(picture, record, &mark))
		return;
	lane = lane_of(picture, &mark);
	if (!lane)
		return;
	snprintf(title, sizeof(title), "%.1f conversions and %.1f refusals a second", converted,
		 refused);
	write_box(out, "storm", picture_x(picture, from_ns), picture_x(picture, to_ns), lane->y,
		  BOX_MOST * (converted + refused) / most, title);
	write_box(out, "refused", picture_x(picture, from_ns), picture_x(picture, to_ns), lane->y,
		  BOX_MOST * refused / most, title);
}

/** conversions_write - the boxes of all intervals */
void conversions_write(FILE *out, const struct picture *picture)
{
	double most = most_of(picture);

	for_each_record (picture->course, record)
		write_interval(out, picture, record, most);
}
