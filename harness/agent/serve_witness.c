// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls witness.*: all witnesses of this program are started and stopped together.
 */
#include "harness/agent/core.h"
#include "harness/witness/witness.h"

struct agent_witness {
	const struct witness *witness;
	struct witness_run run;
	struct agent_witness *next;
};

struct witnesses {
	struct agent_witness *first;
	json_t *focus;
};

static const struct agent_service witness_service;

static struct witnesses *witnesses_of(const struct agent *agent)
{
	return agent_state(agent, &witness_service);
}

static void stop_witnesses(struct witnesses *all)
{
	struct agent_witness *entry;

	while ((entry = all->first)) {
		all->first = entry->next;
		entry->witness->stop(&entry->run);
		free(entry);
	}
}

static void declare(const struct witness *witness, json_t *proofs)
{
	for (const struct witness_proof *proof = witness->proofs; proof && proof->field; proof++)
		json_array_append_new(proofs,
				      json_pack("{s:s, s:s, s:s, s:b, s:s, s:s}", "witness",
						witness->name, "group", witness->group, "field",
						proof->field, "grows", proof->grows, "kind",
						proof->kind, "severity", proof->severity));
}

static int serve_start(struct agent *agent, const json_t *arguments, json_t **reply,
		       struct reason *why)
{
	struct witnesses *all = witnesses_of(agent);
	__cleanup_json json_t *started = json_array();
	__cleanup_json json_t *missing = json_array();
	__cleanup_json json_t *proofs = json_array();
	__cleanup_json json_t *formats = json_object();

	stop_witnesses(all);
	for (size_t i = 0; i < witness_count(); i++) {
		struct agent_witness *entry;
		struct reason reason = {0};

		if (witness_at(i)->host_only && agent_role(agent) != AGENT_HOST)
			continue;
		entry = xzalloc(sizeof(*entry));
		entry->witness = witness_at(i);
		entry->run = (struct witness_run){
			.fd = -1, .emit = agent_emit, .context = agent, .focus = all->focus};
		if (entry->witness->start(&entry->run, &reason)) {
			json_array_append_new(missing,
					      json_pack("{s:s, s:s}", "name", entry->witness->name,
							"reason", reason.text));
			free(entry);
			continue;
		}
		json_array_append_new(started, json_string(entry->witness->name));
		declare(entry->witness, proofs);
		if (entry->witness->format)
			json_object_set_new(formats, entry->witness->name,
					    json_string(entry->witness->format));
		entry->next = all->first;
		all->first = entry;
	}
	*reply = json_pack("{s:O, s:O, s:O, s:O}", "started", started, "missing", missing, "proofs",
			   proofs, "formats", formats);
	return 0;
}

static int serve_collect(struct agent *agent, const json_t *arguments, json_t **reply,
			 struct reason *why)
{
	agent_workloads_dispatch(agent);
	for (struct agent_witness *entry = witnesses_of(agent)->first; entry; entry = entry->next)
		entry->witness->collect(&entry->run);
	*reply = json_object();
	return 0;
}

static int serve_focus(struct agent *agent, const json_t *arguments, json_t **reply,
		       struct reason *why)
{
	struct witnesses *all = witnesses_of(agent);

	json_decref(all->focus);
	all->focus = json_deep_copy(arguments);
	for (struct agent_witness *entry = all->first; entry; entry = entry->next) {
		entry->run.focus = all->focus;
		/* A witness that compares takes its first look now, before the fault. */
		entry->witness->collect(&entry->run);
	}
	*reply = json_object();
	return 0;
}

static int serve_stop(struct agent *agent, const json_t *arguments, json_t **reply,
		      struct reason *why)
{
	struct witnesses *all = witnesses_of(agent);

	stop_witnesses(all);
	json_decref(all->focus);
	all->focus = NULL;
	*reply = json_object();
	return 0;
}

static size_t watch(struct agent *agent, struct pollfd *fds, size_t room)
{
	struct agent_witness *entry = witnesses_of(agent)->first;
	size_t count = 0;

	for (; entry && count < room; entry = entry->next)
		fds[count++] = (struct pollfd){.fd = entry->run.fd, .events = POLLIN};
	return count;
}

static void dispatch(struct agent *agent, const struct pollfd *fds, size_t count)
{
	struct agent_witness *entry = witnesses_of(agent)->first;

	for (size_t i = 0; entry && i < count; i++, entry = entry->next)
		if (fds[i].revents && entry->witness->dispatch)
			entry->witness->dispatch(&entry->run);
}

static void close_witnesses(struct agent *agent)
{
	struct witnesses *all = witnesses_of(agent);

	stop_witnesses(all);
	json_decref(all->focus);
	for (size_t i = 0; i < witness_count(); i++)
		if (witness_at(i)->release)
			witness_at(i)->release();
}

static const struct agent_call calls[] = {
	{"witness.start", serve_start},
	{"witness.focus", serve_focus},
	{"witness.collect", serve_collect},
	{"witness.stop", serve_stop},
	{0},
};

REGISTERED(agent_service, witness_service) = {
	.name = "witness",
	.roles = AGENT_HOST | AGENT_GUEST,
	.rank = 30,
	.state_size = sizeof(struct witnesses),
	.calls = calls,
	.watch = watch,
	.dispatch = dispatch,
	.close = close_witnesses,
};
