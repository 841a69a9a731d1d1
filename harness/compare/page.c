// SPDX-License-Identifier: GPL-2.0-only
/*
 * A comparison as an HTML page: every sample is a dot, beside the derived numbers. The page is a single file without external
 * resources and without a script. Positions are percentages of a box, so that dots stay round at any width.
 */
#include <math.h>
#include <string.h>

#include "harness/compare/calibration.h"
#include "harness/compare/compare.h"
#include "harness/compare/table.h"
#include "reports/text.h"

/* page.css, which the Makefile embeds, without a NUL. */
extern const char _binary_harness_compare_page_css_start[];
extern const char _binary_harness_compare_page_css_end[];

/* Shades of boots, so that neighbours differ; they repeat. */
#define SHADES 4

struct scale {
	double low, high;
};

static void widen(struct scale *scale, double value)
{
	scale->low = fmin(scale->low, value);
	scale->high = fmax(scale->high, value);
}

/* Position in percent of the box, with a margin. Values are halved first, because their difference may overflow. */
static double place(const struct scale *scale, double value)
{
	double width = scale->high / 2 - scale->low / 2;

	return width > 0 ? 3 + (value / 2 - scale->low / 2) / width * 94 : 50;
}

static void write_verdict(FILE *out, const json_t *row)
{
	const char *verdict = json_text(row, "verdict", "");
	__cleanup_free char *more = compare_verdict_text(row);

	for (size_t i = 0; i < VERDICTS; i++)
		if (strcmp(verdict, compare_verdicts[i]) == 0)
			fprintf(out, "<span class=\"v %s\">%s</span>", verdict, verdict);
	if (*more)
		text_xml_format(out, " <span class=\"soft\">%s</span>", more);
}

static void scale_side(struct scale *scale, const json_t *side)
{
	json_t *boot, *sample;
	size_t index, each;

	json_array_foreach (json_object_get(side, "values"), index, boot)
		json_array_foreach (boot, each, sample)
			widen(scale, json_number_value(sample));
}

/* The dots of a boot have a row and a shade of their own. */
static void write_dots(FILE *out, const struct scale *scale, const json_t *boots, const char *unit)
{
	size_t count = json_array_size(boots), index, each;
	json_t *boot, *sample;

	json_array_foreach ((json_t *)boots, index, boot) {
		json_array_foreach (boot, each, sample) {
			__cleanup_free char *text = table_value(json_number_value(sample), unit);

			fprintf(out,
				"<i style=\"left:%.2f%%;top:%.1f%%;opacity:%.2f\" title=\"boot "
				"%zu: ",
				place(scale, json_number_value(sample)),
				15 + 70 * ((double)index + 0.5) / (double)count,
				1 - 0.18 * (double)(index % SHADES), index + 1);
			text_xml_format(out, "%s", text);
			fputs("\"></i>", out);
		}
	}
}

static void write_side(FILE *out, const char *name, const struct scale *scale, const json_t *side,
		       const char *unit)
{
	double low = table_number(side, "low", scale->low),
	       high = table_number(side, "high", scale->high);
	bool known = json_is_number(json_object_get(side, "low"));

	fprintf(out, "<div class=\"row %s\"><b>%c</b><div class=\"plot\">", name,
		*name - 'a' + 'A');
	if (known)
		fprintf(out, "<s style=\"left:%.2f%%;width:%.2f%%\"></s>", place(scale, low),
			place(scale, high) - place(scale, low));
	fprintf(out, "<u style=\"left:%.2f%%\"></u>",
		place(scale, table_number(side, "median", scale->low)));
	write_dots(out, scale, json_object_get(side, "values"), unit);
	fputs("</div></div>", out);
}

static void write_axis(FILE *out, double low, double high, const char *unit)
{
	__cleanup_free char *from = table_value(low, unit);
	__cleanup_free char *to = table_value(high, unit);

	text_xml_format(out, "<div class=\"axis soft\"><span>%s</span><span>%s</span></div>", from,
			to);
}

