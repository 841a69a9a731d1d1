// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host and IOMMU axes. The evidence is read once, in its order, and each record goes to the axes that it is about. A
 * record from or about a guest is no evidence about its host.
 */
#include <string.h>

#include "harness/judge/axes/axes.h"

static struct host_seen *host_of(struct observation *seen, const struct record *record)
{
	const char *name = record->host;

	if (!name || !seen->hosts[0].name)
		return &seen->hosts[0];
	for (size_t i = 0; i < seen->host_count; i++)
		if (strcmp(seen->hosts[i].name, name) == 0)
			return &seen->hosts[i];
	if (seen->host_count == HOST_LIMIT)
		return NULL;
	seen->hosts[seen->host_count] = (struct host_seen){.name = name};
	return &seen->hosts[seen->host_count++];
}

static void open_hosts(const struct trial_case *trial, struct observation *seen)
{
	seen->hosts[0] = (struct host_seen){
		.name = trial->host_name,
		.boot_id = trial->intent ? trial->intent->intent.boot_id : NULL,
	};
	seen->host_count = 1;
}

/** case_is_other_panic - whether a kernel ended itself for another reason than the fault of the trial */
bool case_is_other_panic(const struct trial_case *trial, const struct kernel_line *line)
{
	return line->meaning == MEANS_PANIC && trial->intent &&
	       !nature_overlaps(line->nature, case_fault(trial));
}

static bool is_of_xen(const struct record *record)
{
	return strncmp(kernel_message(record->event.text), "(XEN) ", 6) == 0;
}

static void read_kernel_line(struct trial_case *trial, struct observation *seen,
			     struct host_seen *host, const struct record *record)
{
	const struct kernel_line *line = case_line(trial, record);
	bool console = record->event.source == SOURCE_CONSOLE;
	bool ours = host == &seen->hosts[0], died = host->panic != NULL;
	bool older = line->meaning != MEANS_NOTHING && case_is_older(trial, record);

	/* A kernel that has panicked runs no agent that could read its log: only the console shows a panic. */
	if (line->meaning == MEANS_PANIC && console && !host->panic)
		host->panic = record;
	if (line->meaning == MEANS_STUCK && !host->stuck && !older)
		host->stuck = record;
	if (older && line->meaning == MEANS_OOPS && ours)
		return case_read_noise(trial, record);
	/* Xen prints the cause of its panic behind the panic. */
	if (died && line->meaning == MEANS_OOPS && is_of_xen(record))
		case_note_damage(trial, record);
	if (!died &&
	    (((line->meaning == MEANS_OOPS || line->meaning == MEANS_WARNING) && !older) ||
	     (line->meaning == MEANS_STUCK && (!ours || older)) ||
	     (line->meaning == MEANS_PANIC && (!console || case_is_other_panic(trial, line)))))
		case_note_damage(trial, record);
	if (line->meaning == MEANS_LOST && !case_log_has_all(trial, record))
		case_note_loss(trial, record);
	if (!ours)
		return;
	if (line->meaning == MEANS_ENDED &&
	    scope_relation(&trial->on_host, line) != RELATION_FOREIGN)
		case_note_damage(trial, record);
	if (kernel_line_is_error(line->meaning) && older)
		return case_read_noise(trial, record);
	if (kernel_line_is_error(line->meaning) && !case_console_is_alone(trial, record))
		case_weigh(trial, GROUP_KERNEL_LOG, record, scope_relation(&trial->on_host, line),
			   line->nature);
	if (!trial->victim_guest)
		case_read_victim_line(&trial->on_host, &seen->victim, line, record);
	else if (line->meaning == MEANS_KILLED &&
		 scope_relation(&trial->on_host, line) == RELATION_OURS &&
		 !seen->guests[0].qemu_struck)
		seen->guests[0].qemu_struck = record;
	case_read_iommu(trial, line, record);
}

