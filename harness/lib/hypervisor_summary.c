// SPDX-License-Identifier: GPL-2.0-only
/*
 * The software of which a run records versions.
 */
#include "harness/lib/hypervisor_summary.h"

/** software_names - "kernel", and the software that the hypervisors of this program report. Return: owned by the caller */
json_t *software_names(void)
{
	json_t *names = json_pack("[s]", "kernel");

	for (size_t i = 0; i < hypervisor_summary_count(); i++)
		for (const char *const *name = hypervisor_summary_at(i)->software; name && *name;
		     name++)
			json_array_append_new(names, json_string(*name));
	return names;
}
