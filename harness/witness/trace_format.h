/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_WITNESS_TRACE_FORMAT_H
#define BRINELL_WITNESS_TRACE_FORMAT_H

#include "harness/lib/util.h"

json_t *trace_fields(const char *format, const char *text);

#endif
