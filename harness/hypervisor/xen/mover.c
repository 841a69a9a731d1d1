// SPDX-License-Identifier: GPL-2.0-only
/*
 * The relay of a migration between libxl's save side and its restore side. The parser reads each byte before it is forwarded,
 * so that the stream can be held right after a chosen record. All bytes before that are received; memory that the saver has
 * not read yet is not in the pipe.
 *
 * A guest without Xen drivers does not answer the suspend request that libxl writes to xenstore
 * (domain_suspend_callback_common() in tools/libs/light/libxl_dom_suspend.c). The mover answers in its place, after it has
 * forwarded all bytes so far: the last iteration follows. A guest that obeys the request gets it at once, and the mover only
 * observes it. To hold such a guest before the last iteration, the mover hides the request from it meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <xenstore.h>

#include "harness/hypervisor/xen/mover.h"
/* Needs definitions of xenctrl.h. */
#include <xen/hvm/params.h>

/* Pages of a word of the bitmap. */
#define TRACKED_PAGES 64u
#define PIECE_BYTES (256u << 10)
/* Bodies below this size are read, not spliced. */
#define SPLICE_LEAST PIECE_BYTES
#define SPLICE_MOST (1u << 20)
/* An interrupt that the guest masks. */
#define CALLBACK_GSI 5u
#define SAMPLE_NS NSEC_PER_SEC
/* Timeout of a hold. Before the last iteration libxl has a timeout of a minute. */
#define HOLD_MOST_NS (150 * NSEC_PER_SEC)

static void send_sample(struct mover *mover)
{
	uint64_t sent = mover->stream.offset;
	uint64_t left = mover->memory > sent ? mover->memory - sent : 0;

	mover->told_iteration = mover->stream.iteration;
	mover->told_ns = now_monotonic_ns();
	hypervisor_event(json_pack("{s:s, s:s, s:{s:I, s:I, s:I, s:I, s:I}}", "uuid",
				   mover->job->uuid, "event", "migration-sample", "statistics",
				   "memory_total", (json_int_t)mover->memory, "memory_remaining",
				   (json_int_t)left, "memory_processed", (json_int_t)sent,
				   "memory_iteration", (json_int_t)mover->stream.iteration,
				   "memory_page_size", (json_int_t)XEN_PAGE_BYTES));
}

static bool on_page(void *context, uint64_t pfn, unsigned int type)
{
	struct mover *mover = context;

	if (pfn != mover->page)
		return false;
	hypervisor_event(json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "uuid", mover->job->uuid,
				   "event", "migration-page", "place", "stream", "type",
				   xen_page_type_name(type), "pfn", (json_int_t)pfn, "iteration",
				   (json_int_t)mover->stream.iteration));
	if (mover->flip && type < XEN_PAGE_NO_DATA)
		mover->flip_at = xen_stream_page_at(&mover->stream) + mover->offset;
	return mover->hold == HOLD_SENT && mover->stream.iteration >= mover->iteration;
}

static void on_record(void *context, enum xen_layer layer, uint32_t type, uint32_t length)
{
	struct mover *mover = context;

	(void)length;
	if (mover->hold == HOLD_BYTES && mover->stream.offset >= mover->bytes)
		mover->stream.stop = true;
	if (xen_record_ends_checkpoint(layer, type)) {
		mover->checkpoints++;
		mover->stream.stop = true;
	}
}

static void on_emulator(void *context, uint32_t type, uint32_t length)
{
	struct mover *mover = context;
	__cleanup_free char *text =
		format_text("%s, %u bytes", xen_record_name(XEN_LAYER_LIBXL, type), length);

	hypervisor_event(json_pack("{s:s, s:s, s:s, s:I}", "uuid", mover->job->uuid, "event",
				   "migration-devices", "place", text, "iteration",
				   (json_int_t)mover->stream.iteration));
}

/**
 * mover_pretend_drivers - make libxl treat the guest as one with Xen drivers, or undo that
 *
 * libxl suspends an HVM guest without drivers, which has not set up an interrupt, without a request
 * (domain_suspend_callback_common()). When a guest with drivers resumes, libxl writes a return code to a register
 * (modify_returncode() in tools/libs/guest/xg_resume.c), wherever it was suspended: so the pretence must end before that.
 */
