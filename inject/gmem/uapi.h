/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_GMEM_UAPI_H
#define BRINELL_GMEM_UAPI_H

/*
 * Definitions of include/uapi/linux/kvm.h that are newer than Linux 6.1, the oldest headers that brinell builds with, under
 * names of our own. From Linux 7.3; @gmem_attributes2 from the series that converts in place (not in 7.3).
 */
#include <linux/kvm.h>

struct gmem_region2 {
	uint32_t slot, flags;
	uint64_t guest_phys_addr, memory_size, userspace_addr, guest_memfd_offset;
	uint32_t guest_memfd, pad1;
	uint64_t pad2[14];
};

struct gmem_attributes {
	uint64_t address, size, attributes, flags;
};

struct gmem_attributes2 {
	uint64_t offset, size, attributes, flags, error_offset;
	uint64_t reserved[11];
};

struct gmem_create {
	uint64_t size, flags;
	uint64_t reserved[6];
};

struct gmem_pre_fault {
	uint64_t gpa, size, flags;
	uint64_t padding[5];
};

#define GMEM_SET_REGION2 _IOW(KVMIO, 0x49, struct gmem_region2)
#define GMEM_SET_ATTRIBUTES _IOW(KVMIO, 0xd2, struct gmem_attributes)
#define GMEM_SET_ATTRIBUTES2 _IOWR(KVMIO, 0xd2, struct gmem_attributes2)
#define GMEM_CREATE _IOWR(KVMIO, 0xd4, struct gmem_create)
#define GMEM_PRE_FAULT _IOWR(KVMIO, 0xd5, struct gmem_pre_fault)

#define GMEM_SLOT_GUEST_MEMFD (1u << 2)
#define GMEM_ATTRIBUTE_PRIVATE (1ull << 3)
#define GMEM_FLAG_MMAP (1ull << 0)
#define GMEM_FLAG_INIT_SHARED (1ull << 1)
#define GMEM_TYPE_PROTECTED 1
#define GMEM_EXIT_MEMORY_FAULT 39
#define GMEM_MEMORY_FAULT_PRIVATE (1ull << 3)

#define GMEM_CAP_ATTRIBUTES 233
#define GMEM_CAP_GUEST_MEMFD 234
#define GMEM_CAP_VM_TYPES 235
#define GMEM_CAP_GUEST_MEMFD_FLAGS 244

#endif
