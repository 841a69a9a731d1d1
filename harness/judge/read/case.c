// SPDX-License-Identifier: GPL-2.0-only
/*
 * A trial as the judge sees it: its own records out of the journal, what the fault was meant for, and from where on
 * evidence counts.
 */
#include <string.h>

#include "harness/journal/journal.h"
#include "harness/judge/read/case.h"
#include "harness/lib/key.h"

static const char *target_of(const struct trial_case *trial)
{
	return trial->intent ? trial->intent->intent.target : NULL;
}

static bool names_target(const struct trial_case *trial, const char *workload)
{
	const char *target = target_of(trial);

	return !target || !workload || strcmp(target, workload) == 0;
}

static bool is_of_trial(const struct record *record, const char *id)
{
	return record->trial && strcmp(record->trial, id) == 0;
}

/*
 * Evidence that carries no trial's id (console, boot) counts for the trial during which it came, if
 * the host is right.
 */
static bool belongs(const struct record *record, const char *id)
{
	if (record->trial)
		return is_of_trial(record, id);
	return record->type == RECORD_EVENT || record->type == RECORD_BOOT ||
	       record->type == RECORD_DAMAGE;
}

static void take(struct trial_case *trial, const struct record *record)
{
	trial->records[trial->record_count++] = *record;
}

/*
 * A lost line next to the trial belongs to it when the record that should stand there is
 * missing: its start or its end.
 */
static void note_neighbours(struct trial_case *trial, const struct record *before,
			    const struct record *behind)
{
	const struct record *last = trial->records + trial->record_count;

	if (before && before->type == RECORD_DAMAGE && trial->attempts == 0)
		trial->damaged_line = (int)before->line;
	if (behind && behind->type == RECORD_DAMAGE &&
	    !(trial->record_count && last[-1].type == RECORD_CLOSE))
		trial->damaged_line = (int)behind->line;
}

static void collect(struct trial_case *trial, const struct record *all, size_t count,
		    const char *id)
{
	size_t first = count, last = 0;
	bool fired_before = false, fired = false;

	for (size_t i = 0; i < count; i++) {
		if (!is_of_trial(&all[i], id))
			continue;
		if (all[i].type == RECORD_TRIAL) {
			trial->attempts++;
			fired_before = fired_before || fired;
			first = i;
		} else if (first > i) {
			first = i;
		}
		fired = fired || all[i].type == RECORD_INTENT;
		if (all[i].type != RECORD_VERDICT)
			last = i;
	}
	/* Wrong data are never acceptable: an attempt that was given up does not take them along. */
	for (size_t i = 0; i < first; i++)
		if (is_of_trial(&all[i], id) && event_is_named(&all[i], "corrupted"))
			take(trial, &all[i]);
	trial->repeated = fired_before;
	for (size_t i = first; i <= last && i < count; i++) {
		if (!belongs(&all[i], id) || all[i].type == RECORD_VERDICT)
			continue;
		if (all[i].type == RECORD_DAMAGE) {
			if (!trial->damaged_line)
				trial->damaged_line = (int)all[i].line;
			continue;
		}
		take(trial, &all[i]);
		if (all[i].type == RECORD_CLOSE)
			break;
	}
	note_neighbours(trial, first ? &all[first - 1] : NULL,
			last + 1 < count ? &all[last + 1] : NULL);
}

static const struct record *first_of(const struct trial_case *trial, enum record_type type)
{
	for_each_record (trial, record)
		if (record->type == type)
			return record;
	return NULL;
}

static const struct record *facts_of(const struct trial_case *trial, const char *workload)
{
	for_each_record (trial, record)
		if (workload && record->type == RECORD_FACTS && record->facts.workload &&
		    strcmp(record->facts.workload, workload) == 0)
			return record;
	return NULL;
}

/** case_section - a section of the scenario; NULL: it has none such; borrowed */
const json_t *case_section(const struct trial_case *trial, const char *name)
{
	return trial->start ? json_object_get(trial->start->start.spec, name) : NULL;
}

/** case_step - the first step of a kind, as the scenario has it; NULL: there is none; borrowed */
const json_t *case_step(const struct trial_case *trial, const char *kind)
{
	const json_t *step, *found;
	size_t index;

	json_array_foreach (case_section(trial, "steps"), index, step) {
		found = json_object_get(step, kind);
		if (found)
			return found;
	}
	return NULL;
}

