// SPDX-License-Identifier: GPL-2.0-only
/*
 * What jobs about guests have in common: the domain is found by its UUID, and what is known of it is told one way.
 */
#include <errno.h>
#include <string.h>
#include <libvirt/virterror.h>

#include "harness/hypervisor/libvirt/service.h"

/** domain_job - a job about a guest, to be filled in and started. Return: it; never NULL */
struct virt_job *domain_job(const struct domain_guest *guest,
			    int (*work)(virConnectPtr connection, struct virt_job *job))
{
	struct virt_job *job = calloc(1, sizeof(*job));

	if (!job)
		abort();
	job->work = work;
	job->done = domain_job_ignore;
	job->given_up = domain_job_given_up;
	snprintf(job->guest, sizeof(job->guest), "%s", guest->name);
	snprintf(job->domain, sizeof(job->domain), "%s", guest->domain);
	snprintf(job->uuid, sizeof(job->uuid), "%s", guest->uuid);
	return job;
}

/** domain_job_ignore - the end of a job that nobody waits for */
void domain_job_ignore(struct agent *agent, struct virt_job *job)
{
	(void)agent;
	(void)job;
}

/** domain_job_given_up - of a job that nobody waits for */
void domain_job_given_up(struct agent *agent, struct virt_job *job, const struct reason *why)
{
	(void)agent;
	(void)job;
	(void)why;
}

static void answer_job(struct agent *agent, struct virt_job *job)
{
	agent_answer(agent, &job->ticket, job->error, steal(job->reply), &job->why);
}

static void answer_late_job(struct agent *agent, struct virt_job *job, const struct reason *why)
{
	agent_answer(agent, &job->ticket, -ETIMEDOUT, NULL, why);
}

/** domain_job_answered - start a job whose result is the answer of the call that is served now */
int domain_job_answered(struct agent *agent, struct virt_job *job, int64_t timeout_ms,
			struct reason *why)
{
	int error;

	job->done = answer_job;
	job->given_up = answer_late_job;
	job->ticket = agent_later(agent);
	error = virt_start(job, timeout_ms, why);
	return error ? error : AGENT_LATER;
}

/** domain_of_job - in a job: its domain, by UUID. Return: NULL with the job's error */
virDomainPtr domain_of_job(virConnectPtr connection, struct virt_job *job)
{
	virDomainPtr domain = virDomainLookupByUUIDString(connection, job->uuid);

	if (!domain)
		job->error = virt_fail(&job->why, "look up the domain of guest '%s'", job->guest);
	return domain;
}

/* libvirt has versions as one number: a million, a thousand, and one. */
static void put_version(json_t *reply, const char *key, int failed, unsigned long version)
{
	if (failed)
		json_object_set_new(reply, key, json_string("unknown"));
	else
		json_object_set_new(reply, key,
				    json_sprintf("%lu.%lu.%lu", version / 1000000,
						 version / 1000 % 1000, version % 1000));
}

/**
 * domain_describe - in a job: what a domain is
 *
 * Leaves its XML in @job->answer, its process in @job->pid, and "uuid", "running", "qemu", "libvirt" in @job->reply.
 *
 * Return: 0 or -errno with the job's reason.
 */
int domain_describe(virConnectPtr connection, virDomainPtr domain, struct virt_job *job)
{
	char uuid[VIR_UUID_STRING_BUFLEN] = "";
	int state = VIR_DOMAIN_NOSTATE;
	unsigned long version = 0;
	int failed;

	job->answer = virDomainGetXMLDesc(domain, 0);
	if (!job->answer)
		return virt_fail(&job->why, "ask for the XML of domain '%s'", job->domain);
	virDomainGetUUIDString(domain, uuid);
	(void)virDomainGetState(domain, &state, NULL, 0);
	job->reply = json_pack("{s:s, s:b}", "uuid", uuid, "running", state == VIR_DOMAIN_RUNNING);
	failed = virConnectGetVersion(connection, &version);
	put_version(job->reply, "qemu", failed, version);
	failed = virConnectGetLibVersion(connection, &version);
	put_version(job->reply, "libvirt", failed, version);
	return qemu_find(job->domain, uuid, &job->pid, &job->why);
}

/**
 * domain_make_room - in a job: clear away what an agent that was killed has left under the name of the guest
 *
 * Return: 0; -EEXIST when somebody else has a domain of that name, which stays as it is; or another -errno.
 */
int domain_make_room(virConnectPtr connection, struct virt_job *job)
{
	virDomainPtr domain = virDomainLookupByName(connection, job->domain);
	__cleanup_free char *description = NULL;
	__cleanup_free char *keeper = NULL;
	int error = 0;

	if (!domain)
		return 0;
	description = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_DESCRIPTION, NULL, 0);
	keeper = domain_keeper(job->guest, description);
	if (!keeper || !domain_is_orphan(keeper))
		error = fail(&job->why, -EEXIST,
			     "there is a domain '%s' already, of another agent (%s): choose "
			     "another name, or end it by 'virsh destroy %s'",
			     job->domain, keeper ? keeper : "it does not say which", job->domain);
	else if (virDomainDestroy(domain) < 0)
		error = virt_fail(&job->why, "destroy the domain '%s' that another agent left",
				  job->domain);
	virDomainFree(domain);
	return error;
}
