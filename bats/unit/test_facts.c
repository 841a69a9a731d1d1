// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: what a machine tells about itself for the environment of a report.
 */
#include <sys/utsname.h>

#include "harness/host/machine.h"

#include "bats/unit/made_up_root.h"

static void a_machine_describes_itself(void **state)
{
	__cleanup_json json_t *facts = json_object();
	__cleanup_free char *config = NULL;
	struct utsname name;

	(void)state;
	uname(&name);
	config = format_text("/boot/config-%s", name.release);
	put("/proc/cpuinfo", "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) Gold 6338\n"
			     "microcode\t: 0xd0003b9\n\nprocessor\t: 1\nmodel name\t: another\n");
	put("/proc/cmdline", "root=/dev/sda1 quiet\n");
	put("/sys/class/dmi/id/bios_vendor", "Intel\n");
	put("/sys/class/dmi/id/bios_date", "04/01/2026\n");
	/* The check value of CRC-32C. */
	put(config, "123456789");
	machine_add_facts(facts);
	assert_string_equal(json_text(facts, "cpu", ""), "Intel(R) Xeon(R) Gold 6338");
	assert_string_equal(json_text(facts, "microcode", ""), "0xd0003b9");
	assert_string_equal(json_text(facts, "cmdline", ""), "root=/dev/sda1 quiet");
	assert_string_equal(json_text(facts, "bios", ""), "Intel  04/01/2026");
	assert_string_equal(json_text(facts, "config", ""), "crc32c e3069283");
}

static void what_a_machine_lacks_is_left_out(void **state)
{
	__cleanup_json json_t *facts = json_object();

	(void)state;
	machine_add_facts(facts);
	assert_int_equal(json_object_size(facts), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ROOT(a_machine_describes_itself),
		WITH_ROOT(what_a_machine_lacks_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
