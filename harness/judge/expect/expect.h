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

bool ran_its_course(const struct trial_case *trial);
int axis_of(const char *name, const char *(*name_of)(int), int count);

/* expect_victim.c */
void expect_process(struct trial_case *trial);
void expect_signal(struct trial_case *trial);
void expect_error(struct trial_case *trial);
void expect_data(struct trial_case *trial);

/* expect_guest.c */
void expect_guest(struct trial_case *trial);
void expect_bystanders(struct trial_case *trial);
void expect_migration(struct trial_case *trial);

/* dma.c */
void expect_iommu(struct trial_case *trial);
void expect_dma(struct trial_case *trial);
const char *case_dma_memory(const struct trial_case *trial);

/* expect_log.c */
void expect_log(struct trial_case *trial);
void expect_not_log(struct trial_case *trial);
void expect_guest_log(struct trial_case *trial);
void expect_not_guest_log(struct trial_case *trial);
void expect_events(struct trial_case *trial);

/* harm.c */
void expect_no_damage(struct trial_case *trial);

/* expect_count.c */
void expect_interrupts(struct trial_case *trial);
void expect_corrupted_kb(struct trial_case *trial);
void expect_page(struct trial_case *trial);

#endif
