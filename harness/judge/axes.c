// SPDX-License-Identifier: GPL-2.0-only
/*
 * From evidence to what became of the victim, the host and the IOMMU, and to the proof that the
 * fault was delivered.
 */
#include <signal.h>
#include <string.h>

#include "harness/judge/case.h"

/**
 * enum relation - is a piece of evidence about this trial's fault?
 * @RELATION_OURS:      it names our page, address or process
 * @RELATION_ANONYMOUS: it names nobody
 * @RELATION_FOREIGN:   it names another page or process
 */
enum relation {
	RELATION_OURS,
	RELATION_ANONYMOUS,
	RELATION_FOREIGN,
};

/** process_axis_name - word of the axis, as in results */
const char *process_axis_name(enum process_axis axis)
{
	static const char *const names[] = {"unharmed", "contained", "killed", "hung", "corrupted"};

	return axis == PROCESS_UNKNOWN ? "unknown" : names[axis];
}

/** host_axis_name - word of the axis, as in results */
const char *host_axis_name(enum host_axis axis)
{
	static const char *const names[] = {"up", "hung", "died"};

	return axis == HOST_UNKNOWN ? "unknown" : names[axis];
}

/**
 * case_proofs - the groups of witnesses that saw the fault
 *
 * While the error of another page or process is about, what names nobody may be of that one and does not count.
 */
unsigned int case_proofs(const struct trial_case *trial)
{
	return trial->foreign[0] ? trial->identified_by : trial->witnesses;
}

/** case_witness_count - how many independent witnesses saw the fault */
unsigned int case_witness_count(const struct trial_case *trial)
{
	return (unsigned int)__builtin_popcount(case_proofs(trial));
}

/** case_is_delivered - did a witness other than the injector see the fault? */
bool case_is_delivered(const struct trial_case *trial)
{
	return trial->witnesses != 0 && (trial->identified || !trial->foreign[0]);
}

static void prove(struct trial_case *trial, enum group group, const json_t *record,
		  enum relation relation)
{
	const char *text = json_text(record_body(record), "text", "");

	if (relation == RELATION_FOREIGN) {
		if (!trial->foreign[0])
			snprintf(trial->foreign, sizeof(trial->foreign), "%s",
				 *text ? text : "an event without text");
		return;
	}
	if (relation == RELATION_OURS) {
		trial->identified = true;
		trial->identified_by |= group;
	}
	if (!trial->first_proof_ns)
		trial->first_proof_ns = record_time(record);
	trial->witnesses |= group;
	case_cite(trial, record, "delivered");
}

static enum relation relation_of(const struct trial_case *trial, const struct kernel_line *line)
{
	if (line->has_pfn && trial->pfn_count)
		return case_owns_pfn(trial, line->pfn) ? RELATION_OURS : RELATION_FOREIGN;
	if (line->has_pid && trial->pid_count)
		return case_owns_pid(trial, line->pid) ? RELATION_OURS : RELATION_FOREIGN;
	return RELATION_ANONYMOUS;
}

/**
 * struct observation - what is gathered while the evidence is read in its order
 * @panic, @bench_died, @boot_changed: the three kinds of evidence that a host died; the record that
 *                                     says so, or NULL
 * @stuck: record that says that the host hangs
 * @alive_after_death: an agent's event after the bench had said that the host died, with no boot
 *                     between
 * @killed_by_kernel, @signalled_by_kernel: the kernel's log about the victim
 * @exit: the victim's end by a signal; @exit_pid its process
 * @killed: its end by SIGKILL or SIGTERM
 * @touch_after_exit: the victim spoke after its end
 * @stopped: the workload was told to end
 * @answered: an agent spoke after the intent
 * @answered_last: it told its own use of the machine, which it is asked for when all is over
 */
struct observation {
	const json_t *panic, *bench_died, *boot_changed, *stuck;
	bool alive_after_death;
	const json_t *killed_by_kernel, *signalled_by_kernel;
	const json_t *exit, *killed, *touch_after_exit;
	int64_t exit_pid;
	bool stopped, answered, answered_last;
};

