/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_DMA_DRIVER_H
#define BRINELL_DMA_DRIVER_H

/* Drivers of the devices that can do DMA on request, one file each. */

#include <errno.h>
#include <string.h>

#include "harness/lib/registry.h"
#include "inject/dma/dma.h"

/**
 * struct dma_driver - operations of one kind of device
 * @name:    as in scenarios
 * @drives:  whether it supports a function with these IDs and this class code (24 bits)
 * @address_bits: width of the addresses that the device can emit
 * @open:    initializes the device; fills the first page of @own with the data of a write. -ETIMEDOUT when it does not answer
 * @write, @read: one operation to or from a page at @iova, of at most DMA_PAGE bytes; a read fetches at least its first 8
 *           bytes. 0: the device reports completion, which does not prove delivery; -EIO: it reports an error;
 *           -ETIMEDOUT: it reports nothing
 * @fetched: whether the last read fetched the bytes at @memory
 * @close:   stops the device; also called after a failed @open
 */
struct dma_driver {
	const char *name;
	bool (*drives)(uint32_t vendor, uint32_t device, uint32_t class);
	unsigned int address_bits;
	int (*open)(struct dma_device *device, struct reason *why);
	int (*write)(struct dma_device *device, uint64_t iova, size_t length, struct reason *why);
	int (*read)(struct dma_device *device, uint64_t iova, size_t length, struct reason *why);
	int (*fetched)(struct dma_device *device, const void *memory, bool *same,
		       struct reason *why);
	void (*close)(struct dma_device *device);
};

REGISTRY(dma_driver)

/**
 * struct dma_device - an open device
 * @load, @store: access a register of 32 bits in BAR 0; all ones from a device that is gone. A driver that needs another BAR, or
 *           wider stores (the portals of Intel's DSA), maps it from @fd
 * @own:      DMA_OWN_SIZE bytes, zeroed, that the device reaches at @own_iova; the first page holds the data of a write
 * @deadline_ns: of one operation
 * @space, @fd, @group_fd, @registers: of the real device, see vfio.c
 * @private:  of the driver, freed with the device
 */
struct dma_device {
	const struct dma_driver *driver;
	uint32_t (*load)(struct dma_device *device, unsigned int offset);
	void (*store)(struct dma_device *device, unsigned int offset, uint32_t value);
	unsigned char *own;
	uint64_t own_iova;
	int64_t deadline_ns;
	struct dma_space *space;
	int fd, group_fd;
	uint64_t registers;
	void *private;
};

static inline unsigned char *dma_own(const struct dma_device *device, unsigned int page)
{
	return device->own + page * DMA_PAGE;
}

static inline uint64_t dma_own_iova(const struct dma_device *device, unsigned int page)
{
	return device->own_iova + page * DMA_PAGE;
}

int dma_await(struct dma_device *device, unsigned int offset, uint32_t mask, uint32_t value,
	      struct reason *why);
const char *in_use_by(const char *sbdf, char user[static 256]);

#endif
