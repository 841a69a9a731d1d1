/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_REPORTS_STORY_H
#define BRINELL_REPORTS_STORY_H

#include "harness/evidence/record.h"

json_t *story_of(const json_t *records, const char *trial);
size_t story_records(const json_t *records, const char *trial, struct record **own);
char *story_line(const struct record *record, bool name_host, const char **witness);

#endif
