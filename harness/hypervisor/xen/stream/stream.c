// SPDX-License-Identifier: GPL-2.0-only
/*
 * A parser of the migration stream of Xen's toolstack: docs/specs/libxl-migration-stream.pandoc (version 2) and
 * docs/specs/libxc-migration-stream.pandoc (versions 2 and 3) of Xen. Every length and every type is checked before it is
 * used, and no body is stored.
 *
 * Neither stream marks the end of an iteration over the memory. Within an iteration page frames ascend (send_dirty_pages() in
 * tools/libs/guest/xg_sr_save.c), so a frame that does not ascend starts the next one.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "harness/hypervisor/xen/stream/stream.h"

#define LIBXL_IDENT UINT64_C(0x4c6962786c466d74)
#define LIBXL_VERSION 2
#define LIBXC_MARKER UINT64_MAX
#define LIBXC_ID 0x58454e46u
/* REC_LENGTH_MAX and MAX_BATCH_SIZE of tools/libs/guest/xg_sr_common.h. */
#define RECORD_MAX (128u << 20)
#define BATCH_MAX 1024u
#define OPTION_BIG_ENDIAN 1u
#define RECORD_OPTIONAL 0x80000000u
#define RECORD_END 0u
#define LIBXL_LIBXC_CONTEXT 1u
#define LIBXL_EMULATOR_XENSTORE_DATA 2u
#define LIBXL_EMULATOR_CONTEXT 3u
#define LIBXL_CHECKPOINT_END 4u
/* The highest emulator ID: 0 is unknown, 1 and 2 are kinds of QEMU. */
#define EMULATOR_LAST 2u
#define LIBXC_PAGE_DATA 1u
#define LIBXC_CHECKPOINT 14u
#define PAGE_TYPE_SHIFT 60
#define PAGE_PFN ((UINT64_C(1) << 52) - 1)

enum step {
	STEP_LIBXL_HEADER,
	STEP_LIBXL_RECORD,
	STEP_IMAGE_HEADER,
	STEP_DOMAIN_HEADER,
	STEP_LIBXC_RECORD,
	STEP_PAGES,
	STEP_ENTRY,
	STEP_EMULATOR,
	STEP_SKIP,
	STEP_OVER,
};

static const size_t step_bytes[] = {
	[STEP_LIBXL_HEADER] = 16,  [STEP_LIBXL_RECORD] = 8, [STEP_IMAGE_HEADER] = 24,
	[STEP_DOMAIN_HEADER] = 16, [STEP_LIBXC_RECORD] = 8, [STEP_PAGES] = 8,
	[STEP_ENTRY] = 8,	   [STEP_EMULATOR] = 8,
};

static const char *const libxl_names[] = {
	"END",
	"LIBXC_CONTEXT",
	"EMULATOR_XENSTORE_DATA",
	"EMULATOR_CONTEXT",
	"CHECKPOINT_END",
	"CHECKPOINT_STATE",
};

static const char *const libxc_names[] = {
	"END",
	"PAGE_DATA",
	"X86_PV_INFO",
	"X86_PV_P2M_FRAMES",
	"X86_PV_VCPU_BASIC",
	"X86_PV_VCPU_EXTENDED",
	"X86_PV_VCPU_XSAVE",
	"SHARED_INFO",
	"X86_TSC_INFO",
	"HVM_CONTEXT",
	"HVM_PARAMS",
	"TOOLSTACK",
	"X86_PV_VCPU_MSRS",
	"VERIFY",
	"CHECKPOINT",
	"CHECKPOINT_DIRTY_PFN_LIST",
	"STATIC_DATA_END",
	"X86_CPUID_POLICY",
	"X86_MSR_POLICY",
};

/* Types 5 to 8 are reserved. */
static const char *const page_names[16] = {
	"normal",    "l1-table",  "l2-table",  "l3-table", "l4-table",
	NULL,	     NULL,	  NULL,	       NULL,	   "l1-pinned",
	"l2-pinned", "l3-pinned", "l4-pinned", "broken",   "allocate-only",
	"absent",
};

/** xen_record_name - name of a record in the specification; NULL: reserved */
const char *xen_record_name(enum xen_layer layer, uint32_t type)
{
	if (layer == XEN_LAYER_LIBXL)
		return type < ARRAY_SIZE(libxl_names) ? libxl_names[type] : NULL;
	return type < ARRAY_SIZE(libxc_names) ? libxc_names[type] : NULL;
}

/** xen_record_ends_checkpoint - whether the target has a complete guest after this record */
bool xen_record_ends_checkpoint(enum xen_layer layer, uint32_t type)
{
	return layer == XEN_LAYER_LIBXL && type == LIBXL_CHECKPOINT_END;
}

