/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_REPORTS_TABLE_H
#define BRINELL_REPORTS_TABLE_H

#include "harness/lib/util.h"

/**
 * struct table - the results of a run for people, a row each trial
 * @colour: it is a terminal that shows colours
 * @width:  of a line, in columns
 * @scenario, @axes: of two of its columns
 */
struct table {
	FILE *out;
	bool colour;
	size_t width, scenario, axes;
};

void table_begin(struct table *table, FILE *out, size_t scenario);
void table_row(const struct table *table, const json_t *result);
void table_end(const struct table *table, const json_t *summary);

#endif
