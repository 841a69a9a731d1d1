// SPDX-License-Identifier: GPL-2.0-only
/*
 * The call guest.receive: this host is the target of a migration. It creates the files that the guest's domain refers to.
 * Events of the hypervisor report the arrival. A migration may fail and be repeated.
 */
#include <errno.h>
#include <string.h>

#include "harness/hypervisor/service.h"
#include "harness/link/guest_service.h"

/* As long as the making of a guest: an emulated host unpacks a kernel for it in several seconds. */
#define RECEIVE_TIMEOUT_MS 60000

/** domain_is_incoming - whether a guest is awaited or arriving, and does not run here yet */
bool domain_is_incoming(const struct domain_guest *guest)
{
	return guest->stage == DOMAIN_AWAITED || guest->stage == DOMAIN_ARRIVING;
}

static int work_receive(void *session, struct hypervisor_job *job)
{
	bool ours = job->number;
	int error = ours ? hypervisor_here()->claim(session, job) : 0;

	if (!error)
		error = hypervisor_here()->state(session, job);
	if (!error && !json_is(job->reply, "state", "gone"))
		error = fail(&job->why, -EEXIST, "guest.receive of '%s': its domain exists already",
			     job->guest);
	if (!error && ours) {
		error = domain_claim(job->guest);
		if (error)
			fail_errno(&job->why, error, "guest.receive of '%s': record the receiver",
				   job->guest);
	}
	if (!error && hypervisor_here()->receive)
		error = hypervisor_here()->receive(session, job);
	return error;
}

static void done_receive(struct agent *agent, struct hypervisor_job *job)
{
	struct domain_guest *guest = domain_guest_of_job(agent, job);

	if (!guest || !guest->ticket.id)
		return;
	agent_answer(agent, &guest->ticket, job->error, NULL, &job->why);
	if (job->error)
		domain_remove(agent, guest);
	else
		guest->stage = DOMAIN_AWAITED;
}

static void give_up_receive(struct agent *agent, struct hypervisor_job *job,
			    const struct reason *why)
{
	struct domain_guest *guest = domain_guest_of_job(agent, job);

	if (!guest || !guest->ticket.id)
		return;
	agent_answer(agent, &guest->ticket, -ETIMEDOUT, NULL, why);
	domain_remove(agent, guest);
}

static int work_arrive(void *session, struct hypervisor_job *job)
{
	int error = hypervisor_here()->describe(session, job);

	/* Without its process, the domain can still be watched. */
	return error == -ESRCH ? 0 : error;
}

static void done_arrive(struct agent *agent, struct hypervisor_job *job)
{
	struct domain_guest *guest = domain_guest_of_job(agent, job);
	struct reason why;

	/* An incoming domain may have ended; an event reports that. */
	if (!guest || guest->stage != DOMAIN_ARRIVING || job->error)
		return;
	domain_take_description(guest, job);
	if (domain_link(agent, guest, job->reply, &why))
		agent_emit(agent, "hypervisor", now_realtime_ns(), why.text,
			   json_pack("{s:s, s:s, s:s}", "guest", guest->name, "uuid", guest->uuid,
				     "event", "unlinked"));
	if (!json_is_true(json_object_get(job->reply, "running")))
		return;
	guest->stage = DOMAIN_RUNNING;
	guest->arrived = true;
}

static void describe_arrival(struct domain_guest *guest)
{
	struct hypervisor_job *job = job_new(guest, work_arrive);

	guest->stage = DOMAIN_ARRIVING;
	job->done = done_arrive;
	/* A long timeout, because without the description the guest can not be linked. */
	job->late = done_arrive;
	(void)job_start(job, RECEIVE_TIMEOUT_MS, NULL);
}

/**
 * domain_arrival_event - handle an event about an awaited guest
 * @state: of its domain: "started" when it exists, "resumed" when it runs here, "stopped" when the migration failed
 */
