// SPDX-License-Identifier: GPL-2.0-only
/*
 * The configuration file of a night: one setting or step a line.
 */
#include <errno.h>
#include <string.h>

#include "harness/lib/param.h"
#include "harness/lib/text.h"
#include "harness/nightly/nightly.h"

static int split(char *line, json_t *words, struct reason *why)
{
	char *word;

	while (!next_shell_word(&line, &word)) {
		if (!word)
			return 0;
		if (json_array_append_new(words, json_string(word)))
			return fail(why, -EINVAL, "a word is not UTF-8");
	}
	return fail(why, -EINVAL, "a quote has no end");
}

static int take_setting(struct nightly *nightly, const char *name, const char *value,
			struct reason *why)
{
	if (strcmp(name, "out") == 0) {
		free(nightly->out);
		nightly->out = xstrdup(value);
		return 0;
	}
	if (strcmp(name, "budget") == 0)
		return parse_duration(value, &nightly->budget_ns)
			       ? fail(why, -EINVAL, "'%s' is not a time such as 6h", value)
			       : 0;
	if (parse_number(value, &nightly->keep) || !nightly->keep)
		return fail(why, -EINVAL, "'%s' is not a number of nights", value);
	return 0;
}

static bool is_step(const char *word)
{
	return is_one_of(word, "run", "compare", "calibrate");
}

static bool names_a_side(const json_t *words)
{
	json_t *word;
	size_t index;

	json_array_foreach ((json_t *)words, index, word) {
		const char *text = json_string_value(word);

		if (is_one_of(text, "--a", "--b") || strncmp(text, "--a=", 4) == 0 ||
		    strncmp(text, "--b=", 4) == 0)
			return true;
	}
	return false;
}

static int take_line(struct nightly *nightly, char *line, size_t number, struct reason *why)
{
	static const char *const settings[] = {"out", "keep", "budget"};
	__cleanup_json json_t *words = json_array();
	const char *first;
	json_t *word;
	size_t index;
	int error = line[strspn(line, " \t")] == '#' ? 0 : split(line, words, why);

	if (error || !json_array_size(words))
		return error;
	first = json_string_value(json_array_get(words, 0));
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		if (strcmp(first, settings[i]) != 0)
			continue;
		if (json_array_size(words) != 2)
			return fail(why, -EINVAL, "'%s' needs one value", first);
		return take_setting(nightly, first, json_string_value(json_array_get(words, 1)),
				    why);
	}
	if (!is_step(first))
		return fail(why, -EINVAL,
			    "'%s' is none of out, keep, budget, run, compare, calibrate", first);
	if (json_array_size(words) < 2)
		return fail(why, -EINVAL, "'%s' needs the arguments of 'brinell %s'", first, first);
	if (strcmp(first, "compare") == 0 && !names_a_side(words))
		return fail(
			why, -EINVAL,
			"'compare' needs --a or --b: the night makes the runs that it compares");
	json_array_foreach (words, index, word)
		if (strncmp(json_string_value(word), "--out", 5) == 0)
			return fail(
				why, -EINVAL,
				"'--out' is not allowed: each step has a directory of the night");
	json_array_append_new(nightly->lines, json_integer((json_int_t)number));
	return json_array_append(nightly->steps, words);
}

/**
 * nightly_read - read the configuration file of a night
 * @path:    of the file
 * @nightly: receives the configuration; call nightly_free() also after an error
 * @why:     names file and line
 *
 * Return: 0, -EINVAL, or -errno of the file.
 */
int nightly_read(const char *path, struct nightly *nightly, struct reason *why)
{
	__cleanup_file FILE *file = fopen(path, "re");
	__cleanup_free char *line = NULL;
	struct reason what = {""};
	size_t size = 0, number = 0;
	int error = 0;

	*nightly = (struct nightly){
		.keep = 14, .steps = json_array(), .lines = json_array(), .lock = -1};
	if (!file)
		return fail(why, -errno, "%s: %s", path, strerror(errno));
	while (!error && getline(&line, &size, file) >= 0) {
		number++;
		error = take_line(nightly, line, number, &what);
	}
	if (error)
		return fail(why, error, "%s, line %zu: %s", path, number, what.text);
	if (ferror(file))
		return fail(why, -EIO, "%s: %s", path, strerror(errno));
	if (!nightly->out)
		return fail(why, -EINVAL, "%s: there is no line 'out DIRECTORY'", path);
	if (!json_array_size(nightly->steps))
		return fail(why, -EINVAL, "%s: there is no line 'run ...' or 'compare ...'", path);
	return 0;
}

/** nightly_free - free a configuration of nightly_read(), and release its lock */
void nightly_free(struct nightly *nightly)
{
	free(nightly->out);
	json_decref(nightly->steps);
	json_decref(nightly->lines);
	if (nightly->lock >= 0)
		close(nightly->lock);
}
