// SPDX-License-Identifier: GPL-2.0-only
/*
 * Benches of real machines: this one, and machines over ssh. Both run the agent behind a pipe.
 */
#include <errno.h>
#include <string.h>

#include "harness/bench/bench.h"
#include "harness/rig/profile.h"

/* Servers test their memory for minutes before the boot. */
#define RETURN_S 900

/* The agent for guests is a separate program, because it is linked with a hypervisor. */
static int local_start(struct bench *bench, struct reason *why)
{
	const char *const own[] = {"/proc/self/exe", "agent", NULL};
	__cleanup_free char *linked = NULL;

	bench_reap_agent(bench);
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
	bench_reap_agent(bench);
	return bench_spawn_agent(bench, argv, why);
}

/* The hosts reach each other under the same names as the controller, without a password. */
static void ssh_reach(const struct bench *bench, char **uri, char **address)
{
	const char *at = strchr(bench->address, '@');

	*uri = format_text("qemu+ssh://%s/system", bench->address);
	*address = format_text("tcp://%s", at ? at + 1 : bench->address);
}

REGISTERED(bench_ops, bench_local) = {
	.name = "local",
	.hosts = 1,
	.summary = "this machine (it must be marked expendable)",
	.start = local_start,
	.stop = bench_reap_agent,
};

REGISTERED(bench_ops, bench_ssh) = {
	.name = "ssh",
	.summary =
		"ssh:HOST or ssh:HOST,HOST: machines with brinell-agent, or brinell-agent-kvm for "
		"guests (they must be marked expendable)",
	.return_s = RETURN_S,
	.start = ssh_start,
	.reach = ssh_reach,
	.stop = bench_reap_agent,
};
