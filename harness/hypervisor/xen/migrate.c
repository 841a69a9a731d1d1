// SPDX-License-Identifier: GPL-2.0-only
/*
 * A migration on one host, as `xl migrate` does between two: one process saves the domain, another one restores it under
 * another name, and the mover relays between them. Between two hosts, ssh and the other host's xl replace the restorer
 * (remote.c). After a failure the domain continues at the source, and the restored one is destroyed. The restored domain is
 * renamed before it runs, so that a look-up of the guest by name finds the right one.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <xenstore.h>

#include "harness/hypervisor/xen/mover.h"

#define PIPE_BYTES (1 << 20)
#define ABANDON_NS (20 * NSEC_PER_SEC)
#define PFN_TYPE_SHIFT 28
#define CHECKPOINT_INTERVAL_MS 200
/* libxl suspends an HVM guest, and others suspend themselves, also while the stream is held: what happens in a hold has this time. */
#define CHECKPOINT_INTERVAL_LONG_MS 5000
/* Number of checkpoints until the source is given up, if it is not held. */
#define CHECKPOINTS 3

/* Of libxenguest; its header is private to Xen's tree. */
int xc_get_pfn_type_batch(xc_interface *xch, uint32_t dom, unsigned int num, xen_pfn_t *arr);

/* Running migrations; @changed: signalled when one has ended. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct mover *first;
} movers = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void enlist(struct mover *mover)
{
	pthread_mutex_lock(&movers.lock);
	mover->next = movers.first;
	movers.first = mover;
	pthread_mutex_unlock(&movers.lock);
}

static void retire(struct mover *mover)
{
	struct mover **at = &movers.first;

	pthread_mutex_lock(&movers.lock);
	while (*at != mover)
		at = &(*at)->next;
	*at = mover->next;
	pthread_cond_broadcast(&movers.changed);
	pthread_mutex_unlock(&movers.lock);
}

static struct mover *find_mover(const char *uuid)
{
	struct mover *mover = movers.first;

	while (mover && strcmp(mover->job->uuid, uuid) != 0)
		mover = mover->next;
	return mover;
}

/** mover_take_order - take the pending order */
enum mover_order mover_take_order(struct mover *mover)
{
	enum mover_order order;
	uint64_t count;

	pthread_mutex_lock(&movers.lock);
	(void)!read(mover->wake, &count, sizeof(count));
	order = mover->order;
	mover->order = MOVER_GO_ON;
	pthread_mutex_unlock(&movers.lock);
	return order;
}

/* With the lock held. */
static void give_order(struct mover *mover, enum mover_order order)
{
	uint64_t one = 1;

	mover->order = order;
	(void)!write(mover->wake, &one, sizeof(one));
}

/** xen_control - a job: release, cancel, cut or flip a running migration */
int xen_control(void *session, struct hypervisor_job *job)
{
	static const struct {
		const char *action;
		enum mover_order order;
	} orders[] = {{"release", MOVER_RELEASE},
		      {"cancel", MOVER_CANCEL},
		      {"cut", MOVER_CUT},
		      {"flip", MOVER_FLIP}};
	const char *action = json_text(job->request, "action", "");
	struct mover *mover;
	int error = 0;

	(void)session;
	pthread_mutex_lock(&movers.lock);
	mover = find_mover(job->uuid);
	for (size_t i = 0; mover && i <= ARRAY_SIZE(orders); i++) {
		if (i == ARRAY_SIZE(orders)) {
			error = -EOPNOTSUPP;
		} else if (strcmp(orders[i].action, action) == 0) {
			give_order(mover, orders[i].order);
			break;
		}
	}
	pthread_mutex_unlock(&movers.lock);
	if (!mover)
		return fail(&job->why, -ESRCH, "guest '%s' does not migrate", job->guest);
	return error ? fail(&job->why, error, "a migration under Xen has no '%s'", action) : 0;
}

