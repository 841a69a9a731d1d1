// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: brinell doctor on fake benches: each host is looked at, when its libvirt is up, and each finding
 * says of which host it is.
 *
 * rooms: harness/commands
 */
#include "bats/unit/fake_bench.h"

/* The output of a run of doctor, and its calls to the hosts. */
static char *said, *asked;

static int doctor(const char *bench, bool as_json)
{
	char *arguments[] = {"doctor", "--bench", (char *)bench, as_json ? "--json" : NULL, NULL};
	__cleanup_free char *calls = format_text("%s/calls", fake.calls);
	__cleanup_free char *out = format_text("%s/out", fake.calls);
	int before = dup(STDOUT_FILENO), code;

	fflush(stdout);
	assert_non_null(freopen(out, "w", stdout));
	optind = 0;
	code = command_find("doctor")->run(as_json ? 4 : 3, arguments);
	fflush(stdout);
	dup2(before, STDOUT_FILENO);
	close(before);
	assert_int_equal(read_small_file(out, &said, NULL), 0);
	assert_int_equal(read_small_file(calls, &asked, NULL), 0);
	return code;
}

static int set_up(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	strcpy(fake.calls, "/tmp/brinell-test-XXXXXX");
	if (!mkdtemp(fake.calls))
		return -1;
	/* What the findings mean for scenarios, the tests of the command line show; here are none. */
	return setenv("BRINELL_LIBRARY", fake.calls, true);
}

static int tear_down(void **state)
{
	__cleanup_free char *command = format_text("rm -rf %s", fake.calls);

	(void)state;
	free(steal(said));
	free(steal(asked));
	return system(command);
}

static void go_wrong(const char *host, const char *call, enum fake_mishap mishap)
{
	fake.host = host;
	fake.call = call;
	fake.mishap = mishap;
}

static void each_host_is_looked_at(void **state)
{
	const char *second;

	(void)state;
	assert_int_equal(doctor("fake-pair", false), EXIT_PASSED);
	second = strstr(said, "h1: ");
	assert_int_equal(strncmp(said, "h0: ", 4), 0);
	assert_non_null(second);
	assert_true(strstr(said, "ok       kill:libvirtd") < second);
	assert_non_null(
		strstr(second, "missing  kill:libvirtd\n           why: it does not run\n"));
	assert_non_null(strstr(second, "0 found, 1 missing"));
	/* What there is, is there when libvirt is up. */
	assert_non_null(strstr(asked, "h0 ready"));
	assert_true(strstr(asked, "h0 ready") < strstr(asked, "h0 probe"));
	assert_non_null(strstr(asked, "h1 ready"));
	assert_true(strstr(asked, "h1 ready") < strstr(asked, "h1 probe"));
}

static void one_host_has_no_name(void **state)
{
	(void)state;
	assert_int_equal(doctor("fake", false), EXIT_PASSED);
	assert_null(strstr(said, "h0"));
	assert_non_null(strstr(said, "1 found, 0 missing"));
}

static void json_names_the_host(void **state)
{
	__cleanup_json json_t *report = NULL;
	const json_t *findings, *hosts;

	(void)state;
	assert_int_equal(doctor("fake-pair", true), EXIT_PASSED);
	report = json_loads(said, 0, NULL);
	hosts = json_object_get(report, "hosts");
	findings = json_object_get(report, "findings");
	assert_int_equal(json_array_size(hosts), 2);
	assert_string_equal(json_text(json_array_get(hosts, 1), "host", ""), "h1");
	assert_string_equal(json_text(json_array_get(hosts, 1), "kernel", ""), "7.2.12");
	assert_int_equal(json_array_size(findings), 2);
	assert_string_equal(json_text(json_array_get(findings, 0), "host", ""), "h0");
	assert_string_equal(json_text(json_array_get(findings, 1), "host", ""), "h1");
	assert_true(json_is_false(json_object_get(json_array_get(findings, 1), "ok")));
}

/* What is wrong with one host does not hide the other one, and is a failure of the bench. */
static void one_host_does_not_come_up(void **state)
{
	(void)state;
	go_wrong("h0", "hello", FAKE_DIES);
	assert_int_equal(doctor("fake-pair", false), EXIT_INFRA);
	assert_null(strstr(said, "h0: "));
	assert_non_null(strstr(said, "h1: "));
}

static void libvirt_does_not_come_up(void **state)
{
	(void)state;
	go_wrong("h1", "ready", FAKE_REFUSES);
	assert_int_equal(doctor("fake-pair", false), EXIT_INFRA);
	assert_non_null(strstr(said, "h0: "));
	assert_non_null(strstr(said, "h1: "));
}

int main(void)
{
#define DOCTOR_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		DOCTOR_TEST(each_host_is_looked_at),   DOCTOR_TEST(one_host_has_no_name),
		DOCTOR_TEST(json_names_the_host),      DOCTOR_TEST(one_host_does_not_come_up),
		DOCTOR_TEST(libvirt_does_not_come_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
