/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_TRIAL_SESSION_H
#define BRINELL_TRIAL_SESSION_H

#include "harness/trial/plan.h"

int session_run(const char *directory, struct journal *journal, struct plan *plan,
		const char *kernel, const char *modules);

#endif
