/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_STORE_DURATIONS_H
#define BRINELL_STORE_DURATIONS_H

#include "harness/lib/util.h"

json_t *durations_load(void);
void durations_save(const json_t *durations);
int64_t durations_of(const json_t *durations, const char *scenario, const char *bench);
void durations_note(json_t *durations, const char *scenario, const char *bench, int64_t ms);
char *durations_expect(const json_t *trials, size_t times);

#endif
