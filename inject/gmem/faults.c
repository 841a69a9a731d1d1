// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults between the conversions, and the state of the model after each.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "inject/gmem/engine.h"

/* More than the calls of a conversion that can fail. */
#define FAILURES_MOST 64
/* No page of the range is suitable, or the kernel refuses the fault: nothing happened, and the storm goes on. */
#define NOT_NOW 1

const char *const storm_fault_names[] = {"slot",	 "reopen",	  "rebuild",
					 "log",		 "poison",	  "soft-offline",
					 "memory-limit", "kill-vcpu",	  "poison-private",
					 "failslab",	 "fail-function", NULL};

_Static_assert(ARRAY_SIZE(storm_fault_names) == FAULT_COUNT + 1, "every fault has its name");

static int reopen(struct storm *storm, unsigned int vm, struct reason *why)
{
	struct gmem_vm *machine = &storm->vms[vm];
	int error = storm->kernel->reopen(machine, why);

	/* The private content is lost with its file. */
	for (uint64_t i = 0; !error && i < machine->shape->pages; i++)
		machine->model[i] = gmem_with_generation(machine->model[i], true, 0);
	return error;
}

static int rebuild(struct storm *storm, unsigned int vm, struct reason *why)
{
	storm_vm_close(storm, vm);
	return storm_vm_open(storm, vm, why);
}

/* A mapping keeps the mark of a poisoned page until MADV_DONTNEED (mm/memory.c, hwpoison entries). */
static void drop_mappings(struct storm *storm, unsigned int vm, uint64_t page)
{
	struct gmem_vm *machine = &storm->vms[vm];

	(void)madvise(machine->shared + page * GMEM_PAGE_SIZE, GMEM_PAGE_SIZE, MADV_DONTNEED);
	for (size_t i = 0; i < storm->user_count[vm]; i++)
		if (storm->users[vm][i].mapping)
			(void)madvise(storm->users[vm][i].mapping + page * GMEM_PAGE_SIZE,
				      GMEM_PAGE_SIZE, MADV_DONTNEED);
}

/* Poison costs one page. After a discard the kernel allocates another one, filled with zeros. */
static int poison(struct storm *storm, const struct storm_operation *operation, struct reason *why)
{
	struct storm_operation one = *operation;
	struct gmem_vm *vm = &storm->vms[operation->vm];
	gmem_page *page = &vm->model[operation->range.first];
	int error;

	one.range.count = 1;
	one.refused = false;
	if (*page & (GMEM_PRIVATE | GMEM_LOST) || !vm->shared)
		return NOT_NOW;
	storm_write(storm, &one, &one.range);
	(void)users_release(storm, &one);
	error = storm->kernel->poison(vm, one.range.first, why);
	if (error)
		return error;
	*page |= GMEM_LOST;
	/* With @meanwhile, neighbouring pages may be in the middle of a conversion. */
	if (storm->knobs.check && !storm->knobs.meanwhile)
		oracle_check(storm, &one);
	error = storm->kernel->discard(vm, &one.range, false);
	drop_mappings(storm, operation->vm, one.range.first);
	*page = gmem_with_generation(*page & (gmem_page)~GMEM_LOST, false, 0);
	users_reacquire(storm, &one, false);
	return error ? fail_errno(why, error, "freeing a poisoned page") : 0;
}

/* KVM reports a poisoned private page to the VMM only, as an exit of KVM_RUN. */
static void check_exit(struct storm *storm, const struct storm_operation *operation)
{
	struct gmem_vm *vm = &storm->vms[operation->vm];
	struct guest_mailbox *box = storm->kernel->mailbox(vm, 0);
	uint64_t page = operation->range.first, stopped = ~0ull;
	struct reason why = {0};
	char text[100];
	int error;

	if (!vm->shape->vcpus)
		return;
	box->command = GUEST_CHECK;
	box->first = page;
	box->count = 1;
	error = storm->kernel->run(vm, 0, &stopped, &why);
	if (error == -EHWPOISON && stopped == page)
		return;
	snprintf(text, sizeof(text), "KVM_RUN on a poisoned page gives %s, at page %lld",
		 error ? strerror(-error) : "no error", (long long)stopped);
	oracle_violation(storm, operation, OUTCOME_BROKEN, "vcpu", page, text);
}

static int poison_private(struct storm *storm, const struct storm_operation *operation,
			  struct reason *why)
{
	struct storm_operation one = *operation;
	struct gmem_vm *vm = &storm->vms[operation->vm];
	bool own = !gmem_is_single(vm->shape);
	gmem_page *page;
	int error;

	one.range.count = 1;
	while (one.range.first < operation->range.first + operation->range.count &&
	       (vm->model[one.range.first] & (GMEM_PRIVATE | GMEM_LOST)) != GMEM_PRIVATE)
		one.range.first++;
	if (one.range.first == operation->range.first + operation->range.count)
		return NOT_NOW;
	page = &vm->model[one.range.first];
	error = storm->kernel->poison_private(vm, one.range.first, why);
	*page = gmem_with_generation(*page, own, 0);
	if (error)
		return error == -EAGAIN ? NOT_NOW : error;
	check_exit(storm, &one);
	*page |= GMEM_LOST;
	if (storm->knobs.check && !storm->knobs.meanwhile)
		oracle_check(storm, &one);
	error = storm->kernel->discard(vm, &one.range, true);
	*page &= (gmem_page)~GMEM_LOST;
	return error ? fail_errno(why, error, "freeing a poisoned page") : 0;
}

