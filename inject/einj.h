/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_INJECT_EINJ_H
#define BRINELL_INJECT_EINJ_H

#include "harness/lib/util.h"

#define EINJ_DIRECTORY "/sys/kernel/debug/apei/einj"

const char *einj_explain(int error, int64_t duration_ns);
int einj_parse_sbdf(const char *text, uint64_t *sbdf);

#endif
