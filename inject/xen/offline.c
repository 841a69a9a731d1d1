// SPDX-License-Identifier: GPL-2.0-only
/*
 * Machine frames that Xen takes out of use (XEN_SYSCTL_page_offline_op): at once if a frame is free, otherwise when its domain
 * frees it (offline_page() and free_heap_pages() of xen/common/page_alloc.c). Witness "frame-state": the state of such a
 * frame. It is no evidence of an error, because there is none.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "harness/witness/witness.h"
/* xenguest.h relies on definitions of xenctrl.h. */
#include "inject/xen/xen.h"
#include <xenguest.h>

static const struct {
	uint32_t bit;
	unsigned int state;
} bits[] = {
	{PG_OFFLINE_STATUS_OFFLINE_PENDING, XEN_FRAME_PENDING},
	{PG_OFFLINE_STATUS_OFFLINED, XEN_FRAME_OFFLINE},
	{PG_OFFLINE_STATUS_BROKEN, XEN_FRAME_BROKEN},
};

/** xen_frame_state - read the state of a frame; see struct xen_control */
int xen_frame_state(void *handle, uint64_t frame, unsigned int *state, struct reason *why)
{
	uint32_t status = 0;

	if (xc_query_page_offline_status(handle, frame, frame, &status))
		return fail(why, -errno, "the state of frame 0x%" PRIx64 ": %s", frame,
			    strerror(errno));
	*state = 0;
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
		if (status & bits[i].bit)
			*state |= bits[i].state;
	return 0;
}

/** xen_offline - take a frame out of use; see struct xen_control */
int xen_offline(void *handle, uint64_t frame, unsigned int *state, struct reason *why)
{
	uint32_t status = 0;

	if (xc_mark_page_offline(handle, frame, frame, &status))
		return fail(why, -errno, "Xen does not take frame 0x%" PRIx64 " out of use: %s",
			    frame, strerror(errno));
	if (status & PG_OFFLINE_FAILED)
		return fail(why, -EBUSY,
			    "Xen does not take frame 0x%" PRIx64 " out of use: it has no owner, "
			    "and is not free (status 0x%x)",
			    frame, status);
	return xen_frame_state(handle, frame, state, why);
}

/**
 * xen_free_frame - find a free frame; see struct xen_control
 *
 * No call lists free frames. A frame without a domain is free, or Xen's own; the longest row of such frames is free memory.
 */
int xen_free_frame(void *handle, uint64_t *frame, struct reason *why)
{
	uint64_t best = 0, row = 0;
	unsigned long most = 0;
	xen_pfn_t *table;
	int error = xen_map_frames(handle, &table, &most, why);

	if (error)
		return error;
	*frame = 0;
	for (unsigned long i = 0; i < most; i++) {
		row = table[i] == (xen_pfn_t)-1 ? row + 1 : 0;
		if (row > best) {
			best = row;
			*frame = i - row / 2;
		}
	}
	xen_unmap_frames(table, most);
	return best ? 0 : fail(why, -ENOENT, "every frame of this machine belongs to a domain");
}

static struct {
	bool active;
	uint64_t frame;
	unsigned int before, last;
} struck;

/** frame_state_watch - follow a frame, whose present state is @state */
void frame_state_watch(uint64_t frame, unsigned int state)
{
	struck.active = true;
	struck.frame = frame;
	struck.before = struck.last = state;
}

static const char *name_of(unsigned int state)
{
	bool broken = state & XEN_FRAME_BROKEN;

	if (state & XEN_FRAME_OFFLINE)
		return broken ? "out of use, and broken" : "out of use";
	if (state & XEN_FRAME_PENDING)
		return broken ? "out of use when it is free, and broken"
			      : "out of use when it is free";
	return broken ? "broken" : "in use or free";
}

static void state_probe(json_t *findings)
{
	xen_probe(findings, "frame-state");
}

static int state_start(struct witness_run *run, struct reason *why)
{
	run->private = xen_open(why);
	struck.active = false;
	return run->private ? 0 : -EOPNOTSUPP;
}

static void state_collect(struct witness_run *run)
{
	__cleanup_free char *text = NULL;
	const char *before;
	unsigned int now;

	if (!struck.active || xen_frame_state(run->private, struck.frame, &now, NULL) ||
	    now == struck.last)
		return;
	struck.last = now;
	before = name_of(struck.before);
	text = format_text("frame 0x%" PRIx64 " was %s and is %s", struck.frame, before,
			   name_of(now));
	run->emit(run->context, "frame-state", now_realtime_ns(), text,
		  json_pack("{s:o, s:s, s:s}", "frame", json_sprintf("0x%" PRIx64, struck.frame),
			    "before", before, "after", name_of(now)));
}

static void state_stop(struct witness_run *run)
{
	xc_interface_close(run->private);
}

static const struct witness frame_state = {
	.name = "frame-state",
	.summary = "whether the hypervisor keeps the struck frame of the machine out of use",
	.host_only = true,
	.group = "frame state",
	.probe = state_probe,
	.start = state_start,
	.collect = state_collect,
	.stop = state_stop,
};

REGISTER(witness, frame_state);
