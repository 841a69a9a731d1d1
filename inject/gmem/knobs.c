// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parameters of a storm, and the combinations that are refused.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "harness/host/process.h"
#include "inject/dma/dma.h"
#include "inject/gmem/users.h"

#define DEFAULT_DURATION_NS (5 * NSEC_PER_SEC)
#define PAGES_2M 512u
#define PERCENT_MOST 100

static const char *const workloads[] = {"flip", "mapped", "inplace", NULL};
static const char *const backings[] = {"memfd", "thp", "hugetlb", NULL};
static const char *const vms[] = {"default", "protected", NULL};
static const char *const orders[] = {"attribute-first", "discard-first", NULL};
static const char *const discards[] = {"none", "shared", "private", "both", NULL};
static const char *const sizes[] = {"any", "powers", NULL};
static const char *const rollbacks[] = {"good", "none", "fails", NULL};
static const char *const plants[] = {"none", "model", "payload", "crash", "leak", NULL};

const struct param storm_params[] = {
	{"workload", PARAM_CHOICE, "how memory is converted", "flip", workloads, false},
	{"vm", PARAM_CHOICE, "type of the VMs (mapped: default, else protected)", NULL, vms, false},
	{"vms", PARAM_NUMBER, "number of VMs (at most 8)", "1", NULL, false},
	{"vcpus", PARAM_NUMBER, "vCPUs of each VM (at most 15)", "1", NULL, false},
	{"memory", PARAM_SIZE, "memory of each VM that is converted", "4M", NULL, false},
	{"backing", PARAM_CHOICE, "flip: memory of the shared side", "memfd", backings, false},
	{"converters", PARAM_NUMBER, "threads that convert at the same time (at most 8)", "1", NULL,
	 false},
	{"range", PARAM_SIZE, "largest conversion", "64K", NULL, false},
	{"sizes", PARAM_CHOICE,
	 "powers: each range is a power of two, and their costs are measured", "any", sizes, false},
	{"align", PARAM_SIZE, "alignment of start and size of a conversion", "4K", NULL, false},
	{"overlap", PARAM_BOOL, "converters of a VM share its pages", "no", NULL, false},
	{"by-guest", PARAM_NUMBER, "percent of the conversions that guests request", "50", NULL,
	 false},
	{"order", PARAM_CHOICE, "flip: order of attribute and discard", "attribute-first", orders,
	 false},
	{"discard", PARAM_CHOICE, "flip: sides whose memory is discarded", "both", discards, false},
	{"allocate", PARAM_BOOL, "flip: allocate private memory before", "no", NULL, false},
	{"prefault", PARAM_BOOL, "KVM_PRE_FAULT_MEMORY after each conversion", "no", NULL, false},
	{"touchers", PARAM_NUMBER, "vCPUs of the first VM that read all pages meanwhile", "0", NULL,
	 false},
	{"users", PARAM_LIST,
	 "users of the shared side, in the order of announcements "
	 "(mapping, vcpu)",
	 NULL, NULL, false},
	{"refuser", PARAM_STRING, "user that refuses to release its pages", NULL, NULL, false},
	{"refuse", PARAM_NUMBER, "percent of the announcements that it refuses", "50", NULL, false},
	{"rollback", PARAM_CHOICE, "whether users get released pages back after a failure", "good",
	 rollbacks, false},
	{"faults", PARAM_LIST, "faults between conversions", NULL, storm_fault_names, false},
	{"fault-every", PARAM_NUMBER, "rounds per fault", "20", NULL, false},
	{"meanwhile", PARAM_BOOL, "other converters and touchers go on during a fault", "no", NULL,
	 false},
	{"judge", PARAM_LIST, "known failures of KVM_RUN that are violations", NULL,
	 storm_exit_names, false},
	{"signals", PARAM_BOOL, "interrupt converters by a signal each millisecond", "no", NULL,
	 false},
	{"operations", PARAM_NUMBER, "number of operations (0: no limit but duration)", "0", NULL,
	 false},
	{"duration", PARAM_DURATION, "length of the storm (5s without operations)", NULL, NULL,
	 false},
	{"stall", PARAM_DURATION, "time without progress that counts as a hang", "20s", NULL,
	 false},
	{"check", PARAM_BOOL, "users check their pages after each operation", "yes", NULL, false},
	{"device", PARAM_STRING, "user dma: PCI function or kind of device", "nvme", NULL, false},
	{"iommu", PARAM_CHOICE, "user dma: interface of the kernel to the IOMMU", "type1",
	 dma_iommu_names, false},
	{"directory", PARAM_STRING, "user direct: directory on a file system with O_DIRECT",
	 "/var/tmp", NULL, false},
	{"seed", PARAM_NUMBER, "seed of the schedule (that of the trial)", NULL, NULL, false},
	{"only", PARAM_LIST, "numbers of the operations that are executed (all)", NULL, NULL,
	 false},
	{"plant", PARAM_CHOICE, "a defect of the engine, to test its checks", "none", plants,
	 false},
	{0},
};