/** case_fault - kind and severity of the fault; any when there was none */
struct nature case_fault(const struct trial_case *trial)
{
	return trial->intent ? trial->intent->intent.fault
			     : (struct nature){KIND_ANY | KIND_IOMMU, SEVERITY_ANY};
}

/** case_kills - what the fault kills ("qemu", a daemon); "" for nothing */
const char *case_kills(const struct trial_case *trial)
{
	return trial->intent ? trial->intent->intent.kills : "";
}

static const char *host_of_guest(const struct trial_case *trial, const char *name)
{
	for_each_record (trial, record)
		if (record->type == RECORD_GUEST && strcmp(record->guest ?: "", name) == 0)
			return record->host;
	return NULL;
}

/* The guest that a trial is about: struck, or moved, or simply the first. */
static void find_subject(struct trial_case *trial)
{
	const struct record *facts = facts_of(trial, target_of(trial));
	const struct record *first = first_of(trial, RECORD_GUEST);
	const char *struck = trial->intent ? trial->intent->guest : NULL;

	trial->victim_guest = (facts ? facts->guest : NULL) ?: struck;
	trial->guest_name = struck ?: trial->victim_guest;
	if (!trial->guest_name)
		trial->guest_name = json_text(case_step(trial, "migrate"), "guest", NULL);
	if (!trial->guest_name && first)
		trial->guest_name = first->guest;
	trial->host_name = trial->intent ? trial->intent->host : NULL;
	if (!trial->host_name && trial->guest_name)
		trial->host_name = host_of_guest(trial, trial->guest_name);
}

/* A plain migration, or a measurement: no fault was asked for, so none is missed. */
static bool is_faultless(const struct trial_case *trial)
{
	return !trial->intent && !case_expects_delivery(trial) && !case_expects(trial, "refused") &&
	       json_array_size(case_section(trial, "steps")) && !case_step(trial, "inject");
}

static const struct record *first_migration(const struct trial_case *trial)
{
	for_each_record (trial, record)
		if (record->type == RECORD_STEP && strcmp(record->step.kind, "migrate") == 0)
			return record;
	return NULL;
}

static void find_beginning(struct trial_case *trial)
{
	const struct record *from = trial->intent;

	if (trial->faultless)
		from = first_migration(trial) ?: first_of(trial, RECORD_STEP);
	trial->from = from ?: trial->records + trial->record_count;
}

/* Of one fault among several only its own records count: a workload where the fault has no page of its own, or names it. */
static bool is_of_fault(const struct trial_case *trial, const struct record *record)
{
	if (!trial->one_fault)
		return true;
	if (record->type == RECORD_INTENT || record->type == RECORD_OUTCOME)
		return record == trial->intent || record == trial->outcome;
	return target_of(trial) || !trial->intent ||
	       !json_object_get(trial->intent->body, "address");
}

/* The frame that a fault names itself; 0: none */
static uint64_t frame_of(const struct record *intent)
{
	struct scope aim = {0};

	scope_add_aim(&aim, intent->body);
	scope_add_aim(&aim, intent->intent.arguments);
	return aim.pfn_count ? aim.pfns[0].first : 0;
}

/*
 * Whether the frames of a workload are what a fault was meant for. A fault without a target that names a frame is meant for no other,
 * and one that is not of memory for none.
 */
static bool is_meant_for(const struct record *intent, const struct record *facts)
{
	static const unsigned char of_memory = KIND_MEMORY | KIND_CXL;
	const char *target = intent->intent.target, *workload = facts->facts.workload;
	uint64_t frame = facts->guest ? 0 : frame_of(intent);
	struct scope frames = {0};

	if (target)
		return !workload || strcmp(target, workload) == 0;
	scope_add_frames(&frames, facts->facts.facts);
	return frame ? scope_owns_pfn(&frames, frame) : intent->intent.fault.kinds & of_memory;
}

static bool has_struck_frames(const struct trial_case *trial, const struct record *facts)
{
	bool any = false;

	for_each_record (trial, record) {
		if (record->type != RECORD_INTENT || !is_of_fault(trial, record))
			continue;
		if (is_meant_for(record, facts))
			return true;
		any = true;
	}
	return !any;
}

