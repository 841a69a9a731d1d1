// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's part of a conversion: allocation, attribute, discard. A converter executes it, or the thread of a vCPU whose
 * guest requests it.
 */
#include <errno.h>

#include "inject/gmem/engine.h"

static int discard(const struct storm_knobs *knobs, struct gmem_vm *vm,
		   const struct gmem_range *range, bool private)
{
	if (vm->shape->workload == GMEM_FLIP &&
	    !(knobs->discard & (private ? DISCARD_PRIVATE : DISCARD_SHARED)))
		return 0;
	return vm->kernel->discard(vm, range, private);
}

/* Both sides are one memory: only a VM without sides discards its pages. */
static int convert_single(struct gmem_vm *vm, const struct gmem_range *range, bool to_private,
			  uint64_t *page)
{
	return gmem_has_sides(vm->shape) ? vm->kernel->convert(vm, range, to_private, page)
					 : vm->kernel->discard(vm, range, false);
}

static int convert(struct storm *storm, struct gmem_vm *vm, unsigned int vcpu,
		   const struct gmem_range *range, bool to_private, uint64_t *page)
{
	const struct storm_knobs *knobs = &storm->knobs;
	int error = 0;

	if (gmem_is_single(vm->shape))
		error = convert_single(vm, range, to_private, page);
	else {
		if (to_private && knobs->allocate)
			error = vm->kernel->allocate(vm, range);
		if (!error && knobs->discard_first)
			error = discard(knobs, vm, range, !to_private);
		if (!error)
			error = vm->kernel->convert(vm, range, to_private, page);
		if (!error && !knobs->discard_first)
			error = discard(knobs, vm, range, !to_private);
	}
	/* It may race with other converters and with the fault "slot": its result is ignored, the check finds wrong pages. */
	if (!error && knobs->prefault && vm->shape->vcpus)
		(void)vm->kernel->prefault(vm, vcpu, range);
	return error;
}

/** storm_convert_request - convert as a guest requests by hypercall. Return: 0 or -errno of the kernel */
int storm_convert_request(struct gmem_vm *vm, const struct gmem_range *range, bool to_private)
{
	uint64_t page;

	return convert(vm->context, vm, 0, range, to_private, &page);
}

static int convert_by_guest(struct storm *storm, const struct storm_operation *operation,
			    uint64_t *page)
{
	struct gmem_vm *vm = &storm->vms[operation->vm];
	struct guest_mailbox *box = storm->kernel->mailbox(vm, operation->vcpu);
	struct reason why = {0};
	int error;

	box->command = GUEST_CONVERT;
	box->first = operation->range.first;
	box->count = operation->range.count;
	box->to_private = operation->to_private;
	error = storm->kernel->run(vm, operation->vcpu, page, &why);
	return error ? error : (int)box->answer;
}

/**
 * convert_by_kernel - execute the kernel's part of an operation
 * @page: where the kernel stopped, if it reports that
 *
 * Return: 0 or -errno of the kernel.
 */
int convert_by_kernel(struct storm *storm, const struct storm_operation *operation, uint64_t *page)
{
	struct gmem_vm *vm = &storm->vms[operation->vm];

	if (operation->by_guest && gmem_has_sides(vm->shape) && vm->shape->vcpus)
		return convert_by_guest(storm, operation, page);
	return convert(storm, vm, operation->vcpu, &operation->range, operation->to_private, page);
}
