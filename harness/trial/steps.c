// SPDX-License-Identifier: GPL-2.0-only
/*
 * The steps of a trial, one function each. A workload may be on the host or in a guest.
 */
#include <errno.h>
#include <string.h>

#include "harness/scenario/steps.h"
#include "harness/trial/engine_internal.h"
#include "harness/witness/witness.h"

/* A workload that starts in a guest fills its memory, under emulation of emulation. */
#define GUEST_START_TIMEOUT_MS 60000
#define GUEST_TOUCH_NS (15 * NSEC_PER_SEC)
#define GUEST_CALL_TIMEOUT_MS 15000

static const struct scenario_workload *find_workload(const struct scenario *scenario,
						     const char *name)
{
	for (size_t i = 0; name && i < scenario->workload_count; i++)
		if (strcmp(scenario->workloads[i].name, name) == 0)
			return &scenario->workloads[i];
	return NULL;
}

/** workload_guest - the guest that a workload is in; NULL: it is on the host */
struct engine_guest *workload_guest(const struct engine *engine, const char *name)
{
	const struct scenario_workload *load = find_workload(engine->trial->scenario, name);

	return load && load->guest ? guest_find(engine, load->guest) : NULL;
}

/* A call about a workload, to where it is. */
static int workload_call(struct engine *engine, const char *name, const char *call,
			 json_t *arguments, unsigned int timeout_ms, json_t **reply,
			 struct reason *why)
{
	struct engine_guest *guest = workload_guest(engine, name);

	return guest ? guest_call(engine, guest, call, arguments, timeout_ms, reply, why)
		     : engine_call(engine, engine->bench, call, arguments, timeout_ms, reply, why);
}

/** engine_focus_of - the frame and the process that the witnesses of a host shall look at: arguments of witness.focus */
json_t *engine_focus_of(const json_t *facts)
{
	return json_pack("{s:s*, s:[O*]}", "pfn", json_text(facts, "pfn", NULL), "pids",
			 json_object_get(facts, "pid"));
}

/* Whether a fault is aimed at a workload in a later step: then the witnesses learn of it together with that. */
static bool is_aimed_at(const struct engine *engine, const char *workload)
{
	const struct scenario *scenario = engine->trial->scenario;

	for (size_t i = engine->step; i < scenario->step_count; i++)
		if (scenario->steps[i].kind->injects && scenario->steps[i].subject &&
		    strcmp(scenario->steps[i].subject, workload) == 0)
			return true;
	return false;
}

static int step_start(struct engine *engine, const struct scenario_step *step, struct reason *why)
{
	const struct scenario_workload *load =
		find_workload(engine->trial->scenario, step->subject);
	__cleanup_json json_t *reply = NULL;
	json_t *facts;
	int error;

	error = workload_call(engine, load->name, "workload.start",
			      json_pack("{s:s, s:s, s:O}", "name", load->name, "kind", load->kind,
					"arguments", load->arguments),
			      load->guest ? GUEST_START_TIMEOUT_MS : CALL_TIMEOUT_MS, &reply, why);
	if (error)
		return error;
	facts = json_object_get(reply, "facts");
	json_object_set(engine->facts, load->name, facts);
	engine_journal(engine, "facts",
		       json_pack("{s:s, s:s*, s:O}", "workload", load->name, "guest", load->guest,
				 "facts", facts));
	/* After a fault the witnesses keep to the frame that it struck. */
	if (load->guest || engine->intended || is_aimed_at(engine, load->name))
		return 0;
	return engine_call(engine, engine->bench, "witness.focus", engine_focus_of(facts),
			   CALL_TIMEOUT_MS, NULL, why);
}

/*
 * struct awaited - a piece of evidence that is waited for
 * @witness:  source, or NULL for any
 * @workload: whose end of a touch it is, or NULL
 * @guest:    in which that is, or NULL
 * @pattern:  of its text, or NULL
 * @from:     guest whose events count; "": only the host's; NULL: all
 */
struct awaited {
	const char *witness, *workload;
	const struct engine_guest *guest;
	const regex_t *pattern;
	const char *from;
};

