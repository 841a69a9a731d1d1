/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_UNIT_FAKE_HYPERVISOR_H
#define BRINELL_UNIT_FAKE_HYPERVISOR_H

/*
 * A hypervisor that is made up: one domain at most, whose guest is a thread of the test that answers on a Unix socket. Its
 * migration takes as many iterations as the test says. To be included after all headers of the project.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "harness/hypervisor/hypervisor.h"
#include "bats/unit/made_up_root.h"

#define FAKE_UUID "e3324c6e-a36d-4147-8075-2777e5e87562"
#define FAKE_BOOT "00000000-0000-4000-8000-000000000001"
/* Where its process has the memory of the guest. */
#define FAKE_HVA 0x200000u

/*
 * @here:    the domain is there
 * @stuck:   it can not be ended
 * @slow_ms: an address takes so long
 * @torn:    a domain was ended whose files were gone
 * @destroyed: how many domains were
 * @iterations: of a migration; it waits in the last one until it is @released
 * @uuid:    of the domain
 */
static struct {
	atomic_bool here, stuck, torn, released;
	atomic_int slow_ms, destroyed, iterations;
	char uuid[UUID_BYTES];
	pthread_t guest;
	int listener;
} machine = {.listener = -1};

static inline void fake_sleep(int64_t ms)
{
	const struct timespec pause = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&pause, NULL);
}

static inline void fake_event(const char *event, const char *state, const char *detail)
{
	hypervisor_tell(json_pack("{s:s, s:s, s:s*, s:s*}", "uuid", machine.uuid, "event", event,
				  "state", state, "detail", detail));
}

static inline void guest_says(struct channel *channel, json_t *message)
{
	(void)channel_send(channel, message, 1000);
	json_decref(message);
}

/* The guest: says hello to each host that connects, and answers all calls. */
static inline void *run_guest(void *context)
{
	int fd = accept4(machine.listener, NULL, NULL, SOCK_CLOEXEC);
	struct channel *channel = fd < 0 ? NULL : channel_new(fd, fd);

	(void)context;
	if (!channel)
		return NULL;
	guest_says(channel, json_pack("{s:s, s:i, s:b, s:s, s:s, s:i}", "event", "hello",
				      "protocol", PROTOCOL_VERSION, "guest", 1, "boot_id",
				      FAKE_BOOT, "kernel", "7.2.12", "pid", 1));
	for (;;) {
		struct pollfd state = {.fd = fd, .events = POLLIN};
		json_t *message;

		if (poll(&state, 1, -1) < 0 || channel_fill(channel) < 0)
			break;
		while (channel_next(channel, &message, NULL) > 0) {
			bool off = strcmp(json_text(message, "call", ""), "poweroff") == 0;

			guest_says(channel, json_pack("{s:O, s:{}}", "id",
						      json_object_get(message, "id"), "ok"));
			json_decref(message);
			if (off) {
				machine.here = false;
				fake_event("lifecycle", "stopped", "shutdown");
			}
		}
	}
	channel_free(channel);
	return NULL;
}

static inline void start_guest(void)
{
	struct sockaddr_un here = {.sun_family = AF_UNIX};

	snprintf(here.sun_path, sizeof(here.sun_path), "%s/serial", root);
	unlink(here.sun_path);
	machine.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(machine.listener, (const struct sockaddr *)&here, sizeof(here)) ||
	    listen(machine.listener, 1) || pthread_create(&machine.guest, NULL, run_guest, NULL))
		abort();
}

/* After the agent has ended, which ends the stream. */
static inline void end_guest(void)
{
	if (machine.listener < 0)
		return;
	shutdown(machine.listener, SHUT_RDWR);
	pthread_join(machine.guest, NULL);
	close(machine.listener);
	machine.listener = -1;
}

static inline int fake_prepare(struct reason *why)
{
	(void)why;
	return 0;
}

static inline void *fake_open(struct reason *why)
{
	(void)why;
	return &machine;
}

static inline void fake_close(void *session)
{
	(void)session;
}

static inline char *fake_plan(const struct domain_plan *plan)
{
	return strdup(plan->uuid);
}

