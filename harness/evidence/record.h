/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_EVIDENCE_RECORD_H
#define BRINELL_EVIDENCE_RECORD_H

#include "harness/evidence/nature.h"
#include "harness/lib/util.h"

const char *record_type(const json_t *record);
const json_t *record_body(const json_t *record);
int64_t record_time(const json_t *record);
const char *record_text(const json_t *record);
const char *record_told(const json_t *record);
bool record_is(const json_t *record, const char *type);
const char *event_witness(const json_t *record);
const char *event_guest(const json_t *record);
const json_t *event_data(const json_t *record);
int64_t event_time(const json_t *record);
bool event_is_of_kernel(const json_t *record);
const char *intent_kills(const json_t *record);
struct nature intent_nature(const json_t *record);
const char *intent_echoed_by(const json_t *record);
bool is_memory_error_signal(const json_t *data);

#endif
