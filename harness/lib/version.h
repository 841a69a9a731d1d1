/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_LIB_VERSION_H
#define BRINELL_LIB_VERSION_H

#include "harness/lib/util.h"

int version_check(const char *text, struct reason *why);
bool version_holds(const char *condition, const char *version);

#endif
