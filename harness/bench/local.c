// SPDX-License-Identifier: GPL-2.0-only
/*
 * Benches of real machines: this one, and one that ssh reaches. Both run the agent behind a pipe.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "harness/bench/bench.h"

/* The kernel waits a second for the firmware, and a victim that hangs in the kernel takes the agent three. */
#define RESTORE_TIMEOUT_MS 15000

static void reap(struct bench *bench)
{
	pid_t pid = (pid_t)(intptr_t)bench->private;
	struct pollfd end;

	if (pid <= 0)
		return;
	/* The agent restores what its injector set before it leaves: the end of its stream tells it to. */
	channel_free(bench->agent);
	bench->agent = NULL;
	end = (struct pollfd){.fd = pidfd_open(pid, 0), .events = POLLIN};
	if (end.fd < 0 || poll(&end, 1, RESTORE_TIMEOUT_MS) <= 0)
		kill(pid, SIGKILL);
	if (end.fd >= 0)
		close(end.fd);
	waitpid(pid, NULL, 0);
	bench->private = NULL;
}

static int local_start(struct bench *bench, struct reason *why)
{
	const char *const argv[] = {"/proc/self/exe", "agent", NULL};

	reap(bench);
	return bench_spawn_agent(bench, argv, why);
}

static int ssh_start(struct bench *bench, struct reason *why)
{
	const char *const argv[] = {"ssh",	     "-o", "BatchMode=yes", "--", bench->address,
				    "brinell-agent", NULL};

	if (!bench->address || !*bench->address)
		return fail(why, -EINVAL, "bench '%s': write ssh:HOST", bench->name);
	reap(bench);
	return bench_spawn_agent(bench, argv, why);
}

static const struct bench_ops bench_local = {
	.name = "local",
	.summary = "this machine (it must be declared expendable)",
	.start = local_start,
	.stop = reap,
};

static const struct bench_ops bench_ssh = {
	.name = "ssh",
	.summary =
		"ssh:HOST, a machine with brinell-agent installed (it must be declared expendable)",
	.start = ssh_start,
	.stop = reap,
};

REGISTER(bench_ops, bench_local);
REGISTER(bench_ops, bench_ssh);
