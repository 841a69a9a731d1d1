// SPDX-License-Identifier: GPL-2.0-only
/*
 * The heartbeat: a separate thread samples the clocks each time its timer fires, so that other work does not delay it. The
 * loop of the agent sends the samples. While a stream is blocked, heartbeats accumulate, and an event reports several.
 *
 * A clock in a guest may stop with the guest: a hypervisor that stops a guest may also stop its CLOCK_MONOTONIC. So all
 * clocks are compared, including the host's where the guest can read it (drivers/ptp/ptp_kvm_common.c), and the host
 * compares the arrivals of heartbeats.
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
/* 15 seconds at 10 ms, if the loop is delayed. */
#define RING_SIZE 2048
/* Clocks that differ by more than this over one beat have jumped. */
#define JUMP_NS (5 * NSEC_PER_MSEC)
#define STEAL_EVERY 100
/* Number of the longest gaps that the first event of a stream reports, and of the heartbeats that are searched for them. */
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

/* @seq: intervals since the start; @clocks: in ns, 0 for a missing one */
struct beat {
	uint64_t seq;
	int64_t clocks[CLOCKS_OF_BEAT];
};

/*
 * @head:      beats written by the thread; @tail: read by the loop
 * @overrun:   beats that found the ring full
 * @host:      descriptor of the host's clock, or -1
 * @last:      the last beat that was read
 * @pending:   event about heartbeats that are not sent yet, or NULL
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

static void note_clocks(const struct heartbeat *heartbeat, struct beat *beat)
{
	beat->clocks[CLOCK_OF_BEAT_MONOTONIC] = read_clock(CLOCK_MONOTONIC);
	beat->clocks[CLOCK_OF_BEAT_BOOT] = read_clock(CLOCK_BOOTTIME);
	beat->clocks[CLOCK_OF_BEAT_REAL] = read_clock(CLOCK_REALTIME);
	beat->clocks[CLOCK_OF_BEAT_RAW] = read_clock(CLOCK_MONOTONIC_RAW);
	beat->clocks[CLOCK_OF_BEAT_HOST] =
		heartbeat->host < 0 ? 0 : read_clock(clock_of_descriptor(heartbeat->host));
}

static void push(struct heartbeat *heartbeat, const struct beat *beat)
{
	size_t head = atomic_load_explicit(&heartbeat->head, memory_order_relaxed);

	if (head - atomic_load_explicit(&heartbeat->tail, memory_order_acquire) >= RING_SIZE) {
		atomic_fetch_add(&heartbeat->overrun, 1);
		return;
	}
	heartbeat->ring[head % RING_SIZE] = *beat;
	atomic_store_explicit(&heartbeat->head, head + 1, memory_order_release);
	(void)!write(heartbeat->wake, &(uint64_t){1}, sizeof(uint64_t));
}

static void *beat_until_stopped(void *state)
{
	struct heartbeat *heartbeat = state;
	struct beat beat = {0};

	for (;;) {
		struct pollfd fds[2] = {{.fd = heartbeat->timer, .events = POLLIN},
					{.fd = heartbeat->stop, .events = POLLIN}};
		uint64_t expirations;

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return NULL;
		if (fds[1].revents)
			return NULL;
		if (read(heartbeat->timer, &expirations, sizeof(expirations)) !=
		    sizeof(expirations))
			continue;
		beat.seq += expirations;
		note_clocks(heartbeat, &beat);
		push(heartbeat, &beat);
	}
}

static void close_descriptor(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void stop_thread(struct heartbeat *heartbeat)
{
	if (!heartbeat->running)
		return;
	(void)!write(heartbeat->stop, &(uint64_t){1}, sizeof(uint64_t));
	pthread_join(heartbeat->thread, NULL);
	close_descriptor(&heartbeat->timer);
	close_descriptor(&heartbeat->stop);
	close_descriptor(&heartbeat->wake);
	close_descriptor(&heartbeat->host);
	json_decref(heartbeat->pending);
	heartbeat->pending = NULL;
	heartbeat->running = false;
}

/* Steal time of this guest's processors in nanoseconds (Documentation/filesystems/proc.rst). */
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

