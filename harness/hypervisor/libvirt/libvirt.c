// SPDX-License-Identifier: GPL-2.0-only
/*
 * The connection to libvirt. The agent's loop never calls libvirt: each call is a job with a thread of its own, and events
 * come in another thread. Both are handed to the loop through a queue and an eventfd. There is one connection for the
 * life of the program; when the daemon ends, the next job, or a guest that is there, makes a new one.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <libvirt/virterror.h>

#include "harness/hypervisor/libvirt/libvirt.h"

#define URI "qemu:///system"
#define JOBS_MAX 32
#define EVENTS_MAX 4096
#define KEEPALIVE_S 5
#define KEEPALIVE_COUNT 3

/*
 * @opening: held while a connection is made, which may take for ever
 * @lock:    of all below
 * @done:    a job has finished; with @lock
 * @jobs:    that have not been given back to the loop
 * @events:  for the loop
 * @dropped: events that found the queue full
 */
static struct {
	pthread_mutex_t opening, lock;
	pthread_cond_t done;
	bool ready;
	int wake;
	virConnectPtr connection;
	struct virt_job *jobs;
	size_t count;
	json_t *events;
	uint64_t dropped;
} hub = {
	.opening = PTHREAD_MUTEX_INITIALIZER,
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.done = PTHREAD_COND_INITIALIZER,
	.wake = -1,
};

static void wake_loop(void)
{
	uint64_t one = 1;

	(void)!write(hub.wake, &one, sizeof(one));
}

/** virt_tell - hand an event to the loop, from any thread. @event is stolen, of now when it does not say when */
void virt_tell(json_t *event)
{
	if (!json_object_get(event, "time_ns"))
		json_object_set_new(event, "time_ns", json_integer(now_realtime_ns()));
	pthread_mutex_lock(&hub.lock);
	if (json_array_size(hub.events) < EVENTS_MAX)
		json_array_append_new(hub.events, event);
	else {
		hub.dropped++;
		json_decref(event);
	}
	pthread_mutex_unlock(&hub.lock);
	wake_loop();
}

/**
 * virt_fail - fill a reason from libvirt's own error of this thread
 * @format: what was tried
 *
 * Return: -errno.
 */
int virt_fail(struct reason *why, const char *format, ...)
{
	virErrorPtr last = virGetLastError();
	char tried[256];
	va_list arguments;
	int error = -EIO;

	va_start(arguments, format);
	vsnprintf(tried, sizeof(tried), format, arguments);
	va_end(arguments);
	if (!last)
		return fail(why, -EIO, "%s: libvirt does not say why it failed", tried);
	switch (last->code) {
	case VIR_ERR_NO_DOMAIN:
		error = -ENOENT;
		break;
	case VIR_ERR_OPERATION_INVALID:
	case VIR_ERR_INVALID_ARG:
	case VIR_ERR_XML_ERROR:
	case VIR_ERR_XML_DETAIL:
		error = -EINVAL;
		break;
	case VIR_ERR_DOM_EXIST:
		error = -EEXIST;
		break;
	case VIR_ERR_AUTH_FAILED:
	case VIR_ERR_ACCESS_DENIED:
		error = -EACCES;
		break;
	case VIR_ERR_OPERATION_TIMEOUT:
	case VIR_ERR_AGENT_UNRESPONSIVE:
		error = -ETIMEDOUT;
		break;
	case VIR_ERR_CONFIG_UNSUPPORTED:
	case VIR_ERR_OPERATION_UNSUPPORTED:
	case VIR_ERR_NO_SUPPORT:
		error = -EOPNOTSUPP;
		break;
	default:
		break;
	}
	/* The daemon has gone, or was not there: the same call may work when it is back. */
	if (last->domain == VIR_FROM_RPC || last->code == VIR_ERR_NO_CONNECT)
		return fail(why, -ENOTCONN,
			    "%s: no connection to libvirt at " URI
			    ": %.400s; is libvirtd (or virtqemud) running?",
			    tried, last->message);
	return fail(why, error, "%s: %.600s", tried, last->message);
}

