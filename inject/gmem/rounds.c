// SPDX-License-Identifier: GPL-2.0-only
/*
 * A round: all converters execute one operation each at the same time, while other vCPUs touch the memory and signals
 * interrupt the converters. The checks come after the round.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "inject/gmem/engine.h"

static void mask_signals(int how)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	pthread_sigmask(how, &signals, NULL);
}

/** rounds_block_signals - block the signals of the storm in this thread and in those that it starts */
void rounds_block_signals(void)
{
	mask_signals(SIG_BLOCK);
}

/* KVM returns early if all pages have the attribute already (kvm_vm_set_mem_attributes()). */
static bool changes_a_page(const struct storm *storm, const struct storm_operation *operation)
{
	const struct gmem_vm *vm = &storm->vms[operation->vm];
	const gmem_page *pages = vm->model + operation->range.first;

	if (!gmem_has_sides(vm->shape))
		return true;
	for (uint64_t i = 0; i < operation->range.count; i++)
		if (!(pages[i] & GMEM_PRIVATE) == operation->to_private)
			return true;
	return false;
}

static void measure(struct storm *storm, struct converter *converter)
{
	int size = __builtin_ctzll(converter->operation.range.count);
	uint64_t *least = &storm->counts->cost_least_ns[size], before = *least, spent;
	bool changes = changes_a_page(storm, &converter->operation);
	int64_t began = now_monotonic_ns();

	converter->result = convert_by_kernel(storm, &converter->operation, &converter->page);
	spent = (uint64_t)(now_monotonic_ns() - began);
	if (!changes || converter->result)
		return;
	__atomic_add_fetch(&storm->counts->cost_ns[size], spent, __ATOMIC_RELAXED);
	__atomic_add_fetch(&storm->counts->cost_count[size], 1, __ATOMIC_RELAXED);
	while ((!before || spent < before) &&
	       !__atomic_compare_exchange_n(least, &before, spent, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED))
		;
}

/* Signals interrupt the conversion only. */
static void execute(struct storm *storm, struct converter *converter)
{
	if (storm->knobs.signals)
		mask_signals(SIG_UNBLOCK);
	converter->page = converter->operation.range.first;
	if (storm->knobs.powers)
		measure(storm, converter);
	else
		converter->result =
			convert_by_kernel(storm, &converter->operation, &converter->page);
	if (storm->knobs.signals)
		rounds_block_signals();
}

static void *convert_in_rounds(void *context)
{
	struct converter *converter = context;
	struct storm *storm = converter->storm;

	pthread_mutex_lock(&storm->starting);
	pthread_mutex_unlock(&storm->starting);
	for (;;) {
		pthread_barrier_wait(&storm->begin);
		if (storm->ending)
			return NULL;
		if (converter->go)
			execute(storm, converter);
		pthread_barrier_wait(&storm->end);
	}
}

static void nothing(int number)
{
	(void)number;
}

/* An interval timer: a signal to the process each millisecond, which any thread may take. */
static int start_signals(void)
{
	struct sigaction action = {.sa_handler = nothing};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	struct itimerspec period = {.it_interval = {.tv_nsec = 1000000},
				    .it_value = {.tv_nsec = 1000000}};
	timer_t timer;

	sigaction(SIGUSR1, &action, NULL);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0 ||
	    timer_settime(timer, 0, &period, NULL) < 0)
		return -errno;
	return 0;
}

static struct guest_mailbox *box_of(struct storm *storm, const struct converter *toucher)
{
	return storm->kernel->mailbox(&storm->vms[toucher->operation.vm], toucher->operation.vcpu);
}

/*
 * KVM looks up the attribute of a page twice, for the kind of an access and for the attribute that it must have
 * (kvm_mmu_page_fault(), kvm_mmu_faultin_pfn()). A conversion between the two ends KVM_RUN with EFAULT.
 */
static bool is_stale(struct storm *storm, const struct converter *toucher)
{
	for (unsigned int i = 0; i < storm->knobs.converters; i++) {
		const struct storm_operation *operation = &storm->converters[i].operation;

		if (!storm->converters[i].go || operation->vm != toucher->operation.vm ||
		    toucher->page - operation->range.first >= operation->range.count)
			continue;
		if (storm_judges(&storm->knobs, EXIT_STALE))
			return false;
		__atomic_add_fetch(&storm->counts->exits[EXIT_STALE], 1, __ATOMIC_RELAXED);
		return true;
	}
	return false;
}

/* The thread of a vCPU that reads the whole region during the round. */
static void *touch(void *context)
{
	struct converter *toucher = context;
	struct storm *storm = toucher->storm;
	struct gmem_vm *vm = &storm->vms[toucher->operation.vm];

	do {
		toucher->result = storm->kernel->run(vm, toucher->operation.vcpu, &toucher->page,
						     &toucher->why);
		if (storm->disturbed ? toucher->result == -EFAULT || toucher->result == -EHWPOISON
				     : toucher->result == -EFAULT && is_stale(storm, toucher))
			toucher->result = 1;
	} while (toucher->result == 1 && !box_of(storm, toucher)->stop);
	return NULL;
}

