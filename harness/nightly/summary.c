// SPDX-License-Identifier: GPL-2.0-only
/*
 * The summary of a night, for a mail.
 */
#include <string.h>

#include "harness/compare/rounds.h"
#include "harness/history/history.h"
#include "harness/nightly/nightly.h"
#include "reports/text.h"

/* Most detail lines of a step. */
#define DETAILS_MOST 6

static json_t *results_of(const json_t *step)
{
	bool compares = json_is(step, "kind", "compare");
	__cleanup_free char *path = format_text("%s/%s", json_text(step, "directory", ""),
						compares ? COMPARED_FILE : "results.json");

	return json_load_file(path, 0, NULL);
}

/* Print counts of a run or a comparison, and whether its bench raises false alarms. */
static void print_counts(FILE *out, const json_t *results)
{
	const char *verdict, *separator = ": ";
	json_t *count;

	json_object_foreach (json_object_get(results, "counts"), verdict, count) {
		if (!json_integer_value(count))
			continue;
		fprintf(out, "%s%lld %s", separator, (long long)json_integer_value(count), verdict);
		separator = ", ";
	}
	if (json_is_true(json_object_get(json_object_get(results, "calibration"), "noisy")))
		fputs("; this bench raises more than 5 % false alarms", out);
}

/* Print failed and incomplete trials, with the reason and the command that shows more. */
static size_t print_trials(FILE *out, const char *directory, const json_t *results)
{
	json_t *trial;
	size_t index, count = 0;

	json_array_foreach (json_object_get(results, "trials"), index, trial) {
		const char *verdict = json_text(trial, "verdict", "pending");

		if (is_one_of(verdict, "pass", "known") || count++ >= DETAILS_MOST)
			continue;
		text_line(out, "    %s: %s: %.160s", json_text(trial, "scenario", "?"), verdict,
			  json_text(trial, "reason", "no reason is recorded"));
		text_line(out, "      brinell show %s %s", directory,
			  json_text(trial, "trial", "?"));
	}
	return count;
}

static size_t print_rows(FILE *out, const json_t *rows, size_t count)
{
	json_t *row;
	size_t index;

	json_array_foreach (rows, index, row) {
		const json_t *change = json_object_get(row, "change_percent");
		const char *note = json_text(row, "note", NULL);
		__cleanup_free char *interval = NULL;

		if (!json_is(row, "verdict", "regressed") || count++ >= DETAILS_MOST)
			continue;
		interval = json_is_number(json_object_get(change, "low"))
				   ? format_text(" [%+.1f, %+.1f]",
						 json_number_value(json_object_get(change, "low")),
						 json_number_value(json_object_get(change, "high")))
				   : xstrdup("");
		if (change)
			text_line(out, "    %s %s: %+.1f %%%s%s%s", json_text(row, "scenario", "?"),
				  json_text(row, "metric", "?"),
				  json_number_value(json_object_get(change, "value")), interval,
				  note ? ", " : "", note ?: "");
		else
			text_line(out, "    %s fails more often%s%s",
				  json_text(row, "scenario", "?"), note ? ", " : "", note ?: "");
	}
	return count;
}

static void print_details(FILE *out, const json_t *step, const json_t *results)
{
	const char *directory = json_text(step, "directory", "");
	size_t count = print_trials(out, directory, results);

	count = print_rows(out, json_object_get(results, "metrics"), count);
	count = print_rows(out, json_object_get(results, "rates"), count);
	if (count > DETAILS_MOST)
		fprintf(out, "    and %zu more\n", count - DETAILS_MOST);
	if (count)
		text_line(out, "    full report: %s/report.html", directory);
}

static const char *meaning_of(const char *kind, int code)
{
	static const char *const meanings[] = {
		[EXIT_PASSED] = "ok",
		[EXIT_FAILED] = "failed",
		[EXIT_USAGE] = "could not be run: bad usage",
		[EXIT_INCONCLUSIVE] = "inconclusive",
		[EXIT_INFRA] = "could not be run: the bench failed",
	};

	if (code == EXIT_KILLED)
		return "killed by a signal, 'brinell resume' finishes it";
	if (strcmp(kind, "compare") == 0 && code >= 0 && code <= EXIT_INCONCLUSIVE)
		return (const char *const[]){"nothing regressed", "regressed", meanings[EXIT_USAGE],
					     "not comparable"}[code];
	if (strcmp(kind, "calibrate") == 0 && code == EXIT_FAILED)
		return "the bench raises more than 5 % false alarms";
	return code >= 0 && (size_t)code < ARRAY_SIZE(meanings) ? meanings[code] : "ended badly";
}

