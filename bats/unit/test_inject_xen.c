// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: xen-mca with a fake Xen: the calls to Xen, their order, and which domains, pages and processors are
 * refused before anything is written.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "harness/host/machine.h"
#include "inject/injector.h"
#include "inject/xen_control.h"
#include "bats/unit/fake_root.h"

/* cmocka has a macro fail(): (fail) is the function. */
static struct {
	const char *no_xen;
	struct xen_machine machine;
	struct xen_domain domain;
	enum xen_page page;
	int refusal, raise_refusal;
	struct agent *agent;
	char firmware[128];
	int open;
	uint64_t watched, watched_frame;
	unsigned int frame_state;
	char calls[512];
} xen;

static void note_call(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note_call(const char *format, ...)
{
	size_t used = strlen(xen.calls);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(xen.calls + used, sizeof(xen.calls) - used, format, arguments);
	va_end(arguments);
}

static void *fake_open(struct reason *why)
{
	if (xen.no_xen) {
		(fail)(why, -ENOENT, "%s", xen.no_xen);
		return NULL;
	}
	xen.open++;
	return &xen;
}

static void fake_close(void *handle)
{
	assert_ptr_equal(handle, &xen);
	xen.open--;
}

static int fake_machine(void *handle, struct xen_machine *machine, struct reason *why)
{
	(void)handle;
	(void)why;
	*machine = xen.machine;
	return 0;
}

static int fake_find(void *handle, const char *name, struct xen_domain *domain, struct reason *why)
{
	(void)handle;
	if (strcmp(name, "brinell-g1") != 0)
		return (fail)(why, -ESRCH, "xenstore knows no domain %s", name);
	*domain = xen.domain;
	return 0;
}

static int fake_page(void *handle, uint32_t domain, uint64_t pfn, enum xen_page *page,
		     struct reason *why)
{
	(void)handle;
	(void)why;
	assert_int_equal(domain, xen.domain.id);
	assert_true(pfn < xen.domain.pfns);
	*page = xen.page;
	return 0;
}

static int fake_write_msrs(void *handle, unsigned int processor, const struct xen_msr *msrs,
			   size_t count, struct reason *why)
{
	(void)handle;
	note_call("cpu %u:", processor);
	for (size_t i = 0; i < count; i++)
		note_call(" %x=%" PRIx64, msrs[i].number, msrs[i].value);
	return xen.refusal ? (fail)(why, xen.refusal, "Xen refuses") : 0;
}

static int fake_write_address(void *handle, unsigned int processor, uint32_t number,
			      uint32_t domain, uint64_t gpa, struct reason *why)
{
	(void)handle;
	(void)why;
	note_call(", cpu %u: %x=d%u:%" PRIx64, processor, number, domain, gpa);
	return 0;
}

static int fake_raise(void *handle, unsigned int processor, enum xen_raise raise,
		      struct reason *why)
{
	(void)handle;
	note_call(", raise %d on %u", (int)raise, processor);
	return xen.raise_refusal ? (fail)(why, xen.raise_refusal, "no such processor") : 0;
}

static int fake_frame(void *handle, unsigned int processor, uint32_t number, uint32_t domain,
		      uint64_t pfn, uint64_t *frame, struct reason *why)
{
	(void)handle;
	note_call("cpu %u, %x: where is d%u:%" PRIx64, processor, number, domain, pfn);
	*frame = 0x12345;
	return xen.refusal ? (fail)(why, xen.refusal, "whose page is another") : 0;
}

static int fake_break_page(void *handle, uint32_t domain, uint64_t pfn, struct reason *why)
{
	(void)handle;
	(void)why;
	note_call("break d%u:%" PRIx64, domain, pfn);
	return 0;
}

static int fake_offline(void *handle, uint64_t frame, unsigned int *state, struct reason *why)
{
	(void)handle;
	note_call("offline %" PRIx64, frame);
	*state = XEN_FRAME_PENDING;
	return xen.raise_refusal ? (fail)(why, xen.raise_refusal, "Xen needs it") : 0;
}

static int fake_frame_state(void *handle, uint64_t frame, unsigned int *state, struct reason *why)
{
	(void)handle;
	(void)frame;
	(void)why;
	*state = xen.frame_state;
	return 0;
}

static int fake_free_frame(void *handle, uint64_t *frame, struct reason *why)
{
	(void)handle;
	*frame = 0x54321;
	return xen.refusal ? (fail)(why, xen.refusal, "every frame belongs to a domain") : 0;
}

static void fake_watch_frame(uint64_t frame, unsigned int state)
{
	assert_int_equal(state, 0);
	xen.watched_frame = frame;
}

static void fake_watch(uint32_t domain, uint64_t pfn)
{
	assert_int_equal(domain, xen.domain.id);
	xen.watched = pfn;
}

static const struct xen_control fake = {
	.name = "fake",
	.open = fake_open,
	.close = fake_close,
	.machine = fake_machine,
	.find = fake_find,
	.page = fake_page,
	.write_msrs = fake_write_msrs,
	.write_address = fake_write_address,
	.raise = fake_raise,
	.frame = fake_frame,
	.break_page = fake_break_page,
	.offline = fake_offline,
	.frame_state = fake_frame_state,
	.free_frame = fake_free_frame,
	.watch_frame = fake_watch_frame,
	.watch = fake_watch,
};

REGISTER(xen_control, fake);

/* A machine with Xen that may be broken, and a guest of 16 MiB. */
static int make_xen(void **state)
{
	char host[65] = "";
	FILE *mark;

	memset(&xen, 0, sizeof(xen));
	xen.machine = (struct xen_machine){.processors = 2, .cap = 0x100010a, .intel = true};
	xen.domain = (struct xen_domain){.id = 7, .hvm = true, .pfns = 0x1000};
	if (make_root(state) || mkdir(place("/etc"), 0755) || mkdir(place("/etc/brinell"), 0755) ||
	    gethostname(host, sizeof(host) - 1))
		return -1;
	mark = fopen(place("/etc/brinell/expendable"), "w");
	fprintf(mark, "%s\n", host);
	return fclose(mark);
}

static int inject(const char *arguments, bool dry_run, struct reason *why)
{
	__cleanup_json json_t *given = json_loads(arguments, 0, NULL);
	struct injection injection;
	int error;

	assert_non_null(given);
	*why = (struct reason){0};
	assert_int_equal(injection_open(&injection, injector_find("xen-mca"), given, dry_run, why),
			 0);
	injection.agent = xen.agent;
	error = injection.injector->prepare(&injection, why);
	if (!error) {
		const json_t *call;

		error = injection.injector->fire(&injection, why);
		call = json_object_get(injection.result, RESULT_FIRMWARE);
		snprintf(xen.firmware, sizeof(xen.firmware), "%s %lld", json_text(call, "call", ""),
			 (long long)json_number(call, "address", 0));
		assert_int_equal(injection.injector->restore(&injection, error ? NULL : why), 0);
	}
	assert_int_equal(injection.change.lock_fd, -1);
	assert_null(injection.private);
	assert_int_equal(xen.open, 0);
	injection_close(&injection);
	return error;
}

static void assert_calls(const char *arguments, const char *text)
{
	struct reason why;

	if (inject(arguments, false, &why))
		fail_msg("%s: %s", arguments, why.text);
	assert_string_equal(xen.calls, text);
	xen.calls[0] = '\0';
}

static void refuse(const char *arguments, int error, const char *message)
{
	struct reason why;
	int got = inject(arguments, false, &why);

	if (got != error || !strstr(why.text, message))
		fail_msg("%s: %s '%s' instead of %s '%s'", arguments,
			 got ? error_name(got) : "no error", why.text, error_name(error), message);
	assert_string_equal(xen.calls, "");
}

#define AT_PAGE "\"guest\": \"g1\", \"gpa\": \"0x5040\""

static void kinds_become_registers_of_xen(void **state)
{
	(void)state;
	assert_calls("{\"kind\": \"srao\", " AT_PAGE "}",
		     "cpu 0: 17a=5 41d=bd2000008000017a 41f=86, cpu 0: 41e=d7:5040, raise 0 on 0");
	assert_int_equal(xen.watched, 5);
	assert_calls("{\"kind\": \"lmce\", \"cpu\": 1, \"bank\": 9, " AT_PAGE "}",
		     "cpu 1: 17a=d 425=bd2000008000017a 427=86, cpu 1: 426=d7:5040, raise 2 on 1");
	assert_calls("{\"kind\": \"ucna\", " AT_PAGE "}",
		     "cpu 0: 17a=0 41d=bc20000080000136 41f=86, cpu 0: 41e=d7:5040, raise 1 on 0");
	assert_calls("{\"kind\": \"fatal\", " AT_PAGE "}",
		     "cpu 0: 17a=5 41d=bf2000008000017a 41f=86, cpu 0: 41e=d7:5040, raise 0 on 0");
	assert_calls("{\"kind\": \"set-broken\", " AT_PAGE "}", "break d7:5");
}

static void real_machine_checks_are_left_to_the_emulator(void **state)
{
	static const char real[] = "{\"kind\": \"machine-check\", " AT_PAGE "}";

	(void)state;
	refuse(real, -EOPNOTSUPP, "use a scenario");
	xen.agent = (struct agent *)&xen;
	refuse(real, -EOPNOTSUPP, "not emulated by QEMU");
	put("/sys/class/dmi/id/sys_vendor", "QEMU\n");
	assert_calls(real, "cpu 0, 41e: where is d7:5");
	assert_string_equal(xen.firmware, "machine-check 305418304");
	assert_int_equal(xen.watched, 5);
	xen.refusal = -EFAULT;
	assert_int_equal(inject(real, false, &(struct reason){""}), -EFAULT);
}

static void frames_are_taken_out_of_use(void **state)
{
	static const char offline[] = "{\"kind\": \"offline\", " AT_PAGE "}";
	struct reason why;

	(void)state;
	assert_calls(offline, "cpu 0, 41e: where is d7:5offline 12345");
	assert_int_equal(xen.watched_frame, 0x12345);
	assert_calls("{\"kind\": \"offline-free\", " AT_PAGE "}", "offline 54321");
	assert_int_equal(xen.watched_frame, 0x54321);
	xen.frame_state = XEN_FRAME_PENDING;
	assert_int_equal(inject(offline, false, &why), -EALREADY);
	assert_null(strstr(xen.calls, "offline"));
	xen.frame_state = 0;
	xen.raise_refusal = -EBUSY;
	assert_int_equal(inject(offline, false, &why), -EBUSY);
	assert_string_equal(why.text, "Xen needs it");
}

static void domains_are_checked(void **state)
{
	static const char srao[] = "{\"kind\": \"srao\", " AT_PAGE "}";

	(void)state;
	refuse("{\"kind\": \"srao\", \"guest\": \"g2\", \"gpa\": 0}", -ESRCH, "brinell-g2");
	xen.domain.hvm = false;
	refuse(srao, -EOPNOTSUPP, "is PV");
	xen.domain.hvm = true;
	xen.domain.dying = true;
	refuse(srao, -ESHUTDOWN, "is being destroyed");
	xen.domain.dying = false;
	xen.domain.ended = true;
	refuse(srao, -ESHUTDOWN, "has shut down");
}

static void pages_are_checked(void **state)
{
	(void)state;
	refuse("{\"kind\": \"srao\", \"guest\": \"g1\"}", -EINVAL, "no address");
	refuse("{\"kind\": \"srao\", \"guest\": \"g1\", \"gpa\": \"0x1000000\"}", -ERANGE,
	       "its last one is 0xfff");
	xen.page = XEN_PAGE_HOLE;
	refuse("{\"kind\": \"srao\", " AT_PAGE "}", -EFAULT, "is a hole");
	xen.page = XEN_PAGE_BROKEN;
	refuse("{\"kind\": \"set-broken\", " AT_PAGE "}", -EHWPOISON, "is broken");
}

static void machines_are_checked(void **state)
{
	(void)state;
	refuse("{\"kind\": \"srao\", \"cpu\": 2, " AT_PAGE "}", -EINVAL, "no processor 2");
	refuse("{\"kind\": \"srao\", \"bank\": 10, " AT_PAGE "}", -EINVAL, "has 10 machine check");
	xen.no_xen = "Xen 4.20 refuses libxenctrl";
	refuse("{\"kind\": \"srao\", " AT_PAGE "}", -EOPNOTSUPP, "refuses libxenctrl");
	xen.no_xen = NULL;
	assert_int_equal(unlink(place("/etc/brinell/expendable")), 0);
	refuse("{\"kind\": \"srao\", " AT_PAGE "}", -EPERM, "expendable");
}

static void refusals_and_plans_write_nothing_more(void **state)
{
	struct reason why;

	(void)state;
	assert_int_equal(inject("{\"kind\": \"srao\", " AT_PAGE "}", true, &why), 0);
	assert_string_equal(xen.calls, "");
	xen.refusal = -EINVAL;
	assert_int_equal(inject("{\"kind\": \"srao\", " AT_PAGE "}", false, &why), -EINVAL);
	assert_null(strstr(xen.calls, "raise"));
	/* What stays interposed must not be taken for an error by the next machine check. */
	xen.refusal = 0;
	xen.raise_refusal = -EINVAL;
	xen.calls[0] = '\0';
	assert_int_equal(inject("{\"kind\": \"srao\", " AT_PAGE "}", false, &why), -EINVAL);
	assert_string_equal(why.text, "no such processor");
	assert_non_null(strstr(xen.calls, "raise 0 on 0cpu 0: 17a=5 41d=0"));
}

static bool is_found(const char *name, const char *reason)
{
	__cleanup_json json_t *findings = json_array();
	const json_t *entry;
	size_t index;

	injector_find("xen-mca")->probe(findings);
	assert_int_equal(xen.open, 0);
	json_array_foreach (findings, index, entry) {
		if (strcmp(json_text(entry, "name", ""), name) != 0)
			continue;
		if (reason && !strstr(json_text(entry, "reason", ""), reason))
			fail_msg("%s: %s", name, json_text(entry, "reason", ""));
		return json_is_true(json_object_get(entry, "ok"));
	}
	fail_msg("no finding %s", name);
	return false;
}

static void probe_reports_the_errors_that_xen_handles(void **state)
{
	(void)state;
	assert_true(is_found("xen-mca", NULL));
	assert_true(is_found("xen-mca:srao", NULL));
	assert_true(is_found("xen-mca:set-broken", NULL));
	assert_false(is_found("guest:hvm", "no device model"));
	xen.machine.hvm = true;
	assert_true(is_found("guest:hvm", NULL));
	assert_false(is_found("guest:linux", "no kernel for guests"));
	xen.machine.kernel = true;
	assert_true(is_found("guest:linux", NULL));
	/* MCG_CAP of QEMU has neither bit 27 nor bit 10. */
	assert_false(is_found("xen-mca:lmce", "MCG_LMCE_P"));
	assert_false(is_found("xen-mca:ucna", "CMCI"));
	assert_false(is_found("xen-mca:machine-check", "not emulated by QEMU"));
	put("/sys/class/dmi/id/sys_vendor", "QEMU\n");
	assert_true(is_found("xen-mca:machine-check", NULL));
	assert_true(is_found("xen-mca:offline", NULL));
	xen.refusal = -ENOENT;
	assert_false(is_found("xen-mca:offline-free", "every frame"));
	xen.refusal = 0;
	xen.machine.intel = false;
	assert_false(is_found("xen-mca:srao", "Intel"));
	assert_true(is_found("xen-mca:set-broken", NULL));
	xen.no_xen = "this is not the first domain of Xen";
	assert_false(is_found("xen-mca", "not the first domain"));
	assert_false(is_found("xen-mca:set-broken", "see there"));
}

static void targets_are_checked_in_files(void **state)
{
	__cleanup_json json_t *plain = json_pack("{s:s, s:s}", "kind", "srao", "guest", "g1");
	__cleanup_json json_t *at =
		json_pack("{s:s, s:s, s:s}", "kind", "srao", "guest", "g1", "gpa", "0x1000");
	const struct injector *injector = injector_find("xen-mca");
	struct reason why;

	(void)state;
	assert_int_equal(injector->check(plain, TARGET_GUEST, &why), 0);
	assert_int_equal(injector->check(at, TARGET_NONE, &why), 0);
	assert_int_equal(injector->check(plain, TARGET_NONE, &why), -EINVAL);
	assert_int_equal(injector->check(plain, TARGET_WORKLOAD, &why), -EINVAL);
	assert_non_null(strstr(why.text, "declared with 'in'"));
}

#define WITH_XEN(function) cmocka_unit_test_setup_teardown(function, make_xen, remove_root)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_XEN(kinds_become_registers_of_xen),
		WITH_XEN(real_machine_checks_are_left_to_the_emulator),
		WITH_XEN(frames_are_taken_out_of_use),
		WITH_XEN(domains_are_checked),
		WITH_XEN(pages_are_checked),
		WITH_XEN(machines_are_checked),
		WITH_XEN(refusals_and_plans_write_nothing_more),
		WITH_XEN(probe_reports_the_errors_that_xen_handles),
		WITH_XEN(targets_are_checked_in_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
