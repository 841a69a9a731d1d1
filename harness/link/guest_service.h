/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_LINK_GUEST_SERVICE_H
#define BRINELL_LINK_GUEST_SERVICE_H

#include "harness/agent/core.h"
#include "harness/link/link.h"

/**
 * struct guest_listener - another service of the agent that receives events of guests
 * @event: an event of the link, before it is sent; borrowed
 */
struct guest_listener {
	const char *name;
	void (*event)(struct agent *agent, const json_t *event);
};

REGISTRY(guest_listener)

/* The end of a call that the agent itself has made; @reply is borrowed. */
typedef void (*guest_then_fn)(struct agent *agent, void *context, int error, const json_t *reply,
			      const struct reason *why);

struct guest_link *guest_service_link(struct agent *agent);
int guest_service_call(struct agent *agent, const char *guest, const char *call, int64_t timeout_ms,
		       guest_then_fn then, void *context, struct reason *why);

#endif
