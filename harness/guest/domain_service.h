/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_GUEST_DOMAIN_SERVICE_H
#define BRINELL_GUEST_DOMAIN_SERVICE_H

#include "harness/guest/domain.h"
#include "harness/guest/domain_libvirt.h"

/**
 * enum domain_stage - how far a guest is
 * @DOMAIN_MAKING:   libvirt makes or looks up its domain
 * @DOMAIN_GREETING: its hello is awaited
 * @DOMAIN_RUNNING:  guest.start was answered
 * @DOMAIN_STOPPING: guest.stop waits for its end
 * @DOMAIN_DESTROYING: libvirt destroys it
 * @DOMAIN_GONE:     it has ended; kept until somebody asks
 */
enum domain_stage {
	DOMAIN_MAKING,
	DOMAIN_GREETING,
	DOMAIN_RUNNING,
	DOMAIN_STOPPING,
	DOMAIN_DESTROYING,
	DOMAIN_GONE,
};

/**
 * struct domain_guest - a guest that this agent has started or taken
 * @ours:    its domain was made here, and is ended here
 * @ticket:  of the call that waits
 * @until_ns: when the wait of @stage is over
 */
struct domain_guest {
	struct domain_guest *next;
	char *name, *domain, *directory;
	char uuid[VIR_UUID_STRING_BUFLEN];
	bool ours, graceful;
	enum domain_stage stage;
	struct console *console;
	struct agent_ticket ticket;
	int64_t until_ns, started_ns, made_ns;
	unsigned int cid;
	pid_t pid;
};

struct domain_guest *domain_guest_find(const struct agent *agent, const json_t *arguments,
				       const char *call, struct reason *why);
struct virt_job *domain_job(const struct domain_guest *guest,
			    int (*work)(virConnectPtr connection, struct virt_job *job));
int domain_job_answered(struct agent *agent, struct virt_job *job, int64_t timeout_ms,
			struct reason *why);
virDomainPtr domain_of_job(virConnectPtr connection, struct virt_job *job);

int serve_guest_resolve(struct agent *agent, const json_t *arguments, json_t **reply,
			struct reason *why);
int serve_guest_monitor(struct agent *agent, const json_t *arguments, json_t **reply,
			struct reason *why);

#endif
