// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the injectors against fake machines: what is written in which order, that sticky state comes back
 * whatever fails, what is refused before anything is written, and what the probes find missing. Nothing real is touched.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "inject/einj.h"
#include "inject/injector.h"
#include "harness/host/machine.h"
#include "bats/unit/fake_root.h"

#define MCE_DIRECTORY "/sys/kernel/debug/mce-inject"
#define HWPOISON_DIRECTORY "/sys/kernel/debug/hwpoison"

static void drop(const char *path)
{
	char whole[512];

	snprintf(whole, sizeof(whole), "%s%s", root, path);
	assert_int_equal(unlink(whole), 0);
}

/* The kernel ends what it shows by a newline. */
static void assert_line(const char *path, const char *expected)
{
	__cleanup_free char *text = content(path);

	text[strcspn(text, "\n")] = '\0';
	if (strcmp(text, expected) != 0)
		fail_msg("%s holds '%s' instead of '%s'", path, text, expected);
}

/* Readable as any file, but every write fails with EIO: /proc/version. */
static void break_writes(const char *path)
{
	char whole[512];

	snprintf(whole, sizeof(whole), "%s%s", root, path);
	unlink(whole);
	assert_int_equal(symlink("/proc/version", whole), 0);
}

static const struct {
	const char *name, *before;
} einj_files[] = {
	{"error_type", "0x8"}, {"flags", "0x1"},     {"param1", "0xabc000"}, {"param2", "0x123"},
	{"param3", "0x7"},     {"param4", "0x9000"}, {"notrigger", "0x1"},
};

static void make_einj_machine(void)
{
	char path[128];
	char record[512];

	/* Freshly booted: nothing is left in /run. */
	snprintf(record, sizeof(record), "%s" CHANGE_DIRECTORY "/inject.state", root);
	unlink(record);
	put_expendable();
	put("/sys/firmware/acpi/tables/EINJ", "EINJ");
	put("/sys/module/einj/initstate", "live");
	put("/proc/mounts", "debugfs /sys/kernel/debug debugfs rw 0 0\n");
	put("/proc/iomem", "00001000-0009ffff : System RAM\n"
			   "00100000-7fffffff : System RAM\n"
			   "  01000000-01ffffff : Kernel code\n"
			   "80000000-800fffff : Reserved\n"
			   "fee00000-fee00fff : Local APIC\n");
	put(EINJ_DIRECTORY "/available_error_type",
	    "0x00000008\tMemory Correctable\n0x00000010\tMemory Uncorrectable non-fatal\n"
	    "0x00000001\tProcessor Correctable\n0x00000040\tPCI Express Correctable\n"
	    "V2_0x00000002\tEINJV2 Memory Error\n");
	put(EINJ_DIRECTORY "/error_inject", "");
	for (size_t i = 0; i < ARRAY_SIZE(einj_files); i++) {
		snprintf(path, sizeof(path), EINJ_DIRECTORY "/%s", einj_files[i].name);
		put(path, einj_files[i].before);
	}
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), EINJ_DIRECTORY "/component_id%d", i);
		put(path, "ffffffffffffffffffffffffffffffff\n");
		snprintf(path, sizeof(path), EINJ_DIRECTORY "/component_syndrome%d", i);
		put(path, "00000000000000000000000000000005\n");
	}
}

static void make_mce_machine(void)
{
	put_expendable();
	put("/sys/devices/system/cpu/cpu0/topology/core_id", "0");
	put("/sys/devices/system/cpu/cpu1/online", "0\n");
	put("/proc/mounts", "debugfs /sys/kernel/debug debugfs rw 0 0\n");
	put("/sys/module/mce_inject/initstate", "live");
	put(MCE_DIRECTORY "/cpu", "3\n");
	put(MCE_DIRECTORY "/bank", "1\n");
	put(MCE_DIRECTORY "/flags", "th\n");
	put(MCE_DIRECTORY "/status", "10\n");
	put(MCE_DIRECTORY "/addr", "99\n");
	put(MCE_DIRECTORY "/misc", "8c\n");
	put(MCE_DIRECTORY "/synd", "0\n");
	put("/sys/kernel/debug/mce/fake_panic", "0\n");
}

