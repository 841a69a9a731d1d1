// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fingerprint of a run: machine and software. Two runs are comparable if only the compared parts differ.
 */
#include <errno.h>
#include <string.h>

#include "harness/compare/compare.h"
#include "harness/compare/fingerprint.h"
#include "harness/evidence/record.h"
#include "harness/lib/hypervisor_summary.h"

/* A part of the fingerprint and the record that holds it, in its body (@level NULL) or one level below. */
static const struct part {
	const char *name, *record, *level, *key;
} parts[] = {
	{"bench", NULL, NULL, NULL},
	{"platform", "boot", "facts", "platform"},
	{"machine", "boot", "facts", "machine"},
	{"kernel", "boot", NULL, "kernel"},
	{"kernel-build", "boot", "facts", "kernel_version"},
	{"config", "boot", "facts", "config"},
	{"command-line", "boot", "facts", "cmdline"},
	{"mitigations", "boot", "facts", "mitigations"},
	{"cpu", "boot", "facts", "cpu"},
	{"microcode", "boot", "facts", "microcode"},
	{"processors", "boot", "facts", "processors"},
	{"smt", "boot", "facts", "smt"},
	{"governor", "boot", "facts", "governor"},
	{"numa", "boot", "facts", "numa"},
	{"memory", "boot", "facts", "memory"},
	{"firmware", "boot", "facts", "bios"},
	{"guest-kernel", "guest", "facts", "kernel"},
};

/** fingerprint_note - add a value to a part; @value NULL: none */
void fingerprint_note(json_t *fingerprint, const char *part, const char *value)
{
	json_t *values = json_object_get(fingerprint, part);

	if (!value)
		return;
	if (!values) {
		values = json_object();
		json_object_set_new(fingerprint, part, values);
	}
	json_object_set_new(values, value, json_true());
}

static void note_parts(json_t *fingerprint, const struct record *record)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const struct part *part = &parts[i];
		const json_t *body = record->body, *value;
		__cleanup_free char *number = NULL;

		if (!part->record || strcmp(record->type_name, part->record) != 0)
			continue;
		body = part->level ? json_object_get(body, part->level) : body;
		value = json_object_get(body, part->key);
		if (json_is_integer(value))
			number = format_text("%lld", (long long)json_integer_value(value));
		fingerprint_note(fingerprint, part->name,
				 number ? number : json_string_value(value));
	}
}

/**
 * fingerprint_read - read the fingerprint from records of a journal
 * @fingerprint: receives {PART: {VALUE: true}}. Each software of a guest's hypervisor is a part by its name
 * @records:     of the journal; NULL: none
 */
void fingerprint_read(json_t *fingerprint, const json_t *records)
{
	json_t *each, *version;
	const char *software;
	size_t index;

	json_array_foreach (records, index, each) {
		struct record record;

		record_read(&record, each);
		note_parts(fingerprint, &record);
		if (record.type != RECORD_GUEST)
			continue;
		json_object_foreach (json_object_get(record.guest_start.facts, "software"),
				     software, version)
			fingerprint_note(fingerprint, software, json_string_value(version));
	}
}

static char *join_array(const json_t *names)
{
	char *text = xstrdup("");
	const json_t *name;
	size_t index;

	json_array_foreach ((json_t *)names, index, name)
		append_text(&text, ", ", "%s", json_string_value(name));
	return text;
}

static bool is_listed(const char *list, const char *name, size_t length)
{
	while (list && *list) {
		size_t part_length = strcspn(list, ",");

		if (part_length == length && strncmp(list, name, part_length) == 0)
			return true;
		list += part_length + (list[part_length] == ',');
	}
	return false;
}

/**
 * compare_check_across - check that these are parts of the fingerprint
 * @across: separated by commas; NULL: none
 * @why:    names one that is not
 *
 * Return: 0 or -EINVAL.
 */
int compare_check_across(const char *across, struct reason *why)
{
	__cleanup_json json_t *known = software_names();
	__cleanup_free char *list = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (!json_has_text(known, parts[i].name))
			json_array_append_new(known, json_string(parts[i].name));
	for (const char *at = across; at && *at; at += *at == ',') {
		size_t part_length = strcspn(at, ","), i = 0;

		while (i < json_array_size(known) &&
		       !is_listed(json_string_value(json_array_get(known, i)), at, part_length))
			i++;
		if (i == json_array_size(known)) {
			list = join_array(known);
			return fail(why, -EINVAL, "--across %.*s: the parts are %s",
				    (int)part_length, at, list);
		}
		at += part_length;
	}
	return 0;
}

static char *join_keys(const json_t *object)
{
	char *text = xstrdup("");
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)object, key, value)
		append_text(&text, ", ", "%s", key);
	return text;
}

/**
 * fingerprint_differences - find the parts in which two runs differ
 * @a, @b:  fingerprints
 * @across: parts that may differ; NULL: none
 *
 * A part that only one of them has is not compared.
 *
 * Return: [{"part", "a", "b", "allowed"}], owned by the caller.
 */
json_t *fingerprint_differences(const json_t *a, const json_t *b, const char *across)
{
	json_t *differences = json_array(), *left;
	const char *name;

	json_object_foreach ((json_t *)a, name, left) {
		const json_t *right = json_object_get(b, name);
		__cleanup_free char *left_text = join_keys(left);
		__cleanup_free char *right_text = join_keys(right);

		if (!right || json_equal(left, right))
			continue;
		json_array_append_new(differences,
				      json_pack("{s:s, s:s, s:s, s:b}", "part", name, "a",
						left_text, "b", right_text, "allowed",
						is_listed(across, name, strlen(name))));
	}
	return differences;
}
