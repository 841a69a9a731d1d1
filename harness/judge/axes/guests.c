// SPDX-License-Identifier: GPL-2.0-only
/*
 * Evidence from and about guests: their own reports, the host's end of their streams, their consoles, and the hypervisor.
 * A guest under fault may report anything; its reports count as evidence of one source.
 */
#include <string.h>

#include "harness/judge/axes/axes.h"

/* A heartbeat report covers a second. Without the age of the last beat, that beat may be this old. */
#define REPORT_NS (1100 * NSEC_PER_MSEC)

static bool is_text(const char *one, const char *other)
{
	return strcmp(one, other) == 0;
}

static struct guest_seen *find_guest(struct observation *seen, const char *name)
{
	for (size_t i = 0; i < seen->guest_count; i++)
		if (is_text(seen->guests[i].name, name))
			return &seen->guests[i];
	return NULL;
}

static struct guest_seen *add_guest(struct observation *seen, const char *name)
{
	struct guest_seen *guest = find_guest(seen, name);

	if (guest || seen->guest_count == GUEST_LIMIT)
		return guest;
	guest = &seen->guests[seen->guest_count++];
	*guest = (struct guest_seen){.name = name};
	return guest;
}

static struct guest_side *side_of(struct guest_seen *guest, const char *host)
{
	for (size_t i = 0; i < guest->side_count; i++)
		if (is_text(guest->sides[i].host, host))
			return &guest->sides[i];
	if (guest->side_count == HOST_LIMIT)
		return NULL;
	guest->sides[guest->side_count] = (struct guest_side){.host = host};
	return &guest->sides[guest->side_count++];
}

/** case_open_guests - the guests of a trial, the subject first, each on the host where it began */
void case_open_guests(const struct trial_case *trial, struct observation *seen)
{
	if (trial->guest_name)
		add_guest(seen, trial->guest_name);
	for_each_record (trial, record) {
		struct guest_seen *guest;

		if (record->type != RECORD_GUEST || !record->guest)
			continue;
		guest = add_guest(seen, record->guest);
		if (!guest || guest->side_count)
			continue;
		guest->uuid = record->guest_start.uuid;
		guest->boot_id = record->guest_start.boot_id;
		side_of(guest, record->host ?: "h0")->lived = true;
	}
}

/* A later sign of life ends a silence. */
static void end_silence(struct guest_side *side, int64_t time_ns)
{
	if (!side->down || time_ns <= side->down_ns)
		return;
	side->down = NULL;
}

static void take_beat(struct guest_side *side, int64_t time_ns, const struct record *record)
{
	side->lived = true;
	if (time_ns > side->last_ns) {
		side->last_ns = time_ns;
		side->last_record = record;
	}
	end_silence(side, time_ns);
}

static int64_t before(int64_t time_ns, int64_t span_ns)
{
	int64_t earlier;

	return span_ns < 0 || __builtin_sub_overflow(time_ns, span_ns, &earlier) ? time_ns
										 : earlier;
}

static void read_heartbeat(struct guest_side *side, const struct record *record)
{
	const struct beat_report *beat = &record->event.beat;
	int64_t time_ns = record->seen_ns, age_ns = beat->age_ns;

	if (is_text(beat->what, "silent")) {
		/* Ages are exact to a millisecond only: the last beat before the silence must not count as one after it. */
		side->down = record;
		side->down_ns = before(time_ns, beat->since_ns) + JUDGE_MARGIN_NS;
		/* Beats that the same host reported before are older, whatever its clock shows. */
		if (side->down_ns < side->last_ns)
			side->down_ns = side->last_ns;
	} else if (is_text(beat->what, "heartbeat")) {
		if (beat->beats > 0)
			take_beat(side, before(time_ns, age_ns < 0 ? REPORT_NS : age_ns), record);
	} else if (is_text(beat->what, "now")) {
		if (age_ns >= 0 && beat->connected)
			take_beat(side, before(time_ns, age_ns), record);
	} else if (is_one_of(beat->what, "heard", "gap", "clock")) {
		take_beat(side, time_ns, record);
		if (beat->first && !side->first_ns) {
			side->first_ns = time_ns;
			side->first_record = record;
		}
	}
}

static void read_hello(struct guest_seen *guest, struct guest_side *side,
		       const struct record *record, bool counts)
{
	const char *boot = record->event.beat.boot_id;
	bool another = record->event.beat.rebooted ||
		       (boot && guest->boot_id && !is_text(boot, guest->boot_id));

	if (!side->hello)
		side->other_boot = another;
	side->hello = record;
	if (another && counts && !guest->reboot) {
		guest->reboot = record;
		guest->gone_before_reboot = guest->gone;
	}
	/* Before the fault it shows which boot this is. */
	if (boot && !counts && (another || !guest->boot_id))
		guest->boot_id = boot;
	side->lived = true;
	side->cut_off = false;
	end_silence(side, record->seen_ns);
}

