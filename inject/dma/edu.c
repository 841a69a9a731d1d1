// SPDX-License-Identifier: GPL-2.0-only
/*
 * QEMU's educational device (docs/specs/edu.rst, hw/misc/edu.c): a buffer of one page, and a DMA engine between it and memory.
 * An operation takes 100 ms. By QEMU's default it emits addresses of 28 bits, and drops the upper bits.
 */
#include "inject/dma/driver.h"

#define EDU_IDENTITY 0x00
#define EDU_SOURCE 0x80
#define EDU_TARGET 0x88
#define EDU_COUNT 0x90
#define EDU_COMMAND 0x98

#define COMMAND_RUN 1
#define COMMAND_TO_MEMORY 2

/* Address of the buffer in the device. */
#define BUFFER 0x40000

/* Pages of @own; page 0 holds the data of a write. */
#define PAGE_BACK 1

/* @stale: the buffer does not hold the data of a write. */
struct edu {
	bool stale;
};

static bool edu_drives(uint32_t vendor, uint32_t device, uint32_t class)
{
	return vendor == 0x1234 && device == 0x11e8;
}

static int transfer(struct dma_device *device, uint32_t direction, uint64_t iova, size_t length,
		    struct reason *why)
{
	int error = dma_await(device, EDU_COMMAND, COMMAND_RUN, 0, why);

	if (error)
		return error;
	device->store(device, EDU_SOURCE, direction ? BUFFER : (uint32_t)iova);
	device->store(device, EDU_TARGET, direction ? (uint32_t)iova : BUFFER);
	device->store(device, EDU_COUNT, (uint32_t)length);
	device->store(device, EDU_COMMAND, COMMAND_RUN | direction);
	return dma_await(device, EDU_COMMAND, COMMAND_RUN, 0, why);
}

static int edu_open(struct dma_device *device, struct reason *why)
{
	uint32_t identity = device->load(device, EDU_IDENTITY);
	struct edu *edu = device->private = xzalloc(sizeof(*edu));

	if ((identity & 0xff) != 0xed)
		return fail(why, identity == UINT32_MAX ? -ETIMEDOUT : -ENODEV,
			    "edu: its identity register reads 0x%08x, not 0x......ed", identity);
	for (size_t i = 0; i < DMA_PAGE; i++)
		device->own[i] = (unsigned char)(0xe0 + i % 31);
	edu->stale = true;
	return 0;
}

static int edu_write(struct dma_device *device, uint64_t iova, size_t length, struct reason *why)
{
	struct edu *edu = device->private;
	int error = 0;

	if (edu->stale)
		error = transfer(device, 0, dma_own_iova(device, 0), DMA_PAGE, why);
	if (error)
		return error;
	edu->stale = false;
	return transfer(device, COMMAND_TO_MEMORY, iova, length, why);
}

static int edu_read(struct dma_device *device, uint64_t iova, size_t length, struct reason *why)
{
	struct edu *edu = device->private;

	edu->stale = true;
	return transfer(device, 0, iova, length, why);
}

static int edu_fetched(struct dma_device *device, const void *memory, bool *same,
		       struct reason *why)
{
	int error =
		transfer(device, COMMAND_TO_MEMORY, dma_own_iova(device, PAGE_BACK), DMA_PAGE, why);

	*same = memcmp(dma_own(device, PAGE_BACK), memory, 8) == 0;
	return error;
}

static void edu_close(struct dma_device *device)
{
	(void)dma_await(device, EDU_COMMAND, COMMAND_RUN, 0, NULL);
}

REGISTERED(dma_driver, edu_driver) = {
	.name = "edu",
	.drives = edu_drives,
	.address_bits = 28,
	.open = edu_open,
	.write = edu_write,
	.read = edu_read,
	.fetched = edu_fetched,
	.close = edu_close,
};
