/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_DMA_STREAM_H
#define BRINELL_DMA_STREAM_H

#include "harness/host/process.h"
#include "inject/dma/dma.h"

/**
 * enum dma_target - what is behind the address of a DMA
 * @DMA_MAPPED:      memory
 * @DMA_READ_ONLY:   memory that the device may only read
 * @DMA_UNMAPPED:    nothing
 * @DMA_AFTER_UNMAP: memory that was mapped, and is not any more
 * @DMA_BEYOND:      nothing; the address is wider than an IOMMU's
 */
enum dma_target {
	DMA_MAPPED,
	DMA_READ_ONLY,
	DMA_UNMAPPED,
	DMA_AFTER_UNMAP,
	DMA_BEYOND,
};

/**
 * struct dma_plan - what a device is to do
 * @function: the device
 * @noise:    a device that meanwhile writes to the same address, which is not mapped for it; @has_noise
 * @target, @iova, @size: where to
 * @reads:    it reads from there instead of writing
 * @count:    of operations; 0: until it is stopped
 * @interval_ns: from one operation to the next
 * @deadline_ns: of each
 */
struct dma_plan {
	struct dma_function function, noise;
	bool has_noise, reads;
	enum dma_target target;
	uint64_t iova, size, count;
	int64_t interval_ns, deadline_ns;
};

/* Reports of the process besides that it is ready: how far it is, and its end. */
enum dma_report_kind {
	DMA_PROGRESS = PROCESS_OWN,
	DMA_DONE,
};

/**
 * struct dma_report - a report of the process
 * @operations: begun
 * @completed, @failed, @silent: how the device ended them
 * @arrived, @blocked, @torn: what the memory then held: all of them, nothing of them, a part of them. Nothing is behind an address that
 *              was never mapped
 */
struct dma_report {
	struct process_report head;
	uint64_t operations, completed, failed, silent, arrived, blocked, torn;
};

bool dma_is_allowed(const struct dma_plan *plan);
int64_t dma_log_window(void);
void dma_body(int socket, const void *options) __attribute__((noreturn));

#endif
