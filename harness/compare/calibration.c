// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calibration of a bench: the noise of each metric over boots without any change, the number of boots that a comparison needs,
 * and the rate of false alarms when the bench is compared with itself.
 */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "harness/compare/calibration.h"
#include "harness/compare/fingerprint.h"
#include "harness/compare/rounds.h"
#include "harness/compare/table.h"
#include "harness/stats/stats.h"
#include "reports/measured.h"
#include "reports/text.h"

#define POWER 0.8
/* The default number of boots of a side of a comparison. */
#define BOOTS_USUAL 8
#define CHANGE_LEVEL 0.01

/* The median of a boot, and the number of its run, in the order of time. */
struct boot_value {
	double value;
	size_t run;
};

struct series {
	const char *scenario, *metric, *unit;
	double budget;
	struct boot_value *all;
	size_t count;
};

/**
 * struct bench_runs - the runs of a calibration
 * @sides: results of compare_load(), in the order of time
 * @all:   all metrics measured in them
 */
struct bench_runs {
	const json_t *plan;
	json_t *sides;
	struct series *all;
	size_t count;
};

static void runs_free(struct bench_runs *runs)
{
	for (size_t i = 0; i < runs->count; i++)
		free(runs->all[i].all);
	free(runs->all);
	json_decref(runs->sides);
}

/* Return: NULL if the scenario declares its metrics, without this one. */
static struct series *series_of(struct bench_runs *runs, const json_t *side, const char *scenario,
				const char *metric)
{
	const json_t *budgets = json_object_get(json_object_get(side, "budgets"), scenario);
	const json_t *known = json_object_get(
		json_object_get(json_object_get(side, "metrics"), scenario), metric);
	const json_t *budget = json_object_get(budgets, metric);

	if (json_object_size(budgets) && !budget)
		return NULL;
	for (size_t i = 0; i < runs->count; i++)
		if (strcmp(runs->all[i].scenario, scenario) == 0 &&
		    strcmp(runs->all[i].metric, metric) == 0)
			return &runs->all[i];
	runs->all = xreallocarray(runs->all, runs->count + 1, sizeof(*runs->all));
	runs->all[runs->count] =
		(struct series){.scenario = scenario,
				.metric = metric,
				.unit = json_text(known, "unit", ""),
				.budget = json_is_number(budget)
						  ? json_number_value(budget)
						  : table_number(runs->plan, "budget", 0)};
	return &runs->all[runs->count++];
}

static int take_boots(struct series *series, size_t run, const json_t *boots)
{
	json_t *samples;
	const char *boot;

	json_object_foreach ((json_t *)boots, boot, samples) {
		double median;
		int error = measured_boot(samples, &median);

		if (error)
			return error;
		series->all = xreallocarray(series->all, series->count + 1, sizeof(*series->all));
		series->all[series->count++] = (struct boot_value){median, run};
	}
	return 0;
}

static int take_run(struct bench_runs *runs, size_t run, struct reason *why)
{
	const json_t *side = json_array_get(runs->sides, run);
	const char *scenario, *name;
	json_t *metrics, *metric;

	json_object_foreach (json_object_get(side, "metrics"), scenario, metrics) {
		json_object_foreach (metrics, name, metric) {
			struct series *series = series_of(runs, side, scenario, name);
			int error =
				series ? take_boots(series, run, json_object_get(metric, "boots"))
				       : 0;

			if (error)
				return fail(why, error, "%s: %s %s: %s",
					    json_text(side, "directory", ""), scenario, name,
					    strerror(-error));
		}
	}
	return 0;
}

