// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading a side of a comparison: samples by scenario, metric and boot, counts of failures, and the fingerprint.
 */
#include <errno.h>
#include <string.h>

#include "harness/compare/fingerprint.h"
#include "harness/evidence/record.h"
#include "harness/judge/judge.h"
#include "harness/journal/journal.h"
#include "harness/store/run_directory.h"
#include "reports/measured.h"

static json_t *member(json_t *object, const char *key, json_t *fresh)
{
	json_t *known = json_object_get(object, key);

	if (known) {
		json_decref(fresh);
		return known;
	}
	json_object_set_new(object, key, fresh);
	return fresh;
}

/*
 * Track the boots of the hosts at a trial: {HOST: BOOT}. A warm host has no boot record in the trial. If the metrics of a journal
 * lack their boots, the trials are judged again, which reads the records.
 */
static void note_boots(json_t *boots, const json_t *records)
{
	struct record record;
	json_t *each;
	size_t index;

	json_array_foreach (records, index, each) {
		record_read(&record, each);
		if (record.type == RECORD_BOOT && record.boot.boot_id)
			json_object_set_new(boots, record.host ?: "h0",
					    json_string(record.boot.boot_id));
	}
}

/* Without a known boot each trial counts as one of its own. */
static const char *boot_of(const json_t *run, const json_t *metric)
{
	const json_t *hosts = json_object_get(run, "boots");
	void *first = json_object_iter((json_t *)hosts);
	const char *boot = json_text(
		hosts, json_text(metric, "host", first ? json_object_iter_key(first) : ""), NULL);

	return json_text(metric, "boot", boot);
}

static int take_sample(json_t *samples, const json_t *sample, const json_t *trial, const char *name,
		       struct reason *why)
{
	if (!json_is_number(sample))
		return fail(why, -EINVAL, "trial %s: a sample of the metric '%s' is not a number",
			    json_text(trial, "trial", "?"), name);
	return json_array_append_new(samples, json_real(json_number_value(sample)));
}

/* If unit or direction of a metric changed within the run, keep both: "ns, us" equals no unit of another run. */
static void note_text(json_t *known, const char *key, const char *text)
{
	const char *old = json_text(known, key, NULL);

	if (!old)
		json_object_set_new(known, key, json_string(text));
	else if (strcmp(old, text) != 0)
		json_object_set_new(known, key, json_sprintf("%s, %s", old, text));
}

static int take_metric(json_t *run, const json_t *trial, const char *name, const json_t *metric,
		       struct reason *why)
{
	__cleanup_free char *unknown =
		format_text("%s%s", json_text(run, "prefix", ""), json_text(trial, "trial", ""));
	const char *boot = boot_of(run, metric), *unit;
	const json_t *all = json_object_get(metric, "samples");
	json_t *scenario = member(json_object_get(run, "metrics"),
				  json_text(trial, "scenario", "unknown"), json_object());
	__cleanup_free char *plain = measured_name(name);
	json_t *known, *samples, *sample, *share;
	size_t index;
	int error = 0;

	if (!json_is_object(metric))
		return fail(why, -EINVAL, "trial %s: the metric '%s' is not an object",
			    json_text(trial, "trial", "?"), name);
	known = member(scenario, plain, json_object());
	unit = json_text(metric, "unit", "");
	note_text(known, "unit", unit);
	/* For journals without a direction: less is better for all times. */
	note_text(known, "direction",
		  json_text(metric, "direction", strcmp(unit, "ns") == 0 ? "lower" : "none"));
	share = json_object_get(metric, "counted");
	if (json_is_number(share) &&
	    json_number_value(share) < json_number_value(member(known, "counted", json_real(1))))
		json_object_set(known, "counted", share);
	if (!boot) {
		json_object_set_new(known, "boots_unknown", json_true());
		boot = unknown;
	}
	samples = member(member(known, "boots", json_object()), boot, json_array());
	if (!json_is_array(all))
		return take_sample(samples, json_object_get(metric, "value"), trial, plain, why);
	json_array_foreach (all, index, sample)
		if (!error)
			error = take_sample(samples, sample, trial, plain, why);
	return error;
}

/* Metrics of a trial that failed or is inconclusive measured something else, and are ignored. */
static int take_trial(json_t *run, const json_t *trial, struct reason *why)
{
	const char *verdict = json_text(trial, "verdict", ""), *name;
	const char *scenario = json_text(trial, "scenario", "unknown");
	bool failed = strcmp(verdict, "fail") == 0;
	json_t *rate, *metric;
	int error = 0;

	if (!failed && strcmp(verdict, "pass") != 0)
		return 0;
	rate = member(json_object_get(run, "rates"), scenario, json_object());
	json_object_update(member(json_object_get(run, "budgets"), scenario, json_object()),
			   json_object_get(trial, "budgets"));
	json_add(rate, "trials", 1);
	json_object_set_new(rate, "failures", json_integer(json_number(rate, "failures", 0)));
	if (failed)
		json_add(rate, "failures", 1);
	note_text(rate, "bench", json_text(trial, "bench", ""));
	fingerprint_note(json_object_get(run, "fingerprint"), "bench",
			 json_text(trial, "bench", NULL));
	json_object_foreach (json_object_get(trial, "metrics"), name, metric)
		if (!failed && !error)
			error = take_metric(run, trial, name, metric, why);
	return error;
}

