// SPDX-License-Identifier: GPL-2.0-only
/*
 * Evidence from and about guests: their own reports, their streams as the host hears them, their consoles, and the hypervisor.
 * A guest under fault may say anything; what it says is only ever taken for its own word.
 */
#include <string.h>

#include "harness/judge/axes/axes.h"

/* A report of heartbeats covers a second; an agent that does not tell the age of the last one may tell of older ones. */
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
	size_t index;
	json_t *record;

	if (trial->guest_name)
		add_guest(seen, trial->guest_name);
	json_array_foreach (trial->records, index, record) {
		const json_t *body = record_body(record), *facts = json_object_get(body, "facts");
		const char *name = json_text(body, "guest", NULL);
		struct guest_seen *guest;

		if (!record_is(record, "guest") || !name)
			continue;
		guest = add_guest(seen, name);
		if (!guest || guest->side_count)
			continue;
		guest->uuid = json_text(facts, "uuid", NULL);
		guest->boot_id = json_text(facts, "boot_id", NULL);
		side_of(guest, json_text(body, "host", "h0"))->lived = true;
	}
}

/* It speaks: whatever was said of its silence before is over. */
static void hear_word(struct guest_side *side, int64_t time_ns)
{
	if (!side->down || time_ns <= side->down_ns)
		return;
	side->down = NULL;
}

static void hear_beat(struct guest_side *side, int64_t time_ns, const json_t *record)
{
	side->lived = true;
	if (time_ns > side->last_ns) {
		side->last_ns = time_ns;
		side->last_record = record;
	}
	hear_word(side, time_ns);
}

static int64_t before(int64_t time_ns, int64_t span_ns)
{
	int64_t earlier;

	return span_ns < 0 || __builtin_sub_overflow(time_ns, span_ns, &earlier) ? time_ns
										 : earlier;
}

static void read_heartbeat(struct guest_side *side, const json_t *record)
{
	const json_t *data = event_data(record);
	const char *what = json_text(data, "what", "");
	int64_t time_ns = event_time(record), age_ns = json_number(data, "age_ns", -1);

	if (is_text(what, "silent")) {
		/* Ages are told to the millisecond: the last beat before the silence is none after it. */
		side->down = record;
		side->down_ns = before(time_ns, json_number(data, "since_ns", 0)) + JUDGE_MARGIN_NS;
	} else if (is_text(what, "heartbeat")) {
		if (json_number(data, "beats", 0) > 0)
			hear_beat(side, before(time_ns, age_ns < 0 ? REPORT_NS : age_ns), record);
	} else if (is_text(what, "now")) {
		if (age_ns >= 0 && json_is_true(json_object_get(data, "connected")))
			hear_beat(side, before(time_ns, age_ns), record);
	} else if (is_text(what, "heard") || is_text(what, "gap") || is_text(what, "clock")) {
		hear_beat(side, time_ns, record);
		if (json_is_true(json_object_get(data, "first")) && !side->first_ns) {
			side->first_ns = time_ns;
			side->first_record = record;
		}
	}
}

static void read_hello(struct guest_seen *guest, struct guest_side *side, const json_t *record,
		       bool counts)
{
	const json_t *data = event_data(record);
	const char *boot = json_text(data, "boot_id", NULL);
	bool another;

	if (!boot)
		boot = json_text(json_object_get(data, "said"), "boot_id", NULL);
	another = json_is_true(json_object_get(data, "rebooted")) ||
		  (boot && guest->boot_id && !is_text(boot, guest->boot_id));
	if (!side->hello)
		side->stranger = another;
	side->hello = record;
	if (another && counts && !guest->reboot) {
		guest->reboot = record;
		guest->gone_before_reboot = guest->gone;
	}
	/* Before the fault it tells which boot this is. */
	if (boot && !counts && (another || !guest->boot_id))
		guest->boot_id = boot;
	side->lived = true;
	side->cut_off = false;
	hear_word(side, event_time(record));
}

