// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma: a device writes or reads at addresses where it must not, or may. The witnesses of the IOMMU show its reaction.
 */
#include <inttypes.h>

#include "inject/dma/driver.h"
#include "inject/dma/stream.h"
#include "inject/injector.h"

#define READY_LIMIT_NS (20 * NSEC_PER_SEC)
#define STOP_LIMIT_NS (6 * NSEC_PER_SEC)
#define QUIT_LIMIT_MS 5000
#define SIZE_MOST (16ull << 20)
#define RATE_MOST 100000

/* Below 256 MiB, the limit of QEMU's edu; and above the 57 bits that an IOMMU translates at most. */
#define IOVA "0xdead000"
#define IOVA_BEYOND (1ull << 60)

static const char *const operations[] = {"write", "read", NULL};
static const char *const targets[] = {"mapped",	     "read-only", "unmapped",
				      "after-unmap", "beyond",	  NULL};

static const struct param dma_params[] = {
	{"device", PARAM_STRING, "a driver (nvme, edu), or a PCI function such as 0000:00:04.0",
	 NULL, NULL, true},
	{"operation", PARAM_CHOICE, "access of the device to memory", "write", operations, false},
	{"target", PARAM_CHOICE, "mapping at the address", "unmapped", targets, false},
	{"iova", PARAM_NUMBER, "address that the device uses (default: " IOVA ")", NULL, NULL,
	 false},
	{"size", PARAM_SIZE, "bytes of each operation, whole pages", "4K", NULL, false},
	{"count", PARAM_NUMBER, "number of operations; 0: until the fault is stopped", "1", NULL,
	 false},
	{"rate", PARAM_NUMBER, "operations a second; 0: as fast as possible", "0", NULL, false},
	{"deadline", PARAM_DURATION, "time for each operation of the device", "2s", NULL, false},
	{"iommu", PARAM_CHOICE, "interface of the kernel to the IOMMU", "type1", dma_iommu_names,
	 false},
	{"noise", PARAM_STRING,
	 "another device, which writes to the same address without a mapping", NULL, NULL, false},
	{0},
};

struct dma_private {
	struct process process;
	struct dma_plan plan;
};

static int check_device(const json_t *arguments, const char *name, struct reason *why)
{
	const char *device = param_text(arguments, name);

	return device ? dma_check_name(name, device, why) : 0;
}

static int dma_injection_check(const json_t *arguments, enum injector_target target,
			       struct reason *why)
{
	uint64_t size = param_number(arguments, "size"), rate = param_number(arguments, "rate");
	uint64_t iova = param_number(arguments, "iova");
	int error = check_device(arguments, "device", why) ?: check_device(arguments, "noise", why);

	if (error)
		return error;
	if (target != TARGET_NONE)
		return fail(why, -EINVAL,
			    "'dma' works on a device, not on the page of a workload: leave 'at' "
			    "out, and name the 'device'");
	if (!size || size % DMA_PAGE || size > SIZE_MOST)
		return fail(why, -EINVAL,
			    "'size' is %" PRIu64 "; it must be whole pages of 4 KiB, 16 MiB at "
			    "most",
			    size);
	if (iova % DMA_PAGE)
		return fail(why, -EINVAL, "'iova' is 0x%" PRIx64 "; it must be a multiple of 4 KiB",
			    iova);
	if (iova + size < iova)
		return fail(why, -EINVAL, "'iova' and 'size' wrap around the end of the addresses");
	if (rate > RATE_MOST)
		return fail(why, -EINVAL, "'rate' is %" PRIu64 "; it may be %d a second at most",
			    rate, RATE_MOST);
	return 0;
}

static int find_devices(const json_t *arguments, struct dma_plan *plan, struct reason *why)
{
	const char *noise = param_text(arguments, "noise");
	int error = dma_find(param_text(arguments, "device"), &plan->function, why)
			    ?: dma_check(&plan->function, why);

	plan->has_noise = noise != NULL;
	if (!error && noise)
		error = dma_find(noise, &plan->noise, why) ?: dma_check(&plan->noise, why);
	if (!error && noise && strcmp(plan->noise.sbdf, plan->function.sbdf) == 0)
		error = fail(why, -EINVAL, "'noise' and 'device' are the same function %s",
			     plan->function.sbdf);
	return error;
}

