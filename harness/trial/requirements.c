// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requirements of a scenario on its bench: the reasons of skips, also for `brinell run --dry-run` and `brinell doctor`.
 */
#include <errno.h>
#include <string.h>

#include "harness/scenario/steps.h"
#include "harness/trial/requirements.h"

/**
 * requirements_of_bench - whether a kind of bench can take all steps of a scenario; nothing is started
 * @scenario: the scenario
 * @bench:    open; its first host
 * @why:      reason of the skip
 *
 * Return: 0 or -ENOTSUP.
 */
int requirements_of_bench(const struct scenario *scenario, const struct bench *bench,
			  struct reason *why)
{
	bool pair = bench->next != bench && bench->next->ops->reach;
	bool migrates = pair || bench->ops->local_migration;

	for (size_t i = 0; i < scenario->step_count; i++) {
		const struct scenario_step *step = &scenario->steps[i];

		if (step->kind->migrates && !migrates)
			return fail(why, -ENOTSUP,
				    "a migration needs two hosts, bench '%s' has one", bench->name);
		if (strcmp(step->kind->name, "firmware") == 0 && !bench->ops->firmware)
			return fail(why, -ENOTSUP,
				    "needs the rig's firmware model, bench '%s' has its own",
				    bench->name);
	}
	return 0;
}

static const json_t *find_finding(const json_t *findings, const char *name)
{
	const json_t *finding;
	size_t index;

	json_array_foreach ((json_t *)findings, index, finding)
		if (strcmp(json_text(finding, "name", ""), name) == 0)
			return finding;
	return NULL;
}

/**
 * requirements_of_host - whether a host has what a scenario names under `requires`
 * @scenario: the scenario
 * @findings: of the probe of that host
 * @why:      reason of the skip
 *
 * Return: 0 or -ENOTSUP.
 */
int requirements_of_host(const struct scenario *scenario, const json_t *findings,
			 struct reason *why)
{
	const json_t *needed;
	size_t index;

	json_array_foreach (scenario->requires, index, needed) {
		const char *name = json_string_value(needed);
		const json_t *finding = find_finding(findings, name);

		if (!finding)
			return fail(why, -ENOTSUP, "needs %s, which this version can not probe",
				    name);
		if (!json_is_true(json_object_get(finding, "ok")))
			return fail(why, -ENOTSUP, "needs %s: %s", name,
				    json_text(finding, "reason", "not there"));
	}
	return 0;
}