static void read_kernel_line(struct trial_case *trial, struct observation *seen,
			     const json_t *record)
{
	struct kernel_line line = kernel_line_read(json_text(record_body(record), "text", ""));
	enum relation relation = relation_of(trial, &line);

	switch (line.meaning) {
	case MEANS_NOTHING:
		break;
	case MEANS_HARDWARE_ERROR:
	case MEANS_PAGE_HANDLED:
		prove(trial, GROUP_KERNEL_LOG, record, relation);
		break;
	case MEANS_SIGBUS_SENT:
		prove(trial, GROUP_KERNEL_LOG, record, relation);
		if (case_owns_pid(trial, line.pid) && !seen->signalled_by_kernel)
			seen->signalled_by_kernel = record;
		break;
	case MEANS_KILLED:
		prove(trial, GROUP_KERNEL_LOG, record, relation);
		if (case_owns_pid(trial, line.pid) && !seen->killed_by_kernel)
			seen->killed_by_kernel = record;
		break;
	case MEANS_PANIC:
		if (!seen->panic)
			seen->panic = record;
		break;
	case MEANS_STUCK:
		if (!seen->stuck)
			seen->stuck = record;
		break;
	case MEANS_IOMMU_FAULT:
		trial->iommu_fault = true;
		case_cite(trial, record, "iommu");
		break;
	}
}

/*
 * Bit 58 of IA32_MCi_STATUS, ADDRV: without it the address of a machine check means nothing (SDM
 * vol. 3B, 16.3.2.2).
 */
#define MCI_STATUS_ADDRV (1ull << 58)

static void read_trace(struct trial_case *trial, const json_t *record)
{
	static const char *const proofs[] = {
		"mce:mce_record",	  "ras:mc_event",  "ras:memory_failure_event",
		"ras:extlog_mem_event",	  "ras:aer_event", "memory_failure:memory_failure_event",
		"ras:non_standard_event",
	};
	const json_t *body = record_body(record), *data = json_object_get(body, "data");
	const json_t *fields = json_object_get(data, "fields");
	const char *event = json_text(data, "event", "");
	struct kernel_line line = {.meaning = MEANS_NOTHING};
	uint64_t address = (uint64_t)json_number(fields, "addr", 0);

	for (size_t i = 0; i < ARRAY_SIZE(proofs); i++)
		if (strcmp(event, proofs[i]) == 0)
			line.meaning = MEANS_HARDWARE_ERROR;
	if (line.meaning == MEANS_NOTHING)
		return;
	if (!address)
		address = (uint64_t)json_number(fields, "address", 0);
	line.pfn = (uint64_t)json_number(fields, "pfn", 0);
	if (!line.pfn && address) {
		uint64_t status = (uint64_t)json_number(fields, "status", 0);

		if (!status || status & MCI_STATUS_ADDRV)
			line.pfn = address >> 12;
	}
	line.has_pfn = line.pfn != 0;
	prove(trial, GROUP_TRACE, record, relation_of(trial, &line));
}

static bool grew(const struct trial_case *trial, const char *witness, const char *name,
		 const json_t *data)
{
	int64_t difference;

	return case_change(trial, witness, name, json_object_get(data, name), &difference) &&
	       difference > 0;
}

static void read_interrupts(struct trial_case *trial, const json_t *record)
{
	/*
	 * Not MCP: the machine check poller runs on its timer, fault or no fault
	 * (arch/x86/kernel/cpu/mce/core.c).
	 */
	static const char *const names[] = {"MCE", "THR", "DFR"};
	const json_t *data = json_object_get(record_body(record), "data");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (json_object_get(data, names[i]) && grew(trial, "interrupts", names[i], data))
			return prove(trial, GROUP_INTERRUPTS, record, RELATION_ANONYMOUS);
}

static void read_meminfo(struct trial_case *trial, const json_t *record)
{
	const json_t *change =
		json_object_get(json_object_get(record_body(record), "data"), "HardwareCorrupted");
	int64_t difference;

	if (change && case_change(trial, "meminfo", "HardwareCorrupted", change, &difference) &&
	    difference != 0)
		prove(trial, GROUP_MEMINFO, record, RELATION_ANONYMOUS);
}

