// SPDX-License-Identifier: GPL-2.0-only
/*
 * The serial console of a micro guest, through a pair of named pipes, so that a guest that floods it does not fill a disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/hypervisor/domain.h"
#include "harness/link/peer.h"

#define LINE_MAX_BYTES 2048
#define TAIL_LINES 12
#define TAIL_LINE_BYTES 160
#define LINES_PER_SECOND 2000
#define LINES_BURST 8000

/*
 * @line:    incomplete line, @used bytes
 * @tail:    the last complete lines, a ring with the oldest at @next
 * @panic:   the first line that reports a panic, or NULL; many less important lines follow it
 * @dropped: lines above the rate limit since the last reported one
 */
struct console {
	int fd;
	char *in, *out;
	char line[LINE_MAX_BYTES];
	size_t used;
	char *tail[TAIL_LINES];
	size_t next;
	char *panic;
	struct guest_budget budget;
	uint64_t dropped;
};

static int make_pipe(const char *path, struct reason *why)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return fail_errno(why, -errno, "remove %s", path);
	if (mkfifo(path, 0600) < 0)
		return fail_errno(why, -errno, "make the pipe %s", path);
	return 0;
}

/**
 * console_open - create the pipes @path.in and @path.out of a <serial type='pipe'>, and open them
 * @why: reason of a failure
 *
 * Return: the console, or NULL.
 */
struct console *console_open(const char *path, struct reason *why)
{
	struct console *console = xzalloc(sizeof(*console));

	console->in = format_text("%s.in", path);
	console->out = format_text("%s.out", path);
	console->fd = -1;
	if (!make_pipe(console->in, why) && !make_pipe(console->out, why)) {
		console->fd = open(console->out, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (console->fd < 0)
			fail_errno(why, -errno, "open %s", console->out);
	}
	if (console->fd < 0) {
		console_free(console);
		return NULL;
	}
	guest_budget_set(&console->budget, LINES_PER_SECOND, LINES_BURST, now_monotonic_ns());
	return console;
}

/** console_free - close the console, and remove its pipes */
void console_free(struct console *console)
{
	if (!console)
		return;
	if (console->fd >= 0)
		close(console->fd);
	unlink(console->in);
	unlink(console->out);
	for (size_t i = 0; i < TAIL_LINES; i++)
		free(console->tail[i]);
	free(console->panic);
	free(console->in);
	free(console->out);
	free(console);
}

/** console_fd - descriptor to poll for POLLIN; -1 after the end of the console */
int console_fd(const struct console *console)
{
	return console->fd;
}

static void end_line(struct console *console, console_line_fn *line, void *context)
{
	char text[LINE_MAX_BYTES + 1];
	size_t length = 0;

	for (size_t i = 0; i < console->used; i++)
		if ((unsigned char)console->line[i] >= ' ' || console->line[i] == '\t')
			text[length++] = console->line[i];
	text[length] = '\0';
	console->used = 0;
	if (!length)
		return;
	mend_text(text);
	free(console->tail[console->next]);
	console->tail[console->next] = xstrdup(text);
	console->next = (console->next + 1) % TAIL_LINES;
	if (!console->panic && strstr(text, "Kernel panic"))
		console->panic = xstrdup(text);
	if (!guest_budget_take(&console->budget, 1, now_monotonic_ns())) {
		/* At once: a guest that dies may write no line behind the last one that is dropped. */
		if (console->dropped++ == 0)
			line(context, "(lines above the rate limit are dropped)", 1);
		return;
	}
	if (console->dropped) {
		__cleanup_free char *note =
			format_text("(%llu lines above the rate limit were dropped)",
				    (unsigned long long)console->dropped);

		line(context, note, console->dropped);
		console->dropped = 0;
	}
	line(context, text, 0);
}

/**
 * console_read - read a bounded amount of output without blocking
 * @line: called for each complete line, without its newline and without control characters
 */
void console_read(struct console *console, console_line_fn *line, void *context)
{
	char bytes[16384];
	ssize_t got = console->fd < 0 ? 0 : read(console->fd, bytes, sizeof(bytes));

	for (ssize_t i = 0; i < got; i++) {
		if (bytes[i] != '\n')
			console->line[console->used++] = bytes[i];
		if (bytes[i] == '\n' || console->used == LINE_MAX_BYTES)
			end_line(console, line, context);
	}
}

/** console_end - handle the end of the console: an incomplete line is the last one */
void console_end(struct console *console, console_line_fn *line, void *context)
{
	if (console->fd < 0)
		return;
	end_line(console, line, context);
	close(console->fd);
	console->fd = -1;
}

/**
 * console_tail - the last lines, for an error message; the line of a panic comes first
 * @most: largest length of the text
 *
 * Return: the lines, with " | " between them, owned by the caller; empty if there are none.
 */
char *console_tail(const struct console *console, size_t most)
{
	__cleanup_free char *open_line = xstrndup(console->line, console->used);
	const char *panic = console->panic ?: "";
	char *tail = format_text("%.*s", TAIL_LINE_BYTES, mend_text(open_line));
	size_t taken = strlen(panic) < TAIL_LINE_BYTES ? strlen(panic) : TAIL_LINE_BYTES;
	char *whole;

	/* From the last line backwards, as many as fit. */
	for (size_t i = 1; i <= TAIL_LINES; i++) {
		const char *line = console->tail[(console->next + TAIL_LINES - i) % TAIL_LINES];

		if (!line || strcmp(line, panic) == 0 ||
		    taken + strlen(tail) + strnlen(line, TAIL_LINE_BYTES) + 6 > most)
			break;
		whole = format_text("%.*s%s%s", TAIL_LINE_BYTES, line, *tail ? " | " : "", tail);
		free(tail);
		tail = whole;
	}
	whole = format_text("%.*s%s%s", TAIL_LINE_BYTES, panic, *panic && *tail ? " | " : "", tail);
	free(tail);
	return mend_text(whole);
}