const char *const storm_exit_names[] = {"limit-exits", "stale-exits", NULL};

_Static_assert(ARRAY_SIZE(storm_exit_names) == EXIT_COUNT + 1, "every exit has its name");

static void read_shape(const json_t *arguments, struct gmem_shape *shape)
{
	*shape = (struct gmem_shape){
		.workload = (enum gmem_workload)process_choice(arguments, "workload", workloads),
		.backing = (enum gmem_backing)process_choice(arguments, "backing", backings),
		.pages = param_number(arguments, "memory") / GMEM_PAGE_SIZE,
		.vcpus = (unsigned int)param_number(arguments, "vcpus"),
	};
	shape->protected = param_given(arguments, "vm") ? process_choice(arguments, "vm", vms) == 1
							: shape->workload != GMEM_MAPPED;
}

static int find_user(const struct storm_knobs *knobs, const char *name)
{
	for (size_t i = 0; i < knobs->user_count; i++)
		if (strcmp(knobs->users[i], name) == 0)
			return (int)i;
	return -1;
}

/** storm_uses - whether the storm has a user of that name */
bool storm_uses(const struct storm_knobs *knobs, const char *user)
{
	return find_user(knobs, user) >= 0;
}

static char *known_users(void)
{
	char *all = xstrdup("");

	for (size_t i = 0; i < gmem_user_kind_count(); i++)
		append_text(&all, ", ", "%s", gmem_user_kind_at(i)->name);
	return all;
}

static int read_users(const json_t *arguments, struct storm_knobs *knobs, struct reason *why)
{
	const json_t *list = json_object_get(arguments, "users");
	const char *refuser = param_text(arguments, "refuser");
	__cleanup_free char *known = known_users();
	json_t *each;
	size_t index;

	if (!json_array_size(list)) {
		if (gmem_is_mappable(&knobs->shape))
			knobs->users[knobs->user_count++] = "mapping";
		knobs->users[knobs->user_count++] = "vcpu";
	}
	json_array_foreach (list, index, each) {
		const char *name = json_string_value(each);

		if (!gmem_user_kind_find(name))
			return fail(why, -EINVAL, "there is no user '%s'; known: %s", name, known);
		if (find_user(knobs, name) >= 0 || knobs->user_count == STORM_USERS)
			return fail(why, -EINVAL, "user '%s' is named twice", name);
		if (!gmem_is_mappable(&knobs->shape) && strcmp(name, "vcpu") != 0)
			return fail(why, -EINVAL,
				    "user '%s' needs memory that the host can map; with workload "
				    "mapped and vm protected only 'vcpu' can use it",
				    name);
		knobs->users[knobs->user_count++] = name;
	}
	knobs->refuser = refuser ? find_user(knobs, refuser) : -1;
	if (refuser && knobs->refuser < 0)
		return fail(why, -EINVAL, "refuser '%s' is not among the users", refuser);
	knobs->refuse = refuser ? (unsigned int)param_number(arguments, "refuse") : 0;
	return 0;
}

/* A checked list of @names as a set. */
static unsigned int read_set(const json_t *arguments, const char *name, const char *const *names)
{
	unsigned int set = 0;
	json_t *each;
	size_t index;

	json_array_foreach (json_object_get(arguments, name), index, each)
		for (unsigned int i = 0; names[i]; i++)
			set |= (unsigned int)(strcmp(names[i], json_string_value(each)) == 0) << i;
	return set;
}

static int read_only(const json_t *arguments, struct storm_knobs *knobs, struct reason *why)
{
	const json_t *list = json_object_get(arguments, "only");
	json_t *each;
	size_t index;

	if (!json_array_size(list))
		return 0;
	knobs->only = xzalloc(json_array_size(list) * sizeof(*knobs->only));
	json_array_foreach (list, index, each) {
		if (parse_number(json_string_value(each), &knobs->only[index]) ||
		    (index && knobs->only[index] <= knobs->only[index - 1]))
			return fail(why, -EINVAL, "'only' is a list of ascending numbers, not '%s'",
				    json_string_value(each));
		knobs->only_count++;
	}
	return 0;
}