void mover_pretend_drivers(const struct mover *mover, bool has)
{
	if (mover->devices)
		(void)xc_hvm_param_set(mover->session->control, mover->source,
				       HVM_PARAM_CALLBACK_IRQ, has ? CALLBACK_GSI : 0);
}

/*
 * Read which pages around the inspected page were written since the last call, as a device model does for video memory. This
 * changes log-dirty mode, which the migration uses, too (hap_track_dirty_vram() in xen/arch/x86/mm/hap/hap.c).
 */
static void track_video(const struct mover *mover)
{
	uint64_t first = mover->page & ~(uint64_t)(TRACKED_PAGES - 1);
	unsigned long written[TRACKED_PAGES / (8 * sizeof(unsigned long))] = {0};
	const char *type;

	if (!mover->model)
		return;
	if (xendevicemodel_track_dirty_vram(mover->model, (domid_t)mover->source, first,
					    TRACKED_PAGES, written))
		type = "not tracked";
	else
		type = written[0] >> (mover->page - first) & 1 ? "written" : "not written";
	hypervisor_event(json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "uuid", mover->job->uuid,
				   "event", "migration-page", "place", "video memory", "type", type,
				   "pfn", (json_int_t)mover->page, "iteration",
				   (json_int_t)mover->stream.iteration));
}

/**
 * mover_hold - hold the stream until a call releases or cancels it
 * @where: name of the place in events
 *
 * Return: 0: released; -ECANCELED or -ETIMEDOUT.
 */
int mover_hold(struct mover *mover, const char *where)
{
	int64_t until = now_monotonic_ns() + HOLD_MOST_NS;
	enum mover_order order = MOVER_GO_ON;

	mover->hold = HOLD_NOWHERE;
	track_video(mover);
	send_sample(mover);
	hypervisor_event(json_pack("{s:s, s:s, s:s, s:I}", "uuid", mover->job->uuid, "event",
				   "migration-held", "place", where, "iteration",
				   (json_int_t)mover->stream.iteration));
	while (order == MOVER_GO_ON) {
		struct pollfd wake = {.fd = mover->wake, .events = POLLIN};
		int64_t left = (until - now_monotonic_ns()) / NSEC_PER_MSEC;

		if (left <= 0 || poll(&wake, 1, (int)left) == 0)
			return fail(&mover->job->why, -ETIMEDOUT,
				    "migrate guest '%s': it was held for %lld s and not released",
				    mover->job->guest, HOLD_MOST_NS / NSEC_PER_SEC);
		order = mover_take_order(mover);
	}
	hypervisor_event(
		json_pack("{s:s, s:s}", "uuid", mover->job->uuid, "event", "migration-released"));
	track_video(mover);
	mover->flip = order == MOVER_FLIP;
	if (mover->flip && mover->page == UINT64_MAX)
		mover->flip_at = mover->stream.offset;
	if (order == MOVER_CUT)
		xen_child_kill(&mover->restorer);
	return order == MOVER_CANCEL
		       ? fail(&mover->job->why, -ECANCELED, "migrate guest '%s': it was cancelled",
			      mover->job->guest)
		       : 0;
}

/* The reason is that of the receiver, unless it was this process that ended it. */
static int receiver_failed(struct mover *mover, int error)
{
	int ended = error == -EPIPE ? xen_child_wait(&mover->restorer, "restore the domain",
						     &mover->job->why)
				    : 0;

	return ended
		       ?: fail_errno(&mover->job->why, error,
				     "migrate guest '%s': its receiver does not read the "
				     "stream, at byte %" PRIu64,
				     mover->job->guest, mover->stream.offset);
}

/* @bytes: may be changed. Return: 0 or -errno with the job's reason. */
static int pass_on(struct mover *mover, uint8_t *bytes, size_t length)
{
	int error;

	if (mover->flip && mover->flip_at - mover->passed < length) {
		bytes[mover->flip_at - mover->passed] ^= 1;
		mover->flip = false;
		mover->flip_at = UINT64_MAX;
	}
	mover->passed += length;
	error = write_all(mover->to, bytes, length);
	return error ? receiver_failed(mover, error) : 0;
}

