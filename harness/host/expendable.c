// SPDX-License-Identifier: GPL-2.0-only
/*
 * The permission to break this machine.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "harness/host/machine.h"

#define EXPENDABLE_FILE "/etc/brinell/expendable"

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
 * @why: reason of a refusal, and how to allow it
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
