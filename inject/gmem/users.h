/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_GMEM_USERS_H
#define BRINELL_GMEM_USERS_H

#include "harness/lib/registry.h"
#include "inject/gmem/storm.h"

struct gmem_user;

/**
 * struct user_finding - result of a failed check
 * @page:  that differs from the model
 * @lost:  the user can not access the page any more; else the page holds other data
 * @text:  details
 */
struct user_finding {
	uint64_t page;
	bool lost;
	char text[160];
};

/**
 * struct gmem_user_kind - a kind of user of the shared side, one file each
 * @name:    as in scenarios
 * @pages:   number of pages that it uses, from the start of the region; 0: all
 * @open:    starts to use its pages, which are shared
 * @release:  a conversion to private is announced: ends the use of the range. NULL: it holds nothing between its checks
 * @reacquire: uses the range again: it is shared again, or the conversion failed. NULL as @release
 * @check:   accesses each shared page of the range, and compares it with the model. Return: 1 if all are equal, 0 with a
 *           finding, or -errno
 * @close:   ends the use; also called after a failed @open
 *
 * Return: 0 or -errno.
 */
struct gmem_user_kind {
	const char *name;
	uint64_t pages;
	int (*open)(struct gmem_user *user, struct reason *why);
	int (*release)(struct gmem_user *user, const struct gmem_range *range);
	int (*reacquire)(struct gmem_user *user, const struct gmem_range *range);
	int (*check)(struct gmem_user *user, const struct gmem_range *range,
		     struct user_finding *finding);
	void (*close)(struct gmem_user *user);
};

REGISTRY(gmem_user_kind)

/**
 * struct gmem_user - a user of a VM's shared side
 * @knobs:   borrowed
 * @mapping: of the shared side, its own; or NULL
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

/* Whether a user can access the page: it is shared and not lost. */
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
