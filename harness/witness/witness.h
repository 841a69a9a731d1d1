/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_WITNESS_WITNESS_H
#define BRINELL_WITNESS_WITNESS_H

#include "harness/lib/registry.h"
#include "harness/lib/util.h"

/* Hands one piece of evidence on: @data is stolen and may be NULL; @time_ns is CLOCK_REALTIME of this machine. */
typedef void (*witness_event_fn)(void *context, const char *witness, int64_t time_ns,
				 const char *text, json_t *data);

/**
 * struct witness_run - one witness at work, from start to stop
 * @fd:      to poll for reading, or -1 when the witness only compares before with after
 * @emit:    where evidence goes, with @context
 * @focus:   {"pfn": "0x..", "pids": [...]} of the trial, may be NULL or change between calls; borrowed
 * @private: of the witness
 */
struct witness_run {
	int fd;
	witness_event_fn emit;
	void *context;
	json_t *focus;
	void *private;
};

/**
 * struct witness - an independent source of evidence on this machine
 * @name:     as in the journal
 * @summary:  one line
 * @host_only: what it reads means nothing in a guest
 * @probe:    appends findings ({"name", "ok", "reason", "remedy"})
 * @start:    notes the state before, opens what must be followed; nothing older than this call is evidence
 * @dispatch: reads all that is there now, without blocking, and emits it; may be NULL
 * @collect:  reads all that is there now and emits what changed since the last call of @start or @collect (deltas are
 *            against @start); called as often as the engine likes, cheap
 * @stop:     ends the evidence; may keep for the next @start what is costly to make
 * @release:  gives back all that @stop kept; called when the agent ends its service; may be NULL
 */
struct witness {
	const char *name;
	const char *summary;
	bool host_only;
	void (*probe)(json_t *findings);
	int (*start)(struct witness_run *run, struct reason *why);
	void (*dispatch)(struct witness_run *run);
	void (*collect)(struct witness_run *run);
	void (*stop)(struct witness_run *run);
	void (*release)(void);
};

REGISTRY(witness)

#endif
