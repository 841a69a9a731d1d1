// SPDX-License-Identifier: GPL-2.0-only
/*
 * The steps of a migration. The agent of the source reports its stages and counters; a step can wait for one of them.
 */
#include <errno.h>
#include <string.h>

#include "harness/lib/param.h"
#include "harness/scenario/steps.h"
#include "harness/trial/engine_internal.h"

/* Until the migration is active: the guest of the target has been created by then. */
#define BEGIN_TIMEOUT_MS 90000
#define CONTROL_TIMEOUT_MS 15000

static void set_stage(struct engine_guest *guest, const char *stage)
{
	snprintf(guest->stage, sizeof(guest->stage), "%s", stage);
	guest->view.stage = guest->stage;
}

/** migration_take_event - follow a migration by what the agent of its source reports (docs/protocol.md) */
void migration_take_event(struct engine_guest *guest, const json_t *data)
{
	struct migration_view *view = &guest->view;
	const char *event = json_text(data, "event", "");

	set_stage(guest, json_text(data, "stage", guest->stage));
	view->iteration = json_number(data, "iteration", view->iteration);
	view->remaining = json_number(data, "remaining", view->remaining);
	view->processed = json_number(data, "processed", view->processed);
	view->elapsed_ns = json_number(data, "elapsed_ns", view->elapsed_ns);
	if (strcmp(event, "held") == 0)
		view->held = true;
	if (strcmp(event, "released") == 0)
		view->held = false;
	if (strcmp(event, "end") == 0) {
		snprintf(guest->outcome, sizeof(guest->outcome), "%s",
			 json_text(data, "outcome", "failed"));
		set_stage(guest, guest->outcome);
		view->ended = true;
		/* Its stream at the source is ending; its hello at the target makes the next one. */
		if (strcmp(guest->outcome, "completed") == 0 && guest->host == guest->source)
			guest->linked = false;
	}
}

/* What is known of a migration that is over, before another one. */
static void forget(struct engine_guest *guest)
{
	guest->view = (struct migration_view){.remaining = INT64_MAX};
	guest->outcome[0] = '\0';
	set_stage(guest, "setup");
}

static void set_number(json_t *arguments, const char *key, const json_t *given, const char *name,
		       int64_t unit)
{
	if (param_given(given, name))
		json_object_set_new(arguments, key,
				    json_integer((json_int_t)param_number(given, name) / unit));
}

static void set_milliseconds(json_t *arguments, const char *key, const json_t *given,
			     const char *name)
{
	if (param_given(given, name))
		json_object_set_new(
			arguments, key,
			json_integer((json_int_t)(param_duration_ns(given, name) / NSEC_PER_MSEC)));
}

/* Where it stands still, and the number of the page that is looked at in the guest. */
static void add_hold(const struct engine *engine, json_t *arguments, const json_t *given)
{
	const char *page = param_text(given, "page");
	const json_t *facts = page ? json_object_get(engine->facts, page) : NULL;

	if (param_given(given, "hold"))
		json_object_set_new(arguments, "hold", json_string(param_text(given, "hold")));
	set_number(arguments, "page", facts, "pfn", 1);
	set_number(arguments, "offset", facts, "offset", 1);
	set_number(arguments, "iteration", given, "iteration", 1);
	set_number(arguments, "bytes", given, "bytes", 1);
	if (param_given(given, "video") && param_bool(given, "video"))
		json_object_set_new(arguments, "video", json_true());
}

/* @uri, @address: NULL for a migration on the same host */
static json_t *migrate_arguments(const struct engine *engine, const struct engine_guest *guest,
				 const json_t *given, const char *uri, const char *address)
{
	json_t *arguments = json_pack(
		"{s:s, s:s*, s:s*, s:s, s:b}", "name", guest->name, "uri", uri, "address", address,
		"mode", param_given(given, "mode") ? param_text(given, "mode") : "pre-copy",
		"auto_converge",
		param_given(given, "auto-converge") && param_bool(given, "auto-converge"));

	set_number(arguments, "multifd", given, "multifd", 1);
	set_number(arguments, "bandwidth", given, "bandwidth", 1);
	set_number(arguments, "post_copy_bandwidth", given, "post-copy-bandwidth", 1);
	set_milliseconds(arguments, "downtime_ms", given, "downtime");
	add_hold(engine, arguments, given);
	return arguments;
}

