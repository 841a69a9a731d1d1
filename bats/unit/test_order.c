// SPDX-License-Identifier: GPL-2.0-only
/*
 * The order of the scenarios of a pattern: hosts and guests are kept as long as they serve, and nothing else moves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "harness/lib/util.h"
#include "harness/trial/order.h"

#include <cmocka.h>

#define STEPS "steps:\n  - start: victim\n"
#define POISON "  - inject: {with: hwpoison, at: victim, method: corrupt-pfn}\n"

static struct scenario *parsed(const char *name, const char *guests, const char *rig)
{
	__cleanup_free char *text = format_text(
		"scenario: %s\ntitle: t\n%s%s%sworkloads: {victim: {kind: memory%s}%s}\n" STEPS
		"%s" POISON,
		name, guests, guests[0] ? "" : "bench: intel\n", rig, guests[0] ? ", in: g1" : "",
		strstr(guests, "g2") ? ", other: {kind: pattern, in: g2}" : "",
		strstr(guests, "g2") ? "  - start: other\n" : "");
	struct scenario *scenario = NULL;
	struct reason why = {0};

	if (scenario_parse("x.yaml", text, strlen(text), NULL, &scenario, &why))
		fail_msg("%s\n%s", why.text, text);
	return scenario;
}

/* What stands as "name guests" on the left comes out in the order of the names. */
static void check_order(const char *const (*table)[3], size_t count, const char *expected)
{
	struct scenario *scenarios[8];
	const struct scenario *order[8];
	char names[128] = "";

	for (size_t i = 0; i < count; i++)
		order[i] = scenarios[i] = parsed(table[i][0], table[i][1], table[i][2]);
	order_scenarios(order, count);
	for (size_t i = 0; i < count; i++) {
		strcat(names, i ? " " : "");
		strcat(names, order[i]->name);
	}
	assert_string_equal(names, expected);
	for (size_t i = 0; i < count; i++)
		scenario_free(scenarios[i]);
}

#define PLAIN "guests: {g1: {}}\n"
#define HUGE "guests: {g1: {backing: thp}}\n"
#define FRESH "guests: {g1: {fresh: true}}\n"

static void test_alike_guests_follow_each_other(void **state)
{
	static const char *const table[][3] = {
		{"a", PLAIN, ""}, {"b", HUGE, ""},  {"c", PLAIN, ""},
		{"d", HUGE, ""},  {"e", PLAIN, ""},
	};

	(void)state;
	check_order(table, ARRAY_SIZE(table), "a c e b d");
}

static void test_nothing_moves_without_gain(void **state)
{
	static const char *const same[][3] = {{"c", PLAIN, ""}, {"a", PLAIN, ""}, {"b", PLAIN, ""}};
	static const char *const hosts[][3] = {{"c", "", ""}, {"a", "", ""}, {"b", "", ""}};

	(void)state;
	check_order(same, ARRAY_SIZE(same), "c a b");
	check_order(hosts, ARRAY_SIZE(hosts), "c a b");
}

/* A scenario with a fresh guest for each trial needs no place next to another. */
static void test_a_fresh_guest_is_not_kept(void **state)
{
	static const char *const table[][3] = {
		{"a", FRESH, ""},
		{"b", HUGE, ""},
		{"c", FRESH, ""},
		{"d", PLAIN, ""},
	};

	(void)state;
	check_order(table, ARRAY_SIZE(table), "a b c d");
}

/* One more guest beside the one that runs costs one start, another guest in its place costs one too and loses that. */
static void test_a_guest_that_runs_is_kept(void **state)
{
	static const char *const table[][3] = {
		{"a", PLAIN, ""},
		{"b", HUGE, ""},
		{"c", "guests: {g1: {}, g2: {}}\n", ""},
		{"d", PLAIN, ""},
	};

	(void)state;
	check_order(table, ARRAY_SIZE(table), "a d c b");
}

static void test_a_host_that_is_up_is_kept(void **state)
{
	static const char *const table[][3] = {
		{"a", "", ""},	  {"b", "", "rig: {processors: 2}\n"}, {"c", "", ""},
		{"d", PLAIN, ""}, {"e", "", "rig: {processors: 2}\n"},
	};

	(void)state;
	check_order(table, ARRAY_SIZE(table), "a c b e d");
}

static void test_files_are_put_in_order(void **state)
{
	char directory[] = "/tmp/brinell-order.XXXXXX";
	__cleanup_json json_t *paths = json_pack("[s]", "elsewhere");
	struct reason why = {0};

	(void)state;
	assert_non_null(mkdtemp(directory));
	for (int i = 0; i < 3; i++) {
		__cleanup_free char *path = format_text("%s/%c.yaml", directory, 'a' + i);
		FILE *file = fopen(path, "w");

		assert_non_null(file);
		fprintf(file,
			"scenario: %c\ntitle: t\n%sworkloads: {victim: {kind: memory, in: "
			"g1}}\n" STEPS POISON,
			'a' + i, i == 1 ? HUGE : PLAIN);
		assert_int_equal(fclose(file), 0);
		json_array_append_new(paths, json_string(path));
	}
	assert_int_equal(order_paths(paths, 1, NULL, &why), 0);
	assert_string_equal(json_string_value(json_array_get(paths, 0)), "elsewhere");
	for (int i = 1; i < 4; i++) {
		const char *path = json_string_value(json_array_get(paths, (size_t)i));

		assert_int_equal(path[strlen(directory) + 1], "acb"[i - 1]);
	}
	json_array_append_new(paths, json_string("/does/not/exist.yaml"));
	assert_true(order_paths(paths, 1, NULL, &why) < 0);
	assert_non_null(strstr(why.text, "/does/not/exist.yaml"));
	for (int i = 0; i < 3; i++) {
		__cleanup_free char *path = format_text("%s/%c.yaml", directory, 'a' + i);

		unlink(path);
	}
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alike_guests_follow_each_other),
		cmocka_unit_test(test_nothing_moves_without_gain),
		cmocka_unit_test(test_a_fresh_guest_is_not_kept),
		cmocka_unit_test(test_a_guest_that_runs_is_kept),
		cmocka_unit_test(test_a_host_that_is_up_is_kept),
		cmocka_unit_test(test_files_are_put_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
