// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sections `versions` and `known-failure`.
 */
#include <errno.h>
#include <string.h>

#include "harness/evidence/vocabulary.h"
#include "harness/lib/hypervisor_summary.h"
#include "harness/lib/version.h"
#include "harness/scenario/parse.h"

/* Any name of software is valid, because an agent may report more than is known here, unless it is close to a known one. */
static int check_software(const struct document *document, int key, const char *name,
			  const char *const *others)
{
	__cleanup_json json_t *known = software_names();
	const char *near;

	for (; others && *others; others++)
		json_array_append_new(known, json_string(*others));
	near = nearest_name(name, known);
	return near && strcmp(near, name) != 0
		       ? document_unknown(document, key, "software", name, known)
		       : 0;
}

static int take_version(const struct document *document, int node, const char *name,
			json_t *conditions)
{
	struct reason why = {""};
	const char *text;
	int error = document_text(document, node, name, &text);

	if (!error && version_check(text, &why))
		error = document_fail(document, node, -EINVAL, "%s", why.text);
	if (!error)
		json_object_set_new(conditions, name, json_string(text));
	return error;
}

static int parse_conditions(const struct document *document, int node, json_t **conditions)
{
	int error = document_check_keys(document, node, "when", NULL, NULL);

	if (error)
		return error;
	if (document_count(document, node) == 0)
		return document_fail(document, node, -EINVAL,
				     "'when' has no condition; write when: {qemu: \">=9.0\"}");
	*conditions = json_object();
	for (size_t i = 0; !error && i < document_count(document, node); i++) {
		int key = document_key(document, node, i);
		const char *name = document_scalar(document, key);

		error = check_software(document, key, name, NULL)
				?: take_version(document, document_value(document, node, i), name,
						*conditions);
	}
	return error;
}

/* A fault that a version refuses is not delivered there, unless the file states otherwise. */
static void complete(json_t *changed)
{
	if (json_object_get(changed, "refused") && !json_object_get(changed, "delivered"))
		json_object_set_new(changed, "delivered", json_false());
}

static int parse_version(const struct document *document, int node, const struct scenario *scenario,
			 json_t **entry)
{
	static const char *const keys[] = {"when", "expect", NULL};
	int when = document_find(document, node, "when");
	int expect = document_find(document, node, "expect");
	__cleanup_json json_t *conditions = NULL, *changed = NULL;
	__cleanup_json json_t *whole = json_copy(scenario->expect);
	int error = document_check_keys(document, node, "versions", keys, NULL);

	if (error)
		return error;
	if (!when || !expect)
		return document_fail(document, node, -EINVAL,
				     "an entry of 'versions' has no '%s'; write - {when: {qemu: "
				     "\">=9.0\"}, expect: {KEY: VALUE}}",
				     when ? "expect" : "when");
	error = parse_conditions(document, when, &conditions)
			?: read_expectations(document, expect, &changed);
	if (!error && json_object_size(changed) == 0)
		error = document_fail(document, expect, -EINVAL,
				      "'expect' changes nothing; give it a key or remove the "
				      "entry");
	if (error)
		return error;
	complete(changed);
	json_object_update(whole, changed);
	error = check_expectations(document, expect, whole, scenario);
	if (!error)
		*entry = json_pack("{s:O, s:O}", "when", conditions, "expect", changed);
	return error;
}

/**
 * parse_versions - check the `versions` section
 * @document: borrowed
 * @node:     list, or 0 when the scenario has none
 * @scenario: with its expectations; receives the versions
 *
 * Each entry is checked together with the expectations that it does not change.
 *
 * Return: 0 or -errno with the place and the message.
 */
