/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_HOST_SAMPLES_H
#define BRINELL_HOST_SAMPLES_H

#include "harness/lib/util.h"

/* The buffer of a processor: half a second of deep stacks at 1000 samples a second. */
#define SAMPLES_RING_BYTES (128u << 10)

struct samples;

int samples_open(struct samples **samples, const char *event, uint64_t frequency,
		 struct reason *why);
void samples_await(struct samples *samples, int fd);
void samples_stop(struct samples *samples);
uint64_t samples_fold(struct samples *samples, json_t *stacks, uint64_t *lost);
void samples_close(struct samples *samples);

/*
 * A frame is an address of the kernel, whose highest bit is set, or a place in a file: its number, and below it the offset.
 * The number 0 is no file: then the frame is 0, or all that a processor does for a guest.
 */
#define FRAME_GUEST 1ULL
#define FRAME_KERNEL (1ULL << 63)
#define FRAME_FILE_SHIFT 47
#define FRAME_OFFSET ((1ULL << FRAME_FILE_SHIFT) - 1)

char **symbols_find(const uint64_t *frames, size_t count, char *const *files);

#endif
