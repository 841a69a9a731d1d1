// SPDX-License-Identifier: GPL-2.0-only
/*
 * The trial engine: takes each trial of a plan through its steps, writes the journal, and asks the judge. It decides
 * nothing itself: whatever happens becomes a record, and the verdict comes from the records alone.
 */
#include <errno.h>
#include <poll.h>
#include <regex.h>
#include <string.h>

#include "harness/bench/bench.h"
#include "harness/judge/judge.h"
#include "harness/trial/engine.h"
#include "inject/injector.h"

#define CALL_TIMEOUT_MS 10000
#define FIRE_TIMEOUT_MS 30000
#define COLLECT_INTERVAL_NS (20 * NSEC_PER_MSEC)
#define DEATH_RATTLE_NS (5 * NSEC_PER_SEC)
#define ATTEMPTS_MAX 2
#define RIG_DEADLINE_S 7200

struct engine {
	const struct engine_options *options;
	struct bench *bench;
	json_t *rig;
	json_t *findings;
	unsigned int findings_boot;
	int journal_error;

	/* Of the trial that runs now. */
	const struct planned_trial *trial;
	json_t *records;
	json_t *facts;
	int64_t deadline;
	bool news;
	bool intended;
	bool prepared; /* an injector has set what it must restore */
	bool closed;   /* the trial has its verdict: what comes now belongs to none */
};

/* How a trial came to its end; the names are those of the journal. */
struct closing {
	const char *cause;
	char reason[sizeof(((struct reason *)0)->text)];
};

static void journal_write(struct engine *engine, const char *type, json_t *body)
{
	const char *trial = engine->trial && !engine->closed ? engine->trial->id : NULL;
	int error;

	if (engine->records && !engine->closed)
		json_array_append_new(engine->records,
				      json_pack("{s:I, s:s, s:s*, s:O}", "time_ns",
						(json_int_t)now_realtime_ns(), "type", type,
						"trial", trial, "body", body));
	error = journal_append(engine->options->journal, type, trial, body);
	if (error && !engine->journal_error) {
		engine->journal_error = error;
		log_error("the journal can not be written: %s; the run ends here, `brinell resume` "
			  "goes on "
			  "when there is room",
			  strerror(-error));
	}
}

static void on_event(void *context, json_t *event)
{
	struct engine *engine = context;

	engine->news = true;
	journal_write(engine, "event", event);
}

static void on_progress(void *context, const char *what, double fraction)
{
	struct engine *engine = context;

	if (engine->options->view.progress)
		engine->options->view.progress(engine->options->view.context, what, fraction);
}

static void doing(struct engine *engine, const char *what)
{
	if (engine->options->view.doing)
		engine->options->view.doing(engine->options->view.context, what);
}

static unsigned int time_left_ms(const struct engine *engine, unsigned int most)
{
	int64_t left = (engine->deadline - now_monotonic_ns()) / NSEC_PER_MSEC;

	if (left < 1)
		return 1;
	return left < (int64_t)most ? (unsigned int)left : most;
}

static int call(struct engine *engine, const char *name, json_t *arguments, unsigned int timeout_ms,
		json_t **reply, struct reason *why)
{
	int error = bench_call(engine->bench, name, arguments, time_left_ms(engine, timeout_ms),
			       reply, why);

	json_decref(arguments);
	return error;
}

/* What an error of a call says about the end of the trial. */
static void close_on_error(struct closing *closing, int error, const struct reason *why)
{
	closing->cause = error == -EHOSTDOWN	? "host-died"
			 : error == -ECONNRESET ? "agent-lost"
			 : error == -EINTR	? "interrupted"
			 : error == -ETIMEDOUT	? "deadline"
						: "infra";
	snprintf(closing->reason, sizeof(closing->reason), "%s", why->text);
}

