// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the storm of conversions on a fake kernel: one seed gives one schedule; users that release, refuse and get
 * back; failures of the kernel; faults; the oracle finds what is torn and what is corrupted; threads that can not start; a
 * million operations.
 *
 * wraps: pthread_create
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "inject/gmem/storm.h"
#include "inject/injector.h"

#include <cmocka.h>

#include "bats/unit/fake_gmem.h"

static struct storm_counts counts;
static struct storm_violation first;
static size_t reported;

/* Of the threads to come, the one of this number can not start; 0: none. */
static unsigned int failing;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			  void *(*body)(void *), void *context);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			  void *(*body)(void *), void *context);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			  void *(*body)(void *), void *context)
{
	return failing && --failing == 0 ? EAGAIN
					 : __real_pthread_create(thread, attributes, body, context);
}

static void note(void *context, const struct storm_violation *violation)
{
	(void)context;
	if (reported++ == 0)
		first = *violation;
}

static struct storm_knobs knobs_of(enum gmem_workload workload)
{
	return (struct storm_knobs){
		.shape = {.workload = workload,
			  .protected = workload == GMEM_FLIP,
			  .pages = 64,
			  .vcpus = 2},
		.vms = 1,
		.converters = 1,
		.most = 8,
		.align = 1,
		.check = true,
		.discard = DISCARD_SHARED | DISCARD_PRIVATE,
		.refuser = -1,
		.operations = 600,
		.seed = 7,
		.users = {"mapping", "process", "vcpu"},
		.user_count = 3,
		.directory = "/var/tmp",
	};
}

static void run(const struct storm_knobs *knobs)
{
	struct reason why = {0};
	struct storm *storm;

	counts = (struct storm_counts){0};
	reported = 0;
	assert_int_equal(storm_open(&storm, knobs, &fake_kernel, &counts, note, NULL, &why), 0);
	if (storm_run(storm, &why))
		fail_msg("%s", why.text);
	storm_close(storm);
}

static void assert_clean(void)
{
	if (reported)
		fail_msg("operation %lu, page %lu, %s: %s", (unsigned long)first.operation,
			 (unsigned long)first.page, first.user, first.text);
	assert_int_equal(counts.torn + counts.corrupted + counts.broken, 0);
}

static int reset(void **state)
{
	(void)state;
	fake = (struct fake_kernel){0};
	return 0;
}

static void one_seed_gives_one_schedule(void **state)
{
	struct storm_knobs knobs = knobs_of(GMEM_FLIP), other = knobs;
	unsigned int same = 0;

	(void)state;
	other.seed = 8;
	for (uint64_t i = 0; i < 1000; i++) {
		struct storm_operation one, again, another;

		storm_plan(&knobs, i, &one);
		storm_plan(&knobs, i, &again);
		storm_plan(&other, i, &another);
		assert_memory_equal(&one, &again, sizeof(one));
		assert_true(one.range.count >= 1 && one.range.count <= knobs.most);
		assert_true(one.range.first + one.range.count <= knobs.shape.pages);
		same += memcmp(&one.range, &another.range, sizeof(one.range)) == 0;
	}
	assert_true(same < 100);
}

static void converters_have_pages_of_their_own(void **state)
{
	struct storm_knobs knobs = knobs_of(GMEM_FLIP);

	(void)state;
	knobs.converters = 4;
	knobs.vms = 2;
	for (uint64_t i = 0; i < 1000; i += 4) {
		struct storm_operation operations[4];

		for (uint64_t k = 0; k < 4; k++)
			storm_plan(&knobs, i + k, &operations[k]);
		assert_int_equal(operations[0].vm, operations[2].vm);
		assert_true(operations[0].range.first + operations[0].range.count <= 32);
		assert_true(operations[2].range.first >= 32);
	}
}

