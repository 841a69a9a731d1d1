/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_STORE_RUN_DIRECTORY_H
#define BRINELL_STORE_RUN_DIRECTORY_H

#include "harness/journal/index.h"

int run_directory_open(const char *directory, struct journal_index **index, struct reason *why);
bool run_directory_begun(const char *directory);

#endif
