// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the domains of a migration of Xen, with a fake toolstack: which one runs, has the name of the guest and is destroyed, when
 * the migration is complete, fails at each of its stages, or is refused before it begins.
 *
 * rooms: harness/hypervisor
 * wraps: hypervisor_event
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Compiled here, against the fake headers: this machine may have none of Xen's. */
#include <harness/hypervisor/xen/migrate.c>

#include <cmocka.h>

#define GUEST "brinell-g1"
#define SOURCE 7
#define TARGET 8
#define USER 9

enum stage {
	NOWHERE,
	SAVER,
	STREAM,
	RESTORER,
	RENAME,
	RUN,
};

/*
 * @fails:  the stage that fails, after the source was suspended
 * @stuck:  the toolstack does not resume a domain
 * @hvm:    the guest has a device model
 * @obedient: it suspends itself; @foreign: it is a domain of the user
 * @answer: of the other host: 0, or the error of its last message
 */
struct domain {
	const char *name;
	bool runs, suspended;
};

static struct {
	enum stage fails;
	bool stuck, hvm, obedient, foreign;
	int answer, interval_ms;
	struct domain domains[USER + 1];
	unsigned int open, log_dirty;
	const char *state, *detail;
} xen;

int mover_run(struct mover *mover)
{
	struct reason *why = &mover->job->why;

	xen.log_dirty++;
	xen.interval_ms = mover->interval_ms;
	mover->given_up = mover->checkpointed;
	if (xen.fails == STREAM)
		return (fail)(why, -EPIPE, "the stream");
	xen.domains[SOURCE].suspended = true;
	xen.domains[SOURCE].runs = false;
	if (!mover->host)
		xen.domains[TARGET] = (struct domain){.name = GUEST XEN_INCOMING};
	return 0;
}

int mover_hold(struct mover *mover, const char *where)
{
	return 0;
}

void mover_pretend_drivers(const struct mover *mover, bool has)
{
}

int mover_watch_request(struct mover *mover)
{
	mover->store = xs_open(0);
	return 0;
}

void mover_unveil_request(struct mover *mover, bool request)
{
	assert_false(request);
}

int remote_take_uri(struct mover *mover, const char *uri, struct reason *why)
{
	if (strncmp(uri, "xen+ssh://", 10) != 0)
		return (fail)(why, -EINVAL, "the uri");
	mover->host = xstrdup(uri + 10);
	return 0;
}

int remote_open(struct mover *mover)
{
	return 0;
}

int remote_received(struct mover *mover)
{
	return 0;
}

int remote_run(struct mover *mover)
{
	mover->handed_over = xen.answer == -EPIPE;
	return xen.answer ? (fail)(&mover->job->why, xen.answer, "the other host") : 0;
}

int xen_child_start(struct xen_child *child, xen_child_work *work, const void *context, int fd,
		    struct reason *why)
{
	child->pid = work == restore ? 2 : 1;
	xen.open++;
	return 0;
}

int xen_child_wait(struct xen_child *child, const char *what, struct reason *why)
{
	enum stage stage = child->pid == 2 ? RESTORER : SAVER;

	xen_child_kill(child);
	return xen.fails == stage ? (fail)(why, -EIO, "%s", what) : 0;
}

void xen_child_kill(struct xen_child *child)
{
	xen.open -= child->pid != 0;
	child->pid = 0;
}

int xen_fail(const struct xen_session *session, struct reason *why, int error, const char *format,
	     ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why->text, sizeof(why->text), format, arguments);
	va_end(arguments);
	return error;
}

uint32_t xen_find(const struct xen_session *session, const char *domain, const char *suffix)
{
	__cleanup_free char *name = format_text("%s%s", domain, suffix);

	for (uint32_t i = 0; i < ARRAY_SIZE(xen.domains); i++)
		if (xen.domains[i].name && strcmp(xen.domains[i].name, name) == 0)
			return i;
	return XEN_NO_DOMAIN;
}

int xen_domain_info(xc_interface *control, uint32_t domain, xc_domaininfo_t *info)
{
	*info = (xc_domaininfo_t){.domain = domain};
	if (xen.domains[domain].suspended)
		info->flags = XEN_DOMINF_shutdown | SHUTDOWN_suspend << XEN_DOMINF_shutdownshift;
	return xen.domains[domain].name ? 0 : -ESRCH;
}

int xen_destroy(struct xen_session *session, uint32_t domain, struct reason *why)
{
	assert_non_null(xen.domains[domain].name);
	xen.domains[domain] = (struct domain){0};
	return 0;
}

int libxl_domain_rename(libxl_ctx *libxl, uint32_t domain, const char *from, const char *to)
{
	static char names[ARRAY_SIZE(xen.domains)][64];

	assert_string_equal(xen.domains[domain].name, from);
	if (xen.fails == RENAME && domain == TARGET)
		return -1;
	snprintf(names[domain], sizeof(names[domain]), "%s", to);
	xen.domains[domain].name = names[domain];
	return 0;
}

