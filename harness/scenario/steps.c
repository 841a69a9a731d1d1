// SPDX-License-Identifier: GPL-2.0-only
/*
 * The steps of a scenario, walked through in order: what can not be done at its turn is an error in the file.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "harness/scenario/parse.h"
#include "harness/witness/witness.h"
#include "inject/injector.h"
#include "workloads/workload.h"

#define DEFAULT_WITHIN_NS (5 * NSEC_PER_SEC)

enum life {
	LIFE_DECLARED,
	LIFE_STARTED,
	LIFE_STOPPED,
};

/**
 * struct walk - what is known at a step
 * @lives:    of the scenario's workloads, in their order
 * @injected: a step before this one injects
 */
struct walk {
	struct scenario *scenario;
	enum life *lives;
	bool injected;
};

/* Sources of evidence that are no witness on the host: they come from the bench or from the workloads. */
static const char *const other_sources[] = {"workload", "console", "bench", "firmware"};

static int find_workload(const struct document *document, int node, const char *name,
			 const struct scenario *scenario, size_t *index)
{
	__cleanup_json json_t *known = json_array();

	for (size_t i = 0; i < scenario->workload_count; i++) {
		if (strcmp(scenario->workloads[i].name, name) == 0) {
			*index = i;
			return 0;
		}
		json_array_append_new(known, json_string(scenario->workloads[i].name));
	}
	return document_unknown(document, node, "workload", name, known);
}

/* The workload that a step works on; it must be running, or for a start not yet. */
static int take_subject(const struct document *document, int node, const char *step,
			const struct walk *walk, struct scenario_step *entry, size_t *index)
{
	const char *name;
	int error = document_text(document, node, step, &name);

	if (!error)
		error = find_workload(document, node, name, walk->scenario, index);
	if (error)
		return error;
	if (entry->kind == STEP_START && walk->lives[*index] != LIFE_DECLARED)
		return document_fail(document, node, -EINVAL,
				     "'%s' was started before; a workload is started once: declare "
				     "another",
				     name);
	if (entry->kind != STEP_START && walk->lives[*index] == LIFE_DECLARED)
		return document_fail(document, node, -EINVAL,
				     "%s of '%s', which no step before this one started; put - "
				     "start: %s above",
				     step, name, name);
	if (entry->kind != STEP_START && walk->lives[*index] == LIFE_STOPPED)
		return document_fail(document, node, -EINVAL,
				     "%s of '%s', which a step before this one stopped; move the "
				     "stop behind it",
				     step, name);
	entry->subject = strdup(name);
	return entry->subject ? 0 : -ENOMEM;
}

static int parse_start(const struct document *document, int node, struct walk *walk,
		       struct scenario_step *step)
{
	size_t index = 0;
	int error = take_subject(document, node, "start", walk, step, &index);

	if (!error)
		walk->lives[index] = LIFE_STARTED;
	return error;
}

static int parse_stop(const struct document *document, int node, struct walk *walk,
		      struct scenario_step *step)
{
	size_t index = 0;
	int error = take_subject(document, node, "stop", walk, step, &index);

	if (!error)
		walk->lives[index] = LIFE_STOPPED;
	return error;
}

static int parse_touch(const struct document *document, int node, struct walk *walk,
		       struct scenario_step *step)
{
	size_t index = 0;
	int error = take_subject(document, node, "touch", walk, step, &index);
	const struct scenario_workload *workload;
	const char *way;

	if (error)
		return error;
	workload = &walk->scenario->workloads[index];
	way = param_text(workload->arguments, "touch");
	if (!workload_find(workload->kind)->touch || (way && strcmp(way, "none") == 0))
		return document_fail(document, node, -EINVAL,
				     "touch of '%s', which is declared not to touch its memory; "
				     "give it a 'touch' or remove this step",
				     workload->name);
	return 0;
}

static int find_injector(const struct document *document, int node, const char *name,
			 const struct injector **injector)
{
	__cleanup_json json_t *known = json_array();

	*injector = injector_find(name);
	if (*injector)
		return 0;
	for (size_t i = 0; i < injector_count(); i++)
		json_array_append_new(known, json_string(injector_at(i)->name));
	return document_unknown(document, node, "injector", name, known);
}

