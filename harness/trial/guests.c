// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtual machines of a run: started when a trial needs them, kept for the next one while they work, and
 * followed when they move from one host to the other.
 */
#include <errno.h>
#include <string.h>

#include "harness/lib/param.h"
#include "harness/trial/engine_internal.h"

#define START_TIMEOUT_MS 80000
#define STARTS_MAX 2
#define STATUS_TIMEOUT_MS 5000
#define STOP_TIMEOUT_MS 20000
#define COLLECT_TIMEOUT_MS 1000
#define LINK_TIMEOUT_NS (30 * NSEC_PER_SEC)
#define CLEAN_UP_TIMEOUT_MS 3000
/* The beats show how long a guest stood still; inside two emulations they take much of the time that it has. */
#define BEAT_NS (10 * NSEC_PER_MSEC)
#define RIG_BEAT_NS (100 * NSEC_PER_MSEC)

/** guest_find - a guest that runs, or ran, in this run; NULL: none of that name was started */
struct engine_guest *guest_find(const struct engine *engine, const char *name)
{
	for (struct engine_guest *guest = engine->guests; guest; guest = guest->next)
		if (strcmp(guest->name, name) == 0)
			return guest;
	return NULL;
}

/** guest_of_step - the guest that a step names */
struct engine_guest *guest_of_step(const struct engine *engine, const struct scenario_step *step)
{
	return step->guest ? guest_find(engine, step->guest) : NULL;
}

static void free_guest(struct engine *engine, struct engine_guest *guest)
{
	struct engine_guest **at = &engine->guests;

	while (*at != guest)
		at = &(*at)->next;
	*at = guest->next;
	json_decref(guest->arguments);
	json_decref(guest->facts);
	free(guest->name);
	free(guest);
}

/** guests_free - free all guests; their hosts end them */
void guests_free(struct engine *engine)
{
	while (engine->guests)
		free_guest(engine, engine->guests);
}

static void stop_on(struct engine *engine, struct bench *host, const struct engine_guest *guest)
{
	/* A clean shutdown is not needed: stop at once. */
	if (host->state == HOST_UP)
		(void)engine_call(engine, host, "guest.stop",
				  json_pack("{s:s, s:i}", "name", guest->name, "timeout_ms", 1),
				  STOP_TIMEOUT_MS, NULL, NULL);
}

static void stop_guest(struct engine *engine, struct engine_guest *guest)
{
	struct bench *source = guest->source ?: guest->host;

	/* First where it would come from: then nothing is on its way when the other one lets go of it. */
	stop_on(engine, source, guest);
	if (guest->source && source->next != source)
		stop_on(engine, source->next, guest);
	free_guest(engine, guest);
}

/** guests_forget_host - a host is booted anew: what ran on it is gone */
void guests_forget_host(struct engine *engine, const struct bench *host)
{
	struct engine_guest *guest = engine->guests, *next;

	for (; guest; guest = next) {
		next = guest->next;
		if (guest->host == host || guest->source == host)
			stop_guest(engine, guest);
	}
}

/** guest_arguments - the arguments of guest.start and guest.receive: the scenario's values in units of the protocol. Return: owned by the caller */
json_t *guest_arguments(const struct engine_guest *guest)
{
	const json_t *given = guest->arguments;
	json_t *arguments = json_pack(
		"{s:s, s:s, s:s*, s:s*, s:s*, s:s*, s:s*, s:O*}", "name", guest->name, "kind",
		json_text(given, "kind", "micro"), "domain", param_text(given, "domain"),
		"arguments", param_text(given, "kernel-arguments"), "backing",
		param_text(given, "backing"), "machine", param_text(given, "machine"), "system",
		param_text(given, "system"), "programs", json_object_get(given, "programs"));

	if (param_given(given, "memory"))
		json_object_set_new(
			arguments, "memory_mib",
			json_integer((json_int_t)(param_number(given, "memory") >> 20)));
	if (param_given(given, "processors"))
		json_object_set_new(arguments, "processors",
				    json_integer((json_int_t)param_number(given, "processors")));
	return arguments;
}

static void journal_guest(struct engine *engine, const struct engine_guest *guest, bool warm)
{
	engine_journal(engine, "guest",
		       json_pack("{s:s, s:s, s:b, s:O*}", "guest", guest->name, "host",
				 guest->host->host, "warm", warm, "facts", guest->facts));
}

static int64_t beat_ns(const struct engine_guest *guest)
{
	if (param_given(guest->arguments, "heartbeat"))
		return param_duration_ns(guest->arguments, "heartbeat");
	return json_is_true(json_object_get(guest->host->hello, "rig")) ? RIG_BEAT_NS : BEAT_NS;
}

