// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who talks to a keeper: clients of the control protocol (JSON lines), and terminals at the serial
 * console (plain bytes). None of them can hold the keeper up or make it grow.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "harness/rig/host/keeper_internal.h"

#define QUEUE_MAX (8u << 20)

static void drop_client(struct keeper_client *client)
{
	struct keeper_client **link = &client->keeper->clients;

	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	sd_event_source_disable_unref(client->source);
	channel_free(client->channel);
	free(client->out);
	free(client);
}

static void send_waiting(struct keeper_client *client)
{
	ssize_t put = 0;

	if (client->length)
		put = send(channel_fd(client->channel), client->out, client->length,
			   MSG_DONTWAIT | MSG_NOSIGNAL);
	if (put > 0) {
		client->length -= (size_t)put;
		memmove(client->out, client->out + put, client->length);
	}
	if (client->length == 0) {
		free(client->out);
		client->out = NULL;
	}
	/* A broken stream shows itself at the next read. */
	sd_event_source_set_io_events(client->source, EPOLLIN | (client->length ? EPOLLOUT : 0));
}

static void queue_text(struct keeper_client *client, const char *text, size_t length)
{
	char *longer = realloc(client->out, client->length + length + 1);

	if (!longer)
		abort();
	client->out = longer;
	memcpy(client->out + client->length, text, length);
	client->out[client->length + length] = '\n';
	client->length += length + 1;
}

/**
 * keeper_client_send - one message to one client
 * @message:   stolen
 * @droppable: an event, which a client that does not read may lose; it is told how many
 */
void keeper_client_send(struct keeper_client *client, json_t *message, bool droppable)
{
	__cleanup_free char *text = json_dumps(message, JSON_COMPACT | JSON_ENSURE_ASCII);

	json_decref(message);
	if (!text)
		return;
	if (droppable && client->length + strlen(text) > QUEUE_MAX) {
		client->lost++;
		return;
	}
	if (client->lost) {
		__cleanup_free char *notice =
			format_text("{\"event\":\"lost\",\"count\":%llu}", client->lost);

		client->lost = 0;
		queue_text(client, notice, strlen(notice));
	}
	queue_text(client, text, strlen(text));
	send_waiting(client);
}

/**
 * keeper_broadcast - an event to all clients
 * @event: stolen
 */
void keeper_broadcast(struct keeper *keeper, json_t *event)
{
	for (struct keeper_client *client = keeper->clients; client; client = client->next)
		keeper_client_send(client, json_incref(event), true);
	json_decref(event);
}

static void answer(struct keeper_client *client, const json_t *message)
{
	json_t *id = json_object_get(message, "id");
	const char *call = json_text(message, "call", NULL);
	struct reason why = {""};
	json_t *reply = NULL;
	int error;

	if (!call || !json_is_integer(id)) {
		keeper_client_send(client,
				   json_pack("{s:s, s:s}", "event", "protocol", "text",
					     "a message that is no call was ignored"),
				   false);
		return;
	}
	error = keeper_serve(client->keeper, call, json_object_get(message, "args"), &reply, &why);
	if (!error) {
		keeper_client_send(client,
				   json_pack("{s:O, s:o}", "id", id, "ok",
					     reply ? reply : json_object()),
				   false);
		return;
	}
	json_decref(reply);
	keeper_client_send(client,
			   json_pack("{s:O, s:{s:i, s:s, s:s}}", "id", id, "error", "errno", error,
				     "name", error_name(error), "text",
				     *why.text ? why.text : strerror(-error)),
			   false);
}

static int on_client(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct keeper_client *client = context;
	struct keeper *keeper = client->keeper;
	struct reason why = {""};
	json_t *message;
	int got = 1, filled = 0;

	(void)source;
	(void)fd;
	if (events & EPOLLOUT)
		send_waiting(client);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		filled = channel_fill(client->channel);
	while ((got = channel_next(client->channel, &message, &why)) != 0) {
		if (got < 0) {
			keeper_client_send(client,
					   json_pack("{s:s, s:s}", "event", "protocol", "text",
						     why.text),
					   false);
			continue;
		}
		answer(client, message);
		json_decref(message);
	}
	if (filled < 0) {
		bool owner = client->owner;

		drop_client(client);
		if (owner && !keeper->detached)
			sd_event_exit(keeper->loop, 0);
	}
	return 0;
}

/**
 * keeper_add_client - speak the control protocol over a socket
 * @fd:    stream socket; owned by the client from now on
 * @owner: the process that started the rig
 *
 * Return: 0 or -errno.
 */
