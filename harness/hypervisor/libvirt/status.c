// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls guest.status and guest.balloon: how a guest is by the word of libvirt and by its own heart, both told as
 * evidence too; and how much memory it has.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <libvirt/virterror.h>

#include "harness/hypervisor/libvirt/service.h"
#include "harness/link/guest_service.h"

#define STATUS_TIMEOUT_MS 10000
#define BALLOON_TIMEOUT_MS 30000
/* libvirt, when it does not tell how far the balloon is: who asked waits 5 s longer than the guest has. */
#define BALLOON_ANSWER_MS 2000
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

static int work_status(virConnectPtr connection, struct virt_job *job)
{
	virDomainPtr domain = virDomainLookupByUUIDString(connection, job->uuid);
	int state = VIR_DOMAIN_NOSTATE, detail = 0, error = 0;

	if (!domain && virGetLastErrorCode() == VIR_ERR_NO_DOMAIN) {
		job->reply = json_pack("{s:s}", "state", "gone");
		return 0;
	}
	if (!domain || virDomainGetState(domain, &state, &detail, 0) < 0)
		error = virt_fail(&job->why, "ask for the state of guest '%s'", job->guest);
	else
		job->reply = json_pack("{s:s, s:s}", "state", NAME_AT(states, state), "detail",
				       detail_name(state, detail));
	if (domain)
		virDomainFree(domain);
	return error;
}

/* How the guest's heart is now: told as evidence, and added to @reply. */
static void tell_pulse(struct agent *agent, const char *name, json_t *reply)
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

/* @reply: has the "state", and is answered; stolen */
static void answer_status(struct agent *agent, struct virt_job *job, json_t *reply)
{
	const struct domain_guest *guest = domain_guest_of_job(agent, job);
	const char *state;
	__cleanup_free char *text = NULL;

	if (guest && guest->stage == DOMAIN_AWAITED &&
	    strcmp(json_text(reply, "state", ""), "gone") == 0)
		json_object_set_new(reply, "state", json_string("awaited"));
	state = json_text(reply, "state", "?");
	if (guest && *guest->ending && !json_object_get(reply, "detail"))
		json_object_set_new(reply, "detail", json_string(guest->ending));
	text = format_text("%s: status %s %s", job->guest, state, json_text(reply, "detail", ""));
	agent_emit(agent, "libvirt", now_realtime_ns(), text,
		   json_pack("{s:s, s:s, s:s, s:s, s:s}", "guest", job->guest, "uuid", job->uuid,
			     "event", "status", "state", state, "detail",
			     json_text(reply, "detail", "")));
	tell_pulse(agent, job->guest, reply);
	if (guest)
		json_object_set_new(reply, "facts", domain_facts(guest));
	agent_answer(agent, &job->ticket, 0, reply, NULL);
}

static void done_status(struct agent *agent, struct virt_job *job)
{
	if (!job->error)
		answer_status(agent, job, steal(job->reply));
	else
		answer_status(agent, job,
			      json_pack("{s:s, s:s}", "state", "unknown", "detail", job->why.text));
}

static void give_up_status(struct agent *agent, struct virt_job *job, const struct reason *why)
{
	answer_status(agent, job, json_pack("{s:s, s:s}", "state", "unknown", "detail", why->text));
}

int serve_guest_status(struct agent *agent, const json_t *arguments, json_t **reply,
		       struct reason *why)
{
	const char *name = json_text(arguments, "name", "");
	const struct domain_guest *guest = domain_find(agent, name);
	struct virt_job *job;
	int error;

	(void)reply;
	if (!guest)
		return fail(why, -ENOENT, "guest.status: no guest '%s' was started", name);
	job = domain_job(guest, work_status);
	job->done = done_status;
	job->given_up = give_up_status;
	job->ticket = agent_later(agent);
	error = virt_start(job, STATUS_TIMEOUT_MS, why);
	return error ? error : AGENT_LATER;
}

/* Return: KiB that the guest has now, or -1 with the job's reason. */
static int64_t ask_balloon(virDomainPtr domain, struct virt_job *job)
{
	virDomainMemoryStatStruct statistics[VIR_DOMAIN_MEMORY_STAT_NR];
	int count = virDomainMemoryStats(domain, statistics, VIR_DOMAIN_MEMORY_STAT_NR, 0);

	for (int i = 0; i < count; i++)
		if (statistics[i].tag == VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON)
			return (int64_t)statistics[i].val;
	job->error = count < 0
			     ? virt_fail(&job->why, "ask for the memory of guest '%s'", job->guest)
			     : fail(&job->why, -EOPNOTSUPP,
				    "the domain of guest '%s' has no <memballoon>", job->guest);
	return -1;
}

/* QEMU tells of the balloon at most once a second, so it is asked. */
static int await_balloon(virDomainPtr domain, struct virt_job *job)
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
				    "a driver of virtio_balloon, and that much to give?",
				    job->guest, (long long)actual >> 10,
				    (unsigned long long)job->number);
		nanosleep(&pause, NULL);
	}
	return job->error;
}

static int work_balloon(virConnectPtr connection, struct virt_job *job)
{
	virDomainPtr domain = domain_of_job(connection, job);
	int error;

	if (!domain)
		return job->error;
	if (virDomainSetMemoryFlags(domain, job->number << 10, VIR_DOMAIN_AFFECT_LIVE) < 0)
		error = virt_fail(&job->why, "set the memory of guest '%s'", job->guest);
	else
		error = await_balloon(domain, job);
	virDomainFree(domain);
	return error;
}

int serve_guest_balloon(struct agent *agent, const json_t *arguments, json_t **reply,
			struct reason *why)
{
	struct domain_guest *guest = domain_guest_find(agent, arguments, "guest.balloon", why);
	int64_t memory = json_number(arguments, "memory_mib", 0);
	int64_t timeout = json_number(arguments, "timeout_ms", BALLOON_TIMEOUT_MS);
	struct virt_job *job;

	(void)reply;
	if (!guest)
		return -ENOENT;
	if (memory < 1 || memory > UINT32_MAX || timeout < 1 || timeout > UINT32_MAX)
		return fail(why, -EINVAL,
			    "guest.balloon: 'memory_mib' and 'timeout_ms' must be above 0");
	job = domain_job(guest, work_balloon);
	job->number = (uint64_t)memory;
	job->flags = (unsigned int)timeout;
	return domain_job_answered(agent, job, timeout + BALLOON_ANSWER_MS, why);
}