static bool event_matches(const json_t *record, const struct awaited *awaited)
{
	const json_t *body = json_object_get(record, "body");
	const json_t *data = json_object_get(body, "data");

	if (!json_is(record, "type", "event"))
		return false;
	if (awaited->witness && strcmp(json_text(body, "witness", ""), awaited->witness) != 0)
		return false;
	if (awaited->from && strcmp(json_text(body, "guest", ""), awaited->from) != 0)
		return false;
	if (awaited->workload &&
	    (strcmp(json_text(data, "workload", ""), awaited->workload) != 0 ||
	     /* The last event of a touch: until then the workload takes no other one. */
	     !is_one_of(json_text(data, "event", ""), "checked", "exit", "hung", "gone") ||
	     strcmp(json_text(body, "guest", ""), awaited->guest ? awaited->guest->name : "") != 0))
		return false;
	return !awaited->pattern ||
	       regexec(awaited->pattern, json_text(body, "text", ""), 0, NULL, 0) == 0;
}

/* Whether a source of the awaited event still exists. Return: 0, -ENXIO if the source is a lost guest, or the error of the host. */
static int check_teller(const struct engine *engine, const struct awaited *awaited,
			struct reason *why)
{
	bool of_first_host = awaited->workload && !awaited->guest;

	if (of_first_host ? engine->bench->state != HOST_UP : !engine_any_host_up(engine))
		return engine->bench->state == HOST_DIED
			       ? fail(why, -EHOSTDOWN, "the host died")
			       : fail(why, -ECONNRESET, "the agent on the host is gone");
	if (awaited->guest && awaited->guest->gone)
		return fail(why, -ENXIO, "guest '%s' has ended", awaited->guest->name);
	if (awaited->guest && !guest_may_be_heard(awaited->guest))
		return fail(why, -ENXIO, "guest '%s' went down with its host",
			    awaited->guest->name);
	return 0;
}

/*
 * Waits for a piece of evidence among the records from @from on. Return: 0, -ETIME when it did not come, -ENXIO when the
 * guest that it had to come from has ended, or an error.
 */
static int await_event(struct engine *engine, size_t from, const struct awaited *awaited,
		       int64_t until, struct reason *why)
{
	int error;

	for (;;) {
		for (; from < json_array_size(engine->records); from++)
			if (event_matches(json_array_get(engine->records, from), awaited))
				return 0;
		error = check_teller(engine, awaited, why);
		if (error)
			return error;
		if (now_monotonic_ns() >= until)
			return -ETIME;
		if (bench_pump(engine->bench, until))
			return fail(why, -EINTR, "interrupted");
	}
}

static int step_touch(struct engine *engine, const struct scenario_step *step, struct reason *why)
{
	size_t from = json_array_size(engine->records);
	const struct engine_guest *guest = workload_guest(engine, step->subject);
	const struct awaited awaited = {
		.witness = "workload", .workload = step->subject, .guest = guest};
	int64_t until = guest ? engine_until(engine, GUEST_TOUCH_NS) : engine->deadline;
	int error;

	error = workload_call(engine, step->subject, "workload.touch",
			      json_pack("{s:s, s:s*}", "name", step->subject, "by",
					step->arguments ? param_text(step->arguments, "by") : NULL),
			      GUEST_CALL_TIMEOUT_MS, NULL, why)
			?: await_event(engine, from, &awaited, until, why);
	/* A hung guest does not end the trial, because its state is the result. */
	if (error == -ETIME && guest)
		return fail(why, -ENXIO, "'%s' did not come back from its touch", step->subject);
	return error == -ETIME ? fail(why, -ETIMEDOUT, "'%s' did not come back from its touch",
				      step->subject)
			       : error;
}

/* What a host and its guests have alike, such as a kernel log, is the host's own when no guest is named. */
static const char *source_of_wait(const struct scenario_step *step)
{
	if (step->guest)
		return step->guest;
	return witness_find(step->subject) ? "" : NULL;
}

static int step_wait(struct engine *engine, const struct scenario_step *step, struct reason *why)
{
	const char *match = json_text(step->arguments, "match", ".*");
	int64_t until = engine_until(engine, step->within_ns);
	regex_t pattern;
	int error;

	if (regcomp(&pattern, match, REG_EXTENDED | REG_NOSUB))
		return fail(why, -EINVAL, "bad pattern '%s'", match);
	error = await_event(engine, 0,
			    &(struct awaited){.witness = step->subject,
					      .pattern = &pattern,
					      .from = source_of_wait(step)},
			    until, why);
	regfree(&pattern);
	/* Evidence that did not come is for the judge to weigh. */
	return error == -ETIME ? 0 : error;
}

static int step_stop(struct engine *engine, const struct scenario_step *step, struct reason *why)
{
	return workload_call(engine, step->subject, "workload.stop",
			     json_pack("{s:s}", "name", step->subject), CALL_TIMEOUT_MS, NULL, why);
}