/** xen_page_type_name - name of a page type of the stream and of xc_get_pfn_type_batch(), as 4 bits; NULL: reserved */
const char *xen_page_type_name(unsigned int type)
{
	return type < ARRAY_SIZE(page_names) ? page_names[type] : NULL;
}

static bool has_data(unsigned int type)
{
	return type < XEN_PAGE_NO_DATA;
}

/** xen_stream_begin - initialize a parser at the start of a stream. @reader is copied */
void xen_stream_begin(struct xen_stream *stream, const struct xen_stream_reader *reader)
{
	*stream = (struct xen_stream){.reader = *reader};
}

static uint32_t get32(const struct xen_stream *stream, size_t at)
{
	uint32_t value;

	memcpy(&value, stream->header + at, sizeof(value));
	return value;
}

static uint64_t get64(const struct xen_stream *stream, size_t at)
{
	uint64_t value;

	memcpy(&value, stream->header + at, sizeof(value));
	return value;
}

static int broken(const struct xen_stream *stream, struct reason *why, int error, const char *what,
		  uint64_t value)
{
	return fail(why, error, "the migration stream at byte %" PRIu64 ": %s 0x%" PRIx64,
		    stream->offset - stream->have, what, value);
}

static int take_libxl_header(struct xen_stream *stream, struct reason *why)
{
	uint32_t version = be32toh(get32(stream, 8)), options = be32toh(get32(stream, 12));

	if (be64toh(get64(stream, 0)) != LIBXL_IDENT)
		return broken(stream, why, -EPROTO, "no libxl stream, it begins with",
			      be64toh(get64(stream, 0)));
	if (version != LIBXL_VERSION)
		return broken(stream, why, -EPROTONOSUPPORT,
			      "a libxl stream of a version other than 2:", version);
	if (options & OPTION_BIG_ENDIAN)
		return broken(stream, why, -EPROTONOSUPPORT, "a big-endian stream, options",
			      options);
	stream->step = STEP_LIBXL_RECORD;
	return 0;
}

static int take_image_header(struct xen_stream *stream, struct reason *why)
{
	uint16_t options;

	memcpy(&options, stream->header + 16, sizeof(options));
	if (get64(stream, 0) != LIBXC_MARKER)
		return broken(stream, why, -EPROTO, "no libxc stream, it begins with",
			      get64(stream, 0));
	if (be32toh(get32(stream, 8)) != LIBXC_ID)
		return broken(stream, why, -EPROTO, "a libxc stream with the id",
			      be32toh(get32(stream, 8)));
	stream->version = be32toh(get32(stream, 12));
	if (stream->version != 2 && stream->version != 3)
		return broken(stream, why, -EPROTONOSUPPORT,
			      "a libxc stream of a version other than 2 and 3:", stream->version);
	if (be16toh(options) & OPTION_BIG_ENDIAN)
		return broken(stream, why, -EPROTONOSUPPORT, "a big-endian libxc stream, options",
			      be16toh(options));
	stream->step = STEP_DOMAIN_HEADER;
	return 0;
}

static int take_domain_header(struct xen_stream *stream, struct reason *why)
{
	uint16_t shift;

	memcpy(&shift, stream->header + 4, sizeof(shift));
	if (get32(stream, 0) != 1 && get32(stream, 0) != 2)
		return broken(stream, why, -EPROTO, "a domain of an unknown type",
			      get32(stream, 0));
	if (1u << (shift & 31) != XEN_PAGE_BYTES)
		return broken(stream, why, -EPROTO, "pages of a size other than 4 KiB, shift",
			      shift);
	stream->step = STEP_LIBXC_RECORD;
	return 0;
}

/* At the end of a record: set the next step by its type. */
static void end_record(struct xen_stream *stream)
{
	bool libxc = stream->inside == XEN_LAYER_LIBXC;

	if (libxc && (stream->type == RECORD_END || stream->type == LIBXC_CHECKPOINT))
		stream->step = STEP_LIBXL_RECORD;
	else if (!libxc && stream->type == LIBXL_LIBXC_CONTEXT)
		stream->step = STEP_IMAGE_HEADER;
	/* After the state of the emulator the libxc stream of a checkpointed domain continues without a header. */
	else if (!libxc && stream->type == LIBXL_CHECKPOINT_END && stream->version)
		stream->step = STEP_LIBXC_RECORD;
	else if (!libxc && stream->type == RECORD_END)
		stream->step = STEP_OVER;
	else
		stream->step = libxc ? STEP_LIBXC_RECORD : STEP_LIBXL_RECORD;
}

