// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever a migration stream holds, and in whatever pieces it comes: the parser takes each byte once, stops only between
 * records, and comes to the same end for all sizes of pieces.
 */
#include <stdlib.h>

#include "harness/hypervisor/xen/stream/stream.h"

static bool stop_at_odd(void *context, uint64_t pfn, unsigned int type)
{
	(void)context;
	(void)type;
	return pfn & 1;
}

static int read_stream(const uint8_t *data, size_t size, size_t step, struct xen_stream *stream)
{
	int error = 0;

	xen_stream_begin(stream, &(struct xen_stream_reader){.page = stop_at_odd});
	for (size_t at = 0; !error && at < size;) {
		size_t length = size - at < step ? size - at : step, taken;
		struct reason why;

		error = xen_stream_feed(stream, data + at, length, &taken, &why);
		if (!error && (taken > length || (taken < length && !xen_stream_stopped(stream))))
			abort();
		at += taken;
	}
	if (!error && stream->offset != size)
		abort();
	return error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xen_stream whole, pieces;
	int error = read_stream(data, size, size ? size : 1, &whole);

	if (read_stream(data, size, 3, &pieces) != error || pieces.pages != whole.pages ||
	    pieces.iteration != whole.iteration)
		abort();
	if (!error && xen_stream_end(&whole, &(struct reason){0}) !=
			      xen_stream_end(&pieces, &(struct reason){0}))
		abort();
	return 0;
}
