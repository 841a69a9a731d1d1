// SPDX-License-Identifier: GPL-2.0-only
/*
 * The proof that the fault was delivered: by witnesses that can not have the same source, about the victim and no other.
 */
#include <string.h>

#include "harness/judge/axes/axes.h"

/* Whether no reported error of another kind explains an error of this nature. */
static bool is_unexplained(const struct trial_case *trial, struct nature nature)
{
	return !trial->other_error[0] || !nature_overlaps(nature, trial->other_nature);
}

/*
 * Groups whose evidence leaves the kind or severity of the error open. Those count only beside evidence that has the kind
 * and the severity, or names the victim, and only if no error of another kind was reported that explains them. Evidence without any kind counts
 * only beside evidence that names the victim.
 */
static unsigned int open_proofs(const struct trial_case *trial)
{
	struct nature any = {KIND_ANY, SEVERITY_ANY};
	unsigned int groups = 0;

	if ((trial->witnesses || (trial->kind_known && trial->severity_known)) &&
	    is_unexplained(trial, trial->vague_nature))
		groups |= trial->vague;
	if (trial->identified && is_unexplained(trial, any))
		groups |= trial->kindless;
	return groups;
}

/** case_hint - groups with evidence that may be of the fault, but does not prove it */
unsigned int case_hint(const struct trial_case *trial)
{
	struct nature any = {KIND_ANY, SEVERITY_ANY};

	if (trial->noisy_link || trial->foreign[0] || trial->noise)
		return 0;
	return (is_unexplained(trial, trial->vague_nature) ? trial->vague : 0) |
	       (is_unexplained(trial, any) ? trial->kindless : 0);
}

/**
 * case_proofs - the groups of witnesses that saw the fault
 *
 * If an error of another page or process was reported, or errors of the same kind before the fault, evidence that names no
 * victim can be of those and does not count.
 */
unsigned int case_proofs(const struct trial_case *trial)
{
	if (trial->noisy_link)
		return 0;
	if (trial->foreign[0] || trial->noise)
		return trial->identified_by;
	return trial->witnesses | open_proofs(trial);
}

/**
 * case_group - the group of a witness by the name that it declares
 * @in_guest: reports of a guest form groups of their own
 *
 * Names outside the table get numbers of their own until these run out, then share the last.
 */
enum group case_group(struct trial_case *trial, const char *name, bool in_guest)
{
	char full[GROUP_NAME];
	size_t i;

	snprintf(full, sizeof(full), "%s%s", in_guest ? "guest " : "", name);
	for (enum group_index known = 0; known < GROUP_COUNT; known++)
		if (strcmp(group_name(known), full) == 0)
			return (enum group)(1u << known);
	for (i = 0; i < trial->declared_group_count; i++)
		if (strcmp(trial->declared_groups[i], full) == 0)
			break;
	if (i == DECLARED_GROUPS)
		i--;
	else if (i == trial->declared_group_count)
		snprintf(trial->declared_groups[trial->declared_group_count++], GROUP_NAME, "%s",
			 full);
	return (enum group)(1u << (GROUP_COUNT + i));
}

/** case_witness_count - how many independent witnesses saw the fault */
unsigned int case_witness_count(const struct trial_case *trial)
{
	return (unsigned int)__builtin_popcount(case_proofs(trial));
}

/** case_is_delivered - did a witness other than the injector see the fault? */
bool case_is_delivered(const struct trial_case *trial)
{
	return case_proofs(trial) != 0;
}

/** case_prove - a witness saw the fault, or that of another page or process */
void case_prove(struct trial_case *trial, enum group group, const struct record *record,
		enum relation relation)
{
	if (relation == RELATION_FOREIGN) {
		if (!trial->foreign[0])
			snprintf(trial->foreign, sizeof(trial->foreign), "%s",
				 record_quote(record));
		return;
	}
	if (relation == RELATION_OURS) {
		trial->identified = true;
		trial->identified_by |= group;
	}
	if (!trial->first_proof_ns)
		trial->first_proof_ns = record->written_ns;
	trial->witnesses |= group;
	case_cite(trial, record, "delivered");
}

static void add_nature(struct nature *sum, struct nature nature)
{
	sum->kinds |= nature.kinds ?: KIND_ANY;
	sum->severities |= nature.severities ?: SEVERITY_ANY;
}

/* An error of another kind than the fault. One at the victim itself is not taken for a stranger's. */
static void note_other(struct trial_case *trial, const struct record *record,
		       enum relation relation, struct nature nature)
{
	if (relation == RELATION_OURS) {
		trial->mismatch = trial->mismatch ?: record;
		return;
	}
	if (!trial->other_error[0])
		snprintf(trial->other_error, sizeof(trial->other_error), "%s",
			 record_quote(record));
	add_nature(&trial->other_nature, nature);
}

/**
 * case_read_noise - an error that was reported before the fault: while the same is reported all the time, it proves nothing
 *
 * What names another page is a stranger's, and what names the victim's page is an earlier fault of it; but a link that is
 * noisy names the same device before and after the fault.
 */
void case_read_noise(struct trial_case *trial, const struct record *record)
{
	bool trace = case_format(trial, record) == FORMAT_TRACE_EVENT;
	struct kernel_line line = trace ? trace_event_read(record->event.data, record->event.text)
					: *case_line(trial, record);
	enum relation relation =
		scope_relation(record->guest ? &trial->in_guest : &trial->on_host, &line);
	bool link = line.nature.kinds == KIND_PCIE && relation == RELATION_OURS;

	if (line.meaning == MEANS_OOPS && case_is_of_kernel(trial, record) &&
	    !trial->damaged_before)
		trial->damaged_before = record;
	if (!case_is_of_kernel(trial, record) || !kernel_line_is_error(line.meaning) ||
	    (relation != RELATION_ANONYMOUS && !link) ||
	    !nature_overlaps(line.nature, case_fault(trial)))
		return;
	trial->noisy_link |= link;
	if (!trial->noise)
		trial->noise = record;
}

