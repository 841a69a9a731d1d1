// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stages of a migration, derived from sampled statistics, events, which may come before or after a sample of the same
 * moment, and the result of the operation. The stage never goes back.
 */
#include <string.h>

#include "harness/hypervisor/stages.h"

/* Shortest time between reports of progress within a stage and an iteration. */
#define TOLD_NS (100 * NSEC_PER_MSEC)

/** migration_stage_name - name of a stage in scenarios and events */
const char *migration_stage_name(enum migration_stage stage)
{
	static const char *const names[] = {"setup",	 "pre-copy",  "switchover", "post-copy",
					    "completed", "cancelled", "failed",	    "refused"};

	return names[stage];
}

/** migration_track_begin - start tracking a migration that was requested at @now */
void migration_track_begin(struct migration_track *track, int64_t now)
{
	*track = (struct migration_track){.began_ns = now, .reported_ns = now};
}

static enum migration_news reach(struct migration_track *track, enum migration_stage stage,
				 int64_t now)
{
	if (stage >= MIGRATION_PRE_COPY)
		track->active = true;
	if (stage <= track->stage)
		return MIGRATION_NO_NEWS;
	track->stage = stage;
	track->reported_ns = now;
	return MIGRATION_NEWS_STAGE;
}

/**
 * migration_track_iteration - handle the start of an iteration
 *
 * Return: the report that is due.
 */
enum migration_news migration_track_iteration(struct migration_track *track, int64_t iteration,
					      int64_t now)
{
	enum migration_news news = reach(track, MIGRATION_PRE_COPY, now);

	if (iteration <= track->iteration)
		return news;
	track->iteration = iteration;
	track->reported_ns = now;
	return news ?: MIGRATION_NEWS_PROGRESS;
}

/**
 * migration_track_sample - handle statistics of the job
 * @statistics: fields of virDomainGetJobStats(); without those of memory before QEMU sends
 *
 * Return: the report that is due.
 */
enum migration_news migration_track_sample(struct migration_track *track, const json_t *statistics,
					   int64_t now)
{
	int64_t total = json_number(statistics, "memory_total", 0);
	int64_t page = json_number(statistics, "memory_page_size", 4096);
	enum migration_news news;

	if (!total)
		return MIGRATION_NO_NEWS;
	track->total = total;
	track->remaining = json_number(statistics, "memory_remaining", track->remaining);
	track->processed = json_number(statistics, "memory_processed", track->processed);
	track->bandwidth = json_number(statistics, "memory_bps", track->bandwidth);
	track->dirty_rate = json_number(statistics, "memory_dirty_rate", 0) * page;
	track->throttle = json_number(statistics, "auto_converge_throttle", 0);
	news = migration_track_iteration(track, json_number(statistics, "memory_iteration", 0),
					 now);
	if (news || now - track->reported_ns < TOLD_NS)
		return news;
	track->reported_ns = now;
	return MIGRATION_NEWS_PROGRESS;
}

/**
 * migration_track_lifecycle - handle a lifecycle event, such as the stop of the guest at the source
 * @state, @detail: of an event of the hypervisor
 *
 * Return: the report that is due.
 */
enum migration_news migration_track_lifecycle(struct migration_track *track, const char *state,
					      const char *detail, int64_t now)
{
	if (strcmp(state, "suspended") != 0)
		return MIGRATION_NO_NEWS;
	if (strcmp(detail, "postcopy") == 0 || strcmp(detail, "postcopy-failed") == 0)
		return reach(track, MIGRATION_POST_COPY, now);
	return strcmp(detail, "migrated") == 0 ? reach(track, MIGRATION_SWITCHOVER, now)
					       : MIGRATION_NO_NEWS;
}

/**
 * migration_track_end - handle the end of the operation
 * @worked:    it succeeded
 * @cancelled: it was cancelled
 *
 * Return: the outcome.
 */
enum migration_stage migration_track_end(struct migration_track *track, bool worked, bool cancelled)
{
	if (worked)
		track->stage = MIGRATION_COMPLETED;
	else if (cancelled)
		track->stage = MIGRATION_CANCELLED;
	else
		track->stage = track->active ? MIGRATION_FAILED : MIGRATION_REFUSED;
	return track->stage;
}

/** migration_track_data - data of an event. Return: owned by the caller */
json_t *migration_track_data(const struct migration_track *track, const char *guest,
			     const char *event, int64_t now)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "guest", guest,
			 "event", event, "stage", migration_stage_name(track->stage), "iteration",
			 (json_int_t)track->iteration, "remaining", (json_int_t)track->remaining,
			 "processed", (json_int_t)track->processed, "total",
			 (json_int_t)track->total, "bandwidth", (json_int_t)track->bandwidth,
			 "dirty_rate", (json_int_t)track->dirty_rate, "throttle",
			 (json_int_t)track->throttle, "elapsed_ns",
			 (json_int_t)(now - track->began_ns));
}

/** migration_track_text - text of an event. Return: owned by the caller */
char *migration_track_text(const struct migration_track *track, const char *guest)
{
	if (!track->total)
		return format_text("%s: migration %s", guest, migration_stage_name(track->stage));
	return format_text("%s: migration %s, iteration %lld, %.1f of %.1f MiB remaining", guest,
			   migration_stage_name(track->stage), (long long)track->iteration,
			   (double)track->remaining / (1 << 20), (double)track->total / (1 << 20));
}
