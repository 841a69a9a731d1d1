// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the stream of a guest begins and ends: it dials by vsock, or its host connects to the socket of its serial port.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <linux/vm_sockets.h>
#include <sys/un.h>

#include "harness/link/internal.h"

#define RETRY_FIRST_NS (50 * NSEC_PER_MSEC)
#define RETRY_MOST_NS NSEC_PER_SEC

/** guest_peer_drop - end the stream of a guest, and with it the calls that wait for it */
void guest_peer_drop(struct guest_link *link, struct guest_peer *peer, const char *because)
{
	channel_free(peer->channel);
	peer->channel = NULL;
	peer->greeted = false;
	json_decref(steal(peer->hello));
	guest_peer_fail_calls(link, peer, because);
}

/* Take a connected descriptor as a guest's stream. An older one is replaced: its guest has given it up. */
static void take_stream(struct guest_link *link, struct guest_peer *peer, int fd)
{
	int64_t now = now_monotonic_ns();
	bool replaced = peer->channel != NULL;

	if (now < peer->refused_until_ns) {
		close(fd);
		/* The first is reported, the others are counted. */
		if (peer->refusals++ == 0)
			guest_peer_event(link, peer, "refused", NULL,
					 "it is refused until its time is up");
		return;
	}
	if (replaced)
		guest_peer_drop(link, peer, "it has dialled again");
	peer->channel = channel_new(fd, fd);
	peer->since_ns = now;
	peer->rubbish = 0;
	peer->streams++;
	guest_budget_set(&peer->bytes, link->limits.bytes_per_second, link->limits.bytes_burst,
			 now);
	guest_budget_set(&peer->lines, link->limits.lines_per_second, link->limits.lines_burst,
			 now);
	guest_peer_event(link, peer, "connected",
			 json_pack("{s:I, s:b, s:I, s:I}", "cid", (json_int_t)peer->cid, "replaced",
				   replaced, "stream", (json_int_t)peer->streams, "refusals",
				   (json_int_t)peer->refusals),
			 "connected%s", replaced ? ", in place of its older stream" : "");
	peer->refusals = 0;
	peer->terminal = isatty(fd);
	if (peer->terminal && (peer->boot_id || peer->arrives))
		guest_peer_take_over(link, peer);
	peer->arrives = false;
}

/**
 * guest_link_listen - wait for guests on AF_VSOCK
 * @port: to listen on; 0 lets the kernel choose. Receives the port
 * @why:  reason of a failure
 *
 * Return: 0, -EALREADY when it listens (then @port receives where), or -errno.
 */
int guest_link_listen(struct guest_link *link, unsigned int *port, struct reason *why)
{
	struct sockaddr_vm here = {.svm_family = AF_VSOCK,
				   .svm_cid = VMADDR_CID_ANY,
				   .svm_port = *port ?: VMADDR_PORT_ANY};
	socklen_t size = sizeof(here);
	__cleanup_close int fd = -1;

	if (link->listener >= 0) {
		*port = link->port;
		return fail(why, -EALREADY, "guests are awaited on port %u already", link->port);
	}
	fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(why, -errno, "socket(AF_VSOCK): %s; load vhost_vsock", strerror(errno));
	if (bind(fd, (const struct sockaddr *)&here, sizeof(here)) < 0)
		return fail(why, -errno, "bind to vsock port %u: %s; choose another port", *port,
			    strerror(errno));
	if (listen(fd, 16) < 0 || getsockname(fd, (struct sockaddr *)&here, &size) < 0)
		return fail_errno(why, -errno, "listen on vsock port %u", *port);
	*port = link->port = here.svm_port;
	link->listener = fd;
	fd = -1;
	return 0;
}

/** guest_link_listen_no_more - refuse new streams; existing streams continue */
void guest_link_listen_no_more(struct guest_link *link)
{
	if (link->listener >= 0)
		close(link->listener);
	link->listener = -1;
}

