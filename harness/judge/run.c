// SPDX-License-Identifier: GPL-2.0-only
/*
 * The results of a run: every planned trial once, with counts.
 */
#include <inttypes.h>
#include <string.h>

#include "harness/journal/journal.h"
#include "harness/judge/read/case.h"
#include "harness/judge/judge.h"

/* What is counted: a failure that the scenario names as known is counted apart. */
static const char *const counted[] = {"pass", "fail", "known", "inconclusive", "infra", "skip"};

/* How far a trial got, by the types of its records. */
static json_t *progress_of(json_t *progress, const char *id)
{
	json_t *trial = json_object_get(progress, id);

	if (!trial) {
		trial = json_object();
		json_object_set_new(progress, id, trial);
	}
	return trial;
}

/* Where the records of a trial are in the journal. */
static void note_span(json_t *trial, json_int_t index)
{
	if (!json_object_get(trial, "first"))
		json_object_set_new(trial, "first", json_integer(index));
	json_object_set_new(trial, "last", json_integer(index));
}

/*
 * Judges a trial by the records of its own span, with one more at each end, which may be the damage that hides its start
 * or its close: the cost of a run is linear in its length.
 */
static json_t *judge_span(const json_t *records, const json_t *trial, const char *id)
{
	__cleanup_json json_t *span = json_array();
	size_t first = (size_t)json_number(trial, "first", 0);
	size_t last = (size_t)json_number(trial, "last", 0);

	for (size_t i = first ? first - 1 : 0; i <= last + 1 && i < json_array_size(records); i++)
		json_array_append(span, json_array_get(records, i));
	return judge_trial(span, id);
}

/* {"0001": {"intent": true, "close": true, ..., "first": 4, "last": 20}} in the order of the plan, then of the journal. */
static json_t *read_progress(const json_t *records)
{
	json_t *progress = json_object(), *record, *planned;
	size_t index, position;

	json_array_foreach (records, index, record) {
		if (strcmp(record_type(record), "run") != 0)
			continue;
		json_array_foreach (json_object_get(record_body(record), "plan"), position,
				    planned) {
			const char *id = json_text(planned, "trial", NULL);

			if (id)
				json_object_set(progress_of(progress, id), "plan", planned);
		}
	}
	json_array_foreach (records, index, record) {
		const char *id = json_text(record, "trial", NULL);

		if (!id)
			continue;
		/* A trial that is started again is open again. */
		if (strcmp(record_type(record), "trial") == 0)
			json_object_del(progress_of(progress, id), "close");
		json_object_set_new(progress_of(progress, id), record_type(record), json_true());
		note_span(progress_of(progress, id), (json_int_t)index);
		if (strcmp(json_text(record_body(record), "cause", ""), "skip") == 0)
			json_object_set_new(progress_of(progress, id), "skip", json_true());
	}
	return progress;
}

static const json_t *find_last(const json_t *records, const char *type)
{
	const json_t *found = NULL;
	json_t *record;
	size_t index;

	json_array_foreach (records, index, record)
		if (strcmp(record_type(record), type) == 0)
			found = record;
	return found;
}

static json_t *never_started(const json_t *planned, const char *id)
{
	return json_pack(
		"{s:s, s:s, s:s, s:I, s:I, s:b, s:{s:s, s:s, s:s, s:s, s:s, s:s}, s:s, s:s, "
		"s:s, s:[], s:{}}",
		"trial", id, "scenario", json_text(planned, "scenario", "unknown"), "bench",
		json_text(planned, "bench", "unknown"), "seed",
		(json_int_t)json_number(planned, "seed", 0), "attempts", (json_int_t)0, "delivered",
		0, "axes", "guest", "none", "migration", "none", "iommu", "none", "host", "none",
		"conversion", "none", "process", "none", "verdict", "infra", "code",
		code_name(CODE_NEVER_STARTED), "reason",
		"never started: the run ended before this trial's turn", "evidence", "metrics");
}

static json_t *damage_of(const json_t *records)
{
	json_t *lines = json_array(), *record;
	size_t index;

	json_array_foreach (records, index, record)
		if (strcmp(record_type(record), JOURNAL_DAMAGE) == 0)
			json_array_append_new(
				lines,
				json_pack("{s:I, s:s}", "line",
					  (json_int_t)json_number(record_body(record), "line", 0),
					  "what", json_text(record_body(record), "what", "")));
	return lines;
}

static json_t *count_verdicts(const json_t *trials, const json_t *pending)
{
	json_t *counts = json_object(), *trial;
	size_t index;

	for (size_t i = 0; i < ARRAY_SIZE(counted); i++)
		json_object_set_new(counts, counted[i], json_integer(0));
	json_array_foreach (trials, index, trial) {
		const char *verdict =
			json_text(trial, "known", NULL) ? "known" : json_text(trial, "verdict", "");
		json_t *count = json_object_get(counts, verdict);

		json_integer_set(count, json_integer_value(count) + 1);
	}
	json_object_set_new(counts, "pending", json_integer((json_int_t)json_array_size(pending)));
	return counts;
}

static void add_flaw(json_t *flaws, struct reason why)
{
	json_array_append_new(flaws, json_string(why.text));
}

