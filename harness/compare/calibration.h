/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_COMPARE_CALIBRATION_H
#define BRINELL_COMPARE_CALIBRATION_H

#include "harness/lib/util.h"

/* The result of a calibration, in its directory. */
#define CALIBRATION_FILE "calibration.json"

/* Above this rate of false alarms, every comparison on the bench has a warning. */
#define CALIBRATION_LIMIT_PERCENT 5

/* Runs of each side when a bench is compared with itself: the smallest number with which a metric can alarm. */
#define CALIBRATION_WINDOW 4

int calibration_make(const char *directory, const json_t *plan, json_t **calibration,
		     struct reason *why);
void calibration_print(FILE *out, const json_t *calibration);

json_t *calibration_find(const char *const places[], size_t count, const char *bench,
			 const json_t *scenarios);
size_t calibration_boots(const json_t *calibration, const json_t *scenarios, double alpha,
			 json_t **beyond);
json_t *calibration_brief(const json_t *calibration, bool in_turns);
char *calibration_warning(const json_t *brief);
void calibration_apply(const json_t *calibration, bool in_turns, json_t *comparison);

#endif
