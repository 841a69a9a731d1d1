// SPDX-License-Identifier: GPL-2.0-only
/*
 * From evidence to what became of the hosts and the IOMMU; it is read once, in its order, and each piece goes to those
 * whom it is about. What is from or about a guest is never the host's own.
 */
#include <string.h>

#include "harness/judge/axes/axes.h"

static struct host_seen *host_of(struct observation *seen, const json_t *body)
{
	const char *name = json_text(body, "host", NULL);

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
	seen->hosts[0] = (struct host_seen){.name = trial->host_name,
					    .boot_id = json_text(record_body(trial->intent),
								 "boot_id", NULL)};
	seen->host_count = 1;
}

/** case_is_other_panic - whether a kernel ended itself for another reason than the fault of the trial */
bool case_is_other_panic(const struct trial_case *trial, const struct kernel_line *line)
{
	return line->meaning == MEANS_PANIC && trial->intent &&
	       !nature_overlaps(line->nature, intent_nature(trial->intent));
}

static void read_kernel_line(struct trial_case *trial, struct observation *seen,
			     struct host_seen *host, const json_t *record)
{
	struct kernel_line line = kernel_line_read(record_text(record));
	bool console = strcmp(event_witness(record), "console") == 0;
	bool ours = host == &seen->hosts[0], died = host->panic != NULL;

	/* A kernel that has panicked runs no agent that could read its log: only the console shows a panic. */
	if (line.meaning == MEANS_PANIC && console && !host->panic)
		host->panic = record;
	if (line.meaning == MEANS_STUCK && !host->stuck)
		host->stuck = record;
	if (!died &&
	    (line.meaning == MEANS_OOPS || line.meaning == MEANS_WARNING ||
	     (line.meaning == MEANS_STUCK && !ours) ||
	     (line.meaning == MEANS_PANIC && (!console || case_is_other_panic(trial, &line)))))
		json_array_append(trial->damage, (json_t *)record);
	if (!ours)
		return;
	if (line.meaning == MEANS_ENDED &&
	    scope_relation(&trial->on_host, &line) != RELATION_FOREIGN)
		json_array_append(trial->damage, (json_t *)record);
	if (line.meaning == MEANS_LOST)
		trial->log_lost = true;
	if (kernel_line_is_error(line.meaning))
		case_weigh(trial, GROUP_KERNEL_LOG, record, scope_relation(&trial->on_host, &line),
			   line.nature);
	if (!trial->victim_guest)
		case_read_victim_line(&trial->on_host, &seen->victim, &line, record);
	else if (line.meaning == MEANS_KILLED &&
		 scope_relation(&trial->on_host, &line) == RELATION_OURS &&
		 !seen->guests[0].qemu_struck)
		seen->guests[0].qemu_struck = record;
	case_read_iommu(trial, &line, record);
}

static bool another_boot(const struct host_seen *host, const json_t *object)
{
	const char *boot = json_text(object, "boot_id", NULL);

	return boot && host->boot_id && strcmp(boot, host->boot_id) != 0;
}

static void read_bench(struct host_seen *host, const json_t *record)
{
	const json_t *data = event_data(record);

	/* A death that shows in another boot_id alone is the word of the agent that names it, not that of the bench. */
	if (another_boot(host, data) && !host->boot_changed)
		host->boot_changed = record;
	else if (strcmp(json_text(data, "event", ""), "host-died") == 0 && !host->bench_died &&
		 !json_text(data, "previous_boot_id", NULL))
		host->bench_died = record;
}

/* All other witnesses imply a live agent. */
static bool is_out_of_band(const char *witness)
{
	return is_one_of(witness, OUTSIDE_SOURCES(TABLE_WORD) CONTROLLER_SOURCES(TABLE_WORD) NULL);
}

/* What an agent had said before its host died may be read later than the bench's word of the death. */
static void hear_agent(struct host_seen *host, const json_t *record)
{
	host->answered = true;
	if (host->bench_died && !host->boot_changed &&
	    event_time(record) > event_time(host->bench_died) + JUDGE_MARGIN_NS)
		host->alive_after_death = true;
}

static void read_host_event(struct trial_case *trial, struct observation *seen,
			    struct host_seen *host, const json_t *record)
{
	const char *witness = event_witness(record);
	bool ours = host == &seen->hosts[0];

	/* Of the log, the console or the trace: what was lost may have named another victim. */
	if (ours && json_number(event_data(record), "lost", 0) > 0)
		trial->log_lost = true;
	if (ours)
		case_read_conversion(trial, &seen->conversion, record);
	if (ours && !host->stuck)
		host->stuck = seen->conversion.hung;
	if (case_format(trial, record) == FORMAT_KERNEL_LOG) {
		trial->log_seen |= ours;
		if (event_is_of_kernel(record))
			read_kernel_line(trial, seen, host, record);
	} else if (strcmp(witness, "bench") == 0) {
		read_bench(host, record);
	} else if (ours) {
		case_read_host_proof(trial, record);
	}
}

static void read_event(struct trial_case *trial, struct observation *seen, const json_t *record,
		       size_t index)
{
	struct host_seen *host = host_of(seen, record_body(record));
	const char *witness = event_witness(record);
	bool counts = case_counts(trial, index);

	if (!host)
		return;
	if (strcmp(witness, "hypervisor") == 0 && counts &&
	    is_one_of(json_text(event_data(record), "event", ""), "connection-lost", "lost"))
		trial->hypervisor_lost = true;
	if (strcmp(witness, "workload") == 0 && (host == &seen->hosts[0] || event_guest(record)))
		case_read_victim(trial, &seen->victim, record, counts);
	if (strcmp(witness, "migration") == 0 || strcmp(witness, "hypervisor") == 0)
		case_read_migration(trial, seen, record, index);
	if (event_guest(record))
		case_read_guest_event(trial, seen, record, index);
	else if (trial->intent && !counts && host == &seen->hosts[0] &&
		 case_format(trial, record) != FORMAT_OTHER)
		case_read_noise(trial, record);
	else if (counts)
		read_host_event(trial, seen, host, record);
	if (counts && !is_out_of_band(witness))
		hear_agent(host, record);
}