/* Load the runs, which must be of the same machine with the same software. */
static int load_runs(struct bench_runs *runs, const json_t *directories, struct reason *why)
{
	json_t *directory;
	size_t index;

	json_array_foreach ((json_t *)directories, index, directory) {
		const char *path = json_string_value(directory);
		__cleanup_json json_t *differences = NULL;
		json_t *side = NULL;
		int error = compare_load(path, &path, 1, &side, why);

		if (error)
			return error;
		json_array_append_new(runs->sides, side);
		differences = fingerprint_differences(
			json_object_get(json_array_get(runs->sides, 0), "fingerprint"),
			json_object_get(side, "fingerprint"),
			json_text(runs->plan, "across", NULL));
		if (json_array_size(differences))
			return fail(why, -EINVAL,
				    "%s has another fingerprint than the runs before: %s differs",
				    path, json_text(json_array_get(differences, 0), "part", ""));
		error = take_run(runs, index, why);
		if (error)
			return error;
	}
	return 0;
}

/* A B B A A B B A, or one side after the other. */
static bool is_b(size_t place, bool in_turns)
{
	return in_turns ? (place + 1) / 2 % 2 : place >= CALIBRATION_WINDOW;
}

/* Compares runs from @from on with each other. @alarm: receives 1 or -1 for an increase or a decrease, 0 for none. Return: whether the test could show one. */
static bool compare_window(const struct series *series, size_t from, bool in_turns, double alpha,
			   int *alarm)
{
	__cleanup_free double *a = xcalloc(series->count, sizeof(*a));
	__cleanup_free double *b = xcalloc(series->count, sizeof(*b));
	size_t a_count = 0, b_count = 0;
	struct rank_test test;
	struct estimate shift, base;

	*alarm = 0;
	for (size_t i = 0; i < series->count; i++) {
		size_t place = series->all[i].run - from;

		if (series->all[i].run < from || place >= 2 * CALIBRATION_WINDOW)
			continue;
		if (is_b(place, in_turns))
			b[b_count++] = series->all[i].value;
		else
			a[a_count++] = series->all[i].value;
	}
	if (!a_count || !b_count || stats_least_p(a_count, b_count) > alpha ||
	    stats_mann_whitney(a, a_count, b, b_count, &test) ||
	    stats_shift(a, a_count, b, b_count, 0.95, &shift) ||
	    stats_median(a, a_count, 0.95, &base))
		return false;
	if (test.p < alpha && fabs(shift.value) > series->budget / 100 * fabs(base.value))
		*alarm = shift.value > 0 ? 1 : -1;
	return true;
}

/**
 * struct alarms - false alarms of a bench
 * @rows:      number of comparisons of a metric
 * @alarms:    number of comparisons with an alarm
 * @repeated:  number of alarms that are followed by enough runs for a second round
 * @confirmed: number of these that the second round confirms by a change in the same direction
 */
struct alarms {
	size_t rows, alarms, repeated, confirmed;
};

static void count_alarms(const struct bench_runs *runs, const struct series *series, bool in_turns,
			 struct alarms *count)
{
	double alpha = table_number(runs->plan, "alpha", 0);
	size_t round = 2 * CALIBRATION_WINDOW, all = json_array_size(runs->sides);

	for (size_t from = 0; from + round <= all; from++) {
		int alarm, second;

		count->rows += compare_window(series, from, in_turns, alpha, &alarm);
		count->alarms += alarm != 0;
		if (!alarm || from + 2 * round > all ||
		    !compare_window(series, from + round, in_turns, alpha, &second))
			continue;
		count->repeated++;
		count->confirmed += second == alarm;
	}
}

static double share(size_t part, size_t whole)
{
	return whole ? (double)part / (double)whole * 100 : 0;
}

static json_t *count_all_alarms(const struct bench_runs *runs, bool in_turns)
{
	struct alarms count = {0};

	for (size_t i = 0; i < runs->count; i++)
		count_alarms(runs, &runs->all[i], in_turns, &count);
	return json_pack("{s:I, s:I, s:f, s:I, s:I}", "alarms", (json_int_t)count.alarms, "rows",
			 (json_int_t)count.rows, "percent", share(count.alarms, count.rows),
			 "repeated", (json_int_t)count.repeated, "confirmed",
			 (json_int_t)count.confirmed);
}

