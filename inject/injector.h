/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_INJECT_INJECTOR_H
#define BRINELL_INJECT_INJECTOR_H

#include "harness/host/change.h"
#include "harness/host/machine.h"
#include "harness/lib/param.h"
#include "harness/lib/registry.h"

struct agent;
struct workload_run;
struct injection;
struct sticky;

/**
 * enum injector_target - whose page an injection is aimed at
 * @TARGET_NONE:     nobody's
 * @TARGET_WORKLOAD: that of a workload on this machine
 * @TARGET_GUEST:    that of a workload in a guest: on this machine it is a page of QEMU. Injectors get its frame as pfn
 *                   and address, and its address in the guest as gpa
 */
enum injector_target {
	TARGET_NONE,
	TARGET_WORKLOAD,
	TARGET_GUEST,
};

/**
 * struct injector - a way to press a fault into this machine
 * @name:    as in scenarios and `brinell inject NAME`
 * @summary: one line
 * @params:  its parameters
 * @check:   checks what a table can not say: arguments that need each other, or a target or an address that is
 *           missing. Pure: scenarios are checked with it before anything starts. May be NULL
 * @probe:   appends one finding to @findings for each thing it needs, in the order in which they fail on metal:
 *           {"name", "ok": bool, "reason", "remedy"}; never changes anything but its module, by machine_load_module()
 * @prepare: checks the arguments against this machine, takes the lock, saves sticky kernel state and sets it
 *           whole; the fault is not there yet. On error everything is as before.
 * @fire:    makes the fault. -errno with a reason that says what this errno means here.
 * @restore: puts back all that @prepare saved, frees @private, drops the lock; also after a failed @fire
 *
 * A planned injection (`--dry-run`) runs the same three functions; change_write() then notes each write
 * instead of doing it.
 */
struct injector {
	const char *name;
	const char *summary;
	const struct param *params;
	int (*check)(const json_t *arguments, enum injector_target target, struct reason *why);
	void (*probe)(json_t *findings);
	int (*prepare)(struct injection *injection, struct reason *why);
	int (*fire)(struct injection *injection, struct reason *why);
	int (*restore)(struct injection *injection, struct reason *why);
};

REGISTRY(injector)

/**
 * struct injection - one use of an injector
 * @injector:  which
 * @arguments: checked by its table; owned
 * @change:    the writes to the kernel, and the lock while an injector holds it
 * @agent:     that serves, or NULL outside of one; borrowed
 * @target:    the running workload whose page is hit, or NULL; a method that only the owner of a page can use
 *             (madvise) is executed by it through its @command; borrowed
 * @result:    object that @fire may add facts to (pfn, address, attempts); owned
 * @private:   of the injector between @prepare and @restore
 */
struct injection {
	const struct injector *injector;
	json_t *arguments;
	struct change change;
	json_t *result;
	struct agent *agent;
	struct workload_run *target;
	void *private;
};

int injection_open(struct injection *injection, const struct injector *injector,
		   const json_t *arguments, bool dry_run, struct reason *why);
void injection_close(struct injection *injection);
int injection_finish(struct injection *injection, struct sticky *sticky, struct reason *why);

#endif
