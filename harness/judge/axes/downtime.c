// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long a guest stood still while it was moved, as the guest itself saw it.
 *
 * What it saw is a gap between two beats: the last one at the source and the first one at the target. Its own clock does not
 * show how long that was, because QEMU stops kvmclock, but not before all of the state is saved (kvmclock_pre_save() in
 * hw/i386/kvm/clock.c): it goes on for a part of the downtime. Nor does the arrival of these beats, because the guest has to
 * dial anew before it can report them. But every beat shows how far the clocks of guest and host are apart, and of many
 * beats the one that was under way the shortest shows it best. By how much more the host's clock is ahead of the
 * guest's at the target than at the source, that long the guest's clock stood still; the rest of the gap it has gone by
 * itself.
 *
 * Within the gap the guest ran for some part of one interval, half of which is taken for it.
 */
#include <string.h>

#include "harness/judge/axes/axes.h"

/* Of these many seconds on both sides clocks are compared: enough for a prompt beat, too few for the clocks to drift. */
#define WINDOW_NS (15 * NSEC_PER_SEC)
#define WAYS_MOST 64

/**
 * struct beat_way - a beat of which both clocks are known
 * @time_ns:   of its arrival, on the controller's clock
 * @offset_ns: by how much that is more than the guest's own clock: what the clocks are apart, and how long it was under way
 */
struct beat_way {
	int64_t time_ns, offset_ns;
};

/**
 * struct downtime_side - one of the two hosts
 * @ways:     the last ones; @way_count of all
 * @last_ns:  the guest's clock at the last beat here
 * @still_ns: when the hypervisor reported that the guest stands still here; 0: never
 * @qemu_ns:  when QEMU stopped or started its processors; 0: not known
 * @behind_ns: by how much the host's clock is behind that of the controller; @behind_known
 */
struct downtime_side {
	const char *host;
	struct beat_way ways[WAYS_MOST];
	size_t way_count;
	int64_t last_ns, still_ns, qemu_ns;
	int64_t behind_ns;
	bool behind_known;
};

/**
 * struct downtime_evidence - all of it
 * @step: that requested the migration
 * @gaps:     between beats, as the guest reported at the target; NULL: it did not
 * @interval_ns: between two beats
 * @first_ns: arrival of the first beat at the target; 0: none
 */
struct downtime_evidence {
	struct downtime_side source, target;
	const struct record *step;
	const json_t *gaps;
	int64_t interval_ns, first_ns;
};

/* Guests may report any number. */
static int64_t sum(int64_t one, int64_t other)
{
	int64_t result;

	return __builtin_add_overflow(one, other, &result) ? INT64_MAX : result;
}

static int64_t difference(int64_t later, int64_t earlier)
{
	int64_t result;

	return __builtin_sub_overflow(later, earlier, &result) ? INT64_MAX : result;
}

static void take_way(struct downtime_side *side, int64_t time_ns, int64_t age_ns, int64_t guest_ns)
{
	struct beat_way *way = &side->ways[side->way_count % WAYS_MOST];

	if (guest_ns <= 0 || age_ns < 0 || __builtin_sub_overflow(time_ns, age_ns, &way->time_ns) ||
	    __builtin_sub_overflow(way->time_ns, guest_ns, &way->offset_ns))
		return;
	side->way_count++;
	if (guest_ns > side->last_ns)
		side->last_ns = guest_ns;
}

static void read_beats(struct downtime_evidence *evidence, struct downtime_side *side,
		       const struct record *record)
{
	const struct beat_report *beat = &record->event.beat;
	int64_t age_ns = beat->first && beat->age_ns < 0 ? 0 : beat->age_ns;

	take_way(side, record->seen_ns, age_ns, beat->guest_ns);
	take_way(side, record->seen_ns, beat->prompt_age_ns, beat->prompt_guest_ns);
	if (side != &evidence->target || !beat->first || evidence->first_ns)
		return;
	evidence->first_ns = record->seen_ns;
	evidence->gaps = beat->gaps;
	evidence->interval_ns = beat->interval_ns;
}

static void read_hypervisor(const struct downtime_evidence *evidence, struct downtime_side *side,
			    const struct record *record)
{
	const struct domain_report *domain = &record->event.domain;
	bool source = side == &evidence->source;

	if (event_is_named(record, "monitor") &&
	    strcmp(domain->detail, source ? "STOP" : "RESUME") == 0 && !side->qemu_ns)
		side->qemu_ns = record->seen_ns;
	else if (source && strcmp(domain->state, "suspended") == 0 && !side->still_ns)
		side->still_ns = record->seen_ns;
}

static void read_event(struct downtime_evidence *evidence, const struct record *record,
		       const char *guest)
{
	const char *host = record->host ?: "";
	enum source source = record->event.source;
	struct downtime_side *side = strcmp(host, evidence->source.host) == 0	? &evidence->source
				     : strcmp(host, evidence->target.host) == 0 ? &evidence->target
										: NULL;

	if (!side)
		return;
	if (source == SOURCE_BENCH && event_is_named(record, "clock")) {
		side->behind_known = true;
		side->behind_ns = json_number(record->event.data, "offset_ns", 0);
	}
	if (!record->guest || strcmp(record->guest, guest) != 0)
		return;
	if (source == SOURCE_HEARTBEAT || source == SOURCE_GUEST_LINK)
		read_beats(evidence, side, record);
	else if (source == SOURCE_HYPERVISOR && record >= evidence->step)
		read_hypervisor(evidence, side, record);
}

