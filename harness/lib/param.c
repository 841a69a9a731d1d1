// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parameter tables: one description serves scenario files, the command line, requests to an agent, and the help.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "harness/lib/param.h"

/**
 * parse_number - unsigned 64-bit number, decimal or 0x hexadecimal
 *
 * Return: 0, -EINVAL for text that is not a number, -ERANGE when it needs more than 64 bits.
 */
int parse_number(const char *text, uint64_t *number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	*number = strtoull(text, &end, text[0] == '0' && (text[1] | 32) == 'x' ? 16 : 10);
	if (errno)
		return -errno;
	return *end ? -EINVAL : 0;
}

struct unit {
	const char *name;
	uint64_t factor;
};

static int parse_with_unit(const char *text, const struct unit *units, uint64_t *value)
{
	size_t digits = strspn(text, "0123456789");
	char number[24];
	uint64_t count;

	if (digits == 0 || digits >= sizeof(number))
		return -EINVAL;
	memcpy(number, text, digits);
	number[digits] = '\0';
	if (parse_number(number, &count))
		return -ERANGE;
	for (; units->name; units++) {
		if (strcmp(text + digits, units->name) != 0)
			continue;
		if (__builtin_mul_overflow(count, units->factor, value) || *value > INT64_MAX)
			return -ERANGE;
		return 0;
	}
	return -EINVAL;
}

/**
 * parse_size - bytes, with an optional K, M or G for powers of 1024
 *
 * Return: 0, -EINVAL or -ERANGE.
 */
int parse_size(const char *text, uint64_t *bytes)
{
	static const struct unit units[] = {
		{"", 1}, {"K", 1ull << 10}, {"M", 1ull << 20}, {"G", 1ull << 30}, {NULL, 0}};

	return parse_with_unit(text, units, bytes);
}

/**
 * parse_duration - a time with its unit: ns, us, ms, s, min (or m) or h
 *
 * Return: 0, -EINVAL (a bare number too: it would be a guess) or -ERANGE.
 */
int parse_duration(const char *text, int64_t *nanoseconds)
{
	static const struct unit units[] = {{"ns", 1},
					    {"us", 1000},
					    {"ms", 1000000},
					    {"s", 1000000000},
					    {"min", 60000000000},
					    {"m", 60000000000},
					    {"h", 3600000000000},
					    {NULL, 0}};
	uint64_t value;
	int error = parse_with_unit(text, units, &value);

	if (error)
		return error;
	*nanoseconds = (int64_t)value;
	return 0;
}

static int parse_bool(const char *text, bool *value)
{
	*value = is_one_of(text, "true", "yes", "on", "1");
	return *value || is_one_of(text, "false", "no", "off", "0") ? 0 : -EINVAL;
}