static void a_storm_without_faults_is_clean(void **state)
{
	static const enum gmem_workload workloads[] = {GMEM_FLIP, GMEM_MAPPED, GMEM_INPLACE};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(workloads); i++) {
		struct storm_knobs knobs = knobs_of(workloads[i]);

		knobs.by_guest = 50;
		knobs.prefault = true;
		run(&knobs);
		assert_clean();
		assert_int_equal(counts.converted, 600);
		assert_true(counts.pages > 600 && counts.checked > 3 * counts.pages);
	}
}

/* A conversion that changes nothing takes no time, and one that fails is none. */
static void only_conversions_that_change_a_page_have_a_cost(void **state)
{
	struct storm_knobs knobs = knobs_of(GMEM_FLIP);
	uint64_t measured = 0;

	(void)state;
	knobs.powers = true;
	run(&knobs);
	for (size_t i = 0; i < STORM_SIZES; i++)
		measured += counts.cost_count[i];
	assert_int_equal(measured, fake.changed);
	assert_true(measured > 0 && measured < counts.converted);
	reset(state);
	fake.refuse = -EAGAIN;
	fake.every = 1;
	run(&knobs);
	for (size_t i = 0; i < STORM_SIZES; i++)
		assert_int_equal(counts.cost_count[i], 0);
}

/* All kinds of users that this machine offers without a device. */
static void every_user_lets_go_and_takes_back(void **state)
{
	static const char *const users[] = {"mapping", "process", "readv",
					    "splice",  "uring",	  "direct"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		struct storm_knobs knobs = knobs_of(GMEM_FLIP);
		struct reason why = {0};
		struct storm *storm;

		counts = (struct storm_counts){0};
		reported = 0;
		knobs.operations = 200;
		knobs.users[0] = users[i];
		knobs.user_count = 1;
		/* io_uring and files with O_DIRECT may be forbidden where the tests run. */
		if (storm_open(&storm, &knobs, &fake_kernel, &counts, note, NULL, &why)) {
			print_message("# %s\n", why.text);
			continue;
		}
		assert_int_equal(storm_run(storm, &why), 0);
		storm_close(storm);
		assert_clean();
		assert_int_equal(counts.converted, 200);
	}
}

static void a_refusal_that_is_rolled_back_leaves_all_intact(void **state)
{
	struct storm_knobs knobs = knobs_of(GMEM_FLIP);

	(void)state;
	knobs.refuser = 2;
	knobs.refuse = 50;
	run(&knobs);
	assert_clean();
	assert_true(counts.refused > 100 && counts.converted > 300);
	assert_int_equal(counts.refused + counts.converted, 600);
}

static void a_refusal_without_rollback_is_torn(void **state)
{
	struct storm_knobs knobs = knobs_of(GMEM_FLIP);

	(void)state;
	knobs.refuser = 2;
	knobs.refuse = 50;
	knobs.rollback = ROLLBACK_NONE;
	run(&knobs);
	assert_true(counts.torn > 50);
	assert_int_equal(counts.corrupted, 0);
	assert_int_equal(first.outcome, OUTCOME_TORN);
	assert_string_equal(first.text, "SIGSEGV");
	knobs.rollback = ROLLBACK_FAILS;
	run(&knobs);
	assert_true(counts.torn > 50);
}

static void a_conversion_that_the_kernel_refuses_changes_nothing(void **state)
{
	struct storm_knobs knobs = knobs_of(GMEM_FLIP);

	(void)state;
	fake.refuse = -ENOMEM;
	fake.every = 5;
	run(&knobs);
	assert_clean();
	assert_int_equal(counts.refused, 120);
	assert_int_equal(counts.errors[ENOMEM], 120);
}

static void a_pinned_page_refuses_in_place(void **state)
{
	struct storm_knobs knobs = knobs_of(GMEM_INPLACE);

	(void)state;
	fake.refuse = -EAGAIN;
	fake.pinned = 20;
	run(&knobs);
	assert_clean();
	assert_true(counts.refused > 5 && counts.converted > 400);
	assert_int_equal(counts.errors[EAGAIN], counts.refused);
}

