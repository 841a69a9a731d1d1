/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_AGENT_PROBE_H
#define BRINELL_AGENT_PROBE_H

#include "harness/lib/util.h"

json_t *probe_machine(void);

#endif
