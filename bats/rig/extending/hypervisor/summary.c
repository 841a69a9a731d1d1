// SPDX-License-Identifier: GPL-2.0-only
/*
 * What `brinell list hypervisors` shows of the added hypervisor.
 */
#include "harness/lib/hypervisor_summary.h"

static const char *const software[] = {"added", NULL};

REGISTERED(hypervisor_summary, added_summary) = {
	.name = "added-hypervisor",
	.summary = "a hypervisor in one folder",
	.software = software,
	.programs = HYPERVISOR_PROGRAMS,
};