static void read_link(struct trial_case *trial, struct guest_seen *guest, struct guest_side *side,
		      const json_t *record, bool counts, bool subject)
{
	static const char *const cuts[] = {"flood", "mute", "protocol", "refused"};
	const json_t *data = event_data(record);
	const char *what = json_text(data, "what", "");
	int64_t age_ns = json_number(data, "age_ns", -1);

	if (is_text(what, "hello"))
		read_hello(guest, side, record, counts);
	if (is_text(what, "lost") && counts && subject)
		trial->guest_log_lost = true;
	for (size_t i = 0; i < ARRAY_SIZE(cuts); i++)
		if (is_text(what, cuts[i]))
			side->cut_off = true;
	if (!is_text(what, "gone"))
		return;
	if (age_ns >= 0)
		hear_beat(side, before(event_time(record), age_ns), record);
	side->down = record;
	side->down_ns = event_time(record);
	if (counts)
		guest->gone = record;
}

/* A later word that says less than the one before does not replace its reason. */
static void end_side(struct guest_side *side, enum guest_end end, const json_t *record)
{
	if (side->word == WORD_MOVED && end == END_GONE)
		return;
	if (side->word != WORD_ENDED || side->end == END_GONE) {
		side->end = end;
		side->end_record = record;
	}
	side->word = WORD_ENDED;
}

static void end_by_detail(struct guest_side *side, const char *detail, const json_t *record)
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
		side->word = WORD_MOVED;
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (is_text(detail, ends[i].detail))
			return end_side(side, ends[i].end, record);
	end_side(side, END_GONE, record);
}

/* What a domain of an incoming migration is before the guest comes: started, and paused. */
static bool says_running(const char *state, const char *detail)
{
	return is_text(state, "running") || is_text(state, "blocked") ||
	       is_text(state, "resumed") ||
	       (is_text(state, "started") && !is_text(detail, "migrated"));
}

static bool says_paused(const char *state)
{
	return is_text(state, "paused") || is_text(state, "suspended") ||
	       is_text(state, "pmsuspended") || is_text(state, "started");
}

/* States of events and of the status; what is not known ("unknown": the hypervisor did not answer) says nothing. */
static void read_state(struct guest_side *side, const json_t *record, size_t index)
{
	const json_t *data = event_data(record);
	const char *state = json_text(data, "state", "");
	const char *detail = json_text(data, "detail", "");

	if (says_running(state, detail)) {
		side->word = WORD_RUNNING;
		side->lived = true;
	} else if (says_paused(state)) {
		side->word = WORD_PAUSED;
	} else if (is_text(state, "crashed")) {
		end_side(side, END_PANIC, record);
	} else if (is_text(state, "stopped") || is_text(state, "shutoff") ||
		   is_text(state, "gone")) {
		end_by_detail(side, detail, record);
	} else {
		return;
	}
	side->word_record = record;
	side->word_at = index;
}

static void read_memory_failure(struct trial_case *trial, struct guest_seen *guest,
				const json_t *record, bool subject)
{
	const char *action = json_text(event_data(record), "action", "");

	if (is_text(intent_echoed_by(trial->intent), event_witness(record)))
		return;
	if (subject)
		case_weigh(trial, GROUP_HYPERVISOR, record, RELATION_ANONYMOUS,
			   (struct nature){KIND_MEMORY, SEVERITY_UNCORRECTED});
	if (is_text(action, "inject") && !guest->harmed)
		guest->harmed = record;
	if (is_text(action, "fatal") && !guest->qemu_struck)
		guest->qemu_struck = record;
}

/* Whose QEMU was killed by the fault, even that which waits at a target: the hypervisor has seen it. */
static bool ends_by_kill(const struct trial_case *trial, const struct guest_side *side)
{
	return is_text(intent_kills(trial->intent), "qemu") && trial->host_name &&
	       is_text(side->host, trial->host_name) && side->word == WORD_ENDED &&
	       side->end == END_QEMU_CRASH;
}

static void read_hypervisor(struct trial_case *trial, struct guest_seen *guest,
			    struct guest_side *side, const json_t *record, size_t index,
			    bool subject)
{
	const json_t *data = event_data(record);
	const char *event = json_text(data, "event", ""), *uuid = json_text(data, "uuid", NULL);

	/* The domain of a trial before, under the same name. */
	if (uuid && guest->uuid && !is_text(uuid, guest->uuid))
		return;
	if (!is_text(event, "memory-failure"))
		read_state(side, record, index);
	else if (case_counts(trial, index))
		read_memory_failure(trial, guest, record, subject);
	if (subject && case_counts(trial, index) && ends_by_kill(trial, side))
		case_prove(trial, GROUP_HYPERVISOR, side->end_record, RELATION_ANONYMOUS);
}

