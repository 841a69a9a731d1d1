/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_HYPERVISOR_XEN_MOVER_H
#define BRINELL_HYPERVISOR_XEN_MOVER_H

#include <pthread.h>

#include "harness/hypervisor/xen/stream/stream.h"
/* xendevicemodel.h relies on definitions of xenctrl.h. */
#include "harness/hypervisor/xen/xen.h"
#include <xendevicemodel.h>

/**
 * enum mover_order - what is wanted of a migration from outside
 * @MOVER_CUT:  break the stream off: the receiver dies in the middle
 * @MOVER_FLIP: flip a bit in the data of the page when the stream carries it next; without a page, in the next record's type
 */
enum mover_order {
	MOVER_GO_ON,
	MOVER_RELEASE,
	MOVER_CANCEL,
	MOVER_CUT,
	MOVER_FLIP,
};

/**
 * enum mover_hold - where a migration stands still
 * @HOLD_SENT:    behind the record that carried the page, in the iteration
 * @HOLD_LAST:    the guest is about to be suspended: before the last iteration
 * @HOLD_ARRIVED: the guest is restored, and does not run yet
 * @HOLD_BYTES:   after so many bytes, behind a record
 * @HOLD_CHECKPOINT: the target has a whole guest, and the source goes on
 */
enum mover_hold {
	HOLD_NOWHERE,
	HOLD_SENT,
	HOLD_LAST,
	HOLD_ARRIVED,
	HOLD_BYTES,
	HOLD_CHECKPOINT,
};

/**
 * struct mover - a migration of a domain, on this host or to another one
 * @host:     to which it goes, as ssh takes it; owned; NULL: it stays on this one
 * @handed_over: the other host was asked to run it, and has not confirmed it
 * @source, @target: numbers of the domains; @target only on this host
 * @saver, @restorer: the two ends, each a process
 * @from, @to: the stream between them; -1 when it is closed
 * @store:    watches what the toolstack asks of the guest
 * @wake:     an eventfd: there is an order
 * @hold, @page, @iteration, @bytes: where to stand still; @page UINT64_MAX: no page is looked at
 * @offset:   in the page, of the word that is flipped
 * @flip:     a bit is to be flipped, which is at byte @flip_at of the stream; UINT64_MAX: not known yet
 * @passed:   bytes that the restorer got
 * @suspending: the guest was asked to suspend; @suspended_ns: when it was, 0 before
 * @checkpointed: the target gets the guest again and again; @given_up: the source has sent enough of them, and ends
 * @checkpoints: so far, and @wanted of them until the source is given up
 * @devices:  of brinell, with a device model, and suspended once: mover_play_drivers()
 * @model:    of devices, which can track the page as video memory; or NULL
 * @order:    under the lock of migrate.c
 */
struct mover {
	struct mover *next;
	struct xen_session *session;
	struct hypervisor_job *job;
	char *host;
	bool handed_over;
	uint32_t source, target;
	struct xen_child saver, restorer;
	int from, to;
	struct xs_handle *store;
	int wake;
	enum mover_hold hold;
	uint64_t page, offset, iteration, bytes, flip_at, passed;
	bool suspending, flip;
	int64_t suspended_ns;
	uint64_t told_iteration;
	int64_t told_ns;
	uint64_t memory;
	struct xen_stream stream;
	bool checkpointed, given_up;
	unsigned int checkpoints, wanted;
	bool devices;
	xendevicemodel_handle *model;
	enum mover_order order;
};

/* mover.c */
void mover_play_drivers(const struct mover *mover, bool has);
int mover_run(struct mover *mover);
int mover_hold(struct mover *mover, const char *where);
char *mover_suspend_path(const struct mover *mover);

/* remote.c */
int remote_take_uri(struct mover *mover, const char *uri, struct reason *why);
int remote_open(struct mover *mover);
int remote_received(struct mover *mover);
int remote_run(struct mover *mover);

/* migrate.c */
enum mover_order mover_take_order(struct mover *mover);

#endif
