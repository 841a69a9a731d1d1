// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA of several pages, for any driver.
 */
#include <sched.h>

#include "inject/dma/driver.h"

/**
 * dma_await - wait until bits of a register have a value
 * @offset: of the register
 * @mask:   bits that are compared
 * @value:  of these bits
 *
 * Return: 0, or -ETIMEDOUT: after the deadline of the device, or at once when the register reads as all ones (device gone).
 */
int dma_await(struct dma_device *device, unsigned int offset, uint32_t mask, uint32_t value,
	      struct reason *why)
{
	int64_t until = now_monotonic_ns() + device->deadline_ns;
	uint32_t now;

	for (;;) {
		now = device->load(device, offset);
		if (now != UINT32_MAX && (now & mask) == value)
			return 0;
		if (now == UINT32_MAX || now_monotonic_ns() > until)
			break;
		sched_yield();
	}
	return fail(why, -ETIMEDOUT,
		    "%s: the device does not answer: its register 0x%x reads 0x%08x",
		    device->driver->name, offset, now);
}

static int for_pages(struct dma_device *device, uint64_t iova, size_t length,
		     int (*operation)(struct dma_device *, uint64_t, size_t, struct reason *),
		     struct reason *why)
{
	unsigned int bits = device->driver->address_bits;
	int error = 0;

	if (bits < 64 && (iova + length) >> bits)
		return fail(why, -ERANGE, "%s can not emit addresses of more than %u bits",
			    device->driver->name, bits);
	for (size_t done = 0; done < length && !error; done += DMA_PAGE)
		error = operation(device, iova + done,
				  length - done < DMA_PAGE ? length - done : DMA_PAGE, why);
	return error;
}

/**
 * dma_device_write - let a device write to memory
 * @iova:   in its address space: a multiple of DMA_PAGE, or any address if the operation stays within the page
 * @length: in bytes
 * @why:    reason of a failure
 *
 * Return: 0 when the device reports completion, which does not prove delivery: an IOMMU drops a refused write, and the device
 * does not notice. -EIO when it reports an error, -ETIMEDOUT when it reports nothing, -ERANGE if it can not emit the address.
 */
int dma_device_write(struct dma_device *device, uint64_t iova, size_t length, struct reason *why)
{
	return for_pages(device, iova, length, device->driver->write, why);
}

/** dma_device_read - let a device read from memory, at least the first 8 bytes of each page; see dma_device_write() */
int dma_device_read(struct dma_device *device, uint64_t iova, size_t length, struct reason *why)
{
	return for_pages(device, iova, length, device->driver->read, why);
}

/** dma_device_wrote - whether each page of memory holds the data that the device writes */
bool dma_device_wrote(const struct dma_device *device, const void *memory, size_t length)
{
	for (size_t done = 0; done < length; done += DMA_PAGE)
		if (memcmp((const char *)memory + done, device->own,
			   length - done < DMA_PAGE ? length - done : DMA_PAGE) != 0)
			return false;
	return true;
}

/**
 * dma_device_fetched - whether the device read the content of @memory in its last read
 * @same: receives the result, which compares the first 8 bytes
 *
 * Return: 0, or as dma_device_write().
 */
int dma_device_fetched(struct dma_device *device, const void *memory, bool *same,
		       struct reason *why)
{
	return device->driver->fetched(device, memory, same, why);
}
