// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether this machine is as it was booted: faults leave residue, and what is measured afterwards is something else.
 */
#include <inttypes.h>
#include <string.h>

#include "harness/host/change.h"
#include "harness/host/machine.h"

#define CPUS "/sys/devices/system/cpu"

/* Taint flags of errors (Documentation/admin-guide/tainted-kernels.rst); others are about loaded modules. */
static const struct {
	unsigned int bit;
	const char *meaning;
} taints[] = {
	{4, "machine check"}, {5, "bad page"}, {7, "oops"}, {9, "warning"}, {14, "soft lockup"},
};

static bool number_of(const char *path, uint64_t *number)
{
	__cleanup_free char *text = machine_line(path);

	return text && sscanf(text, "%" SCNu64, number) == 1;
}

static void add_reason(json_t *bill, char *reason)
{
	json_array_append_new(json_object_get(bill, "reasons"), json_string(reason));
	free(reason);
}

/* A kernel without CONFIG_MEMORY_FAILURE has no such line, and can not lose a page. */
static void check_memory(json_t *bill)
{
	char buffer[4096];
	__cleanup_free char *text = NULL;
	const char *line;
	long long kb;

	if (read_small_file(system_path(buffer, "/proc/meminfo"), &text, NULL))
		return;
	line = strstr(text, "HardwareCorrupted:");
	if (!line || sscanf(line, "HardwareCorrupted: %lld", &kb) != 1)
		return;
	json_object_set_new(bill, "corrupted_kb", json_integer(kb));
	if (kb)
		add_reason(bill, format_text("HardwareCorrupted is %lld kB", kb));
}

/* How many processors a list such as "0-3,8" has. */
static unsigned int count_list(const char *list)
{
	unsigned int count = 0, first, last;
	int read;

	for (; list && *list; list += *list == ',') {
		if (sscanf(list, "%u%n-%u%n", &first, &read, &last, &read) < 1)
			return count;
		count += list[strcspn(list, "-,")] == '-' ? last - first + 1 : 1;
		list += strcspn(list, ",");
	}
	return count;
}

/* Where the second thread of each core is switched off, half of the processors are all that there are. */
static void check_processors(json_t *bill)
{
	__cleanup_free char *online = machine_line(CPUS "/online");
	__cleanup_free char *present = machine_line(CPUS "/present");
	__cleanup_free char *smt = machine_line(CPUS "/smt/control");
	unsigned int have = count_list(online), all = count_list(present);
	bool halved = smt && is_one_of(smt, "off", "forceoff");

	if (!online || !present)
		return;
	json_object_set_new(bill, "online", json_string(online));
	json_object_set_new(bill, "present", json_string(present));
	if (have < (halved ? all / 2 : all))
		add_reason(bill,
			   format_text("processors online: %s, present: %s", online, present));
}

static void check_taint(json_t *bill)
{
	uint64_t flags;

	if (!number_of("/proc/sys/kernel/tainted", &flags))
		return;
	json_object_set_new(bill, "tainted", json_integer((json_int_t)flags));
	for (size_t i = 0; i < ARRAY_SIZE(taints); i++)
		if (flags & 1ull << taints[i].bit)
			add_reason(bill,
				   format_text("the kernel is tainted by a %s", taints[i].meaning));
}

/* Of each processor: its limit, and how often it was too hot since the boot. */
static void check_frequency(json_t *bill)
{
	__cleanup_free char *online = machine_line(CPUS "/present");
	unsigned int count = count_list(online), capped = 0, hot = 0;

	for (unsigned int i = 0; i < count; i++) {
		__cleanup_free char *limit = format_text(CPUS "/cpu%u/cpufreq/scaling_max_freq", i);
		__cleanup_free char *top = format_text(CPUS "/cpu%u/cpufreq/cpuinfo_max_freq", i);
		__cleanup_free char *throttled =
			format_text(CPUS "/cpu%u/thermal_throttle/core_throttle_count", i);
		uint64_t allowed, possible, times;

		capped += number_of(limit, &allowed) && number_of(top, &possible) &&
			  allowed < possible;
		hot += number_of(throttled, &times) && times > 0;
	}
	json_object_set_new(bill, "capped", json_integer(capped));
	json_object_set_new(bill, "throttled", json_integer(hot));
	if (capped)
		add_reason(bill, format_text("the frequency of %u processors is capped", capped));
	if (hot)
		add_reason(bill, format_text("%u processors were too hot since the boot", hot));
}

static void check_faults(json_t *bill)
{
	bool struck = machine_has_file(CHANGE_STRUCK);

	json_object_set_new(bill, "struck", json_boolean(struck));
	if (struck)
		add_reason(bill, xstrdup("brinell injected a fault since the boot"));
}

static json_t *summary(const json_t *bill)
{
	__cleanup_free char *text = NULL;
	json_t *reason;
	size_t index;

	json_array_foreach (json_object_get(bill, "reasons"), index, reason)
		append_text(&text, ", ", "%s", json_string_value(reason));
	if (text)
		return json_string(text);
	if (json_object_get(bill, "corrupted_kb"))
		append_text(&text, ", ", "HardwareCorrupted 0 kB");
	if (json_object_get(bill, "online"))
		append_text(&text, ", ", "processors online: %s", json_text(bill, "online", ""));
	append_text(&text, ", ",
		    "no taint by an error, no frequency capped, no fault since the boot");
	return json_string(text);
}

/**
 * machine_clean_bill - whether this machine carries nothing of earlier faults or load
 *
 * Return: {"clean", "reasons", "text", "corrupted_kb", "online", "present", "tainted", "capped", "throttled", "struck"}, each as
 * far as the machine has it; owned by the caller.
 */
json_t *machine_clean_bill(void)
{
	json_t *bill = json_pack("{s:[]}", "reasons");

	check_memory(bill);
	check_processors(bill);
	check_taint(bill);
	check_frequency(bill);
	check_faults(bill);
	json_object_set_new(bill, "clean",
			    json_boolean(!json_array_size(json_object_get(bill, "reasons"))));
	json_object_set_new(bill, "text", summary(bill));
	return bill;
}
