/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_DMA_H
#define BRINELL_DMA_H

/*
 * DMA of a real device to chosen addresses, through VFIO. The agent finds a device, checks it and unbinds it from its driver;
 * sticky_restore() returns it. The process of a fault opens an address space and devices in it. Restore only after that
 * process has ended: the kernel releases a device when its last file is closed.
 */
#include "harness/host/sticky.h"

struct dma_device;
struct dma_driver;
struct dma_space;

#define DMA_PAGE 4096

/* Size of the queues of a device, which lie below the end of the addresses that it can emit, or below 4 GiB. */
#define DMA_OWN_SIZE (8 * DMA_PAGE)

/**
 * enum dma_iommu - kernel interface to IOMMU address spaces
 * @DMA_TYPE1:   VFIO's containers and groups
 * @DMA_IOMMUFD: /dev/iommu, and a file for each device
 */
enum dma_iommu {
	DMA_TYPE1,
	DMA_IOMMUFD,
};

extern const char *const dma_iommu_names[];

/**
 * struct dma_function - a PCI function of this machine that can do DMA on request
 * @sbdf:   "0000:00:04.0"
 * @driver: of this directory, for its DMA
 * @bound:  kernel driver that it is bound to, "" for none
 * @group:  number of its IOMMU group, -1 without one
 * @iommu:  how it is opened; DMA_TYPE1 unless the caller of dma_find() sets another
 */
struct dma_function {
	char sbdf[16];
	const struct dma_driver *driver;
	char bound[32];
	int group;
	enum dma_iommu iommu;
};

int dma_check_name(const char *parameter, const char *name, struct reason *why);
int dma_find(const char *name, struct dma_function *function, struct reason *why);
int dma_check(const struct dma_function *function, struct reason *why);
int dma_take(const struct dma_function *function, struct sticky *sticky, struct change *change,
	     struct reason *why);
int dma_returned(const struct dma_function *function, struct reason *why);
unsigned int dma_address_bits(const struct dma_function *function);

int dma_space_open(struct dma_space **space, enum dma_iommu iommu, struct reason *why);
int dma_space_map(struct dma_space *space, uint64_t iova, void *memory, size_t size, bool writable,
		  struct reason *why);
int dma_space_unmap(struct dma_space *space, uint64_t iova, size_t size, struct reason *why);
void dma_space_close(struct dma_space *space);

int dma_device_open(struct dma_device **device, struct dma_space *space,
		    const struct dma_function *function, int64_t deadline_ns, struct reason *why);
int dma_device_write(struct dma_device *device, uint64_t iova, size_t length, struct reason *why);
int dma_device_read(struct dma_device *device, uint64_t iova, size_t length, struct reason *why);
bool dma_device_wrote(const struct dma_device *device, const void *memory, size_t length);
int dma_device_fetched(struct dma_device *device, const void *memory, bool *same,
		       struct reason *why);
void dma_device_close(struct dma_device *device);

#endif
