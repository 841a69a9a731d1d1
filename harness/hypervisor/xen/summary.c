// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entry of Xen in `brinell list hypervisors`. See struct hypervisor_summary: nothing else of this folder may be used here.
 */
#include "harness/lib/hypervisor_summary.h"

static const char *const software[] = {"xen", "xen-ept", "xen-npt", NULL};

REGISTERED(hypervisor_summary, xen_summary) = {
	.name = "xen",
	.summary = "domains of Xen, through the libraries of its toolstack",
	.software = software,
	.programs = HYPERVISOR_PROGRAMS,
};
