/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_WORKLOADS_MEMORY_H
#define BRINELL_WORKLOADS_MEMORY_H

#include "harness/host/process.h"
#include "workloads/workload.h"

#define MEMORY_LINE 64
#define MEMORY_PAGE 4096
#define MEMORY_HUGE (2u << 20)
#define MEMORY_PAGES 16
#define MEMORY_VICTIM_PAGE 8
#define MEMORY_CANARY (1u << 24)

enum memory_page {
	PAGE_ANONYMOUS,
	PAGE_THP,
	PAGE_HUGETLB,
	PAGE_SHARED,
	PAGE_MLOCKED,
	PAGE_FILE_CLEAN,
	PAGE_FILE_DIRTY,
	PAGE_TMPFS,
	PAGE_INSTRUCTION,
};

enum memory_touch {
	TOUCH_LOAD,
	TOUCH_STORE,
	TOUCH_EXECUTE,
	TOUCH_COPYIN,
	TOUCH_COPYOUT,
	TOUCH_COPY_ON_WRITE,
	TOUCH_THREADS,
	TOUCH_PREFETCH,
	TOUCH_UNALIGNED,
	TOUCH_MEMCPY,
	TOUCH_FUTEX,
	TOUCH_FULL_STORE,
	TOUCH_NONE,
	/* Only on request: the whole page with new content, so that a load finds an older one. */
	TOUCH_REWRITE,
};

/** struct memory_options - options of a victim */
struct memory_options {
	enum memory_page page;
	enum memory_touch touch;
	bool handler;
	int mce_kill;
	uint64_t offset;
	const char *directory;
};

/**
 * struct memory_region - the memory of a victim
 * @base:      of the region, in this process
 * @size:      in bytes
 * @victim:    the 4 KiB page under fault
 * @line:      the line in it under fault
 * @page_size: of the mapping: 4096, or 2 MiB
 * @canary:    MEMORY_PAGES other pages, which must stay intact
 * @fd:        of the file behind the region, or -1
 * @file_at:   offset of @victim in that file
 */
struct memory_region {
	unsigned char *base;
	size_t size;
	unsigned char *victim;
	unsigned char *line;
	size_t page_size;
	unsigned char *canary;
	int fd;
	off_t file_at;
};

enum memory_request {
	REQUEST_TOUCH = 'T',
	REQUEST_LOAD = 'L',
	REQUEST_REWRITE = 'W',
	REQUEST_MADVISE_HARD = 'H',
	REQUEST_MADVISE_SOFT = 'S',
	REQUEST_QUIT = PROCESS_QUIT,
};

enum memory_report_kind {
	REPORT_TOUCHED = PROCESS_OWN,
	REPORT_ERROR,
	REPORT_CORRUPTED,
	REPORT_CHECKED,
	REPORT_MEMBER_EXIT,
	REPORT_ANSWER,
};

enum memory_data {
	DATA_UNREAD,
	DATA_INTACT,
	DATA_ZERO,
	DATA_OTHER,
};

/**
 * struct memory_report - report of a victim, one packet; base.text is the reason of a failure
 * @call:    that failed; of a touch on request: its way
 * @elapsed_ns: of a signal: since the touch began; 0: no touch was under way
 */
struct memory_report {
	struct process_report base;
	enum memory_data data;
	int32_t member;
	int32_t status;
	uint64_t pfn;
	uint64_t page_size;
	uint64_t region;
	uint64_t region_size;
	uint64_t expected;
	uint64_t found;
	int64_t elapsed_ns;
	char call[24];
};

void memory_fill_page(void *page, uint64_t number);
void memory_fill_code(void *page, uint64_t number);
uint64_t memory_word(uint64_t number, size_t word);
uint32_t memory_code_value(uint64_t number, size_t line);
enum memory_data memory_compare(const void *bytes, uint64_t number, size_t first, size_t words);

void *memory_map_sparse(size_t size);
int memory_region_make(const struct memory_options *options, struct memory_region *region,
		       struct reason *why);
int loop_disk_open(size_t size, struct reason *why);
bool memory_touch_fits(enum memory_page page, enum memory_touch touch, struct reason *why);

void memory_victim(int socket, const void *options) __attribute__((noreturn));

#endif
