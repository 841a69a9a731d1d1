// SPDX-License-Identifier: GPL-2.0-only
/*
 * The call clock: what time it is here, with as little around it as can be, because the caller halves the time that the
 * answer took. A host of the rig can be set right by it: it got its time from a clock of whole seconds.
 */
#include <errno.h>
#include <time.h>

#include "harness/agent/core.h"
#include "harness/host/machine.h"

static int step_clock(int64_t step_ns, struct reason *why)
{
	char rig[4096];
	struct timespec time;
	int64_t now;
	int error = machine_is_expendable(why);

	if (error)
		return error;
	if (access(system_path(rig, "/etc/brinell/rig"), F_OK))
		return fail(why, -EPERM,
			    "clock: this host is none of the rig: its time is set by its owner");
	if (__builtin_add_overflow(now_realtime_ns(), step_ns, &now) || now < 0)
		return fail(why, -EINVAL, "clock: a step of %lld ns leads out of time",
			    (long long)step_ns);
	time = (struct timespec){.tv_sec = now / NSEC_PER_SEC, .tv_nsec = now % NSEC_PER_SEC};
	if (clock_settime(CLOCK_REALTIME, &time))
		return fail_errno(why, -errno, "clock: clock_settime");
	return 0;
}

static int serve_clock(struct agent *agent, const json_t *arguments, json_t **reply,
		       struct reason *why)
{
	int64_t step = json_number(arguments, "step_ns", 0);
	int error = step ? step_clock(step, why) : 0;
	/* Whose time it is; it does not change while the agent runs. */
	static char *boot;

	if (error)
		return error;
	if (!boot)
		boot = agent_boot_id();
	*reply = json_pack("{s:I, s:s}", "time_ns", (json_int_t)now_realtime_ns(), "boot_id", boot);
	return 0;
}

static const struct agent_call calls[] = {{"clock", serve_clock}, {0}};

REGISTERED(agent_service, clock_service) = {
	.name = "clock",
	.roles = AGENT_HOST,
	.calls = calls,
};
