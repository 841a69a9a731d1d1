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

/* Return: kB, or -1 if the kernel does not report it. */
static int64_t read_corrupted(void)
{
	__cleanup_free char *text = NULL;
	int64_t kilobytes;
	const char *line;
	char path[4096];

	if (read_small_file(system_path(path, "/proc/meminfo"), &text, NULL))
		return -1;
	line = strstr(text, "HardwareCorrupted:");
	return line && sscanf(line, "HardwareCorrupted: %" SCNd64, &kilobytes) == 1 ? kilobytes
										    : -1;
}

static void meminfo_probe(json_t *findings)
{
	finding_add(findings, "meminfo", read_corrupted() >= 0,
		    "/proc/meminfo has no HardwareCorrupted line",
		    "boot a kernel with CONFIG_MEMORY_FAILURE");
}

static int meminfo_start(struct witness_run *run, struct reason *why)
{
	int64_t corrupted = read_corrupted();
	struct meminfo *meminfo;

	if (corrupted < 0)
		return fail(why, -EOPNOTSUPP, "/proc/meminfo has no HardwareCorrupted line");
	meminfo = xzalloc(sizeof(*meminfo));
	meminfo->before_kb = meminfo->told_kb = corrupted;
	run->private = meminfo;
	return 0;
}

static void meminfo_collect(struct witness_run *run)
{
	struct meminfo *meminfo = run->private;
	int64_t corrupted = read_corrupted();
	__cleanup_free char *text = NULL;

	if (corrupted < 0 || corrupted == meminfo->told_kb)
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