static int check_record(const struct xen_stream *stream, enum xen_layer layer, uint32_t type,
			uint32_t length, struct reason *why)
{
	bool empty =
		type == RECORD_END || (layer == XEN_LAYER_LIBXL && type == LIBXL_LIBXC_CONTEXT);

	if (!xen_record_name(layer, type) && !(type & RECORD_OPTIONAL))
		return broken(stream, why, -EPROTONOSUPPORT,
			      "a mandatory record of an unknown type:", type);
	if (length > RECORD_MAX)
		return broken(stream, why, -EPROTO, "a record that is too long:", length);
	if (empty && length)
		return broken(stream, why, -EPROTO, "a record that must be empty has a length of",
			      length);
	return 0;
}

static int take_record(struct xen_stream *stream, enum xen_layer layer, struct reason *why)
{
	uint32_t type = get32(stream, 0), length = get32(stream, 4);
	int error = check_record(stream, layer, type, length, why);

	if (error)
		return error;
	stream->inside = layer;
	stream->type = type;
	stream->pad = -length % 8;
	if (stream->reader.record)
		stream->reader.record(stream->reader.context, layer, type, length);
	if (layer == XEN_LAYER_LIBXC && type == LIBXC_PAGE_DATA) {
		if (length < 8)
			return broken(stream, why, -EPROTO, "a PAGE_DATA record of length", length);
		stream->room = length - 8;
		stream->step = STEP_PAGES;
		return 0;
	}
	if (layer == XEN_LAYER_LIBXL &&
	    (type == LIBXL_EMULATOR_XENSTORE_DATA || type == LIBXL_EMULATOR_CONTEXT)) {
		if (length < 8)
			return broken(stream, why, -EPROTO, "a record of an emulator of length",
				      length);
		stream->room = length - 8;
		stream->step = STEP_EMULATOR;
		return 0;
	}
	stream->skip = (uint64_t)length + stream->pad;
	stream->step = STEP_SKIP;
	return 0;
}

static int take_emulator(struct xen_stream *stream, struct reason *why)
{
	if (get32(stream, 0) > EMULATOR_LAST)
		return broken(stream, why, -EPROTONOSUPPORT,
			      "the state of an unknown emulator:", get32(stream, 0));
	if (stream->reader.emulator)
		stream->reader.emulator(stream->reader.context, stream->type,
					(uint32_t)stream->room);
	stream->skip = stream->room + stream->pad;
	stream->step = STEP_SKIP;
	return 0;
}

static int take_pages(struct xen_stream *stream, struct reason *why)
{
	uint32_t count = get32(stream, 0);

	if (count < 1 || count > BATCH_MAX || stream->room < (uint64_t)count * 8)
		return broken(stream, why, -EPROTO,
			      "a PAGE_DATA record whose count does not fit its length:", count);
	stream->room -= (uint64_t)count * 8;
	stream->left = count;
	stream->data = 0;
	stream->step = STEP_ENTRY;
	return 0;
}

static int take_entry(struct xen_stream *stream, uint64_t entry, struct reason *why)
{
	uint64_t pfn = entry & PAGE_PFN;
	unsigned int type = (unsigned int)(entry >> PAGE_TYPE_SHIFT);

	if (!xen_page_type_name(type))
		return broken(stream, why, -EPROTONOSUPPORT, "a page of a reserved type, entry",
			      entry);
	if (!stream->iteration || pfn <= stream->last_pfn)
		stream->iteration++;
	stream->last_pfn = pfn;
	stream->pages++;
	stream->data += has_data(type);
	if (stream->reader.page && stream->reader.page(stream->reader.context, pfn, type))
		stream->stop = true;
	if (--stream->left)
		return 0;
	if (stream->room != (uint64_t)stream->data * XEN_PAGE_BYTES)
		return broken(stream, why, -EPROTO,
			      "a PAGE_DATA record whose pages do not fit its length, which leaves",
			      stream->room);
	stream->skip = stream->room + stream->pad;
	stream->step = STEP_SKIP;
	return 0;
}

static int take_header(struct xen_stream *stream, struct reason *why)
{
	switch ((enum step)stream->step) {
	case STEP_LIBXL_HEADER:
		return take_libxl_header(stream, why);
	case STEP_LIBXL_RECORD:
		return take_record(stream, XEN_LAYER_LIBXL, why);
	case STEP_IMAGE_HEADER:
		return take_image_header(stream, why);
	case STEP_DOMAIN_HEADER:
		return take_domain_header(stream, why);
	case STEP_LIBXC_RECORD:
		return take_record(stream, XEN_LAYER_LIBXC, why);
	case STEP_PAGES:
		return take_pages(stream, why);
	case STEP_EMULATOR:
		return take_emulator(stream, why);
	default:
		return take_entry(stream, get64(stream, 0), why);
	}
}

