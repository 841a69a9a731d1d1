// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls inject.* and probe: fault injection into this host, one at a time. The events of a fault that runs are those of
 * the witness "injector", unless they name another source: users of what it works on.
 */
#include <errno.h>

#include "harness/agent/core.h"
#include "harness/agent/probe.h"
#include "inject/injector.h"
#include "workloads/workload.h"

struct injecting {
	struct injection injection;
	bool prepared, fired;
};

static const struct agent_service inject_service;

static struct injecting *injecting_of(const struct agent *agent)
{
	return agent_state(agent, &inject_service);
}

static void injector_emit(void *context, json_t *data)
{
	__cleanup_free char *text = xstrdup(json_text(data, "text", ""));
	__cleanup_free char *source = xstrdup(json_text(data, "source", "injector"));
	int64_t time_ns = json_number(data, "time_ns", now_realtime_ns());

	json_object_del(data, "text");
	json_object_del(data, "source");
	agent_emit(context, source, time_ns, text, data);
}

static int serve_probe(struct agent *agent, const json_t *arguments, json_t **reply,
		       struct reason *why)
{
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
	struct activity *load = agent_workload(agent, target);
	int error;

	if (now->prepared)
		return fail(why, -EBUSY, "inject.prepare: an injection is prepared already");
	if (!injector)
		return fail(why, -ENOENT, "inject.prepare: no injector '%s'", name);
	if (target && !load)
		return fail(why, -ENOENT, "inject.prepare: no workload '%s' runs", target);
	error = machine_is_expendable(why)
			?: injection_open(&now->injection, injector,
					  json_object_get(arguments, "arguments"), false, why);
	if (error)
		return error;
	now->injection.agent = agent;
	now->injection.target = load;
	now->injection.command = load ? load->workload->command : NULL;
	now->injection.seed = (uint64_t)json_number(arguments, "seed", 0);
	now->injection.run.emit = injector_emit;
	now->injection.run.context = agent;
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
	struct injection *injection = &now->injection;
	int error;

	if (!now->prepared)
		return fail(why, -EINVAL, "inject.fire: nothing is prepared");
	if (now->fired)
		return fail(why, -EALREADY,
			    "inject.fire: what was prepared has been fired; prepare it again");
	now->fired = true;
	/* A fault that the machine refuses is a result of the trial, not a failed call. */
	error = injection_fire(injection, &injection->reason);
	if (!injection->running)
		injection->error = error;
	*reply = injection_outcome(injection);
	json_object_set_new(*reply, "running", json_boolean(injection->running));
	return 0;
}

static int serve_stop(struct agent *agent, const json_t *arguments, json_t **reply,
		      struct reason *why)
{
	struct injecting *now = injecting_of(agent);

	if (!now->prepared)
		return fail(why, -EINVAL, "inject.stop: nothing is prepared");
	*reply = json_pack("{s:b}", "stopped", (int)injection_stop(&now->injection));
	return 0;
}

/* An injection loses its target; one that runs ends. */
static void workload_ends(struct agent *agent, const struct activity *run)
{
	struct injecting *now = injecting_of(agent);

	if (!now->prepared || now->injection.target != run)
		return;
	(void)injection_stop(&now->injection);
	now->injection.target = NULL;
}

static size_t watch(struct agent *agent, struct pollfd *fds, size_t room)
{
	const struct injecting *now = injecting_of(agent);

	if (!now->prepared || !now->injection.running || !room)
		return 0;
	fds[0] = (struct pollfd){.fd = now->injection.run.fd, .events = POLLIN};
	return 1;
}

static void dispatch(struct agent *agent, const struct pollfd *fds, size_t count)
{
	struct injecting *now = injecting_of(agent);

	if (count && fds[0].revents)
		now->injection.injector->dispatch(&now->injection);
}

static int finish(struct agent *agent, struct reason *why)
{
	struct injecting *now = injecting_of(agent);
	int error;

	if (!now->prepared)
		return 0;
	(void)injection_stop(&now->injection);
	error = now->injection.injector->restore(&now->injection, why);
	injection_close(&now->injection);
	now->prepared = false;
	return error;
}

static int serve_restore(struct agent *agent, const json_t *arguments, json_t **reply,
			 struct reason *why)
{
	*reply = json_object();
	return finish(agent, why);
}

static void close_injection(struct agent *agent)
{
	(void)finish(agent, NULL);
}

static const struct agent_call calls[] = {
	{"probe", serve_probe},	     {"inject.prepare", serve_prepare}, {"inject.fire", serve_fire},
	{"inject.stop", serve_stop}, {"inject.restore", serve_restore}, {0},
};

REGISTERED(agent_service, inject_service) = {
	.name = "inject",
	.roles = AGENT_HOST,
	/* The state that an injector has set is restored before its target ends. */
	.rank = 10,
	.state_size = sizeof(struct injecting),
	.calls = calls,
	.watch = watch,
	.dispatch = dispatch,
	.workload_ends = workload_ends,
	.close = close_injection,
};
