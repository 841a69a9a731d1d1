/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_TRIAL_ORDER_H
#define BRINELL_TRIAL_ORDER_H

#include "harness/scenario/scenario.h"

bool order_same_host(const char *bench, const json_t *rig, const char *other_bench,
		     const json_t *other_rig);
void order_scenarios(const struct scenario **scenarios, size_t count);
int order_paths(json_t *paths, size_t from, const json_t *settings, struct reason *why);

#endif
