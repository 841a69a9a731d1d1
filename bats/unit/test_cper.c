// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: error status blocks, byte by byte against UEFI 2.10 appendix N and ACPI 6.5 section 18.3.2.7.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "harness/rig/firmware/acpi_table.h"
#include "harness/rig/firmware/cper.h"

#define DATA 20
#define SECTION (DATA + 72)

static uint64_t get(const uint8_t *data, size_t at, size_t size)
{
	uint64_t value = 0;

	while (size--)
		value = value << 8 | data[at + size];
	return value;
}

static size_t make(uint8_t block[static 512], const struct cper_record *record)
{
	struct bytes bytes = {.data = block, .size = 512};

	memset(block, 0xee, 512);
	cper_status_block(&bytes, record);
	return bytes.used;
}

static void test_corrected_memory(void **state)
{
	static const uint8_t type[] = {0x14, 0x11, 0xbc, 0xa5, 0x64, 0x6f, 0xde, 0x4e,
				       0xb8, 0x63, 0x3e, 0x83, 0xed, 0x7c, 0x83, 0xb1};
	const struct cper_record record = {.section = CPER_MEMORY,
					   .severity = CPER_CORRECTED,
					   .address_valid = true,
					   .address = 0x123456789ac0,
					   .mask = ~UINT64_C(0xfff),
					   .serial = 7};
	uint8_t block[512];

	(void)state;
	assert_int_equal(make(block, &record), SECTION + 80);
	assert_int_equal(get(block, 0, 4), 2 | 1 << 4);
	assert_int_equal(get(block, 12, 4), 72 + 80);
	assert_int_equal(get(block, 16, 4), 2);
	assert_memory_equal(block + DATA, type, sizeof(type));
	assert_int_equal(get(block, DATA + 16, 4), 2);
	assert_int_equal(get(block, DATA + 20, 2), 0x300);
	assert_int_equal(get(block, DATA + 24, 4), 80);
	assert_string_equal((char *)block + DATA + 44, "brinell 7");
	assert_true(get(block, SECTION, 8) & 1 << 1);
	assert_int_equal(get(block, SECTION + 16, 8), 0x123456789ac0);
	assert_int_equal(get(block, SECTION + 24, 8), ~UINT64_C(0xfff));
	assert_int_equal(block[SECTION + 72], 2); /* single-bit ECC */
}

static void test_recoverable_memory_without_address(void **state)
{
	const struct cper_record record = {.section = CPER_MEMORY, .severity = CPER_RECOVERABLE};
	uint8_t block[512];

	(void)state;
	make(block, &record);
	assert_int_equal(get(block, 0, 4), 1 | 1 << 4);
	assert_int_equal(get(block, 16, 4), 0);
	assert_false(get(block, SECTION, 8) & 1 << 1);
	assert_int_equal(block[SECTION + 72], 3); /* multi-bit ECC */
}

static void test_processor(void **state)
{
	const struct cper_record record = {
		.section = CPER_PROCESSOR, .severity = CPER_CORRECTED, .processor = 5};
	uint8_t block[512];

	(void)state;
	assert_int_equal(make(block, &record), SECTION + 192);
	assert_true(get(block, SECTION, 8) & 1 << 7);
	assert_int_equal(get(block, SECTION + 152, 8), 5);
}

static void test_pcie(void **state)
{
	const struct cper_record record = {.section = CPER_PCIE,
					   .severity = CPER_FATAL,
					   .sbdf = 0x01u << 24 | 0x23 << 16 | 0x1d << 11 | 6 << 8};
	uint8_t block[512];

	(void)state;
	assert_int_equal(make(block, &record), SECTION + 208);
	assert_int_equal(get(block, 16, 4), 1);
	assert_true(get(block, SECTION, 8) & 1 << 3);
	assert_int_equal(block[SECTION + 31], 6);
	assert_int_equal(block[SECTION + 32], 0x1d);
	assert_int_equal(get(block, SECTION + 33, 2), 1);
	assert_int_equal(block[SECTION + 35], 0x23);
	assert_int_equal(get(block, SECTION + 112 + 4, 4), 1 << 12); /* poisoned TLP */
	assert_int_equal(get(block, SECTION + 112 + 12, 4), 1 << 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corrected_memory),
		cmocka_unit_test(test_recoverable_memory_without_address),
		cmocka_unit_test(test_processor),
		cmocka_unit_test(test_pcie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
