// SPDX-License-Identifier: GPL-2.0-only
/*
 * User "dma": a mapping of the IOMMU, page by page, and a device that reads the pages all the time. It releases pages by
 * unmapping them. A completion of the device proves no delivery: the check lets the device write a page and reads the memory.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "inject/dma/dma.h"
#include "inject/gmem/users.h"

#define DMA_DEADLINE_NS (2 * NSEC_PER_SEC)
#define DMA_PAUSE_US 1000
/* Pages of a range that the device writes in a check. */
#define DMA_CHECKED 4

_Static_assert(DMA_PAGE == GMEM_PAGE_SIZE, "a page of the model is one of DMA");

/* @mapped: pages that the IOMMU maps; @lock: held during each operation of the device. */
struct gmem_dma {
	struct dma_space *space;
	struct dma_device *device;
	pthread_t thread;
	pthread_mutex_t lock;
	bool running, stop;
	bool mapped[GMEM_DMA_PAGES];
};

static uint64_t iova_of(uint64_t page)
{
	return GMEM_DMA_IOVA + page * GMEM_PAGE_SIZE;
}

static int map_pages(struct gmem_user *user, const struct gmem_range *range)
{
	struct gmem_dma *dma = user->private;
	struct reason why = {0};
	int error = 0;

	for (uint64_t page = range->first; page < range->first + range->count && !error; page++) {
		if (dma->mapped[page] || !user_holds(user, page))
			continue;
		error = dma_space_map(dma->space, iova_of(page),
				      user->mapping + page * GMEM_PAGE_SIZE, GMEM_PAGE_SIZE, true,
				      &why);
		dma->mapped[page] = !error;
	}
	return error;
}

static int unmap_pages(struct gmem_user *user, const struct gmem_range *range)
{
	struct gmem_dma *dma = user->private;
	struct reason why = {0};
	int error = 0;

	for (uint64_t page = range->first; page < range->first + range->count && !error; page++) {
		if (!dma->mapped[page])
			continue;
		error = dma_space_unmap(dma->space, iova_of(page), GMEM_PAGE_SIZE, &why);
		dma->mapped[page] = error != 0;
	}
	return error;
}

static int locked(struct gmem_user *user, const struct gmem_range *range,
		  int (*change)(struct gmem_user *user, const struct gmem_range *range))
{
	struct gmem_dma *dma = user->private;
	struct gmem_range part;
	int error;

	if (!user_clip(user, range, &part))
		return 0;
	pthread_mutex_lock(&dma->lock);
	error = change(user, &part);
	pthread_mutex_unlock(&dma->lock);
	return error;
}

static void *read_all_the_time(void *context)
{
	struct gmem_user *user = context;
	struct gmem_dma *dma = user->private;
	uint64_t all = user->vm->shape->pages;
	uint64_t pages = all < GMEM_DMA_PAGES ? all : GMEM_DMA_PAGES;

	for (uint64_t page = 0; !__atomic_load_n(&dma->stop, __ATOMIC_RELAXED);
	     page = (page + 1) % pages) {
		struct reason why = {0};

		pthread_mutex_lock(&dma->lock);
		if (dma->mapped[page])
			(void)dma_device_read(dma->device, iova_of(page), GMEM_PAGE_SIZE, &why);
		pthread_mutex_unlock(&dma->lock);
		usleep(DMA_PAUSE_US);
	}
	return NULL;
}

static int user_open(struct gmem_user *user, struct reason *why)
{
	struct gmem_dma *dma = user->private = xzalloc(sizeof(*dma));
	struct gmem_range all = {0, user->vm->shape->pages}, part;
	int error;

	pthread_mutex_init(&dma->lock, NULL);
	user_clip(user, &all, &part);
	if (!user->knobs->function)
		return fail(why, -ENODEV, "user 'dma' has no device");
	error = user_map(user, why) ?: dma_space_open(&dma->space, user->knobs->function->iommu, why)
				    ?: dma_device_open(&dma->device, dma->space,
						       user->knobs->function, DMA_DEADLINE_NS, why);
	if (error)
		return error;
	error = map_pages(user, &part);
	if (error)
		return fail_errno(why, error, "user 'dma': mapping its pages");
	error = -pthread_create(&dma->thread, NULL, read_all_the_time, user);
	dma->running = !error;
	return error ? fail_errno(why, error, "user 'dma': its thread can not start") : 0;
}

static int user_release(struct gmem_user *user, const struct gmem_range *range)
{
	return locked(user, range, unmap_pages);
}

static int user_reacquire(struct gmem_user *user, const struct gmem_range *range)
{
	return locked(user, range, map_pages);
}

/* Let the device write a page, then restore the pattern. Return: 1, or 0 with a finding. */
static int check_page(struct gmem_user *user, uint64_t page, struct user_finding *finding)
{
	struct gmem_dma *dma = user->private;
	uint8_t *memory = user->mapping + page * GMEM_PAGE_SIZE;
	struct reason why = {0};
	int error;

	memset(memory, 0, GMEM_PAGE_SIZE);
	error = dma_device_write(dma->device, iova_of(page), GMEM_PAGE_SIZE, &why);
	if (error || !dma_device_wrote(dma->device, memory, GMEM_PAGE_SIZE)) {
		*finding = (struct user_finding){.page = page, .lost = true};
		snprintf(finding->text, sizeof(finding->text),
			 "a write of the device to 0x%llx did not arrive (%s)",
			 (unsigned long long)iova_of(page), error ? strerror(-error) : "completed");
	}
	gmem_fill(memory, user_seed(user), page, false,
		  gmem_generation(user->vm->model[page], false));
	return !finding->lost;
}

static int user_check(struct gmem_user *user, const struct gmem_range *range,
		      struct user_finding *finding)
{
	struct gmem_dma *dma = user->private;
	struct gmem_range part;
	unsigned int checked = 0;
	int same = 1;

	if (!user_clip(user, range, &part))
		return 1;
	pthread_mutex_lock(&dma->lock);
	for (uint64_t page = part.first;
	     page < part.first + part.count && same == 1 && checked < DMA_CHECKED; page++) {
		if (!user_holds(user, page))
			continue;
		checked++;
		same = user_compare(user, user->mapping + page * GMEM_PAGE_SIZE, page, finding) &&
		       check_page(user, page, finding);
	}
	pthread_mutex_unlock(&dma->lock);
	return same;
}

static void user_close(struct gmem_user *user)
{
	struct gmem_dma *dma = user->private;

	if (!dma)
		return;
	if (dma->running) {
		__atomic_store_n(&dma->stop, true, __ATOMIC_RELAXED);
		pthread_join(dma->thread, NULL);
	}
	if (dma->device)
		dma_device_close(dma->device);
	if (dma->space)
		dma_space_close(dma->space);
	pthread_mutex_destroy(&dma->lock);
	free(dma);
	user->private = NULL;
	user_unmap(user);
}

REGISTERED(gmem_user_kind, dma_user) = {
	.name = "dma",
	.pages = GMEM_DMA_PAGES,
	.open = user_open,
	.release = user_release,
	.reacquire = user_reacquire,
	.check = user_check,
	.close = user_close,
};
