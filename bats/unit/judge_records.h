/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_TESTS_JUDGE_RECORDS_H
#define BRINELL_TESTS_JUDGE_RECORDS_H

#include <string.h>

#include "harness/evidence/record.h"
#include "harness/judge/judge.h"
#include "harness/store/render.h"
#include "reports/report.h"
#include "reports/table.h"

/* Records that a test has made or changed, as the text of a journal; where a mark of damage is, a line is broken. */
static inline char *journal_text(const json_t *records)
{
	uint64_t sequence = 0;
	json_t *record;
	size_t index, length;
	char *text = NULL;
	FILE *out = open_memstream(&text, &length);

	json_array_foreach (records, index, record) {
		const json_t *body = json_object_get(record, "body");
		__cleanup_free char *line = NULL;

		sequence++;
		if (json_is(record, "type", JOURNAL_DAMAGE)) {
			if (json_is(body, "what", "checksum"))
				fputs("damaged\n", out);
			continue;
		}
		line = journal_encode(sequence, json_number(record, "time_ns", 0),
				      json_text(record, "type", ""),
				      json_text(record, "trial", NULL), body);
		fputs(line ? line : "damaged\n", out);
	}
	fclose(out);
	return text;
}

static inline int collect_result(void *context, const struct judged *judged)
{
	return json_array_append(context, judged->result);
}

/* The results of a run with its trials, as before they were written one by one; NULL when no record is whole. */
static inline json_t *judge_journal(const char *text, size_t length)
{
	__cleanup_index struct journal_index *index = NULL;
	json_t *trials, *summary = NULL;
	struct reason why;

	if (journal_index_parse(text, length, &index, &why))
		return NULL;
	trials = json_array();
	judge_run(index, &(struct judge_options){0}, collect_result, trials, &summary);
	json_object_set_new(summary, "trials", trials);
	return summary;
}

static inline json_t *judge_records(const json_t *records)
{
	__cleanup_free char *text = journal_text(records);
	json_t *results = judge_journal(text, strlen(text));

	return results ? results : json_object();
}

/* A report of a journal; NULL when it can not be written. */
static inline char *render_journal(const struct report *report, const char *text, size_t size)
{
	__cleanup_index struct journal_index *index = NULL;
	__cleanup_json json_t *summary = NULL;
	struct reason why;
	char *written = NULL;
	size_t length;
	FILE *out;
	int error;

	if (journal_index_parse(text, size, &index, &why))
		return NULL;
	out = open_memstream(&written, &length);
	error = render(
		&(struct rendering){.index = index, .reports = &report, .outs = &out, .count = 1},
		&summary);
	fclose(out);
	if (!error)
		return written;
	free(written);
	return NULL;
}

static inline size_t put_trials(FILE *out, FILE *rows, const struct report *report,
				const struct report_run *run, const json_t *trials,
				const json_t *records)
{
	__cleanup_json json_t *turns = json_object();
	size_t index, fixed = 0;
	json_t *result;

	json_array_foreach (trials, index, result) {
		const char *scenario = json_text(result, "scenario", "unknown");
		int64_t turn = json_number(turns, scenario, 0) + 1;
		__cleanup_free char *name = format_text("%s %d", scenario, (int)turn);

		fixed += json_is_true(json_object_get(result, "fixed"));
		json_object_set_new(turns, scenario, json_integer(turn));
		if (out && report->trial(out, run,
					 &(struct report_trial){.number = index + 1,
								.name = name,
								.result = result,
								.records = records,
								.rows = rows}))
			abort();
	}
	return fixed;
}

/* A report of results that a test provides; @records may be NULL. */
static inline char *render_results(const char *format, const json_t *results, const json_t *records)
{
	const struct report *report = report_find(format);
	const json_t *trials = json_object_get(results, "trials");
	__cleanup_json json_t *summary = json_copy((json_t *)results);
	void *state = NULL;
	struct report_run run = {
		.about = records,
		.trials = json_array_size(trials) +
			  json_array_size(json_object_get(results, "pending")),
		.summary = summary,
		.state = &state,
		.first_ns = json_number(json_array_get(records, 0), "time_ns", 0),
		.last_ns = json_number(json_array_get(records, json_array_size(records) - 1),
				       "time_ns", 0),
	};
	char *text = NULL, *rows = NULL, *body = NULL;
	size_t length, size;
	FILE *out = open_memstream(&text, &length);
	FILE *first = open_memstream(&rows, &size), *rest = open_memstream(&body, &size);

	json_object_del(summary, "trials");
	run.fixed = put_trials(NULL, NULL, report, &run, trials, NULL);
	if (report->head && report->head(out, &run))
		abort();
	put_trials(rest, first, report, &run, trials, records);
	fclose(first);
	fclose(rest);
	fputs(rows, out);
	if (report->middle)
		report->middle(out, &run);
	fputs(body, out);
	if (report->tail)
		report->tail(out, &run);
	fclose(out);
	free(rows);
	free(body);
	return text;
}

static inline void print_table(FILE *out, const json_t *results)
{
	struct table table;
	size_t index, widest = 0;
	json_t *result;

	json_array_foreach (json_object_get(results, "trials"), index, result) {
		size_t length = strlen(json_text(result, "scenario", ""));

		widest = length > widest ? length : widest;
	}
	table_begin(&table, out, widest);
	json_array_foreach (json_object_get(results, "trials"), index, result)
		table_row(&table, result);
	table_end(&table, results);
}

#endif
