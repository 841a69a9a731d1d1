// SPDX-License-Identifier: GPL-2.0-only
/*
 * The trial engine: executes the steps of each trial of a plan, writes the journal, and calls the judge. It decides
 * nothing itself: whatever happens becomes a record, and the verdict comes from the records alone.
 */
#include <errno.h>
#include <string.h>

#include "harness/judge/judge.h"
#include "harness/evidence/vocabulary.h"
#include "harness/trial/engine_internal.h"

#define COLLECT_INTERVAL_NS (20 * NSEC_PER_MSEC)
#define CONSOLE_DRAIN_NS (5 * NSEC_PER_SEC)
/* What an agent has to answer after its own deadline. */
#define AGENT_ANSWER_MS 5000
#define ATTEMPTS_MAX 2

/* How a trial came to its end. */
struct closing {
	enum end_cause cause;
	char reason[sizeof(((struct reason *)0)->text)];
};

/** engine_journal - write a record, of the trial that runs; @body is stolen */
void engine_journal(struct engine *engine, const char *type, json_t *body)
{
	const char *trial = engine->trial && !engine->closed ? engine->trial->id : NULL;
	/* The verdict of the run and that of its journal rest on the same times. */
	int64_t time_ns = now_realtime_ns();
	int error;

	if (engine->records && !engine->closed)
		json_array_append_new(engine->records, json_pack("{s:I, s:s, s:s*, s:O}", "time_ns",
								 (json_int_t)time_ns, "type", type,
								 "trial", trial, "body", body));
	error = journal_append_at(engine->options->journal, time_ns, type, trial, body);
	if (error && !engine->journal_error) {
		engine->journal_error = error;
		log_error("the journal can not be written: %s; the run ends here, `brinell resume` "
			  "goes on "
			  "when there is room",
			  strerror(-error));
	}
}

/** engine_take_event - handle and record an event of the bench; a bench_event_fn */
void engine_take_event(void *context, json_t *event)
{
	struct engine *engine = context;

	guests_take_event(engine, event);
	if (budget_allows(engine, event)) {
		engine->news = true;
		engine_journal(engine, "event", json_incref(event));
	}
	injection_take_event(engine, event);
	json_decref(event);
}

/** engine_take_progress - the bench does something that takes long; a bench_progress_fn */
void engine_take_progress(void *context, const char *what, double fraction)
{
	struct engine *engine = context;

	if (engine->options->view.progress)
		engine->options->view.progress(engine->options->view.context, what, fraction);
}

/** engine_doing - report to the progress display what the trial does now */
void engine_doing(struct engine *engine, const char *what)
{
	if (engine->options->view.doing)
		engine->options->view.doing(engine->options->view.context, what);
}

/** engine_until - CLOCK_MONOTONIC when @span_ns of a bench that is not slow are over; at the latest the deadline of the trial */
int64_t engine_until(const struct engine *engine, int64_t span_ns)
{
	int64_t until = now_monotonic_ns() + bench_span_ns(engine->bench->ops, span_ns);

	return until < engine->deadline ? until : engine->deadline;
}

static void set_deadline(struct engine *engine, int64_t span_ns)
{
	engine->deadline = now_monotonic_ns() + bench_span_ns(engine->bench->ops, span_ns);
}

/** engine_time_left_ms - until the deadline of the trial, from 1 to @most */
unsigned int engine_time_left_ms(const struct engine *engine, unsigned int most)
{
	int64_t left = (engine->deadline - now_monotonic_ns()) /
		       bench_span_ns(engine->bench->ops, NSEC_PER_MSEC);

	if (left < 1)
		return 1;
	return left < (int64_t)most ? (unsigned int)left : most;
}

/**
 * engine_tell - put an event of the engine itself on record
 * @guest:  that it is about, or NULL
 * @event:  its kind: "trigger-missed", "moved", "moved-under-fault", "guest-gone", "guest-start"
 * @format: its text
 */
void engine_tell(struct engine *engine, const struct engine_guest *guest, const char *event,
		 const char *format, ...)
{
	struct reason text;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text.text, sizeof(text.text), format, arguments);
	va_end(arguments);
	engine_journal(engine, "event",
		       json_pack("{s:s, s:s, s:s*, s:I, s:s, s:{s:s}}", "witness", "engine", "host",
				 guest ? guest->host->host : engine->bench->host, "guest",
				 guest ? guest->name : NULL, "host_time_ns",
				 (json_int_t)now_realtime_ns(), "text", text.text, "data", "event",
				 event));
}

