/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_REPORTS_ENVIRONMENT_H
#define BRINELL_REPORTS_ENVIRONMENT_H

#include "harness/lib/util.h"

json_t *environment_of(const json_t *records);
json_t *test_names(const json_t *plan);
json_t *test_names_of(const json_t *records);
const char *test_name(const json_t *names, const json_t *result);

#endif
