/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_RIG_SUPERVISOR_CONSOLE_H
#define BRINELL_RIG_SUPERVISOR_CONSOLE_H

#include "harness/lib/util.h"

#define CONSOLE_LINE_MAX 4096

/**
 * struct console - splits the output of a serial console into lines with a time
 * @emit:    receives each line, without its newline, as printable ASCII; @more: the line was too long and continues
 * @context: for @emit
 *
 * All other members are initialized with zero. The time of a line is that of its first byte. Memory is bounded.
 */
struct console {
	void (*emit)(void *context, int64_t time_ns, const char *text, bool more);
	void *context;
	int64_t time_ns;
	size_t used;
	char line[CONSOLE_LINE_MAX + 8];
};

void console_feed(struct console *console, const void *data, size_t length, int64_t now_ns);
void console_flush(struct console *console);

#endif
