/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_JUDGE_EVIDENCE_H
#define BRINELL_JUDGE_EVIDENCE_H

#include "harness/lib/util.h"

/**
 * enum meaning - what a piece of evidence says, whoever says it
 * @MEANS_NOTHING:        nothing that a verdict could rest on
 * @MEANS_HARDWARE_ERROR: the platform reported an error: machine check, APEI, EDAC, AER
 * @MEANS_PAGE_HANDLED:   the kernel's memory-failure code dealt with a page
 * @MEANS_SIGBUS_SENT:    the kernel told a process that its memory is broken
 * @MEANS_KILLED:         the kernel ended a process by force
 * @MEANS_PANIC:          the kernel ended itself
 * @MEANS_STUCK:          a task, a CPU or the RCU machinery no longer moves
 * @MEANS_IOMMU_FAULT:    an IOMMU refused a device's access
 */
enum meaning {
	MEANS_NOTHING,
	MEANS_HARDWARE_ERROR,
	MEANS_PAGE_HANDLED,
	MEANS_SIGBUS_SENT,
	MEANS_KILLED,
	MEANS_PANIC,
	MEANS_STUCK,
	MEANS_IOMMU_FAULT,
};

/**
 * struct kernel_line - what a line of the kernel's log says, with the page and process that it
 * names
 * @meaning:      of the line
 * @has_pfn:      @pfn is set: from a pfn or from a physical address
 * @has_pid:      @pid is set; it may be that of a thread
 * @has_address:  @address, of the process's own address space, is set
 */
struct kernel_line {
	enum meaning meaning;
	bool has_pfn, has_pid, has_address;
	uint64_t pfn;
	int64_t pid;
	uint64_t address;
};

struct kernel_line kernel_line_read(const char *text);

bool regex_matches(const char *pattern, const char *text, struct reason *why);
int regex_check(const char *pattern, struct reason *why);

#endif
