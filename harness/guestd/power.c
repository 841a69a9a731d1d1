// SPDX-License-Identifier: GPL-2.0-only
/*
 * The call poweroff. It is answered before the machine ends, so that a requested end is distinguished from a crash.
 */
#include <errno.h>

#include "harness/agent/core.h"
#include "harness/guestd/guestd.h"

static bool requested;

/** guest_power_requested - whether the host has requested the end of this guest */
bool guest_power_requested(void)
{
	return requested;
}

static int serve_poweroff(struct agent *agent, const json_t *arguments, json_t **reply,
			  struct reason *why)
{
	if (!guest_is_micro())
		return fail(why, -EPERM,
			    "poweroff: this guest was not made by brinell; shut its domain down "
			    "through its hypervisor");
	requested = true;
	return 0;
}

static int serve_ping(struct agent *agent, const json_t *arguments, json_t **reply,
		      struct reason *why)
{
	*reply = json_pack("{s:I, s:I}", "time_ns", (json_int_t)now_realtime_ns(), "monotonic_ns",
			   (json_int_t)now_monotonic_ns());
	return 0;
}

static const struct agent_call calls[] = {{"ping", serve_ping}, {"poweroff", serve_poweroff}, {0}};

REGISTERED(agent_service, power_service) = {
	.name = "power",
	.roles = AGENT_GUEST,
	.calls = calls,
};
