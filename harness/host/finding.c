// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a probe of this machine has found.
 */
#include <string.h>

#include "harness/host/machine.h"

/**
 * finding_add - append one finding of a probe
 * @findings: array; a finding of this name that is there already stays as it is
 * @name:     as scenarios require it
 * @ok:       it is there
 * @reason:   why it is missing; kept only when it is
 * @remedy:   how to get it; kept only when it is missing
 */
void finding_add(json_t *findings, const char *name, bool ok, const char *reason,
		 const char *remedy)
{
	const json_t *finding;
	size_t index;

	json_array_foreach (findings, index, finding)
		if (strcmp(json_text(finding, "name", ""), name) == 0)
			return;
	json_array_append_new(findings,
			      json_pack("{s:s, s:b, s:s*, s:s*}", "name", name, "ok", ok, "reason",
					ok ? NULL : reason, "remedy", ok ? NULL : remedy));
}
