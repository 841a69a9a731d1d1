/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_LINK_PEER_H
#define BRINELL_LINK_PEER_H

#include "harness/lib/protocol.h"
#include "harness/link/link.h"

/* A budget that fills with time. @level and @burst in thousandths, so that slow rates do not vanish. */
struct guest_budget {
	uint64_t rate, burst, level;
	int64_t filled_ns;
};

/**
 * struct guest_pulse - what the heartbeats of one guest look like from its host
 * @beats, @missed: since the last report
 * @seq:      of the last beat; @guest_ns: its time on the guest's CLOCK_MONOTONIC
 * @last_ns: when it arrived; 0 before the first
 * @worst_ns: longest time between two arrivals since the last report; @worst_late_ns: as the guest reports
 * @reported_ns:  when the last report was made
 * @gaps:     that were reported one by one since then
 * @silent:   the event "silent" was reported
 * @prompt_ns, @prompt_guest_ns: arrival and own time of the beat of this report that was under way the shortest, by the two
 *            clocks; 0: none yet
 */
struct guest_pulse {
	uint64_t beats, missed;
	int64_t seq, guest_ns;
	int64_t last_ns, worst_ns, worst_late_ns, reported_ns;
	int64_t prompt_ns, prompt_guest_ns;
	unsigned int gaps;
	bool silent;
};

/**
 * struct guest_peer - one guest
 * @name:      as its events call it
 * @cid:       of its vsock, or 0
 * @path:      Unix socket of its serial port, or NULL
 * @channel:   its stream now, or NULL
 * @terminal:  it is the terminal of its console, which is there before its program, and of which the guest does not notice that
 *             it was closed and opened
 * @arrives:   its next stream is that of a guest that another host has the hello of
 * @boot_id:   of its hello, or NULL before the first; kept when the stream breaks
 * @pid:       of the program that sent the hello
 * @greeted:   it has sent hello on this stream
 * @hello:     that hello, or NULL
 * @since_ns:  begin of this stream
 * @number:    of the next event that it should send; -1: the next one sets it
 * @rubbish:   lines of this stream that were no message
 * @refused_until_ns, @refuse_ns: after it was cut off
 * @refusals:  streams that were refused since
 * @retry_ns, @pause_ns: when and how soon its Unix socket is tried again
 * @is_forgotten: it is in no list but that of those, by @next_forgotten; @next still leads on
 */
struct guest_peer {
	struct guest_peer *next;
	char *name;
	unsigned int cid;
	char *path;
	struct channel *channel;
	char *boot_id;
	int64_t pid;
	bool terminal, arrives, greeted;
	json_t *hello;
	int64_t since_ns;
	int64_t number;
	uint64_t rubbish, streams, refusals;
	struct guest_budget bytes, lines;
	int64_t refused_until_ns, refuse_ns;
	int64_t retry_ns, pause_ns;
	bool is_forgotten;
	struct guest_peer *next_forgotten;
	struct guest_pulse pulse;
};

void guest_budget_set(struct guest_budget *budget, uint64_t rate, uint64_t burst, int64_t now);
bool guest_budget_take(struct guest_budget *budget, uint64_t amount, int64_t now);
bool guest_message_fits(const json_t *message, struct reason *why);

/* Events of a guest; the sender is the link. */
void guest_peer_event(struct guest_link *link, const struct guest_peer *peer, const char *what,
		      json_t *more, const char *format, ...) __attribute__((format(printf, 5, 6)));
void guest_pulse_take(struct guest_link *link, struct guest_peer *peer, const json_t *beat,
		      int64_t now);
void guest_pulse_report(struct guest_link *link, struct guest_peer *peer, int64_t now);
void guest_pulse_tick(struct guest_link *link, struct guest_peer *peer, int64_t silence_ns,
		      int64_t now);

#endif