/* What the fault was meant for: each machine counts its memory and its processes by itself. */
static void find_belongings(struct trial_case *trial)
{
	for_each_record (trial, record) {
		if (!is_of_fault(trial, record))
			continue;
		if (record->type == RECORD_FACTS) {
			struct scope *scope = record->guest ? &trial->in_guest : &trial->on_host;

			if (names_target(trial, record->facts.workload))
				scope_add_facts(scope, record->facts.facts);
			if (has_struck_frames(trial, record))
				scope_add_frames(scope, record->facts.facts);
		}
		if (record->type == RECORD_RESOLVED && names_target(trial, record->facts.workload))
			scope_add_resolved(&trial->on_host, record->facts.facts);
		if (record->type == RECORD_INTENT) {
			scope_add_aim(&trial->on_host, record->body);
			scope_add_aim(&trial->on_host, record->intent.arguments);
			scope_add_aim(&trial->on_host, record->intent.prepared);
			scope_add_guest_aim(&trial->in_guest, record->body);
			scope_add_guest_aim(&trial->in_guest, record->intent.arguments);
		}
		if (record == trial->intent)
			trial->on_host.has_bank =
				intent_bank(record, &trial->on_host.cpu, &trial->on_host.bank);
		if (record->type == RECORD_OUTCOME && trial->intent)
			scope_add_aim(&trial->on_host, record->outcome.result);
	}
}

static bool same_text(const char *one, const char *other)
{
	return one && other ? strcmp(one, other) == 0 : one == other;
}

/* Whether two faults are of the same kind and at the same frame, so that evidence of one looks like that of the other. */
static bool looks_alike(const struct record *one, const struct record *other)
{
	int64_t frame = json_number(one->body, "pfn", 0);

	return frame && frame == json_number(other->body, "pfn", 0) &&
	       same_text(one->host, other->host) &&
	       nature_overlaps(one->intent.fault, other->intent.fault);
}

/* The first intent and the last outcome; of one fault its own. */
static void find_fault(struct trial_case *trial, int fault)
{
	int intents = 0;

	for_each_record (trial, record) {
		if (record->type == RECORD_INTENT && intents++ == (fault < 0 ? 0 : fault))
			trial->intent = record;
		else if (fault >= 0 && record->type == RECORD_INTENT && trial->intent &&
			 !trial->until && looks_alike(trial->intent, record))
			trial->until = record;
		if (record->type == RECORD_OUTCOME && trial->intent &&
		    (fault < 0 || (intents == fault + 1 && !trial->outcome)))
			trial->outcome = record;
	}
}

/**
 * case_open - gather what the journal holds about a trial
 * @trial:   to be filled; give it to case_close()
 * @records: of the journal, borrowed for as long as the case is open
 * @id:      of the trial
 * @fault:   number of the only fault that the case is about, from 0; -1: all of them
 *
 * The last attempt counts. Records behind the close of an attempt are none of its evidence.
 */
void case_open(struct trial_case *trial, const json_t *records, const char *id, int fault)
{
	size_t count = json_array_size(records);
	__cleanup_free struct record *all = xreallocarray(NULL, count + 1, sizeof(*all));

	*trial = (struct trial_case){.process = PROCESS_UNKNOWN,
				     .host = {.axis = HOST_AXIS_UNKNOWN},
				     .cause = CAUSE_NONE,
				     .one_fault = fault >= 0};
	trial->records = xreallocarray(NULL, count + 1, sizeof(*trial->records));
	trial->evidence = json_array();
	trial->versions = json_object();
	for (size_t i = 0; i < count; i++)
		record_read(&all[i], json_array_get(records, i));
	collect(trial, all, count, id);
	trial->start = first_of(trial, RECORD_TRIAL);
	find_fault(trial, fault);
	for_each_record (trial, record)
		if (record->type == RECORD_CLOSE)
			trial->close = record;
	if (trial->close)
		trial->cause = trial->close->close.cause;
	trial->expect = keys_hyphenated(trial->start ? trial->start->start.expect : NULL);
	find_subject(trial);
	find_belongings(trial);
	case_read_versions(trial);
	trial->faultless = is_faultless(trial);
	find_beginning(trial);
}

/** case_close - free what case_open() and the judging allocated */
void case_close(struct trial_case *trial)
{
	free(trial->records);
	free(trial->lines);
	json_decref(trial->expect);
	json_decref(trial->versions);
	json_decref(trial->evidence);
	free(trial->damage);
	free(trial->findings);
}

/** case_counts - is a record later than the intent to fire, or than the beginning of a trial without fault? */
bool case_counts(const struct trial_case *trial, const struct record *record)
{
	return (trial->intent || trial->faultless) && record > trial->from &&
	       (!trial->until || record < trial->until);
}

/** case_on_host - is a record about the host that the fault was aimed at? */
bool case_on_host(const struct trial_case *trial, const struct record *record)
{
	return !record->host || !trial->host_name || strcmp(record->host, trial->host_name) == 0;
}

