// SPDX-License-Identifier: GPL-2.0-only
/*
 * User "uring": fixed buffers of io_uring, one for each page, which pin the pages for a long time. It releases pages by
 * removing their buffers from the table. A check writes from each buffer into a pipe. The three system calls need no library
 * (io_uring(7)).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "inject/gmem/users.h"

#define URING_PAGES 1024

struct uring {
	int fd, ends[2];
	size_t size, entries_size;
	uint8_t *rings;
	struct io_uring_sqe *entries;
	struct io_uring_params params;
};

static int set_buffers(struct gmem_user *user, const struct gmem_range *range, bool present)
{
	const struct uring *uring = user->private;

	for (uint64_t page = range->first; page < range->first + range->count; page++) {
		bool here = present && user_holds(user, page);
		struct iovec part = {here ? user->mapping + page * GMEM_PAGE_SIZE : NULL,
				     here ? GMEM_PAGE_SIZE : 0};
		struct io_uring_rsrc_update2 update = {
			.offset = (uint32_t)page, .data = (uintptr_t)&part, .nr = 1};

		if (syscall(SYS_io_uring_register, uring->fd, IORING_REGISTER_BUFFERS_UPDATE,
			    &update, sizeof(update)) != 1)
			return -errno;
	}
	return 0;
}

static int uring_setup(struct uring *uring, uint64_t pages, struct reason *why)
{
	struct io_uring_rsrc_register buffers = {.nr = (uint32_t)pages,
						 .flags = IORING_RSRC_REGISTER_SPARSE};

	uring->fd = (int)syscall(SYS_io_uring_setup, 4, &uring->params);
	if (uring->fd < 0)
		return fail_errno(why, -errno, "io_uring_setup");
	/* Since Linux 5.4 both rings are one mapping (IORING_FEAT_SINGLE_MMAP). */
	uring->size =
		uring->params.cq_off.cqes + uring->params.cq_entries * sizeof(struct io_uring_cqe);
	uring->entries_size = uring->params.sq_entries * sizeof(struct io_uring_sqe);
	uring->rings = mmap(NULL, uring->size, PROT_READ | PROT_WRITE, MAP_SHARED, uring->fd,
			    IORING_OFF_SQ_RING);
	uring->entries = mmap(NULL, uring->entries_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			      uring->fd, IORING_OFF_SQES);
	if (uring->rings == MAP_FAILED || uring->entries == MAP_FAILED)
		return fail_errno(why, -errno, "mmap of io_uring");
	if (syscall(SYS_io_uring_register, uring->fd, IORING_REGISTER_BUFFERS2, &buffers,
		    sizeof(buffers)) < 0)
		return fail_errno(why, -errno, "IORING_REGISTER_BUFFERS2");
	return pipe2(uring->ends, O_CLOEXEC) < 0 ? fail_errno(why, -errno, "pipe") : 0;
}

static int uring_open(struct gmem_user *user, struct reason *why)
{
	struct uring *uring = user->private = xzalloc(sizeof(*uring));
	struct gmem_range all = {0, user->vm->shape->pages}, part;
	int error;

	uring->fd = uring->ends[0] = uring->ends[1] = -1;
	uring->rings = MAP_FAILED;
	uring->entries = MAP_FAILED;
	user_clip(user, &all, &part);
	error = user_map(user, why) ?: uring_setup(uring, part.count, why);
	if (error)
		return error;
	error = set_buffers(user, &part, true);
	return error ? fail_errno(why, error, "user 'uring': buffers") : 0;
}

static int uring_release(struct gmem_user *user, const struct gmem_range *range)
{
	struct gmem_range part;

	return user_clip(user, range, &part) ? set_buffers(user, &part, false) : 0;
}

static int uring_reacquire(struct gmem_user *user, const struct gmem_range *range)
{
	struct gmem_range part;

	return user_clip(user, range, &part) ? set_buffers(user, &part, true) : 0;
}

/* Write the buffer of a page into the pipe. Return: bytes, or -errno of the operation. */
static int write_buffer(const struct gmem_user *user, uint64_t page)
{
	struct uring *uring = user->private;
	uint32_t *tail = (uint32_t *)(uring->rings + uring->params.sq_off.tail);
	uint32_t *array = (uint32_t *)(uring->rings + uring->params.sq_off.array);
	uint32_t *head = (uint32_t *)(uring->rings + uring->params.cq_off.head);
	uint32_t mask = *(uint32_t *)(uring->rings + uring->params.sq_off.ring_mask);
	uint32_t done = *(uint32_t *)(uring->rings + uring->params.cq_off.ring_mask);
	const struct io_uring_cqe *results =
		(const struct io_uring_cqe *)(uring->rings + uring->params.cq_off.cqes);
	uint32_t slot = *tail & mask;
	int result;

	uring->entries[slot] = (struct io_uring_sqe){
		.opcode = IORING_OP_WRITE_FIXED,
		.fd = uring->ends[1],
		.off = (uint64_t)-1,
		.addr = (uintptr_t)(user->mapping + page * GMEM_PAGE_SIZE),
		.len = GMEM_PAGE_SIZE,
		.buf_index = (uint16_t)page,
	};
	array[slot] = slot;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	while (syscall(SYS_io_uring_enter, uring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		if (errno != EINTR)
			return -errno;
	result = results[*head & done].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return result;
}

static int uring_check(struct gmem_user *user, const struct gmem_range *range,
		       struct user_finding *finding)
{
	const struct uring *uring = user->private;
	struct gmem_range part;
	int same = 1;

	if (!user_clip(user, range, &part))
		return 1;
	for (uint64_t page = part.first; page < part.first + part.count && same == 1; page++) {
		uint8_t copy[GMEM_PAGE_SIZE];
		int wrote;

		if (!user_holds(user, page))
			continue;
		wrote = write_buffer(user, page);
		if (wrote == GMEM_PAGE_SIZE &&
		    read(uring->ends[0], copy, sizeof(copy)) == sizeof(copy)) {
			same = user_compare(user, copy, page, finding);
			continue;
		}
		*finding = (struct user_finding){.page = page, .lost = true};
		snprintf(finding->text, sizeof(finding->text), "a write from its fixed buffer: %s",
			 wrote < 0 ? strerror(-wrote) : "cut short");
		same = 0;
	}
	return same;
}

static void uring_close(struct gmem_user *user)
{
	struct uring *uring = user->private;

	if (!uring)
		return;
	if (uring->rings != MAP_FAILED)
		munmap(uring->rings, uring->size);
	if (uring->entries != MAP_FAILED)
		munmap(uring->entries, uring->entries_size);
	for (size_t i = 0; i < 3; i++) {
		int fd = i < 2 ? uring->ends[i] : uring->fd;

		if (fd >= 0)
			close(fd);
	}
	free(uring);
	user->private = NULL;
	user_unmap(user);
}

REGISTERED(gmem_user_kind, uring_user) = {
	.name = "uring",
	.pages = URING_PAGES,
	.open = uring_open,
	.release = uring_release,
	.reacquire = uring_reacquire,
	.check = uring_check,
	.close = uring_close,
};