static void a_page_on_the_wrong_side_is_found(void **state)
{
	struct storm_knobs knobs = knobs_of(GMEM_FLIP);

	(void)state;
	fake.break_every = 50;
	run(&knobs);
	assert_true(counts.corrupted > 0);
	assert_int_equal(first.outcome, OUTCOME_CORRUPTED);
	assert_string_equal(first.user, "vcpu");
}

static void a_planted_defect_is_found_and_can_be_replayed_in_part(void **state)
{
	uint64_t only[] = {7};
	struct storm_knobs knobs = knobs_of(GMEM_FLIP);

	(void)state;
	knobs.plant = PLANT_MODEL;
	run(&knobs);
	assert_int_equal(first.operation, 7);
	knobs.only = only;
	knobs.only_count = 1;
	run(&knobs);
	assert_int_equal(counts.operations, 1);
	assert_true(counts.corrupted > 0);
	knobs.only = NULL;
	knobs.plant = PLANT_PAYLOAD;
	run(&knobs);
	assert_true(counts.corrupted > 0);
	assert_int_equal(first.page, 32);
}

static void converters_share_the_pages_of_a_vm(void **state)
{
	struct storm_knobs knobs = knobs_of(GMEM_FLIP);

	(void)state;
	knobs.converters = 4;
	knobs.overlap = true;
	knobs.vms = 1;
	knobs.users[0] = "mapping";
	knobs.users[1] = "vcpu";
	knobs.user_count = 2;
	run(&knobs);
	assert_clean();
	assert_int_equal(counts.converted, 600);
}

static void faults_are_combined_with_the_storm(void **state)
{
	struct storm_knobs knobs = knobs_of(GMEM_FLIP);

	(void)state;
	knobs.faults = (1u << FAULT_COUNT) - 1;
	knobs.fault_every = 3;
	run(&knobs);
	assert_clean();
	assert_int_equal(counts.faults, 200);
	assert_true(fake.poisoned && fake.offlined && fake.limited && fake.slots && fake.logs);
	assert_true(fake.killed && fake.poisoned_private);
	assert_true(fake.injected > FAKE_PLACES);
	assert_int_equal(counts.errors[ENOMEM], fake.limited + fake.injected);
	for (int i = 0; i < FAULT_COUNT; i++)
		assert_true(counts.occurred[i] > 0);
	assert_int_equal(counts.occurred[FAULT_SOFT_OFFLINE], (fake.offlined + 1) / 2);
	assert_int_equal(counts.occurred[FAULT_SLOT], fake.slots);
	assert_int_equal(counts.occurred[FAULT_POISON], fake.poisoned);
	assert_int_equal(counts.occurred[FAULT_POISON_PRIVATE], fake.poisoned_private);
	assert_int_equal(counts.occurred[FAULT_MEMORY_LIMIT], fake.limited);
	assert_int_equal(counts.exits[EXIT_LIMIT], fake.limited);
	knobs.judged = 1u << EXIT_LIMIT;
	run(&knobs);
	assert_int_equal(counts.exits[EXIT_LIMIT], 0);
}

/* KVM_RUN of the toucher fails each time, at a page that is being converted. */
static void a_known_failure_is_counted_unless_it_is_judged(void **state)
{
	struct storm_knobs knobs = knobs_of(GMEM_FLIP);

	(void)state;
	knobs.align = knobs.most = knobs.shape.pages;
	knobs.touchers = 1;
	knobs.check = false;
	fake.run_error = -EFAULT;
	run(&knobs);
	assert_clean();
	assert_true(counts.exits[EXIT_STALE] >= knobs.operations);
	knobs.judged = 1u << EXIT_STALE;
	run(&knobs);
	assert_int_equal(counts.exits[EXIT_STALE], 0);
	assert_int_equal(counts.torn, knobs.operations);
	assert_string_equal(first.user, "toucher");
	assert_string_equal(first.text, "the fake vCPU fails");
}

