// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes to the kernel's files of this machine: each is recorded, and all injectors share one lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "harness/host/sticky.h"

#define LOCK_FILE CHANGE_DIRECTORY "/inject.lock"

/**
 * change_lock - take the lock that all injectors on this machine share
 * @change: holds the lock until change_unlock()
 * @why:    reason of a failure
 *
 * The kernel's injection files are global: two writers would fire each other's half-set faults. A planned change
 * takes no lock.
 *
 * The state that a killed injector has left set is restored first.
 *
 * Return: 0, -EBUSY when another process holds it, or -errno.
 */
int change_lock(struct change *change, struct reason *why)
{
	char path[4096];
	int fd, error;

	if (change->dry_run || change->lock_fd >= 0)
		return 0;
	error = make_directories(system_path(path, CHANGE_DIRECTORY));
	if (error)
		return fail_errno(why, error, "create %s", path);
	fd = open(system_path(path, LOCK_FILE), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail_errno(why, -errno, "open the lock %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		error = -errno;
		close(fd);
		if (error == -EWOULDBLOCK)
			return fail(why, -EBUSY,
				    "another injector is at work on this machine (it holds %s); "
				    "wait until it ends",
				    LOCK_FILE);
		return fail_errno(why, error, "lock %s", LOCK_FILE);
	}
	change->lock_fd = fd;
	sticky_recover(change);
	return 0;
}

/** change_unlock - release the lock */
void change_unlock(struct change *change)
{
	if (change->lock_fd >= 0)
		close(change->lock_fd);
	change->lock_fd = -1;
}

/** change_recover - restore the state that a killed injector has left set, unless another one holds the lock */
void change_recover(void)
{
	struct change change = {.lock_fd = -1};

	if (!sticky_left())
		return;
	change.writes = json_array();
	if (change_lock(&change, NULL) == 0)
		log_info("restored %zu settings that a killed injector had left",
			 json_array_size(change.writes));
	change_unlock(&change);
	json_decref(change.writes);
}

static int write_text(const char *path, const char *text)
{
	/* Truncated as a shell would: for the kernel's files it means nothing, for a fake one all. */
	__cleanup_close int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	ssize_t put;

	if (fd < 0)
		return -errno;
	put = write(fd, text, strlen(text));
	if (put < 0)
		return -errno;
	return (size_t)put == strlen(text) ? 0 : -EIO;
}

/**
 * change_write - write to a file of the kernel and note it; a planned change is only noted
 * @change: whose
 * @path:      absolute
 * @text:      what; one write(2)
 * @why:       receives path, text and errno of a failure
 *
 * Return: 0 or -errno of the kernel.
 */
int change_write(struct change *change, const char *path, const char *text, struct reason *why)
{
	char buffer[4096];
	int error;

	json_array_append_new(change->writes, json_pack("{s:s, s:s%}", "path", path, "text", text,
							strcspn(text, "\n")));
	if (change->dry_run)
		return 0;
	error = write_text(system_path(buffer, path), text);
	if (error)
		return fail_errno(why, error, "write '%.*s' to %s", (int)strcspn(text, "\n"), text,
				  path);
	return 0;
}

/** change_note_fault - leave a mark that lasts until the next boot: the machine was struck */
void change_note_fault(const struct change *change)
{
	char buffer[4096];

	/* The lock is in the same directory. */
	if (!change->dry_run)
		close(open(system_path(buffer, CHANGE_STRUCK), O_WRONLY | O_CREAT | O_CLOEXEC,
			   0644));
}
