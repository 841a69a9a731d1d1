// SPDX-License-Identifier: GPL-2.0-only
/*
 * CSV for Apache Otava (otava/importer.py, CsvImporter): a row for each run, a column for each metric. `brinell history otava`
 * writes the rows of all runs.
 */
#include "reports/measured.h"
#include "reports/text.h"

static void write_field(FILE *out, const char *text)
{
	fputc('"', out);
	text_escaped(out, text, "\"", '"');
	fputc('"', out);
}

static json_t *columns_of(const json_t *rows)
{
	json_t *columns = json_object(), *row, *value;
	const char *name;
	size_t index;

	json_array_foreach ((json_t *)rows, index, row)
		json_object_foreach (json_object_get(row, "values"), name, value)
			json_object_set_new(columns, name, json_true());
	return columns;
}

/* "20261129T010000Z-..." becomes "2026-11-29T01:00:00Z", which Otava can read; anything else stays. */
static char *time_of(const char *run)
{
	int year, month, day, hour, minute, second;

	if (sscanf(run, "%4d%2d%2dT%2d%2d%2dZ", &year, &month, &day, &hour, &minute, &second) != 6)
		return xstrdup(run);
	return format_text("%04d-%02d-%02dT%02d:%02d:%02dZ", year, month, day, hour, minute,
			   second);
}

/**
 * otava_write - write runs as CSV for Apache Otava
 * @out:  where to
 * @rows: [{"run", "version", "values": {"SCENARIO METRIC": number}}] in the order of time
 */
void otava_write(FILE *out, const json_t *rows)
{
	__cleanup_json json_t *columns = columns_of(rows);
	const char *name;
	json_t *row, *yes;
	size_t index;

	fputs("time,run,version", out);
	json_object_foreach (columns, name, yes) {
		fputc(',', out);
		write_field(out, name);
	}
	fputs("\r\n", out);
	json_array_foreach ((json_t *)rows, index, row) {
		__cleanup_free char *time = time_of(json_text(row, "run", ""));

		write_field(out, time);
		fputc(',', out);
		write_field(out, json_text(row, "run", ""));
		fputc(',', out);
		write_field(out, json_text(row, "version", ""));
		json_object_foreach (columns, name, yes) {
			const json_t *value = json_object_get(json_object_get(row, "values"), name);

			fputc(',', out);
			if (json_is_number(value))
				fprintf(out, "%.12g", json_number_value(value));
		}
		fputs("\r\n", out);
	}
}

static int write_tail(FILE *out, const struct report_run *run)
{
	__cleanup_json json_t *measured = *run->state;
	__cleanup_json json_t *values = json_object();
	__cleanup_json json_t *rows = NULL;
	const char *scenario, *name;
	json_t *metrics, *metric;

	*run->state = NULL;
	json_object_foreach (measured, scenario, metrics) {
		json_object_foreach (metrics, name, metric) {
			__cleanup_free char *column = format_text("%s %s", scenario, name);
			double median;

			if (measured_median(metric, &median))
				json_object_set_new(values, column, json_real(median));
		}
	}
	rows = json_pack("[{s:s, s:s, s:O}]", "run", json_text(run->summary, "run", ""), "version",
			 json_text(run->summary, "version", ""), "values", values);
	otava_write(out, rows);
	return 0;
}

REGISTERED(report, report_otava) = {
	.name = "otava",
	.summary = "CSV for Apache Otava: the medians of the metrics in one row",
	.needs = REPORT_DETAILS,
	.trial = measured_trial,
	.tail = write_tail,
};
