// SPDX-License-Identifier: GPL-2.0-only
/*
 * Quotes: the records that a verdict rests on, in the result, for people.
 */
#include <inttypes.h>
#include <string.h>

#include "harness/judge/read/case.h"

/* Lines that a result quotes at the most; a storm of errors is told by its first lines, and leaves room for the rest. */
#define QUOTES_MOST 40
#define QUOTES_OF_ONE_KIND 24

/* Workloads report fields; people read sentences. */
/* What a touch read: "" when it read nothing. */
static const char *touched_data(const json_t *data)
{
	const json_t *value = json_object_get(data, "value_ok");

	return json_text(data, "data",
			 json_is_true(value)	? "intact"
			 : json_is_false(value) ? "wrong"
						: "");
}

static char *describe(const json_t *body)
{
	const json_t *data = json_object_get(body, "data");
	const char *text = json_text(body, "text", "");
	const char *event = json_text(data, "event", "");

	if (*text)
		return strdup(text);
	if (strcmp(event, "signal") == 0)
		return format_text("%s: %s %s at %s, lsb %" PRId64,
				   json_text(data, "workload", "workload"),
				   json_text(data, "signal_name", "signal"),
				   json_text(data, "code_name", "?"),
				   json_text(data, "address", "?"), json_number(data, "lsb", 0));
	if (strcmp(event, "error") == 0)
		return format_text("%s: %s failed with %s", json_text(data, "workload", "workload"),
				   json_text(data, "call", "a system call"),
				   json_text(data, "errno_name", "?"));
	if (strcmp(event, "touched") == 0)
		return format_text("%s: touched%s%s", json_text(data, "workload", "workload"),
				   *touched_data(data) ? ", data " : "", touched_data(data));
	if (strcmp(event, "exit") == 0)
		return format_text("%s: ended, status %" PRId64 ", signal %" PRId64,
				   json_text(data, "workload", "workload"),
				   json_number(data, "status", 0), json_number(data, "signal", 0));
	return format_text("%s%s%s", json_text(data, "workload", ""),
			   json_text(data, "workload", NULL) ? ": " : "", *event ? event : "event");
}

static char *sentence(const json_t *record)
{
	const json_t *body = record_body(record);
	const char *memory = json_text(json_object_get(body, "result"), "memory", "");

	if (record_is(record, "event"))
		return describe(body);
	if (record_is(record, "boot"))
		return format_text("boot %s of %s", json_text(body, "boot_id", "?"),
				   json_text(body, "host", "the host"));
	if (record_is(record, "outcome"))
		return format_text("%s: %s%s%s%s%s", json_text(body, "injector", "injector"),
				   json_text(body, "error_name",
					     json_number(body, "error", 0) ? "error" : "done"),
				   *json_text(body, "reason", "") ? ": " : "",
				   json_text(body, "reason", ""), *memory ? ", memory " : "",
				   memory);
	return strdup(json_text(body, "reason", record_type(record)));
}

static const char *source_of(const json_t *record)
{
	if (record_is(record, "event"))
		return json_text(record_body(record), "witness", "event");
	if (record_is(record, "outcome"))
		return json_text(record_body(record), "injector", "injector");
	return record_type(record);
}

/* A quote is known by its record's place: records that the engine still holds have no number yet. */
static json_int_t place_of(const struct trial_case *trial, const json_t *record)
{
	size_t index;
	json_t *each;

	json_array_foreach (trial->records, index, each)
		if (each == record)
			return (json_int_t)index;
	return 0;
}

/**
 * case_cite - quote a record in the result
 * @trial:  the case
 * @record: an event, boot, outcome or close record
 * @proves: what it proves: "delivered" or the name of an axis; a record is quoted once, for the
 *          first
 */
void case_cite(struct trial_case *trial, const json_t *record, const char *proves)
{
	__cleanup_free char *text = NULL;
	const char *guest = event_guest(record);
	size_t index, same = 0;
	json_int_t place;
	json_t *cited;

	if (json_array_size(trial->evidence) >= QUOTES_MOST)
		return;
	json_array_foreach (trial->evidence, index, cited)
		same += strcmp(json_text(cited, "proves", ""), proves) == 0;
	if (same >= QUOTES_OF_ONE_KIND)
		return;
	place = place_of(trial, record);
	json_array_foreach (trial->evidence, index, cited)
		if (json_number(cited, "place", 0) == place)
			return;
	text = sentence(record);
	json_array_append_new(trial->evidence,
			      json_pack("{s:s, s:s*, s:s*, s:I, s:s, s:s, s:I}", "witness",
					source_of(record), "guest", guest, "host",
					guest ? json_text(record_body(record), "host", NULL) : NULL,
					"time_ns", (json_int_t)record_time(record), "text", text,
					"proves", proves, "place", place));
}