static int try_start(struct engine *engine, const struct scenario_guest *wanted, struct reason *why)
{
	struct engine_guest *guest = xzalloc(sizeof(*guest));
	json_t *arguments;
	int error;

	guest->name = xstrdup(wanted->name);
	guest->arguments = json_deep_copy(wanted->arguments);
	guest->host = engine->bench;
	guest->used = true;
	guest->view.stage = guest->stage;
	guest->next = engine->guests;
	engine->guests = guest;
	arguments = guest_arguments(guest);
	error = engine_call_guest(engine, guest->host, "guest.start", arguments, START_TIMEOUT_MS,
				  &guest->facts, why);
	if (error) {
		free_guest(engine, guest);
		return error;
	}
	guest->linked = true;
	journal_guest(engine, guest, false);
	return 0;
}

/*
 * A guest that does not start before any fault is no result: it is started once more. Return: 0, -ENODEV, or an
 * error of the host.
 */
static int start_guest(struct engine *engine, const struct scenario_guest *wanted,
		       struct reason *why)
{
	int error = 0;

	for (int i = 0; i < STARTS_MAX; i++) {
		error = try_start(engine, wanted, why);
		if (!error || engine_lost_host(error))
			return error;
		engine_tell(engine, NULL, "guest-start", "%s", why->text);
	}
	return -ENODEV;
}

/* Whether a guest of the trials before serves this one as if it were new. */
static bool is_fit(struct engine *engine, const struct engine_guest *guest,
		   const struct scenario_guest *wanted)
{
	__cleanup_json json_t *status = NULL;

	if (guest->gone || guest->source || !guest->linked || guest->host->state != HOST_UP ||
	    param_bool(wanted->arguments, "fresh") ||
	    !json_equal(guest->arguments, wanted->arguments))
		return false;
	return engine_call(engine, guest->host, "guest.status",
			   json_pack("{s:s}", "name", guest->name), STATUS_TIMEOUT_MS, &status,
			   NULL) == 0 &&
	       json_is(status, "state", "running") &&
	       json_is_true(json_object_get(status, "connected"));
}

/* Those that this trial does not name would only take time from those that it does. */
static void stop_others(struct engine *engine)
{
	const struct scenario *scenario = engine->trial->scenario;
	struct engine_guest *guest = engine->guests, *next;

	for (; guest; guest = next) {
		bool wanted = false;

		next = guest->next;
		guest->used = false;
		for (size_t i = 0; i < scenario->guest_count; i++)
			wanted |= strcmp(scenario->guests[i].name, guest->name) == 0;
		if (!wanted)
			stop_guest(engine, guest);
	}
}

/**
 * guests_prepare - have the guests of a trial run, before its clock starts
 *
 * Return: 0 or -errno with a reason.
 */
int guests_prepare(struct engine *engine, struct reason *why)
{
	const struct scenario *scenario = engine->trial->scenario;
	int error = 0;

	stop_others(engine);
	for (size_t i = 0; !error && i < scenario->guest_count; i++) {
		const struct scenario_guest *wanted = &scenario->guests[i];
		struct engine_guest *guest = guest_find(engine, wanted->name);

		if (guest && is_fit(engine, guest, wanted)) {
			guest->used = true;
			journal_guest(engine, guest, true);
			continue;
		}
		if (guest)
			stop_guest(engine, guest);
		engine_doing(engine, "starting a guest");
		error = start_guest(engine, wanted, why);
	}
	return error;
}

/**
 * guests_watch - have the guests of the trial beat, and follow their own witnesses
 *
 * Return: 0 or -errno with a reason.
 */
int guests_watch(struct engine *engine, struct reason *why)
{
	int error = 0;

	for (struct engine_guest *guest = engine->guests; !error && guest; guest = guest->next) {
		__cleanup_json json_t *reply = NULL;

		if (!guest->used)
			continue;
		error = guest_call(engine, guest, "witness.start", NULL, CALL_TIMEOUT_MS, &reply,
				   why);
		if (error)
			break;
		engine_journal(engine, "witnesses",
			       json_pack("{s:s, s:s, s:O*, s:O*, s:O*, s:O*}", "guest", guest->name,
					 "host", guest->host->host, "started",
					 json_object_get(reply, "started"), "missing",
					 json_object_get(reply, "missing"), "proofs",
					 json_object_get(reply, "proofs"), "formats",
					 json_object_get(reply, "formats")));
		error = guest_call(engine, guest, "heartbeat.start",
				   json_pack("{s:I}", "interval_ns", (json_int_t)beat_ns(guest)),
				   CALL_TIMEOUT_MS, NULL, why);
	}
	return error;
}

