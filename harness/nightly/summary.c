// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a night found, in a few lines for a mail.
 */
#include <string.h>

#include "harness/compare/rounds.h"
#include "harness/history/history.h"
#include "harness/nightly/nightly.h"

/* Of a run or a comparison, and whether its bench alarms by itself. */
static void print_counts(FILE *out, const char *kind, const char *directory)
{
	bool compares = strcmp(kind, "compare") == 0;
	__cleanup_free char *path =
		format_text("%s/%s", directory, compares ? COMPARED_FILE : "results.json");
	__cleanup_json json_t *results = json_load_file(path, 0, NULL);
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

static const char *meaning_of(const char *kind, int code)
{
	static const char *const meanings[] = {
		[EXIT_PASSED] = "ok",
		[EXIT_FAILED] = "failed or regressed",
		[EXIT_USAGE] = "could not be run: bad usage",
		[EXIT_INCONCLUSIVE] = "inconclusive",
		[EXIT_INFRA] = "could not be run: the bench failed",
	};

	if (strcmp(kind, "calibrate") == 0 && code == EXIT_FAILED)
		return "the bench raises more than 5 % false alarms";
	return code >= 0 && (size_t)code < ARRAY_SIZE(meanings) ? meanings[code] : "ended badly";
}

static void print_step(FILE *out, const json_t *step)
{
	const json_t *code = json_object_get(step, "code");
	const char *directory = json_text(step, "directory", "");

	fprintf(out, "  %s: ", json_text(step, "step", ""));
	if (!json_is_integer(code)) {
		fputs("not run: the budget of time was spent\n", out);
		return;
	}
	fputs(meaning_of(json_text(step, "kind", ""), (int)json_integer_value(code)), out);
	print_counts(out, json_text(step, "kind", ""), directory);
	if (json_integer_value(code) != EXIT_PASSED)
		fprintf(out, "; see %s.log", directory);
	fputc('\n', out);
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

/* Cuts a text after so many lines, and says how many are left out. */
static char *cut(const char *text)
{
	const char *end = text, *rest;
	size_t lines = 0, left = 0;

	for (rest = text; (rest = strchr(rest, '\n')); rest++)
		if (++lines == SUMMARY_LINES - 1)
			end = rest + 1;
	if (lines <= SUMMARY_LINES)
		return xstrdup(text);
	left = lines - (SUMMARY_LINES - 1);
	return format_text("%.*s... and %zu lines more: 'brinell history check' has them\n",
			   (int)(end - text), text, left);
}

/**
 * night_summary - what a night found
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

	fprintf(out, "brinell: night %s\n", directory);
	json_array_foreach ((json_t *)outcome, index, step)
		print_step(out, step);
	print_part(out, report, "new", "new");
	print_part(out, report, "still", "still there");
	print_part(out, report, "gone", "gone");
	fclose(out);
	return cut(text);
}

/** night_is_bad - whether somebody should look: a step did not end well, or something is new and worse */
bool night_is_bad(const json_t *outcome, const json_t *report)
{
	json_t *each;
	size_t index;

	json_array_foreach ((json_t *)outcome, index, each)
		if (json_number(each, "code", -1) != EXIT_PASSED)
			return true;
	return history_is_worse(report);
}