static void write_plot(FILE *out, const json_t *row)
{
	const json_t *a = json_object_get(row, "a"), *b = json_object_get(row, "b");
	struct scale scale = {INFINITY, -INFINITY};
	const char *unit = json_text(row, "unit", "");

	scale_side(&scale, a);
	scale_side(&scale, b);
	if (!(scale.low <= scale.high))
		return;
	fputs("<figure>", out);
	write_side(out, "a", &scale, a, unit);
	write_side(out, "b", &scale, b, unit);
	write_axis(out, scale.low, scale.high, unit);
	fputs("</figure>", out);
}

static bool is_first_after(const json_t *points, const char *run)
{
	json_t *point;
	size_t index;

	json_array_foreach ((json_t *)points, index, point)
		if (json_is(point, "first_after", run))
			return true;
	return false;
}

/* Write the medians of earlier runs, with change points. */
static void write_history(FILE *out, const json_t *row)
{
	const json_t *series = json_object_get(json_object_get(row, "history"), "series");
	const json_t *points = json_object_get(json_object_get(row, "history"), "points");
	const char *unit = json_text(row, "unit", "");
	struct scale scale = {INFINITY, -INFINITY}, time = {0, 0};
	__cleanup_free char *least = NULL, *most = NULL;
	json_t *run, *point;
	size_t index;

	if (!json_array_size(series))
		return;
	time.high = (double)json_array_size(series) - 1;
	json_array_foreach ((json_t *)series, index, run)
		widen(&scale, table_number(run, "median", 0));
	least = table_value(scale.low, unit);
	most = table_value(scale.high, unit);
	fputs("<figure><div class=\"plot strip\">", out);
	json_array_foreach ((json_t *)series, index, run) {
		double median = table_number(run, "median", 0);
		__cleanup_free char *text = table_value(median, unit);

		if (is_first_after(points, json_text(run, "run", "")))
			fprintf(out, "<em style=\"left:%.2f%%\"></em>",
				place(&time, (double)index - 0.5));
		fprintf(out, "<i style=\"left:%.2f%%;top:%.2f%%\" title=\"",
			place(&time, (double)index), 100 - place(&scale, median));
		text_xml_format(out, "%s: %s\"></i>", json_text(run, "run", ""), text);
	}
	fputs("</div>", out);
	text_xml_format(out,
			"<figcaption>%zu runs of the history, the oldest on the left, from %s to "
			"%s",
			json_array_size(series), least, most);
	json_array_foreach ((json_t *)points, index, point)
		text_xml_format(out, "; %s by %+.1f %% with run %s", json_text(point, "kind", ""),
				table_number(point, "change_percent", 0),
				json_text(point, "first_after", ""));
	fputs(".</figcaption></figure>", out);
}

static void write_side_number(FILE *out, const char *name, const json_t *side, const char *unit)
{
	__cleanup_free char *text = side ? compare_side_text(side, unit) : xstrdup("-");

	text_xml_format(out, "<span>%s %s</span>", name, text);
}

static void write_metric(FILE *out, const json_t *row)
{
	const char *unit = json_text(row, "unit", "");
	const json_t *change = json_object_get(row, "change_percent");
	bool better_known = is_one_of(json_text(row, "direction", ""), "lower", "higher");

	fputs("<section class=\"card\">", out);
	text_xml_format(out, "<h3>%s %s</h3><p>", json_text(row, "scenario", ""),
			json_text(row, "metric", ""));
	write_verdict(out, row);
	fputs("</p><div class=\"numbers\">", out);
	write_side_number(out, "A", json_object_get(row, "a"), unit);
	write_side_number(out, "B", json_object_get(row, "b"), unit);
	if (change) {
		__cleanup_free char *text = compare_change_text(change);
		__cleanup_free char *p = compare_p_text(row);

		text_xml_format(out,
				"<span>change %s</span><span class=\"soft\">p %s after Holm, "
				"budget %g %%",
				text, p, table_number(row, "budget_percent", 0));
		if (better_known)
			text_xml_format(out, ", %s is better", json_text(row, "direction", ""));
		fputs("</span>", out);
	}
	fputs("</div><div class=\"pair\">", out);
	write_plot(out, row);
	write_history(out, row);
	fputs("</div></section>\n", out);
}

static size_t place_of(const json_t *row)
{
	size_t i = 0;

	while (i < VERDICTS && !json_is(row, "verdict", compare_verdicts[i]))
		i++;
	return i;
}