/* Query the hosts that may have a guest; both during a migration. */
static void ask_status(struct engine *engine, struct bench *host, const struct engine_guest *guest)
{
	if (host->state == HOST_UP)
		(void)engine_call(engine, host, "guest.status",
				  json_pack("{s:s}", "name", guest->name), STATUS_TIMEOUT_MS, NULL,
				  NULL);
}

/* Request counters and differences of a guest. If it does not answer, only the hosts report on it. */
static void collect_in(struct engine *engine, struct engine_guest *guest)
{
	if (guest->linked && !guest->gone && guest->host->state == HOST_UP)
		(void)guest_call(engine, guest, "witness.collect", NULL, COLLECT_TIMEOUT_MS, NULL,
				 NULL);
}

/** guests_collect - request final evidence from the guests, and from the hosts about them */
void guests_collect(struct engine *engine)
{
	for (struct engine_guest *guest = engine->guests; guest; guest = guest->next) {
		if (!guest->used)
			continue;
		collect_in(engine, guest);
		ask_status(engine, guest->host, guest);
		if (guest->source && guest->source->next != guest->source) {
			ask_status(engine, guest->host->next, guest);
			migration_compare_clocks(guest);
		}
	}
}

static bool is_well(const struct engine_guest *guest, const json_t *result)
{
	const char *axis = json_text(json_object_get(result, "axes"), "guest", "unknown");

	return !guest->gone && !guest->source && is_one_of(axis, "unharmed", "contained");
}

/**
 * guests_clean_up - after the verdict: end the workloads of guests that are kept, and those guests that are not well
 * @result: of the trial
 */
void guests_clean_up(struct engine *engine, const json_t *result)
{
	const struct scenario *scenario = engine->trial->scenario;
	struct engine_guest *guest = engine->guests, *next;

	for (; guest; guest = next) {
		bool keep = is_well(guest, result);

		next = guest->next;
		for (size_t i = 0; keep && i < scenario->workload_count; i++) {
			const struct scenario_workload *load = &scenario->workloads[i];

			if (load->guest && strcmp(load->guest, guest->name) == 0 &&
			    json_object_get(engine->facts, load->name))
				keep = guest_call(engine, guest, "workload.stop",
						  json_pack("{s:s}", "name", load->name),
						  CLEAN_UP_TIMEOUT_MS, NULL, NULL) == 0;
		}
		if (keep)
			keep = guest_call(engine, guest, "witness.stop", NULL, CLEAN_UP_TIMEOUT_MS,
					  NULL, NULL) == 0;
		if (!keep)
			stop_guest(engine, guest);
	}
}

/** guest_may_be_heard - whether a host is up that can report about a guest: its own, or the other one of its migration */
bool guest_may_be_heard(const struct engine_guest *guest)
{
	const struct bench *host = guest->host;

	return host->state == HOST_UP || (guest->source && host->next->state == HOST_UP);
}

/*
 * Return: 0 when the guest has a stream to a host that is up, or when there is no such host, -ENXIO when the guest has ended
 * or gets no stream in time, or -EINTR.
 */
static int await_link(struct engine *engine, struct engine_guest *guest, struct reason *why)
{
	int64_t until = engine_until(engine, LINK_TIMEOUT_NS);

	while (!guest->gone && guest_may_be_heard(guest) && now_monotonic_ns() < until &&
	       (!guest->linked || guest->host->state != HOST_UP))
		if (bench_pump(engine->bench, until))
			return fail(why, -EINTR, "interrupted");
	if (guest->gone)
		return fail(why, -ENXIO, "guest '%s' has ended", guest->name);
	if (guest_may_be_heard(guest) && (!guest->linked || guest->host->state != HOST_UP))
		return fail(why, -ENXIO, "guest '%s' has no stream to its host", guest->name);
	return 0;
}

/**
 * guest_call - ask the program in a guest for something, wherever the guest is now
 * @guest:     it
 * @call:      of docs/guest-program.md
 * @arguments: stolen; may be NULL
 * @reply:     owned by the caller; may be NULL
 *
 * Return: 0, the -errno that the guest's program answers, -ENXIO when the guest does not answer, or an error of its host.
 */
int guest_call(struct engine *engine, struct engine_guest *guest, const char *call,
	       json_t *arguments, unsigned int timeout_ms, json_t **reply, struct reason *why)
{
	__cleanup_json json_t *owned = arguments;
	struct reason inner = {0};
	int error = await_link(engine, guest, why);

	if (error)
		return error;
	error = engine_call_guest(engine, guest->host, "guest.call",
				  json_pack("{s:s, s:s, s:O*}", "guest", guest->name, "call", call,
					    "args", owned),
				  timeout_ms, reply, &inner);
	if (!error)
		return 0;
	if (error == -EREMOTEIO || error == -ENOTCONN || error == -ENOENT)
		error = -ENXIO;
	return fail(why, error, "guest '%s': %s: %s", guest->name, call, inner.text);
}

