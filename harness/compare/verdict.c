// SPDX-License-Identifier: GPL-2.0-only
/*
 * Comparison of two sides: a verdict for each metric and for each rate of failure.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "harness/compare/compare.h"
#include "harness/compare/fingerprint.h"
#include "harness/stats/stats.h"

#define CONFIDENCE 0.95
#define POWER 0.8
#define RESAMPLES 1000

/* The samples of one side, in blocks of a boot, and the median of each boot. */
struct side {
	double *samples, *medians;
	struct block *boots;
	size_t count, boot_count;
};

struct pair {
	struct side a, b;
	struct rank_test test;
	struct estimate shift;
	double base;
	json_t *row;
};

static void free_side(struct side *side)
{
	free(side->samples);
	free(side->medians);
	free(side->boots);
}

static int fill_side(struct side *side, const json_t *metric)
{
	json_t *boots = json_object_get(metric, "boots"), *samples, *sample;
	size_t total = 0, index;
	const char *boot;

	json_object_foreach (boots, boot, samples)
		total += json_array_size(samples);
	if (!total)
		return -ENODATA;
	side->samples = xcalloc(total, sizeof(*side->samples));
	side->medians = xcalloc(json_object_size(boots), sizeof(*side->medians));
	side->boots = xcalloc(json_object_size(boots), sizeof(*side->boots));
	json_object_foreach (boots, boot, samples) {
		struct block *block = &side->boots[side->boot_count];
		struct estimate median;
		int error;

		if (!json_array_size(samples))
			continue;
		*block = (struct block){side->samples + side->count, json_array_size(samples)};
		json_array_foreach (samples, index, sample)
			side->samples[side->count++] = json_real_value(sample);
		error = stats_median(block->samples, block->count, CONFIDENCE, &median);
		if (error)
			return error;
		side->medians[side->boot_count++] = median.value;
	}
	return 0;
}

