// SPDX-License-Identifier: GPL-2.0-only
/*
 * A comparison as a text table.
 */
#include <math.h>
#include <string.h>

#include "harness/compare/compare.h"
#include "harness/compare/calibration.h"
#include "harness/compare/table.h"
#include "reports/text.h"

const char *const compare_verdicts[VERDICTS] = {"regressed", "improved", "too-noisy",
						"no-change-shown", "not-comparable"};

/** table_row_like - the row of the same scenario and metric, or of the same rate. Return: borrowed; NULL: there is none */
json_t *table_row_like(const json_t *rows, const json_t *like)
{
	json_t *row;
	size_t index;

	json_array_foreach ((json_t *)rows, index, row)
		if (json_is(row, "scenario", json_text(like, "scenario", "")) &&
		    strcmp(json_text(row, "metric", ""), json_text(like, "metric", "")) == 0)
			return row;
	return NULL;
}

/** table_number - number of a row, or @fallback if there is none */
double table_number(const json_t *object, const char *key, double fallback)
{
	const json_t *value = json_object_get(object, key);

	return json_is_number(value) ? json_number_value(value) : fallback;
}

/** table_value - format a value with its unit; times are scaled. Return: owned by the caller */
char *table_value(double value, const char *unit)
{
	static const struct {
		double size;
		const char *name;
	} times[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {0, "ns"}};
	size_t i = 0;

	if (strcmp(unit, "ns") != 0) {
		/* Four significant digits, without an exponent up to a limit. */
		double step = pow(10, floor(log10(fabs(value))) - 3);
		bool large = fabs(value) >= 1e4 && fabs(value) < 1e9;

		return format_text(large ? "%.0f%s%s" : "%.4g%s%s",
				   large ? round(value / step) * step : value, *unit ? " " : "",
				   unit);
	}
	while (fabs(value) < times[i].size)
		i++;
	return format_text("%.4g %s", times[i].size > 0 ? value / times[i].size : value,
			   times[i].name);
}

/** compare_side_text - "1.3 s ±2% (8)": median, farther limit of its interval, boots. Return: owned by the caller */
char *compare_side_text(const json_t *side, const char *unit)
{
	double median = table_number(side, "median", 0), low = table_number(side, "low", -INFINITY);
	double high = table_number(side, "high", INFINITY);
	double limit = fmax(high - median, median - low);
	__cleanup_free char *value = table_value(median, unit);
	__cleanup_free char *around = NULL;

	if (!side)
		return xstrdup("-");
	if (limit > 0)
		limit = limit / fabs(median) * 100;
	around = isfinite(limit) ? format_text("±%.0f%%", limit) : xstrdup("±∞");
	return format_text("%s %s (%lld)", value, around, (long long)json_number(side, "boots", 0));
}

/** compare_change_text - "+8.8% [+8.0, +9.5]". Return: owned by the caller */
char *compare_change_text(const json_t *change)
{
	double low = table_number(change, "low", -INFINITY),
	       high = table_number(change, "high", INFINITY);
	double value = table_number(change, "value", INFINITY);

	if (!change)
		return xstrdup("-");
	if (isinf(low) || isinf(high))
		return format_text("%+.1f%%", value);
	return format_text("%+.1f%% [%+.1f, %+.1f]", value, low, high);
}

/**
 * compare_verdict_text - remarks on a verdict: its note, two humps, "*" if the boots are not recorded
 *
 * Return: owned by the caller; "": none.
 */
char *compare_verdict_text(const json_t *row)
{
	const char *note = json_text(row, "note", NULL);
	bool humps = json_is_true(json_object_get(json_object_get(row, "a"), "two_humps")) ||
		     json_is_true(json_object_get(json_object_get(row, "b"), "two_humps"));
	const json_t *known = json_object_get(row, "boots_known");
	char *text = NULL;

	if (note)
		append_text(&text, " ", "%s", note);
	if (humps)
		append_text(&text, " ", "(two humps)");
	if (known && !json_is_true(known))
		append_text(&text, " ", "*");
	return text ?: xstrdup("");
}