/* Return: number of the run at which the metric changed without a cause; 0: none. */
static size_t changed_at(const struct series *series)
{
	__cleanup_free double *values = xcalloc(series->count, sizeof(*values));
	__cleanup_free size_t *points = xcalloc(series->count, sizeof(*points));
	size_t found;

	for (size_t i = 0; i < series->count; i++)
		values[i] = series->all[i].value;
	if (stats_change_points(values, series->count, CHANGE_LEVEL, 1, points, &found) || !found)
		return 0;
	return series->all[points[0]].run + 1;
}

static json_t *wanted(double budget, double noise, double level)
{
	size_t boots = stats_samples_needed(budget, noise, level, POWER, BOOTS_MOST);

	return boots > BOOTS_MOST ? json_null() : json_integer((json_int_t)boots);
}

static json_t *describe(const struct bench_runs *runs, const struct series *series)
{
	__cleanup_free double *values = xcalloc(series->count, sizeof(*values));
	double level = table_number(runs->plan, "alpha", 0) / (double)runs->count, noise, seen;
	size_t change = changed_at(series);
	struct alarms count = {0};
	struct estimate median;
	json_t *row;

	for (size_t i = 0; i < series->count; i++)
		values[i] = series->all[i].value;
	if (stats_median(values, series->count, 0.95, &median) ||
	    stats_deviation(values, series->count, &noise))
		return NULL;
	noise = noise > 0 ? noise / fabs(median.value) * 100 : 0;
	if (!isfinite(noise))
		return NULL;
	seen = stats_shift_seen(noise, BOOTS_USUAL, BOOTS_USUAL, level, POWER);
	count_alarms(runs, series, true, &count);
	row = json_pack("{s:s, s:s, s:s, s:I, s:f, s:f, s:f, s:o, s:o, s:I, s:I}", "scenario",
			series->scenario, "metric", series->metric, "unit", series->unit, "boots",
			(json_int_t)series->count, "median", median.value, "noise_percent", noise,
			"budget_percent", series->budget, "boots_wanted",
			wanted(series->budget, noise, level), "seen_percent",
			isfinite(seen) ? json_real(seen) : json_null(), "alarms",
			(json_int_t)count.alarms, "rows", (json_int_t)count.rows);
	if (change)
		json_object_set_new(row, "changed_at", json_integer((json_int_t)change));
	return row;
}

static json_t *describe_all(const struct bench_runs *runs)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < runs->count; i++) {
		json_t *row = describe(runs, &runs->all[i]);

		if (row)
			json_array_append_new(rows, row);
	}
	return rows;
}

/* The scenarios may run on several benches. */
static json_t *benches_text(const json_t *fingerprint)
{
	__cleanup_free char *text = NULL;
	const char *bench;
	json_t *yes;

	json_object_foreach (json_object_get(fingerprint, "bench"), bench, yes)
		append_text(&text, ", ", "%s", bench);
	return json_string(text ?: "");
}

/**
 * calibration_make - compute a calibration from runs of a bench
 * @directory:   of the runs of rounds_make(); receives CALIBRATION_FILE
 * @plan:        of the runs, with equal sides
 * @calibration: receives {"bench", "fingerprint", "runs", "metrics": [{"scenario", "metric", "noise_percent",
 *               "boots_wanted", ...}], "in_turns", "in_sequence": {"alarms", "rows", "percent", "repeated", "confirmed"}}; owned by the caller
 * @why:         filled on an error
 *
 * An alarm is a metric that changed without a cause: p below alpha and a change above its budget, before Holm's method. Each
 * 2 * CALIBRATION_WINDOW successive runs are split into two sides and compared: in turns, as `brinell compare --a --b` does, and
 * one side after the other, as with existing runs.
 *
 * Return: 0; -ENODATA if nothing was measured; or another -errno.
 */
int calibration_make(const char *directory, const json_t *plan, json_t **calibration,
		     struct reason *why)
{
	__cleanup_json json_t *directories = rounds_directories(directory, plan);
	__cleanup_json json_t *made = NULL;
	struct bench_runs runs = {.plan = plan, .sides = json_array()};
	const json_t *fingerprint;
	int error = load_runs(&runs, directories, why);

