// SPDX-License-Identifier: GPL-2.0-only
/*
 * The storm: VMs, their users, and rounds of operations in the order of the schedule. For each operation the users release the
 * range, the kernel converts it, the model is updated, the users reacquire shared pages, and the oracle checks all of them.
 */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "inject/gmem/engine.h"

static uint64_t vm_seed(const struct storm *storm, unsigned int vm)
{
	return storm->knobs.seed + vm;
}

/* Give one side of a range a new generation, which is never 0: that stands for a page of zeros. */
static void renew(struct storm *storm, unsigned int vm, const struct gmem_range *range,
		  bool private)
{
	gmem_page *model = storm->vms[vm].model;

	for (uint64_t i = range->first; i < range->first + range->count; i++) {
		unsigned int next = gmem_generation(model[i], private) % GMEM_GENERATIONS + 1;

		model[i] = gmem_with_generation(model[i], private, next);
	}
}

static void fill_by_host(struct storm *storm, unsigned int vm, const struct gmem_range *range)
{
	struct gmem_vm *machine = &storm->vms[vm];

	for (uint64_t i = range->first; i < range->first + range->count; i++)
		if (!(machine->model[i] & (GMEM_PRIVATE | GMEM_LOST)))
			gmem_fill(machine->shared + i * GMEM_PAGE_SIZE, vm_seed(storm, vm), i,
				  false, gmem_generation(machine->model[i], false));
}

static int fill_by_guest(struct storm *storm, unsigned int vm, const struct gmem_range *range,
			 uint64_t *page)
{
	struct guest_mailbox *box = storm->kernel->mailbox(&storm->vms[vm], 0);
	struct reason why = {0};

	box->command = GUEST_FILL;
	box->first = range->first;
	box->count = range->count;
	box->seed = vm_seed(storm, vm);
	box->single = gmem_is_single(storm->vms[vm].shape);
	return storm->kernel->run(&storm->vms[vm], 0, page, &why);
}

/**
 * storm_write - write new content to a range, whose pages are all on one side
 * @operation: that causes it; violations are reported with it
 */
void storm_write(struct storm *storm, const struct storm_operation *operation,
		 const struct gmem_range *range)
{
	struct gmem_vm *vm = &storm->vms[operation->vm];
	bool private = gmem_is_private(vm->model[range->first]);
	bool by_guest = vm->shape->vcpus && (private || !vm->shared || operation->number & 1);
	uint64_t page = range->first;
	int error = 0;

	if (!by_guest && (private || !vm->shared))
		return;
	renew(storm, operation->vm, range, private && !gmem_is_single(vm->shape));
	if (by_guest)
		error = fill_by_guest(storm, operation->vm, range, &page);
	else
		fill_by_host(storm, operation->vm, range);
	if (error)
		oracle_violation(storm, operation, OUTCOME_TORN, "vcpu", page, strerror(-error));
}

/** storm_vm_open - make a VM and open its users. Return: 0 or -errno with the reason; storm_vm_close() also after a failure */
int storm_vm_open(struct storm *storm, unsigned int vm, struct reason *why)
{
	struct gmem_vm *machine = &storm->vms[vm];
	int error;

	*machine = (struct gmem_vm){
		.kernel = storm->kernel,
		.shape = &storm->knobs.shape,
		.number = vm,
		.shared_fd = -1,
		.request = storm_convert_request,
		.context = storm,
		.limit_exits = storm_judges(&storm->knobs, EXIT_LIMIT)
				       ? NULL
				       : &storm->counts->exits[EXIT_LIMIT],
	};
	storm->vm_open[vm] = true;
	error = storm->kernel->open(machine, why);
	return error ? error : users_open(storm, vm, why);
}

/** storm_vm_close - close the users of a VM, then the VM */
void storm_vm_close(struct storm *storm, unsigned int vm)
{
	users_close(storm, vm);
	if (storm->vm_open[vm])
		storm->kernel->close(&storm->vms[vm]);
	storm->vm_open[vm] = false;
}

