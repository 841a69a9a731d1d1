// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages on the stream of a guest: hello, events, calls and their answers. Invalid messages, incomplete lines and a missing hello
 * are reported as events.
 */
#include <errno.h>
#include <string.h>

#include "harness/lib/call.h"
#include "harness/link/internal.h"

#define CALLS_MAX 256

static void end_call(struct guest_link *link, struct guest_call *call, int error, json_t *reply,
		     const struct reason *why)
{
	struct guest_call **at = &link->calls;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	link->call_count--;
	if (call->own)
		json_decref(reply);
	else
		link->user.answer(link->user.context, call->cookie, error, reply, why);
	free(call->name);
	free(call);
}

static struct guest_call *call_of_peer(const struct guest_link *link, const struct guest_peer *peer)
{
	struct guest_call *call = link->calls;

	while (call && call->peer != peer)
		call = call->next;
	return call;
}

/** guest_peer_fail_calls - fail all calls to a guest, because its stream ended */
void guest_peer_fail_calls(struct guest_link *link, const struct guest_peer *peer,
			   const char *because)
{
	struct guest_call *call;

	/* The receiver of an answer may end further calls: what came next before may be gone. */
	while ((call = call_of_peer(link, peer))) {
		struct reason why;

		fail(&why, -ECONNRESET,
		     "%s to guest '%s': %s; it is not known whether it was executed", call->name,
		     peer->name, because);
		end_call(link, call, -ECONNRESET, NULL, &why);
	}
}

static int send_call(struct guest_link *link, struct guest_peer *peer, const char *call,
		     const json_t *arguments, int64_t timeout_ms)
{
	__cleanup_json json_t *message = call_request(link->next_id, call, arguments);
	struct guest_call *entry;
	int error = message ? channel_queue(peer->channel, message, PROTOCOL_LINE_MAX) : -EINVAL;

	if (error)
		return error;
	entry = xzalloc(sizeof(*entry));
	*entry = (struct guest_call){.next = link->calls,
				     .peer = peer,
				     .id = link->next_id++,
				     .until_ns = now_monotonic_ns() + timeout_ms * NSEC_PER_MSEC,
				     .name = xstrdup(call)};
	link->calls = entry;
	link->call_count++;
	return 0;
}

/**
 * guest_peer_take_over - go on with a guest that does not notice its new stream
 *
 * It sends no hello by itself, so the link requests one. What it has sent since its last stream is among what is read next, and counts.
 */
void guest_peer_take_over(struct guest_link *link, struct guest_peer *peer)
{
	int64_t timeout = link->limits.hello_ns / NSEC_PER_MSEC;

	/* Its earlier events went to another host. */
	if (!peer->boot_id)
		peer->number = -1;
	peer->greeted = true;
	if (send_call(link, peer, "hello", NULL, timeout) == 0)
		link->calls->own = true;
}

/**
 * guest_link_call - send a call to a guest
 * @arguments:  borrowed; may be NULL
 * @timeout_ms: after which the answer is -ETIMEDOUT
 * @cookie:     comes back with the answer
 * @why:        reason of a failure
 *
 * Return: 0 when the call is on its way: the answer comes by itself; -ENOENT, -ENOTCONN, or another -errno.
 */
int guest_link_call(struct guest_link *link, const char *guest, const char *call,
		    const json_t *arguments, int64_t timeout_ms, void *cookie, struct reason *why)
{
	struct guest_peer *peer = guest_link_find(link, guest);
	int error;

	if (!peer)
		return fail(why, -ENOENT, "%s to guest '%s': no such guest is linked", call, guest);
	if (!peer->greeted)
		return fail(why, -ENOTCONN, "%s to guest '%s': it %s", call, guest,
			    peer->channel
				    ? "has not sent hello yet"
				    : "is not connected; has brinell-guest been started in it?");
	if (link->call_count >= CALLS_MAX)
		return fail(why, -EBUSY, "%s to guest '%s': %d calls wait for an answer already",
			    call, guest, CALLS_MAX);
	error = send_call(link, peer, call, arguments, timeout_ms);
	if (error)
		return fail_errno(why, error, "%s to guest '%s'", call, guest);
	link->calls->cookie = cookie;
	return 0;
}

