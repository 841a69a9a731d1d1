/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_WORKLOADS_FRAME_H
#define BRINELL_WORKLOADS_FRAME_H

#include "harness/host/process.h"
#include "workloads/workload.h"

enum frame_which {
	FRAME_IS_FREE,
	FRAME_IS_KERNEL_TEXT,
	FRAME_IS_PAGE_TABLE,
	FRAME_IS_PAGE_CACHE,
	FRAME_IS_BALLOON,
	FRAME_IS_SLAB,
};

/**
 * struct frame_options - the frame to find
 * @call:      system call whose code is the target, or NULL: any that this kernel has
 * @directory: for files, or NULL
 * @limit:     maximum of bytes that a touch allocates, or 0
 */
struct frame_options {
	enum frame_which which;
	const char *call;
	const char *directory;
	uint64_t limit;
};

enum frame_request {
	FRAME_TOUCH = 'T',
	FRAME_QUIT = PROCESS_QUIT,
};

/**
 * enum frame_report_kind - reports of this process, besides those of all processes
 * @FRAME_TOUCHED: the frame was used: base.text has the operation, @right whether the result is correct
 * @FRAME_ERROR:   a system call failed: base.error, and its name in base.text
 * @FRAME_CHECKED: the end of a touch
 */
enum frame_report_kind {
	FRAME_TOUCHED = PROCESS_OWN,
	FRAME_ERROR,
	FRAME_CHECKED,
};

/**
 * struct frame_report - report of the process, one packet
 * @read:     the frame was read, and @right is whether it held the written data
 * @poisoned: the kernel has retired the frame
 * @pfn:      of the frame
 * @kernel_address: of the function in it
 * @frames:   of the same kind around it
 * @call:     name of the system call
 */
struct frame_report {
	struct process_report base;
	bool read, right, poisoned;
	uint64_t pfn, kernel_address, frames;
	char call[32];
};

extern const char *const frame_calls[];

void frame_process(int socket, const void *options) __attribute__((noreturn));

#endif
