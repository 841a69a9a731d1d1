// SPDX-License-Identifier: GPL-2.0-only
/*
 * A workload in one file: it reports that it was touched.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#include "harness/host/process.h"
#include "workloads/workload.h"

static const struct param added_params[] = {{0}};

static int added_start(struct activity *run, struct reason *why)
{
	run->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (run->fd < 0)
		return fail(why, -errno, "eventfd: %s", strerror(errno));
	return 0;
}

static int added_touch(struct activity *run, struct reason *why)
{
	if (write(run->fd, &(uint64_t){1}, sizeof(uint64_t)) != sizeof(uint64_t))
		return fail(why, -errno, "eventfd: %s", strerror(errno));
	return 0;
}

static void added_dispatch(struct activity *run)
{
	uint64_t times;

	if (read(run->fd, &times, sizeof(times)) == sizeof(times))
		process_emit(run, "checked", NULL, json_object(), "the added workload was touched");
}

static void added_stop(struct activity *run)
{
	close(run->fd);
}

REGISTERED(workload, added_workload) = {
	.name = "added-workload",
	.summary = "a workload in one file",
	.params = added_params,
	.start = added_start,
	.touch = added_touch,
	.dispatch = added_dispatch,
	.stop = added_stop,
};
