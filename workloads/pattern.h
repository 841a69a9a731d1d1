/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_WORKLOADS_PATTERN_H
#define BRINELL_WORKLOADS_PATTERN_H

#include "harness/host/process.h"
#include "workloads/workload.h"

#define PATTERN_PAGE 4096
#define PATTERN_LINE 64
#define PATTERN_LINES (PATTERN_PAGE / PATTERN_LINE)
#define PATTERN_WORDS (PATTERN_LINE / 8)
/* Page numbers have 40 bits in the pattern. */
#define PATTERN_PAGES_MAX (1ull << 40)

/**
 * enum pattern_fault - what is wrong with a page
 * @PATTERN_WRONG_BYTE:  some bytes of a line that is otherwise what was written
 * @PATTERN_STALE:       an older generation of the same page
 * @PATTERN_NEWER:       a generation of the same page that was not written yet
 * @PATTERN_FOREIGN:     a line of another page, or of another pattern
 * @PATTERN_ZERO:        zeros
 * @PATTERN_GARBAGE:     none of these
 * @PATTERN_BOOKKEEPING: the two copies of the verifier's own table differ: nothing is known about the page
 */
enum pattern_fault {
	PATTERN_INTACT,
	PATTERN_WRONG_BYTE,
	PATTERN_STALE,
	PATTERN_NEWER,
	PATTERN_FOREIGN,
	PATTERN_ZERO,
	PATTERN_GARBAGE,
	PATTERN_BOOKKEEPING,
	PATTERN_FAULTS,
};

/**
 * struct pattern - memory in which every line contains its place and generation
 * @base:    page-aligned
 * @pages:   of 4 KiB
 * @seed:    distinguishes two patterns
 * @written: generation of each page; in a mapping of its own
 * @guard:   the complement of @written, in another mapping: damage to a table itself is detected
 */
struct pattern {
	unsigned char *base;
	size_t pages;
	uint32_t seed;
	uint32_t *written;
	uint32_t *guard;
};

/**
 * struct pattern_mismatch - content found instead of a page
 * @page:   its number
 * @offset: of the first wrong byte in it
 * @lines:  how many of its lines are wrong
 * @bits:   wrong bits in the first wrong line
 * @expected_generation, @found_generation: the latter as read from the line
 * @found_page, @found_seed: as read from the line, for PATTERN_FOREIGN
 * @expected, @found: the first wrong word
 */
struct pattern_mismatch {
	enum pattern_fault fault;
	uint64_t page;
	uint32_t offset;
	uint32_t lines;
	uint32_t bits;
	uint32_t expected_generation, found_generation;
	uint32_t found_seed;
	uint64_t found_page;
	uint64_t expected, found;
};

extern const char *const pattern_fault_names[PATTERN_FAULTS];

uint32_t pattern_seed(uint64_t seed);
void pattern_line(uint64_t words[static PATTERN_WORDS], uint32_t seed, uint64_t page,
		  uint32_t generation, unsigned int line);
void pattern_fill(void *bytes, uint32_t seed, uint64_t page, uint32_t generation);
int pattern_open(struct pattern *pattern, void *base, size_t size, uint64_t seed);
void pattern_close(struct pattern *pattern);
void pattern_write(struct pattern *pattern, size_t page);
size_t pattern_verify(const struct pattern *pattern, size_t first, size_t count);
enum pattern_fault pattern_examine(const struct pattern *pattern, size_t page,
				   struct pattern_mismatch *mismatch);

enum pattern_backing {
	BACKING_ANONYMOUS,
	BACKING_THP,
	BACKING_SHARED,
};

/**
 * enum pattern_place - page under fault
 * @PLACE_NUMBER:  that of this number
 * @PLACE_LOWEST:  that of the lowest physical address: a migration sends it first
 * @PLACE_HIGHEST: that of the highest one: it is sent last
 * @PLACE_MIDDLE:  the one in the middle of the memory
 */
enum pattern_place {
	PLACE_NUMBER,
	PLACE_LOWEST,
	PLACE_HIGHEST,
	PLACE_MIDDLE,
};

/**
 * struct pattern_options - options of the process that owns the pattern
 * @size:        bytes
 * @seed:        of the pattern and of the random order
 * @dirty_rate:  pages rewritten per second
 * @verify_rate: pages verified per second; 0: no limit
 * @continuous:  verify without requests
 * @random:      order of writing
 * @lock:        mlock(2)
 * @place:       how the page that the facts name is chosen
 * @victim:      its number, unless it depends on the memory
 * @spare_victim: it is written once, and never again
 * @interval_ns: between two reports of totals
 * @shown:       how many mismatches and signals are reported individually
 * @mce_kill:    prctl(PR_MCE_KILL)
 */
struct pattern_options {
	enum pattern_backing backing;
	uint64_t size;
	uint64_t seed;
	uint64_t dirty_rate, verify_rate;
	bool continuous, random, lock, spare_victim;
	enum pattern_place place;
	uint64_t victim;
	int64_t interval_ns;
	uint64_t shown;
	int mce_kill;
};

enum pattern_request {
	PATTERN_VERIFY = 'V',
	PATTERN_QUIT = PROCESS_QUIT,
};

enum pattern_report_kind {
	PATTERN_MISMATCH = PROCESS_OWN,
	PATTERN_TOTALS,
	PATTERN_VERIFIED,
};

/**
 * struct pattern_totals - since the start
 * @passes:  complete passes of the verifier
 * @found:   mismatches by kind; a page counts once for each time that it was written
 * @lost:    pages that can no longer be read, by a signal of the kernel
 * @unreported:  reports that were dropped because the agent did not read them in time
 */
struct pattern_totals {
	uint64_t verified, written, passes;
	uint64_t found[PATTERN_FAULTS];
	uint64_t lost, unreported;
};

/** struct pattern_report - report of the process, one packet */
struct pattern_report {
	struct process_report base;
	uint64_t pfn, region;
	struct pattern_mismatch mismatch;
	struct pattern_totals totals;
};

void pattern_process(int socket, const void *options) __attribute__((noreturn));

#endif
