/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_TRIAL_LIVE_H
#define BRINELL_TRIAL_LIVE_H

#include "harness/judge/judge.h"
#include "harness/trial/engine.h"
#include "harness/trial/plan.h"

struct live;

struct live *live_open(const struct plan *plan, const struct journal_index *earlier);
struct engine_view live_view(struct live *live);
void live_close(struct live *live);

#endif