static double size_of_change(const json_t *row)
{
	return fabs(table_number(json_object_get(row, "change_percent"), "value", 0));
}

/* By verdict, then by change, largest first, then by name. */
static int compare_rows(const void *a, const void *b)
{
	const json_t *left = *(const json_t *const *)a, *right = *(const json_t *const *)b;
	size_t left_place = place_of(left), right_place = place_of(right);
	double difference = size_of_change(right) - size_of_change(left);
	int names;

	if (left_place != right_place)
		return left_place < right_place ? -1 : 1;
	if (difference < 0 || difference > 0)
		return difference < 0 ? -1 : 1;
	names = strcmp(json_text(left, "scenario", ""), json_text(right, "scenario", ""));
	return names ?: strcmp(json_text(left, "metric", ""), json_text(right, "metric", ""));
}

static void write_metrics(FILE *out, const json_t *metrics)
{
	size_t count = json_array_size(metrics);
	__cleanup_free const json_t **rows = xcalloc(count + 1, sizeof(*rows));

	for (size_t i = 0; i < count; i++)
		rows[i] = json_array_get(metrics, i);
	qsort(rows, count, sizeof(*rows), compare_rows);
	fputs("<h2>Metrics</h2>\n", out);
	for (size_t i = 0; i < count; i++)
		write_metric(out, rows[i]);
}

/* The picture of flame_write() is embedded, so that the page can be mailed. */
static void write_profile(FILE *out, const json_t *profile)
{
	__cleanup_free char *picture = NULL;
	json_t *change;
	size_t index;

	text_xml_format(out, "<div class=\"card\"><h3>%s, %s</h3><ul>",
			json_text(profile, "scenario", ""), json_text(profile, "where", ""));
	json_array_foreach (json_object_get(profile, "changes"), index, change)
		text_xml_format(out, "<li>%s: %+.1f points of the samples</li>",
				json_text(change, "function", ""),
				table_number(change, "points", 0));
	if (!json_array_size(json_object_get(profile, "changes")))
		fputs("<li>no function changed beyond chance</li>", out);
	fputs("</ul>\n", out);
	if (read_small_file(json_text(profile, "picture", ""), &picture, NULL) == 0)
		fprintf(out, "<div class=\"wide\" tabindex=\"0\">%s</div>", picture);
	fputs("</div>\n", out);
}

static void write_profiles(FILE *out, const json_t *profiles)
{
	json_t *profile;
	size_t index;

	if (json_array_size(profiles))
		fputs("<h2>Where the time goes</h2>\n", out);
	json_array_foreach ((json_t *)profiles, index, profile)
		write_profile(out, profile);
}

static void write_rate(FILE *out, const json_t *rate)
{
	text_xml_format(out, "<td class=\"rate\">%lld of %lld</td>",
			(long long)json_number(rate, "failures", 0),
			(long long)json_number(rate, "trials", 0));
}

static void write_rates(FILE *out, const json_t *rates)
{
	json_t *row;
	size_t index;

	fputs("<h2>Failures</h2>\n<div class=\"card\"><table><tr><th>scenario</th><th>A</th>"
	      "<th>B</th><th>verdict</th></tr>",
	      out);
	json_array_foreach ((json_t *)rates, index, row) {
		text_xml_format(out, "<tr><td>%s</td>", json_text(row, "scenario", ""));
		write_rate(out, json_object_get(row, "a"));
		write_rate(out, json_object_get(row, "b"));
		fputs("<td>", out);
		write_verdict(out, row);
		fputs("</td></tr>\n", out);
	}
	fputs("</table></div>\n", out);
}

static void write_keys(FILE *out, const json_t *values, int columns)
{
	const char *separator = "", *key;
	json_t *yes;

	fprintf(out, "<td colspan=\"%d\">", columns);
	json_object_foreach ((json_t *)values, key, yes) {
		text_xml_format(out, "%s%s", separator, key);
		separator = ", ";
	}
	fputs(values ? "</td>" : "not recorded</td>", out);
}

