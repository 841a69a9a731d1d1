/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_COMMANDS_DIRECTORY_H
#define BRINELL_COMMANDS_DIRECTORY_H

#include "harness/lib/util.h"

/* What a command made in a directory. */
enum directory_kind {
	DIRECTORY_RUN,
	DIRECTORY_COMPARISON, /* or a calibration */
	DIRECTORY_NIGHT,
};

enum directory_kind directory_kind(const char *directory);
bool directory_is_run(const char *command, const char *directory);

#endif
