// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits of messages. A guest under fault may send anything. Too much, too deeply nested or invalid data cost a bounded amount of
 * memory and time; then the stream is closed.
 */
#include <errno.h>

#include "harness/link/internal.h"

#define REFUSE_MOST_NS (60 * NSEC_PER_SEC)
/* The controller's protocol would reject deeper or larger messages. */
#define DEPTH_MAX 32
#define EVENT_BYTES_MAX (64u << 10)
#define ANSWER_BYTES_MAX (960u << 10)
/* The first invalid messages are reported one by one, then only counted. */
#define RUBBISH_SHOWN 5

const struct guest_limits guest_limits_default = {
	.bytes_per_second = 4u << 20,
	.bytes_burst = 8u << 20,
	.lines_per_second = 1000,
	.lines_burst = 4000,
	.rubbish = 100,
	.hello_ns = 10 * NSEC_PER_SEC,
	.silence_ns = NSEC_PER_SEC,
	.refuse_ns = NSEC_PER_SEC,
};

/** guest_budget_set - make a budget of @rate a second that holds @burst, full at @now */
void guest_budget_set(struct guest_budget *budget, uint64_t rate, uint64_t burst, int64_t now)
{
	*budget = (struct guest_budget){
		.rate = rate, .burst = burst * 1000, .level = burst * 1000, .filled_ns = now};
}

/** guest_budget_take - take @amount out of it. Return: false when it is overdrawn */
bool guest_budget_take(struct guest_budget *budget, uint64_t amount, int64_t now)
{
	uint64_t passed_us = (uint64_t)(now - budget->filled_ns) / 1000;

	/* A pause longer than an hour fills any budget, and must not overflow the product. */
	if (passed_us > 3600000000ull)
		passed_us = 3600000000ull;
	budget->level += budget->rate * passed_us / 1000;
	if (budget->level > budget->burst)
		budget->level = budget->burst;
	budget->filled_ns += (int64_t)passed_us * 1000;
	if (amount * 1000 > budget->level) {
		budget->level = 0;
		return false;
	}
	budget->level -= amount * 1000;
	return true;
}

static bool is_shallow(const json_t *value, unsigned int depth)
{
	const char *key;
	json_t *child;
	size_t index;

	if (json_is_object(value)) {
		json_object_foreach ((json_t *)value, key, child)
			if (!depth || !is_shallow(child, depth - 1))
				return false;
	} else if (json_is_array(value)) {
		json_array_foreach (value, index, child)
			if (!depth || !is_shallow(child, depth - 1))
				return false;
	}
	return true;
}

/** guest_message_fits - whether a guest's message fits into a message to the controller */
bool guest_message_fits(const json_t *message, struct reason *why)
{
	size_t most = json_object_get(message, "event") ? EVENT_BYTES_MAX : ANSWER_BYTES_MAX;
	size_t size;

	if (!is_shallow(message, DEPTH_MAX)) {
		fail(why, -EMSGSIZE, "a message nested deeper than %d was dropped", DEPTH_MAX);
		return false;
	}
	size = json_dumpb(message, NULL, 0, JSON_COMPACT | JSON_ENSURE_ASCII);
	if (size > most) {
		fail(why, -EMSGSIZE, "a message of %zu bytes was dropped: %zu are passed on", size,
		     most);
		return false;
	}
	return true;
}

/** guest_peer_rubbish - count an invalid message. Return: false when the guest was cut off */
bool guest_peer_rubbish(struct guest_link *link, struct guest_peer *peer, const char *text)
{
	if (++peer->rubbish <= RUBBISH_SHOWN)
		guest_peer_event(link, peer, "rubbish", NULL, "%s", text);
	if (peer->rubbish <= link->limits.rubbish)
		return true;
	guest_peer_cut_off(link, peer, "flood", "it sends invalid messages");
	return false;
}

/**
 * guest_peer_cut_off - close the stream of a guest, and refuse new ones for a while
 * @what: kind of event
 */
void guest_peer_cut_off(struct guest_link *link, struct guest_peer *peer, const char *what,
			const char *because)
{
	int64_t now = now_monotonic_ns();

	guest_peer_event(link, peer, what,
			 json_pack("{s:I, s:I}", "rubbish", (json_int_t)peer->rubbish,
				   "refused_for_ns", (json_int_t)peer->refuse_ns),
			 "%s; cut off for %lld ms", because,
			 (long long)(peer->refuse_ns / NSEC_PER_MSEC));
	guest_peer_drop(link, peer, "it was cut off");
	peer->refused_until_ns = peer->retry_ns = now + peer->refuse_ns;
	peer->refuse_ns =
		peer->refuse_ns * 2 < REFUSE_MOST_NS ? peer->refuse_ns * 2 : REFUSE_MOST_NS;
}
