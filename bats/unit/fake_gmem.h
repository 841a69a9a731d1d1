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

/* Places of a call where a failure can be injected. */
#define FAKE_PLACES 3

/*
 * @refuse: error of each @every-th conversion, with @pinned in place; @changed: conversions that changed a page; @break_every: conversions that spoil a page;
 * @readable: a poisoned page can be read; @half_done: an injected failure leaves a page converted; @armed: place that fails, @occurred: it did
 */
static struct fake_kernel {
	int refuse;
	uint64_t every, calls, changed, break_every;
	uint64_t pinned;
	int run_error;
	uint64_t poisoned, offlined, limited, slots, logs, killed, poisoned_private, injected;
	bool readable, occurred, half_done;
	unsigned int armed;
} fake;

struct fake_vm {
	uint8_t *private;
	bool *is_private;
	uint64_t poisoned;
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
	machine->poisoned = ~0ull;
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

static bool fake_fails(void)
{
	fake.occurred = fake.armed && fake.armed <= FAKE_PLACES;
	fake.injected += fake.occurred;
	return fake.occurred;
}

static int fake_convert(struct gmem_vm *vm, const struct gmem_range *range, bool to_private,
			uint64_t *stopped)
{
	struct fake_vm *machine = vm->private;
	uint64_t call = __atomic_add_fetch(&fake.calls, 1, __ATOMIC_RELAXED);

	if (fake.armed && fake_fails()) {
		machine->is_private[range->first] ^= fake.half_done;
		return -ENOMEM;
	}
	if (fake.refuse && fake.every && call % fake.every == 0) {
		*stopped = range->first;
		return fake.refuse;
	}
	if (fake.refuse && !fake.every && to_private && range->first <= fake.pinned &&
	    fake.pinned < range->first + range->count) {
		*stopped = fake.pinned;
		return fake.refuse;
	}
	bool changes = false;

	for (uint64_t i = range->first; i < range->first + range->count; i++)
		changes |= machine->is_private[i] != to_private;
	__atomic_add_fetch(&fake.changed, changes, __ATOMIC_RELAXED);
	for (uint64_t i = range->first; i < range->first + range->count; i++)
		machine->is_private[i] = to_private;
	if (fake.break_every && call % fake.break_every == 0)
		machine->is_private[range->first] ^= 1;
	return 0;
}

static int fake_discard(struct gmem_vm *vm, const struct gmem_range *range, bool private)
{
	struct fake_vm *machine = vm->private;

	if (machine->poisoned - range->first < range->count)
		machine->poisoned = ~0ull;
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
	return fake.armed && fake_fails() ? -ENOMEM : 0;
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

	return vm->request(vm, &range, box->to_private);
}

static int fake_run(struct gmem_vm *vm, unsigned int vcpu, uint64_t *stopped, struct reason *why)
{
	const struct guest_view view = {
		.context = vm, .model = vm->model, .page = fake_page, .hypercall = fake_hypercall};

	const struct fake_vm *machine = vm->private;
	struct guest_mailbox *box = fake_mailbox(vm, vcpu);
	uint64_t poisoned = machine->poisoned;

	if (fake.run_error) {
		snprintf(why->text, sizeof(why->text), "the fake vCPU fails");
		return fake.run_error;
	}
	if (box->command == GUEST_CHECK && !fake.readable && poisoned - box->first < box->count &&
	    !(vm->model[poisoned] & GMEM_LOST)) {
		*stopped = poisoned;
		return -EHWPOISON;
	}
	guest_execute(box, &view);
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
	return fake.offlined++ % 2 ? -EBUSY : 0;
}

/* A vCPU meets the limit each time. */
static int fake_limit(struct gmem_vm *vm, const struct gmem_range *range, struct reason *why)
{
	(void)range;
	(void)why;
	fake.limited++;
	if (vm->limit_exits)
		(*vm->limit_exits)++;
	return -ENOMEM;
}

static int fake_kill(struct gmem_vm *vm, unsigned int vcpu, const struct gmem_range *range,
		     struct reason *why)
{
	(void)range;
	(void)why;
	assert_true(vcpu < vm->shape->vcpus);
	fake.killed++;
	return 0;
}

static int fake_poison_private(struct gmem_vm *vm, uint64_t page, struct reason *why)
{
	struct fake_vm *machine = vm->private;
	struct gmem_range one = {page, 1};

	(void)why;
	assert_true(machine->is_private[page]);
	fake.poisoned_private++;
	(void)fake_discard(vm, &one, true);
	machine->poisoned = page;
	return 0;
}

static int fake_arm(enum gmem_failure failure, unsigned int nth, struct reason *why)
{
	(void)failure;
	(void)why;
	assert_int_equal(fake.armed, 0);
	fake.occurred = false;
	fake.armed = nth;
	return 0;
}

static bool fake_disarm(enum gmem_failure failure)
{
	(void)failure;
	fake.armed = 0;
	return fake.occurred;
}

static const struct gmem_kernel fake_kernel = {
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
	.kill = fake_kill,
	.poison_private = fake_poison_private,
	.arm = fake_arm,
	.disarm = fake_disarm,
};

#endif
