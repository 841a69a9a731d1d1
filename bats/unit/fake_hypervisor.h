/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_UNIT_FAKE_HYPERVISOR_H
#define BRINELL_UNIT_FAKE_HYPERVISOR_H

/*
 * A fake hypervisor. It has one domain at most, whose guest answers on a Unix socket: a thread of the test, or a process
 * that the test has started. A migration takes as many iterations as the test says. Its target is a process of the same
 * test, whose hypervisor listens on a Unix socket too. To be included after all headers of the project.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <time.h>

#include "harness/hypervisor/hypervisor.h"
#include "bats/unit/fake_root.h"

#define FAKE_UUID "e3324c6e-a36d-4147-8075-2777e5e87562"
#define FAKE_BOOT "00000000-0000-4000-8000-000000000001"
/* The address of the guest's memory in its process, and the frame of its second page. */
#define FAKE_HVA 0x200000u
#define FAKE_PFN 0x77u

/*
 * @here:    there is a domain
 * @runs:    its guest runs here
 * @stuck:   it cannot be ended
 * @slow_ms: time that the translation of an address takes
 * @torn:    a domain was ended after its files had been removed
 * @destroyed: number of domains that were destroyed
 * @iterations: of a migration. It stays in the last one until it is @released or @cancelled
 * @uuid:    of the domain
 * @process: of the guest; 0: it is a thread of this process
 */
static struct {
	atomic_bool here, runs, stuck, torn, released, cancelled;
	atomic_int slow_ms, destroyed, iterations;
	char uuid[UUID_BYTES];
	pid_t process;
	pthread_t guest;
	int listener;
} machine = {.listener = -1};

static inline pid_t fake_pid(void)
{
	return machine.process ? machine.process : getpid();
}

static inline void put_entry(const char *path, uint64_t index, uint64_t entry)
{
	__cleanup_free char *entries = calloc(index + 1, sizeof(entry));

	memcpy(entries + index * sizeof(entry), &entry, sizeof(entry));
	put_bytes(path, entries, (index + 1) * sizeof(entry));
}

/* The files of the host that a micro guest is made of, and the second page of the guest. */
static inline void make_machine(void)
{
	__cleanup_free char *stat = format_text("/proc/%d/stat", (int)getpid());
	__cleanup_free char *pagemap = format_text("/proc/%d/pagemap", (int)fake_pid());
	__cleanup_free char *modules = NULL;
	__cleanup_free char *program = NULL;
	char self[PATH_MAX] = "";
	struct utsname system;

	uname(&system);
	modules = format_text("/lib/modules/%s/brinell.guest", system.release);
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	*strrchr(self, '/') = '\0';
	program = format_text("%s/brinell-guest", self);
	put(stat, "1 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 1234 20");
	put(modules, "# none\n");
	put(program, "a program");
	put("/boot/vmlinuz", "a kernel");
	put("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
	put_entry(pagemap, (FAKE_HVA + 4096) / 4096, 1ull << 63 | FAKE_PFN);
	put_entry("/proc/kpageflags", FAKE_PFN, 0);
}

static inline void fake_sleep(int64_t ms)
{
	const struct timespec pause = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&pause, NULL);
}

static inline void fake_event(const char *event, const char *state, const char *detail)
{
	hypervisor_event(json_pack("{s:s, s:s, s:s*, s:s*}", "uuid", machine.uuid, "event", event,
				   "state", state, "detail", detail));
}

static inline void guest_says(struct channel *channel, json_t *message)
{
	(void)channel_send(channel, message, 1000);
	json_decref(message);
}

/* A socket in the root of the host, for one peer. */
static inline int fake_listen(const char *name)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un here = {.sun_family = AF_UNIX};

	snprintf(here.sun_path, sizeof(here.sun_path), "%s/%s", root, name);
	unlink(here.sun_path);
	if (bind(fd, (const struct sockaddr *)&here, sizeof(here)) || listen(fd, 1))
		abort();
	return fd;
}

/* The guest as a thread: sends its hello, and answers all calls. */
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
	machine.listener = fake_listen("serial");
	if (pthread_create(&machine.guest, NULL, run_guest, NULL))
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

/* Reports the end of the process of a guest, unless the guest has left this host. */
static inline void *fake_watch(void *context)
{
	struct pollfd end = {.fd = (int)(intptr_t)context, .events = POLLIN};

	(void)poll(&end, 1, -1);
	close(end.fd);
	if (atomic_exchange(&machine.here, false))
		fake_event("crashed", "stopped", "failed");
	return NULL;
}

static inline void fake_run(void)
{
	machine.here = machine.runs = true;
	if (machine.process)
		hypervisor_thread(fake_watch, (void *)(intptr_t)pidfd_open(machine.process, 0));
}