/* Read complete entries directly, because a stream has about a million of them. */
static int take_entries(struct xen_stream *stream, const uint8_t *bytes, size_t length,
			size_t *taken, struct reason *why)
{
	int error = 0;

	for (*taken = 0; !error && stream->step == STEP_ENTRY && length - *taken >= 8;
	     *taken += 8) {
		uint64_t entry;

		memcpy(&entry, bytes + *taken, sizeof(entry));
		stream->offset += sizeof(entry);
		error = take_entry(stream, entry, why);
	}
	return error;
}

/* Read a part of the current header or body. Return: 0 or -errno. */
static int take_piece(struct xen_stream *stream, const uint8_t *bytes, size_t length, size_t *taken,
		      struct reason *why)
{
	size_t wanted =
		stream->step == STEP_SKIP ? stream->skip : step_bytes[stream->step] - stream->have;
	size_t got = length < wanted ? length : wanted;
	int error = 0;

	if (stream->step == STEP_ENTRY && !stream->have && length >= step_bytes[STEP_ENTRY]) {
		error = take_entries(stream, bytes, length, taken, why);
		if (!error && stream->step == STEP_SKIP && !stream->skip)
			end_record(stream);
		return error;
	}
	*taken = got;
	stream->offset += got;
	if (stream->step == STEP_SKIP) {
		stream->skip -= got;
	} else {
		memcpy(stream->header + stream->have, bytes, got);
		stream->have += got;
		if (got < wanted)
			return 0;
		error = take_header(stream, why);
		stream->have = 0;
	}
	if (!error && stream->step == STEP_SKIP && !stream->skip)
		end_record(stream);
	return error;
}

static bool between_records(const struct xen_stream *stream)
{
	return !stream->have && (stream->step == STEP_LIBXL_RECORD ||
				 stream->step == STEP_LIBXC_RECORD || stream->step == STEP_OVER);
}

/**
 * xen_stream_feed - parse the next bytes of a stream
 * @taken: receives the number of parsed bytes: all, unless the reader stops, or after an error
 * @why:   reason of a failure, with the position in the stream
 *
 * Return: 0, also when it stopped (xen_stream_stopped()): the next call continues there; -EPROTO: not a stream of this kind;
 * -EPROTONOSUPPORT: an unknown version or type.
 */
int xen_stream_feed(struct xen_stream *stream, const uint8_t *bytes, size_t length, size_t *taken,
		    struct reason *why)
{
	*taken = 0;
	stream->stop &= !xen_stream_stopped(stream);
	while (*taken < length && !xen_stream_stopped(stream)) {
		size_t piece;
		int error;

		if (stream->step == STEP_OVER)
			return broken(
				stream, why, -EPROTO,
				"bytes after the end of the stream, number:", length - *taken);
		error = take_piece(stream, bytes + *taken, length - *taken, &piece, why);
		if (error)
			return error;
		*taken += piece;
	}
	return 0;
}

/** xen_stream_ahead - number of the next bytes that need no parsing (xen_stream_pass()): a body except its last byte */
uint64_t xen_stream_ahead(const struct xen_stream *stream)
{
	return stream->step == STEP_SKIP && stream->skip ? stream->skip - 1 : 0;
}

/** xen_stream_pass - skip that many bytes, which were not parsed */
void xen_stream_pass(struct xen_stream *stream, uint64_t length)
{
	stream->offset += length;
	stream->skip -= length;
}

/**
 * xen_stream_page_at - position of the data of a page in the stream; valid in the callback of an entry that has data
 *
 * The data of all pages of a record follow its entries, in the same order.
 */
uint64_t xen_stream_page_at(const struct xen_stream *stream)
{
	return stream->offset + (uint64_t)(stream->left - 1) * sizeof(uint64_t) +
	       (uint64_t)(stream->data - 1) * XEN_PAGE_BYTES;
}

/** xen_stream_stopped - whether the parser is at the end of a record after which the reader requested to stop */
bool xen_stream_stopped(const struct xen_stream *stream)
{
	return stream->stop && between_records(stream);
}

/** xen_stream_next_iteration - let the next page start another iteration, whatever its frame */
void xen_stream_next_iteration(struct xen_stream *stream)
{
	if (stream->iteration)
		stream->last_pfn = UINT64_MAX;
}

/** xen_stream_end - check that the stream is complete. Return: 0, or -EPIPE with the position */
int xen_stream_end(const struct xen_stream *stream, struct reason *why)
{
	if (stream->step == STEP_OVER)
		return 0;
	return fail(why, -EPIPE,
		    "the migration stream ends at byte %" PRIu64 ", before its last record",
		    stream->offset);
}
