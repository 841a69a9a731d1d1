/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_GUEST_DOMAIN_LIBVIRT_H
#define BRINELL_GUEST_DOMAIN_LIBVIRT_H

#include <libvirt/libvirt.h>

#include "harness/agent/core.h"

/**
 * struct virt_job - one piece of work with libvirt, in a thread of its own: any call into libvirt may wait for ever
 * @work:   in the thread. May read what is above @error, and writes what is below
 * @done:   in the loop of the agent, when the work is done or has failed
 * @given_up: in the loop, when its time is up; the work goes on, and its result goes to @late
 * @late:   in the loop, in place of @done. May be NULL
 * @guest:  name of the guest
 * @domain: name of its domain
 * @uuid:   of its domain; may be empty
 * @text:   XML, command or address; owned; may be NULL
 * @request: further arguments; owned; may be NULL. Nobody else may hold it while the work goes on
 * @number, @flags: as the work needs them
 * @error:  0 or -errno with @why
 * @answer: text; owned
 * @reply:  owned
 */
struct virt_job {
	int (*work)(virConnectPtr connection, struct virt_job *job);
	void (*done)(struct agent *agent, struct virt_job *job);
	void (*given_up)(struct agent *agent, struct virt_job *job, const struct reason *why);
	void (*late)(struct agent *agent, struct virt_job *job);
	struct agent_ticket ticket;
	char guest[64], domain[128], uuid[VIR_UUID_STRING_BUFLEN];
	char *text;
	json_t *request;
	uint64_t number;
	unsigned int flags;

	int error;
	struct reason why;
	char *answer;
	json_t *reply;
	pid_t pid;

	struct virt_job *next;
	int64_t until_ns;
	bool finished, left;
};

int virt_start(struct virt_job *job, int64_t timeout_ms, struct reason *why);
int virt_wake_fd(void);
void virt_dispatch(struct agent *agent, void (*event)(struct agent *agent, json_t *event));
int virt_await(struct virt_job *job, int64_t timeout_ms, struct reason *why);
void virt_free(struct virt_job *job);
void virt_leave_all(void);
void virt_tell(json_t *event);
void virt_watch_events(virConnectPtr connection);
void virt_unwatch_events(virConnectPtr connection);
const char *virt_name(const char *const *names, size_t count, int index);
#define NAME_AT(names, index) virt_name(names, ARRAY_SIZE(names), index)
json_t *virt_statistics(const virTypedParameter *parameters, int count);
int virt_fail(struct reason *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
