// SPDX-License-Identifier: GPL-2.0-only
/*
 * Offset between the clocks of a host and the controller. The time in an answer was taken between the call and the arrival of the
 * answer. The quickest of several calls is the most precise; half of its round trip is the maximum error.
 */
#include <errno.h>

#include "harness/bench/bench.h"

#define QUESTIONS 8
/* If the agent is busy, the clock is compared at the next occasion. */
#define CLOCK_TIMEOUT_MS 5000
/* That a host of the rig may be off: what is seen then is how long its answers take. */
#define OFF_NS (5 * NSEC_PER_MSEC)

struct reading {
	int64_t offset_ns, way_ns;
};

static int ask(struct bench *bench, struct reading *reading, struct reason *why)
{
	__cleanup_json json_t *reply = NULL;
	int64_t before = now_realtime_ns(), after;
	int error = bench_call(bench, "clock", NULL, CLOCK_TIMEOUT_MS, &reply, why);

	after = now_realtime_ns();
	reading->way_ns = after - before;
	if (!error && json_object_get(reply, "boot_id"))
		error = json_is(reply, "boot_id", json_text(bench->hello, "boot_id", ""))
				? 0
				: fail(why, -ESTALE, "clock: the host has another boot_id");
	bench->clock_names_boot = !error && json_object_get(reply, "boot_id");
	if (!error && __builtin_sub_overflow(before + reading->way_ns / 2,
					     json_number(reply, "time_ns", 0), &reading->offset_ns))
		reading->offset_ns = 0;
	return error;
}

/* An answer that was as quick as @enough_ns ends it. */
static int ask_often(struct bench *bench, int64_t enough_ns, struct reading *best,
		     struct reason *why)
{
	struct reading reading;
	int error;

	for (size_t i = 0; i < QUESTIONS && (i == 0 || best->way_ns > enough_ns); i++) {
		error = ask(bench, &reading, why);
		if (error)
			return error;
		if (i == 0 || reading.way_ns < best->way_ns)
			*best = reading;
	}
	return 0;
}

static int step_clock(struct bench *bench, const struct reading *reading, struct reason *why)
{
	__cleanup_json json_t *step = json_pack("{s:I}", "step_ns", (json_int_t)reading->offset_ns);

	return bench_call(bench, "clock", step, CLOCK_TIMEOUT_MS, NULL, why);
}

static bool is_off(const struct reading *reading)
{
	return reading->offset_ns > OFF_NS || reading->offset_ns < -OFF_NS;
}

/**
 * bench_compare_clocks - measure the offset from the host's CLOCK_REALTIME to the controller's
 * @set: correct the clock of a rig host; other clocks are never set
 *
 * Reports an event "clock" of the bench, which the judge uses to compare times of two hosts.
 *
 * Return: 0; -ESTALE when the host names another boot than in its hello; -errno of bench_call(). After an error the offset is
 * unchanged.
 */
int bench_compare_clocks(struct bench *bench, bool set, struct reason *why)
{
	struct reading reading = {0};
	/* Stop early at 1.5 times the best round trip of this boot: on a warm host one or two calls per trial are enough. */
	int64_t enough_ns = set ? 0 : bench->clock_way_ns + bench->clock_way_ns / 2;
	int error = ask_often(bench, enough_ns, &reading, why);

	if (!error && set && bench->ops->is_rig && is_off(&reading)) {
		error = step_clock(bench, &reading, why) ?: ask_often(bench, 0, &reading, why);
	}
	if (error)
		return error;
	bench->clock_offset_ns = reading.offset_ns;
	if (set || reading.way_ns < bench->clock_way_ns)
		bench->clock_way_ns = reading.way_ns;
	{
		__cleanup_free char *text = format_text(
			"the clock of the host is %.3f ms behind that of the controller, give or "
			"take %.3f ms",
			(double)reading.offset_ns / 1e6, (double)reading.way_ns / 2e6);

		bench_report(bench, "bench", now_realtime_ns(), text,
			     json_pack("{s:s, s:I, s:I}", "event", "clock", "offset_ns",
				       (json_int_t)reading.offset_ns, "error_ns",
				       (json_int_t)(reading.way_ns / 2)));
	}
	return 0;
}
