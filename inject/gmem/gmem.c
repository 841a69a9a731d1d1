// SPDX-License-Identifier: GPL-2.0-only
/*
 * gmem-storm: converts guest memory between shared and private, again and again, while users access it. The storm is a small
 * VMM in a process of its own. Findings of its users are evidence of the witness "users", apart from the injector's events.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "inject/dma/dma.h"
#include "inject/gmem/kvm.h"
#include "inject/gmem/process.h"
#include "inject/injector.h"

#define READY_NS (25 * NSEC_PER_SEC)
#define QUIT_MS 5000
#define STOP_NS (8 * NSEC_PER_SEC)
#define HUGE_PAGES "/proc/sys/vm/nr_hugepages"
#define PAGES_2M 512

/**
 * struct gmem_private - a storm between prepare and restore
 * @last, @last_ns: counts of the last report
 * @function: the device of the user dma
 * @ended: it has reported its end, or a hang
 */
struct gmem_private {
	struct storm_knobs knobs;
	struct dma_function function;
	struct storm_order order;
	struct process process;
	struct storm_counts last;
	int64_t last_ns, begin_ns;
	bool ended;
};

static int gmem_check(const json_t *arguments, enum injector_target target, struct reason *why)
{
	struct storm_knobs knobs;
	int error;

	if (target != TARGET_NONE)
		return fail(why, -EINVAL,
			    "'gmem-storm' makes VMs of its own, and uses no page of a workload: "
			    "leave 'at' out");
	error = storm_knobs_read(arguments, 0, &knobs, why);
	if (!error)
		storm_knobs_release(&knobs);
	return error;
}

/* Events of the users have a source of their own. */
static void emit_users(struct activity *run, const char *event, const struct process_report *report,
		       json_t *data, const char *text)
{
	json_object_set_new(data, "source", json_string("users"));
	process_emit(run, event, report, data, text);
}

static json_t *rate(uint64_t now, uint64_t before, int64_t since_ns, const char *unit,
		    const char *better)
{
	double seconds = (double)since_ns / NSEC_PER_SEC;

	return json_pack("{s:f, s:s, s:s}", "value",
			 seconds > 0 ? (double)(now - before) / seconds : 0, "unit", unit, "better",
			 better);
}

static json_t *errors_of(const struct storm_counts *counts)
{
	json_t *errors = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(counts->errors); i++)
		if (counts->errors[i])
			json_object_set_new(errors, error_name(-(int)i),
					    json_integer((json_int_t)counts->errors[i]));
	return errors;
}

/* Counts of the faults that occurred, by kind; also appended to @text. */
static json_t *faults_of(const struct gmem_private *private, const struct storm_counts *counts,
			 char **text)
{
	json_t *faults = json_object();

	for (int i = 0; i < FAULT_COUNT; i++) {
		if (!storm_has(&private->knobs, (enum storm_fault)i))
			continue;
		append_text(text, json_object_size(faults) ? ", " : "; ", "%s %" PRIu64,
			    storm_fault_names[i], counts->occurred[i]);
		json_object_set_new(faults, storm_fault_names[i],
				    json_integer((json_int_t)counts->occurred[i]));
	}
	return faults;
}

/* @page_ns: mean; @least_ns: of the fastest conversion. */
static json_t *cost_of(const struct storm_counts *counts)
{
	json_t *cost = json_array();

	for (size_t i = 0; i < STORM_SIZES; i++) {
		double pages = (double)(1ull << i), count = (double)counts->cost_count[i];

		if (count > 0)
			json_array_append_new(
				cost,
				json_pack("{s:I, s:I, s:f, s:f}", "pages", (json_int_t)1 << i,
					  "conversions", (json_int_t)counts->cost_count[i],
					  "page_ns", (double)counts->cost_ns[i] / count / pages,
					  "least_ns", (double)counts->cost_least_ns[i] / pages));
	}
	return cost;
}

