/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_LIB_SPAWN_H
#define BRINELL_LIB_SPAWN_H

#include "harness/lib/util.h"

/* What a standard stream of a program is, besides a descriptor of the caller. */
#define SPAWN_NULL (-1)
#define SPAWN_PIPE (-2)
/* For standard error: the same as standard output. */
#define SPAWN_OUTPUT (-3)

/**
 * enum spawn_place - how a program is related to its caller
 * @SPAWN_CHILD:   of the same process group
 * @SPAWN_GROUP:   in a process group of its own, without the signals of the terminal
 * @SPAWN_SESSION: in a session of its own
 * @SPAWN_DAEMON:  in a session of its own, in "/", without any descriptor of the caller
 * @SPAWN_ORPHAN:  the same, and no child of the caller: the process that is waited for ends at once
 */
enum spawn_place {
	SPAWN_CHILD,
	SPAWN_GROUP,
	SPAWN_SESSION,
	SPAWN_DAEMON,
	SPAWN_ORPHAN,
};

/**
 * struct spawn - a program to start
 * @argv:         NULL-terminated; its first word is looked for in PATH, unless @file is set
 * @file:         path of the program, or NULL
 * @environment:  NULL: that of the caller
 * @streams:      standard input, output and error: descriptors, or SPAWN_*
 * @keep:         further descriptors that the program inherits
 * @keep_count:   their number; those below 0 are skipped
 * @death_signal: sent to the program when the thread that started it ends; 0: none
 * @pid:          receives its process
 * @ends:         receive the caller's ends of SPAWN_PIPE, close-on-exec, and -1 for other streams
 */
struct spawn {
	const char *const *argv;
	const char *file;
	char *const *environment;
	int streams[3];
	const int *keep;
	size_t keep_count;
	int death_signal;
	enum spawn_place place;
	pid_t pid;
	int ends[3];
};

int spawn_start(struct spawn *spawn, struct reason *why);
int spawn_wait(const struct spawn *spawn, int timeout_ms, int *status);

#endif
