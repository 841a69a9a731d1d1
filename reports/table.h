/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_REPORTS_TABLE_H
#define BRINELL_REPORTS_TABLE_H

#include "harness/lib/util.h"

void table_print(FILE *out, const json_t *results);

#endif