static int parse_inject(const struct document *document, int node, struct walk *walk,
			struct scenario_step *step)
{
	static const char *const own_keys[] = {"with", "at", NULL};
	const struct injector *injector;
	struct reason why = {""};
	const char *name;
	int with, at, error;
	size_t index;

	if (!document_is_mapping(document, node))
		return document_fail(document, node, -EINVAL,
				     "'inject' must be a mapping; write inject: {with: INJECTOR, "
				     "at: WORKLOAD, ...}");
	with = document_find(document, node, "with");
	if (!with)
		return document_fail(document, node, -EINVAL,
				     "'inject' has no 'with'; name an injector of `brinell list "
				     "injectors`");
	error = document_text(document, with, "with", &name);
	if (!error)
		error = find_injector(document, with, name, &injector);
	if (!error)
		error = check_arguments(document, node, "inject", own_keys, injector->params,
					&step->arguments);
	at = document_find(document, node, "at");
	if (!error && at)
		error = take_subject(document, at, "inject", walk, step, &index);
	if (error)
		return error;
	if (injector->check)
		error = injector->check(step->arguments, at ? TARGET_WORKLOAD : TARGET_NONE, &why);
	if (error)
		return document_fail(document, node, error, "%s", why.text);
	step->injector = strdup(name);
	walk->injected = true;
	return step->injector ? 0 : -ENOMEM;
}

static int check_source(const struct document *document, int node, const char *name)
{
	__cleanup_json json_t *known = json_array();

	for (size_t i = 0; i < witness_count(); i++)
		json_array_append_new(known, json_string(witness_at(i)->name));
	for (size_t i = 0; i < ARRAY_SIZE(other_sources); i++)
		json_array_append_new(known, json_string(other_sources[i]));
	for (size_t i = 0; i < json_array_size(known); i++)
		if (strcmp(json_string_value(json_array_get(known, i)), name) == 0)
			return 0;
	return document_unknown(document, node, "witness", name, known);
}

static int parse_wait(const struct document *document, int node, struct walk *walk,
		      struct scenario_step *step)
{
	static const char *const keys[] = {"for", "match", "within", NULL};
	int source = document_find(document, node, "for");
	int match = document_find(document, node, "match");
	int within = document_find(document, node, "within");
	const char *name, *regex;
	int error = document_check_keys(document, node, "wait", keys, NULL);

	if (error)
		return error;
	if (!source || !match)
		return document_fail(document, node, -EINVAL,
				     "'wait' has no '%s'; write wait: {for: WITNESS, match: REGEX, "
				     "within: 5s}",
				     source ? "match" : "for");
	error = document_text(document, source, "for", &name);
	if (!error)
		error = check_source(document, source, name);
	if (!error)
		error = document_text(document, match, "match", &regex);
	if (!error)
		error = check_regex(document, match, "match", regex);
	step->within_ns = DEFAULT_WITHIN_NS;
	if (!error && within)
		error = check_duration(document, within, "within", &step->within_ns);
	if (error)
		return error;
	if (step->within_ns > walk->scenario->deadline_ns)
		return document_fail(
			document, within ? within : node, -EINVAL,
			"the wait may last longer than the trial's deadline of %" PRId64
			" ms; make one of them fit",
			(int64_t)(walk->scenario->deadline_ns / NSEC_PER_MSEC));
	step->subject = strdup(name);
	step->arguments = json_pack("{s:s}", "match", regex);
	return step->subject && step->arguments ? 0 : -ENOMEM;
}

/*
 * The firmware model is a program of its own that knows its calls; here only their form is checked. Numbers are handed
 * on as text, like all arguments.
 */
static int parse_firmware(const struct document *document, int node, struct walk *walk,
			  struct scenario_step *step)
{
	int call = document_find(document, node, "call");
	json_t *request = json_object();

