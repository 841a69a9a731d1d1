// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arrival of a domain from another host: the sender runs `xl migrate-receive` here, which creates, renames and unpauses it. Xen
 * and xenstore have no event for the unpausing, so a thread polls for it.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "harness/hypervisor/xen/xen.h"

#define LOOK_MS 20
#define DOMAINS_MOST 64

/*
 * @page: to inspect when it arrives; UINT64_MAX: none
 * @dropped: not awaited any more; the thread frees it
 */
struct awaited {
	struct awaited *next;
	char uuid[UUID_BYTES];
	uint64_t page;
	bool ours, dropped;
};

static struct {
	pthread_mutex_t lock;
	struct awaited *first;
} arrivals = {.lock = PTHREAD_MUTEX_INITIALIZER};

/** xen_await_end - stop waiting for a domain, if it is awaited */
void xen_await_end(const char *uuid)
{
	pthread_mutex_lock(&arrivals.lock);
	for (struct awaited *awaited = arrivals.first; awaited; awaited = awaited->next)
		awaited->dropped |= strcmp(awaited->uuid, uuid) == 0;
	pthread_mutex_unlock(&arrivals.lock);
}

static bool is_dropped(const struct awaited *awaited)
{
	bool dropped;

	pthread_mutex_lock(&arrivals.lock);
	dropped = awaited->dropped;
	pthread_mutex_unlock(&arrivals.lock);
	return dropped;
}

static void forget(struct awaited *awaited)
{
	struct awaited **at = &arrivals.first;

	pthread_mutex_lock(&arrivals.lock);
	while (*at != awaited)
		at = &(*at)->next;
	*at = awaited->next;
	pthread_mutex_unlock(&arrivals.lock);
	free(awaited);
}

/* Return: number of the domain if it exists and was unpaused, or XEN_NO_DOMAIN. */
static uint32_t look(xc_interface *control, const char *uuid)
{
	xc_domaininfo_t list[DOMAINS_MOST];
	int count = xc_domain_getinfolist(control, 0, ARRAY_SIZE(list), list);

	for (int i = 0; i < count; i++) {
		char text[UUID_BYTES];
		libxl_uuid number;

		memcpy(number.uuid, list[i].handle, sizeof(number.uuid));
		snprintf(text, sizeof(text), LIBXL_UUID_FMT, LIBXL_UUID_BYTES(number));
		if (strcmp(text, uuid) == 0 &&
		    !(list[i].flags & (XEN_DOMINF_paused | XEN_DOMINF_dying)))
			return list[i].domain;
	}
	return XEN_NO_DOMAIN;
}

static void *run_arrival(void *context)
{
	struct awaited *awaited = context;
	xc_interface *control = xc_interface_open(NULL, NULL, 0);
	uint32_t domain = XEN_NO_DOMAIN;

	while (control && domain == XEN_NO_DOMAIN && !is_dropped(awaited)) {
		poll(NULL, 0, LOOK_MS);
		domain = look(control, awaited->uuid);
	}
	if (domain != XEN_NO_DOMAIN) {
		xen_page_event(control, awaited->uuid, domain, awaited->page, "target", 0);
		xen_event(awaited->uuid, "lifecycle", "resumed", "migrated");
		xen_watch_domain(awaited->uuid, domain, awaited->ours);
	}
	if (control)
		xc_interface_close(control);
	forget(awaited);
	return NULL;
}

/** xen_receive - a job: report the domain of the job's UUID when it runs here. @number: brinell created it */
int xen_receive(void *session, struct hypervisor_job *job)
{
	__cleanup_json json_t *description = job->text ? json_loads(job->text, 0, NULL) : NULL;
	int64_t page = json_number(job->request, "page", -1);
	int error = xen_unpack_linux(session, description, &job->why);
	struct awaited *awaited;

	if (error)
		return error;
	awaited = xzalloc(sizeof(*awaited));
	snprintf(awaited->uuid, sizeof(awaited->uuid), "%s", job->uuid);
	awaited->page = page < 0 ? UINT64_MAX : (uint64_t)page;
	awaited->ours = job->number;
	xen_await_end(job->uuid);
	pthread_mutex_lock(&arrivals.lock);
	awaited->next = arrivals.first;
	arrivals.first = awaited;
	pthread_mutex_unlock(&arrivals.lock);
	error = hypervisor_thread(run_arrival, awaited);
	if (!error)
		return 0;
	forget(awaited);
	return fail_errno(&job->why, error, "start a thread that waits for guest '%s'", job->guest);
}
