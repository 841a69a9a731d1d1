// SPDX-License-Identifier: GPL-2.0-only
/*
 * User "direct": a thread that writes its pages to a file with O_DIRECT all the time, so that an I/O in flight pins one of
 * them. It releases a range by waiting for the I/O in flight and skipping the range from then on.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "inject/gmem/users.h"

#define DIRECT_PAGES 256

/* @away: released pages; @lock: held during each I/O of the thread. */
struct direct {
	int fd;
	pthread_t thread;
	pthread_mutex_t lock;
	bool running, stop;
	bool away[DIRECT_PAGES];
	void *copy;
};

static void *write_all_the_time(void *context)
{
	struct gmem_user *user = context;
	struct direct *direct = user->private;
	uint64_t pages =
		user->vm->shape->pages < DIRECT_PAGES ? user->vm->shape->pages : DIRECT_PAGES;

	for (uint64_t page = 0; !__atomic_load_n(&direct->stop, __ATOMIC_RELAXED);
	     page = (page + 1) % pages) {
		pthread_mutex_lock(&direct->lock);
		/* Only the I/O in flight matters here; the check compares the data. */
		if (!direct->away[page])
			(void)!pwrite(direct->fd, user->mapping + page * GMEM_PAGE_SIZE,
				      GMEM_PAGE_SIZE, (off_t)(page * GMEM_PAGE_SIZE));
		pthread_mutex_unlock(&direct->lock);
		usleep(500);
	}
	return NULL;
}

static int direct_open(struct gmem_user *user, struct reason *why)
{
	struct direct *direct = user->private = xzalloc(sizeof(*direct));
	int error = user_map(user, why);

	direct->fd = -1;
	if (error)
		return error;
	direct->copy = aligned_alloc(GMEM_PAGE_SIZE, GMEM_PAGE_SIZE);
	direct->fd = open(user->knobs->directory, O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
	if (direct->fd < 0 || !direct->copy)
		return fail_errno(why, -errno, "user 'direct': a file with O_DIRECT in %s",
				  user->knobs->directory);
	pthread_mutex_init(&direct->lock, NULL);
	error = -pthread_create(&direct->thread, NULL, write_all_the_time, user);
	direct->running = !error;
	return error ? fail_errno(why, error, "user 'direct': its thread can not start") : 0;
}

static int direct_set(struct gmem_user *user, const struct gmem_range *range, bool away)
{
	struct direct *direct = user->private;
	struct gmem_range part;

	if (!user_clip(user, range, &part))
		return 0;
	pthread_mutex_lock(&direct->lock);
	for (uint64_t page = part.first; page < part.first + part.count; page++)
		direct->away[page] = away || !user_holds(user, page);
	pthread_mutex_unlock(&direct->lock);
	return 0;
}

static int direct_release(struct gmem_user *user, const struct gmem_range *range)
{
	return direct_set(user, range, true);
}

static int direct_reacquire(struct gmem_user *user, const struct gmem_range *range)
{
	return direct_set(user, range, false);
}

/* Return: bytes that went through the file into @copy. */
static ssize_t through_file(const struct direct *direct, const void *memory, uint64_t page)
{
	off_t place = (off_t)(page * GMEM_PAGE_SIZE);
	ssize_t got = pwrite(direct->fd, memory, GMEM_PAGE_SIZE, place);

	return got < 0 ? -errno : pread(direct->fd, direct->copy, GMEM_PAGE_SIZE, place);
}

static int direct_check(struct gmem_user *user, const struct gmem_range *range,
			struct user_finding *finding)
{
	struct direct *direct = user->private;
	struct gmem_range part;
	int same = 1;

	if (!user_clip(user, range, &part))
		return 1;
	pthread_mutex_lock(&direct->lock);
	for (uint64_t page = part.first; page < part.first + part.count && same == 1; page++) {
		ssize_t got;

		if (!user_holds(user, page))
			continue;
		got = direct->away[page]
			      ? -ENXIO
			      : through_file(direct, user->mapping + page * GMEM_PAGE_SIZE, page);
		if (got == GMEM_PAGE_SIZE) {
			same = user_compare(user, direct->copy, page, finding);
			continue;
		}
		*finding = (struct user_finding){.page = page, .lost = true};
		snprintf(finding->text, sizeof(finding->text), "a write with O_DIRECT: %s",
			 strerror((int)-got));
		same = 0;
	}
	pthread_mutex_unlock(&direct->lock);
	return same;
}

static void direct_close(struct gmem_user *user)
{
	struct direct *direct = user->private;

	if (!direct)
		return;
	if (direct->running) {
		__atomic_store_n(&direct->stop, true, __ATOMIC_RELAXED);
		pthread_join(direct->thread, NULL);
		pthread_mutex_destroy(&direct->lock);
	}
	if (direct->fd >= 0)
		close(direct->fd);
	free(direct->copy);
	free(direct);
	user->private = NULL;
	user_unmap(user);
}

REGISTERED(gmem_user_kind, direct_user) = {
	.name = "direct",
	.pages = DIRECT_PAGES,
	.open = direct_open,
	.release = direct_release,
	.reacquire = direct_reacquire,
	.check = direct_check,
	.close = direct_close,
};
