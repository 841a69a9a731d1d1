/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_HYPERVISOR_HYPERVISOR_H
#define BRINELL_HYPERVISOR_HYPERVISOR_H

#include "harness/agent/core.h"
#include "harness/hypervisor/domain.h"

/* Text of a UUID with its end. */
#define UUID_BYTES 37

/**
 * struct hypervisor_job - one operation of the hypervisor, in a thread of its own, because it may block without bound
 * @work:     runs in the thread. Reads what is above @error, writes what is below
 * @done:     runs in the agent's loop after @work has returned
 * @given_up: runs in the loop after the timeout; @work goes on, and its result goes to @late
 * @late:     runs in the loop instead of @done after @given_up. May be NULL
 * @guest:    name of the guest
 * @domain:   name of its domain: of the virtual machine in the hypervisor
 * @uuid:     of its domain; may be empty
 * @text:     description or command; owned; may be NULL
 * @request:  further arguments; owned; may be NULL. The thread has the only reference while it runs
 * @number, @flags: as the operation documents them
 * @error:    0 or -errno with @why
 * @answer:   text; owned
 * @reply:    owned
 * @pid:      of the process that runs the guest; 0 when it is not known
 */
struct hypervisor_job {
	int (*work)(void *session, struct hypervisor_job *job);
	void (*done)(struct agent *agent, struct hypervisor_job *job);
	void (*given_up)(struct agent *agent, struct hypervisor_job *job, const struct reason *why);
	void (*late)(struct agent *agent, struct hypervisor_job *job);
	struct agent_ticket ticket;
	char guest[64], domain[128], uuid[UUID_BYTES];
	char *text;
	json_t *request;
	uint64_t number;
	unsigned int flags;

	int error;
	struct reason why;
	char *answer;
	json_t *reply;
	pid_t pid;

	struct hypervisor_job *next;
	int64_t until_ns;
	bool finished, left;
};

/* An operation: work of a job. Returns 0 or -errno with the job's reason. */
typedef int hypervisor_work(void *session, struct hypervisor_job *job);

/**
 * struct hypervisor - an implementation, REGISTERED(hypervisor, ...)
 * @name:    for people and events
 * @vsock:   its guests dial the vsock of the host; otherwise they have a serial port
 * @kernel:  program beside the agent that is a micro guest by itself, and has no console but its stream; NULL: micro guests
 *           are Linux with brinell-guest
 * @machines: NULL-terminated kinds of virtual machines that a micro guest can be, the usual one first; NULL: there is one kind
 * @qemu:    each guest is a process of QEMU, which has a monitor
 * @local:   a guest can migrate into another domain of the same host
 * @stream:  the stream of its migrations passes the agent: it can stand still, its entries are seen, and it can be hit
 * @prepare: is called once, before the first job; starts to pass on events by hypervisor_tell()
 * @open:    a session for one job; may block. NULL with a reason when the hypervisor does not answer
 * @close:   ends the session
 * @plan:    the description of a domain that @start takes in @text; owned by the caller
 * @start:   makes the domain of @text and runs it, then as @describe
 * @find:    finds a running domain by its name, then as @describe. It is not changed
 * @describe: finds a domain by UUID; leaves @pid, and in @reply "uuid", "running", "software" (an object of names and
 *           versions), and how its guest is reached: "cid" of its vsock, "serial" the Unix socket of its serial port
 *           GUEST_SERIAL_NAME, each only when it is there. -ESRCH: all is known but its process
 * @claim:   destroys what an agent that has ended has left as @domain. -EEXIST: another owner has it
 * @state:   leaves "state" and "detail" of the domain in @reply; "gone" when there is none
 * @stop:    ends the domain at once; 0 also when it has ended already
 * @balloon: sets its memory to @number MiB, and waits for it @flags milliseconds at most; leaves "actual_mib"
 * @command: sends @text to the monitor of its virtual machine, leaves @answer; @number: it is a command for people
 * @address: leaves in @number the address that guest-physical @number has in the process of the guest
 * @receive: awaits a domain of this UUID, which another host sends ("page" of @request: a page of it to look at), and passes on
 *           an event "resumed" when it runs here; NULL: the hypervisor reports that by itself. @number: as @claim, brinell made it
 * @migrate: moves the guest as @request says (docs/protocol.md, guest.migrate); returns at the end. Passes on events
 *           "migration-sample" and "migration-iteration" meanwhile, from which stages.c derives the stage; and, where it can,
 *           "migration-page", "migration-devices", "migration-held" and "migration-released" (docs/protocol.md). Leaves in @reply what @describe
 *           does when the guest is still on this host
 * @control: changes a migration as "action" of @request says: "limit" holds it by a low bandwidth and releases it by a high
 *           one, "post-copy", "cancel", "release" of one that stands still; @number: it is in post-copy
 * @process: the process that runs a domain; -ESRCH when there is none. Does not block
 * @log_tail: the last lines of the log of a domain, at most @most bytes; owned by the caller. Does not block
 *
 * Events that are passed on are objects: "uuid" of the domain, "event" ("lifecycle", "crashed", "panicked", "shutdown",
 * "memory-failure", "migration-sample", "migration-iteration", "job-completed", "monitor"), and "state" and "detail" as
 * docs/protocol.md lists them. One without "uuid" is about the hypervisor: "connected", "connection-lost".
 */
struct hypervisor {
	const char *name;
	bool vsock;
	const char *kernel;
	const char *const *machines;
	bool qemu, local, stream;
	int (*prepare)(struct reason *why);
	void *(*open)(struct reason *why);
	void (*close)(void *session);
	char *(*plan)(const struct domain_plan *plan);
	hypervisor_work *start, *find, *describe, *claim, *state, *stop, *balloon, *command,
		*address, *receive, *migrate, *control;
	int (*process)(const char *domain, const char *uuid, pid_t *pid, struct reason *why);
	char *(*log_tail)(const char *domain, size_t most);
};

REGISTRY(hypervisor)

/** hypervisor_here - the one that this program is linked with */
static inline const struct hypervisor *hypervisor_here(void)
{
	return hypervisor_at(0);
}

void hypervisor_tell(json_t *event);
int hypervisor_thread(void *(*run)(void *context), void *context);

int job_start(struct hypervisor_job *job, int64_t timeout_ms, struct reason *why);
int job_await(struct hypervisor_job *job, int64_t timeout_ms, struct reason *why);
void job_free(struct hypervisor_job *job);
int jobs_fd(void);
void jobs_dispatch(struct agent *agent, void (*event)(struct agent *agent, json_t *event));
void jobs_leave_all(void);

#endif