/** guest_link_accept - a guest has dialled */
void guest_link_accept(struct guest_link *link)
{
	struct sockaddr_vm there = {0};
	socklen_t size = sizeof(there);
	int fd = accept4(link->listener, (struct sockaddr *)&there, &size, SOCK_CLOEXEC);
	__cleanup_free char *name = NULL;
	struct guest_peer *peer;
	struct reason why;

	if (fd < 0)
		return;
	peer = guest_link_find_cid(link, there.svm_cid);
	if (!peer) {
		name = format_text("cid-%u", there.svm_cid);
		peer = guest_link_add(link, name, &why);
	}
	if (!peer) {
		log_warning("%s", why.text);
		close(fd);
		return;
	}
	peer->cid = there.svm_cid;
	take_stream(link, peer, fd);
}

static int open_socket(const char *path, struct reason *why)
{
	struct sockaddr_un there = {.sun_family = AF_UNIX};
	__cleanup_close int fd = -1;
	int connected;

	if (strlen(path) >= sizeof(there.sun_path))
		return fail(why, -ENAMETOOLONG, "connect to %s: the path is too long", path);
	snprintf(there.sun_path, sizeof(there.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail_errno(why, -errno, "socket(AF_UNIX)");
	if (connect(fd, (const struct sockaddr *)&there, sizeof(there)) < 0)
		return fail(why, -errno, "connect to %s: %s; is its guest started?", path,
			    strerror(errno));
	connected = fd;
	fd = -1;
	return connected;
}

/* A terminal is the other end of a console; its bytes must come as they are. */
static int open_terminal(const char *path, struct reason *why)
{
	int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return fail_errno(why, -errno, "open %s", path);
	make_terminal_raw(fd);
	return fd;
}

static int open_stream(const char *path, struct reason *why)
{
	struct stat status;

	if (stat(path, &status) == 0 && S_ISCHR(status.st_mode))
		return open_terminal(path, why);
	return open_socket(path, why);
}

/**
 * guest_link_connect - reach a guest by the Unix socket of its virtio serial port, or by the terminal of its console
 * @path: of either; it is tried again whenever the stream breaks, until the guest is forgotten
 * @arrives: from another host, which has its hello: on a terminal it is requested again
 *
 * Return: 0, also when the socket does not exist yet, or -errno.
 */
int guest_link_connect(struct guest_link *link, const char *guest, const char *path, bool arrives,
		       struct reason *why)
{
	struct guest_peer *peer;

	if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return fail(why, -ENAMETOOLONG, "connect to %s: the path is too long", path);
	peer = guest_link_add(link, guest, why);
	if (!peer)
		return -ENOSPC;
	free(peer->path);
	peer->path = xstrdup(path);
	peer->arrives = arrives;
	peer->retry_ns = 0;
	peer->pause_ns = RETRY_FIRST_NS;
	return 0;
}

/**
 * guest_link_adopt - take a stream that the caller has opened
 * @fd: owned by the link from now on, also after an error
 *
 * Return: 0 or -ENOSPC.
 */
int guest_link_adopt(struct guest_link *link, const char *guest, int fd, struct reason *why)
{
	struct guest_peer *peer = guest_link_add(link, guest, why);

	if (!peer) {
		close(fd);
		return -ENOSPC;
	}
	guest_link_enter(link);
	take_stream(link, peer, fd);
	guest_link_leave(link);
	return 0;
}

/** guest_peer_retry - reach a guest by its Unix socket or terminal, when it is time to try that again */
void guest_peer_retry(struct guest_peer *peer, struct guest_link *link, int64_t now)
{
	struct reason why;
	int fd;

	if (!peer->path || peer->channel || now < peer->retry_ns || now < peer->refused_until_ns)
		return;
	fd = open_stream(peer->path, &why);
	if (fd >= 0) {
		peer->pause_ns = RETRY_FIRST_NS;
		take_stream(link, peer, fd);
		return;
	}
	peer->retry_ns = now + peer->pause_ns;
	peer->pause_ns = peer->pause_ns * 2 < RETRY_MOST_NS ? peer->pause_ns * 2 : RETRY_MOST_NS;
}