static int start_thread(struct heartbeat *heartbeat, struct reason *why)
{
	int64_t first = heartbeat->begin_ns + heartbeat->interval_ns;
	struct itimerspec time = {.it_interval = {.tv_sec = heartbeat->interval_ns / NSEC_PER_SEC,
						  .tv_nsec = heartbeat->interval_ns % NSEC_PER_SEC},
				  .it_value = {.tv_sec = first / NSEC_PER_SEC,
					       .tv_nsec = first % NSEC_PER_SEC}};
	sigset_t all, before;
	int error;

	timerfd_settime(heartbeat->timer, TFD_TIMER_ABSTIME, &time, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&heartbeat->thread, NULL, beat_until_stopped, heartbeat);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		return fail(why, -error, "heartbeat.start: pthread_create: %s", strerror(error));
	heartbeat->running = true;
	return 0;
}

static int serve_start(struct agent *agent, const json_t *arguments, json_t **reply,
		       struct reason *why)
{
	struct heartbeat *heartbeat = heartbeat_of(agent);
	int64_t interval = json_number(arguments, "interval_ns", INTERVAL_NS);
	int error;

	if (interval < INTERVAL_LEAST_NS || interval > INTERVAL_MOST_NS)
		return fail(why, -EINVAL,
			    "heartbeat.start: interval_ns is %lld; it must be from 1 ms to 10 s",
			    (long long)interval);
	stop_thread(heartbeat);
	heartbeat->interval_ns = interval;
	heartbeat->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	heartbeat->stop = eventfd(0, EFD_CLOEXEC);
	heartbeat->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	heartbeat->host = open_host_clock();
	atomic_store(&heartbeat->head, 0);
	atomic_store(&heartbeat->tail, 0);
	atomic_store(&heartbeat->overrun, 0);
	heartbeat->last = (struct beat){0};
	heartbeat->reported = agent_connection(agent);
	note_clocks(heartbeat, &heartbeat->last);
	heartbeat->begin_ns = heartbeat->last.clocks[CLOCK_OF_BEAT_MONOTONIC];
	heartbeat->steal_ns = stolen_ns();
	heartbeat->steal_age = 0;
	error = heartbeat->timer < 0 || heartbeat->stop < 0 || heartbeat->wake < 0
			? fail_errno(why, -errno, "heartbeat.start: timerfd or eventfd")
			: start_thread(heartbeat, why);
	if (error) {
		close_descriptor(&heartbeat->timer);
		close_descriptor(&heartbeat->stop);
		close_descriptor(&heartbeat->wake);
		close_descriptor(&heartbeat->host);
		return error;
	}
	*reply = json_pack("{s:I, s:b, s:I}", "interval_ns", (json_int_t)interval, "host_clock",
			   heartbeat->host >= 0, "time_ns", (json_int_t)heartbeat->begin_ns);
	return 0;
}

