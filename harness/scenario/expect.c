// SPDX-License-Identifier: GPL-2.0-only
/*
 * The `expect` section: each value by itself. contradictions.c checks combinations.
 */
#include <errno.h>
#include <string.h>

#include "harness/evidence/vocabulary.h"
#include "harness/scenario/parse.h"

static const char *const axis_process[] = {PROCESS_AXIS(TABLE_WORD) NULL};
static const char *const axis_guest[] = {"none", GUEST_AXIS(TABLE_WORD) NULL};
static const char *const axis_host[] = {HOST_AXIS(TABLE_WORD) NULL};
static const char *const axis_iommu[] = {"quiet", "fault", NULL};
static const char *const dma_ends[] = {"arrived", "blocked", NULL};
static const char *const axis_migration[] = {MIGRATION_AXIS(TABLE_WORD) NULL};
static const char *const axis_conversion[] = {"none", "done", "refused-intact", "refused-torn",
					      NULL};
static const char *const signals[] = {"SIGBUS", "none", NULL};
static const char *const codes[] = {"BUS_MCEERR_AR", "BUS_MCEERR_AO", NULL};
static const char *const addresses[] = {"match", NULL};
static const char *const pages[] = {"poisoned", "intact", NULL};
static const char *const contents[] = {"intact", "zero", "other", NULL};

struct expectation;
typedef int (*expectation_check)(const struct document *document, int node,
				 const struct expectation *expectation, json_t **value);

struct expectation {
	const char *name;
	expectation_check check;
	const char *const *choices;
};

static int expect_bool(const struct document *document, int node,
		       const struct expectation *expectation, json_t **value)
{
	bool flag = false;
	int error = check_bool(document, node, expectation->name, &flag);

	if (!error)
		*value = json_boolean(flag);
	return error;
}

static int expect_choice(const struct document *document, int node,
			 const struct expectation *expectation, json_t **value)
{
	const char *text = NULL;
	int error = check_choice(document, node, expectation->name, expectation->choices, &text);

	if (!error)
		*value = json_string(text);
	return error;
}

/* One of the choices, or a list of those that are all fine. */
static int expect_choices(const struct document *document, int node,
			  const struct expectation *expectation, json_t **value)
{
	__cleanup_json json_t *list = json_array();
	int error = 0;

	if (!document_is_sequence(document, node))
		return expect_choice(document, node, expectation, value);
	if (document_count(document, node) == 0)
		return document_fail(document, node, -EINVAL,
				     "'%s' is an empty list; name what may become of it",
				     expectation->name);
	for (size_t i = 0; !error && i < document_count(document, node); i++) {
		json_t *item = NULL;

		error = expect_choice(document, document_item(document, node, i), expectation,
				      &item);
		if (!error)
			json_array_append_new(list, item);
		if (!error && (strcmp(json_string_value(item), "none") == 0 ||
			       strcmp(json_string_value(item), "corrupted") == 0))
			error = document_fail(document, document_item(document, node, i), -EINVAL,
					      "'%s' can not be one of several outcomes; remove it",
					      json_string_value(item));
	}
	if (!error)
		*value = steal(list);
	return error;
}

/* Error numbers of Linux end below 134; the C library has their names. */
static int expect_errno(const struct document *document, int node,
			const struct expectation *expectation, json_t **value)
{
	__cleanup_json json_t *known = json_array();
	const char *text, *near;
	int error = document_text(document, node, expectation->name, &text);

	if (error)
		return error;
	for (int number = 1; number < 200; number++) {
		const char *name = strerrorname_np(number);

		if (name && strcmp(name, text) == 0) {
			*value = json_string(text);
			return 0;
		}
		if (name)
			json_array_append_new(known, json_string(name));
	}
	near = nearest_name(text, known);
	return document_fail(
		document, node, -EINVAL,
		"'%s' is '%s', which is not an error of errno(3)%s%s%s; write a name such "
		"as EBUSY",
		expectation->name, text, near ? "; did you mean '" : "", near ?: "",
		near ? "'?" : "");
}

static int expect_bits(const struct document *document, int node,
		       const struct expectation *expectation, json_t **value)
{
	uint64_t bits;
	const char *text;
	int error = document_text(document, node, expectation->name, &text);

	if (error)
		return error;
	if (parse_number(text, &bits) || bits > 63)
		return document_fail(document, node, -EINVAL,
				     "'%s' is '%s'; it must be a number of address bits, 12 for a "
				     "4 KiB page or 21 for a 2 MiB one",
				     expectation->name, text);
	*value = json_integer((json_int_t)bits);
	return 0;
}

static int expect_patterns(const struct document *document, int node,
			   const struct expectation *expectation, json_t **value)
{
	return check_texts(document, node, expectation->name, check_regex, value);
}

/* ">=1", "==0", "<5": an operator and a number; a number by itself means equal. */
static int check_comparison(const struct document *document, int node, const char *what,
			    json_t **value)
{
	const char *text;
	uint64_t number;
	size_t signs;
	int error = document_text(document, node, what, &text);

	if (error)
		return error;
	signs = strspn(text, "<>=");
	if (parse_number(text + signs, &number) || signs > 2 || (signs == 2 && text[1] != '=') ||
	    (signs == 1 && text[0] == '='))
		return document_fail(document, node, -EINVAL,
				     "'%s' is '%s'; write >=, <=, ==, > or < and a number, such as "
				     "\">=1\"",
				     what, text);
	*value = signs ? json_string(text) : json_sprintf("==%s", text);
	return 0;
}

