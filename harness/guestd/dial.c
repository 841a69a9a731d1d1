// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a guest reaches its host: AF_VSOCK first, then a virtio serial port. The guest dials, so that a guest that was moved
 * finds its new host by the same address.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/vm_sockets.h>
#include <sys/un.h>

#include "harness/guestd/guestd.h"

/* A host that does not answer must not keep the guest from its witnesses. */
#define DIAL_TIMEOUT_US 500000

static int dial_vsock(unsigned int cid, unsigned int port, struct reason *why)
{
	struct sockaddr_vm host = {.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port};
	struct timeval timeout = {.tv_usec = DIAL_TIMEOUT_US};
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return fail(why, -errno,
			    "socket(AF_VSOCK): %s; this kernel lacks vsock and "
			    "vmw_vsock_virtio_transport",
			    strerror(errno));
	setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &timeout, sizeof(timeout));
	if (connect(fd, (const struct sockaddr *)&host, sizeof(host)) == 0)
		return fd;
	error = -errno;
	close(fd);
	return fail(why, error,
		    "connect to vsock CID %u port %u: %s; the domain needs a <vsock> device and "
		    "the host an agent that listens",
		    cid, port, strerror(-error));
}

static int dial_socket(const char *path, struct reason *why)
{
	struct sockaddr_un host = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return fail_errno(why, -errno, "socket(AF_UNIX)");
	snprintf(host.sun_path, sizeof(host.sun_path), "%s", path);
	if (connect(fd, (const struct sockaddr *)&host, sizeof(host)) == 0)
		return fd;
	error = -errno;
	close(fd);
	return fail_errno(why, error, "connect to %s", path);
}

/* Opens a serial port when its other end is open: until then it reads as hung up. */
static int dial_serial(const char *path, struct reason *why)
{
	struct pollfd state = {.events = POLLOUT};
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return fail_errno(why, -errno, "open %s", path);
	make_terminal_raw(fd);
	state.fd = fd;
	if (poll(&state, 1, 0) >= 0 && !(state.revents & POLLHUP)) {
		/* What was left unfinished on the port before ends here. */
		(void)!write(fd, "\n", 1);
		return fd;
	}
	close(fd);
	return fail(why, -ENOTCONN, "%s: no peer is connected to it on the host", path);
}

/**
 * guest_find_serial - the device of the virtio serial port that is named GUEST_SERIAL_NAME
 *
 * udev makes a link of the name; without udev sysfs reports (drivers/char/virtio_console.c, "name").
 *
 * Return: its path, to be freed; NULL when there is none.
 */
char *guest_find_serial(void)
{
	static const char *const link = "/dev/virtio-ports/" GUEST_SERIAL_NAME;
	char path[4096];
	struct dirent *entry;
	char *found = NULL;
	__cleanup_directory DIR *ports = NULL;

	if (access(system_path(path, link), F_OK) == 0)
		return xstrdup(path);
	ports = opendir(system_path(path, "/sys/class/virtio-ports"));
	while (ports && !found && (entry = readdir(ports))) {
		__cleanup_free char *place =
			format_text("/sys/class/virtio-ports/%s/name", entry->d_name);
		__cleanup_free char *device = format_text("/dev/%s", entry->d_name);
		__cleanup_free char *name = NULL;

		if (entry->d_name[0] == '.' ||
		    read_small_file(system_path(path, place), &name, NULL))
			continue;
		name[strcspn(name, "\n")] = '\0';
		if (strcmp(name, GUEST_SERIAL_NAME) == 0)
			found = xstrdup(system_path(path, device));
	}
	return found;
}

/**
 * guest_port_of - the port that a kernel command line names by brinell.port=N
 * @command_line: of the kernel; NULL is fine
 *
 * Return: it, or GUEST_VSOCK_PORT.
 */
unsigned int guest_port_of(const char *command_line)
{
	static const char key[] = "brinell.port=";
	const char *at = command_line;

	while (at && (at = strstr(at, key))) {
		char *end;
		unsigned long port;

		if (at == command_line || at[-1] == ' ') {
			port = strtoul(at + strlen(key), &end, 10);
			if (end != at + strlen(key) && strchr(" \n", *end) && port &&
			    port < UINT32_MAX)
				return (unsigned int)port;
		}
		at += strlen(key);
	}
	return GUEST_VSOCK_PORT;
}

/**
 * guest_dial - try each way to the host once
 * @address: the ways
 * @why:     what failed, of all that was tried
 *
 * Waits at most half a second. Return: a connected descriptor, owned by the caller, or -errno.
 */
int guest_dial(const struct guest_address *address, struct reason *why)
{
	__cleanup_free char *found = NULL;
	struct reason serial_why = {0};
	const char *serial = address->serial;
	int fd = -ENOTCONN;

	if (address->socket)
		return dial_socket(address->socket, why);
	if (address->cid)
		fd = dial_vsock(address->cid, address->port, why);
	if (fd >= 0)
		return fd;
	if (!serial)
		serial = found = guest_find_serial();
	if (!serial)
		return address->cid ? fd
				    : fail(why, -ENODEV,
					   "no virtio serial port is named " GUEST_SERIAL_NAME);
	fd = dial_serial(serial, &serial_why);
	if (fd >= 0)
		return fd;
	if (!address->cid)
		*why = serial_why;
	return fd;
}