static void read_link(struct trial_case *trial, struct guest_seen *guest, struct guest_side *side,
		      const struct record *record, bool counts, bool subject)
{
	const char *what = record->event.beat.what;
	int64_t age_ns = record->event.beat.age_ns;

	if (is_text(what, "hello"))
		read_hello(guest, side, record, counts);
	if (is_text(what, "lost") && counts)
		case_note_loss(trial, record);
	if (is_one_of(what, "flood", "mute", "protocol", "refused"))
		side->cut_off = true;
	if (!is_text(what, "gone"))
		return;
	if (age_ns >= 0)
		take_beat(side, before(record->seen_ns, age_ns), record);
	side->down = record;
	side->down_ns = record->seen_ns;
	if (counts)
		guest->gone = record;
}

/* A later event with less detail does not replace the cause of an earlier one. */
static void end_side(struct guest_side *side, enum guest_end end, const struct record *record)
{
	if (side->state == GUEST_STATE_MOVED && end == END_GONE)
		return;
	if (side->state != GUEST_STATE_ENDED || side->end == END_GONE) {
		side->end = end;
		side->end_record = record;
	}
	side->state = GUEST_STATE_ENDED;
}

static void end_by_detail(struct guest_side *side, const char *detail, const struct record *record)
{
	static const struct {
		const char *detail;
		enum guest_end end;
	} ends[] = {
		{"panicked", END_PANIC},       {"crashloaded", END_PANIC},
		{"crashed", END_PANIC},	       {"failed", END_QEMU_CRASH},
		{"killed", END_BY_HYPERVISOR}, {"shutdown", END_SHUT_DOWN},
		{"finished", END_SHUT_DOWN},   {"destroyed", END_DESTROYED},
	};

	if (is_text(detail, "migrated")) {
		side->state = GUEST_STATE_MOVED;
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (is_text(detail, ends[i].detail))
			return end_side(side, ends[i].end, record);
	end_side(side, END_GONE, record);
}

/* A domain that waits for an incoming migration is reported as started, and paused. */
static bool is_running_state(const char *state, const char *detail)
{
	return is_text(state, "running") || is_text(state, "blocked") ||
	       is_text(state, "resumed") ||
	       (is_text(state, "started") && !is_text(detail, "migrated"));
}

static bool is_paused_state(const char *state)
{
	return is_text(state, "paused") || is_text(state, "suspended") ||
	       is_text(state, "pmsuspended") || is_text(state, "started");
}

/* States of events and of the status; "unknown" (the hypervisor did not answer) changes nothing. */
static void read_state(struct guest_side *side, const struct record *record)
{
	const char *state = record->event.domain.state, *detail = record->event.domain.detail;

	if (is_running_state(state, detail)) {
		side->state = GUEST_STATE_RUNNING;
		side->lived = true;
	} else if (is_paused_state(state)) {
		side->state = GUEST_STATE_PAUSED;
	} else if (is_text(state, "crashed")) {
		end_side(side, END_PANIC, record);
	} else if (is_text(state, "stopped") || is_text(state, "shutoff") ||
		   is_text(state, "gone")) {
		end_by_detail(side, detail, record);
	} else {
		return;
	}
	side->state_record = record;
}

static void read_memory_failure(struct trial_case *trial, struct guest_seen *guest,
				const struct record *record, bool subject)
{
	const char *action = record->event.domain.action;

	if (trial->intent && is_text(trial->intent->intent.echoed_by, record->event.witness))
		return;
	if (subject)
		case_weigh(trial, GROUP_HYPERVISOR, record, RELATION_ANONYMOUS,
			   (struct nature){KIND_MEMORY, SEVERITY_UNCORRECTED});
	if (is_text(action, "inject") && !guest->harmed)
		guest->harmed = record;
	if (is_text(action, "fatal") && !guest->qemu_struck)
		guest->qemu_struck = record;
}

/* The fault killed the QEMU of this side, which may only wait at a target: the hypervisor reports it. */
static bool ends_by_kill(const struct trial_case *trial, const struct guest_side *side)
{
	return is_text(case_kills(trial), "qemu") && trial->host_name &&
	       is_text(side->host, trial->host_name) && side->state == GUEST_STATE_ENDED &&
	       side->end == END_QEMU_CRASH;
}

static void read_hypervisor(struct trial_case *trial, struct guest_seen *guest,
			    struct guest_side *side, const struct record *record, bool subject)
{
	const char *uuid = record->event.domain.uuid;
	bool counts = case_counts(trial, record);

	/* The domain of a trial before, under the same name. */
	if (uuid && guest->uuid && !is_text(uuid, guest->uuid))
		return;
	if (!event_is_named(record, "memory-failure"))
		read_state(side, record);
	else if (counts)
		read_memory_failure(trial, guest, record, subject);
	if (subject && counts && ends_by_kill(trial, side))
		case_prove(trial, GROUP_HYPERVISOR, side->end_record, RELATION_ANONYMOUS);
}

static void read_log(struct trial_case *trial, struct observation *seen, struct guest_seen *guest,
		     const struct record *record, bool counts, bool subject)
{
	const struct kernel_line *line = case_line(trial, record);
	bool older;

	trial->guest_log_seen |= subject;
	if (!counts && subject && trial->intent)
		case_read_noise(trial, record);
	if (!counts)
		return;
	if ((record->event.lost > 0 || line->meaning == MEANS_LOST) &&
	    !case_log_has_all(trial, record))
		case_note_loss(trial, record);
	if (!case_is_of_kernel(trial, record))
		return;
	older = line->meaning != MEANS_NOTHING && case_is_older(trial, record);
	if (older && subject && line->meaning == MEANS_OOPS)
		return case_read_noise(trial, record);
	if (!guest->panic &&
	    (((line->meaning == MEANS_OOPS || line->meaning == MEANS_WARNING) && !older) ||
	     line->meaning == MEANS_STUCK || case_is_other_panic(trial, line)))
		case_note_damage(trial, record);
	if (line->meaning == MEANS_ENDED && subject && trial->victim_guest &&
	    scope_relation(&trial->in_guest, line) == RELATION_OURS)
		case_note_damage(trial, record);
	if (line->meaning == MEANS_PANIC && !guest->panic)
		guest->panic = record;
	if (strncmp(kernel_message(record->event.text), "Linux version ", 14) == 0 &&
	    !guest->booting)
		guest->booting = record;
	if (kernel_line_is_error(line->meaning) && older) {
		if (subject)
			case_read_noise(trial, record);
		return;
	}
	if (kernel_line_is_error(line->meaning) && line->meaning != MEANS_HARDWARE_ERROR &&
	    !guest->harmed)
		guest->harmed = record;
	if (!subject)
		return;
	if (kernel_line_is_error(line->meaning) && !case_console_is_alone(trial, record))
		case_weigh(trial, GROUP_GUEST_LOG, record, scope_relation(&trial->in_guest, line),
			   line->nature);
	if (trial->victim_guest)
		case_read_victim_line(&trial->in_guest, &seen->victim, line, record);
}

static bool is_struck(const struct record *record)
{
	const struct work_report *work = &record->event.work;

	if (event_is_named(record, "signal"))
		return is_memory_error_signal(work);
	if (event_is_named(record, "error"))
		return is_one_of(work->error_name ?: "", "EFAULT", "EIO", "EHWPOISON");
	/* SIGBUS */
	return event_is_named(record, "exit") && work->signal == 7;
}

static void read_report(const struct trial_case *trial, struct guest_seen *guest,
			const struct record *record, bool counts)
{
	bool touched = event_is_named(record, "touched") || event_is_named(record, "value");
	bool wrong = event_is_named(record, "corrupted") ||
		     (counts && touched && record->event.work.value == CHECKED_WRONG &&
		      !case_is_victim(trial, record));

	if (wrong && !guest->corrupted)
		guest->corrupted = record;
	if (!counts)
		return;
	guest->report = record;
	if (is_struck(record) && !guest->harmed)
		guest->harmed = record;
}

/** case_read_guest_event - an event that is from or about a guest */
void case_read_guest_event(struct trial_case *trial, struct observation *seen,
			   const struct record *record)
{
	struct guest_seen *guest = find_guest(seen, record->guest);
	bool counts = case_counts(trial, record), subject = guest == &seen->guests[0];
	struct guest_side *side = guest ? side_of(guest, record->host ?: "h0") : NULL;
	enum format format = case_format(trial, record);

	if (!side)
		return;
	switch (record->event.source) {
	case SOURCE_HYPERVISOR:
		return read_hypervisor(trial, guest, side, record, subject);
	case SOURCE_HEARTBEAT:
		return read_heartbeat(side, record);
	case SOURCE_GUEST_LINK:
		return read_link(trial, guest, side, record, counts, subject);
	case SOURCE_GUEST_CONSOLE:
		return read_log(trial, seen, guest, record, counts, subject);
	case SOURCE_MIGRATION:
	case SOURCE_ENGINE:
		return;
	default:
		break;
	}
	/* All others are words of the program in the guest. */
	end_silence(side, record->seen_ns);
	if (format == FORMAT_KERNEL_LOG)
		read_log(trial, seen, guest, record, counts, subject);
	else if (record->event.source == SOURCE_WORKLOAD)
		read_report(trial, guest, record, counts);
	else if (subject && !counts && trial->intent && format == FORMAT_TRACE_EVENT)
		case_read_noise(trial, record);
	else if (subject && counts && format == FORMAT_TRACE_EVENT) {
		if (record->event.lost > 0)
			case_note_loss(trial, record);
		case_read_trace(trial, record);
	} else if (subject && counts)
		(void)case_read_declared(trial, record);
}
