/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_GMEM_KERNEL_H
#define BRINELL_GMEM_KERNEL_H

#include "harness/lib/util.h"
#include "inject/gmem/command.h"

/**
 * enum gmem_workload - how memory is converted
 * @GMEM_FLIP:    KVM_SET_MEMORY_ATTRIBUTES; shared and private content are two memories
 * @GMEM_MAPPED:  guest_memfd that the host maps; PUNCH_HOLE discards a page. With a protected VM its attribute
 *                flips, and both sides are one memory
 * @GMEM_INPLACE: KVM_SET_MEMORY_ATTRIBUTES2 of guest_memfd, of kernels after 7.3; both sides are one memory
 */
enum gmem_workload {
	GMEM_FLIP,
	GMEM_MAPPED,
	GMEM_INPLACE,
};

/* The memory behind the shared side of GMEM_FLIP. */
enum gmem_backing {
	GMEM_BACKING_MEMFD,
	GMEM_BACKING_THP,
	GMEM_BACKING_HUGETLB,
};

/**
 * struct gmem_shape - configuration of a VM
 * @pages: of the region that is converted
 * @vcpus: at most GUEST_VCPUS
 */
struct gmem_shape {
	enum gmem_workload workload;
	enum gmem_backing backing;
	bool protected;
	uint64_t pages;
	unsigned int vcpus;
};

struct gmem_range {
	uint64_t first, count;
};

/**
 * enum gmem_feature - features of KVM
 * @GMEM_HAS_KVM:        /dev/kvm can be opened
 * @GMEM_HAS_MEMFD:      guest_memfd can be made
 * @GMEM_HAS_PROTECTED:  VMs of type KVM_X86_SW_PROTECTED_VM can be made
 * @GMEM_HAS_ATTRIBUTES: their pages have attributes
 * @GMEM_HAS_MAPPABLE:   the host can map guest_memfd that begins shared
 * @GMEM_HAS_IN_PLACE:   guest_memfd converts in place
 * @GMEM_HAS_SNP, @GMEM_HAS_TDX: there are VMs of these types; reported only
 */
enum gmem_feature {
	GMEM_HAS_KVM,
	GMEM_HAS_MEMFD,
	GMEM_HAS_PROTECTED,
	GMEM_HAS_ATTRIBUTES,
	GMEM_HAS_MAPPABLE,
	GMEM_HAS_IN_PLACE,
	GMEM_HAS_SNP,
	GMEM_HAS_TDX,
	GMEM_FEATURES,
};

/* Failures that the kernel can inject (Documentation/fault-injection/fault-injection.rst). */
enum gmem_failure {
	GMEM_FAIL_SLAB,
	GMEM_FAIL_FUNCTION,
};

struct gmem_kernel;
struct gmem_vm;

/* Converts a range that a guest requests by hypercall. Return: 0 or -errno, for the guest. */
typedef int (*gmem_request_fn)(struct gmem_vm *vm, const struct gmem_range *range, bool to_private);

/**
 * struct gmem_vm - a virtual machine
 * @kernel:    implementation that runs it
 * @shape:     borrowed
 * @number:    among the VMs of the storm
 * @model:     state of each page, in memory that is mapped into the guest
 * @shared_fd: memory of the shared side: memfd, or guest_memfd that can be mapped; -1: the host can not map it
 * @shared:    the VMM's mapping of it, or NULL
 * @request:   called when a guest requests a conversion, in the thread that runs the vCPU
 * @context:   for @request
 * @limit_exits: counts calls of KVM_RUN that failed with EFAULT at the memory limit, and are repeated; NULL: they are not
 * @private:   of @kernel
 */
struct gmem_vm {
	const struct gmem_kernel *kernel;
	const struct gmem_shape *shape;
	unsigned int number;
	gmem_page *model;
	int shared_fd;
	uint8_t *shared;
	gmem_request_fn request;
	void *context;
	uint64_t *limit_exits;
	void *private;
};

