// SPDX-License-Identifier: GPL-2.0-only
/*
 * The results of a run: every planned trial once, one at a time, with counts.
 */
#include <inttypes.h>
#include <string.h>

#include "harness/evidence/record.h"
#include "harness/evidence/vocabulary.h"
#include "harness/judge/judge.h"

/* Of the sources of judge and evidence: the same records give the same verdict. The Makefile makes it. */
#ifndef JUDGE_IDENTITY
#define JUDGE_IDENTITY "unknown"
#endif

/* Pages of the journal are released after so many bytes of trials. */
#define RELEASE_BYTES (8u << 20)

/* What is counted: a failure that the scenario names as known is counted apart. */
static const char *const counted[] = {"pass", "fail", "known", "inconclusive", "infra", "skip"};

static json_t *never_started(const struct journal_trial *trial)
{
	return json_pack(
		"{s:s, s:s, s:s, s:I, s:I, s:b, s:{s:s, s:s, s:s, s:s, s:s, s:s}, s:s, s:s, "
		"s:s, s:[], s:{}}",
		"trial", trial->id, "scenario", trial->scenario, "bench", trial->bench, "seed",
		(json_int_t)trial->seed, "attempts", (json_int_t)0, "delivered", 0, "axes", "guest",
		"none", "migration", "none", "iommu", "none", "host", "none", "conversion", "none",
		"process", "none", "verdict", "infra", "code", code_name(CODE_NEVER_STARTED),
		"reason", "never started: the run ended before this trial's turn", "evidence",
		"metrics");
}

/**
 * judge_seal - a result as the journal keeps it
 * @result:  of judge_trial(); borrowed
 * @records: of the trial's last attempt
 *
 * A report compares the seal in front of it: a verdict of this same judge over the same records is not computed again.
 *
 * Return: body of the verdict record, owned by the caller.
 */
json_t *judge_seal(json_t *result, size_t records)
{
	json_t *body = json_pack("{s:{s:s, s:I}}", "judged", "by", JUDGE_IDENTITY, "records",
				 (json_int_t)records);

	json_object_update(body, result);
	return body;
}

/* Was the recorded verdict given by this judge, and are all the records that it has seen still there? */
static bool is_sealed(const struct journal_trial *trial, struct span *text)
{
	struct span rest = trial->verdict, key, seal;
	int64_t records;

	if (!trial->judged || !trial->closed || trial->damaged ||
	    !scan_next(&rest, '{', &key, &seal) || !span_is(key, "judged") ||
	    !span_is(scan_string(scan_member(seal, "by")), JUDGE_IDENTITY) ||
	    !scan_number(scan_member(seal, "records"), &records) ||
	    records != (int64_t)trial->records || rest.length < 2 || *rest.text != ',')
		return false;
	*text = (struct span){rest.text + 1, rest.length - 1};
	return true;
}

/** judge_is_brief - a scan_wanted_fn: how a trial ended, without evidence and details; of the metrics its time */
bool judge_is_brief(struct span parent, struct span key)
{
	if (span_is(parent, "metrics"))
		return span_is(key, "trial_time");
	return parent.length || !(span_is(key, "evidence") || span_is(key, "checks"));
}

/**
 * judge_result - the result of one trial
 * @index:   of the journal
 * @options: how
 * @judged:  {.trial} of the index; receives the rest but the number; judged_free()
 */
void judge_result(const struct journal_index *index, const struct judge_options *options,
		  struct judged *judged)
{
	const struct journal_trial *trial = judged->trial;

	if (trial->begin == trial->end) {
		judged->result = never_started(trial);
	} else if (!options->again && is_sealed(trial, &judged->text)) {
		judged->result = scan_decode(trial->verdict, options->wanted);
		json_object_del(judged->result, "judged");
	}
	if (!judged->result) {
		judged->text = (struct span){"", 0};
		judged->records = journal_index_records(index, trial);
		judged->result = judge_trial(judged->records, trial->id);
	}
	judged->name = trial->scenario ? format_text("%s %u", trial->scenario, trial->turn)
				       : xstrdup(json_text(judged->result, "scenario", "unknown"));
}

