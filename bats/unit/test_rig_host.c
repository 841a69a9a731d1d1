// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a rig host is started with: profiles, QEMU's command line, the kernel's, and the directories
 * of rigs that are up or dead.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/rig/image/image.h"
#include "harness/rig/host/supervisor.h"
#include "harness/rig/host/bochs.h"
#include "harness/rig/host/qemu.h"

#include <cmocka.h>

static struct reason why;

static void test_profiles(void **state)
{
	(void)state;
	assert_ptr_equal(rig_profile_find(NULL), rig_profile_find("intel"));
	assert_null(rig_profile_find("none"));
	for (const struct rig_profile *const *profile = rig_profiles; *profile; profile++) {
		assert_ptr_equal(rig_profile_find((*profile)->name), *profile);
		assert_true((*profile)->memory_mib >= RIG_MEMORY_MIN_MIB);
		assert_true((*profile)->memory_mib <= RIG_MEMORY_MAX_MIB);
		assert_true((*profile)->processors > 0);
		assert_in_range((*profile)->hosts, 1, 2);
		/* What is started must be waited for, and the other way round. */
		assert_int_equal((*profile)->start != NULL, (*profile)->ready != NULL);
		assert_non_null((*profile)->modules);
		/* A hypervisor is of the packages, and so is what an agent is built with. */
		assert_int_equal((*profile)->hypervisor_arguments != NULL,
				 (*profile)->system && (*profile)->system->hypervisor);
		assert_true(!(*profile)->agent_sources || (*profile)->system->sysroot);
		/* The longest socket below it must fit into an address. */
		assert_true(strlen((*profile)->name) <= 16);
	}
}

static const char *value_of(char **arguments, const char *option)
{
	for (; *arguments; arguments++)
		if (strcmp(*arguments, option) == 0)
			return arguments[1];
	return NULL;
}

static char **command_line(bool counted)
{
	char *firmware[] = {"-acpitable", "file=einj.bin", NULL};

	return qemu_arguments(&(struct qemu_config){
		.program = "/usr/bin/qemu-system-x86_64",
		.profile = rig_profile_find("intel"),
		.memory_mib = 1024,
		.processors = 3,
		.ram = "/ram",
		.disk = "/disk",
		.kernel = "/k",
		.initramfs = "/i",
		.arguments = "a b",
		.qmp = "/q",
		.agent = "/a",
		.firmware = firmware,
		.counted = counted,
	});
}

static void test_command_line(void **state)
{
	char **arguments = command_line(false);

	(void)state;
	assert_string_equal(arguments[0], "/usr/bin/qemu-system-x86_64");
	assert_string_equal(value_of(arguments, "-m"), "1024");
	assert_string_equal(value_of(arguments, "-smp"), "3");
	assert_string_equal(value_of(arguments, "-kernel"), "/k");
	assert_string_equal(value_of(arguments, "-initrd"), "/i");
	assert_string_equal(value_of(arguments, "-append"), "a b");
	assert_string_equal(value_of(arguments, "-acpitable"), "file=einj.bin");
	assert_non_null(strstr(value_of(arguments, "-object"), "mem-path=/ram,share=on"));
	assert_non_null(strstr(value_of(arguments, "-accel"), "thread=single"));
	assert_null(value_of(arguments, "-icount"));
	assert_string_equal(value_of(arguments, "-blockdev"),
			    "driver=file,node-name=scratch,filename=/disk");
	assert_non_null(value_of(arguments, "-no-reboot"));
	qemu_arguments_free(arguments);
}

static void test_disk_and_pair(void **state)
{
	struct qemu_config config = {
		.program = "q",
		.profile = rig_profile_find("kvm-pair"),
		.memory_mib = 2048,
		.processors = 1,
		.ram = "/ram",
		.disk = "/disk",
		.kernel = "/k",
		.initramfs = "/i",
		.system = "/disk",
		.link = "/run/a/link",
		.host_number = 2,
		.arguments = "a",
		.qmp = "/q",
		.agent = "/a",
	};
	__cleanup_free char *kernel =
		qemu_kernel_arguments(config.profile, 2048, 2, NULL, false, false, NULL);
	char **arguments = qemu_arguments(&config);
	const char *network = value_of(arguments, "-netdev");

	(void)state;
	assert_non_null(strstr(kernel, " brinell.host=2 "));
	assert_non_null(strstr(value_of(arguments, "-accel"), "thread=multi"));
	assert_non_null(network);
	/* Each one's own socket is the other one's remote. */
	assert_non_null(strstr(network, "local.path=/run/a/link.2"));
	assert_non_null(strstr(network, "remote.path=/run/a/link.1"));
	qemu_arguments_free(arguments);
	config.link = NULL;
	config.host_number = 0;
	arguments = qemu_arguments(&config);
	assert_null(value_of(arguments, "-netdev"));
	qemu_arguments_free(arguments);
}

