// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls inject.* and probe: what presses faults into the host. One injection at a time.
 */
#include <errno.h>

#include "harness/agent/core.h"
#include "harness/agent/probe.h"
#include "inject/injector.h"

struct injecting {
	struct injection injection;
	bool prepared, fired;
};

static const struct agent_service inject_service;

static struct injecting *injecting_of(const struct agent *agent)
{
	return agent_state(agent, &inject_service);
}

static int serve_probe(struct agent *agent, const json_t *arguments, json_t **reply,
		       struct reason *why)
{
	(void)agent;
	(void)arguments;
	(void)why;
	*reply = json_pack("{s:o}", "findings", probe_machine());
	return 0;
}

static int serve_prepare(struct agent *agent, const json_t *arguments, json_t **reply,
			 struct reason *why)
{
	struct injecting *now = injecting_of(agent);
	const char *name = json_text(arguments, "injector", "");
	const char *target = json_text(arguments, "target", NULL);
	const struct injector *injector = injector_find(name);
	struct workload_run *load = agent_workload(agent, target);
	int error;

	if (now->prepared)
		return fail(why, -EBUSY, "inject.prepare: an injection is prepared already");
	if (!injector)
		return fail(why, -ENOENT, "inject.prepare: no injector '%s'", name);
	if (target && !load)
		return fail(why, -ENOENT, "inject.prepare: no workload '%s' runs", target);
	error = machine_is_expendable(why);
	if (error)
		return error;
	error = injection_open(&now->injection, injector, json_object_get(arguments, "arguments"),
			       false, why);
	if (error)
		return error;
	now->injection.agent = agent;
	now->injection.target = load;
	error = injector->prepare(&now->injection, why);
	if (error) {
		injection_close(&now->injection);
		return error;
	}
	now->prepared = true;
	now->fired = false;
	*reply = json_pack("{s:O, s:O}", "result", now->injection.result, "writes",
			   now->injection.change.writes);
	return 0;
}

static int serve_fire(struct agent *agent, const json_t *arguments, json_t **reply,
		      struct reason *why)
{
	struct injecting *now = injecting_of(agent);
	int64_t before = now_monotonic_ns();
	struct reason reason = {0};
	int error;

	(void)arguments;
	if (!now->prepared)
		return fail(why, -EINVAL, "inject.fire: nothing is prepared");
	if (now->fired)
		return fail(why, -EALREADY,
			    "inject.fire: what was prepared has been fired; prepare it again");
	now->fired = true;
	error = now->injection.injector->fire(&now->injection, &reason);
	/* A fault that the machine refused is a result of the trial, not a failed call. */
	*reply = json_pack("{s:i, s:s, s:O, s:O, s:I}", "error", error, "reason", reason.text,
			   "result", now->injection.result, "writes", now->injection.change.writes,
			   "duration_ns", (json_int_t)(now_monotonic_ns() - before));
	return 0;
}

/* An injection that was meant for it has no target any more. */
static void workload_ends(struct agent *agent, const struct workload_run *run)
{
	struct injecting *now = injecting_of(agent);

	if (now->injection.target == run)
		now->injection.target = NULL;
}

static int finish(struct agent *agent, struct reason *why)
{
	struct injecting *now = injecting_of(agent);
	int error;

	if (!now->prepared)
		return 0;
	error = now->injection.injector->restore(&now->injection, why);
	injection_close(&now->injection);
	now->prepared = false;
	return error;
}

static int serve_restore(struct agent *agent, const json_t *arguments, json_t **reply,
			 struct reason *why)
{
	(void)arguments;
	*reply = json_object();
	return finish(agent, why);
}

static void close_injection(struct agent *agent)
{
	(void)finish(agent, NULL);
}

static const struct agent_call calls[] = {
	{"probe", serve_probe},
	{"inject.prepare", serve_prepare},
	{"inject.fire", serve_fire},
	{"inject.restore", serve_restore},
	{0},
};

static const struct agent_service inject_service = {
	.name = "inject",
	.roles = AGENT_HOST,
	/* What an injector had set is restored before its target ends. */
	.rank = 10,
	.state_size = sizeof(struct injecting),
	.calls = calls,
	.workload_ends = workload_ends,
	.close = close_injection,
};

REGISTER(agent_service, inject_service);
