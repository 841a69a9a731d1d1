/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_REPORTS_ENVIRONMENT_H
#define BRINELL_REPORTS_ENVIRONMENT_H

#include "harness/lib/util.h"

json_t *environment_of(const json_t *records);

#endif
