// SPDX-License-Identifier: GPL-2.0-only
/*
 * The proof that the fault was delivered: by witnesses that can not have the same source, about the victim and no other.
 */
#include <string.h>

#include "harness/judge/axes/axes.h"

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

/** case_prove - a witness saw the fault, or that of another page or process */
void case_prove(struct trial_case *trial, enum group group, const json_t *record,
		enum relation relation)
{
	if (relation == RELATION_FOREIGN) {
		if (!trial->foreign[0])
			snprintf(trial->foreign, sizeof(trial->foreign), "%s", record_told(record));
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

/** case_prove_by_death - whatever another page's error did before, a death is no stranger to this fault */
void case_prove_by_death(struct trial_case *trial)
{
	trial->identified = true;
	trial->identified_by |= trial->witnesses;
}

/** scope_relation - whom a line of the kernel's log is about; a thread of a process is known by the address alone */
enum relation scope_relation(const struct scope *scope, const struct kernel_line *line)
{
	if (line->has_pfn && scope->pfn_count)
		return scope_owns_pfn(scope, line->pfn) ? RELATION_OURS : RELATION_FOREIGN;
	if (line->has_pid && scope->pid_count)
		return scope_owns_pid(scope, line->pid) ||
				       (line->has_address &&
					scope_owns_address(scope, line->address))
			       ? RELATION_OURS
			       : RELATION_FOREIGN;
	return RELATION_ANONYMOUS;
}

/** kernel_line_is_error - whether a line of the kernel's log tells of an error of the hardware, or of what became of it */
bool kernel_line_is_error(enum meaning meaning)
{
	return meaning == MEANS_HARDWARE_ERROR || meaning == MEANS_PAGE_HANDLED ||
	       meaning == MEANS_SIGBUS_SENT || meaning == MEANS_KILLED;
}

/*
 * Bit 58 of IA32_MCi_STATUS, ADDRV: without it the address of a machine check means nothing (SDM
 * vol. 3B, 16.3.2.2).
 */
#define MCI_STATUS_ADDRV (1ull << 58)

/** case_read_trace - proof by a trace event of an error, of the host's kernel or of the subject's */
void case_read_trace(struct trial_case *trial, const json_t *record)
{
	static const char *const proofs[] = {
		"mce:mce_record",	  "ras:mc_event",  "ras:memory_failure_event",
		"ras:extlog_mem_event",	  "ras:aer_event", "memory_failure:memory_failure_event",
		"ras:non_standard_event",
	};
	const json_t *data = event_data(record), *fields = json_object_get(data, "fields");
	const char *event = json_text(data, "event", "");
	bool in_guest = event_guest(record) != NULL;
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
	case_prove(trial, in_guest ? GROUP_GUEST_TRACE : GROUP_TRACE, record,
		   scope_relation(in_guest ? &trial->in_guest : &trial->on_host, &line));
}

static bool changed(const struct trial_case *trial, const json_t *record, const char *name,
		    bool growth)
{
	const json_t *change = json_object_get(event_data(record), name);
	int64_t difference;

	return change && case_change(trial, record, name, change, &difference) &&
	       (growth ? difference > 0 : difference != 0);
}

/**
 * read_counters - proof by counters, of the host or of the subject
 *
 * Not MCP: the machine check poller runs on its timer, fault or no fault (arch/x86/kernel/cpu/mce/core.c).
 *
 * Return: false when the record is of another witness.
 */
bool case_read_counters(struct trial_case *trial, const json_t *record)
{
	static const char *const rows[] = {"MCE", "THR", "DFR"};
	bool in_guest = event_guest(record) != NULL;

	if (strcmp(event_witness(record), "meminfo") == 0) {
		if (changed(trial, record, "HardwareCorrupted", false))
			case_prove(trial, in_guest ? GROUP_GUEST_MEMINFO : GROUP_MEMINFO, record,
				   RELATION_ANONYMOUS);
		return true;
	}
	if (strcmp(event_witness(record), "interrupts") != 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!changed(trial, record, rows[i], true))
			continue;
		case_prove(trial, in_guest ? GROUP_GUEST_INTERRUPTS : GROUP_INTERRUPTS, record,
			   RELATION_ANONYMOUS);
		break;
	}
	return true;
}

static void read_pageflags(struct trial_case *trial, const json_t *record)
{
	const json_t *data = event_data(record);
	struct kernel_line line = {.has_pfn = true, .pfn = (uint64_t)json_number(data, "pfn", 0)};
	/* KPF_HWPOISON is bit 19 (include/uapi/linux/kernel-page-flags.h). */
	uint64_t flipped =
		(uint64_t)json_number(data, "before", 0) ^ (uint64_t)json_number(data, "after", 0);

	/* A page that was poisoned before and changes otherwise tells of an earlier fault. */
	if (flipped & 1ull << 19)
		case_prove(trial, GROUP_PAGEFLAGS, record, scope_relation(&trial->on_host, &line));
}

/* Libvirt's daemon dies only as the fault of those who kill it; its connection breaks for other reasons, too. */
static bool kills_daemon(const struct trial_case *trial)
{
	const json_t *intent = record_body(trial->intent);
	const char *what = json_text(json_object_get(intent, "arguments"), "what", "");

	return strcmp(json_text(intent, "injector", ""), "kill") == 0 && *what &&
	       strcmp(what, "qemu") != 0;
}

/** case_read_host_proof - proof by the witnesses of the host that the fault was aimed at, but its kernel log */
void case_read_host_proof(struct trial_case *trial, const json_t *record)
{
	const char *witness = event_witness(record);

	if (case_read_counters(trial, record))
		return;
	if (strcmp(witness, "trace") == 0)
		case_read_trace(trial, record);
	else if (strcmp(witness, "pageflags") == 0)
		read_pageflags(trial, record);
	else if (strcmp(witness, "libvirt") == 0 && kills_daemon(trial) &&
		 strcmp(json_text(event_data(record), "event", ""), "connection-lost") == 0)
		case_prove(trial, GROUP_LIBVIRT, record, RELATION_ANONYMOUS);
}

/** case_read_injector_proof - the end of a process that was killed is no word of the injector: the kernel tells it by a pidfd */
void case_read_injector_proof(struct trial_case *trial)
{
	const json_t *body = record_body(trial->outcome);

	if (strcmp(json_text(body, "injector", ""), "kill") == 0 &&
	    json_is_true(json_object_get(json_object_get(body, "result"), "ended")))
		case_prove(trial, GROUP_PROCESS, trial->outcome, RELATION_ANONYMOUS);
}
