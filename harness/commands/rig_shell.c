// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell rig shell: a terminal at the serial console of an emulated host.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>

#include "harness/commands/rig_command.h"

#define DETACH_KEY 0x1d

static int connect_console(const struct rig *rig, struct reason *why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", rig_console_path(rig));
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	fail_errno(why, -errno, "cannot reach the console of rig %s", rig_name(rig));
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool host_is_off(struct rig *rig)
{
	struct reason why;
	json_t *event;
	bool off = false;
	int got;

	while ((got = rig_receive(rig, &event, &why)) > 0) {
		off = off || json_is(event, "state", "off");
		json_decref(event);
	}
	return off || got < 0;
}

/* Relay bytes until Ctrl-], the end of the host, or of the console. */
static void relay(struct rig *rig, int console)
{
	struct pollfd fds[3] = {{.fd = STDIN_FILENO, .events = POLLIN},
				{.fd = console, .events = POLLIN},
				{.fd = rig_control_fd(rig), .events = POLLIN}};
	char bytes[4096];

	for (;;) {
		ssize_t got;

		if (poll(fds, 3, -1) < 0)
			return;
		if (fds[1].revents) {
			got = read(console, bytes, sizeof(bytes));
			if (got <= 0 || write_all(STDOUT_FILENO, bytes, (size_t)got))
				return;
		}
		if (fds[0].revents) {
			got = read(STDIN_FILENO, bytes, sizeof(bytes));
			if (got <= 0)
				fds[0].fd = -1;
			else if (memchr(bytes, DETACH_KEY, (size_t)got) ||
				 write_all(console, bytes, (size_t)got))
				return;
		}
		if (fds[2].revents && !fds[1].revents && host_is_off(rig))
			return;
	}
}

/** rig_shell - brinell rig shell */
int rig_shell(int argc, char **argv)
{
	struct rig_command_line line;
	struct termios before, raw;
	__cleanup_close int console = -1;
	struct reason why = {""};
	struct rig *rig;
	bool booted, terminal = isatty(STDIN_FILENO);
	int status = rig_parse(argc, argv, HOST_OPTIONS, false, &line) ?: rig_check_files(&line);

	line.options.shell = "once";
	if (!status)
		status = rig_find_or_boot(&line, &rig, &booted);
	if (!status) {
		console = connect_console(rig, &why);
		if (console < 0)
			status = rig_failed(-EIO, &why);
	}
	if (console >= 0) {
		log_info("rig %s: root shell; Ctrl-] %s", rig_name(rig),
			 booted ? "or `exit` ends the host" : "leaves it");
		if (terminal) {
			tcgetattr(STDIN_FILENO, &before);
			raw = before;
			cfmakeraw(&raw);
			tcsetattr(STDIN_FILENO, TCSANOW, &raw);
		}
		/* The prompt was printed before the connection. */
		if (!booted)
			(void)write_all(console, "\n", 1);
		relay(rig, console);
		if (terminal)
			tcsetattr(STDIN_FILENO, TCSANOW, &before);
		fputs("\n", stdout);
	}
	if (!status && booted)
		rig_stop(rig);
	else if (!status)
		rig_disconnect(rig);
	free(line.files);
	return status;
}
