// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of the hypervisor about the guests of this agent: they become evidence, and change stages. After a lost connection a
 * survey finds what was missed.
 */
#include <string.h>

#include "harness/hypervisor/service.h"

#define SURVEY_TIMEOUT_MS 60000
#define SURVEY_PAUSE_NS NSEC_PER_SEC

/* The domain of a guest has ended on this host. */
static void take_end(struct agent *agent, struct domain_guest *guest, const char *detail)
{
	snprintf(guest->ending, sizeof(guest->ending), "%s", detail);
	switch (guest->stage) {
	case DOMAIN_GREETING:
		domain_fail_ended(agent, guest);
		return;
	case DOMAIN_STOPPING:
		guest->graceful = strcmp(detail, "shutdown") == 0;
		domain_answer_stop(agent, guest, 0, NULL);
		return;
	case DOMAIN_RUNNING:
		guest->stage = DOMAIN_GONE;
		return;
	default:
		return;
	}
}

static struct domain_guest *find_by_uuid(const struct agent *agent, const char *uuid)
{
	struct domain_guest *guest = domain_first(agent);

	while (guest && strcmp(guest->uuid, uuid) != 0)
		guest = guest->next;
	return guest;
}

static void report(struct agent *agent, const struct domain_guest *guest, json_t *event)
{
	const char *state = json_text(event, "state", ""), *detail = json_text(event, "detail", "");
	__cleanup_free char *text =
		format_text("%s: %s%s%s%s%s", guest ? guest->name : hypervisor_here()->name,
			    json_text(event, "event", ""), *state ? " " : "", state,
			    *detail ? " " : "", detail);

	if (guest)
		json_object_set_new(event, "guest", json_string(guest->name));
	agent_emit(agent, "hypervisor", json_number(event, "time_ns", 0), text, json_incref(event));
}

/* The end of a domain before its arrival is no crash of the guest. */
static void mark_incoming(json_t *event)
{
	json_object_set_new(event, "incoming", json_true());
	if (json_object_get(event, "state"))
		json_object_set_new(event, "event", json_string("lifecycle"));
}

/* At the source QEMU ends after the migration; the guest does not. */
static void mark_leaving(json_t *event)
{
	if (json_is(event, "event", "shutdown"))
		json_object_set_new(event, "event", json_string("lifecycle"));
}

/** domain_on_event - handle an event of the hypervisor; see jobs_dispatch() */
void domain_on_event(struct agent *agent, json_t *event)
{
	const char *what = json_text(event, "event", ""), *uuid = json_text(event, "uuid", NULL);
	struct domain_guest *guest = uuid ? find_by_uuid(agent, uuid) : NULL;
	const char *state = json_text(event, "state", "");
	/* Read before the marks, which replace the name of the event. */
	bool monitored = strcmp(what, "monitor") == 0;
	bool incoming, reported;

	/* A domain that this agent does not watch. */
	if (uuid && !guest)
		return;
	if (!guest) {
		if (strcmp(what, "connection-lost") == 0 && domain_first(agent))
			domain_survey_later(agent, SURVEY_PAUSE_NS / 4);
		report(agent, NULL, event);
		return;
	}
	incoming = domain_is_incoming(guest);
	reported = !domain_is_of_stream(what) &&
		   (strcmp(what, "memory-failure") != 0 ||
		    domain_flood_takes(&guest->failures, now_monotonic_ns()));
	if (reported) {
		if (domain_is_leaving(guest))
			mark_leaving(event);
		if (guest->received && !guest->arrived)
			mark_incoming(event);
		report(agent, guest, event);
	}
	if (strcmp(state, "shutdown") == 0 && !json_is(event, "detail", "finished"))
		snprintf(guest->shutdown_by, sizeof(guest->shutdown_by), "%s",
			 json_text(event, "detail", ""));
	/* It only adds the exact time to another event. */
	if (monitored)
		return;
	domain_migration_event(agent, guest, event);
	if (incoming)
		domain_arrival_event(agent, guest, state);
	else if (strcmp(state, "stopped") == 0)
		take_end(agent, guest, json_text(event, "detail", ""));
}

/** domain_report_rest - report the number of memory failures above the rate limit */
void domain_report_rest(struct agent *agent, struct domain_guest *guest, int64_t now_ns)
{
	uint64_t count = domain_flood_rest(&guest->failures, now_ns);
	__cleanup_free char *text = NULL;

	if (!count)
		return;
	text = format_text("%s: %llu more memory failures within a second", guest->name,
			   (unsigned long long)count);
	agent_emit(agent, "hypervisor", now_realtime_ns(), text,
		   json_pack("{s:s, s:s, s:s, s:I}", "guest", guest->name, "uuid", guest->uuid,
			     "event", "memory-failures", "count", (json_int_t)count));
}

static void done_survey(struct agent *agent, struct hypervisor_job *job)
{
	struct domain_guest *guest = domain_guest_of_job(agent, job);
	bool gone;

	if (!guest)
		return;
	gone = !job->error && json_is(job->reply, "state", "gone");
	if (!job->error && !gone && domain_is_incoming(guest)) {
		domain_arrival_event(agent, guest, "started");
	} else if (gone && guest->stage != DOMAIN_AWAITED) {
		__cleanup_json json_t *event =
			json_pack("{s:s, s:s, s:s, s:s, s:I}", "uuid", guest->uuid, "event",
				  "crashed", "state", "stopped", "detail", "unseen", "time_ns",
				  (json_int_t)now_realtime_ns());

		domain_on_event(agent, event);
	} else if (job->error) {
		domain_survey_later(agent, SURVEY_PAUSE_NS);
	}
}

static void give_up_survey(struct agent *agent, struct hypervisor_job *job,
			   const struct reason *why)
{
	domain_survey_later(agent, SURVEY_PAUSE_NS);
}

/** domain_survey - after a lost connection: connect again, and find which guests ended or arrived meanwhile */
void domain_survey(struct agent *agent)
{
	for (struct domain_guest *guest = domain_first(agent); guest; guest = guest->next) {
		struct hypervisor_job *job;

		if (guest->stage == DOMAIN_MAKING || guest->stage == DOMAIN_GONE)
			continue;
		job = job_new(guest, hypervisor_here()->state);
		job->done = done_survey;
		job->given_up = give_up_survey;
		if (job_start(job, SURVEY_TIMEOUT_MS, NULL))
			domain_survey_later(agent, SURVEY_PAUSE_NS);
	}
}
