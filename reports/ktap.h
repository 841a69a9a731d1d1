/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_REPORTS_KTAP_H
#define BRINELL_REPORTS_KTAP_H

#include "reports/report.h"

#define KTAP_VERSION "KTAP version 1"

void ktap_begin(FILE *out, const char *version, size_t trials);
void ktap_result(FILE *out, size_t number, const char *name, const json_t *result);
int ktap_write_trial(FILE *out, const struct report_run *run, const struct report_trial *trial);

#endif
