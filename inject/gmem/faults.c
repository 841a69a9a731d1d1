// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults between the conversions, and the state of the model after each.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "inject/gmem/engine.h"

const char *const storm_fault_names[] = {"slot",   "reopen",	   "rebuild",	   "log",
					 "poison", "soft-offline", "memory-limit", NULL};

_Static_assert(ARRAY_SIZE(storm_fault_names) == FAULT_COUNT + 1, "every fault has its name");

static int reopen(struct storm *storm, unsigned int vm, struct reason *why)
{
	struct gmem_vm *machine = &storm->vms[vm];
	int error = storm->kernel->reopen(machine, why);

	/* What was private is gone with its file. */
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
static void forget(struct storm *storm, unsigned int vm, uint64_t page)
{
	struct gmem_vm *machine = &storm->vms[vm];

	(void)madvise(machine->shared + page * GMEM_PAGE_SIZE, GMEM_PAGE_SIZE, MADV_DONTNEED);
	for (size_t i = 0; i < storm->user_count[vm]; i++)
		if (storm->users[vm][i].mapping)
			(void)madvise(storm->users[vm][i].mapping + page * GMEM_PAGE_SIZE,
				      GMEM_PAGE_SIZE, MADV_DONTNEED);
}

/* A page that is poisoned costs itself alone; given back to the kernel, its place is a page of zeros again. */
static int poison(struct storm *storm, const struct storm_operation *operation, struct reason *why)
{
	struct storm_operation one = *operation;
	struct gmem_vm *vm = &storm->vms[operation->vm];
	gmem_page *page = &vm->model[operation->range.first];
	int error;

	one.range.count = 1;
	one.refused = false;
	if (*page & (GMEM_PRIVATE | GMEM_LOST) || !vm->shared)
		return 0;
	storm_write(storm, &one, &one.range);
	(void)users_let_go(storm, &one);
	error = storm->kernel->poison(vm, one.range.first, why);
	if (error)
		return error;
	*page |= GMEM_LOST;
	if (storm->knobs.check)
		oracle_check(storm, &one);
	error = storm->kernel->discard(vm, &one.range, false);
	forget(storm, operation->vm, one.range.first);
	*page = gmem_with_generation(*page & (gmem_page)~GMEM_LOST, false, 0);
	users_take(storm, &one, false);
	return error ? fail(why, error, "freeing a poisoned page: %s", strerror(-error)) : 0;
}

static int offline(struct storm *storm, const struct storm_operation *operation, struct reason *why)
{
	struct gmem_vm *vm = &storm->vms[operation->vm];
	int error = 0;

	if (vm->shared && !(vm->model[operation->range.first] & (GMEM_PRIVATE | GMEM_LOST)))
		error = storm->kernel->offline(vm, operation->range.first, why);
	/* A page that is pinned, or of guest_memfd, stays where it is. */
	return error == -EBUSY || error == -EOPNOTSUPP ? 0 : error;
}

static int limit(struct storm *storm, const struct storm_operation *operation, struct reason *why)
{
	int error = storm->kernel->limit(&storm->vms[operation->vm], &operation->range, why);

	if (error == -ENOMEM || error == -EINTR) {
		storm->counts->errors[-error]++;
		return 0;
	}
	return error;
}

/**
 * storm_fault - bring about the fault of an operation
 *
 * Return: 0 or -errno with the reason, when the storm can not go on.
 */
int storm_fault(struct storm *storm, const struct storm_operation *operation, struct reason *why)
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
	case FAULT_COUNT:
		break;
	}
	return 0;
}