static bool is_plain(const char *text, size_t most)
{
	size_t length = strlen(text);

	for (size_t i = 0; i < length; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return length && length <= most;
}

/* Return: false when the guest was cut off. */
static bool take_hello(struct guest_link *link, struct guest_peer *peer, json_t *message)
{
	const char *boot = json_text(message, "boot_id", "");
	int64_t protocol = json_number(message, "protocol", -1);
	int64_t pid = json_number(message, "pid", 0);
	bool rebooted, restarted, arrived = peer->greeted && !peer->boot_id;

	if (protocol != PROTOCOL_VERSION) {
		__cleanup_free char *text =
			format_text("it has protocol %lld and this host %d: install the "
				    "brinell-guest of this version",
				    (long long)protocol, PROTOCOL_VERSION);

		guest_peer_cut_off(link, peer, "protocol", text);
		return false;
	}
	if (!json_is_true(json_object_get(message, "guest")) || !is_plain(boot, 64))
		return guest_peer_rubbish(link, peer, "an invalid hello was ignored");
	rebooted = peer->boot_id && strcmp(peer->boot_id, boot) != 0;
	restarted = peer->boot_id && !rebooted && peer->pid != pid;
	if ((!peer->boot_id && !arrived) || rebooted || restarted) {
		/* Its earlier events went to another host. */
		peer->number = !peer->boot_id && json_number(message, "connection", 1) > 1 ? -1 : 0;
		peer->pulse = (struct guest_pulse){0};
	}
	free(peer->boot_id);
	peer->boot_id = xstrdup(boot);
	peer->pid = pid;
	peer->greeted = true;
	json_decref(peer->hello);
	peer->hello = json_incref(message);
	guest_peer_event(link, peer, "hello",
			 json_pack("{s:b, s:b, s:O}", "rebooted", rebooted, "restarted", restarted,
				   "said", message),
			 "hello%s",
			 rebooted    ? " of another boot"
			 : restarted ? " of another process"
				     : "");
	return true;
}

/* Return: false when the guest was cut off. */
static bool take_answer(struct guest_link *link, struct guest_peer *peer, json_t *message)
{
	int64_t id = json_number(message, "id", -1);
	struct guest_call *call = link->calls;
	json_t *error = json_object_get(message, "error");
	struct reason why = {0};
	int64_t number;

	while (call && (call->id != id || call->peer != peer))
		call = call->next;
	if (!call)
		return guest_peer_rubbish(link, peer,
					  "an answer that no call waits for was ignored");
	if (!error) {
		bool own = call->own;

		end_call(link, call, 0, json_incref(json_object_get(message, "ok")), NULL);
		return !own || take_hello(link, peer, json_object_get(message, "ok"));
	}
	number = json_number(error, "errno", -EIO);
	if (number >= 0 || number < -4095)
		number = -EIO;
	fail(&why, (int)number, "guest '%s': %.900s", peer->name, json_text(error, "text", "?"));
	end_call(link, call, (int)number, NULL, &why);
	return true;
}

/* Events carry numbers, so that what a broken stream has swallowed is known to be missing. */
static void check_number(struct guest_link *link, struct guest_peer *peer, const json_t *message)
{
	int64_t number = json_number(message, "number", -1);

	if (number < 0 || number == INT64_MAX)
		return;
	if (peer->number < 0)
		peer->number = number;
	if (number > peer->number)
		guest_peer_event(link, peer, "lost",
				 json_pack("{s:I}", "lost", (json_int_t)(number - peer->number)),
				 "%lld of its events are missing",
				 (long long)(number - peer->number));
	if (number >= peer->number)
		peer->number = number + 1;
}

/* Return: false when the guest was cut off. */
static bool take_message(struct guest_link *link, struct guest_peer *peer, json_t *message,
			 int64_t now)
{
	const char *event = json_text(message, "event", NULL);
	struct reason why;

	/* It has sent its hello to another host. */
	if (peer->terminal && !peer->greeted && !(event && strcmp(event, "hello") == 0))
		guest_peer_take_over(link, peer);
	if (event && peer->greeted && strcmp(event, "heartbeat") == 0) {
		if (guest_message_fits(message, &why)) {
			guest_pulse_take(link, peer, message, now);
			return true;
		}
		return guest_peer_rubbish(link, peer, why.text);
	}
	if (!guest_budget_take(&peer->lines, 1, now)) {
		guest_peer_cut_off(link, peer, "flood", "it sends too many lines");
		return false;
	}
	if (!guest_message_fits(message, &why))
		return guest_peer_rubbish(link, peer, why.text);
	if (event && strcmp(event, "hello") == 0)
		return take_hello(link, peer, message);
	if (!peer->greeted)
		return guest_peer_rubbish(link, peer, "what came before its hello was ignored");
	if (!event)
		return take_answer(link, peer, message);
	check_number(link, peer, message);
	guest_peer_event(link, peer, "said", json_pack("{s:O}", "said", message), "%.200s",
			 json_text(message, "text", event));
	return true;
}

/* Takes the whole lines that are there. Return: false when the guest was cut off. */
static bool take_lines(struct guest_link *link, struct guest_peer *peer, int64_t now)
{
	struct reason why;
	json_t *message;
	int got;

	while (peer->channel && (got = channel_next(peer->channel, &message, &why)) != 0) {
		bool goes_on = got > 0 ? take_message(link, peer, message, now)
				       : guest_peer_rubbish(link, peer, why.text);

		if (got > 0)
			json_decref(message);
		if (!goes_on)
			return false;
	}
	/* One that was forgotten meanwhile has no stream any more. */
	return peer->channel != NULL;
}

/** guest_peer_read - read once from a guest, so that one guest can not block the others */
void guest_peer_read(struct guest_link *link, struct guest_peer *peer)
{
	int got = channel_fill(peer->channel);
	/* Not before: what came between would seem to have come before it was sent. */
	int64_t now = now_monotonic_ns();
	__cleanup_free char *because = NULL;
	json_t *gone;

	if (got > 0 && !guest_budget_take(&peer->bytes, (uint64_t)got, now)) {
		guest_peer_cut_off(link, peer, "flood", "it sends too many bytes");
		return;
	}
	if (!take_lines(link, peer, now) || got >= 0)
		return;
	because = got == -EPIPE ? xstrdup("its stream has ended")
				: format_text("its stream broke: %s", strerror(-got));
	guest_pulse_report(link, peer, now);
	gone = json_pack("{s:s}", "errno_name", error_name(-got));
	if (peer->pulse.last_ns) {
		json_object_set_new(gone, "age_ns", json_integer(now - peer->pulse.last_ns));
		json_object_set_new(gone, "guest_ns", json_integer(peer->pulse.guest_ns));
	}
	guest_peer_event(link, peer, "gone", gone, "%s", because);
	guest_peer_drop(link, peer, because);
	peer->retry_ns = now;
}

static struct guest_call *find_late_call(const struct guest_link *link, int64_t now)
{
	struct guest_call *call = link->calls;

	while (call && now < call->until_ns)
		call = call->next;
	return call;
}

/** guest_link_expire_calls - fail calls after their timeout */
void guest_link_expire_calls(struct guest_link *link, int64_t now)
{
	struct guest_call *call;

	while ((call = find_late_call(link, now))) {
		struct reason why;

		fail(&why, -ETIMEDOUT, "%s to guest '%s': no answer in time", call->name,
		     call->peer->name);
		end_call(link, call, -ETIMEDOUT, NULL, &why);
	}
}