static void write_part(FILE *out, const char *name, const json_t *a, const json_t *b)
{
	bool differs = a && b && !json_equal(a, b);

	fprintf(out, "<tr%s><td>", differs ? " class=\"differs\"" : "");
	text_xml_format(out, "%s</td>", name);
	write_keys(out, a, json_equal(a, b) ? 2 : 1);
	if (!json_equal(a, b))
		write_keys(out, b, 1);
	fputs("</tr>\n", out);
}

static void write_fingerprint(FILE *out, const json_t *a, const json_t *b)
{
	const char *name;
	json_t *value;

	fprintf(out, "<h2>Fingerprint</h2>\n<div class=\"card\"><table><tr><th></th>%s</tr>\n",
		json_equal(a, b) ? "<th colspan=\"2\">A and B</th>" : "<th>A</th><th>B</th>");
	json_object_foreach ((json_t *)a, name, value)
		write_part(out, name, value, json_object_get(b, name));
	json_object_foreach ((json_t *)b, name, value)
		if (!json_object_get(a, name))
			write_part(out, name, NULL, value);
	fputs("</table></div>\n", out);
}

static void write_run(FILE *out, const char *name, const json_t *run)
{
	__cleanup_free char *text = compare_run_text(run);

	text_xml_format(out, "<p>%s: %s <span class=\"soft\">%s</span></p>", name,
			json_text(run, "directory", "?"), text);
}

static void write_head(FILE *out, const json_t *comparison)
{
	const json_t *counts = json_object_get(comparison, "counts");
	__cleanup_free char *alarms =
		calibration_warning(json_object_get(comparison, "calibration"));
	json_t *difference;
	size_t index;

	fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	      "<meta name=\"viewport\" content=\"width=device-width\">"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	      "style-src 'unsafe-inline'\"><title>brinell: comparison</title>\n<style>\n",
	      out);
	text_colours(out);
	WRITE_EMBEDDED(out, harness_compare_page_css);
	fputs("</style></head><body>\n<h1>Comparison</h1>\n<div class=\"numbers\">", out);
	for (size_t i = 0; i < VERDICTS; i++)
		fprintf(out, "<span class=\"v %s\">%lld %s</span>", compare_verdicts[i],
			(long long)json_number(counts, compare_verdicts[i], 0),
			compare_verdicts[i]);
	fputs("</div>\n<div class=\"card\">", out);
	write_run(out, "A, the base", json_object_get(comparison, "a"));
	write_run(out, "B, the new one", json_object_get(comparison, "b"));
	if (json_text(comparison, "command", NULL))
		text_xml_format(out, "<p><code>%s</code></p>",
				json_text(comparison, "command", ""));
	fputs("</div>\n", out);
	if (alarms)
		text_xml_format(out, "<p class=\"card warning\">%s</p>\n", alarms);
	json_array_foreach (json_object_get(comparison, "differences"), index, difference)
		if (!json_is_true(json_object_get(difference, "allowed")))
			text_xml_format(out,
					"<p class=\"card warning\">%s differs: A has %s, B has %s. "
					"Nothing is compared.</p>\n",
					json_text(difference, "part", ""),
					json_text(difference, "a", ""),
					json_text(difference, "b", ""));
}

/**
 * compare_page - write a comparison as an HTML page
 * @out:        stream
 * @comparison: of compare_runs(); a row may have "history": {"series", "points"} of history_series() and trend_points()
 */
void compare_page(FILE *out, const json_t *comparison)
{
	write_head(out, comparison);
	fputs("<p class=\"soft\">A dot is a sample, a line of dots one boot, with a shade of its "
	      "own. "
	      "The bar is the median of the boots, the field around it its 95 % interval; fewer "
	      "than 6 boots have none. Two humps: the samples form two groups. *: the boots are "
	      "not "
	      "recorded, and each trial counts as one. The metrics are sorted by verdict, then by "
	      "change.</p>\n",
	      out);
	write_metrics(out, json_object_get(comparison, "metrics"));
	write_profiles(out, json_object_get(comparison, "profiles"));
	write_rates(out, json_object_get(comparison, "rates"));
	write_fingerprint(out, json_object_get(json_object_get(comparison, "a"), "fingerprint"),
			  json_object_get(json_object_get(comparison, "b"), "fingerprint"));
	fputs("</body></html>\n", out);
}
