/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_XEN_STREAM_H
#define BRINELL_XEN_STREAM_H

#include "harness/lib/util.h"

#define XEN_PAGE_BYTES 4096u
/* The first type of a page without data. */
#define XEN_PAGE_NO_DATA 0xdu

/**
 * enum xen_layer - layer of a migration stream: a libxl stream with a libxc stream inside
 */
enum xen_layer {
	XEN_LAYER_LIBXL,
	XEN_LAYER_LIBXC,
};

/**
 * struct xen_stream_reader - callbacks of the parser
 * @record: called for the header of a record; may be NULL
 * @emulator: called for the state of a device model, whose body is complete at the next record; may be NULL
 * @page:   called for an entry of a PAGE_DATA record. Returns true to make xen_stream_feed() stop after that record; may be NULL
 * @context: for all of them
 */
struct xen_stream_reader {
	void (*record)(void *context, enum xen_layer layer, uint32_t type, uint32_t length);
	void (*emulator)(void *context, uint32_t type, uint32_t length);
	bool (*page)(void *context, uint64_t pfn, unsigned int type);
	void *context;
};

/**
 * struct xen_stream - an incremental parser, which stores no data of the stream
 * @reader:    callbacks
 * @step:      kind of the next bytes
 * @offset:    number of bytes so far
 * @iteration: over the memory of the domain, from 1; 0: before the first page
 * @pages:     number of entries of PAGE_DATA records so far
 * @version:   of the libxc stream: 2 or 3; 0 before its header
 * @header, @have: an incomplete header, and its length so far
 * @skip:      remaining bytes of a body
 * @left, @data: remaining entries of this PAGE_DATA record, and number of earlier entries with data
 * @room:      bytes of its body after the entries, or of an emulator's body after its ID
 * @pad:       padding of the record
 * @last_pfn:  of the previous entry
 * @stop:      the reader requested to stop after this record
 * @inside:    layer and type of the present record
 */
struct xen_stream {
	struct xen_stream_reader reader;
	unsigned int step;
	uint64_t offset;
	uint64_t iteration, pages;
	uint32_t version;
	uint8_t header[24];
	size_t have;
	uint64_t skip;
	uint32_t left, data;
	uint64_t room;
	uint32_t pad;
	uint64_t last_pfn;
	bool stop;
	enum xen_layer inside;
	uint32_t type;
};

void xen_stream_begin(struct xen_stream *stream, const struct xen_stream_reader *reader);
int xen_stream_feed(struct xen_stream *stream, const uint8_t *bytes, size_t length, size_t *taken,
		    struct reason *why);
void xen_stream_next_iteration(struct xen_stream *stream);
uint64_t xen_stream_ahead(const struct xen_stream *stream);
void xen_stream_pass(struct xen_stream *stream, uint64_t length);
uint64_t xen_stream_page_at(const struct xen_stream *stream);
bool xen_stream_stopped(const struct xen_stream *stream);
int xen_stream_end(const struct xen_stream *stream, struct reason *why);

bool xen_record_ends_checkpoint(enum xen_layer layer, uint32_t type);
const char *xen_record_name(enum xen_layer layer, uint32_t type);
const char *xen_page_type_name(unsigned int type);

#endif
