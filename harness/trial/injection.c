// SPDX-License-Identifier: GPL-2.0-only
/*
 * The step that injects: the target of a fault, a last check of the target, and the records of the fault. The fault hits a
 * host, where the page of a guest is looked up first. A fault that runs long ends later, with an event.
 */
#include <errno.h>
#include <string.h>

#include "harness/evidence/vocabulary.h"
#include "harness/scenario/steps.h"
#include "harness/trial/engine_internal.h"
#include "inject/injector.h"

#define FIRE_TIMEOUT_MS 30000
/* How often a page that the host's kernel moves is aimed at again. */
#define AIMS_MAX 4

/*
 * struct aim - where an injection goes
 * @host:  whose injector it is
 * @guest: whose page it is, or NULL
 * @facts: of the workload that it is aimed at, or NULL; those of a guest are the guest's addresses
 * @page:  of a guest, where the host has it; owned
 * @direct: the injector itself works on the guest: the guest's addresses are right
 */
struct aim {
	struct bench *host;
	struct engine_guest *guest;
	const json_t *facts;
	json_t *page;
	bool direct;
};

static struct bench *host_of_step(struct engine *engine, const struct scenario_step *step,
				  const struct engine_guest *guest)
{
	const struct engine_guest *mover = guest ?: guest_of_step(engine, step);
	struct bench *source = mover ? mover->source ? mover->source : mover->host : engine->bench;

	if (!step->host)
		return guest ? guest->host : engine->bench;
	if (strcmp(step->host, "source") == 0)
		return source;
	if (strcmp(step->host, "target") == 0)
		return source->next;
	return bench_host(engine->bench, step->host);
}

static int take_aim(struct engine *engine, const struct scenario_step *step, struct aim *aim,
		    struct reason *why)
{
	const struct injector *injector = injector_find(step->injector);
	const char *gpa;

	aim->facts = step->subject ? json_object_get(engine->facts, step->subject) : NULL;
	aim->guest =
		step->guest ? guest_of_step(engine, step) : workload_guest(engine, step->subject);
	aim->direct = param_find(injector->params, "guest") != NULL;
	aim->host = host_of_step(engine, step, aim->guest);
	if (!aim->host)
		return fail(why, -ENOTSUP, "bench '%s' has no host '%s'", engine->bench->name,
			    step->host);
	if (!aim->guest || aim->direct || !aim->facts)
		return 0;
	gpa = json_text(aim->facts, "physical", NULL);
	if (!gpa)
		return fail(why, -EADDRNOTAVAIL,
			    "'%s' in guest '%s' has not reported the physical address of its page",
			    step->subject, aim->guest->name);
	return guest_resolve(engine, aim->guest, aim->host, step->subject, gpa, &aim->page, why);
}

/* The arguments of an injection with what is only known now: where the target's page is. */
static json_t *resolve_arguments(const struct scenario_step *step, const struct aim *aim)
{
	const struct injector *injector = injector_find(step->injector);
	json_t *arguments = json_deep_copy(step->arguments);
	const struct {
		const char *argument;
		const json_t *from;
		const char *key;
	} known[] = {
		{"address", aim->page ?: aim->facts, aim->page ? "hpa" : "physical"},
		{"pfn", aim->page ?: aim->facts, "pfn"},
		{"gpa", aim->facts, "physical"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].from && param_find(injector->params, known[i].argument) &&
		    !json_object_get(arguments, known[i].argument))
			json_object_set(arguments, known[i].argument,
					json_object_get(known[i].from, known[i].key));
	if (aim->direct && aim->guest)
		json_object_set_new(arguments, "guest", json_string(aim->guest->name));
	return arguments;
}

static json_t *begin_outcome(const struct scenario_step *step, const struct aim *aim,
			     const char *phase)
{
	return json_pack("{s:s, s:s, s:s, s:s*}", "injector", step->injector, "phase", phase,
			 "host", aim->host->host, "guest", aim->guest ? aim->guest->name : NULL);
}