/** xen_migrate_break - end the migration of a domain whose source has ended, if there is one. Does not wait */
void xen_migrate_break(const char *uuid)
{
	struct mover *mover;

	pthread_mutex_lock(&movers.lock);
	mover = find_mover(uuid);
	if (mover)
		give_order(mover, MOVER_CANCEL);
	pthread_mutex_unlock(&movers.lock);
}

/** xen_migrate_abandon - cancel the migration of a domain, and wait for its end */
void xen_migrate_abandon(const char *uuid)
{
	int64_t until = now_monotonic_ns() + ABANDON_NS;
	const struct timespec end = {until / NSEC_PER_SEC, until % NSEC_PER_SEC};
	struct mover *mover;
	int late = 0;

	pthread_mutex_lock(&movers.lock);
	while ((mover = find_mover(uuid)) && !late) {
		give_order(mover, MOVER_CANCEL);
		late = pthread_cond_clockwait(&movers.changed, &movers.lock, CLOCK_MONOTONIC, &end);
	}
	pthread_mutex_unlock(&movers.lock);
}

static int save(struct xen_session *session, const void *context, int fd)
{
	const struct mover *mover = context;

	return libxl_domain_suspend(session->libxl, mover->source, fd, LIBXL_SUSPEND_LIVE, NULL);
}

/* Return when a checkpoint can not be sent any more. */
static int save_checkpoints(struct xen_session *session, const void *context, int fd)
{
	const struct mover *mover = context;
	libxl_domain_remus_info info;

	libxl_domain_remus_info_init(&info);
	info.interval = mover->interval_ms;
	/* The guest has neither a disk nor a network, whose output would wait for the checkpoint. */
	libxl_defbool_set(&info.allow_unsafe, true);
	libxl_defbool_set(&info.netbuf, false);
	libxl_defbool_set(&info.diskbuf, false);
	libxl_defbool_set(&info.compression, false);
	libxl_defbool_set(&info.colo, false);
	return libxl_domain_remus_start(session->libxl, &info, mover->source, fd, -1, NULL);
}

static int restore(struct xen_session *session, const void *context, int fd)
{
	const struct mover *mover = context;
	libxl_domain_restore_params params;
	libxl_domain_config config;
	uint32_t domain;
	int error;

	libxl_domain_config_init(&config);
	libxl_domain_restore_params_init(&params);
	params.stream_version = 2;
	if (mover->checkpointed)
		params.checkpointed_stream = LIBXL_CHECKPOINTED_STREAM_REMUS;
	error = libxl_retrieve_domain_configuration(session->libxl, mover->source, &config, NULL);
	if (!error) {
		free(config.c_info.name);
		config.c_info.name = format_text("%s" XEN_INCOMING, mover->job->domain);
		error = libxl_domain_create_restore(session->libxl, &config, &domain, fd, -1,
						    &params, NULL, NULL);
	}
	libxl_domain_restore_params_dispose(&params);
	libxl_domain_config_dispose(&config);
	return error;
}

static int open_pipe(int ends[static 2], struct reason *why)
{
	if (pipe2(ends, O_CLOEXEC))
		return fail_errno(why, -errno, "create a pipe for a migration");
	/* Fewer context switches; a smaller pipe works as well. */
	(void)fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES);
	return 0;
}

static int start_restorer(struct mover *mover)
{
	int ends[2];
	int error = open_pipe(ends, &mover->job->why);

	if (error)
		return error;
	error = xen_child_start(&mover->restorer, restore, mover, ends[0], &mover->job->why);
	close(ends[0]);
	mover->to = ends[1];
	return error;
}

static int start_saver(struct mover *mover)
{
	int ends[2];
	int error = open_pipe(ends, &mover->job->why);

	if (error)
		return error;
	error = xen_child_start(&mover->saver, mover->checkpointed ? save_checkpoints : save, mover,
				ends[1], &mover->job->why);
	close(ends[1]);
	mover->from = ends[0];
	return error;
}

static void close_stream(struct mover *mover)
{
	if (mover->from >= 0)
		close(mover->from);
	if (mover->to >= 0)
		close(mover->to);
	mover->from = mover->to = -1;
}