/* JSON has no infinity: an unknown limit is null. */
static json_t *real(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static double percent(double value, double base)
{
	return value == 0 ? 0 : value / fabs(base) * 100;
}

static json_t *estimate_json(struct estimate estimate, double base)
{
	return json_pack("{s:o, s:o, s:o}", "value", real(percent(estimate.value, base)), "low",
			 real(percent(estimate.low, base)), "high",
			 real(percent(estimate.high, base)));
}

/* Return: raw samples, a list for each boot. */
static json_t *values_of(const struct side *side)
{
	json_t *boots = json_array();

	for (size_t i = 0; i < side->boot_count; i++) {
		json_t *samples = json_array();

		for (size_t j = 0; j < side->boots[i].count; j++)
			json_array_append_new(samples, json_real(side->boots[i].samples[j]));
		json_array_append_new(boots, samples);
	}
	return boots;
}

static int describe_side(const struct side *side, struct estimate *median, json_t **json)
{
	int error = stats_median(side->medians, side->boot_count, CONFIDENCE, median);

	if (!error)
		*json = json_pack("{s:o, s:o, s:o, s:I, s:I, s:b, s:o}", "median",
				  real(median->value), "low", real(median->low), "high",
				  real(median->high), "boots", (json_int_t)side->boot_count,
				  "samples", (json_int_t)side->count, "two_humps",
				  stats_two_humps(side->samples, side->count), "values",
				  values_of(side));
	return error;
}

static void conclude(json_t *row, const char *verdict, const char *note)
{
	json_object_set_new(row, "verdict", json_string(verdict));
	if (note)
		json_object_set_new(row, "note", json_string(note));
}

/* Samples of one boot are not independent, so the test compares the medians of the boots. */
static int measure(struct pair *pair, const struct compare_options *options)
{
	const struct side *a = &pair->a, *b = &pair->b;
	struct estimate median, other, drawn;
	json_t *json = NULL;
	int error = describe_side(a, &median, &json);

	if (error)
		return error;
	json_object_set_new(pair->row, "a", json);
	error = describe_side(b, &other, &json);
	if (error)
		return error;
	json_object_set_new(pair->row, "b", json);
	pair->base = median.value;
	error = stats_mann_whitney(a->medians, a->boot_count, b->medians, b->boot_count,
				   &pair->test)
			?: stats_shift(a->medians, a->boot_count, b->medians, b->boot_count,
				       CONFIDENCE, &pair->shift);
	if (error)
		return error;
	json_object_update_new(
		pair->row,
		json_pack("{s:o, s:f, s:f, s:b}", "change_percent",
			  estimate_json(pair->shift, pair->base), "cliff_delta",
			  stats_cliff_delta(a->medians, a->boot_count, b->medians, b->boot_count),
			  "p", pair->test.p, "exact", pair->test.exact));
	if (a->count == a->boot_count && b->count == b->boot_count)
		return 0;
	error = stats_bootstrap((struct blocks){a->boots, a->boot_count},
				(struct blocks){b->boots, b->boot_count}, RESAMPLES, options->seed,
				CONFIDENCE, &drawn);
	if (!error)
		json_object_set_new(pair->row, "bootstrap_percent",
				    estimate_json(drawn, pair->base));
	return error;
}

static const char *incomparable(const json_t *a, const json_t *b)
{
	if (!a && !b)
		return "it was not measured";
	if (!a || !b)
		return a ? "only in A" : "only in B";
	if (strcmp(json_text(a, "unit", ""), json_text(b, "unit", "")) != 0)
		return "the unit differs";
	if (strcmp(json_text(a, "direction", ""), json_text(b, "direction", "")) != 0)
		return "the direction differs";
	return NULL;
}

/* Fill the pair. Return: false if they can not be compared; then the row has the reason. */
static bool prepare(struct pair *pair, const json_t *a, const json_t *b,
		    const struct compare_options *options)
{
	const char *note = incomparable(a, b);
	int error = note ? -EINVAL : fill_side(&pair->a, a);

	if (!error)
		error = fill_side(&pair->b, b);
	if (!error)
		error = measure(pair, options);
	if (!error)
		return true;
	if (!note)
		note = error == -ENODATA ? "a side has no sample"
		       : error == -ERANGE
			       ? "the difference of two samples is too large for a number"
			       : strerror(-error);
	conclude(pair->row, "not-comparable", note);
	return false;
}

/* Return: boots of each side with which the smallest possible p reaches @level. */
static size_t boots_needed(double level)
{
	size_t boots = 1;

	while (stats_least_p(boots, boots) > level)
		boots++;
	return boots;
}

static void decide_change(struct pair *pair)
{
	const char *direction = json_text(pair->row, "direction", "");
	bool higher = strcmp(direction, "higher") == 0, lower = strcmp(direction, "lower") == 0;
	double change = percent(pair->shift.value, pair->base);

	if (!higher && !lower)
		conclude(pair->row, "not-comparable",
			 "it changed, and the metric has no better direction");
	else
		conclude(pair->row, (change > 0) == lower ? "regressed" : "improved", NULL);
}

/* @level is that of the strictest step of Holm's method, which a single change among many metrics must reach. */
static void decide(struct pair *pair, double p, double level, const struct compare_options *options)
{
	double change = fabs(percent(pair->shift.value, pair->base)), least = INFINITY;
	double budget = json_real_value(json_object_get(pair->row, "budget_percent"));
	const struct side *a = &pair->a, *b = &pair->b;
	__cleanup_free char *note = NULL;

	stats_detectable(a->medians, a->boot_count, b->medians, b->boot_count, level, POWER,
			 &least);
	least = percent(least, pair->base);
	json_object_set_new(pair->row, "p_holm", json_real(p));
	json_object_set_new(pair->row, "detectable_percent", real(least));
	if (p < options->alpha && change > budget) {
		decide_change(pair);
		return;
	}
	if (least <= budget) {
		conclude(pair->row, "no-change-shown", NULL);
		return;
	}
	if (stats_least_p(a->boot_count, b->boot_count) > level)
		note = format_text("%zu and %zu boots can not show a change; %zu on each side can",
				   a->boot_count, b->boot_count, boots_needed(level));
	else
		note = format_text("only a change of %.3g %% would be found", least);
	conclude(pair->row, "too-noisy", note);
}

static json_t *new_row(const char *scenario, const char *name, const json_t *a, const json_t *b)
{
	const json_t *known = a ?: b;
	bool unknown = json_object_get(a, "boots_unknown") || json_object_get(b, "boots_unknown");

	return json_pack("{s:s, s:s, s:s, s:s, s:b}", "scenario", scenario, "metric", name, "unit",
			 json_text(known, "unit", ""), "direction",
			 json_text(known, "direction", "none"), "boots_known", !unknown);
}

/* Return: union of the names: those of @a in its order, then those only in @b. */
static json_t *names_of(const json_t *a, const json_t *b)
{
	json_t *names = json_object(), *value;
	const char *name;

	json_object_foreach ((json_t *)a, name, value)
		json_object_set_new(names, name, json_true());
	json_object_foreach ((json_t *)b, name, value)
		json_object_set_new(names, name, json_true());
	return names;
}

struct pairs {
	struct pair *all;
	size_t count;
};

static void add_pair(struct pairs *pairs, json_t *row, const json_t *a, const json_t *b,
		     const struct compare_options *options)
{
	struct pair *pair;

	pairs->all = xreallocarray(pairs->all, pairs->count + 1, sizeof(*pair));
	pair = &pairs->all[pairs->count];
	*pair = (struct pair){.row = row};
	if (prepare(pair, a, b, options)) {
		pairs->count++;
	} else {
		free_side(&pair->a);
		free_side(&pair->b);
	}
}

/* A confirming round compares only the rows that regressed in the first one. */
static bool is_wanted(const struct compare_options *options, const char *scenario, const char *row)
{
	return !options->only || json_object_get(json_object_get(options->only, scenario), row);
}

/* Return: metrics that the scenario declares, preferably that of side B; else all metrics. */
static json_t *metrics_to_compare(const json_t *a, const json_t *b, const char *scenario)
{
	const json_t *sides[] = {b, a};

	for (size_t i = 0; i < ARRAY_SIZE(sides); i++) {
		json_t *budgets = json_object_get(json_object_get(sides[i], "budgets"), scenario);

		if (json_object_size(budgets))
			return json_incref(budgets);
	}
	return names_of(json_object_get(json_object_get(a, "metrics"), scenario),
			json_object_get(json_object_get(b, "metrics"), scenario));
}

static void pair_up(struct pairs *pairs, json_t *rows, const json_t *a, const json_t *b,
		    const char *blocked, const struct compare_options *options)
{
	const json_t *metrics_a = json_object_get(a, "metrics");
	const json_t *metrics_b = json_object_get(b, "metrics");
	__cleanup_json json_t *scenarios = names_of(metrics_a, metrics_b);
	const char *scenario, *name;
	json_t *yes, *budget;

	json_object_foreach (scenarios, scenario, yes) {
		const json_t *left = json_object_get(metrics_a, scenario);
		const json_t *right = json_object_get(metrics_b, scenario);
		__cleanup_json json_t *names = metrics_to_compare(a, b, scenario);

		json_object_foreach (names, name, budget) {
			const json_t *one = json_object_get(left, name);
			const json_t *other = json_object_get(right, name);
			json_t *row;

			if (!is_wanted(options, scenario, name))
				continue;
			row = new_row(scenario, name, one, other);
			json_object_set_new(row, "budget_percent",
					    json_real(json_is_number(budget)
							      ? json_number_value(budget)
							      : options->budget));
			json_array_append_new(rows, row);
			if (blocked)
				conclude(row, "not-comparable", blocked);
			else
				add_pair(pairs, row, one, other, options);
		}
	}
}

static const json_t *find_metric(const json_t *side, const char *scenario, const char *name)
{
	return json_object_get(json_object_get(json_object_get(side, "metrics"), scenario), name);
}

/* The value of a multiplexed counter is an estimate. */
static void note_share(json_t *row, const json_t *a, const json_t *b)
{
	const json_t *shares[] = {json_object_get(a, "counted"), json_object_get(b, "counted")};
	const char *old = json_text(row, "note", NULL);
	double least = 1;
	__cleanup_free char *note = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(shares); i++)
		if (shares[i] && json_number_value(shares[i]) < least)
			least = json_number_value(shares[i]);
	if (least == 1)
		return;
	note = format_text("%s%scounted during %.0f %% of the time", old ?: "", old ? "; " : "",
			   least * 100);
	json_object_set_new(row, "counted", json_real(least));
	json_object_set_new(row, "note", json_string(note));
}

