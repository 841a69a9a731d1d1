/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_STORE_STORE_H
#define BRINELL_STORE_STORE_H

#include "harness/lib/util.h"
#include "harness/store/render.h"

#define STORE_RUNS "brinell-runs"
#define STORE_ARTIFACTS "artifacts"

int store_check_owner(const char *path, struct reason *why);
int store_create_run(const char *out, char **directory, struct reason *why);
int store_write_reports(const char *directory, struct rendering rendering, json_t **summary,
			struct reason *why);

#endif