static int64_t count_passes(const json_t *records)
{
	__cleanup_json json_t *passed = json_object();
	json_t *record;
	size_t index;

	json_array_foreach (records, index, record) {
		const char *id = json_text(record, "trial", NULL);

		if (!id || !record_is(record, "verdict"))
			continue;
		(void)json_object_del(passed, id);
		if (strcmp(json_text(record_body(record), "verdict", ""), "pass") == 0)
			json_object_set_new(passed, id, json_true());
	}
	return (int64_t)json_object_size(passed);
}

/* The counts in the last record are of the same trials as the journal has. */
static void compare_counts(const json_t *records, const json_t *counts, size_t trials,
			   json_t *flaws)
{
	int64_t all = 0, passed = json_number(counts, "pass", 0), recorded;
	struct reason why;
	const char *name;
	json_t *count;

	if (!json_object_size(counts))
		return;
	json_object_foreach ((json_t *)counts, name, count)
		all += json_integer_value(count);
	if (all != (int64_t)trials) {
		fail(&why, 0, "the end of the run counts %" PRId64 " trials, the journal has %zu",
		     all, trials);
		add_flaw(flaws, why);
	}
	recorded = count_passes(records);
	if (passed != recorded) {
		fail(&why, 0,
		     "the end of the run counts %" PRId64 " passes, the journal records %" PRId64,
		     passed, recorded);
		add_flaw(flaws, why);
	}
}

/* What is missing from a journal that has no damaged line: whole records that somebody or something took out. */
static json_t *flaws_of(const json_t *records, const json_t *progress, bool pending)
{
	const json_t *run = find_last(records, "run"), *end = find_last(records, "end"), *trial;
	json_t *flaws = json_array();
	struct reason why;
	const char *id;

	if (!run)
		fail(&why, 0, "the record of the run is missing");
	else if (!json_array_size(json_object_get(record_body(run), "plan")))
		fail(&why, 0, "the record of the run has no plan");
	else if (!end && !pending)
		fail(&why, 0, "the end of the run is missing");
	else
		why.text[0] = '\0';
	if (why.text[0])
		add_flaw(flaws, why);
	json_object_foreach ((json_t *)progress, id, trial)
		if (run && !json_object_get(trial, "plan")) {
			fail(&why, 0, "trial %.40s is not in the plan of the run", id);
			add_flaw(flaws, why);
		}
	compare_counts(records, json_object_get(record_body(end), "verdicts"),
		       json_object_size(progress), flaws);
	return flaws;
}

/**
 * judge_run - judge a whole journal
 * @records: of the journal; borrowed
 *
 * A trial of the plan without an end is pending as long as the run can be resumed; when the run has
 * ended it is `infra` (never started) or judged by what there is.
 *
 * Return: results.json (docs/verdicts.md), owned by the caller.
 */
json_t *judge_run(const json_t *records)
{
	const json_t *run = record_body(find_last(records, "run"));
	bool ended = find_last(records, "end") != NULL;
	__cleanup_json json_t *progress = read_progress(records);
	__cleanup_json json_t *trials = json_array();
	__cleanup_json json_t *pending = json_array();
	__cleanup_json json_t *damage = damage_of(records);
	__cleanup_json json_t *flaws = NULL;
	json_t *results, *trial;
	const char *id;

	json_object_foreach (progress, id, trial) {
		bool started = json_object_size(trial) > (json_object_get(trial, "plan") ? 1u : 0u);
		/*
		 * What `brinell resume` would do: an end before the fault means another attempt,
		 * unless it was judged.
		 */
		bool closed =
			json_object_get(trial, "verdict") ||
			(json_object_get(trial, "close") &&
			 (json_object_get(trial, "intent") || json_object_get(trial, "skip")));

		if (!ended && !closed)
			json_array_append_new(pending, json_string(id));
		else if (!started)
			json_array_append_new(trials,
					      never_started(json_object_get(trial, "plan"), id));
		else
			json_array_append_new(trials, judge_span(records, trial, id));
	}
	flaws = flaws_of(records, progress, json_array_size(pending) > 0);
	results =
		json_pack("{s:s, s:s, s:b, s:O, s:o, s:O}", "run", json_text(run, "run", "unknown"),
			  "version", json_text(run, "version", "unknown"), "complete",
			  ended && json_array_size(pending) == 0, "trials", trials, "counts",
			  count_verdicts(trials, pending), "pending", pending);
	if (json_array_size(damage))
		json_object_set(results, "damage", damage);
	if (json_array_size(flaws))
		json_object_set(results, "flaws", flaws);
	return results;
}

static int64_t count_of(const json_t *results, const char *verdict)
{
	return json_number(json_object_get(results, "counts"), verdict, 0);
}

/**
 * judge_exit_code - how a run ends on the command line
 * @results: of judge_run()
 *
 * The gravest verdict decides: a failure, then inconclusive, then infra. Trials that are still
 * pending count as infra: they must not look like success. Failures that are known do not count. Passes of a journal
 * that is not whole are inconclusive.
 */
enum brinell_exit judge_exit_code(const json_t *results)
{
	if (count_of(results, "fail"))
		return EXIT_FAILED;
	if (count_of(results, "inconclusive"))
		return EXIT_INCONCLUSIVE;
	if (count_of(results, "infra") || count_of(results, "pending"))
		return EXIT_INFRA;
	return json_object_get(results, "flaws") ? EXIT_INCONCLUSIVE : EXIT_PASSED;
}