/* Return: the connection with a reference of the caller's own, or NULL. */
static virConnectPtr connect_to_daemon(struct reason *why)
{
	virConnectPtr connection;

	pthread_mutex_lock(&hub.opening);
	connection = hub.connection;
	if (connection && virConnectIsAlive(connection) != 1) {
		virt_unwatch_events(connection);
		virConnectClose(connection);
		hub.connection = connection = NULL;
	}
	if (!connection) {
		connection = hub.connection = virConnectOpen(URI);
		if (connection) {
			virConnectSetKeepAlive(connection, KEEPALIVE_S, KEEPALIVE_COUNT);
			virt_watch_events(connection);
			virt_tell(json_pack("{s:s}", "event", "connected"));
		} else {
			(void)virt_fail(why, "connect to libvirt");
		}
	}
	if (connection)
		virConnectRef(connection);
	pthread_mutex_unlock(&hub.opening);
	return connection;
}

static void *run_job(void *context)
{
	struct virt_job *job = context;
	virConnectPtr connection = connect_to_daemon(&job->why);

	job->error = connection ? job->work(connection, job) : -ENOTCONN;
	if (connection)
		virConnectClose(connection);
	pthread_mutex_lock(&hub.lock);
	job->finished = true;
	pthread_cond_broadcast(&hub.done);
	pthread_mutex_unlock(&hub.lock);
	wake_loop();
	return NULL;
}

static void *run_events(void *context)
{
	(void)context;
	while (virEventRunDefaultImpl() >= 0)
		;
	log_error("libvirt: its event loop failed: %s; no more events", virGetLastErrorMessage());
	return NULL;
}

/* libvirt prints its errors by itself otherwise. */
static void ignore_error(void *context, virErrorPtr error)
{
	(void)context;
	(void)error;
}

static int start_thread(void *(*run)(void *context), void *context)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int error;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	error = pthread_create(&thread, &attributes, run, context);
	pthread_attr_destroy(&attributes);
	return -error;
}

static int get_ready(struct reason *why)
{
	int error;

	if (hub.ready)
		return 0;
	if (hub.wake < 0)
		hub.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!hub.events)
		hub.events = json_array();
	if (hub.wake < 0 || !hub.events)
		return fail(why, -ENOMEM, "make the queue of libvirt's events: %s",
			    strerror(errno));
	virSetErrorFunc(NULL, ignore_error);
	if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0)
		return virt_fail(why, "start libvirt's client library");
	error = start_thread(run_events, NULL);
	if (error)
		return fail(why, error, "start the thread of libvirt's events: %s",
			    strerror(-error));
	hub.ready = true;
	return 0;
}

/** virt_free - of a job that virt_await() has given back */
void virt_free(struct virt_job *job)
{
	json_decref(job->ticket.id);
	json_decref(job->reply);
	json_decref(job->request);
	free(job->answer);
	free(job->text);
	free(job);
}

/**
 * virt_start - have a job done
 * @job:        of malloc(); owned by this file from now on, also after an error
 * @timeout_ms: after which it is given up
 *
 * Return: 0, then one of @done and @given_up is called from virt_dispatch(); or -errno.
 */
int virt_start(struct virt_job *job, int64_t timeout_ms, struct reason *why)
{
	int error = get_ready(why);

	/* Jobs that hang in a daemon that does not answer are not made more and more. */
	if (!error && hub.count >= JOBS_MAX)
		error = fail(why, -EBUSY,
			     "%zu calls wait for libvirt already: does libvirtd answer?",
			     hub.count);
	job->until_ns = now_monotonic_ns() + timeout_ms * NSEC_PER_MSEC;
	if (!error) {
		error = start_thread(run_job, job);
		if (error)
			fail(why, error, "start a thread for libvirt: %s", strerror(-error));
	}
	if (error) {
		virt_free(job);
		return error;
	}
	job->next = hub.jobs;
	hub.jobs = job;
	hub.count++;
	return 0;
}

