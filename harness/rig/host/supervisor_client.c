// SPDX-License-Identifier: GPL-2.0-only
/*
 * The peers of a supervisor: clients of the control protocol (JSON lines), and terminals at the serial console (plain bytes).
 * None of them can block the supervisor or make it allocate without a bound.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "harness/lib/call.h"
#include "harness/rig/host/supervisor_internal.h"

#define QUEUE_MAX (8u << 20)

static void drop_client(struct supervisor_client *client)
{
	struct supervisor_client **link = &client->supervisor->clients;

	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	sd_event_source_disable_unref(client->source);
	channel_free(client->channel);
	free(client);
}

static void send_waiting(struct supervisor_client *client)
{
	/* The next read reports a broken stream. */
	(void)channel_flush(client->channel);
	sd_event_source_set_io_events(client->source,
				      EPOLLIN | (channel_pending(client->channel) ? EPOLLOUT : 0));
}

/* @message: stolen. @droppable: an event, dropped when the client does not read; an event "lost" then has the number. */
static void send_message(struct supervisor_client *client, json_t *message, bool droppable)
{
	if (droppable && channel_pending(client->channel) > QUEUE_MAX) {
		client->lost++;
		json_decref(message);
		return;
	}
	if (client->lost) {
		__cleanup_json json_t *notice =
			json_pack("{s:s, s:I}", "event", "lost", "count", (json_int_t)client->lost);

		client->lost = 0;
		(void)channel_queue(client->channel, notice, SIZE_MAX);
	}
	(void)channel_queue(client->channel, message, SIZE_MAX);
	json_decref(message);
	send_waiting(client);
}

/**
 * supervisor_broadcast - send an event to all clients
 * @event: stolen
 */
void supervisor_broadcast(struct supervisor *supervisor, json_t *event)
{
	for (struct supervisor_client *client = supervisor->clients; client; client = client->next)
		send_message(client, json_incref(event), true);
	json_decref(event);
}

static void answer(struct supervisor_client *client, const json_t *message)
{
	json_t *id = json_object_get(message, "id");
	const char *call = json_text(message, "call", NULL);
	struct reason why = {""};
	json_t *reply = NULL;
	int error;

	if (!call || !json_is_integer(id)) {
		send_message(client, call_ignored("a message that is not a call was ignored"),
			     false);
		return;
	}
	error = supervisor_serve(client->supervisor, call, json_object_get(message, "args"), &reply,
				 &why);
	send_message(client, call_reply(id, error, reply, &why), false);
}

static int on_client(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct supervisor_client *client = context;
	struct supervisor *supervisor = client->supervisor;
	struct reason why = {""};
	json_t *message;
	int got = 1, filled = 0;

	if (events & EPOLLOUT)
		send_waiting(client);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		filled = channel_fill(client->channel);
	while ((got = channel_next(client->channel, &message, &why)) != 0) {
		if (got < 0) {
			send_message(client, call_ignored(why.text), false);
			continue;
		}
		answer(client, message);
		json_decref(message);
	}
	if (filled < 0) {
		bool owner = client->owner;

		drop_client(client);
		if (owner && !supervisor->detached)
			sd_event_exit(supervisor->loop, 0);
	}
	return 0;
}

/**
 * supervisor_add_client - serve the control protocol on a socket
 * @fd:    stream socket; owned by the client from now on
 * @owner: the process that started the rig
 *
 * Return: 0 or -errno.
 */
int supervisor_add_client(struct supervisor *supervisor, int fd, bool owner)
{
	struct supervisor_client *client = xzalloc(sizeof(*client));
	int error;

	client->supervisor = supervisor;
	client->owner = owner;
	client->channel = channel_new(fd, fd);
	error = sd_event_add_io(supervisor->loop, &client->source, fd, EPOLLIN, on_client, client);
	client->next = supervisor->clients;
	supervisor->clients = client;
	return error < 0 ? error : 0;
}

static void drop_terminal(struct supervisor_terminal *terminal)
{
	struct supervisor_terminal **link = &terminal->supervisor->terminals;

	while (*link != terminal)
		link = &(*link)->next;
	*link = terminal->next;
	sd_event_source_disable_unref(terminal->source);
	close(terminal->fd);
	free(terminal);
}

