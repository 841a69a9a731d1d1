/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_UNIT_FAKE_GMEM_H
#define BRINELL_UNIT_FAKE_GMEM_H

/*
 * A kernel with guest_memfd that does not exist: its shared side is a memfd, its private side plain memory, its guests are the
 * payload's own code. Whether a page is private is kept here apart from the model, so that the two can disagree. Hooks make
 * conversions fail, and break what a kernel must not break.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/mman.h>

#include "inject/gmem/storm.h"

/* @refuse: error of each @every-th conversion, with @pinned in place; @break_every: conversions that spoil a page. */
static struct fake_kernel {
	int refuse;
	uint64_t every, calls, break_every;
	uint64_t pinned;
	int run_error;
	uint64_t poisoned, offlined, limited, slots, logs;
} fake;

struct fake_vm {
	uint8_t *private;
	bool *is_private;
	struct guest_mailbox boxes[GUEST_VCPUS];
};

static size_t fake_size(const struct gmem_vm *vm)
{
	return vm->shape->pages * GMEM_PAGE_SIZE;
}

static int fake_open(struct gmem_vm *vm, struct reason *why)
{
	struct fake_vm *machine = vm->private = xzalloc(sizeof(*machine));

	(void)why;
	machine->private = xzalloc(fake_size(vm));
	machine->is_private = xzalloc(vm->shape->pages);
	vm->model = mmap(NULL, vm->shape->pages * sizeof(*vm->model), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	vm->shared_fd = memfd_create("fake", MFD_CLOEXEC);
	assert_int_equal(ftruncate(vm->shared_fd, (off_t)fake_size(vm)), 0);
	vm->shared =
		mmap(NULL, fake_size(vm), PROT_READ | PROT_WRITE, MAP_SHARED, vm->shared_fd, 0);
	assert_ptr_not_equal(vm->shared, MAP_FAILED);
	return 0;
}

static void fake_close(struct gmem_vm *vm)
{
	struct fake_vm *machine = vm->private;

	munmap(vm->model, vm->shape->pages * sizeof(*vm->model));
	munmap(vm->shared, fake_size(vm));
	close(vm->shared_fd);
	free(machine->private);
	free(machine->is_private);
	free(machine);
}

static int fake_convert(struct gmem_vm *vm, const struct gmem_range *range, bool to_private,
			uint64_t *stopped)
{
	struct fake_vm *machine = vm->private;
	uint64_t call = __atomic_add_fetch(&fake.calls, 1, __ATOMIC_RELAXED);

	if (fake.refuse && fake.every && call % fake.every == 0) {
		*stopped = range->first;
		return fake.refuse;
	}
	if (fake.refuse && !fake.every && to_private && range->first <= fake.pinned &&
	    fake.pinned < range->first + range->count) {
		*stopped = fake.pinned;
		return fake.refuse;
	}
	for (uint64_t i = range->first; i < range->first + range->count; i++)
		machine->is_private[i] = to_private;
	if (fake.break_every && call % fake.break_every == 0)
		machine->is_private[range->first] ^= 1;
	return 0;
}

static int fake_discard(struct gmem_vm *vm, const struct gmem_range *range, bool private)
{
	struct fake_vm *machine = vm->private;

	if (private && !gmem_is_single(vm->shape))
		memset(machine->private + range->first * GMEM_PAGE_SIZE, 0,
		       range->count * GMEM_PAGE_SIZE);
	else if (fallocate(vm->shared_fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
			   (off_t)(range->first * GMEM_PAGE_SIZE),
			   (off_t)(range->count * GMEM_PAGE_SIZE)))
		return -errno;
	return 0;
}

static int fake_allocate(struct gmem_vm *vm, const struct gmem_range *range)
{
	(void)vm;
	(void)range;
	return 0;
}

static int fake_prefault(struct gmem_vm *vm, unsigned int vcpu, const struct gmem_range *range)
{
	(void)vm;
	(void)vcpu;
	(void)range;
	return -EAGAIN;
}

static struct guest_mailbox *fake_mailbox(struct gmem_vm *vm, unsigned int vcpu)
{
	return &((struct fake_vm *)vm->private)->boxes[vcpu];
}

static void *fake_page(void *context, uint64_t number)
{
	struct gmem_vm *vm = context;
	struct fake_vm *machine = vm->private;

	return (machine->is_private[number] && !gmem_is_single(vm->shape) ? machine->private
									  : vm->shared) +
	       number * GMEM_PAGE_SIZE;
}

static int64_t fake_hypercall(void *context, struct guest_mailbox *box)
{
	struct gmem_vm *vm = context;
	struct gmem_range range = {box->first, box->count};

	return vm->asked(vm, &range, box->to_private);
}

static int fake_run(struct gmem_vm *vm, unsigned int vcpu, uint64_t *stopped, struct reason *why)
{
	const struct guest_view view = {
		.context = vm, .model = vm->model, .page = fake_page, .hypercall = fake_hypercall};

	(void)stopped;
	(void)why;
	if (fake.run_error)
		return fake.run_error;
	guest_execute(fake_mailbox(vm, vcpu), &view);
	return 0;
}

static int fake_slot(struct gmem_vm *vm, struct reason *why)
{
	(void)vm;
	(void)why;
	fake.slots++;
	return 0;
}

static int fake_reopen(struct gmem_vm *vm, struct reason *why)
{
	struct fake_vm *machine = vm->private;

	(void)why;
	memset(machine->private, 0, fake_size(vm));
	return 0;
}

static int fake_log(struct gmem_vm *vm, struct reason *why)
{
	(void)vm;
	(void)why;
	fake.logs++;
	return 0;
}

static int fake_poison(struct gmem_vm *vm, uint64_t page, struct reason *why)
{
	(void)vm;
	(void)page;
	(void)why;
	fake.poisoned++;
	return 0;
}

static int fake_offline(struct gmem_vm *vm, uint64_t page, struct reason *why)
{
	(void)vm;
	(void)page;
	(void)why;
	fake.offlined++;
	return -EBUSY;
}

static int fake_limit(struct gmem_vm *vm, const struct gmem_range *range, struct reason *why)
{
	(void)vm;
	(void)range;
	(void)why;
	fake.limited++;
	return -ENOMEM;
}

static const struct gmem_kernel fake_kernel = {
	.name = "fake",
	.open = fake_open,
	.close = fake_close,
	.convert = fake_convert,
	.discard = fake_discard,
	.allocate = fake_allocate,
	.prefault = fake_prefault,
	.mailbox = fake_mailbox,
	.run = fake_run,
	.slot = fake_slot,
	.reopen = fake_reopen,
	.log = fake_log,
	.poison = fake_poison,
	.offline = fake_offline,
	.limit = fake_limit,
};

#endif