/**
 * struct loading - state of loading a side
 * @run: result of compare_load(), with "boots": {HOST: BOOT} at the trial
 * @why: of an invalid trial
 */
struct loading {
	json_t *run;
	struct reason why;
};

static int load_trial(void *context, const struct judged *judged)
{
	struct loading *loading = context;

	note_boots(json_object_get(loading->run, "boots"), judged->records);
	return take_trial(loading->run, judged->result, &loading->why);
}

static int load_journal(const char *directory, struct loading *loading, json_t **summary,
			struct reason *why)
{
	__cleanup_index struct journal_index *index = NULL;
	int error = run_directory_open(directory, &index, why);

	if (error)
		return error;
	fingerprint_read(json_object_get(loading->run, "fingerprint"), index->about);
	error = judge_run(index, &(struct judge_options){0}, load_trial, loading, summary);
	return error ? fail(why, error, "%s: %s", directory, loading->why.text) : 0;
}

static int load_results(const char *directory, struct loading *loading, json_t **summary,
			struct reason *why)
{
	__cleanup_free char *path = format_text("%s/results.json", directory);
	json_error_t problem;
	json_t *trial;
	size_t index;

	if (access(path, F_OK))
		return fail(why, -ENOENT, "%s contains no run: there is no %s and no results.json",
			    directory, JOURNAL_FILE);
	*summary = json_load_file(path, JSON_REJECT_DUPLICATES, &problem);
	if (!*summary)
		return fail(why, -EINVAL, "%s, line %d: %s", path, problem.line, problem.text);
	if (!json_is_array(json_object_get(*summary, "trials")))
		return fail(why, -EINVAL, "%s contains no results: there is no array 'trials'",
			    path);
	json_array_foreach (json_object_get(*summary, "trials"), index, trial)
		if (take_trial(loading->run, trial, &loading->why))
			return fail(why, -EINVAL, "%s: %s", directory, loading->why.text);
	return 0;
}

static int add_run(json_t *side, const char *directory, struct reason *why)
{
	__cleanup_free char *journal = format_text("%s/%s", directory, JOURNAL_FILE);
	__cleanup_json json_t *summary = NULL;
	struct loading loading = {.run = side};
	int error;

	if (access(directory, F_OK))
		return fail_errno(why, -errno, "%s", directory);
	json_object_set_new(side, "boots", json_object());
	json_object_set_new(side, "prefix", json_sprintf("%s ", directory));
	error = access(journal, F_OK) ? load_results(directory, &loading, &summary, why)
				      : load_journal(directory, &loading, &summary, why);
	if (error)
		return error;
	if (!json_object_get(side, "run"))
		json_object_set_new(side, "run", json_string(json_text(summary, "run", "unknown")));
	note_text(side, "version", json_text(summary, "version", "unknown"));
	if (!json_is_true(json_object_get(summary, "complete")))
		json_object_set_new(side, "complete", json_false());
	return 0;
}

/**
 * compare_load - load one side of a comparison
 * @name:        of the side, for messages
 * @directories: of its runs; the journal of each is judged, or results.json is read if there is no journal
 * @count:       of them, at least 1
 * @side:        receives {"directory": @name, "run": the first, "runs", "version", "complete", "fingerprint", "metrics", "rates": {SCENARIO:
 *               {"trials", "failures", "bench"}}, "budgets"}; owned by the caller
 * @why:         filled on an error
 *
 * Return: 0 or -errno.
 */
int compare_load(const char *name, const char *const directories[], size_t count, json_t **side,
		 struct reason *why)
{
	__cleanup_json json_t *loaded =
		json_pack("{s:s, s:b, s:{}, s:{}, s:{}, s:{}}", "directory", name, "complete", true,
			  "fingerprint", "metrics", "rates", "budgets");
	int error = 0;

	if (!loaded)
		return fail(why, -EINVAL, "%s: the name is not UTF-8", name);
	for (size_t i = 0; i < count && !error; i++)
		error = add_run(loaded, directories[i], why);
	if (error)
		return error;
	json_object_del(loaded, "boots");
	json_object_del(loaded, "prefix");
	json_object_set_new(loaded, "runs", json_integer((json_int_t)count));
	*side = steal(loaded);
	return 0;
}
