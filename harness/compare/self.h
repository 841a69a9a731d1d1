/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_COMPARE_SELF_H
#define BRINELL_COMPARE_SELF_H

#include "harness/lib/util.h"

int self_run(const json_t *arguments, const char *first_path, int out, int messages,
	     struct reason *why);

#endif
