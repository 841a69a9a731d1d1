// SPDX-License-Identifier: GPL-2.0-only
/*
 * Address spaces of iommufd, and devices through their own files (Documentation/userspace-api/iommufd.rst). The definitions
 * are those of include/uapi/linux/iommufd.h and vfio.h of Linux 7.3, because the installed headers may be older.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>

#include "inject/dma/space.h"

#define DEV_IOMMU "/dev/iommu"
#define COMMAND(number) _IO(';', number)
#define IOAS_ALLOC COMMAND(0x81)
#define IOAS_MAP COMMAND(0x85)
#define IOAS_UNMAP COMMAND(0x86)
#define MAP_FIXED_IOVA (1u << 0)
#define MAP_WRITEABLE (1u << 1)
#define MAP_READABLE (1u << 2)
#define DEVICE_BIND _IO(VFIO_TYPE, VFIO_BASE + 18)
#define DEVICE_ATTACH _IO(VFIO_TYPE, VFIO_BASE + 19)

struct ioas_alloc {
	uint32_t size, flags, id;
};

struct ioas_map {
	uint32_t size, flags, id, reserved;
	uint64_t address, length, iova;
};

struct ioas_unmap {
	uint32_t size, id;
	uint64_t iova, length;
};

struct device_bind {
	uint32_t size, flags;
	int32_t iommufd;
	uint32_t id;
	uint64_t token;
};

struct device_attach {
	uint32_t size, flags, id, pasid;
};

/** iommufd_open - make an address space. Return: 0, -EOPNOTSUPP when this kernel has no iommufd, or -errno */
int iommufd_open(struct dma_space *space, struct reason *why)
{
	struct ioas_alloc alloc = {.size = sizeof(alloc)};
	char path[4096];

	space->fd = open(system_path(path, DEV_IOMMU), O_RDWR | O_CLOEXEC);
	if (space->fd < 0 && errno == ENOENT)
		return fail(why, -EOPNOTSUPP,
			    "this kernel has no " DEV_IOMMU ": use one with CONFIG_IOMMUFD, or "
			    "iommu: type1");
	if (space->fd < 0 || ioctl(space->fd, IOAS_ALLOC, &alloc) < 0)
		return fail_errno(why, -errno, "making an address space of " DEV_IOMMU);
	space->ioas = alloc.id;
	return 0;
}

/** iommufd_map - see dma_space_map(); errors of IOMMU_IOAS_MAP */
int iommufd_map(struct dma_space *space, uint64_t iova, void *memory, size_t size, bool writable,
		struct reason *why)
{
	struct ioas_map map = {
		.size = sizeof(map),
		.flags = MAP_FIXED_IOVA | MAP_READABLE | (writable ? MAP_WRITEABLE : 0),
		.id = space->ioas,
		.address = (uintptr_t)memory,
		.length = size,
		.iova = iova,
	};

	return ioctl(space->fd, IOAS_MAP, &map) < 0
		       ? fail_errno(why, -errno, "IOMMU_IOAS_MAP of %zu bytes at 0x%llx", size,
				    (unsigned long long)iova)
		       : 0;
}

/** iommufd_unmap - see dma_space_unmap(); errors of IOMMU_IOAS_UNMAP */
int iommufd_unmap(struct dma_space *space, uint64_t iova, size_t size, struct reason *why)
{
	struct ioas_unmap unmap = {
		.size = sizeof(unmap), .id = space->ioas, .iova = iova, .length = size};

	return ioctl(space->fd, IOAS_UNMAP, &unmap) < 0
		       ? fail_errno(why, -errno, "IOMMU_IOAS_UNMAP of %zu bytes at 0x%llx", size,
				    (unsigned long long)iova)
		       : 0;
}

/* The directory "vfio-dev" of a function has one entry, the name of its device file. */
static int open_device(const char *sbdf, struct reason *why)
{
	__cleanup_free char *place = format_text("/sys/bus/pci/devices/%s/vfio-dev", sbdf);
	__cleanup_free char *name = NULL;
	char path[4096];
	__cleanup_directory DIR *directory = opendir(system_path(path, place));
	struct dirent *entry;
	int fd;

	while (directory && !name && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			name = format_text("/dev/vfio/devices/%s", entry->d_name);
	if (!name)
		return fail(why, -EOPNOTSUPP,
			    "%s has no file of its own in %s: use a kernel with "
			    "CONFIG_VFIO_DEVICE_CDEV, or iommu: type1",
			    sbdf, place);
	fd = open(system_path(path, name), O_RDWR | O_CLOEXEC);
	return fd < 0 ? fail_errno(why, -errno, "open %s", name) : fd;
}

/** iommufd_attach - open a function, and attach it to the address space of the device. Return: 0 or -errno */
int iommufd_attach(struct dma_device *device, const char *sbdf, struct reason *why)
{
	struct device_bind bind = {.size = sizeof(bind), .iommufd = device->space->fd};
	struct device_attach attach = {.size = sizeof(attach), .id = device->space->ioas};

	device->fd = open_device(sbdf, why);
	if (device->fd < 0)
		return device->fd;
	if (ioctl(device->fd, DEVICE_BIND, &bind) < 0)
		return fail_errno(why, -errno, "VFIO_DEVICE_BIND_IOMMUFD of %s", sbdf);
	if (ioctl(device->fd, DEVICE_ATTACH, &attach) < 0)
		return fail_errno(why, -errno, "VFIO_DEVICE_ATTACH_IOMMUFD_PT of %s", sbdf);
	return 0;
}