int keeper_add_client(struct keeper *keeper, int fd, bool owner)
{
	struct keeper_client *client = calloc(1, sizeof(*client));
	int error;

	if (!client)
		abort();
	client->keeper = keeper;
	client->owner = owner;
	client->channel = channel_new(fd, fd);
	error = sd_event_add_io(keeper->loop, &client->source, fd, EPOLLIN, on_client, client);
	client->next = keeper->clients;
	keeper->clients = client;
	return error < 0 ? error : 0;
}

static void drop_terminal(struct keeper_terminal *terminal)
{
	struct keeper_terminal **link = &terminal->keeper->terminals;

	while (*link != terminal)
		link = &(*link)->next;
	*link = terminal->next;
	sd_event_source_disable_unref(terminal->source);
	close(terminal->fd);
	free(terminal);
}

/**
 * keeper_terminal_output - bytes of the serial console to whoever looks at it
 *
 * A terminal that does not read misses them; console.log has all.
 */
void keeper_terminal_output(struct keeper *keeper, const void *data, size_t length)
{
	for (struct keeper_terminal *terminal = keeper->terminals; terminal;
	     terminal = terminal->next)
		(void)!send(terminal->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int on_input_room(sd_event_source *source, int fd, uint32_t events, void *context);

/*
 * What was typed goes to QEMU; when its pipe is full, this terminal is not read until there is
 * room.
 */
static void pass_typed(struct keeper_terminal *terminal)
{
	struct keeper *keeper = terminal->keeper;
	ssize_t put = keeper->input < 0 ? (ssize_t)terminal->length
					: write(keeper->input, terminal->waiting, terminal->length);

	if (put > 0) {
		terminal->length -= (size_t)put;
		memmove(terminal->waiting, terminal->waiting + put, terminal->length);
	}
	sd_event_source_set_io_events(terminal->source, terminal->length ? 0 : EPOLLIN);
	if (terminal->length && !keeper->input_source)
		sd_event_add_io(keeper->loop, &keeper->input_source, keeper->input, EPOLLOUT,
				on_input_room, keeper);
}

static int on_input_room(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct keeper *keeper = context;

	(void)fd;
	(void)events;
	sd_event_source_disable_unref(source);
	keeper->input_source = NULL;
	for (struct keeper_terminal *terminal = keeper->terminals; terminal;
	     terminal = terminal->next)
		if (terminal->length)
			pass_typed(terminal);
	return 0;
}

static int on_terminal(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct keeper_terminal *terminal = context;
	ssize_t got;

	(void)source;
	(void)events;
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
	struct keeper *keeper = context;
	struct keeper_terminal *terminal;
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)source;
	(void)events;
	if (peer < 0)
		return 0;
	terminal = calloc(1, sizeof(*terminal));
	if (!terminal)
		abort();
	terminal->keeper = keeper;
	terminal->fd = peer;
	terminal->next = keeper->terminals;
	keeper->terminals = terminal;
	sd_event_add_io(keeper->loop, &terminal->source, peer, EPOLLIN, on_terminal, terminal);
	return 0;
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct keeper *keeper = context;
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	(void)source;
	(void)events;
	if (peer >= 0)
		keeper_add_client(keeper, peer, false);
	return 0;
}

static int listen_on(struct keeper *keeper, const char *name, int *listener,
		     sd_event_io_handler_t handler, struct reason *why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int error;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", keeper->directory, name);
	*listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*listener < 0 || bind(*listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(*listener, 8) < 0)
		return fail(why, -errno, "cannot listen on %s: %s", address.sun_path,
			    strerror(errno));
	error = sd_event_add_io(keeper->loop, NULL, *listener, EPOLLIN, handler, keeper);
	return error < 0 ? error : 0;
}

/**
 * keeper_listen - make the sockets for those who did not start the rig
 *
 * Return: 0 or -errno.
 */
int keeper_listen(struct keeper *keeper, struct reason *why)
{
	int error = listen_on(keeper, KEEPER_CONTROL, &keeper->listener, on_connection, why);

	return error ? error
		     : listen_on(keeper, KEEPER_CONSOLE, &keeper->console_listener,
				 on_console_connection, why);
}

/** keeper_drop_clients - the end: what is queued is sent as far as it goes at once */
void keeper_drop_clients(struct keeper *keeper)
{
	while (keeper->clients) {
		send_waiting(keeper->clients);
		drop_client(keeper->clients);
	}
	while (keeper->terminals)
		drop_terminal(keeper->terminals);
}
