// SPDX-License-Identifier: GPL-2.0-only
/*
 * Translation of an address of a process, such as QEMU, to a page frame of the host
 * (Documentation/admin-guide/mm/pagemap.rst). Each step is checked, because a fault in a page of another process is worse
 * than none.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#include "harness/hypervisor/domain.h"

#define PAGE_BYTES 4096u
#define PAGEMAP_PRESENT (1ull << 63)
#define PAGEMAP_SWAPPED (1ull << 62)
#define PAGEMAP_PFN ((1ull << 55) - 1)
/* Swap entries: type, then offset. The highest types are not swap (include/linux/swap.h). */
#define SWAP_TYPE_BITS 5
#define SWAP_TYPE_SPECIAL 20u
/* include/uapi/linux/kernel-page-flags.h */
#define FLAG_HUGE (1ull << 17)
#define FLAG_HWPOISON (1ull << 19)
#define FLAG_TRANSPARENT_HUGE (1ull << 22)
#define FLAG_ZERO_PAGE (1ull << 24)

static int read_entry(const char *path, uint64_t index, uint64_t *entry, struct reason *why)
{
	char buffer[4096];
	__cleanup_close int fd = open(system_path(buffer, path), O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return fail_errno(why, -errno, "open %s", path);
	got = pread(fd, entry, sizeof(*entry), (off_t)(index * sizeof(*entry)));
	if (got < 0)
		return fail_errno(why, -errno, "read entry 0x%" PRIx64 " of %s", index, path);
	if (got != sizeof(*entry))
		return fail(why, -ENXIO, "%s has no entry 0x%" PRIx64 ": nothing is mapped there",
			    path, index);
	return 0;
}

/* Find the page size of the mapping at @address, by /proc/PID/smaps. */
static int find_page_size(pid_t pid, uint64_t address, uint64_t *size, struct reason *why)
{
	__cleanup_free char *path = format_text("/proc/%d/smaps", (int)pid);
	char buffer[4096], line[8192];
	__cleanup_file FILE *smaps = fopen(system_path(buffer, path), "re");
	bool inside = false;

	if (!smaps)
		return fail_errno(why, -errno, "open %s", path);
	while (fgets(line, sizeof(line), smaps)) {
		uint64_t begin, end, kilobytes;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &begin, &end) == 2)
			inside = address >= begin && address < end;
		else if (inside &&
			 sscanf(line, "KernelPageSize: %" SCNu64 " kB", &kilobytes) == 1) {
			*size = kilobytes << 10;
			return 0;
		}
	}
	return fail(why, -ENXIO, "%s has no mapping at 0x%" PRIx64, path, address);
}

/* The kernel replaces a poisoned page by a hwpoison entry, which has its frame. */
static void take_absence(struct host_page *page, uint64_t entry)
{
	uint64_t type = entry & ((1u << SWAP_TYPE_BITS) - 1);
	uint64_t frame = (entry & PAGEMAP_PFN) >> SWAP_TYPE_BITS, flags;

	if (!(entry & PAGEMAP_SWAPPED))
		return;
	page->swapped = type < SWAP_TYPE_SPECIAL;
	page->poisoned = !page->swapped && !read_entry("/proc/kpageflags", frame, &flags, NULL) &&
			 flags & FLAG_HWPOISON;
}

/**
 * host_page_find - find a page of a process in the memory of this machine
 * @pid:     the process
 * @address: in its address space
 * @page:    receives the location; a page that is not present is no error
 * @why:     reason of a failure
 *
 * Return: 0; -EPERM when the kernel hides page frames from this process; -EAGAIN when the page moved meanwhile; or another
 * -errno.
 */
int host_page_find(pid_t pid, uint64_t address, struct host_page *page, struct reason *why)
{
	__cleanup_free char *pagemap = format_text("/proc/%d/pagemap", (int)pid);
	uint64_t entry, again;
	int error = read_entry(pagemap, address / PAGE_BYTES, &entry, why);

	*page = (struct host_page){.page_size = PAGE_BYTES};
	if (error)
		return error;
	page->present = entry & PAGEMAP_PRESENT;
	if (!page->present) {
		take_absence(page, entry);
		return 0;
	}
	page->pfn = entry & PAGEMAP_PFN;
	if (!page->pfn)
		return fail(why, -EPERM,
			    "%s shows a present page without its frame: that needs "
			    "CAP_SYS_ADMIN; run the agent as root, in the first user namespace",
			    pagemap);
	error = read_entry("/proc/kpageflags", page->pfn, &page->flags, why);
	if (error)
		return error;
	page->flags_known = true;
	page->zero = page->flags & FLAG_ZERO_PAGE;
	page->poisoned = page->flags & FLAG_HWPOISON;
	page->huge = page->flags & (FLAG_HUGE | FLAG_TRANSPARENT_HUGE) && !page->zero;
	if (page->flags & FLAG_HUGE)
		error = find_page_size(pid, address, &page->page_size, why);
	if (!error)
		error = read_entry(pagemap, address / PAGE_BYTES, &again, why);
	if (error)
		return error;
	if ((again & (PAGEMAP_PRESENT | PAGEMAP_PFN)) != (entry & (PAGEMAP_PRESENT | PAGEMAP_PFN)))
		return fail(why, -EAGAIN,
			    "the page at 0x%" PRIx64 " of process %d moved while it was looked up",
			    address, (int)pid);
	if (page->zero)
		page->pfn = 0;
	return 0;
}
