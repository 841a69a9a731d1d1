/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_RIG_ACPI_TABLE_H
#define BRINELL_RIG_ACPI_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* Little-endian bytes of an ACPI table or a record under construction. */
struct bytes {
	uint8_t *data;
	size_t used;
	size_t size;
};

/* ACPI 6.5 section 5.2.3.2, Generic Address Structure. */
enum acpi_space {
	ACPI_SYSTEM_MEMORY = 0,
	ACPI_SYSTEM_IO = 1,
};

/* ACPI 6.5 table 18.24 and ACPI 6.6 for the two actions of EINJv2. */
enum einj_action {
	EINJ_BEGIN_OPERATION = 0x0,
	EINJ_GET_TRIGGER_TABLE = 0x1,
	EINJ_SET_ERROR_TYPE = 0x2,
	EINJ_GET_ERROR_TYPE = 0x3,
	EINJ_END_OPERATION = 0x4,
	EINJ_EXECUTE_OPERATION = 0x5,
	EINJ_CHECK_BUSY_STATUS = 0x6,
	EINJ_GET_COMMAND_STATUS = 0x7,
	EINJ_SET_ERROR_TYPE_WITH_ADDRESS = 0x8,
	EINJ_GET_EXECUTE_TIMINGS = 0x9,
	EINJV2_SET_ERROR_TYPE = 0x10,
	EINJV2_GET_ERROR_TYPE = 0x11,
	EINJ_TRIGGER_ERROR = 0xff,
};

/* ACPI 6.5 table 18.26. */
enum einj_instruction {
	EINJ_READ_REGISTER = 0,
	EINJ_READ_REGISTER_VALUE = 1,
	EINJ_WRITE_REGISTER = 2,
	EINJ_WRITE_REGISTER_VALUE = 3,
};

/* Registers of the model, as offsets in the reserved region. */
enum einj_layout {
	EINJ_AT_OPERATION = 0x00,
	EINJ_AT_TYPE = 0x08,
	EINJ_AT_AVAILABLE = 0x10,
	EINJ_AT_BUSY = 0x18,
	EINJ_AT_STATUS = 0x20,
	EINJ_AT_TRIGGER_POINTER = 0x28,
	EINJ_AT_TIMINGS = 0x30,
	EINJ_AT_TYPE_V2 = 0x38,
	EINJ_AT_AVAILABLE_V2 = 0x40,
	GHES_AT_POINTER = 0x80,
	EINJ_AT_PARAMETERS = 0x1000,
	EINJ_AT_TRIGGER = 0x2000,
	GHES_AT_BLOCK = 0x4000,
};

#define GHES_BLOCK_SIZE 0x1000u
#define FIRMWARE_REGION_MINIMUM 0x5000u

/* The I/O port of the doorbell (QEMU's isa-debugcon) and what is written to it. */
#define DOORBELL_PORT 0x0b80
#define DOORBELL_EXECUTE 0x45
#define DOORBELL_TRIGGER 0x54

/* The global interrupt of a new record: an ISA interrupt that no device of the q35 machine uses. */
#define GHES_GSI 10
#define GHES_SOURCE_ID 1

/* The EINJv2 component array: size of an entry, and number of entries. */
#define EINJV2_COMPONENT_SIZE 32
#define EINJV2_COMPONENTS 8

void bytes_put(struct bytes *bytes, uint64_t value, size_t size);
void bytes_put_data(struct bytes *bytes, const void *data, size_t size);
void bytes_patch(struct bytes *bytes, size_t at, uint64_t value, size_t size);
void bytes_put_gas(struct bytes *bytes, enum acpi_space space, unsigned int width,
		   unsigned int offset, unsigned int access, uint64_t address);
size_t acpi_begin(struct bytes *bytes, const char *signature, unsigned int revision);
void acpi_end(struct bytes *bytes);

void acpi_einj_table(struct bytes *bytes, uint64_t region, unsigned int revision);
void acpi_einj_trigger(struct bytes *bytes);
void acpi_hest_table(struct bytes *bytes, uint64_t region);

#endif