/* Hold the stream, after the chosen record. */
static int hold_stream(struct mover *mover)
{
	static const char *const places[] = {
		[HOLD_SENT] = "sent", [HOLD_BYTES] = "bytes", [HOLD_CHECKPOINT] = "checkpoint"};
	enum mover_hold hold = mover->hold;

	if (mover->checkpoints && hold != HOLD_CHECKPOINT) {
		mover->given_up = mover->checkpoints >= mover->wanted;
		return 0;
	}
	/* Changes of the guest meanwhile are in the next checkpoint. */
	mover->wanted = mover->checkpoints + 1;
	return mover_hold(mover, places[hold]);
}

static int take_bytes(struct mover *mover, uint8_t *bytes, size_t length)
{
	int error = 0;

	while (length && !error) {
		bool stopped;
		size_t taken;

		error = xen_stream_feed(&mover->stream, bytes, length, &taken, &mover->job->why);
		stopped = !error && xen_stream_stopped(&mover->stream);
		error = error ?: pass_on(mover, bytes, taken);
		bytes += taken;
		length -= taken;
		if (!error && stopped)
			error = hold_stream(mover);
	}
	if (mover->stream.iteration != mover->told_iteration ||
	    now_monotonic_ns() - mover->told_ns > SAMPLE_NS)
		send_sample(mover);
	return error;
}

/*
 * Splice page data, which is most of a stream, from one pipe to the other without a copy.
 *
 * Return: 1: some bytes were moved; 0: the stream must be read; or -errno.
 */
static int splice_body(struct mover *mover)
{
	uint64_t ahead = mover->flip ? 0 : xen_stream_ahead(&mover->stream);
	ssize_t moved;

	if (ahead < SPLICE_LEAST)
		return 0;
	moved = splice(mover->from, NULL, mover->to, NULL,
		       ahead < SPLICE_MOST ? ahead : SPLICE_MOST, SPLICE_F_MOVE);
	if (moved < 0 && errno != EINTR)
		return receiver_failed(mover, -errno);
	if (moved > 0) {
		xen_stream_pass(&mover->stream, (uint64_t)moved);
		mover->passed += (uint64_t)moved;
	}
	return moved != 0;
}

