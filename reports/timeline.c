// SPDX-License-Identifier: GPL-2.0-only
/*
 * The timeline of a trial as an SVG: a lane for each witness, from the intent to the last evidence.
 */
#include <inttypes.h>
#include <string.h>

#include "reports/text.h"
#include "reports/timeline.h"

#define WIDTH 880
#define LEFT 96
#define RIGHT 24
#define TOP 34
#define LANE_HEIGHT 30
#define LANE_LIMIT 12
#define MARK_LIMIT 400

struct timeline {
	const char *lanes[LANE_LIMIT];
	size_t lane_count;
	double first_ms, last_ms;
};

static double in_ms(const json_t *line)
{
	return (double)json_number(line, "offset_ns", 0) / 1e6;
}

static bool is_type(const json_t *line, const char *type)
{
	return strcmp(json_text(line, "type", ""), type) == 0;
}

/* What is on a lane: events, and what the harness did to the victim after the intent. */
static const char *lane_name(const json_t *line)
{
	if (is_type(line, "event"))
		return json_text(line, "witness", "event");
	if (is_type(line, "intent") || is_type(line, "outcome") || is_type(line, "step") ||
	    is_type(line, "close"))
		return "harness";
	return is_type(line, "boot") ? "boot" : NULL;
}

static int find_lane(struct timeline *timeline, const char *name)
{
	for (size_t i = 0; i < timeline->lane_count; i++)
		if (strcmp(timeline->lanes[i], name) == 0)
			return (int)i;
	if (timeline->lane_count == LANE_LIMIT)
		return -1;
	timeline->lanes[timeline->lane_count] = name;
	return (int)timeline->lane_count++;
}

static void measure(struct timeline *timeline, const json_t *story)
{
	json_t *line;
	size_t index;

	find_lane(timeline, "harness");
	json_array_foreach (story, index, line) {
		const char *lane = lane_name(line);

		if (!lane || in_ms(line) < 0)
			continue;
		find_lane(timeline, lane);
		/*
		 * A trial that waits in vain for its deadline must not squeeze what happened into
		 * one point.
		 */
		if (!is_type(line, "close") && in_ms(line) > timeline->last_ms)
			timeline->last_ms = in_ms(line);
	}
	if (timeline->last_ms < 0.01)
		timeline->last_ms = 0.01;
	timeline->first_ms = -timeline->last_ms * 0.03;
	timeline->last_ms *= 1.06;
}

static double x_of(const struct timeline *timeline, double ms)
{
	double share = (ms - timeline->first_ms) / (timeline->last_ms - timeline->first_ms);

	if (share > 1)
		share = 1;
	return LEFT + share * (WIDTH - LEFT - RIGHT);
}

static int y_of(int lane)
{
	return TOP + lane * LANE_HEIGHT + LANE_HEIGHT / 2;
}

/* 1, 2 or 5 times a power of ten, so that at most eight ticks fit. */
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

static void write_axis(FILE *out, const struct timeline *timeline)
{
	double step = tick_step(timeline->last_ms);
	int bottom = TOP + (int)timeline->lane_count * LANE_HEIGHT;

	for (int i = 0; i < 10 && i * step <= timeline->last_ms; i++) {
		double x = x_of(timeline, i * step);

		if (i)
			fprintf(out,
				"<line class=\"tick\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" "
				"y2=\"%d\"/>",
				x, TOP, x, bottom);
		fprintf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.6g%s</text>", x,
			bottom + 18, i * step, i ? "" : " ms");
	}
	for (size_t i = 0; i < timeline->lane_count; i++) {
		fprintf(out,
			"<line class=\"lane\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/><text "
			"x=\"%d\" y=\"%d\" "
			"text-anchor=\"end\">",
			LEFT, y_of((int)i), WIDTH - RIGHT, y_of((int)i), LEFT - 10,
			y_of((int)i) + 4);
		text_xml(out, timeline->lanes[i]);
		fputs("</text>", out);
	}
}

