// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's end of the streams to its guests. A guest under fault may say anything: it lies, floods, stops in the middle
 * of a line, or never says a word. Each of these is an event; none costs more than a bounded piece of memory and time.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/vm_sockets.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include "harness/guest/guest_peer.h"

#define GUESTS_MAX 64
#define CALLS_MAX 256
#define TICK_NS (100 * NSEC_PER_MSEC)
#define RETRY_FIRST_NS (50 * NSEC_PER_MSEC)
#define RETRY_MOST_NS NSEC_PER_SEC
#define REFUSE_MOST_NS (60 * NSEC_PER_SEC)
/* Deeper or larger things would not survive the way to the controller. */
#define DEPTH_MAX 32
#define EVENT_BYTES_MAX (64u << 10)
#define ANSWER_BYTES_MAX (960u << 10)
/* Rubbish is shown line by line at first, then counted. */
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

struct guest_call {
	struct guest_call *next;
	struct guest_peer *peer;
	int64_t id;
	int64_t until_ns;
	char *name;
	void *cookie;
};

/*
 * @busy:      functions at work that may call the user, who may forget a guest from there
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

/** guest_message_fits - whether a guest's message can be passed on inside of another one */
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

/**
 * guest_peer_tell - one event about a guest
 * @what:   kind of event (docs/guest-program.md)
 * @more:   further fields; stolen, may be NULL
 * @format: of the text for people
 */