/** param_find - the entry of a name in a table, or NULL */
const struct param *param_find(const struct param *table, const char *name)
{
	for (; table && table->name; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

static char *join_choices(const char *const *choices)
{
	char *all = NULL;

	for (; *choices; choices++)
		append_text(&all, ", ", "%s", *choices);
	return all;
}

static char *join_names(const struct param *table)
{
	char *all = NULL;

	for (; table && table->name; table++)
		append_text(&all, ", ", "%s", table->name);
	return all ?: xstrdup("none");
}

/* The canonical text of a value, or NULL with a reason. */
static char *canonical(const struct param *param, const char *text, struct reason *why)
{
	uint64_t number = 0;
	int64_t duration = 0;
	bool flag = false;
	int error = 0;

	switch (param->kind) {
	case PARAM_STRING:
		return xstrdup(text);
	case PARAM_BOOL:
		if (parse_bool(text, &flag) == 0)
			return xstrdup(flag ? "true" : "false");
		fail(why, -EINVAL, "'%s' is '%s': it must be true or false", param->name, text);
		return NULL;
	case PARAM_NUMBER:
		error = parse_number(text, &number);
		if (!error)
			return format_text("0x%" PRIx64, number);
		fail(why, error,
		     "'%s' is '%s': it must be a number of at most 64 bits, decimal or 0x",
		     param->name, text);
		return NULL;
	case PARAM_SIZE:
		error = parse_size(text, &number);
		if (!error)
			return format_text("%" PRIu64, number);
		fail(why, error, "'%s' is '%s': it must be a size in bytes, such as 4096, 2M or 1G",
		     param->name, text);
		return NULL;
	case PARAM_DURATION:
		error = parse_duration(text, &duration);
		if (!error)
			return format_text("%" PRId64 "ns", duration);
		fail(why, error,
		     "'%s' is '%s': it must be a time with its unit, such as 200ms or 5s",
		     param->name, text);
		return NULL;
	case PARAM_LIST:
	case PARAM_CHOICE:
		if (!param->choices || text_among(text, param->choices))
			return xstrdup(text);
		__cleanup_free char *choices = join_choices(param->choices);

		fail(why, -EINVAL, "'%s' is '%s': it must be one of %s", param->name, text,
		     choices);
		return NULL;
	}
	return NULL;
}

/**
 * param_set - check one value and put it into the arguments
 * @table:     of the injector, workload or section
 * @arguments: object to fill; for a PARAM_LIST each call appends
 * @name:      of the parameter
 * @text:      its value as the user wrote it
 * @why:       describes the error
 *
 * Return: 0, -ENOENT for an unknown name, -EINVAL or -ERANGE for a bad value.
 */
int param_set(const struct param *table, json_t *arguments, const char *name, const char *text,
	      struct reason *why)
{
	const struct param *param = param_find(table, name);
	__cleanup_free char *value = NULL;

	if (!param) {
		__cleanup_free char *known = join_names(table);

		return fail(why, -ENOENT, "unknown parameter '%s'; known: %s", name, known);
	}
	value = canonical(param, text, why);
	if (!value)
		return -EINVAL;
	if (param->kind != PARAM_LIST)
		return json_object_set_new(arguments, name, json_string(value)) ? -EINVAL : 0;

	json_t *list = json_object_get(arguments, name);

	if (!list) {
		list = json_array();
		json_object_set_new(arguments, name, list);
	}
	return json_array_append_new(list, json_string(value)) ? -EINVAL : 0;
}

/**
 * param_finish - fill in the defaults and check that nothing required is missing
 *
 * Return: 0, or -EINVAL with the name of what is missing.
 */
int param_finish(const struct param *table, json_t *arguments, struct reason *why)
{
	for (; table && table->name; table++) {
		if (json_object_get(arguments, table->name))
			continue;
		if (table->required)
			return fail(why, -EINVAL, "'%s' is missing: %s", table->name, table->help);
		if (table->fallback) {
			int error = param_set(table, arguments, table->name, table->fallback, why);

			if (error)
				return error;
		}
	}
	return 0;
}

/**
 * param_check - check a whole object of arguments, as it comes in a request
 * @table:     of the injector or workload
 * @given:     object of texts, numbers, booleans, or arrays of texts; may be NULL
 * @arguments: receives a new object in canonical form with the defaults filled in; owned by the caller
 * @why:       describes the error
 *
 * Return: 0 or -errno as param_set().
 */
int param_check(const struct param *table, const json_t *given, json_t **arguments,
		struct reason *why)
{
	__cleanup_json json_t *checked = json_object();
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)given, name, value) {
		char number[32];
		const char *text = json_string_value(value);
		int error = 0;

		if (json_is_boolean(value)) {
			text = json_is_true(value) ? "true" : "false";
		} else if (json_is_integer(value)) {
			snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
				 json_integer_value(value));
			text = number;
		}
		if (json_is_array(value)) {
			size_t index;
			json_t *item;

			json_array_foreach (value, index, item) {
				text = json_string_value(item);
				error = text ? param_set(table, checked, name, text, why)
					     : fail(why, -EINVAL, "'%s' must be a list of texts",
						    name);
				if (error)
					return error;
			}
			continue;
		}
		if (!text)
			return fail(why, -EINVAL, "'%s' must be a text, a number or true/false",
				    name);
		error = param_set(table, checked, name, text, why);
		if (error)
			return error;
	}
	int error = param_finish(table, checked, why);

	if (error)
		return error;
	*arguments = steal(checked);
	return 0;
}

/** param_print_help - one line for each parameter of a table */
void param_print_help(FILE *out, const struct param *table)
{
	static const char *const kinds[] = {
		[PARAM_STRING] = "TEXT",   [PARAM_BOOL] = "true|false", [PARAM_NUMBER] = "NUMBER",
		[PARAM_SIZE] = "SIZE",	   [PARAM_DURATION] = "TIME",	[PARAM_CHOICE] = "CHOICE",
		[PARAM_LIST] = "TEXT,...",
	};

	for (; table && table->name; table++) {
		fprintf(out, "  --%-16s %-10s %s", table->name, kinds[table->kind], table->help);
		if (table->required)
			fputs(" (required)", out);
		else if (table->fallback)
			fprintf(out, " (default %s)", table->fallback);
		fputc('\n', out);
		if (table->choices) {
			__cleanup_free char *choices = join_choices(table->choices);

			fprintf(out, "  %-18s %-10s one of: %s\n", "", "", choices);
		}
	}
}

/** param_given - whether an argument is there, by the user or by default */
bool param_given(const json_t *arguments, const char *name)
{
	return json_object_get(arguments, name) != NULL;
}

/** param_text - text of an argument or NULL; borrowed from @arguments */
const char *param_text(const json_t *arguments, const char *name)
{
	return json_string_value(json_object_get(arguments, name));
}

/** param_bool - a PARAM_BOOL argument; false when unset */
bool param_bool(const json_t *arguments, const char *name)
{
	const char *text = param_text(arguments, name);

	return text && strcmp(text, "true") == 0;
}

/** param_number - a PARAM_NUMBER or PARAM_SIZE argument; 0 when unset */
uint64_t param_number(const json_t *arguments, const char *name)
{
	const char *text = param_text(arguments, name);
	uint64_t number;

	return text && parse_number(text, &number) == 0 ? number : 0;
}

/** param_duration_ns - a PARAM_DURATION argument in nanoseconds; 0 when unset */
int64_t param_duration_ns(const json_t *arguments, const char *name)
{
	const char *text = param_text(arguments, name);
	int64_t duration;

	return text && parse_duration(text, &duration) == 0 ? duration : 0;
}
