// SPDX-License-Identifier: GPL-2.0-only
/*
 * struct gmem_kernel for KVM of this machine, by /dev/kvm (Documentation/virt/kvm/api.rst). Errors of the calls come from
 * virt/kvm/kvm_main.c and virt/kvm/guest_memfd.c of Linux 7.3.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "inject/gmem/kvm.h"

enum slot {
	SLOT_LOW,
	SLOT_MODEL,
	SLOT_SIBLING,
	SLOT_REGION,
};

static size_t region_size(const struct gmem_vm *vm)
{
	return vm->shape->pages * GMEM_PAGE_SIZE;
}

static size_t model_size(const struct gmem_vm *vm)
{
	size_t size = vm->shape->pages * sizeof(*vm->model);

	return (size + GMEM_PAGE_SIZE - 1) & ~(size_t)(GMEM_PAGE_SIZE - 1);
}

static void *anonymous(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static int make_slot(const struct gmem_vm *vm, enum slot slot, uint64_t gpa, size_t size,
		     void *memory, uint32_t flags)
{
	const struct gmem_kvm *kvm = vm->private;
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)memory,
	};

	return ioctl(kvm->fd, KVM_SET_USER_MEMORY_REGION, &region) < 0 ? -errno : 0;
}

static int make_region_slot(const struct gmem_vm *vm, size_t size)
{
	const struct gmem_kvm *kvm = vm->private;
	struct gmem_region2 region = {
		.slot = SLOT_REGION,
		.flags = GMEM_SLOT_GUEST_MEMFD,
		.guest_phys_addr = GUEST_REGION,
		.memory_size = size,
		.userspace_addr = (uintptr_t)(vm->shared ? vm->shared : kvm->hole),
		.guest_memfd = (uint32_t)kvm->gmem_fd,
	};

	return ioctl(kvm->fd, GMEM_SET_REGION2, &region) < 0 ? -errno : 0;
}

static int make_gmem(struct gmem_vm *vm, struct reason *why)
{
	struct gmem_kvm *kvm = vm->private;
	struct gmem_create create = {.size = region_size(vm)};

	if (vm->shape->workload != GMEM_FLIP)
		create.flags =
			GMEM_FLAG_MMAP | (gmem_is_mappable(vm->shape) ? GMEM_FLAG_INIT_SHARED : 0);
	kvm->gmem_fd = ioctl(kvm->fd, GMEM_CREATE, &create);
	return kvm->gmem_fd < 0 ? fail_errno(why, -errno, "KVM_CREATE_GUEST_MEMFD") : 0;
}

/* The shared side: memory of its own, or the guest_memfd itself. */
static int make_shared(struct gmem_vm *vm, struct reason *why)
{
	struct gmem_kvm *kvm = vm->private;
	unsigned int flags = MFD_CLOEXEC;

	if (vm->shape->workload == GMEM_FLIP) {
		if (vm->shape->backing == GMEM_BACKING_HUGETLB)
			flags |= MFD_HUGETLB | 21u << 26 /* MFD_HUGE_2MB */;
		vm->shared_fd = memfd_create("brinell-shared", flags);
		if (vm->shared_fd < 0 || ftruncate(vm->shared_fd, (off_t)region_size(vm)) < 0)
			return fail_errno(why, -errno, "memfd");
	} else if (gmem_is_mappable(vm->shape)) {
		vm->shared_fd = dup(kvm->gmem_fd);
	}
	if (vm->shared_fd < 0)
		return 0;
	vm->shared =
		mmap(NULL, region_size(vm), PROT_READ | PROT_WRITE, MAP_SHARED, vm->shared_fd, 0);
	if (vm->shared == MAP_FAILED) {
		vm->shared = NULL;
		return fail(why, -errno, "mmap of the shared side: %s%s", strerror(errno),
			    vm->shape->backing == GMEM_BACKING_HUGETLB
				    ? ": reserve huge pages (/proc/sys/vm/nr_hugepages)"
				    : "");
	}
	if (vm->shape->backing == GMEM_BACKING_THP)
		(void)madvise(vm->shared, region_size(vm), MADV_HUGEPAGE);
	return 0;
}

