/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_HOST_FRAMES_H
#define BRINELL_HOST_FRAMES_H

#include "harness/lib/util.h"

#define FRAME_SIZE 4096

/* Bits of /proc/kpageflags (include/uapi/linux/kernel-page-flags.h). */
#define FRAME_SLAB 7
#define FRAME_BUDDY 10
#define FRAME_HWPOISON 19
#define FRAME_OFFLINE 23
#define FRAME_PGTABLE 26

uint64_t frame_of(const void *address);
int frames_of(const void *address, size_t count, uint64_t *pfns);

/**
 * struct frame_set - the frames of a range that have a flag
 * @bits:  one for each frame
 * @first: number of the first one
 * @count: how many, holes included
 */
struct frame_set {
	unsigned char *bits;
	uint64_t first;
	uint64_t count;
};

int frame_set_take(struct frame_set *set, unsigned int flag, struct frame_set range,
		   struct reason *why);
void frame_set_release(struct frame_set *set);
bool frame_set_has(const struct frame_set *set, uint64_t pfn);
uint64_t frame_set_new(const struct frame_set *before, const struct frame_set *after,
		       uint64_t *number);
uint64_t frame_set_middle_of_longest(const struct frame_set *set, uint64_t align, uint64_t *length);

/**
 * struct page_table - a page table of this process
 * @page:   a page of 4 KiB that is reached through it; memory_fill_page() of MEMORY_VICTIM_PAGE
 * @pfn:    the frame that the page table is in
 * @spans:  addresses, a page table for each 2 MiB of them; @tables of these are used
 * @flush:  pages for page_table_flush()
 */
struct page_table {
	unsigned char *page;
	uint64_t pfn;
	unsigned char *spans;
	size_t tables;
	unsigned char *flush;
};

int page_table_make(struct page_table *table, struct reason *why);
int page_table_flush(const struct page_table *table);

int kernel_text_frame(const char *symbol, uint64_t *pfn, uint64_t *address, struct reason *why);

#endif