static char *verdict_text(const json_t *row)
{
	__cleanup_free char *more = compare_verdict_text(row);
	const char *colon = json_text(row, "note", NULL) ? ":" : "";

	return format_text("%s%s%s%s", json_text(row, "verdict", ""), colon, *more ? " " : "",
			   more);
}

static void append_part(char **text, const char *before, const json_t *part)
{
	const char *value;
	json_t *yes;

	json_object_foreach ((json_t *)part, value, yes)
		append_text(text, ", ", "%s%s", before, value);
}

/** compare_run_text - runs, brinell, bench and kernel of a side, as far as known. Return: owned by the caller */
char *compare_run_text(const json_t *side)
{
	const json_t *fingerprint = json_object_get(side, "fingerprint");
	int64_t runs = json_number(side, "runs", 1);
	char *text = runs > 1 ? format_text("%lld runs", (long long)runs)
			      : format_text("run %s", json_text(side, "run", "?"));

	append_text(&text, ", ", "brinell %s", json_text(side, "version", "?"));
	append_part(&text, "bench ", json_object_get(fingerprint, "bench"));
	append_part(&text, "kernel ", json_object_get(fingerprint, "kernel"));
	if (!json_is_true(json_object_get(side, "complete")))
		append_text(&text, ", ", "incomplete");
	return text;
}

/** compare_p_text - p of a row after Holm. Return: owned by the caller */
char *compare_p_text(const json_t *row)
{
	double p = table_number(row, "p_holm", NAN);

	if (isnan(p))
		return xstrdup("-");
	return p < 0.0001 ? xstrdup("<0.0001") : format_text("%.4f", p);
}

static void fill_metric(const json_t *row, char *cells[TABLE_COLUMNS])
{
	const char *unit = json_text(row, "unit", "");

	cells[0] =
		format_text("%s %s", json_text(row, "scenario", ""), json_text(row, "metric", ""));
	cells[1] = compare_side_text(json_object_get(row, "a"), unit);
	cells[2] = compare_side_text(json_object_get(row, "b"), unit);
	cells[3] = compare_change_text(json_object_get(row, "change_percent"));
	cells[4] = compare_p_text(row);
	cells[5] = verdict_text(row);
}

static char *rate_text(const json_t *rate)
{
	if (!json_number(rate, "trials", 0))
		return xstrdup("-");
	return format_text("%lld of %lld [%.0f, %.0f]%%",
			   (long long)json_number(rate, "failures", 0),
			   (long long)json_number(rate, "trials", 0),
			   table_number(rate, "low_percent", 0),
			   table_number(rate, "high_percent", 0));
}

static double points(const json_t *rate)
{
	return table_number(rate, "failures", 0) / table_number(rate, "trials", 1) * 100;
}

static void fill_rate(const json_t *row, char *cells[TABLE_COLUMNS])
{
	const json_t *a = json_object_get(row, "a"), *b = json_object_get(row, "b");

	cells[0] = format_text("%s failures", json_text(row, "scenario", ""));
	cells[1] = rate_text(a);
	cells[2] = rate_text(b);
	cells[3] = json_object_get(row, "p") ? format_text("%+.1f points", points(b) - points(a))
					     : xstrdup("-");
	cells[4] = compare_p_text(row);
	cells[5] = verdict_text(row);
}

/**
 * table_fill - the texts of a row: name, A, B, change, p, verdict
 * @row:   of the metrics or the rates of a comparison
 * @cells: receives them; each is owned by the caller
 */
void table_fill(const json_t *row, char *cells[TABLE_COLUMNS])
{
	if (json_object_get(row, "metric"))
		fill_metric(row, cells);
	else
		fill_rate(row, cells);
}

static int width_of(const char *text)
{
	return (int)text_columns(text);
}

/** table_cells - print rows of text, in columns of the needed width */
void table_cells(FILE *out, char *(*cells)[TABLE_COLUMNS], size_t count)
{
	int width[TABLE_COLUMNS] = {0};

	for (size_t row = 0; row < count; row++)
		for (size_t i = 0; i < TABLE_COLUMNS; i++)
			if (width_of(cells[row][i]) > width[i])
				width[i] = width_of(cells[row][i]);
	for (size_t row = 0; row < count; row++)
		for (size_t i = 0; i < TABLE_COLUMNS; i++) {
			text_one_line(out, cells[row][i], "");
			fprintf(out, "%*s",
				i + 1 < TABLE_COLUMNS ? width[i] - width_of(cells[row][i]) + 2 : 1,
				i + 1 < TABLE_COLUMNS ? "" : "\n");
		}
}