static bool another_boot(const struct host_seen *host, const char *boot)
{
	return boot && host->boot_id && strcmp(boot, host->boot_id) != 0;
}

static void read_bench(struct host_seen *host, const struct record *record)
{
	const json_t *data = record->event.data;

	/* Another boot_id alone is evidence of the agent that reports it, not of the bench. */
	if (another_boot(host, json_text(data, "boot_id", NULL)) && !host->boot_changed)
		host->boot_changed = record;
	else if (event_is_named(record, "host-died") && !host->bench_died &&
		 !json_text(data, "previous_boot_id", NULL))
		host->bench_died = record;
	else if (event_is_named(record, "agent-lost") && !host->agent_lost)
		host->agent_lost = record;
	else if (event_is_named(record, "host-taken") && !host->taken)
		host->taken = record;
}

/* All other witnesses imply a live agent. */
static bool is_out_of_band(const char *witness)
{
	return is_one_of(witness, OUTSIDE_SOURCES(TABLE_WORD) CONTROLLER_SOURCES(TABLE_WORD) NULL);
}

/* Events that an agent sent before its host died may be read after the bench reports the death. */
static void note_agent_event(struct host_seen *host, const struct record *record)
{
	host->answered = true;
	if (host->bench_died && !host->boot_changed &&
	    record->seen_ns > host->bench_died->seen_ns + JUDGE_MARGIN_NS)
		host->alive_after_death = true;
}

static void read_host_event(struct trial_case *trial, struct observation *seen,
			    struct host_seen *host, const struct record *record)
{
	bool ours = host == &seen->hosts[0];

	/* Of the log, the console or the trace: what was lost may have named another victim. */
	if (record->event.lost > 0)
		case_note_loss(trial, record);
	trial->log_folded |= ours && event_is_named(record, "folded");
	if (ours)
		case_read_conversion(trial, &seen->conversion, record);
	if (ours && !host->stuck)
		host->stuck = seen->conversion.hung;
	if (case_format(trial, record) == FORMAT_KERNEL_LOG) {
		trial->log_seen |= ours;
		if (case_is_of_kernel(trial, record))
			read_kernel_line(trial, seen, host, record);
	} else if (record->event.source == SOURCE_BENCH) {
		read_bench(host, record);
	} else if (ours) {
		case_read_host_proof(trial, record);
	}
}

static void read_event(struct trial_case *trial, struct observation *seen,
		       const struct record *record)
{
	struct host_seen *host = host_of(seen, record);
	const struct event_record *event = &record->event;
	bool counts = case_counts(trial, record);

	if (!host)
		return;
	if (event->source == SOURCE_HYPERVISOR && counts &&
	    is_one_of(event->name, "connection-lost", "lost"))
		trial->hypervisor_lost = true;
	if (event->source == SOURCE_WORKLOAD && (host == &seen->hosts[0] || record->guest))
		case_read_victim(trial, &seen->victim, record, counts);
	if (event->source == SOURCE_MIGRATION || event->source == SOURCE_HYPERVISOR)
		case_read_migration(trial, seen, record);
	if (record->guest)
		case_read_guest_event(trial, seen, record);
	else if (trial->intent && !counts && host == &seen->hosts[0] &&
		 case_format(trial, record) != FORMAT_OTHER)
		case_read_noise(trial, record);
	else if (counts)
		read_host_event(trial, seen, host, record);
	if (counts && !is_out_of_band(event->witness))
		note_agent_event(host, record);
}

static void read_boot(const struct trial_case *trial, struct observation *seen,
		      const struct record *record)
{
	struct host_seen *host = host_of(seen, record);
	bool counts = case_counts(trial, record);

	if (!host)
		return;
	/* Before the fault it shows which boot this is, after it that this is another one. */
	if (!counts && (!trial->intent || host != &seen->hosts[0]))
		host->boot_id = record->boot.boot_id;
	else if (counts && another_boot(host, record->boot.boot_id) && !host->boot_changed)
		host->boot_changed = record;
}

