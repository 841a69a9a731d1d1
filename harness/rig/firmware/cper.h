/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_RIG_CPER_H
#define BRINELL_RIG_CPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes;

/* UEFI 2.10 appendix N.2.1 and ACPI 6.5 table 18.13: the same numbers. */
enum cper_severity {
	CPER_RECOVERABLE = 0,
	CPER_FATAL = 1,
	CPER_CORRECTED = 2,
};

enum cper_section {
	CPER_MEMORY,
	CPER_PROCESSOR,
	CPER_PCIE,
};

/**
 * struct cper_record - content of an error status block
 * @section:       kind of its one section
 * @severity:      of the block and of the section
 * @address_valid: @address is known
 * @address:       guest physical address, of memory
 * @mask:          its significant bits
 * @processor:     APIC id, of a processor
 * @sbdf:          PCIe function in EINJ's format: segment in bits 31:24, bus 23:16, device 15:11, function 10:8
 * @serial:        part of the FRU text, so that Linux does not drop a second record as a duplicate (ghes_estatus_cached())
 */
struct cper_record {
	enum cper_section section;
	enum cper_severity severity;
	bool address_valid;
	uint64_t address;
	uint64_t mask;
	uint32_t processor;
	uint32_t sbdf;
	unsigned int serial;
};

void cper_status_block(struct bytes *bytes, const struct cper_record *record);

#endif