static int make_slots(struct gmem_vm *vm, struct reason *why)
{
	struct gmem_kvm *kvm = vm->private;
	int error;

	kvm->low = anonymous(GUEST_LOW_SIZE);
	kvm->sibling = anonymous(GMEM_KVM_SIBLING_SIZE);
	vm->model = anonymous(model_size(vm));
	/* A slot needs a user address, even if nothing accesses it. */
	kvm->hole = mmap(NULL, region_size(vm), PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!kvm->low || !kvm->sibling || !vm->model || kvm->hole == MAP_FAILED)
		return fail(why, -ENOMEM, "no memory for a VM");
	error = make_slot(vm, SLOT_LOW, 0, GUEST_LOW_SIZE, kvm->low, 0);
	if (!error)
		error = make_slot(vm, SLOT_MODEL, GUEST_MODEL, model_size(vm), vm->model, 0);
	if (!error)
		error = make_slot(vm, SLOT_SIBLING, GUEST_SIBLING, GMEM_KVM_SIBLING_SIZE,
				  kvm->sibling, 0);
	if (!error)
		error = make_region_slot(vm, region_size(vm));
	return error ? fail_errno(why, error, "KVM_SET_USER_MEMORY_REGION") : 0;
}

static int make_vm(struct gmem_vm *vm, struct reason *why)
{
	struct gmem_kvm *kvm = vm->private;
	struct kvm_enable_cap exits = {.cap = KVM_CAP_EXIT_HYPERCALL,
				       .args = {1u << GUEST_HC_MAP_GPA_RANGE}};

	kvm->system = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm->system < 0)
		return fail_errno(why, -errno, "cannot open /dev/kvm");
	kvm->fd = ioctl(kvm->system, KVM_CREATE_VM, vm->shape->protected ? GMEM_TYPE_PROTECTED : 0);
	if (kvm->fd < 0)
		return fail_errno(why, -errno, "KVM_CREATE_VM");
	if (ioctl(kvm->fd, KVM_ENABLE_CAP, &exits) < 0)
		return fail_errno(why, -errno, "KVM_CAP_EXIT_HYPERCALL");
	return 0;
}

static void kvm_release(struct gmem_vm *vm)
{
	struct gmem_kvm *kvm = vm->private;

	if (!kvm)
		return;
	gmem_vcpus_close(vm);
	/* The VM first: the guest_memfd holds it, its slots hold the mappings. */
	cleanup_close_fd(&kvm->fd);
	cleanup_close_fd(&kvm->gmem_fd);
	cleanup_close_fd(&kvm->system);
	if (kvm->low)
		munmap(kvm->low, GUEST_LOW_SIZE);
	if (kvm->sibling)
		munmap(kvm->sibling, GMEM_KVM_SIBLING_SIZE);
	if (kvm->hole && kvm->hole != MAP_FAILED)
		munmap(kvm->hole, region_size(vm));
	if (vm->model)
		munmap(vm->model, model_size(vm));
	if (vm->shared)
		munmap(vm->shared, region_size(vm));
	if (vm->shared_fd >= 0)
		close(vm->shared_fd);
	pthread_rwlock_destroy(&kvm->gmem_lock);
	free(kvm);
	vm->private = NULL;
	vm->model = NULL;
	vm->shared = NULL;
	vm->shared_fd = -1;
}

static int kvm_open(struct gmem_vm *vm, struct reason *why)
{
	struct gmem_kvm *kvm = xzalloc(sizeof(*kvm));
	int error;

	kvm->fd = kvm->gmem_fd = kvm->system = -1;
	memset(kvm->vcpus, -1, sizeof(kvm->vcpus));
	pthread_rwlock_init(&kvm->gmem_lock, NULL);
	vm->private = kvm;
	vm->shared_fd = -1;
	error = make_vm(vm, why);
	if (!error)
		error = make_gmem(vm, why);
	if (!error)
		error = make_shared(vm, why);
	if (!error)
		error = make_slots(vm, why);
	if (!error)
		error = gmem_vcpus_open(vm, why);
	return error;
}

static int set_attributes(const struct gmem_vm *vm, const struct gmem_range *range, bool to_private)
{
	const struct gmem_kvm *kvm = vm->private;
	struct gmem_attributes attributes = {
		.address = GUEST_REGION + range->first * GMEM_PAGE_SIZE,
		.size = range->count * GMEM_PAGE_SIZE,
		.attributes = to_private ? GMEM_ATTRIBUTE_PRIVATE : 0,
	};

	return ioctl(kvm->fd, GMEM_SET_ATTRIBUTES, &attributes) < 0 ? -errno : 0;
}