void guest_peer_tell(struct guest_link *link, const struct guest_peer *peer, const char *what,
		     json_t *more, const char *format, ...)
{
	json_t *event = more ? more : json_object();
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
	struct guest_link *link = calloc(1, sizeof(*link));
	struct itimerspec tick = {.it_interval.tv_nsec = TICK_NS, .it_value.tv_nsec = TICK_NS};

	if (!link)
		abort();
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

static struct guest_peer *find_peer(const struct guest_link *link, const char *name)
{
	for (struct guest_peer *peer = link->peers; peer; peer = peer->next)
		if (strcmp(peer->name, name) == 0)
			return peer;
	return NULL;
}

static struct guest_peer *find_cid(const struct guest_link *link, unsigned int cid)
{
	for (struct guest_peer *peer = link->peers; peer; peer = peer->next)
		if (cid && peer->cid == cid)
			return peer;
	return NULL;
}

static struct guest_peer *add_peer(struct guest_link *link, const char *name, struct reason *why)
{
	struct guest_peer *peer = find_peer(link, name);

	if (peer)
		return peer;
	if (link->peer_count >= GUESTS_MAX) {
		fail(why, -ENOSPC, "guest '%s': %d guests are linked already; forget some", name,
		     GUESTS_MAX);
		return NULL;
	}
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		abort();
	peer->name = strdup(name);
	peer->refuse_ns = link->limits.refuse_ns;
	peer->next = link->peers;
	link->peers = peer;
	link->peer_count++;
	return peer;
}

static void end_call(struct guest_link *link, struct guest_call *call, int error, json_t *reply,
		     const struct reason *why)
{
	struct guest_call **at = &link->calls;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	link->call_count--;
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

static void fail_calls(struct guest_link *link, const struct guest_peer *peer, const char *because)
{
	struct guest_call *call;

	/* Who is answered may end further calls: what came next before may be gone. */
	while ((call = call_of_peer(link, peer))) {
		struct reason why;

		fail(&why, -ECONNRESET,
		     "%s to guest '%s': %s; whether it was carried out is not known", call->name,
		     peer->name, because);
		end_call(link, call, -ECONNRESET, NULL, &why);
	}
}

/* Ends the stream of a guest, and with it the calls that wait for it. */
static void drop_stream(struct guest_link *link, struct guest_peer *peer, const char *because)
{
	channel_free(peer->channel);
	peer->channel = NULL;
	peer->greeted = false;
	fail_calls(link, peer, because);
}

static void cut_off(struct guest_link *link, struct guest_peer *peer, const char *what,
		    const char *because)
{
	int64_t now = now_monotonic_ns();

	guest_peer_tell(link, peer, what,
			json_pack("{s:I, s:I}", "rubbish", (json_int_t)peer->rubbish,
				  "refused_for_ns", (json_int_t)peer->refuse_ns),
			"%s; cut off for %lld ms", because,
			(long long)(peer->refuse_ns / NSEC_PER_MSEC));
	drop_stream(link, peer, "it was cut off");
	peer->refused_until_ns = peer->retry_ns = now + peer->refuse_ns;
	peer->refuse_ns =
		peer->refuse_ns * 2 < REFUSE_MOST_NS ? peer->refuse_ns * 2 : REFUSE_MOST_NS;
}

/* Takes a connected descriptor as the stream of a guest; an older one is replaced: its guest has given it up. */
static void start_stream(struct guest_link *link, struct guest_peer *peer, int fd)
{
	int64_t now = now_monotonic_ns();
	bool replaced = peer->channel != NULL;

	if (now < peer->refused_until_ns) {
		close(fd);
		/* The first is told, the rest is counted. */
		if (peer->refusals++ == 0)
			guest_peer_tell(link, peer, "refused", NULL,
					"it is refused until its time is up");
		return;
	}
	if (replaced)
		drop_stream(link, peer, "it has dialled again");
	peer->channel = channel_new(fd, fd);
	peer->since_ns = now;
	peer->rubbish = 0;
	peer->streams++;
	guest_budget_set(&peer->bytes, link->limits.bytes_per_second, link->limits.bytes_burst,
			 now);
	guest_budget_set(&peer->lines, link->limits.lines_per_second, link->limits.lines_burst,
			 now);
	guest_peer_tell(link, peer, "connected",
			json_pack("{s:I, s:b, s:I, s:I}", "cid", (json_int_t)peer->cid, "replaced",
				  replaced, "stream", (json_int_t)peer->streams, "refusals",
				  (json_int_t)peer->refusals),
			"connected%s", replaced ? ", in place of its older stream" : "");
	peer->refusals = 0;
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

static void enter(struct guest_link *link)
{
	link->busy++;
}

static void leave(struct guest_link *link)
{
	if (--link->busy == 0)
		free_forgotten(link);
}

/* Its memory, and what comes after it in the list, stays until leave(). */
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
	drop_stream(link, peer, "it was forgotten");
}

/** guest_link_free - close all streams; calls that wait are answered with -ECONNRESET */
void guest_link_free(struct guest_link *link)
{
	if (!link)
		return;
	enter(link);
	while (link->peers)
		forget_peer(link, link->peers);
	leave(link);
	guest_link_listen_no_more(link);
	close(link->timer);
	free(link);
}

/**
 * guest_link_listen - wait for guests on AF_VSOCK
 * @port: to listen on; 0 lets the kernel choose. Receives the port
 * @why:  reason of a failure
 *
 * Return: 0, -EALREADY when it listens (then @port receives where), or -errno.
 */
int guest_link_listen(struct guest_link *link, unsigned int *port, struct reason *why)
{
	struct sockaddr_vm here = {.svm_family = AF_VSOCK,
				   .svm_cid = VMADDR_CID_ANY,
				   .svm_port = *port ? *port : VMADDR_PORT_ANY};
	socklen_t size = sizeof(here);
	__cleanup_close int fd = -1;

	if (link->listener >= 0) {
		*port = link->port;
		return fail(why, -EALREADY, "guests are awaited on port %u already", link->port);
	}
	fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(why, -errno, "socket(AF_VSOCK): %s; load vhost_vsock", strerror(errno));
	if (bind(fd, (const struct sockaddr *)&here, sizeof(here)) < 0)
		return fail(why, -errno, "bind to vsock port %u: %s; choose another port", *port,
			    strerror(errno));
	if (listen(fd, 16) < 0 || getsockname(fd, (struct sockaddr *)&here, &size) < 0)
		return fail(why, -errno, "listen on vsock port %u: %s", *port, strerror(errno));
	*port = link->port = here.svm_port;
	link->listener = fd;
	fd = -1;
	return 0;
}

/** guest_link_listen_no_more - who dials is refused from now on; the streams that stand go on */
void guest_link_listen_no_more(struct guest_link *link)
{
	if (link->listener >= 0)
		close(link->listener);
	link->listener = -1;
}

static void accept_guest(struct guest_link *link)
{
	struct sockaddr_vm there = {0};
	socklen_t size = sizeof(there);
	int fd = accept4(link->listener, (struct sockaddr *)&there, &size, SOCK_CLOEXEC);
	__cleanup_free char *name = NULL;
	struct guest_peer *peer;
	struct reason why;

	if (fd < 0)
		return;
	peer = find_cid(link, there.svm_cid);
	if (!peer) {
		name = format_text("cid-%u", there.svm_cid);
		peer = add_peer(link, name, &why);
	}
	if (!peer) {
		log_warning("%s", why.text);
		close(fd);
		return;
	}
	peer->cid = there.svm_cid;
	start_stream(link, peer, fd);
}

/**
 * guest_link_expect - name the guest that will dial from a CID, or has done so
 *
 * Return: 0, -EEXIST when that CID has another name, or -ENOSPC.
 */
int guest_link_expect(struct guest_link *link, const char *guest, unsigned int cid,
		      struct reason *why)
{
	struct guest_peer *known = find_cid(link, cid);
	struct guest_peer *named = find_peer(link, guest);

	if (known && known == named)
		return 0;
	if (known && (named || strncmp(known->name, "cid-", 4) != 0))
		return fail(why, -EEXIST, "CID %u is guest '%s' already: forget it first", cid,
			    known->name);
	if (known) {
		free(known->name);
		known->name = strdup(guest);
		return 0;
	}
	named = add_peer(link, guest, why);
	if (!named)
		return -ENOSPC;
	/* A guest that was moved may have another CID now. */
	named->cid = cid;
	return 0;
}

static int open_socket(const char *path, struct reason *why)
{
	struct sockaddr_un there = {.sun_family = AF_UNIX};
	__cleanup_close int fd = -1;
	int connected;

	if (strlen(path) >= sizeof(there.sun_path))
		return fail(why, -ENAMETOOLONG, "connect to %s: the path is too long", path);
	snprintf(there.sun_path, sizeof(there.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(why, -errno, "socket(AF_UNIX): %s", strerror(errno));
	if (connect(fd, (const struct sockaddr *)&there, sizeof(there)) < 0)
		return fail(why, -errno, "connect to %s: %s; is its guest started?", path,
			    strerror(errno));
	connected = fd;
	fd = -1;
	return connected;
}

/**
 * guest_link_connect - reach a guest by the Unix socket of its virtio serial port
 * @path: of the socket; it is tried again whenever the stream breaks, until the guest is forgotten
 *
 * Return: 0, also when nobody listens there yet, or -errno.
 */
int guest_link_connect(struct guest_link *link, const char *guest, const char *path,
		       struct reason *why)
{
	struct guest_peer *peer;

	if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return fail(why, -ENAMETOOLONG, "connect to %s: the path is too long", path);
	peer = add_peer(link, guest, why);
	if (!peer)
		return -ENOSPC;
	free(peer->path);
	peer->path = strdup(path);
	peer->retry_ns = 0;
	peer->pause_ns = RETRY_FIRST_NS;
	return 0;
}

/**
 * guest_link_adopt - take a stream that somebody else has opened
 * @fd: owned by the link from now on, also after an error
 *
 * Return: 0 or -ENOSPC.
 */
int guest_link_adopt(struct guest_link *link, const char *guest, int fd, struct reason *why)
{
	struct guest_peer *peer = add_peer(link, guest, why);

	if (!peer) {
		close(fd);
		return -ENOSPC;
	}
	enter(link);
	start_stream(link, peer, fd);
	leave(link);
	return 0;
}

/** guest_link_forget - close a guest's stream and forget its name. Return: 0 or -ENOENT */
int guest_link_forget(struct guest_link *link, const char *guest, struct reason *why)
{
	struct guest_peer *peer = find_peer(link, guest);

	if (!peer)
		return fail(why, -ENOENT, "no guest '%s' is linked", guest);
	enter(link);
	forget_peer(link, peer);
	leave(link);
	return 0;
}

/**
 * guest_link_call - have a guest carry out a call
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
	struct guest_peer *peer = find_peer(link, guest);
	__cleanup_json json_t *message = NULL;
	struct guest_call *entry;
	int error;

	if (!peer)
		return fail(why, -ENOENT, "%s to guest '%s': no such guest is linked", call, guest);
	if (!peer->greeted)
		return fail(why, -ENOTCONN, "%s to guest '%s': it %s", call, guest,
			    peer->channel
				    ? "has not said hello yet"
				    : "is not connected; has brinell-guest been started in it?");
	if (link->call_count >= CALLS_MAX)
		return fail(why, -EBUSY, "%s to guest '%s': %d calls wait for an answer already",
			    call, guest, CALLS_MAX);
	message = json_pack("{s:I, s:s, s:O*}", "id", (json_int_t)link->next_id, "call", call,
			    "args", (json_t *)arguments);
	error = message ? channel_queue(peer->channel, message) : -EINVAL;
	if (error)
		return fail(why, error, "%s to guest '%s': %s", call, guest, strerror(-error));
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		abort();
	*entry = (struct guest_call){.next = link->calls,
				     .peer = peer,
				     .id = link->next_id++,
				     .until_ns = now_monotonic_ns() + timeout_ms * NSEC_PER_MSEC,
				     .name = strdup(call),
				     .cookie = cookie};
	link->calls = entry;
	link->call_count++;
	return 0;
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
				  (json_int_t)(peer->pulse.heard_ns ? peer->pulse.seq : -1),
				  "age_ns",
				  (json_int_t)(peer->pulse.heard_ns ? now - peer->pulse.heard_ns
								    : -1)));
	return list;
}

/* Return: false when the guest was cut off. */
static bool count_rubbish(struct guest_link *link, struct guest_peer *peer, const char *text)
{
	if (++peer->rubbish <= RUBBISH_SHOWN)
		guest_peer_tell(link, peer, "rubbish", NULL, "%s", text);
	if (peer->rubbish <= link->limits.rubbish)
		return true;
	cut_off(link, peer, "flood", "it says nothing but rubbish");
	return false;
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
	bool rebooted, restarted;

	if (protocol != PROTOCOL_VERSION) {
		__cleanup_free char *text =
			format_text("it speaks protocol %lld and this host %d: install the "
				    "brinell-guest of this version",
				    (long long)protocol, PROTOCOL_VERSION);

		cut_off(link, peer, "protocol", text);
		return false;
	}
	if (!json_is_true(json_object_get(message, "guest")) || !is_plain(boot, 64))
		return count_rubbish(link, peer, "a hello that no guest would say was ignored");
	rebooted = peer->boot_id && strcmp(peer->boot_id, boot) != 0;
	restarted = peer->boot_id && !rebooted && peer->pid != pid;
	if (!peer->boot_id || rebooted || restarted) {
		/* What it said on its streams before went to another host. */
		peer->number = !peer->boot_id && json_number(message, "connection", 1) > 1 ? -1 : 0;
		peer->pulse = (struct guest_pulse){0};
	}
	free(peer->boot_id);
	peer->boot_id = strdup(boot);
	peer->pid = pid;
	peer->greeted = true;
	guest_peer_tell(link, peer, "hello",
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
		return count_rubbish(link, peer, "an answer that nobody waits for was ignored");
	if (!error) {
		end_call(link, call, 0, json_incref(json_object_get(message, "ok")), NULL);
		return true;
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
		guest_peer_tell(link, peer, "lost",
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

	if (event && peer->greeted && strcmp(event, "heartbeat") == 0) {
		if (guest_message_fits(message, &why)) {
			guest_pulse_take(link, peer, message, now);
			return true;
		}
		return count_rubbish(link, peer, why.text);
	}
	if (!guest_budget_take(&peer->lines, 1, now)) {
		cut_off(link, peer, "flood", "it says more lines than anybody could want");
		return false;
	}
	if (!guest_message_fits(message, &why))
		return count_rubbish(link, peer, why.text);
	if (event && strcmp(event, "hello") == 0)
		return take_hello(link, peer, message);
	if (!peer->greeted)
		return count_rubbish(link, peer, "what came before its hello was ignored");
	if (!event)
		return take_answer(link, peer, message);
	check_number(link, peer, message);
	guest_peer_tell(link, peer, "said", json_pack("{s:O}", "said", message), "%.200s",
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
				       : count_rubbish(link, peer, why.text);

		if (got > 0)
			json_decref(message);
		if (!goes_on)
			return false;
	}
	/* One that was forgotten meanwhile has no stream any more. */
	return peer->channel != NULL;
}

/* One read of a guest: what one guest says must not keep the others waiting. */
static void read_peer(struct guest_link *link, struct guest_peer *peer)
{
	int64_t now = now_monotonic_ns();
	int got = channel_fill(peer->channel);
	__cleanup_free char *because = NULL;
	json_t *gone;

	if (got > 0 && !guest_budget_take(&peer->bytes, (uint64_t)got, now)) {
		cut_off(link, peer, "flood", "it says more bytes than anybody could want");
		return;
	}
	if (!take_lines(link, peer, now) || got >= 0)
		return;
	because = got == -EPIPE ? strdup("its stream has ended")
				: format_text("its stream broke: %s", strerror(-got));
	gone = json_pack("{s:s}", "errno_name", error_name(-got));
	if (peer->pulse.heard_ns) {
		json_object_set_new(gone, "age_ns", json_integer(now - peer->pulse.heard_ns));
		json_object_set_new(gone, "guest_ns", json_integer(peer->pulse.guest_ns));
	}
	guest_peer_tell(link, peer, "gone", gone, "%s", because);
	drop_stream(link, peer, because);
	peer->retry_ns = now;
}

static void try_socket(struct guest_peer *peer, struct guest_link *link, int64_t now)
{
	struct reason why;
	int fd;

	if (!peer->path || peer->channel || now < peer->retry_ns || now < peer->refused_until_ns)
		return;
	fd = open_socket(peer->path, &why);
	if (fd >= 0) {
		peer->pause_ns = RETRY_FIRST_NS;
		start_stream(link, peer, fd);
		return;
	}
	peer->retry_ns = now + peer->pause_ns;
	peer->pause_ns = peer->pause_ns * 2 < RETRY_MOST_NS ? peer->pause_ns * 2 : RETRY_MOST_NS;
}

static void tick_peer(struct guest_link *link, struct guest_peer *peer, int64_t now)
{
	if (peer->is_forgotten)
		return;
	try_socket(peer, link, now);
	if (peer->channel && !peer->greeted && now - peer->since_ns > link->limits.hello_ns)
		cut_off(link, peer, "mute", "it did not say hello in time");
	/* Who has behaved for ten seconds starts anew. */
	if (peer->greeted && now - peer->since_ns > 10 * NSEC_PER_SEC)
		peer->refuse_ns = link->limits.refuse_ns;
	guest_pulse_tick(link, peer, link->limits.silence_ns, now);
}

static struct guest_call *find_late_call(const struct guest_link *link, int64_t now)
{
	struct guest_call *call = link->calls;

	while (call && now < call->until_ns)
		call = call->next;
	return call;
}

static void expire_calls(struct guest_link *link, int64_t now)
{
	struct guest_call *call;

	while ((call = find_late_call(link, now))) {
		struct reason why;

		fail(&why, -ETIMEDOUT, "%s to guest '%s': no answer in time", call->name,
		     call->peer->name);
		end_call(link, call, -ETIMEDOUT, NULL, &why);
	}
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

	enter(link);
	for (struct guest_peer *peer = link->peers; peer; peer = peer->next) {
		if (!peer->channel)
			continue;
		(void)channel_flush(peer->channel);
		if (is_ready(channel_fd(peer->channel), POLLIN))
			read_peer(link, peer);
	}
	if (is_ready(link->listener, POLLIN))
		accept_guest(link);
	if (read(link->timer, &expirations, sizeof(expirations)) == sizeof(expirations)) {
		for (struct guest_peer *peer = link->peers; peer; peer = peer->next)
			tick_peer(link, peer, now);
		expire_calls(link, now);
	}
	leave(link);
}