/* Before they become members, which have fewer bits and count pages. */
static int check_values(const json_t *arguments, struct reason *why)
{
	static const struct {
		const char *name;
		unsigned int least, most;
	} numbers[] = {
		{"vms", 1, STORM_VMS},	       {"converters", 1, STORM_CONVERTERS},
		{"vcpus", 0, GUEST_VCPUS},     {"touchers", 0, GUEST_VCPUS},
		{"by-guest", 0, PERCENT_MOST}, {"refuse", 0, PERCENT_MOST},
	};
	static const char *const sizes_of_pages[] = {"memory", "range", "align"};
	static const char *const times[] = {"duration", "stall"};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		uint64_t number = param_number(arguments, numbers[i].name);

		if (number < numbers[i].least || number > numbers[i].most)
			return fail(why, -EINVAL, "%s is %u to %u, not %" PRIu64, numbers[i].name,
				    numbers[i].least, numbers[i].most, number);
	}
	for (size_t i = 0; i < ARRAY_SIZE(sizes_of_pages); i++) {
		uint64_t size = param_number(arguments, sizes_of_pages[i]);

		if (!size || size % GMEM_PAGE_SIZE)
			return fail(why, -EINVAL,
				    "%s is %" PRIu64 " bytes; it must be whole pages of 4K",
				    sizes_of_pages[i], size);
	}
	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		if (param_given(arguments, times[i]) && !param_duration_ns(arguments, times[i]))
			return fail(why, -EINVAL, "%s must be longer than 0", times[i]);
	return 0;
}

static int check_sizes(const struct storm_knobs *knobs, struct reason *why)
{
	const struct gmem_shape *shape = &knobs->shape;
	uint64_t sharers = knobs->overlap ? 1 : (knobs->converters + knobs->vms - 1) / knobs->vms;

	if (knobs->most % knobs->align)
		return fail(why, -EINVAL, "align must divide range");
	if (knobs->powers && knobs->align & (knobs->align - 1))
		return fail(why, -EINVAL, "with sizes powers, align is a power of two, too");
	if (knobs->most > shape->pages / sharers || shape->pages > (1u << 18))
		return fail(why, -EINVAL,
			    "memory is at most 1G, and range fits into what each converter has of "
			    "it (%" PRIu64 "K)",
			    shape->pages / sharers * 4);
	if (shape->backing == GMEM_BACKING_HUGETLB &&
	    (shape->pages % PAGES_2M || knobs->align % PAGES_2M))
		return fail(why, -EINVAL,
			    "backing hugetlb has pages of 2M, which must divide memory, range and "
			    "align");
	return 0;
}

static int check_together(const struct storm_knobs *knobs, struct reason *why)
{
	const struct gmem_shape *shape = &knobs->shape;
	unsigned int busy =
		(knobs->by_guest ? (knobs->converters + knobs->vms - 1) / knobs->vms : 0) +
		knobs->touchers;

	if (shape->workload != GMEM_MAPPED && !shape->protected)
		return fail(why, -EINVAL,
			    "a VM of type default has no private memory: vm protected, "
			    "or workload mapped");
	if (shape->backing != GMEM_BACKING_MEMFD && shape->workload != GMEM_FLIP)
		return fail(why, -EINVAL,
			    "backing is for workload flip, whose shared side is memory of "
			    "its own");
	if (busy > shape->vcpus)
		return fail(
			why, -EINVAL,
			"converters with by-guest and touchers need %u vcpus in each VM, there are "
			"%u",
			busy, shape->vcpus);
	if (shape->workload != GMEM_FLIP && storm_has(knobs, FAULT_REOPEN))
		return fail(why, -EINVAL,
			    "fault reopen closes private memory, which is a file of its own only "
			    "with workload flip");
	if ((storm_has(knobs, FAULT_POISON) || storm_has(knobs, FAULT_SOFT_OFFLINE)) &&
	    (shape->backing != GMEM_BACKING_MEMFD || !gmem_is_mappable(shape)))
		return fail(why, -EINVAL,
			    "faults poison and soft-offline need pages of 4K that the host "
			    "can map");
	if (storm_has(knobs, FAULT_KILL_VCPU) &&
	    shape->vcpus < (knobs->meanwhile ? busy : knobs->touchers) + 1)
		return fail(why, -EINVAL,
			    "fault kill-vcpu needs a vCPU that nothing else uses at that time: set "
			    "vcpus to %u",
			    (knobs->meanwhile ? busy : knobs->touchers) + 1);
	if (!gmem_has_sides(shape) &&
	    (storm_has(knobs, FAULT_POISON_PRIVATE) || storm_has(knobs, FAULT_FAILSLAB)))
		return fail(why, -EINVAL,
			    "faults poison-private and failslab need pages with a private side");
	if (knobs->meanwhile && knobs->overlap)
		return fail(why, -EINVAL,
			    "meanwhile and overlap exclude each other: a fault needs pages that no "
			    "converter uses");
	if (storm_uses(knobs, "dma") && knobs->vms > 1)
		return fail(why, -EINVAL, "user 'dma' has one device, so vms is 1");
	if (storm_uses(knobs, "dma") && storm_has(knobs, FAULT_REBUILD))
		return fail(why, -EINVAL,
			    "fault rebuild and user 'dma' exclude each other: the device "
			    "is opened once");
	if (knobs->faults && !knobs->fault_every)
		return fail(why, -EINVAL,
			    "with fault-every 0 no fault occurs: set it to 1 or more");
	return 0;
}