static int step_firmware(struct engine *engine, const struct scenario_step *step,
			 struct reason *why)
{
	return bench_firmware(engine->bench, step->arguments, why);
}

#define STEP_KIND(id, word, text, take, show, perform, ...)                                        \
	REGISTERED(step_kind, kind_##id) = {.name = word,                                          \
					    .summary = text,                                       \
					    .parse = take,                                         \
					    .to_json = show,                                       \
					    .run = perform,                                        \
					    __VA_ARGS__}

STEP_KIND(start, "start", "starts a workload", parse_start, subject_to_json, step_start);
STEP_KIND(inject, "inject", "fires a fault", parse_inject, inject_to_json, step_inject,
	  .injects = true);
STEP_KIND(touch, "touch", "requests a touch of a workload", parse_touch, touch_to_json, step_touch,
	  .touches = true);
STEP_KIND(wait, "wait", "waits for a piece of evidence", parse_wait, wait_to_json, step_wait);
STEP_KIND(stop, "stop", "ends a workload", parse_stop, subject_to_json, step_stop);
STEP_KIND(firmware, "firmware", "sets how the firmware model of the rig behaves", parse_firmware,
	  arguments_to_json, step_firmware);
STEP_KIND(migrate, "migrate", "begins the migration of a guest", parse_migrate, guest_step_to_json,
	  step_migrate, .migrates = true);
STEP_KIND(when, "when", "waits until a condition on a migration holds", parse_when,
	  guest_step_to_json, step_when);
STEP_KIND(limit, "limit", "changes bandwidth and downtime of a migration", parse_limit,
	  guest_step_to_json, step_limit);
STEP_KIND(post_copy, "post-copy", "switches a migration to post-copy", parse_post_copy,
	  guest_to_json, step_post_copy);
STEP_KIND(release, "release", "continues a migration that stands still at its hold", parse_release,
	  guest_to_json, step_release);
STEP_KIND(cut, "cut", "kills the receiver of a migration that stands still", parse_cut,
	  guest_to_json, step_cut);
STEP_KIND(flip, "flip", "flips a bit of the stream of a migration that stands still", parse_flip,
	  guest_to_json, step_flip);
STEP_KIND(cancel, "cancel", "cancels a migration", parse_cancel, guest_to_json, step_cancel);
STEP_KIND(balloon, "balloon", "sets the memory that a guest keeps", parse_balloon,
	  guest_step_to_json, step_balloon);

/* What a step works on, for people. */
static const char *object_of(const struct scenario_step *step)
{
	if (step->kind->injects)
		return step->injector;
	if (step->kind == &kind_when)
		return json_text(step->arguments, "condition", "");
	return step->subject ?: step->guest;
}

/* A trial without a fault is about its migration, or about all of its steps. */
static bool is_decisive(const struct scenario *scenario, const struct scenario_step *step)
{
	struct steps_count count = steps_count(scenario);

	return !count.injects && (!count.migrates || step->kind->migrates);
}

static bool has_migrated(const struct engine *engine)
{
	for (const struct engine_guest *guest = engine->guests; guest; guest = guest->next)
		if (guest->used && guest->source)
			return true;
	return false;
}

/**
 * steps_run - take the trial through all its steps
 *
 * A guest that does not answer any more after the fault is an outcome of the trial: the steps that are left are tried all
 * the same, for they may be about another one.
 *
 * Return: 0, or what ended the trial.
 */
int steps_run(struct engine *engine, struct reason *why)
{
	const struct scenario *scenario = engine->trial->scenario;

	for (engine->step = 0; engine->step < scenario->step_count; engine->step++) {
		const struct scenario_step *step = &scenario->steps[engine->step];
		const char *object = object_of(step);
		__cleanup_free char *text = format_text("%s %s", step->kind->name, object ?: "");
		int error;

		engine_doing(engine, text);
		engine_journal(engine, "step",
			       json_pack("{s:i, s:s, s:s}", "index", (int)engine->step, "step",
					 step->kind->name, "text", text));
		if (engine->journal_error)
			return fail(why, -EIO, "the journal can not be written");
		engine->decisive |= is_decisive(scenario, step);
		error = step->kind->run(engine, step, why);
		if (error == -ENXIO && (engine->intended || has_migrated(engine))) {
			engine_tell(engine, NULL, "guest-gone", "%s: %s", text, why->text);
			continue;
		}
		if (error)
			return error;
	}
	return 0;
}