static inline int fake_describe(void *session, struct hypervisor_job *job)
{
	__cleanup_free char *serial = format_text("%s/serial", root);

	(void)session;
	if (!machine.here)
		return (fail)(&job->why, -ENOENT, "there is no domain of guest '%s'", job->guest);
	json_decref(job->reply);
	job->reply = json_pack("{s:s, s:b, s:{s:s}, s:s}", "uuid", machine.uuid, "running", 1,
			       "software", "fake", "1.2.3", "serial", serial);
	job->pid = getpid();
	return 0;
}

static inline int fake_make(void *session, struct hypervisor_job *job)
{
	snprintf(machine.uuid, sizeof(machine.uuid), "%s", job->text);
	machine.here = true;
	start_guest();
	return fake_describe(session, job);
}

static inline int fake_claim(void *session, struct hypervisor_job *job)
{
	(void)session;
	(void)job;
	return 0;
}

static inline int fake_state(void *session, struct hypervisor_job *job)
{
	(void)session;
	json_decref(job->reply);
	job->reply = machine.here ? json_pack("{s:s, s:s}", "state", "running", "detail", "booted")
				  : json_pack("{s:s}", "state", "gone");
	return 0;
}

static inline int fake_destroy(void *session, struct hypervisor_job *job)
{
	__cleanup_free char *made = format_text("%s" DOMAIN_DIRECTORY "/%s", root, job->guest);

	(void)session;
	if (machine.stuck)
		return (fail)(&job->why, -EIO, "the domain does not end");
	if (!machine.here)
		return 0;
	machine.torn = access(made, F_OK) != 0;
	machine.here = false;
	machine.destroyed++;
	return 0;
}

static inline int fake_address(void *session, struct hypervisor_job *job)
{
	(void)session;
	if (machine.slow_ms)
		fake_sleep(machine.slow_ms);
	job->number += FAKE_HVA;
	return 0;
}

static inline int fake_process(const char *domain, const char *uuid, pid_t *pid, struct reason *why)
{
	(void)domain;
	if (!machine.here || strcmp(uuid, machine.uuid) != 0)
		return (fail)(why, -ESRCH, "no process runs the domain");
	*pid = getpid();
	return 0;
}

static inline char *fake_log_tail(const char *domain, size_t most)
{
	(void)domain;
	(void)most;
	return strdup("");
}

static inline void fake_sample(int iteration)
{
	hypervisor_tell(json_pack("{s:s, s:s, s:{s:i, s:i, s:i}}", "uuid", machine.uuid, "event",
				  "migration-sample", "statistics", "memory_total", 1 << 20,
				  "memory_remaining", (machine.iterations - iteration) << 12,
				  "memory_iteration", iteration));
}

static inline int fake_migrate(void *session, struct hypervisor_job *job)
{
	(void)session;
	(void)job;
	machine.released = false;
	for (int i = 1; i <= machine.iterations; i++)
		fake_sample(i);
	while (!machine.released)
		fake_sleep(1);
	fake_event("lifecycle", "suspended", "migrated");
	hypervisor_tell(json_pack("{s:s, s:s, s:{s:i}}", "uuid", machine.uuid, "event",
				  "job-completed", "statistics", "downtime", 7));
	machine.here = false;
	fake_event("lifecycle", "stopped", "migrated");
	return 0;
}

/* A limit releases it. */
static inline int fake_control(void *session, struct hypervisor_job *job)
{
	(void)session;
	if (strcmp(json_text(job->request, "action", ""), "limit") != 0)
		return (fail)(&job->why, -EOPNOTSUPP, "only a limit is made up");
	machine.released = true;
	return 0;
}

static const struct hypervisor fake_hypervisor = {
	.name = "fake",
	.prepare = fake_prepare,
	.open = fake_open,
	.close = fake_close,
	.plan = fake_plan,
	.start = fake_make,
	.find = fake_describe,
	.describe = fake_describe,
	.claim = fake_claim,
	.state = fake_state,
	.stop = fake_destroy,
	.address = fake_address,
	.migrate = fake_migrate,
	.control = fake_control,
	.process = fake_process,
	.log_tail = fake_log_tail,
};

REGISTER(hypervisor, fake_hypervisor);

#endif
