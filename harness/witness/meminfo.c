// SPDX-License-Identifier: GPL-2.0-only
/*
 * HardwareCorrupted of /proc/meminfo: how much memory the kernel has taken out of use (mm/memory-failure.c,
 * num_poisoned_pages).
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "harness/witness/witness.h"
#include "harness/host/machine.h"

struct meminfo {
	int64_t before_kb, told_kb;
};

/*
 * The kernel prints its count without a sign, so one that has fallen below 0 by too many ends of errors is a huge number.
 *
 * Return: whether the kernel reports it. @kilobytes: negative: below 0
 */
static bool read_corrupted(int64_t *kilobytes)
{
	__cleanup_free char *text = NULL;
	uint64_t printed;
	const char *line;
	char path[4096];

	if (read_small_file(system_path(path, "/proc/meminfo"), &text, NULL))
		return false;
	line = strstr(text, "HardwareCorrupted:");
	if (!line || sscanf(line, "HardwareCorrupted: %" SCNu64, &printed) != 1)
		return false;
	*kilobytes = (int64_t)printed;
	return true;
}

static void meminfo_probe(json_t *findings)
{
	int64_t corrupted;

	finding_add(findings, "meminfo", read_corrupted(&corrupted),
		    "/proc/meminfo has no HardwareCorrupted line",
		    "boot a kernel with CONFIG_MEMORY_FAILURE");
}

static int meminfo_start(struct witness_run *run, struct reason *why)
{
	struct meminfo *meminfo;
	int64_t corrupted;

	if (!read_corrupted(&corrupted))
		return fail(why, -EOPNOTSUPP, "/proc/meminfo has no HardwareCorrupted line");
	meminfo = xzalloc(sizeof(*meminfo));
	meminfo->before_kb = meminfo->told_kb = corrupted;
	run->private = meminfo;
	return 0;
}

static void meminfo_collect(struct witness_run *run)
{
	struct meminfo *meminfo = run->private;
	__cleanup_free char *text = NULL;
	int64_t corrupted;

	if (!read_corrupted(&corrupted) || corrupted == meminfo->told_kb)
		return;
	meminfo->told_kb = corrupted;
	text = format_text("HardwareCorrupted %+" PRId64 " kB", corrupted - meminfo->before_kb);
	run->emit(run->context, "meminfo", now_realtime_ns(), text,
		  json_pack("{s:{s:I, s:I}}", "HardwareCorrupted", "before",
			    (json_int_t)meminfo->before_kb, "after", (json_int_t)corrupted));
}

static void meminfo_stop(struct witness_run *run)
{
	free(run->private);
}

static const struct witness_proof meminfo_proofs[] = {
	{"HardwareCorrupted", false, "memory", "any"},
	{0},
};

REGISTERED(witness, meminfo_witness) = {
	.name = "meminfo",
	.group = "meminfo",
	.proofs = meminfo_proofs,
	.summary = "how much memory the kernel took out of use (HardwareCorrupted)",
	.probe = meminfo_probe,
	.start = meminfo_start,
	.collect = meminfo_collect,
	.stop = meminfo_stop,
};