/* What has no effect in a storm of this shape. */
static int check_effects(const struct storm_knobs *knobs, struct reason *why)
{
	const struct gmem_shape *shape = &knobs->shape;

	if (gmem_is_single(shape) && (knobs->discard_first || knobs->allocate ||
				      knobs->discard != (DISCARD_SHARED | DISCARD_PRIVATE)))
		return fail(
			why, -EINVAL,
			"order, discard and allocate are for workload flip, whose sides are two "
			"memories");
	if (!shape->vcpus && (knobs->prefault || storm_uses(knobs, "vcpu")))
		return fail(why, -EINVAL, "prefault and user 'vcpu' need a vCPU: set vcpus");
	if (storm_uses(knobs, "direct") && *knobs->directory != '/')
		return fail(why, -EINVAL, "directory '%s' is no absolute path", knobs->directory);
	return storm_uses(knobs, "dma") ? dma_check_name("device", knobs->device, why) : 0;
}

/**
 * storm_knobs_read - convert checked arguments to knobs
 * @seed:  of the trial
 * @knobs: receives them; their texts are those of @arguments; storm_knobs_release()
 *
 * Return: 0, or -EINVAL with the reason.
 */
int storm_knobs_read(const json_t *arguments, uint64_t seed, struct storm_knobs *knobs,
		     struct reason *why)
{
	int error = check_values(arguments, why);

	if (error)
		return error;
	*knobs = (struct storm_knobs){
		.vms = (unsigned int)param_number(arguments, "vms"),
		.converters = (unsigned int)param_number(arguments, "converters"),
		.most = param_number(arguments, "range") / GMEM_PAGE_SIZE,
		.align = param_number(arguments, "align") / GMEM_PAGE_SIZE,
		.powers = process_choice(arguments, "sizes", sizes) == 1,
		.overlap = param_bool(arguments, "overlap"),
		.discard_first = process_choice(arguments, "order", orders) == 1,
		.allocate = param_bool(arguments, "allocate"),
		.prefault = param_bool(arguments, "prefault"),
		.check = param_bool(arguments, "check"),
		.signals = param_bool(arguments, "signals"),
		.meanwhile = param_bool(arguments, "meanwhile"),
		.by_guest = (unsigned int)param_number(arguments, "by-guest"),
		.discard = (unsigned int)process_choice(arguments, "discard", discards),
		.touchers = (unsigned int)param_number(arguments, "touchers"),
		.rollback = (enum storm_rollback)process_choice(arguments, "rollback", rollbacks),
		.faults = read_set(arguments, "faults", storm_fault_names),
		.fault_every = param_number(arguments, "fault-every"),
		.judged = read_set(arguments, "judge", storm_exit_names),
		.operations = param_number(arguments, "operations"),
		.stall_ns = param_duration_ns(arguments, "stall"),
		.plant = (enum storm_plant)process_choice(arguments, "plant", plants),
		.seed = param_given(arguments, "seed") ? param_number(arguments, "seed") : seed,
		.directory = param_text(arguments, "directory"),
		.device = param_text(arguments, "device"),
		.iommu = (unsigned int)process_choice(arguments, "iommu", dma_iommu_names),
	};
	read_shape(arguments, &knobs->shape);
	if (param_given(arguments, "duration"))
		knobs->duration_ns = param_duration_ns(arguments, "duration");
	else if (!knobs->operations)
		knobs->duration_ns = DEFAULT_DURATION_NS;
	if (!gmem_has_sides(&knobs->shape))
		knobs->by_guest = 0;
	error = read_users(arguments, knobs, why) ?: read_only(arguments, knobs, why)
						  ?: check_sizes(knobs, why)
						  ?: check_together(knobs, why)
						  ?: check_effects(knobs, why);
	if (error)
		storm_knobs_release(knobs);
	return error;
}

/** storm_knobs_release - free what storm_knobs_read() allocated; the structure is the caller's */
void storm_knobs_release(struct storm_knobs *knobs)
{
	free(knobs->only);
	knobs->only = NULL;
}