static void print_run(FILE *out, const char *name, const json_t *run)
{
	__cleanup_free char *text = compare_run_text(run);

	text_line(out, "%s: %s (%s)", name, json_text(run, "directory", "?"), text);
}

static bool any_unknown_boots(const json_t *rows)
{
	json_t *row;
	size_t index;

	json_array_foreach (rows, index, row)
		if (!json_is_true(json_object_get(row, "boots_known")))
			return true;
	return false;
}

static void print_legend(FILE *out, const json_t *comparison)
{
	const json_t *counts = json_object_get(comparison, "counts");
	__cleanup_free char *alarms =
		calibration_warning(json_object_get(comparison, "calibration"));

	fprintf(out,
		"\nMedian of the boots ± limit of its 95 %% interval (boots); change of B against "
		"A "
		"[95 %% interval]; p after Holm.\nA change counts below p %.3g and above %.3g "
		"%%, or the budget that its scenario declares.\n",
		table_number(comparison, "alpha", 0),
		table_number(comparison, "budget_percent", 0));
	if (any_unknown_boots(json_object_get(comparison, "metrics")))
		fputs("* The boots are not recorded: each trial counts as one.\n", out);
	if (alarms)
		text_line(out, "%s", alarms);
	for (size_t i = 0; i < VERDICTS; i++)
		fprintf(out, "%s%lld %s", i ? ", " : "",
			(long long)json_number(counts, compare_verdicts[i], 0),
			compare_verdicts[i]);
	fputs("\n", out);
}

/* Print the functions of a profile that changed most, and the path of its flame graph. */
static void print_profile(FILE *out, const json_t *profile)
{
	__cleanup_free char *changes = NULL;
	json_t *change;
	size_t index;

	json_array_foreach (json_object_get(profile, "changes"), index, change)
		append_text(&changes, ", ", "%+.1f %s", table_number(change, "points", 0),
			    json_text(change, "function", "?"));
	text_line(out, "%s, %s: points of the samples: %s; %s", json_text(profile, "scenario", "?"),
		  json_text(profile, "where", "?"), changes ?: "none beyond chance",
		  json_text(profile, "picture", "?"));
}

/**
 * compare_print - print a comparison
 * @out:        stream
 * @comparison: of compare_runs()
 */
void compare_print(FILE *out, const json_t *comparison)
{
	const json_t *metrics = json_object_get(comparison, "metrics");
	const json_t *rates = json_object_get(comparison, "rates");
	size_t count = 1, index;
	char *(*cells)[TABLE_COLUMNS] =
		xcalloc(1 + json_array_size(metrics) + json_array_size(rates), sizeof(*cells));
	json_t *row;

	print_run(out, "A", json_object_get(comparison, "a"));
	print_run(out, "B", json_object_get(comparison, "b"));
	json_array_foreach (json_object_get(comparison, "differences"), index, row)
		text_line(out, "%s differs: A has %s, B has %s%s", json_text(row, "part", ""),
			  json_text(row, "a", ""), json_text(row, "b", ""),
			  json_is_true(json_object_get(row, "allowed"))
				  ? ""
				  : "; --across compares nevertheless");
	fputs("\n", out);
	if (!cells)
		return;
	for (size_t i = 0; i < TABLE_COLUMNS; i++) {
		static const char *const heads[] = {"", "A", "B", "change", "p", "verdict"};

		cells[0][i] = xstrdup(heads[i]);
	}
	json_array_foreach (metrics, index, row)
		table_fill(row, cells[count++]);
	json_array_foreach (rates, index, row)
		table_fill(row, cells[count++]);
	table_cells(out, cells, count);
	for (size_t i = 0; i < count * TABLE_COLUMNS; i++)
		free(cells[i / TABLE_COLUMNS][i % TABLE_COLUMNS]);
	free(cells);
	print_legend(out, comparison);
	json_array_foreach (json_object_get(comparison, "profiles"), index, row)
		print_profile(out, row);
}
