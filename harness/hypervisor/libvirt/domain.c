// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domains of libvirt: look-up, creation, description and end.
 */
#include <errno.h>
#include <libvirt/virterror.h>

#include "harness/hypervisor/libvirt/libvirt.h"

/** domain_of_job - look up the domain of a job by its UUID. Return: NULL with the job's error */
virDomainPtr domain_of_job(void *connection, struct hypervisor_job *job)
{
	virDomainPtr domain = virDomainLookupByUUIDString(connection, job->uuid);

	if (!domain)
		job->error = virt_fail(&job->why, "look up the domain of guest '%s'", job->guest);
	return domain;
}

/* Versions of libvirt are major * 1,000,000 + minor * 1,000 + release. */
static void put_version(json_t *software, const char *key, int failed, unsigned long version)
{
	if (failed)
		json_object_set_new(software, key, json_string("unknown"));
	else
		json_object_set_new(software, key,
				    json_sprintf("%lu.%lu.%lu", version / 1000000,
						 version / 1000 % 1000, version % 1000));
}

static int describe(virConnectPtr connection, virDomainPtr domain, struct hypervisor_job *job)
{
	char uuid[VIR_UUID_STRING_BUFLEN] = "";
	int state = VIR_DOMAIN_NOSTATE;
	unsigned long version = 0;
	__cleanup_free char *xml = virDomainGetXMLDesc(domain, 0);
	__cleanup_free char *socket = NULL;
	json_t *software;
	unsigned int cid;
	int failed;

	if (!xml)
		return virt_fail(&job->why, "read the XML of domain '%s'", job->domain);
	virDomainGetUUIDString(domain, uuid);
	(void)virDomainGetState(domain, &state, NULL, 0);
	socket = domain_serial_socket(xml, GUEST_SERIAL_NAME);
	cid = domain_cid(xml);
	software = json_object();
	json_decref(job->reply);
	job->reply = json_pack("{s:s, s:b, s:o, s:s*}", "uuid", uuid, "running",
			       state == VIR_DOMAIN_RUNNING, "software", software, "serial", socket);
	if (cid)
		json_object_set_new(job->reply, "cid", json_integer(cid));
	failed = virConnectGetVersion(connection, &version);
	put_version(software, "qemu", failed, version);
	failed = virConnectGetLibVersion(connection, &version);
	put_version(software, "libvirt", failed, version);
	return qemu_find(job->domain, uuid, &job->pid, &job->why);
}

/** virt_claim - a job: destroy the domain of that name if it is left from an agent that has ended */
int virt_claim(void *connection, struct hypervisor_job *job)
{
	__cleanup_domain virDomainPtr domain = virDomainLookupByName(connection, job->domain);
	__cleanup_free char *description = NULL;
	__cleanup_free char *agent = NULL;

	if (!domain)
		return 0;
	description = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_DESCRIPTION, NULL, 0);
	agent = domain_agent(job->guest, description);
	if (!agent || !domain_is_orphan(agent))
		return fail(&job->why, -EEXIST,
			    "there is a domain '%s' already, of another agent (%s): choose "
			    "another name, or end it by 'virsh destroy %s'",
			    job->domain, agent ?: "its description names none", job->domain);
	if (virDomainDestroy(domain) < 0)
		return virt_fail(&job->why, "destroy the domain '%s' that another agent left",
				 job->domain);
	return 0;
}

/** virt_find - a job: find a running domain of the user by its name */
int virt_find(void *connection, struct hypervisor_job *job)
{
	__cleanup_domain virDomainPtr domain = virDomainLookupByName(connection, job->domain);
	int state = VIR_DOMAIN_NOSTATE;

	if (!domain)
		return virt_fail(&job->why, "look up the domain '%s'", job->domain);
	if (virDomainGetState(domain, &state, NULL, 0) < 0)
		return virt_fail(&job->why, "read the state of domain '%s'", job->domain);
	if (state != VIR_DOMAIN_RUNNING)
		return fail(&job->why, -EHOSTDOWN,
			    "the domain '%s' does not run (its state is %d): start it, brinell "
			    "does not",
			    job->domain, state);
	return describe(connection, domain, job);
}

/** virt_make - a job: create and run the domain of an XML */
int virt_make(void *connection, struct hypervisor_job *job)
{
	__cleanup_domain virDomainPtr domain = virDomainCreateXML(connection, job->text, 0);
	int error;

	if (!domain)
		return virt_fail(&job->why, "make the domain '%s'", job->domain);
	error = describe(connection, domain, job);
	if (error)
		virDomainDestroy(domain);
	return error;
}

/** virt_describe - a job: describe a domain, by its UUID */
int virt_describe(void *connection, struct hypervisor_job *job)
{
	__cleanup_domain virDomainPtr domain = domain_of_job(connection, job);

	return domain ? describe(connection, domain, job) : job->error;
}

/** virt_destroy - a job: destroy the domain; 0 also if it has ended already */
int virt_destroy(void *connection, struct hypervisor_job *job)
{
	__cleanup_domain virDomainPtr domain = virDomainLookupByUUIDString(connection, job->uuid);
	int error = 0;

	/* A transient domain that has ended does not exist any more. */
	if (!domain && virGetLastErrorCode() == VIR_ERR_NO_DOMAIN)
		return 0;
	if (!domain || virDomainDestroy(domain) < 0)
		error = virt_fail(&job->why, "destroy the domain of guest '%s'", job->guest);
	return error == -ENOENT || (error == -EINVAL && domain) ? 0 : error;
}