static int kvm_convert(struct gmem_vm *vm, const struct gmem_range *range, bool to_private,
		       uint64_t *stopped)
{
	const struct gmem_kvm *kvm = vm->private;
	struct gmem_attributes2 attributes = {
		.offset = range->first * GMEM_PAGE_SIZE,
		.size = range->count * GMEM_PAGE_SIZE,
		.attributes = to_private ? GMEM_ATTRIBUTE_PRIVATE : 0,
	};

	if (vm->shape->workload != GMEM_INPLACE)
		return set_attributes(vm, range, to_private);
	if (ioctl(kvm->gmem_fd, GMEM_SET_ATTRIBUTES2, &attributes) == 0)
		return 0;
	*stopped = attributes.error_offset / GMEM_PAGE_SIZE;
	return -errno;
}

static int change_file(int fd, const struct gmem_range *range, int mode)
{
	return fallocate(fd, FALLOC_FL_KEEP_SIZE | mode, (off_t)(range->first * GMEM_PAGE_SIZE),
			 (off_t)(range->count * GMEM_PAGE_SIZE)) < 0
		       ? -errno
		       : 0;
}

static int change_gmem(const struct gmem_vm *vm, const struct gmem_range *range, int mode)
{
	struct gmem_kvm *kvm = vm->private;
	int error;

	pthread_rwlock_rdlock(&kvm->gmem_lock);
	error = change_file(kvm->gmem_fd, range, mode);
	pthread_rwlock_unlock(&kvm->gmem_lock);
	return error;
}

static int kvm_discard(struct gmem_vm *vm, const struct gmem_range *range, bool private)
{
	int error;

	if (!private && vm->shape->workload == GMEM_FLIP)
		return change_file(vm->shared_fd, range, FALLOC_FL_PUNCH_HOLE);
	error = change_gmem(vm, range, FALLOC_FL_PUNCH_HOLE);
	/* The fault "reopen" may have closed the file: its memory is freed then. */
	return error == -EBADF ? 0 : error;
}

static int kvm_allocate(struct gmem_vm *vm, const struct gmem_range *range)
{
	return change_gmem(vm, range, 0);
}

static int kvm_slot(struct gmem_vm *vm, struct reason *why)
{
	int error = make_region_slot(vm, 0) ?: make_region_slot(vm, region_size(vm));

	return error ? fail_errno(why, error, "making the slot again") : 0;
}

static int kvm_reopen(struct gmem_vm *vm, struct reason *why)
{
	struct gmem_kvm *kvm = vm->private;
	int error;

	pthread_rwlock_wrlock(&kvm->gmem_lock);
	close(kvm->gmem_fd);
	kvm->gmem_fd = -1;
	pthread_rwlock_unlock(&kvm->gmem_lock);
	error = make_region_slot(vm, 0);
	pthread_rwlock_wrlock(&kvm->gmem_lock);
	if (!error)
		error = make_gmem(vm, why);
	pthread_rwlock_unlock(&kvm->gmem_lock);
	if (!error)
		error = make_region_slot(vm, region_size(vm));
	return error ? fail_errno(why, error, "opening guest_memfd again") : 0;
}

static int kvm_log(struct gmem_vm *vm, struct reason *why)
{
	const struct gmem_kvm *kvm = vm->private;
	uint64_t bitmap[GMEM_KVM_SIBLING_SIZE / GMEM_PAGE_SIZE / 64 + 1] = {0};
	struct kvm_dirty_log log = {.slot = SLOT_SIBLING, .dirty_bitmap = bitmap};
	int error = make_slot(vm, SLOT_SIBLING, GUEST_SIBLING, GMEM_KVM_SIBLING_SIZE, kvm->sibling,
			      KVM_MEM_LOG_DIRTY_PAGES);

	if (!error && ioctl(kvm->fd, KVM_GET_DIRTY_LOG, &log) < 0)
		error = -errno;
	if (!error)
		error = make_slot(vm, SLOT_SIBLING, GUEST_SIBLING, GMEM_KVM_SIBLING_SIZE,
				  kvm->sibling, 0);
	return error ? fail_errno(why, error, "dirty logging") : 0;
}

const struct gmem_kernel gmem_kvm = {
	.open = kvm_open,
	.close = kvm_release,
	.convert = kvm_convert,
	.discard = kvm_discard,
	.allocate = kvm_allocate,
	.prefault = gmem_vcpu_prefault,
	.mailbox = gmem_vcpu_mailbox,
	.run = gmem_vcpu_run,
	.slot = kvm_slot,
	.reopen = kvm_reopen,
	.log = kvm_log,
	.poison = gmem_host_poison,
	.offline = gmem_host_offline,
	.limit = gmem_host_limit,
	.kill = gmem_vcpu_kill,
	.poison_private = gmem_host_poison_private,
	.arm = gmem_failure_arm,
	.disarm = gmem_failure_disarm,
};
