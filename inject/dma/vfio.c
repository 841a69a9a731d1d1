// SPDX-License-Identifier: GPL-2.0-only
/*
 * Address spaces and devices through VFIO (Documentation/driver-api/vfio.rst), by its containers and groups, which most kernels
 * have.
 */
#include <endian.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "inject/dma/space.h"

#define VFIO_CONTAINER "/dev/vfio/vfio"

/* PCI configuration space, PCI local bus specification 3.0, section 6.2.2. */
#define PCI_COMMAND 4
#define PCI_COMMAND_MEMORY 2
#define PCI_COMMAND_MASTER 4

/* The queues lie below this, even if the device can emit wider addresses. */
#define OWN_BITS_MOST 32

const char *const dma_iommu_names[] = {"type1", "iommufd", NULL};

static int open_container(struct dma_space *space, struct reason *why)
{
	char path[4096];

	space->fd = open(system_path(path, VFIO_CONTAINER), O_RDWR | O_CLOEXEC);
	if (space->fd < 0)
		return fail(why, -errno, "open %s: %s; load the module vfio-pci", VFIO_CONTAINER,
			    strerror(errno));
	if (ioctl(space->fd, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) != 1)
		return fail(why, -EOPNOTSUPP,
			    "this VFIO has no type1 IOMMU; load the module vfio_iommu_type1");
	return 0;
}

/**
 * dma_space_open - make an address space in which nothing is mapped
 * @space: receives it; owned by the caller, dma_space_close()
 * @iommu: kernel interface
 * @why:   reason of a failure
 */
int dma_space_open(struct dma_space **space, enum dma_iommu iommu, struct reason *why)
{
	struct dma_space *new = xzalloc(sizeof(*new));
	int error;

	*new = (struct dma_space){.iommu = iommu, .fd = -1};
	error = iommu == DMA_IOMMUFD ? iommufd_open(new, why) : open_container(new, why);
	if (error) {
		dma_space_close(new);
		new = NULL;
	}
	*space = new;
	return error;
}

/** dma_space_close - unmap everything, and free the space; its devices must be closed */
void dma_space_close(struct dma_space *space)
{
	if (space && space->fd >= 0)
		close(space->fd);
	free(space);
}

/**
 * dma_space_map - let the devices of a space reach memory; the first device must be open
 * @iova, @memory, @size: multiples of DMA_PAGE
 * @writable: they may write to it, too
 * @why:      reason of a failure
 *
 * The kernel pins the memory. Return: 0, or -errno of the system call.
 */
int dma_space_map(struct dma_space *space, uint64_t iova, void *memory, size_t size, bool writable,
		  struct reason *why)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | (writable ? VFIO_DMA_MAP_FLAG_WRITE : 0),
		.vaddr = (uintptr_t)memory,
		.iova = iova,
		.size = size,
	};

	if (space->iommu == DMA_IOMMUFD)
		return iommufd_map(space, iova, memory, size, writable, why);
	return ioctl(space->fd, VFIO_IOMMU_MAP_DMA, &map) < 0
		       ? fail_errno(why, -errno, "VFIO_IOMMU_MAP_DMA of %zu bytes at 0x%llx", size,
				    (unsigned long long)iova)
		       : 0;
}

/** dma_space_unmap - remove one whole mapping. Return: 0 or -errno */
int dma_space_unmap(struct dma_space *space, uint64_t iova, size_t size, struct reason *why)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap), .iova = iova, .size = size};

	if (space->iommu == DMA_IOMMUFD)
		return iommufd_unmap(space, iova, size, why);
	return ioctl(space->fd, VFIO_IOMMU_UNMAP_DMA, &unmap) < 0
		       ? fail_errno(why, -errno, "VFIO_IOMMU_UNMAP_DMA of %zu bytes at 0x%llx",
				    size, (unsigned long long)iova)
		       : 0;
}

static int open_group(struct dma_device *device, const struct dma_function *function,
		      struct reason *why)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};
	struct dma_space *space = device->space;
	char name[64], path[4096];

	snprintf(name, sizeof(name), "/dev/vfio/%d", function->group);
	device->group_fd = open(system_path(path, name), O_RDWR | O_CLOEXEC);
	if (device->group_fd < 0)
		return fail_errno(why, -errno, "open %s", name);
	if (ioctl(device->group_fd, VFIO_GROUP_GET_STATUS, &status) < 0)
		return fail_errno(why, -errno, "VFIO_GROUP_GET_STATUS of %s", name);
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		return fail(why, -ENOTUNIQ,
			    "IOMMU group %d is not viable: another device of it has a driver",
			    function->group);
	if (ioctl(device->group_fd, VFIO_GROUP_SET_CONTAINER, &space->fd) < 0)
		return fail_errno(why, -errno, "VFIO_GROUP_SET_CONTAINER of %s", name);
	if (!space->typed && ioctl(space->fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0)
		return fail_errno(why, -errno, "VFIO_SET_IOMMU");
	space->typed = true;
	device->fd = ioctl(device->group_fd, VFIO_GROUP_GET_DEVICE_FD, function->sbdf);
	return device->fd < 0
		       ? fail_errno(why, -errno, "VFIO_GROUP_GET_DEVICE_FD of %s", function->sbdf)
		       : 0;
}

