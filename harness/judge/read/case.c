// SPDX-License-Identifier: GPL-2.0-only
/*
 * A trial as the judge sees it: its own records out of the journal, what the fault was meant for, and from where on
 * evidence counts.
 */
#include <inttypes.h>
#include <string.h>

#include "harness/journal/journal.h"
#include "harness/judge/read/case.h"
#include "harness/lib/key.h"

static const char *target_of(const struct trial_case *trial)
{
	return json_text(record_body(trial->intent), "target", NULL);
}

static bool names_target(const struct trial_case *trial, const json_t *body)
{
	const char *target = target_of(trial);
	const char *name = json_text(body, "workload", NULL);

	return !target || !name || strcmp(target, name) == 0;
}

/*
 * Evidence that carries no trial's id (console, boot) counts for the trial during which it came, if
 * the host is right.
 */
static bool belongs(const json_t *record, const char *id)
{
	const char *trial = json_text(record, "trial", NULL);

	if (trial)
		return strcmp(trial, id) == 0;
	return record_is(record, "event") || record_is(record, "boot") ||
	       record_is(record, JOURNAL_DAMAGE);
}

static void collect(struct trial_case *trial, const json_t *records, const char *id)
{
	size_t first = json_array_size(records), last = 0, index;
	bool fired_before = false, fired = false;
	json_t *record;

	json_array_foreach (records, index, record) {
		const char *of = json_text(record, "trial", NULL);

		if (!of || strcmp(of, id) != 0)
			continue;
		if (record_is(record, "trial")) {
			trial->attempts++;
			fired_before = fired_before || fired;
			first = index;
		} else if (first > index) {
			first = index;
		}
		fired = fired || record_is(record, "intent");
		if (!record_is(record, "verdict"))
			last = index;
	}
	/* Wrong data are never acceptable: an attempt that was given up does not take them along. */
	for (index = 0; index < first && index < json_array_size(records); index++) {
		record = json_array_get(records, index);
		if (record_is(record, "event") && strcmp(json_text(record, "trial", ""), id) == 0 &&
		    strcmp(json_text(event_data(record), "event", ""), "corrupted") == 0)
			json_array_append(trial->records, record);
	}
	trial->repeated = fired_before;
	for (index = first; index <= last && index < json_array_size(records); index++) {
		record = json_array_get(records, index);
		if (!belongs(record, id) || record_is(record, "verdict"))
			continue;
		if (record_is(record, JOURNAL_DAMAGE)) {
			if (!trial->damaged_line)
				trial->damaged_line =
					(int)json_number(record_body(record), "line", 1);
			continue;
		}
		json_array_append(trial->records, record);
		if (record_is(record, "close"))
			break;
	}
	/*
	 * A lost line next to the trial belongs to it when the record that should stand there is
	 * missing: its start or its end.
	 */
	record = first ? json_array_get(records, first - 1) : NULL;
	if (record && record_is(record, JOURNAL_DAMAGE) && trial->attempts == 0)
		trial->damaged_line = (int)json_number(record_body(record), "line", 1);
	record = json_array_get(records, last + 1);
	if (record && record_is(record, JOURNAL_DAMAGE) &&
	    !record_is(json_array_get(trial->records, json_array_size(trial->records) - 1),
		       "close"))
		trial->damaged_line = (int)json_number(record_body(record), "line", 1);
}

static const json_t *first_record(const struct trial_case *trial, const char *type, const char *key,
				  const char *value, size_t *at)
{
	size_t index;
	json_t *record;

	json_array_foreach (trial->records, index, record) {
		if (!record_is(record, type) ||
		    (key && strcmp(json_text(record_body(record), key, ""), value) != 0))
			continue;
		if (at)
			*at = index;
		return record;
	}
	return NULL;
}

static const json_t *spec_of(const struct trial_case *trial)
{
	return json_object_get(record_body(trial->start), "spec");
}

/* The first step of a kind, as the scenario has it; NULL: there is none. */
static const json_t *planned_step(const struct trial_case *trial, const char *kind)
{
	const json_t *step, *found;
	size_t index;

	json_array_foreach (json_object_get(spec_of(trial), "steps"), index, step) {
		found = json_object_get(step, kind);
		if (found)
			return found;
	}
	return NULL;
}

