// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls workload.*: reports of the workloads' processes are events of the witness "workload".
 */
#include <errno.h>
#include <string.h>

#include "harness/agent/core.h"
#include "workloads/workload.h"

struct agent_workload {
	struct activity run;
	struct agent_workload *next;
};

struct workloads {
	struct agent_workload *first;
};

static const struct agent_service workload_service;

static struct workloads *workloads_of(const struct agent *agent)
{
	return agent_state(agent, &workload_service);
}

static void workload_emit(void *context, json_t *data)
{
	const char *what = json_text(data, "event", "event");
	__cleanup_free char *text =
		format_text("%s: %s", json_text(data, "workload", "workload"), what);
	int64_t time_ns = json_number(data, "time_ns", now_realtime_ns());

	agent_emit(context, "workload", time_ns, json_text(data, "text", text), data);
}

static struct agent_workload *find(const struct agent *agent, const char *name)
{
	for (struct agent_workload *load = workloads_of(agent)->first; load; load = load->next)
		if (name && strcmp(load->run.name, name) == 0)
			return load;
	return NULL;
}

/** agent_workload - the running workload of this name; NULL when there is none, or @name is NULL */
struct activity *agent_workload(const struct agent *agent, const char *name)
{
	struct agent_workload *load = find(agent, name);

	return load ? &load->run : NULL;
}

static const struct activity *workload_by_name(void *context, const char *name)
{
	return agent_workload(context, name);
}

/** agent_workloads_dispatch - send all pending reports of the workloads */
void agent_workloads_dispatch(struct agent *agent)
{
	for (struct agent_workload *load = workloads_of(agent)->first; load; load = load->next)
		load->run.workload->dispatch(&load->run);
}

static void free_workload(struct agent_workload *load)
{
	json_decref(load->run.arguments);
	json_decref(load->run.facts);
	free(load->run.name);
	free(load);
}

static int serve_start(struct agent *agent, const json_t *arguments, json_t **reply,
		       struct reason *why)
{
	const char *name = json_text(arguments, "name", NULL);
	const char *kind = json_text(arguments, "kind", "");
	const struct workload *workload = workload_find(kind);
	struct workloads *all = workloads_of(agent);
	struct agent_workload *load;
	int error;

	if (!name)
		return fail(why, -EINVAL, "workload.start: 'name' is missing");
	if (!workload)
		return fail(why, -ENOENT, "workload.start: no workload of kind '%s'", kind);
	if (find(agent, name))
		return fail(why, -EEXIST, "workload.start: '%s' runs already", name);
	load = xzalloc(sizeof(*load));
	load->run = (struct activity){.workload = workload,
				      .name = xstrdup(name),
				      .facts = json_object(),
				      .fd = -1,
				      .emit = workload_emit,
				      .find = workload_by_name,
				      .context = agent};
	error = param_check(workload->params, json_object_get(arguments, "arguments"),
			    &load->run.arguments, why)
			?: workload->start(&load->run, why);
	if (error) {
		free_workload(load);
		return error;
	}
	*reply = json_pack("{s:O}", "facts", load->run.facts);
	load->next = all->first;
	all->first = load;
	return 0;
}

static int serve_touch(struct agent *agent, const json_t *arguments, json_t **reply,
		       struct reason *why)
{
	const char *name = json_text(arguments, "name", "");
	const char *by = json_text(arguments, "by", NULL);
	struct agent_workload *load = find(agent, name);

	if (!load)
		return fail(why, -ENOENT, "workload.touch: no workload '%s' runs", name);
	if (by && !load->run.workload->touch_by)
		return fail(why, -EOPNOTSUPP,
			    "workload.touch: '%s' is touched in the way that it was declared with; "
			    "'by' is for workloads of the kind memory",
			    name);
	*reply = json_object();
	return by ? load->run.workload->touch_by(&load->run, by, why)
		  : load->run.workload->touch(&load->run, why);
}

static void stop_workload(struct agent *agent, struct agent_workload *load)
{
	struct agent_workload **link = &workloads_of(agent)->first;

	while (*link != load)
		link = &(*link)->next;
	*link = load->next;
	agent_workload_ends(agent, &load->run);
	load->run.workload->stop(&load->run);
	free_workload(load);
}

static int serve_stop(struct agent *agent, const json_t *arguments, json_t **reply,
		      struct reason *why)
{
	const char *name = json_text(arguments, "name", "");
	struct agent_workload *load = find(agent, name);

	if (!load)
		return fail(why, -ENOENT, "workload.stop: no workload '%s' runs", name);
	stop_workload(agent, load);
	*reply = json_object();
	return 0;
}

static size_t watch(struct agent *agent, struct pollfd *fds, size_t room)
{
	struct agent_workload *load = workloads_of(agent)->first;
	size_t count = 0;

	for (; load && count < room; load = load->next)
		fds[count++] = (struct pollfd){.fd = load->run.fd, .events = POLLIN};
	return count;
}

static void dispatch(struct agent *agent, const struct pollfd *fds, size_t count)
{
	struct agent_workload *load = workloads_of(agent)->first;

	for (size_t i = 0; load && i < count; i++, load = load->next)
		if (fds[i].revents)
			load->run.workload->dispatch(&load->run);
}

static void close_workloads(struct agent *agent)
{
	struct workloads *all = workloads_of(agent);

	while (all->first)
		stop_workload(agent, all->first);
}

static const struct agent_call calls[] = {
	{"workload.start", serve_start},
	{"workload.touch", serve_touch},
	{"workload.stop", serve_stop},
	{0},
};

REGISTERED(agent_service, workload_service) = {
	.name = "workload",
	.roles = AGENT_HOST | AGENT_GUEST,
	.rank = 20,
	.state_size = sizeof(struct workloads),
	.calls = calls,
	.watch = watch,
	.dispatch = dispatch,
	.close = close_workloads,
};
