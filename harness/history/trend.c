// SPDX-License-Identifier: GPL-2.0-only
/*
 * Change points of metrics over the runs, and the new ones of the last run.
 */
#include <math.h>
#include <string.h>

#include "harness/history/history.h"
#include "harness/stats/stats.h"
#include "reports/text.h"

/* Older runs are irrelevant for the last ones, and the cost grows with the square. */
#define WINDOW 50
#define LEVEL 0.01
#define SEED 1
/* A change point that moves by at most so many runs when a run is added is the same. */
#define SAME 2

static double median_at(const json_t *values, size_t index)
{
	return json_number_value(json_object_get(json_array_get(values, index), "median"));
}

static double median_between(const json_t *values, size_t from, size_t to)
{
	double part[WINDOW] = {0};
	struct estimate median = {0};

	for (size_t i = from; i < to; i++)
		part[i - from] = median_at(values, i);
	stats_median(part, to - from, 0.95, &median);
	return median.value;
}

static bool is_same_text(const json_t *a, const json_t *b, const char *key)
{
	return strcmp(json_text(a, key, ""), json_text(b, key, "")) == 0;
}

/* Return: first run of the last ones before @count with the same unit: another unit measures something else. */
static size_t first_of(const json_t *values, size_t count)
{
	const json_t *last = json_array_get(values, count - 1);
	size_t first = count - 1;

	while (first && count - first < WINDOW &&
	       is_same_text(json_array_get(values, first - 1), last, "unit") &&
	       is_same_text(json_array_get(values, first - 1), last, "direction"))
		first--;
	return first;
}

/* Find change points in the last runs of the first @count ones. */
static int find_points(const json_t *values, size_t count, size_t points[WINDOW], size_t *found)
{
	size_t from = count ? first_of(values, count) : 0;
	double window[WINDOW];
	int error;

	*found = 0;
	if (!count)
		return 0;
	for (size_t i = from; i < count; i++)
		window[i - from] = median_at(values, i);
	error = stats_change_points(window, count - from, LEVEL, SEED, points, found);
	for (size_t i = 0; i < *found; i++)
		points[i] += from;
	return error;
}

/* @count: as for find_points(). */
static json_t *describe(const json_t *values, size_t count, const size_t *points, size_t found,
			size_t which)
{
	size_t before = which ? points[which - 1] : first_of(values, count);
	size_t after = which + 1 < found ? points[which + 1] : count;
	const json_t *last_good = json_array_get(values, points[which] - 1);
	const json_t *first_bad = json_array_get(values, points[which]);
	double old = median_between(values, before, points[which]);
	double new = median_between(values, points[which], after);
	const char *direction = json_text(first_bad, "direction", "none");
	bool known = strcmp(direction, "none") != 0, lower = strcmp(direction, "lower") == 0;
	json_t *point = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:f, s:f, s:s}", "scenario",
		json_text(first_bad, "scenario", ""), "metric", json_text(first_bad, "metric", ""),
		"bench", json_text(first_bad, "bench", ""), "unit",
		json_text(first_bad, "unit", ""), "last_before", json_text(last_good, "run", ""),
		"version_before", json_text(last_good, "version", ""), "first_after",
		json_text(first_bad, "run", ""), "version_after",
		json_text(first_bad, "version", ""), "before", old, "after", new, "kind",
		!known		       ? "changed"
		: (new > old) == lower ? "regressed"
				       : "improved");

	if (point && old != 0)
		json_object_set_new(point, "change_percent",
				    json_real((new - old) / fabs(old) * 100));
	return point;
}

/**
 * trend_points - find the change points of a metric
 * @values: of one metric on one bench, from history_series()
 * @points: receives [{"last_before", "first_after": runs, "before", "after": medians, "kind", ...}]; owned by the caller
 * @why:    filled on an error
 *
 * Return: 0 or -errno.
 */
int trend_points(const json_t *values, json_t **points, struct reason *why)
{
	size_t places[WINDOW], found;
	int error = find_points(values, json_array_size(values), places, &found);

	if (error)
		return fail(why, error, "the change points of %s: %s",
			    json_text(json_array_get(values, 0), "metric", "?"), strerror(-error));
	*points = json_array();
	for (size_t i = 0; i < found; i++)
		json_array_append_new(*points,
				      describe(values, json_array_size(values), places, found, i));
	return 0;
}

static bool has_near(const size_t *points, size_t count, size_t place)
{
	for (size_t i = 0; i < count; i++)
		if (points[i] + SAME >= place && points[i] <= place + SAME)
			return true;
	return false;
}

/* A change of an older run was reported then. Run IDs begin with their time. */
static bool is_since(const json_t *row, const char *since)
{
	return !since || strcmp(json_text(row, "run", ""), since) >= 0;
}

/* Add a change point to a list, if it is larger than the budget. */
static void append_large(json_t *list, json_t *point, const json_t *budget)
{
	const json_t *change = json_object_get(point, "change_percent");

	if (!change || fabs(json_number_value(change)) > json_number_value(budget))
		json_array_append_new(list, point);
	else
		json_decref(point);
}