/**
 * engine_call - ask the agent of a host for something, within the deadline of the trial
 * @arguments: stolen; may be NULL
 *
 * Return: as bench_call().
 */
int engine_call(struct engine *engine, struct bench *host, const char *name, json_t *arguments,
		unsigned int timeout_ms, json_t **reply, struct reason *why)
{
	int error = bench_call(host, name, arguments, engine_time_left_ms(engine, timeout_ms),
			       reply, why);

	json_decref(arguments);
	return error;
}

/**
 * engine_call_guest - ask the agent of a host for something that may have to wait for a guest
 * @arguments: stolen; "timeout_ms" is added: how long the agent waits, which is less than the engine waits for the agent.
 *             So the agent times out first, and a guest that does not answer does not count as a lost host
 * @timeout_ms: how long the guest may take; less where the deadline of the trial comes before
 *
 * Return: as bench_call().
 */
int engine_call_guest(struct engine *engine, struct bench *host, const char *name,
		      json_t *arguments, unsigned int timeout_ms, json_t **reply,
		      struct reason *why)
{
	unsigned int whole = engine_time_left_ms(engine, timeout_ms + AGENT_ANSWER_MS);
	unsigned int timeout =
		whole > 2 * AGENT_ANSWER_MS ? whole - AGENT_ANSWER_MS : whole - whole / 2;

	if (timeout > timeout_ms)
		timeout = timeout_ms ?: 1;
	json_object_set_new(arguments, "timeout_ms", json_integer((json_int_t)timeout));
	return engine_call(engine, host, name, arguments, whole, reply, why);
}

/** engine_lost_host - whether an error of bench_call() means that the host does not answer, or an interruption */
bool engine_lost_host(int error)
{
	return error == -EINTR || error == -EHOSTDOWN || error == -ETIMEDOUT ||
	       error == -ECONNRESET;
}

/** engine_any_host_up - whether one of the hosts still answers */
bool engine_any_host_up(const struct engine *engine)
{
	bench_foreach (host, engine->bench, false)
		if (host->state == HOST_UP)
			return true;
	return false;
}

/* Map an error of a call to the cause of the trial's end. */
static void close_on_error(struct closing *closing, int error, const struct reason *why)
{
	closing->cause = error == -EHOSTDOWN	? CAUSE_HOST_DIED
			 : error == -ECONNRESET ? CAUSE_AGENT_LOST
			 : error == -EINTR	? CAUSE_INTERRUPTED
			 : error == -ETIMEDOUT	? CAUSE_DEADLINE
			 : error == -ECANCELED	? CAUSE_TRIGGER_MISSED
						: CAUSE_INFRA;
	snprintf(closing->reason, sizeof(closing->reason), "%s", why->text);
}

/* What sticks in the kernel stays set until it is in the way or the trial is over: putting it back takes time. */
int engine_restore_injector(struct engine *engine, struct reason *why)
{
	int error;

	if (!engine->prepared)
		return 0;
	error = engine_call(engine, engine->prepared, "inject.restore", NULL, CALL_TIMEOUT_MS, NULL,
			    why);
	/* An agent that ends puts it back itself, and in a host that went down nothing sticks. */
	if (error == -ECONNRESET || error == -EHOSTDOWN)
		error = 0;
	if (!error)
		engine->prepared = NULL;
	return error;
}

/* Have all hosts that still answer report what only shows as a difference, and where the guests are. */
static int collect(struct engine *engine, struct reason *why)
{
	int error = -EHOSTDOWN, collected;

	fail(why, error, "no host answers");
	bench_foreach (host, engine->bench, false) {
		if (host->state != HOST_UP)
			continue;
		collected = engine_call(engine, host, "witness.collect", NULL, CALL_TIMEOUT_MS,
					NULL, why);
		if (collected && !engine_lost_host(collected))
			return collected;
		if (error)
			error = collected;
	}
	if (!error)
		guests_collect(engine);
	return error;
}

/*
 * Waits until the evidence that the scenario expects is there, or the time for it is over. What only shows as a
 * difference (counters, page flags) must be requested.
 */
