// SPDX-License-Identifier: GPL-2.0-only
/*
 * Output of a serial console may have lines without end, NULs and incomplete characters, especially from a crashing machine.
 * Each line becomes printable ASCII, and no byte is lost.
 */
#include "harness/rig/host/supervisor_console.h"

static void emit(struct console *console, bool more)
{
	console->line[console->used] = '\0';
	console->emit(console->context, console->time_ns, console->line, more);
	console->used = 0;
}

/**
 * console_feed - add bytes of output
 * @data:    bytes
 * @length:  their number
 * @now_ns:  CLOCK_REALTIME
 */
void console_feed(struct console *console, const void *data, size_t length, int64_t now_ns)
{
	const unsigned char *bytes = data;
	bool begun = console->used > 0;

	for (size_t i = 0; i < length; i++) {
		unsigned char byte = bytes[i];

		if (byte == '\r')
			continue;
		if (!begun)
			console->time_ns = now_ns;
		begun = byte != '\n';
		if (byte == '\n') {
			emit(console, false);
			continue;
		}
		if ((byte >= 32 && byte < 127) || byte == '\t')
			console->line[console->used++] = (char)byte;
		else
			console->used +=
				(size_t)sprintf(console->line + console->used, "\\x%02x", byte);
		if (console->used >= CONSOLE_LINE_MAX)
			emit(console, true);
	}
}

/** console_flush - emit an incomplete last line, because the machine is off */
void console_flush(struct console *console)
{
	if (console->used)
		emit(console, false);
}
