// SPDX-License-Identifier: GPL-2.0-only
/*
 * Huge pages of the host for guests. Pages of hugetlbfs are reserved, because the kernel does not allocate them on demand. For
 * transparent huge pages only the policy is read.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "harness/hypervisor/domain.h"

#define POOL "/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define PAGE_MIB 2

static int read_count(const char *name, uint64_t *count, struct reason *why)
{
	__cleanup_free char *file = format_text(POOL "%s", name);
	__cleanup_free char *text = NULL;
	char path[4096];
	int error = read_small_file(system_path(path, file), &text, NULL);

	if (error)
		return fail(why, error, "read %s: %s; this kernel lacks hugetlbfs", file,
			    strerror(-error));
	*count = strtoull(text, NULL, 10);
	return 0;
}

static int write_count(uint64_t count)
{
	__cleanup_free char *text = format_text("%" PRIu64 "\n", count);
	char path[4096];

	return write_small_file(system_path(path, POOL "nr_hugepages"), text);
}

/**
 * huge_pages_reserve - reserve huge pages for a guest
 * @memory_mib: memory of the guest
 * @added:      receives the number of pages that were added to the pool of the host, for huge_pages_release()
 * @why:        reason of a failure
 *
 * Return: 0; -ENOMEM if the host has not enough contiguous memory, then the pool is unchanged; or another -errno.
 */
int huge_pages_reserve(unsigned int memory_mib, uint64_t *added, struct reason *why)
{
	uint64_t wanted = (memory_mib + PAGE_MIB - 1) / PAGE_MIB;
	uint64_t total, empty, promised, unused, got = 0;
	int error = read_count("nr_hugepages", &total, why)
		?: read_count("free_hugepages", &empty, why)
		?: read_count("resv_hugepages", &promised, why);

	if (error)
		return error;
	unused = empty > promised ? empty - promised : 0;
	if (unused >= wanted)
		return 0;
	error = write_count(total + wanted - unused);
	if (error)
		return fail_errno(why, error, "write " POOL "nr_hugepages");
	error = read_count("nr_hugepages", &got, why);
	if (!error && got < total + wanted - unused)
		error = fail(why, -ENOMEM,
			     "reserve %" PRIu64 " huge pages of 2 MiB: the host has contiguous "
			     "memory for %" PRIu64
			     "; give it more memory, or make the guest smaller",
			     wanted - unused, got > total ? got - total : 0);
	if (error)
		(void)write_count(total);
	else
		*added = wanted - unused;
	return error;
}

/** huge_pages_release - remove the pages that huge_pages_reserve() added */
void huge_pages_release(uint64_t added)
{
	uint64_t total;

	if (added && !read_count("nr_hugepages", &total, NULL))
		(void)write_count(total > added ? total - added : 0);
}

/** transparent_pages_policy - read "always", "madvise" or "never". Return: owned by the caller; NULL if the kernel has no THP */
char *transparent_pages_policy(void)
{
	__cleanup_free char *text = NULL;
	char path[4096];
	const char *begin, *end;

	if (read_small_file(system_path(path, "/sys/kernel/mm/transparent_hugepage/enabled"), &text,
			    NULL))
		return NULL;
	begin = strchr(text, '[');
	end = begin ? strchr(begin, ']') : NULL;
	return end ? xstrndup(begin + 1, (size_t)(end - begin - 1)) : NULL;
}
