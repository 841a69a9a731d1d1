// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever a guest sends, in whatever pieces, with calls of the host in between: the link neither crashes nor reports more than
 * a bounded number of events, every call is answered once, and every event can be written as a line that can be read again.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "harness/lib/protocol.h"
#include "harness/link/link.h"

static size_t events, calls, answers;

static void on_event(void *context, json_t *event)
{
	char *text = json_dumps(event, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_t *again = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;

	(void)context;
	if (!again || strlen(text) > PROTOCOL_LINE_MAX ||
	    strcmp(json_text(again, "guest", ""), "g1") != 0)
		abort();
	json_decref(again);
	free(text);
	json_decref(event);
	events++;
}

static void on_answer(void *context, void *cookie, int error, json_t *reply,
		      const struct reason *why)
{
	(void)context;
	if (cookie != &calls || (error && (error > 0 || !why || !why->text[0])))
		abort();
	json_decref(reply);
	answers++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char hello[] = "{\"event\":\"hello\",\"protocol\":1,\"guest\":true,"
				    "\"boot_id\":\"b\",\"pid\":1}\n";
	struct guest_link *link =
		guest_link_new(&(struct guest_link_user){.event = on_event, .answer = on_answer},
			       &guest_limits_default);
	size_t step = size ? data[0] % 61 + 1 : 1;
	int ends[2];

	events = calls = answers = 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) ||
	    guest_link_adopt(link, "g1", ends[0], NULL))
		abort();
	if (size && data[0] & 64)
		(void)!send(ends[1], hello, sizeof(hello) - 1, MSG_NOSIGNAL);
	for (size_t at = 0; at < size; at += step) {
		size_t length = size - at < step ? size - at : step;

		if (send(ends[1], data + at, length, MSG_NOSIGNAL) < 0 && errno == EPIPE)
			break;
		guest_link_dispatch(link);
		if (!guest_link_call(link, "g1", "ping", NULL, 1000, &calls, NULL))
			calls++;
	}
	close(ends[1]);
	for (int i = 0; i < 8; i++)
		guest_link_dispatch(link);
	guest_link_free(link);
	/* A line makes at most four events; some are about the stream. */
	if (answers != calls || events > size * 4 + 16)
		abort();
	return 0;
}
