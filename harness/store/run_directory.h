/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_STORE_RUN_DIRECTORY_H
#define BRINELL_STORE_RUN_DIRECTORY_H

#include "harness/lib/util.h"

int run_directory_load(const char *directory, json_t **records, struct reason *why);

#endif
