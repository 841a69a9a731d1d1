/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_REPORTS_PICTURE_H
#define BRINELL_REPORTS_PICTURE_H

#include "reports/course.h"

/* Inner header of the timeline's files. Lengths are units of the drawing's view box. */

#define PICTURE_WIDTH 880
#define PICTURE_RIGHT 24
#define LANE_LIMIT 48
/* Of a letter of the labels, 12 px high: wide enough for most fonts. */
#define LETTER_WIDTH 6.7

enum lane_kind {
	LANE_HEADING,
	LANE_WITNESS,
	LANE_STAY,
	LANE_MIGRATION
};

/**
 * struct lane - one line of the drawing
 * @name:  of a witness, or what the heading says
 * @guest: that it is about, or NULL
 * @host:  that it is about, or NULL
 * @y:     its middle
 */
struct lane {
	enum lane_kind kind;
	const char *name, *guest, *host;
	int y, height;
};

/**
 * struct picture - a drawing of a part of a trial's time
 * @texts:   what is written over all else: labels; NULL while only their room is looked for
 * @grouped: lanes stand under headings, one a guest and a host
 * @top:     where the lanes begin
 * @bottom:  where they end
 */
struct picture {
	const struct course *course;
	const json_t *result;
	int64_t from_ns, to_ns;
	FILE *texts;
	bool grouped;
	struct lane lanes[LANE_LIMIT];
	size_t lane_count;
	int top, bottom;
};

enum mark_shape {
	MARK_EVENT,
	MARK_STEP,
	MARK_TOUCH,
	MARK_SIGNAL,
	MARK_DEATH
};

/**
 * struct mark - a record as it is drawn
 * @name:  of its lane; NULL for the lane of a guest's stays
 * @proof: the verdict rests on it
 */
struct mark {
	enum mark_shape shape;
	const char *name, *guest, *host;
	int64_t at_ns;
	bool proof;
};

/**
 * struct labels - what is taken by labels in one row of text
 */
struct labels {
	struct {
		double from, to;
	} taken[64];
	size_t count;
};

double picture_x(const struct picture *picture, int64_t at_ns);
int picture_left(const struct picture *picture);
bool picture_sees(const struct picture *picture, int64_t from_ns, int64_t to_ns);
bool mark_of(const struct picture *picture, const struct record *record, struct mark *mark);
void lanes_find(struct picture *picture);
const struct lane *lane_of(const struct picture *picture, const struct mark *mark);
void marks_write(FILE *out, const struct picture *picture);
int bands_height(const struct picture *picture, const char *guest);
void bands_write(FILE *out, const struct picture *picture);
bool conversions_show(const struct record *record);
void conversions_write(FILE *out, const struct picture *picture);
bool label_write(FILE *out, struct labels *row, double x, double y, double least, double most,
		 const char *class, const char *text);

#endif