	(void)walk;
	step->arguments = request;
	if (!document_is_mapping(document, node) || !call)
		return document_fail(document, node, -EINVAL,
				     "'firmware' has no 'call'; write firmware: {call: NAME, ...}");
	for (size_t i = 0; i < document_count(document, node); i++) {
		int key = document_key(document, node, i);
		const char *name = document_scalar(document, key), *text;
		int error;

		if (!name)
			return document_fail(document, key, -EINVAL,
					     "a key of 'firmware' must be a word");
		if (json_object_get(request, name))
			return document_fail(document, key, -EINVAL,
					     "duplicate key '%s'; remove one of them", name);
		error = document_text(document, document_value(document, node, i), name, &text);
		if (error)
			return error;
		json_object_set_new(request, name, json_string(text));
	}
	return 0;
}

static const struct {
	const char *name;
	int (*parse)(const struct document *document, int node, struct walk *walk,
		     struct scenario_step *step);
} step_kinds[] = {
	[STEP_START] = {"start", parse_start}, [STEP_INJECT] = {"inject", parse_inject},
	[STEP_TOUCH] = {"touch", parse_touch}, [STEP_WAIT] = {"wait", parse_wait},
	[STEP_STOP] = {"stop", parse_stop},    [STEP_FIRMWARE] = {"firmware", parse_firmware},
};

static int parse_step(const struct document *document, int node, struct walk *walk,
		      struct scenario_step *step)
{
	__cleanup_json json_t *known = json_array();
	const char *name;
	int key;

	if (!document_is_mapping(document, node) || document_count(document, node) != 1)
		return document_fail(document, node, -EINVAL,
				     "a step must be a mapping of one key, such as - start: "
				     "victim; put a dash before each");
	key = document_key(document, node, 0);
	name = document_scalar(document, key);
	if (!name)
		return document_fail(document, key, -EINVAL, "a step's name must be a word");
	for (size_t i = 0; i < ARRAY_SIZE(step_kinds); i++) {
		if (strcmp(step_kinds[i].name, name) == 0) {
			step->kind = (enum step_kind)i;
			step->line = document_line(document, node);
			return step_kinds[i].parse(document, document_value(document, node, 0),
						   walk, step);
		}
		json_array_append_new(known, json_string(step_kinds[i].name));
	}
	return document_unknown(document, key, "step", name, known);
}

/* A workload that never runs is a mistake: most likely the step that starts it was forgotten. */
static int check_lives(const struct document *document, const struct walk *walk)
{
	int workloads = document_find(document, 1, "workloads");

	for (size_t i = 0; i < walk->scenario->workload_count; i++)
		if (walk->lives[i] == LIFE_DECLARED)
			return document_fail(document, document_key(document, workloads, i),
					     -EINVAL,
					     "no step starts workload '%s'; add - start: %s or "
					     "remove it",
					     walk->scenario->workloads[i].name,
					     walk->scenario->workloads[i].name);
	return 0;
}

/**
 * parse_steps - check the steps of a scenario, and that each is possible at its turn
 * @document: borrowed
 * @node:     list of one-key mappings
 * @scenario: with its workloads; receives the steps
 *
 * Return: 0 or -errno with the place and the message.
 */
int parse_steps(const struct document *document, int node, struct scenario *scenario)
{
	__cleanup_free enum life *lives = calloc(scenario->workload_count + 1, sizeof(*lives));
	struct walk walk = {.scenario = scenario, .lives = lives};
	size_t count = document_count(document, node);
	int error = 0;

	if (!document_is_sequence(document, node) || count == 0)
		return document_fail(document, node, -EINVAL,
				     "'steps' must be a list with at least one step, such as - "
				     "start: victim");
	scenario->steps = calloc(count, sizeof(*scenario->steps));
	if (!lives || !scenario->steps)
		return -ENOMEM;
	for (size_t i = 0; !error && i < count; i++)
		error = parse_step(document, document_item(document, node, i), &walk,
				   &scenario->steps[scenario->step_count++]);
	if (!error)
		error = check_lives(document, &walk);
	return error;
}