/* A pinned page can not be moved. In half of the cases the users release it before, so that the kernel can move it. */
static int offline(struct storm *storm, const struct storm_operation *operation, struct reason *why)
{
	struct storm_operation one = *operation;
	struct gmem_vm *vm = &storm->vms[operation->vm];
	bool released = operation->write_after;
	int error;

	one.range.count = 1;
	one.refused = false;
	if (!vm->shared || vm->model[one.range.first] & (GMEM_PRIVATE | GMEM_LOST))
		return NOT_NOW;
	if (released)
		(void)users_release(storm, &one);
	error = storm->kernel->offline(vm, one.range.first, why);
	if (released)
		users_reacquire(storm, &one, false);
	/* Pages of guest_memfd can not be moved either. */
	return error == -EBUSY || error == -EOPNOTSUPP ? NOT_NOW : error;
}

static int limit(struct storm *storm, const struct storm_operation *operation, struct reason *why)
{
	int error = storm->kernel->limit(&storm->vms[operation->vm], &operation->range, why);

	if (error == -ENOMEM || error == -EINTR)
		storm_note_error(storm, error);
	/* Memory that is allocated already is not charged again. */
	return error == -ENOMEM ? 0 : error == 0 || error == -EINTR ? NOT_NOW : error;
}

/* A failed conversion changes nothing: all users reacquire the range, and are checked. */
static int fail_convert(struct storm *storm, const struct storm_operation *operation,
			unsigned int nth, struct reason *why)
{
	struct storm_operation one = *operation;
	struct gmem_vm *vm = &storm->vms[operation->vm];
	uint64_t stopped;
	bool occurred;
	int error, result;

	one.to_private = true;
	one.refused = false;
	if (!users_release(storm, &one))
		return 0;
	error = storm->kernel->arm(GMEM_FAIL_SLAB, nth, why);
	if (error)
		return error;
	result = storm->kernel->convert(vm, &one.range, true, &stopped);
	occurred = storm->kernel->disarm(GMEM_FAIL_SLAB);
	if (!result)
		for (uint64_t i = one.range.first; i < one.range.first + one.range.count; i++)
			vm->model[i] |= GMEM_PRIVATE;
	else
		users_reacquire(storm, &one, true);
	storm_note_error(storm, result);
	if (storm->knobs.check && !storm->knobs.meanwhile)
		oracle_check(storm, &one);
	return result && occurred;
}

static int fail_allocate(struct storm *storm, const struct storm_operation *operation,
			 unsigned int nth, struct reason *why)
{
	struct gmem_vm *vm = &storm->vms[operation->vm];
	int error = storm->kernel->arm(GMEM_FAIL_FUNCTION, nth, why), result;

	if (error)
		return error;
	result = storm->kernel->allocate(vm, &operation->range);
	storm_note_error(storm, result);
	return storm->kernel->disarm(GMEM_FAIL_FUNCTION) && result;
}

/* Let each call that can fail do so in turn, until the attempt succeeds. An attempt that succeeds at first shows no such call. */
static int fail_each(struct storm *storm, const struct storm_operation *operation,
		     int (*attempt)(struct storm *storm, const struct storm_operation *operation,
				    unsigned int nth, struct reason *why),
		     struct reason *why)
{
	unsigned int nth = 1;
	int got;

	while ((got = attempt(storm, operation, nth, why)) > 0 && nth < FAILURES_MOST)
		nth++;
	if (got < 0)
		return got;
	return nth > 1 ? 0 : NOT_NOW;
}

static unsigned int victim_of(const struct storm_knobs *knobs)
{
	return knobs->shape.vcpus - 1 - knobs->touchers;
}

static int inject_fault(struct storm *storm, const struct storm_operation *operation,
			struct reason *why)
{
	struct gmem_vm *vm = &storm->vms[operation->vm];

	switch ((enum storm_fault)operation->fault) {
	case FAULT_SLOT:
		return storm->kernel->slot(vm, why);
	case FAULT_REOPEN:
		return reopen(storm, operation->vm, why);
	case FAULT_REBUILD:
		return rebuild(storm, operation->vm, why);
	case FAULT_LOG:
		return storm->kernel->log(vm, why);
	case FAULT_POISON:
		return poison(storm, operation, why);
	case FAULT_SOFT_OFFLINE:
		return offline(storm, operation, why);
	case FAULT_MEMORY_LIMIT:
		return limit(storm, operation, why);
	case FAULT_KILL_VCPU:
		return storm->kernel->kill(vm, victim_of(&storm->knobs), &operation->range, why);
	case FAULT_POISON_PRIVATE:
		return poison_private(storm, operation, why);
	case FAULT_FAILSLAB:
		return fail_each(storm, operation, fail_convert, why);
	case FAULT_FAIL_FUNCTION:
		return fail_each(storm, operation, fail_allocate, why);
	case FAULT_COUNT:
		break;
	}
	return 0;
}

/**
 * storm_fault - inject the fault of an operation, and count it if it occurred
 *
 * Return: 0 or -errno with the reason, when the storm can not go on.
 */
int storm_fault(struct storm *storm, const struct storm_operation *operation, struct reason *why)
{
	int got = inject_fault(storm, operation, why);

	if (!got)
		storm->counts->occurred[operation->fault]++;
	return got < 0 ? got : 0;
}
