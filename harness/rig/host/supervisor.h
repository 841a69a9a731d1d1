/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_RIG_SUPERVISOR_H
#define BRINELL_RIG_SUPERVISOR_H

#include "harness/rig/host/rig.h"

#define SUPERVISOR_AGENT "agent"
#define SUPERVISOR_CONSOLE "console"
#define SUPERVISOR_CONTROL "control"
#define SUPERVISOR_DOORBELL "doorbell"
#define SUPERVISOR_LINK "link"
#define SUPERVISOR_LOCK "lock"
#define SUPERVISOR_QMP "qmp"
#define SUPERVISOR_STATE "state.json"

int supervisor_main(int control);

/**
 * struct rig_state - a rig that is up, or the remains of a killed one
 * @name:        of the rig and its directory
 * @directory:   with its sockets
 * @profile:     kind of host
 * @kernel:      release, or path of the user's
 * @pid:         of the supervisor
 * @started_ns:  CLOCK_REALTIME
 * @deadline_ns: CLOCK_REALTIME
 * @detached:    it survives the process that started it
 * @alive:       its supervisor runs
 */
struct rig_state {
	char *name;
	char *directory;
	char *profile;
	char *kernel;
	pid_t pid;
	int64_t started_ns;
	int64_t deadline_ns;
	bool detached;
	bool alive;
};

int rig_runtime_directory(char **path, struct reason *why);
int rig_directory_create(const char *profile, char **directory, int *lock, struct reason *why);
int rig_state_list(struct rig_state **states, size_t *count, struct reason *why);
void rig_state_list_free(struct rig_state *states, size_t count);
int rig_state_clean(unsigned int *removed, struct reason *why);

#endif
