/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_LINK_INTERNAL_H
#define BRINELL_LINK_INTERNAL_H

#include "harness/link/peer.h"

/**
 * struct guest_call - a call to a guest that waits for its answer
 * @peer:     the guest
 * @until_ns: when it is answered without the guest
 * @cookie:   of the user
 * @own:      a hello that the link itself has requested
 */
struct guest_call {
	struct guest_call *next;
	struct guest_peer *peer;
	int64_t id;
	int64_t until_ns;
	char *name;
	void *cookie;
	bool own;
};

/*
 * @busy:      functions in progress that may call the user, who may remove a guest
 * @forgotten: those; freed when the last of these functions is done
 */
struct guest_link {
	struct guest_link_user user;
	struct guest_limits limits;
	struct guest_peer *peers;
	unsigned int busy;
	struct guest_peer *forgotten;
	struct guest_call *calls;
	size_t peer_count, call_count;
	int64_t next_id;
	int listener;
	unsigned int port;
	int timer;
};

/* guest_link.c: which guests there are */
struct guest_peer *guest_link_find(const struct guest_link *link, const char *name);
struct guest_peer *guest_link_find_cid(const struct guest_link *link, unsigned int cid);
struct guest_peer *guest_link_add(struct guest_link *link, const char *name, struct reason *why);
void guest_link_enter(struct guest_link *link);
void guest_link_leave(struct guest_link *link);

/* limits.c: limits of messages */
bool guest_peer_rubbish(struct guest_link *link, struct guest_peer *peer, const char *text);
void guest_peer_cut_off(struct guest_link *link, struct guest_peer *peer, const char *what,
			const char *because);

/* guest_link_streams.c: how streams begin and end */
void guest_peer_drop(struct guest_link *link, struct guest_peer *peer, const char *because);
void guest_peer_retry(struct guest_peer *peer, struct guest_link *link, int64_t now);
void guest_link_accept(struct guest_link *link);

/* talk.c: messages */
void guest_peer_fail_calls(struct guest_link *link, const struct guest_peer *peer,
			   const char *because);
void guest_peer_take_over(struct guest_link *link, struct guest_peer *peer);
void guest_link_expire_calls(struct guest_link *link, int64_t now);
void guest_peer_read(struct guest_link *link, struct guest_peer *peer);

#endif
