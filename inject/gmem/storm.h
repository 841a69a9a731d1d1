/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_GMEM_STORM_H
#define BRINELL_GMEM_STORM_H

#include "harness/lib/param.h"
#include "inject/gmem/kernel.h"

#define STORM_VMS 8
#define STORM_CONVERTERS 8
#define STORM_USERS 12
/* Violations that are reported one by one; the rest is counted. */
#define STORM_SHOWN 16
/* Numbers of errors, up to EHWPOISON. */
#define STORM_ERRORS 134
/* Sizes of ranges that are powers of two pages: 4 KiB to 1 GiB. */
#define STORM_SIZES 19

/* Where the IOMMU maps the pages of the user dma: below the 256 MiB that QEMU's edu reaches. */
#define GMEM_DMA_IOVA 0x4000000ull
#define GMEM_DMA_PAGES 16384u

/**
 * enum storm_rollback - what the VMM does for users that released a range when its conversion fails
 * @ROLLBACK_GOOD:  each of them reacquires the range
 * @ROLLBACK_NONE:  nothing: a defect that the oracle must find
 * @ROLLBACK_FAILS: the last one that released it fails to reacquire it
 */
enum storm_rollback {
	ROLLBACK_GOOD,
	ROLLBACK_NONE,
	ROLLBACK_FAILS,
};

/* Bit set: sides whose memory a conversion discards. */
#define DISCARD_SHARED 1u
#define DISCARD_PRIVATE 2u

/**
 * enum storm_fault - faults between or during conversions
 * @FAULT_SLOT:   the memory slot is deleted and made again
 * @FAULT_REOPEN: guest_memfd is closed while it is bound
 * @FAULT_REBUILD: the VM with its vCPUs is closed and made again
 * @FAULT_LOG:    dirty logging of a sibling slot
 * @FAULT_POISON: a page is poisoned by corrupt-pfn, and freed
 * @FAULT_SOFT_OFFLINE: a page is soft-offlined
 * @FAULT_MEMORY_LIMIT: private memory is allocated at the limit of the memory cgroup
 * @FAULT_KILL_VCPU: a process that runs a vCPU is killed, and no other thread
 * @FAULT_POISON_PRIVATE: a private page is poisoned by corrupt-pfn, and freed
 * @FAULT_FAILSLAB: each allocation of a conversion fails in turn
 * @FAULT_FAIL_FUNCTION: each call of __filemap_add_folio() in an allocation fails in turn
 */
enum storm_fault {
	FAULT_SLOT,
	FAULT_REOPEN,
	FAULT_REBUILD,
	FAULT_LOG,
	FAULT_POISON,
	FAULT_SOFT_OFFLINE,
	FAULT_MEMORY_LIMIT,
	FAULT_KILL_VCPU,
	FAULT_POISON_PRIVATE,
	FAULT_FAILSLAB,
	FAULT_FAIL_FUNCTION,
	FAULT_COUNT,
};

extern const char *const storm_fault_names[];

/**
 * enum storm_plant - a defect of the engine itself, for tests of the oracle and of the shrinker
 * @PLANT_MODEL:   the model has a page as private that no conversion made private
 * @PLANT_PAYLOAD: the payload expects the previous generation on a page
 * @PLANT_CRASH:   the payload ends in a triple fault at each check
 * @PLANT_LEAK:    a VM remains after the end of the storm
 */
enum storm_plant {
	PLANT_NONE,
	PLANT_MODEL,
	PLANT_PAYLOAD,
	PLANT_CRASH,
	PLANT_LEAK,
};

/**
 * enum storm_exit - ways in which KVM_RUN is known to fail although it should not
 * @EXIT_LIMIT: EFAULT while memory is at the limit of the memory cgroup
 * @EXIT_STALE: KVM_EXIT_MEMORY_FAULT because of a conversion beside it
 */
enum storm_exit {
	EXIT_LIMIT,
	EXIT_STALE,
	EXIT_COUNT,
};

extern const char *const storm_exit_names[];

struct dma_function;

