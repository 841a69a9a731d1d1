/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_INJECT_DAEMON_H
#define BRINELL_INJECT_DAEMON_H

#include "harness/lib/util.h"

/**
 * struct daemon - how a daemon was started, so that it can be started again
 * @name:        of the process (/proc/PID/comm)
 * @program:     its executable
 * @arguments, @environment: texts one after another, each with its NUL, as in /proc; @arguments_size,
 *               @environment_size bytes of them
 * @supervised:  a service manager has started it, and alone may start it again
 * @patience_ms: how long another program has to start it again
 */
struct daemon {
	char *name, *program, *arguments, *environment;
	size_t arguments_size, environment_size;
	bool supervised;
	int64_t patience_ms;
};

char *process_name(pid_t pid);
int daemon_find(const char *name, pid_t except, pid_t *pid, struct reason *why);
int daemon_read(struct daemon *daemon, pid_t pid, struct reason *why);
int daemon_bring_back(const struct daemon *daemon, pid_t dead, struct reason *why);
void daemon_free(struct daemon *daemon);

#endif
