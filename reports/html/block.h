/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_REPORTS_HTML_BLOCK_H
#define BRINELL_REPORTS_HTML_BLOCK_H

#include "harness/lib/util.h"

/* Trials of a block; also as text, for the script. */
#define BLOCK_TRIALS 32
#define BLOCK_TEXT "32"

FILE *block_of(void **state, FILE *out, size_t number);
void block_end(void **state, FILE *out);

#endif
