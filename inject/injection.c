// SPDX-License-Identifier: GPL-2.0-only
/*
 * What all injectors share: one use of an injector, its lock, its writes, and the permission to break this machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "inject/sticky.h"

#define LOCK_FILE INJECTION_RUN_DIRECTORY "/inject.lock"
#define EXPENDABLE_FILE "/etc/brinell/expendable"

/**
 * injection_open - begin the use of an injector
 * @injection: receives it; to be closed with injection_close()
 * @injector:  which
 * @arguments: as given by a scenario or the command line, or NULL; borrowed
 * @dry_run:   note the writes, do none
 * @why:       says which argument is wrong
 *
 * Return: 0, or -errno of param_check(); then there is nothing to close.
 */
int injection_open(struct injection *injection, const struct injector *injector,
		   const json_t *arguments, bool dry_run, struct reason *why)
{
	json_t *checked = NULL;
	int error = param_check(injector->params, arguments, &checked, why);

	if (error)
		return error;
	*injection = (struct injection){.injector = injector,
					.arguments = checked,
					.dry_run = dry_run,
					.writes = json_array(),
					.result = json_object(),
					.lock_fd = -1};
	return 0;
}

/** injection_close - free what injection_open() made; drops the lock if an injector still holds it */
void injection_close(struct injection *injection)
{
	json_decref(injection->arguments);
	json_decref(injection->writes);
	json_decref(injection->result);
	injection_unlock(injection);
	*injection = (struct injection){.lock_fd = -1};
}

/**
 * injection_lock - keep every other injector on this machine out
 * @injection: holds the lock until it is closed, or its @lock_fd is
 * @why:       reason of a failure
 *
 * The kernel's injection files are global: two writers would fire each other's half-set faults. A planned injection
 * takes no lock.
 *
 * What an injector left set that was killed is put back first.
 *
 * Return: 0, -EBUSY when another process holds it, or -errno.
 */
int injection_lock(struct injection *injection, struct reason *why)
{
	char path[4096];
	int fd, error;

	if (injection->dry_run || injection->lock_fd >= 0)
		return 0;
	error = make_directories(system_path(path, INJECTION_RUN_DIRECTORY));
	if (error)
		return fail(why, error, "create %s: %s", path, strerror(-error));
	fd = open(system_path(path, LOCK_FILE), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(why, -errno, "open the lock %s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		error = -errno;
		close(fd);
		if (error == -EWOULDBLOCK)
			return fail(why, -EBUSY,
				    "another injector is at work on this machine (it holds %s); "
				    "wait until it ends",
				    LOCK_FILE);
		return fail(why, error, "lock %s: %s", LOCK_FILE, strerror(-error));
	}
	injection->lock_fd = fd;
	sticky_recover(injection);
	return 0;
}

/** injection_unlock - let the next injector in */
void injection_unlock(struct injection *injection)
{
	if (injection->lock_fd >= 0)
		close(injection->lock_fd);
	injection->lock_fd = -1;
}

static int write_text(const char *path, const char *text)
{
	/* Truncated as a shell would: for the kernel's files it means nothing, for a made-up one all. */
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
 * injection_write - one write to the kernel, noted; in a planned injection only noted
 * @injection: whose
 * @path:      absolute
 * @text:      what; one write(2)
 * @why:       receives path, text and errno of a failure
 *
 * Return: 0 or -errno as the kernel said it.
 */
int injection_write(struct injection *injection, const char *path, const char *text,
		    struct reason *why)
{
	char buffer[4096];
	int error;

	json_array_append_new(injection->writes, json_pack("{s:s, s:s%}", "path", path, "text",
							   text, strcspn(text, "\n")));
	if (injection->dry_run)
		return 0;
	error = write_text(system_path(buffer, path), text);
	if (error)
		return fail(why, error, "write '%.*s' to %s: %s", (int)strcspn(text, "\n"), text,
			    path, strerror(-error));
	return 0;
}

static bool names_host(char *text, const char *host)
{
	char *rest, *line;

	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		line += strspn(line, " \t");
		line[strcspn(line, " \t#\r")] = '\0';
		if (*line && strcmp(line, host) == 0)
			return true;
	}
	return false;
}

/**
 * machine_is_expendable - whether this machine may be broken
 * @why: says why not, and how to allow it
 *
 * Its file holds the machine's own hostname, so that an image copied to another machine does not carry the permission
 * with it.
 *
 * Return: 0 or -EPERM.
 */
int machine_is_expendable(struct reason *why)
{
	__cleanup_free char *text = NULL;
	char host[256] = "", path[4096];
	int error;

	gethostname(host, sizeof(host) - 1);
	error = read_small_file(system_path(path, EXPENDABLE_FILE), &text, NULL);
	if (error)
		return fail(why, -EPERM,
			    "nothing is injected into '%s': %s can not be read (%s); if this "
			    "machine may be broken, put its hostname into that file",
			    host, EXPENDABLE_FILE, strerror(-error));
	if (!names_host(text, host))
		return fail(why, -EPERM,
			    "nothing is injected into '%s': %s does not name this host; if this "
			    "machine may be broken, put '%s' on a line of that file",
			    host, EXPENDABLE_FILE, host);
	return 0;
}

/**
 * finding_add - append one finding of a probe
 * @findings: array; a finding of this name that is there already stays as it is
 * @name:     as scenarios require it
 * @ok:       it is there
 * @reason:   why it is missing; kept only when it is
 * @remedy:   how to get it; kept only when it is missing
 */
void finding_add(json_t *findings, const char *name, bool ok, const char *reason,
		 const char *remedy)
{
	const json_t *finding;
	size_t index;

	json_array_foreach (findings, index, finding)
		if (strcmp(json_text(finding, "name", ""), name) == 0)
			return;
	json_array_append_new(findings,
			      json_pack("{s:s, s:b, s:s*, s:s*}", "name", name, "ok", ok, "reason",
					ok ? NULL : reason, "remedy", ok ? NULL : remedy));
}