int libxl_domain_resume(libxl_ctx *libxl, uint32_t domain, int cancel, const void *how)
{
	assert_true(xen.domains[domain].suspended);
	if (xen.stuck)
		return -1;
	xen.domains[domain].suspended = false;
	xen.domains[domain].runs = true;
	return 0;
}

int xc_domain_pause(xc_interface *xch, uint32_t domain)
{
	xen.domains[domain].runs = false;
	return 0;
}

int xc_domain_unpause(xc_interface *xch, uint32_t domain)
{
	xen.domains[domain].runs = xen.fails != RUN;
	return xen.fails == RUN ? -1 : 0;
}

long long xc_shadow_control(xc_interface *xch, uint32_t domain, unsigned int what, void *stats,
			    unsigned int mode)
{
	assert_int_equal(domain, SOURCE);
	xen.log_dirty = 0;
	return 0;
}

struct xs_handle *xs_open(unsigned long flags)
{
	xen.open++;
	return (struct xs_handle *)&xen;
}

void xs_close(struct xs_handle *store)
{
	xen.open--;
}

xendevicemodel_handle *xendevicemodel_open(void *logger, unsigned int flags)
{
	xen.open++;
	return (xendevicemodel_handle *)&xen;
}

int xendevicemodel_close(xendevicemodel_handle *handle)
{
	xen.open--;
	return 0;
}

void xen_event(const char *uuid, const char *event, const char *state, const char *detail)
{
	xen.state = state;
	xen.detail = detail;
}

void __wrap_hypervisor_event(json_t *event);
void __wrap_hypervisor_event(json_t *event)
{
	json_decref(event);
}

bool xen_suspends_itself(uint32_t domain)
{
	return xen.obedient;
}

bool xen_is_ours(const struct hypervisor_job *job)
{
	return !xen.foreign;
}

int xen_describe(void *session, struct hypervisor_job *job)
{
	return 0;
}

void xen_watch_domain(const char *uuid, uint32_t domain, bool ours)
{
}

void xen_watch_end(const char *uuid)
{
}

int xc_get_pfn_type_batch(xc_interface *xch, uint32_t domain, unsigned int count, xen_pfn_t *types)
{
	return -1;
}

void libxl_dominfo_init(libxl_dominfo *info)
{
}

void libxl_dominfo_dispose(libxl_dominfo *info)
{
}

int libxl_domain_info(libxl_ctx *libxl, libxl_dominfo *info, uint32_t domain)
{
	info->domain_type = xen.hvm ? LIBXL_DOMAIN_TYPE_HVM : 0;
	return 0;
}

/* The processes of both ends are fake, and these are not called. */
#define IN_A_PROCESS(declaration)                                                                  \
	declaration                                                                                \
	{                                                                                          \
		abort();                                                                           \
	}
IN_A_PROCESS(int libxl_domain_suspend(libxl_ctx *libxl, uint32_t domain, int fd, int flags,
				      const void *how))
IN_A_PROCESS(void libxl_domain_remus_info_init(libxl_domain_remus_info *info))
IN_A_PROCESS(void libxl_defbool_set(libxl_defbool *value, int is))
IN_A_PROCESS(int libxl_domain_remus_start(libxl_ctx *libxl, libxl_domain_remus_info *info,
					  uint32_t domain, int fd, int back, const void *how))
IN_A_PROCESS(void libxl_domain_config_init(libxl_domain_config *config))
IN_A_PROCESS(void libxl_domain_config_dispose(libxl_domain_config *config))
IN_A_PROCESS(int libxl_retrieve_domain_configuration(libxl_ctx *libxl, uint32_t domain,
						     libxl_domain_config *config, const void *how))
IN_A_PROCESS(void libxl_domain_restore_params_init(libxl_domain_restore_params *params))
IN_A_PROCESS(void libxl_domain_restore_params_dispose(libxl_domain_restore_params *params))
IN_A_PROCESS(int libxl_domain_create_restore(libxl_ctx *libxl, libxl_domain_config *config,
					     uint32_t *domain, int fd, int back,
					     const libxl_domain_restore_params *params,
					     const void *how, const void *console))

static int set_up(void **state)
{
	memset(&xen, 0, sizeof(xen));
	xen.domains[SOURCE] = (struct domain){.name = GUEST, .runs = true};
	xen.domains[USER] = (struct domain){.name = "brinell-g10", .runs = true};
	return 0;
}

/* Nothing stays open, and the domain of another guest is left alone. */
static int migrate(const char *request, struct reason *why)
{
	__cleanup_json json_t *asked = json_loads(request, 0, NULL);
	struct hypervisor_job job = {.guest = "g1", .domain = GUEST, .uuid = "u", .request = asked};
	struct xen_session session = {0};
	int error = xen_migrate(&session, &job);

	assert_non_null(asked);
	assert_null(movers.first);
	assert_int_equal(xen.open, 0);
	assert_true(xen.domains[USER].runs);
	*why = job.why;
	return error;
}