static int settle(struct engine *engine, struct reason *why)
{
	int64_t until = engine_until(engine, engine->trial->scenario->settle_ns);
	int64_t pause = COLLECT_INTERVAL_NS;

	engine_doing(engine, "gathering evidence");
	for (;;) {
		int64_t now;
		int error = collect(engine, why);

		if (error)
			return error;
		if (judge_is_settled(engine->records, engine->trial->id))
			return 0;
		now = now_monotonic_ns();
		if (now >= until)
			return 0;
		engine->news = false;
		while (!engine->news && now < until) {
			int64_t next = now + pause < until ? now + pause : until;

			if (bench_pump(engine->bench, next))
				return fail(why, -EINTR, "interrupted");
			now = now_monotonic_ns();
			if (now >= next)
				break;
		}
		if (pause < 16 * COLLECT_INTERVAL_NS)
			pause *= 2;
	}
}

/** drain_console_after_death - wait for the end of a dead host's console, which arrives after the loss of its agent */
void drain_console_after_death(struct bench *host)
{
	int64_t until = now_monotonic_ns() + CONSOLE_DRAIN_NS;

	while (host->out_of_band_fd >= 0 && now_monotonic_ns() < until && host->state != HOST_DIED)
		if (bench_pump(host, until))
			return;
}

static void warn_of_restore(const struct engine *engine, int error, const char *why)
{
	/* One that is interrupted restores it when its stream ends; in a host that went down nothing sticks. */
	if (error && error != -EINTR && error != -ECONNRESET && error != -EHOSTDOWN)
		log_warning("trial %s: the injector could not put everything back: %s",
			    engine->trial->id, why);
}

/*
 * Calls to the first host that do not wait for each other, about what a trial leaves there.
 * @restore: put back what its injector has set; @workloads: end them; @witnesses: end them, and ask for the use of the machine
 */
static void clean_up_host(struct engine *engine, bool restore, bool workloads, bool witnesses)
{
	const struct scenario *scenario = engine->trial->scenario;
	__cleanup_free struct bench_request *requests =
		xcalloc(scenario->workload_count + 3, sizeof(*requests));
	size_t count = 0;

	if (restore)
		requests[count++].call = "inject.restore";
	for (size_t i = 0; workloads && i < scenario->workload_count; i++) {
		const struct scenario_workload *load = &scenario->workloads[i];

		if (!load->guest && json_object_get(engine->facts, load->name))
			requests[count++] = (struct bench_request){
				.call = "workload.stop",
				.arguments = json_pack("{s:s}", "name", load->name)};
	}
	if (witnesses) {
		requests[count++].call = "witness.stop";
		requests[count++].call = "usage";
	}
	if (count)
		(void)bench_call_all(engine->bench, requests, count,
				     engine_time_left_ms(engine, CALL_TIMEOUT_MS), NULL);
	if (restore)
		warn_of_restore(engine, requests[0].error, requests[0].why.text);
	if (witnesses && requests[count - 1].reply)
		engine_journal(engine, "usage", json_incref(requests[count - 1].reply));
	for (size_t i = 0; i < count; i++)
		json_decref(requests[i].reply);
}

/* After the verdict: events from here on belong to no trial. */
static void clean_up(struct engine *engine, const json_t *result)
{
	bool restores = engine->prepared == engine->bench, guests = engine->guests;
	struct reason why = {0};

	engine->deadline = now_monotonic_ns() + CLEAN_UP_TIMEOUT_NS;
	if (!restores)
		warn_of_restore(engine, engine_restore_injector(engine, &why), why.text);
	engine->prepared = NULL;
	if (guests) {
		clean_up_host(engine, restores, true, false);
		guests_clean_up(engine, result);
	}
	bench_foreach (host, engine->bench->next, host == engine->bench)
		if (host->state == HOST_UP)
			(void)engine_call(engine, host, "witness.stop", NULL, CALL_TIMEOUT_MS, NULL,
					  NULL);
	clean_up_host(engine, restores && !guests, !guests, true);
}

/* Which witnesses look is on record: the silence of one that does is evidence, that of one that does not is none. */
static int start_witnesses(struct engine *engine, struct reason *why)
{
	int error = 0;

	bench_foreach (host, engine->bench, error) {
		json_t *reply = NULL;

		error = engine_call(engine, host, "witness.start", NULL, CALL_TIMEOUT_MS, &reply,
				    why);
		if (!error) {
			json_object_set_new(reply, "host", json_string(host->host));
			engine_journal(engine, "witnesses", reply);
		}
	}
	return error;
}

