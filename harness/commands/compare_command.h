/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_COMMANDS_COMPARE_COMMAND_H
#define BRINELL_COMMANDS_COMPARE_COMMAND_H

#include "harness/lib/util.h"

int compare_finish(const char *directory, const json_t *plan, bool as_json);

#endif