static void test_hypervisor_boots_below_the_kernel(void **state)
{
	struct qemu_config config = {
		.program = "q",
		.profile = rig_profile_find("xen"),
		.memory_mib = 2048,
		.processors = 1,
		.ram = "/ram",
		.disk = "/disk",
		.kernel = "/k",
		.initramfs = "/i",
		.hypervisor = "/x",
		.system = "/disk",
		.arguments = "a=1,2",
		.qmp = "/q",
		.agent = "/a",
	};
	__cleanup_free char *kernel =
		qemu_kernel_arguments(config.profile, 2048, 0, NULL, false, false, NULL);
	char **arguments = qemu_arguments(&config);

	(void)state;
	assert_non_null(strstr(kernel, "console=hvc0 "));
	/* Pseudo-physical addresses of the first domain are not those of the firmware's region. */
	assert_null(strstr(kernel, "memmap="));
	assert_string_equal(value_of(arguments, "-kernel"), "/x");
	assert_string_equal(value_of(arguments, "-initrd"), "/k a=1,,2,/i");
	assert_non_null(strstr(value_of(arguments, "-append"), "dom0_mem="));
	for (char **word = arguments; *word; word++)
		if (strncmp(*word, "virtio-", 7) == 0)
			assert_non_null(strstr(*word, ",iommu_platform=on"));
	qemu_arguments_free(arguments);
}

/* What the user adds to the command line reaches the kernel as it is, whatever the loader's language makes of such characters. */
static void test_menu_of_bochs(void **state)
{
	const struct bochs_config config = {.profile = rig_profile_find("xen-ept"),
					    .arguments = "a=$x;b 'c' \"d\" {e} #f"};
	__cleanup_free char *menu = bochs_menu(&config, (const int64_t[]){2 * 512, 3 * 512 - 1, 1});

	(void)state;
	assert_non_null(
		strstr(menu, "\nmultiboot (hd0)2048+2 console\\=com1 com1\\=115200\\,8n1 "));
	assert_non_null(
		strstr(menu, "\nmodule (hd0)2050+3 a\\=\\$x\\;b \\'c\\' \\\"d\\\" \\{e\\} \\#f\n"));
	assert_non_null(strstr(menu, "\nmodule (hd0)2053+1 \nboot\n"));
}

static void test_old_qemu_gets_one_processor(void **state)
{
	(void)state;
	log_level_set(3);
	assert_int_equal(rig_processors(2, 702), 1);
	assert_int_equal(rig_processors(2, 800), 1);
	assert_int_equal(rig_processors(2, 801), 2);
	assert_int_equal(rig_processors(4, 1000), 4);
	assert_int_equal(rig_processors(1, 702), 1);
	log_level_set(6);
}

/* What is counted is one number, and no time of this machine reaches the host. */
static void test_counted_clock(void **state)
{
	char **arguments = command_line(true);

	(void)state;
	assert_non_null(strstr(value_of(arguments, "-accel"), "thread=single"));
	assert_non_null(strstr(value_of(arguments, "-icount"), "sleep=off"));
	assert_non_null(strstr(value_of(arguments, "-rtc"), "clock=vm"));
	assert_non_null(value_of(arguments, "-seed"));
	qemu_arguments_free(arguments);
}

static void test_kernel_arguments(void **state)
{
	const struct rig_profile *intel = rig_profile_find("intel");
	__cleanup_free char *plain =
		qemu_kernel_arguments(intel, 2048, 0, NULL, false, false, NULL);
	__cleanup_free char *more =
		qemu_kernel_arguments(intel, 1024, 0, "once", true, true, "x=y");

	(void)state;
	assert_non_null(strstr(plain, "memmap=1M$0x70000000 "));
	assert_non_null(strstr(plain, "panic=-1"));
	assert_non_null(strstr(plain, "intel_iommu=on"));
	assert_non_null(strstr(plain, " loglevel=4"));
	assert_null(strstr(plain, "brinell.shell"));
	assert_null(strstr(plain, "nokaslr"));
	assert_non_null(strstr(more, " nokaslr norandmaps"));
	assert_non_null(strstr(more, "memmap=1M$0x30000000 "));
	assert_non_null(strstr(more, " brinell.shell=once x=y"));
	assert_null(strstr(more, "loglevel"));
	for (unsigned int memory = RIG_MEMORY_MIN_MIB; memory <= RIG_MEMORY_MAX_MIB; memory++)
		assert_true(qemu_firmware_region(memory) + QEMU_FIRMWARE_REGION_SIZE <
			    (uint64_t)memory << 20);
}

