// SPDX-License-Identifier: GPL-2.0-only
/*
 * panic: crashes the kernel of this machine by sysrq. What follows depends on the machine: kernel.panic restarts it, kdump
 * saves a dump, or it stays down.
 */
#include <errno.h>
#include <string.h>

#include "harness/host/machine.h"
#include "inject/injector.h"

#define SYSRQ_TRIGGER "/proc/sysrq-trigger"
#define PANIC_TIMEOUT "/proc/sys/kernel/panic"

static const struct param panic_params[] = {{0}};

static int panic_check(const json_t *arguments, enum injector_target target, struct reason *why)
{
	if (target != TARGET_NONE)
		return fail(
			why, -EINVAL,
			"'panic' has a whole machine as its target, not a page: leave 'at' out, "
			"and select the machine with 'on'");
	return 0;
}

/* Seconds until it restarts; negative: at once, 0: never. */
static int panic_timeout(long *seconds)
{
	__cleanup_free char *text = NULL;
	char path[4096];
	int error = read_small_file(system_path(path, PANIC_TIMEOUT), &text, NULL);

	if (error)
		return error;
	*seconds = strtol(text, NULL, 10);
	return 0;
}

static int panic_prepare(struct injection *injection, struct reason *why)
{
	int error = injection->change.dry_run ? 0 : machine_is_expendable(why);
	long seconds;

	if (error)
		return error;
	/* /proc/sys/kernel/sysrq restricts keys only: the file accepts every command. */
	if (!injection->change.dry_run && !machine_has_file(SYSRQ_TRIGGER))
		return fail(why, -ENOENT, "%s is missing: this kernel has no CONFIG_MAGIC_SYSRQ",
			    SYSRQ_TRIGGER);
	if (!panic_timeout(&seconds))
		json_object_set_new(injection->result, "panic_timeout", json_integer(seconds));
	return change_lock(&injection->change, why);
}

static int panic_fire(struct injection *injection, struct reason *why)
{
	struct reason reason = {0};
	int error = change_write(&injection->change, SYSRQ_TRIGGER, "c", &reason);
	if (error)
		return fail(why, error, "panic: %s", reason.text);
	/* A crashed kernel does not return from the write. */
	return injection->change.dry_run
		       ? 0
		       : fail(why, -EIO, "panic: the kernel accepted 'c' in %s, and did not crash",
			      SYSRQ_TRIGGER);
}

static void panic_probe(json_t *findings)
{
	long seconds = 0;

	finding_add(findings, "panic", machine_has_file(SYSRQ_TRIGGER), SYSRQ_TRIGGER " is missing",
		    "use a kernel with CONFIG_MAGIC_SYSRQ");
	finding_add(findings, "panic:restarts", panic_timeout(&seconds) == 0 && seconds != 0,
		    "after a panic this machine stays down until it is reset",
		    "sysctl kernel.panic=10, or a reset from outside (BMC)");
}

REGISTERED(injector, panic_injector) = {
	.name = "panic",
	.fault = {KIND_OTHER, SEVERITY_ANY},
	.summary = "crash of the machine's kernel (sysrq c)",
	.params = panic_params,
	.check = panic_check,
	.probe = panic_probe,
	.prepare = panic_prepare,
	.fire = panic_fire,
	.restore = injection_finish,
};
