// SPDX-License-Identifier: GPL-2.0-only
/*
 * The process axis: the victim's own reports, checked against the log of its kernel. The victim runs on the host or in a
 * guest.
 */
#include <signal.h>
#include <string.h>

#include "harness/judge/axes/axes.h"

/* A process consumes an error only when it reads the broken line, from memory or from a cache. */
static const struct nature consumed = {KIND_MACHINE_CHECK, SEVERITY_UNCORRECTED};

static void raise_process(struct trial_case *trial, enum process_axis axis,
			  const struct record *record)
{
	if (axis > trial->process) {
		trial->process = axis;
		trial->process_proof = record;
	}
	case_cite(trial, record, "process");
}

/**
 * case_read_victim_line - read a line of the kernel's log about the victim
 * @scope: frames, addresses and PIDs of the victim on the machine of that kernel
 */
void case_read_victim_line(const struct scope *scope, struct victim_seen *seen,
			   const struct kernel_line *line, const struct record *record)
{
	if (!scope_owns_pid(scope, line->pid))
		return;
	if (line->meaning == MEANS_SIGBUS_SENT && !seen->signalled_by_kernel)
		seen->signalled_by_kernel = record;
	if (line->meaning == MEANS_KILLED && !seen->killed_by_kernel)
		seen->killed_by_kernel = record;
}

static void read_signal(struct trial_case *trial, const struct record *record)
{
	const struct work_report *work = &record->event.work;
	bool ours = case_owns_address(trial, work->address, work->lsb);

	if (is_memory_error_signal(work)) {
		if (!trial->first_signal_ns && ours)
			trial->first_signal_ns = record->written_ns;
		case_weigh(trial, GROUP_WORKLOAD, record, ours ? RELATION_OURS : RELATION_FOREIGN,
			   consumed);
	}
	raise_process(trial, PROCESS_CONTAINED, record);
}

static void read_error(struct trial_case *trial, const struct record *record)
{
	/*
	 * Errors that a system call returns when it reads poison: copy_from_user(), the page
	 * cache, GUP.
	 */
	if (is_one_of(record->event.work.error_name ?: "", "EFAULT", "EIO", "EHWPOISON"))
		case_weigh(trial, GROUP_WORKLOAD, record, RELATION_ANONYMOUS, consumed);
	raise_process(trial, PROCESS_CONTAINED, record);
}

static void read_touch(struct trial_case *trial, struct victim_seen *seen,
		       const struct record *record)
{
	const struct work_report *work = &record->event.work;
	const char *expected = json_text(trial->expect, "data", NULL);
	bool fine = work->value == CHECKED_FINE;
	bool checked = work->data || work->value != CHECKED_NOTHING;

	if (work->data)
		trial->touched_data = work->data;
	trial->touched = true;
	trial->touched_fine = trial->touched_fine || fine;
	/*
	 * It goes on after a touch that read nothing, too. Zeros in place of data are a loss that a scenario can foresee,
	 * and then they are no harm.
	 */
	if (fine || !checked || (work->data && expected && strcmp(work->data, expected) == 0))
		raise_process(trial, PROCESS_UNHARMED, record);
	else
		raise_process(trial, PROCESS_CORRUPTED, record);
	if (seen->exit && !seen->touch_after_exit &&
	    (work->pid < 0 || work->pid == seen->exit->event.work.pid))
		seen->touch_after_exit = record;
}

static void read_exit(struct trial_case *trial, struct victim_seen *seen,
		      const struct record *record)
{
	int64_t signal = record->event.work.signal;

	if (signal <= 0 || signal >= NSIG || seen->stopped)
		return;
	/* The end of a trial stops workloads in the same way: only the kernel's log shows the difference. */
	if (signal == SIGKILL || signal == SIGTERM) {
		if (!seen->killed)
			seen->killed = record;
		return;
	}
	trial->ended_by = (int)signal;
	if (signal == SIGBUS)
		case_weigh(trial, GROUP_WORKLOAD, record, RELATION_ANONYMOUS, consumed);
	if (!seen->exit)
		seen->exit = record;
	raise_process(trial, PROCESS_KILLED, record);
}

/**
 * read_victim - an event of a workload
 * @counts: it came after the intent
 */
void case_read_victim(struct trial_case *trial, struct victim_seen *seen,
		      const struct record *record, bool counts)
{
	const char *event = record->event.name;
	bool is_victim = case_is_victim(trial, record);

	/* Wrong data are never acceptable, whenever they are seen. */
	if (is_victim && strcmp(event, "corrupted") == 0)
		raise_process(trial, PROCESS_CORRUPTED, record);
	if (!counts)
		return;
	trial->victim_reported = true;
	if (!is_victim)
		return;
	if (strcmp(event, "signal") == 0)
		read_signal(trial, record);
	else if (strcmp(event, "error") == 0)
		read_error(trial, record);
	else if (strcmp(event, "touched") == 0 || strcmp(event, "value") == 0)
		read_touch(trial, seen, record);
	else if (strcmp(event, "exit") == 0)
		read_exit(trial, seen, record);
	else if (strcmp(event, "hung") == 0)
		raise_process(trial, PROCESS_HUNG, record);
}

/** case_decide_victim - the process axis, when all evidence is read */
void case_decide_victim(struct trial_case *trial, const struct victim_seen *seen)
{
	const struct record *against = NULL;

	trial->kernel_signalled = seen->signalled_by_kernel || seen->killed_by_kernel;
	/* Wrong data stay wrong, whatever else was reported. */
	if (trial->process == PROCESS_CORRUPTED || trial->host.axis == HOST_AXIS_DIED)
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
	     process_axis_name(trial->process), record_quote(against));
	trial->process = PROCESS_UNKNOWN;
	trial->process_contradicted = true;
}