/* @what: of it, for the reason. */
static int start_thread(struct converter *converter, void *(*body)(void *), const char *what,
			struct reason *why)
{
	int error = -pthread_create(&converter->thread, NULL, body, converter);

	converter->started = !error;
	return error ? fail_errno(why, error, "the thread of a %s can not start", what) : 0;
}

/* The last vCPUs of the first VM touch, the others convert. @started: receives the number of touchers that did. */
static int start_touchers(struct storm *storm, struct converter *touchers, unsigned int count,
			  unsigned int *started, struct reason *why)
{
	int error = 0;

	for (*started = 0; !error && *started < count; *started += !error) {
		struct converter *toucher = &touchers[*started];
		struct guest_mailbox *box;

		*toucher = (struct converter){.storm = storm};
		toucher->operation.vcpu = storm->knobs.shape.vcpus - 1 - *started;
		box = box_of(storm, toucher);
		box->stop = 0;
		box->first = 0;
		box->count = storm->knobs.shape.pages;
		box->command = GUEST_TOUCH;
		error = start_thread(toucher, touch, "toucher", why);
	}
	return error;
}

static void stop_touchers(struct storm *storm, struct converter *touchers, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		struct guest_mailbox *box = box_of(storm, &touchers[i]);

		box->stop = 1;
		pthread_join(touchers[i].thread, NULL);
		storm->counts->touched += box->touched;
		box->touched = 0;
		if (touchers[i].result < 0)
			oracle_violation(storm, &storm->converters[0].operation, OUTCOME_TORN,
					 "toucher", touchers[i].page,
					 *touchers[i].why.text ? touchers[i].why.text
							       : strerror(-touchers[i].result));
	}
}

/* Faults that unmap guest memory for a moment. */
static bool disturbs(const struct storm_operation *fault)
{
	return fault && (fault->fault == FAULT_SLOT || fault->fault == FAULT_REOPEN ||
			 fault->fault == FAULT_POISON_PRIVATE);
}

/* A vCPU that touches a poisoned shared page gets a SIGBUS, which ends the storm. */
static bool may_touch(const struct storm *storm, const struct storm_operation *fault)
{
	return !fault || (storm->knobs.meanwhile && fault->fault != FAULT_REBUILD &&
			  fault->fault != FAULT_POISON);
}

static int execute_all(struct storm *storm, unsigned int count, const struct storm_operation *fault,
		       struct reason *why)
{
	int error = 0;

	if (storm->threads)
		pthread_barrier_wait(&storm->begin);
	else if (count)
		execute(storm, &storm->converters[0]);
	if (fault)
		error = storm_fault(storm, fault, why);
	if (storm->threads)
		pthread_barrier_wait(&storm->end);
	return error;
}

/**
 * round_execute - execute the operations of the converters that have one
 * @count: how many have one
 * @fault: that this thread injects meanwhile, or NULL
 *
 * Return: 0, or -errno of the fault or of a thread that can not start, with the reason.
 */
int round_execute(struct storm *storm, unsigned int count, const struct storm_operation *fault,
		  struct reason *why)
{
	unsigned int touching = may_touch(storm, fault) ? storm->knobs.touchers : 0;
	/* Not initialized, which would take longer than a conversion. */
	struct converter touchers[GUEST_VCPUS];
	unsigned int started;
	int error;

	if (!count && !fault)
		return 0;
	storm->disturbed = disturbs(fault);
	error = start_touchers(storm, touchers, touching, &started, why)
			?: execute_all(storm, count, fault, why);
	stop_touchers(storm, touchers, started);
	return error;
}

/* The barriers count those that have started, which wait for them. */
static int start_converters(struct storm *storm, struct reason *why)
{
	unsigned int started = 0;
	int error = 0;

	pthread_mutex_init(&storm->starting, NULL);
	pthread_mutex_lock(&storm->starting);
	while (!error && started < storm->knobs.converters) {
		error = start_thread(&storm->converters[started], convert_in_rounds, "converter",
				     why);
		started += !error;
	}
	pthread_barrier_init(&storm->begin, NULL, started + 1);
	pthread_barrier_init(&storm->end, NULL, started + 1);
	storm->threads = true;
	pthread_mutex_unlock(&storm->starting);
	return error;
}

/** rounds_open - start the converters; a single converter is the calling thread. Return: 0 or -errno with the reason */
int rounds_open(struct storm *storm, struct reason *why)
{
	unsigned int count = storm->knobs.converters;
	int error = storm->knobs.signals ? start_signals() : 0;

	if (error)
		return fail_errno(why, error, "timer");
	for (unsigned int i = 0; i < count; i++)
		storm->converters[i] = (struct converter){.storm = storm};
	return count == 1 ? 0 : start_converters(storm, why);
}

/** rounds_close - end the converters; also after a failure of rounds_open() */
void rounds_close(struct storm *storm)
{
	if (!storm->threads)
		return;
	storm->ending = true;
	pthread_barrier_wait(&storm->begin);
	for (unsigned int i = 0; i < storm->knobs.converters && storm->converters[i].started; i++)
		pthread_join(storm->converters[i].thread, NULL);
	pthread_barrier_destroy(&storm->begin);
	pthread_barrier_destroy(&storm->end);
	pthread_mutex_destroy(&storm->starting);
	storm->threads = false;
}