static void make_hwpoison_machine(void)
{
	make_einj_machine();
	put("/sys/module/hwpoison_inject/initstate", "live");
	put("/sys/devices/system/memory/hard_offline_page", "");
	put("/sys/devices/system/memory/soft_offline_page", "");
	put(HWPOISON_DIRECTORY "/corrupt-pfn", "");
	put(HWPOISON_DIRECTORY "/unpoison-pfn", "");
	put(HWPOISON_DIRECTORY "/corrupt-filter-enable", "1\n");
	put(HWPOISON_DIRECTORY "/corrupt-filter-dev-major", "8\n");
	put(HWPOISON_DIRECTORY "/corrupt-filter-dev-minor", "1\n");
	put(HWPOISON_DIRECTORY "/corrupt-filter-flags-mask", "4095\n");
	put(HWPOISON_DIRECTORY "/corrupt-filter-flags-value", "4\n");
}

static int open_injection(struct injection *injection, const char *name, const char *arguments,
			  bool dry_run, struct reason *why)
{
	__cleanup_json json_t *given = json_loads(arguments, 0, NULL);

	assert_non_null(given);
	*why = (struct reason){0};
	return injection_open(injection, injector_find(name), given, dry_run, why);
}

static int prepare_only(const char *name, const char *arguments, struct reason *why)
{
	struct injection injection;
	int error;

	assert_int_equal(open_injection(&injection, name, arguments, false, why), 0);
	error = injection.injector->prepare(&injection, why);
	if (!error)
		injection.injector->restore(&injection, NULL);
	injection_close(&injection);
	return error;
}

static void refuse(const char *name, const char *arguments, int error, const char *message)
{
	struct reason why;
	int got = prepare_only(name, arguments, &why);

	if (got != error || !strstr(why.text, message))
		fail_msg("%s %s: %s '%s' instead of %s '%s'", name, arguments,
			 got ? error_name(got) : "no error", why.text, error_name(error), message);
}

static const char *const MEMORY =
	"{\"type\":\"memory-uncorrectable-nonfatal\",\"address\":\"0x5000400\",\"notrigger\":true}";

static void assert_einj_untouched(void)
{
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(einj_files); i++) {
		snprintf(path, sizeof(path), EINJ_DIRECTORY "/%s", einj_files[i].name);
		assert_line(path, einj_files[i].before);
	}
	assert_line(EINJ_DIRECTORY "/component_id0", "ffffffffffffffffffffffffffffffff");
}

static void einj_sets_whole_and_restores(void **state)
{
	struct injection injection;
	struct reason why;

	(void)state;
	make_einj_machine();
	assert_int_equal(open_injection(&injection, "einj", MEMORY, false, &why), 0);
	assert_int_equal(injection.injector->prepare(&injection, &why), 0);
	assert_line(EINJ_DIRECTORY "/error_type", "0x10");
	assert_line(EINJ_DIRECTORY "/flags", "0x2");
	assert_line(EINJ_DIRECTORY "/param1", "0x5000400");
	assert_line(EINJ_DIRECTORY "/param2", "0xfffffffffffff000");
	assert_line(EINJ_DIRECTORY "/param3", "0x0");
	assert_line(EINJ_DIRECTORY "/param4", "0x0");
	assert_line(EINJ_DIRECTORY "/notrigger", "1");
	assert_line(EINJ_DIRECTORY "/error_inject", "");
	assert_int_equal(injection.injector->fire(&injection, &why), 0);
	assert_line(EINJ_DIRECTORY "/error_inject", "1");
	assert_true(json_is_integer(json_object_get(injection.result, "duration_ns")));
	assert_int_equal(injection.injector->restore(&injection, &why), 0);
	assert_einj_untouched();
	injection_close(&injection);
}

/* Whichever file refuses, all that were set before it are put back. */
static void einj_restores_after_every_failure(void **state)
{
	char path[128];

	(void)state;
	for (size_t broken = 0; broken < ARRAY_SIZE(einj_files); broken++) {
		struct reason why;

		make_einj_machine();
		snprintf(path, sizeof(path), EINJ_DIRECTORY "/%s", einj_files[broken].name);
		break_writes(path);
		assert_int_equal(prepare_only("einj", MEMORY, &why), -EIO);
		assert_non_null(strstr(why.text, path));
		drop(path);
		put(path, einj_files[broken].before);
		assert_einj_untouched();
	}
}

static void einj_restores_after_a_failed_fire(void **state)
{
	struct injection injection;
	struct reason why;

	(void)state;
	make_einj_machine();
	break_writes(EINJ_DIRECTORY "/error_inject");
	assert_int_equal(open_injection(&injection, "einj", MEMORY, false, &why), 0);
	assert_int_equal(injection.injector->prepare(&injection, &why), 0);
	assert_int_equal(injection.injector->fire(&injection, &why), -EIO);
	assert_non_null(strstr(why.text, "trigger table"));
	assert_int_equal(injection.injector->restore(&injection, &why), 0);
	assert_einj_untouched();
	injection_close(&injection);
}