/**
 * storm_open - make the VMs, users and converters of a storm
 * @storm:   receives it; storm_close()
 * @knobs:   copied; its texts are borrowed
 * @counts:  of the storm; borrowed
 * @report:  called for violations, with @context
 *
 * Return: 0 or -errno with the reason; then everything is freed.
 */
int storm_open(struct storm **storm, const struct storm_knobs *knobs,
	       const struct gmem_kernel *kernel, struct storm_counts *counts,
	       storm_violation_fn report, void *context, struct reason *why)
{
	struct storm *new = xzalloc(sizeof(*new));
	int error = 0;

	new->knobs = *knobs;
	new->kernel = kernel;
	new->counts = counts;
	new->report = report;
	new->context = context;
	user_guard_install();
	rounds_block_signals();
	for (unsigned int i = 0; !error && i < knobs->vms; i++)
		error = storm_vm_open(new, i, why);
	if (!error)
		error = rounds_open(new, why);
	if (error) {
		storm_close(new);
		return error;
	}
	*storm = new;
	return 0;
}

/** storm_close - end a storm and free it */
void storm_close(struct storm *storm)
{
	rounds_close(storm);
	for (unsigned int i = 0; i < storm->knobs.vms; i++)
		storm_vm_close(storm, i);
	free(storm);
}

static bool is_executed(const struct storm_knobs *knobs, uint64_t number)
{
	if (!knobs->only)
		return true;
	for (size_t i = 0; i < knobs->only_count; i++)
		if (knobs->only[i] == number)
			return true;
	return false;
}

/* Update the model after a successful conversion. */
static void commit(struct storm *storm, const struct storm_operation *operation)
{
	const struct gmem_range *range = &operation->range;
	struct gmem_vm *vm = &storm->vms[operation->vm];
	bool single = gmem_is_single(vm->shape), sides = gmem_has_sides(vm->shape);
	bool discards =
		storm->knobs.discard & (operation->to_private ? DISCARD_SHARED : DISCARD_PRIVATE);
	gmem_page gone = 0, set = 0;

	if (sides) {
		gone = GMEM_PRIVATE;
		set = operation->to_private ? GMEM_PRIVATE : 0;
	}
	if (!sides || (!single && discards))
		gone |= gmem_generation_bits(sides && !operation->to_private);
	for (uint64_t i = range->first; i < range->first + range->count; i++)
		vm->model[i] = (gmem_page)((vm->model[i] & ~gone) | set);
	if (storm->knobs.plant == PLANT_MODEL && operation->number == 7)
		vm->model[range->first] ^= operation->to_private && !single ? 1u << 7 : 1u;
}

/** storm_note_error - count an error of a call of the kernel; others than -errno are ignored */
void storm_note_error(struct storm *storm, int error)
{
	if (error < 0 && -error < (int)ARRAY_SIZE(storm->counts->errors))
		storm->counts->errors[-error]++;
}

/* Whether users must release the range: its pages become private, or are discarded. */
static bool takes_away(const struct storm *storm, const struct storm_operation *operation)
{
	return operation->to_private || !gmem_has_sides(storm->vms[operation->vm].shape);
}

static void finish(struct storm *storm, const struct converter *converter)
{
	const struct storm_operation *operation = &converter->operation;
	struct storm_counts *counts = storm->counts;
	bool away = takes_away(storm, operation);

	counts->by_guest += operation->by_guest;
	if (converter->result) {
		counts->refused++;
		storm_note_error(storm, converter->result);
		if (away)
			users_reacquire(storm, operation, true);
		return;
	}
	counts->converted++;
	counts->pages += operation->range.count;
	commit(storm, operation);
	if (!operation->to_private || !gmem_has_sides(storm->vms[operation->vm].shape))
		users_reacquire(storm, operation, false);
}

