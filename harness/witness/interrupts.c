// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupt counts: machine checks (MCE), polls for them (MCP), thresholds (THR, which carries CMCI), deferred errors
 * (DFR), and the fault interrupts of the IOMMU: dmarN of VT-d, AMD-ViN-Evt of AMD-Vi (drivers/iommu/amd/init.c,
 * iommu_setup_intcapxt()); arch/x86/kernel/irq.c, arch_show_interrupts(). They count independently of the log: a
 * broadcast machine check adds one for each processor, a local one adds one.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "harness/witness/witness.h"
#include "harness/host/machine.h"

#define INTERRUPTS "/proc/interrupts"
#define PROCESSORS "processors"

/* Adds up the counts of all processors. Return: what stands behind them. */
static const char *add_counts(const char *at, uint64_t *sum)
{
	char *end;

	*sum = 0;
	for (;; at = end) {
		uint64_t count;

		at += strspn(at, " \t");
		if (!isdigit((unsigned char)*at))
			return at;
		count = strtoull(at, &end, 10);
		/* "0-edge" and the like belong to the description. */
		if (*end && !isspace((unsigned char)*end))
			return at;
		*sum += count;
	}
}

/* Return: the row's name, NULL for a row that is not of an IOMMU. */
static const char *iommu_row(const char *description)
{
	const char *last = strrchr(description, ' ');

	last = last ? last + 1 : description;
	return strncmp(last, "dmar", 4) == 0 || strncmp(last, "AMD-Vi", 6) == 0 ? last : NULL;
}

static void read_row(json_t *counts, const char *line)
{
	static const char *const rows[] = {"MCE", "MCP", "THR", "DFR"};
	const char *colon = strchr(line, ':');
	const char *name = line + strspn(line, " ");
	uint64_t sum;

	/* The heading: which processors the columns are of. */
	if (!colon) {
		json_object_set_new(counts, PROCESSORS, json_string(name));
		return;
	}
	const char *description = add_counts(colon + 1, &sum);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strlen(rows[i]) == (size_t)(colon - name) &&
		    strncmp(rows[i], name, strlen(rows[i])) == 0)
			json_object_set_new(counts, rows[i], json_integer((json_int_t)sum));
	if (iommu_row(description))
		json_object_set_new(counts, iommu_row(description), json_integer((json_int_t)sum));
}

static json_t *read_counts(void)
{
	__cleanup_free char *text = NULL;
	char path[4096];
	json_t *counts;
	char *rest, *line;

	if (read_small_file(system_path(path, INTERRUPTS), &text, NULL))
		return NULL;
	counts = json_object();
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		read_row(counts, line);
	return counts;
}

/* dmarN or AMD-ViN-Evt, which are faults and nothing else. */
static bool counts_faults(const json_t *counts)
{
	const char *name;
	json_t *count;

	json_object_foreach ((json_t *)counts, name, count) {
		unsigned int number;
		int end = 0;

		if ((sscanf(name, "dmar%u%n", &number, &end) == 1 ||
		     sscanf(name, "AMD-Vi%u-Evt%n", &number, &end) == 1) &&
		    end && !name[end])
			return true;
	}
	return false;
}

static void interrupts_probe(json_t *findings)
{
	__cleanup_json json_t *counts = read_counts();

	finding_add(
		findings, "interrupts:iommu", counts_faults(counts),
		"no row of /proc/interrupts counts the faults of an IOMMU, so only its log can "
		"show one",
		"Intel: boot with intel_iommu=on; AMD: turn x2APIC on in the firmware, and boot "
		"a kernel that has an interrupt for the event log alone");
	finding_add(findings, "interrupts", json_object_get(counts, "MCE") != NULL,
		    "/proc/interrupts has no MCE row", "boot a kernel with CONFIG_X86_MCE");
}

/* @private: {"before": counts at the start, "reported": counts when last emitted} */
static int interrupts_start(struct witness_run *run, struct reason *why)
{
	json_t *counts = read_counts();

	if (!counts)
		return fail(why, -EIO, "%s can not be read", INTERRUPTS);
	run->private = json_pack("{s:o, s:O}", "before", counts, "reported", counts);
	return 0;
}

/* The counts of a processor come and go with it: sums over other processors can not be compared. */
static void begin_anew(struct witness_run *run, json_t *counts)
{
	json_object_set(run->private, "before", counts);
	json_object_set_new(run->private, "reported", counts);
	run->emit(run->context, "interrupts", now_realtime_ns(),
		  "processors came or went: interrupts are counted anew",
		  json_pack("{s:i}", "lost", 1));
}

static void interrupts_collect(struct witness_run *run)
{
	const json_t *before = json_object_get(run->private, "before");
	json_t *counts = read_counts();
	json_t *data = json_object();
	__cleanup_free char *text = xstrdup("");
	const char *name;
	json_t *now;

	if (!counts || json_equal(counts, json_object_get(run->private, "reported"))) {
		json_decref(counts);
		json_decref(data);
		return;
	}
	if (!json_equal(json_object_get(counts, PROCESSORS), json_object_get(before, PROCESSORS))) {
		json_decref(data);
		begin_anew(run, counts);
		return;
	}
	json_object_foreach (counts, name, now) {
		int64_t was = json_number(before, name, 0);
		int64_t is = json_integer_value(now);

		if (is == was)
			continue;
		json_object_set_new(data, name,
				    json_pack("{s:I, s:I}", "before", (json_int_t)was, "after",
					      (json_int_t)is));
		append_text(&text, ", ", "%s %+" PRId64, name, is - was);
	}
	json_object_set_new(run->private, "reported", counts);
	run->emit(run->context, "interrupts", now_realtime_ns(), text, data);
}

static void interrupts_stop(struct witness_run *run)
{
	json_decref(run->private);
}

/*
 * Not MCP: the machine check poller runs on its timer, fault or no fault (arch/x86/kernel/cpu/mce/core.c). Thresholds (CMCI)
 * are of corrected errors and of uncorrected ones that no processor consumed. dmarN-prq and AMD-ViN-PPR are page requests,
 * which are no faults; AMD-Vi alone is all of these in one.
 */
static const struct witness_proof interrupts_proofs[] = {
	{"MCE", true, "machine-check", "uncorrected"}, {"THR", true, "machine-check", "any"},
	{"DFR", true, "machine-check", "uncorrected"}, {"dmar#", true, "iommu", "any"},
	{"AMD-Vi#-Evt", true, "iommu", "any"},	       {0},
};

REGISTERED(witness, interrupts_witness) = {
	.name = "interrupts",
	.group = "interrupts",
	.proofs = interrupts_proofs,
	.summary = "counts of machine checks, thresholds and IOMMU faults in /proc/interrupts",
	.probe = interrupts_probe,
	.start = interrupts_start,
	.collect = interrupts_collect,
	.stop = interrupts_stop,
};