/* The clock of the trial starts after its guests have started, because their start does not count. */
static int start_trial(struct engine *engine, struct reason *why)
{
	int error = start_witnesses(engine, why) ?: guests_prepare(engine, why);

	set_deadline(engine, engine->trial->scenario->deadline_ns);
	if (!error)
		error = guests_watch(engine, why);
	return error;
}

static void run_attempt(struct engine *engine, struct closing *closing)
{
	struct reason why = {0};
	int error;

	*closing = (struct closing){.cause = CAUSE_DONE};
	error = hosts_prepare(engine, &why) ?: hosts_reset_firmware(engine, &why);
	if (error) {
		closing->cause = error == -EINTR ? CAUSE_INTERRUPTED : CAUSE_INFRA;
		snprintf(closing->reason, sizeof(closing->reason), "%s", why.text);
		return;
	}
	set_deadline(engine, START_TIMEOUT_NS);
	/* Daemons that start would be measured, too. */
	if (engine->trial->scenario->guest_count || engine->trial->scenario->metrics)
		error = hosts_await_ready(engine, &why);
	if (!error)
		error = hosts_check(engine, &why);
	if (error == -ENOTSUP) {
		closing->cause = CAUSE_SKIP;
		snprintf(closing->reason, sizeof(closing->reason), "%s", why.text);
		return;
	}
	if (!error)
		error = start_trial(engine, &why);
	if (!error)
		error = steps_run(engine, &why);
	if (!error)
		error = injection_stop_fault(engine, &why);
	if (!error)
		error = settle(engine, &why);
	if (error == -ENOTSUP) {
		closing->cause = CAUSE_SKIP;
		snprintf(closing->reason, sizeof(closing->reason), "%s", why.text);
	} else if (error) {
		close_on_error(closing, error, &why);
	}
	if (engine->bench->state == HOST_LOST) {
		drain_console_after_death(engine->bench);
		if (engine->bench->state == HOST_DIED)
			closing->cause = CAUSE_HOST_DIED;
	}
}

static json_t *judge_and_record(struct engine *engine)
{
	json_t *result = judge_trial(engine->records, engine->trial->id);

	engine_journal(engine, "verdict", judge_seal(result, json_array_size(engine->records)));
	return result;
}

/* Whether the emulator of a host may have crashed or hung, and the evidence up to there is not conclusive. */
static bool emulator_failed(const struct engine *engine, enum end_cause cause)
{
	__cleanup_json json_t *result = NULL;
	bool failed = false;

	if (!engine->bench)
		return false;
	bench_foreach (host, engine->bench, false)
		failed |= cause == CAUSE_DEADLINE ? host->ops->is_rig : host->state == HOST_TAKEN;
	if (failed)
		result = judge_trial(engine->records, engine->trial->id);
	return is_one_of(json_text(result, "verdict", ""), "inconclusive", "infra");
}

/*
 * Whether a trial may be repeated, because its end is unrelated to its subject. An emulated host may die or hang by itself. After a
 * fault, or during the measurement of a trial without a fault, the judge decides.
 */
static bool may_try_again(const struct engine *engine, enum end_cause cause)
{
	bool of_bench =
		cause == CAUSE_INFRA || cause == CAUSE_AGENT_LOST || cause == CAUSE_DEADLINE;

	if (engine->trial->attempts >= ATTEMPTS_MAX)
		return false;
	if (engine->intended || (engine->decisive && cause != CAUSE_INFRA))
		return of_bench && emulator_failed(engine, cause);
	return of_bench || cause == CAUSE_HOST_DIED;
}

