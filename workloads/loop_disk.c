// SPDX-License-Identifier: GPL-2.0-only
/*
 * A small disk in memory, for machines without a disk. Its page cache behaves like any other: it is clean after writeback,
 * and can be read again.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "workloads/memory.h"

#define CONTROL "/dev/loop-control"
/* Another process may take the free device first. */
#define ATTEMPTS 8

static int try_loop(int control, int memory, char path[static 32])
{
	struct loop_config config = {.fd = (__u32)memory,
				     .block_size = MEMORY_PAGE,
				     .info.lo_flags = LO_FLAGS_AUTOCLEAR};
	int number = ioctl(control, LOOP_CTL_GET_FREE);
	int fd;

	if (number < 0)
		return -errno;
	snprintf(path, 32, "/dev/loop%d", number);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, LOOP_CONFIGURE, &config) < 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

/**
 * loop_disk_open - make a block device of memory, which exists until its last close
 * @size: bytes, whole pages
 * @why:  reason of a failure
 *
 * Return: a file descriptor of it, or -ENOTSUP.
 */
int loop_disk_open(size_t size, struct reason *why)
{
	__cleanup_close int control = open(CONTROL, O_RDWR | O_CLOEXEC);
	__cleanup_close int memory = memfd_create("brinell-disk", MFD_CLOEXEC);
	char path[32] = CONTROL;
	int fd = -EBUSY;

	if (control < 0)
		return fail(why, -ENOTSUP, "%s: %s; it takes root and the module loop", CONTROL,
			    strerror(errno));
	if (memory < 0 || ftruncate(memory, (off_t)size) < 0)
		return fail_errno(why, -errno, "memfd of %zu bytes", size);
	for (int i = 0; fd == -EBUSY && i < ATTEMPTS; i++)
		fd = try_loop(control, memory, path);
	return fd < 0 ? fail(why, -ENOTSUP, "make a disk of memory of %s: %s", path, strerror(-fd))
		      : fd;
}
