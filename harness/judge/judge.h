/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_JUDGE_JUDGE_H
#define BRINELL_JUDGE_JUDGE_H

#include "harness/lib/util.h"

json_t *judge_trial(const json_t *records, const char *trial);
bool judge_is_settled(const json_t *records, const char *trial);
json_t *judge_run(const json_t *records);
enum brinell_exit judge_exit_code(const json_t *results);

#endif
