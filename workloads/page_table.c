// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page table of this process, and its frame. No interface names the frame: it is the one that becomes a page table when
 * the process needs one more.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#include "harness/host/frames.h"
#include "workloads/memory.h"

#define TABLE_SPAN (2ul << 20)
#define DIRECTORY_SPAN (1ul << 30)
#define TABLES 512
#define TABLES_TO_AIM 32
/* Number of frames that are polled, to tell page tables of this process from those of others. */
#define AREA 32768
#define EVERYWHERE ((struct frame_set){0})
/* More pages than the kernel flushes one by one (arch/x86/mm/tlb.c, tlb_single_page_flush_ceiling). */
#define FLUSH_PAGES 256

/* Touches the first page of each of several spans, each of which needs a page table. Return: the new page tables in a range. */
static int make_tables(struct page_table *table, size_t count, struct frame_set range,
		       struct frame_set *before, struct frame_set *after, struct reason *why)
{
	int error = frame_set_take(before, FRAME_PGTABLE, range, why);

	for (size_t i = 0; !error && i < count; i++) {
		table->page = table->spans + table->tables++ * TABLE_SPAN;
		memory_fill_page(table->page, MEMORY_VICTIM_PAGE);
	}
	return error ?: frame_set_take(after, FRAME_PGTABLE, range, why);
}

/* The range with most of the new page tables. */
static int aim(struct page_table *table, struct frame_set *range, struct reason *why)
{
	struct frame_set before = {0}, after = {0};
	uint64_t best = 0;
	int error = make_tables(table, TABLES_TO_AIM, EVERYWHERE, &before, &after, why);

	for (uint64_t first = 0; !error && first < after.count; first += AREA) {
		uint64_t number = 0;

		for (uint64_t pfn = first; pfn < first + AREA; pfn++)
			number += frame_set_has(&after, pfn) && !frame_set_has(&before, pfn);
		if (number <= best)
			continue;
		best = number;
		*range = (struct frame_set){.first = first, .count = AREA};
	}
	frame_set_release(&before);
	frame_set_release(&after);
	if (!error && !best)
		error = fail(why, -ENOTSUP,
			     "/proc/kpageflags shows no new page table (KPF_PGTABLE; it takes "
			     "CAP_SYS_ADMIN, and Linux 4.18)");
	return error;
}

/*
 * A new page table in that range is ours if this happens twice in succession: few frames are polled, so that another process
 * is unlikely to allocate one in both intervals.
 */
static int pick_table(struct page_table *table, struct frame_set range, struct reason *why)
{
	unsigned int alone = 0, elsewhere = 0;

	while (alone < 2 && elsewhere < 8 && table->tables < TABLES) {
		struct frame_set before = {0}, after = {0};
		uint64_t fresh;
		int error = make_tables(table, 1, range, &before, &after, why);

		if (error)
			return error;
		table->pfn = frame_set_new(&before, &after, &fresh);
		frame_set_release(&before);
		frame_set_release(&after);
		alone = fresh == 1 ? alone + 1 : 0;
		elsewhere = fresh ? 0 : elsewhere + 1;
	}
	return alone < 2 ? -EAGAIN : 0;
}

/**
 * page_table_make - make a page table of this process, and find out which frame it is in
 * @table: receives it; exists until the process ends
 * @why:   reason of a failure
 *
 * Return: 0, -ENOTSUP when the kernel hides frames, -EAGAIN when other processes allocate too many at the same time.
 */
int page_table_make(struct page_table *table, struct reason *why)
{
	unsigned char *memory = memory_map_sparse(2 * DIRECTORY_SPAN);
	struct frame_set range = {0};
	cpu_set_t before, here;
	int error = -EAGAIN;

	*table = (struct page_table){.flush = memory_map_sparse(FLUSH_PAGES * MEMORY_PAGE)};
	if (!memory || !table->flush)
		return fail_errno(why, -errno, "mmap of 2 GiB of addresses");
	memset(table->flush, 1, FLUSH_PAGES * MEMORY_PAGE);
	/* Free pages are cached for each processor (pcp lists). */
	CPU_ZERO(&here);
	CPU_SET((size_t)sched_getcpu(), &here);
	(void)sched_getaffinity(0, sizeof(before), &before);
	(void)sched_setaffinity(0, sizeof(here), &here);
	table->spans =
		(unsigned char *)(((uintptr_t)memory + DIRECTORY_SPAN - 1) & -DIRECTORY_SPAN);
	while (error == -EAGAIN && table->tables + TABLES_TO_AIM < TABLES) {
		error = aim(table, &range, why) ?: pick_table(table, range, why);
	}
	(void)sched_setaffinity(0, sizeof(before), &before);
	return error != -EAGAIN ? error
				: fail(why, error,
				       "other processes allocate too many page tables to identify "
				       "one of this process");
}

/** page_table_flush - flush the TLB and the paging-structure caches, so that the processor walks the page tables again */
int page_table_flush(const struct page_table *table)
{
	size_t size = FLUSH_PAGES * MEMORY_PAGE;

	return mprotect(table->flush, size, PROT_READ) < 0 ||
			       mprotect(table->flush, size, PROT_READ | PROT_WRITE) < 0
		       ? -errno
		       : 0;
}
