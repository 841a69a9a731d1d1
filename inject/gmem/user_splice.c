// SPDX-License-Identifier: GPL-2.0-only
/*
 * User "splice": vmsplice(2) into a pipe, which holds references to the pages until they are read. It releases pages by
 * draining the pipe.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>

#include "inject/gmem/users.h"

#define SPLICE_PAGES 16

struct splice {
	int ends[2];
	/* Pages in the pipe, in order. */
	uint64_t pages[SPLICE_PAGES];
	size_t count;
};

/* Splice all pages that it may access, except those of @without. */
static int splice_fill(struct gmem_user *user, const struct gmem_range *without)
{
	struct splice *splice = user->private;

	for (uint64_t page = 0; page < SPLICE_PAGES && page < user->vm->shape->pages; page++) {
		struct iovec part = {user->mapping + page * GMEM_PAGE_SIZE, GMEM_PAGE_SIZE};

		if (!user_holds(user, page) || (without && page - without->first < without->count))
			continue;
		if (vmsplice(splice->ends[1], &part, 1, SPLICE_F_NONBLOCK) != GMEM_PAGE_SIZE)
			return -errno;
		splice->pages[splice->count++] = page;
	}
	return 0;
}

/* Drain the pipe. Return: 1 if each page in it is as in the model, 0 with a finding. */
static int splice_drain(struct gmem_user *user, struct user_finding *finding)
{
	struct splice *splice = user->private;
	struct user_finding other;
	int same = 1;

	for (size_t i = 0; i < splice->count; i++) {
		uint8_t copy[GMEM_PAGE_SIZE];

		if (read(splice->ends[0], copy, sizeof(copy)) != sizeof(copy))
			return -EIO;
		if (user_holds(user, splice->pages[i]) &&
		    !user_compare(user, copy, splice->pages[i], same ? finding : &other))
			same = 0;
	}
	splice->count = 0;
	return same;
}

static int splice_open(struct gmem_user *user, struct reason *why)
{
	struct splice *splice = user->private = xzalloc(sizeof(*splice));
	int error = user_map(user, why);

	splice->ends[0] = splice->ends[1] = -1;
	if (error)
		return error;
	if (pipe2(splice->ends, O_CLOEXEC) < 0)
		return fail_errno(why, -errno, "user 'splice': pipe");
	error = splice_fill(user, NULL);
	return error ? fail_errno(why, error, "user 'splice': vmsplice") : 0;
}

/* Leave only pages in the pipe that it may access, and none of @without. */
static int splice_renew(struct gmem_user *user, const struct gmem_range *range,
			const struct gmem_range *without)
{
	struct user_finding ignored;
	struct gmem_range part;

	if (!user_clip(user, range, &part))
		return 0;
	return splice_drain(user, &ignored) < 0 ? -EIO : splice_fill(user, without);
}

static int splice_release(struct gmem_user *user, const struct gmem_range *range)
{
	return splice_renew(user, range, range);
}

static int splice_reacquire(struct gmem_user *user, const struct gmem_range *range)
{
	return splice_renew(user, range, NULL);
}

static int splice_check(struct gmem_user *user, const struct gmem_range *range,
			struct user_finding *finding)
{
	struct splice *splice = user->private;
	struct gmem_range part;
	uint64_t page;
	int same;

	if (!user_clip(user, range, &part))
		return 1;
	for (page = part.first; page < part.first + part.count; page++) {
		size_t i = 0;

		while (i < splice->count && splice->pages[i] != page)
			i++;
		if (i < splice->count || !user_holds(user, page))
			continue;
		*finding = (struct user_finding){
			.page = page, .lost = true, .text = "the page is not in the pipe"};
		return 0;
	}
	same = splice_drain(user, finding);
	return same < 0 ? same : splice_fill(user, NULL) ?: same;
}

static void splice_close(struct gmem_user *user)
{
	struct splice *splice = user->private;

	for (size_t i = 0; splice && i < 2; i++)
		if (splice->ends[i] >= 0)
			close(splice->ends[i]);
	free(splice);
	user->private = NULL;
	user_unmap(user);
}

REGISTERED(gmem_user_kind, splice_user) = {
	.name = "splice",
	.pages = SPLICE_PAGES,
	.open = splice_open,
	.release = splice_release,
	.reacquire = splice_reacquire,
	.check = splice_check,
	.close = splice_close,
};