/* Pages that a vCPU reads, until it is stopped at the last of them. */
struct reading {
	struct guest_mailbox box;
	uint64_t pages[8], memory[GMEM_PAGE_SIZE / 8];
	size_t count, most;
};

static void *note_page(void *context, uint64_t number)
{
	struct reading *reading = context;

	reading->pages[reading->count++] = number;
	reading->box.stop = reading->count == reading->most;
	return reading->memory;
}

/* A vCPU that is reset at a page begins the command again: after that page, although the range begins before it. */
static void a_toucher_goes_on_after_the_page_at_which_it_is_reset(void **state)
{
	const gmem_page model[8] = {[4] = GMEM_LOST};
	struct reading reading = {.box = {.command = GUEST_TOUCH, .first = 2, .count = 5}};
	const struct guest_view view = {.context = &reading, .model = model, .page = note_page};
	static const uint64_t expected[] = {2, 3, 5, 6, 2, 3};

	(void)state;
	reading.most = 3;
	guest_execute(&reading.box, &view);
	reading.most = 6;
	reading.box.stop = 0;
	reading.box.command = GUEST_TOUCH;
	guest_execute(&reading.box, &view);
	assert_int_equal(reading.count, 6);
	assert_memory_equal(reading.pages, expected, sizeof(expected));
	assert_int_equal(reading.box.touched, 6);
}

static void conversions_go_on_during_a_fault(void **state)
{
	struct storm_knobs knobs = knobs_of(GMEM_FLIP);

	(void)state;
	knobs.converters = 4;
	knobs.shape.vcpus = 5;
	knobs.touchers = 1;
	knobs.faults = 1u << FAULT_REOPEN | 1u << FAULT_SLOT | 1u << FAULT_KILL_VCPU |
		       1u << FAULT_POISON_PRIVATE;
	knobs.fault_every = 2;
	run(&knobs);
	assert_clean();
	assert_int_equal(counts.converted, 300);
	knobs.meanwhile = true;
	run(&knobs);
	assert_clean();
	assert_int_equal(counts.faults, 75);
	assert_int_equal(counts.converted, 600 - 75);
	assert_int_equal(counts.operations, 600);
}

static void the_vm_that_is_made_again_has_no_conversion_meanwhile(void **state)
{
	struct storm_knobs knobs = knobs_of(GMEM_FLIP);

	(void)state;
	knobs.converters = 4;
	knobs.vms = 2;
	/* AddressSanitizer does not let the user "process" fork beside other threads. */
	knobs.users[1] = "vcpu";
	knobs.user_count = 2;
	knobs.faults = 1u << FAULT_REBUILD;
	knobs.fault_every = 2;
	knobs.meanwhile = true;
	run(&knobs);
	assert_clean();
	/* Of four converters two are of the other VM. */
	assert_int_equal(counts.converted, 300 + 75 * 2);
}

static void a_poisoned_private_page_that_can_be_read_is_found(void **state)
{
	struct storm_knobs knobs = knobs_of(GMEM_FLIP);

	(void)state;
	knobs.faults = 1u << FAULT_POISON_PRIVATE;
	knobs.fault_every = 3;
	fake.readable = true;
	run(&knobs);
	assert_true(counts.broken > 0);
	assert_non_null(strstr(first.text, "KVM_RUN on a poisoned page gives no error"));
}

static void a_failure_that_changes_something_is_found(void **state)
{
	struct storm_knobs knobs = knobs_of(GMEM_FLIP);

	(void)state;
	knobs.faults = 1u << FAULT_FAILSLAB;
	knobs.fault_every = 2;
	fake.half_done = true;
	run(&knobs);
	assert_true(counts.corrupted > 0);
	assert_string_equal(first.user, "vcpu");
}

static void a_triple_fault_is_no_result_of_the_kernel(void **state)
{
	struct storm_knobs knobs = knobs_of(GMEM_FLIP);

	(void)state;
	fake.run_error = -ENOTRECOVERABLE;
	run(&knobs);
	assert_true(counts.broken > 0);
	assert_int_equal(first.outcome, OUTCOME_BROKEN);
}

