// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heartbeats of a guest at its host: a report each second, an event for each gap, and for missing heartbeats. Gaps are measured
 * by arrival on the host's clock, which no guest and no migration changes; times of the guest's clocks are added.
 */
#include "harness/link/peer.h"

#define REPORT_NS NSEC_PER_SEC
/* The first report comes early: after a migration, the guest's clock is needed. */
#define FIRST_REPORT_NS (NSEC_PER_SEC / 4)
/* Further gaps in one report are only counted, to bound the events. */
#define GAPS_REPORTED 20
/* A guest's clock may drift and be slewed; a larger difference between two beats is a jump. */
#define JUMP_NS (100 * NSEC_PER_MSEC)

/* The beat with the shortest delay gives the best relation between the clocks of guest and host. */
static json_t *prompt_of(const struct guest_pulse *pulse, int64_t now)
{
	if (!pulse->prompt_ns)
		return NULL;
	return json_pack("{s:I, s:I}", "age_ns", (json_int_t)(now - pulse->prompt_ns), "guest_ns",
			 (json_int_t)pulse->prompt_guest_ns);
}

static void report(struct guest_link *link, struct guest_peer *peer, int64_t now)
{
	struct guest_pulse *pulse = &peer->pulse;

	if (pulse->beats)
		guest_peer_event(
			link, peer, "heartbeat",
			json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o*}", "beats",
				  (json_int_t)pulse->beats, "missed", (json_int_t)pulse->missed,
				  "seq", (json_int_t)pulse->seq, "longest_ns",
				  (json_int_t)pulse->worst_ns, "late_ns",
				  (json_int_t)pulse->worst_late_ns, "age_ns",
				  (json_int_t)(now - pulse->last_ns), "guest_ns",
				  (json_int_t)pulse->guest_ns, "prompt", prompt_of(pulse, now)),
			"%llu heartbeats, longest time between two %lld us",
			(unsigned long long)pulse->beats, (long long)pulse->worst_ns / 1000);
	pulse->beats = pulse->missed = 0;
	pulse->worst_ns = pulse->worst_late_ns = 0;
	pulse->gaps = 0;
	pulse->prompt_ns = 0;
	pulse->reported_ns = now;
}

static void report_gap(struct guest_link *link, struct guest_peer *peer, const json_t *beat,
		       int64_t arrival_ns, int64_t interval_ns)
{
	json_t *gap = json_object_get(beat, "gap");
	json_t *jump = json_object_get(beat, "jump");

	if (++peer->pulse.gaps > GAPS_REPORTED)
		return;
	guest_peer_event(link, peer, "gap",
			 json_pack("{s:I, s:I, s:I, s:O*, s:O*}", "arrival_ns",
				   (json_int_t)arrival_ns, "interval_ns", (json_int_t)interval_ns,
				   "missed", json_number(beat, "missed", 0), "guest_clocks",
				   json_is_object(gap) ? gap : NULL, "jump",
				   json_is_object(jump) ? jump : NULL),
			 "%lld us between two heartbeats", (long long)arrival_ns / 1000);
}

/* The gaps that the guest reports of the time before this stream. Only their size is checked. */
static json_t *gaps_of(const json_t *beat)
{
	json_t *gaps = json_object_get(beat, "gaps");

	return json_array_size(gaps) && json_array_size(gaps) <= GAPS_REPORTED ? gaps : NULL;
}

static int64_t interval_of(const json_t *beat)
{
	int64_t interval = json_number(beat, "interval_ns", 0);

	return interval < NSEC_PER_MSEC || interval > 10 * NSEC_PER_SEC ? 10 * NSEC_PER_MSEC
									: interval;
}

static void check_clock(struct guest_link *link, struct guest_peer *peer, int64_t guest_ns,
			int64_t arrival_ns)
{
	int64_t passed;

	/* An impossible time is reported as a jump. */
	if (__builtin_sub_overflow(guest_ns, peer->pulse.guest_ns, &passed))
		passed = INT64_MIN;
	if (passed >= 0 && passed < arrival_ns + JUMP_NS)
		return;
	if (++peer->pulse.gaps > GAPS_REPORTED)
		return;
	guest_peer_event(link, peer, "clock",
			 json_pack("{s:I, s:I}", "guest_ns", (json_int_t)passed, "host_ns",
				   (json_int_t)arrival_ns),
			 "its clock advanced %lld us while that of the host advanced %lld us",
			 (long long)passed / 1000, (long long)arrival_ns / 1000);
}

