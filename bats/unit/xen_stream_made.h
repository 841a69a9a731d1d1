/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_TEST_XEN_STREAM_MADE_H
#define BRINELL_TEST_XEN_STREAM_MADE_H

/* Makes migration streams of Xen, piece by piece. */

#include <endian.h>
#include <string.h>

#include "harness/hypervisor/xen/stream/stream.h"

#define ENTRY(type, pfn) ((uint64_t)(type) << 60 | (pfn))

struct made {
	uint8_t bytes[1 << 17];
	size_t length;
};

static inline void put(struct made *made, const void *data, size_t length)
{
	memcpy(made->bytes + made->length, data, length);
	made->length += length;
}

static inline void put32(struct made *made, uint32_t value)
{
	put(made, &value, sizeof(value));
}

static inline void put64(struct made *made, uint64_t value)
{
	put(made, &value, sizeof(value));
}

static inline void put_zeros(struct made *made, size_t length)
{
	memset(made->bytes + made->length, 0, length);
	made->length += length;
}

/* A record of any layer, with a body of zeros and its padding. */
static inline void put_record(struct made *made, uint32_t type, uint32_t length)
{
	put32(made, type);
	put32(made, length);
	put_zeros(made, (length + 7u) & ~7u);
}

/* The state of a device model: its name, its number, and a body. @length: of all three */
static inline void put_emulator(struct made *made, uint32_t type, uint32_t emulator,
				uint32_t length)
{
	size_t at = made->length + 8;

	put_record(made, type, length);
	memcpy(made->bytes + at, &emulator, length < sizeof(emulator) ? length : sizeof(emulator));
}

static inline void put_libxl(struct made *made, uint64_t ident, uint32_t version)
{
	put64(made, htobe64(ident));
	put32(made, htobe32(version));
	put32(made, 0);
}

static inline void put_image(struct made *made, uint32_t version)
{
	put_record(made, 1, 0);
	put64(made, UINT64_MAX);
	put32(made, htobe32(0x58454e46));
	put32(made, htobe32(version));
	put64(made, 0);
	put32(made, 2);
	put32(made, 12);
	put32(made, 4);
	put32(made, 20);
}

/* A PAGE_DATA record; pages with data hold zeros. */
static inline void put_pages(struct made *made, const uint64_t *entries, uint32_t count)
{
	uint32_t data = 0;

	for (uint32_t i = 0; i < count; i++)
		data += entries[i] >> 60 < 0xd;
	put32(made, 1);
	put32(made, 8 + count * 8 + data * XEN_PAGE_BYTES);
	put32(made, count);
	put32(made, 0);
	for (uint32_t i = 0; i < count; i++)
		put64(made, entries[i]);
	put_zeros(made, (size_t)data * XEN_PAGE_BYTES);
}

static inline void put_head(struct made *made)
{
	made->length = 0;
	put_libxl(made, UINT64_C(0x4c6962786c466d74), 2);
	put_image(made, 3);
	put_record(made, 0x11, 24);
	put_record(made, 0x10, 0);
}

static inline void put_tail(struct made *made)
{
	put_record(made, 8, 24);
	put_record(made, 9, 77);
	put_record(made, 10, 40);
	put_record(made, 0, 0);
	put_record(made, 0, 0);
}

/* That of a guest with a device model. */
static inline void put_tail_with_devices(struct made *made)
{
	put_record(made, 9, 77);
	put_record(made, 0, 0);
	put_emulator(made, 2, 2, 8 + 21);
	put_emulator(made, 3, 2, 8 + 1003);
	put_record(made, 0, 0);
}

#endif
