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
 * struct witness_proof - a field of a witness's events that is evidence of a hardware error
 * @field:    in the data of the event: a counter, {"before", "after"}, or a flag, which is evidence when it is true; a "#"
 *            in it stands for digits
 * @grows:    of a counter: only growth is evidence, else any change
 * @kind:     of the error: "memory", "processor", "machine-check", "pcie", "cxl", "iommu" or "other"; "any" when it leaves that
 *            open
 * @severity: "corrected", "uncorrected" or "any"
 *
 * "pfn" and "pid" in the data name the page and the process that the event is about.
 */
struct witness_proof {
	const char *field;
	bool grows;
	const char *kind, *severity;
};

/**
 * struct witness - an independent source of evidence on this machine
 * @name:     as in the journal
 * @summary:  one line
 * @host_only: what it reads means nothing in a guest
 * @group:    name of the source that it reads: two witnesses of one source are no independent evidence
 * @format:   of its texts: "kernel-log", lines of the kernel's log; "trace-event", trace events of errors; NULL: one of its own
 * @proofs:   which of its fields are evidence, up to an empty one; NULL: the judge reads its events, or they are none
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
	const char *group;
	const char *format;
	const struct witness_proof *proofs;
	void (*probe)(json_t *findings);
	int (*start)(struct witness_run *run, struct reason *why);
	void (*dispatch)(struct witness_run *run);
	void (*collect)(struct witness_run *run);
	void (*stop)(struct witness_run *run);
	void (*release)(void);
};

REGISTRY(witness)

#endif
