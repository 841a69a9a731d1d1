// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state of a domain, and the size of its memory.
 */
#include <errno.h>
#include <time.h>
#include <libvirt/virterror.h>

#include "harness/hypervisor/libvirt/libvirt.h"

#define BALLOON_PAUSE_NS (50 * NSEC_PER_MSEC)

/* The orders are those of the enumerations of libvirt-domain.h. */
static const char *const states[] = {"none",	 "running", "blocked", "paused",
				     "shutdown", "shutoff", "crashed", "pmsuspended"};
static const char *const running_details[] = {"unknown",
					      "booted",
					      "migrated",
					      "restored",
					      "from-snapshot",
					      "unpaused",
					      "migration-cancelled",
					      "save-cancelled",
					      "wakeup",
					      "crashed",
					      "postcopy",
					      "postcopy-failed"};
static const char *const paused_details[] = {"unknown",	      "user",
					     "migration",     "save",
					     "dump",	      "ioerror",
					     "watchdog",      "from-snapshot",
					     "shutting-down", "snapshot",
					     "crashed",	      "starting-up",
					     "postcopy",      "postcopy-failed",
					     "api-error"};
static const char *const shutoff_details[] = {"unknown", "shutdown",	  "destroyed",
					      "crashed", "migrated",	  "saved",
					      "failed",	 "from-snapshot", "daemon"};
static const char *const crashed_details[] = {"unknown", "panicked"};

static const char *detail_name(int state, int detail)
{
	switch (state) {
	case VIR_DOMAIN_RUNNING:
		return NAME_AT(running_details, detail);
	case VIR_DOMAIN_PAUSED:
		return NAME_AT(paused_details, detail);
	case VIR_DOMAIN_SHUTOFF:
		return NAME_AT(shutoff_details, detail);
	case VIR_DOMAIN_CRASHED:
		return NAME_AT(crashed_details, detail);
	default:
		return "";
	}
}

/** virt_state - a job: "state" and "detail" of the domain, in libvirt's terms */
int virt_state(void *connection, struct hypervisor_job *job)
{
	__cleanup_domain virDomainPtr domain = virDomainLookupByUUIDString(connection, job->uuid);
	int state = VIR_DOMAIN_NOSTATE, detail = 0;

	if (!domain && virGetLastErrorCode() == VIR_ERR_NO_DOMAIN) {
		job->reply = json_pack("{s:s}", "state", "gone");
		return 0;
	}
	if (!domain || virDomainGetState(domain, &state, &detail, 0) < 0)
		return virt_fail(&job->why, "read the state of guest '%s'", job->guest);
	job->reply = json_pack("{s:s, s:s}", "state", NAME_AT(states, state), "detail",
			       detail_name(state, detail));
	return 0;
}

/* Return: present memory of the guest in KiB, or -1 with the job's reason. */
static int64_t ask_balloon(virDomainPtr domain, struct hypervisor_job *job)
{
	virDomainMemoryStatStruct statistics[VIR_DOMAIN_MEMORY_STAT_NR];
	int count = virDomainMemoryStats(domain, statistics, VIR_DOMAIN_MEMORY_STAT_NR, 0);

	for (int i = 0; i < count; i++)
		if (statistics[i].tag == VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON)
			return (int64_t)statistics[i].val;
	job->error = count < 0 ? virt_fail(&job->why, "read the memory of guest '%s'", job->guest)
			       : fail(&job->why, -EOPNOTSUPP,
				      "the domain of guest '%s' has no <memballoon>", job->guest);
	return -1;
}

/* QEMU reports the balloon at most once a second, so it is polled. */
static int await_balloon(virDomainPtr domain, struct hypervisor_job *job)
{
	int64_t until = now_monotonic_ns() + (int64_t)job->flags * NSEC_PER_MSEC;
	const struct timespec pause = {.tv_nsec = BALLOON_PAUSE_NS};
	int64_t wanted = (int64_t)job->number << 10, begin = -1, actual;

	while ((actual = ask_balloon(domain, job)) >= 0) {
		if (begin < 0)
			begin = actual;
		if (begin >= wanted ? actual <= wanted : actual >= wanted) {
			job->reply = json_pack("{s:I}", "actual_mib", (json_int_t)(actual >> 10));
			return 0;
		}
		if (now_monotonic_ns() > until)
			return fail(&job->why, -ETIMEDOUT,
				    "guest.balloon of '%s': it has %lld MiB, not yet %llu; has it "
				    "a driver of virtio_balloon, and enough free memory?",
				    job->guest, (long long)actual >> 10,
				    (unsigned long long)job->number);
		nanosleep(&pause, NULL);
	}
	return job->error;
}

/** virt_balloon - a job: set the memory of a guest, and wait for its balloon */
int virt_balloon(void *connection, struct hypervisor_job *job)
{
	__cleanup_domain virDomainPtr domain = domain_of_job(connection, job);

	if (!domain)
		return job->error;
	if (virDomainSetMemoryFlags(domain, job->number << 10, VIR_DOMAIN_AFFECT_LIVE) < 0)
		return virt_fail(&job->why, "set the memory of guest '%s'", job->guest);
	return await_balloon(domain, job);
}
