// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: parameter tables: canonical values, defaults, and the text of every kind of mistake.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "harness/lib/param.h"

#include <cmocka.h>

static const char *const touches[] = {"load", "store", NULL};
static const struct param table[] = {
	{"address", PARAM_NUMBER, "where", NULL, NULL, true},
	{"mask", PARAM_NUMBER, "which bits", "0xfffffffffffff000", NULL, false},
	{"size", PARAM_SIZE, "how much", "2M", NULL, false},
	{"delay", PARAM_DURATION, "how long", NULL, NULL, false},
	{"touch", PARAM_CHOICE, "how", "load", touches, false},
	{"again", PARAM_BOOL, "twice", NULL, NULL, false},
	{"names", PARAM_LIST, "who", NULL, NULL, false},
	{0},
};

static void values_become_canonical(void **state)
{
	__cleanup_json json_t *given = json_pack("{s:s, s:s, s:b, s:[s,s]}", "address", "4096",
						 "delay", "3ms", "again", 1, "names", "a", "b");
	__cleanup_json json_t *arguments = NULL;
	struct reason why = {0};

	(void)state;
	assert_int_equal(param_check(table, given, &arguments, &why), 0);
	assert_string_equal(param_text(arguments, "address"), "0x1000");
	assert_true(param_number(arguments, "mask") == 0xfffffffffffff000ull);
	assert_true(param_number(arguments, "size") == 2u << 20);
	assert_true(param_duration_ns(arguments, "delay") == 3000000);
	assert_string_equal(param_text(arguments, "touch"), "load");
	assert_true(param_bool(arguments, "again"));
	assert_int_equal(json_array_size(json_object_get(arguments, "names")), 2);
}

/* What was checked once passes the check of the agent unchanged. */
static void checking_twice_changes_nothing(void **state)
{
	__cleanup_json json_t *given =
		json_pack("{s:s, s:s}", "address", "0xfffffffffffff000", "delay", "1min");
	__cleanup_json json_t *once = NULL, *twice = NULL;
	struct reason why = {0};

	(void)state;
	assert_int_equal(param_check(table, given, &once, &why), 0);
	assert_int_equal(param_check(table, once, &twice, &why), 0);
	assert_true(json_equal(once, twice));
}

static void times_have_units(void **state)
{
	static const struct {
		const char *text;
		int64_t nanoseconds;
	} times[] = {{"7ns", 7},
		     {"7us", 7000},
		     {"7ms", 7000000},
		     {"90s", 90 * NSEC_PER_SEC},
		     {"2min", 120 * NSEC_PER_SEC},
		     {"90m", 5400 * NSEC_PER_SEC},
		     {"6h", 21600 * NSEC_PER_SEC}};
	int64_t time;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		assert_int_equal(parse_duration(times[i].text, &time), 0);
		assert_int_equal(time, times[i].nanoseconds);
	}
	assert_int_equal(parse_duration("6", &time), -EINVAL);
	assert_int_equal(parse_duration("6d", &time), -EINVAL);
	assert_int_equal(parse_duration("2562048h", &time), -ERANGE);
}

static void refuse(const char *name, const char *text, int error, const char *message)
{
	__cleanup_json json_t *arguments = json_object();
	struct reason why = {0};

	assert_int_equal(param_set(table, arguments, name, text, &why), error);
	if (!strstr(why.text, message))
		fail_msg("'%s' does not contain '%s'", why.text, message);
	assert_int_equal(json_object_size(arguments), 0);
}

static void mistakes_are_named(void **state)
{
	(void)state;
	refuse("adress", "1", -ENOENT, "known: address, mask");
	refuse("address", "-1", -EINVAL, "'-1'");
	refuse("address", "12x", -EINVAL, "'12x'");
	refuse("address", "0x10000000000000000", -EINVAL, "at most 64 bits");
	refuse("address", "", -EINVAL, "must be a number");
	refuse("size", "3T", -EINVAL, "such as 4096, 2M or 1G");
	refuse("size", "99999999999G", -EINVAL, "size in bytes");
	refuse("delay", "5", -EINVAL, "with its unit");
	refuse("delay", "ms", -EINVAL, "with its unit");
	refuse("touch", "lick", -EINVAL, "one of load, store");
	refuse("again", "perhaps", -EINVAL, "true or false");
}

static void required_is_missed(void **state)
{
	__cleanup_json json_t *given = json_object();
	__cleanup_json json_t *arguments = NULL;
	struct reason why = {0};

	(void)state;
	assert_int_equal(param_check(table, given, &arguments, &why), -EINVAL);
	assert_non_null(strstr(why.text, "'address' is missing: where"));
	assert_null(arguments);
}

static void nested_values_are_refused(void **state)
{
	__cleanup_json json_t *given = json_pack("{s:{}}", "address");
	__cleanup_json json_t *list = json_pack("{s:[i]}", "names", 1);
	__cleanup_json json_t *arguments = NULL;
	struct reason why = {0};

	(void)state;
	assert_int_equal(param_check(table, given, &arguments, &why), -EINVAL);
	assert_int_equal(param_check(table, list, &arguments, &why), -EINVAL);
	assert_non_null(strstr(why.text, "list of texts"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_become_canonical),
		cmocka_unit_test(checking_twice_changes_nothing),
		cmocka_unit_test(times_have_units),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(required_is_missed),
		cmocka_unit_test(nested_values_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
