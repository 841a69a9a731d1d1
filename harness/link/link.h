/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_LINK_LINK_H
#define BRINELL_LINK_LINK_H

#include <poll.h>

#include "harness/lib/util.h"

struct guest_link;

/**
 * struct guest_limits - limits of a guest's messages, above which it is cut off
 * @bytes_per_second, @bytes_burst: of its stream
 * @lines_per_second, @lines_burst: lines that are no heartbeat
 * @rubbish:    lines that are no message, on one stream
 * @hello_ns:   time to its hello
 * @silence_ns: time without a heartbeat, after the first one, before the event "silent"
 * @refuse_ns:  how long a guest that was cut off is refused; doubled each time, up to a minute
 */
struct guest_limits {
	uint64_t bytes_per_second, bytes_burst;
	uint64_t lines_per_second, lines_burst;
	uint64_t rubbish;
	int64_t hello_ns;
	int64_t silence_ns;
	int64_t refuse_ns;
};

extern const struct guest_limits guest_limits_default;

/**
 * struct guest_link_user - the receiver of events
 * @event:  receives each event {"event": "guest", "guest": NAME, "what": WHAT, ...}; stolen
 * @answer: receives the end of a guest_link_call(): 0 with @reply (stolen), or -errno with @why. It is called exactly
 *          once for each call that was accepted, also when the guest goes, and when the link is freed
 */
struct guest_link_user {
	void (*event)(void *context, json_t *event);
	void (*answer)(void *context, void *cookie, int error, json_t *reply,
		       const struct reason *why);
	void *context;
};

struct guest_link *guest_link_new(const struct guest_link_user *user,
				  const struct guest_limits *limits);
void guest_link_free(struct guest_link *link);

int guest_link_listen(struct guest_link *link, unsigned int *port, struct reason *why);
void guest_link_listen_no_more(struct guest_link *link);
int guest_link_expect(struct guest_link *link, const char *guest, unsigned int cid,
		      struct reason *why);
int guest_link_connect(struct guest_link *link, const char *guest, const char *path, bool arrives,
		       struct reason *why);
int guest_link_adopt(struct guest_link *link, const char *guest, int fd, struct reason *why);
int guest_link_forget(struct guest_link *link, const char *guest, struct reason *why);

int guest_link_call(struct guest_link *link, const char *guest, const char *call,
		    const json_t *arguments, int64_t timeout_ms, void *cookie, struct reason *why);
json_t *guest_link_list(const struct guest_link *link);
void guest_link_report(struct guest_link *link, const char *guest);

size_t guest_link_watch(struct guest_link *link, struct pollfd *fds, size_t room);
void guest_link_dispatch(struct guest_link *link);

#endif
