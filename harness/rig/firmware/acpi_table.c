// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bytes of ACPI tables: little endian, packed, with the checksum that makes all bytes add up to zero.
 */
#include <string.h>

#include "harness/lib/util.h"
#include "harness/rig/firmware/acpi_table.h"

/**
 * bytes_put - append a number
 * @bytes: buffer; a buffer that is too small is a bug and ends the program
 * @value: number
 * @size:  bytes that it takes, least significant first
 */
void bytes_put(struct bytes *bytes, uint64_t value, size_t size)
{
	if (size > bytes->size - bytes->used)
		abort();
	bytes_patch(bytes, bytes->used, value, size);
	bytes->used += size;
}

/** bytes_put_data - append @size bytes of @data, or that many zeros when it is NULL */
void bytes_put_data(struct bytes *bytes, const void *data, size_t size)
{
	if (size > bytes->size - bytes->used)
		abort();
	if (data)
		memcpy(bytes->data + bytes->used, data, size);
	else
		memset(bytes->data + bytes->used, 0, size);
	bytes->used += size;
}

/** bytes_patch - write a number over @size bytes at offset @at */
void bytes_patch(struct bytes *bytes, size_t at, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes->data[at + i] = (uint8_t)(value >> (8 * i));
}

/**
 * bytes_put_gas - append a Generic Address Structure (ACPI 6.5 section 5.2.3.2)
 * @space:   memory or I/O port
 * @width:   bits of the register
 * @offset:  bits before it
 * @access:  1 byte, 2 word, 3 double word, 4 quad word; never 0, which Linux refuses (drivers/acpi/apei/apei-base.c)
 * @address: physical address or port
 */
void bytes_put_gas(struct bytes *bytes, enum acpi_space space, unsigned int width,
		   unsigned int offset, unsigned int access, uint64_t address)
{
	bytes_put(bytes, space, 1);
	bytes_put(bytes, width, 1);
	bytes_put(bytes, offset, 1);
	bytes_put(bytes, access, 1);
	bytes_put(bytes, address, 8);
}

/**
 * acpi_begin - append a table header (ACPI 6.5 section 5.2.6); acpi_end() fills in length and checksum
 * @signature: four letters
 * @revision:  of the table
 *
 * Return: the header's length.
 */
size_t acpi_begin(struct bytes *bytes, const char *signature, unsigned int revision)
{
	bytes_put_data(bytes, signature, 4);
	bytes_put(bytes, 0, 4);
	bytes_put(bytes, revision, 1);
	bytes_put(bytes, 0, 1);
	bytes_put_data(bytes, "BRNELL", 6);
	bytes_put_data(bytes, "RIGHOST ", 8);
	bytes_put(bytes, 1, 4);
	bytes_put_data(bytes, "BRNL", 4);
	bytes_put(bytes, 1, 4);
	return bytes->used;
}

/** acpi_end - fill in the length and the checksum of the one table in @bytes */
void acpi_end(struct bytes *bytes)
{
	uint8_t sum = 0;

	bytes_patch(bytes, 4, bytes->used, 4);
	bytes_patch(bytes, 9, 0, 1);
	for (size_t i = 0; i < bytes->used; i++)
		sum = (uint8_t)(sum + bytes->data[i]);
	bytes_patch(bytes, 9, (uint8_t)-sum, 1);
}