static int region(const struct dma_device *device, unsigned int index, uint64_t *offset,
		  struct reason *why)
{
	struct vfio_region_info info = {.argsz = sizeof(info), .index = index};

	if (ioctl(device->fd, VFIO_DEVICE_GET_REGION_INFO, &info) < 0 || !info.size)
		return fail(why, -ENXIO, "%s: VFIO shows no region %u of the device",
			    device->driver->name, index);
	*offset = info.offset;
	return 0;
}

static int open_function(struct dma_device *device, const struct dma_function *function,
			 struct reason *why)
{
	uint64_t configuration;
	uint16_t command;
	int error = device->space->iommu == DMA_IOMMUFD
			    ? iommufd_attach(device, function->sbdf, why)
			    : open_group(device, function, why);

	error = error ?: region(device, VFIO_PCI_BAR0_REGION_INDEX, &device->registers, why)
				 ?: region(device, VFIO_PCI_CONFIG_REGION_INDEX, &configuration, why);
	if (error)
		return error;
	configuration += PCI_COMMAND;
	if (pread(device->fd, &command, sizeof(command), (off_t)configuration) != sizeof(command))
		return fail(why, -EIO, "the configuration space of %s can not be read",
			    function->sbdf);
	command |= htole16(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	if (pwrite(device->fd, &command, sizeof(command), (off_t)configuration) != sizeof(command))
		return fail(why, -EIO, "%s can not be made a bus master", function->sbdf);
	return 0;
}

static int map_own(struct dma_device *device, struct reason *why)
{
	unsigned int bits = device->driver->address_bits;

	device->own = mmap(NULL, DMA_OWN_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
	if (device->own == MAP_FAILED) {
		device->own = NULL;
		return fail(why, -ENOMEM, "no memory for the queues of a device");
	}
	device->own_iova = (1ull << (bits < OWN_BITS_MOST ? bits : OWN_BITS_MOST)) -
			   DMA_OWN_SIZE * ++device->space->devices;
	return dma_space_map(device->space, device->own_iova, device->own, DMA_OWN_SIZE, true, why);
}

static uint32_t load(struct dma_device *device, unsigned int offset)
{
	uint32_t value;

	return pread(device->fd, &value, sizeof(value), (off_t)(device->registers + offset)) ==
			       sizeof(value)
		       ? le32toh(value)
		       : UINT32_MAX;
}

static void store(struct dma_device *device, unsigned int offset, uint32_t value)
{
	value = htole32(value);
	/* A device that is gone shows in the next load, which reads all ones. */
	(void)!pwrite(device->fd, &value, sizeof(value), (off_t)(device->registers + offset));
}

/**
 * dma_device_open - open a device and initialize it for DMA
 * @device:   receives it; owned by the caller, dma_device_close()
 * @space:    of its DMA
 * @function: bound by dma_take()
 * @deadline_ns: of each operation
 * @why:      reason of a failure
 *
 * The highest DMA_OWN_SIZE bytes that it can reach below 4 GiB hold its queues; those of a second device lie below them.
 *
 * Return: 0, -ETIMEDOUT when the device does not answer, or -errno.
 */
int dma_device_open(struct dma_device **device, struct dma_space *space,
		    const struct dma_function *function, int64_t deadline_ns, struct reason *why)
{
	struct dma_device *new = xzalloc(sizeof(*new));
	int error;

	*new = (struct dma_device){.driver = function->driver,
				   .load = load,
				   .store = store,
				   .space = space,
				   .deadline_ns = deadline_ns,
				   .fd = -1,
				   .group_fd = -1};
	error = open_function(new, function, why) ?: map_own(new, why)
						     ?: new->driver->open(new, why);
	if (error) {
		dma_device_close(new);
		new = NULL;
	}
	*device = new;
	return error;
}

/** dma_device_close - stop a device and free it; NULL is allowed */
void dma_device_close(struct dma_device *device)
{
	if (!device)
		return;
	if (device->private)
		device->driver->close(device);
	if (device->own) {
		(void)dma_space_unmap(device->space, device->own_iova, DMA_OWN_SIZE, NULL);
		munmap(device->own, DMA_OWN_SIZE);
	}
	if (device->fd >= 0)
		close(device->fd);
	if (device->group_fd >= 0)
		close(device->group_fd);
	free(device->private);
	free(device);
}
