/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_REPORTS_STORY_H
#define BRINELL_REPORTS_STORY_H

#include "harness/lib/util.h"

json_t *story_of(const json_t *records, const char *trial);
json_t *story_records(const json_t *records, const char *trial);
const json_t *story_record(const json_t *records, const char *trial, const char *type);
char *story_line(const json_t *record, bool name_host, const char **witness);

#endif
