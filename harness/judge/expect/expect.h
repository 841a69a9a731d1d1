/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_JUDGE_EXPECT_H
#define BRINELL_JUDGE_EXPECT_H

/* What the comparisons of expectations with the evidence share. */

#include "harness/judge/read/case.h"

struct finding *add_finding(struct trial_case *trial, enum state state, bool harm, enum code code);

#define met(trial) ((void)add_finding(trial, STATE_MET, false, CODE_NONE))
#define broken(trial, code, ...)                                                                   \
	((void)fail(&add_finding(trial, STATE_BROKEN, false, code)->reason, 0, __VA_ARGS__))
#define harmed(trial, code, ...)                                                                   \
	((void)fail(&add_finding(trial, STATE_BROKEN, true, code)->reason, 0, __VA_ARGS__))
#define unknown(trial, code, ...)                                                                  \
	((void)fail(&add_finding(trial, STATE_UNKNOWN, false, code)->reason, 0, __VA_ARGS__))

void unknown_for_loss(struct trial_case *trial, const struct record *loss, const char *why);
bool ran_its_course(const struct trial_case *trial);
int axis_of(const char *name, const char *(*name_of)(int), int count);

/* Each compares one or several keys of `expect` with the case. */
typedef void expect_fn(struct trial_case *trial);

expect_fn expect_process, expect_signal, expect_error, expect_data, expect_guest, expect_bystanders,
	expect_migration, expect_iommu, expect_dma, expect_log, expect_not_log, expect_guest_log,
	expect_not_guest_log, expect_events, expect_no_damage, expect_interrupts,
	expect_corrupted_kb, expect_page;

bool is_harm(const struct trial_case *trial, const struct record *record);
const char *case_dma_memory(const struct trial_case *trial);

#endif