/* What the clocks of guest and host are apart: of the last beats of a side, or of the first ones. */
static bool least_way(const struct downtime_side *side, bool last, int64_t *offset_ns)
{
	size_t from = side->way_count > WAYS_MOST ? side->way_count - WAYS_MOST : 0;
	int64_t edge;

	if (!side->way_count)
		return false;
	edge = side->ways[(last ? side->way_count - 1 : from) % WAYS_MOST].time_ns;
	*offset_ns = INT64_MAX;
	for (size_t i = from; i < side->way_count; i++) {
		const struct beat_way *way = &side->ways[i % WAYS_MOST];

		if ((last ? difference(edge, way->time_ns) : difference(way->time_ns, edge)) <=
			    WINDOW_NS &&
		    way->offset_ns < *offset_ns)
			*offset_ns = way->offset_ns;
	}
	return true;
}

/*
 * The gap in which the guest was moved: the longest that begins behind the last beat that reached the source, and, by the
 * clock of the source, before QEMU stopped the guest. What begins later than its end does so by that clock, too, because
 * kvmclock goes on for as long as QEMU saves the state. NULL: the guest's clock shows none.
 */
static const json_t *find_gap(const struct downtime_evidence *evidence, int64_t source)
{
	int64_t stop =
		evidence->source.qemu_ns ? evidence->source.qemu_ns : evidence->source.still_ns;
	const json_t *best = NULL;
	size_t index;
	json_t *gap;

	json_array_foreach ((json_t *)evidence->gaps, index, gap) {
		int64_t after = json_number(gap, "after_ns", 0);

		if (after < evidence->source.last_ns || (stop && sum(after, source) > stop))
			continue;
		if (!best || json_number(gap, "monotonic", 0) > json_number(best, "monotonic", 0))
			best = gap;
	}
	return best;
}

/* By how much the clock of the target is ahead of that of the source. */
static bool clocks_apart(const struct downtime_evidence *evidence, int64_t *ahead_ns)
{
	return evidence->source.behind_known && evidence->target.behind_known &&
	       !__builtin_sub_overflow(evidence->source.behind_ns, evidence->target.behind_ns,
				       ahead_ns);
}

/* The time that the guest has lost before QEMU stopped it, and after QEMU let it go on. */
static void divide(const struct downtime_evidence *evidence, const json_t *gap, int64_t source,
		   int64_t target, struct migration_outcome *result)
{
	int64_t after = json_number(gap, "after_ns", 0);
	int64_t before = sum(after, json_number(gap, "monotonic", 0));

	if (evidence->source.qemu_ns)
		result->before_stop_ns = difference(evidence->source.qemu_ns, sum(after, source));
	if (evidence->target.qemu_ns)
		result->after_resume_ns = difference(sum(before, target), evidence->target.qemu_ns);
}

static int64_t stood_still(const struct downtime_evidence *evidence,
			   struct migration_outcome *result)
{
	int64_t source, target, still, gap_ns = evidence->interval_ns;
	const json_t *gap;

	if (!least_way(&evidence->source, true, &source) ||
	    !least_way(&evidence->target, false, &target) ||
	    __builtin_sub_overflow(target, source, &still))
		return 0;
	gap = find_gap(evidence, source);
	if (gap) {
		gap_ns = json_number(gap, "monotonic", 0);
		divide(evidence, gap, source, target, result);
	}
	still = sum(still, difference(gap_ns, evidence->interval_ns / 2));
	return still > 0 && still < INT64_MAX ? still : 0;
}

static void read_all(struct downtime_evidence *evidence, const struct guest_seen *guest,
		     const struct trial_case *trial)
{
	for_each_record (trial, record)
		if (record->type == RECORD_EVENT)
			read_event(evidence, record, guest->name);
}

/**
 * case_measure_downtime - how long a guest stood still that was moved, by all evidence
 * @source, @target: the hosts
 */
void case_measure_downtime(struct trial_case *trial, const struct migration_seen *migration,
			   const struct guest_side *source, const struct guest_side *target)
{
	struct migration_outcome *result = &trial->migration;
	struct downtime_evidence evidence = {.source = {.host = source->host},
					     .target = {.host = target->host},
					     .step = migration->step};

	read_all(&evidence, migration->guest, trial);
	result->before_stop_ns = result->after_resume_ns = -1;
	result->downtime_ns = stood_still(&evidence, result);
	/* Without the guest's clock it is all of the time between two beats, that in which the guest dialled too. */
	if (!result->downtime_ns && evidence.first_ns && source->last_ns &&
	    __builtin_sub_overflow(evidence.first_ns, source->last_ns, &result->downtime_ns))
		result->downtime_ns = 0;
	if (!evidence.source.qemu_ns || !evidence.target.qemu_ns ||
	    __builtin_sub_overflow(evidence.target.qemu_ns, evidence.source.qemu_ns,
				   &result->qemu_downtime_ns))
		result->qemu_downtime_ns = -1;
	result->clocks_known = clocks_apart(&evidence, &result->clock_difference_ns);
}
