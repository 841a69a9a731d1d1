// SPDX-License-Identifier: GPL-2.0-only
/*
 * Generic error status blocks (ACPI 6.5 section 18.3.2.7) with one section in the Common Platform Error Record format
 * (UEFI 2.10 appendix N), as firmware-first error handling passes them to the operating system.
 */
#include <stdio.h>

#include "harness/rig/firmware/acpi_table.h"
#include "harness/rig/firmware/cper.h"

/* UEFI 2.10 N.2.2, section types; the first three fields of a GUID are little endian. */
static const uint8_t section_types[][16] = {
	[CPER_MEMORY] = {0x14, 0x11, 0xbc, 0xa5, 0x64, 0x6f, 0xde, 0x4e, 0xb8, 0x63, 0x3e, 0x83,
			 0xed, 0x7c, 0x83, 0xb1},
	[CPER_PROCESSOR] = {0xad, 0xcc, 0x76, 0x98, 0x47, 0xb4, 0xdb, 0x4b, 0xb6, 0x5e, 0x16, 0xf1,
			    0x93, 0xc4, 0xf3, 0xdb},
	[CPER_PCIE] = {0x54, 0xe9, 0x95, 0xd9, 0xc1, 0xbb, 0x0f, 0x43, 0xad, 0x91, 0xb4, 0x4d, 0xcb,
		       0x3c, 0x6f, 0x35},
};

enum {
	BLOCK_UNCORRECTED = 1 << 0,
	BLOCK_CORRECTED = 1 << 1,
	BLOCK_ENTRY_COUNT_SHIFT = 4,
	DATA_REVISION = 0x300,
	DATA_FRU_TEXT_VALID = 1 << 1,
	MEMORY_STATUS_VALID = 1 << 0,
	MEMORY_ADDRESS_VALID = 1 << 1,
	MEMORY_MASK_VALID = 1 << 2,
	MEMORY_TYPE_VALID = 1 << 14,
	MEMORY_STATUS_ERROR = 4 << 8,
	MEMORY_SINGLE_BIT = 2,
	MEMORY_MULTI_BIT = 3,
	PROCESSOR_TYPE_VALID = 1 << 0,
	PROCESSOR_ISA_VALID = 1 << 1,
	PROCESSOR_ERROR_VALID = 1 << 2,
	PROCESSOR_ID_VALID = 1 << 7,
	PROCESSOR_TYPE_IA = 0,
	PROCESSOR_ISA_X64 = 2,
	PROCESSOR_CACHE_ERROR = 1,
	PCIE_PORT_TYPE_VALID = 1 << 0,
	PCIE_VERSION_VALID = 1 << 1,
	PCIE_DEVICE_VALID = 1 << 3,
	PCIE_AER_VALID = 1 << 7,
	SBDF_FUNCTION_MASK = 0xffff00,
	AER_CORRECTED_BAD_TLP = 1 << 6,
	AER_POISONED_TLP = 1 << 12,
};

/* N.2.5, 80 bytes: the original size of Memory Error Section, which all Linux versions take. */
static void put_memory(struct bytes *bytes, const struct cper_record *record)
{
	uint64_t valid = MEMORY_STATUS_VALID | MEMORY_TYPE_VALID;

	if (record->address_valid)
		valid |= MEMORY_ADDRESS_VALID | MEMORY_MASK_VALID;
	bytes_put(bytes, valid, 8);
	bytes_put(bytes, MEMORY_STATUS_ERROR, 8);
	bytes_put(bytes, record->address, 8);
	bytes_put(bytes, record->mask, 8);
	bytes_put_data(bytes, NULL, 40);
	bytes_put(bytes, record->severity == CPER_CORRECTED ? MEMORY_SINGLE_BIT : MEMORY_MULTI_BIT,
		  1);
	bytes_put_data(bytes, NULL, 7);
}

/* N.2.4.1, 192 bytes. */
static void put_processor(struct bytes *bytes, const struct cper_record *record)
{
	bytes_put(bytes,
		  PROCESSOR_TYPE_VALID | PROCESSOR_ISA_VALID | PROCESSOR_ERROR_VALID |
			  PROCESSOR_ID_VALID,
		  8);
	bytes_put(bytes, PROCESSOR_TYPE_IA, 1);
	bytes_put(bytes, PROCESSOR_ISA_X64, 1);
	bytes_put(bytes, PROCESSOR_CACHE_ERROR, 1);
	bytes_put_data(bytes, NULL, 1 + 1 + 1 + 2 + 8 + 128);
	bytes_put(bytes, record->processor, 8);
	bytes_put_data(bytes, NULL, 32);
}

