/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_HYPERVISOR_HYPERVISOR_H
#define BRINELL_HYPERVISOR_HYPERVISOR_H

#include "harness/agent/core.h"
#include "harness/hypervisor/domain.h"

/* Text of a UUID, with its NUL. */
#define UUID_BYTES 37

/**
 * struct hypervisor_job - one operation of the hypervisor, in a thread of its own, because it may block without a bound
 * @work:     runs in the thread. Reads the members above @error, writes those below
 * @done:     runs in the agent's loop after @work has returned
 * @given_up: runs in the loop after the timeout; @work continues, and @late gets its result
 * @late:     runs in the loop instead of @done if @given_up has run. May be NULL
 * @guest:    name of the guest
 * @domain:   name of its domain, the virtual machine in the hypervisor
 * @uuid:     of its domain; may be empty
 * @text:     description or command; owned; may be NULL
 * @request:  further arguments; owned; may be NULL. The thread has the only reference while it runs
 * @number, @flags: see each operation
 * @error:    0 or -errno with @why
 * @answer:   text; owned
 * @reply:    owned
 * @pid:      of the process that runs the guest; 0: not known
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

/* An operation: the work of a job. Return: 0 or -errno with the job's reason. */
typedef int hypervisor_work(void *session, struct hypervisor_job *job);

/**
 * struct hypervisor - an implementation, REGISTERED(hypervisor, ...)
 * @name:    as in messages and events
 * @vsock:   its guests connect to the vsock of the host; otherwise they have a serial port
 * @unikernel: program beside the agent that is a complete micro guest, the default for those; NULL: there is none, and they are
 *           Linux with brinell-guest
 * @log: path of the log of the QEMU of a domain, without its name and ".log"
 * @single_console: the console of a guest is its stream, so that the lines of its kernel are not on it
 * @machines: NULL-terminated kinds of virtual machines for micro guests, the default first; NULL: there is one kind
 * @qemu:    each guest is a process of QEMU, which has a monitor
 * @local:   a guest can migrate into another domain of the same host
 * @stream:  the stream of its migrations passes through the agent, which can hold it, read its entries, and change it
 * @prepare: called once, before the first job; starts the delivery of events by hypervisor_event()
 * @open:    a session for one job; may block. NULL with a reason when the hypervisor does not answer
 * @close:   closes the session
 * @plan:    builds the description of a domain, for @text of @start; owned by the caller
 * @start:   creates and runs the domain of @text, then does as @describe
 * @find:    finds a running domain by its name, without changing it, then does as @describe
 * @describe: finds a domain by UUID; leaves @pid, and in @reply "uuid", "running", "software" (an object of names and
 *           versions), and the way to its guest, if it exists: "cid" of its vsock, "serial" the Unix socket of its serial port
 *           GUEST_SERIAL_NAME. -ESRCH: everything is known but its process
 * @claim:   destroys the domain @domain if it is left from an agent that has ended. -EEXIST: it has another owner
 * @state:   sets "state" and "detail" of the domain in @reply; "gone" if there is none
 * @stop:    ends the domain at once; 0 also if it has ended already
 * @balloon: sets its memory to @number MiB, and waits for it @flags milliseconds at most; sets "actual_mib"
 * @command: sends @text to the monitor of its virtual machine, sets @answer; @number: it is a command of the human monitor
 * @address: translates the guest-physical address @number to an address in the process of the guest, in @number
 * @receive: waits for a domain of this UUID from another host ("page" of @request: a page to inspect), and sends
 *           an event "resumed" when it runs here; NULL: the hypervisor reports that itself. @number: brinell created it,
 *           and @text is its description
 * @migrate: moves the guest by @request (docs/protocol.md, guest.migrate); returns at the end. Sends events
 *           "migration-sample" and "migration-iteration" meanwhile, from which stages.c derives the stage; and, where it can,
 *           "migration-page", "migration-devices", "migration-held" and "migration-released" (docs/protocol.md). Sets @reply as @describe
 *           does if the guest is still on this host
 * @control: changes a migration by "action" of @request: "limit" holds it by a low bandwidth and releases it by a high
 *           one, "post-copy", "cancel", "release" of a held one; @number: it is in post-copy
 * @process: finds the process that runs a domain; -ESRCH if there is none. Does not block
 *
 * Events are objects: "uuid" of the domain, "event" ("lifecycle", "crashed", "panicked", "shutdown",
 * "memory-failure", "migration-sample", "migration-iteration", "job-completed", "monitor"), and "state" and "detail" as in
 * docs/protocol.md. An event without "uuid" is about the hypervisor: "connected", "connection-lost".
 */
struct hypervisor {
	const char *name;
	bool vsock;
	const char *unikernel, *log;
	const char *const *machines;
	bool single_console, qemu, local, stream;
	int (*prepare)(struct reason *why);
	void *(*open)(struct reason *why);
	void (*close)(void *session);
	char *(*plan)(const struct domain_plan *plan);
	hypervisor_work *start, *find, *describe, *claim, *state, *stop, *balloon, *command,
		*address, *receive, *migrate, *control;
	int (*process)(const char *domain, const char *uuid, pid_t *pid, struct reason *why);
};

REGISTRY(hypervisor)

/** hypervisor_here - the hypervisor that this program is linked with */
static inline const struct hypervisor *hypervisor_here(void)
{
	return hypervisor_at(0);
}

void hypervisor_event(json_t *event);
int hypervisor_thread(void *(*run)(void *context), void *context);

int job_start(struct hypervisor_job *job, int64_t timeout_ms, struct reason *why);
int job_await(struct hypervisor_job *job, int64_t timeout_ms, struct reason *why);
void job_free(struct hypervisor_job *job);
int jobs_fd(void);
void jobs_dispatch(struct agent *agent, void (*event)(struct agent *agent, json_t *event));
void jobs_discard_all(void);

#endif