/* @outcome: of begin_outcome(); stolen. @reply: of inject.fire, or the data of the event that ends a running fault. */
static void journal_outcome(struct engine *engine, json_t *outcome, int error, const char *reason,
			    const json_t *reply)
{
	json_object_update_new(outcome,
			       json_pack("{s:i, s:s*, s:s, s:O*, s:O*, s:O*}", "error", error,
					 "error_name", error ? error_name(error) : NULL, "reason",
					 reason, "result", json_object_get(reply, "result"),
					 "writes", json_object_get(reply, "writes"), "duration_ns",
					 json_object_get(reply, "duration_ns")));
	engine_journal(engine, "outcome", outcome);
}

static void journal_reply(struct engine *engine, const json_t *reply)
{
	journal_outcome(engine, steal(engine->fault), (int)json_number(reply, "error", 0),
			json_text(reply, "reason", ""), reply);
}

static void forget_fault(struct engine *engine)
{
	json_decref(engine->fault);
	engine->fault = NULL;
}

/** injection_take_event - handle progress and end of a fault that runs */
void injection_take_event(struct engine *engine, const json_t *event)
{
	const json_t *data = json_object_get(event, "data");
	const char *what = json_text(data, "event", ""), *text = json_text(event, "text", "");

	if (!engine->fault || !json_is(event, "witness", "injector") ||
	    strcmp(json_text(event, "host", ""), json_text(engine->fault, "host", "")) != 0)
		return;
	if (strcmp(what, "progress") == 0)
		engine_take_progress(engine, text,
				     json_number_value(json_object_get(data, "fraction")));
	if (strcmp(what, "end") != 0)
		return;
	engine_doing(engine, text);
	journal_reply(engine, data);
}

/**
 * injection_stop_fault - stop the fault that runs, if any
 *
 * Its outcome arrives as an event before the answer.
 *
 * Return: 0, also when its host was lost and another one is up, or as engine_call().
 */
int injection_stop_fault(struct engine *engine, struct reason *why)
{
	int error;

	if (!engine->fault)
		return 0;
	error = engine_call(engine, engine->prepared, "inject.stop", NULL, CALL_TIMEOUT_MS, NULL,
			    why);
	if (error == -EINTR || !engine_lost_host(error) || !engine_any_host_up(engine))
		return error;
	forget_fault(engine);
	return 0;
}

static void remember_page(struct engine *engine, const struct aim *aim, const char *workload)
{
	json_t *pages = json_object_get(engine->struck, aim->host->host);

	if (!pages) {
		pages = json_object();
		json_object_set_new(engine->struck, aim->host->host, pages);
	}
	json_object_set(pages, workload, aim->page);
}

/* Words of the kind and the severity; NULL when the injector leaves them open. */
static json_t *fault_of(const struct injector *injector, const json_t *arguments)
{
	struct nature fault = injector->fault_of ? injector->fault_of(arguments) : injector->fault;

	return fault.kinds || fault.severities ? nature_words(fault) : NULL;
}

/* @prepared: what the injector has found out about its target; NULL when there is none */
static void journal_intent(struct engine *engine, const struct scenario_step *step,
			   const struct aim *aim, json_t *arguments, json_t *prepared)
{
	const json_t *where = aim->page ?: aim->direct ? NULL : aim->facts;
	const char *address = param_text(arguments, "address");
	const struct injector *injector = injector_find(step->injector);

	if (!address)
		address = json_text(where, aim->page ? "hpa" : "physical", NULL);
	engine_journal(engine, "intent",
		       json_pack("{s:s, s:s*, s:s*, s:o*, s:O, s:O*, s:s*, s:s*, s:s*, s:s*, s:s*, "
				 "s:s, s:s}",
				 "injector", step->injector, "kills",
				 injector->kills ? param_text(arguments, injector->kills) : NULL,
				 "echoed-by", injector->echoed_by, "fault",
				 fault_of(injector, arguments), "arguments", arguments, "prepared",
				 json_object_size(prepared) ? prepared : NULL, "target",
				 step->subject, "guest", aim->guest ? aim->guest->name : NULL,
				 "gpa", aim->guest ? json_text(aim->facts, "physical", NULL) : NULL,
				 "address", address, "pfn", json_text(where, "pfn", NULL),
				 "boot_id", json_text(aim->host->hello, "boot_id", ""), "host",
				 aim->host->host));
	engine->intended = true;
	if (aim->page)
		remember_page(engine, aim, step->subject);
}