static void read_pageflags(struct trial_case *trial, const json_t *record)
{
	const json_t *data = json_object_get(record_body(record), "data");
	struct kernel_line line = {.has_pfn = true, .pfn = (uint64_t)json_number(data, "pfn", 0)};
	/* KPF_HWPOISON is bit 19 (include/uapi/linux/kernel-page-flags.h). */
	uint64_t changed =
		(uint64_t)json_number(data, "before", 0) ^ (uint64_t)json_number(data, "after", 0);

	/* A page that was poisoned before and changes otherwise tells of an earlier fault. */
	if (changed & 1ull << 19)
		prove(trial, GROUP_PAGEFLAGS, record, relation_of(trial, &line));
}

static void raise_process(struct trial_case *trial, enum process_axis axis, const json_t *record)
{
	if (axis > trial->process) {
		trial->process = axis;
		trial->process_proof = record;
	}
	case_cite(trial, record, "process");
}

static void read_signal(struct trial_case *trial, const json_t *record)
{
	const json_t *data = json_object_get(record_body(record), "data");
	uint64_t address = (uint64_t)json_number(data, "address", 0);
	bool ours = case_owns_address(trial, address, json_number(data, "lsb", 0));

	if (is_memory_error_signal(data)) {
		if (!trial->first_signal_ns && ours)
			trial->first_signal_ns = record_time(record);
		prove(trial, GROUP_WORKLOAD, record, ours ? RELATION_OURS : RELATION_FOREIGN);
	}
	raise_process(trial, PROCESS_CONTAINED, record);
}

static void read_error(struct trial_case *trial, const json_t *record)
{
	/*
	 * What the kernel answers when a system call meets poison: copy_from_user(), the page
	 * cache, GUP.
	 */
	static const char *const names[] = {"EFAULT", "EIO", "EHWPOISON"};
	const char *name =
		json_text(json_object_get(record_body(record), "data"), "errno_name", "");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			prove(trial, GROUP_WORKLOAD, record, RELATION_ANONYMOUS);
	raise_process(trial, PROCESS_CONTAINED, record);
}

static void read_touch(struct trial_case *trial, struct observation *seen, const json_t *record)
{
	const json_t *data = json_object_get(record_body(record), "data");
	const char *read = json_text(data, "data", NULL);
	const char *expected = json_text(trial->expect, "data", NULL);
	bool fine = json_is_true(json_object_get(data, "value_ok"));

	if (read)
		trial->touched_data = read;
	trial->touched_fine = trial->touched_fine || fine;
	if (!json_object_get(data, "value_ok") && !read)
		return;
	/*
	 * Zeros in place of data are a loss that a scenario can foresee, and then they harm nobody.
	 */
	if (fine || (read && expected && strcmp(read, expected) == 0))
		raise_process(trial, PROCESS_UNHARMED, record);
	else
		raise_process(trial, PROCESS_CORRUPTED, record);
	if (seen->exit && !seen->touch_after_exit &&
	    json_number(data, "pid", seen->exit_pid) == seen->exit_pid)
		seen->touch_after_exit = record;
}

static void read_exit(struct trial_case *trial, struct observation *seen, const json_t *record)
{
	const json_t *data = json_object_get(record_body(record), "data");

	int64_t signal = json_number(data, "signal", 0);

	if (signal <= 0 || signal >= NSIG || seen->stopped)
		return;
	/* So workloads are stopped when a trial ends, too: it takes the kernel's word to tell. */
	if (signal == SIGKILL || signal == SIGTERM) {
		if (!seen->killed)
			seen->killed = record;
		return;
	}
	trial->ended_by = (int)signal;
	if (signal == SIGBUS)
		prove(trial, GROUP_WORKLOAD, record, RELATION_ANONYMOUS);
	if (!seen->exit) {
		seen->exit = record;
		seen->exit_pid = json_number(data, "pid", 0);
	}
	raise_process(trial, PROCESS_KILLED, record);
}

