// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults of host memory that the storm combines with conversions, by files of this machine's kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "harness/host/machine.h"
#include "inject/gmem/kvm.h"

#define CORRUPT_PFN "/sys/kernel/debug/hwpoison/corrupt-pfn"
#define CGROUP "/sys/fs/cgroup"
#define GROUP CGROUP "/brinell-gmem"
#define GROUP_TIMEOUT_NS (5 * NSEC_PER_SEC)
#define GROUP_PAUSE_US 20000

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

/*
 * On guest_memfd the write fails with EBUSY although the page is poisoned: kvm_gmem_error_folio() returns MF_DELAYED, which
 * truncate_error_folio() takes for a failure (mm/memory-failure.c of Linux 7.3).
 */
static int corrupt(uint64_t pfn, struct reason *why)
{
	char text[32];
	int error;

	snprintf(text, sizeof(text), "0x%" PRIx64, pfn);
	error = write_small_file(CORRUPT_PFN, text);
	return error && error != -EBUSY
		       ? fail_errno(why, error, "writing %s to %s", text, CORRUPT_PFN)
		       : 0;
}

/** gmem_host_poison_probe - whether pages can be poisoned; loads the module. Return: 0 or -errno with the reason */
int gmem_host_poison_probe(struct reason *why)
{
	return machine_load_module("hwpoison-inject", CORRUPT_PFN, why);
}

/** gmem_host_poison - poison the shared page by corrupt-pfn */
int gmem_host_poison(struct gmem_vm *vm, uint64_t page, struct reason *why)
{
	uint64_t pfn;

	return gmem_frame_mapped(vm->shared + page * GMEM_PAGE_SIZE, &pfn, why)
		       ?: corrupt(pfn, why);
}

/** gmem_host_poison_private - poison a private page by corrupt-pfn; it is allocated anew before */
int gmem_host_poison_private(struct gmem_vm *vm, uint64_t page, struct reason *why)
{
	uint64_t pfn;

	return gmem_frame_private(vm, page, &pfn, why) ?: corrupt(pfn, why);
}

/** gmem_host_offline - soft-offline the shared page. Return: 0, -EBUSY when it can not be moved, or -errno */
int gmem_host_offline(struct gmem_vm *vm, uint64_t page, struct reason *why)
{
	uint8_t *address = vm->shared + page * GMEM_PAGE_SIZE;

	(void)*(volatile uint8_t *)address;
	return madvise(address, GMEM_PAGE_SIZE, MADV_SOFT_OFFLINE) < 0
		       ? fail_errno(why, -errno, "MADV_SOFT_OFFLINE")
		       : 0;
}

/* A group that a killed storm left is reused. */
static int make_group(struct reason *why)
{
	(void)write_small_file(CGROUP "/cgroup.subtree_control", "+memory");
	if (mkdir(GROUP, 0755) < 0 && errno != EEXIST)
		return fail(why, -EOPNOTSUPP, "fault memory-limit: cannot make %s: %s", GROUP,
			    strerror(errno));
	if (access(GROUP "/memory.max", W_OK) < 0)
		return fail(why, -EOPNOTSUPP, "fault memory-limit: %s has no memory controller",
			    CGROUP);
	return 0;
}

/** gmem_group_probe - whether a memory cgroup can be made. Return: 0 or -EOPNOTSUPP */
int gmem_group_probe(struct reason *why)
{
	char path[4096];
	__cleanup_free char *controllers = NULL;
	/* The probe makes no cgroup: the watchdog of a storm removes one, also if this process is killed. */
	int error = read_small_file(system_path(path, CGROUP "/cgroup.controllers"), &controllers,
				    NULL);

	if (error || !strstr(controllers, "memory"))
		return fail(why, -EOPNOTSUPP, "fault memory-limit: %s has no memory controller",
			    CGROUP);
	return 0;
}

/** gmem_group_enter - make the group, move this process into it, and exempt it from the OOM killer, so that charges fail */
int gmem_group_enter(struct reason *why)
{
	int error = make_group(why);

	if (error)
		return error;
	error = write_small_file(GROUP "/cgroup.procs", "0")
			?: write_small_file("/proc/self/oom_score_adj", "-1000");
	return error ? fail_errno(why, error, "entering %s", GROUP) : 0;
}

/** gmem_group_remove - remove the group; waits for killed processes of a storm to end */
void gmem_group_remove(void)
{
	int64_t until = now_monotonic_ns() + GROUP_TIMEOUT_NS;

	while (rmdir(GROUP) < 0 && errno == EBUSY && now_monotonic_ns() < until)
		usleep(GROUP_PAUSE_US);
}

/* Odd while memory is at its limit. */
static unsigned int limits;

/** gmem_host_limits - state for gmem_host_was_limited(), read before a system call that allocates */
unsigned int gmem_host_limits(void)
{
	return __atomic_load_n(&limits, __ATOMIC_SEQ_CST);
}

/** gmem_host_was_limited - whether memory was at its limit since gmem_host_limits() returned @before */
bool gmem_host_was_limited(unsigned int before)
{
	return before & 1 || gmem_host_limits() != before;
}

/**
 * gmem_host_limit - allocate private memory of the range while the memory cgroup is at its limit
 *
 * The limit is 0: each processor keeps up to 64 charged pages in stock (mm/memcontrol.c, MEMCG_CHARGE_BATCH), which the kernel
 * drains when the limit is below the usage. The limit holds only during the allocation, and only system calls run under it: a
 * page fault that can not be charged repeats until the limit is lifted, because the process is exempt from the OOM killer.
 *
 * Return: -ENOMEM, which is expected; 0 when nothing had to be charged; or another -errno.
 */
int gmem_host_limit(struct gmem_vm *vm, const struct gmem_range *range, struct reason *why)
{
	__cleanup_close int limit = open(GROUP "/memory.max", O_WRONLY | O_CLOEXEC);
	int error;

	__atomic_add_fetch(&limits, 1, __ATOMIC_SEQ_CST);
	error = write(limit, "0", 1) < 0 ? -errno : vm->kernel->allocate(vm, range);
	(void)!write(limit, "max", 3);
	__atomic_add_fetch(&limits, 1, __ATOMIC_SEQ_CST);
	return error ? fail(why, error, "allocating at the memory limit of " GROUP ": %s",
			    strerror(-error))
		     : 0;
}