static void take_prompt(struct guest_pulse *pulse, int64_t guest_ns, int64_t now)
{
	int64_t way, least;

	if (guest_ns <= 0 || __builtin_sub_overflow(now, guest_ns, &way))
		return;
	if (pulse->prompt_ns &&
	    (__builtin_sub_overflow(pulse->prompt_ns, pulse->prompt_guest_ns, &least) ||
	     way >= least))
		return;
	pulse->prompt_ns = now;
	pulse->prompt_guest_ns = guest_ns;
}

/**
 * guest_pulse_take - handle a heartbeat
 * @beat: message of the guest; not trusted
 * @now:  CLOCK_MONOTONIC of the host
 */
void guest_pulse_take(struct guest_link *link, struct guest_peer *peer, const json_t *beat,
		      int64_t now)
{
	struct guest_pulse *pulse = &peer->pulse;
	int64_t interval = interval_of(beat);
	int64_t seq = json_number(beat, "seq", -1), missed = json_number(beat, "missed", 0);
	int64_t guest_ns = json_number(beat, "time_ns", 0);
	int64_t arrival = pulse->last_ns ? now - pulse->last_ns : 0;
	int64_t late = json_number(beat, "late_ns", 0);

	/* The last heartbeat at the source and the first one at the target give the downtime of a migration. */
	if (!pulse->last_ns)
		guest_peer_event(link, peer, "heard",
				 json_pack("{s:b, s:I, s:I, s:O*}", "first", 1, "guest_ns",
					   (json_int_t)guest_ns, "interval_ns",
					   (json_int_t)interval, "gaps", gaps_of(beat)),
				 "first heartbeat");
	if (pulse->silent) {
		pulse->silent = false;
		guest_peer_event(link, peer, "heard",
				 json_pack("{s:I}", "arrival_ns", (json_int_t)arrival),
				 "heartbeats again after %lld ms",
				 (long long)(arrival / NSEC_PER_MSEC));
	}
	if (pulse->last_ns)
		check_clock(link, peer, guest_ns, arrival);
	if (pulse->last_ns && (arrival > 2 * interval + interval / 2 ||
			       json_object_get(beat, "gap") || json_object_get(beat, "jump")))
		report_gap(link, peer, beat, arrival, interval);
	pulse->beats++;
	if (missed > 0 && missed < INT32_MAX)
		pulse->missed += (uint64_t)missed;
	if (arrival > pulse->worst_ns)
		pulse->worst_ns = arrival;
	if (late > pulse->worst_late_ns)
		pulse->worst_late_ns = late;
	take_prompt(pulse, guest_ns, now);
	pulse->seq = seq;
	pulse->guest_ns = guest_ns;
	pulse->last_ns = now;
	if (!pulse->reported_ns)
		pulse->reported_ns = now - REPORT_NS + FIRST_REPORT_NS;
	if (now - pulse->reported_ns >= REPORT_NS)
		report(link, peer, now);
}

/** guest_pulse_report - report pending heartbeats */
void guest_pulse_report(struct guest_link *link, struct guest_peer *peer, int64_t now)
{
	if (peer->pulse.beats)
		report(link, peer, now);
}

/** guest_pulse_tick - report heartbeats that are due, and missing ones */
void guest_pulse_tick(struct guest_link *link, struct guest_peer *peer, int64_t silence_ns,
		      int64_t now)
{
	struct guest_pulse *pulse = &peer->pulse;

	if (!pulse->last_ns)
		return;
	if (pulse->beats && now - pulse->reported_ns >= REPORT_NS)
		report(link, peer, now);
	if (!pulse->silent && now - pulse->last_ns > silence_ns) {
		pulse->silent = true;
		guest_peer_event(link, peer, "silent",
				 json_pack("{s:I, s:I}", "since_ns",
					   (json_int_t)(now - pulse->last_ns), "seq",
					   (json_int_t)pulse->seq),
				 "no heartbeat for %lld ms",
				 (long long)((now - pulse->last_ns) / NSEC_PER_MSEC));
	}
}
