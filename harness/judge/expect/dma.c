// SPDX-License-Identifier: GPL-2.0-only
/*
 * Expectations about the IOMMU of the target host, and about the memory that a device accessed.
 */
#include <string.h>

#include "harness/judge/expect/expect.h"

static void expect_fault(struct trial_case *trial)
{
	if (trial->iommu.ours)
		return met(trial);
	if (trial->log_seen && !trial->iommu.lost && ran_its_course(trial))
		return broken(
			trial, CODE_IOMMU_QUIET,
			"the IOMMU reported no fault of this device and address, expected one");
	unknown(trial, CODE_IOMMU_QUIET,
		"no IOMMU fault of this device and address was seen, expected one");
}

void expect_iommu(struct trial_case *trial)
{
	const char *expected = json_text(trial->expect, "iommu", "quiet");

	if (strcmp(expected, "fault") == 0)
		return expect_fault(trial);
	if (strcmp(expected, "quiet") != 0)
		return unknown(trial, CODE_BAD_EXPECTATION,
			       "the scenario expects iommu '%s', which is no value of that axis",
			       expected);
	if (trial->iommu.ours || trial->iommu.failure)
		return harmed(trial, CODE_IOMMU_FAULT, "the IOMMU reported a fault: %s",
			      record_quote(trial->iommu.first ?: trial->iommu.failure));
	if (trial->loss)
		return unknown_for_loss(trial, trial->loss,
					"kernel log records were lost: an IOMMU fault could be "
					"among them");
	if (trial->iommu.lost)
		return unknown(trial, CODE_IOMMU_UNKNOWN,
			       "faults of the IOMMU were not logged: one of this device could be "
			       "among them");
	met(trial);
}

/** case_dma_memory - "arrived" or "blocked", as the memory of a device's access was read; NULL: it was not; borrowed */
const char *case_dma_memory(const struct trial_case *trial)
{
	return trial->outcome ? trial->outcome->outcome.memory : NULL;
}

void expect_dma(struct trial_case *trial)
{
	const char *expected = json_text(trial->expect, "dma", NULL);
	const char *memory = case_dma_memory(trial);

	if (!expected)
		return;
	if (!memory)
		return unknown(trial, CODE_DMA_SILENT,
			       "nothing read the memory that the DMA was meant for");
	case_cite(trial, trial->outcome, "dma");
	if (strcmp(memory, expected) == 0)
		return met(trial);
	if (strcmp(memory, "arrived") == 0)
		return harmed(trial, CODE_DMA_ARRIVED,
			      "the DMA reached memory that it must not reach");
	harmed(trial, CODE_DMA_BLOCKED, "the DMA did not reach its memory: %s", memory);
}
