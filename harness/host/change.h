/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_HOST_CHANGE_H
#define BRINELL_HOST_CHANGE_H

#include "harness/lib/util.h"

/* The lock, and the record of what has to be put back. */
#define CHANGE_DIRECTORY "/run/brinell"
/* Is there when a fault was injected since the boot. */
#define CHANGE_STRUCK CHANGE_DIRECTORY "/struck"

/**
 * struct change - writes to the kernel of this machine that belong together
 * @dry_run: note the writes, do none
 * @writes:  array of {"path", "text"} in order: what was written, or would be; owned by the user of the struct
 * @lock_fd: the lock of all injectors on this machine, or -1
 */
struct change {
	bool dry_run;
	json_t *writes;
	int lock_fd;
};

int change_lock(struct change *change, struct reason *why);
void change_unlock(struct change *change);
void change_recover(void);
void change_note_fault(const struct change *change);
int change_write(struct change *change, const char *path, const char *text, struct reason *why);

#endif