/** case_note_loss - something that a machine would have reported was lost */
void case_note_loss(struct trial_case *trial, const struct record *record)
{
	bool subject =
		record->guest && trial->guest_name && strcmp(record->guest, trial->guest_name) == 0;
	const struct record **loss = subject ? &trial->guest_loss
				     : !record->guest && case_on_host(trial, record)
					     ? &trial->loss
					     : &trial->other_loss;

	*loss = *loss ?: record;
}

/** case_note_damage - a kernel reports damage of its own */
void case_note_damage(struct trial_case *trial, const struct record *record)
{
	if (!trial->damage)
		trial->damage =
			xreallocarray(NULL, 2 * trial->record_count, sizeof(*trial->damage));
	trial->damage[trial->damage_count++] = record;
}

/* When an event was, by the clock of the machine that reports it. */
static int64_t stamp_of(const struct record *record)
{
	return record->guest ? record->event.guest_time_ns : record->seen_ns;
}

/* Whether two events have their times from one clock. */
static bool shares_clock(const struct record *one, const struct record *other)
{
	if (other->type != RECORD_EVENT || !same_text(one->guest, other->guest) ||
	    !same_text(one->host, other->host))
		return false;
	return one->guest ? strcmp(one->event.witness, other->event.witness) == 0
			  : !is_one_of(other->event.witness,
				       OUTSIDE_SOURCES(TABLE_WORD) CONTROLLER_SOURCES(TABLE_WORD)
					       NULL);
}

/**
 * case_is_older - was an event before the fault, although it was read after it?
 *
 * A witness may have lines of a log still to read, and a guest lines still to send, when the fault is fired. The clock of a
 * machine is not that of the controller, which may be set, too. But nothing arrives before it was sent, and a clock that stands still
 * only falls behind: of what the machine sent later, the event that was on its way for the shortest time shows how far its clock is
 * behind at most.
 */
bool case_is_older(const struct trial_case *trial, const struct record *record)
{
	const struct record *end = trial->records + trial->record_count;
	int64_t fired_ns, stamp_ns, latest;

	if (!trial->intent || record->type != RECORD_EVENT || stamp_of(record) <= 0)
		return false;
	fired_ns = trial->intent->written_ns - JUDGE_MARGIN_NS;
	stamp_ns = stamp_of(record);
	if (!record->guest && stamp_ns >= fired_ns)
		return false;
	for (const struct record *later = record; later < end; later++)
		if (shares_clock(record, later) && stamp_of(later) > 0 &&
		    !__builtin_sub_overflow(later->written_ns, stamp_of(later), &latest) &&
		    !__builtin_add_overflow(latest, stamp_ns, &latest) && latest < fired_ns)
			return true;
	return false;
}

/**
 * case_change - by how much a counter has changed since the intent
 * @trial:      the case
 * @event:      that reports it
 * @name:       of the counter
 * @change:     {"before", "after"} as the witness reported it: since it was started
 * @difference: receives the change
 *
 * What the same witness of the same machine had reported before the intent is none of the fault's doing.
 *
 * Return: false for counters that make no sense: not two counts.
 */
bool case_change(const struct trial_case *trial, const struct record *event, const char *name,
		 const json_t *change, int64_t *difference)
{
	int64_t before = json_number(change, "before", -1);

	if (before < 0 || json_number(change, "after", -1) < 0)
		return false;
	for_each_record (trial, record) {
		if (record >= trial->from)
			break;
		if (record->type == RECORD_EVENT &&
		    strcmp(record->event.witness, event->event.witness) == 0 &&
		    same_text(record->guest, event->guest) && same_text(record->host, event->host))
			before = json_number(json_object_get(record->event.data, name), "after",
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
 * The facts of a workload have its machine: a report of another machine is not about it. Without a target every workload of
 * the machine under fault counts.
 */
bool case_is_victim(const struct trial_case *trial, const struct record *record)
{
	const struct record *facts;

	if (!event_is_from(record, SOURCE_WORKLOAD))
		return false;
	facts = facts_of(trial, record->event.work.workload);
	return (record->guest || case_on_host(trial, record)) &&
	       names_target(trial, record->event.work.workload) &&
	       same_text(facts ? facts->guest : trial->victim_guest, record->guest);
}

/** case_victim_event - is a record this event of the workload that the fault was meant for? */
bool case_victim_event(const struct trial_case *trial, const struct record *record,
		       const char *event)
{
	return event_is_named(record, event) && case_is_victim(trial, record);
}
