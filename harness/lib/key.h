/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_LIB_KEY_H
#define BRINELL_LIB_KEY_H

/* Keys of scenarios are spelled with hyphens. Files and journals of earlier versions have some with underscores. */

#include "harness/lib/util.h"

char *key_hyphenated(const char *key);
json_t *keys_hyphenated(const json_t *object);

#endif
