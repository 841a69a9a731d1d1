// SPDX-License-Identifier: GPL-2.0-only
/*
 * panic: a touch crashes the kernel of its machine. It is meant for a guest that crashes while others are observed; for a
 * host there is the injector of that name.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#include "harness/host/machine.h"
#include "harness/host/process.h"
#include "workloads/workload.h"

#define SYSRQ_TRIGGER "/proc/sysrq-trigger"

static const struct param panic_params[] = {{0}};

static int panic_start(struct activity *run, struct reason *why)
{
	char path[4096];
	int error = machine_is_expendable(why);

	if (error)
		return error;
	if (access(system_path(path, SYSRQ_TRIGGER), W_OK) < 0)
		return fail(why, -ENOTSUP, "panic: %s: %s; it takes root and CONFIG_MAGIC_SYSRQ",
			    SYSRQ_TRIGGER, strerror(errno));
	run->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (run->fd < 0)
		return fail_errno(why, -errno, "panic: eventfd");
	process_emit(run, "ready", NULL, json_object(), "ready");
	return 0;
}

/* The answer must be sent first: the kernel is crashed at the next dispatch. */
static int panic_touch(struct activity *run, struct reason *why)
{
	if (write(run->fd, &(uint64_t){1}, sizeof(uint64_t)) != sizeof(uint64_t))
		return fail_errno(why, -errno, "panic: eventfd");
	return 0;
}

static void panic_dispatch(struct activity *run)
{
	__cleanup_free char *text = NULL;
	uint64_t times;
	char path[4096];
	int error;

	if (read(run->fd, &times, sizeof(times)) != sizeof(times))
		return;
	process_emit(run, "crash", NULL, json_object(), "crashes the kernel now");
	error = write_small_file(system_path(path, SYSRQ_TRIGGER), "c");
	/* A kernel that is crashed does not return from the write. */
	text = error ? format_text("write c to %s: %s", SYSRQ_TRIGGER, strerror(-error))
		     : format_text("the kernel did not crash after 'c' was written to %s",
				   SYSRQ_TRIGGER);
	process_emit(run, "error", NULL,
		     json_pack("{s:s, s:i, s:s}", "call", "write", "errno", -error, "errno_name",
			       error ? error_name(-error) : "0"),
		     text);
	process_emit(run, "checked", NULL, json_object(), text);
}

static void panic_stop(struct activity *run)
{
	if (run->fd >= 0)
		close(run->fd);
	run->fd = -1;
}

REGISTERED(workload, panic) = {
	.name = "panic",
	.summary = "a touch crashes the kernel of its machine or guest",
	.params = panic_params,
	.start = panic_start,
	.touch = panic_touch,
	.dispatch = panic_dispatch,
	.stop = panic_stop,
};