static const char *guest_of_target(const struct trial_case *trial)
{
	const char *target = target_of(trial);
	const json_t *facts =
		target ? first_record(trial, "facts", "workload", target, NULL) : NULL;

	return json_text(record_body(facts), "guest", NULL);
}

/* The guest that a trial is about: struck, or moved, or simply the first. */
static void find_subject(struct trial_case *trial)
{
	const json_t *first = record_body(first_record(trial, "guest", NULL, NULL, NULL));
	const char *name = json_text(record_body(trial->intent), "guest", NULL);

	trial->victim_guest = guest_of_target(trial);
	if (!trial->victim_guest)
		trial->victim_guest = name;
	if (!name)
		name = trial->victim_guest;
	if (!name)
		name = json_text(planned_step(trial, "migrate"), "guest", NULL);
	if (!name)
		name = json_text(first, "guest", NULL);
	trial->guest_name = name;
	trial->host_name = json_text(record_body(trial->intent), "host", NULL);
	if (!trial->host_name && name)
		trial->host_name =
			json_text(record_body(first_record(trial, "guest", "guest", name, NULL)),
				  "host", NULL);
}

/* A plain migration, or a measurement: no fault was asked for, so none is missed. */
static bool is_faultless(const struct trial_case *trial)
{
	return !trial->intent && !case_expects_delivery(trial) && !case_expects(trial, "refused") &&
	       json_array_size(json_object_get(spec_of(trial), "steps")) &&
	       !planned_step(trial, "inject");
}

static void find_beginning(struct trial_case *trial)
{
	trial->from = json_array_size(trial->records);
	if (trial->intent)
		(void)first_record(trial, "intent", NULL, NULL, &trial->from);
	else if (trial->faultless && !first_record(trial, "step", "step", "migrate", &trial->from))
		(void)first_record(trial, "step", NULL, NULL, &trial->from);
}

/* What the fault was meant for: each machine counts its memory and its processes by itself. */
static void find_belongings(struct trial_case *trial)
{
	size_t index;
	json_t *record;

	json_array_foreach (trial->records, index, record) {
		const json_t *body = record_body(record);
		bool in_guest = json_text(body, "guest", NULL) != NULL;

		if (record_is(record, "facts") && names_target(trial, body))
			scope_add_facts(in_guest ? &trial->in_guest : &trial->on_host,
					json_object_get(body, "facts"));
		if (record_is(record, "resolved") && names_target(trial, body))
			scope_add_resolved(&trial->on_host, body);
		if (record_is(record, "intent")) {
			scope_add_aim(&trial->on_host, body);
			scope_add_aim(&trial->on_host, json_object_get(body, "arguments"));
			scope_add_aim(&trial->on_host, json_object_get(body, "prepared"));
			scope_add_guest_aim(&trial->in_guest, body);
			scope_add_guest_aim(&trial->in_guest, json_object_get(body, "arguments"));
		}
		if (record_is(record, "outcome") && trial->intent)
			scope_add_aim(&trial->on_host, json_object_get(body, "result"));
	}
}

/**
 * case_open - gather what the journal holds about a trial
 * @trial:   to be filled; give it to case_close()
 * @records: of the journal, borrowed for as long as the case is open
 * @id:      of the trial
 *
 * The last attempt counts. Records behind the close of an attempt are none of its evidence.
 */
void case_open(struct trial_case *trial, const json_t *records, const char *id)
{
	size_t index;
	json_t *record;

	*trial = (struct trial_case){.process = PROCESS_UNKNOWN,
				     .host = {.axis = HOST_AXIS_UNKNOWN}};
	trial->records = json_array();
	trial->evidence = json_array();
	trial->damage = json_array();
	trial->versions = json_object();
	collect(trial, records, id);
	json_array_foreach (trial->records, index, record) {
		if (record_is(record, "trial") && !trial->start)
			trial->start = record;
		if (record_is(record, "intent") && !trial->intent)
			trial->intent = record;
		if (record_is(record, "outcome") && trial->intent)
			trial->outcome = record;
		if (record_is(record, "close"))
			trial->close = record;
	}
	trial->cause = cause_find(json_text(record_body(trial->close), "cause", ""));
	trial->expect = keys_hyphenated(json_object_get(record_body(trial->start), "expect"));
	find_subject(trial);
	find_belongings(trial);
	case_read_versions(trial);
	trial->faultless = is_faultless(trial);
	find_beginning(trial);
}

