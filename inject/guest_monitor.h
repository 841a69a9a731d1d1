/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_INJECT_GUEST_MONITOR_H
#define BRINELL_INJECT_GUEST_MONITOR_H

#include "inject/injector.h"

/**
 * struct guest_monitor - access of injectors to the hypervisor of a guest
 * @name:    for people
 * @here:    whether the guests of this hypervisor are QEMU processes with a monitor
 * @command: executes a command of QEMU's human monitor. Blocks until the answer, or for @timeout_ms at
 *           most; after -ETIMEDOUT it is not known whether it was executed. @answer is owned by the caller
 * @process: finds the process that runs the guest, and verifies that it is this guest's
 *
 * @guest is the name that guest.start gave. Only a program that is linked with a hypervisor has one of these.
 */
struct guest_monitor {
	const char *name;
	bool (*here)(void);
	int (*command)(struct agent *agent, const char *guest, const char *text, int64_t timeout_ms,
		       char **answer, struct reason *why);
	int (*process)(struct agent *agent, const char *guest, pid_t *pid, struct reason *why);
};

REGISTRY(guest_monitor)

#define GUEST_MONITOR_MISSING                                                                      \
	"this agent is not linked with a hypervisor whose guests are processes of QEMU"
#define GUEST_MONITOR_REMEDY "use brinell-agent-kvm, on a host of KVM"

/** guest_monitor_here - the monitor of this program. Return: it, or NULL with a reason (-EOPNOTSUPP) */
static inline const struct guest_monitor *guest_monitor_here(struct reason *why)
{
	if (guest_monitor_count() && guest_monitor_at(0)->here())
		return guest_monitor_at(0);
	fail(why, -EOPNOTSUPP, "%s: %s", GUEST_MONITOR_MISSING, GUEST_MONITOR_REMEDY);
	return NULL;
}

#endif
