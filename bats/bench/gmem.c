// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: gmem [OPERATIONS [ROUNDS]]
 *        gmem checked OPERATIONS
 *
 * Conversions a second of guest memory, on a host whose KVM has private memory: by a bare loop of the two ioctls over the
 * storm's schedule, by the storm with its checks off, and with every page checked. Then the cost of a page as ranges grow.
 * "checked": only with every page checked.
 */
#include <string.h>

#include "bats/bench/figures.h"
#include "inject/gmem/storm.h"

/* The limit is measured in so many slices a round, each of so many times the operations: some 0.1 s. */
#define SLICES 10
#define SLICES_MOST 500
#define UNCHECKED 10

static struct storm_counts counts;

static void on_violation(void *context, const struct storm_violation *violation)
{
	(void)context;
	printf("violation: %s: %s\n", violation->user, violation->text);
}

static struct storm_knobs make_knobs(uint64_t operations)
{
	return (struct storm_knobs){
		.shape = {.workload = GMEM_FLIP, .protected = true, .pages = 1024, .vcpus = 1},
		.vms = 1,
		.converters = 1,
		.most = 16,
		.align = 1,
		.discard = DISCARD_SHARED | DISCARD_PRIVATE,
		.refuser = -1,
		.operations = operations,
		.seed = 1,
	};
}

static void die(const struct reason *why)
{
	fprintf(stderr, "gmem: %s\n", why->text);
	exit(1);
}

static double per_second(uint64_t operations, int64_t began)
{
	return (double)operations * NSEC_PER_SEC / (double)(now_monotonic_ns() - began);
}

static int no_request(struct gmem_vm *vm, const struct gmem_range *range, bool to_private)
{
	(void)vm;
	(void)range;
	(void)to_private;
	return 0;
}

static void open_vm(struct gmem_vm *vm, const struct gmem_shape *shape)
{
	struct reason why = {0};

	*vm = (struct gmem_vm){
		.kernel = &gmem_kvm, .shape = shape, .shared_fd = -1, .request = no_request};
	if (gmem_kvm.open(vm, &why))
		die(&why);
}

static double bare(struct gmem_vm *vm, const struct storm_knobs *knobs)
{
	int64_t began = now_monotonic_ns();
	uint64_t page;

	for (uint64_t i = 0; i < knobs->operations; i++) {
		struct storm_operation operation;

		storm_plan(knobs, i, &operation);
		if (gmem_kvm.convert(vm, &operation.range, operation.to_private, &page) ||
		    gmem_kvm.discard(vm, &operation.range, !operation.to_private))
			abort();
	}
	return per_second(knobs->operations, began);
}

static struct storm *open_storm(const struct storm_knobs *knobs)
{
	struct reason why = {0};
	struct storm *storm;

	if (storm_open(&storm, knobs, &gmem_kvm, &counts, on_violation, NULL, &why))
		die(&why);
	return storm;
}

static double run_storm(struct storm *storm, uint64_t operations)
{
	struct reason why = {0};
	int64_t began = now_monotonic_ns();

	if (storm_run(storm, &why))
		die(&why);
	return per_second(operations, began);
}

/* Both in turn, in slices so short that what else the machine does strikes both; each begins every other one. */
static void print_limit(uint64_t operations, size_t rounds)
{
	struct storm_knobs knobs = make_knobs(operations);
	struct storm *storm = open_storm(&knobs);
	double rates[2][SLICES_MOST], ratios[SLICES_MOST];
	struct gmem_vm vm;

	open_vm(&vm, &knobs.shape);
	for (size_t i = 0; i < rounds; i++) {
		if (i & 1)
			rates[1][i] = run_storm(storm, operations);
		rates[0][i] = bare(&vm, &knobs);
		if (!(i & 1))
			rates[1][i] = run_storm(storm, operations);
		ratios[i] = rates[1][i] / rates[0][i];
	}
	gmem_kvm.close(&vm);
	storm_close(storm);
	figures_print_spread("bare loop", rates[0], rounds, " conversions a second");
	figures_print_spread("storm, checks off", rates[1], rounds, " conversions a second");
	figures_print_spread("storm, checks off / bare loop", ratios, rounds, "");
}

static void print_checked(uint64_t operations, size_t rounds)
{
	struct storm_knobs knobs = make_knobs(operations);
	double rates[SLICES_MOST];
	struct storm *storm;

	knobs.check = true;
	knobs.users[knobs.user_count++] = "mapping";
	knobs.users[knobs.user_count++] = "vcpu";
	storm = open_storm(&knobs);
	for (size_t i = 0; i < rounds; i++)
		rates[i] = run_storm(storm, operations);
	storm_close(storm);
	figures_print_spread("storm, every page checked", rates, rounds, " conversions a second");
}

static void print_curve(void)
{
	static const uint64_t sizes[] = {1, 16, 512, 4096, 65536, 262144};
	struct gmem_shape shape = {
		.workload = GMEM_FLIP, .protected = true, .pages = 262144, .vcpus = 1};
	struct gmem_vm vm;
	uint64_t page;

	open_vm(&vm, &shape);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct gmem_range range = {0, sizes[i]};
		unsigned int times = sizes[i] > 4096 ? 2 : 20;
		int64_t began = now_monotonic_ns();

		for (unsigned int k = 0; k < times; k++)
			if (gmem_kvm.convert(&vm, &range, !(k & 1), &page))
				abort();
		printf("range %8lu KiB: %.3f us a page\n", (unsigned long)sizes[i] * 4,
		       (double)(now_monotonic_ns() - began) / times / (double)sizes[i] / 1000);
	}
	gmem_kvm.close(&vm);
}

int main(int argc, char **argv)
{
	bool alone = argc > 2 && strcmp(argv[1], "checked") == 0;
	uint64_t operations = argc > 1 ? strtoull(argv[1], NULL, 10) : 500;
	size_t rounds = argc > 2 ? strtoull(argv[2], NULL, 10) : 5;

	if (alone) {
		print_checked(strtoull(argv[2], NULL, 10), 1);
		return 0;
	}
	if (rounds * SLICES > SLICES_MOST)
		rounds = SLICES_MOST / SLICES;
	print_limit(operations * UNCHECKED, rounds * SLICES);
	print_checked(operations, rounds);
	printf("storm: %lu KiB resident, model 2 bytes a page\n", (unsigned long)counts.rss_kib);
	print_curve();
	return 0;
}
