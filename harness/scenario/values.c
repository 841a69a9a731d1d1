// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checks of single values of a scenario: each takes a node, and reports an error with its position.
 */
#include <errno.h>
#include <string.h>

#include "harness/evidence/evidence.h"
#include "harness/scenario/parse.h"

/* One value of a parameter, with the nearest choice when it is none of them. */
static int set_argument(const struct document *document, int node, const struct param *param,
			const struct param *table, json_t *arguments, const char *text)
{
	struct reason why = {""};
	const char *near = NULL;
	__cleanup_json json_t *choices = json_array();
	int error = param_set(table, arguments, param->name, text, &why);

	if (!error)
		return 0;
	for (const char *const *choice = param->choices; choice && *choice; choice++)
		json_array_append_new(choices, json_string(*choice));
	near = nearest_name(text, choices);
	return document_fail(document, node, error, "%s%s%s%s", why.text,
			     near ? "; did you mean '" : "", near ?: "", near ? "'?" : "");
}

/* A setting on the command line has no list syntax: its items are separated by commas. */
static int set_list_from_setting(const struct document *document, int node,
				 const struct param *param, const struct param *table,
				 json_t *arguments, const char *text)
{
	__cleanup_free char *copy = xstrdup(text);
	char *rest = copy, *item;
	int error = 0;

	while (!error && (item = strsep(&rest, ",")))
		error = set_argument(document, node, param, table, arguments, item);
	return error;
}

static int set_list(const struct document *document, int node, const struct param *param,
		    const struct param *table, json_t *arguments)
{
	for (size_t i = 0; i < document_count(document, node); i++) {
		const char *text;
		int item = document_item(document, node, i);
		int error = document_text(document, item, param->name, &text)
				    ?: set_argument(document, item, param, table, arguments, text);

		if (error)
			return error;
	}
	return 0;
}

static int set_value(const struct document *document, int node, const struct param *param,
		     const struct param *table, json_t *arguments)
{
	const char *text;
	int error;

	if (param->kind == PARAM_LIST && document_is_sequence(document, node))
		return set_list(document, node, param, table, arguments);
	/* Where nothing is a value by itself, a spec writes it out. */
	text = document_scalar(document, node);
	if (text && !*text && param->fallback && !*param->fallback)
		return set_argument(document, node, param, table, arguments, text);
	error = document_text(document, node, param->name, &text);
	if (error)
		return error;
	if (param->kind == PARAM_LIST && document_is_setting(document, node))
		return set_list_from_setting(document, node, param, table, arguments, text);
	if (param->kind == PARAM_LIST)
		return document_fail(document, node, -EINVAL, "'%s' must be a list; write [%s]",
				     param->name, text);
	return set_argument(document, node, param, table, arguments, text);
}

/**
 * check_arguments - check a mapping with a table of parameters
 * @document:  borrowed
 * @mapping:   node
 * @what:      its name for messages
 * @own_keys:  keys that the caller looks at himself; NULL-terminated, or NULL
 * @table:     of an injector, a workload or a section
 * @arguments: receives them in canonical form with defaults filled in; owned by the caller. It may hold some already, which
 *             are kept
 *
 * Return: 0 or -errno with the place and the message.
 */
int check_arguments(const struct document *document, int mapping, const char *what,
		    const char *const *own_keys, const struct param *table, json_t **arguments)
{
	__cleanup_json json_t *checked = *arguments ? json_copy(*arguments) : json_object();
	struct reason why = {""};
	int error = document_check_keys(document, mapping, what, own_keys, table);

	for (size_t i = 0; !error && i < document_count(document, mapping); i++) {
		const char *key = document_scalar(document, document_key(document, mapping, i));

		if (own_keys && text_among(key, own_keys))
			continue;
		error = set_value(document, document_value(document, mapping, i),
				  param_find(table, key), table, checked);
	}
	if (error)
		return error;
	error = param_finish(table, checked, &why);
	if (error)
		return document_fail(document, mapping, error, "in '%s', %s", what, why.text);
	json_decref(*arguments);
	*arguments = steal(checked);
	return 0;
}

/** check_duration - a time with its unit, more than nothing and at most a day */
int check_duration(const struct document *document, int node, const char *what,
		   int64_t *nanoseconds)
{
	const char *text;
	int error = document_text(document, node, what, &text);

	if (error)
		return error;
	if (parse_duration(text, nanoseconds))
		return document_fail(document, node, -EINVAL,
				     "'%s' is '%s'; it must be a time with its unit, such as 200ms "
				     "or 5s",
				     what, text);
	if (*nanoseconds <= 0 || *nanoseconds > 86400 * NSEC_PER_SEC)
		return document_fail(document, node, -ERANGE,
				     "'%s' is '%s'; it must be more than 0s and at most a day",
				     what, text);
	return 0;
}

/** check_choice - one of a few words; @text receives the one of @choices */
int check_choice(const struct document *document, int node, const char *what,
		 const char *const *choices, const char **text)
{
	__cleanup_json json_t *known = json_array();
	__cleanup_free char *names = NULL;
	const char *given, *near;
	int error = document_text(document, node, what, &given);

	if (error)
		return error;
	for (; *choices; choices++) {
		if (strcmp(*choices, given) == 0) {
			*text = *choices;
			return 0;
		}
		json_array_append_new(known, json_string(*choices));
	}
	names = join_names(known);
	near = nearest_name(given, known);
	return document_fail(document, node, -EINVAL, "'%s' is '%s'; %s%s%sit must be one of: %s",
			     what, given, near ? "did you mean '" : "", near ?: "",
			     near ? "'? " : "", names);
}

/** check_bool - true or false */
int check_bool(const struct document *document, int node, const char *what, bool *value)
{
	static const char *const choices[] = {"true", "false", NULL};
	const char *text;
	int error = check_choice(document, node, what, choices, &text);

	if (!error)
		*value = strcmp(text, "true") == 0;
	return error;
}

/**
 * check_texts - a list of texts
 * @document:   borrowed
 * @node:       list; from a setting, texts separated by commas
 * @what:       its name for messages
 * @check_item: checks each
 * @texts:      receives an array; owned by the caller
 *
 * Return: 0 or -errno with the place and the message.
 */
int check_texts(const struct document *document, int node, const char *what,
		check_text_fn check_item, json_t **texts)
{
	const struct param table[] = {{.name = what, .kind = PARAM_LIST}, {.name = NULL}};
	__cleanup_json json_t *arguments = json_object();
	json_t *list, *item;
	size_t index;
	int error = set_value(document, node, table, table, arguments);

	if (error)
		return error;
	list = json_object_get(arguments, what);
	json_array_foreach (list, index, item) {
		int place = document_is_sequence(document, node)
				    ? document_item(document, node, index)
				    : node;

		error = check_item(document, place, what, json_string_value(item));
		if (error)
			return error;
	}
	*texts = list ? json_incref(list) : json_array();
	return 0;
}

/** check_regex - a pattern that regex_check() takes */
int check_regex(const struct document *document, int node, const char *what, const char *text)
{
	struct reason why = {0};
	int error = regex_check(text, &why);

	return error ? document_fail(document, node, error, "'%s': %s", what, why.text) : 0;
}