static int make_plan(const json_t *arguments, struct dma_plan *plan, struct reason *why)
{
	uint64_t rate = param_number(arguments, "rate"), beyond = IOVA_BEYOND, usual;
	unsigned int bits;
	int error = find_devices(arguments, plan, why);

	if (error)
		return error;
	plan->function.iommu = plan->noise.iommu =
		(enum dma_iommu)process_choice(arguments, "iommu", dma_iommu_names);
	(void)parse_number(IOVA, &usual);
	plan->reads = process_choice(arguments, "operation", operations) == 1;
	plan->target = (enum dma_target)process_choice(arguments, "target", targets);
	plan->iova = param_given(arguments, "iova") ? param_number(arguments, "iova")
		     : plan->target == DMA_BEYOND   ? beyond
						    : usual;
	plan->size = param_number(arguments, "size");
	plan->count = param_number(arguments, "count");
	plan->interval_ns = rate ? NSEC_PER_SEC / (int64_t)rate : 0;
	plan->deadline_ns = param_duration_ns(arguments, "deadline");
	bits = dma_address_bits(&plan->function);
	if (bits < 64 && (plan->iova + plan->size) >> bits)
		return fail(why, -ERANGE,
			    "%s can emit addresses of %u bits, and 0x%" PRIx64 " has more",
			    plan->function.sbdf, bits, plan->iova);
	return 0;
}

static int dma_restore(struct injection *injection, struct reason *why)
{
	struct dma_private *private = injection->private;
	struct dma_plan plan;
	int error;

	if (!private)
		return injection_finish(injection, why);
	plan = private->plan;
	/* The kernel releases the device when this process has ended. */
	process_stop(&injection->run, &private->process);
	error = injection_finish(injection, why);
	if (!error && !injection->change.dry_run)
		error = dma_returned(&plan.function, why)
				?: (plan.has_noise ? dma_returned(&plan.noise, why) : 0);
	return error;
}

static void add_facts(json_t *result, const struct dma_plan *plan)
{
	json_object_set_new(result, "sbdf", json_string(plan->function.sbdf));
	json_object_set_new(result, "iova", json_sprintf("0x%" PRIx64, plan->iova));
	json_object_set_new(result, "length", json_integer((json_int_t)plan->size));
	json_object_set_new(result, "bound", json_string(plan->function.bound));
	if (plan->has_noise)
		json_object_set_new(result, "noise", json_string(plan->noise.sbdf));
}

static int dma_prepare(struct injection *injection, struct reason *why)
{
	struct dma_private *private;
	int error = dma_injection_check(injection->arguments, TARGET_NONE, why);

	if (!error && !injection->change.dry_run)
		error = machine_is_expendable(why);
	error = error ?: change_lock(&injection->change, why);
	if (error)
		return error;
	private = injection->private = xzalloc(sizeof(*private));
	error = make_plan(injection->arguments, &private->plan, why);
	if (error) {
		(void)injection_finish(injection, NULL);
		return error;
	}
	add_facts(injection->result, &private->plan);
	error = dma_take(&private->plan.function, &injection->sticky, &injection->change, why);
	if (!error && private->plan.has_noise)
		error = dma_take(&private->plan.noise, &injection->sticky, &injection->change, why);
	if (error)
		(void)dma_restore(injection, NULL);
	return error;
}

static void note_operation(struct injection *injection, const struct dma_plan *plan)
{
	json_array_append_new(
		injection->change.writes,
		json_pack("{s:o, s:o}", "path", json_sprintf("/dev/vfio/%d", plan->function.group),
			  "text",
			  json_sprintf("%s: DMA %s of %" PRIu64 " bytes at 0x%" PRIx64 ", %s",
				       plan->function.sbdf, plan->reads ? "read" : "write",
				       plan->size, plan->iova, targets[plan->target])));
}

static const char *memory_of(const struct dma_report *report)
{
	if (report->torn || (report->arrived && report->blocked))
		return "torn";
	return report->arrived ? "arrived" : report->blocked ? "blocked" : NULL;
}

static void take_report(struct injection *injection, const struct dma_report *report)
{
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = {
		{"operations", report->operations}, {"completed", report->completed},
		{"failed", report->failed},	    {"silent", report->silent},
		{"arrived", report->arrived},	    {"blocked", report->blocked},
	};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		json_object_set_new(injection->result, counts[i].name,
				    json_integer((json_int_t)counts[i].value));
	if (memory_of(report))
		json_object_set_new(injection->result, "memory", json_string(memory_of(report)));
	if (*report->head.text)
		json_object_set_new(injection->result, "device-error",
				    json_string(report->head.text));
}

