// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hosts of a trial, before it begins: up, in the same state as for any other trial, and with all that it requires.
 */
#include <errno.h>
#include <string.h>

#include "harness/host/machine.h"
#include "harness/trial/engine_internal.h"
#include "harness/trial/order.h"
#include "harness/trial/requirements.h"

#define RIG_DEADLINE_S 7200

/* Interval of polling a machine that boots, which can not notify us. */
#define LOOK_AGAIN_NS (100 * NSEC_PER_MSEC)
#define LOOK_AGAIN_MAX_NS (5 * NSEC_PER_SEC)

static bool same_rig(const struct engine *engine, const struct planned_trial *trial)
{
	return order_same_host(engine->bench->name, engine->rig, trial->bench,
			       trial->scenario->rig);
}

/* How long a trial may keep its hosts, from the first boot to the last answer. */
static int64_t span_ns(const struct planned_trial *trial)
{
	const struct bench_ops *kind = bench_kind(trial->bench);
	int64_t span_ns = START_TIMEOUT_NS + trial->scenario->deadline_ns + CLEAN_UP_TIMEOUT_NS;

	return kind ? bench_span_ns(kind, span_ns) : span_ns;
}

/* A rig host is ended at its deadline, whatever it does then: a trial that could meet it gets another one. */
static bool outlasts_trial(const struct engine *engine)
{
	return bench_time_left_ns(engine->bench) > span_ns(engine->trial);
}

static int open_bench(struct engine *engine, struct reason *why)
{
	const struct planned_trial *trial = engine->trial;

	if (engine->bench && same_rig(engine, trial) && outlasts_trial(engine))
		return 0;
	guests_free(engine);
	bench_close(engine->bench);
	engine->bench = NULL;
	json_decref(engine->findings);
	engine->findings = NULL;
	json_decref(engine->rig);
	engine->rig = json_deep_copy(trial->scenario->rig);
	return bench_open(trial->bench,
			  &(struct bench_options){
				  .artifacts = engine->options->artifacts,
				  .kernel = engine->options->kernel,
				  .modules = engine->options->modules,
				  .rig = engine->rig,
				  .guests = engine->wants_guests,
				  .deadline_s = RIG_DEADLINE_S +
						(unsigned int)(span_ns(trial) / NSEC_PER_SEC),
				  .event = engine_take_event,
				  .progress = engine_take_progress,
				  .context = engine,
				  .interrupted = engine->options->interrupted,
			  },
			  &engine->bench, why);
}

/* What a machine is stands in the first record of a boot; it does not change during that. */
static json_t *boot_facts(struct bench *host)
{
	json_t *facts = json_copy(host->hello);

	if (host->emulator && host->recorded_boot != host->boots)
		json_object_set_new(facts, "emulator", json_string(host->emulator));
	for (size_t i = 0; machine_facts[i] && host->recorded_boot == host->boots; i++)
		(void)json_object_del(facts, machine_facts[i]);
	host->recorded_boot = host->boots;
	return facts;
}

/* @fresh: it was booted for this trial. */
static void journal_boot(struct engine *engine, struct bench *host, bool fresh)
{
	const json_t *hello = host->hello;
	json_t *record =
		json_pack("{s:s, s:s, s:s, s:O*, s:o}", "host", host->host, "boot_id",
			  json_text(hello, "boot_id", ""), "kernel", json_text(hello, "kernel", ""),
			  "rig", json_object_get(hello, "rig"), "facts", boot_facts(host));

	if (fresh && host->boot_ns > 0)
		json_object_set_new(record, "boot_ns", json_integer(host->boot_ns));
	engine_journal(engine, "boot", record);
}

/*
 * Whether a host that is up is fit for the next trial. The clocks are compared again; they drift under emulation.
 * Return: 0, -EINTR, or another error when it is not.
 */
static int greet_again(struct bench *host)
{
	__cleanup_json json_t *hello = NULL;
	int error = bench_compare_clocks(host, false, NULL);

	/* A host that went down between two trials is not warm, even if an agent answers. */
	if (error || host->clock_names_boot)
		return error;
	error = bench_call(host, "hello", NULL, CALL_TIMEOUT_MS, &hello, NULL);
	return error
		       ?: json_is(hello, "boot_id", json_text(host->hello, "boot_id", ""))
			  ? 0
			  : -ESTALE;
}

static int pause_ns(struct engine *engine, int64_t ns)
{
	int64_t until = now_monotonic_ns() + ns;

	while (now_monotonic_ns() < until)
		if (bench_pump(engine->bench, until))
			return -EINTR;
	return 0;
}

