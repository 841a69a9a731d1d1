/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_REPORTS_KTAP_H
#define BRINELL_REPORTS_KTAP_H

#include "harness/lib/util.h"

void ktap_begin(FILE *out, size_t trials);
void ktap_result(FILE *out, size_t number, const json_t *result);

#endif