/** judged_free - free what judge_result() made */
void judged_free(struct judged *judged)
{
	json_decref(judged->result);
	json_decref(judged->records);
	free(judged->name);
}

/** judge_counts - counts of verdicts, all zero; owned by the caller */
json_t *judge_counts(void)
{
	json_t *counts = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(counted); i++)
		json_object_set_new(counts, counted[i], json_integer(0));
	json_object_set_new(counts, "pending", json_integer(0));
	return counts;
}

/** judge_count - add a result to counts; NULL: a trial that is pending */
void judge_count(json_t *counts, const json_t *result)
{
	const char *verdict = !result				 ? "pending"
			      : json_text(result, "known", NULL) ? "known"
								 : json_text(result, "verdict", "");
	json_t *count = json_object_get(counts, verdict);

	json_integer_set(count, json_integer_value(count) + 1);
}

static json_t *damage_of(const struct journal_index *index)
{
	json_t *lines = json_array();

	for (size_t i = 0; i < index->mark_count; i++)
		json_array_append_new(lines, json_pack("{s:I, s:s}", "line",
						       (json_int_t)index->marks[i].line, "what",
						       index->marks[i].what));
	return lines;
}

static const json_t *find_run(const struct journal_index *index)
{
	const json_t *found = NULL;
	json_t *record;
	size_t place;

	json_array_foreach (index->about, place, record)
		if (json_is(record, "type", "run"))
			found = json_object_get(record, "body");
	return found;
}

static void add_flaw(json_t *flaws, struct reason why)
{
	json_array_append_new(flaws, json_string(why.text));
}

/* The counts in the last record are of the same trials as the journal has. */
static void compare_counts(const struct journal_index *index, json_t *flaws)
{
	const json_t *counts = json_object_get(index->ended, "verdicts");
	int64_t all = 0, passed = json_number(counts, "pass", 0), recorded = 0;
	struct reason why;
	const char *name;
	json_t *count;

	if (!json_object_size(counts))
		return;
	json_object_foreach ((json_t *)counts, name, count)
		all += json_integer_value(count);
	if (all != (int64_t)index->count) {
		fail(&why, 0, "the end of the run counts %" PRId64 " trials, the journal has %zu",
		     all, index->count);
		add_flaw(flaws, why);
	}
	for (size_t i = 0; i < index->count; i++)
		recorded += strcmp(index->trials[i].recorded, "pass") == 0;
	if (passed != recorded) {
		fail(&why, 0,
		     "the end of the run counts %" PRId64 " passes, the journal records %" PRId64,
		     passed, recorded);
		add_flaw(flaws, why);
	}
}

/**
 * judge_is_pending - whether `brinell resume` would run a trial: an end before the fault means another attempt, unless it was
 * judged
 */
bool judge_is_pending(const struct journal_index *index, const struct journal_trial *trial)
{
	return !index->ended && !trial->judged &&
	       !(trial->closed && (trial->intended || trial->skipped));
}

/**
 * judge_flaws - what is missing from a journal that has no damaged line: whole records that were removed
 *
 * Return: array of texts, empty for a journal that is whole; owned by the caller.
 */
json_t *judge_flaws(const struct journal_index *index)
{
	const json_t *run = find_run(index);
	json_t *flaws = json_array();
	bool pending = false;
	struct reason why;

	for (size_t i = 0; i < index->count && !pending; i++)
		pending = judge_is_pending(index, &index->trials[i]);
	if (!run)
		fail(&why, 0, "the record of the run is missing");
	else if (!index->planned)
		fail(&why, 0, "the record of the run has no plan");
	else if (index->planned_twice)
		fail(&why, 0, "the plan of the run has a trial more than once");
	else if (!index->ended && !pending)
		fail(&why, 0, "the end of the run is missing");
	else
		why.text[0] = '\0';
	if (why.text[0])
		add_flaw(flaws, why);
	for (size_t i = 0; run && i < index->count; i++)
		if (!index->trials[i].scenario) {
			fail(&why, 0, "trial %.40s is not in the plan of the run",
			     index->trials[i].id);
			add_flaw(flaws, why);
		}
	compare_counts(index, flaws);
	return flaws;
}

