// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls over a channel: the messages of both sides (docs/protocol.md), and a client that blocks until the answer.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "harness/lib/call.h"

/** call_request - the message of a call; @arguments: borrowed, may be NULL. Return: owned by the caller */
json_t *call_request(int64_t id, const char *call, const json_t *arguments)
{
	return json_pack("{s:I, s:s, s:O*}", "id", (json_int_t)id, "call", call, "args",
			 (json_t *)arguments);
}

/**
 * call_reply - the answer to a call
 * @id:    of the call; borrowed
 * @error: 0 or -errno
 * @reply: stolen; NULL is an empty object
 * @why:   reason of @error; may be NULL
 *
 * Return: owned by the caller.
 */
json_t *call_reply(json_t *id, int error, json_t *reply, const struct reason *why)
{
	if (!error)
		return json_pack("{s:O, s:o}", "id", id, "ok", reply ?: json_object());
	json_decref(reply);
	return json_pack("{s:O, s:{s:i, s:s, s:s}}", "id", id, "error", "errno", error, "name",
			 error_name(error), "text",
			 why && *why->text ? why->text : strerror(-error));
}

/** call_ignored - the event of a server that has ignored a message. Return: owned by the caller */
json_t *call_ignored(const char *text)
{
	return json_pack("{s:s, s:s}", "event", "protocol", "text", text);
}

/**
 * call_result - read an answer
 * @reply: receives it; owned by the caller; may be NULL
 *
 * Return: 0, or the -errno of the server with its reason.
 */
int call_result(const json_t *answer, json_t **reply, struct reason *why)
{
	const json_t *error = json_object_get(answer, "error");
	int number = (int)json_number(error, "errno", -EIO);

	if (error)
		return fail(why, number < 0 ? number : -EIO, "%s",
			    json_text(error, "text", "the answer gives no reason"));
	if (reply)
		*reply = json_incref(json_object_get(answer, "ok"));
	return 0;
}

/**
 * call_await - send a request and wait for its answer
 * @other:   receives messages that are no answers, with @context; may be NULL
 * @reply:   receives the answer; owned by the caller; may be NULL
 *
 * Late answers to earlier calls are skipped.
 *
 * Return: 0, -ETIMEDOUT, -EPIPE or another -errno of the stream, or the -errno of the server.
 */
int call_await(struct channel *channel, const json_t *request, unsigned int timeout_ms,
	       call_other_fn other, void *context, json_t **reply, struct reason *why)
{
	int64_t deadline = now_monotonic_ns() + timeout_ms * NSEC_PER_MSEC;
	const char *call = json_text(request, "call", "request");
	int error = channel_send(channel, request, timeout_ms);

	while (!error) {
		struct pollfd readable = {.fd = channel_fd(channel), .events = POLLIN};
		__cleanup_json json_t *message = NULL;
		int64_t left = (deadline - now_monotonic_ns()) / NSEC_PER_MSEC;
		int got = channel_next(channel, &message, NULL);

		if (got > 0 && json_number(message, "id", 0) == json_number(request, "id", 0))
			return call_result(message, reply, why);
		if (got > 0 && other && !json_object_get(message, "id"))
			other(context, message);
		if (got)
			continue;
		if (left <= 0)
			error = -ETIMEDOUT;
		else if (poll(&readable, 1, (int)left) > 0 && channel_fill(channel) < 0)
			error = -EPIPE;
	}
	return fail(why, error, "%s: %s", call,
		    error == -EPIPE	  ? "the other side has ended"
		    : error == -ETIMEDOUT ? "no answer in time"
					  : strerror(-error));
}