/** case_close - free what case_open() and the judging allocated */
void case_close(struct trial_case *trial)
{
	json_decref(trial->records);
	json_decref(trial->expect);
	json_decref(trial->versions);
	json_decref(trial->evidence);
	json_decref(trial->damage);
}

/** case_counts - is the record at an index later than the intent to fire, or than the beginning of a trial without fault? */
bool case_counts(const struct trial_case *trial, size_t index)
{
	return (trial->intent || trial->faultless) && index > trial->from;
}

/** case_on_host - is a record about the host that the fault was aimed at? */
bool case_on_host(const struct trial_case *trial, const json_t *body)
{
	const char *host = json_text(body, "host", NULL);

	return !host || !trial->host_name || strcmp(host, trial->host_name) == 0;
}

static bool same_text(const char *one, const char *other)
{
	return one && other ? strcmp(one, other) == 0 : one == other;
}

/**
 * case_change - by how much a counter has changed since the intent
 * @trial:      the case
 * @event:      in which the witness tells it
 * @name:       of the counter
 * @change:     {"before", "after"} as the witness told it: since it was started
 * @difference: receives the change
 *
 * What the same witness of the same machine had told before the intent is none of the fault's doing.
 *
 * Return: false for counters that make no sense.
 */
bool case_change(const struct trial_case *trial, const json_t *event, const char *name,
		 const json_t *change, int64_t *difference)
{
	int64_t before = json_number(change, "before", 0);
	json_t *record;
	size_t index;

	json_array_foreach (trial->records, index, record) {
		if (index >= trial->from)
			break;
		if (record_is(record, "event") &&
		    strcmp(event_witness(record), event_witness(event)) == 0 &&
		    same_text(event_guest(record), event_guest(event)) &&
		    same_text(json_text(record_body(record), "host", NULL),
			      json_text(record_body(event), "host", NULL)))
			before = json_number(json_object_get(event_data(record), name), "after",
					     before);
	}
	return !__builtin_sub_overflow(json_number(change, "after", 0), before, difference);
}

/**
 * case_owns_address - is a virtual address in the page of the victim?
 * @trial:   the case
 * @address: si_addr
 * @lsb:     si_addr_lsb: the kernel reports the address only as exactly as 2^lsb bytes
 *
 * Return: true when it is, and when the victim never named its address.
 */
bool case_owns_address(const struct trial_case *trial, uint64_t address, int64_t lsb)
{
	const struct scope *scope = trial->victim_guest ? &trial->in_guest : &trial->on_host;
	uint64_t mask = lsb > 12 && lsb <= 30 ? ~((1ull << lsb) - 1) : ~0ull;

	if (scope->address_count == 0 || scope_owns_address(scope, address))
		return true;
	for (size_t i = 0; i < scope->address_count; i++)
		if ((scope->addresses[i].first & mask) == (address & mask))
			return true;
	return false;
}

/**
 * case_is_victim - is an event of a workload that the fault was meant for?
 *
 * A workload is where its facts say: what a host tells of one in a guest is nothing that it can know, and the other way
 * round. Without a target every workload of the machine that was struck is meant.
 */
bool case_is_victim(const struct trial_case *trial, const json_t *record)
{
	const json_t *data = event_data(record);
	const char *name = json_text(data, "workload", NULL);
	const json_t *facts = name ? first_record(trial, "facts", "workload", name, NULL) : NULL;
	const char *place =
		facts ? json_text(record_body(facts), "guest", NULL) : trial->victim_guest;

	return record_is(record, "event") && strcmp(event_witness(record), "workload") == 0 &&
	       names_target(trial, data) && same_text(place, event_guest(record));
}

/** case_victim_event - is a record this event of the workload that the fault was meant for? */
bool case_victim_event(const struct trial_case *trial, const json_t *record, const char *event)
{
	return strcmp(json_text(event_data(record), "event", ""), event) == 0 &&
	       case_is_victim(trial, record);
}
