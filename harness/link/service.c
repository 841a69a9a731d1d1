// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls guest.*: what a controller has the guests of this host do. The answer to guest.call is that of the guest.
 */
#include <errno.h>

#include "harness/link/guest_service.h"

#define CALL_TIMEOUT_MS 30000

struct guests {
	struct guest_link *link;
};

/* What waits for the end of a call to a guest: the controller, or @then in this agent. */
struct waiting {
	struct agent_ticket ticket;
	guest_then_fn then;
	void *context;
};

static const struct agent_service guest_service;

static struct guests *guests_of(const struct agent *agent)
{
	return agent_state(agent, &guest_service);
}

static void on_event(void *agent, json_t *event)
{
	for (size_t i = 0; i < guest_listener_count(); i++)
		guest_listener_at(i)->event(agent, event);
	agent_send(agent, event);
}

static void on_answer(void *agent, void *cookie, int error, json_t *reply, const struct reason *why)
{
	struct waiting *waiting = cookie;

	if (waiting->then) {
		waiting->then(agent, waiting->context, error, reply, why);
		json_decref(reply);
	} else {
		agent_answer(agent, &waiting->ticket, error, reply, why);
	}
	free(waiting);
}

/** guest_service_link - the link of this agent, made at its first use */
struct guest_link *guest_service_link(struct agent *agent)
{
	struct guests *guests = guests_of(agent);

	if (!guests->link)
		guests->link = guest_link_new(&(struct guest_link_user){.event = on_event,
									.answer = on_answer,
									.context = agent},
					      &guest_limits_default);
	return guests->link;
}

static int serve_listen(struct agent *agent, const json_t *arguments, json_t **reply,
			struct reason *why)
{
	unsigned int port = (unsigned int)json_number(arguments, "port", 0);
	int error = guest_link_listen(guest_service_link(agent), &port, why);

	if (!error || error == -EALREADY)
		*reply = json_pack("{s:I}", "port", (json_int_t)port);
	return error == -EALREADY ? 0 : error;
}

static int take_guest(const char *call, const json_t *arguments, const char **guest,
		      struct reason *why)
{
	*guest = json_text(arguments, "guest", "");
	return **guest ? 0 : fail(why, -EINVAL, "%s: 'guest' is missing", call);
}

static int serve_expect(struct agent *agent, const json_t *arguments, json_t **reply,
			struct reason *why)
{
	int64_t cid = json_number(arguments, "cid", 0);
	const char *guest;
	int error = take_guest("guest.expect", arguments, &guest, why);

	if (error)
		return error;
	/* 0 is the hypervisor (include/uapi/linux/vm_sockets.h); 1, this machine itself, has its use in tests. */
	if (cid < 1 || cid >= UINT32_MAX)
		return fail(why, -EINVAL, "guest.expect: 'cid' is %lld, which no guest can have",
			    (long long)cid);
	return guest_link_expect(guest_service_link(agent), guest, (unsigned int)cid, why);
}

static int serve_connect(struct agent *agent, const json_t *arguments, json_t **reply,
			 struct reason *why)
{
	const char *path = json_text(arguments, "path", "");
	const char *guest;
	int error = take_guest("guest.connect", arguments, &guest, why);

	if (error)
		return error;
	if (!*path)
		return fail(why, -EINVAL, "guest.connect: 'path' is missing");
	return guest_link_connect(guest_service_link(agent), guest, path, false, why);
}

static int serve_forget(struct agent *agent, const json_t *arguments, json_t **reply,
			struct reason *why)
{
	const char *guest;
	int error = take_guest("guest.forget", arguments, &guest, why);

	return error ?: guest_link_forget(guest_service_link(agent), guest, why);
}

static int serve_list(struct agent *agent, const json_t *arguments, json_t **reply,
		      struct reason *why)
{
	*reply = json_pack("{s:o}", "guests", guest_link_list(guest_service_link(agent)));
	return 0;
}

static int serve_call(struct agent *agent, const json_t *arguments, json_t **reply,
		      struct reason *why)
{
	const char *call = json_text(arguments, "call", "");
	struct waiting *waiting;
	const char *guest;
	int error = take_guest("guest.call", arguments, &guest, why);

	if (error)
		return error;
	if (!*call)
		return fail(why, -EINVAL, "guest.call: 'call' is missing");
	waiting = xzalloc(sizeof(*waiting));
	waiting->ticket = agent_later(agent);
	error = guest_link_call(guest_service_link(agent), guest, call,
				json_object_get(arguments, "args"),
				json_number(arguments, "timeout_ms", CALL_TIMEOUT_MS), waiting,
				why);
	if (error) {
		json_decref(waiting->ticket.id);
		free(waiting);
		return error;
	}
	return AGENT_LATER;
}

/**
 * guest_service_call - have a guest carry out a call, for this agent itself
 * @then:    is called once when it is over, also when the guest goes; not when this fails
 * @context: for it
 *
 * Return: 0 or -errno, see guest_link_call().
 */
int guest_service_call(struct agent *agent, const char *guest, const char *call, int64_t timeout_ms,
		       guest_then_fn then, void *context, struct reason *why)
{
	struct waiting *waiting = xzalloc(sizeof(*waiting));
	int error;

	waiting->then = then;
	waiting->context = context;
	error = guest_link_call(guest_service_link(agent), guest, call, NULL, timeout_ms, waiting,
				why);
	if (error)
		free(waiting);
	return error;
}

static size_t watch(struct agent *agent, struct pollfd *fds, size_t room)
{
	struct guest_link *link = guests_of(agent)->link;

	return link ? guest_link_watch(link, fds, room) : 0;
}

static void dispatch(struct agent *agent, const struct pollfd *fds, size_t count)
{
	if (guests_of(agent)->link)
		guest_link_dispatch(guests_of(agent)->link);
}

static void close_guests(struct agent *agent)
{
	guest_link_free(guests_of(agent)->link);
}

static const struct agent_call calls[] = {
	{"guest.listen", serve_listen},
	{"guest.expect", serve_expect},
	{"guest.connect", serve_connect},
	{"guest.forget", serve_forget},
	{"guest.list", serve_list},
	{"guest.call", serve_call},
	{0},
};

REGISTERED(agent_service, guest_service) = {
	.name = "guest",
	.roles = AGENT_HOST,
	.rank = 25,
	.state_size = sizeof(struct guests),
	.calls = calls,
	.watch = watch,
	.dispatch = dispatch,
	.close = close_guests,
};
