// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's end of the streams to its guests: the list of guests, and their fair service.
 */
#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>

#include "harness/link/internal.h"

#define GUESTS_MAX 64
#define TICK_NS (100 * NSEC_PER_MSEC)

/**
 * guest_peer_event - one event about a guest
 * @what:   kind of event (docs/guest-program.md)
 * @more:   further fields; stolen, may be NULL
 * @format: of the text for people
 */
void guest_peer_event(struct guest_link *link, const struct guest_peer *peer, const char *what,
		      json_t *more, const char *format, ...)
{
	json_t *event = more ?: json_object();
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	json_object_set_new(event, "event", json_string("guest"));
	json_object_set_new(event, "guest", json_string(peer->name));
	json_object_set_new(event, "what", json_string(what));
	json_object_set_new(event, "time_ns", json_integer(now_realtime_ns()));
	if (peer->boot_id)
		json_object_set_new(event, "boot_id", json_string(peer->boot_id));
	json_object_set_new(event, "text", json_sprintf("%s: %s", peer->name, text));
	link->user.event(link->user.context, event);
}

/**
 * guest_link_new - a link without guests
 * @user:   copied
 * @limits: copied; guest_limits_default is meant for real guests
 *
 * Return: it; never NULL.
 */
struct guest_link *guest_link_new(const struct guest_link_user *user,
				  const struct guest_limits *limits)
{
	struct guest_link *link = xzalloc(sizeof(*link));
	struct itimerspec tick = {.it_interval.tv_nsec = TICK_NS, .it_value.tv_nsec = TICK_NS};

	link->user = *user;
	link->limits = *limits;
	link->listener = -1;
	/* Two links that serve the same guest one after the other must not take each other's answers. */
	link->next_id = now_realtime_ns();
	link->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (link->timer < 0)
		abort();
	timerfd_settime(link->timer, 0, &tick, NULL);
	return link;
}

/** guest_link_find - a guest by its name, or NULL */
struct guest_peer *guest_link_find(const struct guest_link *link, const char *name)
{
	for (struct guest_peer *peer = link->peers; peer; peer = peer->next)
		if (strcmp(peer->name, name) == 0)
			return peer;
	return NULL;
}

/** guest_link_find_cid - the guest that dials from a CID, or NULL; 0 is that of none */
struct guest_peer *guest_link_find_cid(const struct guest_link *link, unsigned int cid)
{
	for (struct guest_peer *peer = link->peers; peer; peer = peer->next)
		if (cid && peer->cid == cid)
			return peer;
	return NULL;
}

/** guest_link_add - a guest by its name, a new one when there is none. Return: NULL with a reason when there are too many */
struct guest_peer *guest_link_add(struct guest_link *link, const char *name, struct reason *why)
{
	struct guest_peer *peer = guest_link_find(link, name);

	if (peer)
		return peer;
	if (link->peer_count >= GUESTS_MAX) {
		fail(why, -ENOSPC, "guest '%s': %d guests are linked already; remove some", name,
		     GUESTS_MAX);
		return NULL;
	}
	peer = xzalloc(sizeof(*peer));
	peer->name = xstrdup(name);
	peer->refuse_ns = link->limits.refuse_ns;
	peer->next = link->peers;
	link->peers = peer;
	link->peer_count++;
	return peer;
}

static void free_forgotten(struct guest_link *link)
{
	struct guest_peer *peer;

	while ((peer = link->forgotten)) {
		link->forgotten = peer->next_forgotten;
		free(peer->name);
		free(peer->path);
		free(peer->boot_id);
		free(peer);
	}
}

/** guest_link_enter - start a section, until guest_link_leave(), in which the user may be called and may remove a guest */
void guest_link_enter(struct guest_link *link)
{
	link->busy++;
}

/** guest_link_leave - no guest is looked at any more: those that were forgotten go */
void guest_link_leave(struct guest_link *link)
{
	if (--link->busy == 0)
		free_forgotten(link);
}

/* Its memory, and what comes after it in the list, stays until guest_link_leave(). */
static void forget_peer(struct guest_link *link, struct guest_peer *peer)
{
	struct guest_peer **at = &link->peers;

	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	link->peer_count--;
	peer->is_forgotten = true;
	peer->next_forgotten = link->forgotten;
	link->forgotten = peer;
	guest_peer_drop(link, peer, "it was forgotten");
}

/** guest_link_free - close all streams; calls that wait are answered with -ECONNRESET */
void guest_link_free(struct guest_link *link)
{
	if (!link)
		return;
	guest_link_enter(link);
	while (link->peers)
		forget_peer(link, link->peers);
	guest_link_leave(link);
	guest_link_listen_no_more(link);
	close(link->timer);
	free(link);
}

/* Its hello was reported under a name that was not expected. */
static void give_name(struct guest_link *link, struct guest_peer *peer, const char *name)
{
	free(peer->name);
	peer->name = xstrdup(name);
	if (!peer->greeted)
		return;
	guest_link_enter(link);
	guest_peer_event(link, peer, "hello",
			 json_pack("{s:b, s:b, s:O}", "rebooted", false, "restarted", false, "said",
				   peer->hello),
			 "hello, before it had this name");
	guest_link_leave(link);
}

/**
 * guest_link_expect - name the guest that will dial from a CID, or has done so
 *
 * Return: 0, -EEXIST when that CID has another name, or -ENOSPC.
 */
