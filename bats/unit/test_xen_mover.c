// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: which guest the relay of a migration of Xen suspends: one without drivers, at the request of its toolstack and after all
 * bytes so far; one that obeys the request by itself is only observed, unless it is to be
 * held before the last iteration: then it sees the request only after that.
 *
 * rooms: harness/hypervisor harness/hypervisor/xen/stream
 * wraps: hypervisor_event
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Compiled here, against the fake headers: this machine may have none of Xen's. */
#include <harness/hypervisor/xen/mover.c>

#include <cmocka.h>

#define SOURCE 7

#define REQUEST "/local/domain/7/control/shutdown"

/*
 * @fired: events of the watch; @request: in xenstore; @owner: of it; @watched: paths; @refuses: xenstored, to change permissions
 * @flags: of the domain; @shut: how often the mover suspended it
 */
static struct {
	unsigned int fired, shut, events, owner;
	const char *request;
	char watched[128];
	bool refuses;
	uint32_t flags;
} xen;

static const uint32_t suspended = XEN_DOMINF_shutdown | SHUTDOWN_suspend
								<< XEN_DOMINF_shutdownshift;

char **xs_check_watch(struct xs_handle *store)
{
	return xen.fired ? (xen.fired--, xzalloc(sizeof(char *))) : NULL;
}

int xs_fileno(struct xs_handle *store)
{
	return -1;
}

void *xs_read(struct xs_handle *store, xs_transaction_t transaction, const char *path,
	      unsigned int *length)
{
	assert_string_equal(path, REQUEST);
	return xstrdup(xen.request);
}

bool xs_write(struct xs_handle *store, xs_transaction_t transaction, const char *path,
	      const void *data, unsigned int length)
{
	assert_string_equal(path, REQUEST);
	assert_int_equal(length, 0);
	xen.request = "";
	return true;
}

struct xs_handle *xs_open(unsigned long flags)
{
	return (struct xs_handle *)&xen;
}

bool xs_watch(struct xs_handle *store, const char *path, const char *token)
{
	snprintf(xen.watched + strlen(xen.watched), sizeof(xen.watched) - strlen(xen.watched),
		 "%s ", path);
	return true;
}

struct xs_permissions *xs_get_permissions(struct xs_handle *store, xs_transaction_t transaction,
					  const char *path, unsigned int *count)
{
	struct xs_permissions *permissions = xzalloc(sizeof(*permissions));

	assert_string_equal(path, REQUEST);
	permissions->id = xen.owner;
	*count = 1;
	return permissions;
}

bool xs_set_permissions(struct xs_handle *store, xs_transaction_t transaction, const char *path,
			struct xs_permissions *permissions, unsigned int count)
{
	assert_string_equal(path, REQUEST);
	assert_int_equal(count, 1);
	assert_int_equal(permissions->perms, XS_PERM_NONE);
	if (!xen.refuses)
		xen.owner = permissions->id;
	return !xen.refuses;
}

int xc_domain_shutdown(xc_interface *xch, uint32_t domain, int reason)
{
	assert_int_equal(domain, SOURCE);
	assert_int_equal(reason, SHUTDOWN_suspend);
	xen.shut++;
	return 0;
}

int xen_domain_info(xc_interface *control, uint32_t domain, xc_domaininfo_t *info)
{
	*info = (xc_domaininfo_t){.domain = domain, .flags = xen.flags};
	return 0;
}

void xen_event(const char *uuid, const char *event, const char *state, const char *detail)
{
	assert_string_equal(state, "suspended");
	xen.events++;
}

void __wrap_hypervisor_event(json_t *event);
void __wrap_hypervisor_event(json_t *event)
{
	json_decref(event);
}

/* Of other parts of the relay, which are not called. */
#define NOT_CALLED(declaration)                                                                    \
	declaration                                                                                \
	{                                                                                          \
		abort();                                                                           \
	}
NOT_CALLED(int xc_hvm_param_set(xc_interface *xch, uint32_t domain, uint32_t parameter,
				uint64_t value))
NOT_CALLED(int xendevicemodel_track_dirty_vram(xendevicemodel_handle *handle, uint16_t domain,
					       uint64_t first, uint32_t pages,
					       unsigned long *written))
NOT_CALLED(int xen_fail(const struct xen_session *session, struct reason *why, int error,
			const char *format, ...))
NOT_CALLED(int xen_child_wait(struct xen_child *child, const char *what, struct reason *why))
NOT_CALLED(void xen_child_kill(struct xen_child *child))

/* A hold ends at once. */
enum mover_order mover_take_order(struct mover *mover)
{
	assert_int_equal(xen.owner, 0);
	return MOVER_RELEASE;
}

