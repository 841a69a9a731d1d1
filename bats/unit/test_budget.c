// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: how much evidence of one trial a source may put into the journal, by number and by bytes, and what is on record of the
 * rest.
 *
 * wraps: engine_journal
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "harness/scenario/scenario.h"
#include "harness/trial/engine_internal.h"

#include <cmocka.h>

static struct scenario scenario;
static struct planned_trial trial = {.scenario = &scenario};
static struct engine engine;
static json_t *journal;

void __wrap_engine_journal(struct engine *of, const char *type, json_t *body);

void __wrap_engine_journal(struct engine *of, const char *type, json_t *body)
{
	assert_ptr_equal(of, &engine);
	json_array_append_new(journal, json_pack("{s:s, s:o}", "type", type, "body", body));
}

static int set_up(void **state)
{
	(void)state;
	scenario.deadline_ns = 60 * NSEC_PER_SEC;
	engine = (struct engine){.trial = &trial};
	journal = json_array();
	budget_begin(&engine);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	json_decref(engine.budget);
	json_decref(journal);
	return 0;
}

static json_t *make_event(const char *witness, const char *text)
{
	return json_pack("{s:s, s:s, s:s}", "witness", witness, "host", "h0", "text", text);
}

/* Return: how many of @count such events fit. */
static int offer(const char *witness, const char *text, int count)
{
	__cleanup_json json_t *event = make_event(witness, text);
	int fit = 0;

	for (int i = 0; i < count; i++)
		fit += budget_allows(&engine, event);
	return fit;
}

static const json_t *record(size_t index, const char *type)
{
	const json_t *found = json_array_get(journal, index);

	assert_string_equal(json_text(found, "type", "none"), type);
	return json_object_get(found, "body");
}

static void a_flood_is_cut_off_and_counted(void **state)
{
	const json_t *body;

	(void)state;
	assert_int_equal(offer("trace", "x", 12000), 10000);
	/* Evidence of that source, from which the judge sees that there may have been more. */
	assert_int_equal(json_array_size(journal), 1);
	body = record(0, "event");
	assert_string_equal(json_text(body, "witness", ""), "trace");
	assert_string_equal(json_text(json_object_get(body, "data"), "event", ""), "over-budget");
	assert_int_equal(json_number(json_object_get(body, "data"), "lost", 0), 1);
	/* How the kernel itself fares has a reserve, and other sources have their own. */
	assert_int_equal(offer("trace", "Kernel panic - not syncing: Fatal exception", 150), 100);
	assert_int_equal(offer("kmsg", "x", 10), 10);
	budget_end(&engine);
	assert_int_equal(json_array_size(journal), 2);
	body = record(1, "dropped");
	assert_string_equal(json_text(body, "source", ""), "h0 trace");
	assert_int_equal(json_number(body, "events", 0), 2050);
}

static void a_longer_trial_may_have_more(void **state)
{
	(void)state;
	scenario.deadline_ns = 120 * NSEC_PER_SEC;
	assert_int_equal(offer("trace", "x", 21000), 20000);
	budget_begin(&engine);
	assert_int_equal(offer("trace", "x", 1), 1);
}

/* Sources that keep to their own budgets may exceed that of their host; what is seen from outside has no part in it. */
static void bytes_are_limited_for_a_source_and_a_host(void **state)
{
	static char text[64 << 10];
	__cleanup_json json_t *event = NULL;
	int most;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	event = make_event("trace", text);
	most = (4 << 20) / (int)json_dumpb(event, NULL, 0, JSON_COMPACT);
	assert_in_range(most, 60, 64);
	assert_int_equal(offer("trace", text, most + 10), most);
	assert_int_equal(offer("first", text, most), most);
	assert_int_equal(offer("other", text, most), most);
	assert_int_equal(offer("third", text, most), most);
	assert_in_range(offer("fifth", text, most), 0, 4);
	assert_int_equal(offer("console", text, most), most);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_flood_is_cut_off_and_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_longer_trial_may_have_more, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bytes_are_limited_for_a_source_and_a_host, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
