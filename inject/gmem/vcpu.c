// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs of the storm's VMs: 64 bit mode, identity mapping with pages of 2 MiB, no interrupts, the payload.
 */
#include <cpuid.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "inject/gmem/kvm.h"

#define PAGE_TABLE_BITS 0x3ull
#define PAGE_ACCESSED 0x20ull
#define PAGE_DIRTY 0x40ull
#define PAGE_LARGE 0x80ull
#define TABLE_ENTRIES 512u
/* PML4, then the directory pointers, then four directories: 4 GiB. */
#define DIRECTORIES 4u

#define CPUID_ENTRIES 256u

#define CR0_PE 1ull
#define CR0_PG (1ull << 31)
#define CR4_PAE (1ull << 5)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)

extern const char _binary_payload_bin_start[], _binary_payload_bin_end[];

static void make_page_tables(uint8_t *low)
{
	uint64_t *top = (uint64_t *)(low + GUEST_TABLES);
	uint64_t *pointers = top + TABLE_ENTRIES, *directory = pointers + TABLE_ENTRIES;

	top[0] = (GUEST_TABLES + GMEM_PAGE_SIZE) | PAGE_TABLE_BITS;
	for (uint64_t i = 0; i < DIRECTORIES; i++)
		pointers[i] = (GUEST_TABLES + (2 + i) * GMEM_PAGE_SIZE) | PAGE_TABLE_BITS;
	for (uint64_t i = 0; i < (uint64_t)DIRECTORIES * TABLE_ENTRIES; i++)
		directory[i] = i << 21 | PAGE_LARGE | PAGE_TABLE_BITS;
}

