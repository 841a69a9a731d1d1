// SPDX-License-Identifier: GPL-2.0-only
/*
 * The marks of a timeline: one for each record that is a moment, and one for several that would lie on each other.
 */
#include "reports/html/picture.h"
#include "reports/story.h"
#include "reports/text.h"

/* Marks of one lane that are nearer than this are one. */
#define NEAR 3.0
/* Texts of a mark that stands for several. */
#define TITLE_LINES 6

/* Records that are drawn as one mark, on one lane. */
struct heap {
	struct mark mark;
	double x;
	size_t count;
	const struct record *records[TITLE_LINES];
};

static void write_title(FILE *out, const struct picture *picture, const struct heap *heap)
{
	fputs("<title>", out);
	for (size_t i = 0; i < heap->count && i < TITLE_LINES; i++) {
		const char *witness;
		__cleanup_free char *text =
			story_line(heap->records[i], picture->course->host_count > 1, &witness);

		text_xml_format(out, "%s%s %s: %s", i ? "\n" : "",
				short_time(course_time(picture->course, heap->records[i])).text,
				witness, text ?: "");
	}
	if (heap->count > TITLE_LINES)
		fprintf(out, "\nand %zu more", heap->count - TITLE_LINES);
	fputs("</title>", out);
}

static void write_heap(FILE *out, const struct picture *picture, const struct heap *heap, int y)
{
	const char *class = heap->mark.proof ? "proof" : "mark";
	double x = heap->x;

	if (!heap->count)
		return;
	switch (heap->mark.shape) {
	case MARK_EVENT:
		fprintf(out, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%d\" r=\"%s\">", class, x, y,
			heap->mark.proof ? "6" : "4.5");
		write_title(out, picture, heap);
		fputs("</circle>", out);
		return;
	case MARK_STEP:
		fprintf(out, "<rect class=\"mark\" x=\"%.1f\" y=\"%d\" width=\"8\" height=\"8\">",
			x - 4, y - 4);
		write_title(out, picture, heap);
		fputs("</rect>", out);
		return;
	case MARK_TOUCH:
		fprintf(out, "<path class=\"mark\" d=\"M%.1f %d h11 l-5.5 9.5z\">", x - 5.5, y - 5);
		break;
	case MARK_SIGNAL:
		fprintf(out, "<path class=\"%s\" d=\"M%.1f %d l7 7l-7 7l-7 -7z\">", class, x,
			y - 7);
		break;
	case MARK_DEATH:
		fprintf(out, "<path class=\"death\" d=\"M%.1f %d l12 12m0 -12l-12 12\">", x - 6,
			y - 6);
		break;
	}
	write_title(out, picture, heap);
	fputs("</path>", out);
}

static void add_record(struct heap *heap, const struct record *record)
{
	if (heap->count < TITLE_LINES)
		heap->records[heap->count] = record;
	heap->count++;
}

/* What may not be hidden lies above the rest: a signal, and over all a death. */
static int layer_of(enum mark_shape shape)
{
	return shape == MARK_DEATH ? 2 : shape == MARK_SIGNAL ? 1 : 0;
}

static void write_layer(FILE *out, const struct picture *picture, int layer)
{
	struct heap heaps[LANE_LIMIT] = {0};

	for_each_record (picture->course, record) {
		const struct lane *lane;
		struct heap *heap;
		struct mark mark;
		double x;

		if (!mark_of(picture, record, &mark) || layer_of(mark.shape) != layer ||
		    !picture_sees(picture, mark.at_ns, mark.at_ns))
			continue;
		/* In a long storm the marks would hide the boxes, and a mark each second shows nothing. */
		if (!mark.proof && (conversions_show(record) || event_is_named(record, "progress")))
			continue;
		lane = lane_of(picture, &mark);
		if (!lane)
			continue;
		heap = &heaps[lane - picture->lanes];
		x = picture_x(picture, mark.at_ns);
		if (!heap->count || mark.shape != heap->mark.shape ||
		    mark.proof != heap->mark.proof || x - heap->x > NEAR) {
			write_heap(out, picture, heap, lane->y);
			*heap = (struct heap){.mark = mark, .x = x};
		}
		add_record(heap, record);
	}
	for (size_t i = 0; i < picture->lane_count; i++)
		write_heap(out, picture, &heaps[i], picture->lanes[i].y);
}

/** marks_write - all marks of a picture, each with its text */
void marks_write(FILE *out, const struct picture *picture)
{
	for (int layer = 0; layer <= 2; layer++)
		write_layer(out, picture, layer);
}
