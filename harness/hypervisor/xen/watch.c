// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ends of domains as events: xenstore's watch @releaseDomain fires when a domain shuts down or is gone, and Xen says
 * which and why. A domain that was suspended for its migration has not ended. Xen keeps one that has shut down as it was: those
 * that brinell made are destroyed then, as a toolstack would do it.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <xenstore.h>

#include "harness/hypervisor/xen/xen.h"

/*
 * @domain: its number
 * @ours:   brinell made it
 * @reported:   its end was reported
 */
struct watched {
	struct watched *next;
	char uuid[UUID_BYTES];
	uint32_t domain;
	bool ours, reported;
};

static struct {
	pthread_mutex_t lock;
	struct watched *first;
	struct xs_handle *store;
	xc_interface *control;
} watcher = {.lock = PTHREAD_MUTEX_INITIALIZER};

/** xen_tell - pass on an event about a domain */
void xen_tell(const char *uuid, const char *event, const char *state, const char *detail)
{
	hypervisor_tell(json_pack("{s:s, s:s, s:s, s:s}", "uuid", uuid, "event", event, "state",
				  state, "detail", detail));
}

static void end_domain(const struct watched *watched)
{
	struct xen_session *session = watched->ours ? xen_session_open(-1, NULL) : NULL;

	if (session)
		(void)xen_destroy(session, watched->domain, NULL);
	xen_session_close(session);
}

static void look_at(struct watched *watched)
{
	xc_domaininfo_t info;
	unsigned int reason;

	if (watched->reported)
		return;
	watched->reported = true;
	if (xen_domain_info(watcher.control, watched->domain, &info) ||
	    info.flags & XEN_DOMINF_dying) {
		xen_migrate_break(watched->uuid);
		xen_tell(watched->uuid, "lifecycle", "stopped", "destroyed");
		return;
	}
	reason = info.flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;
	if (!(info.flags & XEN_DOMINF_shutdown) || reason == SHUTDOWN_suspend) {
		watched->reported = false;
		return;
	}
	xen_migrate_break(watched->uuid);
	end_domain(watched);
	if (reason == SHUTDOWN_crash)
		xen_tell(watched->uuid, "crashed", "stopped", "killed");
	else
		xen_tell(watched->uuid, "lifecycle", "stopped", "shutdown");
}

static void look_at_all(void)
{
	pthread_mutex_lock(&watcher.lock);
	for (struct watched *watched = watcher.first; watched; watched = watched->next)
		look_at(watched);
	pthread_mutex_unlock(&watcher.lock);
}

static void *run_watcher(void *context)
{
	unsigned int count;
	char **fired;

	(void)context;
	while ((fired = xs_read_watch(watcher.store, &count))) {
		free(fired);
		look_at_all();
	}
	log_error("xen: the connection to xenstored broke: ends of domains are not seen any more");
	return NULL;
}

/** xen_watch_start - watch for the ends of domains from now on. Return: 0 or -errno */
int xen_watch_start(struct reason *why)
{
	int error;

	watcher.store = xs_open(0);
	watcher.control = xc_interface_open(NULL, NULL, 0);
	if (!watcher.store || !watcher.control ||
	    !xs_watch(watcher.store, "@releaseDomain", "domain"))
		return fail(why, -ENOTCONN,
			    "watch the domains of Xen: does this machine run under Xen, and is "
			    "xenstored running?");
	error = hypervisor_thread(run_watcher, NULL);
	return error ? fail_errno(why, error, "start the thread of Xen's events") : 0;
}

/** xen_watch_domain - report the end of a domain, in place of one before of the same UUID. @ours: brinell made it */
void xen_watch_domain(const char *uuid, uint32_t domain, bool ours)
{
	struct watched *watched;

	xen_watch_no_more(uuid);
	watched = xzalloc(sizeof(*watched));
	snprintf(watched->uuid, sizeof(watched->uuid), "%s", uuid);
	watched->domain = domain;
	watched->ours = ours;
	pthread_mutex_lock(&watcher.lock);
	watched->next = watcher.first;
	watcher.first = watched;
	pthread_mutex_unlock(&watcher.lock);
	/* It may have ended before. */
	look_at_all();
}

/** xen_watch_no_more - its end is known, or no longer of interest */
void xen_watch_no_more(const char *uuid)
{
	struct watched **at = &watcher.first, *found;

	pthread_mutex_lock(&watcher.lock);
	while (*at && strcmp((*at)->uuid, uuid) != 0)
		at = &(*at)->next;
	found = *at;
	if (found)
		*at = found->next;
	pthread_mutex_unlock(&watcher.lock);
	free(found);
}
