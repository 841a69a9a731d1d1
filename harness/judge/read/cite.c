// SPDX-License-Identifier: GPL-2.0-only
/*
 * Quotes: the records that a verdict rests on, in the result, for people.
 */
#include <inttypes.h>
#include <string.h>

#include "harness/judge/read/case.h"

/* Lines that a result quotes at the most; of a storm of errors the first lines are enough. */
#define QUOTES_MOST 40
#define QUOTES_OF_ONE_KIND 24

/* What a touch read: "" when it read nothing. */
static const char *touched_data(const struct work_report *work)
{
	static const char *const words[] = {
		[CHECKED_NOTHING] = "", [CHECKED_FINE] = "intact", [CHECKED_WRONG] = "wrong"};

	return work->data ?: words[work->value];
}

/* Workloads report fields; people read sentences. */
static char *describe_work(const struct event_record *event)
{
	const struct work_report *work = &event->work;
	const char *name = work->workload ?: "workload";

	if (strcmp(event->name, "signal") == 0)
		return format_text("%s: %s %s at %s, lsb %" PRId64, name,
				   work->signal_name ?: "signal", work->code_name ?: "?",
				   work->address_text ?: "?", work->lsb < 0 ? 0 : work->lsb);
	if (strcmp(event->name, "error") == 0)
		return format_text("%s: %s failed with %s", name, work->call ?: "a system call",
				   work->error_name ?: "?");
	if (strcmp(event->name, "touched") == 0)
		return format_text("%s: touched%s%s", name, *touched_data(work) ? ", data " : "",
				   touched_data(work));
	if (strcmp(event->name, "exit") == 0)
		return format_text("%s: ended, status %" PRId64 ", signal %" PRId64, name,
				   work->status, work->signal);
	return NULL;
}

static char *describe(const struct event_record *event)
{
	const char *workload = json_text(event->data, "workload", NULL);
	char *text = NULL;

	if (*event->text)
		return xstrdup(event->text);
	if (event->source == SOURCE_WORKLOAD)
		text = describe_work(event);
	return text
		       ?: format_text("%s%s%s", workload ?: "", workload ? ": " : "",
				      *event->name ? event->name : "event");
}

static char *sentence(const struct record *record)
{
	const struct outcome_record *outcome = &record->outcome;

	if (record->type == RECORD_EVENT)
		return describe(&record->event);
	if (record->type == RECORD_BOOT)
		return format_text("boot %s of %s", record->boot.boot_id ?: "?",
				   record->host ?: "the host");
	if (record->type == RECORD_OUTCOME)
		return format_text("%s: %s%s%s%s%s", outcome->injector ?: "injector",
				   outcome->error_name ?: "done", *outcome->reason ? ": " : "",
				   outcome->reason, outcome->memory ? ", memory " : "",
				   outcome->memory ?: "");
	return xstrdup(json_text(record->body, "reason", record->type_name));
}

static const char *source_of(const struct record *record)
{
	if (record->type == RECORD_EVENT)
		return *record->event.witness ? record->event.witness : "event";
	if (record->type == RECORD_OUTCOME)
		return record->outcome.injector ?: "injector";
	return record->type_name;
}

/**
 * case_cite - quote a record in the result
 * @trial:  the case
 * @record: an event, boot, outcome or close record
 * @proves: what it proves: "delivered" or the name of an axis; a record is quoted once, for the
 *          first
 */
void case_cite(struct trial_case *trial, const struct record *record, const char *proves)
{
	__cleanup_free char *text = NULL;
	/* Records that the engine still holds have no number yet. */
	json_int_t place = record - trial->records;
	size_t index, same = 0;
	json_t *cited;

	if (json_array_size(trial->evidence) >= QUOTES_MOST)
		return;
	json_array_foreach (trial->evidence, index, cited)
		same += strcmp(json_text(cited, "proves", ""), proves) == 0;
	if (same >= QUOTES_OF_ONE_KIND)
		return;
	json_array_foreach (trial->evidence, index, cited)
		if (json_number(cited, "place", 0) == place)
			return;
	text = sentence(record);
	json_array_append_new(trial->evidence,
			      json_pack("{s:s, s:s*, s:s*, s:I, s:s, s:s, s:I}", "witness",
					source_of(record), "guest", record->guest, "host",
					record->guest ? record->host : NULL, "time_ns",
					(json_int_t)record->written_ns, "text", text, "proves",
					proves, "place", place));
}
