// SPDX-License-Identifier: GPL-2.0-only
/*
 * The serial console of a micro guest, through a pair of named pipes: a guest that floods fills no disk with it.
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
 * @line:    the one that has no end yet, @used bytes of it
 * @tail:    the last whole ones, a ring with the oldest at @next
 * @panic:   the first one that reports a panic, or NULL; the lines after it are long and less important
 * @dropped: lines beyond the budget since the last one that was passed on
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
 * console_open - make the pipes @path.in and @path.out of a <serial type='pipe'>, and wait for what comes
 * @why: reason of a failure
 *
 * Return: it, or NULL.
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

/** console_free - close it, and remove its pipes */
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

/** console_fd - to be polled for POLLIN; -1 after its end */
int console_fd(const struct console *console)
{
	return console->fd;
}

static void end_line(struct console *console, void (*line)(void *context, const char *text),
		     void *context)
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
		console->dropped++;
		return;
	}
	if (console->dropped) {
		__cleanup_free char *note =
			format_text("(%llu lines that came too fast were left out)",
				    (unsigned long long)console->dropped);

		console->dropped = 0;
		line(context, note);
	}
	line(context, text);
}

/**
 * console_read - take a bounded piece of what has come, without waiting
 * @line: called for each whole line, without its end and without control characters
 */
void console_read(struct console *console, void (*line)(void *context, const char *text),
		  void *context)
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

/** console_end - QEMU has closed it: what stands there without an end is the last line */
void console_end(struct console *console, void (*line)(void *context, const char *text),
		 void *context)
{
	if (console->fd < 0)
		return;
	end_line(console, line, context);
	close(console->fd);
	console->fd = -1;
}

/**
 * console_tail - the last lines, for the text of an error; that of a panic before all others
 * @most: bytes of the text
 *
 * Return: the lines, with " | " between them, owned by the caller; empty when nothing was shown.
 */
char *console_tail(const struct console *console, size_t most)
{
	__cleanup_free char *open_line = xstrndup(console->line, console->used);
	const char *panic = console->panic ?: "";
	char *tail = format_text("%.*s", TAIL_LINE_BYTES, mend_text(open_line));
	size_t taken = strlen(panic) < TAIL_LINE_BYTES ? strlen(panic) : TAIL_LINE_BYTES;
	char *whole;

	/* From the last one to the first, as many as there is room for. */
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