/**
 * case_weigh - a witness reported an error: compare it with the fault before it proves anything
 * @trial:    the case
 * @group:    of the witness
 * @record:   the report
 * @relation: of the error to the victim
 * @nature:   kind and severity of the error
 *
 * An error of another kind proves nothing, nor does a corrected one prove an uncorrected fault. An access that an IOMMU refused is
 * no error that could be taken for one of memory. The driver of AER feeds the
 * kernel's log and the trace events alike: without the name of the victim's device the two are one witness.
 */
void case_weigh(struct trial_case *trial, enum group group, const struct record *record,
		enum relation relation, struct nature nature)
{
	struct nature fault = case_fault(trial);

	if (nature.kinds == KIND_IOMMU && !(fault.kinds & KIND_IOMMU))
		return;
	if (nature.kinds && !(nature.kinds & ~(KIND_PCIE | KIND_CXL)) &&
	    relation == RELATION_ANONYMOUS && group == GROUP_TRACE)
		group = GROUP_KERNEL_LOG;
	if (!nature_overlaps(nature, fault)) {
		note_other(trial, record, relation, nature);
	} else if (relation != RELATION_ANONYMOUS || nature_within(nature, fault)) {
		case_prove(trial, group, record, relation);
	} else if (!nature.kinds || nature.kinds == KIND_ANY) {
		trial->kindless |= group;
		case_cite(trial, record, "delivered");
	} else {
		trial->vague |= group;
		trial->kind_known |=
			nature_within((struct nature){nature.kinds, fault.severities}, fault);
		trial->severity_known |=
			nature_within((struct nature){fault.kinds, nature.severities}, fault);
		add_nature(&trial->vague_nature, nature);
		if (!trial->first_proof_ns)
			trial->first_proof_ns = record->written_ns;
		case_cite(trial, record, "delivered");
	}
}

/** case_prove_by_death - a death identifies the target, unless the error of another page or process may be its cause */
void case_prove_by_death(struct trial_case *trial)
{
	if (trial->foreign[0])
		return;
	trial->identified = true;
	trial->identified_by |= trial->witnesses | trial->vague;
}

/**
 * scope_relation - what a line of the kernel's log is about
 *
 * A thread of the victim matches by the address alone. An error that can be in several frames names none of them.
 */
enum relation scope_relation(const struct scope *scope, const struct kernel_line *line)
{
	if (line->has_pfn && scope->pfn_count && line->pages > 1)
		return scope_has_pfn_of(scope, line->pfn, line->pages) ? RELATION_ANONYMOUS
								       : RELATION_FOREIGN;
	if (line->has_pfn && scope->pfn_count)
		return scope_owns_pfn(scope, line->pfn) ? RELATION_OURS : RELATION_FOREIGN;
	if (line->has_pid && scope->pid_count)
		return scope_owns_pid(scope, line->pid) ||
				       (line->has_address &&
					scope_owns_address(scope, line->address))
			       ? RELATION_OURS
			       : RELATION_FOREIGN;
	if (line->has_bank && scope->has_bank)
		return line->cpu == scope->cpu && line->bank == scope->bank ? RELATION_OURS
									    : RELATION_FOREIGN;
	if (line->device[0] && scope->device)
		return strcmp(line->device, scope->device) == 0 ? RELATION_OURS : RELATION_FOREIGN;
	return RELATION_ANONYMOUS;
}

/** case_read_trace - proof by a trace event of an error, of the host's kernel or of the subject's */
void case_read_trace(struct trial_case *trial, const struct record *record)
{
	bool in_guest = record->guest != NULL;
	struct kernel_line line = trace_event_read(record->event.data, record->event.text);

	if (line.meaning == MEANS_IOMMU_FAULT && !in_guest)
		case_read_iommu(trial, &line, record);
	if (line.meaning == MEANS_LOST)
		case_note_loss(trial, record);
	if (line.meaning == MEANS_HARDWARE_ERROR && case_is_older(trial, record))
		case_read_noise(trial, record);
	else if (line.meaning == MEANS_HARDWARE_ERROR)
		case_weigh(trial, in_guest ? GROUP_GUEST_TRACE : GROUP_TRACE, record,
			   scope_relation(in_guest ? &trial->in_guest : &trial->on_host, &line),
			   line.nature);
}

/* The daemon of the hypervisor dies only by a fault that kills it; its connection breaks for other reasons, too. */
static bool kills_daemon(const struct trial_case *trial)
{
	const char *killed = case_kills(trial);

	return *killed && strcmp(killed, "qemu") != 0;
}

/** case_read_host_proof - proof by the witnesses of the target host, except its kernel log */
void case_read_host_proof(struct trial_case *trial, const struct record *record)
{
	if (case_read_declared(trial, record))
		return;
	if (case_format(trial, record) == FORMAT_TRACE_EVENT)
		case_read_trace(trial, record);
	else if (record->event.source == SOURCE_HYPERVISOR && kills_daemon(trial) &&
		 event_is_named(record, "connection-lost"))
		case_prove(trial, GROUP_HYPERVISOR, record, RELATION_ANONYMOUS);
}

/** case_read_injector_proof - the end of a killed process is evidence of the kernel (a pidfd), not of the injector */
void case_read_injector_proof(struct trial_case *trial)
{
	if (*case_kills(trial) && trial->outcome && trial->outcome->outcome.ended)
		case_prove(trial, GROUP_PROCESS, trial->outcome, RELATION_ANONYMOUS);
}
