// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's own count of what happens to guest memory, by perf counters of its trace events: attributes that are set, holes
 * that are punched, and pages that leave a file or a guest. The last two happen on every host that runs guests, and are
 * reported only together with the others.
 */
#include <errno.h>

#include "harness/host/counters.h"
#include "harness/host/machine.h"
#include "harness/witness/witness.h"

static const struct counted_event {
	const char *name, *field;
	bool reported;
} counted[] = {
	{"kvm:kvm_vm_set_mem_attributes", "attributes_set", true},
	{"syscalls:sys_enter_fallocate", "fallocate_calls", true},
	{"kvm:kvm_unmap_hva_range", "guest_unmapped", false},
	{"filemap:mm_filemap_delete_from_page_cache", "pages_freed", false},
};

/* @before, @sent: at the start, and when last emitted */
struct conversions {
	struct counter counters[ARRAY_SIZE(counted)];
	bool open[ARRAY_SIZE(counted)];
	double before[ARRAY_SIZE(counted)], sent[ARRAY_SIZE(counted)];
};

static void conversions_probe(json_t *findings)
{
	struct counter counter;
	struct reason why = {0};
	int error = counter_open(&counter, counted[0].name, (struct counted){0}, &why);

	counter_close(&counter);
	finding_add(findings, "conversions", error == 0, why.text,
		    "load kvm, and mount tracefs on /sys/kernel/tracing");
}

static void conversions_stop(struct witness_run *run)
{
	struct conversions *conversions = run->private;

	for (size_t i = 0; i < ARRAY_SIZE(counted); i++)
		counter_close(&conversions->counters[i]);
	free(conversions);
}

static int conversions_start(struct witness_run *run, struct reason *why)
{
	struct conversions *conversions = run->private = xzalloc(sizeof(*conversions));

	/* Without KVM no memory of a guest is converted. To count an event patches the kernel, so nothing else is opened then. */
	for (size_t i = 0; i < ARRAY_SIZE(counted) && (!i || conversions->open[0]); i++) {
		struct counter *counter = &conversions->counters[i];

		conversions->open[i] =
			counter_open(counter, counted[i].name, (struct counted){0}, why) == 0 &&
			counter_read(counter, &conversions->before[i], NULL) == 0;
		conversions->sent[i] = conversions->before[i];
	}
	if (conversions->open[0])
		return 0;
	conversions_stop(run);
	return -ENOTSUP;
}

static void add_count(json_t *data, const char *field, double before, double now, char **text)
{
	json_object_set_new(data, field,
			    json_pack("{s:I, s:I}", "before", (json_int_t)before, "after",
				      (json_int_t)now));
	append_text(text, ", ", "%s +%.0f", field, now - before);
}

static void conversions_collect(struct witness_run *run)
{
	struct conversions *conversions = run->private;
	json_t *data = json_object();
	__cleanup_free char *text = xstrdup("");
	bool reported = false;

	for (size_t i = 0; i < ARRAY_SIZE(counted); i++) {
		double now;

		if (!conversions->open[i] || counter_read(&conversions->counters[i], &now, NULL))
			continue;
		reported |= counted[i].reported && now != conversions->sent[i];
		if (now != conversions->before[i])
			add_count(data, counted[i].field, conversions->before[i], now, &text);
		if (reported)
			conversions->sent[i] = now;
	}
	if (reported)
		run->emit(run->context, "conversions", now_realtime_ns(), text, data);
	else
		json_decref(data);
}

static const struct witness conversions = {
	.name = "conversions",
	.summary =
		"the kernel's counts of memory attributes that are set and of pages that are freed",
	.host_only = true,
	.group = "conversions",
	.probe = conversions_probe,
	.start = conversions_start,
	.collect = conversions_collect,
	.stop = conversions_stop,
};

REGISTER(witness, conversions);
