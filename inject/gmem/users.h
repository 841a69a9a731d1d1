/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_GMEM_USERS_H
#define BRINELL_GMEM_USERS_H

#include "harness/lib/registry.h"
#include "inject/gmem/storm.h"

struct gmem_user;

/**
 * struct user_finding - what a check found
 * @page:  that differs from the model
 * @lost:  the user can not reach the page any more; else it holds other data
 * @text:  more of it
 */
struct user_finding {
	uint64_t page;
	bool lost;
	char text[120];
};

/**
 * struct gmem_user_kind - a kind of user of the shared side, one file each
 * @name:    as in scenarios
 * @summary: one line
 * @pages:   of the region that it uses at most, from its begin; 0: all
 * @open:    begins to use all pages, which are shared
 * @let_go:  a conversion to private is announced: ends the use of the range. NULL: it holds nothing between its checks
 * @take:    uses the range again: it is shared again, or the conversion failed. NULL as @let_go
 * @check:   uses each shared page of the range, and compares with the model. 1: all is well, 0 with a finding,
 *           or -errno
 * @close:   ends it; also after a failed @open
 *
 * Return: 0 or -errno.
 */
struct gmem_user_kind {
	const char *name;
	const char *summary;
	uint64_t pages;
	int (*open)(struct gmem_user *user, struct reason *why);
	int (*let_go)(struct gmem_user *user, const struct gmem_range *range);
	int (*take)(struct gmem_user *user, const struct gmem_range *range);
	int (*check)(struct gmem_user *user, const struct gmem_range *range,
		     struct user_finding *finding);
	void (*close)(struct gmem_user *user);
};

REGISTRY(gmem_user_kind)

/**
 * struct gmem_user - a user of a VM's shared side
 * @knobs:   borrowed
 * @mapping: its own mapping of the shared side, or NULL
 * @private: of the kind
 */
struct gmem_user {
	const struct gmem_user_kind *kind;
	const struct storm_knobs *knobs;
	struct gmem_vm *vm;
	uint8_t *mapping;
	void *private;
};

static inline uint64_t user_seed(const struct gmem_user *user)
{
	return user->knobs->seed + user->vm->number;
}

/* Whether a page is shared and not lost, so that a user can use it. */
static inline bool user_holds(const struct gmem_user *user, uint64_t page)
{
	return !(user->vm->model[page] & (GMEM_PRIVATE | GMEM_LOST));
}

int user_map(struct gmem_user *user, struct reason *why);
void user_unmap(struct gmem_user *user);
int user_compare(const struct gmem_user *user, const void *memory, uint64_t page,
		 struct user_finding *finding);
int user_remap(const struct gmem_user *user, const struct gmem_range *range, bool present);
int user_check_memory(const struct gmem_user *user, const uint8_t *memory,
		      const struct gmem_range *range, struct user_finding *finding);
bool user_clip(const struct gmem_user *user, const struct gmem_range *range,
	       struct gmem_range *part);
void user_guard_install(void);

#endif
