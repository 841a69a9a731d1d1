/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_INJECT_INJECTOR_H
#define BRINELL_INJECT_INJECTOR_H

#include "harness/evidence/nature.h"
#include "harness/host/activity.h"
#include "harness/host/change.h"
#include "harness/host/machine.h"
#include "harness/host/sticky.h"
#include "harness/lib/param.h"
#include "harness/lib/registry.h"

struct agent;
struct injection;

/**
 * enum injector_target - owner of the page that an injection hits
 * @TARGET_NONE:     none
 * @TARGET_WORKLOAD: a workload on this machine
 * @TARGET_GUEST:    a workload in a guest: on this machine it is a page of QEMU. Injectors get its frame as pfn and
 *                   address, and its address in the guest as gpa
 */
enum injector_target {
	TARGET_NONE,
	TARGET_WORKLOAD,
	TARGET_GUEST,
};

/**
 * struct injector - a kind of fault injection
 * @name:    as in scenarios and `brinell inject NAME`
 * @summary: one line
 * @params:  its parameters
 * @kills:   parameter that names the process or guest that it kills, whose end is evidence of the fault; NULL: it kills nothing
 * @echoed_by: witness that reports the injector's command itself, which is no evidence of the fault; or NULL
 * @fault:   kind and severity of its faults, which the judge compares with the evidence; empty: any
 * @fault_of: the same, by the arguments; NULL: @fault holds for all
 * @check:   checks what @params can not express: arguments that depend on each other, a missing target or
 *           address. Pure: scenarios are checked with it before anything starts. May be NULL
 * @probe:   appends one finding to @findings for each requirement, in the order in which they fail on metal:
 *           {"name", "ok": bool, "reason", "remedy"}; changes nothing but may load a module, by machine_load_module()
 * @prepare: checks the arguments against this machine, takes the lock, saves sticky kernel state and sets all of it;
 *           does not inject yet. On error it restores everything.
 * @fire:    injects the fault; injection_fire() has checked that the machine is expendable. -errno with a reason that explains this errno. A long fault starts here in a
 *           process of its own (harness/host/process.h) and sets @run.fd of the injection: it then runs until
 *           injection_end(). @fire must not block
 * @dispatch: reads the reports of that process; called when @run.fd is readable; emits events, and calls
 *           injection_end() at the end of the fault. NULL for an injector whose @fire is the whole fault
 * @stop:    ends the process early and reaps it, within a bounded time; the caller ends the injection. NULL if
 *           @dispatch is
 * @restore: restores the state that @prepare saved, frees @private, drops the lock; also after a failed @fire. Called when
 *           the fault does not run any more
 *
 * A planned injection (`--dry-run`) runs @prepare, @fire and @restore; change_write() then records each write instead of
 * doing it, and @fire starts no process.
 */
struct injector {
	const char *name;
	const char *summary;
	const struct param *params;
	const char *kills, *echoed_by;
	struct nature fault;
	struct nature (*fault_of)(const json_t *arguments);
	int (*check)(const json_t *arguments, enum injector_target target, struct reason *why);
	void (*probe)(json_t *findings);
	int (*prepare)(struct injection *injection, struct reason *why);
	int (*fire)(struct injection *injection, struct reason *why);
	void (*dispatch)(struct injection *injection);
	void (*stop)(struct injection *injection);
	int (*restore)(struct injection *injection, struct reason *why);
};

/* Key in the result of a fault that the firmware model injects: the call to it. */
#define RESULT_FIRMWARE "firmware"

REGISTRY(injector)

/* Executes a command that only the target's process can execute, such as "madvise-hard"; waits for the answer. */
typedef int (*injection_command_fn)(struct activity *target, const char *command,
				    struct reason *why);

/**
 * struct injection - one use of an injector
 * @injector:  its kind
 * @run:       common part of running faults and workloads. @run.arguments is @arguments, @run.facts is
 *             @result, and @run.private is the injection; @run.fd is -1 unless the fault runs in a process of its own.
 *             @run.emit is never NULL
 * @arguments: checked against @params; owned
 * @change:    the writes to the kernel, and the lock while an injector holds it
 * @sticky:    the files that @prepare has set, for injection_finish()
 * @agent:     that runs the injection, or NULL outside of an agent; borrowed
 * @target:    the running workload whose page is hit, or NULL; borrowed
 * @command:   executes a command in the process of @target; NULL if that has no commands
 * @seed:      of the trial, for every random choice; 0 outside of a trial
 * @running:   the fault has begun and not ended
 * @error:     0 or -errno of a fault that has ended, with @reason
 * @result:    object to which @fire adds facts (pfn, address, attempts); owned
 * @began:     CLOCK_MONOTONIC at @fire
 * @private:   of the injector between @prepare and @restore
 */
struct injection {
	const struct injector *injector;
	struct activity run;
	json_t *arguments;
	struct change change;
	struct sticky sticky;
	json_t *result;
	struct agent *agent;
	struct activity *target;
	injection_command_fn command;
	uint64_t seed;
	bool running;
	int error;
	struct reason reason;
	int64_t began;
	void *private;
};

int injection_open(struct injection *injection, const struct injector *injector,
		   const json_t *arguments, bool dry_run, struct reason *why);
void injection_close(struct injection *injection);
int injection_fire(struct injection *injection, struct reason *why);
void injection_progress(struct injection *injection, double fraction, const char *text);
void injection_end(struct injection *injection, int error, const char *reason);
bool injection_stop(struct injection *injection);
void injection_ask_firmware(struct injection *injection, json_t *call);
json_t *injection_outcome(const struct injection *injection);
int injection_set(struct injection *injection, const char *path, enum sticky_format format,
		  const char *text, struct reason *why);
int injection_finish(struct injection *injection, struct reason *why);

#endif