static bool is_proof(const json_t *line, const json_t *result)
{
	json_t *cited;
	size_t index;

	if (!is_type(line, "event"))
		return false;
	json_array_foreach (json_object_get(result, "evidence"), index, cited)
		if (strcmp(json_text(cited, "witness", ""), json_text(line, "witness", "")) == 0 &&
		    strcmp(json_text(cited, "text", ""), json_text(line, "text", "")) == 0)
			return true;
	return false;
}

static void write_title(FILE *out, const json_t *line)
{
	char time[32];

	text_duration(time, json_number(line, "offset_ns", 0));
	fprintf(out, "<title>+%s ", time);
	text_xml(out, json_text(line, "witness", ""));
	fputs(": ", out);
	text_xml(out, json_text(line, "text", ""));
	fputs("</title>", out);
}

static void write_instant(FILE *out, const struct timeline *timeline, const json_t *line,
			  const char *class, const char *word, bool before)
{
	double x = x_of(timeline, in_ms(line));
	int bottom = TOP + (int)timeline->lane_count * LANE_HEIGHT;

	fprintf(out, "<g><line class=\"%s\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>", class,
		x, TOP - 4, x, bottom);
	if (word)
		fprintf(out,
			"<text class=\"strong\" x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%s</text>",
			x, TOP - 12,
			before		  ? "middle"
			: x > WIDTH - 120 ? "end"
					  : "start",
			word);
	write_title(out, line);
	fputs("</g>", out);
}

/**
 * timeline_write - the timeline of a trial as inline SVG
 * @out:    HTML file
 * @story:  of story_of(); time zero is the intent
 * @result: of the trial: evidence that it quotes is drawn full, other events hollow
 *
 * Nothing is written for a trial that never fired a fault.
 */
void timeline_write(FILE *out, const json_t *story, const json_t *result)
{
	struct timeline timeline = {0};
	size_t marks = 0, hidden = 0, index;
	const json_t *outcome = NULL;
	bool fired = false;
	json_t *line;
	int height;

	json_array_foreach (story, index, line)
		fired = fired || is_type(line, "intent");
	if (!fired)
		return;
	measure(&timeline, story);
	height = TOP + (int)timeline.lane_count * LANE_HEIGHT + 28;
	fprintf(out,
		"<div class=\"timeline\" tabindex=\"0\" role=\"group\" aria-label=\"Timeline, "
		"scrolls sideways\">"
		"<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Timeline of trial ",
		WIDTH, height);
	text_xml(out, json_text(result, "trial", ""));
	fprintf(out,
		": %zu lanes from the intent to the last evidence; the same events are listed "
		"below\">",
		timeline.lane_count);
	write_axis(out, &timeline);
	json_array_foreach (story, index, line) {
		if (is_type(line, "intent"))
			write_instant(out, &timeline, line, "when",
				      outcome || in_ms(line) > 0 ? NULL : "intent", true);
		if (is_type(line, "outcome")) {
			outcome = line;
			write_instant(out, &timeline, line, "outcome",
				      x_of(&timeline, in_ms(line)) > LEFT + 90 ? "outcome" : NULL,
				      false);
		}
	}
	json_array_foreach (story, index, line) {
		const char *name = lane_name(line);
		int lane = name ? find_lane(&timeline, name) : -1;
		bool proof;

		if (lane < 0 || in_ms(line) < 0 || is_type(line, "intent") ||
		    is_type(line, "outcome"))
			continue;
		if (marks++ >= MARK_LIMIT) {
			hidden++;
			continue;
		}
		proof = is_proof(line, result);
		if (is_type(line, "event"))
			fprintf(out, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%d\" r=\"%s\">",
				proof ? "proof" : "mark", x_of(&timeline, in_ms(line)), y_of(lane),
				proof ? "6" : "4.5");
		else
			fprintf(out,
				"<rect class=\"mark\" x=\"%.1f\" y=\"%d\" width=\"8\" "
				"height=\"8\">",
				x_of(&timeline, in_ms(line)) - 4, y_of(lane) - 4);
		write_title(out, line);
		fputs(is_type(line, "event") ? "</circle>" : "</rect>", out);
	}
	fputs("</svg></div>", out);
	if (hidden)
		fprintf(out, "<p class=\"soft\">%zu more events are not drawn.</p>", hidden);
}