/** virt_wake_fd - to be polled for POLLIN; -1 before the first job */
int virt_wake_fd(void)
{
	return hub.wake;
}

static bool is_finished(const struct virt_job *job)
{
	bool finished;

	pthread_mutex_lock(&hub.lock);
	finished = job->finished;
	pthread_mutex_unlock(&hub.lock);
	return finished;
}

/**
 * virt_await - have a job done, and wait for it: for those who can not be answered later
 * @job:        of malloc(), without callbacks; after 0 owned by the caller, who frees it with virt_free()
 * @timeout_ms: after which it is left alone, and its result is thrown away
 *
 * Return: 0 when it is done, well or not; or -errno.
 */
int virt_await(struct virt_job *job, int64_t timeout_ms, struct reason *why)
{
	int64_t until = now_monotonic_ns() + timeout_ms * NSEC_PER_MSEC;
	const struct timespec end = {until / NSEC_PER_SEC, until % NSEC_PER_SEC};
	struct virt_job **at = &hub.jobs;
	int error = virt_start(job, timeout_ms, why);

	if (error)
		return error;
	pthread_mutex_lock(&hub.lock);
	while (!job->finished && !error)
		error = pthread_cond_clockwait(&hub.done, &hub.lock, CLOCK_MONOTONIC, &end);
	job->left = !job->finished;
	pthread_mutex_unlock(&hub.lock);
	if (job->left)
		return fail(why, -ETIMEDOUT,
			    "libvirt did not answer in time about guest '%s': does libvirtd hang?",
			    job->guest);
	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	hub.count--;
	return 0;
}

static void hand_back(struct agent *agent, struct virt_job *job)
{
	if (!job->left)
		job->done(agent, job);
	else if (job->late)
		job->late(agent, job);
	virt_free(job);
}

static void dispatch_jobs(struct agent *agent)
{
	struct virt_job **at = &hub.jobs, *finished = NULL;
	int64_t now = now_monotonic_ns();

	while (*at) {
		struct virt_job *job = *at;

		if (is_finished(job)) {
			*at = job->next;
			hub.count--;
			job->next = finished;
			finished = job;
			continue;
		}
		if (!job->left && now > job->until_ns) {
			struct reason why;

			job->left = true;
			fail(&why, -ETIMEDOUT,
			     "libvirt did not answer in time about guest '%s': does libvirtd hang?",
			     job->guest);
			job->given_up(agent, job, &why);
		}
		at = &job->next;
	}
	/* What is called may start further jobs. */
	while (finished) {
		struct virt_job *job = finished;

		finished = job->next;
		hand_back(agent, job);
	}
}

/**
 * virt_dispatch - give back what is done, and pass on what libvirt has told; never blocks
 * @event: receives each event, borrowed: {"uuid", "event", "time_ns", ...}
 */
void virt_dispatch(struct agent *agent, void (*event)(struct agent *agent, json_t *event))
{
	__cleanup_json json_t *events = NULL;
	uint64_t count, dropped;
	json_t *entry;
	size_t index;

	if (hub.wake < 0)
		return;
	(void)!read(hub.wake, &count, sizeof(count));
	pthread_mutex_lock(&hub.lock);
	events = hub.events;
	hub.events = json_array();
	dropped = hub.dropped;
	hub.dropped = 0;
	pthread_mutex_unlock(&hub.lock);
	json_array_foreach (events, index, entry)
		event(agent, entry);
	if (dropped) {
		__cleanup_json json_t *lost =
			json_pack("{s:s, s:I, s:I}", "event", "lost", "count", (json_int_t)dropped,
				  "time_ns", (json_int_t)now_realtime_ns());

		event(agent, lost);
	}
	dispatch_jobs(agent);
}

/** virt_leave_all - the agent that has started the jobs ends: nobody waits for them any more */
void virt_leave_all(void)
{
	for (struct virt_job *job = hub.jobs; job; job = job->next)
		job->left = true;
}