static bool same_rig(const struct engine *engine, const struct planned_trial *trial)
{
	static const char *const keys[] = {"einj-revision", "memory", "processors",
					   "kernel-arguments"};

	if (strcmp(engine->bench->name, trial->bench) != 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(json_text(engine->rig, keys[i], ""),
			   json_text(trial->scenario->rig, keys[i], "")) != 0)
			return false;
	return true;
}

static int open_bench(struct engine *engine, struct reason *why)
{
	const struct planned_trial *trial = engine->trial;

	if (engine->bench && same_rig(engine, trial))
		return 0;
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
				  .deadline_s = RIG_DEADLINE_S,
				  .event = on_event,
				  .progress = on_progress,
				  .context = engine,
				  .interrupted = engine->options->interrupted,
			  },
			  &engine->bench, why);
}

static void journal_boot(struct engine *engine)
{
	const json_t *hello = engine->bench->hello;

	journal_write(engine, "boot",
		      json_pack("{s:s, s:s, s:s, s:O*, s:O}", "host", engine->bench->host,
				"boot_id", json_text(hello, "boot_id", ""), "kernel",
				json_text(hello, "kernel", ""), "rig",
				json_object_get(hello, "rig"), "facts", hello));
}

/* Brings up the host that the trial needs: a warm one when it is fit, a fresh boot otherwise. */
static int make_host_ready(struct engine *engine, struct reason *why)
{
	bool fresh = engine->trial->scenario->fresh_boot;
	int error = open_bench(engine, why);

	if (error)
		return error;
	if (engine->bench->state == HOST_UP && !fresh) {
		/* A hello again measures the offset between the clocks; it drifts under emulation. */
		__cleanup_json json_t *hello = NULL;
		int64_t before = now_realtime_ns();

		error = bench_call(engine->bench, "hello", NULL, CALL_TIMEOUT_MS, &hello, NULL);
		/* A host that went down between two trials is not warm, whoever answers. */
		if (!error && strcmp(json_text(hello, "boot_id", ""),
				     json_text(engine->bench->hello, "boot_id", "")) != 0)
			error = -ESTALE;
		if (!error) {
			engine->bench->clock_offset_ns =
				(before + now_realtime_ns()) / 2 - json_number(hello, "time_ns", 0);
			journal_boot(engine);
			return 0;
		}
		if (error == -EINTR)
			return fail(why, error, "interrupted");
	}
	doing(engine, "booting the host");
	error = bench_boot(engine->bench, why);
	if (!error)
		journal_boot(engine);
	return error;
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

/* Whether the host has what the scenario requires. Return: 0, or -ENOTSUP with the named reason of the skip. */
static int check_requirements(struct engine *engine, struct reason *why)
{
	const json_t *needed;
	size_t index;

	if (!json_array_size(engine->trial->scenario->requires))
		return 0;
	if (!engine->findings || engine->findings_boot != engine->bench->boots) {
		__cleanup_json json_t *reply = NULL;
		int error = call(engine, "probe", NULL, CALL_TIMEOUT_MS, &reply, why);

		if (error)
			return error;
		json_decref(engine->findings);
		engine->findings = json_incref(json_object_get(reply, "findings"));
		engine->findings_boot = engine->bench->boots;
	}
	json_array_foreach (engine->trial->scenario->requires, index, needed) {
		const char *name = json_string_value(needed);
		const json_t *finding = find_finding(engine->findings, name);

		if (!finding)
			return fail(why, -ENOTSUP, "needs %s, which this brinell can not probe",
				    name);
		if (!json_is_true(json_object_get(finding, "ok")))
			return fail(why, -ENOTSUP, "needs %s: %s", name,
				    json_text(finding, "reason", "not there"));
	}
	return 0;
}

static const struct scenario_workload *find_workload(const struct scenario *scenario,
						     const char *name)
{
	for (size_t i = 0; i < scenario->workload_count; i++)
		if (strcmp(scenario->workloads[i].name, name) == 0)
			return &scenario->workloads[i];
	return NULL;
}

static int step_start(struct engine *engine, const struct scenario_step *step, struct reason *why)
{
	const struct scenario_workload *load =
		find_workload(engine->trial->scenario, step->subject);
	__cleanup_json json_t *reply = NULL;
	json_t *facts;
	int error;

	error = call(engine, "workload.start",
		     json_pack("{s:s, s:s, s:O}", "name", load->name, "kind", load->kind,
			       "arguments", load->arguments),
		     CALL_TIMEOUT_MS, &reply, why);
	if (error)
		return error;
	facts = json_object_get(reply, "facts");
	json_object_set(engine->facts, load->name, facts);
	journal_write(engine, "facts",
		      json_pack("{s:s, s:O}", "workload", load->name, "facts", facts));
	return call(engine, "witness.focus",
		    json_pack("{s:s*, s:[O*]}", "pfn", json_text(facts, "pfn", NULL), "pids",
			      json_object_get(facts, "pid")),
		    CALL_TIMEOUT_MS, NULL, why);
}

/* The arguments of an injection with what is only known now: where the target's page is. */
static json_t *resolve_arguments(struct engine *engine, const struct scenario_step *step)
{
	const struct injector *injector = injector_find(step->injector);
	json_t *arguments = json_deep_copy(step->arguments);
	const json_t *facts = step->subject ? json_object_get(engine->facts, step->subject) : NULL;
	static const struct {
		const char *argument, *fact;
	} known[] = {{"address", "physical"}, {"pfn", "pfn"}};

	for (size_t i = 0; facts && i < ARRAY_SIZE(known); i++)
		if (param_find(injector->params, known[i].argument) &&
		    !json_object_get(arguments, known[i].argument))
			json_object_set(arguments, known[i].argument,
					json_object_get(facts, known[i].fact));
	return arguments;
}

static void journal_outcome(struct engine *engine, const struct scenario_step *step,
			    const char *phase, int error, const char *reason, const json_t *reply)
{
	journal_write(engine, "outcome",
		      json_pack("{s:s, s:s, s:i, s:s*, s:s, s:O*, s:O*, s:O*}", "injector",
				step->injector, "phase", phase, "error", error, "error_name",
				error ? error_name(error) : NULL, "reason", reason, "result",
				json_object_get(reply, "result"), "writes",
				json_object_get(reply, "writes"), "duration_ns",
				json_object_get(reply, "duration_ns")));
}

static bool is_bench_error(int error)
{
	return error == -EHOSTDOWN || error == -ECONNRESET || error == -ETIMEDOUT ||
	       error == -EINTR;
}

/* What sticks in the kernel stays set until it is in the way or the trial is over: putting it back takes time. */
static int restore_injector(struct engine *engine, struct reason *why)
{
	int error;

	if (!engine->prepared)
		return 0;
	error = call(engine, "inject.restore", NULL, CALL_TIMEOUT_MS, NULL, why);
	engine->prepared = error != 0;
	return error;
}

static int step_inject(struct engine *engine, const struct scenario_step *step, struct reason *why)
{
	__cleanup_json json_t *arguments = resolve_arguments(engine, step);
	const json_t *facts = step->subject ? json_object_get(engine->facts, step->subject) : NULL;
	__cleanup_json json_t *prepared = NULL;
	__cleanup_json json_t *fired = NULL;
	const char *address = param_text(arguments, "address");
	int error = restore_injector(engine, why), collected;

	if (error)
		return error;
	error = call(engine, "inject.prepare",
		     json_pack("{s:s, s:O, s:s*}", "injector", step->injector, "arguments",
			       arguments, "target", step->subject),
		     CALL_TIMEOUT_MS, &prepared, why);
	/* When its answer is missing, it may have set something all the same. */
	engine->prepared = error != -EPERM;
	if (error == -EPERM || is_bench_error(error))
		return error;
	/* What the witnesses have seen by now comes before the intent in the journal, where it proves nothing. */
	collected = call(engine, "witness.collect", NULL, CALL_TIMEOUT_MS, NULL, why);
	if (collected)
		return collected;
	journal_write(engine, "intent",
		      json_pack("{s:s, s:O, s:s*, s:s*, s:s*, s:s, s:s}", "injector",
				step->injector, "arguments", arguments, "target", step->subject,
				"address", address ? address : json_text(facts, "physical", NULL),
				"pfn", json_text(facts, "pfn", NULL), "boot_id",
				json_text(engine->bench->hello, "boot_id", ""), "host",
				engine->bench->host));
	engine->intended = true;
	if (engine->journal_error)
		return fail(why, -EIO, "no fault is fired without a journal");
	if (error) {
		/* The machine refused before anything was fired: for some scenarios just what they expect. */
		journal_outcome(engine, step, "prepare", error, why->text, NULL);
		return 0;
	}
	error = call(engine, "inject.fire", NULL, FIRE_TIMEOUT_MS, &fired, why);
	if (error)
		return error;
	journal_outcome(engine, step, "fire", (int)json_number(fired, "error", 0),
			json_text(fired, "reason", ""), fired);
	return 0;
}

/* What comes last of a touch: its signals and errors come before, and until then the workload takes no other touch. */
static bool ends_touch(const char *event)
{
	static const char *const ends[] = {"checked", "exit", "hung", "gone"};

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (strcmp(ends[i], event) == 0)
			return true;
	return false;
}

static bool event_matches(const json_t *record, const char *witness, const char *workload,
			  const regex_t *pattern)
{
	const json_t *body = json_object_get(record, "body");
	const json_t *data = json_object_get(body, "data");

	if (strcmp(json_text(record, "type", ""), "event") != 0)
		return false;
	if (witness && strcmp(json_text(body, "witness", ""), witness) != 0)
		return false;
	if (workload && (strcmp(json_text(data, "workload", ""), workload) != 0 ||
			 !ends_touch(json_text(data, "event", ""))))
		return false;
	return !pattern || regexec(pattern, json_text(body, "text", ""), 0, NULL, 0) == 0;
}

/* Waits for a piece of evidence among the records from @from on. Return: 0, -ETIME when it did not come, or an error. */
static int await_event(struct engine *engine, size_t from, const char *witness,
		       const char *workload, const regex_t *pattern, int64_t until,
		       struct reason *why)
{
	if (until > engine->deadline)
		until = engine->deadline;
	for (;;) {
		for (; from < json_array_size(engine->records); from++)
			if (event_matches(json_array_get(engine->records, from), witness, workload,
					  pattern))
				return 0;
		if (engine->bench->state == HOST_DIED)
			return fail(why, -EHOSTDOWN, "the host died");
		if (engine->bench->state != HOST_UP)
			return fail(why, -ECONNRESET, "the agent on the host is gone");
		if (now_monotonic_ns() >= until)
			return -ETIME;
		if (bench_pump(engine->bench, until))
			return fail(why, -EINTR, "interrupted");
	}
}

static int step_touch(struct engine *engine, const struct scenario_step *step, struct reason *why)
{
	size_t from = json_array_size(engine->records);
	int error;

	error = call(engine, "workload.touch", json_pack("{s:s}", "name", step->subject),
		     CALL_TIMEOUT_MS, NULL, why);
	if (error)
		return error;
	error = await_event(engine, from, "workload", step->subject, NULL, engine->deadline, why);
	return error == -ETIME ? fail(why, -ETIMEDOUT, "'%s' did not come back from its touch",
				      step->subject)
			       : error;
}

static int step_wait(struct engine *engine, const struct scenario_step *step, struct reason *why)
{
	const char *match = json_text(step->arguments, "match", ".*");
	int64_t until = now_monotonic_ns() + step->within_ns;
	regex_t pattern;
	int error;

	if (regcomp(&pattern, match, REG_EXTENDED | REG_NOSUB))
		return fail(why, -EINVAL, "bad pattern '%s'", match);
	error = await_event(engine, 0, step->subject, NULL, &pattern, until, why);
	regfree(&pattern);
	/* Evidence that did not come is for the judge to weigh. */
	return error == -ETIME ? 0 : error;
}

static int step_stop(struct engine *engine, const struct scenario_step *step, struct reason *why)
{
	return call(engine, "workload.stop", json_pack("{s:s}", "name", step->subject),
		    CALL_TIMEOUT_MS, NULL, why);
}

static int step_firmware(struct engine *engine, const struct scenario_step *step,
			 struct reason *why)
{
	if (!engine->bench->ops->firmware)
		return fail(why, -ENOTSUP, "needs the rig's firmware model, bench '%s' has its own",
			    engine->bench->name);
	return engine->bench->ops->firmware(engine->bench, step->arguments, NULL, why);
}

static const struct {
	const char *name;
	int (*run)(struct engine *engine, const struct scenario_step *step, struct reason *why);
} steps[] = {
	[STEP_START] = {"start", step_start}, [STEP_INJECT] = {"inject", step_inject},
	[STEP_TOUCH] = {"touch", step_touch}, [STEP_WAIT] = {"wait", step_wait},
	[STEP_STOP] = {"stop", step_stop},    [STEP_FIRMWARE] = {"firmware", step_firmware},
};

static int run_steps(struct engine *engine, struct reason *why)
{
	const struct scenario *scenario = engine->trial->scenario;

	for (size_t i = 0; i < scenario->step_count; i++) {
		const struct scenario_step *step = &scenario->steps[i];
		const char *object = step->kind == STEP_INJECT ? step->injector : step->subject;
		__cleanup_free char *text =
			format_text("%s %s", steps[step->kind].name, object ? object : "");
		int error;

		doing(engine, text);
		journal_write(engine, "step",
			      json_pack("{s:i, s:s, s:s}", "index", (int)i, "step",
					steps[step->kind].name, "text", text));
		if (engine->journal_error)
			return fail(why, -EIO, "the journal can not be written");
		error = steps[step->kind].run(engine, step, why);
		if (error)
			return error;
	}
	return 0;
}

/*
 * Waits until the evidence that the scenario expects is there, or the time for it is over. What only shows as a
 * difference (counters, page flags) has to be asked for.
 */
static int settle(struct engine *engine, struct reason *why)
{
	int64_t until = now_monotonic_ns() + engine->trial->scenario->settle_ns;
	int64_t pause = COLLECT_INTERVAL_NS;

	doing(engine, "gathering evidence");
	if (until > engine->deadline)
		until = engine->deadline;
	for (;;) {
		int64_t now;
		int error = call(engine, "witness.collect", NULL, CALL_TIMEOUT_MS, NULL, why);

		if (error)
			return error;
		if (judge_is_settled(engine->records, engine->trial->id))
			return 0;
		now = now_monotonic_ns();
		if (now >= until)
			return 0;
		engine->news = false;
		while (!engine->news && now < until && engine->bench->state == HOST_UP) {
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

/* The last words of a host that died come out of band, some time after its agent fell silent. */
static void hear_death_rattle(struct engine *engine)
{
	int64_t until = now_monotonic_ns() + DEATH_RATTLE_NS;

	while (engine->bench->out_of_band_fd >= 0 && now_monotonic_ns() < until &&
	       engine->bench->state != HOST_DIED)
		if (bench_pump(engine->bench, until))
			return;
}

/* After the verdict: what is heard from here on belongs to no trial. */
static void clean_up(struct engine *engine)
{
	const struct scenario *scenario = engine->trial->scenario;
	struct reason why = {0};
	json_t *usage = NULL;

	engine->deadline = now_monotonic_ns() + CALL_TIMEOUT_MS * NSEC_PER_MSEC;
	if (restore_injector(engine, &why))
		log_warning("trial %s: the injector could not put everything back: %s",
			    engine->trial->id, why.text);
	for (size_t i = 0; i < scenario->workload_count; i++)
		if (json_object_get(engine->facts, scenario->workloads[i].name))
			(void)call(engine, "workload.stop",
				   json_pack("{s:s}", "name", scenario->workloads[i].name),
				   CALL_TIMEOUT_MS, NULL, NULL);
	(void)call(engine, "witness.stop", NULL, CALL_TIMEOUT_MS, NULL, NULL);
	if (call(engine, "usage", NULL, CALL_TIMEOUT_MS, &usage, NULL) == 0)
		journal_write(engine, "usage", usage);
}

/*
 * What the trial before asked of the rig's firmware, or left poisoned, must not become evidence of this one. Not at the end
 * of a trial: it throws away the translated code of the whole machine, and the last trial of a host needs none.
 */
static int reset_firmware(struct engine *engine, struct reason *why)
{
	__cleanup_json json_t *reset = json_pack("{s:s}", "call", "reset");

	if (!engine->bench->ops->firmware)
		return 0;
	return engine->bench->ops->firmware(engine->bench, reset, NULL, why);
}

/* Which witnesses look is on record: the silence of one that does is evidence, that of one that does not is none. */
static int start_witnesses(struct engine *engine, struct reason *why)
{
	json_t *reply = NULL;
	int error = call(engine, "witness.start", NULL, CALL_TIMEOUT_MS, &reply, why);

	if (!error)
		journal_write(engine, "witnesses", reply);
	return error;
}

static void run_attempt(struct engine *engine, struct closing *closing)
{
	struct reason why = {0};
	int error;

	*closing = (struct closing){.cause = "done"};
	error = make_host_ready(engine, &why);
	if (!error)
		error = reset_firmware(engine, &why);
	if (error) {
		closing->cause = error == -EINTR ? "interrupted" : "infra";
		snprintf(closing->reason, sizeof(closing->reason), "%s", why.text);
		return;
	}
	engine->deadline = now_monotonic_ns() + engine->trial->scenario->deadline_ns;
	error = check_requirements(engine, &why);
	if (error == -ENOTSUP) {
		closing->cause = "skip";
		snprintf(closing->reason, sizeof(closing->reason), "%s", why.text);
		return;
	}
	if (!error)
		error = start_witnesses(engine, &why);
	if (!error)
		error = run_steps(engine, &why);
	if (!error)
		error = settle(engine, &why);
	if (error == -ENOTSUP) {
		closing->cause = "skip";
		snprintf(closing->reason, sizeof(closing->reason), "%s", why.text);
	} else if (error) {
		close_on_error(closing, error, &why);
	}
	if (engine->bench->state == HOST_LOST) {
		hear_death_rattle(engine);
		if (engine->bench->state == HOST_DIED)
			closing->cause = "host-died";
	}
}

static json_t *judge_and_record(struct engine *engine)
{
	json_t *result = judge_trial(engine->records, engine->trial->id);

	journal_write(engine, "verdict", json_incref(result));
	return result;
}

/* Return: 0 when the trial has its verdict, -EAGAIN when it may be tried again, -EINTR, or an error that ends the run. */
static int run_trial(struct engine *engine, struct planned_trial *trial, json_t **result)
{
	const struct scenario *scenario = trial->scenario;
	struct closing closing;

	engine->trial = trial;
	engine->records = json_array();
	engine->facts = json_object();
	engine->closed = false;
	engine->intended = false;
	engine->prepared = false;
	trial->attempts++;
	journal_write(engine, "trial",
		      json_pack("{s:s, s:s, s:s, s:I, s:i, s:O, s:O}", "scenario", scenario->name,
				"title", scenario->title, "bench", trial->bench, "seed",
				(json_int_t)trial->seed, "attempt", (int)trial->attempts, "expect",
				scenario->expect, "spec", scenario->spec));
	run_attempt(engine, &closing);
	journal_write(engine, "close",
		      json_pack("{s:s, s:s}", "cause", closing.cause, "reason", closing.reason));
	if (engine->journal_error)
		return engine->journal_error;
	if (!engine->intended && strcmp(closing.cause, "interrupted") == 0)
		return -EINTR;
	if (!engine->intended && trial->attempts < ATTEMPTS_MAX &&
	    (strcmp(closing.cause, "infra") == 0 || strcmp(closing.cause, "agent-lost") == 0)) {
		log_warning("trial %s: %s; trying once more on a fresh host", trial->id,
			    closing.reason);
		bench_close(engine->bench);
		engine->bench = NULL;
		return -EAGAIN;
	}
	*result = judge_and_record(engine);
	trial->done = true;
	engine->closed = true;
	if (engine->bench && engine->bench->state == HOST_UP)
		clean_up(engine);
	/* A host that did not answer in time is not fit for the next trial. */
	if (engine->bench && strcmp(closing.cause, "deadline") == 0)
		engine->bench->state = HOST_LOST;
	return engine->journal_error;
}

static void forget_trial(struct engine *engine)
{
	json_decref(engine->records);
	json_decref(engine->facts);
	engine->records = engine->facts = NULL;
	engine->trial = NULL;
}

/**
 * engine_run - run all trials of a plan that have no verdict yet
 * @options: what the run needs
 * @plan:    trials in order; @done and @attempts are updated
 * @count:   number of trials
 * @why:     reason of a failure
 *
 * Return: 0 when every trial has its verdict, -EINTR when the user interrupted, or -errno when the journal can not be
 * written.
 */
int engine_run(const struct engine_options *options, struct planned_trial *plan, size_t count,
	       struct reason *why)
{
	struct engine engine = {.options = options};
	int error = 0;

	for (size_t i = 0; i < count && !error; i++) {
		if (plan[i].done)
			continue;
		if (options->view.started)
			options->view.started(options->view.context, &plan[i], i);
		do {
			__cleanup_json json_t *result = NULL;

			error = run_trial(&engine, &plan[i], &result);
			if (result && options->view.finished)
				options->view.finished(options->view.context, &plan[i], i, result);
			forget_trial(&engine);
		} while (error == -EAGAIN);
		if (!error && options->interrupted && *options->interrupted)
			error = -EINTR;
	}
	bench_close(engine.bench);
	json_decref(engine.rig);
	json_decref(engine.findings);
	if (error == -EINTR)
		return fail(why, error, "interrupted");
	if (error)
		return fail(why, error, "the journal can not be written: %s", strerror(-error));
	return 0;
}

/**
 * engine_close_from_evidence - give a trial that was cut off after its intent the verdict that its records allow
 * @journal: open; receives the closing and the verdict
 * @records: the journal as read
 * @trial:   id
 *
 * Nothing is run again: the fault may have struck.
 *
 * Return: 0 or -errno of the journal.
 */
int engine_close_from_evidence(struct journal *journal, const json_t *records, const char *trial)
{
	__cleanup_json json_t *all = json_copy((json_t *)records);
	const json_t *record;
	bool closed = false;
	size_t index;
	json_t *body;
	int error;

	/* Between its close and its verdict a trial lacks nothing but the judge's word. */
	json_array_foreach (all, index, record)
		if (strcmp(json_text(record, "trial", ""), trial) == 0)
			closed = strcmp(json_text(record, "type", ""), "close") == 0;
	if (!closed) {
		body = json_pack("{s:s, s:s}", "cause", "interrupted", "reason",
				 "the controller ended in the middle; closed from the evidence on "
				 "record");
		json_array_append_new(all, json_pack("{s:I, s:s, s:s, s:O}", "time_ns",
						     (json_int_t)now_realtime_ns(), "type", "close",
						     "trial", trial, "body", body));
		error = journal_append(journal, "close", trial, body);
		if (error)
			return error;
	}
	return journal_append(journal, "verdict", trial, judge_trial(all, trial));
}