/* The one whose number is @nth. */
static int run_without_thread(const struct storm_knobs *knobs, unsigned int nth, struct reason *why)
{
	struct storm *storm;
	int error;

	counts = (struct storm_counts){0};
	*why = (struct reason){0};
	failing = nth;
	error = storm_open(&storm, knobs, &fake_kernel, &counts, note, NULL, why);
	if (error)
		return error;
	error = storm_run(storm, why);
	storm_close(storm);
	return error;
}

static void a_thread_that_can_not_start_ends_the_storm(void **state)
{
	static const char *const what[] = {"user 'direct'", "a converter", "a converter",
					   "a converter",   "a toucher",   "a toucher"};
	struct storm_knobs knobs = knobs_of(GMEM_FLIP);
	struct reason why;

	(void)state;
	knobs.converters = 3;
	knobs.shape.vcpus = 5;
	knobs.touchers = 2;
	knobs.operations = 6;
	knobs.users[1] = "direct";
	for (size_t i = 0; i < ARRAY_SIZE(what); i++) {
		assert_int_equal(run_without_thread(&knobs, (unsigned int)i + 1, &why), -EAGAIN);
		assert_non_null(strstr(why.text, what[i]));
		assert_non_null(strstr(why.text, "can not start: Resource temporarily"));
		assert_int_equal(counts.converted, 0);
	}
	run(&knobs);
	assert_clean();
}