/* A machine that was up in this run, and went down, boots by itself: it is awaited. One that never was is not. */
static int greet(struct engine *engine, struct bench *host, struct reason *why)
{
	bool was_up = engine->met && strcmp(engine->met, engine->trial->bench) == 0;
	int64_t pause = LOOK_AGAIN_NS;
	int64_t until =
		now_monotonic_ns() + (was_up ? (int64_t)host->ops->return_s * NSEC_PER_SEC : 0);
	int error = bench_greet(host, why);

	while (engine_lost_host(error) && now_monotonic_ns() < until) {
		engine_doing(engine, "waiting for the host to boot");
		if (pause_ns(engine, pause))
			return fail(why, -EINTR, "interrupted");
		if (pause < LOOK_AGAIN_MAX_NS)
			pause *= 2;
		error = bench_boot(host, why);
	}
	return error;
}

/**
 * hosts_prepare - bring up the hosts that the trial needs: warm ones when they are fit, a fresh boot otherwise
 *
 * All boot at the same time.
 *
 * Return: 0, -EINTR, or another error with a reason.
 */
int hosts_prepare(struct engine *engine, struct reason *why)
{
	bool fresh = engine->trial->scenario->fresh_boot, booting[2] = {false};
	int error = open_bench(engine, why);

	if (error)
		return error;
	bench_foreach (host, engine->bench, error) {
		error = host->state == HOST_UP && !fresh ? greet_again(host) : -ESTALE;
		if (error == -EINTR)
			return fail(why, error, "interrupted");
		booting[host->number] = error != 0;
		error = 0;
		if (booting[host->number]) {
			engine_doing(engine, "booting the host");
			guests_forget_host(engine, host);
			error = bench_start(host, why);
		}
	}
	bench_foreach (host, engine->bench, error) {
		if (booting[host->number])
			error = greet(engine, host, why);
		if (!error)
			journal_boot(engine, host, booting[host->number]);
	}
	if (!error)
		engine->met = engine->trial->bench;
	return error;
}

/** hosts_await_ready - wait until all hosts can start guests. Return: 0 or -errno with a reason */
int hosts_await_ready(struct engine *engine, struct reason *why)
{
	int error = 0;

	engine_doing(engine, "waiting for the hypervisor");
	bench_foreach (host, engine->bench, error)
		error = bench_ready(host, why);
	return error;
}

/*
 * What is measured on a host that carries residue of faults is something else. The bill is evidence: on record, whether it is
 * clean or not.
 */
static int attest(struct engine *engine, struct reason *why)
{
	int error = 0;

	bench_foreach (host, engine->bench, error) {
		__cleanup_json json_t *bill = NULL;

		error = engine_call(engine, host, "attest", NULL, CALL_TIMEOUT_MS, &bill, why);
		if (error)
			return error;
		json_object_set_new(bill, "event", json_string("clean-bill"));
		engine_journal(engine, "event",
			       json_pack("{s:s, s:s, s:I, s:s, s:O}", "witness", "engine", "host",
					 host->host, "host_time_ns", (json_int_t)now_realtime_ns(),
					 "text", json_text(bill, "text", "no clean bill"), "data",
					 bill));
		if (!json_is_true(json_object_get(bill, "clean")))
			error = fail(why, -ENOTSUP, "%s is not fit to measure: %s; boot it anew",
				     host->host, json_text(bill, "text", "it gives no clean bill"));
	}
	return error;
}

/** hosts_check - whether the bench and its first host have what the scenario needs. Return: 0, or -ENOTSUP with the reason of the skip */
int hosts_check(struct engine *engine, struct reason *why)
{
	const struct scenario *scenario = engine->trial->scenario;
	int error = requirements_of_bench(scenario, engine->bench, why);

	if (!error && scenario->metrics)
		error = attest(engine, why);
	if (error || !json_array_size(scenario->requires))
		return error;
	/* A host that is ready has more to be found than before. */
	if (!engine->findings || engine->findings_boot != engine->bench->boots ||
	    engine->findings_ready != engine->bench->ready_boot) {
		__cleanup_json json_t *reply = NULL;
		error = engine_call(engine, engine->bench, "probe", NULL, CALL_TIMEOUT_MS, &reply,
				    why);
		if (error)
			return error;
		json_decref(engine->findings);
		engine->findings = json_incref(json_object_get(reply, "findings"));
		engine->findings_boot = engine->bench->boots;
		engine->findings_ready = engine->bench->ready_boot;
	}
	return requirements_of_host(scenario, engine->findings, why);
}

/**
 * hosts_reset_firmware - before a trial
 *
 * Settings and poison of the previous trial in the rig's firmware must not become evidence of this one. Not at the end
 * of a trial: it throws away the translated code of the whole machine, and the last trial of a host needs none.
 *
 * Return: 0 or -errno with a reason.
 */
int hosts_reset_firmware(struct engine *engine, struct reason *why)
{
	__cleanup_json json_t *reset = json_pack("{s:s}", "call", "reset");
	int error = 0;

	bench_foreach (host, engine->bench, error)
		if (host->ops->firmware)
			error = bench_firmware(host, reset, why);
	return error;
}
