/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_GMEM_LEAKS_H
#define BRINELL_GMEM_LEAKS_H

#include "harness/lib/util.h"

#define LEAKS_MOST 8

/**
 * struct leaks - the kernel's counts of held objects on this machine
 * @counts: of each kind; -1: unknown
 * @others: VMs of other processes; -1: unknown
 */
struct leaks {
	int64_t counts[LEAKS_MOST], others;
};

void leaks_count(struct leaks *leaks, pid_t storm);
char *leaks_find(const struct leaks *before, const struct leaks *after);

#endif