/* Whether one of the witnesses that look follows the kernel's log. */
static bool follows_log(const struct witnesses_record *witnesses)
{
	const json_t *name;
	size_t index;

	json_array_foreach (witnesses->started, index, name)
		if (json_is_string(name) &&
		    format_declared(witnesses->formats, json_string_value(name)) ==
			    FORMAT_KERNEL_LOG)
			return true;
	return false;
}

static void read_witnesses(struct trial_case *trial, const struct record *record)
{
	const struct witnesses_record *witnesses = &record->witnesses;

	if (!record->guest && case_on_host(trial, record)) {
		trial->host_watched |= json_is_array(witnesses->started);
		trial->log_followed |= follows_log(witnesses);
		trial->log_seen |= trial->log_followed;
		trial->host_formats = witnesses->formats;
		trial->host_proofs = witnesses->proofs;
	} else if (record->guest && trial->guest_name &&
		   strcmp(record->guest, trial->guest_name) == 0) {
		trial->guest_log_followed |= follows_log(witnesses);
		trial->guest_log_seen |= trial->guest_log_followed;
		trial->guest_formats = witnesses->formats;
		trial->guest_proofs = witnesses->proofs;
	}
}

static void read_record(struct trial_case *trial, struct observation *seen,
			const struct record *record)
{
	bool counts = case_counts(trial, record);

	if (record->type == RECORD_EVENT)
		read_event(trial, seen, record);
	else if (record->type == RECORD_BOOT)
		read_boot(trial, seen, record);
	else if (record->type == RECORD_STEP && counts) {
		seen->last_step_ns = record->written_ns;
		seen->victim.stopped |= strcmp(record->step.kind, "stop") == 0;
	} else if (record->type == RECORD_USAGE && counts)
		seen->answered_last = true;
}

static unsigned int signs_of_death(const struct host_seen *host)
{
	return (host->panic != NULL) + (host->bench_died != NULL) + (host->boot_changed != NULL);
}

static const char *sign_of_death(const struct host_seen *host)
{
	const struct record *sign = host->panic ?: host->bench_died ?: host->boot_changed;

	return record_quote(sign);
}

/* Decide by the evidence about the host alone. Return: whether there is any evidence of its death. */
static bool decide_death(const struct host_seen *host, struct host_outcome *outcome)
{
	unsigned int signs = signs_of_death(host);

	if (signs && host->alive_after_death)
		give_reason(outcome, CODE_HOST_CONTRADICTED,
			    "conflicting evidence: the bench reported the host dead, its agent "
			    "continued");
	else if (signs >= 2) {
		outcome->axis = HOST_AXIS_DIED;
		give_reason(outcome, CODE_HOST_DIED_UNEXPECTEDLY, "%s", sign_of_death(host));
	} else if (signs == 1)
		give_reason(outcome, CODE_HOST_ONE_SIGN, "only one sign that the host died: %s",
			    sign_of_death(host));
	return signs != 0;
}

