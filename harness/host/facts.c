// SPDX-License-Identifier: GPL-2.0-only
/*
 * What this machine is, for the environment of a report: processor, firmware, kernel configuration.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/utsname.h>

#include "harness/host/machine.h"

static char *first_line(const char *path)
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
	__cleanup_free char *vendor = first_line("/sys/class/dmi/id/bios_vendor");
	__cleanup_free char *version = first_line("/sys/class/dmi/id/bios_version");
	__cleanup_free char *date = first_line("/sys/class/dmi/id/bios_date");
	__cleanup_free char *all = format_text("%s %s %s", vendor ?: "", version ?: "", date ?: "");

	if (vendor || version || date)
		add(facts, "bios", all + strspn(all, " "));
}

/* Of the file that the distribution installs, else of what the kernel itself holds. */
static void add_config(json_t *facts)
{
	struct utsname name;
	char path[4096], file[512];
	__cleanup_free char *text = NULL;
	__cleanup_free char *sum = NULL;
	size_t length;

	uname(&name);
	snprintf(file, sizeof(file), "/boot/config-%s", name.release);
	if (read_small_file(system_path(path, file), &text, &length) &&
	    read_small_file(system_path(path, "/proc/config.gz"), &text, &length))
		return;
	sum = format_text("crc32c %08" PRIx32, crc32c(0, text, length));
	add(facts, "config", sum);
}

/**
 * machine_add_facts - what a report names of this machine
 * @facts: receives "cpu", "microcode", "bios", "cmdline" and "config" (a checksum of the kernel's configuration), each
 *         where the machine has it
 */
void machine_add_facts(json_t *facts)
{
	__cleanup_free char *processors = NULL;
	__cleanup_free char *cmdline = first_line("/proc/cmdline");
	char path[4096];

	if (read_small_file(system_path(path, "/proc/cpuinfo"), &processors, NULL) == 0) {
		add_processor(facts, processors, "model name", "cpu");
		add_processor(facts, processors, "microcode", "microcode");
	}
	add_firmware(facts);
	add(facts, "cmdline", cmdline);
	add_config(facts);
}