/*
 * N.2.7, 208 bytes. Registers of Advanced Error Reporting make Linux reset the function. The default function, the host
 * bridge, is not a PCI Express function, and Linux up to 7.2 dereferences NULL when it recovers one of those.
 */
static void put_pcie(struct bytes *bytes, const struct cper_record *record)
{
	uint32_t uncorrected = record->severity == CPER_CORRECTED ? 0 : AER_POISONED_TLP;
	size_t aer;

	bytes_put(bytes,
		  PCIE_PORT_TYPE_VALID | PCIE_VERSION_VALID | PCIE_DEVICE_VALID |
			  (record->sbdf & SBDF_FUNCTION_MASK ? PCIE_AER_VALID : 0),
		  8);
	bytes_put(bytes, 0, 4);	     /* PCI Express end point */
	bytes_put(bytes, 0x0103, 4); /* version 3.1 */
	bytes_put(bytes, 0, 4);
	bytes_put(bytes, 0, 4);
	/* Device id, 16 bytes: vendor and device unknown, class unknown. */
	bytes_put_data(bytes, NULL, 2 + 2 + 3);
	bytes_put(bytes, record->sbdf >> 8 & 7, 1);
	bytes_put(bytes, record->sbdf >> 11 & 0x1f, 1);
	bytes_put(bytes, record->sbdf >> 24, 2);
	bytes_put(bytes, record->sbdf >> 16 & 0xff, 1);
	bytes_put(bytes, 0, 1);
	bytes_put(bytes, 0, 2);
	bytes_put(bytes, 0, 1);
	bytes_put_data(bytes, NULL, 8 + 4 + 60);
	/* AER extended capability (PCI Express base specification, 7.8.4). */
	aer = bytes->used;
	bytes_put_data(bytes, NULL, 96);
	bytes_patch(bytes, aer, 0x00020001, 4);
	bytes_patch(bytes, aer + 4, uncorrected, 4);
	bytes_patch(bytes, aer + 12, record->severity == CPER_FATAL ? AER_POISONED_TLP : 0, 4);
	bytes_patch(bytes, aer + 16, record->severity == CPER_CORRECTED ? AER_CORRECTED_BAD_TLP : 0,
		    4);
}

/**
 * cper_status_block - write a generic error status block with one section
 * @bytes:  buffer of at least 512 bytes
 * @record: its content
 */
void cper_status_block(struct bytes *bytes, const struct cper_record *record)
{
	size_t block = bytes->used, data, section;
	char text[20] = "";

	bytes_put(bytes,
		  (record->severity == CPER_CORRECTED ? BLOCK_CORRECTED : BLOCK_UNCORRECTED) |
			  1 << BLOCK_ENTRY_COUNT_SHIFT,
		  4);
	bytes_put(bytes, 0, 4);
	bytes_put(bytes, 0, 4);
	bytes_put(bytes, 0, 4);
	bytes_put(bytes, record->severity, 4);

	/* Generic error data entry, table 18.13; revision 0x300 has a time stamp, which is not valid here. */
	data = bytes->used;
	bytes_put_data(bytes, section_types[record->section], 16);
	bytes_put(bytes, record->severity, 4);
	bytes_put(bytes, DATA_REVISION, 2);
	bytes_put(bytes, DATA_FRU_TEXT_VALID, 1);
	bytes_put(bytes, 0, 1);
	bytes_put(bytes, 0, 4);
	bytes_put_data(bytes, NULL, 16);
	snprintf(text, sizeof(text), "brinell %u", record->serial);
	bytes_put_data(bytes, text, 20);
	bytes_put_data(bytes, NULL, 8);

	section = bytes->used;
	switch (record->section) {
	case CPER_MEMORY:
		put_memory(bytes, record);
		break;
	case CPER_PROCESSOR:
		put_processor(bytes, record);
		break;
	case CPER_PCIE:
		put_pcie(bytes, record);
		break;
	}
	bytes_patch(bytes, data + 24, bytes->used - section, 4);
	bytes_patch(bytes, block + 12, bytes->used - data, 4);
}