/* Whether the page of a guest is still where it was found. */
static int look_again(struct engine *engine, const struct scenario_step *step,
		      const struct aim *aim, struct reason *why)
{
	__cleanup_json json_t *page = NULL;
	const char *before = json_text(aim->page, "pfn", "");
	int error;

	if (!aim->page)
		return 0;
	error = guest_resolve(engine, aim->guest, aim->host, step->subject,
			      json_text(aim->page, "gpa", ""), &page, why);
	if (error || strcmp(json_text(page, "pfn", ""), before) == 0)
		return error;
	engine_tell(engine, aim->guest, "moved",
		    "the page of '%s' moved from frame %s to %s before the fault", step->subject,
		    before, json_text(page, "pfn", "?"));
	return -EAGAIN;
}

/*
 * Has the witnesses look at the target, the injector prepare, and the witnesses report what they have seen by now, which comes
 * before the intent in the journal, where it proves nothing.
 *
 * Return: 0, also when the injector refused: @refused is its error then; or what ends the trial.
 */
static int prepare(struct engine *engine, const struct scenario_step *step, const struct aim *aim,
		   json_t *arguments, json_t **prepared, int *refused, struct reason *why)
{
	/* A target in a guest is no workload of the host's agent. */
	const char *target = aim->guest ? NULL : step->subject;
	const json_t *struck = aim->page ?: aim->guest ? NULL : aim->facts;
	struct bench_request requests[] = {
		{.call = "witness.focus", .arguments = struck ? engine_focus_of(struck) : NULL},
		{.call = "inject.prepare",
		 .arguments = json_pack("{s:s, s:O, s:s*, s:I}", "injector", step->injector,
					"arguments", arguments, "target", target, "seed",
					(json_int_t)engine->trial->seed)},
		{.call = "witness.collect"},
	};
	size_t first = struck ? 0 : 1;
	int error = bench_call_all(aim->host, requests + first, ARRAY_SIZE(requests) - first,
				   engine_time_left_ms(engine, CALL_TIMEOUT_MS), why);

	*prepared = requests[1].reply;
	*refused = requests[1].refusal;
	/* When its answer is missing, it may have set something all the same. */
	engine->prepared = requests[1].error != -EPERM ? aim->host : NULL;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		if (i != 1)
			json_decref(requests[i].reply);
		/* What the injector refuses is for the judge, but not that the machine may be broken. */
		if (!error && requests[i].error && (i != 1 || requests[i].error == -EPERM))
			error = fail(why, requests[i].error, "%s", requests[i].why.text);
	}
	if (!error && *refused)
		fail(why, 0, "%s", requests[1].why.text);
	return error;
}

/* Some scenarios expect the death of a host: the trial continues if another host can report the rest. */
static int after_host_loss(struct engine *engine, const struct aim *aim, int error)
{
	struct bench *other = aim->host->next;

	if (error == -EINTR || !engine_lost_host(error) || other == aim->host ||
	    other->state != HOST_UP)
		return error;
	drain_console_after_death(aim->host);
	engine->prepared = NULL;
	return 0;
}

/*
 * The host's kernel can not take away a page that it moves at this moment: it poisons the frame that the page leaves, and the
 * guest never meets it. A page that is still there was only in use.
 */
static void look_behind(struct engine *engine, const struct scenario_step *step,
			const struct aim *aim)
{
	__cleanup_json json_t *page = NULL;
	const char *before = json_text(aim->page, "pfn", "");

	if (engine_call_guest(engine, aim->host, "guest.resolve",
			      json_pack("{s:s, s:s}", "name", aim->guest->name, "gpa",
					json_text(aim->page, "gpa", "")),
			      CALL_TIMEOUT_MS, &page, NULL) ||
	    json_is_true(json_object_get(page, "poisoned")) ||
	    strcmp(json_text(page, "pfn", ""), before) == 0)
		return;
	engine_tell(engine, aim->guest, EVENT_MOVED_UNDER_FAULT,
		    "the host moved the page of '%s' from frame %s to %s while the fault struck",
		    step->subject, before, json_text(page, "pfn", "another"));
}

