/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_COMMANDS_DRY_RUN_H
#define BRINELL_COMMANDS_DRY_RUN_H

#include "harness/trial/plan.h"

int dry_run(const struct plan *plan);

#endif
