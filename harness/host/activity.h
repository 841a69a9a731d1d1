/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_HOST_ACTIVITY_H
#define BRINELL_HOST_ACTIVITY_H

#include <sys/types.h>

#include "harness/lib/util.h"

struct activity;
struct workload;

/* Hands one event (stolen) to the agent, which sends it on; see docs/protocol.md for the fields. */
typedef void (*activity_event_fn)(void *context, json_t *event);

/* The workload of that name which runs on the same machine, or NULL. */
typedef const struct activity *(*activity_find_fn)(void *context, const char *name);

/**
 * struct activity - a workload or an injection that runs beside its agent, mostly in a process of its own
 * @workload:  its kind; NULL for an injection
 * @name:      of the workload in its scenario ("victim"), or of the injector; owned by the creator
 * @arguments: checked; owned by the creator
 * @facts:     results of the start; owned by the creator
 * @fd:        to poll for reading, or -1
 * @pid:       of its process, or 0
 * @find:      another running workload by its name, with @context; may be NULL
 * @emit:      receives the events, with @context. Each is {"workload" or "injector": NAME, "event": WHAT, ...}, of an
 *             injection also with "source": "users" when users of what it works on report
 */
struct activity {
	const struct workload *workload;
	char *name;
	json_t *arguments;
	json_t *facts;
	int fd;
	pid_t pid;
	activity_find_fn find;
	activity_event_fn emit;
	void *context;
	void *private;
};

#endif
