// SPDX-License-Identifier: GPL-2.0-only
/*
 * Serial lines of an emulator that has only TCP: it connects them to ports of this machine. The line of the agent is relayed to
 * a Unix socket, as QEMU provides: one peer at a time, and nothing is buffered for the next one.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <netinet/in.h>

#include "harness/rig/host/supervisor_internal.h"

#define CONNECT_NS (30 * NSEC_PER_SEC)

/**
 * port_listen - listen on a TCP port of this machine for one connection
 * @fd:     receives the listening socket
 * @number: receives the port
 *
 * Return: 0 or -errno.
 */
int port_listen(int *fd, unsigned int *number, struct reason *why)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);

	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0 || bind(*fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(*fd, 1) < 0 || getsockname(*fd, (struct sockaddr *)&address, &length) < 0)
		return fail_errno(why, -errno, "cannot listen on 127.0.0.1");
	*number = ntohs(address.sin_port);
	return 0;
}

/* Any user of this machine can connect to the port: accept only a socket of the same user (/proc/net/tcp). */
static bool is_of_this_user(int fd)
{
	struct sockaddr_in own, peer;
	socklen_t length = sizeof(own);
	__cleanup_free char *table = NULL;
	unsigned int local, local_port, remote, remote_port, uid;
	char *rest, *line;

	if (getsockname(fd, (struct sockaddr *)&own, &length) < 0 ||
	    getpeername(fd, (struct sockaddr *)&peer, &length) < 0 ||
	    read_small_file("/proc/net/tcp", &table, NULL))
		return false;
	for (line = strtok_r(table, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (sscanf(line, " %*u: %x:%x %x:%x %*x %*x:%*x %*x:%*x %*x %u", &local,
			   &local_port, &remote, &remote_port, &uid) == 5 &&
		    local_port == ntohs(peer.sin_port) && remote_port == ntohs(own.sin_port))
			return uid == getuid();
	return false;
}

/**
 * port_accept - wait for the emulator on a port
 * @listener: of port_listen()
 * @emulator: its process
 * @fd:       receives the connection
 *
 * Return: 0, -ETIMEDOUT, or -EPIPE when the emulator has ended.
 */
int port_accept(int listener, pid_t emulator, int *fd, struct reason *why)
{
	int64_t deadline = now_monotonic_ns() + CONNECT_NS;
	struct pollfd readable = {.fd = listener, .events = POLLIN};

	while (now_monotonic_ns() < deadline) {
		siginfo_t ended = {0};

		if (poll(&readable, 1, 100) > 0) {
			*fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
			if (*fd >= 0 && is_of_this_user(*fd))
				return 0;
			if (*fd >= 0)
				close(*fd);
			*fd = -1;
		}
		if (waitid(P_PID, (id_t)emulator, &ended, WEXITED | WNOHANG | WNOWAIT) < 0 ||
		    ended.si_pid)
			return fail(why, -EPIPE, "the emulator ended during its start");
	}
	return fail(why, -ETIMEDOUT, "the emulator does not connect its serial lines");
}

static void close_end(int *fd, sd_event_source **source)
{
	*source = sd_event_source_disable_unref(*source);
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Write the waiting bytes. The source is not read meanwhile. */
static void pass_on(struct relay *relay)
{
	ssize_t put = send(relay->to, relay->waiting, relay->length, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (put > 0) {
		relay->length -= (size_t)put;
		memmove(relay->waiting, relay->waiting + put, relay->length);
	}
	sd_event_source_set_enabled(relay->readable, relay->length ? SD_EVENT_OFF : SD_EVENT_ON);
	sd_event_source_set_enabled(relay->writable, relay->length ? SD_EVENT_ON : SD_EVENT_OFF);
}

static int on_writable(sd_event_source *source, int fd, uint32_t events, void *context)
{
	pass_on(context);
	return 0;
}

static void drop_peer(struct supervisor *supervisor)
{
	struct relay *to_agent = &supervisor->to_agent, *from_agent = &supervisor->from_agent;

	close_end(&to_agent->from, &to_agent->readable);
	close_end(&to_agent->to, &to_agent->writable);
	close_end(&from_agent->to, &from_agent->writable);
	to_agent->length = from_agent->length = 0;
	if (from_agent->readable)
		sd_event_source_set_enabled(from_agent->readable, SD_EVENT_ON);
}

/* Return: number of waiting bytes, 0 when nothing can be read now, or -EPIPE at the end of the stream. */
static ssize_t fill(struct relay *relay)
{
	ssize_t got = recv(relay->from, relay->waiting, sizeof(relay->waiting), MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	relay->length = got > 0 ? (size_t)got : 0;
	return got > 0 ? got : -EPIPE;
}

static int on_peer_readable(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct relay *relay = context;
	ssize_t got = fill(relay);

	if (got < 0)
		drop_peer(relay->supervisor);
	else if (got > 0)
		pass_on(relay);
	return 0;
}

/* Drop the rest of a line whose start the peer did not receive. */
static void skip_line(struct relay *relay)
{
	const char *end = memchr(relay->waiting, '\n', relay->length);
	size_t skipped = end ? (size_t)(end - relay->waiting) + 1 : relay->length;

	relay->skips = !end;
	relay->length -= skipped;
	memmove(relay->waiting, relay->waiting + skipped, relay->length);
}

static int on_agent_readable(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct relay *relay = context;
	struct supervisor *supervisor = relay->supervisor;
	ssize_t got = fill(relay);

	/* At its end, on_qemu_exit() follows. */
	if (got < 0)
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	if (got <= 0)
		return 0;
	/* The driver drops bytes that came before the line was open. */
	if (!supervisor->agent_open && supervisor->to_agent.readable)
		sd_event_source_set_enabled(supervisor->to_agent.readable, SD_EVENT_ON);
	supervisor->agent_open = true;
	relay->midline = relay->waiting[got - 1] != '\n';
	if (relay->skips)
		skip_line(relay);
	if (relay->to < 0)
		relay->length = 0;
	else if (relay->length)
		pass_on(relay);
	return 0;
}

/* Each source of sd-event needs its own descriptor. Return: as sd_event_add_io() */
static int add_end(struct supervisor *supervisor, int fd, int *end, sd_event_source **source,
		   uint32_t events, sd_event_io_handler_t handler, struct relay *relay)
{
	*end = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	relay->supervisor = supervisor;
	return sd_event_add_io(supervisor->loop, source, *end, events, handler, relay);
}

static int on_peer(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct supervisor *supervisor = context;
	struct relay *to_agent = &supervisor->to_agent, *from_agent = &supervisor->from_agent;
	__cleanup_close int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (peer < 0)
		return 0;
	drop_peer(supervisor);
	from_agent->skips = from_agent->midline;
	if (add_end(supervisor, peer, &to_agent->from, &to_agent->readable, EPOLLIN,
		    on_peer_readable, to_agent) < 0 ||
	    add_end(supervisor, from_agent->from, &to_agent->to, &to_agent->writable, EPOLLOUT,
		    on_writable, to_agent) < 0 ||
	    add_end(supervisor, peer, &from_agent->to, &from_agent->writable, EPOLLOUT, on_writable,
		    from_agent) < 0) {
		drop_peer(supervisor);
		return 0;
	}
	sd_event_source_set_enabled(to_agent->writable, SD_EVENT_OFF);
	sd_event_source_set_enabled(from_agent->writable, SD_EVENT_OFF);
	if (!supervisor->agent_open)
		sd_event_source_set_enabled(to_agent->readable, SD_EVENT_OFF);
	return 0;
}

/**
 * port_serve - relay the serial line of the agent to a Unix socket
 * @fd: the emulator's end of the line
 *
 * Return: 0 or -errno.
 */
int port_serve(struct supervisor *supervisor, int fd, struct reason *why)
{
	struct relay *from_agent = &supervisor->from_agent;
	int error;

	supervisor->agent_open = from_agent->midline = from_agent->skips = false;
	error = add_end(supervisor, fd, &from_agent->from, &from_agent->readable, EPOLLIN,
			on_agent_readable, from_agent);
	if (error < 0)
		return fail_errno(why, error, "the serial line of the agent");
	return supervisor_listen_on(supervisor, SUPERVISOR_AGENT, &supervisor->port_listener,
				    &supervisor->port_source, on_peer, why);
}

/** port_end - close the relay, because the emulator has ended */
void port_end(struct supervisor *supervisor)
{
	drop_peer(supervisor);
	close_end(&supervisor->from_agent.from, &supervisor->from_agent.readable);
	close_end(&supervisor->port_listener, &supervisor->port_source);
}