int guest_link_expect(struct guest_link *link, const char *guest, unsigned int cid,
		      struct reason *why)
{
	struct guest_peer *known = guest_link_find_cid(link, cid);
	struct guest_peer *named = guest_link_find(link, guest);

	if (known && known == named)
		return 0;
	if (known && (named || strncmp(known->name, "cid-", 4) != 0))
		return fail(why, -EEXIST, "CID %u is guest '%s' already: remove it first", cid,
			    known->name);
	/* A guest that dialled from there before and is gone was another one: no name has held that CID since. */
	if (known && !known->channel) {
		(void)guest_link_forget(link, known->name, NULL);
		known = NULL;
	}
	if (known) {
		give_name(link, known, guest);
		return 0;
	}
	named = guest_link_add(link, guest, why);
	if (!named)
		return -ENOSPC;
	/* A guest that was moved may have another CID now. */
	named->cid = cid;
	return 0;
}

/** guest_link_forget - close a guest's stream and remove the guest. Return: 0 or -ENOENT */
int guest_link_forget(struct guest_link *link, const char *guest, struct reason *why)
{
	struct guest_peer *peer = guest_link_find(link, guest);

	if (!peer)
		return fail(why, -ENOENT, "no guest '%s' is linked", guest);
	guest_link_enter(link);
	forget_peer(link, peer);
	guest_link_leave(link);
	return 0;
}

/** guest_link_report - have the heartbeats of a guest reported that were not reported yet */
void guest_link_report(struct guest_link *link, const char *guest)
{
	for (struct guest_peer *peer = link->peers; peer; peer = peer->next)
		if (strcmp(peer->name, guest) == 0)
			guest_pulse_report(link, peer, now_monotonic_ns());
}

/**
 * guest_link_list - the guests and how they are, "seq" and "age_ns" of the last heartbeat: -1 before the first
 *
 * Return: an array, owned by the caller.
 */
json_t *guest_link_list(const struct guest_link *link)
{
	json_t *list = json_array();
	int64_t now = now_monotonic_ns();

	for (const struct guest_peer *peer = link->peers; peer; peer = peer->next)
		json_array_append_new(
			list,
			json_pack("{s:s, s:I, s:s*, s:b, s:b, s:s*, s:I, s:I, s:I, s:I}", "guest",
				  peer->name, "cid", (json_int_t)peer->cid, "path", peer->path,
				  "connected", peer->channel != NULL, "greeted", peer->greeted,
				  "boot_id", peer->boot_id, "pid", (json_int_t)peer->pid, "streams",
				  (json_int_t)peer->streams, "seq",
				  (json_int_t)(peer->pulse.last_ns ? peer->pulse.seq : -1),
				  "age_ns",
				  (json_int_t)(peer->pulse.last_ns ? now - peer->pulse.last_ns
								   : -1)));
	return list;
}

static void tick_peer(struct guest_link *link, struct guest_peer *peer, int64_t now)
{
	if (peer->is_forgotten)
		return;
	guest_peer_retry(peer, link, now);
	if (peer->channel && !peer->terminal && !peer->greeted &&
	    now - peer->since_ns > link->limits.hello_ns)
		guest_peer_cut_off(link, peer, "mute", "its hello did not arrive in time");
	/* After ten seconds without an offence the count starts anew. */
	if (peer->greeted && now - peer->since_ns > 10 * NSEC_PER_SEC)
		peer->refuse_ns = link->limits.refuse_ns;
	guest_pulse_tick(link, peer, link->limits.silence_ns, now);
}

/** guest_link_watch - put what is to be polled into @fds, at most @room. Return: how many */
size_t guest_link_watch(struct guest_link *link, struct pollfd *fds, size_t room)
{
	size_t count = 0;

	if (count < room)
		fds[count++] = (struct pollfd){.fd = link->timer, .events = POLLIN};
	if (count < room && link->listener >= 0)
		fds[count++] = (struct pollfd){.fd = link->listener, .events = POLLIN};
	for (struct guest_peer *peer = link->peers; peer && count < room; peer = peer->next) {
		if (!peer->channel)
			continue;
		fds[count] = (struct pollfd){.fd = channel_fd(peer->channel), .events = POLLIN};
		if (channel_pending(peer->channel))
			fds[count].events |= POLLOUT;
		count++;
	}
	return count;
}

static bool is_ready(int fd, short events)
{
	struct pollfd state = {.fd = fd, .events = events};

	return fd >= 0 && poll(&state, 1, 0) > 0;
}

/** guest_link_dispatch - something of guest_link_watch() is ready: take a bounded piece of it, without waiting */
void guest_link_dispatch(struct guest_link *link)
{
	int64_t now = now_monotonic_ns();
	uint64_t expirations;

	guest_link_enter(link);
	for (struct guest_peer *peer = link->peers; peer; peer = peer->next) {
		if (!peer->channel)
			continue;
		(void)channel_flush(peer->channel);
		if (is_ready(channel_fd(peer->channel), POLLIN))
			guest_peer_read(link, peer);
	}
	if (is_ready(link->listener, POLLIN))
		guest_link_accept(link);
	if (read(link->timer, &expirations, sizeof(expirations)) == sizeof(expirations)) {
		for (struct guest_peer *peer = link->peers; peer; peer = peer->next)
			tick_peer(link, peer, now);
		guest_link_expire_calls(link, now);
	}
	guest_link_leave(link);
}
