// SPDX-License-Identifier: GPL-2.0-only
/*
 * The heartbeat: a thread of its own notes the clocks each time its timer fires, whatever the rest of the program is
 * doing; the loop of the agent sends what was noted. A stream that is blocked makes events that report several beats, it
 * never makes a beat wait.
 *
 * No clock inside a guest is known to run while the guest does not: a hypervisor that stops a guest may also stop its
 * CLOCK_MONOTONIC. So all clocks are compared, the host's own too where the guest can read it (drivers/ptp/ptp_kvm_common.c),
 * and the host compares the time at which beats arrive.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "harness/agent/core.h"

#define INTERVAL_NS (10 * NSEC_PER_MSEC)
#define INTERVAL_LEAST_NS NSEC_PER_MSEC
#define INTERVAL_MOST_NS (10 * NSEC_PER_SEC)
/* A quarter of a minute at 10 ms, while the loop is held up. */
#define RING_SIZE 2048
/* Clocks that differ by more than this over one beat have jumped. */
#define JUMP_NS (5 * NSEC_PER_MSEC)
#define STEAL_EVERY 100
/* Of the beats before a stream, these many of the longest waits are reported, and so far back. */
#define GAPS_TOLD 16
#define GAPS_BACK (RING_SIZE / 2)

enum beat_clock {
	CLOCK_OF_BEAT_MONOTONIC,
	CLOCK_OF_BEAT_BOOT,
	CLOCK_OF_BEAT_REAL,
	CLOCK_OF_BEAT_RAW,
	CLOCK_OF_BEAT_HOST,
	CLOCKS_OF_BEAT,
};

static const char *const clock_names[] = {"monotonic", "boottime", "realtime", "raw", "host"};

/* @seq: intervals since the start; @clocks: in ns, 0 for one that is not there */
struct beat {
	uint64_t seq;
	int64_t clocks[CLOCKS_OF_BEAT];
};

/*
 * @head:      beats written by the thread; @tail: read by the loop
 * @overrun:   beats that found the ring full
 * @host:      descriptor of the host's clock, or -1
 * @last:      the last beat that was read
 * @pending:   event about beats that could not be sent yet, or NULL
 * @reported:      the stream on which earlier gaps were reported
 */
struct heartbeat {
	bool running;
	pthread_t thread;
	int timer, stop, wake, host;
	int64_t interval_ns;
	int64_t begin_ns;
	struct beat ring[RING_SIZE];
	atomic_size_t head, tail;
	atomic_uint_fast64_t overrun;
	struct beat last;
	json_t *pending;
	unsigned int reported;
	int64_t steal_ns;
	uint64_t steal_age;
};

static const struct agent_service heartbeat_service;

static struct heartbeat *heartbeat_of(const struct agent *agent)
{
	return agent_state(agent, &heartbeat_service);
}

