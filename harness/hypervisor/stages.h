/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_HYPERVISOR_STAGES_H
#define BRINELL_HYPERVISOR_STAGES_H

#include "harness/lib/util.h"

/**
 * enum migration_stage - stages of a migration, in their order
 * @MIGRATION_SETUP:      the hypervisor prepares both hosts
 * @MIGRATION_PRE_COPY:   QEMU sends memory while the guest runs
 * @MIGRATION_SWITCHOVER: the guest is stopped
 * @MIGRATION_POST_COPY:  it runs at the target, which fetches missing pages
 * @MIGRATION_COMPLETED, @MIGRATION_CANCELLED, @MIGRATION_FAILED, @MIGRATION_REFUSED: outcomes
 */
enum migration_stage {
	MIGRATION_SETUP,
	MIGRATION_PRE_COPY,
	MIGRATION_SWITCHOVER,
	MIGRATION_POST_COPY,
	MIGRATION_COMPLETED,
	MIGRATION_CANCELLED,
	MIGRATION_FAILED,
	MIGRATION_REFUSED,
};

/**
 * struct migration_track - progress of a migration
 * @active:   the first statistics with memory have come
 * @began_ns: CLOCK_MONOTONIC; @reported_ns: time of the last report
 * @iteration: pass over the memory, from 1
 * @remaining, @processed, @total: bytes of memory
 * @bandwidth: bytes a second
 * @dirty_rate: bytes a second
 * @throttle: percentage by which auto-converge throttles the processors of the guest
 */
struct migration_track {
	enum migration_stage stage;
	bool active;
	int64_t began_ns, reported_ns;
	int64_t iteration, remaining, processed, total;
	int64_t bandwidth, dirty_rate, throttle;
};

/**
 * enum migration_news - kind of report that is due
 */
enum migration_news {
	MIGRATION_NO_NEWS,
	MIGRATION_NEWS_PROGRESS,
	MIGRATION_NEWS_STAGE,
};

const char *migration_stage_name(enum migration_stage stage);
void migration_track_begin(struct migration_track *track, int64_t now);
enum migration_news migration_track_sample(struct migration_track *track, const json_t *statistics,
					   int64_t now);
enum migration_news migration_track_iteration(struct migration_track *track, int64_t iteration,
					      int64_t now);
enum migration_news migration_track_lifecycle(struct migration_track *track, const char *state,
					      const char *detail, int64_t now);
enum migration_stage migration_track_end(struct migration_track *track, bool worked,
					 bool cancelled);
json_t *migration_track_data(const struct migration_track *track, const char *guest,
			     const char *event, int64_t now);
char *migration_track_text(const struct migration_track *track, const char *guest);

#endif