static const char *bench_of(const json_t *side, const char *scenario, const char *fallback)
{
	return json_text(json_object_get(json_object_get(side, "rates"), scenario), "bench",
			 fallback);
}

/* Add to each row what is known of it besides its values: the bench (of B, if it is another), and the share. */
static void complete_rows(json_t *rows, const json_t *a, const json_t *b)
{
	json_t *row;
	size_t index;

	json_array_foreach (rows, index, row) {
		const char *scenario = json_text(row, "scenario", "");
		const char *name = json_text(row, "metric", "");

		json_object_set_new(row, "bench",
				    json_string(bench_of(b, scenario, bench_of(a, scenario, ""))));
		note_share(row, find_metric(a, scenario, name), find_metric(b, scenario, name));
	}
}

static int compare_metrics(json_t *rows, const json_t *a, const json_t *b, const char *blocked,
			   const struct compare_options *options)
{
	struct pairs pairs = {NULL, 0};
	__cleanup_free double *p = NULL;
	int error;

	pair_up(&pairs, rows, a, b, blocked, options);
	p = xcalloc(pairs.count + 1, sizeof(*p));
	for (size_t i = 0; i < pairs.count; i++)
		p[i] = pairs.all[i].test.p;
	error = stats_holm(p, pairs.count);
	for (size_t i = 0; i < pairs.count; i++) {
		if (!error)
			decide(&pairs.all[i], p[i], options->alpha / (double)pairs.count, options);
		free_side(&pairs.all[i].a);
		free_side(&pairs.all[i].b);
	}
	free(pairs.all);
	complete_rows(rows, a, b);
	return error;
}

