// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events about the end of domains: xenstore's watch @releaseDomain fires when a domain shuts down or is destroyed, and Xen has
 * its state and reason. A domain that was suspended for its migration has not ended. Xen keeps a domain that has shut down:
 * those of brinell are destroyed then, as a toolstack would do.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <xenstore.h>

#include "harness/hypervisor/xen/xen.h"

/*
 * @domain: its number
 * @ours:   brinell created it
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

/** xen_event - send an event about a domain */
void xen_event(const char *uuid, const char *event, const char *state, const char *detail)
{
	hypervisor_event(json_pack("{s:s, s:s, s:s, s:s}", "uuid", uuid, "event", event, "state",
				   state, "detail", detail));
}

static void end_domain(const struct watched *watched)
{
	struct xen_session *session = watched->ours ? xen_session_open(-1, NULL) : NULL;

	if (session)
		(void)xen_destroy(session, watched->domain, NULL);
	xen_session_close(session);
}

static void check_domain(struct watched *watched)
{
	xc_domaininfo_t info;
	unsigned int reason;

	if (watched->reported)
		return;
	watched->reported = true;
	if (xen_domain_info(watcher.control, watched->domain, &info) ||
	    info.flags & XEN_DOMINF_dying) {
		xen_migrate_break(watched->uuid);
		xen_event(watched->uuid, "lifecycle", "stopped", "destroyed");
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
		xen_event(watched->uuid, "crashed", "stopped", "killed");
	else
		xen_event(watched->uuid, "lifecycle", "stopped", "shutdown");
}

static void check_all(void)
{
	pthread_mutex_lock(&watcher.lock);
	for (struct watched *watched = watcher.first; watched; watched = watched->next)
		check_domain(watched);
	pthread_mutex_unlock(&watcher.lock);
}

static void *run_watcher(void *context)
{
	unsigned int count;
	char **fired;

	(void)context;
	while ((fired = xs_read_watch(watcher.store, &count))) {
		free(fired);
		check_all();
	}
	log_error("xen: the connection to xenstored broke: ends of domains are not reported any "
		  "more");
	return NULL;
}

/** xen_watch_start - start watching for ends of domains. Return: 0 or -errno */
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

/** xen_watch_domain - watch a domain; replaces an earlier one of the same UUID. @ours: brinell created it */
void xen_watch_domain(const char *uuid, uint32_t domain, bool ours)
{
	struct watched *watched;

	xen_watch_end(uuid);
	watched = xzalloc(sizeof(*watched));
	snprintf(watched->uuid, sizeof(watched->uuid), "%s", uuid);
	watched->domain = domain;
	watched->ours = ours;
	pthread_mutex_lock(&watcher.lock);
	watched->next = watcher.first;
	watcher.first = watched;
	pthread_mutex_unlock(&watcher.lock);
	/* It may have ended already. */
	check_all();
}

/** xen_watch_end - stop watching a domain */
void xen_watch_end(const char *uuid)
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
