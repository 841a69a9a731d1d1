// SPDX-License-Identifier: GPL-2.0-only
/*
 * A migration by libvirt, peer to peer between the hosts, without this program in between; its statistics are sampled every
 * 20 ms. Runs in the threads of jobs.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <libvirt/virterror.h>

#include "harness/hypervisor/libvirt/libvirt.h"

#define SAMPLE_NS (20 * NSEC_PER_MSEC)
#define MIB (1ull << 20)
/* No limit, in MiB/s: libvirt's default (QEMU_DOMAIN_MIG_BANDWIDTH_MAX). */
#define UNLIMITED (INT64_MAX / MIB)

/*
 * @downtime_ms: to be set once QEMU migrates, because it is refused before; 0: done
 */
struct sampler {
	virDomainPtr domain;
	const struct hypervisor_job *job;
	int64_t downtime_ms;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool over;
};

static void sample(struct sampler *sampler)
{
	virTypedParameterPtr parameters = NULL;
	int type = VIR_DOMAIN_JOB_NONE, count = 0;
	json_t *statistics;

	if (virDomainGetJobStats(sampler->domain, &type, &parameters, &count, 0) < 0)
		return;
	statistics = virt_statistics(parameters, count);
	virTypedParamsFree(parameters, count);
	if (sampler->downtime_ms && json_number(statistics, "memory_total", 0) &&
	    virDomainMigrateSetMaxDowntime(sampler->domain,
					   (unsigned long long)sampler->downtime_ms, 0) == 0)
		sampler->downtime_ms = 0;
	if (type == VIR_DOMAIN_JOB_NONE)
		json_decref(statistics);
	else
		hypervisor_event(json_pack("{s:s, s:s, s:o}", "uuid", sampler->job->uuid, "event",
					   "migration-sample", "statistics", statistics));
}

static void *run_sampler(void *context)
{
	struct sampler *sampler = context;
	int64_t next = now_monotonic_ns();

	pthread_mutex_lock(&sampler->lock);
	while (!sampler->over) {
		struct timespec until;

		pthread_mutex_unlock(&sampler->lock);
		sample(sampler);
		next += SAMPLE_NS;
		/* After a slow sample, do not catch up. */
		if (next < now_monotonic_ns())
			next = now_monotonic_ns() + SAMPLE_NS;
		until = (struct timespec){next / NSEC_PER_SEC, next % NSEC_PER_SEC};
		pthread_mutex_lock(&sampler->lock);
		while (!sampler->over && now_monotonic_ns() < next)
			pthread_cond_clockwait(&sampler->wake, &sampler->lock, CLOCK_MONOTONIC,
					       &until);
	}
	pthread_mutex_unlock(&sampler->lock);
	return NULL;
}

static void end_sampler(struct sampler *sampler)
{
	pthread_mutex_lock(&sampler->lock);
	sampler->over = true;
	pthread_cond_broadcast(&sampler->wake);
	pthread_mutex_unlock(&sampler->lock);
	pthread_join(sampler->thread, NULL);
}

static uint64_t whole_mib(int64_t bytes)
{
	return ((uint64_t)bytes + MIB - 1) / MIB;
}

/*
 * struct options - options of a migration, for libvirt
 */
struct options {
	virTypedParameterPtr parameters;
	int count, room;
	unsigned int flags;
};

static int add_number(struct options *options, const char *name, uint64_t number)
{
	if (!number)
		return 0;
	return virTypedParamsAddULLong(&options->parameters, &options->count, &options->room, name,
				       number);
}

static int take_options(struct options *options, const json_t *request)
{
	const char *address = json_text(request, "address", NULL);
	int64_t channels = json_number(request, "multifd", 0);
	int failed = 0;

	options->flags = VIR_MIGRATE_LIVE | VIR_MIGRATE_PEER2PEER;
	if (json_is(request, "mode", "post-copy"))
		options->flags |= VIR_MIGRATE_POSTCOPY;
	if (json_is_true(json_object_get(request, "auto_converge")))
		options->flags |= VIR_MIGRATE_AUTO_CONVERGE;
	if (address)
		failed |= virTypedParamsAddString(&options->parameters, &options->count,
						  &options->room, VIR_MIGRATE_PARAM_URI, address);
	failed |= add_number(options, VIR_MIGRATE_PARAM_BANDWIDTH,
			     whole_mib(json_number(request, "bandwidth", 0)));
	failed |= add_number(options, VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY,
			     whole_mib(json_number(request, "post_copy_bandwidth", 0)));
	if (channels) {
		options->flags |= VIR_MIGRATE_PARALLEL;
		failed |=
			virTypedParamsAddInt(&options->parameters, &options->count, &options->room,
					     VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS, (int)channels);
	}
	return failed;
}

static int migrate(struct sampler *sampler, struct hypervisor_job *job)
{
	const char *uri = json_text(job->request, "uri", "");
	struct options options = {0};
	int error = 0;

	if (take_options(&options, job->request) ||
	    virDomainMigrateToURI3(sampler->domain, uri, options.parameters,
				   (unsigned int)options.count, options.flags) < 0)
		/* Most failures are those of the other host: the reason does not mention this host's libvirt. */
		error = fail(&job->why, -EIO, "migrate guest '%s' to %.100s: %.700s", job->guest,
			     uri, virGetLastErrorMessage());
	virTypedParamsFree(options.parameters, options.count);
	return error;
}

/** virt_migrate - a job: migrate the guest to another host; sends events "migration-sample" */
int virt_migrate(void *connection, struct hypervisor_job *job)
{
	__cleanup_domain virDomainPtr domain = domain_of_job(connection, job);
	struct sampler sampler = {
		.job = job,
		.domain = domain,
		.downtime_ms = json_number(job->request, "downtime_ms", 0),
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.wake = PTHREAD_COND_INITIALIZER,
	};
	int error;

	if (!domain)
		return job->error;
	error = -pthread_create(&sampler.thread, NULL, run_sampler, &sampler);
	if (error)
		return fail_errno(&job->why, error,
				  "start a thread for the statistics of guest '%s'", job->guest);
	error = migrate(&sampler, job);
	end_sampler(&sampler);
	return error;
}

static int limit(virDomainPtr domain, const struct hypervisor_job *job)
{
	const json_t *bandwidth = json_object_get(job->request, "bandwidth");
	int64_t downtime = json_number(job->request, "downtime_ms", 0);
	uint64_t mib = whole_mib(json_integer_value(bandwidth));
	int failed = 0;

	if (bandwidth)
		failed = virDomainMigrateSetMaxSpeed(
			domain, mib ?: UNLIMITED,
			job->number ? VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY : 0);
	if (!failed && downtime)
		failed = virDomainMigrateSetMaxDowntime(domain, (unsigned long long)downtime, 0);
	return failed;
}

/** virt_control - a job: change a running migration. @job->number: it is in post-copy */
int virt_control(void *connection, struct hypervisor_job *job)
{
	const char *action = json_text(job->request, "action", "");
	__cleanup_domain virDomainPtr domain = domain_of_job(connection, job);
	int failed;

	if (!domain)
		return job->error;
	if (strcmp(action, "cancel") == 0)
		failed = virDomainAbortJob(domain);
	else if (strcmp(action, "post-copy") == 0)
		failed = virDomainMigrateStartPostCopy(domain, 0);
	else
		failed = limit(domain, job);
	return failed ? virt_fail(&job->why, "%s the migration of guest '%s'", action, job->guest)
		      : 0;
}