	if (!error && !runs.count)
		error = fail(why, -ENODATA, "%s: no passed trial has a metric", directory);
	if (!error) {
		fingerprint = json_object_get(json_array_get(runs.sides, 0), "fingerprint");
		made = json_pack("{s:i, s:s, s:I, s:o, s:O, s:I, s:O, s:o, s:o, s:o}",
				 "calibration", 1, "directory", directory, "time",
				 (json_int_t)time(NULL), "bench", benches_text(fingerprint),
				 "fingerprint", fingerprint, "runs",
				 (json_int_t)json_array_size(directories), "alpha",
				 json_object_get(plan, "alpha"), "metrics", describe_all(&runs),
				 "in_turns", count_all_alarms(&runs, true), "in_sequence",
				 count_all_alarms(&runs, false));
		error = write_json_atomically(directory, CALIBRATION_FILE, made);
		if (error)
			fail_errno(why, error, "%s/%s", directory, CALIBRATION_FILE);
	}
	runs_free(&runs);
	if (!error)
		*calibration = steal(made);
	return error;
}

static void fill_row(const json_t *row, char *cells[TABLE_COLUMNS])
{
	const json_t *seen = json_object_get(row, "seen_percent");
	const json_t *boots = json_object_get(row, "boots_wanted");
	__cleanup_free char *median =
		table_value(table_number(row, "median", 0), json_text(row, "unit", ""));

	cells[0] =
		format_text("%s %s", json_text(row, "scenario", ""), json_text(row, "metric", ""));
	cells[1] = format_text("%s ±%.1f%% (%lld)", median, table_number(row, "noise_percent", 0),
			       (long long)json_number(row, "boots", 0));
	cells[2] = json_is_number(seen) ? format_text("%.1f%%", json_number_value(seen))
					: xstrdup("nothing");
	cells[3] = format_text("%g%%", table_number(row, "budget_percent", 0));
	cells[4] = json_is_integer(boots)
			   ? format_text("%lld", (long long)json_integer_value(boots))
			   : format_text("more than %d", BOOTS_MOST);
	cells[5] = json_object_get(row, "changed_at")
			   ? format_text("%lld of %lld, changed at run %lld",
					 (long long)json_number(row, "alarms", 0),
					 (long long)json_number(row, "rows", 0),
					 (long long)json_number(row, "changed_at", 0))
			   : format_text("%lld of %lld", (long long)json_number(row, "alarms", 0),
					 (long long)json_number(row, "rows", 0));
}

static void print_alarms(FILE *out, const char *how, const json_t *share)
{
	fprintf(out, "%s: %lld of %lld (%.1f %%), confirmed %lld of %lld%s\n", how,
		(long long)json_number(share, "alarms", 0),
		(long long)json_number(share, "rows", 0), table_number(share, "percent", 0),
		(long long)json_number(share, "confirmed", 0),
		(long long)json_number(share, "repeated", 0),
		table_number(share, "percent", 0) > CALIBRATION_LIMIT_PERCENT
			? "; every such comparison on this bench will warn of it"
			: "");
}

/**
 * calibration_print - print a calibration as a table
 * @out:         stream
 * @calibration: of calibration_make()
 */
void calibration_print(FILE *out, const json_t *calibration)
{
	static const char *const heads[TABLE_COLUMNS] = {
		"", "median ± noise (boots)", "8 boots show", "budget", "boots for it", "alarms"};
	const json_t *rows = json_object_get(calibration, "metrics");
	size_t count = json_array_size(rows) + 1, index;
	char *(*cells)[TABLE_COLUMNS] = xcalloc(count, sizeof(*cells));
	json_t *row;

	for (size_t i = 0; i < TABLE_COLUMNS; i++)
		cells[0][i] = xstrdup(heads[i]);
	json_array_foreach (rows, index, row)
		fill_row(row, cells[index + 1]);
	text_line(out, "%s: %lld runs without any change, of the bench %s\n",
		  json_text(calibration, "directory", ""),
		  (long long)json_number(calibration, "runs", 0),
		  json_text(calibration, "bench", ""));
	table_cells(out, cells, count);
	for (size_t i = 0; i < count * TABLE_COLUMNS; i++)
		free(cells[i / TABLE_COLUMNS][i % TABLE_COLUMNS]);
	free(cells);
	fprintf(out,
		"\nNoise is the standard deviation of the boots. Boots are those of each side "
		"that find the change with\nprobability 0.8 when all %zu metrics are compared.\n"
		"False alarms of %d boots against %d, of a single metric, and how many of them the "
		"runs after it confirm:\n",
		json_array_size(rows), CALIBRATION_WINDOW, CALIBRATION_WINDOW);
	print_alarms(out, "  sides in turns (compare --a --b)",
		     json_object_get(calibration, "in_turns"));
	print_alarms(out, "  one after the other (compare DIR DIR)",
		     json_object_get(calibration, "in_sequence"));
}