static void v2_writes_components_as_lines(void **state)
{
	struct injection injection;
	struct reason why;

	(void)state;
	make_einj_machine();
	assert_int_equal(
		open_injection(&injection, "einj",
			       "{\"type\":\"v2-memory\",\"address\":\"0x5000000\","
			       "\"component-id\":[\"0x12\"],\"component-syndrome\":[\"a\"]}",
			       false, &why),
		0);
	assert_int_equal(injection.injector->prepare(&injection, &why), 0);
	assert_line(EINJ_DIRECTORY "/error_type", "V2_0x2");
	assert_line(EINJ_DIRECTORY "/component_id0", "12");
	assert_line(EINJ_DIRECTORY "/component_syndrome0", "a");
	/* The entry behind the last one is made invalid by an empty line. */
	assert_line(EINJ_DIRECTORY "/component_id1", "");
	assert_int_equal(injection.injector->restore(&injection, &why), 0);
	assert_line(EINJ_DIRECTORY "/component_id0", "ffffffffffffffffffffffffffffffff");
	assert_line(EINJ_DIRECTORY "/component_syndrome0", "00000000000000000000000000000005");
	assert_line(EINJ_DIRECTORY "/component_id1", "ffffffffffffffffffffffffffffffff");
	injection_close(&injection);
}

