// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hypervisor in one folder. It has one domain, which a process of its own runs: the guest shares the kernel of its host, and
 * is called on a Unix socket.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "harness/hypervisor/hypervisor.h"

#define DOMAIN "added"
#define UUID "5a3b0f6e-27a5-4d9e-9a52-0e7a3a1f4c11"
#define SOCKET "/run/brinell-added"

/* The process of the domain, and a descriptor that is ready when it has ended. */
static pid_t process;
static int process_fd;

_Noreturn static void run_guest(int listener)
{
	struct agent *agent;

	/* As the process of QEMU does. The rest of the descriptors is the host's. */
	prctl(PR_SET_NAME, "qemu-added");
	if (dup2(listener, 3) == 3)
		close_range(4, ~0u, 0);
	agent = agent_new(AGENT_GUEST);
	for (;;) {
		int fd = accept4(3, NULL, NULL, SOCK_CLOEXEC);
		struct channel *channel = channel_new(fd, fd);

		agent_attach(agent, channel);
		while (!agent_turn(agent, -1))
			;
		agent_detach(agent);
		channel_free(channel);
	}
}

static void *await_end(void *context)
{
	struct pollfd end = {.fd = process_fd, .events = POLLIN};

	(void)context;
	poll(&end, 1, -1);
	hypervisor_event(json_pack("{s:s, s:s, s:s, s:s}", "uuid", UUID, "event", "crashed",
				   "state", "stopped", "detail", "failed"));
	waitpid(process, NULL, 0);
	return NULL;
}

/* In the thread of the agent: a process that a thread of a job forked would be a copy of that thread. */
static int added_prepare(struct reason *why)
{
	struct sockaddr_un here = {.sun_family = AF_UNIX, .sun_path = SOCKET};
	__cleanup_close int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	unlink(SOCKET);
	if (bind(listener, (const struct sockaddr *)&here, sizeof(here)) || listen(listener, 1))
		return fail(why, -errno, "listen on " SOCKET ": %s", strerror(errno));
	process = fork();
	if (process < 0)
		return fail(why, -errno, "fork: %s", strerror(errno));
	if (process == 0)
		run_guest(listener);
	process_fd = pidfd_open(process, 0);
	return hypervisor_thread(await_end, NULL);
}

static void *added_open(struct reason *why)
{
	(void)why;
	return &process;
}

static void added_close(void *session)
{
	(void)session;
}

static char *added_plan(const struct domain_plan *plan)
{
	return strdup(plan->uuid);
}

static int find_process(const char *domain, const char *uuid, pid_t *pid, struct reason *why)
{
	struct pollfd end = {.fd = process_fd, .events = POLLIN};

	(void)domain;
	if (strcmp(uuid, UUID) != 0 || poll(&end, 1, 0))
		return fail(why, -ESRCH, "no process runs the domain");
	*pid = process;
	return 0;
}

static int added_describe(void *session, struct hypervisor_job *job)
{
	(void)session;
	job->reply = json_pack("{s:s, s:b, s:{s:s}, s:s}", "uuid", UUID, "running", 1, "software",
			       "added", "1.0", "serial", SOCKET);
	return find_process(job->domain, UUID, &job->pid, &job->why);
}

static int added_find(void *session, struct hypervisor_job *job)
{
	if (strcmp(job->domain, DOMAIN) != 0)
		return fail(&job->why, -ENOENT, "the only domain is called " DOMAIN);
	return added_describe(session, job);
}

static int added_state(void *session, struct hypervisor_job *job)
{
	bool runs = !find_process(job->domain, job->uuid, &job->pid, NULL);

	(void)session;
	job->reply = json_pack("{s:s}", "state", runs ? "running" : "gone");
	return 0;
}

static int added_stop(void *session, struct hypervisor_job *job)
{
	(void)session;
	if (!find_process(job->domain, job->uuid, &job->pid, NULL))
		kill(job->pid, SIGKILL);
	return 0;
}

static int added_claim(void *session, struct hypervisor_job *job)
{
	(void)session;
	(void)job;
	return 0;
}

static int added_refuse(void *session, struct hypervisor_job *job)
{
	(void)session;
	return fail(&job->why, -EOPNOTSUPP, "the added hypervisor only has the domain " DOMAIN);
}

REGISTERED(hypervisor, added_hypervisor) = {
	.name = "added-hypervisor",
	.qemu = true,
	.prepare = added_prepare,
	.open = added_open,
	.close = added_close,
	.plan = added_plan,
	.start = added_refuse,
	.find = added_find,
	.describe = added_describe,
	.claim = added_claim,
	.state = added_state,
	.stop = added_stop,
	.balloon = added_refuse,
	.command = added_refuse,
	.address = added_refuse,
	.migrate = added_refuse,
	.control = added_refuse,
	.process = find_process,
	.log = "/nonexistent/",
};
