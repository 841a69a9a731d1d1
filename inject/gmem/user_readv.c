// SPDX-License-Identifier: GPL-2.0-only
/*
 * User "readv": process_vm_readv(2), which pins the pages only while it copies them. It has nothing to release.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include "inject/gmem/users.h"

/* The kernel may lack CONFIG_CROSS_MEMORY_ATTACH. */
static int readv_open(struct gmem_user *user, struct reason *why)
{
	char from = 0, to;
	struct iovec local = {&to, 1}, remote = {&from, 1};

	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) < 0
		       ? fail(why, -EOPNOTSUPP, "user 'readv': process_vm_readv: %s",
			      strerror(errno))
		       : user_map(user, why);
}

static int readv_check(struct gmem_user *user, const struct gmem_range *range,
		       struct user_finding *finding)
{
	uint8_t copy[GMEM_PAGE_SIZE];
	int same = 1;

	for (uint64_t page = range->first; page < range->first + range->count && same == 1;
	     page++) {
		struct iovec local = {copy, sizeof(copy)};
		struct iovec remote = {user->mapping + page * GMEM_PAGE_SIZE, sizeof(copy)};
		ssize_t got;

		if (!user_holds(user, page))
			continue;
		got = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
		if (got == (ssize_t)sizeof(copy)) {
			same = user_compare(user, copy, page, finding);
			continue;
		}
		*finding = (struct user_finding){.page = page, .lost = true};
		snprintf(finding->text, sizeof(finding->text), "process_vm_readv: %s",
			 got < 0 ? strerror(errno) : "a part of the page");
		same = 0;
	}
	return same;
}

REGISTERED(gmem_user_kind, readv_user) = {
	.name = "readv",
	.open = readv_open,
	.check = readv_check,
	.close = user_unmap,
};