static struct xen_session session;
static struct hypervisor_job job = {.uuid = "u"};

static struct mover begin(bool obedient)
{
	xen = (__typeof__(xen)){.request = "", .owner = SOURCE};
	return (struct mover){
		.session = &session, .job = &job, .source = SOURCE, .obedient = obedient};
}

static void watch(struct mover *mover, const char *paths)
{
	assert_int_equal(mover_watch_request(mover), 0);
	assert_string_equal(xen.watched, paths);
}

static void notify(struct mover *mover)
{
	xen.fired = 2;
	take_store_event(mover);
	assert_int_equal(xen.fired, 0);
}

static void request_suspend(struct mover *mover)
{
	notify(mover);
	assert_false(mover->suspending);
	xen.request = "suspend";
	notify(mover);
	assert_true(mover->suspending);
}

static void a_guest_without_drivers_is_suspended_on_request(void **state)
{
	struct mover mover = begin(false);

	watch(&mover, REQUEST " ");
	/* A new watch fires at once. */
	request_suspend(&mover);
	assert_int_equal(suspend_guest(&mover), 0);
	assert_int_equal(xen.shut, 1);
	assert_int_equal(xen.events, 1);
	assert_string_equal(xen.request, "");
	/* What the mover has written itself is no request. */
	notify(&mover);
	assert_false(mover.suspending);
}

static void an_obedient_guest_is_observed(void **state)
{
	struct mover mover = begin(true);

	watch(&mover, "@releaseDomain ");
	/* Another domain has ended. */
	notify(&mover);
	/* This one crashes, before it is suspended. */
	xen.flags = XEN_DOMINF_shutdown | 3u << XEN_DOMINF_shutdownshift;
	notify(&mover);
	assert_int_equal(xen.events, 0);
	assert_int_equal(mover.suspended_ns, 0);
	xen.flags = suspended;
	notify(&mover);
	notify(&mover);
	assert_int_equal(xen.events, 1);
	assert_int_not_equal(mover.suspended_ns, 0);
	assert_false(mover.suspending);
	assert_int_equal(xen.shut, 0);
}

static void each_checkpoint_suspends_an_obedient_guest(void **state)
{
	struct mover mover = begin(true);
	int64_t first;

	mover.checkpointed = true;
	xen.flags = suspended;
	notify(&mover);
	first = mover.suspended_ns;
	xen.flags = 0;
	notify(&mover);
	assert_int_equal(mover.suspended_ns, first);
	xen.flags = suspended;
	notify(&mover);
	assert_true(mover.suspended_ns > first);
	assert_int_equal(xen.events, 0);
}

static void an_obedient_guest_is_held_before_its_request(void **state)
{
	struct mover mover = begin(true);

	mover.wake = eventfd(1, EFD_CLOEXEC);
	mover.hold = HOLD_LAST;
	watch(&mover, REQUEST " @releaseDomain ");
	assert_int_equal(xen.owner, 0);
	request_suspend(&mover);
	/* The mover asserts that the guest sees nothing during the hold. */
	assert_int_equal(suspend_guest(&mover), 0);
	assert_int_equal(xen.owner, SOURCE);
	assert_string_equal(xen.request, "suspend");
	assert_false(mover.suspending);
	assert_int_equal(xen.shut, 0);
	notify(&mover);
	assert_int_equal(xen.events, 0);
	xen.flags = suspended;
	notify(&mover);
	assert_int_equal(xen.events, 1);
	close(mover.wake);
}

/* It does not suspend itself for a migration that is over. */
static void a_hidden_request_is_withdrawn(void **state)
{
	struct mover mover = begin(true);

	mover_unveil_request(&mover, false);
	mover.hold = HOLD_LAST;
	watch(&mover, REQUEST " @releaseDomain ");
	xen.request = "suspend";
	mover_unveil_request(&mover, false);
	assert_string_equal(xen.request, "");
	assert_int_equal(xen.owner, SOURCE);
	mover = begin(true);
	mover.hold = HOLD_LAST;
	xen.refuses = true;
	assert_int_equal(mover_watch_request(&mover), -EIO);
	assert_non_null(strstr(job.why.text, REQUEST));
	mover_unveil_request(&mover, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_guest_without_drivers_is_suspended_on_request),
		cmocka_unit_test(an_obedient_guest_is_observed),
		cmocka_unit_test(each_checkpoint_suspends_an_obedient_guest),
		cmocka_unit_test(an_obedient_guest_is_held_before_its_request),
		cmocka_unit_test(a_hidden_request_is_withdrawn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
