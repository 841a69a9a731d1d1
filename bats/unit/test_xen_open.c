// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: machines that do not run under Xen, guests of Xen, and a Xen of another version than its library, with a fake
 * library: each is refused with its reason, and left with nothing open.
 *
 * rooms: harness/host
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Compiled here, against the fake headers: this machine may have none of Xen's. */
#include <inject/xen/open.c>

#include <cmocka.h>

/* @absent, @refusal: what opening the library's device, and its first call, fail with */
static struct {
	int absent, refusal, open;
} xen;

void *xtl_createlogger_stdiostream(FILE *file, int level, unsigned int flags)
{
	return &xen;
}

xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *builder,
				unsigned int flags)
{
	errno = xen.absent;
	xen.open += !xen.absent;
	return xen.absent ? NULL : (xc_interface *)&xen;
}

int xc_interface_close(xc_interface *xch)
{
	xen.open--;
	errno = 0;
	return 0;
}

int xc_physinfo(xc_interface *xch, xc_physinfo_t *machine)
{
	errno = xen.refusal;
	return xen.refusal ? -1 : 0;
}

int xc_version(xc_interface *xch, int what, void *answer)
{
	errno = 0;
	return 4 << 16 | 20;
}

/* The finding has the same reason as the call. */
static void refuse(int absent, int refusal, const char *text)
{
	__cleanup_json json_t *findings = json_array();
	struct reason why = {""};
	const json_t *finding;

	xen.absent = absent;
	xen.refusal = refusal;
	assert_null(xen_open(&why));
	assert_int_equal(xen.open, 0);
	assert_string_equal(why.text, text);
	xen_probe(findings, "page-type");
	finding = json_array_get(findings, 0);
	assert_int_equal(json_array_size(findings), 1);
	assert_false(json_is_true(json_object_get(finding, "ok")));
	assert_string_equal(json_text(finding, "reason", ""), text);
	assert_string_equal(json_text(finding, "remedy", ""), XEN_CONTROL_REMEDY);
}

static void what_is_no_first_domain_of_this_xen_is_refused(void **state)
{
	(void)state;
	refuse(ENOENT, 0, "this is not the first domain of Xen (No such file or directory)");
	refuse(0, EPERM, "Xen 4.20 refuses the calls of a first domain");
	refuse(0, EACCES,
	       "Xen 4.20 refuses libxenctrl, which is of another version: use an agent that is "
	       "built "
	       "with its libraries");
}

static void a_first_domain_is_found(void **state)
{
	__cleanup_json json_t *findings = json_array();
	struct reason why;

	(void)state;
	xen.absent = xen.refusal = 0;
	assert_ptr_equal(xen_open(&why), &xen);
	xen_probe(findings, "page-type");
	assert_true(json_is_true(json_object_get(json_array_get(findings, 0), "ok")));
	assert_int_equal(xen.open, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_first_domain_of_this_xen_is_refused),
		cmocka_unit_test(a_first_domain_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