static int take_request(struct mover *mover)
{
	static const struct {
		const char *word;
		enum mover_hold hold;
	} holds[] = {{"none", HOLD_NOWHERE}, {"sent", HOLD_SENT},
		     {"last", HOLD_LAST},    {"arrived", HOLD_ARRIVED},
		     {"bytes", HOLD_BYTES},  {"checkpoint", HOLD_CHECKPOINT}};
	const json_t *request = mover->job->request;
	const char *hold = json_text(request, "hold", "none");
	int64_t page = json_number(request, "page", -1);

	mover->page = page < 0 ? UINT64_MAX : (uint64_t)page;
	mover->offset = (uint64_t)json_number(request, "offset", 0) % XEN_PAGE_BYTES;
	mover->flip_at = UINT64_MAX;
	mover->iteration = (uint64_t)json_number(request, "iteration", 1);
	mover->bytes = (uint64_t)json_number(request, "bytes", 0);
	mover->checkpointed = json_is(request, "mode", "checkpoint");
	mover->wanted = CHECKPOINTS;
	for (size_t i = 0; i < ARRAY_SIZE(holds); i++) {
		if (strcmp(holds[i].word, hold) != 0)
			continue;
		mover->hold = holds[i].hold;
		return mover->hold == HOLD_SENT && page < 0
			       ? fail(&mover->job->why, -EINVAL,
				      "guest.migrate: 'hold' is \"sent\", and needs 'page'")
			       : 0;
	}
	return fail(&mover->job->why, -EINVAL,
		    "guest.migrate: 'hold' must be none, sent, last, arrived, bytes or checkpoint");
}

static bool has_device_model(const struct mover *mover)
{
	libxl_dominfo info;
	bool has;

	libxl_dominfo_init(&info);
	has = !libxl_domain_info(mover->session->libxl, &info, mover->source) &&
	      info.domain_type == LIBXL_DOMAIN_TYPE_HVM;
	libxl_dominfo_dispose(&info);
	return has;
}

static int open_mover(struct mover *mover)
{
	xc_domaininfo_t info;
	bool hvm;
	int error = take_request(mover);

	if (error)
		return error;
	mover->source = xen_find(mover->session, mover->job->domain, "");
	if (mover->source == XEN_NO_DOMAIN ||
	    xen_domain_info(mover->session->control, mover->source, &info))
		return xen_fail(mover->session, &mover->job->why, -ENOENT,
				"migrate guest '%s': look up its domain", mover->job->guest);
	mover->memory = info.tot_pages * (uint64_t)XEN_PAGE_BYTES;
	if (json_is_true(json_object_get(mover->job->request, "video")))
		mover->model = xendevicemodel_open(NULL, 0);
	mover->obedient = xen_suspends_itself(mover->source);
	if (mover->obedient && mover->hold == HOLD_LAST && !xen_is_ours(mover->job))
		return fail(
			&mover->job->why, -EOPNOTSUPP,
			"guest.migrate: 'hold' is \"last\", and guest '%s' is a domain of its "
			"own that suspends itself on request: hold it at another place, or take "
			"a micro guest",
			mover->job->guest);
	hvm = has_device_model(mover);
	mover->interval_ms =
		hvm || mover->obedient ? CHECKPOINT_INTERVAL_LONG_MS : CHECKPOINT_INTERVAL_MS;
	mover->devices = hvm && xen_is_ours(mover->job) && !mover->checkpointed && !mover->obedient;
	mover_pretend_drivers(mover, true);
	return mover_watch_request(mover)
		       ?: (mover->host ? remote_open(mover) : start_restorer(mover))
		       ?: start_saver(mover);
}

/** xen_page_event - send an event with the type of a page in a domain. @page: UINT64_MAX: none */
void xen_page_event(xc_interface *control, const char *uuid, uint32_t domain, uint64_t page,
		    const char *place, uint64_t iteration)
{
	xen_pfn_t found = page;
	const char *type;

	if (page == UINT64_MAX)
		return;
	if (xc_get_pfn_type_batch(control, domain, 1, &found))
		type = "unknown";
	else
		type = xen_page_type_name((unsigned int)(found >> PFN_TYPE_SHIFT & 0xf));
	hypervisor_event(json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "uuid", uuid, "event",
				   "migration-page", "place", place, "type",
				   type ? type : "reserved", "pfn", (json_int_t)page, "iteration",
				   (json_int_t)iteration));
}

