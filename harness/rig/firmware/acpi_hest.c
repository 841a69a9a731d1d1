// SPDX-License-Identifier: GPL-2.0-only
/*
 * The HEST table (ACPI 6.5 section 18.3.2) of the emulated host: one generic hardware error source.
 *
 * Notification is an external interrupt. Polling would be simpler, but Linux rounds its timer to whole seconds
 * (drivers/acpi/apei/ghes.c, ghes_add_timer); an NMI reaches all processors of a QEMU machine, and those that find the record
 * already handled report an unknown NMI.
 */
#include "harness/lib/util.h"
#include "harness/rig/firmware/acpi_table.h"

enum {
	HEST_GENERIC_HARDWARE_ERROR = 9,
	HEST_NOTIFY_EXTERNAL_INTERRUPT = 1
};

/**
 * acpi_hest_table - write the HEST table
 * @bytes:  buffer of at least 256 bytes
 * @region: guest physical address of the reserved region, with the pointer to the error status block
 */
void acpi_hest_table(struct bytes *bytes, uint64_t region)
{
	acpi_begin(bytes, "HEST", 1);
	bytes_put(bytes, 1, 4);

	/* Generic Hardware Error Source, table 18.10. */
	bytes_put(bytes, HEST_GENERIC_HARDWARE_ERROR, 2);
	bytes_put(bytes, GHES_SOURCE_ID, 2);
	bytes_put(bytes, 0xffff, 2); /* no related source */
	bytes_put(bytes, 0, 1);
	bytes_put(bytes, 1, 1); /* enabled */
	bytes_put(bytes, 1, 4); /* records to pre-allocate */
	bytes_put(bytes, 1, 4); /* sections in a record */
	bytes_put(bytes, GHES_BLOCK_SIZE, 4);
	bytes_put_gas(bytes, ACPI_SYSTEM_MEMORY, 64, 0, 4, region + GHES_AT_POINTER);
	/* Hardware Error Notification, table 18.14. */
	bytes_put(bytes, HEST_NOTIFY_EXTERNAL_INTERRUPT, 1);
	bytes_put(bytes, 28, 1);
	bytes_put(bytes, 0, 2);
	bytes_put(bytes, 0, 4);
	bytes_put(bytes, GHES_GSI, 4);
	bytes_put_data(bytes, NULL, 16);
	bytes_put(bytes, GHES_BLOCK_SIZE, 4);
	acpi_end(bytes);
}
