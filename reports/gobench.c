// SPDX-License-Identifier: GPL-2.0-only
/*
 * The benchmark format of Go (go.googlesource.com/proposal, design/14313-benchmark-format.md), for benchstat: a line for each
 * metric of each boot. A run has no lines of configuration, which would split benchstat's tables; a comparison has its side.
 */
#include <ctype.h>
#include <string.h>

#include "reports/measured.h"

/* "BenchmarkPerf/host-cpu/injector_time": no blank, no small letter behind the word, no "-8" at the end. */
static void write_name(FILE *out, const char *scenario, const char *metric)
{
	__cleanup_free char *name = format_text("%s/%s", scenario, metric);
	size_t end = strlen(name);

	for (char *at = name; *at; at++)
		if (!isgraph((unsigned char)*at))
			*at = '_';
	while (end && isdigit((unsigned char)name[end - 1]))
		end--;
	if (end && name[end] && name[end - 1] == '-')
		name[end - 1] = '_';
	name[0] = (char)toupper((unsigned char)name[0]);
	fprintf(out, "Benchmark%s", name);
}

/* benchstat shows "ns/op" as seconds; other units as they are, without blanks. */
static char *unit_text(const json_t *metric)
{
	const char *unit = json_text(metric, "unit", "");
	char *text = strcmp(unit, "ns") == 0 ? xstrdup("ns/op") : xstrdup(*unit ? unit : "value");

	for (char *at = text; *at; at++)
		if (!isgraph((unsigned char)*at))
			*at = '_';
	return text;
}

/* This line sets the direction of a unit for benchstat. It is left out where metrics of a unit differ in it. */
static void write_units(FILE *out, const json_t *measured)
{
	__cleanup_json json_t *better = json_object();
	const char *scenario, *name;
	json_t *metrics, *metric, *known;

	json_object_foreach ((json_t *)measured, scenario, metrics) {
		json_object_foreach (metrics, name, metric) {
			__cleanup_free char *unit = unit_text(metric);
			const char *direction = json_text(metric, "direction", "none");
			const char *before = json_text(better, unit, direction);

			json_object_set_new(better, unit,
					    json_string(strcmp(before, direction) == 0 ? direction
										       : "none"));
		}
	}
	json_object_foreach (better, name, known)
		if (is_one_of(json_string_value(known), "lower", "higher"))
			fprintf(out, "Unit %s better=%s\n", name, json_string_value(known));
}

static void write_boots(FILE *out, const char *scenario, const char *name, const json_t *metric)
{
	__cleanup_free char *unit = unit_text(metric);
	const char *boot;
	json_t *samples;

	json_object_foreach (json_object_get(metric, "boots"), boot, samples) {
		double median;

		if (measured_boot(samples, &median))
			continue;
		write_name(out, scenario, name);
		fprintf(out, " 1 %.12g %s\n", median, unit);
	}
}

/**
 * gobench_write - write measured values in the benchmark format of Go
 * @out:      where to
 * @measured: of measured_take()
 */
void gobench_write(FILE *out, const json_t *measured)
{
	const char *scenario, *name;
	json_t *metrics, *metric;

	write_units(out, measured);
	json_object_foreach ((json_t *)measured, scenario, metrics)
		json_object_foreach (metrics, name, metric)
			write_boots(out, scenario, name, metric);
}

static int write_tail(FILE *out, const struct report_run *run)
{
	__cleanup_json json_t *measured = *run->state;

	*run->state = NULL;
	gobench_write(out, measured);
	return 0;
}

REGISTERED(report, report_gobench) = {
	.name = "gobench",
	.summary = "benchmark format of Go, for benchstat: a line for each metric of each boot",
	.needs = REPORT_DETAILS,
	.trial = measured_trial,
	.tail = write_tail,
};
