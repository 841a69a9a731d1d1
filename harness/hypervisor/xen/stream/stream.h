/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_XEN_STREAM_H
#define BRINELL_XEN_STREAM_H

#include "harness/lib/util.h"

#define XEN_PAGE_BYTES 4096u
/* The first type of a page without data. */
#define XEN_PAGE_NO_DATA 0xdu

/**
 * enum xen_layer - a migration stream is a libxl stream, which has a libxc stream in it
 */
enum xen_layer {
	XEN_LAYER_LIBXL,
	XEN_LAYER_LIBXC,
};

/**
 * struct xen_stream_reader - what reads a stream while it passes
 * @record: the header of a record; may be NULL
 * @emulator: the state of a device model, a record whose body is complete when the next one begins; may be NULL
 * @page:   an entry of a PAGE_DATA record. Returns true to have xen_stream_feed() stop behind that record; may be NULL
 * @context: of both
 */
struct xen_stream_reader {
	void (*record)(void *context, enum xen_layer layer, uint32_t type, uint32_t length);
	void (*emulator)(void *context, uint32_t type, uint32_t length);
	bool (*page)(void *context, uint64_t pfn, unsigned int type);
	void *context;
};

/**
 * struct xen_stream - a parser that takes a stream in pieces, and keeps none of its data
 * @reader:    given by the user
 * @step:      what the next bytes are
 * @offset:    bytes taken so far
 * @iteration: over the memory of the domain, from 1; 0 before the first page
 * @pages:     entries of PAGE_DATA records so far
 * @version:   of the libxc stream: 2 or 3; 0 before its header
 * @header, @have: a header that is not complete yet, and its bytes so far
 * @skip:      bytes of a body that are passed on unread
 * @left, @data: entries of this PAGE_DATA record that are still to come, and pages with data among those before
 * @room:      bytes of its body behind the entries, or of that of an emulator behind its name
 * @pad:       of the record
 * @last_pfn:  of the entry before
 * @stop:      the reader wants to stop behind this record
 * @inside:    the record that ends next: its layer and type
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
