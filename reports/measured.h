/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_REPORTS_MEASURED_H
#define BRINELL_REPORTS_MEASURED_H

#include "reports/report.h"

json_t *measured_member(json_t *object, const char *key);
char *measured_name(const char *name);
void measured_take(json_t *measured, const json_t *result);
int measured_trial(FILE *out, const struct report_run *run, const struct report_trial *trial);
int measured_boot(const json_t *samples, double *median);
bool measured_median(const json_t *metric, double *median);
void gobench_write(FILE *out, const json_t *measured);
void otava_write(FILE *out, const json_t *rows);

#endif
