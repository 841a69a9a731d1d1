/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_UNIT_ENGINE_TEST_H
#define BRINELL_UNIT_ENGINE_TEST_H

/* What tests of the trial engine have in common: a run on fake hosts, and what is on record of it. */
#include "bats/unit/fake_bench.h"
#include "harness/scenario/scenario.h"
#include "harness/trial/engine.h"

struct fixture {
	char directory[64];
	struct journal *journal;
	json_t *records;
	char *calls;
};

static inline int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	/* As the program has it: a host may die during a call. */
	signal(SIGPIPE, SIG_IGN);
	memset(&fake, 0, sizeof(fake));
	snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/brinell-test-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fake.calls, sizeof(fake.calls), "%s", fixture->directory);
	*state = fixture;
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *fixture = *state;
	__cleanup_free char *journal = format_text("%s/" JOURNAL_FILE, fixture->directory);
	__cleanup_free char *calls = format_text("%s/calls", fixture->directory);

	unlink(journal);
	unlink(calls);
	rmdir(fixture->directory);
	json_decref(fixture->records);
	free(fixture->calls);
	free(fixture);
	return 0;
}

#define GUEST "guests: {g1: {kind: micro}}\nworkloads:\n  victim: {kind: memory, in: g1}\n"
#define ON_HOST "workloads:\n  victim: {kind: memory}\n"
#define LOAD "  load: {kind: stress-ng, stressor: cpu}\n"
#define STRIKE "  - inject: {with: hwpoison, at: victim, method: corrupt-pfn}\n"

static double progress_seen;

static inline void see_progress(void *context, const char *what, double fraction)
{
	(void)context;
	(void)what;
	progress_seen = fraction;
}

/* Runs one scenario some times, and reads the calls to the hosts and the journal. */
static inline void run(struct fixture *fixture, const char *bench, const char *steps, size_t trials)
{
	__cleanup_free char *calls = format_text("%s/calls", fixture->directory);
	__cleanup_free char *text =
		format_text("scenario: test\ntitle: t\nbench: %s\ndeadline: %s\nsettle: %s\n%s%s"
			    "%ssteps:\n%s",
			    bench, fake.deadline ? fake.deadline : "20s",
			    fake.settle ? fake.settle : "10ms", fake.requires ? fake.requires : "",
			    fake.on_host ? ON_HOST : fake.guest ?: GUEST,
			    strstr(steps, ": load") ? LOAD : "",
			    steps);
	struct planned_trial plan[2] = {0};
	struct journal_damage damage;
	struct reason why = {0};

	assert_int_equal(journal_create(fixture->directory, &fixture->journal, &why), 0);
	for (size_t i = 0; i < trials; i++) {
		snprintf(plan[i].id, sizeof(plan[i].id), "%04u", (unsigned int)i + 1);
		plan[i].bench = (char *)bench;
		if (scenario_parse("test.yaml", text, strlen(text), NULL, &plan[i].scenario, &why))
			fail_msg("%s", why.text);
	}
	if (engine_run(&(struct engine_options){.journal = fixture->journal,
						.view.progress = see_progress},
		       plan, trials, &why))
		fail_msg("%s", why.text);
	journal_close(fixture->journal);
	for (size_t i = 0; i < trials; i++)
		scenario_free(plan[i].scenario);
	assert_int_equal(journal_load(fixture->directory, &fixture->records, &damage, &why), 0);
	assert_int_equal(read_small_file(calls, &fixture->calls, NULL), 0);
}

static inline const json_t *find_record(const struct fixture *fixture, const char *type)
{
	const json_t *record;
	size_t index;

	json_array_foreach (fixture->records, index, record)
		if (strcmp(json_text(record, "type", ""), type) == 0)
			return json_object_get(record, "body");
	return NULL;
}

static inline int count_records(const struct fixture *fixture, const char *type)
{
	const json_t *record;
	size_t index;
	int count = 0;

	json_array_foreach (fixture->records, index, record)
		count += strcmp(json_text(record, "type", ""), type) == 0;
	return count;
}

static inline int count_calls(const struct fixture *fixture, const char *call)
{
	int count = 0;

	for (const char *at = fixture->calls; (at = strstr(at, call)); at++)
		count++;
	return count;
}

static inline void refuse(const char *call, int error)
{
	fake.call = call;
	fake.error = error;
}

/* How the last attempt of the last trial ended. */
static inline const char *cause(const struct fixture *fixture)
{
	const char *cause = "";
	const json_t *record;
	size_t index;

	json_array_foreach (fixture->records, index, record)
		if (strcmp(json_text(record, "type", ""), "close") == 0)
			cause = json_text(json_object_get(record, "body"), "cause", "");
	return cause;
}

#endif
