/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_RIG_KEEPER_H
#define BRINELL_RIG_KEEPER_H

#include "harness/rig/host/rig.h"

#define KEEPER_AGENT "agent"
#define KEEPER_CONSOLE "console"
#define KEEPER_CONTROL "control"
#define KEEPER_DOORBELL "doorbell"
#define KEEPER_LINK "link"
#define KEEPER_LOCK "lock"
#define KEEPER_QMP "qmp"
#define KEEPER_STATE "state.json"

int keeper_main(int control);

/**
 * struct rig_state - a rig that is up, or what one that was killed left behind
 * @name:        of the rig and its directory
 * @directory:   with its sockets
 * @profile:     kind of host
 * @kernel:      release, or path of the user's
 * @pid:         of the keeper
 * @started_ns:  CLOCK_REALTIME
 * @deadline_ns: CLOCK_REALTIME
 * @detached:    lives on its own
 * @alive:       its keeper lives
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
