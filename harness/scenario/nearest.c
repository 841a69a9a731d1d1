// SPDX-License-Identifier: GPL-2.0-only
/*
 * "Did you mean": the known name that is the fewest typing errors away.
 */
#include <string.h>

#include "harness/scenario/document.h"

#define NAME_MAX_COMPARED 64

static unsigned int smaller(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Insertions, deletions, replacements and swapped neighbours that lead from one name to the other. */
static unsigned int edit_distance(const char *from, const char *to)
{
	unsigned int rows[3][NAME_MAX_COMPARED + 1];
	size_t from_length = strlen(from), to_length = strlen(to);

	for (size_t j = 0; j <= to_length; j++)
		rows[0][j] = (unsigned int)j;
	for (size_t i = 1; i <= from_length; i++) {
		unsigned int *row = rows[i % 3], *above = rows[(i + 2) % 3];
		const unsigned int *two_above = rows[(i + 1) % 3];

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= to_length; j++) {
			row[j] = smaller(above[j] + 1, row[j - 1] + 1);
			row[j] = smaller(row[j], above[j - 1] + (from[i - 1] != to[j - 1]));
			if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
				row[j] = smaller(row[j], two_above[j - 2] + 1);
		}
	}
	return rows[from_length % 3][to_length];
}

/**
 * nearest_name - the known name that a mistyped one was probably meant to be
 * @name:  as it was typed
 * @known: array of texts
 *
 * Return: borrowed from @known, or NULL when nothing is near (more than a third of the letters differ).
 */
const char *nearest_name(const char *name, const json_t *known)
{
	size_t length = strlen(name);
	unsigned int best = (unsigned int)(length / 3 > 1 ? length / 3 : 1) + 1;
	const char *found = NULL;
	size_t index;
	json_t *item;

	if (length > NAME_MAX_COMPARED)
		return NULL;
	json_array_foreach (known, index, item) {
		const char *candidate = json_string_value(item);

		if (!candidate || strlen(candidate) > NAME_MAX_COMPARED)
			continue;
		unsigned int distance = edit_distance(name, candidate);

		if (distance < best) {
			best = distance;
			found = candidate;
		}
	}
	return found;
}

/**
 * join_names - names in one text, separated by commas
 *
 * Return: to be freed by the caller; "none" for an empty array.
 */
char *join_names(const json_t *names)
{
	char *all = NULL;
	size_t index;
	json_t *item;

	json_array_foreach (names, index, item)
		append_text(&all, ", ", "%s", json_string_value(item));
	return all ?: xstrdup("none");
}
