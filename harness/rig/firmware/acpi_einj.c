// SPDX-License-Identifier: GPL-2.0-only
/*
 * The EINJ table (ACPI 6.5 section 18.6) of the emulated host, and the trigger table that it leads to.
 *
 * All registers are memory in a region that the kernel does not use, so that the firmware model can access them from
 * outside. Only a wake-up of the model needs an I/O port. EXECUTE is therefore two instructions: "busy := 1" in memory, and
 * a byte to an I/O port that the model reads. The processor continues when the byte is written, and CHECK_BUSY reads busy
 * until the model has answered.
 */
#include "harness/lib/util.h"
#include "harness/rig/firmware/acpi_table.h"

/* ACPI 6.5 table 18.25: the register is written together with the bits around it that must be preserved. */
#define EINJ_NO_FLAGS 0
#define MASK_ALL UINT64_MAX
#define MASK_32 UINT64_C(0xffffffff)

static void put_entry(struct bytes *bytes, enum einj_action action,
		      enum einj_instruction instruction, enum acpi_space space, unsigned int width,
		      unsigned int offset, unsigned int access, uint64_t address, uint64_t value,
		      uint64_t mask)
{
	bytes_put(bytes, action, 1);
	bytes_put(bytes, instruction, 1);
	bytes_put(bytes, EINJ_NO_FLAGS, 1);
	bytes_put(bytes, 0, 1);
	bytes_put_gas(bytes, space, width, offset, access, address);
	bytes_put(bytes, value, 8);
	bytes_put(bytes, mask, 8);
}

static void put_doorbell(struct bytes *bytes, enum einj_action action, uint8_t value)
{
	put_entry(bytes, action, EINJ_WRITE_REGISTER_VALUE, ACPI_SYSTEM_IO, 8, 0, 1, DOORBELL_PORT,
		  value, 0xff);
}

static void put_register(struct bytes *bytes, enum einj_action action,
			 enum einj_instruction instruction, uint64_t address, uint64_t value,
			 uint64_t mask)
{
	put_entry(bytes, action, instruction, ACPI_SYSTEM_MEMORY, 64, 0, 4, address, value, mask);
}

/**
 * acpi_einj_table - write the EINJ table
 * @bytes:    buffer of at least 4 KiB
 * @region:   guest physical address of the registers
 * @revision: 1, or 2 for a table that offers EINJv2 too (ACPI 6.6)
 *
 * GET_COMMAND_STATUS: the status is in bits 8:1 of its register (ACPI 6.5 table 18.28). Linux shifts by the bit offset
 * of the address and then compares, so the offset has to be 1 for it to see the numbers of the specification.
 */
void acpi_einj_table(struct bytes *bytes, uint64_t region, unsigned int revision)
{
	size_t count_at;
	unsigned int entries = 11;

	acpi_begin(bytes, "EINJ", revision >= 2 ? 2 : 1);
	bytes_put(bytes, 48, 4);
	bytes_put(bytes, 0, 1);
	bytes_put(bytes, 0, 3);
	count_at = bytes->used;
	bytes_put(bytes, 0, 4);

	put_register(bytes, EINJ_BEGIN_OPERATION, EINJ_WRITE_REGISTER_VALUE,
		     region + EINJ_AT_OPERATION, 1, MASK_ALL);
	put_register(bytes, EINJ_GET_TRIGGER_TABLE, EINJ_READ_REGISTER,
		     region + EINJ_AT_TRIGGER_POINTER, 0, MASK_ALL);
	put_register(bytes, EINJ_SET_ERROR_TYPE, EINJ_WRITE_REGISTER, region + EINJ_AT_TYPE, 0,
		     MASK_32);
	put_register(bytes, EINJ_GET_ERROR_TYPE, EINJ_READ_REGISTER, region + EINJ_AT_AVAILABLE, 0,
		     MASK_32);
	put_register(bytes, EINJ_END_OPERATION, EINJ_WRITE_REGISTER_VALUE,
		     region + EINJ_AT_OPERATION, 0, MASK_ALL);
	put_register(bytes, EINJ_EXECUTE_OPERATION, EINJ_WRITE_REGISTER_VALUE,
		     region + EINJ_AT_BUSY, 1, MASK_ALL);
	put_doorbell(bytes, EINJ_EXECUTE_OPERATION, DOORBELL_EXECUTE);
	put_register(bytes, EINJ_CHECK_BUSY_STATUS, EINJ_READ_REGISTER_VALUE, region + EINJ_AT_BUSY,
		     1, 1);
	put_entry(bytes, EINJ_GET_COMMAND_STATUS, EINJ_READ_REGISTER, ACPI_SYSTEM_MEMORY, 16, 1, 3,
		  region + EINJ_AT_STATUS, 0, 0xff);
	put_register(bytes, EINJ_SET_ERROR_TYPE_WITH_ADDRESS, EINJ_WRITE_REGISTER,
		     region + EINJ_AT_PARAMETERS, 0, MASK_32);
	put_register(bytes, EINJ_GET_EXECUTE_TIMINGS, EINJ_READ_REGISTER, region + EINJ_AT_TIMINGS,
		     0, MASK_ALL);
	if (revision >= 2) {
		put_register(bytes, EINJV2_SET_ERROR_TYPE, EINJ_WRITE_REGISTER,
			     region + EINJ_AT_TYPE_V2, 0, MASK_32);
		put_register(bytes, EINJV2_GET_ERROR_TYPE, EINJ_READ_REGISTER,
			     region + EINJ_AT_AVAILABLE_V2, 0, MASK_32);
		entries += 2;
	}
	bytes_patch(bytes, count_at, entries, 4);
	acpi_end(bytes);
}

/**
 * acpi_einj_trigger - write the trigger error action table (ACPI 6.5 table 18.32): ring the doorbell once
 * @bytes: buffer of at least 64 bytes
 */
void acpi_einj_trigger(struct bytes *bytes)
{
	bytes_put(bytes, 16, 4);
	bytes_put(bytes, 0, 4);
	bytes_put(bytes, 16 + 32, 4);
	bytes_put(bytes, 1, 4);
	put_doorbell(bytes, EINJ_TRIGGER_ERROR, DOORBELL_TRIGGER);
}
