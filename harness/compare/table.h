/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_COMPARE_TABLE_H
#define BRINELL_COMPARE_TABLE_H

#include "harness/lib/util.h"

#define TABLE_COLUMNS 6
#define VERDICTS 5

/* Of a row, in the order of importance. */
extern const char *const compare_verdicts[VERDICTS];

void table_fill(const json_t *row, char *cells[TABLE_COLUMNS]);
void table_cells(FILE *out, char *(*cells)[TABLE_COLUMNS], size_t count);
char *compare_side_text(const json_t *side, const char *unit);
char *compare_change_text(const json_t *change);
char *compare_p_text(const json_t *row);
char *compare_verdict_text(const json_t *row);
char *compare_run_text(const json_t *side);
json_t *table_row_like(const json_t *rows, const json_t *like);
double table_number(const json_t *object, const char *key, double fallback);
char *table_value(double value, const char *unit);

#endif
