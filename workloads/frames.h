/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_WORKLOADS_FRAMES_H
#define BRINELL_WORKLOADS_FRAMES_H

#include "harness/base/util.h"

#define FRAME_SIZE 4096

/* Bits of /proc/kpageflags (include/uapi/linux/kernel-page-flags.h). */
#define FRAME_SLAB 7
#define FRAME_BUDDY 10
#define FRAME_HWPOISON 19
#define FRAME_OFFLINE 23
#define FRAME_PGTABLE 26

uint64_t frame_of(const void *address);
int frames_of(const void *address, size_t count, uint64_t *pfns);

/**
 * struct frame_set - the frames of this machine that have a flag
 * @bits:  one for each frame
 * @count: frames of the machine, holes included
 */
struct frame_set {
	unsigned char *bits;
	uint64_t count;
};

int frame_set_take(struct frame_set *set, unsigned int flag, struct reason *why);
void frame_set_release(struct frame_set *set);
bool frame_set_has(const struct frame_set *set, uint64_t pfn);
uint64_t frame_set_new(const struct frame_set *before, const struct frame_set *after,
		       uint64_t *number);
uint64_t frame_set_middle_of_longest(const struct frame_set *set, uint64_t align, uint64_t *length);

#endif
