// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entry of libvirt in `brinell list hypervisors`. See struct hypervisor_summary: nothing else of this folder may be used
 * here.
 */
#include "harness/lib/hypervisor_summary.h"

static const char *const software[] = {"qemu", "libvirt", NULL};

REGISTERED(hypervisor_summary, libvirt_summary) = {
	.name = "libvirt",
	.summary = "virtual machines of QEMU and KVM, through libvirt's daemon",
	.software = software,
	.programs = HYPERVISOR_PROGRAMS,
};
