// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a scenario expects must be able to come true: a contradiction, or what no step can bring about, would make the
 * trial fail whatever the machine does.
 */
#include <errno.h>
#include <string.h>

#include "harness/scenario/steps.h"

/*
 * Pairs that can not both come true. A value of "*" stands for any.
 */
static const struct contradiction {
	const char *key, *value, *other_key, *other_value, *reason;
} contradictions[] = {
	{"refused", "*", "delivered", "true", "a refused fault is never delivered"},
	{"refused", "*", "process", "contained", "a refused fault does no harm"},
	{"refused", "*", "process", "killed", "a refused fault does no harm"},
	{"refused", "*", "process", "hung", "a refused fault does no harm"},
	{"refused", "*", "host", "died", "a refused fault does no harm"},
	{"refused", "*", "host", "hung", "a refused fault does no harm"},
	{"refused", "*", "signal", "SIGBUS", "a refused fault does no harm"},
	{"refused", "*", "page", "poisoned", "a refused fault poisons no page"},
	{"delivered", "false", "process", "contained",
	 "a fault that is not delivered does no harm"},
	{"delivered", "false", "process", "killed", "a fault that is not delivered does no harm"},
	{"delivered", "false", "process", "hung", "a fault that is not delivered does no harm"},
	{"delivered", "false", "host", "died", "a fault that is not delivered does no harm"},
	{"delivered", "false", "host", "hung", "a fault that is not delivered does no harm"},
	{"delivered", "false", "signal", "SIGBUS", "a fault that is not delivered sends no signal"},
	{"process", "unharmed", "signal", "SIGBUS", "a process with a SIGBUS is not unharmed"},
	{"process", "unharmed", "code", "*", "a process with a SIGBUS is not unharmed"},
	{"process", "unharmed", "error", "*", "a process whose call failed is not unharmed"},
	{"process", "unharmed", "data", "other", "a process that reads wrong data is corrupted"},
	{"process", "killed", "signal", "none", "a process is killed by a signal"},
	{"process", "killed", "code", "*", "a killed process can not report what it was sent"},
	{"process", "killed", "lsb", "*", "a killed process can not report what it was sent"},
	{"process", "killed", "address", "*", "a killed process can not report what it was sent"},
	{"process", "killed", "data", "*", "a killed process read nothing"},
	{"process", "killed", "error", "*", "a killed process can not report an error"},
	{"signal", "none", "code", "*", "no signal has no code"},
	{"signal", "none", "lsb", "*", "no signal has no lsb"},
	{"signal", "none", "address", "*", "no signal has no address"},
	{"host", "died", "page", "*", "nothing is known of a page of a dead host"},
	{"host", "died", "corrupted-kb", "*", "a dead host has no counters"},
	{"host", "died", "interrupts", "*", "a dead host has no counters"},
	{"refused", "*", "guest", "contained", "a refused fault does no harm"},
	{"refused", "*", "guest", "killed", "a refused fault does no harm"},
	{"refused", "*", "guest", "hung", "a refused fault does no harm"},
	{"delivered", "false", "guest", "contained", "a fault that is not delivered does no harm"},
	{"delivered", "false", "guest", "killed", "a fault that is not delivered does no harm"},
	{"delivered", "false", "guest", "hung", "a fault that is not delivered does no harm"},
};

/* Where every workload runs on the host. */
static const struct contradiction on_host[] = {
	{"host", "died", "process", "*", "nothing is known of a process on a dead host"},
	{"host", "died", "signal", "*", "nothing is known of a process on a dead host"},
	{"host", "died", "error", "*", "nothing is known of a process on a dead host"},
	{"host", "died", "data", "*", "nothing is known of a process on a dead host"},
};

/* Where every workload runs in a guest. */
static const struct contradiction in_guest[] = {
	{"guest", "killed", "process", "*", "nothing is known of a process in a dead guest"},
	{"guest", "killed", "data", "*", "nothing is known of a process in a dead guest"},
	{"guest", "unharmed", "process", "contained",
	 "a guest of which a process was struck is contained"},
	{"guest", "unharmed", "process", "killed",
	 "a guest of which a process was struck is contained"},
	{"guest", "unharmed", "signal", "SIGBUS",
	 "a guest of which a process was struck is contained"},
};

static const char *expected_text(const json_t *expect, const char *key)
{
	const json_t *value = json_object_get(expect, key);

	if (json_is_boolean(value))
		return json_is_true(value) ? "true" : "false";
	if (json_is_string(value))
		return json_string_value(value);
	return value ? "" : NULL;
}

static bool expects(const json_t *expect, const char *key, const char *value)
{
	const char *text = expected_text(expect, key);

	return text && (strcmp(value, "*") == 0 || strcmp(value, text) == 0);
}

/*
 * With several injections one may be refused although another is delivered (the second error in one page), if the file
 * has "delivered: true".
 */
static bool may_be_both(const struct contradiction *pair, const struct scenario *scenario,
			const json_t *expect)
{
	return strcmp(pair->key, "refused") == 0 && steps_count(scenario).injects > 1 &&
	       json_is_true(json_object_get(expect, "delivered"));
}

/* Whether all workloads are in guests, or none. */
static bool all_are(bool in_guests, const struct scenario *scenario)
{
	for (size_t i = 0; i < scenario->workload_count; i++)
		if ((scenario->workloads[i].guest != NULL) != in_guests)
			return false;
	return true;
}

/* The node to complain about: the key itself, or what holds it when a default or another section has named it. */
static int place_of(const struct document *document, int node, const char *key, const char *other)
{
	int place = document_find(document, node, key);

	if (!place && other)
		place = document_find(document, node, other);
	return place ?: node ?: 1;
}