static void test_bad_options_start_nothing(void **state)
{
	static const struct rig_options bad[] = {
		{.profile = "none"},
		{.profile = "xen", .counts_instructions = true},
		{.profile = "intel", .host_number = 1},
		{.profile = "kvm", .host_number = 2, .link = "/l"},
		{.profile = "kvm-pair"},
		{.profile = "kvm-pair", .host_number = 3, .link = "/l"},
		{.profile = "kvm-pair", .host_number = 2},
		{.profile = "kvm-pair", .host_number = 1, .link = "/l"},
		{.memory_mib = RIG_MEMORY_MIN_MIB - 1},
		{.memory_mib = RIG_MEMORY_MAX_MIB + 1},
		{.processors = 65},
		{.einj_revision = 3},
		{.modules = "/tmp"},
	};
	struct rig *rig = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		why.text[0] = '\0';
		assert_int_equal(rig_start(&bad[i], &rig, &why), -EINVAL);
		assert_null(rig);
		assert_true(strlen(why.text) > 10);
	}
}

static void test_no_qemu(void **state)
{
	__cleanup_free char *before = strdup(getenv("PATH"));
	char *path = NULL;
	unsigned int version;

	(void)state;
	setenv("PATH", "/nonexistent", 1);
	assert_int_equal(rig_find_qemu(&path, &version, &why), -ENOENT);
	setenv("PATH", before, 1);
	assert_non_null(strstr(why.text, "qemu-system-x86"));
	assert_non_null(strstr(why.text, "./setup"));
}

static void test_dead_rigs_are_distinguished_from_running_ones(void **state)
{
	char home[] = "/tmp/brinell-test-XXXXXX";
	__cleanup_free char *alive = NULL;
	__cleanup_free char *dead = NULL;
	struct rig_state *states;
	struct rig *rig = NULL;
	unsigned int removed;
	int lock, dead_lock;
	size_t count;

	(void)state;
	assert_non_null(mkdtemp(home));
	setenv("XDG_RUNTIME_DIR", home, 1);
	assert_int_equal(rig_directory_create("intel", &alive, &lock, &why), 0);
	assert_int_equal(rig_directory_create("intel", &dead, &dead_lock, &why), 0);
	assert_string_not_equal(alive, dead);
	close(dead_lock);
	assert_int_equal(rig_state_list(&states, &count, &why), 0);
	assert_int_equal(count, 2);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(states[i].alive, strcmp(states[i].directory, alive) == 0);
	rig_state_list_free(states, count);
	assert_int_equal(rig_state_clean(&removed, &why), 0);
	assert_int_equal(removed, 1);
	assert_int_equal(access(alive, F_OK), 0);
	assert_int_equal(access(dead, F_OK), -1);
	/* It has no supervisor that could be talked to, and is not detached. */
	assert_int_equal(rig_connect("intel", &rig, &why), -ENOENT);
	close(lock);
	image_remove_tree(home, NULL);
	unsetenv("XDG_RUNTIME_DIR");
}

static void test_foreign_runtime_directory_is_refused(void **state)
{
	char home[] = "/tmp/brinell-test-XXXXXX";
	__cleanup_free char *directory = NULL;
	__cleanup_free char *path = NULL;

	(void)state;
	assert_non_null(mkdtemp(home));
	directory = format_text("%s/brinell", home);
	setenv("XDG_RUNTIME_DIR", home, 1);
	assert_int_equal(mkdir(directory, 0700), 0);
	assert_int_equal(chmod(directory, 0777), 0);
	assert_int_equal(rig_runtime_directory(&path, &why), -EPERM);
	image_remove_tree(home, NULL);
	unsetenv("XDG_RUNTIME_DIR");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_profiles),
		cmocka_unit_test(test_command_line),
		cmocka_unit_test(test_disk_and_pair),
		cmocka_unit_test(test_hypervisor_boots_below_the_kernel),
		cmocka_unit_test(test_menu_of_bochs),
		cmocka_unit_test(test_old_qemu_gets_one_processor),
		cmocka_unit_test(test_counted_clock),
		cmocka_unit_test(test_kernel_arguments),
		cmocka_unit_test(test_bad_options_start_nothing),
		cmocka_unit_test(test_no_qemu),
		cmocka_unit_test(test_dead_rigs_are_distinguished_from_running_ones),
		cmocka_unit_test(test_foreign_runtime_directory_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
