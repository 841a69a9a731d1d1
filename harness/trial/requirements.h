/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_TRIAL_REQUIREMENTS_H
#define BRINELL_TRIAL_REQUIREMENTS_H

#include "harness/bench/bench.h"
#include "harness/scenario/scenario.h"

int requirements_of_bench(const struct scenario *scenario, const struct bench *bench,
			  struct reason *why);
int requirements_of_host(const struct scenario *scenario, const json_t *findings,
			 struct reason *why);

#endif
