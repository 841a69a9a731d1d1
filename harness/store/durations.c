// SPDX-License-Identifier: GPL-2.0-only
/*
 * The duration of the last trial of each scenario, for the expected duration of a new run. It is in the cache, which may be lost.
 */
#include "harness/store/durations.h"

#define DURATIONS_FILE "durations.json"

/** durations_load - {"SCENARIO on BENCH": milliseconds}, owned by the caller; empty when nothing is known */
json_t *durations_load(void)
{
	__cleanup_free char *cache = cache_directory();
	__cleanup_free char *path = cache ? format_text("%s/" DURATIONS_FILE, cache) : NULL;
	json_t *durations = path ? json_load_file(path, 0, NULL) : NULL;

	if (json_is_object(durations))
		return durations;
	json_decref(durations);
	return json_object();
}

/** durations_save - store the changes of durations_note(). A cache that can not be written is no error */
void durations_save(const json_t *durations)
{
	__cleanup_free char *cache = cache_directory();

	if (cache && make_directories(cache) == 0)
		(void)write_json_atomically(cache, DURATIONS_FILE, durations);
}

static char *key_of(const char *scenario, const char *bench)
{
	return format_text("%s on %s", scenario, bench);
}

/** durations_of - milliseconds that the last trial of a scenario took; 0: it was not run here */
int64_t durations_of(const json_t *durations, const char *scenario, const char *bench)
{
	__cleanup_free char *key = key_of(scenario, bench);

	return json_number(durations, key, 0);
}

/** durations_note - record how long a trial took */
void durations_note(json_t *durations, const char *scenario, const char *bench, int64_t ms)
{
	__cleanup_free char *key = key_of(scenario, bench);

	json_object_set_new(durations, key, json_integer(ms));
}

static char *duration_text(int64_t ms)
{
	long long s = (ms + 500) / 1000;

	return s < 60	  ? format_text("%lld s", s)
	       : s < 3600 ? format_text("%lld min %02lld s", s / 60, s % 60)
			  : format_text("%lld h %02lld min", s / 3600, s / 60 % 60);
}

/**
 * durations_expect - how long trials are expected to take
 * @trials: [{"scenario", "bench"}]
 * @times:  how often all of them are run
 *
 * Return: "about 3 min 20 s, as last time", with what is not known; owned by the caller.
 */
char *durations_expect(const json_t *trials, size_t times)
{
	__cleanup_json json_t *durations = durations_load();
	__cleanup_free char *text = NULL;
	int64_t sum = 0;
	size_t unknown = 0, count = json_array_size(trials), index;
	json_t *trial;

	json_array_foreach ((json_t *)trials, index, trial) {
		int64_t ms = durations_of(durations, json_text(trial, "scenario", ""),
					  json_text(trial, "bench", ""));

		sum += ms;
		unknown += !ms;
	}
	if (unknown == count)
		return xstrdup("how long they take is not known: none was run here before");
	text = duration_text(sum * (int64_t)times);
	if (!unknown)
		return format_text("about %s, as they took last", text);
	return format_text("about %s, and %zu that were not run here before", text,
			   unknown * times);
}
