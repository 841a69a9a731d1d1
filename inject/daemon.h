/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_INJECT_DAEMON_H
#define BRINELL_INJECT_DAEMON_H

#include "harness/lib/util.h"

/**
 * struct daemon - how a daemon was started, to restart it
 * @name:        of the process (/proc/PID/comm)
 * @program:     its executable
 * @arguments, @environment: strings one after another, each with its NUL, as in /proc; @arguments_size,
 *               @environment_size: bytes of them
 * @supervised:  a service manager started it, and only that may restart it
 * @restart_ms:  time for another program to restart it
 */
struct daemon {
	char *name, *program, *arguments, *environment;
	size_t arguments_size, environment_size;
	bool supervised;
	int64_t restart_ms;
};

char *process_name(pid_t pid);
int daemon_find(const char *name, pid_t except, pid_t *pid, struct reason *why);
int daemon_read(struct daemon *daemon, pid_t pid, struct reason *why);
int daemon_restart(const struct daemon *daemon, pid_t dead, struct reason *why);
void daemon_free(struct daemon *daemon);

#endif