/* Print the last message of a step without results. */
static void print_log_tail(FILE *out, const char *directory)
{
	__cleanup_free char *log = format_text("%s.log", directory);
	__cleanup_free char *text = NULL;
	char *line;

	if (read_small_file(log, &text, NULL))
		return;
	for (size_t length = strlen(text); length && text[length - 1] == '\n';)
		text[--length] = '\0';
	line = strrchr(text, '\n');
	text_line(out, "    %.200s", line ? line + 1 : text);
	text_line(out, "    full log: %s", log);
}

/* A comparison is inconclusive if every row is too noisy. */
static bool shows_nothing(const json_t *results)
{
	const json_t *counts = json_object_get(results, "counts");

	return json_number(counts, "too-noisy", 0) && !json_number(counts, "regressed", 0) &&
	       !json_number(counts, "improved", 0) && !json_number(counts, "no-change-shown", 0);
}

static void print_step(FILE *out, const json_t *step)
{
	const json_t *code = json_object_get(step, "code");
	const char *directory = json_text(step, "directory", "");
	__cleanup_json json_t *results = results_of(step);

	fprintf(out, "  %s: ", json_text(step, "step", ""));
	if (!json_is_integer(code)) {
		fputs("not run: the budget of time was spent\n", out);
		return;
	}
	fputs(shows_nothing(results)
		      ? "too noisy, more boots are needed"
		      : meaning_of(json_text(step, "kind", ""), (int)json_integer_value(code)),
	      out);
	print_counts(out, results);
	fputc('\n', out);
	print_details(out, step, results);
	if (json_integer_value(code) != EXIT_PASSED && !results)
		print_log_tail(out, directory);
}

static void print_part(FILE *out, const json_t *report, const char *key, const char *title)
{
	const json_t *list = json_object_get(report, key);
	json_t *point;
	size_t index;

	fprintf(out, "%s: %zu\n", title, json_array_size(list));
	json_array_foreach ((json_t *)list, index, point)
		history_print(out, point);
}

/* Truncate a text to SUMMARY_LINES lines, with the number of omitted ones. */
static char *cut(const char *text, const char *directory)
{
	const char *end = text, *rest;
	size_t lines = 0, left = 0;

	for (rest = text; (rest = strchr(rest, '\n')); rest++)
		if (++lines == SUMMARY_LINES - 1)
			end = rest + 1;
	if (lines <= SUMMARY_LINES)
		return xstrdup(text);
	left = lines - (SUMMARY_LINES - 1);
	return format_text("%.*s... and %zu lines more: %s has the reports\n", (int)(end - text),
			   text, left, directory);
}

static size_t good_steps(const json_t *outcome)
{
	json_t *step;
	size_t index, good = 0;

	json_array_foreach ((json_t *)outcome, index, step)
		good += json_number(step, "code", -1) == EXIT_PASSED;
	return good;
}

/**
 * night_summary - write the summary of a night
 * @directory: of the night
 * @outcome:   of night_run()
 * @report:    of history_check()
 *
 * Return: at most SUMMARY_LINES lines, owned by the caller.
 */
char *night_summary(const char *directory, const json_t *outcome, const json_t *report)
{
	__cleanup_free char *text = NULL;
	size_t size, index;
	FILE *out = open_memstream(&text, &size);
	json_t *step;

	/* The first line, which a mail client lists. */
	fprintf(out,
		"brinell: %zu new, %zu still there, %zu gone; %zu of %zu steps succeeded: %s\n",
		json_array_size(json_object_get(report, "new")),
		json_array_size(json_object_get(report, "still")),
		json_array_size(json_object_get(report, "gone")), good_steps(outcome),
		json_array_size(outcome), directory);
	/* What is cut off is what was known before. */
	print_part(out, report, "new", "new");
	print_part(out, report, "gone", "gone");
	json_array_foreach ((json_t *)outcome, index, step)
		print_step(out, step);
	print_part(out, report, "still", "still there");
	fclose(out);
	return cut(text, directory);
}

/** night_is_bad - whether a night needs attention: a step failed, or a change for the worse is new */
bool night_is_bad(const json_t *outcome, const json_t *report)
{
	json_t *each;
	size_t index;

	json_array_foreach ((json_t *)outcome, index, each)
		if (json_number(each, "code", -1) != EXIT_PASSED)
			return true;
	return history_is_worse(report);
}