/* The other host makes ready for the guest: files that its QEMU opens, and the address of the guest's stream. */
static int announce(struct engine *engine, const struct engine_guest *guest,
		    const struct scenario_step *step, struct bench *target, struct reason *why)
{
	const char *page = param_text(step->arguments, "page");
	bool reserve =
		!param_given(step->arguments, "reserve") || param_bool(step->arguments, "reserve");
	json_t *arguments = guest_arguments(guest);

	json_object_set(arguments, "uuid", json_object_get(guest->facts, "uuid"));
	json_object_set(arguments, "domain", json_object_get(guest->facts, "domain"));
	json_object_set(arguments, "port", json_object_get(guest->facts, "port"));
	if (!reserve)
		json_object_set_new(arguments, "backing", json_string("anonymous"));
	set_number(arguments, "page", page ? json_object_get(engine->facts, page) : NULL, "pfn", 1);
	return engine_call(engine, target, "guest.receive", arguments, BEGIN_TIMEOUT_MS, NULL, why);
}

/** migration_compare_clocks - both hosts report times of a migration, each by its own clock */
void migration_compare_clocks(struct engine_guest *guest)
{
	if (guest->host->state == HOST_UP)
		(void)bench_compare_clocks(guest->host, false, NULL);
	if (guest->host->next != guest->host && guest->host->next->state == HOST_UP)
		(void)bench_compare_clocks(guest->host->next, false, NULL);
}

static void take_text(char **text, const json_t *given, const char *name)
{
	if (!param_given(given, name))
		return;
	free(*text);
	*text = xstrdup(param_text(given, name));
}

/* The other host is made ready. A guest of a hypervisor that can move it on its host has no other one. */
static int prepare_target(struct engine *engine, const struct engine_guest *guest,
			  const struct scenario_step *step, char **uri, char **address,
			  struct reason *why)
{
	struct bench *target = guest->host->next;

	if (target == guest->host && json_is_true(json_object_get(guest->facts, "local_migration")))
		return 0;
	if (target == guest->host || !target->ops->reach)
		return fail(why, -ENOTSUP, "a migration needs two hosts, bench '%s' has one",
			    engine->bench->name);
	target->ops->reach(target, uri, address);
	take_text(uri, step->arguments, "uri");
	take_text(address, step->arguments, "address");
	return announce(engine, guest, step, target, why);
}

int step_migrate(struct engine *engine, const struct scenario_step *step, struct reason *why)
{
	struct engine_guest *guest = guest_of_step(engine, step);
	__cleanup_free char *uri = NULL;
	__cleanup_free char *address = NULL;
	__cleanup_json json_t *reply = NULL;
	int error;

	if (guest->gone)
		return fail(why, -ENXIO, "guest '%s' has ended", guest->name);
	guest->source = guest->host;
	migration_compare_clocks(guest);
	forget(guest);
	error = prepare_target(engine, guest, step, &uri, &address, why)
			?: engine_call(engine, guest->source, "guest.migrate",
				       migrate_arguments(engine, guest, step->arguments, uri,
							 address),
				       BEGIN_TIMEOUT_MS, &reply, why);
	/* After a fault it is an outcome that the hypervisor does not answer any more; before it, a failure of the bench. */
	if (error == -ENOENT || (error == -EREMOTEIO && engine->intended))
		return -ENXIO;
	return error;
}

/* A fault that would strike at another moment than it should must not be fired. */
static int miss(struct engine *engine, const struct engine_guest *guest, const char *condition,
		struct reason *why)
{
	const struct scenario *scenario = engine->trial->scenario;
	size_t next = engine->step + 1;