static int set_processor(int vcpu)
{
	const struct kvm_segment code = {
		.limit = ~0u, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
	const struct kvm_segment data = {
		.limit = ~0u, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1};
	struct kvm_sregs registers;

	if (ioctl(vcpu, KVM_GET_SREGS, &registers) < 0)
		return -errno;
	registers.cs = code;
	registers.ds = registers.es = registers.fs = registers.gs = registers.ss = data;
	registers.cr0 |= CR0_PE | CR0_PG;
	registers.cr3 = GUEST_TABLES;
	registers.cr4 |= CR4_PAE;
	registers.efer |= EFER_LME | EFER_LMA;
	return ioctl(vcpu, KVM_SET_SREGS, &registers) < 0 ? -errno : 0;
}

/* Set the registers to the start of the payload. */
static int reset(const struct gmem_kvm *kvm, unsigned int vcpu)
{
	struct kvm_regs registers = {
		.rip = GUEST_CODE,
		.rsp = GUEST_STACKS + (vcpu + 1) * GMEM_PAGE_SIZE,
		.rdi = GUEST_MAILBOXES + vcpu * GMEM_PAGE_SIZE,
		.rflags = 2,
	};

	return ioctl(kvm->vcpus[vcpu], KVM_SET_REGS, &registers) < 0 ? -errno : 0;
}

static int set_cpuid(const struct gmem_kvm *kvm, int vcpu)
{
	__cleanup_free struct kvm_cpuid2 *cpuid =
		xzalloc(sizeof(*cpuid) + CPUID_ENTRIES * sizeof(cpuid->entries[0]));

	cpuid->nent = CPUID_ENTRIES;
	if (ioctl(kvm->system, KVM_GET_SUPPORTED_CPUID, cpuid) < 0)
		return -errno;
	return ioctl(vcpu, KVM_SET_CPUID2, cpuid) < 0 ? -errno : 0;
}

static bool is_intel(void)
{
	unsigned int most, vendor, other, last;

	return __get_cpuid(0, &most, &vendor, &other, &last) && vendor == signature_INTEL_ebx;
}

static int open_vcpu(struct gmem_vm *vm, unsigned int number)
{
	struct gmem_kvm *kvm = vm->private;
	int vcpu = ioctl(kvm->fd, KVM_CREATE_VCPU, number);
	struct kvm_run *run;
	int error;

	if (vcpu < 0)
		return -errno;
	kvm->vcpus[number] = vcpu;
	run = mmap(NULL, kvm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		return -errno;
	kvm->runs[number] = run;
	error = set_cpuid(kvm, vcpu) ?: set_processor(vcpu) ?: reset(kvm, number);
	gmem_vcpu_mailbox(vm, number)->intel = is_intel();
	return error;
}

static size_t payload_size(void)
{
	return (size_t)(_binary_payload_bin_end - _binary_payload_bin_start);
}

/* @low: GUEST_MAILBOXES bytes, zeroes. */
static void load(uint8_t *low)
{
	memcpy(low + GUEST_CODE, _binary_payload_bin_start, payload_size());
	make_page_tables(low);
}

/** gmem_vcpus_open - load the payload and make the vCPUs */
int gmem_vcpus_open(struct gmem_vm *vm, struct reason *why)
{
	struct gmem_kvm *kvm = vm->private;
	int error = 0;

	if (payload_size() > GUEST_CODE_SIZE)
		return fail(why, -E2BIG, "the payload has %zu bytes", payload_size());
	load(kvm->low);
	kvm->run_size = (size_t)ioctl(kvm->system, KVM_GET_VCPU_MMAP_SIZE, 0);
	for (unsigned int i = 0; !error && i < vm->shape->vcpus; i++)
		error = open_vcpu(vm, i);
	return error ? fail_errno(why, error, "making vCPUs") : 0;
}

/** gmem_vcpu_reset - restart the payload of a vCPU in any state. Return: 0 or -errno */
int gmem_vcpu_reset(const struct gmem_kvm *kvm, unsigned int vcpu)
{
	return set_processor(kvm->vcpus[vcpu]) ?: reset(kvm, vcpu);
}

/** gmem_vcpus_close - close the vCPUs */
void gmem_vcpus_close(struct gmem_vm *vm)
{
	struct gmem_kvm *kvm = vm->private;

	for (unsigned int i = 0; i < vm->shape->vcpus; i++) {
		if (kvm->runs[i])
			munmap(kvm->runs[i], kvm->run_size);
		cleanup_close_fd(&kvm->vcpus[i]);
		kvm->runs[i] = NULL;
		kvm->vcpus[i] = -1;
	}
}

/** gmem_vcpu_mailbox - the mailbox of a vCPU */
struct guest_mailbox *gmem_vcpu_mailbox(struct gmem_vm *vm, unsigned int vcpu)
{
	struct gmem_kvm *kvm = vm->private;

	return (struct guest_mailbox *)(kvm->low + GUEST_MAILBOXES + vcpu * GMEM_PAGE_SIZE);
}

/** gmem_vcpu_prefault - map a range by KVM_PRE_FAULT_MEMORY, which is repeated until it has done all. Return: 0 or -errno */
int gmem_vcpu_prefault(struct gmem_vm *vm, unsigned int vcpu, const struct gmem_range *range)
{
	const struct gmem_kvm *kvm = vm->private;
	struct gmem_pre_fault prefault = {
		.gpa = GUEST_REGION + range->first * GMEM_PAGE_SIZE,
		.size = range->count * GMEM_PAGE_SIZE,
	};

	while (prefault.size)
		if (ioctl(kvm->vcpus[vcpu], GMEM_PRE_FAULT, &prefault) < 0 && errno != EINTR)
			return -errno;
	return 0;
}

static void answer_hypercall(struct gmem_vm *vm, struct kvm_run *run)
{
	uint64_t first = (run->hypercall.args[0] - GUEST_REGION) / GMEM_PAGE_SIZE;
	struct gmem_range range = {first, run->hypercall.args[1]};
	bool to_private = run->hypercall.args[2] & GUEST_MAP_ENCRYPTED;

	/* Beside 0, KVM accepts EINVAL and EAGAIN (arch/x86/kvm/x86.h, kvm_is_valid_map_gpa_range_ret()). */
	run->hypercall.ret = vm->request(vm, &range, to_private) ? (uint64_t)EAGAIN : 0;
}

/* The member memory_fault of struct kvm_run, which old headers lack. */
struct memory_fault {
	uint64_t flags, gpa, size;
};

static const char *side_of(bool private)
{
	return private ? "private" : "shared";
}

/* KVM_RUN failed. Only EFAULT and EHWPOISON have an exit reason; for others it is stale, and these two may have none. */
static int report_error(const struct gmem_vm *vm, const struct kvm_run *run, int error,
			uint64_t *stopped, struct reason *why)
{
	const struct memory_fault *fault = (const struct memory_fault *)&run->hw;
	uint64_t page = (fault->gpa - GUEST_REGION) / GMEM_PAGE_SIZE;

	if (error != -EFAULT && error != -EHWPOISON)
		return fail_errno(why, error, "KVM_RUN");
	if (run->exit_reason != GMEM_EXIT_MEMORY_FAULT)
		return fail(why, error, "KVM_RUN: %s, without a memory fault", strerror(-error));
	*stopped = page;
	if (page >= vm->shape->pages)
		return fail(why, error, "KVM_RUN: %s, memory fault at address 0x%llx",
			    strerror(-error), (unsigned long long)fault->gpa);
	return fail(why, error, "KVM_RUN: %s, memory fault of a %s access at a %s page",
		    strerror(-error), side_of(fault->flags & GMEM_MEMORY_FAULT_PRIVATE),
		    side_of(gmem_is_private(vm->model[page])));
}

/* Memory without a slot. Complete the access now: else KVM completes it in the next KVM_RUN, after the reset. */
static int end_access(int vcpu, struct kvm_run *run, uint64_t *stopped, struct reason *why)
{
	*stopped = (run->mmio.phys_addr - GUEST_REGION) / GMEM_PAGE_SIZE;
	run->immediate_exit = 1;
	(void)ioctl(vcpu, KVM_RUN, 0);
	run->immediate_exit = 0;
	return fail(why, -EFAULT, "the page is in no slot");
}

/* Where page tables or code differ from what was loaded, but for bits that processors set in page tables; 0: nowhere. */
static uint64_t find_damage(const uint8_t *low)
{
	__cleanup_free uint8_t *loaded = xzalloc(GUEST_MAILBOXES);

	load(loaded);
	for (uint64_t place = GUEST_TABLES; place < GUEST_MAILBOXES; place += sizeof(place)) {
		uint64_t marks = place < GUEST_CODE ? PAGE_ACCESSED | PAGE_DIRTY : 0, now, before;

		memcpy(&now, low + place, sizeof(now));
		memcpy(&before, loaded + place, sizeof(before));
		if ((now ^ before) & ~marks)
			return place;
	}
	return 0;
}

/*
 * KVM resets a vCPU at a SHUTDOWN of SVM (shutdown_interception()): its registers show whether it was that, or KVM's own
 * request. Nothing else remains of the guest's state than its memory.
 */
static int report_triple_fault(const struct gmem_kvm *kvm, int vcpu, struct reason *why)
{
	struct kvm_regs registers = {0};
	struct kvm_sregs special = {0};
	uint64_t damage = find_damage(kvm->low);
	char place[32];

	(void)ioctl(vcpu, KVM_GET_REGS, &registers);
	(void)ioctl(vcpu, KVM_GET_SREGS, &special);
	snprintf(place, sizeof(place), "differ at 0x%llx", (unsigned long long)damage);
	return fail(why, -ENOTRECOVERABLE,
		    "the guest's payload ended in a triple fault, RIP 0x%llx, CR2 0x%llx, CR3 "
		    "0x%llx; page tables and code %s",
		    registers.rip, special.cr2, special.cr3, damage ? place : "are intact");
}

/* Return: 1 to run the vCPU again. */
static int handle_exit(struct gmem_vm *vm, int vcpu, struct kvm_run *run, uint64_t *stopped,
		       struct reason *why)
{
	switch (run->exit_reason) {
	case KVM_EXIT_HYPERCALL:
		answer_hypercall(vm, run);
		return 1;
	case KVM_EXIT_IO:
		return 0;
	case KVM_EXIT_INTR:
		return 1;
	case KVM_EXIT_MMIO:
		return end_access(vcpu, run, stopped, why);
	case KVM_EXIT_SHUTDOWN:
		return report_triple_fault(vm->private, vcpu, why);
	default:
		return fail(why, -EIO, "KVM_RUN ended with exit reason %u", run->exit_reason);
	}
}

/*
 * Whether KVM_RUN failed because memory could not be charged: ENOMEM for KVM's own, EFAULT without an exit reason for that of
 * the shared side (hva_to_pfn_slow(), kvm_handle_error_pfn()).
 */
static bool is_of_limit(const struct gmem_vm *vm, const struct kvm_run *run, unsigned int limits)
{
	if (!gmem_host_was_limited(limits))
		return false;
	if (errno == ENOMEM)
		return true;
	if (errno != EFAULT || run->exit_reason == GMEM_EXIT_MEMORY_FAULT || !vm->limit_exits)
		return false;
	__atomic_add_fetch(vm->limit_exits, 1, __ATOMIC_RELAXED);
	return true;
}

/** gmem_vcpu_run - run a vCPU until its mailbox is served; see struct gmem_kernel */
int gmem_vcpu_run(struct gmem_vm *vm, unsigned int vcpu, uint64_t *stopped, struct reason *why)
{
	struct gmem_kvm *kvm = vm->private;
	struct kvm_run *run = kvm->runs[vcpu];
	int got = 1;

	while (got == 1) {
		unsigned int limits = gmem_host_limits();

		if (ioctl(kvm->vcpus[vcpu], KVM_RUN, 0) == 0) {
			got = handle_exit(vm, kvm->vcpus[vcpu], run, stopped, why);
			continue;
		}
		got = errno == EINTR || is_of_limit(vm, run, limits)
			      ? 1
			      : report_error(vm, run, -errno, stopped, why);
	}
	if (got < 0)
		(void)gmem_vcpu_reset(kvm, vcpu);
	return got;
}