/* Compare the change points of a metric with those without the last run, unless that has another unit. */
static int check_metric(const json_t *values, const char *since, json_t *report)
{
	size_t count = json_array_size(values), now[WINDOW], before[WINDOW], found, known = 0;
	const json_t *last = json_array_get(values, count - 1);
	const json_t *budget = json_object_get(last, "budget");
	bool fresh = is_since(last, since);
	int error;

	if (!json_is_number(budget))
		return 0;
	error = find_points(values, count, now, &found);
	if (!error && first_of(values, count) < count - 1)
		error = find_points(values, count - 1, before, &known);
	for (size_t i = 0; i < found && !error; i++) {
		bool is_new = fresh && !has_near(before, known, now[i]);

		append_large(json_object_get(report, is_new ? "new" : "still"),
			     describe(values, count, now, found, i), budget);
	}
	for (size_t i = 0; i < known && !error; i++)
		if (fresh && !has_near(now, found, before[i]))
			append_large(json_object_get(report, "gone"),
				     describe(values, count - 1, before, known, i), budget);
	return error;
}

static bool is_same_metric(const json_t *a, const json_t *b)
{
	return is_same_text(a, b, "scenario") && is_same_text(a, b, "metric") &&
	       is_same_text(a, b, "bench");
}

static int check_metrics(const json_t *series, const char *since, json_t *report)
{
	__cleanup_json json_t *values = json_array();
	json_t *value;
	size_t index;
	int error = 0;

	json_array_foreach (series, index, value) {
		if (json_array_size(values) && !is_same_metric(json_array_get(values, 0), value)) {
			error = error ?: check_metric(values, since, report);
			json_array_clear(values);
		}
		json_array_append(values, value);
	}
	return json_array_size(values) ? error ?: check_metric(values, since, report) : error;
}

/* Report scenarios that failed on a bench in their last run, in the run before, or in both. */
static void check_failures(const json_t *failures, const char *since, json_t *report)
{
	for (size_t i = 0; i < json_array_size(failures); i++) {
		const json_t *now = json_array_get(failures, i);
		const json_t *next = json_array_get(failures, i + 1);
		bool same = next && !json_number(next, "last", 0);
		bool fails = json_number(now, "failures", 0) > 0;
		bool failed = same && json_number(next, "failures", 0) > 0;
		json_t *row;

		i += same;
		if ((!fails && !failed) || (!fails && !is_since(now, since)))
			continue;
		row = json_pack("{s:O, s:O, s:s, s:O}", "scenario",
				json_object_get(now, "scenario"), "bench",
				json_object_get(now, "bench"), "kind", "failed", "first_after",
				json_object_get(now, "run"));
		json_object_set_new(row, "failures", json_integer(json_number(now, "failures", 0)));
		json_object_set_new(row, "trials", json_integer(json_number(now, "trials", 0)));
		json_array_append_new(json_object_get(report, !failed && is_since(now, since)
								      ? "new"
							      : fails ? "still"
								      : "gone"),
				      row);
	}
}

/**
 * history_check - find changes that the last run shows
 * @since:  prefix of a run ID: changes of older runs are not new, and the failures of later ones are counted together;
 *          NULL: the last run of each metric
 * @report: receives {"new", "still", "gone"}: lists of change points of trend_points(), and of scenarios that
 *          fail ("kind": "failed"); owned by the caller
 * @why:    filled on an error
 *
 * Return: 0 or -errno.
 */
int history_check(struct history *history, const char *since, json_t **report, struct reason *why)
{
	__cleanup_json json_t *series = NULL;
	__cleanup_json json_t *failures = NULL;
	__cleanup_json json_t *made = json_pack("{s:[], s:[], s:[]}", "new", "still", "gone");
	int error = history_series(history, NULL, NULL, NULL, &series, why)
			    ?: history_failures(history, since, &failures, why);

	if (error)
		return error;
	error = check_metrics(series, since, made);
	if (error)
		return fail(why, error, "the change points: %s", strerror(-error));
	check_failures(failures, since, made);
	*report = steal(made);
	return 0;
}

/**
 * history_print - print a change point as a line
 * @out:   stream
 * @point: of trend_points() or history_check()
 */
void history_print(FILE *out, const json_t *point)
{
	const json_t *change = json_object_get(point, "change_percent");
	__cleanup_free char *by =
		change ? format_text(" by %+.1f %%", json_number_value(change)) : xstrdup("");

	if (strcmp(json_text(point, "kind", ""), "failed") == 0) {
		text_line(out, "  %s on %s failed in %lld of %lld trials: run %s",
			  json_text(point, "scenario", ""), json_text(point, "bench", ""),
			  (long long)json_number(point, "failures", 0),
			  (long long)json_number(point, "trials", 0),
			  json_text(point, "first_after", ""));
		return;
	}
	text_line(out,
		  "  %s %s on %s %s%s, %.6g to %.6g %s: last before run %s (brinell %s), first "
		  "after run %s (brinell %s)",
		  json_text(point, "scenario", ""), json_text(point, "metric", ""),
		  json_text(point, "bench", ""), json_text(point, "kind", ""), by,
		  json_number_value(json_object_get(point, "before")),
		  json_number_value(json_object_get(point, "after")), json_text(point, "unit", ""),
		  json_text(point, "last_before", ""), json_text(point, "version_before", ""),
		  json_text(point, "first_after", ""), json_text(point, "version_after", ""));
}

/** history_is_worse - whether a report of history_check() has a new regression or failure */
bool history_is_worse(const json_t *report)
{
	const json_t *found = json_object_get(report, "new");
	json_t *each;
	size_t index;

	json_array_foreach ((json_t *)found, index, each)
		if (strcmp(json_text(each, "kind", ""), "regressed") == 0 ||
		    strcmp(json_text(each, "kind", ""), "failed") == 0)
			return true;
	return false;
}