static int serve_stop(struct agent *agent, const json_t *arguments, json_t **reply,
		      struct reason *why)
{
	stop_thread(heartbeat_of(agent));
	return 0;
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

static void add_beat(struct heartbeat *heartbeat, const struct beat *beat)
{
	int64_t now = beat->clocks[CLOCK_OF_BEAT_MONOTONIC];
	int64_t gap = now - heartbeat->last.clocks[CLOCK_OF_BEAT_MONOTONIC];
	json_t *event = heartbeat->pending;
	__cleanup_json json_t *gaps = NULL;
	bool jumped;

	if (!event)
		event = heartbeat->pending =
			json_pack("{s:s, s:I}", "event", "heartbeat", "interval_ns",
				  (json_int_t)heartbeat->interval_ns);
	json_object_set_new(event, "seq", json_integer((json_int_t)beat->seq));
	json_object_set_new(event, "time_ns", json_integer(now));
	json_object_set_new(event, "realtime_ns", json_integer(beat->clocks[CLOCK_OF_BEAT_REAL]));
	json_add(event, "beats", 1);
	raise_number(event, "late_ns",
		     now - heartbeat->begin_ns - (int64_t)beat->seq * heartbeat->interval_ns);
	if (beat->seq > heartbeat->last.seq + 1)
		json_add(event, "missed", (int64_t)(beat->seq - heartbeat->last.seq - 1));
	gaps = clock_gaps(&heartbeat->last, beat, &jumped);
	if (jumped)
		json_object_set(event, "jump", gaps);
	/* The worst gap of an event is reported whole. */
	if (gap > 2 * heartbeat->interval_ns &&
	    gap > json_number(json_object_get(event, "gap"), "monotonic", 0)) {
		int64_t steal = stolen_ns();

		json_object_set_new(gaps, "steal", json_integer(steal - heartbeat->steal_ns));
		json_object_set(event, "gap", gaps);
		heartbeat->steal_ns = steal;
		heartbeat->steal_age = 0;
	} else if (++heartbeat->steal_age >= STEAL_EVERY) {
		heartbeat->steal_ns = stolen_ns();
		heartbeat->steal_age = 0;
	}
	heartbeat->last = *beat;
}

/* The gap before the heartbeat at @index. */
static int64_t gap_before(const struct heartbeat *heartbeat, size_t index)
{
	return heartbeat->ring[index % RING_SIZE].clocks[CLOCK_OF_BEAT_MONOTONIC] -
	       heartbeat->ring[(index - 1) % RING_SIZE].clocks[CLOCK_OF_BEAT_MONOTONIC];
}

/* Inserts the heartbeat at @index into the sorted longest gaps. Return: their number. */
static size_t sort_in(const struct heartbeat *heartbeat, size_t *longest, size_t count,
		      size_t index)
{
	size_t place = count < GAPS_TOLD ? count++ : GAPS_TOLD;

	for (; place && gap_before(heartbeat, longest[place - 1]) < gap_before(heartbeat, index);
	     place--)
		if (place < GAPS_TOLD)
			longest[place] = longest[place - 1];
	if (place < GAPS_TOLD)
		longest[place] = index;
	return count;
}

/*
 * The gaps to report on a new stream, the longest first: the host can match them with a migration. An earlier event
 * about them may have been lost with the stream before.
 */
static json_t *gaps_until(const struct heartbeat *heartbeat, size_t tail)
{
	size_t first = tail > GAPS_BACK ? tail - GAPS_BACK : 0, longest[GAPS_TOLD], count = 0;
	json_t *gaps = json_array();

	for (size_t i = first + 1; i < tail; i++)
		if (gap_before(heartbeat, i) > heartbeat->interval_ns * 3 / 2)
			count = sort_in(heartbeat, longest, count, i);
	for (size_t i = 0; i < count; i++) {
		const struct beat *before = &heartbeat->ring[(longest[i] - 1) % RING_SIZE];
		bool jumped;
		json_t *gap = clock_gaps(before, &heartbeat->ring[longest[i] % RING_SIZE], &jumped);

		json_object_set_new(gap, "after_ns",
				    json_integer(before->clocks[CLOCK_OF_BEAT_MONOTONIC]));
		json_array_append_new(gaps, gap);
	}
	return gaps;
}

static void send_pending(struct agent *agent, struct heartbeat *heartbeat)
{
	struct channel *channel = agent_channel(agent);
	uint64_t overrun;

	if (!heartbeat->pending || !channel || channel_flush(channel) || channel_pending(channel))
		return;
	if (heartbeat->reported != agent_connection(agent)) {
		heartbeat->reported = agent_connection(agent);
		json_object_set_new(
			heartbeat->pending, "gaps",
			gaps_until(heartbeat,
				   atomic_load_explicit(&heartbeat->tail, memory_order_relaxed)));
	}
	overrun = atomic_exchange(&heartbeat->overrun, 0);
	if (overrun)
		json_add(heartbeat->pending, "unrecorded", (int64_t)overrun);
	/* The reader of the stream notices its error and reports it. */
	if (channel_queue(channel, heartbeat->pending, PROTOCOL_LINE_MAX))
		return;
	json_decref(heartbeat->pending);
	heartbeat->pending = NULL;
}

static size_t watch(struct agent *agent, struct pollfd *fds, size_t room)
{
	struct heartbeat *heartbeat = heartbeat_of(agent);

	if (!heartbeat->running || !room)
		return 0;
	fds[0] = (struct pollfd){.fd = heartbeat->wake, .events = POLLIN};
	return 1;
}

static void dispatch(struct agent *agent, const struct pollfd *fds, size_t count)
{
	struct heartbeat *heartbeat = heartbeat_of(agent);
	uint64_t woken;
	size_t tail;

	if (!count || !fds[0].revents)
		return;
	(void)!read(heartbeat->wake, &woken, sizeof(woken));
	tail = atomic_load_explicit(&heartbeat->tail, memory_order_relaxed);
	while (tail != atomic_load_explicit(&heartbeat->head, memory_order_acquire)) {
		add_beat(heartbeat, &heartbeat->ring[tail % RING_SIZE]);
		atomic_store_explicit(&heartbeat->tail, ++tail, memory_order_release);
	}
	send_pending(agent, heartbeat);
}

static void close_heartbeat(struct agent *agent)
{
	stop_thread(heartbeat_of(agent));
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