/* Return: 1: more follows; 0: end of the stream; or -errno. */
static int read_piece(struct mover *mover, uint8_t *piece)
{
	ssize_t got;
	int error;

	do {
		got = read(mover->from, piece, PIECE_BYTES);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return fail_errno(&mover->job->why, -errno, "read the stream of guest '%s'",
				  mover->job->guest);
	error = take_bytes(mover, piece, (size_t)got);
	return error ?: got > 0;
}

static char *request_path(const struct mover *mover)
{
	return format_text("/local/domain/%u/control/shutdown", mover->source);
}

/*
 * Linux ignores a request that it can not read (shutdown_handler() in drivers/xen/manage.c). The owner of a key always can, so it becomes this
 * domain's. libxl keeps the owner when it writes.
 */
static int veil_request(struct mover *mover, const char *path)
{
	struct xs_permissions mine = {.id = 0, .perms = XS_PERM_NONE};
	unsigned int count = 0;

	mover->veiled = xs_get_permissions(mover->store, XBT_NULL, path, &count);
	if (mover->veiled && count && xs_set_permissions(mover->store, XBT_NULL, path, &mine, 1))
		return 0;
	free(steal(mover->veiled));
	return fail(&mover->job->why, -EIO,
		    "migrate guest '%s': change who reads %s: does xenstored allow it?",
		    mover->job->guest, path);
}

/**
 * mover_unveil_request - let an obedient guest see the toolstack's requests again, if they are hidden
 * @request: a present request remains, and takes effect; else it is withdrawn
 */
void mover_unveil_request(struct mover *mover, bool request)
{
	__cleanup_free char *path = request_path(mover);

	if (!mover->veiled)
		return;
	if (!request)
		(void)xs_write(mover->store, XBT_NULL, path, "", 0);
	/* This is an event for the guest. The first entry is the owner, and the key has no other. */
	(void)xs_set_permissions(mover->store, XBT_NULL, path, mover->veiled, 1);
	free(steal(mover->veiled));
}

/**
 * mover_watch_request - watch the suspend request of the toolstack, and of an obedient guest the end or suspension of any domain. Return: 0 or -errno
 */
int mover_watch_request(struct mover *mover)
{
	__cleanup_free char *path = request_path(mover);
	bool held = mover->hold == HOLD_LAST;

	mover->store = xs_open(0);
	if (!mover->store ||
	    ((!mover->obedient || held) && !xs_watch(mover->store, path, "suspend")) ||
	    (mover->obedient && !xs_watch(mover->store, "@releaseDomain", "suspend")))
		return fail(&mover->job->why, -ENOTCONN,
			    "migrate guest '%s': watch the requests of its toolstack: is xenstored "
			    "running?",
			    mover->job->guest);
	return mover->obedient && held ? veil_request(mover, path) : 0;
}

/* The last iteration follows. */
static void note_suspended(struct mover *mover)
{
	xen_stream_next_iteration(&mover->stream);
	mover->suspending = false;
	mover->suspended_ns = now_monotonic_ns();
	/* For a checkpoint, the toolstack resumes it at once. */
	if (!mover->checkpointed)
		xen_event(mover->job->uuid, "lifecycle", "suspended", "migrated");
}

/* Called after all bytes so far were forwarded. */
static int suspend_guest(struct mover *mover)
{
	__cleanup_free char *path = request_path(mover);
	int error = 0;

	if (mover->hold == HOLD_LAST)
		error = mover_hold(mover, "last");
	if (error)
		return error;
	if (mover->obedient) {
		mover->suspending = false;
		mover_unveil_request(mover, true);
		return 0;
	}
	(void)xs_write(mover->store, XBT_NULL, path, "", 0);
	if (xc_domain_shutdown(mover->session->control, mover->source, SHUTDOWN_suspend))
		return xen_fail(mover->session, &mover->job->why, -EIO, "suspend guest '%s'",
				mover->job->guest);
	mover_pretend_drivers(mover, false);
	note_suspended(mover);
	return 0;
}

static bool is_suspended(const struct mover *mover)
{
	xc_domaininfo_t info;

	return !xen_domain_info(mover->session->control, mover->source, &info) &&
	       info.flags & XEN_DOMINF_shutdown &&
	       (info.flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask) ==
		       SHUTDOWN_suspend;
}

static bool is_requested(const struct mover *mover)
{
	__cleanup_free char *path = request_path(mover);
	unsigned int count;
	__cleanup_free char *request = xs_read(mover->store, XBT_NULL, path, &count);

	return request && strcmp(request, "suspend") == 0;
}

/* The watch stays. */
static void take_store_event(struct mover *mover)
{
	char **fired;

	while ((fired = xs_check_watch(mover->store)))
		free(fired);
	if (!mover->obedient || mover->veiled)
		mover->suspending |= is_requested(mover);
	else if ((!mover->suspended_ns || mover->checkpointed) && is_suspended(mover))
		note_suspended(mover);
}

/* The reason for a stream that is too short is that of the saver. */
static int end_of_stream(struct mover *mover)
{
	struct reason *why = &mover->job->why;
	int error = xen_stream_end(&mover->stream, why);

	return error ? xen_child_wait(&mover->saver, "save the domain", why) ?: error : 0;
}

/**
 * mover_run - relay the stream from the saver to the restorer
 *
 * Return: 0 at the end of the stream, or after the source was given up; or -errno with the job's reason.
 */
int mover_run(struct mover *mover)
{
	__cleanup_free uint8_t *piece = xzalloc(PIECE_BYTES);
	int goes_on = 1;

	xen_stream_begin(&mover->stream, &(struct xen_stream_reader){.record = on_record,
								     .emulator = on_emulator,
								     .page = on_page,
								     .context = mover});
	track_video(mover);
	while (goes_on > 0 && !mover->given_up) {
		struct pollfd news[] = {{.fd = mover->from, .events = POLLIN},
					{.fd = xs_fileno(mover->store), .events = POLLIN},
					{.fd = mover->wake, .events = POLLIN}};

		(void)poll(news, ARRAY_SIZE(news), mover->suspending ? 0 : -1);
		if (news[1].revents)
			take_store_event(mover);
		if (news[2].revents && mover_take_order(mover) == MOVER_CANCEL)
			return fail(&mover->job->why, -ECANCELED,
				    "migrate guest '%s': it was cancelled", mover->job->guest);
		if (news[0].revents)
			goes_on = splice_body(mover) ?: read_piece(mover, piece);
		else if (mover->suspending)
			goes_on = suspend_guest(mover) ?: 1;
	}
	if (mover->given_up)
		return 0;
	return goes_on ?: end_of_stream(mover);
}
