// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scenarios that are the cells of a matrix, as a picture: one cell a trial, in the colours of its verdict. Of the axes that a scenario
 * names in `cell`, the last one has the columns, the one before it the rows. Each value of the one before these is a table, and of
 * the others each combination a group of tables, which stand side by side or below each other, as the page is wide. All
 * tables of a matrix have the same rows and columns, so that they can be compared; a cell without a trial is empty.
 */
#include <inttypes.h>
#include <string.h>

#include "reports/html/html.h"
#include "reports/text.h"

/* A value of an axis without the number in front of it, which is its place. */
static const char *shown(const char *value)
{
	size_t digits = strspn(value, "0123456789");

	return digits && value[digits] == ' ' ? value + digits + 1 : value;
}

/**
 * html_cell_add - remember a trial, if its scenario is a cell
 * @cells:   array of what the picture shows of each
 * @records: of the trial, or NULL
 * @number:  of the trial in the page
 */
void html_cell_add(json_t *cells, const json_t *result, const json_t *records, size_t number)
{
	const json_t *trial = json_object_get(html_find(records, "trial"), "body");
	json_t *cell = json_object_get(json_object_get(trial, "spec"), "cell"), *value;
	const char *scenario = json_text(result, "scenario", ""), *slash = strrchr(scenario, '/');
	__cleanup_free char *matrix = xstrndup(scenario, slash ? (size_t)(slash - scenario) : 0);
	__cleanup_free char *table = xstrdup("");
	__cleanup_free char *caption = xstrdup("");
	__cleanup_free char *group = xstrdup("");
	const char *key, *row = "", *column = "", *row_axis = "", *column_axis = "";
	size_t left = json_object_size(cell);

	append_text(&matrix, "", ":");
	json_object_foreach (cell, key, value) {
		append_text(&matrix, left == json_object_size(cell) ? " " : " × ", "%s", key);
		if (left > 2) {
			append_text(&table, "\n", "%s", json_string_value(value));
			append_text(left > 3 ? &group : &caption, ", ", "%s: %s", key,
				    shown(json_string_value(value)));
		} else {
			row_axis = column_axis;
			row = column;
			column_axis = key;
			column = json_string_value(value);
		}
		left--;
	}
	if (json_object_size(cell))
		json_array_append_new(
			cells,
			json_pack("{s:s, s:s+, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:b}",
				  "matrix", matrix, "table", matrix, table, "group", group,
				  "caption", caption, "row", row, "column", column, "row axis",
				  row_axis, "column axis", column_axis, "number",
				  (json_int_t)number, "scenario", scenario, "verdict",
				  json_text(result, "verdict", "inconclusive"), "known",
				  json_text(result, "known", NULL) != NULL));
}

struct axis {
	const char **values;
	size_t count;
};

static int compare_values(const void *one, const void *other)
{
	const char *first = *(const char *const *)one, *second = *(const char *const *)other;
	unsigned long place = strtoul(first, NULL, 10), then = strtoul(second, NULL, 10);

	return place != then ? (place > then) - (place < then) : strcmp(first, second);
}

/* What the trials of a matrix have in @key, each once, in order. @matrix: NULL: all. Its @values are freed by the caller. */
static struct axis axis_of(const json_t *cells, const char *key, const char *matrix)
{
	struct axis axis = {.values = xcalloc(json_array_size(cells) + 1, sizeof(char *))};
	const json_t *entry;
	size_t index, unique = 0;

	json_array_foreach ((json_t *)cells, index, entry)
		if (!matrix || json_is(entry, "matrix", matrix))
			axis.values[axis.count++] = json_text(entry, key, "");
	qsort(axis.values, axis.count, sizeof(char *), compare_values);
	for (size_t i = 0; i < axis.count; i++)
		if (!unique || strcmp(axis.values[unique - 1], axis.values[i]) != 0)
			axis.values[unique++] = axis.values[i];
	axis.count = unique;
	return axis;
}

static const json_t *find_entry(const json_t *cells, const char *table)
{
	const json_t *entry;
	size_t index;

	json_array_foreach ((json_t *)cells, index, entry)
		if (json_is(entry, "table", table))
			return entry;
	return NULL;
}

static void write_cell(FILE *out, const json_t *cells, const char *table, const char *row,
		       const char *column)
{
	const json_t *entry;
	size_t index;
	bool found = false;

	fputs("<td>", out);
	json_array_foreach ((json_t *)cells, index, entry) {
		const char *verdict = json_text(entry, "verdict", "");
		bool known = json_is_true(json_object_get(entry, "known"));

		if (!json_is(entry, "table", table) || !json_is(entry, "row", row) ||
		    !json_is(entry, "column", column))
			continue;
		found = true;
		fprintf(out, "<a class=\"cell %s%s\" href=\"#t%" PRId64 "\" title=\"",
			html_class(verdict), known ? " known" : "",
			json_number(entry, "number", 0));
		text_xml_format(out, "%s: %s%s\">%s</a>", json_text(entry, "scenario", ""), verdict,
				known ? ", known" : "", known ? "known" : verdict);
	}
	fputs(found ? "</td>" : "<span class=\"cell none\">–</span></td>", out);
}

static void write_table(FILE *out, const json_t *cells, const char *table)
{
	const json_t *any = find_entry(cells, table);
	const char *matrix = json_text(any, "matrix", "");
	struct axis rows = axis_of(cells, "row", matrix),
		    columns = axis_of(cells, "column", matrix);

	fputs("<table class=\"matrix\"><caption>", out);
	text_xml_format(out, "%s</caption><thead><tr><th scope=\"col\">%s \\ %s</th>",
			json_text(any, "caption", ""), json_text(any, "row axis", ""),
			json_text(any, "column axis", ""));
	for (size_t i = 0; i < columns.count; i++)
		text_xml_format(out, "<th scope=\"col\">%s</th>", shown(columns.values[i]));
	fputs("</tr></thead><tbody>", out);
	for (size_t i = 0; i < rows.count; i++) {
		text_xml_format(out, "<tr><th scope=\"row\">%s</th>", shown(rows.values[i]));
		for (size_t j = 0; j < columns.count; j++)
			write_cell(out, cells, table, rows.values[i], columns.values[j]);
		fputs("</tr>", out);
	}
	fputs("</tbody></table>", out);
	free(rows.values);
	free(columns.values);
}

/** html_matrices - the pictures of all trials of html_cell_add(); nothing when there are none */
void html_matrices(FILE *out, const json_t *cells)
{
	struct axis tables = axis_of(cells, "table", NULL);
	const char *matrix = "", *group = "";

	for (size_t i = 0; i < tables.count; i++) {
		const json_t *any = find_entry(cells, tables.values[i]);
		bool other = !json_is(any, "matrix", matrix);

		if (other || !json_is(any, "group", group)) {
			fputs(*matrix ? "</div>" : "", out);
			matrix = json_text(any, "matrix", "");
			group = json_text(any, "group", "");
			if (other)
				text_xml_format(out, "<h2>Matrix %s</h2>", matrix);
			if (*group)
				text_xml_format(out, "<h3>%s</h3>", group);
			fputs("<div class=\"matrices\">", out);
		}
		write_table(out, cells, tables.values[i]);
	}
	if (*matrix)
		fputs("</div><p class=\"soft\">Each cell is a trial, and leads to it. "
		      "<b>known</b>: a known failure of its scenario. <b>–</b>: this run has no "
		      "such "
		      "trial.</p>",
		      out);
	free(tables.values);
}