static int expect_comparison(const struct document *document, int node,
			     const struct expectation *expectation, json_t **value)
{
	return check_comparison(document, node, expectation->name, value);
}

static bool is_dmar_row(const char *name)
{
	return strncmp(name, "dmar", 4) == 0 && name[4] &&
	       strspn(name + 4, "0123456789") == strlen(name + 4);
}

static int expect_interrupts(const struct document *document, int node,
			     const struct expectation *expectation, json_t **value)
{
	static const char *const rows[] = {"MCE", "MCP", "THR", "DFR", NULL};
	__cleanup_json json_t *counts = json_object();

	if (!document_is_mapping(document, node))
		return document_fail(document, node, -EINVAL,
				     "'%s' must be a mapping, such as {MCE: \">=1\"}",
				     expectation->name);
	for (size_t i = 0; i < document_count(document, node); i++) {
		int key = document_key(document, node, i);
		const char *row = document_scalar(document, key);
		json_t *count = NULL;
		int error = 0;

		if (!row || !is_dmar_row(row)) {
			const char *known;

			error = check_choice(document, key, "row of /proc/interrupts", rows,
					     &known);
		}
		if (!error && json_object_get(counts, row))
			error = document_fail(document, key, -EINVAL,
					      "duplicate key '%s'; remove one of them", row);
		if (!error)
			error = check_comparison(document, document_value(document, node, i), row,
						 &count);
		if (error)
			return error;
		json_object_set_new(counts, row, count);
	}
	*value = steal(counts);
	return 0;
}

/* Lists of expressions for each source of events about guests, and about the machine below them. */
static int expect_events(const struct document *document, int node,
			 const struct expectation *expectation, json_t **value)
{
	static const char *const sources[] = {
		GUEST_SOURCES(TABLE_WORD) BELOW_SOURCES(TABLE_WORD) "trace", NULL};
	__cleanup_json json_t *events = json_object();
	int error = document_check_keys(document, node, expectation->name, sources, NULL);

	for (size_t i = 0; !error && i < document_count(document, node); i++) {
		const char *source = document_scalar(document, document_key(document, node, i));
		json_t *patterns = NULL;

		error = check_texts(document, document_value(document, node, i), source,
				    check_regex, &patterns);
		if (!error)
			json_object_set_new(events, source, patterns);
	}
	if (!error)
		*value = steal(events);
	return error;
}

static const struct expectation expectations[] = {
	{"delivered", expect_bool, NULL},
	{"process", expect_choice, axis_process},
	{"guest", expect_choices, axis_guest},
	{"migration", expect_choice, axis_migration},
	{"iommu", expect_choice, axis_iommu},
	{"dma", expect_choice, dma_ends},
	{"host", expect_choice, axis_host},
	{"conversion", expect_choice, axis_conversion},
	{"signal", expect_choice, signals},
	{"code", expect_choice, codes},
	{"lsb", expect_bits, NULL},
	{"address", expect_choice, addresses},
	{"error", expect_errno, NULL},
	{"refused", expect_errno, NULL},
	{"log", expect_patterns, NULL},
	{"not-log", expect_patterns, NULL},
	{"guest-log", expect_patterns, NULL},
	{"not-guest-log", expect_patterns, NULL},
	{"events", expect_events, NULL},
	{"interrupts", expect_interrupts, NULL},
	{"corrupted-kb", expect_comparison, NULL},
	{"page", expect_choice, pages},
	{"data", expect_choice, contents},
};

/* The journal contains all expectations with their defaults, so that the defaults of another version do not matter. */
static void fill_defaults(json_t *expect)
{
	if (!json_object_get(expect, "delivered"))
		json_object_set_new(expect, "delivered",
				    json_boolean(!json_object_get(expect, "refused")));
	if (!json_object_get(expect, "host"))
		json_object_set_new(expect, "host", json_string("up"));
	if (!json_object_get(expect, "iommu"))
		json_object_set_new(expect, "iommu", json_string("quiet"));
}

/**
 * read_expectations - read the values of an `expect` mapping, each by itself
 * @document: borrowed
 * @node:     mapping, or 0 for none
 * @expect:   receives them; owned by the caller
 *
 * Return: 0 or -errno with place and message.
 */
int read_expectations(const struct document *document, int node, json_t **expect)
{
	const char *names[ARRAY_SIZE(expectations) + 1] = {NULL};
	__cleanup_json json_t *read = json_object();
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(expectations); i++)
		names[i] = expectations[i].name;
	if (node)
		error = document_check_keys(document, node, "expect", names, NULL);
	for (size_t i = 0; !error && i < ARRAY_SIZE(expectations); i++) {
		int value_node = document_find(document, node, expectations[i].name);
		json_t *value = NULL;

		if (!value_node)
			continue;
		error = expectations[i].check(document, value_node, &expectations[i], &value);
		if (!error)
			json_object_set_new(read, expectations[i].name, value);
	}
	if (!error)
		*expect = steal(read);
	return error;
}

/**
 * parse_expectations - check the `expect` section
 * @document: borrowed
 * @node:     mapping, or 0 if the scenario has none
 * @scenario: with its workloads and steps; receives the expectations
 *
 * Return: 0 or -errno with place and message.
 */
int parse_expectations(const struct document *document, int node, struct scenario *scenario)
{
	int error = read_expectations(document, node, &scenario->expect);

	if (error)
		return error;
	fill_defaults(scenario->expect);
	return check_expectations(document, node, scenario->expect, scenario);
}
