// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the EINJ, trigger and HEST tables are read back by a reader of their own, which knows the layout from the
 * ACPI specification and applies the rules by which Linux accepts a table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "harness/rig/firmware/acpi_table.h"

#define REGION 0x70000000u

struct read_entry {
	uint8_t action, instruction, flags, space, width, offset, access;
	uint64_t address, value, mask;
};

static uint64_t get(const uint8_t *data, size_t at, size_t size)
{
	uint64_t value = 0;

	while (size--)
		value = value << 8 | data[at + size];
	return value;
}

static size_t make(uint8_t data[static 4096], unsigned int revision)
{
	struct bytes bytes = {.data = data, .size = 4096};

	acpi_einj_table(&bytes, REGION, revision);
	return bytes.used;
}

static void read_entry(const uint8_t *data, struct read_entry *entry)
{
	*entry = (struct read_entry){
		.action = data[0],
		.instruction = data[1],
		.flags = data[2],
		.space = data[4],
		.width = data[5],
		.offset = data[6],
		.access = data[7],
		.address = get(data, 8, 8),
		.value = get(data, 16, 8),
		.mask = get(data, 24, 8),
	};
}

/* The @nth entry of an action in a table, or fails. */
static struct read_entry find(const uint8_t *data, uint8_t action, unsigned int nth)
{
	size_t count = get(data, 44, 4);
	struct read_entry entry;

	for (size_t i = 0; i < count; i++) {
		read_entry(data + 48 + 32 * i, &entry);
		if (entry.action == action && !nth--)
			return entry;
	}
	fail_msg("no entry for action %#x", action);
	return entry;
}

static void check_header(const uint8_t *data, size_t length, const char *signature)
{
	uint8_t sum = 0;

	assert_memory_equal(data, signature, 4);
	assert_int_equal(get(data, 4, 4), length);
	for (size_t i = 0; i < length; i++)
		sum = (uint8_t)(sum + data[i]);
	assert_int_equal(sum, 0);
}

static void test_header(void **state)
{
	uint8_t data[4096];

	(void)state;
	for (unsigned int revision = 1; revision <= 2; revision++) {
		size_t length = make(data, revision);

		check_header(data, length, "EINJ");
		assert_int_equal(data[8], revision);
		assert_int_equal(get(data, 36, 4), 48);
		assert_int_equal(length, 48 + 32 * get(data, 44, 4));
	}
}

/* Linux (apei_check_gar()): a register in memory or I/O space, an access size, and a width that fits into it. */
static void test_registers_are_acceptable(void **state)
{
	uint8_t data[4096];
	struct read_entry entry;

	(void)state;
	make(data, 2);
	for (size_t i = 0; i < get(data, 44, 4); i++) {
		read_entry(data + 48 + 32 * i, &entry);
		assert_true(entry.space <= 1);
		assert_in_range(entry.access, 1, 4);
		assert_true(entry.width + entry.offset <= 8u << (entry.access - 1));
		assert_true(entry.instruction <= 3);
		assert_int_not_equal(entry.address, 0);
		if (entry.space == 0)
			assert_in_range(entry.address, REGION,
					REGION + FIRMWARE_REGION_MINIMUM - 8);
	}
}

static void test_execute_rings_after_busy(void **state)
{
	uint8_t data[4096];
	struct read_entry busy, bell, check;

	(void)state;
	make(data, 1);
	busy = find(data, 5, 0);
	bell = find(data, 5, 1);
	check = find(data, 6, 0);
	assert_int_equal(busy.instruction, 3);
	assert_int_equal(busy.space, 0);
	assert_int_equal(busy.value, 1);
	assert_int_equal(bell.instruction, 3);
	assert_int_equal(bell.space, 1);
	assert_int_equal(bell.address, 0x0b80);
	assert_int_equal(bell.value, 0x45);
	assert_int_equal(bell.width, 8);
	assert_int_equal(check.instruction, 1);
	assert_int_equal(check.address, busy.address);
	assert_int_equal(check.value, 1);
	assert_int_equal(check.mask, 1);
}

static void test_status_is_in_bits_8_to_1(void **state)
{
	uint8_t data[4096];
	struct read_entry entry;

	(void)state;
	make(data, 1);
	entry = find(data, 7, 0);
	assert_int_equal(entry.offset, 1);
	assert_int_equal(entry.mask, 0xff);
}

static void test_every_standard_action(void **state)
{
	static const uint8_t actions[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
	uint8_t data[4096];

	(void)state;
	make(data, 1);
	for (size_t i = 0; i < sizeof(actions); i++)
		(void)find(data, actions[i], 0);
	/* Linux looks for exactly this to find the parameters (einj_get_parameter_address()). */
	assert_int_equal(find(data, 8, 0).instruction, 2);
	assert_int_equal(find(data, 8, 0).address, REGION + 0x1000);
}

static void test_version_2_actions(void **state)
{
	uint8_t data[4096];
	size_t first = make(data, 1), second;

	(void)state;
	second = make(data, 2);
	assert_int_equal(second, first + 64);
	assert_int_equal(find(data, 0x10, 0).instruction, 2);
	assert_int_equal(find(data, 0x11, 0).instruction, 0);
}

/* einj_check_trigger_header() */
static void test_trigger_table(void **state)
{
	uint8_t data[64];
	struct bytes bytes = {.data = data, .size = sizeof(data)};
	struct read_entry entry;

	(void)state;
	acpi_einj_trigger(&bytes);
	assert_int_equal(get(data, 0, 4), 16);
	assert_int_equal(get(data, 8, 4), bytes.used);
	assert_int_equal(get(data, 12, 4), (bytes.used - 16) / 32);
	read_entry(data + 16, &entry);
	assert_int_equal(entry.action, 0xff);
	assert_int_equal(entry.instruction, 3);
	assert_int_equal(entry.space, 1);
	assert_int_equal(entry.address, 0x0b80);
	assert_int_equal(entry.value, 0x54);
}

static void test_hest(void **state)
{
	uint8_t data[256];
	struct bytes bytes = {.data = data, .size = sizeof(data)};

	(void)state;
	acpi_hest_table(&bytes, REGION);
	check_header(data, bytes.used, "HEST");
	assert_int_equal(get(data, 36, 4), 1);
	assert_int_equal(bytes.used, 40 + 64);
	assert_int_equal(get(data, 40, 2), 9); /* generic hardware error source */
	assert_int_equal(data[47], 1);	       /* enabled */
	assert_int_equal(get(data, 56, 4), 0x1000);
	assert_int_equal(get(data, 64, 8), REGION + 0x80);
	assert_int_equal(data[72], 1); /* external interrupt */
	assert_int_equal(data[73], 28);
	assert_int_equal(get(data, 80, 4), 10); /* its number */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_registers_are_acceptable),
		cmocka_unit_test(test_execute_rings_after_busy),
		cmocka_unit_test(test_status_is_in_bits_8_to_1),
		cmocka_unit_test(test_every_standard_action),
		cmocka_unit_test(test_version_2_actions),
		cmocka_unit_test(test_trigger_table),
		cmocka_unit_test(test_hest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