void domain_arrival_event(struct agent *agent, struct domain_guest *guest, const char *state)
{
	if (strcmp(state, "started") == 0 || strcmp(state, "resumed") == 0) {
		describe_arrival(guest);
	} else if (strcmp(state, "stopped") == 0 && guest->stage == DOMAIN_ARRIVING) {
		struct reason why;

		guest->stage = DOMAIN_AWAITED;
		domain_take_console(agent, guest);
		/* The end of the domain closed the pipes of its console: open them again. */
		if (guest->ours && domain_open_console(guest, &why))
			log_warning("guest '%s': %s", guest->name, why.text);
	}
}

/* @description: receives that of a micro guest, owned by the caller */
static int prepare(struct domain_guest *guest, const json_t *arguments, char **description,
		   struct reason *why)
{
	struct reason inner = {0};
	int error = guest->ours ? domain_make_files(guest, arguments, description, &inner) : 0;

	if (error)
		fail(why, error, "guest.receive of '%s': %.900s", guest->name, inner.text);
	return error;
}

static int take_port(struct agent *agent, const json_t *arguments, bool ours, unsigned int *port,
		     struct reason *why)
{
	int64_t wanted = json_number(arguments, "port", GUEST_VSOCK_PORT);
	int error;

	if (wanted < 1 || wanted >= UINT32_MAX)
		return fail(why, -EINVAL, "guest.receive: 'port' is %lld, which is not a port",
			    (long long)wanted);
	*port = (unsigned int)wanted;
	error = domain_listen(agent, ours, port, why);
	if (!error && ours && *port != (unsigned int)wanted)
		error = fail(why, -EADDRINUSE,
			     "guest.receive: the guest dials vsock port %lld, and this agent "
			     "listens on %u",
			     (long long)wanted, *port);
	return error;
}

static bool is_awaited_so(const struct domain_guest *guest, const char *uuid,
			  const json_t *arguments)
{
	return domain_is_incoming(guest) && strcmp(guest->uuid, uuid) == 0 &&
	       (!guest->ours ||
		strcmp(guest->backing, json_text(arguments, "backing", "anonymous")) == 0);
}

int serve_guest_receive(struct agent *agent, const json_t *arguments, json_t **reply,
			struct reason *why)
{
	const char *name = json_text(arguments, "name", "");
	const char *uuid = json_text(arguments, "uuid", "");
	struct domain_guest *guest = domain_find(agent, name);
	struct hypervisor_job *job;
	char *description = NULL;
	unsigned int port;
	bool ours;
	int error = domain_take_name("guest.receive", arguments, &ours, why);

	if (error)
		return error;
	if (strlen(uuid) != UUID_BYTES - 1)
		return fail(why, -EINVAL, "guest.receive: 'uuid' must be that of its domain");
	/* Repeated after a failed migration. */
	if (guest && is_awaited_so(guest, uuid, arguments))
		return 0;
	if (guest && guest->stage != DOMAIN_GONE && guest->stage != DOMAIN_AWAITED)
		return fail(why, -EEXIST, "guest.receive: there is a guest '%s' already", name);
	if (guest)
		domain_remove(agent, guest);
	error = take_port(agent, arguments, ours, &port, why);
	if (error)
		return error;
	guest = domain_add(agent, name, ours, json_text(arguments, "domain", ""));
	guest->port = port;
	guest->received = true;
	snprintf(guest->uuid, sizeof(guest->uuid), "%s", uuid);
	error = prepare(guest, arguments, &description, why);
	if (!error) {
		job = job_new(guest, work_receive);
		job->number = ours;
		job->text = description;
		job->request = json_deep_copy(arguments);
		job->done = done_receive;
		job->given_up = give_up_receive;
		error = job_start(job, RECEIVE_TIMEOUT_MS, why);
	}
	if (error) {
		domain_remove(agent, guest);
		return error;
	}
	guest->ticket = agent_later(agent);
	return AGENT_LATER;
}