static void inspect(const struct mover *mover, uint32_t domain, const char *place)
{
	xen_page_event(mover->session->control, mover->job->uuid, domain, mover->page, place,
		       mover->stream.iteration);
}

static int rename_domain(const struct mover *mover, uint32_t domain, const char *from,
			 const char *to)
{
	__cleanup_free char *old = format_text("%s%s", mover->job->domain, from);
	__cleanup_free char *new = format_text("%s%s", mover->job->domain, to);

	if (!libxl_domain_rename(mover->session->libxl, domain, old, new))
		return 0;
	return xen_fail(mover->session, &mover->job->why, -EIO, "rename the domain '%s' to '%s'",
			old, new);
}

/* Give up the source: the target runs the last checkpoint after the end of the stream. */
static int give_up_source(struct mover *mover)
{
	xen_child_kill(&mover->saver);
	if (xc_domain_pause(mover->session->control, mover->source))
		return xen_fail(mover->session, &mover->job->why, -EIO,
				"stop guest '%s' at the source", mover->job->guest);
	mover->suspended_ns = now_monotonic_ns();
	xen_event(mover->job->uuid, "lifecycle", "suspended", "migrated");
	return 0;
}

/* The other host has the guest. After a given-up source it runs there as soon as the connection ends. */
static int take_over_there(struct mover *mover)
{
	struct reason *why = &mover->job->why;
	int error = mover->given_up ? 0 : remote_received(mover);

	if (error)
		return error;
	inspect(mover, mover->source, "source");
	error = rename_domain(mover, mover->source, "", XEN_LEFT);
	if (!error && mover->hold == HOLD_ARRIVED)
		error = mover_hold(mover, "arrived");
	if (!error && !mover->given_up)
		error = remote_run(mover);
	if (error)
		return error;
	close_stream(mover);
	return xen_child_wait(&mover->restorer, "run the domain there", why);
}

/* Both ends are finished: the pages of the guest at the target can be inspected before it runs. */
static int take_over_here(struct mover *mover)
{
	struct reason *why = &mover->job->why;
	int error;

	close_stream(mover);
	error = xen_child_wait(&mover->restorer, "restore the domain", why);
	if (error)
		return error;
	mover->target = xen_find(mover->session, mover->job->domain, XEN_INCOMING);
	if (mover->target == XEN_NO_DOMAIN)
		return fail(why, -ENOENT, "the restored domain of guest '%s' does not exist",
			    mover->job->guest);
	inspect(mover, mover->source, "source");
	inspect(mover, mover->target, "target");
	error = rename_domain(mover, mover->source, "", XEN_LEFT);
	error = error ?: rename_domain(mover, mover->target, XEN_INCOMING, "");
	if (!error && mover->hold == HOLD_ARRIVED)
		error = mover_hold(mover, "arrived");
	return error;
}

static int take_over(struct mover *mover)
{
	int error = mover->given_up
			    ? give_up_source(mover)
			    : xen_child_wait(&mover->saver, "save the domain", &mover->job->why);

	if (error)
		return error;
	return mover->host ? take_over_there(mover) : take_over_here(mover);
}

static int run_here(struct mover *mover)
{
	xen_watch_domain(mover->job->uuid, mover->target, xen_is_ours(mover->job));
	if (xc_domain_unpause(mover->session->control, mover->target))
		return xen_fail(mover->session, &mover->job->why, -EIO,
				"run the restored guest '%s'", mover->job->guest);
	xen_event(mover->job->uuid, "lifecycle", "resumed", "migrated");
	return 0;
}

