// SPDX-License-Identifier: GPL-2.0-only
/*
 * A trial's records as lines for people, in the order of the journal, with the intent to fire as
 * time zero.
 */
#include <string.h>

#include "reports/story.h"

static const char *type_of(const json_t *record)
{
	return json_text(record, "type", "");
}

static bool is_of(const json_t *record, const char *trial)
{
	return strcmp(json_text(record, "trial", ""), trial) == 0;
}

/* Where the last attempt of a trial begins; the number of records when there is none. */
static size_t last_attempt(const json_t *records, const char *trial)
{
	size_t begin = json_array_size(records), index;
	json_t *record;

	json_array_foreach (records, index, record)
		if (is_of(record, trial) &&
		    (strcmp(type_of(record), "trial") == 0 || begin > index))
			begin = index;
	return begin;
}

/**
 * story_record - the first record of a type in the last attempt of a trial
 *
 * Return: borrowed, or NULL when there is none.
 */
const json_t *story_record(const json_t *records, const char *trial, const char *type)
{
	for (size_t i = last_attempt(records, trial); i < json_array_size(records); i++) {
		const json_t *record = json_array_get(records, i);

		if (is_of(record, trial) && strcmp(type_of(record), type) == 0)
			return record;
	}
	return NULL;
}

static char *arguments_text(const json_t *body)
{
	__cleanup_free char *arguments = NULL;
	const json_t *given = json_object_get(body, "arguments");

	if (json_object_size(given))
		arguments = json_dumps(given, JSON_COMPACT);
	return format_text("about to fire %s%s%s %s", json_text(body, "injector", "a fault"),
			   json_text(body, "target", NULL) ? " at " : "",
			   json_text(body, "target", ""), arguments ? arguments : "");
}

static char *facts_text(const json_t *body)
{
	__cleanup_free char *facts = json_dumps(json_object_get(body, "facts"), JSON_COMPACT);

	return format_text("%s %s", json_text(body, "workload", "workload"), facts ? facts : "");
}

static char *event_text(const json_t *body)
{
	__cleanup_free char *data = NULL;
	const char *text = json_text(body, "text", "");

	if (*text)
		return strdup(text);
	data = json_dumps(json_object_get(body, "data"), JSON_COMPACT);
	return strdup(data ? data : "");
}

/* What a record says and who says it; NULL for records that tell nothing to people. */
static char *line_of(const json_t *record, const char **witness)
{
	const json_t *body = json_object_get(record, "body");
	const char *type = type_of(record);

	*witness = type;
	if (strcmp(type, "event") == 0) {
		*witness = json_text(body, "witness", "event");
		return event_text(body);
	}
	if (strcmp(type, "trial") == 0)
		return format_text("%s on %s", json_text(body, "scenario", "?"),
				   json_text(body, "bench", "?"));
	if (strcmp(type, "boot") == 0)
		return format_text("%s runs %s, boot %s", json_text(body, "host", "the host"),
				   json_text(body, "kernel", "?"), json_text(body, "boot_id", "?"));
	if (strcmp(type, "facts") == 0)
		return facts_text(body);
	if (strcmp(type, "step") == 0)
		return strdup(json_text(body, "text", json_text(body, "step", "?")));
	if (strcmp(type, "intent") == 0)
		return arguments_text(body);
	if (strcmp(type, "outcome") == 0)
		return format_text("%s: %s%s%s", json_text(body, "injector", "injector"),
				   json_text(body, "error_name",
					     json_number(body, "error", 0) ? "error" : "fired"),
				   *json_text(body, "reason", "") ? ": " : "",
				   json_text(body, "reason", ""));
	if (strcmp(type, "close") == 0)
		return format_text("%s%s%s", json_text(body, "cause", "?"),
				   *json_text(body, "reason", "") ? ": " : "",
				   json_text(body, "reason", ""));
	return NULL;
}

/**
 * story_of - the lines of a trial's last attempt
 * @records: of the journal; borrowed
 * @trial:   id
 *
 * Return: array of {"offset_ns", "type", "witness", "text"}; offsets count from the intent, or from
 * the first record when no fault was about to be fired. Owned by the caller.
 */
json_t *story_of(const json_t *records, const char *trial)
{
	json_t *story = json_array();
	size_t begin = last_attempt(records, trial);
	const json_t *zero = story_record(records, trial, "intent");
	int64_t origin;

	if (!zero)
		zero = json_array_get(records, begin);
	origin = json_number(zero, "time_ns", 0);
	for (size_t i = begin; i < json_array_size(records); i++) {
		const json_t *record = json_array_get(records, i);
		__cleanup_free char *text = NULL;
		const char *witness;
		int64_t offset;

		if (!is_of(record, trial))
			continue;
		text = line_of(record, &witness);
		if (!text ||
		    __builtin_sub_overflow(json_number(record, "time_ns", 0), origin, &offset) ||
		    offset == INT64_MIN)
			continue;
		json_array_append_new(story, json_pack("{s:I, s:s, s:s, s:s}", "offset_ns",
						       (json_int_t)offset, "type", type_of(record),
						       "witness", witness, "text", text));
	}
	return story;
}
