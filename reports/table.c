// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table that ends a run on a terminal: one line a trial, as wide as the terminal, the reason
 * under what did not pass.
 */
#include <string.h>
#include <sys/ioctl.h>

#include "reports/table.h"
#include "reports/text.h"

static void find_style(struct table *table)
{
	const char *no_colour = getenv("NO_COLOR"), *columns = getenv("COLUMNS");
	bool terminal = isatty(fileno(table->out));
	struct winsize size;

	table->colour = terminal && !(no_colour && *no_colour);
	table->width = 100;
	if (terminal && ioctl(fileno(table->out), TIOCGWINSZ, &size) == 0 && size.ws_col)
		table->width = size.ws_col;
	else if (columns && atoi(columns) > 0)
		table->width = (size_t)atoi(columns);
	if (table->width < 40)
		table->width = 40;
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
 * table_begin - the heading of the results of a run for people
 * @table:    to be filled
 * @out:      file; colours only when it is a terminal and NO_COLOR is not set
 * @scenario: columns of the longest name of a scenario
 */
void table_begin(struct table *table, FILE *out, size_t scenario)
{
	const size_t fixed = 5 + 2 + 12 + 2 + 9 + 2 + 8 + 2 + 2;
	size_t rest;

	*table = (struct table){.out = out};
	find_style(table);
	rest = table->width > fixed + 24 ? table->width - fixed : 24;
	table->scenario = scenario < 8 ? 8 : scenario > rest * 2 / 3 ? rest * 2 / 3 : scenario;
	table->axes = rest - table->scenario;
	cell(out, "trial", 5, false);
	cell(out, "verdict", 12, false);
	cell(out, "scenario", table->scenario, false);
	cell(out, "delivered", 9, false);
	cell(out, "time", 8, false);
	cell(out, "outcome", table->axes, true);
}

/** table_row - one trial */
void table_row(const struct table *table, const json_t *result)
{
	const char *verdict = json_text(result, "verdict", "inconclusive");
	char axes[256], time[32];
	FILE *out = table->out;

	text_axes(axes, result);
	text_duration(time, metric_ns(result, "trial_time"));
	cell(out, json_text(result, "trial", "?"), 5, false);
	print_verdict(out, result, verdict, table->colour);
	cell(out, json_text(result, "scenario", "unknown"), table->scenario, false);
	cell(out, json_is_true(json_object_get(result, "delivered")) ? "yes" : "no", 9, false);
	cell(out, time, 8, false);
	print_outcome(out, axes, table->axes, table->width);
	print_reason(out, result, verdict, table->width);
}

/** table_end - the counts of the verdicts; @summary of judge_run() */
void table_end(const struct table *table, const json_t *summary)
{
	fputc('\n', table->out);
	print_counts(table->out, summary);
}
