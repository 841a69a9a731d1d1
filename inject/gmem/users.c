// SPDX-License-Identifier: GPL-2.0-only
/*
 * Common code of the users: a mapping of the shared side, and reads of pages that may be gone.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "inject/gmem/users.h"

/* Where a thread continues when a read gets SIGBUS or SIGSEGV. */
static __thread sigjmp_buf *guard;
static __thread int guard_signal;

static void on_fault(int number)
{
	if (!guard) {
		signal(number, SIG_DFL);
		raise(number);
		return;
	}
	guard_signal = number;
	siglongjmp(*guard, 1);
}

/** user_guard_install - install handlers of SIGBUS and SIGSEGV that end a read of user_check_memory(), not the process */
void user_guard_install(void)
{
	const int signals[] = {SIGBUS, SIGSEGV};
	struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &action, NULL);
}

/** user_map - map the shared side for a user. Return: 0 or -errno with the reason */
int user_map(struct gmem_user *user, struct reason *why)
{
	void *memory;

	if (user->vm->shared_fd < 0)
		return fail(why, -EOPNOTSUPP, "user '%s' needs memory that the host can map",
			    user->kind->name);
	memory = mmap(NULL, user->vm->shape->pages * GMEM_PAGE_SIZE, PROT_READ | PROT_WRITE,
		      MAP_SHARED, user->vm->shared_fd, 0);
	if (memory == MAP_FAILED)
		return fail_errno(why, -errno, "user '%s': mmap", user->kind->name);
	user->mapping = memory;
	return 0;
}

/** user_unmap - end the mapping of a user */
void user_unmap(struct gmem_user *user)
{
	if (user->mapping)
		munmap(user->mapping, user->vm->shape->pages * GMEM_PAGE_SIZE);
	user->mapping = NULL;
}

/**
 * user_remap - map a range of the shared side, or PROT_NONE memory in its place
 * @present: map the shared side
 *
 * Return: 0 or -errno.
 */
int user_remap(const struct gmem_user *user, const struct gmem_range *range, bool present)
{
	void *at = user->mapping + range->first * GMEM_PAGE_SIZE;
	int flags = present ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

	return mmap(at, range->count * GMEM_PAGE_SIZE, present ? PROT_READ | PROT_WRITE : PROT_NONE,
		    flags | MAP_FIXED, present ? user->vm->shared_fd : -1,
		    present ? (off_t)(range->first * GMEM_PAGE_SIZE) : 0) == MAP_FAILED
		       ? -errno
		       : 0;
}

/** user_compare - compare memory with the shared content of a page. Return: 1 when it is the same, else 0 */
int user_compare(const struct gmem_user *user, const void *memory, uint64_t page,
		 struct user_finding *finding)
{
	unsigned int generation = gmem_generation(user->vm->model[page], false);
	uint64_t found = 0;
	unsigned int word =
		gmem_differs((void *)memory, user_seed(user), page, false, generation, &found);

	if (word == GMEM_WORDS)
		return 1;
	*finding = (struct user_finding){.page = page};
	snprintf(finding->text, sizeof(finding->text),
		 "word %u holds 0x%" PRIx64 " instead of 0x%" PRIx64 " (generation %u)", word,
		 found, gmem_pattern(user_seed(user), page, false, generation, word), generation);
	return 0;
}

/**
 * user_check_memory - compare a range with the model; its memory may be gone
 * @memory: mapping of the whole region
 *
 * Return: 1 if all shared pages are as in the model, else 0 with @finding.
 */
int user_check_memory(const struct gmem_user *user, const uint8_t *memory,
		      const struct gmem_range *range, struct user_finding *finding)
{
	volatile uint64_t page = range->first;
	volatile int same = 1;
	sigjmp_buf place;

	if (sigsetjmp(place, 0)) {
		guard = NULL;
		*finding = (struct user_finding){.page = page, .lost = true};
		snprintf(finding->text, sizeof(finding->text), "%s",
			 guard_signal == SIGBUS ? "SIGBUS" : "SIGSEGV");
		return 0;
	}
	guard = &place;
	for (; page < range->first + range->count && same == 1; page++)
		if (user_holds(user, page))
			same = user_compare(user, memory + page * GMEM_PAGE_SIZE, page, finding);
	guard = NULL;
	return same;
}

/** user_clip - the part of a range within the pages of a user. Return: false when there is none */
bool user_clip(const struct gmem_user *user, const struct gmem_range *range,
	       struct gmem_range *part)
{
	uint64_t most = user->kind->pages ? user->kind->pages : user->vm->shape->pages;
	uint64_t end = range->first + range->count;

	*part = (struct gmem_range){range->first, (end < most ? end : most) - range->first};
	return range->first < most;
}