/* @fired: the answer of inject.fire, which may leave the fault to the firmware of the host */
static int ask_firmware(struct bench *host, json_t *fired, struct reason *why)
{
	const json_t *call = json_object_get(json_object_get(fired, "result"), RESULT_FIRMWARE);
	struct reason refusal = {""};
	int error;

	if (!call || json_number(fired, "error", 0))
		return 0;
	if (host->ops->firmware)
		error = bench_firmware(host, call, &refusal);
	else
		error = fail(&refusal, -EOPNOTSUPP, "bench '%s' has no firmware model", host->name);
	if (engine_lost_host(error))
		return fail(why, error, "%s", refusal.text);
	json_object_update_new(fired,
			       json_pack("{s:i, s:s}", "error", error, "reason", refusal.text));
	return 0;
}

static int fire(struct engine *engine, const struct scenario_step *step, const struct aim *aim,
		json_t *arguments, json_t *prepared, int refused, struct reason *why)
{
	__cleanup_json json_t *fired = NULL;
	int error;

	journal_intent(engine, step, aim, arguments, json_object_get(prepared, "result"));
	if (engine->journal_error)
		return fail(why, -EIO, "no fault is fired without a journal");
	if (refused) {
		/* The machine refused before anything was fired: for some scenarios just what they expect. */
		journal_outcome(engine, begin_outcome(step, aim, "prepare"), refused, why->text,
				NULL);
		return 0;
	}
	/* A short fault that runs may end before the answer is read. */
	engine->fault = begin_outcome(step, aim, "fire");
	error = engine_call(engine, aim->host, "inject.fire", NULL, FIRE_TIMEOUT_MS, &fired, why);
	if (!error && json_is_true(json_object_get(fired, "running")))
		return 0;
	if (!error)
		error = ask_firmware(aim->host, fired, why);
	if (error) {
		forget_fault(engine);
		return after_host_loss(engine, aim, error);
	}
	journal_reply(engine, fired);
	/* What shows only where the guest is now: it may be elsewhere at the end of the trial. */
	if (aim->direct && aim->guest)
		error = engine_call(engine, aim->host, "witness.collect", NULL, CALL_TIMEOUT_MS,
				    NULL, why);
	if (error)
		return after_host_loss(engine, aim, error);
	if (aim->page && json_number(fired, "error", 0) == -EBUSY)
		look_behind(engine, step, aim);
	return 0;
}

/* One try: -EAGAIN when the page moved before the fault. */
static int aim_and_fire(struct engine *engine, const struct scenario_step *step, struct aim *aim,
			struct reason *why)
{
	__cleanup_json json_t *arguments = NULL, *prepared = NULL;
	int error = engine_restore_injector(engine, why) ?: take_aim(engine, step, aim, why);
	int refused;

	if (error)
		return error;
	arguments = resolve_arguments(step, aim);
	error = prepare(engine, step, aim, arguments, &prepared, &refused, why);
	if (error)
		return error;
	return look_again(engine, step, aim, why)
		       ?: fire(engine, step, aim, arguments, prepared, refused, why);
}

int step_inject(struct engine *engine, const struct scenario_step *step, struct reason *why)
{
	int error = -EAGAIN;

	for (int i = 0; error == -EAGAIN && i < AIMS_MAX; i++) {
		struct aim aim = {0};

		error = aim_and_fire(engine, step, &aim, why);
		json_decref(aim.page);
	}
	return error == -EAGAIN ? fail(why, -EADDRNOTAVAIL,
				       "the page of '%s' moved each of %d times before the fault "
				       "could be fired",
				       step->subject, AIMS_MAX)
				: error;
}

static int step_stop_injection(struct engine *engine, const struct scenario_step *step,
			       struct reason *why)
{
	return injection_stop_fault(engine, why);
}

REGISTERED(step_kind, kind_stop_injection) = {
	.name = "stop-injection",
	.summary = "stops a fault that runs",
	.parse = parse_stop_injection,
	.to_json = subject_to_json,
	.run = step_stop_injection,
};
