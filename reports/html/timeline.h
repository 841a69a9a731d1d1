/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_REPORTS_TIMELINE_H
#define BRINELL_REPORTS_TIMELINE_H

#include "reports/course.h"

void timeline_write(FILE *out, const struct course *course, const json_t *result);

#endif
