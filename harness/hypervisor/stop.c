// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of guests: by guest.stop, or with the agent that created or received them, even if the hypervisor does not answer.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>

#include "harness/hypervisor/service.h"
#include "harness/link/guest_service.h"

#define STOP_TIMEOUT_MS 10000
#define DESTROY_TIMEOUT_MS 10000
#define CLOSE_TIMEOUT_MS 5000

/** domain_answer_stop - answer guest.stop, after the guest has ended, or could not be ended */
void domain_answer_stop(struct agent *agent, struct domain_guest *guest, int error,
			const struct reason *why)
{
	json_t *reply =
		json_pack("{s:b, s:b}", "stopped", guest->ours, "graceful", guest->graceful);

	if (guest->failure)
		domain_answer_failure(agent, guest);
	if (guest->ticket.id)
		agent_answer(agent, &guest->ticket, error, reply, why);
	else
		json_decref(reply);
	if (!error)
		domain_remove(agent, guest);
	else
		guest->stage = guest->received && !guest->arrived ? DOMAIN_AWAITED : DOMAIN_RUNNING;
}

static void done_destroy(struct agent *agent, struct hypervisor_job *job)
{
	struct domain_guest *guest = domain_guest_of_job(agent, job);

	if (guest && guest->stage == DOMAIN_DESTROYING)
		domain_answer_stop(agent, guest, job->error, &job->why);
}

static void give_up_destroy(struct agent *agent, struct hypervisor_job *job,
			    const struct reason *why)
{
	struct domain_guest *guest = domain_guest_of_job(agent, job);

	if (guest && guest->stage == DOMAIN_DESTROYING)
		domain_answer_stop(agent, guest, -ETIMEDOUT, why);
}

/** domain_destroy - destroy the domain of a guest, then answer the waiting call and remove the guest */
void domain_destroy(struct agent *agent, struct domain_guest *guest)
{
	struct hypervisor_job *job = job_new(guest, hypervisor_here()->stop);
	struct reason why;
	int error;

	guest->stage = DOMAIN_DESTROYING;
	job->done = done_destroy;
	job->given_up = give_up_destroy;
	error = job_start(job, DESTROY_TIMEOUT_MS, &why);
	if (error)
		domain_answer_stop(agent, guest, error, &why);
}

static void then_powered_off(struct agent *agent, void *context, int error, const json_t *reply,
			     const struct reason *why)
{
	__cleanup_free char *name = context;
	struct domain_guest *guest = domain_find(agent, name);

	/* A lost connection during the power-off counts as its success. */
	if (guest && guest->stage == DOMAIN_STOPPING && error && error != -ECONNRESET)
		domain_destroy(agent, guest);
}

int serve_guest_stop(struct agent *agent, const json_t *arguments, json_t **reply,
		     struct reason *why)
{
	const char *name = json_text(arguments, "name", "");
	struct domain_guest *guest = domain_find(agent, name);
	char *context;

	if (!guest)
		return fail(why, -ENOENT, "guest.stop: no guest '%s' was started", name);
	if (guest->ticket.id)
		return fail(why, -EBUSY,
			    "guest.stop: another call about guest '%s' is not finished", name);
	if (!guest->ours || guest->stage == DOMAIN_GONE) {
		*reply = json_pack("{s:b, s:b}", "stopped", guest->stage == DOMAIN_GONE, "graceful",
				   guest->graceful);
		domain_remove(agent, guest);
		return 0;
	}
	guest->ticket = agent_later(agent);
	/* The event of its arrival may still be queued. */
	if (domain_is_incoming(guest)) {
		domain_destroy(agent, guest);
		return AGENT_LATER;
	}
	guest->stage = DOMAIN_STOPPING;
	guest->until_ns = now_monotonic_ns() +
			  json_number(arguments, "timeout_ms", STOP_TIMEOUT_MS) * NSEC_PER_MSEC;
	context = xstrdup(name);
	if (guest_service_call(agent, name, "poweroff", STOP_TIMEOUT_MS, then_powered_off, context,
			       NULL)) {
		free(context);
		domain_destroy(agent, guest);
	}
	return AGENT_LATER;
}

static bool is_here(const struct domain_guest *guest)
{
	return guest->stage != DOMAIN_GONE && guest->stage != DOMAIN_MAKING;
}

static void destroy_all(struct agent *agent)
{
	int64_t until = now_monotonic_ns() + CLOSE_TIMEOUT_MS * NSEC_PER_MSEC;
	struct domain_guest *guest, *next;

	for (guest = domain_first(agent); guest; guest = next) {
		next = guest->next;
		json_decref(steal(guest->ticket.id));
		if (guest->ours && is_here(guest))
			domain_destroy(agent, guest);
		else
			domain_remove(agent, guest);
	}
	while (domain_first(agent) && now_monotonic_ns() < until) {
		struct pollfd news = {.fd = jobs_fd(), .events = POLLIN};
		bool ending = false;

		for (guest = domain_first(agent); guest; guest = guest->next)
			ending |= guest->stage == DOMAIN_DESTROYING;
		if (!ending)
			break;
		(void)poll(&news, 1, 100);
		jobs_dispatch(agent, domain_on_event);
	}
}

/** domain_end_all - end all guests of an agent that ends. A guest that migrated to another host continues there */
void domain_end_all(struct agent *agent)
{
	destroy_all(agent);
	jobs_discard_all();
	while (domain_first(agent)) {
		struct domain_guest *guest = domain_first(agent);
		pid_t pid;

		if (guest->ours &&
		    !hypervisor_here()->process(guest->domain, guest->uuid, &pid, NULL)) {
			log_warning("guest '%s': %s does not destroy it; killing its process %d",
				    guest->name, hypervisor_here()->name, (int)pid);
			kill(pid, SIGKILL);
		}
		domain_remove(agent, guest);
	}
}