	if (guest->view.ended)
		fail(why, 0, "the migration ended (%s) before %s", guest->outcome, condition);
	else
		fail(why, 0, "%s did not come in time: stage %s, iteration %lld", condition,
		     guest->stage, (long long)guest->view.iteration);
	engine_tell(engine, guest, "trigger-missed", "%s", why->text);
	if (next < scenario->step_count && scenario->steps[next].kind->injects)
		return -ECANCELED;
	return 0;
}

int step_when(struct engine *engine, const struct scenario_step *step, struct reason *why)
{
	struct engine_guest *guest = guest_of_step(engine, step);
	const char *text = json_text(step->arguments, "condition", "");
	int64_t until = engine_until(engine, step->within_ns);
	struct condition condition;
	int error = condition_parse(text, &condition, why);

	if (error)
		return error;
	while (!condition_holds(&condition, &guest->view)) {
		/* Only the source reports about the migration. */
		if (guest->view.ended || now_monotonic_ns() >= until ||
		    (guest->source && guest->source->state != HOST_UP))
			return miss(engine, guest, text, why);
		if (bench_pump(engine->bench, until))
			return fail(why, -EINTR, "interrupted");
	}
	return 0;
}

static int control(struct engine *engine, const struct scenario_step *step, const char *action,
		   struct reason *why)
{
	struct engine_guest *guest = guest_of_step(engine, step);
	json_t *arguments = json_pack("{s:s, s:s}", "name", guest->name, "action", action);
	struct reason inner = {0};
	int error;

	set_number(arguments, "bandwidth", step->arguments, "bandwidth", 1);
	set_milliseconds(arguments, "downtime_ms", step->arguments, "downtime");
	if (guest->view.ended) {
		json_decref(arguments);
		engine_tell(engine, guest, "trigger-missed",
			    "the migration ended (%s) before the step %s", guest->outcome, action);
		return 0;
	}
	error = engine_call(engine, guest->source, "guest.migration", arguments, CONTROL_TIMEOUT_MS,
			    NULL, &inner);
	if (!error || engine_lost_host(error))
		return fail(why, error, "%s", inner.text);
	/* It may have just ended: its end is better evidence than the refusal. */
	engine_tell(engine, guest, "trigger-missed", "%s of the migration: %s", action, inner.text);
	return 0;
}

int step_limit(struct engine *engine, const struct scenario_step *step, struct reason *why)
{
	return control(engine, step, "limit", why);
}

int step_post_copy(struct engine *engine, const struct scenario_step *step, struct reason *why)
{
	return control(engine, step, "post-copy", why);
}

int step_release(struct engine *engine, const struct scenario_step *step, struct reason *why)
{
	return control(engine, step, "release", why);
}

int step_cut(struct engine *engine, const struct scenario_step *step, struct reason *why)
{
	return control(engine, step, "cut", why);
}

int step_flip(struct engine *engine, const struct scenario_step *step, struct reason *why)
{
	return control(engine, step, "flip", why);
}

int step_cancel(struct engine *engine, const struct scenario_step *step, struct reason *why)
{
	return control(engine, step, "cancel", why);
}

int step_balloon(struct engine *engine, const struct scenario_step *step, struct reason *why)
{
	struct engine_guest *guest = guest_of_step(engine, step);
	int64_t within_ms = step->within_ns / NSEC_PER_MSEC;
	json_t *arguments = json_pack("{s:s}", "name", guest->name);
	int error;

	set_number(arguments, "memory_mib", step->arguments, "memory", 1 << 20);
	error = engine_call_guest(engine, guest->host, "guest.balloon", arguments,
				  (unsigned int)within_ms, NULL, why);
	/* The guest does not give its memory up. */
	return error == -ENOENT || error == -EREMOTEIO ? -ENXIO : error;
}