static json_t *load(const char *place, const char *name)
{
	__cleanup_free char *path = format_text("%s/%s/%s", place, name, CALIBRATION_FILE);
	json_t *loaded = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);

	if (loaded && json_number(loaded, "calibration", 0) == 1 &&
	    json_is_array(json_object_get(loaded, "metrics")))
		return loaded;
	json_decref(loaded);
	return NULL;
}

/* Whether a calibration is of that bench, and has one of these scenarios. */
static bool is_of(const json_t *calibration, const char *bench, const json_t *scenarios)
{
	const json_t *fingerprint = json_object_get(calibration, "fingerprint");
	json_t *row;
	size_t index;

	if (!json_object_get(json_object_get(fingerprint, "bench"), bench))
		return false;
	json_array_foreach (json_object_get(calibration, "metrics"), index, row)
		if (json_object_get(scenarios, json_text(row, "scenario", "")))
			return true;
	return false;
}

/**
 * calibration_find - find the last calibration of a bench
 * @places:    directories with directories of calibrations; they need not exist
 * @count:     number of @places
 * @bench:     name of the bench
 * @scenarios: {NAME: ...}: the calibration must have one of these
 *
 * Return: the calibration, owned by the caller; NULL: there is none.
 */
json_t *calibration_find(const char *const places[], size_t count, const char *bench,
			 const json_t *scenarios)
{
	json_t *best = NULL;

	for (size_t i = 0; i < count; i++) {
		__cleanup_directory DIR *directory = opendir(places[i]);
		struct dirent *entry;

		while (directory && (entry = readdir(directory))) {
			json_t *each = load(places[i], entry->d_name);

			if (is_of(each, bench, scenarios) &&
			    (!best ||
			     json_number(each, "time", 0) > json_number(best, "time", 0))) {
				json_decref(best);
				best = json_incref(each);
			}
			json_decref(each);
		}
	}
	return best;
}

/**
 * calibration_boots - number of boots that a comparison needs
 * @calibration: of calibration_find()
 * @scenarios:   {NAME: ...}: those of the comparison
 * @alpha:       of the comparison
 * @beyond:      receives the rows of metrics for which BOOTS_MOST is not enough; owned by the caller
 *
 * Return: boots of each side that show the budgets of all other metrics; 0: the calibration has none of these scenarios.
 */
size_t calibration_boots(const json_t *calibration, const json_t *scenarios, double alpha,
			 json_t **beyond)
{
	__cleanup_json json_t *rows = json_array();
	size_t most = 0, index;
	json_t *row;

	*beyond = json_array();
	json_array_foreach (json_object_get(calibration, "metrics"), index, row)
		if (json_object_get(scenarios, json_text(row, "scenario", "")))
			json_array_append(rows, row);
	json_array_foreach (rows, index, row) {
		size_t boots = stats_samples_needed(table_number(row, "budget_percent", 0),
						    table_number(row, "noise_percent", 0),
						    alpha / (double)json_array_size(rows), POWER,
						    BOOTS_MOST);

		if (boots > BOOTS_MOST)
			json_array_append(*beyond, row);
		else if (boots > most)
			most = boots;
	}
	return most;
}

