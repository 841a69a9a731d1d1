// SPDX-License-Identifier: GPL-2.0-only
/*
 * An injector in one file: a frame is poisoned through hwpoison-inject (mm/hwpoison-inject.c).
 */
#include "inject/injector.h"

#define CORRUPT_PFN "/sys/kernel/debug/hwpoison/corrupt-pfn"

static const struct param added_params[] = {
	{"pfn", PARAM_NUMBER, "frame", NULL, NULL, false},
	{0},
};

static void added_probe(json_t *findings)
{
	finding_add(findings, "added-injector", machine_module_available("hwpoison-inject"),
		    "this kernel has no module hwpoison-inject", "boot a kernel that has it");
}

static int added_prepare(struct injection *injection, struct reason *why)
{
	int error = machine_is_expendable(why);

	if (error)
		return error;
	error = machine_load_module("hwpoison-inject", CORRUPT_PFN, why);
	if (error)
		return error;
	return change_lock(&injection->change, why);
}

static int added_fire(struct injection *injection, struct reason *why)
{
	return change_write(&injection->change, CORRUPT_PFN,
			    param_text(injection->arguments, "pfn"), why);
}

REGISTERED(injector, added_injector) = {
	.name = "added-injector",
	.summary = "an injector in one file",
	.params = added_params,
	.probe = added_probe,
	.prepare = added_prepare,
	.fire = added_fire,
	.restore = injection_finish,
};