/* It goes on as if nothing had happened, and is the only one. */
static void assert_at_source(void)
{
	assert_string_equal(xen.domains[SOURCE].name, GUEST);
	assert_true(xen.domains[SOURCE].runs);
	assert_null(xen.domains[TARGET].name);
	assert_int_equal(xen.log_dirty, 0);
}

static void a_complete_one_leaves_the_target(void **state)
{
	struct reason why;

	(void)state;
	assert_int_equal(migrate("{\"hold\": \"arrived\", \"video\": true}", &why), 0);
	assert_null(xen.domains[SOURCE].name);
	assert_string_equal(xen.domains[TARGET].name, GUEST);
	assert_true(xen.domains[TARGET].runs);
	assert_string_equal(xen.state, "resumed");
	assert_string_equal(xen.detail, "migrated");
}

/* Of the last checkpoint. The source is not suspended for it any more, and never runs beside the target. */
static void a_source_that_is_given_up_leaves_the_target(void **state)
{
	static const char checkpoint[] = "{\"mode\": \"checkpoint\"}";
	struct reason why;
	int interval_ms;

	assert_int_equal(migrate(checkpoint, &why), 0);
	assert_null(xen.domains[SOURCE].name);
	assert_true(xen.domains[TARGET].runs);
	interval_ms = xen.interval_ms;
	for (int obedient = 0; obedient < 2; obedient++) {
		set_up(state);
		xen.hvm = !obedient;
		xen.obedient = obedient;
		assert_int_equal(migrate(checkpoint, &why), 0);
		assert_true(xen.interval_ms > 10 * interval_ms);
	}
}

static void one_that_fails_leaves_the_source(void **state)
{
	static const char *const reasons[] = {[SAVER] = "save the domain",
					      [STREAM] = "the stream",
					      [RESTORER] = "restore the domain",
					      [RENAME] = "rename the domain",
					      [RUN] = "run the restored guest"};
	struct reason why;

	for (enum stage stage = SAVER; stage <= RUN; stage++) {
		set_up(state);
		xen.fails = stage;
		assert_true(migrate("{}", &why) < 0);
		assert_non_null(strstr(why.text, reasons[stage]));
		assert_at_source();
		if (stage == STREAM)
			continue;
		assert_string_equal(xen.state, "resumed");
		assert_string_equal(xen.detail, "migration-cancelled");
	}
}

/* Its device model has died, without which libxl does not resume it. */
static void a_source_that_stays_suspended_is_named(void **state)
{
	struct reason why;

	(void)state;
	xen.fails = SAVER;
	xen.stuck = true;
	assert_true(migrate("{}", &why) < 0);
	assert_non_null(strstr(why.text, "save the domain; the guest stays suspended"));
	assert_true(xen.domains[SOURCE].suspended);
	assert_null(xen.domains[TARGET].name);
}

static void one_that_is_refused_leaves_the_domain_alone(void **state)
{
	static const char *const requests[] = {"{\"hold\": \"sent\"}", "{\"hold\": \"elsewhere\"}",
					       "{\"uri\": \"qemu+tcp://host-2/system\"}"};
	struct reason why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		assert_int_equal(migrate(requests[i], &why), -EINVAL);
		assert_at_source();
	}
	xen.domains[SOURCE].name = NULL;
	assert_int_equal(migrate("{}", &why), -ENOENT);
}

/* Its requests would stay hidden if the agent died. */
static void a_domain_that_suspends_itself_is_not_held_before(void **state)
{
	struct reason why;

	(void)state;
	xen.obedient = true;
	xen.foreign = true;
	assert_int_equal(migrate("{\"hold\": \"last\"}", &why), -EOPNOTSUPP);
	assert_non_null(strstr(why.text, "suspends itself"));
	assert_at_source();
	xen.foreign = false;
	assert_int_equal(migrate("{\"hold\": \"last\"}", &why), 0);
}

static void the_other_host_has_the_guest_or_not(void **state)
{
	static const char there[] = "{\"uri\": \"xen+ssh://host-2\"}";
	struct reason why;

	assert_int_equal(migrate(there, &why), 0);
	assert_null(xen.domains[SOURCE].name);
	set_up(state);
	xen.answer = -EREMOTEIO;
	assert_int_equal(migrate(there, &why), -EREMOTEIO);
	assert_at_source();
	/* It may run there: the source stays as it is. */
	set_up(state);
	xen.answer = -EPIPE;
	assert_int_equal(migrate(there, &why), -EPIPE);
	assert_true(xen.domains[SOURCE].suspended);
	assert_false(xen.domains[SOURCE].runs);
}

#define TEST(function) cmocka_unit_test_setup(function, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_complete_one_leaves_the_target),
		TEST(a_source_that_is_given_up_leaves_the_target),
		TEST(one_that_fails_leaves_the_source),
		TEST(a_source_that_stays_suspended_is_named),
		TEST(one_that_is_refused_leaves_the_domain_alone),
		TEST(a_domain_that_suspends_itself_is_not_held_before),
		TEST(the_other_host_has_the_guest_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