/* Add the number of boots that would be enough to the note of a row that is too noisy. */
static void apply_row(const json_t *known, double level, json_t *row)
{
	double budget = table_number(row, "budget_percent", 0);
	json_t *boots = wanted(budget, table_number(known, "noise_percent", 0), level);
	const char *note = json_text(row, "note", "");

	if (json_is(row, "verdict", "too-noisy") && json_is_integer(boots))
		json_object_set_new(row, "note",
				    json_sprintf("%s%s%lld boots on each side show %g %%", note,
						 *note ? "; " : "",
						 (long long)json_integer_value(boots), budget));
	json_object_set_new(row, "boots_wanted", boots);
}

/**
 * calibration_brief - summarize a calibration for reports of a bench
 * @calibration: of calibration_find()
 * @in_turns:    the sides take turns
 *
 * Return: {"directory", "time", "in_turns", "false_alarms", "noisy"}, owned by the caller.
 */
json_t *calibration_brief(const json_t *calibration, bool in_turns)
{
	const json_t *share = json_object_get(calibration, in_turns ? "in_turns" : "in_sequence");

	return json_pack("{s:O, s:O, s:b, s:O, s:b}", "directory",
			 json_object_get(calibration, "directory"), "time",
			 json_object_get(calibration, "time"), "in_turns", in_turns, "false_alarms",
			 share, "noisy",
			 table_number(share, "percent", 0) > CALIBRATION_LIMIT_PERCENT);
}

/* Return: part of the machine that changed since the calibration, so that its noise may differ; NULL: none. Kernels may differ. */
static const char *changed_part(const json_t *calibration, const json_t *comparison)
{
	static const char *const parts[] = {"machine", "cpu",	 "microcode", "processors",
					    "smt",     "memory", "firmware",  "governor"};
	const json_t *then = json_object_get(calibration, "fingerprint"), *now;
	const char *value;
	json_t *yes;

	now = json_object_get(json_object_get(comparison, "a"), "fingerprint");
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const json_t *known = json_object_get(then, parts[i]);

		json_object_foreach (json_object_get(now, parts[i]), value, yes)
			if (known && !json_object_get(known, value))
				return parts[i];
	}
	return NULL;
}

/**
 * calibration_apply - add a calibration to a comparison
 * @calibration: of calibration_find()
 * @in_turns:    the sides take turns
 * @comparison:  of compare_runs(); receives "calibration", and "boots_wanted" in each row of a calibrated metric. Nothing is added
 *               if the machine changed since
 */
void calibration_apply(const json_t *calibration, bool in_turns, json_t *comparison)
{
	json_t *rows = json_object_get(comparison, "metrics"), *row;
	double level = table_number(comparison, "alpha", 0) / (double)json_array_size(rows);
	const char *changed = changed_part(calibration, comparison);
	size_t index;

	if (changed) {
		log_warning("the calibration %s is of another %s, and does not apply to this "
			    "bench any more",
			    json_text(calibration, "directory", ""), changed);
		return;
	}
	json_object_set_new(comparison, "calibration", calibration_brief(calibration, in_turns));
	json_array_foreach (rows, index, row) {
		const json_t *known = table_row_like(json_object_get(calibration, "metrics"), row);

		if (known)
			apply_row(known, level, row);
	}
}

/**
 * calibration_warning - warning of a report about a bench with many false alarms
 * @brief: of calibration_brief(); may be NULL
 *
 * Return: the text, owned by the caller; NULL: none.
 */
char *calibration_warning(const json_t *brief)
{
	const json_t *share = json_object_get(brief, "false_alarms");

	if (!json_is_true(json_object_get(brief, "noisy")))
		return NULL;
	return format_text(
		"This bench raises false alarms: a metric changed without a cause in %lld of "
		"%lld comparisons (%.1f %%, more than %d %%) with the sides %s, see %s.",
		(long long)json_number(share, "alarms", 0),
		(long long)json_number(share, "rows", 0), table_number(share, "percent", 0),
		CALIBRATION_LIMIT_PERCENT,
		json_is_true(json_object_get(brief, "in_turns")) ? "in turns"
								 : "one after the other",
		json_text(brief, "directory", ""));
}
