/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_REPORTS_TIMELINE_H
#define BRINELL_REPORTS_TIMELINE_H

#include "harness/base/util.h"

void timeline_write(FILE *out, const json_t *story, const json_t *result);

#endif