static int finish(struct mover *mover)
{
	int error = 0;

	if (mover->host)
		xen_watch_end(mover->job->uuid);
	else
		error = run_here(mover);
	if (error)
		return error;
	hypervisor_event(
		json_pack("{s:s, s:s, s:{s:I, s:I}}", "uuid", mover->job->uuid, "event",
			  "job-completed", "statistics", "downtime",
			  (json_int_t)((now_monotonic_ns() - mover->suspended_ns) / NSEC_PER_MSEC),
			  "memory_iteration", (json_int_t)mover->stream.iteration));
	(void)xen_destroy(mover->session, mover->source, NULL);
	return mover->host ? 0 : xen_describe(mover->session, mover->job);
}

static void destroy_named(const struct mover *mover, const char *suffix)
{
	uint32_t half = xen_find(mover->session, mover->job->domain, suffix);

	if (half != XEN_NO_DOMAIN)
		(void)xen_destroy(mover->session, half, NULL);
}

/* The guest continues at the source, and the restored domain is destroyed. @failure: why the migration failed */
static void undo(struct mover *mover, const struct reason *failure)
{
	xc_domaininfo_t info;

	xen_child_kill(&mover->saver);
	xen_child_kill(&mover->restorer);
	close_stream(mover);
	mover_unveil_request(mover, false);
	/* Nothing was begun; or both may run, and two running domains would be worse than none. */
	if (mover->source == XEN_NO_DOMAIN || mover->handed_over)
		return;
	destroy_named(mover, XEN_INCOMING);
	if (xen_find(mover->session, mover->job->domain, XEN_LEFT) == mover->source) {
		destroy_named(mover, "");
		(void)rename_domain(mover, mover->source, XEN_LEFT, "");
	}
	mover->job->why = *failure;
	if (xen_domain_info(mover->session->control, mover->source, &info))
		return;
	mover_pretend_drivers(mover, false);
	xen_watch_domain(mover->job->uuid, mover->source, xen_is_ours(mover->job));
	(void)xc_shadow_control(mover->session->control, mover->source, XEN_DOMCTL_SHADOW_OP_OFF,
				NULL, 0);
	if (!(info.flags & XEN_DOMINF_shutdown) ||
	    (info.flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask) != SHUTDOWN_suspend)
		return;
	if (libxl_domain_resume(mover->session->libxl, mover->source, 1, NULL))
		(void)xen_fail(mover->session, &mover->job->why, -EIO,
			       "%s; the guest stays suspended", failure->text);
	else
		xen_event(mover->job->uuid, "lifecycle", "resumed", "migration-cancelled");
}

/*
 * Set whether this thread and its later children preempt the process that wakes them. The saver writes some thousand records,
 * most of 8 KiB. With few processors, each would cost a context switch to the mover and one to the restorer before the next
 * is written.
 */
static void set_scheduling(bool patient)
{
	(void)sched_setscheduler(0, patient ? SCHED_BATCH : SCHED_OTHER,
				 &(const struct sched_param){0});
}

/** xen_migrate - a job: migrate the guest into another domain of this host, or to another host */
int xen_migrate(void *session, struct hypervisor_job *job)
{
	struct mover mover = {.session = session,
			      .job = job,
			      .source = XEN_NO_DOMAIN,
			      .target = XEN_NO_DOMAIN,
			      .saver = XEN_NO_CHILD,
			      .restorer = XEN_NO_CHILD,
			      .from = -1,
			      .to = -1,
			      .wake = -1};
	struct reason failure;
	int error;

	if (*json_text(job->request, "uri", "")) {
		error = remote_take_uri(&mover, json_text(job->request, "uri", ""), &job->why);
		if (error)
			return error;
	}
	mover.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	enlist(&mover);
	set_scheduling(true);
	error = open_mover(&mover) ?: mover_run(&mover) ?: take_over(&mover) ?: finish(&mover);
	failure = job->why;
	if (error)
		undo(&mover, &failure);
	set_scheduling(false);
	retire(&mover);
	if (mover.store)
		xs_close(mover.store);
	if (mover.model)
		xendevicemodel_close(mover.model);
	close(mover.wake);
	free(mover.host);
	return error;
}
