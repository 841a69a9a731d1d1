// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls guest.status and guest.balloon. The state of a guest is that of the hypervisor and of its heartbeat; both are also
 * emitted as evidence.
 */
#include <errno.h>
#include <string.h>

#include "harness/hypervisor/service.h"
#include "harness/link/guest_service.h"

#define STATUS_TIMEOUT_MS 10000
#define BALLOON_TIMEOUT_MS 30000
/* Timeout of the hypervisor beyond that of the guest; the caller waits 5 s longer than the guest's. */
#define BALLOON_ANSWER_MS 2000

/* Emit the state of the guest's heartbeat as evidence, and add it to @reply. */
static void report_pulse(struct agent *agent, const char *name, json_t *reply)
{
	__cleanup_json json_t *list = guest_link_list(guest_service_link(agent));
	json_t *now = json_pack("{s:s, s:b, s:I, s:I}", "what", "now", "connected", 0, "seq",
				(json_int_t)-1, "age_ns", (json_int_t)-1);
	__cleanup_free char *text = NULL;
	json_t *entry;
	size_t index;

	guest_link_report(guest_service_link(agent), name);
	json_array_foreach (list, index, entry) {
		if (strcmp(json_text(entry, "guest", ""), name) != 0)
			continue;
		json_object_set(now, "connected", json_object_get(entry, "connected"));
		json_object_set(now, "seq", json_object_get(entry, "seq"));
		json_object_set(now, "age_ns", json_object_get(entry, "age_ns"));
	}
	json_object_update_missing(reply, now);
	json_object_del(reply, "what");
	json_object_set_new(now, "guest", json_string(name));
	if (json_number(now, "age_ns", -1) < 0)
		text = format_text("%s: no heartbeat has come yet", name);
	else
		text = format_text("%s: its last heartbeat came %lld us ago", name,
				   (long long)json_number(now, "age_ns", 0) / 1000);
	agent_emit(agent, "heartbeat", now_realtime_ns(), text, now);
}

/* @reply: with the "state"; completes the answer; stolen */
static void answer_status(struct agent *agent, struct hypervisor_job *job, json_t *reply)
{
	const struct domain_guest *guest = domain_guest_of_job(agent, job);
	const char *state;
	__cleanup_free char *text = NULL;

	if (guest && guest->stage == DOMAIN_AWAITED && json_is(reply, "state", "gone"))
		json_object_set_new(reply, "state", json_string("awaited"));
	state = json_text(reply, "state", "?");
	if (guest && *guest->ending && !json_object_get(reply, "detail"))
		json_object_set_new(reply, "detail", json_string(guest->ending));
	text = format_text("%s: status %s %s", job->guest, state, json_text(reply, "detail", ""));
	agent_emit(agent, "hypervisor", now_realtime_ns(), text,
		   json_pack("{s:s, s:s, s:s, s:s, s:s}", "guest", job->guest, "uuid", job->uuid,
			     "event", "status", "state", state, "detail",
			     json_text(reply, "detail", "")));
	report_pulse(agent, job->guest, reply);
	if (guest)
		json_object_set_new(reply, "facts", domain_facts(guest));
	agent_answer(agent, &job->ticket, 0, reply, NULL);
}

static void done_status(struct agent *agent, struct hypervisor_job *job)
{
	if (!job->error)
		answer_status(agent, job, steal(job->reply));
	else
		answer_status(agent, job,
			      json_pack("{s:s, s:s}", "state", "unknown", "detail", job->why.text));
}

static void give_up_status(struct agent *agent, struct hypervisor_job *job,
			   const struct reason *why)
{
	answer_status(agent, job, json_pack("{s:s, s:s}", "state", "unknown", "detail", why->text));
}

int serve_guest_status(struct agent *agent, const json_t *arguments, json_t **reply,
		       struct reason *why)
{
	const char *name = json_text(arguments, "name", "");
	const struct domain_guest *guest = domain_find(agent, name);
	struct hypervisor_job *job;

	if (!guest)
		return fail(why, -ENOENT, "guest.status: no guest '%s' was started", name);
	job = job_new(guest, hypervisor_here()->state);
	job->done = done_status;
	job->given_up = give_up_status;
	job->ticket = agent_later(agent);
	return job_start(job, STATUS_TIMEOUT_MS, why) ?: AGENT_LATER;
}

int serve_guest_balloon(struct agent *agent, const json_t *arguments, json_t **reply,
			struct reason *why)
{
	struct domain_guest *guest = domain_guest_find(agent, arguments, "guest.balloon", why);
	int64_t memory = json_number(arguments, "memory_mib", 0);
	int64_t timeout = json_number(arguments, "timeout_ms", BALLOON_TIMEOUT_MS);
	struct hypervisor_job *job;

	if (!guest)
		return -ENOENT;
	if (memory < 1 || memory > UINT32_MAX || timeout < 1 || timeout > UINT32_MAX)
		return fail(why, -EINVAL,
			    "guest.balloon: 'memory_mib' and 'timeout_ms' must be above 0");
	job = job_new(guest, hypervisor_here()->balloon);
	job->number = (uint64_t)memory;
	job->flags = (unsigned int)timeout;
	return job_answered(agent, job, timeout + BALLOON_ANSWER_MS, why);
}
