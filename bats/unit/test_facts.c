// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the facts of a machine for the environment of a report.
 */
#include <sys/utsname.h>

#include "harness/host/change.h"
#include "harness/host/machine.h"

#include "bats/unit/fake_root.h"

static void a_machine_describes_itself(void **state)
{
	__cleanup_json json_t *facts = json_object();
	__cleanup_free char *config = NULL;
	struct utsname name;

	(void)state;
	uname(&name);
	config = format_text("/boot/config-%s", name.release);
	put("/proc/cpuinfo", "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) Gold 6338\n"
			     "microcode\t: 0xd0003b9\nflags\t\t: fpu vme\n\nprocessor\t: 1\n"
			     "model name\t: another\n");
	put("/sys/class/dmi/id/sys_vendor", "Dell Inc.\n");
	put("/sys/class/dmi/id/product_name", "PowerEdge R750\n");
	put("/sys/devices/system/memory/block_size_bytes", "8000000\n");
	put("/sys/devices/system/memory/memory0/state", "online\n");
	put("/sys/devices/system/memory/memory11/state", "offline\n");
	put("/sys/devices/system/node/online", "0-1\n");
	put("/sys/devices/system/cpu/smt/control", "off\n");
	put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver", "intel_pstate\n");
	put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n");
	put("/sys/devices/system/cpu/intel_pstate/no_turbo", "1\n");
	put("/sys/devices/system/cpu/vulnerabilities/spectre_v2", "Mitigation: IBRS\n");
	put("/sys/devices/system/cpu/vulnerabilities/meltdown", "Not affected\n");
	put("/sys/devices/system/cpu/vulnerabilities/mds", "Vulnerable\n");
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
	assert_string_equal(json_text(facts, "machine", ""), "Dell Inc. PowerEdge R750 ");
	assert_string_equal(json_text(facts, "platform", ""), "metal");
	assert_string_equal(json_text(facts, "memory", ""), "256 MiB");
	assert_string_equal(json_text(facts, "numa", ""), "0-1");
	assert_string_equal(json_text(facts, "smt", ""), "off");
	assert_string_equal(json_text(facts, "governor", ""), "intel_pstate performance, no turbo");
	assert_string_equal(json_text(facts, "mitigations", ""),
			    "mds: Vulnerable; spectre_v2: Mitigation: IBRS");
	for (size_t i = 0; machine_facts[i]; i++)
		assert_non_null(json_object_get(facts, machine_facts[i]));
}

static void assert_config(const char *path, const char *content, const char *sum)
{
	__cleanup_json json_t *facts = json_object();

	put(path, content);
	machine_add_facts(facts);
	assert_string_equal(json_text(facts, "config", ""), sum);
}

static void the_configuration_is_where_it_is(void **state)
{
	__cleanup_free char *boot = NULL;
	__cleanup_free char *modules = NULL;
	struct utsname name;

	(void)state;
	uname(&name);
	boot = format_text("/boot/config-%s", name.release);
	modules = format_text("/lib/modules/%s/config", name.release);
	assert_config("/proc/config.gz", "a", "crc32c c1d04330");
	assert_config(modules, "123456789", "crc32c e3069283");
	assert_config(boot, "a", "crc32c c1d04330");
}

static const char *platform(void)
{
	static char text[16];
	__cleanup_json json_t *facts = json_object();

	machine_add_facts(facts);
	snprintf(text, sizeof(text), "%s", json_text(facts, "platform", ""));
	return text;
}

static void guests_and_the_rig_are_no_metal(void **state)
{
	(void)state;
	put("/proc/cpuinfo", "flags\t\t: fpu hypervisor avx\n");
	assert_string_equal(platform(), "virtual");
	put("/proc/xen/capabilities", "control_d\n");
	assert_string_equal(platform(), "metal");
	put("/etc/brinell/rig", "");
	assert_string_equal(platform(), "emulated");
}

static void clean_machine(void)
{
	put("/proc/meminfo", "MemTotal: 1 kB\nHardwareCorrupted:     0 kB\n");
	put("/sys/devices/system/cpu/online", "0-1,4\n");
	put("/sys/devices/system/cpu/present", "0-1,4\n");
	/* A module from outside of the tree is no error. */
	put("/proc/sys/kernel/tainted", "12288\n");
	put("/sys/devices/system/cpu/cpu1/cpufreq/scaling_max_freq", "3000000\n");
	put("/sys/devices/system/cpu/cpu1/cpufreq/cpuinfo_max_freq", "3000000\n");
	put("/sys/devices/system/cpu/cpu2/thermal_throttle/core_throttle_count", "0\n");
}

static void bill_is(bool clean, const char *text)
{
	__cleanup_json json_t *bill = machine_clean_bill();

	assert_string_equal(json_text(bill, "text", ""), text);
	assert_int_equal(json_is_true(json_object_get(bill, "clean")), clean);
}

static void a_clean_machine_is_reported(void **state)
{
	(void)state;
	bill_is(true, "no taint by an error, no frequency capped, no fault since the boot");
	clean_machine();
	bill_is(true, "HardwareCorrupted 0 kB, processors online: 0-1,4, no taint by an error, no "
		      "frequency capped, no fault since the boot");
	/* Of two threads of each core one is off, as requested. */
	put("/sys/devices/system/cpu/present", "0-5\n");
	put("/sys/devices/system/cpu/smt/control", "off\n");
	bill_is(true, "HardwareCorrupted 0 kB, processors online: 0-1,4, no taint by an error, no "
		      "frequency capped, no fault since the boot");
}

static void residue_is_named(void **state)
{
	(void)state;
	clean_machine();
	put("/proc/meminfo", "HardwareCorrupted:     8 kB\n");
	bill_is(false, "HardwareCorrupted is 8 kB");
	clean_machine();
	put("/sys/devices/system/cpu/online", "0-1\n");
	bill_is(false, "processors online: 0-1, present: 0-1,4");
	clean_machine();
	put("/proc/sys/kernel/tainted", "528\n");
	bill_is(false, "the kernel is tainted by a machine check, the kernel is tainted by a "
		       "warning");
	clean_machine();
	put("/sys/devices/system/cpu/cpu1/cpufreq/scaling_max_freq", "800000\n");
	bill_is(false, "the frequency of 1 processors is capped");
	clean_machine();
	put("/sys/devices/system/cpu/cpu1/cpufreq/scaling_max_freq", "3000000\n");
	put("/sys/devices/system/cpu/cpu2/thermal_throttle/core_throttle_count", "3\n");
	bill_is(false, "1 processors were too hot since the boot");
	clean_machine();
	put("/run/brinell/inject.lock", "");
	change_note_fault(&(struct change){.dry_run = true});
	bill_is(true, "HardwareCorrupted 0 kB, processors online: 0-1,4, no taint by an error, no "
		      "frequency capped, no fault since the boot");
	change_note_fault(&(struct change){0});
	bill_is(false, "brinell injected a fault since the boot");
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
		WITH_ROOT(the_configuration_is_where_it_is),
		WITH_ROOT(guests_and_the_rig_are_no_metal),
		WITH_ROOT(a_clean_machine_is_reported),
		WITH_ROOT(residue_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
