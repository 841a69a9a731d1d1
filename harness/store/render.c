// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reports in one pass over a journal: each trial is judged, or its recorded verdict taken, and written to all of them before the
 * next is read.
 */
#include <errno.h>
#include <string.h>

#include "harness/store/render.h"
#include "reports/text.h"

/**
 * struct pass - state of a pass
 * @needs: of all reports together
 * @body, @rows: of each report: where its trials, and their rows, wait for its head; NULL: they do not
 */
struct pass {
	const struct rendering *rendering;
	struct report_run run;
	unsigned int needs;
	FILE *body[RENDER_MOST], *rows[RENDER_MOST];
	void *state[RENDER_MOST];
};

/* The run as one report sees it. */
static const struct report_run *run_of(struct pass *pass, size_t report)
{
	pass->run.state = &pass->state[report];
	return &pass->run;
}

static bool wants_records(const struct report *report, const struct judged *judged)
{
	return report->needs & REPORT_RECORDS &&
	       (judged->number <= report->records_most ||
		strcmp(json_text(judged->result, "verdict", ""), "pass") != 0);
}

static bool is_evidence(struct span parent, struct span key)
{
	/* Quoted evidence and its sources. */
	if (span_is(parent, "evidence"))
		return span_is(key, "witness") || span_is(key, "text") || span_is(key, "guest");
	return judge_is_brief(parent, key) || (!parent.length && span_is(key, "evidence"));
}

static scan_wanted_fn wanted_by(unsigned int needs)
{
	if (needs & REPORT_DETAILS)
		return NULL;
	return needs & REPORT_EVIDENCE ? is_evidence : judge_is_brief;
}

static void count_trial(struct report_run *run, const json_t *result)
{
	int64_t time = metric_ns(result, "trial_time");

	run->fixed += json_is_true(json_object_get(result, "fixed"));
	if (time > 0)
		run->time_ns = number_sum(run->time_ns, time);
}

/* The error of a stream: a flush of its buffer fails in the same way. */
static int write_error(FILE *out)
{
	errno = EIO;
	(void)fflush(out);
	return -errno;
}

static int render_trial(void *context, const struct judged *judged)
{
	struct pass *pass = context;
	const struct rendering *rendering = pass->rendering;
	__cleanup_json json_t *records = json_incref(judged->records);
	int error = 0;

	count_trial(&pass->run, judged->result);
	for (size_t i = 0; i < rendering->count && !error; i++) {
		const struct report *report = rendering->reports[i];
		FILE *out = pass->body[i] ? pass->body[i] : rendering->outs[i];
		bool wanted = wants_records(report, judged);

		if (wanted && !records)
			records = journal_index_records(rendering->index, judged->trial);

		const struct report_trial trial = {
			.number = judged->number,
			.name = judged->name,
			.result = judged->result,
			.text = judged->text.length ? judged->text.text : NULL,
			.text_length = judged->text.length,
			.records = wanted ? records : NULL,
			.rows = pass->rows[i],
		};

		error = report->trial(out, run_of(pass, i), &trial);
		if (ferror(out))
			error = write_error(out);
	}
	if (!error && rendering->each)
		error = rendering->each(rendering->context, judged);
	return error;
}

static int begin(struct pass *pass)
{
	const struct rendering *rendering = pass->rendering;
	int error = 0;

	for (size_t i = 0; i < rendering->count && !error; i++) {
		const struct report *report = rendering->reports[i];

		pass->needs |= report->needs;
		if (report->counts_first && !(pass->body[i] = tmpfile()))
			return -errno;
		if (report->middle && !(pass->rows[i] = tmpfile()))
			return -errno;
		if (report->head && !report->counts_first)
			error = report->head(rendering->outs[i], run_of(pass, i));
	}
	return error;
}

static int copy(FILE *from, FILE *to)
{
	char buffer[65536];
	size_t got;

	if (!from)
		return 0;
	rewind(from);
	while ((got = fread(buffer, 1, sizeof(buffer), from)) > 0)
		if (fwrite(buffer, 1, got, to) != got)
			return -EIO;
	return ferror(from) ? -EIO : 0;
}

/* Missing records would not change the count of tests: they are a test of their own. */
static int write_flaw(struct pass *pass, size_t which, FILE *out)
{
	const char *flaw = json_string_value(json_array_get(pass->run.flaws, 0));
	__cleanup_json json_t *result =
		flaw ? json_pack("{s:s, s:s, s:s, s:s, s:s}", "trial", "journal", "scenario",
				 "journal", "verdict", "inconclusive", "code", "journal-damaged",
				 "reason", flaw)
		     : NULL;
	const struct report_trial trial = {
		.number = pass->run.trials + 1, .name = "journal", .result = result};

	return flaw ? pass->rendering->reports[which]->trial(out, run_of(pass, which), &trial) : 0;
}

static int finish(struct pass *pass, size_t which, int error)
{
	const struct report *report = pass->rendering->reports[which];
	const struct report_run *run = run_of(pass, which);
	FILE *out = pass->rendering->outs[which];
	int ended;

	if (!error && report->tests)
		error = write_flaw(pass, which, pass->body[which] ?: out);

	if (!error && report->head && report->counts_first)
		error = report->head(out, run);
	if (!error)
		error = copy(pass->rows[which], out);
	if (!error && report->middle)
		error = report->middle(out, run);
	if (!error)
		error = copy(pass->body[which], out);
	ended = report->tail ? report->tail(out, run) : 0;
	return ferror(out) ? write_error(out) : error ?: ended;
}

/**
 * render - write reports
 * @rendering: which, and of what
 * @summary:   receives what judge_run() gives; owned by the caller
 *
 * Return: 0, or the first -errno of a report.
 */
int render(const struct rendering *rendering, json_t **summary)
{
	__cleanup_json json_t *flaws = judge_flaws(rendering->index);
	struct pass pass = {
		.rendering = rendering,
		.run =
			{
				.about = rendering->index->about,
				.trials = rendering->index->count,
				.flaws = flaws,
				.first_ns = rendering->index->first_ns,
				.last_ns = rendering->index->last_ns,
			},
	};
	struct judge_options options = {.again = rendering->again};
	int error = begin(&pass);

	*summary = NULL;
	options.wanted = wanted_by(pass.needs);
	if (!error)
		error = judge_run(rendering->index, &options, render_trial, &pass, summary);
	pass.run.summary = *summary;
	for (size_t i = 0; i < rendering->count; i++) {
		error = finish(&pass, i, error);
		if (pass.body[i])
			fclose(pass.body[i]);
		if (pass.rows[i])
			fclose(pass.rows[i]);
	}
	return error;
}
