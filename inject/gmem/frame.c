// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames of pages: of mapped pages by pagemap, of private pages, which have no mapping, by the trace event of their
 * allocation.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "harness/host/counters.h"
#include "harness/host/frames.h"
#include "inject/gmem/kvm.h"

#define ADDED "filemap:mm_filemap_add_to_page_cache"
#define TRIES 20
/* The control page of perf, and one page of records. */
#define RING_SIZE (2 * GMEM_PAGE_SIZE)

/** gmem_frame_mapped - find the frame of an address of this process. Return: 0 or -errno */
int gmem_frame_mapped(const void *address, uint64_t *pfn, struct reason *why)
{
	/* Fault the page in. */
	(void)*(const volatile uint8_t *)address;
	if (frames_of(address, 1, pfn))
		return fail(why, -EIO, "the frame of a page can not be read from pagemap");
	return *pfn ? 0 : fail(why, -EFAULT, "a page has no frame");
}

/*
 * The kernel patches its scheduler when the first event of a task begins, and again when the last one has ended
 * (kernel/events/core.c, perf_sched_events). One that lasts as long as this process keeps it from doing so at each fault.
 */
static void keep_event(void)
{
	static bool kept;
	struct perf_event_attr attributes = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attributes),
		.config = PERF_COUNT_SW_DUMMY,
	};

	if (!kept)
		kept = syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC) >=
		       0;
}

/* Open the event for this thread and one file. Return: a file descriptor, or -errno. */
static int open_event(int file, unsigned int *offset, struct reason *why)
{
	struct perf_event_attr attributes = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attributes),
		.sample_period = 1,
		.sample_type = PERF_SAMPLE_RAW,
	};
	__cleanup_free char *id = NULL;
	__cleanup_free char *format = NULL;
	__cleanup_free char *filter = NULL;
	struct stat status;
	const char *field;
	int fd, error = tracepoint_read(ADDED, "id", &id, why)
				?: tracepoint_read(ADDED, "format", &format, why);

	if (error)
		return error;
	keep_event();
	field = strstr(format, " pfn;\toffset:");
	if (!field || fstat(file, &status) < 0)
		return fail(why, -ENOTSUP, "the trace event " ADDED " has no frame");
	*offset = (unsigned int)strtoul(strchr(field, ':') + 1, NULL, 10);
	attributes.config = strtoull(id, NULL, 10);
	fd = (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	filter = format_text("i_ino == %llu", (unsigned long long)status.st_ino);
	if (fd < 0 || ioctl(fd, PERF_EVENT_IOC_SET_FILTER, filter) < 0) {
		error = fail_errno(why, -errno, "perf_event_open of " ADDED);
		if (fd >= 0)
			close(fd);
		return error;
	}
	return fd;
}

/* The first record in the ring has a header, a size, and raw data with the frame. Return: 0 when there is no record. */
static uint64_t read_frame(const uint8_t *ring, unsigned int offset)
{
	const struct perf_event_mmap_page *page = (const void *)ring;
	const struct perf_event_header *header = (const void *)(ring + GMEM_PAGE_SIZE);
	uint64_t pfn = 0;

	if (__atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE) &&
	    header->type == PERF_RECORD_SAMPLE)
		memcpy(&pfn, (const uint8_t *)(header + 1) + sizeof(uint32_t) + offset,
		       sizeof(pfn));
	return pfn;
}

/**
 * gmem_frame_private - free a private page, allocate it again, and find its new frame
 *
 * Return: 0, -EAGAIN when a vCPU allocated the page first in each attempt, or -errno.
 */
int gmem_frame_private(struct gmem_vm *vm, uint64_t page, uint64_t *pfn, struct reason *why)
{
	const struct gmem_kvm *kvm = vm->private;
	const struct gmem_range range = {page, 1};
	unsigned int offset = 0;
	__cleanup_close int fd = open_event(kvm->gmem_fd, &offset, why);
	uint8_t *ring;
	int error = 0;

	if (fd < 0)
		return fd;
	ring = mmap(NULL, RING_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ring == MAP_FAILED)
		return fail_errno(why, -errno, "mmap of the records of " ADDED);
	*pfn = 0;
	/* A vCPU that touches the page between the two calls allocates it in its own thread, without an event here. */
	for (int i = 0; i < TRIES && !error && !*pfn; i++) {
		error = vm->kernel->discard(vm, &range, true) ?: vm->kernel->allocate(vm, &range);
		*pfn = read_frame(ring, offset);
	}
	munmap(ring, RING_SIZE);
	if (error)
		return fail_errno(why, error, "allocating a private page again");
	return *pfn ? 0 : fail(why, -EAGAIN, "the trace event " ADDED " did not occur");
}