/**
 * struct storm_knobs - parameters of a storm; together with @seed they determine every operation
 * @shape:      of each VM
 * @converters: threads that convert at the same time
 * @most:       largest conversion, in pages; @align: of its start and size, in pages
 * @powers:     the size of each range is a power of two times @align, and the cost of each size is measured
 * @overlap:    the converters of a VM share its pages; in each round all convert in the same direction
 * @by_guest:   percentage of conversions that a guest requests
 * @discard, @discard_first, @allocate, @prefault, @touchers: of each conversion
 * @refuse:     percentage of announcements that @refuser refuses; @refuser: index of a user, -1: none
 * @rollback:   see the enum; @faults: bit set of enum storm_fault; @fault_every: rounds per fault
 * @meanwhile:  the other converters and the touchers continue during a fault
 * @judged:     bit set of enum storm_exit: those that are violations; the others are counted
 * @operations: number of operations; 0: until @duration_ns has passed
 * @stall_ns:   time without progress that counts as a hang
 * @only, @only_count: numbers of the operations to execute, ascending; NULL: all
 * @check:      users are checked after each operation
 * @signals:    a timer interrupts the converters
 * @plant:      defect of the engine itself
 * @users:      names, in the order of announcements
 * @directory:  of the file of the user direct; @device: of the user dma, as for dma_find()
 * @iommu:      enum dma_iommu of the user dma
 * @function:   device of the user dma, unbound from its driver; borrowed; NULL: none
 */
struct storm_knobs {
	struct gmem_shape shape;
	unsigned int vms, converters;
	uint64_t most, align;
	bool powers, overlap, discard_first, allocate, prefault, check, signals, meanwhile;
	unsigned int by_guest, discard, touchers;
	unsigned int refuse;
	int refuser;
	enum storm_rollback rollback;
	unsigned int faults, judged;
	uint64_t fault_every;
	uint64_t operations;
	int64_t duration_ns, stall_ns;
	uint64_t *only;
	size_t only_count;
	enum storm_plant plant;
	uint64_t seed;
	const char *users[STORM_USERS];
	size_t user_count;
	const char *directory, *device;
	unsigned int iommu;
	const struct dma_function *function;
};

/**
 * struct storm_operation - one operation of the schedule
 * @fault: enum storm_fault, or -1 for a conversion
 */
struct storm_operation {
	uint64_t number;
	unsigned int vm, vcpu;
	struct gmem_range range;
	int fault;
	bool to_private, by_guest, refused, write_after;
};

/**
 * enum storm_outcome - kind of a violation, on the conversion axis
 */
enum storm_outcome {
	OUTCOME_TORN,
	OUTCOME_CORRUPTED,
	OUTCOME_BROKEN,
};

/**
 * struct storm_counts - counts so far, in memory that the watchdog shares
 * @refused:  conversions that failed, of users or of the kernel
 * @torn, @corrupted, @broken: violations; @broken: operations that failed for an unexpected reason
 * @errors:   of the kernel's calls, by errno
 * @checked:  pages that users compared
 * @faults:   rounds with a fault; @occurred: faults that occurred, by kind: not those without a suitable page, nor those that the kernel refused
 * @touched:  pages that touchers read
 * @exits:    known failures of KVM_RUN, by kind; those that are judged are not counted
 * @cost_ns, @cost_least_ns, @cost_count: for conversions of 1, 2, 4, ... pages that changed at least one: total time in the kernel, shortest, number
 * @stop:     set to end storm_run() after the current round
 */
struct storm_counts {
	uint64_t operations, converted, refused, by_guest, pages, faults, checked;
	uint64_t torn, corrupted, broken, touched;
	uint64_t exits[EXIT_COUNT];
	uint64_t occurred[FAULT_COUNT];
	uint64_t errors[STORM_ERRORS];
	uint64_t cost_ns[STORM_SIZES], cost_least_ns[STORM_SIZES], cost_count[STORM_SIZES];
	uint64_t rss_kib;
	bool stop;
};

/**
 * struct storm_violation - a difference between a user's data and the model
 * @operation: after which it was found
 * @user:      name
 */
struct storm_violation {
	enum storm_outcome outcome;
	uint64_t operation, page;
	unsigned int vm;
	char user[16];
	char text[160];
};

/* Receives a violation, with the @context of the storm. */
typedef void (*storm_violation_fn)(void *context, const struct storm_violation *violation);

struct storm;

int storm_open(struct storm **storm, const struct storm_knobs *knobs,
	       const struct gmem_kernel *kernel, struct storm_counts *counts,
	       storm_violation_fn report, void *context, struct reason *why);
int storm_run(struct storm *storm, struct reason *why);
void storm_close(struct storm *storm);

/* knobs.c */
extern const struct param storm_params[];
int storm_knobs_read(const json_t *arguments, uint64_t seed, struct storm_knobs *knobs,
		     struct reason *why);
void storm_knobs_release(struct storm_knobs *knobs);
bool storm_uses(const struct storm_knobs *knobs, const char *user);

static inline bool storm_has(const struct storm_knobs *knobs, enum storm_fault fault)
{
	return knobs->faults >> fault & 1;
}

static inline bool storm_judges(const struct storm_knobs *knobs, enum storm_exit kind)
{
	return knobs->judged >> kind & 1;
}

/* schedule.c */
void storm_plan(const struct storm_knobs *knobs, uint64_t number,
		struct storm_operation *operation);

#endif
