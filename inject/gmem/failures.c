// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault injection of the kernel into its own functions, for one thread: /proc/thread-self/fail-nth counts the calls that can
 * fail (Documentation/fault-injection/fault-injection.rst). Debian's kernels lack it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "harness/host/sticky.h"
#include "inject/gmem/kvm.h"

#define DEBUG "/sys/kernel/debug/"
#define NTH "/proc/thread-self/fail-nth"
#define FUNCTION "__filemap_add_folio"
#define INJECT DEBUG "fail_function/inject"

static const struct {
	const char *name, *directory;
} failures[] = {
	[GMEM_FAIL_SLAB] = {"failslab", DEBUG "failslab"},
	[GMEM_FAIL_FUNCTION] = {"fail-function", DEBUG "fail_function"},
};

/*
 * By default, allocations that may wait do not fail, and the kernel logs a stack for each failure. The stacks are turned off,
 * so that the log shows only other messages.
 */
static const struct {
	const char *file, *text;
} settings[] = {
	{DEBUG "failslab/ignore-gfp-wait", "N"}, {DEBUG "failslab/verbose", "0"},
	{DEBUG "fail_function/verbose", "0"},	 {DEBUG "fail_page_alloc/verbose", "0"},
	{DEBUG "fail_usercopy/verbose", "0"},
};

/* Stays open while armed: open() itself counts as a call that can fail. */
static int nth_fd = -1;

/** gmem_probe_failure - 0, or -EOPNOTSUPP when this kernel can not inject the failure */
int gmem_probe_failure(enum gmem_failure failure, struct reason *why)
{
	char path[4096], nth[4096];

	if (access(system_path(path, failures[failure].directory), F_OK) == 0 &&
	    access(system_path(nth, "/proc/self/fail-nth"), F_OK) == 0)
		return 0;
	return fail(why, -EOPNOTSUPP, "fault %s: this kernel has no %s", failures[failure].name,
		    failures[failure].directory);
}

/**
 * gmem_failures_set - write the settings that this kernel has; sticky_restore() restores them
 * @slab: also those of failslab
 *
 * Return: 0 or -errno.
 */
int gmem_failures_set(struct sticky *sticky, struct change *change, bool slab, struct reason *why)
{
	int error = 0;

	for (size_t i = slab ? 0 : 1; i < ARRAY_SIZE(settings) && !error; i++) {
		const struct sticky_file *file = sticky_save(sticky, settings[i].file, STICKY_TEXT);

		if (file && file->saved)
			error = sticky_set(sticky, change, settings[i].file, settings[i].text, why);
	}
	return error;
}

/** gmem_failure_arm - let the @nth call of this thread that can fail do so. Return: 0 or -errno */
int gmem_failure_arm(enum gmem_failure failure, unsigned int nth, struct reason *why)
{
	char text[16];
	int error = 0;

	if (failure == GMEM_FAIL_FUNCTION)
		error = write_small_file(INJECT, FUNCTION)
				?: write_small_file(DEBUG "fail_function/" FUNCTION "/retval",
						    "0xfffffffffffffff4" /* -ENOMEM */);
	snprintf(text, sizeof(text), "%u", nth);
	nth_fd = error ? -1 : open(NTH, O_RDWR | O_CLOEXEC);
	if (!error && (nth_fd < 0 || write(nth_fd, text, strlen(text)) < 0))
		error = -errno;
	if (!error)
		return 0;
	(void)gmem_failure_disarm(failure);
	return fail_errno(why, error, "fault %s: arming it", failures[failure].name);
}

/** gmem_failure_disarm - disarm. Return: whether the failure occurred */
bool gmem_failure_disarm(enum gmem_failure failure)
{
	char left[16] = "";
	bool occurred =
		pread(nth_fd, left, sizeof(left) - 1, 0) > 0 && strtoul(left, NULL, 10) == 0;

	(void)!write(nth_fd, "0", 1);
	close(nth_fd);
	if (failure == GMEM_FAIL_FUNCTION)
		(void)write_small_file(INJECT, "!" FUNCTION);
	return occurred;
}