static json_t *counts_to_json(const struct storm_counts *counts)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}",
			 "operations", (json_int_t)counts->operations, "converted",
			 (json_int_t)counts->converted, "refused", (json_int_t)counts->refused,
			 "pages", (json_int_t)counts->pages, "faults", (json_int_t)counts->faults,
			 "pages_checked", (json_int_t)counts->checked, "torn",
			 (json_int_t)counts->torn, "corrupted", (json_int_t)counts->corrupted,
			 "broken", (json_int_t)counts->broken, "touched",
			 (json_int_t)counts->touched, "stale_exits",
			 (json_int_t)counts->exits[EXIT_STALE], "limit_exits",
			 (json_int_t)counts->exits[EXIT_LIMIT], "resident_kib",
			 (json_int_t)counts->rss_kib, "errors", errors_of(counts));
}

static double fraction_of(const struct gmem_private *private, const struct storm_counts *counts)
{
	const struct storm_knobs *knobs = &private->knobs;

	if (knobs->operations)
		return (double)counts->operations / (double)knobs->operations;
	return (double)(now_monotonic_ns() - private->begin_ns) / (double)knobs->duration_ns;
}

static void take_counts(struct activity *run, const struct storm_report *report)
{
	struct injection *injection = run->private;
	struct gmem_private *private = injection->private;
	const struct storm_counts *now = &report->counts, *last = &private->last;
	int64_t since = report->head.monotonic_ns - private->last_ns;
	char text[120];

	snprintf(text, sizeof(text),
		 "%" PRIu64 " conversions, %" PRIu64 " refused, %" PRIu64 " pages checked",
		 now->converted, now->refused, now->checked);
	injection_progress(injection, fraction_of(private, now), text);
	emit_users(run, "metrics", &report->head,
		   json_pack("{s:{s:o, s:o, s:o, s:o}, s:I, s:I, s:I}", "metrics", "conversions",
			     rate(now->converted, last->converted, since, "per second", "higher"),
			     "refusals",
			     rate(now->refused, last->refused, since, "per second", "none"),
			     "pages_converted",
			     rate(now->pages, last->pages, since, "per second", "higher"),
			     "pages_checked",
			     rate(now->checked, last->checked, since, "per second", "higher"),
			     "converted", (json_int_t)now->converted, "refused",
			     (json_int_t)now->refused, "since_ns", (json_int_t)since),
		   text);
	private->last = *now;
	private->last_ns = report->head.monotonic_ns;
}

static void take_violation(struct activity *run, const struct storm_report *report)
{
	static const char *const events[] = {"torn", "corrupted", "broken"};
	const struct storm_violation *violation = &report->violation;
	char text[320];

	snprintf(text, sizeof(text),
		 "user %s, page %" PRIu64 " of VM %u, after operation %" PRIu64 ": %s",
		 violation->user, violation->page, violation->vm, violation->operation,
		 violation->text);
	emit_users(run, events[violation->outcome], &report->head,
		   json_pack("{s:s, s:I, s:I, s:I}", "user", violation->user, "page",
			     (json_int_t)violation->page, "vm", (json_int_t)violation->vm,
			     "operation", (json_int_t)violation->operation),
		   text);
}

static void take_hung(struct activity *run, const struct storm_report *report)
{
	struct injection *injection = run->private;
	struct gmem_private *private = injection->private;

	private->ended = true;
	emit_users(run, "hung", &report->head, json_pack("{s:s}", "stacks", report->stacks),
		   "no progress: a thread hangs in the kernel");
	injection_end(injection, -ETIMEDOUT, "the storm made no progress");
}