/* Return: 0 when the trial has its verdict, -EAGAIN when it may be tried again, -EINTR, or an error that ends the run. */
static int run_trial(struct engine *engine, struct planned_trial *trial, json_t **result)
{
	const struct scenario *scenario = trial->scenario;
	struct closing closing;

	engine->trial = trial;
	engine->records = json_array();
	budget_begin(engine);
	engine->facts = json_object();
	engine->struck = json_object();
	engine->closed = false;
	engine->intended = false;
	engine->decisive = false;
	engine->step = 0;
	engine->prepared = NULL;
	trial->attempts++;
	engine_journal(engine, "trial",
		       json_pack("{s:s, s:s, s:s, s:I, s:i, s:O, s:O}", "scenario", scenario->name,
				 "title", scenario->title, "bench", trial->bench, "seed",
				 (json_int_t)trial->seed, "attempt", (int)trial->attempts, "expect",
				 scenario->expect, "spec", scenario->spec));
	run_attempt(engine, &closing);
	budget_end(engine);
	engine_journal(engine, "close",
		       json_pack("{s:s, s:s}", "cause", cause_name(closing.cause), "reason",
				 closing.reason));
	if (engine->journal_error)
		return engine->journal_error;
	if (!engine->intended && closing.cause == CAUSE_INTERRUPTED)
		return -EINTR;
	if (may_try_again(engine, closing.cause)) {
		log_warning("trial %s: %s; trying once more on a fresh host", trial->id,
			    closing.reason);
		guests_free(engine);
		bench_close(engine->bench);
		engine->bench = NULL;
		return -EAGAIN;
	}
	*result = judge_and_record(engine);
	trial->done = true;
	engine->closed = true;
	if (engine->bench && engine_any_host_up(engine))
		clean_up(engine, *result);
	/* A host that did not answer in time is not fit for the next trial. */
	if (engine->bench && closing.cause == CAUSE_DEADLINE)
		engine->bench->state = HOST_LOST;
	return engine->journal_error;
}

static bool is_failure(const json_t *result)
{
	return json_is(result, "verdict", "fail") && !json_object_get(result, "known");
}

static void forget_trial(struct engine *engine)
{
	json_decref(engine->records);
	json_decref(engine->facts);
	json_decref(engine->struck);
	json_decref(engine->fault);
	engine->records = engine->facts = engine->struck = engine->fault = NULL;
	engine->trial = NULL;
}

/**
 * engine_run - run all trials of a plan that have no verdict yet
 * @options: what the run needs
 * @plan:    trials in order; @done and @attempts are updated
 * @count:   number of trials
 * @why:     reason of a failure
 *
 * Return: 0 when every trial has its verdict, -EINTR when the user interrupted, -ECANCELED after a failure with
 * @stop_on_fail, or -errno when the journal can not be written.
 */
int engine_run(const struct engine_options *options, struct planned_trial *plan, size_t count,
	       struct reason *why)
{
	struct engine engine = {.options = options};
	int error = 0;

	for (size_t i = 0; i < count; i++)
		engine.wants_guests |= plan[i].scenario->guest_count > 0;
	for (size_t i = 0; i < count && !error; i++) {
		if (plan[i].done)
			continue;
		if (options->view.started)
			options->view.started(options->view.context, &plan[i], i);
		do {
			__cleanup_json json_t *result = NULL;

			error = run_trial(&engine, &plan[i], &result);
			if (options->stop_on_fail && is_failure(result))
				error = -ECANCELED;
			if (result && options->view.finished)
				options->view.finished(options->view.context, &plan[i], i, result);
			forget_trial(&engine);
		} while (error == -EAGAIN);
		if (!error && options->interrupted && *options->interrupted)
			error = -EINTR;
	}
	guests_free(&engine);
	bench_close(engine.bench);
	json_decref(engine.rig);
	json_decref(engine.findings);
	json_decref(engine.budget);
	if (error == -EINTR)
		return fail(why, error, "interrupted");
	if (error == -ECANCELED)
		return fail(why, error, "stopped after a failure");
	if (error)
		return fail_errno(why, error, "the journal can not be written");
	return 0;
}

/**
 * engine_close_from_evidence - give a trial that was cut off after its intent the verdict that its records allow
 * @journal: open; receives the closing and the verdict
 * @records: of the trial, as journal_index_records() gives them
 * @trial:   of the index
 *
 * Nothing is run again: the fault may have struck.
 *
 * Return: 0 or -errno of the journal.
 */
int engine_close_from_evidence(struct journal *journal, json_t *records,
			       const struct journal_trial *trial)
{
	__cleanup_json json_t *result = NULL;
	size_t count = trial->records;
	json_t *body;
	int error;

	/* Between its close and its verdict a trial lacks nothing but the judge's word. */
	if (!trial->closed) {
		body = json_pack("{s:s, s:s}", "cause", "interrupted", "reason",
				 "the controller ended in the middle; closed from the evidence on "
				 "record");
		json_array_append_new(records,
				      json_pack("{s:I, s:s, s:s, s:O}", "time_ns",
						(json_int_t)now_realtime_ns(), "type", "close",
						"trial", trial->id, "body", body));
		error = journal_append(journal, "close", trial->id, body);
		if (error)
			return error;
		count++;
	}
	result = judge_trial(records, trial->id);
	return journal_append(journal, "verdict", trial->id, judge_seal(result, count));
}
