// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hypervisor jobs about a guest.
 */
#include <errno.h>

#include "harness/hypervisor/service.h"

static void job_ignore(struct agent *agent, struct hypervisor_job *job)
{
}

static void job_give_up(struct agent *agent, struct hypervisor_job *job, const struct reason *why)
{
}

/** job_new - allocate a job about a guest whose result is ignored; the caller completes and starts it. Return: never NULL */
struct hypervisor_job *job_new(const struct domain_guest *guest, hypervisor_work *work)
{
	struct hypervisor_job *job = xzalloc(sizeof(*job));

	job->work = work;
	job->done = job_ignore;
	job->given_up = job_give_up;
	snprintf(job->guest, sizeof(job->guest), "%s", guest->name);
	snprintf(job->domain, sizeof(job->domain), "%s", guest->domain);
	snprintf(job->uuid, sizeof(job->uuid), "%s", guest->uuid);
	return job;
}

static void answer_job(struct agent *agent, struct hypervisor_job *job)
{
	agent_answer(agent, &job->ticket, job->error, steal(job->reply), &job->why);
}

static void answer_late_job(struct agent *agent, struct hypervisor_job *job,
			    const struct reason *why)
{
	agent_answer(agent, &job->ticket, -ETIMEDOUT, NULL, why);
}

/** job_answered - start a job whose result answers the present call */
int job_answered(struct agent *agent, struct hypervisor_job *job, int64_t timeout_ms,
		 struct reason *why)
{
	job->done = answer_job;
	job->given_up = answer_late_job;
	job->ticket = agent_later(agent);
	return job_start(job, timeout_ms, why) ?: AGENT_LATER;
}