static void decide_host(struct trial_case *trial, const struct observation *seen)
{
	struct host_outcome *outcome = &trial->host;
	const struct host_seen *host = &seen->hosts[0];

	outcome->name = trial->host_name;
	if (host->panic)
		case_prove(trial, GROUP_KERNEL_LOG, host->panic,
			   scope_relation(&trial->on_host, case_line(trial, host->panic)));
	if (host->bench_died)
		case_prove(trial, GROUP_BENCH, host->bench_died, RELATION_ANONYMOUS);
	if (host->boot_changed)
		case_prove(trial, GROUP_BOOT, host->boot_changed, RELATION_ANONYMOUS);
	if (decide_death(host, outcome)) {
		if (outcome->axis == HOST_AXIS_DIED)
			case_prove_by_death(trial);
	} else if (host->stuck) {
		outcome->axis = HOST_AXIS_HUNG;
		case_cite(trial, host->stuck, "host");
		give_reason(outcome, CODE_HOST_HUNG_UNEXPECTEDLY, "%s", record_quote(host->stuck));
	} else if (trial->cause == CAUSE_HOST_DIED || trial->cause == CAUSE_AGENT_LOST) {
		const struct record *sign = host->taken ?: host->agent_lost;

		if (sign)
			case_cite(trial, sign, "host");
		give_reason(outcome, CODE_HOST_SILENT,
			    "the trial ended with '%s'%s%s, and no evidence shows the state of the "
			    "host",
			    cause_name(trial->cause), sign ? ": " : "",
			    sign ? record_quote(sign) : "");
	} else if (trial->cause == CAUSE_DEADLINE && !seen->answered_last) {
		give_reason(
			outcome, CODE_HOST_SILENT,
			"the trial ran into its deadline, and the host did not answer after it");
	} else if (trial->outcome || host->answered) {
		outcome->axis = HOST_AXIS_UP;
	} else {
		give_reason(outcome, CODE_HOST_SILENT,
			    "no evidence about the host after the fault");
	}
}

/* Hosts that are no target: only their death counts. */
static void decide_other_hosts(struct trial_case *trial, const struct observation *seen)
{
	for (size_t i = 1; i < seen->host_count; i++) {
		const struct host_seen *host = &seen->hosts[i];
		struct host_outcome *outcome = &trial->other_hosts[trial->other_host_count++];

		*outcome = (struct host_outcome){.name = host->name, .axis = HOST_AXIS_UNKNOWN};
		if (decide_death(host, outcome))
			case_cite(trial,
				  host->panic	     ? host->panic
				  : host->bench_died ?: host->boot_changed,
				  "host");
		else
			outcome->axis = HOST_AXIS_UP;
	}
}

/* Whether a machine went down: then its console may show lines that its log can not deliver. */
static void find_losses(struct trial_case *trial)
{
	trial->host_lost = trial->cause == CAUSE_HOST_DIED || trial->cause == CAUSE_AGENT_LOST;
	for_each_record (trial, record) {
		if (record->type != RECORD_EVENT)
			continue;
		if (record->event.source == SOURCE_BENCH && case_on_host(trial, record))
			trial->host_lost |= is_one_of(record->event.name, "host-died", "agent-lost",
						      "host-taken");
		if (!record->guest || !trial->guest_name ||
		    strcmp(record->guest, trial->guest_name) != 0)
			continue;
		if (record->event.source == SOURCE_GUEST_LINK)
			trial->guest_lost |= strcmp(record->event.beat.what, "hello") != 0;
		else if (record->event.source == SOURCE_HEARTBEAT)
			trial->guest_lost |= strcmp(record->event.beat.what, "silent") == 0;
	}
}

/**
 * case_read_axes - read the evidence once, in its order
 * @trial: opened case; its axes, proofs and quotes are filled in
 *
 * Evidence from before the intent proves nothing.
 */
void case_read_axes(struct trial_case *trial)
{
	const struct record *fired = trial->outcome ?: trial->intent;
	struct observation seen = {0};

	if (!fired && trial->from < trial->records + trial->record_count)
		fired = trial->from;
	seen.fault_ns = fired ? fired->written_ns : 0;
	find_losses(trial);
	/* A log that was followed and has no lines counts like one with lines. */
	for_each_record (trial, record)
		if (record->type == RECORD_WITNESSES)
			read_witnesses(trial, record);
	case_read_lines(trial);
	open_hosts(trial, &seen);
	case_open_guests(trial, &seen);
	case_open_migration(trial, &seen);
	for_each_record (trial, record)
		read_record(trial, &seen, record);
	case_read_injector_proof(trial);
	case_decide_conversion(trial, &seen.conversion);
	decide_host(trial, &seen);
	decide_other_hosts(trial, &seen);
	case_decide_iommu(trial);
	case_decide_guests(trial, &seen);
	case_decide_victim(trial, &seen.victim);
	case_decide_migration(trial, &seen);
}
