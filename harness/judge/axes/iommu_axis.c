// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the IOMMU of the struck host refused. A fault that is a DMA has a device and addresses of its own, and only these count.
 * After any other fault each refused access counts, except those of a device that was refused before, too. What does not
 * count is quoted.
 */
#include <string.h>
#include <sys/param.h>

#include "harness/judge/axes/axes.h"

/* Some devices of a server are refused all day long. */
static bool was_refused_before(const struct trial_case *trial, const char *device)
{
	for_each_record (trial, record) {
		const struct kernel_line *line = case_line(trial, record);

		if (record >= trial->from)
			break;
		if (record->type != RECORD_EVENT || record->guest || !case_on_host(trial, record) ||
		    !case_is_of_kernel(trial, record))
			continue;
		if (line->meaning == MEANS_IOMMU_FAULT && strcmp(line->device, device) == 0)
			return true;
	}
	return false;
}

static bool is_ours(const struct trial_case *trial, const struct kernel_line *line,
		    const struct record *record)
{
	if (trial->on_host.iova_count)
		return scope_owns_dma(&trial->on_host, line->device, line->iova) &&
		       !case_is_older(trial, record);
	return !*line->device || !was_refused_before(trial, line->device);
}

static struct iommu_source *source_of(struct trial_case *trial, const struct record *record)
{
	bool console = record->event.source == SOURCE_CONSOLE;

	return &trial->iommu.sources[case_format(trial, record) == FORMAT_TRACE_EVENT ? IOMMU_TRACE
				     : console ? IOMMU_CONSOLE
					       : IOMMU_LOG];
}

/**
 * case_read_iommu - an IOMMU reported something, in the kernel's log, on its console or as a trace event
 * @trial:  the case
 * @line:   the report
 * @record: of it
 *
 * The driver that prints the line also fires the trace event: one witness. The interrupts of the IOMMU are the other.
 */
void case_read_iommu(struct trial_case *trial, const struct kernel_line *line,
		     const struct record *record)
{
	struct iommu_source *source = source_of(trial, record);
	bool ours;

	source->notices += line->meaning == MEANS_IOMMU_NOTICE;
	trial->iommu.lost |= line->meaning == MEANS_IOMMU_LOST;
	trial->iommu.limited |= line->meaning == MEANS_IOMMU_LIMITED;
	if (line->meaning == MEANS_IOMMU_FAILED) {
		trial->iommu.failure = trial->iommu.failure ?: record;
		case_cite(trial, record, "iommu");
	}
	if (line->meaning != MEANS_IOMMU_FAULT)
		return;
	ours = is_ours(trial, line, record);
	if (ours && !trial->iommu.first)
		trial->iommu.first = record;
	source->ours += ours;
	source->others += !ours;
	case_weigh(trial, GROUP_KERNEL_LOG, record, ours ? RELATION_OURS : RELATION_FOREIGN,
		   line->nature);
	case_cite(trial, record, ours ? "iommu" : "iommu-of-others");
}

static bool is_fault_row(const char *name)
{
	return strncmp(name, "dmar", 4) == 0 && strspn(name + 4, "0123456789") == strlen(name + 4);
}

/* The fault interrupts of VT-d since the intent; one interrupt may stand for several faults. */
static int64_t interrupts_of(const struct trial_case *trial)
{
	const struct record *last = NULL;
	int64_t sum = 0, difference;
	const char *name;
	json_t *change;

	for_each_record (trial, record)
		if (case_counts(trial, record) && record->type == RECORD_EVENT &&
		    strcmp(record->event.witness, "interrupts") == 0 && !record->guest &&
		    case_on_host(trial, record))
			last = record;
	if (!last)
		return 0;
	json_object_foreach ((json_t *)last->event.data, name, change)
		if (is_fault_row(name) && case_change(trial, last, name, change, &difference))
			sum += difference;
	return sum;
}

static bool counts_interrupts(const struct trial_case *trial)
{
	json_t *proof;
	size_t index;

	json_array_foreach ((json_t *)trial->host_proofs, index, proof)
		if (strcmp(json_text(proof, "field", ""), "dmar#") == 0)
			return true;
	return false;
}

/**
 * case_decide_iommu - how many accesses were refused, and whether that is all
 *
 * VT-d limits its lines, and reports what it left out only later, with the next fault. Each interrupt has a line that announces
 * it (drivers/iommu/intel/dmar.c, dmar_fault()). So more interrupts than such lines, or such a line without a fault, mean that
 * faults are missing.
 */
void case_decide_iommu(struct trial_case *trial)
{
	struct iommu_outcome *iommu = &trial->iommu;
	unsigned int notices = 0, reported = 0;

	for (size_t i = 0; i < IOMMU_SOURCES; i++) {
		const struct iommu_source *source = &iommu->sources[i];

		iommu->ours = MAX(iommu->ours, source->ours);
		iommu->others = MAX(iommu->others, source->others);
		notices = MAX(notices, source->notices);
		reported = MAX(reported, source->ours + source->others);
	}
	iommu->lost |= interrupts_of(trial) > notices || notices > reported ||
		       (iommu->limited && !counts_interrupts(trial));
	/* Whose accesses were left out is not known; a trial without a DMA of its own misses none. */
	if (!trial->on_host.iova_count)
		iommu->lost = false;
	iommu->lost |= trial->loss != NULL;
}