static int check_pairs(const struct document *document, int node, const json_t *expect,
		       const struct scenario *scenario, const struct contradiction *pairs,
		       size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct contradiction *pair = &pairs[i];

		if (!expects(expect, pair->key, pair->value) ||
		    !expects(expect, pair->other_key, pair->other_value) ||
		    may_be_both(pair, scenario, expect))
			continue;
		return document_fail(document, place_of(document, node, pair->other_key, pair->key),
				     -EINVAL,
				     "'%s: %s' contradicts '%s: %s': %s; remove one of them",
				     pair->other_key, expected_text(expect, pair->other_key),
				     pair->key, expected_text(expect, pair->key), pair->reason);
	}
	return 0;
}

static int check_contradictions(const struct document *document, int node, const json_t *expect,
				const struct scenario *scenario)
{
	int error = check_pairs(document, node, expect, scenario, contradictions,
				ARRAY_SIZE(contradictions));

	if (!error && all_are(false, scenario))
		error = check_pairs(document, node, expect, scenario, on_host, ARRAY_SIZE(on_host));
	if (!error && all_are(true, scenario))
		error = check_pairs(document, node, expect, scenario, in_guest,
				    ARRAY_SIZE(in_guest));
	return error;
}

/* A trial that ends so fails, expected or not. */
static int check_acceptable(const struct document *document, int node, const json_t *expect)
{
	static const struct {
		const char *key, *value;
	} unacceptable[] = {
		{"process", "corrupted"}, {"guest", "corrupted"}, {"migration", "lost"}};

	for (size_t i = 0; i < ARRAY_SIZE(unacceptable); i++)
		if (expects(expect, unacceptable[i].key, unacceptable[i].value))
			return document_fail(
				document, place_of(document, node, unacceptable[i].key, NULL),
				-EINVAL,
				"a trial that ends with '%s: %s' always fails; expect what should "
				"come of it, and name the defect under 'known-failure'",
				unacceptable[i].key, unacceptable[i].value);
	return 0;
}

/* Evidence of a fault that no step makes, or of a process that there is not. */
static int check_processes(const struct document *document, int node, const json_t *expect,
			   const struct scenario *scenario)
{
	static const char *const of_process[] = {"process", "signal", "code", "lsb",
						 "address", "error",  "data"};

	for (size_t i = 0; i < ARRAY_SIZE(of_process); i++)
		if (json_object_get(expect, of_process[i]) && scenario->workload_count == 0)
			return document_fail(
				document, place_of(document, node, of_process[i], NULL), -EINVAL,
				"'%s' is expected of a process, but there is no workload; declare "
				"one under 'workloads'",
				of_process[i]);
	if (json_object_get(expect, "data") && !steps_count(scenario).touches)
		return document_fail(document, place_of(document, node, "data", NULL), -EINVAL,
				     "'data' is what a touch reads, but no step touches; add - "
				     "touch: WORKLOAD");
	return 0;
}

static int check_guests(const struct document *document, int node, const json_t *expect,
			const struct scenario *scenario)
{
	static const char *const of_guest[] = {"guest", "guest-log", "not-guest-log", "events"};
	int place = place_of(document, node, "guest", NULL);

	if (scenario->guest_count && expects(expect, "guest", "none"))
		return document_fail(document, place, -EINVAL,
				     "'guest: none' although there are guests; expect what becomes "
				     "of them, or remove it");
	for (size_t i = 0; i < ARRAY_SIZE(of_guest); i++)
		if (json_object_get(expect, of_guest[i]) && scenario->guest_count == 0 &&
		    !expects(expect, of_guest[i], "none"))
			return document_fail(
				document, place_of(document, node, of_guest[i], NULL), -EINVAL,
				"'%s' is expected of a guest, but there is none; declare one under "
				"'guests'",
				of_guest[i]);
	return 0;
}

static int check_migration(const struct document *document, int node, const json_t *expect,
			   const struct scenario *scenario)
{
	bool migrates = steps_count(scenario).migrates;
	int place = place_of(document, node, "migration", NULL);
	int events = document_find(document, node, "events");

	if (migrates && expects(expect, "migration", "none"))
		return document_fail(document, place, -EINVAL,
				     "'migration: none' although a step migrates; expect what "
				     "becomes of it, or remove it");
	if (!migrates && expects(expect, "migration", "*") && !expects(expect, "migration", "none"))
		return document_fail(document, place, -EINVAL,
				     "'migration: %s', but no step migrates; add - migrate: "
				     "{guest: NAME}",
				     expected_text(expect, "migration"));
	if (!migrates && document_find(document, events, "migration"))
		return document_fail(document, document_find(document, events, "migration"),
				     -EINVAL,
				     "events of a migration, but no step migrates; add - migrate: "
				     "{guest: NAME}");
	return 0;
}

/**
 * check_expectations - check that all that is expected can come true together
 * @document: borrowed
 * @node:     mapping that names it or a part of it, or 0
 * @expect:   all of it
 * @scenario: with its guests, workloads and steps
 *
 * Return: 0 or -EINVAL with the place and the message.
 */
int check_expectations(const struct document *document, int node, const json_t *expect,
		       const struct scenario *scenario)
{
	int error = check_contradictions(document, node, expect, scenario)
			    ?: check_acceptable(document, node, expect);

	if (error)
		return error;
	if (!steps_count(scenario).injects && json_is_true(json_object_get(expect, "delivered")))
		return document_fail(document, document_find(document, 1, "steps"), -EINVAL,
				     "no step injects, so nothing can be delivered; add - inject: "
				     "or expect delivered: false");
	return check_processes(document, node, expect, scenario)
		?: check_guests(document, node, expect, scenario)
		?: check_migration(document, node, expect, scenario);
}
