// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cost of a page of converted memory over the size of the range: a curve with both axes in powers. Of each size the
 * fastest conversion counts, since all else that a machine does only adds.
 */
#include <math.h>

#include "reports/html/html.h"
#include "reports/text.h"

#define WIDTH 420
#define HEIGHT 230
#define LEFT 62
#define RIGHT 24
#define TOP 16
#define BOTTOM 40
#define PAGE_SIZE 4096

/* @pages: powers of two; costs in powers of ten: @low to @high. */
struct axes {
	double least, most;
	int low, high;
};

static double cost_of(const json_t *point)
{
	return json_number_value(json_object_get(point, "least_ns"));
}

static double x_of(const struct axes *axes, double pages)
{
	return LEFT +
	       (WIDTH - LEFT - RIGHT) * (log2(pages) - axes->least) / (axes->most - axes->least);
}

static double y_of(const struct axes *axes, double cost)
{
	return TOP +
	       (HEIGHT - TOP - BOTTOM) * (axes->high - log10(cost)) / (axes->high - axes->low);
}

/* Of the storms of a trial, the last one that measured it. */
static const json_t *find_cost(const struct course *course)
{
	const json_t *found = NULL;

	for_each_record (course, record)
		if (event_is_from(record, SOURCE_USERS) && event_is_named(record, "checked") &&
		    json_array_size(json_object_get(record->event.data, "cost")) > 1)
			found = json_object_get(record->event.data, "cost");
	return found;
}

static bool find_axes(const json_t *cost, struct axes *axes)
{
	double low = INFINITY, high = 0;
	json_t *point;
	size_t index;

	*axes = (struct axes){INFINITY, -INFINITY, 0, 0};
	json_array_foreach ((json_t *)cost, index, point) {
		double pages = (double)json_number(point, "pages", 0), now = cost_of(point);

		if (pages < 1 || now <= 0)
			return false;
		axes->least = fmin(axes->least, log2(pages));
		axes->most = fmax(axes->most, log2(pages));
		low = fmin(low, now);
		high = fmax(high, now);
	}
	axes->low = (int)floor(log10(low));
	axes->high = (int)ceil(log10(high));
	axes->high += axes->high == axes->low;
	return axes->most > axes->least;
}

static void write_axes(FILE *out, const struct axes *axes)
{
	for (int power = axes->low; power <= axes->high; power++) {
		double y = y_of(axes, pow(10, power));
		char label[32];

		if (power < 3)
			snprintf(label, sizeof(label), "%g ns", pow(10, power));
		else
			snprintf(label, sizeof(label), "%s",
				 short_duration((int64_t)pow(10, power)).text);
		text_xml_format(out,
				"<line class=\"tick\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>"
				"<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>",
				LEFT, y, WIDTH - RIGHT, y, LEFT - 8, y + 4, label);
	}
	/* 4 KiB, 64 KiB, ... 1 GiB */
	for (double size = axes->least; size <= axes->most; size++)
		if (((int)size % 4 == 0 && axes->most - size > 2) || size == axes->most)
			text_xml_format(
				out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>",
				x_of(axes, exp2(size)), HEIGHT - BOTTOM + 18,
				short_size((int64_t)exp2(size) * PAGE_SIZE).text);
	fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">size of the range</text>",
		(LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4);
}

/**
 * cost_write - the curve, if a storm of the trial has measured it
 * @course: of the trial
 */
void cost_write(FILE *out, const struct course *course)
{
	const json_t *cost = find_cost(course);
	struct axes axes;
	json_t *point;
	size_t index;

	if (!cost || !find_axes(cost, &axes))
		return;
	fprintf(out,
		"<h3>The least cost of a page</h3><div class=\"curve\" tabindex=\"0\" "
		"role=\"group\" "
		"aria-label=\"cost of a page, scrolls sideways\"><svg viewBox=\"0 0 %d %d\" "
		"role=\"img\" aria-label=\"time in the kernel for a page over the size of its "
		"range\">",
		WIDTH, HEIGHT);
	write_axes(out, &axes);
	fputs("<polyline points=\"", out);
	json_array_foreach ((json_t *)cost, index, point)
		fprintf(out, "%.1f,%.1f ", x_of(&axes, (double)json_number(point, "pages", 1)),
			y_of(&axes, cost_of(point)));
	fputs("\"/>", out);
	json_array_foreach ((json_t *)cost, index, point) {
		int64_t pages = json_number(point, "pages", 1);

		text_xml_format(out,
				"<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"><title>%s: %.3g us a "
				"page, %lld conversions, mean %.3g us</title></circle>",
				x_of(&axes, (double)pages), y_of(&axes, cost_of(point)),
				short_size(pages * PAGE_SIZE).text, cost_of(point) / 1000,
				(long long)json_number(point, "conversions", 0),
				json_number_value(json_object_get(point, "page_ns")) / 1000);
	}
	fputs("</svg></div>", out);
}
