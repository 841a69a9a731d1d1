/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_LIB_HYPERVISOR_SUMMARY_H
#define BRINELL_LIB_HYPERVISOR_SUMMARY_H

#include "harness/lib/registry.h"
#include "harness/lib/util.h"

/**
 * struct hypervisor_summary - a hypervisor that an agent can drive, as `brinell list hypervisors` shows it
 * @name:     as struct hypervisor has it
 * @summary:  one line
 * @software: NULL-terminated names of software with reported versions, such as "qemu"
 * @programs: the agents that are linked with it: HYPERVISOR_PROGRAMS, which the Makefile takes from rooms.mk
 *
 * It is registered in summary.c of the hypervisor's folder. brinell links that file alone: the implementation may need
 * libraries that only the hosts under test have.
 */
struct hypervisor_summary {
	const char *name;
	const char *summary;
	const char *const *software;
	const char *programs;
};

REGISTRY(hypervisor_summary)

json_t *software_names(void);

#endif
