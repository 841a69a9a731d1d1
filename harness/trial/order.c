// SPDX-License-Identifier: GPL-2.0-only
/*
 * The order in which the scenarios of one pattern run. A host is booted, and a guest started, far longer than a trial takes;
 * both are kept for the next trial if they work and it needs the same. So scenarios with the same needs follow each other.
 */
#include <string.h>

#include "harness/lib/param.h"
#include "harness/trial/order.h"

/**
 * order_same_host - whether a host that was booted for one trial serves another
 * @bench:       of the one
 * @rig:         configuration of its emulated host; an object or NULL
 * @other_bench: of the other
 * @other_rig:   that of the other one
 */
bool order_same_host(const char *bench, const json_t *rig, const char *other_bench,
		     const json_t *other_rig)
{
	static const char *const keys[] = {"einj-revision", "clock", "memory", "processors",
					   "kernel-arguments"};

	if (strcmp(bench, other_bench) != 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(json_text(rig, keys[i], ""), json_text(other_rig, keys[i], "")) != 0)
			return false;
	return true;
}

static bool has_guest(const struct scenario *scenario, const struct scenario_guest *guest)
{
	for (size_t i = 0; i < scenario->guest_count; i++)
		if (strcmp(scenario->guests[i].name, guest->name) == 0)
			return !param_bool(guest->arguments, "fresh") &&
			       json_equal(scenario->guests[i].arguments, guest->arguments);
	return false;
}

/* Whether the host stays comes first, then how many guests do, then how few must be started. */
static int64_t worth(const struct scenario *now, const struct scenario *next)
{
	int64_t kept = 0;

	if (!order_same_host(now->bench, now->rig, next->bench, next->rig))
		return -1;
	for (size_t i = 0; i < next->guest_count; i++)
		kept += has_guest(now, &next->guests[i]);
	return kept * 1000 + 500 - (int64_t)(next->guest_count - (size_t)kept);
}

/**
 * order_scenarios - group scenarios with the same hosts and guests
 * @scenarios: changed in place; the first stays the first
 * @count:     of them
 *
 * Always the one that keeps most of what runs comes next; of equals, the one that stood first.
 */
void order_scenarios(const struct scenario **scenarios, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		const struct scenario *next;
		size_t best = i;

		for (size_t k = i + 1; k < count; k++)
			if (worth(scenarios[i - 1], scenarios[k]) >
			    worth(scenarios[i - 1], scenarios[best]))
				best = k;
		next = scenarios[best];
		memmove(&scenarios[i + 1], &scenarios[i], (best - i) * sizeof(*scenarios));
		scenarios[i] = next;
	}
}

/**
 * order_paths - order_scenarios() for files
 * @paths:    array of paths; those from @from on are put in order
 * @from:     index of the first
 * @settings: as scenario_load() takes them
 * @why:      reason of a failure
 *
 * Return: 0, or the error of a scenario that can not be loaded; @paths is as before then.
 */
int order_paths(json_t *paths, size_t from, const json_t *settings, struct reason *why)
{
	size_t count = json_array_size(paths) - from, loaded;
	__cleanup_free struct scenario **scenarios = xcalloc(count + 1, sizeof(*scenarios));
	__cleanup_free const struct scenario **order = xcalloc(count + 1, sizeof(*order));
	int error = 0;

	for (loaded = 0; loaded < count && !error; loaded++) {
		const char *path = json_string_value(json_array_get(paths, from + loaded));

		error = scenario_load(path, settings, &scenarios[loaded], why);
		order[loaded] = scenarios[loaded];
	}
	if (!error) {
		order_scenarios(order, count);
		for (size_t i = 0; i < count; i++)
			json_array_set_new(paths, from + i, json_string(order[i]->path));
	}
	while (loaded-- > 0)
		scenario_free(scenarios[loaded]);
	return error;
}
