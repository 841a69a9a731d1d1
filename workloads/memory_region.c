// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pages of a memory victim: each kind is mapped, filled with a self-describing pattern, and verified to be of its
 * kind.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#include "harness/host/machine.h"
#include "harness/host/frames.h"
#include "workloads/memory.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MAP_HUGE_2MB
#define MAP_HUGE_2MB (21 << 26)
#endif

/** memory_word - content of word @word (of 8 bytes) of page @number, which is unique */
uint64_t memory_word(uint64_t number, size_t word)
{
	uint64_t value = 0x6272696e656c6cull << 8 ^ number << 20 ^ (uint64_t)word << 3;

	value *= 0x9e3779b97f4a7c15ull;
	return (value ^ value >> 29) | 1;
}

/** memory_code_value - return value of the function in line @line of a page of code */
uint32_t memory_code_value(uint64_t number, size_t line)
{
	return (uint32_t)(memory_word(number, line * (MEMORY_LINE / 8)) >> 8);
}

/** memory_fill_page - fill 4096 bytes with the pattern of page @number */
void memory_fill_page(void *page, uint64_t number)
{
	uint64_t *words = page;

	for (size_t i = 0; i < MEMORY_PAGE / sizeof(*words); i++)
		words[i] = memory_word(number, i);
}

/** memory_fill_code - fill 4096 bytes with a function a line that returns memory_code_value() */
void memory_fill_code(void *page, uint64_t number)
{
	unsigned char *code = page;

	/* mov eax, imm32; ret; int3 to the end of the line */
	memset(code, 0xcc, MEMORY_PAGE);
	for (size_t line = 0; line < MEMORY_PAGE / MEMORY_LINE; line++) {
		uint32_t value = memory_code_value(number, line);

		code[line * MEMORY_LINE] = 0xb8;
		memcpy(code + line * MEMORY_LINE + 1, &value, sizeof(value));
		code[line * MEMORY_LINE + 5] = 0xc3;
	}
}

/**
 * memory_compare - compare words with the written content
 * @bytes:  first of them
 * @number: of their page
 * @first:  number of the first word in its page
 * @words:  how many
 */
enum memory_data memory_compare(const void *bytes, uint64_t number, size_t first, size_t words)
{
	bool intact = true, zero = true;

	for (size_t i = 0; i < words; i++) {
		uint64_t word;

		memcpy(&word, (const char *)bytes + i * sizeof(word), sizeof(word));
		intact = intact && word == memory_word(number, first + i);
		zero = zero && word == 0;
	}
	return intact ? DATA_INTACT : zero ? DATA_ZERO : DATA_OTHER;
}

/** memory_touch_fits - whether a kind of page can be touched in a way; @why names the alternatives */
bool memory_touch_fits(enum memory_page page, enum memory_touch touch, struct reason *why)
{
	bool code = page == PAGE_INSTRUCTION;
	bool shared = page == PAGE_SHARED || page == PAGE_FILE_CLEAN || page == PAGE_FILE_DIRTY ||
		      page == PAGE_TMPFS;

	if (touch == TOUCH_NONE)
		return true;
	if (code != (touch == TOUCH_EXECUTE)) {
		fail(why, -EINVAL, "'touch: execute' and 'page: instruction' require each other");
		return false;
	}
	if (touch == TOUCH_COPYOUT && page != PAGE_FILE_CLEAN && page != PAGE_FILE_DIRTY &&
	    page != PAGE_TMPFS) {
		fail(why, -EINVAL,
		     "'touch: copyout' reads a file: use page file-clean, file-dirty or tmpfs");
		return false;
	}
	if (touch == TOUCH_COPY_ON_WRITE && shared) {
		fail(why, -EINVAL,
		     "'touch: copy-on-write' needs memory that fork(2) shares until it is written: "
		     "use page anonymous, thp, hugetlb or mlocked");
		return false;
	}
	return true;
}

