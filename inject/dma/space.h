/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_DMA_SPACE_H
#define BRINELL_DMA_SPACE_H

#include "inject/dma/driver.h"

/**
 * struct dma_space - an IOMMU address space that devices share
 * @iommu:   kernel interface that it uses
 * @fd:      VFIO's container, or iommufd
 * @ioas:    of iommufd: number of the address space
 * @typed:   of a container: VFIO_SET_IOMMU was called, after the first group was added
 * @devices: number of devices opened in it
 */
struct dma_space {
	enum dma_iommu iommu;
	int fd;
	uint32_t ioas;
	bool typed;
	unsigned int devices;
};

int iommufd_open(struct dma_space *space, struct reason *why);
int iommufd_map(struct dma_space *space, uint64_t iova, void *memory, size_t size, bool writable,
		struct reason *why);
int iommufd_unmap(struct dma_space *space, uint64_t iova, size_t size, struct reason *why);
int iommufd_attach(struct dma_device *device, const char *sbdf, struct reason *why);

#endif