static void read_log(struct trial_case *trial, struct observation *seen, struct guest_seen *guest,
		     const json_t *record, bool counts, bool subject)
{
	const char *text = record_text(record);
	struct kernel_line line = kernel_line_read(text);

	trial->guest_log_seen |= subject;
	if (!counts)
		return;
	if (subject &&
	    (json_number(event_data(record), "lost", 0) > 0 || line.meaning == MEANS_LOST))
		trial->guest_log_lost = true;
	if (!event_is_of_kernel(record))
		return;
	if (!guest->panic && (line.meaning == MEANS_OOPS || line.meaning == MEANS_WARNING ||
			      line.meaning == MEANS_STUCK || case_is_other_panic(trial, &line)))
		json_array_append(trial->damage, (json_t *)record);
	if (line.meaning == MEANS_ENDED && subject && trial->victim_guest &&
	    scope_relation(&trial->in_guest, &line) == RELATION_OURS)
		json_array_append(trial->damage, (json_t *)record);
	if (line.meaning == MEANS_PANIC && !guest->panic)
		guest->panic = record;
	if (strstr(text, "Linux version ") && !guest->booting)
		guest->booting = record;
	if (kernel_line_is_error(line.meaning) && line.meaning != MEANS_HARDWARE_ERROR &&
	    !guest->harmed)
		guest->harmed = record;
	if (!subject)
		return;
	if (kernel_line_is_error(line.meaning))
		case_weigh(trial, GROUP_GUEST_LOG, record, scope_relation(&trial->in_guest, &line),
			   line.nature);
	if (trial->victim_guest)
		case_read_victim_line(&trial->in_guest, &seen->victim, &line, record);
}

static bool is_struck(const json_t *record)
{
	static const char *const errors[] = {"EFAULT", "EIO", "EHWPOISON"};
	const json_t *data = event_data(record);
	const char *event = json_text(data, "event", "");

	if (is_text(event, "signal"))
		return is_memory_error_signal(data);
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (is_text(event, "error") &&
		    is_text(json_text(data, "errno_name", ""), errors[i]))
			return true;
	/* SIGBUS */
	return is_text(event, "exit") && json_number(data, "signal", 0) == 7;
}

static void read_report(const struct trial_case *trial, struct guest_seen *guest,
			const json_t *record, bool counts)
{
	const json_t *data = event_data(record);
	const char *event = json_text(data, "event", "");
	bool wrong = is_text(event, "corrupted") ||
		     (counts && (is_text(event, "touched") || is_text(event, "value")) &&
		      json_is_false(json_object_get(data, "value_ok")) &&
		      !case_is_victim(trial, record));

	if (wrong && !guest->corrupted)
		guest->corrupted = record;
	if (!counts)
		return;
	guest->report = record;
	if (is_struck(record) && !guest->harmed)
		guest->harmed = record;
}

/** case_read_guest_event - an event that is from or about a guest, at its place in the journal */
void case_read_guest_event(struct trial_case *trial, struct observation *seen, const json_t *record,
			   size_t index)
{
	struct guest_seen *guest = find_guest(seen, event_guest(record));
	const char *witness = event_witness(record);
	bool counts = case_counts(trial, index), subject = guest == &seen->guests[0];
	struct guest_side *side;

	if (!guest)
		return;
	side = side_of(guest, json_text(record_body(record), "host", "h0"));
	if (!side)
		return;
	if (is_text(witness, "hypervisor"))
		return read_hypervisor(trial, guest, side, record, index, subject);
	if (is_text(witness, "heartbeat"))
		return read_heartbeat(side, record);
	if (is_text(witness, "guest-link"))
		return read_link(trial, guest, side, record, counts, subject);
	if (is_text(witness, "guest-console"))
		return read_log(trial, seen, guest, record, counts, subject);
	if (is_text(witness, "migration") || is_text(witness, "engine"))
		return;
	/* All others are words of the program in the guest. */
	hear_word(side, event_time(record));
	if (case_format(trial, record) == FORMAT_KERNEL_LOG)
		read_log(trial, seen, guest, record, counts, subject);
	else if (is_text(witness, "workload"))
		read_report(trial, guest, record, counts);
	else if (subject && counts && case_format(trial, record) == FORMAT_TRACE_EVENT) {
		trial->guest_log_lost |= json_number(event_data(record), "lost", 0) > 0;
		case_read_trace(trial, record);
	} else if (subject && counts)
		(void)case_read_declared(trial, record);
}