static int hand_over(const struct journal_index *index, const struct judge_options *options,
		     const struct journal_trial *trial, size_t number, json_t *counts,
		     judged_fn each, void *context)
{
	struct judged judged = {.number = number, .trial = trial};
	int error;

	judge_result(index, options, &judged);
	judge_count(counts, judged.result);
	error = each ? each(context, &judged) : 0;
	judged_free(&judged);
	return error;
}

/**
 * struct reading - pages of the journal that were read and not released
 * @begin, @end: offsets between which they are
 * @bytes: of the trials there
 */
struct reading {
	size_t begin, end, bytes;
};

static void release(const struct journal_index *index, const struct journal_trial *trial,
		    struct reading *reading)
{
	if (!reading->bytes || trial->begin < reading->begin)
		reading->begin = trial->begin;
	if (trial->end > reading->end)
		reading->end = trial->end;
	reading->bytes += trial->end - trial->begin;
	if (reading->bytes < RELEASE_BYTES)
		return;
	journal_index_release(index, reading->begin, reading->end);
	*reading = (struct reading){0};
}

static json_t *summary_of(const struct journal_index *index, json_t *counts, json_t *pending)
{
	const json_t *run = find_run(index);
	__cleanup_json json_t *damage = damage_of(index);
	__cleanup_json json_t *flaws = judge_flaws(index);
	json_t *summary =
		json_pack("{s:s, s:s, s:b, s:O, s:O}", "run", json_text(run, "run", "unknown"),
			  "version", json_text(run, "version", "unknown"), "complete",
			  index->ended && json_array_size(pending) == 0, "counts", counts,
			  "pending", pending);

	if (json_array_size(damage))
		json_object_set(summary, "damage", damage);
	if (json_array_size(flaws))
		json_object_set(summary, "flaws", flaws);
	return summary;
}

/**
 * judge_run - the results of a whole journal
 * @index:   of the journal
 * @options: how
 * @each:    gets each trial that has a result, in the order of the plan; not 0 ends it. May be NULL
 * @context: for @each
 * @summary: receives results.json (docs/verdicts.md) without the trials; owned by the caller
 *
 * A trial of the plan without an end is pending as long as the run can be resumed; when the run has
 * ended it is `infra` (never started) or judged by what there is.
 *
 * Return: 0, or what @each returned.
 */
int judge_run(const struct journal_index *index, const struct judge_options *options,
	      judged_fn each, void *context, json_t **summary)
{
	__cleanup_json json_t *counts = judge_counts();
	__cleanup_json json_t *pending = json_array();
	struct reading reading = {0};
	size_t number = 0;
	int error = 0;

	for (size_t i = 0; i < index->count && !error; i++) {
		if (judge_is_pending(index, &index->trials[i])) {
			json_array_append_new(pending, json_string(index->trials[i].id));
			judge_count(counts, NULL);
		} else {
			error = hand_over(index, options, &index->trials[i], ++number, counts, each,
					  context);
			release(index, &index->trials[i], &reading);
		}
	}
	*summary = summary_of(index, counts, pending);
	return error;
}

static int64_t count_of(const json_t *summary, const char *verdict)
{
	return json_number(json_object_get(summary, "counts"), verdict, 0);
}

/**
 * judge_exit_code - how a run ends on the command line
 * @summary: of judge_run()
 *
 * The gravest verdict decides: a failure, then inconclusive, then infra. Trials that are still
 * pending count as infra: they must not look like success. Failures that are known do not count. Passes of a journal
 * that is not whole are inconclusive.
 */
enum brinell_exit judge_exit_code(const json_t *summary)
{
	if (count_of(summary, "fail"))
		return EXIT_FAILED;
	if (count_of(summary, "inconclusive"))
		return EXIT_INCONCLUSIVE;
	if (count_of(summary, "infra") || count_of(summary, "pending"))
		return EXIT_INFRA;
	return json_object_get(summary, "flaws") ? EXIT_INCONCLUSIVE : EXIT_PASSED;
}
