// SPDX-License-Identifier: GPL-2.0-only
/*
 * Benches of real machines: this one, and machines over ssh. Both run the agent behind a pipe.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "harness/bench/bench.h"
#include "harness/rig/profile.h"

/* The kernel waits up to a second for the firmware. A victim that hangs in the kernel delays the agent by three. */
#define RESTORE_TIMEOUT_NS (15 * NSEC_PER_SEC)

/* Servers test their memory for minutes before the boot. */
#define RETURN_S 900

/* A signal, such as a second Ctrl-C, does not interrupt the agent's restore. */
static bool ends_in_time(pid_t pid)
{
	int64_t until = now_monotonic_ns() + RESTORE_TIMEOUT_NS, left;
	__cleanup_close int fd = pidfd_open(pid, 0);
	struct pollfd end = {.fd = fd, .events = POLLIN};
	int ready = -1;

	while (fd >= 0 && ready < 0 && (left = until - now_monotonic_ns()) > 0) {
		ready = poll(&end, 1, (int)(left / NSEC_PER_MSEC) + 1);
		if (ready < 0 && errno != EINTR)
			return false;
	}
	return ready > 0;
}

static void reap(struct bench *bench)
{
	pid_t pid = (pid_t)(intptr_t)bench->private;

	if (pid <= 0)
		return;
	/* At the end of its stream the agent restores the state that its injector changed, then exits. */
	channel_free(bench->agent);
	bench->agent = NULL;
	if (!ends_in_time(pid))
		kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	bench->private = NULL;
}

/* The agent for guests is a separate program, because it is linked with a hypervisor. */
static int local_start(struct bench *bench, struct reason *why)
{
	const char *const own[] = {"/proc/self/exe", "agent", NULL};
	__cleanup_free char *linked = NULL;

	reap(bench);
	if (bench->options.guests && rig_find_file("brinell-agent-kvm", &linked) == 0) {
		const char *const argv[] = {linked, NULL};

		return bench_spawn_agent(bench, argv, why);
	}
	return bench_spawn_agent(bench, own, why);
}

/* The agent with a hypervisor serves all calls of the other one; prefer it if it is installed. */
static int ssh_start(struct bench *bench, struct reason *why)
{
	static const char command[] =
		"command -v brinell-agent-kvm >/dev/null && exec brinell-agent-kvm; "
		"exec brinell-agent";
	/* A host that is down sends nothing: 30 s of silence end the stream. */
	const char *const argv[] = {"ssh",
				    "-oBatchMode=yes",
				    "-oConnectTimeout=10",
				    "-oServerAliveInterval=10",
				    "-oServerAliveCountMax=3",
				    "--",
				    bench->address,
				    command,
				    NULL};

	if (!bench->address || !*bench->address)
		return fail(why, -EINVAL, "bench '%s': write ssh:HOST, or ssh:HOST,HOST",
			    bench->name);
	reap(bench);
	return bench_spawn_agent(bench, argv, why);
}

/* The hosts reach each other under the same names as the controller, without a password. */
static void ssh_reach(const struct bench *bench, char **uri, char **address)
{
	const char *at = strchr(bench->address, '@');

	*uri = format_text("qemu+ssh://%s/system", bench->address);
	*address = format_text("tcp://%s", at ? at + 1 : bench->address);
}

static const struct bench_ops bench_local = {
	.name = "local",
	.hosts = 1,
	.summary = "this machine (it must be marked expendable)",
	.start = local_start,
	.stop = reap,
};

static const struct bench_ops bench_ssh = {
	.name = "ssh",
	.summary =
		"ssh:HOST or ssh:HOST,HOST: machines with brinell-agent, or brinell-agent-kvm for "
		"guests (they must be marked expendable)",
	.return_s = RETURN_S,
	.start = ssh_start,
	.reach = ssh_reach,
	.stop = reap,
};

REGISTER(bench_ops, bench_local);
REGISTER(bench_ops, bench_ssh);