static void take_end(struct activity *run, const struct storm_report *report)
{
	struct injection *injection = run->private;
	struct gmem_private *private = injection->private;
	const struct storm_counts *counts = &report->counts;
	json_t *result = counts_to_json(counts);
	__cleanup_free char *text = NULL;

	private->ended = true;
	text = format_text("%" PRIu64 " conversions, %" PRIu64 " refused, %" PRIu64
			   " pages checked; torn %" PRIu64 ", corrupted %" PRIu64
			   ", broken %" PRIu64,
			   counts->converted, counts->refused, counts->checked, counts->torn,
			   counts->corrupted, counts->broken);
	if (private->knobs.faults)
		json_object_set_new(result, "faults_by_kind", faults_of(private, counts, &text));
	if (private->knobs.powers)
		json_object_set_new(result, "cost", cost_of(counts));
	json_object_update(injection->result, result);
	emit_users(run, "checked", &report->head, result, text);
	injection_end(injection, report->head.error, report->head.text);
}

static void gmem_report(struct activity *run, const void *packet)
{
	const struct storm_report *report = packet;

	switch ((enum storm_report_kind)report->head.kind) {
	case STORM_COUNTS:
		return take_counts(run, report);
	case STORM_VIOLATION:
		return take_violation(run, report);
	case STORM_HUNG:
		return take_hung(run, report);
	case STORM_LEAK:
		return emit_users(run, "leak", &report->head, json_object(), report->head.text);
	case STORM_END:
		return take_end(run, report);
	}
}

static void gmem_ready(struct activity *run, const void *packet)
{
	const struct storm_report *report = packet;
	struct injection *injection = run->private;
	struct gmem_private *private = injection->private;

	private->begin_ns = private->last_ns = report->head.monotonic_ns;
}

static const struct process_kind gmem_kind = {
	.name = "gmem-storm",
	.report_size = sizeof(struct storm_report),
	.quit_ms = QUIT_MS,
	.body = storm_body,
	.ready = gmem_ready,
	.report = gmem_report,
};

static int gmem_restore(struct injection *injection, struct reason *why)
{
	struct gmem_private *private = injection->private;
	struct dma_function function = {.group = -1};
	int error;

	if (!private)
		return injection_finish(injection, why);
	if (private->knobs.function)
		function = private->function;
	/* The kernel releases a device when the storm's process has ended. */
	process_stop(&injection->run, &private->process);
	if (storm_has(&private->knobs, FAULT_MEMORY_LIMIT))
		gmem_group_remove();
	storm_knobs_release(&private->knobs);
	error = injection_finish(injection, why);
	return error || !*function.sbdf ? error : dma_returned(&function, why);
}

/* Take the device of the user dma. The result names its device and addresses, to which IOMMU faults are matched. */
static int take_device(struct injection *injection, struct reason *why)
{
	struct gmem_private *private = injection->private;
	struct dma_function *function = &private->function;
	uint64_t pages = private->knobs.shape.pages;
	int error;

	if (!storm_uses(&private->knobs, "dma"))
		return 0;
	error = dma_find(private->knobs.device, function, why) ?: dma_check(function, why);
	if (error)
		return error;
	function->iommu = (enum dma_iommu) private->knobs.iommu;
	if (pages > GMEM_DMA_PAGES)
		pages = GMEM_DMA_PAGES;
	json_object_set_new(injection->result, "sbdf", json_string(function->sbdf));
	json_object_set_new(injection->result, "iova", json_sprintf("0x%llx", GMEM_DMA_IOVA));
	json_object_set_new(injection->result, "length",
			    json_integer((json_int_t)(pages * GMEM_PAGE_SIZE)));
	error = dma_take(function, &injection->sticky, &injection->change, why);
	private->knobs.function = error ? NULL : function;
	return error;
}

