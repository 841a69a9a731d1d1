/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_HYPERVISOR_XEN_MOVER_H
#define BRINELL_HYPERVISOR_XEN_MOVER_H

#include <pthread.h>

#include "harness/hypervisor/xen/stream/stream.h"
/* xendevicemodel.h needs definitions of xenctrl.h. */
#include "harness/hypervisor/xen/xen.h"
#include <xendevicemodel.h>

/**
 * enum mover_order - request of a call to a running migration
 * @MOVER_CUT:  cut the stream: the receiver ends in the middle
 * @MOVER_FLIP: flip a bit in the data of the page at its next entry; without a page, in the type of the next record
 */
enum mover_order {
	MOVER_GO_ON,
	MOVER_RELEASE,
	MOVER_CANCEL,
	MOVER_CUT,
	MOVER_FLIP,
};

/**
 * enum mover_hold - where a migration is held
 * @HOLD_SENT:    after the record with the page, in the iteration
 * @HOLD_LAST:    before the guest is suspended for the last iteration
 * @HOLD_ARRIVED: after the guest is restored, before it runs
 * @HOLD_BYTES:   after so many bytes, at the end of a record
 * @HOLD_CHECKPOINT: when the target has a complete guest, and the source continues
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
 * @host:     destination of ssh; owned; NULL: this host
 * @handed_over: the other host was requested to run the guest, and has not confirmed it
 * @source, @target: numbers of the domains; @target only on this host
 * @saver, @restorer: processes of the two ends
 * @from, @to: the stream between them; -1: closed
 * @store:    watch on the suspend request of the toolstack
 * @wake:     eventfd, signalled for an order
 * @hold, @page, @iteration, @bytes: where to hold; @page UINT64_MAX: no page is inspected
 * @offset:   of the flipped word in the page
 * @flip:     a bit must be flipped, at byte @flip_at of the stream; UINT64_MAX: not known yet
 * @passed:   number of forwarded bytes
 * @obedient: the guest suspends itself on request; else the mover suspends it
 * @veiled:   permissions of the suspend request before the mover hid it from an obedient guest; NULL: it is not hidden
 * @suspending: a suspend was requested; @suspended_ns: time of the suspend, 0 before
 * @checkpointed: the guest is sent repeatedly; @given_up: the source has sent @wanted checkpoints, and ends
 * @checkpoints: number sent so far; @wanted: number until the source is given up; @interval_ms: between two of them
 * @devices:  a domain of brinell with a device model; see mover_pretend_drivers()
 * @model:    handle to track the page as video memory; or NULL
 * @order:    pending request, under the lock of migrate.c
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
	struct xs_permissions *veiled;
	bool obedient, suspending, flip;
	int64_t suspended_ns;
	uint64_t told_iteration;
	int64_t told_ns;
	uint64_t memory;
	struct xen_stream stream;
	bool checkpointed, given_up;
	unsigned int checkpoints, wanted;
	int interval_ms;
	bool devices;
	xendevicemodel_handle *model;
	enum mover_order order;
};

/* mover.c */
void mover_pretend_drivers(const struct mover *mover, bool has);
int mover_run(struct mover *mover);
int mover_hold(struct mover *mover, const char *where);
int mover_watch_request(struct mover *mover);
void mover_unveil_request(struct mover *mover, bool request);

/* remote.c */
int remote_take_uri(struct mover *mover, const char *uri, struct reason *why);
int remote_open(struct mover *mover);
int remote_received(struct mover *mover);
int remote_run(struct mover *mover);

/* migrate.c */
enum mover_order mover_take_order(struct mover *mover);

#endif