/**
 * supervisor_terminal_output - send bytes of the serial console to the terminals
 *
 * Bytes are dropped for a terminal that does not read; console.log has all.
 */
void supervisor_terminal_output(struct supervisor *supervisor, const void *data, size_t length)
{
	for (struct supervisor_terminal *terminal = supervisor->terminals; terminal;
	     terminal = terminal->next)
		(void)!send(terminal->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int on_input_room(sd_event_source *source, int fd, uint32_t events, void *context);

/*
 * Write the input to QEMU. While its pipe is full, this terminal is not read.
 */
static void pass_typed(struct supervisor_terminal *terminal)
{
	struct supervisor *supervisor = terminal->supervisor;
	ssize_t put = supervisor->input < 0
			      ? (ssize_t)terminal->length
			      : write(supervisor->input, terminal->waiting, terminal->length);

	if (put > 0) {
		terminal->length -= (size_t)put;
		memmove(terminal->waiting, terminal->waiting + put, terminal->length);
	}
	sd_event_source_set_io_events(terminal->source, terminal->length ? 0 : EPOLLIN);
	if (terminal->length && !supervisor->input_source)
		sd_event_add_io(supervisor->loop, &supervisor->input_source, supervisor->input,
				EPOLLOUT, on_input_room, supervisor);
}

static int on_input_room(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct supervisor *supervisor = context;

	sd_event_source_disable_unref(source);
	supervisor->input_source = NULL;
	for (struct supervisor_terminal *terminal = supervisor->terminals; terminal;
	     terminal = terminal->next)
		if (terminal->length)
			pass_typed(terminal);
	return 0;
}

static int on_terminal(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct supervisor_terminal *terminal = context;
	ssize_t got;

	got = recv(fd, terminal->waiting, sizeof(terminal->waiting), MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got <= 0) {
		drop_terminal(terminal);
		return 0;
	}
	terminal->length = (size_t)got;
	pass_typed(terminal);
	return 0;
}

static int on_console_connection(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct supervisor *supervisor = context;
	struct supervisor_terminal *terminal;
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (peer < 0)
		return 0;
	terminal = xzalloc(sizeof(*terminal));
	terminal->supervisor = supervisor;
	terminal->fd = peer;
	terminal->next = supervisor->terminals;
	supervisor->terminals = terminal;
	sd_event_add_io(supervisor->loop, &terminal->source, peer, EPOLLIN, on_terminal, terminal);
	return 0;
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct supervisor *supervisor = context;
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	if (peer >= 0)
		supervisor_add_client(supervisor, peer, false);
	return 0;
}

/**
 * supervisor_listen_on - make a Unix socket in the directory of the rig
 * @name:     of the socket
 * @listener: receives it
 * @source:   receives its event source; NULL: it exists until the end of the loop
 * @handler:  of its connections
 *
 * Return: 0 or -errno.
 */
int supervisor_listen_on(struct supervisor *supervisor, const char *name, int *listener,
			 sd_event_source **source, sd_event_io_handler_t handler,
			 struct reason *why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int error;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", supervisor->directory, name);
	*listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*listener < 0 || bind(*listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(*listener, 8) < 0)
		return fail_errno(why, -errno, "cannot listen on %s", address.sun_path);
	error = sd_event_add_io(supervisor->loop, source, *listener, EPOLLIN, handler, supervisor);
	return error < 0 ? error : 0;
}

/**
 * supervisor_listen - create the sockets for processes other than the one that started the rig
 *
 * Return: 0 or -errno.
 */
int supervisor_listen(struct supervisor *supervisor, struct reason *why)
{
	return supervisor_listen_on(supervisor, SUPERVISOR_CONTROL, &supervisor->listener, NULL,
				    on_connection, why)
		       ?: supervisor_listen_on(supervisor, SUPERVISOR_CONSOLE,
					       &supervisor->console_listener, NULL,
					       on_console_connection, why);
}

/** supervisor_drop_clients - close all clients; queued messages are sent as far as possible without blocking */
void supervisor_drop_clients(struct supervisor *supervisor)
{
	while (supervisor->clients) {
		send_waiting(supervisor->clients);
		drop_client(supervisor->clients);
	}
	while (supervisor->terminals)
		drop_terminal(supervisor->terminals);
}