/* Prepare the machine for the storm's memory: cgroup, fault injection, huge pages. */
static int take_memory(struct injection *injection, struct reason *why)
{
	struct gmem_private *private = injection->private;
	const struct storm_knobs *knobs = &private->knobs;
	const struct sticky_file *file;
	char text[32];
	int error = 0;

	if (storm_has(knobs, FAULT_MEMORY_LIMIT))
		error = gmem_group_probe(why);
	if (!error && (storm_has(knobs, FAULT_POISON) || storm_has(knobs, FAULT_POISON_PRIVATE)))
		error = gmem_host_poison_probe(why);
	if (!error && storm_has(knobs, FAULT_FAILSLAB))
		error = gmem_probe_failure(GMEM_FAIL_SLAB, why);
	if (!error && storm_has(knobs, FAULT_FAIL_FUNCTION))
		error = gmem_probe_failure(GMEM_FAIL_FUNCTION, why);
	if (!error && (storm_has(knobs, FAULT_FAILSLAB) || storm_has(knobs, FAULT_FAIL_FUNCTION)))
		error = gmem_failures_set(&injection->sticky, &injection->change,
					  storm_has(knobs, FAULT_FAILSLAB), why);
	if (error || knobs->shape.backing != GMEM_BACKING_HUGETLB)
		return error;
	file = sticky_save(&injection->sticky, HUGE_PAGES, STICKY_TEXT);
	snprintf(text, sizeof(text), "%llu",
		 strtoull(file && file->saved ? file->saved : "0", NULL, 10) +
			 knobs->vms * knobs->shape.pages / PAGES_2M);
	return sticky_set(&injection->sticky, &injection->change, HUGE_PAGES, text, why);
}

static int gmem_prepare(struct injection *injection, struct reason *why)
{
	struct gmem_private *private = injection->private = xzalloc(sizeof(*private));
	int error = storm_knobs_read(injection->arguments, injection->seed, &private->knobs, why);

	if (!error && !injection->change.dry_run)
		error = machine_is_expendable(why)
				?: gmem_probe(&private->knobs.shape, why)
				?: change_lock(&injection->change, why)
				?: take_memory(injection, why)
				?: take_device(injection, why);
	if (error) {
		(void)gmem_restore(injection, NULL);
		return error;
	}
	private->order = (struct storm_order){.knobs = &private->knobs, .kernel = &gmem_kvm};
	if (storm_has(&private->knobs, FAULT_MEMORY_LIMIT)) {
		private->order.enter = gmem_group_enter;
		private->order.leave = gmem_group_remove;
	}
	json_object_set_new(injection->result, "seed",
			    json_sprintf("0x%" PRIx64, private->knobs.seed));
	return 0;
}

static int gmem_fire(struct injection *injection, struct reason *why)
{
	struct gmem_private *private = injection->private;

	json_array_append_new(injection->change.writes,
			      json_pack("{s:s, s:s}", "path", "/dev/kvm", "text", "storm"));
	if (injection->change.dry_run)
		return 0;
	return process_start(&injection->run, &private->process, &gmem_kind, &private->order,
			     READY_NS, why);
}

static void gmem_dispatch(struct injection *injection)
{
	struct gmem_private *private = injection->private;

	process_dispatch(&injection->run, &private->process);
	if (!injection->run.pid && !private->ended)
		injection_end(injection, -ECHILD, "its process ended");
}

/* The last checks and the search for leaks come after the request to end. */
static void gmem_stop(struct injection *injection)
{
	struct gmem_private *private = injection->private;
	int64_t until = now_monotonic_ns() + STOP_NS;

	if (process_request(&injection->run, &private->process, PROCESS_QUIT, NULL) == 0)
		while (!private->ended && process_await(&private->process, until) == 1)
			gmem_report(&injection->run, private->process.packet);
	process_stop(&injection->run, &private->process);
}

REGISTERED(injector, gmem_storm) = {
	.name = "gmem-storm",
	.summary =
		"memory of small VMs is converted between shared and private while others use it",
	.params = storm_params,
	.check = gmem_check,
	.probe = gmem_probe_findings,
	.prepare = gmem_prepare,
	.fire = gmem_fire,
	.dispatch = gmem_dispatch,
	.stop = gmem_stop,
	.restore = gmem_restore,
};