static int64_t read_clock(clockid_t clock)
{
	struct timespec now;

	return clock_gettime(clock, &now) ? 0 : now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

/* Documentation/driver-api/ptp.rst: a clock device is read through a clock id made of its descriptor. */
static clockid_t clock_of_descriptor(int fd)
{
	return (clockid_t)((~(unsigned int)fd << 3) | 3);
}

/* The clock of the host, when the hypervisor offers it ("KVM virtual PTP"). */
static int open_host_clock(void)
{
	char path[4096];
	__cleanup_directory DIR *clocks = opendir(system_path(path, "/sys/class/ptp"));
	struct dirent *entry;
	int fd = -1;

	while (clocks && fd < 0 && (entry = readdir(clocks))) {
		__cleanup_free char *place =
			format_text("/sys/class/ptp/%s/clock_name", entry->d_name);
		__cleanup_free char *device = format_text("/dev/%s", entry->d_name);
		__cleanup_free char *name = NULL;

		if (entry->d_name[0] == '.' ||
		    read_small_file(system_path(path, place), &name, NULL) ||
		    !strstr(name, "KVM virtual PTP"))
			continue;
		fd = open(system_path(path, device), O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && !read_clock(clock_of_descriptor(fd))) {
			close(fd);
			fd = -1;
		}
	}
	return fd;
}

static void note_clocks(const struct heartbeat *heart, struct beat *beat)
{
	beat->clocks[CLOCK_OF_BEAT_MONOTONIC] = read_clock(CLOCK_MONOTONIC);
	beat->clocks[CLOCK_OF_BEAT_BOOT] = read_clock(CLOCK_BOOTTIME);
	beat->clocks[CLOCK_OF_BEAT_REAL] = read_clock(CLOCK_REALTIME);
	beat->clocks[CLOCK_OF_BEAT_RAW] = read_clock(CLOCK_MONOTONIC_RAW);
	beat->clocks[CLOCK_OF_BEAT_HOST] =
		heart->host < 0 ? 0 : read_clock(clock_of_descriptor(heart->host));
}

static void push(struct heartbeat *heart, const struct beat *beat)
{
	size_t head = atomic_load_explicit(&heart->head, memory_order_relaxed);

	if (head - atomic_load_explicit(&heart->tail, memory_order_acquire) >= RING_SIZE) {
		atomic_fetch_add(&heart->overrun, 1);
		return;
	}
	heart->ring[head % RING_SIZE] = *beat;
	atomic_store_explicit(&heart->head, head + 1, memory_order_release);
	(void)!write(heart->wake, &(uint64_t){1}, sizeof(uint64_t));
}

static void *beat_until_stopped(void *state)
{
	struct heartbeat *heart = state;
	struct beat beat = {0};

	for (;;) {
		struct pollfd fds[2] = {{.fd = heart->timer, .events = POLLIN},
					{.fd = heart->stop, .events = POLLIN}};
		uint64_t expirations;

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return NULL;
		if (fds[1].revents)
			return NULL;
		if (read(heart->timer, &expirations, sizeof(expirations)) != sizeof(expirations))
			continue;
		beat.seq += expirations;
		note_clocks(heart, &beat);
		push(heart, &beat);
	}
}

static void close_descriptor(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void stop_heart(struct heartbeat *heart)
{
	if (!heart->running)
		return;
	(void)!write(heart->stop, &(uint64_t){1}, sizeof(uint64_t));
	pthread_join(heart->thread, NULL);
	close_descriptor(&heart->timer);
	close_descriptor(&heart->stop);
	close_descriptor(&heart->wake);
	close_descriptor(&heart->host);
	json_decref(heart->pending);
	heart->pending = NULL;
	heart->running = false;
}

/* Time that the hypervisor gave to others while a processor of this guest had work (Documentation/filesystems/proc.rst). */
static int64_t stolen_ns(void)
{
	__cleanup_free char *text = NULL;
	unsigned long long steal = 0;
	char path[4096];

	if (read_small_file(system_path(path, "/proc/stat"), &text, NULL) ||
	    sscanf(text, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", &steal) != 1)
		return 0;
	return (int64_t)steal * (NSEC_PER_SEC / sysconf(_SC_CLK_TCK));
}

static int start_thread(struct heartbeat *heart, struct reason *why)
{
	int64_t first = heart->begin_ns + heart->interval_ns;
	struct itimerspec time = {.it_interval = {.tv_sec = heart->interval_ns / NSEC_PER_SEC,
						  .tv_nsec = heart->interval_ns % NSEC_PER_SEC},
				  .it_value = {.tv_sec = first / NSEC_PER_SEC,
					       .tv_nsec = first % NSEC_PER_SEC}};
	sigset_t all, before;
	int error;

	timerfd_settime(heart->timer, TFD_TIMER_ABSTIME, &time, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&heart->thread, NULL, beat_until_stopped, heart);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		return fail(why, -error, "heartbeat.start: pthread_create: %s", strerror(error));
	heart->running = true;
	return 0;
}

static int serve_start(struct agent *agent, const json_t *arguments, json_t **reply,
		       struct reason *why)
{
	struct heartbeat *heart = heartbeat_of(agent);
	int64_t interval = json_number(arguments, "interval_ns", INTERVAL_NS);
	int error;

	if (interval < INTERVAL_LEAST_NS || interval > INTERVAL_MOST_NS)
		return fail(why, -EINVAL,
			    "heartbeat.start: interval_ns is %lld; it must be from 1 ms to 10 s",
			    (long long)interval);
	stop_heart(heart);
	heart->interval_ns = interval;
	heart->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	heart->stop = eventfd(0, EFD_CLOEXEC);
	heart->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	heart->host = open_host_clock();
	atomic_store(&heart->head, 0);
	atomic_store(&heart->tail, 0);
	atomic_store(&heart->overrun, 0);
	heart->last = (struct beat){0};
	heart->reported = agent_connection(agent);
	note_clocks(heart, &heart->last);
	heart->begin_ns = heart->last.clocks[CLOCK_OF_BEAT_MONOTONIC];
	heart->steal_ns = stolen_ns();
	heart->steal_age = 0;
	error = heart->timer < 0 || heart->stop < 0 || heart->wake < 0
			? fail_errno(why, -errno, "heartbeat.start: timerfd or eventfd")
			: start_thread(heart, why);
	if (error) {
		close_descriptor(&heart->timer);
		close_descriptor(&heart->stop);
		close_descriptor(&heart->wake);
		close_descriptor(&heart->host);
		return error;
	}
	*reply = json_pack("{s:I, s:b, s:I}", "interval_ns", (json_int_t)interval, "host_clock",
			   heart->host >= 0, "time_ns", (json_int_t)heart->begin_ns);
	return 0;
}

static int serve_stop(struct agent *agent, const json_t *arguments, json_t **reply,
		      struct reason *why)
{
	stop_heart(heartbeat_of(agent));
	return 0;
}

static void add_number(json_t *event, const char *key, int64_t number)
{
	json_object_set_new(event, key,
			    json_integer(json_number(event, key, 0) + (json_int_t)number));
}

static void raise_number(json_t *event, const char *key, int64_t number)
{
	if (!json_object_get(event, key) || json_number(event, key, 0) < number)
		json_object_set_new(event, key, json_integer(number));
}

/* Time since the last beat by each clock; sent only after a gap or a jump. */
static json_t *clock_gaps(const struct beat *before, const struct beat *now, bool *jumped)
{
	int64_t monotonic =
		now->clocks[CLOCK_OF_BEAT_MONOTONIC] - before->clocks[CLOCK_OF_BEAT_MONOTONIC];
	json_t *gaps = json_object();

	*jumped = monotonic < 0;
	for (size_t i = 0; i < CLOCKS_OF_BEAT; i++) {
		int64_t gap = now->clocks[i] - before->clocks[i];

		if (!now->clocks[i] || !before->clocks[i])
			continue;
		json_object_set_new(gaps, clock_names[i], json_integer(gap));
		*jumped = *jumped || llabs(gap - monotonic) > JUMP_NS;
	}
	return gaps;
}

static void add_beat(struct heartbeat *heart, const struct beat *beat)
{
	int64_t now = beat->clocks[CLOCK_OF_BEAT_MONOTONIC];
	int64_t gap = now - heart->last.clocks[CLOCK_OF_BEAT_MONOTONIC];
	json_t *event = heart->pending;
	__cleanup_json json_t *gaps = NULL;
	bool jumped;

	if (!event)
		event = heart->pending = json_pack("{s:s, s:I}", "event", "heartbeat",
						   "interval_ns", (json_int_t)heart->interval_ns);
	json_object_set_new(event, "seq", json_integer((json_int_t)beat->seq));
	json_object_set_new(event, "time_ns", json_integer(now));
	json_object_set_new(event, "realtime_ns", json_integer(beat->clocks[CLOCK_OF_BEAT_REAL]));
	add_number(event, "beats", 1);
	raise_number(event, "late_ns",
		     now - heart->begin_ns - (int64_t)beat->seq * heart->interval_ns);
	if (beat->seq > heart->last.seq + 1)
		add_number(event, "missed", (int64_t)(beat->seq - heart->last.seq - 1));
	gaps = clock_gaps(&heart->last, beat, &jumped);
	if (jumped)
		json_object_set(event, "jump", gaps);
	/* The worst gap of an event is reported whole. */
	if (gap > 2 * heart->interval_ns &&
	    gap > json_number(json_object_get(event, "gap"), "monotonic", 0)) {
		int64_t steal = stolen_ns();

		json_object_set_new(gaps, "steal", json_integer(steal - heart->steal_ns));
		json_object_set(event, "gap", gaps);
		heart->steal_ns = steal;
		heart->steal_age = 0;
	} else if (++heart->steal_age >= STEAL_EVERY) {
		heart->steal_ns = stolen_ns();
		heart->steal_age = 0;
	}
	heart->last = *beat;
}

/* How long nothing beat before the beat at @index. */
static int64_t gap_before(const struct heartbeat *heart, size_t index)
{
	return heart->ring[index % RING_SIZE].clocks[CLOCK_OF_BEAT_MONOTONIC] -
	       heart->ring[(index - 1) % RING_SIZE].clocks[CLOCK_OF_BEAT_MONOTONIC];
}

/* Puts the beat at @index into its place among the longest gaps. Return: how many they are now. */
static size_t sort_in(const struct heartbeat *heart, size_t *longest, size_t count, size_t index)
{
	size_t place = count < GAPS_TOLD ? count++ : GAPS_TOLD;

	for (; place && gap_before(heart, longest[place - 1]) < gap_before(heart, index); place--)
		if (place < GAPS_TOLD)
			longest[place] = longest[place - 1];
	if (place < GAPS_TOLD)
		longest[place] = index;
	return count;
}

/*
 * The gaps to report on a new stream, the longest first: the host can match them with a migration. What an event reported of
 * them before may have been lost with the stream before.
 */
static json_t *gaps_until(const struct heartbeat *heart, size_t tail)
{
	size_t first = tail > GAPS_BACK ? tail - GAPS_BACK : 0, longest[GAPS_TOLD], count = 0;
	json_t *gaps = json_array();

	for (size_t i = first + 1; i < tail; i++)
		if (gap_before(heart, i) > heart->interval_ns * 3 / 2)
			count = sort_in(heart, longest, count, i);
	for (size_t i = 0; i < count; i++) {
		const struct beat *before = &heart->ring[(longest[i] - 1) % RING_SIZE];
		bool jumped;
		json_t *gap = clock_gaps(before, &heart->ring[longest[i] % RING_SIZE], &jumped);

		json_object_set_new(gap, "after_ns",
				    json_integer(before->clocks[CLOCK_OF_BEAT_MONOTONIC]));
		json_array_append_new(gaps, gap);
	}
	return gaps;
}

static void send_pending(struct agent *agent, struct heartbeat *heart)
{
	struct channel *channel = agent_channel(agent);
	uint64_t overrun;

	if (!heart->pending || !channel || channel_flush(channel) || channel_pending(channel))
		return;
	if (heart->reported != agent_connection(agent)) {
		heart->reported = agent_connection(agent);
		json_object_set_new(heart->pending, "gaps",
				    gaps_until(heart, atomic_load_explicit(&heart->tail,
									   memory_order_relaxed)));
	}
	overrun = atomic_exchange(&heart->overrun, 0);
	if (overrun)
		add_number(heart->pending, "unrecorded", (int64_t)overrun);
	/* The reader of the stream notices its error and reports it. */
	if (channel_queue(channel, heart->pending, PROTOCOL_LINE_MAX))
		return;
	json_decref(heart->pending);
	heart->pending = NULL;
}

static size_t watch(struct agent *agent, struct pollfd *fds, size_t room)
{
	struct heartbeat *heart = heartbeat_of(agent);

	if (!heart->running || !room)
		return 0;
	fds[0] = (struct pollfd){.fd = heart->wake, .events = POLLIN};
	return 1;
}

static void dispatch(struct agent *agent, const struct pollfd *fds, size_t count)
{
	struct heartbeat *heart = heartbeat_of(agent);
	uint64_t woken;
	size_t tail;

	if (!count || !fds[0].revents)
		return;
	(void)!read(heart->wake, &woken, sizeof(woken));
	tail = atomic_load_explicit(&heart->tail, memory_order_relaxed);
	while (tail != atomic_load_explicit(&heart->head, memory_order_acquire)) {
		add_beat(heart, &heart->ring[tail % RING_SIZE]);
		atomic_store_explicit(&heart->tail, ++tail, memory_order_release);
	}
	send_pending(agent, heart);
}

static void close_heartbeat(struct agent *agent)
{
	stop_heart(heartbeat_of(agent));
}

static const struct agent_call calls[] = {
	{"heartbeat.start", serve_start},
	{"heartbeat.stop", serve_stop},
	{0},
};

REGISTERED(agent_service, heartbeat_service) = {
	.name = "heartbeat",
	.roles = AGENT_GUEST,
	.rank = 40,
	.state_size = sizeof(struct heartbeat),
	.calls = calls,
	.watch = watch,
	.dispatch = dispatch,
	.close = close_heartbeat,
};
