// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell run --dry-run: print trials with their bench, and the reason of each skip. Existing machines are probed; emulated hosts
 * are not booted.
 */
#include "harness/commands/dry_run.h"
#include "harness/trial/requirements.h"
#include "reports/text.h"

/* Injectors may load a module each. */
#define PROBE_TIMEOUT_MS 30000

static void ignore_event(void *context, json_t *event)
{
	(void)context;
	json_decref(event);
}

static int start_hosts(struct bench *bench, struct reason *why)
{
	struct bench *host = bench;
	int error;

	do {
		error = bench_boot(host, why) ?: bench_ready(host, why);
		host = host->next;
	} while (!error && host != bench);
	return error;
}

/* Return: {"findings": [...]} of the first host; {"error": TEXT}; {} for emulated hosts. */
static json_t *probe(struct bench *bench)
{
	__cleanup_json json_t *reply = NULL;
	struct reason why = {""};

	if (bench->ops->is_rig)
		return json_object();
	if (start_hosts(bench, &why)
		    ?: bench_call(bench, "probe", NULL, PROBE_TIMEOUT_MS, &reply, &why))
		return json_pack("{s:s}", "error", why.text);
	return json_pack("{s:O*}", "findings", json_object_get(reply, "findings"));
}

/* Predict a trial. Return: "" or a remark. Each bench is probed once. */
static char *predict(const struct planned_trial *trial, bool guests, json_t *probed)
{
	const struct bench_options options = {.event = ignore_event, .guests = guests};
	struct reason why = {""};
	struct bench *bench;
	const json_t *found;
	int error = bench_open(trial->bench, &options, &bench, &why);

	if (error)
		return format_text("  would fail: %s", why.text);
	if (!json_object_get(probed, trial->bench))
		json_object_set_new(probed, trial->bench, probe(bench));
	found = json_object_get(probed, trial->bench);
	error = requirements_of_bench(trial->scenario, bench, &why);
	if (!error && json_object_get(found, "findings"))
		error = requirements_of_host(trial->scenario, json_object_get(found, "findings"),
					     &why);
	bench_close(bench);
	if (json_text(found, "error", NULL))
		return format_text("  would fail: %s", json_text(found, "error", ""));
	return error ? format_text("  would skip: %s", why.text) : xstrdup("");
}

/**
 * dry_run - print the trials of a plan in order, with predicted skips and failures
 *
 * Return: EXIT_PASSED, also if a host can not be reached, because that is a result.
 */
int dry_run(const struct plan *plan)
{
	__cleanup_json json_t *probed = json_object();
	bool guests = false;

	for (size_t i = 0; i < plan->count; i++)
		guests |= plan->trials[i].scenario->guest_count > 0;
	for (size_t i = 0; i < plan->count; i++) {
		const struct planned_trial *trial = &plan->trials[i];
		__cleanup_free char *fate = predict(trial, guests, probed);
		__cleanup_free char *name = plan_trial_name(trial);

		text_line(stdout, "%s  %s  on %s  seed %llu%s", trial->id, name, trial->bench,
			  (unsigned long long)trial->seed, fate);
	}
	return EXIT_PASSED;
}
