// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kill of a single vCPU. SIGKILL ends all threads of a process, so the vCPU runs in a process of its own that shares the
 * memory of the VMM: KVM checks no more than that (kvm_vcpu_ioctl() compares kvm->mm).
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "inject/gmem/kvm.h"

#define STACK_SIZE (16 * GMEM_PAGE_SIZE)
#define TIMEOUT_NS (10 * NSEC_PER_SEC)

struct victim {
	pid_t parent;
	int vcpu;
};

/* Shares the thread-local memory of its parent, which reads no errno meanwhile. */
static int run_victim(void *context)
{
	const struct victim *victim = context;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == victim->parent)
		if (ioctl(victim->vcpu, KVM_RUN, 0) < 0 && errno != EINTR)
			break;
	_exit(0);
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = {0};

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid;
}

/**
 * gmem_vcpu_kill - run a vCPU in a process of its own, and kill the process while the guest touches the range
 *
 * The vCPU can run again afterwards. Return: 0, -EIO when it touched nothing, or another -errno.
 */
int gmem_vcpu_kill(struct gmem_vm *vm, unsigned int vcpu, const struct gmem_range *range,
		   struct reason *why)
{
	struct gmem_kvm *kvm = vm->private;
	struct victim victim = {getpid(), kvm->vcpus[vcpu]};
	struct guest_mailbox *box = vm->kernel->mailbox(vm, vcpu);
	int64_t until = now_monotonic_ns() + TIMEOUT_NS;
	uint8_t *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	bool touched;
	pid_t pid;

	if (stack == MAP_FAILED)
		return fail(why, -ENOMEM, "no stack for a vCPU");
	box->stop = 0;
	box->first = range->first;
	box->count = range->count;
	box->touched = 0;
	box->command = GUEST_TOUCH;
	pid = clone(run_victim, stack + STACK_SIZE, CLONE_VM | CLONE_FILES | SIGCHLD, &victim);
	while (pid > 0 && !box->touched && !has_ended(pid) && now_monotonic_ns() < until)
		sched_yield();
	if (pid > 0) {
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	touched = box->touched;
	box->touched = box->command = 0;
	munmap(stack, STACK_SIZE);
	if (pid < 0)
		return fail(why, -EAGAIN, "no process for a vCPU");
	if (!touched)
		return fail(why, -EIO, "the vCPU of a process of its own touched nothing");
	return gmem_vcpu_reset(kvm, vcpu);
}