static void knobs_that_contradict_each_other_are_refused(void **state)
{
	static const struct {
		const char *arguments, *message;
	} cases[] = {
		{"{\"vm\": \"default\"}", "no private memory"},
		{"{\"align\": \"12K\", \"range\": \"64K\"}", "align must divide range"},
		{"{\"range\": \"8M\"}", "range fits"},
		{"{\"backing\": \"hugetlb\"}", "pages of 2M"},
		{"{\"workload\": \"mapped\", \"backing\": \"thp\"}", "workload flip"},
		{"{\"converters\": \"2\"}", "need 2 vcpus"},
		{"{\"users\": [\"nobody\"]}", "there is no user 'nobody'; known: "},
		{"{\"users\": [\"vcpu\", \"vcpu\"]}", "named twice"},
		{"{\"workload\": \"mapped\", \"vm\": \"protected\", \"users\": [\"mapping\"]}",
		 "can map"},
		{"{\"refuser\": \"uring\"}", "not among the users"},
		{"{\"faults\": [\"slot\", \"flood\"]}",
		 "'faults' is 'flood': it must be one of slot, reopen, rebuild"},
		{"{\"judge\": [\"all\"]}",
		 "'judge' is 'all': it must be one of limit-exits, stale-exits"},
		{"{\"workload\": \"mapped\", \"faults\": [\"reopen\"]}", "with workload flip"},
		{"{\"only\": [\"3\", \"2\"]}", "ascending numbers"},
		{"{\"vms\": \"9\"}", "vms is 1 to 8"},
		{"{\"vms\": \"0x100000001\"}", "vms is 1 to 8, not 4294967297"},
		{"{\"converters\": \"0x100000001\"}", "converters is 1 to 8"},
		{"{\"vcpus\": \"0x100000001\"}", "vcpus is 0 to 15"},
		{"{\"touchers\": \"0xffffffff\"}", "touchers is 0 to 15"},
		{"{\"by-guest\": \"0x100000000\"}", "by-guest is 0 to 100"},
		{"{\"refuse\": \"101\"}", "refuse is 0 to 100"},
		{"{\"memory\": \"5000\", \"range\": \"4K\"}", "memory is 5000 bytes"},
		{"{\"range\": \"6K\"}", "range is 6144 bytes"},
		{"{\"align\": \"0\"}", "align is 0 bytes"},
		{"{\"duration\": \"0s\"}", "duration must be longer than 0"},
		{"{\"stall\": \"0s\"}", "stall must be longer than 0"},
		{"{\"faults\": [\"slot\"], \"fault-every\": \"0\"}", "no fault occurs"},
		{"{\"workload\": \"mapped\", \"order\": \"discard-first\"}", "order, discard"},
		{"{\"workload\": \"mapped\", \"discard\": \"none\"}", "order, discard"},
		{"{\"workload\": \"inplace\", \"allocate\": \"yes\"}", "order, discard"},
		{"{\"vcpus\": \"0\", \"by-guest\": \"0\"}", "need a vCPU"},
		{"{\"vcpus\": \"0\", \"by-guest\": \"0\", \"users\": [\"mapping\"], "
		 "\"prefault\": \"yes\"}",
		 "need a vCPU"},
		{"{\"users\": [\"direct\"], \"directory\": \"tmp\"}", "no absolute path"},
		{"{\"users\": [\"dma\"], \"device\": \"disk\"}", "write nvme, edu"},
		{"{\"faults\": [\"kill-vcpu\"], \"touchers\": \"1\", \"by-guest\": \"0\"}",
		 "set vcpus to 2"},
		{"{\"workload\": \"mapped\", \"faults\": [\"poison-private\"]}", "a private side"},
		{"{\"meanwhile\": \"yes\", \"overlap\": \"yes\"}", "exclude each other"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		__cleanup_json json_t *given = json_loads(cases[i].arguments, 0, NULL);
		__cleanup_json json_t *arguments = NULL;
		struct storm_knobs knobs;
		struct reason why = {0};

		if (param_check(storm_params, given, &arguments, &why) == 0)
			assert_int_equal(storm_knobs_read(arguments, 1, &knobs, &why), -EINVAL);
		if (!strstr(why.text, cases[i].message))
			fail_msg("%s: %s", cases[i].arguments, why.text);
	}
}

static void a_page_of_a_workload_is_refused(void **state)
{
	const struct injector *injector = injector_find("gmem-storm");
	__cleanup_json json_t *given = json_object();
	__cleanup_json json_t *arguments = NULL;
	struct reason why = {0};

	(void)state;
	assert_int_equal(param_check(injector->params, given, &arguments, &why), 0);
	assert_int_equal(injector->check(arguments, TARGET_NONE, &why), 0);
	assert_int_equal(injector->check(arguments, TARGET_WORKLOAD, &why), -EINVAL);
	assert_non_null(strstr(why.text, "leave 'at' out"));
}

static void a_machine_without_kvm_is_named(void **state)
{
	const struct gmem_shape shape = {.workload = GMEM_FLIP, .protected = true};
	struct reason why = {0};

	(void)state;
	system_root_set("/nonexistent");
	assert_int_equal(gmem_probe(&shape, &why), -ENOENT);
	system_root_set("");
	assert_non_null(strstr(why.text, "/dev/kvm"));
}

/* What is missing first is the reason, also of what can not be there without it. */
static void what_a_kernel_lacks_is_named(void **state)
{
	static const unsigned int all = (1u << GMEM_FEATURES) - 1;
	static const struct gmem_shape flip = {.workload = GMEM_FLIP, .protected = true};
	static const struct gmem_shape mapped = {.workload = GMEM_MAPPED};
	static const struct gmem_shape single = {.workload = GMEM_MAPPED, .protected = true};
	static const struct gmem_shape in_place = {.workload = GMEM_INPLACE, .protected = true};
	static const struct {
		const struct gmem_shape *shape;
		enum gmem_feature missing;
		int error;
		const char *reason;
	} cases[] = {
		{&flip, GMEM_HAS_KVM, -ENOENT, "no usable /dev/kvm"},
		{&flip, GMEM_HAS_MEMFD, -EOPNOTSUPP, "KVM has no guest_memfd"},
		{&flip, GMEM_HAS_PROTECTED, -EOPNOTSUPP, "no VMs of type KVM_X86_SW_PROTECTED_VM"},
		{&flip, GMEM_HAS_ATTRIBUTES, -EOPNOTSUPP, "no memory attributes"},
		{&single, GMEM_HAS_ATTRIBUTES, -EOPNOTSUPP, "no memory attributes"},
		{&single, GMEM_HAS_MAPPABLE, -EOPNOTSUPP, "can not be mapped by the host"},
		{&mapped, GMEM_HAS_MEMFD, -EOPNOTSUPP, "KVM has no guest_memfd"},
		{&mapped, GMEM_HAS_MAPPABLE, -EOPNOTSUPP, "can not be mapped by the host"},
		{&mapped, GMEM_HAS_PROTECTED, 0, ""},
		{&flip, GMEM_HAS_MAPPABLE, 0, ""},
		{&in_place, GMEM_HAS_PROTECTED, -EOPNOTSUPP,
		 "no VMs of type KVM_X86_SW_PROTECTED_VM"},
		{&in_place, GMEM_HAS_IN_PLACE, -EOPNOTSUPP, "does not convert in place"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		__cleanup_json json_t *findings = json_array();
		struct reason why = {0};
		json_t *each;
		size_t index;

		assert_int_equal(gmem_check_features(all & ~(1u << cases[i].missing),
						     cases[i].shape, &why),
				 cases[i].error);
		assert_non_null(strstr(why.text, cases[i].reason));
		gmem_add_features(findings, all & ~(1u << cases[i].missing));
		assert_int_equal(json_array_size(findings), GMEM_FEATURES);
		json_array_foreach (findings, index, each)
			if (!json_is_true(json_object_get(each, "ok")) && cases[i].error)
				assert_non_null(
					strstr(json_text(each, "reason", ""), cases[i].reason));
		assert_false(json_is_true(
			json_object_get(json_array_get(findings, cases[i].missing), "ok")));
	}
}

static void a_million_operations(void **state)
{
	struct storm_knobs knobs = knobs_of(GMEM_FLIP);

	(void)state;
	knobs.operations = 1000000;
	knobs.most = 2;
	knobs.users[0] = "vcpu";
	knobs.user_count = 1;
	knobs.discard = DISCARD_PRIVATE;
	run(&knobs);
	assert_clean();
	assert_int_equal(counts.converted, 1000000);
}

#define TEST(function) cmocka_unit_test_setup(function, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_seed_gives_one_schedule),
		TEST(converters_have_pages_of_their_own),
		TEST(a_storm_without_faults_is_clean),
		TEST(only_conversions_that_change_a_page_have_a_cost),
		TEST(every_user_lets_go_and_takes_back),
		TEST(a_refusal_that_is_rolled_back_leaves_all_intact),
		TEST(a_refusal_without_rollback_is_torn),
		TEST(a_conversion_that_the_kernel_refuses_changes_nothing),
		TEST(a_pinned_page_refuses_in_place),
		TEST(a_page_on_the_wrong_side_is_found),
		TEST(a_planted_defect_is_found_and_can_be_replayed_in_part),
		TEST(converters_share_the_pages_of_a_vm),
		TEST(faults_are_combined_with_the_storm),
		TEST(a_known_failure_is_counted_unless_it_is_judged),
		TEST(a_toucher_goes_on_after_the_page_at_which_it_is_reset),
		TEST(conversions_go_on_during_a_fault),
		TEST(the_vm_that_is_made_again_has_no_conversion_meanwhile),
		TEST(a_poisoned_private_page_that_can_be_read_is_found),
		TEST(a_failure_that_changes_something_is_found),
		TEST(a_triple_fault_is_no_result_of_the_kernel),
		TEST(a_thread_that_can_not_start_ends_the_storm),
		TEST(knobs_that_contradict_each_other_are_refused),
		TEST(a_page_of_a_workload_is_refused),
		TEST(a_machine_without_kvm_is_named),
		TEST(what_a_kernel_lacks_is_named),
		TEST(a_million_operations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