static void read_workload(struct trial_case *trial, struct observation *seen, const json_t *record,
			  bool after_intent)
{
	/* Wrong data are never acceptable, whenever they are seen. */
	if (case_victim_event(trial, record, "corrupted"))
		raise_process(trial, PROCESS_CORRUPTED, record);
	if (!after_intent)
		return;
	trial->victim_spoke = true;
	if (case_victim_event(trial, record, "signal"))
		read_signal(trial, record);
	else if (case_victim_event(trial, record, "error"))
		read_error(trial, record);
	else if (case_victim_event(trial, record, "touched") ||
		 case_victim_event(trial, record, "value"))
		read_touch(trial, seen, record);
	else if (case_victim_event(trial, record, "exit"))
		read_exit(trial, seen, record);
	else if (case_victim_event(trial, record, "hung"))
		raise_process(trial, PROCESS_HUNG, record);
}

static bool on_our_host(const struct trial_case *trial, const json_t *body)
{
	const char *host = json_text(body, "host", NULL);
	const char *ours = json_text(record_body(trial->intent), "host", NULL);

	return !host || !ours || strcmp(host, ours) == 0;
}

static bool another_boot(const struct trial_case *trial, const json_t *object)
{
	const char *boot = json_text(object, "boot_id", NULL);
	const char *ours = json_text(record_body(trial->intent), "boot_id", NULL);

	return boot && ours && strcmp(boot, ours) != 0;
}

static void read_bench(struct trial_case *trial, struct observation *seen, const json_t *record)
{
	const json_t *data = json_object_get(record_body(record), "data");
	const char *event = json_text(data, "event", "");

	if (strcmp(event, "host-died") == 0 && !seen->bench_died)
		seen->bench_died = record;
	if (another_boot(trial, data) && !seen->boot_changed)
		seen->boot_changed = record;
}

static void read_event(struct trial_case *trial, struct observation *seen, const json_t *record,
		       bool after_intent)
{
	const json_t *body = record_body(record);
	const char *witness = json_text(body, "witness", "");
	bool kernel_log = strcmp(witness, "kmsg") == 0 || strcmp(witness, "console") == 0;

	if (!on_our_host(trial, body))
		return;
	if (strcmp(witness, "workload") == 0)
		read_workload(trial, seen, record, after_intent);
	if (!after_intent)
		return;
	if (kernel_log) {
		trial->log_seen = true;
		if (json_number(json_object_get(body, "data"), "lost", 0) > 0)
			trial->log_lost = true;
		read_kernel_line(trial, seen, record);
	} else if (strcmp(witness, "trace") == 0) {
		read_trace(trial, record);
	} else if (strcmp(witness, "interrupts") == 0) {
		read_interrupts(trial, record);
	} else if (strcmp(witness, "meminfo") == 0) {
		read_meminfo(trial, record);
	} else if (strcmp(witness, "pageflags") == 0) {
		read_pageflags(trial, record);
	} else if (strcmp(witness, "bench") == 0) {
		read_bench(trial, seen, record);
	}
	/* Nobody but an agent that lives has these witnesses. */
	if (strcmp(witness, "bench") != 0 && strcmp(witness, "console") != 0 &&
	    strcmp(witness, "firmware") != 0 && strcmp(witness, "protocol") != 0) {
		seen->answered = true;
		if (seen->bench_died && !seen->boot_changed)
			seen->alive_after_death = true;
	}
}

static const char *text_of(const json_t *record)
{
	return json_text(record_body(record), "text", "an event without text");
}