/* Whether a converter works during a fault: with @meanwhile, all but those whose VM is rebuilt. */
static bool goes_beside(const struct storm *storm, const struct converter *converter)
{
	const struct storm_operation *fault = &storm->converters[0].operation;

	return fault->fault < 0 || !storm->converters[0].go ||
	       (storm->knobs.meanwhile &&
		(fault->fault != FAULT_REBUILD || converter->operation.vm != fault->vm));
}

/* The operations of a round that are executed. */
static unsigned int plan_round(struct storm *storm, uint64_t first)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < storm->knobs.converters; i++) {
		struct converter *converter = &storm->converters[i];

		storm_plan(&storm->knobs, first + i, &converter->operation);
		converter->go = is_executed(&storm->knobs, first + i) &&
				(i == 0 || goes_beside(storm, converter));
		count += converter->go;
	}
	return count;
}

/* Announce the operations of a round. A refused one is not executed. */
static unsigned int announce(struct storm *storm)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < storm->knobs.converters; i++) {
		struct converter *converter = &storm->converters[i];

		if (!converter->go)
			continue;
		converter->operation.refused &= takes_away(storm, &converter->operation);
		if (takes_away(storm, &converter->operation) &&
		    !users_release(storm, &converter->operation)) {
			storm->counts->refused++;
			converter->go = false;
			if (storm->knobs.check)
				oracle_check(storm, &converter->operation);
		}
		count += converter->go;
	}
	return count;
}

/* Without checks nothing is written either, so that only the kernel's calls are measured. */
static void settle(struct storm *storm)
{
	for (unsigned int i = 0; i < storm->knobs.converters; i++)
		if (storm->converters[i].go)
			finish(storm, &storm->converters[i]);
	for (unsigned int i = 0; storm->knobs.check && i < storm->knobs.converters; i++) {
		const struct storm_operation *operation = &storm->converters[i].operation;

		if (!storm->converters[i].go)
			continue;
		oracle_check(storm, operation);
		/* With overlapping ranges, one that failed may have pages on both sides. */
		if (operation->write_after && !storm->converters[i].result)
			storm_write(storm, operation, &operation->range);
	}
}

static uint64_t resident_kib(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss : 0;
}

static int run_round(struct storm *storm, uint64_t first, struct reason *why)
{
	struct converter *first_converter = &storm->converters[0];
	const struct storm_operation *leader = &first_converter->operation;
	unsigned int count = plan_round(storm, first);
	bool fault = first_converter->go && leader->fault >= 0;
	int error = 0;

	if (fault) {
		first_converter->go = false;
		storm->counts->faults++;
	}
	if (count)
		error = round_execute(storm, announce(storm), fault ? leader : NULL, why);
	if (count && !error)
		settle(storm);
	if (fault && !error && storm->knobs.check)
		oracle_check_all(storm, leader->vm, leader);
	__atomic_add_fetch(&storm->counts->operations, count, __ATOMIC_RELAXED);
	return error;
}

/**
 * storm_run - execute the schedule
 *
 * Violations do not end the storm.
 *
 * Return: 0, or -errno when the machine can not continue.
 */
int storm_run(struct storm *storm, struct reason *why)
{
	int64_t until = now_monotonic_ns() + storm->knobs.duration_ns;
	uint64_t last = storm->knobs.only && storm->knobs.only_count
				? storm->knobs.only[storm->knobs.only_count - 1] + 1
				: storm->knobs.operations;
	struct storm_operation whole = {0};
	uint64_t number = 0;
	int error = 0;

	for (; !error && !__atomic_load_n(&storm->counts->stop, __ATOMIC_RELAXED);
	     number += storm->knobs.converters) {
		if ((last && number >= last) ||
		    (storm->knobs.duration_ns && now_monotonic_ns() >= until))
			break;
		error = run_round(storm, number, why);
	}
	whole.number = number ? number - 1 : 0;
	for (unsigned int i = 0; !error && storm->knobs.check && i < storm->knobs.vms; i++) {
		whole.vm = i;
		oracle_check_all(storm, i, &whole);
	}
	storm->counts->rss_kib = resident_kib();
	return error;
}
