/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_DMA_STREAM_H
#define BRINELL_DMA_STREAM_H

#include "harness/host/process.h"
#include "inject/dma/dma.h"

/**
 * enum dma_target - mapping at the address of a DMA
 * @DMA_MAPPED:      memory
 * @DMA_READ_ONLY:   memory that the device may only read
 * @DMA_UNMAPPED:    nothing
 * @DMA_AFTER_UNMAP: memory that was unmapped again
 * @DMA_BEYOND:      nothing; the address is wider than any IOMMU translates
 */
enum dma_target {
	DMA_MAPPED,
	DMA_READ_ONLY,
	DMA_UNMAPPED,
	DMA_AFTER_UNMAP,
	DMA_BEYOND,
};

/**
 * struct dma_plan - the DMA operations of a fault
 * @function: the device
 * @noise:    a device that writes to the same address in another address space, where nothing is mapped; if @has_noise
 * @target, @iova, @size: address range of each operation
 * @reads:    the device reads memory instead of writing it
 * @count:    number of operations; 0: until it is stopped
 * @interval_ns: between the starts of two operations
 * @deadline_ns: of each operation
 */
struct dma_plan {
	struct dma_function function, noise;
	bool has_noise, reads;
	enum dma_target target;
	uint64_t iova, size, count;
	int64_t interval_ns, deadline_ns;
};

/* Reports of the process: progress, and the end. */
enum dma_report_kind {
	DMA_PROGRESS = PROCESS_OWN,
	DMA_DONE,
};

/**
 * struct dma_report - a report of the process
 * @operations: number of operations
 * @completed, @failed, @silent: operations that the device completed, ended with an error, did not end
 * @arrived, @blocked, @torn: operations whose data were in memory completely, not at all, in part; not counted at an address
 *              that was never mapped
 */
struct dma_report {
	struct process_report head;
	uint64_t operations, completed, failed, silent, arrived, blocked, torn;
};

bool dma_is_allowed(const struct dma_plan *plan);
int64_t dma_log_window(void);
void dma_body(int socket, const void *options) __attribute__((noreturn));

#endif