static void read_boot(const struct trial_case *trial, struct observation *seen,
		      const json_t *record, size_t index)
{
	struct host_seen *host = host_of(seen, record_body(record));

	if (!host)
		return;
	/* Before the fault it tells which boot this is, after it that this is another one. */
	if (!case_counts(trial, index) && (!trial->intent || host != &seen->hosts[0]))
		host->boot_id = json_text(record_body(record), "boot_id", NULL);
	else if (case_counts(trial, index) && another_boot(host, record_body(record)) &&
		 !host->boot_changed)
		host->boot_changed = record;
}

/* Whether one of the witnesses that look follows the kernel's log. */
static bool follows_log(const json_t *body)
{
	const json_t *name;
	size_t index;

	json_array_foreach (json_object_get(body, "started"), index, name)
		if (json_is_string(name) &&
		    format_declared(json_object_get(body, "formats"), json_string_value(name)) ==
			    FORMAT_KERNEL_LOG)
			return true;
	return false;
}

static void read_witnesses(struct trial_case *trial, const json_t *body)
{
	const char *guest = json_text(body, "guest", NULL);

	if (!guest && case_on_host(trial, body)) {
		trial->log_seen |= follows_log(body);
		trial->host_formats = json_object_get(body, "formats");
		trial->host_proofs = json_object_get(body, "proofs");
	} else if (guest && trial->guest_name && strcmp(guest, trial->guest_name) == 0) {
		trial->guest_log_seen |= follows_log(body);
		trial->guest_formats = json_object_get(body, "formats");
		trial->guest_proofs = json_object_get(body, "proofs");
	}
}

static void read_record(struct trial_case *trial, struct observation *seen, const json_t *record,
			size_t index)
{
	const json_t *body = record_body(record);
	bool counts = case_counts(trial, index);

	if (record_is(record, "event"))
		read_event(trial, seen, record, index);
	else if (record_is(record, "boot"))
		read_boot(trial, seen, record, index);
	else if (record_is(record, "step") && counts) {
		seen->last_step_ns = record_time(record);
		seen->victim.stopped |= json_is(body, "step", "stop");
	} else if (record_is(record, "usage") && counts)
		seen->answered_last = true;
	/* A log that was followed and stayed silent is as good as one of which lines were heard. */
	else if (record_is(record, "witnesses"))
		read_witnesses(trial, body);
}

static unsigned int signs_of_death(const struct host_seen *host)
{
	return (host->panic != NULL) + (host->bench_died != NULL) + (host->boot_changed != NULL);
}

static const char *sign_of_death(const struct host_seen *host)
{
	const json_t *sign = host->panic ?: host->bench_died ?: host->boot_changed;

	return record_told(sign);
}

/* What the evidence by itself says of a host. Return: false when it says nothing of a death. */
static bool decide_death(const struct host_seen *host, struct host_outcome *outcome)
{
	unsigned int signs = signs_of_death(host);

	if (signs && host->alive_after_death)
		give_reason(outcome, CODE_HOST_CONTRADICTED,
			    "the bench says that the host died, but its agent went on");
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
		case_prove(trial, GROUP_KERNEL_LOG, host->panic, RELATION_ANONYMOUS);
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
		give_reason(outcome, CODE_HOST_HUNG_UNEXPECTEDLY, "%s", record_told(host->stuck));
	} else if (trial->cause == CAUSE_HOST_DIED || trial->cause == CAUSE_AGENT_LOST) {
		give_reason(
			outcome, CODE_HOST_SILENT,
			"the trial ended with '%s', and no evidence says what became of the host",
			cause_name(trial->cause));
	} else if (trial->cause == CAUSE_DEADLINE && !seen->answered_last) {
		give_reason(
			outcome, CODE_HOST_SILENT,
			"the trial ran into its deadline, and the host did not answer after it");
	} else if (trial->outcome || host->answered) {
		outcome->axis = HOST_AXIS_UP;
	} else {
		give_reason(outcome, CODE_HOST_SILENT,
			    "nothing was heard from the host after the fault");
	}
}

/* The hosts that nothing was aimed at: only their death is of interest. */
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

/**
 * case_read_axes - read the evidence once, in its order
 * @trial: opened case; its axes, proofs and quotes are filled in
 *
 * Evidence from before the intent proves nothing.
 */
void case_read_axes(struct trial_case *trial)
{
	const json_t *fired = trial->outcome ?: trial->intent;
	struct observation seen = {0};
	size_t index;
	json_t *record;

	if (!fired)
		fired = json_array_get(trial->records, trial->from);
	seen.fault_ns = record_time(fired);
	open_hosts(trial, &seen);
	case_open_guests(trial, &seen);
	case_open_migration(trial, &seen);
	json_array_foreach (trial->records, index, record)
		read_record(trial, &seen, record, index);
	case_read_injector_proof(trial);
	case_decide_conversion(trial, &seen.conversion);
	decide_host(trial, &seen);
	decide_other_hosts(trial, &seen);
	case_decide_iommu(trial);
	case_decide_guests(trial, &seen);
	case_decide_victim(trial, &seen.victim);
	case_decide_migration(trial, &seen);
}
