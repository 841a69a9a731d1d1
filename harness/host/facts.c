// SPDX-License-Identifier: GPL-2.0-only
/*
 * What this machine is, for the environment of a report: processor, firmware, kernel configuration.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/utsname.h>

#include "harness/host/machine.h"

/** machine_line - the first line of a file of this machine, fit for JSON; NULL: it can not be read. Owned by the caller */
char *machine_line(const char *path)
{
	char buffer[4096];
	char *text;

	if (read_small_file(system_path(buffer, path), &text, NULL))
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	return mend_text(text);
}

static void add(json_t *facts, const char *name, const char *value)
{
	if (value && *value)
		json_object_set_new(facts, name, json_string(value));
}

/* "model name	: Intel(R) ...": the first processor stands for all. */
static void add_processor(json_t *facts, const char *text, const char *key, const char *name)
{
	const char *line = strstr(text, key), *value = line ? strchr(line, ':') : NULL;
	__cleanup_free char *copy = NULL;

	if (!value)
		return;
	value += 1 + strspn(value + 1, " ");
	copy = mend_text(strndup(value, strcspn(value, "\n")));
	add(facts, name, copy);
}

static void add_firmware(json_t *facts)
{
	__cleanup_free char *vendor = machine_line("/sys/class/dmi/id/bios_vendor");
	__cleanup_free char *version = machine_line("/sys/class/dmi/id/bios_version");
	__cleanup_free char *date = machine_line("/sys/class/dmi/id/bios_date");
	__cleanup_free char *all = format_text("%s %s %s", vendor ?: "", version ?: "", date ?: "");

	if (vendor || version || date)
		add(facts, "bios", all + strspn(all, " "));
}

/* Of a file that the distribution installs, in /boot or with the modules, else of what the kernel itself holds. */
static void add_config(json_t *facts)
{
	struct utsname name;
	char path[4096];
	__cleanup_free char *sum = NULL;

	uname(&name);
	__cleanup_free char *boot = format_text("/boot/config-%s", name.release);
	__cleanup_free char *modules = format_text("/lib/modules/%s/config", name.release);
	const char *const files[] = {boot, modules, "/proc/config.gz"};

	for (size_t i = 0; !sum && i < ARRAY_SIZE(files); i++) {
		__cleanup_free char *text = NULL;
		size_t length;

		if (read_small_file(system_path(path, files[i]), &text, &length) == 0)
			sum = format_text("crc32c %08" PRIx32, crc32c(0, text, length));
	}
	add(facts, "config", sum);
}

/* The size, which is the same under any kernel: what it keeps for itself is not counted out, as MemTotal does. */
static void add_memory(json_t *facts)
{
	__cleanup_free char *size = machine_line("/sys/devices/system/memory/block_size_bytes");
	char path[4096];
	__cleanup_directory DIR *directory =
		opendir(system_path(path, "/sys/devices/system/memory"));
	__cleanup_free char *text = NULL;
	unsigned long long blocks = 0;
	struct dirent *entry;

	if (!size || !directory)
		return;
	while ((entry = readdir(directory)))
		blocks += strncmp(entry->d_name, "memory", 6) == 0 &&
			  strspn(entry->d_name + 6, "0123456789") > 0;
	text = format_text("%llu MiB", (strtoull(size, NULL, 16) >> 10) * blocks >> 10);
	add(facts, "memory", text);
}

