// SPDX-License-Identifier: GPL-2.0-only
/*
 * OpenMetrics text (openmetrics.io, version 1.0), for the textfile collector of node_exporter: the state of the last run. Names
 * and values are also valid in the older format of Prometheus, which that collector reads.
 */
#include <inttypes.h>

#include "reports/measured.h"
#include "reports/text.h"

static void write_label(FILE *out, const char *separator, const char *name, const char *text)
{
	fprintf(out, "%s%s=\"", separator, name);
	text_escaped(out, text, "\"\\", '\\');
	fputc('"', out);
}

static void write_family(FILE *out, const char *name, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

static void write_metric(FILE *out, const char *family, const char *scenario, const char *name,
			 const json_t *metric, double value)
{
	fprintf(out, "%s{", family);
	write_label(out, "", "scenario", scenario);
	write_label(out, ",", "metric", name);
	write_label(out, ",", "unit", json_text(metric, "unit", ""));
	write_label(out, ",", "direction", json_text(metric, "direction", "none"));
	fprintf(out, "} %.12g\n", value);
}

static void write_metrics(FILE *out, const json_t *measured, bool boots)
{
	const char *family = boots ? "brinell_metric_boots" : "brinell_metric_median";
	const char *scenario, *name;
	json_t *metrics, *metric;

	write_family(out, family,
		     boots ? "Number of boots behind the median of a metric."
			   : "Median of the medians of the boots, in the unit of the label.");
	json_object_foreach ((json_t *)measured, scenario, metrics) {
		json_object_foreach (metrics, name, metric) {
			double median;

			if (!measured_median(metric, &median))
				continue;
			write_metric(
				out, family, scenario, name, metric,
				boots ? (double)json_object_size(json_object_get(metric, "boots"))
				      : median);
		}
	}
}

static void write_counts(FILE *out, const json_t *scenarios)
{
	const char *scenario, *verdict;
	json_t *counts, *count;

	write_family(out, "brinell_trials", "Trials of the last run by verdict.");
	json_object_foreach ((json_t *)scenarios, scenario, counts) {
		json_object_foreach (counts, verdict, count) {
			fputs("brinell_trials{", out);
			write_label(out, "", "scenario", scenario);
			write_label(out, ",", "verdict", verdict);
			fprintf(out, "} %" PRId64 "\n", (int64_t)json_integer_value(count));
		}
	}
}

static void count(json_t *state, const json_t *result)
{
	json_t *scenarios = json_object_get(state, "scenarios"), *counts;
	const char *scenario = json_text(result, "scenario", "unknown");
	const char *verdict = json_text(result, "verdict", "inconclusive");

	if (!json_object_get(scenarios, scenario))
		json_object_set_new(scenarios, scenario, json_object());
	counts = json_object_get(scenarios, scenario);
	json_add(counts, verdict, 1);
}

static json_t *state_of(const struct report_run *run)
{
	if (!*run->state)
		*run->state = json_pack("{s:{}, s:{}}", "measured", "scenarios");
	return *run->state;
}

static int write_trial(FILE *out, const struct report_run *run, const struct report_trial *trial)
{
	json_t *state = state_of(run);

	measured_take(json_object_get(state, "measured"), trial->result);
	count(state, trial->result);
	return 0;
}

static int write_tail(FILE *out, const struct report_run *run)
{
	__cleanup_json json_t *state = state_of(run);

	*run->state = NULL;
	write_family(out, "brinell_run", "The last run.");
	fputs("brinell_run{", out);
	write_label(out, "", "run", json_text(run->summary, "run", ""));
	write_label(out, ",", "version", json_text(run->summary, "version", ""));
	fprintf(out, "} 1\n");
	write_family(out, "brinell_run_end_timestamp_seconds", "When the last run ended.");
	fprintf(out, "brinell_run_end_timestamp_seconds %" PRId64 "\n",
		(int64_t)(run->last_ns / NSEC_PER_SEC));
	write_family(out, "brinell_run_complete", "Whether no trial of the last run is pending.");
	fprintf(out, "brinell_run_complete %d\n",
		json_is_true(json_object_get(run->summary, "complete")));
	write_counts(out, json_object_get(state, "scenarios"));
	write_metrics(out, json_object_get(state, "measured"), false);
	write_metrics(out, json_object_get(state, "measured"), true);
	fputs("# EOF\n", out);
	return 0;
}

REGISTERED(report, report_openmetrics) = {
	.name = "openmetrics",
	.summary = "OpenMetrics text, for the textfile collector of node_exporter",
	.needs = REPORT_DETAILS,
	.trial = write_trial,
	.tail = write_tail,
};