struct rate {
	size_t hits, count;
};

static struct rate rate_of(const json_t *rates, const char *scenario)
{
	const json_t *rate = json_object_get(rates, scenario);

	return (struct rate){(size_t)json_number(rate, "failures", 0),
			     (size_t)json_number(rate, "trials", 0)};
}

static double points(struct rate rate)
{
	return (double)rate.hits / (double)rate.count * 100;
}

static json_t *rate_json(struct rate rate)
{
	struct estimate estimate = {0, 0, 1};

	stats_rate(rate.hits, rate.count, CONFIDENCE, &estimate);
	return json_pack("{s:I, s:I, s:f, s:f}", "failures", (json_int_t)rate.hits, "trials",
			 (json_int_t)rate.count, "low_percent", estimate.low * 100, "high_percent",
			 estimate.high * 100);
}

/* The smallest increase, in points, at which Fisher's test would have p below @level. */
static double detectable_points(struct rate a, struct rate b, double level)
{
	for (size_t hits = 0; hits <= b.count; hits++) {
		struct rate worse = {hits, b.count};

		if (points(worse) > points(a) &&
		    stats_fisher(a.hits, a.count, hits, b.count) < level)
			return points(worse) - points(a);
	}
	return INFINITY;
}

static void decide_rate(json_t *row, struct rate a, struct rate b, double p, double level,
			const struct compare_options *options)
{
	double change = points(b) - points(a), least = detectable_points(a, b, level);

	json_object_set_new(row, "p_holm", json_real(p));
	json_object_set_new(row, "detectable_points", real(least));
	if (p < options->alpha && fabs(change) > options->budget) {
		conclude(row, change > 0 ? "regressed" : "improved", NULL);
	} else if (least <= options->budget) {
		conclude(row, "no-change-shown", NULL);
	} else {
		__cleanup_free char *note =
			isfinite(least) ? format_text("only %.3g points more would be found", least)
					: format_text("so few trials can not show a change");

		conclude(row, "too-noisy", note);
	}
}