static void *map(size_t size, int protection, int flags, int fd)
{
	void *memory = mmap(NULL, size, protection, flags, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* Pages of 4 KiB, each allocated when it is touched; NULL: there is no room. */
void *memory_map_sparse(size_t size)
{
	void *memory =
		map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);

	if (memory)
		(void)madvise(memory, size, MADV_NOHUGEPAGE);
	return memory;
}

static void fill(struct memory_region *region, uint64_t first)
{
	for (size_t at = 0; at < region->size; at += MEMORY_PAGE)
		memory_fill_page(region->base + at, first + at / MEMORY_PAGE);
}

static int make_anonymous(struct memory_region *region, int flags, struct reason *why)
{
	region->size = MEMORY_PAGES * MEMORY_PAGE;
	region->base = map(region->size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1);
	if (!region->base)
		return fail_errno(why, -errno, "mmap of %zu bytes", region->size);
	(void)madvise(region->base, region->size, MADV_NOHUGEPAGE);
	fill(region, 0);
	return 0;
}

static bool is_huge_frame(uint64_t pfn)
{
	uint64_t flags;

	return pfn && machine_page_flags(pfn, &flags) == 0 && flags >> PAGE_FLAG_THP & 1;
}

static int make_thp(struct memory_region *region, struct reason *why)
{
	unsigned char *memory =
		map(2 * MEMORY_HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	if (!memory)
		return fail_errno(why, -errno, "mmap of 4 MiB");
	region->base =
		(unsigned char *)(((uintptr_t)memory + MEMORY_HUGE - 1) & -(uintptr_t)MEMORY_HUGE);
	region->size = region->page_size = MEMORY_HUGE;
	if (madvise(region->base, region->size, MADV_HUGEPAGE) < 0)
		return fail(why, -ENOTSUP,
			    "madvise(MADV_HUGEPAGE): %s; this kernel has no transparent huge pages "
			    "(CONFIG_TRANSPARENT_HUGEPAGE)",
			    strerror(errno));
	fill(region, 0);
	if (!is_huge_frame(frame_of(region->base))) {
		(void)madvise(region->base, region->size, MADV_COLLAPSE);
		if (!is_huge_frame(frame_of(region->base)))
			return fail(
				why, -ENOTSUP,
				"the kernel gave no transparent huge page; see "
				"/sys/kernel/mm/transparent_hugepage/enabled, and whether memory "
				"is fragmented (only root can see that)");
	}
	return 0;
}

static int make_hugetlb(struct memory_region *region, struct reason *why)
{
	region->size = region->page_size = MEMORY_HUGE;
	region->base = map(region->size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB, -1);
	if (!region->base)
		return fail(why, -ENOTSUP, "mmap of a huge page of 2 MiB: %s", strerror(errno));
	fill(region, 0);
	return 0;
}

/* Page cache without a disk is never clean, and the kernel cannot read it again. */
static bool is_on_disk(const char *directory)
{
	struct statfs status;

	return statfs(directory, &status) == 0 && status.f_type != TMPFS_MAGIC &&
	       status.f_type != RAMFS_MAGIC;
}

static const char *disk_directory(const char *given)
{
	static const char *const places[] = {"/var/tmp", "/tmp", "/root", "/"};

	if (given)
		return is_on_disk(given) ? given : NULL;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (is_on_disk(places[i]) && access(places[i], W_OK) == 0)
			return places[i];
	return NULL;
}

static int open_file(const char *given, struct reason *why)
{
	const char *directory = disk_directory(given);
	__cleanup_free char *path = NULL;
	struct reason reason;
	int fd;

	if (!directory && !given) {
		fd = loop_disk_open(MEMORY_PAGES * MEMORY_PAGE, &reason);
		return fd >= 0 ? fd
			       : fail(why, -ENOTSUP,
				      "no directory for temporary files is on a disk, and a "
				      "page of the page cache needs one that it can be read from "
				      "again; name a directory with 'directory' (%s)",
				      reason.text);
	}
	if (!directory)
		return fail(why, -ENOTSUP,
			    "%s is on no disk: a page of the page cache needs a file system that "
			    "can read it again; name another with 'directory'",
			    given);
	path = format_text("%s/brinell-victim.XXXXXX", directory);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return fail_errno(why, -errno, "make a file in %s", directory);
	unlink(path);
	return fd;
}

/* Writes pages with the numbers from @first into the file. */
static int write_pages(int fd, uint64_t first, bool code, struct reason *why)
{
	for (size_t i = 0; i < MEMORY_PAGES; i++) {
		unsigned char page[MEMORY_PAGE];

		if (code)
			memory_fill_code(page, first + i);
		else
			memory_fill_page(page, first + i);
		if (pwrite(fd, page, sizeof(page), (off_t)(i * MEMORY_PAGE)) != sizeof(page))
			return fail(why, -EIO, "write the victim's file: %s", strerror(errno));
	}
	return 0;
}

static int map_file(struct memory_region *region, int protection, int flags, struct reason *why)
{
	volatile unsigned char *byte;

	region->size = MEMORY_PAGES * MEMORY_PAGE;
	region->base = map(region->size, protection, flags, region->fd);
	if (!region->base)
		return fail_errno(why, -errno, "mmap of the victim's file");
	for (byte = region->base; byte < region->base + region->size; byte += MEMORY_PAGE)
		(void)*byte;
	return 0;
}

static int make_file(struct memory_region *region, const struct memory_options *options,
		     struct reason *why)
{
	bool code = options->page == PAGE_INSTRUCTION;
	bool dirty = options->page == PAGE_FILE_DIRTY;
	int error;

	region->fd = open_file(options->directory, why);
	if (region->fd < 0)
		return region->fd;
	/* An older generation on disk distinguishes data that was read again from data that was kept. */
	error = write_pages(region->fd, dirty ? 1u << 20 : 0, code, why);
	if (!error && fsync(region->fd) < 0)
		error = fail_errno(why, -errno, "fsync the victim's file");
	if (!error && dirty)
		error = write_pages(region->fd, 0, false, why);
	if (error)
		return error;
	return map_file(region, code ? PROT_READ | PROT_EXEC : PROT_READ | PROT_WRITE,
			code ? MAP_PRIVATE : MAP_SHARED, why);
}

static int make_tmpfs(struct memory_region *region, struct reason *why)
{
	region->fd = memfd_create("brinell-victim", MFD_CLOEXEC);
	if (region->fd < 0)
		return fail_errno(why, -errno, "memfd_create");
	return write_pages(region->fd, 0, false, why)
		       ?: map_file(region, PROT_READ | PROT_WRITE, MAP_SHARED, why);
}

static int make_kind(const struct memory_options *options, struct memory_region *region,
		     struct reason *why)
{
	int error;

	switch (options->page) {
	case PAGE_THP:
		return make_thp(region, why);
	case PAGE_HUGETLB:
		return make_hugetlb(region, why);
	case PAGE_SHARED:
		return make_anonymous(region, MAP_SHARED, why);
	case PAGE_MLOCKED:
		error = make_anonymous(region, MAP_PRIVATE, why);
		if (!error && mlock(region->base, region->size) < 0)
			error = fail_errno(why, -errno, "mlock of %zu bytes", region->size);
		return error;
	case PAGE_FILE_CLEAN:
	case PAGE_FILE_DIRTY:
	case PAGE_INSTRUCTION:
		return make_file(region, options, why);
	case PAGE_TMPFS:
		return make_tmpfs(region, why);
	default:
		return make_anonymous(region, MAP_PRIVATE, why);
	}
}

/**
 * memory_region_make - map and fill the memory of a victim
 * @options: which kind, and the offset of the line in its page
 * @region:  receives it; mapped until the process ends
 * @why:     reason of a failure
 *
 * Return: 0, -ENOTSUP if this machine has no such pages, or -errno.
 */
int memory_region_make(const struct memory_options *options, struct memory_region *region,
		       struct reason *why)
{
	struct memory_region canary = {.fd = -1};
	int error;

	*region = (struct memory_region){.page_size = MEMORY_PAGE, .fd = -1};
	error = make_kind(options, region, why) ?: make_anonymous(&canary, MAP_PRIVATE, why);
	if (error)
		return error;
	fill(&canary, MEMORY_CANARY);
	region->canary = canary.base;
	region->file_at = MEMORY_VICTIM_PAGE * MEMORY_PAGE;
	region->victim = region->base + MEMORY_VICTIM_PAGE * MEMORY_PAGE;
	region->line = region->victim + options->offset;
	return 0;
}