/**
 * struct gmem_kernel - operations of the kernel: KVM of this machine, or a fake in tests
 * @open:     makes the VM with all pages shared and zero
 * @close:    frees everything; also called after a failed @open
 * @convert:  sets the attribute of a range. In place, -EAGAIN has the first page that is in use in @stopped
 * @discard:  frees the memory of a side of the range
 * @allocate: allocates the private memory of the range
 * @prefault: maps the range into the guest. -EAGAIN and -ENOENT are no errors of a storm
 * @mailbox:  of a vCPU
 * @run:      runs a vCPU until its mailbox is served. -EFAULT or -EHWPOISON with the page in @stopped
 *            (KVM_EXIT_MEMORY_FAULT), -ENOTRECOVERABLE when the payload ended in a triple fault
 * @slot:     deletes the memory slot of the region and creates it again
 * @reopen:   closes the private memory while its slot exists, then creates both again
 * @poison:   poisons the shared page by the kernel's hwpoison
 * @offline:  soft-offlines the shared page
 * @limit:    allocates private memory of the range while the memory cgroup is at its limit; expected: -ENOMEM
 * @log:      turns dirty logging of a sibling slot on, reads the log, turns it off
 * @kill:     runs a vCPU, whose guest touches the range, in a process of its own, and kills that process
 * @poison_private: frees the private page, allocates it again, and poisons the new one by the kernel's hwpoison
 * @arm:      arms the @nth failure of this thread: of a slab allocation, or of __filemap_add_folio()
 * @disarm:   disarms it. Return: whether the failure occurred
 *
 * Return: 0 or -errno, with the reason where there is one.
 */
struct gmem_kernel {
	int (*open)(struct gmem_vm *vm, struct reason *why);
	void (*close)(struct gmem_vm *vm);
	int (*convert)(struct gmem_vm *vm, const struct gmem_range *range, bool to_private,
		       uint64_t *stopped);
	int (*discard)(struct gmem_vm *vm, const struct gmem_range *range, bool private);
	int (*allocate)(struct gmem_vm *vm, const struct gmem_range *range);
	int (*prefault)(struct gmem_vm *vm, unsigned int vcpu, const struct gmem_range *range);
	struct guest_mailbox *(*mailbox)(struct gmem_vm *vm, unsigned int vcpu);
	int (*run)(struct gmem_vm *vm, unsigned int vcpu, uint64_t *stopped, struct reason *why);
	int (*slot)(struct gmem_vm *vm, struct reason *why);
	int (*reopen)(struct gmem_vm *vm, struct reason *why);
	int (*log)(struct gmem_vm *vm, struct reason *why);
	int (*poison)(struct gmem_vm *vm, uint64_t page, struct reason *why);
	int (*offline)(struct gmem_vm *vm, uint64_t page, struct reason *why);
	int (*limit)(struct gmem_vm *vm, const struct gmem_range *range, struct reason *why);
	int (*kill)(struct gmem_vm *vm, unsigned int vcpu, const struct gmem_range *range,
		    struct reason *why);
	int (*poison_private)(struct gmem_vm *vm, uint64_t page, struct reason *why);
	int (*arm)(enum gmem_failure failure, unsigned int nth, struct reason *why);
	bool (*disarm)(enum gmem_failure failure);
};

extern const struct gmem_kernel gmem_kvm;

/* Both sides are one memory: what one wrote, the other reads. */
static inline bool gmem_is_single(const struct gmem_shape *shape)
{
	return shape->workload != GMEM_FLIP;
}

/* Pages have a private side. */
static inline bool gmem_has_sides(const struct gmem_shape *shape)
{
	return shape->workload != GMEM_MAPPED || shape->protected;
}

/* The host can map the region. */
static inline bool gmem_is_mappable(const struct gmem_shape *shape)
{
	return shape->workload != GMEM_MAPPED || !shape->protected;
}

int gmem_probe(const struct gmem_shape *shape, struct reason *why);
int gmem_check_features(unsigned int has, const struct gmem_shape *shape, struct reason *why);
void gmem_add_features(json_t *findings, unsigned int has);
int gmem_probe_failure(enum gmem_failure failure, struct reason *why);
void gmem_probe_findings(json_t *findings);

#endif
