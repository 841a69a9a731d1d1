// SPDX-License-Identifier: GPL-2.0-only
/*
 * The threads of the hypervisor. The agent's loop never waits for the hypervisor: each operation is a job with a thread of its
 * own, and another thread delivers events. Both reach the loop through a queue and an eventfd.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>

#include "harness/hypervisor/hypervisor.h"

#define JOBS_MAX 32
#define EVENTS_MAX 4096

/*
 * @lock:    protects all below
 * @done:    signalled when a job has finished; with @lock
 * @jobs:    that the loop has not finished yet
 * @events:  for the loop
 * @dropped: number of events dropped because the queue was full
 */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t done;
	bool ready;
	int wake;
	struct hypervisor_job *jobs;
	size_t count;
	json_t *events;
	uint64_t dropped;
} hub = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.done = PTHREAD_COND_INITIALIZER,
	.wake = -1,
};

static void wake_loop(void)
{
	uint64_t one = 1;

	(void)!write(hub.wake, &one, sizeof(one));
}

/** hypervisor_event - queue an event for the loop, from any thread. @event is stolen; "time_ns" defaults to now */
void hypervisor_event(json_t *event)
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

static void *run_job(void *context)
{
	struct hypervisor_job *job = context;
	void *session = hypervisor_here()->open(&job->why);

	job->error = session ? job->work(session, job) : -ENOTCONN;
	if (session)
		hypervisor_here()->close(session);
	pthread_mutex_lock(&hub.lock);
	job->finished = true;
	pthread_cond_broadcast(&hub.done);
	pthread_mutex_unlock(&hub.lock);
	wake_loop();
	return NULL;
}

/** hypervisor_thread - start a detached thread. Return: 0 or -errno */
int hypervisor_thread(void *(*run)(void *context), void *context)
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
		return fail(why, -ENOMEM, "create the queue of the hypervisor's events: %s",
			    strerror(errno));
	error = hypervisor_here()->prepare(why);
	hub.ready = !error;
	return error;
}

/** job_free - free a job after job_await() */
void job_free(struct hypervisor_job *job)
{
	json_decref(job->ticket.id);
	json_decref(job->reply);
	json_decref(job->request);
	free(job->answer);
	free(job->text);
	free(job);
}

/**
 * job_start - start a job
 * @job:        from malloc(); owned by this file from now on, also after an error
 * @timeout_ms: after which @given_up runs
 *
 * Return: 0, then jobs_dispatch() calls one of @done and @given_up; or -errno.
 */
int job_start(struct hypervisor_job *job, int64_t timeout_ms, struct reason *why)
{
	int error = get_ready(why);

	/* Bound the number of threads while the hypervisor does not answer. */
	if (!error && hub.count >= JOBS_MAX)
		error = fail(why, -EBUSY, "%zu calls wait for %s already: does its daemon answer?",
			     hub.count, hypervisor_here()->name);
	job->until_ns = now_monotonic_ns() + timeout_ms * NSEC_PER_MSEC;
	if (!error) {
		error = hypervisor_thread(run_job, job);
		if (error)
			fail_errno(why, error, "start a thread for the hypervisor");
	}
	if (error) {
		job_free(job);
		return error;
	}
	job->next = hub.jobs;
	hub.jobs = job;
	hub.count++;
	return 0;
}

/** jobs_fd - descriptor to poll for POLLIN; -1 before the first job */
int jobs_fd(void)
{
	return hub.wake;
}

static int fail_late(const struct hypervisor_job *job, struct reason *why)
{
	return fail(why, -ETIMEDOUT,
		    "%s did not answer in time about guest '%s': does its daemon hang?",
		    hypervisor_here()->name, job->guest);
}

static bool is_finished(const struct hypervisor_job *job)
{
	bool finished;

	pthread_mutex_lock(&hub.lock);
	finished = job->finished;
	pthread_mutex_unlock(&hub.lock);
	return finished;
}

/**
 * job_await - run a job and wait for its end
 * @job:        from malloc(), without callbacks; after 0 the caller owns it and calls job_free()
 * @timeout_ms: after which its result is discarded, with -ETIMEDOUT
 *
 * Return: 0 when it has ended, also with an error in @job; or -errno.
 */
int job_await(struct hypervisor_job *job, int64_t timeout_ms, struct reason *why)
{
	int64_t until = now_monotonic_ns() + timeout_ms * NSEC_PER_MSEC;
	const struct timespec end = {until / NSEC_PER_SEC, until % NSEC_PER_SEC};
	struct hypervisor_job **at = &hub.jobs;
	int error = job_start(job, timeout_ms, why);

	if (error)
		return error;
	pthread_mutex_lock(&hub.lock);
	while (!job->finished && !error)
		error = pthread_cond_clockwait(&hub.done, &hub.lock, CLOCK_MONOTONIC, &end);
	job->left = !job->finished;
	pthread_mutex_unlock(&hub.lock);
	if (job->left)
		return fail_late(job, why);
	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	hub.count--;
	return 0;
}

static void hand_back(struct agent *agent, struct hypervisor_job *job)
{
	if (!job->left)
		job->done(agent, job);
	else if (job->late)
		job->late(agent, job);
	job_free(job);
}

static void dispatch_jobs(struct agent *agent)
{
	struct hypervisor_job **at = &hub.jobs, *finished = NULL;
	int64_t now = now_monotonic_ns();

	while (*at) {
		struct hypervisor_job *job = *at;

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
			(void)fail_late(job, &why);
			job->given_up(agent, job, &why);
		}
		at = &job->next;
	}
	/* The callbacks may start further jobs. */
	while (finished) {
		struct hypervisor_job *job = finished;

		finished = job->next;
		hand_back(agent, job);
	}
}

/**
 * jobs_dispatch - run the callbacks of finished jobs, and deliver events; never blocks
 * @event: called for each event, which it borrows
 */
void jobs_dispatch(struct agent *agent, void (*event)(struct agent *agent, json_t *event))
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

/** jobs_discard_all - discard the results of all jobs, because the agent that started them ends */
void jobs_discard_all(void)
{
	for (struct hypervisor_job *job = hub.jobs; job; job = job->next)
		job->left = true;
}