static void einj_refuses_with_the_cause(void **state)
{
	(void)state;
	make_einj_machine();
	refuse("einj", "{\"type\":\"memory-correctable\"}", -EINVAL, "needs an address");
	refuse("einj", "{\"type\":\"memory-correctable\",\"address\":\"0xfee00000\"}", -EINVAL,
	       "no RAM");
	refuse("einj",
	       "{\"type\":\"memory-correctable\",\"address\":\"0x5000000\","
	       "\"mask\":\"0xffffffffffe00000\"}",
	       -EINVAL, "more than a page");
	refuse("einj", "{\"type\":\"memory-uncorrectable-fatal\",\"address\":\"0x5000000\"}",
	       -EINVAL, "does not offer");
	refuse("einj", "{\"type\":\"processor-correctable\",\"flags\":\"0x10\"}", -EINVAL,
	       "flags 0x10");
	refuse("einj", "{\"type\":\"processor-correctable\",\"flags\":\"0x100000001\"}", -EINVAL,
	       "flags 0x100000001");
	refuse("einj", "{\"type\":\"pcie-correctable\",\"sbdf\":\"4.0\"}", -EINVAL, "sbdf");
	refuse("einj", "{\"type\":\"vendor\"}", -EINVAL, "vendor-type");
	refuse("einj", "{\"type\":\"processor-correctable\",\"component-id\":[\"1\"]}", -EINVAL,
	       "v2 types");
	refuse("einj",
	       "{\"type\":\"v2-memory\",\"address\":\"0x5000000\",\"component-id\":[\"xyz\"]}",
	       -EINVAL, "hexadecimal");
	put("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	refuse("einj", MEMORY, -EPERM, "locked down");
	drop("/sys/kernel/security/lockdown");
	drop(EINJ_DIRECTORY "/param1");
	refuse("einj", MEMORY, -ENOENT, "takes no address");
	drop("/sys/firmware/acpi/tables/EINJ");
	refuse("einj", MEMORY, -ENODEV, "BIOS");
	assert_line(EINJ_DIRECTORY "/error_type", "0x8");
}

static void zero_page_and_poison_are_seen_before(void **state)
{
	uint64_t flags[16] = {[3] = 1ull << PAGE_FLAG_ZERO_PAGE, [4] = 1ull << PAGE_FLAG_HWPOISON};
	char whole[128];
	FILE *file;

	(void)state;
	make_hwpoison_machine();
	put("/proc/kpageflags", "");
	snprintf(whole, sizeof(whole), "%s/proc/kpageflags", root);
	file = fopen(whole, "w");
	fwrite(flags, sizeof(flags), 1, file);
	fclose(file);
	refuse("einj", "{\"type\":\"memory-correctable\",\"address\":\"0x3040\"}", -EADDRINUSE,
	       "zero page");
	refuse("hwpoison", "{\"method\":\"corrupt-pfn\",\"pfn\":\"3\"}", -EADDRINUSE, "zero page");
	refuse("hwpoison", "{\"method\":\"corrupt-pfn\",\"pfn\":\"4\"}", -EHWPOISON, "already");
	refuse("hwpoison", "{\"method\":\"unpoison-pfn\",\"pfn\":\"5\"}", -EINVAL, "not poisoned");
}

static void every_errno_has_its_own_text(void **state)
{
	static const int errors[] = {-EBUSY, -EINVAL, -EIO,    -EADDRINUSE, -ENOENT,
				     -EPERM, -ENODEV, -ENOMEM, -E2BIG};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(einj_explain(errors[i], 0),
						einj_explain(errors[j], 0));
	assert_non_null(strstr(einj_explain(-EBUSY, 0), "command status 1"));
	assert_non_null(strstr(einj_explain(-EINVAL, 0), "command status 2"));
	/* The same errno after the second that the kernel waits is another cause. */
	assert_non_null(strstr(einj_explain(-EIO, NSEC_PER_SEC), "did not respond in time"));
	assert_null(strstr(einj_explain(-EIO, NSEC_PER_MSEC), "did not respond in time"));
}

static void functions_are_read_as_acpi_specifies(void **state)
{
	uint64_t sbdf;

	(void)state;
	assert_int_equal(einj_parse_sbdf("0000:00:04.0", &sbdf), 0);
	assert_int_equal(sbdf, 0x2000);
	assert_int_equal(einj_parse_sbdf("01:ff:1f.7", &sbdf), 0);
	assert_int_equal(sbdf, 0x01ffff00);
	assert_int_equal(einj_parse_sbdf("0x2000", &sbdf), 0);
	assert_int_equal(sbdf, 0x2000);
	assert_int_equal(einj_parse_sbdf("0000:00:20.0", &sbdf), -EINVAL);
	assert_int_equal(einj_parse_sbdf("0000:00:04.0x", &sbdf), -EINVAL);
	assert_int_equal(einj_parse_sbdf("100:00:04.0", &sbdf), -EINVAL);
	assert_int_equal(einj_parse_sbdf("", &sbdf), -EINVAL);
}

static void dry_run_writes_nothing(void **state)
{
	static const char *const uses[][2] = {
		{"einj", "{\"type\":\"memory-uncorrectable-fatal\",\"address\":\"0x5000000\"}"},
		{"mce-inject", "{\"preset\":\"fatal\",\"mode\":\"hw\",\"cpu\":\"77\"}"},
		{"hwpoison", "{\"method\":\"corrupt-pfn\",\"pfn\":\"0x5000\"}"},
	};

	(void)state;
	make_hwpoison_machine();
	make_mce_machine();
	drop("/etc/brinell/expendable");
	for (size_t i = 0; i < ARRAY_SIZE(uses); i++) {
		struct injection injection;
		struct reason why;

		assert_int_equal(open_injection(&injection, uses[i][0], uses[i][1], true, &why), 0);
		assert_int_equal(injection.injector->prepare(&injection, &why), 0);
		assert_int_equal(injection.injector->fire(&injection, &why), 0);
		assert_true(json_array_size(injection.change.writes) >= 6);
		assert_int_equal(injection.injector->restore(&injection, &why), 0);
		injection_close(&injection);
	}
	assert_einj_untouched();
	assert_line(EINJ_DIRECTORY "/error_inject", "");
	assert_line(MCE_DIRECTORY "/status", "10");
	assert_line(HWPOISON_DIRECTORY "/corrupt-filter-enable", "1");
	assert_line(HWPOISON_DIRECTORY "/corrupt-pfn", "");
	assert_false(machine_has_file("/run/brinell/inject.lock"));
}

static void permission_names_the_host(void **state)
{
	struct reason why;

	(void)state;
	make_einj_machine();
	assert_int_equal(machine_is_expendable(&why), 0);
	put("/etc/brinell/expendable", "some-other-host\n");
	assert_int_equal(machine_is_expendable(&why), -EPERM);
	assert_non_null(strstr(why.text, "does not name this host"));
	refuse("einj", MEMORY, -EPERM, "expendable");
	drop("/etc/brinell/expendable");
	assert_int_equal(machine_is_expendable(&why), -EPERM);
	assert_non_null(strstr(why.text, "put its hostname into that file"));
	refuse("hwpoison", "{\"method\":\"corrupt-pfn\",\"pfn\":\"5\"}", -EPERM, "expendable");
	refuse("mce-inject", "{\"preset\":\"corrected\"}", -EPERM, "expendable");
	assert_einj_untouched();
}

static void a_second_injector_is_kept_out(void **state)
{
	struct injection injection;
	struct reason why;

	(void)state;
	make_einj_machine();
	assert_int_equal(open_injection(&injection, "einj", MEMORY, false, &why), 0);
	assert_int_equal(injection.injector->prepare(&injection, &why), 0);
	refuse("einj", MEMORY, -EBUSY, "another injector");
	/* The record by which what the first one has set is put back. */
	assert_true(sticky_left());
	assert_line(EINJ_DIRECTORY "/error_type", "0x10");
	assert_int_equal(injection.injector->restore(&injection, &why), 0);
	injection_close(&injection);
	assert_int_equal(prepare_only("einj", MEMORY, &why), 0);
}

/* The kernel prints these as bare hexadecimal digits and would take them for decimal. */
/* A process that is killed between prepare and restore leaves its record; the next one that locks puts all back. */
static void what_a_killed_injector_set_is_put_back(void **state)
{
	struct injection injection;
	struct reason why;
	int status;
	pid_t pid;

	(void)state;
	make_einj_machine();
	pid = fork();
	if (pid == 0) {
		if (open_injection(&injection, "einj", MEMORY, false, &why) ||
		    injection.injector->prepare(&injection, &why))
			_exit(1);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_line(EINJ_DIRECTORY "/error_type", "0x10");
	assert_int_equal(open_injection(&injection, "hwpoison",
					"{\"method\":\"hard-offline-page\",\"pfn\":\"0x100\"}",
					false, &why),
			 0);
	assert_int_equal(change_lock(&injection.change, &why), 0);
	injection_close(&injection);
	assert_einj_untouched();
	assert_int_equal(prepare_only("einj", MEMORY, &why), 0);
	assert_einj_untouched();
}

static void mce_inject_restores_what_the_kernel_means(void **state)
{
	struct injection injection;
	struct reason why;

	(void)state;
	make_mce_machine();
	assert_int_equal(open_injection(&injection, "mce-inject",
					"{\"preset\":\"srao\",\"mode\":\"hw\",\"bank\":\"9\","
					"\"address\":\"0x7000\",\"fake-panic\":true}",
					false, &why),
			 0);
	assert_int_equal(injection.injector->prepare(&injection, &why), 0);
	assert_line(MCE_DIRECTORY "/status", "0xbd000000000000c0");
	assert_line(MCE_DIRECTORY "/addr", "0x7000");
	assert_line(MCE_DIRECTORY "/misc", "0x8c");
	assert_line(MCE_DIRECTORY "/flags", "hw");
	assert_line(MCE_DIRECTORY "/cpu", "0");
	assert_line("/sys/kernel/debug/mce/fake_panic", "1");
	assert_line(MCE_DIRECTORY "/bank", "1");
	assert_int_equal(injection.injector->fire(&injection, &why), 0);
	assert_line(MCE_DIRECTORY "/bank", "9");
	assert_int_equal(injection.injector->restore(&injection, &why), 0);
	assert_line(MCE_DIRECTORY "/status", "0x10");
	assert_line(MCE_DIRECTORY "/addr", "0x99");
	assert_line(MCE_DIRECTORY "/misc", "0x8c");
	assert_line(MCE_DIRECTORY "/flags", "th");
	assert_line(MCE_DIRECTORY "/cpu", "3");
	assert_line("/sys/kernel/debug/mce/fake_panic", "0");
	injection_close(&injection);
}

/* The kernel drops the last byte that is written to flags, whatever it is. */
static void mce_inject_writes_whole_lines(void **state)
{
	__cleanup_free char *text = NULL;
	struct injection injection;
	struct reason why;
	char whole[128];

	(void)state;
	make_mce_machine();
	assert_int_equal(
		open_injection(&injection, "mce-inject", "{\"preset\":\"ucna\"}", false, &why), 0);
	assert_int_equal(injection.injector->prepare(&injection, &why), 0);
	snprintf(whole, sizeof(whole), "%s" MCE_DIRECTORY "/flags", root);
	assert_int_equal(read_small_file(whole, &text, NULL), 0);
	assert_string_equal(text, "sw\n");
	assert_int_equal(injection.injector->restore(&injection, &why), 0);
	injection_close(&injection);
}

static void mce_inject_refuses_the_traps(void **state)
{
	(void)state;
	make_mce_machine();
	refuse("mce-inject", "{\"preset\":\"corrected\",\"cpu\":\"4095\"}", -EINVAL,
	       "no processor 4095");
	refuse("mce-inject", "{\"preset\":\"corrected\",\"cpu\":\"1\"}", -EINVAL, "offline");
	refuse("mce-inject", "{}", -EINVAL, "one of 'preset' and 'status'");
	refuse("mce-inject", "{\"preset\":\"ucna\",\"status\":\"1\"}", -EINVAL, "one of");
	refuse("mce-inject", "{\"status\":\"0xbe00000000000090\",\"mode\":\"hw\"}", -EINVAL,
	       "allow-panic");
	refuse("mce-inject", "{\"preset\":\"deferred\",\"mode\":\"hw\"}", -EINVAL, "mode df");
	assert_line(MCE_DIRECTORY "/status", "10");
}

static void hwpoison_sets_filters_and_restores(void **state)
{
	struct injection injection;
	struct reason why;

	(void)state;
	make_hwpoison_machine();
	assert_int_equal(open_injection(&injection, "hwpoison",
					"{\"method\":\"corrupt-pfn\",\"pfn\":\"0x5000\"}", false,
					&why),
			 0);
	assert_int_equal(injection.injector->prepare(&injection, &why), 0);
	assert_line(HWPOISON_DIRECTORY "/corrupt-filter-enable", "0");
	assert_line(HWPOISON_DIRECTORY "/corrupt-filter-dev-major", "0xffffffff");
	assert_int_equal(injection.injector->fire(&injection, &why), 0);
	assert_line(HWPOISON_DIRECTORY "/corrupt-pfn", "0x5000");
	assert_int_equal(injection.injector->restore(&injection, &why), 0);
	assert_line(HWPOISON_DIRECTORY "/corrupt-filter-enable", "1");
	assert_line(HWPOISON_DIRECTORY "/corrupt-filter-dev-major", "8");
	assert_line(HWPOISON_DIRECTORY "/corrupt-filter-flags-mask", "4095");
	injection_close(&injection);
}

static void hwpoison_offlines_by_address(void **state)
{
	struct injection injection;
	struct reason why;

	(void)state;
	make_hwpoison_machine();
	assert_int_equal(open_injection(&injection, "hwpoison",
					"{\"method\":\"soft-offline-page\",\"pfn\":\"0x5000\"}",
					false, &why),
			 0);
	assert_int_equal(injection.injector->prepare(&injection, &why), 0);
	assert_int_equal(injection.injector->fire(&injection, &why), 0);
	assert_line("/sys/devices/system/memory/soft_offline_page", "0x5000000");
	assert_line(HWPOISON_DIRECTORY "/corrupt-filter-enable", "1");
	assert_int_equal(injection.injector->restore(&injection, &why), 0);
	injection_close(&injection);
}

/* A frame that is poisoned already is passed over, and another one goes in its place. */
static void hwpoison_takes_many_frames_offline(void **state)
{
	uint64_t flags[16] = {[3] = 1ull << PAGE_FLAG_ZERO_PAGE, [4] = 1ull << PAGE_FLAG_HWPOISON};
	struct injection injection;
	struct reason why;
	const json_t *result;

	(void)state;
	make_hwpoison_machine();
	put_bytes("/proc/kpageflags", flags, sizeof(flags));
	assert_int_equal(open_injection(&injection, "hwpoison",
					"{\"method\":\"soft-offline-page\",\"pfn\":\"2\","
					"\"frames\":\"3\"}",
					false, &why),
			 0);
	assert_int_equal(injection.injector->prepare(&injection, &why), 0);
	if (injection.injector->fire(&injection, &why))
		fail_msg("%s", why.text);
	result = injection.result;
	assert_int_equal(json_number(result, "frames", 0), 3);
	assert_int_equal(json_number(result, "refused", 0), 2);
	assert_int_equal(json_array_size(injection.change.writes), 3);
	assert_line("/sys/devices/system/memory/soft_offline_page", "0x6000");
	assert_int_equal(injection.injector->restore(&injection, &why), 0);
	injection_close(&injection);
	refuse("hwpoison", "{\"method\":\"corrupt-pfn\",\"pfn\":\"5\",\"frames\":\"2\"}", -EINVAL,
	       "soft-offline-page");
	refuse("hwpoison", "{\"method\":\"soft-offline-page\",\"pfn\":\"5\",\"frames\":\"0\"}",
	       -EINVAL, "1 to 10000");
}

static void hwpoison_refuses_with_the_cause(void **state)
{
	(void)state;
	make_hwpoison_machine();
	refuse("hwpoison", "{\"method\":\"madvise-hard\"}", -EINVAL, "owns the page");
	refuse("hwpoison", "{\"method\":\"corrupt-pfn\"}", -EINVAL, "needs a page");
	refuse("hwpoison", "{\"method\":\"corrupt-pfn\",\"pfn\":\"0\"}", -EPERM, "CAP_SYS_ADMIN");
	refuse("hwpoison", "{\"method\":\"corrupt-pfn\",\"pfn\":\"0x400000000\"}", -ENXIO,
	       "no RAM");
	refuse("hwpoison",
	       "{\"method\":\"hard-offline-page\",\"pfn\":\"5\",\"filter-memcg\":\"1\"}", -EINVAL,
	       "corrupt-pfn");
	assert_line(HWPOISON_DIRECTORY "/corrupt-filter-enable", "1");
}

/* This program is not linked with libvirt. */
static void guests_are_out_of_reach(void **state)
{
	(void)state;
	put_expendable();
	refuse("qemu-mce", "{\"guest\":\"g1\",\"kind\":\"corrected\"}", -EOPNOTSUPP,
	       "brinell-agent-kvm");
	refuse("kill", "{\"what\":\"qemu\",\"guest\":\"g1\"}", -EOPNOTSUPP, "brinell-agent-kvm");
}

static const json_t *finding(const json_t *findings, const char *name)
{
	const json_t *entry;
	size_t index;

	json_array_foreach ((json_t *)findings, index, entry)
		if (strcmp(json_text(entry, "name", ""), name) == 0)
			return entry;
	fail_msg("no finding '%s'", name);
	return NULL;
}

static json_t *probe_all(void)
{
	json_t *findings = json_array();

	for (size_t i = 0; i < injector_count(); i++)
		injector_at(i)->probe(findings);
	return findings;
}

static void assert_found(const json_t *findings, const char *name)
{
	if (!json_is_true(json_object_get(finding(findings, name), "ok")))
		fail_msg("'%s' is missing: %s", name,
			 json_text(finding(findings, name), "reason", ""));
}

static void assert_missing(const json_t *findings, const char *name, const char *reason,
			   const char *remedy)
{
	const json_t *entry = finding(findings, name);

	if (json_is_true(json_object_get(entry, "ok")) ||
	    !strstr(json_text(entry, "reason", ""), reason) ||
	    !strstr(json_text(entry, "remedy", ""), remedy))
		fail_msg("%s: %s; %s", name, json_text(entry, "reason", "ok"),
			 json_text(entry, "remedy", ""));
}

static void probes_find_what_is_there(void **state)
{
	static const char *const names[] = {"einj:table",
					    "einj:module",
					    "debugfs",
					    "lockdown",
					    "einj",
					    "einj:parameters",
					    "einj:memory-correctable",
					    "einj:memory-uncorrectable-nonfatal",
					    "einj:processor-correctable",
					    "einj:pcie-correctable",
					    "einj:v2-memory",
					    "mce-inject:module",
					    "mce-inject",
					    "mce-inject:hw",
					    "mce-inject:fake-panic",
					    "hwpoison:memory-failure",
					    "hwpoison:madvise",
					    "hwpoison:hard-offline-page",
					    "hwpoison:soft-offline-page",
					    "hwpoison:corrupt-pfn",
					    "hwpoison:unpoison-pfn",
					    "hwpoison"};

	(void)state;
	make_hwpoison_machine();
	make_mce_machine();

	__cleanup_json json_t *findings = probe_all();

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_found(findings, names[i]);
	assert_missing(findings, "einj:memory-uncorrectable-fatal", "does not offer", "BIOS");
	assert_missing(findings, "einj:v2-processor", "does not offer", "BIOS");
	assert_missing(findings, "mce-inject:df", "AMD", "17h");
	assert_missing(findings, "qemu-mce", "not linked with a hypervisor", "brinell-agent-kvm");
}

/* An empty machine lacks everything, each with its own reason and remedy; no module is loaded there. */
static void probes_of_an_empty_machine(void **state)
{
	const json_t *entry;
	size_t index;

	(void)state;
	put("/proc/mounts", "proc /proc proc rw 0 0\n");

	__cleanup_json json_t *findings = probe_all();

	json_array_foreach (findings, index, entry) {
		const char *name = json_text(entry, "name", "");

		if (strcmp(name, "lockdown") == 0)
			continue;
		assert_false(json_is_true(json_object_get(entry, "ok")));
		assert_true(json_text(entry, "reason", "")[0]);
		assert_true(json_text(entry, "remedy", "")[0]);
	}
	assert_missing(findings, "einj:table", "EINJ table", "WHEA");
	assert_missing(findings, "einj:module", "no module", "CONFIG_ACPI_APEI_EINJ");
	assert_missing(findings, "debugfs", "not mounted", "mount -t debugfs");
}

static void probes_distinguish_causes(void **state)
{
	(void)state;
	make_einj_machine();
	put("/sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
	drop(EINJ_DIRECTORY "/param1");

	__cleanup_json json_t *locked = probe_all();

	assert_missing(locked, "lockdown", "locked down", "Secure Boot");
	assert_missing(locked, "einj:parameters", "takes no address", "ACPI 5.0");
	drop("/etc/brinell/expendable");
	drop(EINJ_DIRECTORY "/error_inject");

	/* The module could be loaded, but this machine may not be changed. */
	__cleanup_json json_t *unloaded = probe_all();

	assert_found(unloaded, "einj:module");
	assert_missing(unloaded, "einj", "expendable", "modprobe einj");
	assert_missing(unloaded, "einj:memory-correctable", "does not run", "'einj'");
}

/* Injectors whose modules are there and not loaded; a modprobe that keeps a list, and makes the file of einj appear. */
static void make_unloaded_machine(void)
{
	char script[512], whole[128];

	make_einj_machine();
	drop(EINJ_DIRECTORY "/error_inject");
	put("/sys/module/mce_inject/initstate", "going");
	put("/sys/module/hwpoison_inject/initstate", "going");
	snprintf(script, sizeof(script),
		 "#!/bin/sh\necho \"$*\" >>%s/asked\n[ \"$*\" = '-q einj' ] && : >%s" EINJ_DIRECTORY
		 "/error_inject\n",
		 root, root);
	put("/sbin/modprobe", script);
	snprintf(whole, sizeof(whole), "%s/sbin/modprobe", root);
	assert_int_equal(chmod(whole, 0755), 0);
}

static char *modules_asked_for(void)
{
	__cleanup_free char *path = format_text("%s/asked", root);
	char *text;

	return read_small_file(path, &text, NULL) ? strdup("") : text;
}

/* On an expendable machine modules are loaded: only then it shows whether they work. */
static void probe_loads_the_module(void **state)
{
	__cleanup_free char *asked = NULL;

	(void)state;
	make_unloaded_machine();

	__cleanup_json json_t *findings = probe_all();

	assert_found(findings, "einj");
	assert_found(findings, "einj:memory-correctable");
	asked = modules_asked_for();
	assert_non_null(strstr(asked, "-q einj\n"));
	assert_non_null(strstr(asked, "-q mce-inject\n"));
	assert_non_null(strstr(asked, "-q hwpoison-inject\n"));
}

/* On any other machine a probe changes nothing. */
static void probe_loads_nothing_elsewhere(void **state)
{
	__cleanup_free char *asked = NULL;

	(void)state;
	make_unloaded_machine();
	drop("/etc/brinell/expendable");

	__cleanup_json json_t *findings = probe_all();

	assert_missing(findings, "einj", "expendable", "modprobe einj");
	asked = modules_asked_for();
	assert_string_equal(asked, "");
}

static void addresses_are_hidden_without_privileges(void **state)
{
	(void)state;
	make_einj_machine();
	assert_int_equal(machine_memory_kind(0x5000), MEMORY_RAM);
	assert_int_equal(machine_memory_kind(0x80000010), MEMORY_OTHER);
	assert_int_equal(machine_memory_kind(0xfee00000), MEMORY_DEVICE);
	put("/proc/iomem", "00000000-00000000 : System RAM\n00000000-00000000 : PCI Bus\n");
	assert_int_equal(machine_memory_kind(0xfee00000), MEMORY_UNKNOWN);
	drop("/proc/iomem");
	assert_int_equal(machine_memory_kind(0x5000), MEMORY_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ROOT(einj_sets_whole_and_restores),
		WITH_ROOT(einj_restores_after_every_failure),
		WITH_ROOT(einj_restores_after_a_failed_fire),
		WITH_ROOT(v2_writes_components_as_lines),
		WITH_ROOT(einj_refuses_with_the_cause),
		WITH_ROOT(zero_page_and_poison_are_seen_before),
		WITH_ROOT(every_errno_has_its_own_text),
		WITH_ROOT(functions_are_read_as_acpi_specifies),
		WITH_ROOT(dry_run_writes_nothing),
		WITH_ROOT(permission_names_the_host),
		WITH_ROOT(a_second_injector_is_kept_out),
		WITH_ROOT(what_a_killed_injector_set_is_put_back),
		WITH_ROOT(mce_inject_restores_what_the_kernel_means),
		WITH_ROOT(mce_inject_writes_whole_lines),
		WITH_ROOT(mce_inject_refuses_the_traps),
		WITH_ROOT(hwpoison_sets_filters_and_restores),
		WITH_ROOT(hwpoison_offlines_by_address),
		WITH_ROOT(hwpoison_takes_many_frames_offline),
		WITH_ROOT(hwpoison_refuses_with_the_cause),
		WITH_ROOT(guests_are_out_of_reach),
		WITH_ROOT(probes_find_what_is_there),
		WITH_ROOT(probes_of_an_empty_machine),
		WITH_ROOT(probes_distinguish_causes),
		WITH_ROOT(probe_loads_the_module),
		WITH_ROOT(probe_loads_nothing_elsewhere),
		WITH_ROOT(addresses_are_hidden_without_privileges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
