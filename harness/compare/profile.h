/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_COMPARE_PROFILE_H
#define BRINELL_COMPARE_PROFILE_H

#include "harness/lib/util.h"

void profile_regressions(const char *directory, const json_t *plan, json_t *comparison);

json_t *flame_changes(const json_t *a, const json_t *b, size_t most);
void flame_write(FILE *out, const char *title, const json_t *a, const json_t *b);

#endif
