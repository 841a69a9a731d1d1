/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_EVIDENCE_NATURE_H
#define BRINELL_EVIDENCE_NATURE_H

#include "harness/lib/util.h"

/**
 * enum error_kind - the part of the machine that an error is in; a set, when a record leaves it open
 * @KIND_IOMMU: no error of a part, but an access of a device that an IOMMU refused; KIND_ANY is without it
 */
enum error_kind {
	KIND_MEMORY = 1 << 0,
	KIND_PROCESSOR = 1 << 1,
	KIND_PCIE = 1 << 2,
	KIND_CXL = 1 << 3,
	KIND_OTHER = 1 << 4,
	KIND_IOMMU = 1 << 5,
	KIND_MACHINE_CHECK = KIND_MEMORY | KIND_PROCESSOR,
	KIND_ANY = KIND_MEMORY | KIND_PROCESSOR | KIND_PCIE | KIND_CXL | KIND_OTHER,
};

/**
 * enum error_severity - whether the hardware corrected an error; a set
 * @SEVERITY_REPAIRED: no error, but the end of one: a page is usable again; SEVERITY_ANY is without it
 */
enum error_severity {
	SEVERITY_CORRECTED = 1 << 0,
	SEVERITY_UNCORRECTED = 1 << 1,
	SEVERITY_REPAIRED = 1 << 2,
	SEVERITY_ANY = SEVERITY_CORRECTED | SEVERITY_UNCORRECTED,
};

/**
 * struct nature - what an error can be
 * @kinds:      set of enum error_kind; 0 is read as KIND_ANY
 * @severities: set of enum error_severity; 0 is read as SEVERITY_ANY
 */
struct nature {
	unsigned char kinds, severities;
};

/**
 * struct machine_check - registers of a machine check bank, as far as a record shows them
 * @vendor: of the processor, as the kernel numbers them; MACHINE_CHECK_VENDOR_UNKNOWN
 * @status, @address, @misc: MCi_STATUS, MCi_ADDR and MCi_MISC; @has_address and @has_misc: the record has these
 * @ipid:   MCA_IPID of AMD; 0: none
 */
struct machine_check {
	int64_t vendor;
	uint64_t status, address, misc, ipid;
	bool has_address, has_misc;
};

#define MACHINE_CHECK_VENDOR_UNKNOWN (-1)
/* arch/x86/include/asm/processor.h */
#define MACHINE_CHECK_VENDOR_AMD 2

struct nature nature_of_error_type(const json_t *arguments);
struct nature nature_of_bank_record(const json_t *arguments);
struct nature nature_of_page_method(const json_t *arguments);
void nature_add_word(struct nature *nature, const char *word);
json_t *nature_words(struct nature nature);
struct nature nature_of_machine_check(const struct machine_check *check);
bool machine_check_has_page(const struct machine_check *check);
bool nature_overlaps(struct nature one, struct nature other);
bool nature_within(struct nature evidence, struct nature fault);

#endif
