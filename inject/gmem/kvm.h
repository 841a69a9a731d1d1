/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_GMEM_KVM_H
#define BRINELL_GMEM_KVM_H

#include <pthread.h>

#include "inject/gmem/kernel.h"
#include "inject/gmem/uapi.h"

#define GMEM_KVM_SIBLING_SIZE (16 * GMEM_PAGE_SIZE)

struct sticky;
struct change;

/**
 * struct gmem_kvm - a VM of KVM
 * @system, @fd, @gmem_fd: /dev/kvm, the VM, its guest_memfd
 * @gmem_lock: held for writing while @gmem_fd is closed, because its number may be reused
 * @low:     memory of the payload: page tables, code, mailboxes, stacks
 * @sibling: memory of a slot that has no guest_memfd
 * @hole:    address range without memory, for slots whose memory is guest_memfd only
 * @vcpus, @runs, @run_size: vCPUs and their shared structures
 */
struct gmem_kvm {
	int system, fd, gmem_fd;
	pthread_rwlock_t gmem_lock;
	uint8_t *low, *sibling;
	void *hole;
	int vcpus[GUEST_VCPUS];
	struct kvm_run *runs[GUEST_VCPUS];
	size_t run_size;
};

int gmem_vcpus_open(struct gmem_vm *vm, struct reason *why);
void gmem_vcpus_close(struct gmem_vm *vm);
int gmem_vcpu_prefault(struct gmem_vm *vm, unsigned int vcpu, const struct gmem_range *range);
struct guest_mailbox *gmem_vcpu_mailbox(struct gmem_vm *vm, unsigned int vcpu);
int gmem_vcpu_run(struct gmem_vm *vm, unsigned int vcpu, uint64_t *stopped, struct reason *why);
int gmem_vcpu_reset(const struct gmem_kvm *kvm, unsigned int vcpu);

/* kill.c */
int gmem_vcpu_kill(struct gmem_vm *vm, unsigned int vcpu, const struct gmem_range *range,
		   struct reason *why);

/* host_faults.c */
int gmem_host_poison_probe(struct reason *why);
int gmem_group_probe(struct reason *why);
int gmem_group_enter(struct reason *why);
void gmem_group_remove(void);
unsigned int gmem_host_limits(void);
bool gmem_host_was_limited(unsigned int before);
int gmem_host_poison(struct gmem_vm *vm, uint64_t page, struct reason *why);
int gmem_host_offline(struct gmem_vm *vm, uint64_t page, struct reason *why);
int gmem_host_limit(struct gmem_vm *vm, const struct gmem_range *range, struct reason *why);
int gmem_host_poison_private(struct gmem_vm *vm, uint64_t page, struct reason *why);

/* frame.c */
int gmem_frame_mapped(const void *address, uint64_t *pfn, struct reason *why);
int gmem_frame_private(struct gmem_vm *vm, uint64_t page, uint64_t *pfn, struct reason *why);

/* failures.c */
int gmem_failures_set(struct sticky *sticky, struct change *change, bool slab, struct reason *why);
int gmem_failure_arm(enum gmem_failure failure, unsigned int nth, struct reason *why);
bool gmem_failure_disarm(enum gmem_failure failure);

#endif