static int is_name(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* "meltdown: Mitigation: PTI; ...", without those that the processor is not affected by. */
static void add_mitigations(json_t *facts)
{
	static const char folder[] = "/sys/devices/system/cpu/vulnerabilities";
	__cleanup_free char *all = NULL;
	struct dirent **entries = NULL;
	char path[4096];
	int count = scandir(system_path(path, folder), &entries, is_name, alphasort);

	for (int i = 0; i < count; i++) {
		__cleanup_free char *file = format_text("%s/%s", folder, entries[i]->d_name);
		__cleanup_free char *text = machine_line(file);

		if (text && strcmp(text, "Not affected") != 0)
			append_text(&all, "; ", "%s: %s", entries[i]->d_name, text);
		free(entries[i]);
	}
	free(entries);
	if (count > 0)
		add(facts, "mitigations", all ?: "none needed");
}

static void add_governor(json_t *facts)
{
	static const char cpu0[] = "/sys/devices/system/cpu/cpu0/cpufreq";
	__cleanup_free char *driver_path = format_text("%s/scaling_driver", cpu0);
	__cleanup_free char *governor_path = format_text("%s/scaling_governor", cpu0);
	__cleanup_free char *driver = machine_line(driver_path);
	__cleanup_free char *governor = machine_line(governor_path);
	__cleanup_free char *no_turbo =
		machine_line("/sys/devices/system/cpu/intel_pstate/no_turbo");
	__cleanup_free char *boost = machine_line("/sys/devices/system/cpu/cpufreq/boost");
	bool slow = (no_turbo && *no_turbo == '1') || (boost && *boost == '0');
	__cleanup_free char *text =
		format_text("%s %s%s", driver ?: "", governor ?: "", slow ? ", no turbo" : "");

	if (governor)
		add(facts, "governor", text + strspn(text, " "));
}

/* The host of guests may be a guest itself; that of Xen is none, although its kernel is one of Xen's guests. */
static void add_platform(json_t *facts, const char *processors)
{
	char path[4096];
	__cleanup_free char *vendor = machine_line("/sys/class/dmi/id/sys_vendor");
	__cleanup_free char *product = machine_line("/sys/class/dmi/id/product_name");
	__cleanup_free char *version = machine_line("/sys/class/dmi/id/product_version");
	__cleanup_free char *xen = machine_line("/proc/xen/capabilities");
	__cleanup_free char *all =
		format_text("%s %s %s", vendor ?: "", product ?: "", version ?: "");
	const char *flags = strstr(processors, "flags");
	__cleanup_free char *line = flags ? strndup(flags, strcspn(flags, "\n")) : NULL;
	bool virtual = line && strstr(line, " hypervisor") && !(xen && strstr(xen, "control_d"));

	if (vendor || product || version)
		add(facts, "machine", all + strspn(all, " "));
	add(facts, "platform",
	    access(system_path(path, "/etc/brinell/rig"), F_OK) == 0 ? "emulated"
	    : virtual						     ? "virtual"
								     : "metal");
}

const char *const machine_facts[] = {"platform", "machine", "cpu", "microcode", "bios",
				     "memory",	 "numa",    "smt", "governor",	"mitigations",
				     "cmdline",	 "config",  NULL};

/**
 * machine_add_facts - what a report names of this machine
 * @facts: receives text for each of machine_facts that the machine has: "platform" is "metal", "virtual" or "emulated";
 *         "machine", its vendor, product and version; "memory", its size; "numa", its nodes; "config", a checksum of the
 *         kernel's configuration; "cpu", "microcode", "bios", "smt", "governor", "mitigations", "cmdline" as Linux reports it
 */
void machine_add_facts(json_t *facts)
{
	__cleanup_free char *processors = NULL;
	__cleanup_free char *cmdline = machine_line("/proc/cmdline");
	__cleanup_free char *smt = machine_line("/sys/devices/system/cpu/smt/control");
	__cleanup_free char *numa = machine_line("/sys/devices/system/node/online");
	char path[4096];

	if (read_small_file(system_path(path, "/proc/cpuinfo"), &processors, NULL) == 0) {
		add_processor(facts, processors, "model name", "cpu");
		add_processor(facts, processors, "microcode", "microcode");
		add_platform(facts, processors);
	}
	add_firmware(facts);
	add_memory(facts);
	add(facts, "numa", numa);
	add(facts, "smt", smt);
	add_governor(facts);
	add_mitigations(facts);
	add(facts, "cmdline", cmdline);
	add_config(facts);
}
