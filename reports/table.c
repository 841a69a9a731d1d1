// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table that ends a run on a terminal: one line a trial, as wide as the terminal, the reason
 * under what did not pass.
 */
#include <string.h>
#include <sys/ioctl.h>

#include "reports/table.h"
#include "reports/text.h"

struct style {
	bool colour;
	size_t width;
};

static struct style style_of(FILE *out)
{
	const char *no_colour = getenv("NO_COLOR"), *columns = getenv("COLUMNS");
	bool terminal = isatty(fileno(out));
	struct style style = {.colour = terminal && !(no_colour && *no_colour), .width = 100};
	struct winsize size;

	if (terminal && ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col)
		style.width = size.ws_col;
	else if (columns && atoi(columns) > 0)
		style.width = (size_t)atoi(columns);
	if (style.width < 40)
		style.width = 40;
	return style;
}

static const char *colour_of(const json_t *result, const char *verdict)
{
	if (json_is_true(json_object_get(result, "fixed")))
		return "\033[1;35m";
	if (strcmp(verdict, "pass") == 0)
		return "\033[32m";
	if (json_text(result, "known", NULL))
		return "\033[33m";
	if (strcmp(verdict, "fail") == 0)
		return "\033[1;31m";
	return strcmp(verdict, "skip") == 0 ? "\033[2m" : "\033[33m";
}

/* Writes a text into a column: cut with an ellipsis when it is too long, else filled up. */
static void cell(FILE *out, const char *text, size_t columns, bool last)
{
	size_t have = text_columns(text), shown = 0;
	size_t room = have > columns ? columns - 1 : columns;

	for (; *text; text++) {
		bool begins = ((unsigned char)*text & 0xc0) != 0x80;
		size_t control = text_control(text);

		if (begins && shown == room)
			break;
		shown += begins;
		fputc(control ? ' ' : *text, out);
		text += control ? control - 1 : 0;
	}
	if (have > columns) {
		fputs("…", out);
		shown++;
	}
	while (!last && shown++ < columns)
		fputc(' ', out);
	fputs(last ? "\n" : "  ", out);
}

static size_t widest(const json_t *trials, const char *key, size_t least, size_t most)
{
	size_t width = least, index;
	json_t *result;

	json_array_foreach (trials, index, result) {
		size_t columns = text_columns(json_text(result, key, ""));

		width = columns > width ? columns : width;
	}
	return width > most ? most : width;
}

static void print_counts(FILE *out, const json_t *results)
{
	const json_t *counts = json_object_get(results, "counts");
	const char *name, *separator = "";
	json_t *count;

	json_object_foreach ((json_t *)counts, name, count) {
		if (!json_integer_value(count))
			continue;
		fprintf(out, "%s%" JSON_INTEGER_FORMAT " %s", separator, json_integer_value(count),
			name);
		separator = ", ";
	}
	fputs(*separator ? "\n" : "no trials\n", out);
}

/* What became of guest, migration and host does not fit beside the rest of a narrow line: then it is the next. */
static void print_outcome(FILE *out, const char *axes, size_t columns, size_t width)
{
	if (text_columns(axes) <= columns) {
		cell(out, axes, columns, true);
		return;
	}
	fputs("...\n       ", out);
	cell(out, axes, width - 7, true);
}

/* The verdict, and whether its failure is known, or was. */
static void print_verdict(FILE *out, const json_t *result, const char *verdict, bool colour)
{
	const char *more = json_text(result, "known", NULL)		    ? ", known"
			   : json_is_true(json_object_get(result, "fixed")) ? ", fixed"
									    : "";
	char text[64];

	snprintf(text, sizeof(text), "%s%s", verdict, more);
	fputs(colour ? colour_of(result, verdict) : "", out);
	cell(out, text, 12, false);
	fputs(colour ? "\033[0m" : "", out);
}

/* Why it did not pass; what is known of it; that what was known is gone. */
static void print_reason(FILE *out, const json_t *result, const char *verdict, size_t width)
{
	const char *known = json_text(result, "known", NULL);
	__cleanup_free char *reason = format_text("%s: %s", json_text(result, "code", "none"),
						  json_text(result, "reason", ""));

	if (strcmp(verdict, "pass") != 0) {
		fputs("       ", out);
		cell(out, reason, width - 7, true);
	}
	if (known) {
		fputs("       known: ", out);
		cell(out, known, width - 14, true);
	}
	if (json_is_true(json_object_get(result, "fixed"))) {
		fputs("       ", out);
		cell(out, "FIXED: the known failure of this scenario is gone", width - 7, true);
	}
}

/**
 * table_print - the results of a run for people
 * @out:     file; colours only when it is a terminal and NO_COLOR is not set
 * @results: of judge_run()
 */
void table_print(FILE *out, const json_t *results)
{
	const json_t *trials = json_object_get(results, "trials");
	struct style style = style_of(out);
	const size_t fixed = 5 + 2 + 12 + 2 + 9 + 2 + 8 + 2 + 2;
	size_t rest = style.width > fixed + 24 ? style.width - fixed : 24;
	size_t scenario = widest(trials, "scenario", 8, rest * 2 / 3), axes_width = rest - scenario;
	json_t *result;
	size_t index;

	cell(out, "trial", 5, false);
	cell(out, "verdict", 12, false);
	cell(out, "scenario", scenario, false);
	cell(out, "delivered", 9, false);
	cell(out, "time", 8, false);
	cell(out, "outcome", axes_width, true);
	json_array_foreach (trials, index, result) {
		const char *verdict = json_text(result, "verdict", "inconclusive");
		char axes[256], time[32];

		text_axes(axes, result);
		text_duration(time, metric_ns(result, "trial_time"));
		cell(out, json_text(result, "trial", "?"), 5, false);
		print_verdict(out, result, verdict, style.colour);
		cell(out, json_text(result, "scenario", "unknown"), scenario, false);
		cell(out, json_is_true(json_object_get(result, "delivered")) ? "yes" : "no", 9,
		     false);
		cell(out, time, 8, false);
		print_outcome(out, axes, axes_width, style.width);
		print_reason(out, result, verdict, style.width);
	}
	fputc('\n', out);
	print_counts(out, results);
}
