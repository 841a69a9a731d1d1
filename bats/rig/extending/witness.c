// SPDX-License-Identifier: GPL-2.0-only
/*
 * A witness in one file: how many frames memory_failure() has taken (drivers/base/node.c and
 * mm/memory-failure.c, /sys/devices/system/node/node0/memory_failure/total).
 */
#include <errno.h>
#include <inttypes.h>

#include "harness/host/machine.h"
#include "harness/witness/witness.h"

#define TOTAL "/sys/devices/system/node/node0/memory_failure/total"

struct added {
	int64_t before, reported;
};

/* Return: the number, or -1 where the kernel does not report it. */
static int64_t read_total(void)
{
	__cleanup_free char *text = NULL;
	char path[4096];

	return read_small_file(system_path(path, TOTAL), &text, NULL) ? -1
								      : strtoll(text, NULL, 10);
}

static void added_probe(json_t *findings)
{
	finding_add(findings, "added-witness", read_total() >= 0, TOTAL " is missing",
		    "boot a kernel with CONFIG_MEMORY_FAILURE");
}

static int added_start(struct witness_run *run, struct reason *why)
{
	struct added *added;
	int64_t total = read_total();

	if (total < 0)
		return fail(why, -EOPNOTSUPP, TOTAL " is missing");
	added = calloc(1, sizeof(*added));
	if (!added)
		return -ENOMEM;
	added->before = added->reported = total;
	run->private = added;
	return 0;
}

static void added_collect(struct witness_run *run)
{
	struct added *added = run->private;
	int64_t total = read_total();
	__cleanup_free char *text = NULL;

	if (total < 0 || total == added->reported)
		return;
	added->reported = total;
	text = format_text("memory_failure/total %+" PRId64, total - added->before);
	run->emit(run->context, "added-witness", now_realtime_ns(), text,
		  json_pack("{s:{s:I, s:I}}", "total", "before", (json_int_t)added->before, "after",
			    (json_int_t)total));
}

static void added_stop(struct witness_run *run)
{
	free(run->private);
}

static const struct witness_proof added_proofs[] = {
	{"total", true, "memory", "uncorrected"},
	{0},
};

REGISTERED(witness, added_witness) = {
	.name = "added-witness",
	.summary = "a witness in one file",
	.host_only = true,
	.group = "memory-failure-count",
	.proofs = added_proofs,
	.probe = added_probe,
	.start = added_start,
	.collect = added_collect,
	.stop = added_stop,
};