/* Receives guests: the source sends the UUID of the domain, and one byte when the guest stands still. */
static inline void *fake_receive(void *context)
{
	int listener = (int)(intptr_t)context, fd;
	char left;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		if (read(fd, machine.uuid, UUID_BYTES) == UUID_BYTES) {
			machine.here = true;
			fake_event("lifecycle", "started", "migrated");
			if (read(fd, &left, 1) == 1) {
				fake_run();
				fake_event("lifecycle", "resumed", "migrated");
				(void)!write(fd, "", 1);
			} else {
				machine.here = false;
				fake_event("lifecycle", "stopped", "failed");
			}
		}
		close(fd);
	}
	return NULL;
}

static inline int fake_prepare(struct reason *why)
{
	(void)why;
	if (machine.process)
		hypervisor_thread(fake_receive, (void *)(intptr_t)fake_listen("hypervisor"));
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

/* It has arrived at once, and does not run. */
static inline int fake_await(void *session, struct hypervisor_job *job)
{
	(void)session;
	if (json_object_get(job->request, "page"))
		hypervisor_event(
			json_pack("{s:s, s:s, s:s, s:s, s:I}", "uuid", job->uuid, "event",
				  "migration-page", "place", "target", "type", "broken", "pfn",
				  json_integer_value(json_object_get(job->request, "page"))));
	return 0;
}

static inline int fake_describe(void *session, struct hypervisor_job *job)
{
	__cleanup_free char *serial = format_text("%s/serial", root);

	(void)session;
	if (!machine.here)
		return (fail)(&job->why, -ENOENT, "there is no domain of guest '%s'", job->guest);
	json_decref(job->reply);
	job->reply = json_pack("{s:s, s:b, s:{s:s}, s:s}", "uuid", machine.uuid, "running",
			       machine.runs, "software", "fake", "1.2.3", "serial", serial);
	job->pid = fake_pid();
	return 0;
}

static inline int fake_make(void *session, struct hypervisor_job *job)
{
	snprintf(machine.uuid, sizeof(machine.uuid), "%s", job->text);
	if (!machine.process)
		start_guest();
	fake_run();
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
	if (machine.process)
		kill(machine.process, SIGKILL);
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
	*pid = fake_pid();
	return 0;
}

static inline void fake_sample(int iteration)
{
	hypervisor_event(json_pack("{s:s, s:s, s:{s:i, s:i, s:i}}", "uuid", machine.uuid, "event",
				   "migration-sample", "statistics", "memory_total", 1 << 20,
				   "memory_remaining", (machine.iterations - iteration) << 12,
				   "memory_iteration", iteration));
}

/* The hypervisor of the host that a URI such as "qemu+tcp://h1/system" names. Return: its stream, or -1 */
static inline int fake_connect(const char *uri)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un there = {.sun_family = AF_UNIX};
	char host[8] = "";

	sscanf(uri, "%*[^:]://%7[^/]", host);
	snprintf(there.sun_path, sizeof(there.sun_path), "%s/../%s/hypervisor", root, host);
	if (connect(fd, (const struct sockaddr *)&there, sizeof(there)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* The process of a guest changes to the socket of its other host at SIGUSR1. */
static inline void fake_leave(int target)
{
	fake_event("lifecycle", "suspended", "migrated");
	machine.here = machine.runs = false;
	if (machine.process) {
		(void)!write(target, "", 1);
		(void)!read(target, &(char){0}, 1);
		kill(machine.process, SIGUSR1);
	}
	hypervisor_event(json_pack("{s:s, s:s, s:{s:i}}", "uuid", machine.uuid, "event",
				   "job-completed", "statistics", "downtime", 7));
	fake_event("lifecycle", "stopped", "migrated");
}

static inline int fake_migrate(void *session, struct hypervisor_job *job)
{
	__cleanup_close int target = -1;

	(void)session;
	if (machine.process) {
		target = fake_connect(json_text(job->request, "uri", ""));
		if (target < 0 || write(target, machine.uuid, UUID_BYTES) != UUID_BYTES)
			return (fail)(&job->why, -EIO, "the target does not answer");
	}
	machine.released = machine.cancelled = false;
	for (int i = 1; i <= machine.iterations; i++)
		fake_sample(i);
	while (!machine.released && !machine.cancelled)
		fake_sleep(1);
	if (machine.cancelled)
		return (fail)(&job->why, -EIO, "it was cancelled");
	fake_leave(target);
	return 0;
}

/* A limit releases it. */
static inline int fake_control(void *session, struct hypervisor_job *job)
{
	const char *action = json_text(job->request, "action", "");

	(void)session;
	if (strcmp(action, "limit") == 0)
		machine.released = true;
	else if (strcmp(action, "cancel") == 0)
		machine.cancelled = true;
	else
		return (fail)(&job->why, -EOPNOTSUPP, "there is no post-copy");
	return 0;
}

REGISTERED(hypervisor, fake_hypervisor) = {
	.name = "fake",
	.qemu = true,
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
	.receive = fake_await,
	.migrate = fake_migrate,
	.control = fake_control,
	.process = fake_process,
	.log = "/nonexistent/",
};

#endif