/**
 * guest_resolve - find the frame of the host in which a page of a guest lies
 * @host:     which may be the source that the guest has just left
 * @workload: whose page it is
 * @gpa:      guest physical address, as 0x text
 * @page:     receives the answer of guest.resolve; owned by the caller
 *
 * A page that this trial has poisoned is where it was: QEMU has it no more, but a second fault may be aimed at it.
 *
 * Return: 0; -EADDRNOTAVAIL with the step at which the way to the frame ends; -ENXIO when QEMU does not answer; or an error
 * of the host.
 */
int guest_resolve(struct engine *engine, struct engine_guest *guest, struct bench *host,
		  const char *workload, const char *gpa, json_t **page, struct reason *why)
{
	json_t *before = json_object_get(json_object_get(engine->struck, host->host), workload);
	const char *lacks = NULL;
	json_t *resolved;
	int error;

	*page = NULL;
	error = engine_call_guest(engine, host, "guest.resolve",
				  json_pack("{s:s, s:s}", "name", guest->name, "gpa", gpa),
				  CALL_TIMEOUT_MS, page, why);
	/* Its process may end a moment before the hypervisor reports it, or may be stopped. */
	if (error == -ENOENT || error == -ESRCH || error == -EREMOTEIO)
		return -ENXIO;
	if (error)
		return error;
	if (json_is_true(json_object_get(*page, "poisoned")) &&
	    strcmp(json_text(before, "gpa", ""), gpa) == 0) {
		json_decref(*page);
		*page = json_incref(before);
	} else if (json_is_true(json_object_get(*page, "zero_page")))
		lacks = "is the page of zeroes, which is not the guest's own";
	else if (json_is_true(json_object_get(*page, "swapped")))
		lacks = "is in the host's swap";
	else if (json_is_true(json_object_get(*page, "poisoned")))
		lacks = "is poisoned already";
	else if (!json_is_true(json_object_get(*page, "present")) || !json_text(*page, "pfn", NULL))
		lacks = "is not in the host's memory";
	resolved = json_deep_copy(*page);
	json_object_set_new(resolved, "guest", json_string(guest->name));
	json_object_set_new(resolved, "workload", json_string(workload));
	json_object_set_new(resolved, "host", json_string(host->host));
	engine_journal(engine, "resolved", resolved);
	if (!lacks)
		return 0;
	json_decref(*page);
	*page = NULL;
	return fail(why, -EADDRNOTAVAIL, "the page of '%s' at guest address %s %s", workload, gpa,
		    lacks);
}

static void take_link_event(struct engine *engine, struct engine_guest *guest, struct bench *host,
			    const json_t *data)
{
	const char *what = json_text(data, "what", "");

	if (strcmp(what, "hello") == 0) {
		guest->linked = true;
		if (guest->host != host) {
			guest->host = host;
			engine_journal(engine, "guest",
				       json_pack("{s:s, s:s, s:b, s:O*}", "guest", guest->name,
						 "host", host->host, "arrived", 1, "facts",
						 guest->facts));
		}
	} else if (strcmp(what, "gone") == 0 && guest->host == host) {
		guest->linked = false;
	}
}

static void take_hypervisor_event(struct engine_guest *guest, const struct bench *host,
				  const json_t *data)
{
	bool stopped = json_is(data, "state", "stopped");
	bool moved = json_is(data, "detail", "migrated");

	/* The domain that waits at the target for a guest that does not come ends without harm. */
	if (stopped && !moved && guest->host == host)
		guest->gone = true;
}

/** guests_take_event - follow what is reported of guests; @body of an event of the journal */
void guests_take_event(struct engine *engine, const json_t *body)
{
	const char *name = json_text(body, "guest", NULL);
	const char *witness = json_text(body, "witness", "");
	struct engine_guest *guest = name ? guest_find(engine, name) : NULL;
	const json_t *data = json_object_get(body, "data");
	struct bench *host;

	if (!guest || !engine->bench)
		return;
	host = bench_host(engine->bench, json_text(body, "host", ""));
	if (!host)
		return;
	if (strcmp(witness, "guest-link") == 0)
		take_link_event(engine, guest, host, data);
	else if (strcmp(witness, "hypervisor") == 0)
		take_hypervisor_event(guest, host, data);
	else if (strcmp(witness, "migration") == 0)
		migration_take_event(guest, data);
}
