/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_AGENT_CORE_H
#define BRINELL_AGENT_CORE_H

#include <poll.h>
#include <signal.h>

#include "harness/lib/protocol.h"
#include "harness/lib/registry.h"

struct agent;
struct activity;

/**
 * enum agent_role - which program serves
 * @AGENT_HOST:  the agent of a host under test: ends with its controller's stream
 * @AGENT_GUEST: brinell-guest: outlives its stream, keeps evidence for the next one
 */
enum agent_role {
	AGENT_HOST = 1,
	AGENT_GUEST = 2,
};

/* Returned by a call that answers later, with agent_answer(). */
#define AGENT_LATER 1

/**
 * struct agent_ticket - the right to answer one call later
 * @id:         of the call; owned
 * @connection: the stream that it came on; on another one the answer is not wanted
 */
struct agent_ticket {
	json_t *id;
	unsigned int connection;
};

/* Serves a call: 0 with @reply (owned by the caller; NULL is an empty object), AGENT_LATER, or -errno with a reason. */
typedef int agent_serve_fn(struct agent *agent, const json_t *arguments, json_t **reply,
			   struct reason *why);

/** struct agent_call - one call of the protocol (docs/protocol.md) */
struct agent_call {
	const char *name;
	agent_serve_fn *serve;
};

/**
 * struct agent_service - some calls that belong together, and what they keep between calls
 * @name:       for people
 * @roles:      in which programs; bits of enum agent_role
 * @rank:       services of lower rank are closed first
 * @state_size: bytes of zeroed memory, see agent_state()
 * @calls:      ends in one without a name
 * @watch:      puts what is to be polled into @fds, at most @room; returns how many. May be NULL
 * @dispatch:   what of it has become ready; never blocks. May be NULL
 * @workload_ends: a workload is about to be stopped and forgotten. May be NULL
 * @close:      lets go of everything. May be NULL
 */
struct agent_service {
	const char *name;
	unsigned int roles;
	unsigned int rank;
	size_t state_size;
	const struct agent_call *calls;
	size_t (*watch)(struct agent *agent, struct pollfd *fds, size_t room);
	void (*dispatch)(struct agent *agent, const struct pollfd *fds, size_t count);
	void (*workload_ends)(struct agent *agent, const struct activity *run);
	void (*close)(struct agent *agent);
};

REGISTRY(agent_service)

struct agent *agent_new(enum agent_role role);
void agent_free(struct agent *agent);
void agent_attach(struct agent *agent, struct channel *channel);
void agent_detach(struct agent *agent);
struct channel *agent_channel(const struct agent *agent);
int agent_turn(struct agent *agent, int timeout_ms);
void agent_catch_signals(void);
void agent_ending_signals(sigset_t *signals);

void *agent_state(const struct agent *agent, const struct agent_service *service);
void agent_send(struct agent *agent, json_t *message);
void agent_emit(void *agent, const char *witness, int64_t time_ns, const char *text, json_t *data);
struct agent_ticket agent_later(const struct agent *agent);
unsigned int agent_connection(const struct agent *agent);
void agent_answer(struct agent *agent, struct agent_ticket *ticket, int error, json_t *reply,
		  const struct reason *why);
enum agent_role agent_role(const struct agent *agent);
char *agent_boot_id(void);

struct activity *agent_workload(const struct agent *agent, const char *name);
void agent_workloads_dispatch(struct agent *agent);
void agent_workload_ends(struct agent *agent, const struct activity *run);

#endif