int parse_versions(const struct document *document, int node, struct scenario *scenario)
{
	size_t count = document_count(document, node);

	if (!node)
		return 0;
	if (!document_is_sequence(document, node) || count == 0)
		return document_fail(document, node, -EINVAL,
				     "'versions' must be a list of {when: {qemu: \">=9.0\"}, "
				     "expect: {KEY: VALUE}}");
	scenario->versions = json_array();
	for (size_t i = 0; i < count; i++) {
		json_t *entry = NULL;
		int error =
			parse_version(document, document_item(document, node, i), scenario, &entry);

		if (error)
			return error;
		json_array_append_new(scenario->versions, entry);
	}
	return 0;
}

static int find_part(const struct document *document, int mapping, const char *name, int *node)
{
	*node = document_find(document, mapping, name);
	if (*node)
		return 0;
	return document_fail(document, mapping, -EINVAL,
			     "'known-failure' has no '%s'; write known-failure: {code: [CODE], "
			     "reason: \"what is broken, where\"}",
			     name);
}

static int check_code(const struct document *document, int node, const char *what, const char *text)
{
	if (code_find(text) < CODE_COUNT)
		return 0;
	return document_fail(document, node, -EINVAL,
			     "%s: '%s' is no reason code; docs/verdicts.md lists them", what, text);
}

static int take_line(const struct document *document, int mapping, const char *name, json_t *object)
{
	const char *text;
	int node, error = find_part(document, mapping, name, &node);

	if (error)
		return error;
	error = document_text(document, node, name, &text);
	if (!error && strchr(text, '\n'))
		error = document_fail(document, node, -EINVAL,
				      "'%s' has several lines; keep it to one", name);
	if (!error)
		json_object_set_new(object, name, json_string(text));
	return error;
}

static int parse_entry(const struct document *document, int node, json_t *entry)
{
	static const char *const others[] = {"code", "evidence", "rare", "reason", NULL};
	int old = document_find(document, node, "match"), code, evidence, rare, error;
	json_t *codes = NULL;
	bool is_rare = false;

	if (old)
		return document_fail(
			document, old, -EINVAL,
			"'known-failure' has no 'match' any more: write code: [CODE], the "
			"reason code of the verdict (docs/verdicts.md), and where that is "
			"not enough evidence: REGEX");
	error = document_check_keys(document, node, "known-failure", NULL, NULL);
	for (size_t i = 0; !error && i < document_count(document, node); i++) {
		int key = document_key(document, node, i);
		const char *name = document_scalar(document, key);

		if (!text_among(name, others))
			error = check_software(document, key, name, others)
					?: take_version(document, document_value(document, node, i),
							name, entry);
	}
	error = error
		?: find_part(document, node, "code", &code)
		?: check_texts(document, code, "code", check_code, &codes);
	if (error)
		return error;
	json_object_set_new(entry, "code", codes);
	evidence = document_find(document, node, "evidence");
	if (evidence)
		error = take_line(document, node, "evidence", entry)
				?: check_regex(document, evidence, "evidence",
					       json_text(entry, "evidence", ""));
	rare = document_find(document, node, "rare");
	if (!error && rare)
		error = check_bool(document, rare, "rare", &is_rare);
	if (is_rare)
		json_object_set_new(entry, "rare", json_true());
	return error ?: take_line(document, node, "reason", entry);
}

/**
 * parse_known_failure - check the `known-failure` section
 * @document: borrowed
 * @node:     mapping or list of mappings, or 0 when the scenario has none
 * @scenario: receives it
 *
 * Return: 0 or -errno with the place and the message.
 */
int parse_known_failure(const struct document *document, int node, struct scenario *scenario)
{
	size_t count = document_count(document, node);
	int error = 0;

	if (!node)
		return 0;
	if (!document_is_sequence(document, node)) {
		scenario->known_failure = json_object();
		return parse_entry(document, node, scenario->known_failure);
	}
	scenario->known_failure = json_array();
	if (count == 0)
		return document_fail(document, node, -EINVAL, "'known-failure' is empty");
	for (size_t i = 0; !error && i < count; i++) {
		json_t *entry = json_object();

		json_array_append_new(scenario->known_failure, entry);
		error = parse_entry(document, document_item(document, node, i), entry);
	}
	return error;
}