static int compare_rates(json_t *rows, const json_t *a, const json_t *b, const char *blocked,
			 const struct compare_options *options)
{
	__cleanup_json json_t *scenarios = names_of(a, b);
	__cleanup_free double *p = xcalloc(json_object_size(scenarios) + 1, sizeof(*p));
	size_t count = 0, next = 0, index;
	const char *scenario;
	json_t *yes, *row;

	json_object_foreach (scenarios, scenario, yes) {
		struct rate left = rate_of(a, scenario), right = rate_of(b, scenario);

		if (!is_wanted(options, scenario, "failures"))
			continue;
		row = json_pack("{s:s, s:o, s:o}", "scenario", scenario, "a", rate_json(left), "b",
				rate_json(right));
		json_array_append_new(rows, row);
		if (blocked || !left.count || !right.count) {
			conclude(row, "not-comparable",
				 blocked      ? blocked
				 : left.count ? "only in A"
					      : "only in B");
			continue;
		}
		p[count] = stats_fisher(left.hits, left.count, right.hits, right.count);
		json_object_set_new(row, "p", json_real(p[count++]));
	}
	if (stats_holm(p, count))
		return -ENOMEM;
	json_array_foreach (rows, index, row) {
		const char *name = json_text(row, "scenario", "");

		if (json_object_get(row, "p"))
			decide_rate(row, rate_of(a, name), rate_of(b, name), p[next++],
				    options->alpha / (double)count, options);
	}
	return 0;
}

static json_t *describe_run(const json_t *run)
{
	static const char *const keys[] = {"directory", "run",	    "runs",
					   "version",	"complete", "fingerprint"};
	json_t *part = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		json_object_set(part, keys[i], json_object_get(run, keys[i]));
	return part;
}

static void count_verdicts(json_t *counts, const json_t *rows)
{
	json_t *row;
	size_t index;

	json_array_foreach (rows, index, row)
		json_add(counts, json_text(row, "verdict", ""), 1);
}

/**
 * compare_runs - compare two runs
 * @a, @b:   of compare_load()
 * @options: borrowed
 *
 * Return: the comparison as `brinell compare --json` prints it (docs/performance.md), owned by the
 * caller; NULL without memory.
 */
json_t *compare_runs(const json_t *a, const json_t *b, const struct compare_options *options)
{
	__cleanup_json json_t *metrics = json_array();
	__cleanup_json json_t *rates = json_array();
	__cleanup_json json_t *counts =
		json_pack("{s:i, s:i, s:i, s:i, s:i}", "regressed", 0, "improved", 0,
			  "no-change-shown", 0, "too-noisy", 0, "not-comparable", 0);
	__cleanup_json json_t *differences =
		fingerprint_differences(json_object_get(a, "fingerprint"),
					json_object_get(b, "fingerprint"), options->across);
	const char *blocked = NULL;
	__cleanup_free char *text = NULL;
	json_t *difference;
	size_t index;

	json_array_foreach (differences, index, difference) {
		if (!blocked && !json_is_true(json_object_get(difference, "allowed"))) {
			text = format_text("%s differs", json_text(difference, "part", ""));
			blocked = text;
		}
	}
	if (compare_metrics(metrics, a, b, blocked, options) ||
	    compare_rates(rates, json_object_get(a, "rates"), json_object_get(b, "rates"), blocked,
			  options))
		return NULL;
	count_verdicts(counts, metrics);
	count_verdicts(counts, rates);
	return json_pack("{s:o, s:o, s:f, s:f, s:O, s:O, s:O, s:O}", "a", describe_run(a), "b",
			 describe_run(b), "budget_percent", options->budget, "alpha",
			 options->alpha, "differences", differences, "metrics", metrics, "rates",
			 rates, "counts", counts);
}