static void decide_host(struct trial_case *trial, const struct observation *seen)
{
	unsigned int signs =
		(seen->panic != NULL) + (seen->bench_died != NULL) + (seen->boot_changed != NULL);
	const char *cause = json_text(record_body(trial->close), "cause", "");
	const json_t *sign = seen->panic	? seen->panic
			     : seen->bench_died ? seen->bench_died
						: seen->boot_changed;

	if (seen->panic)
		prove(trial, GROUP_KERNEL_LOG, seen->panic, RELATION_ANONYMOUS);
	if (seen->bench_died)
		prove(trial, GROUP_BENCH, seen->bench_died, RELATION_ANONYMOUS);
	if (seen->boot_changed)
		prove(trial, GROUP_BOOT, seen->boot_changed, RELATION_ANONYMOUS);
	if (signs && seen->alive_after_death) {
		fail(&trial->host_reason, 0,
		     "the bench says that the host died, but its agent went on");
	} else if (signs >= 2) {
		trial->host = HOST_DIED;
		/*
		 * Whatever another page's error did before, the death of the host is no stranger to
		 * this fault.
		 */
		trial->identified = true;
		trial->identified_by |= trial->witnesses;
		fail(&trial->host_reason, 0, "%s", text_of(sign));
	} else if (signs == 1) {
		fail(&trial->host_reason, 0, "only one sign that the host died: %s", text_of(sign));
	} else if (seen->stuck) {
		trial->host = HOST_HUNG;
		case_cite(trial, seen->stuck, "host");
		fail(&trial->host_reason, 0, "%s", text_of(seen->stuck));
	} else if (strcmp(cause, "host-died") == 0 || strcmp(cause, "agent-lost") == 0) {
		fail(&trial->host_reason, 0,
		     "the trial ended with '%s', and no evidence says what became of the host",
		     cause);
	} else if (strcmp(cause, "deadline") == 0 && !seen->answered_last) {
		fail(&trial->host_reason, 0,
		     "the trial ran into its deadline, and the host did not answer after it");
	} else if (trial->outcome || seen->answered) {
		trial->host = HOST_UP;
	} else {
		fail(&trial->host_reason, 0, "nothing was heard from the host after the fault");
	}
}

static void decide_process(struct trial_case *trial, const struct observation *seen)
{
	const json_t *against = NULL;

	trial->kernel_signalled = seen->signalled_by_kernel || seen->killed_by_kernel;
	/* Wrong data stay wrong, whatever else was said. */
	if (trial->process == PROCESS_CORRUPTED || trial->host == HOST_DIED)
		return;
	if (seen->killed_by_kernel && seen->killed)
		raise_process(trial, PROCESS_KILLED, seen->killed);
	if (seen->touch_after_exit)
		against = seen->touch_after_exit;
	else if (seen->killed_by_kernel && trial->process != PROCESS_KILLED &&
		 trial->process != PROCESS_UNKNOWN)
		against = seen->killed_by_kernel;
	else if (seen->signalled_by_kernel && trial->process == PROCESS_UNHARMED)
		against = seen->signalled_by_kernel;
	if (!against)
		return;
	case_cite(trial, against, "process");
	fail(&trial->process_reason, 0, "the victim is %s by its own report, but: %s",
	     process_axis_name(trial->process), text_of(against));
	trial->process = PROCESS_UNKNOWN;
	trial->process_contradicted = true;
}

/* A log that was followed and stayed silent is as good as one of which lines were heard. */
static bool names(const json_t *list, const char *wanted)
{
	json_t *name;
	size_t index;

	json_array_foreach ((json_t *)list, index, name)
		if (json_is_string(name) && strcmp(json_string_value(name), wanted) == 0)
			return true;
	return false;
}

/**
 * case_read_axes - read the evidence once, in its order
 * @trial: opened case; its axes, proofs and quotes are filled in
 *
 * Evidence from before the intent proves nothing.
 */
void case_read_axes(struct trial_case *trial)
{
	struct observation seen = {0};
	size_t index;
	json_t *record;

	json_array_foreach (trial->records, index, record) {
		const json_t *body = record_body(record);
		bool after = case_after_intent(trial, index);

		if (strcmp(record_type(record), "event") == 0)
			read_event(trial, &seen, record, after);
		else if (after && strcmp(record_type(record), "boot") == 0 &&
			 on_our_host(trial, body) && another_boot(trial, body) &&
			 !seen.boot_changed)
			seen.boot_changed = record;
		else if (after && strcmp(record_type(record), "step") == 0 &&
			 strcmp(json_text(body, "step", ""), "stop") == 0)
			seen.stopped = true;
		else if (after && strcmp(record_type(record), "usage") == 0)
			seen.answered_last = true;
		else if (strcmp(record_type(record), "witnesses") == 0)
			trial->log_seen |= names(json_object_get(body, "started"), "kmsg");
	}
	decide_host(trial, &seen);
	decide_process(trial, &seen);
}
