/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_EVIDENCE_EVIDENCE_H
#define BRINELL_EVIDENCE_EVIDENCE_H

#include "harness/evidence/nature.h"
#include "harness/lib/util.h"

/**
 * enum meaning - meaning of a piece of evidence, whichever witness reports it
 * @MEANS_NOTHING:        nothing that a verdict could rest on
 * @MEANS_HARDWARE_ERROR: the platform reported an error: machine check, APEI, EDAC, AER
 * @MEANS_PAGE_HANDLED:   the kernel's memory-failure code dealt with a page
 * @MEANS_SIGBUS_SENT:    the kernel sent a process the signal for broken memory
 * @MEANS_KILLED:         the kernel ended a process by force
 * @MEANS_PANIC:          the kernel ended itself
 * @MEANS_STUCK:          a watchdog or stall report: a task, a CPU, a workqueue or RCU no longer moves
 * @MEANS_OOPS:           the kernel is damaged: oops, BUG, sanitizer report, corrupted list
 * @MEANS_WARNING:        the kernel met a state that must not be: WARN, lockdep
 * @MEANS_IOMMU_FAULT:    an IOMMU refused a device's access
 * @MEANS_IOMMU_NOTICE:   an IOMMU has faults to report, which lines of their own name
 * @MEANS_IOMMU_FAILED:   an IOMMU itself failed
 * @MEANS_IOMMU_LIMITED:  lines of VT-d's faults were left out, in this trial or before; its interrupts count what it left out
 * @MEANS_IOMMU_LOST:     faults of an IOMMU were dropped by the hardware or left out of the log
 * @MEANS_ENDED:          the kernel ended a process for a reason that is no error of the hardware: out of memory, segfault
 * @MEANS_LOST:           lines of the log, or records of errors, were dropped or suppressed
 */
enum meaning {
	MEANS_NOTHING,
	MEANS_HARDWARE_ERROR,
	MEANS_PAGE_HANDLED,
	MEANS_SIGBUS_SENT,
	MEANS_KILLED,
	MEANS_PANIC,
	MEANS_STUCK,
	MEANS_OOPS,
	MEANS_WARNING,
	MEANS_IOMMU_FAULT,
	MEANS_IOMMU_NOTICE,
	MEANS_IOMMU_FAILED,
	MEANS_IOMMU_LIMITED,
	MEANS_IOMMU_LOST,
	MEANS_ENDED,
	MEANS_LOST,
};

/**
 * enum block - reports that the kernel prints in several lines
 * @BLOCK_PRINTED: a machine check, by print_mce()
 * @BLOCK_DECODED: the same, by the decoder for AMD
 * @BLOCK_CPER:    a record of firmware
 */
enum block {
	BLOCK_NONE,
	BLOCK_PRINTED,
	BLOCK_DECODED,
	BLOCK_CPER,
};

/**
 * struct line_part - the part of a report in a line
 * @block:    that it is of
 * @first:    a block begins with it
 * @section:  a section of the record begins with it
 * @severity: it has the severity of the record or of the section
 * @kind:     it has the kind of the section
 * @number:   of the record of firmware; 0: it has none
 * @check:    registers that it shows
 * @mask:     valid bits of the address, 0: not in this line
 */
struct line_part {
	enum block block;
	bool first, section, severity, kind;
	uint64_t number;
	struct machine_check check;
	uint64_t mask;
};

/**
 * struct kernel_line - the meaning of a line of the kernel's log, with the page, process and device that it names
 * @meaning:      of the line
 * @nature:       kind and severity of the error
 * @has_pfn:      @pfn is set: from a pfn or from a physical address
 * @pages:        how many frames from @pfn on the error can be in; 0 and 1: it is in that one
 * @has_pid:      @pid is set; it may be that of a thread
 * @has_address:  @address, of the process's own address space, is set
 * @has_iova:     @iova, the address of a device's access, is set
 * @has_bank:     @cpu and @bank of a machine check are set
 * @device:       PCI function with its domain, "" for none
 * @of_program:   a program wrote it, not the kernel
 * @part:         of a report in several lines; kernel_lines_join() completes these lines
 */
struct kernel_line {
	enum meaning meaning;
	struct nature nature;
	bool has_pfn, has_pid, has_address, has_iova, has_bank, of_program;
	uint64_t pfn, pages;
	int64_t pid;
	uint64_t address, iova;
	uint64_t cpu, bank;
	char device[20];
	struct line_part part;
};

const char *kernel_message(const char *text);
struct kernel_line kernel_line_read(const char *text);
void kernel_lines_join(struct kernel_line *const *lines, size_t count);
bool kernel_line_is_error(enum meaning meaning);
struct kernel_line trace_event_read(const json_t *data, const char *text);

bool regex_matches(const char *pattern, const char *text, struct reason *why);
int regex_check(const char *pattern, struct reason *why);

#endif