/* The device may report an error for a refused access, but not for an allowed one. */
static int error_of(const struct dma_plan *plan, const struct dma_report *report)
{
	return dma_is_allowed(plan) ? report->head.error : 0;
}

static void dma_ready(struct activity *run, const void *packet)
{
}

static void dma_report(struct activity *run, const void *packet)
{
	struct injection *injection = run->private;
	const struct dma_private *private = injection->private;
	const struct dma_report *report = packet;
	__cleanup_free char *text =
		format_text("%" PRIu64 " operations, %" PRIu64 " completed, %" PRIu64
			    " without an end",
			    report->operations, report->completed, report->silent);

	take_report(injection, report);
	if (report->head.kind == DMA_DONE)
		injection_end(injection, error_of(&private->plan, report),
			      error_of(&private->plan, report) ? report->head.text : "");
	else
		injection_progress(injection,
				   private->plan.count ? (double)report->operations /
								 (double)private->plan.count
						       : -1,
				   text);
}

static const struct process_kind dma_process = {
	.name = "dma",
	.report_size = sizeof(struct dma_report),
	.quit_ms = QUIT_LIMIT_MS,
	.body = dma_body,
	.ready = dma_ready,
	.report = dma_report,
};

static int dma_fire(struct injection *injection, struct reason *why)
{
	struct dma_private *private = injection->private;

	note_operation(injection, &private->plan);
	if (injection->change.dry_run)
		return 0;
	return process_start(&injection->run, &private->process, &dma_process, &private->plan,
			     READY_LIMIT_NS, why);
}

static void dma_dispatch(struct injection *injection)
{
	struct dma_private *private = injection->private;

	process_dispatch(&injection->run, &private->process);
	if (!injection->run.pid)
		injection_end(injection, -ECHILD, "the process of the DMA ended");
}

/* The last counts come after the request to end. A single operation is not stopped: it ends by its deadline. */
static void dma_stop(struct injection *injection)
{
	struct dma_private *private = injection->private;
	int64_t until = now_monotonic_ns() + private->plan.deadline_ns + STOP_LIMIT_NS;
	const struct dma_report *report = private->process.packet;

	if (private->plan.count == 1 ||
	    process_request(&injection->run, &private->process, PROCESS_QUIT, NULL) == 0)
		while (process_await(&private->process, until) == 1) {
			take_report(injection, report);
			if (report->head.kind == DMA_DONE)
				break;
		}
	process_stop(&injection->run, &private->process);
}

static void probe_device(json_t *findings, const struct dma_driver *driver)
{
	__cleanup_free char *name = format_text("dma:%s", driver->name);
	struct dma_function function;
	struct reason why = {0};
	int error = dma_find(driver->name, &function, &why) ?: dma_check(&function, &why);

	finding_add(findings, name, error == 0, why.text,
		    error == -ENODEV ? "add one; in QEMU: -device nvme or -device edu"
				     : "see the reason, or use another device");
}

static bool machine_has_iommufd(void)
{
	char path[4096];

	return access(system_path(path, "/dev/iommu"), F_OK) == 0 ||
	       machine_module_available("iommufd");
}

static void dma_probe(json_t *findings)
{
	finding_add(findings, "dma:vfio",
		    machine_module_available("vfio-pci") &&
			    machine_module_available("vfio_iommu_type1"),
		    "this kernel has no module vfio-pci or vfio_iommu_type1",
		    "use a kernel with CONFIG_VFIO_PCI and CONFIG_VFIO_IOMMU_TYPE1, or install the "
		    "package of its modules");
	finding_add(
		findings, "dma:iommufd", machine_has_iommufd(), "this kernel has no iommufd",
		"use a kernel with CONFIG_IOMMUFD and CONFIG_VFIO_DEVICE_CDEV, or iommu: type1");
	for (size_t i = 0; i < dma_driver_count(); i++)
		probe_device(findings, dma_driver_at(i));
}

REGISTERED(injector, dma_injector) = {
	.name = "dma",
	.fault = {KIND_IOMMU, SEVERITY_ANY},
	.summary = "a PCI device writes or reads at a chosen address, through VFIO",
	.params = dma_params,
	.check = dma_injection_check,
	.probe = dma_probe,
	.prepare = dma_prepare,
	.fire = dma_fire,
	.dispatch = dma_dispatch,
	.stop = dma_stop,
	.restore = dma_restore,
};
