/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_COMPARE_FINGERPRINT_H
#define BRINELL_COMPARE_FINGERPRINT_H

#include "harness/lib/util.h"

void fingerprint_note(json_t *fingerprint, const char *part, const char *value);
void fingerprint_read(json_t *fingerprint, const json_t *records);
json_t *fingerprint_differences(const json_t *a, const json_t *b, const char *across);

#endif
