// SPDX-License-Identifier: GPL-2.0-only
/*
 * The steps of a scenario, walked through in order: what can not be done at its turn is an error in the file.
 */
#include <errno.h>
#include <string.h>

#include "harness/evidence/vocabulary.h"
#include "harness/scenario/steps.h"
#include "harness/witness/witness.h"
#include "workloads/workload.h"

#define DEFAULT_WITHIN_NS (5 * NSEC_PER_SEC)

/* Sources of evidence that are no witness on the host: they come from the bench, the workloads, the injector, or guests. */
static const char *const other_sources[] = {RUN_SOURCES(TABLE_WORD) OUTSIDE_SOURCES(TABLE_WORD)};
static const char *const guest_sources[] = {GUEST_SOURCES(TABLE_WORD) BELOW_SOURCES(TABLE_WORD)};

/** scenario_find_workload - a workload by its name. @index receives its number. Return: 0 or -EINVAL with the place and the message */
int scenario_find_workload(const struct document *document, int node, const char *name,
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
int take_subject(const struct document *document, int node, const char *step,
		 const struct walk *walk, struct scenario_step *entry, size_t *index)
{
	const bool starts = strcmp(step, "start") == 0;
	const char *name;
	int error = document_text(document, node, step, &name)
			    ?: scenario_find_workload(document, node, name, walk->scenario, index);

	if (error)
		return error;
	if (starts && walk->states[*index] != WORKLOAD_DECLARED)
		return document_fail(document, node, -EINVAL,
				     "'%s' was started before; a workload is started once: declare "
				     "another",
				     name);
	if (!starts && walk->states[*index] == WORKLOAD_DECLARED)
		return document_fail(document, node, -EINVAL,
				     "%s of '%s', which no step before this one started; put - "
				     "start: %s above",
				     step, name, name);
	if (!starts && walk->states[*index] == WORKLOAD_STOPPED)
		return document_fail(document, node, -EINVAL,
				     "%s of '%s', which a step before this one stopped; move the "
				     "stop behind it",
				     step, name);
	entry->subject = xstrdup(name);
	return 0;
}

static const char *const ways[] = {"load", "store", NULL};

static const struct param touch_table[] = {
	{"by", PARAM_CHOICE, "instead of the way that the workload was declared with", NULL, ways,
	 true},
	{0},
};

int parse_start(const struct document *document, int node, struct walk *walk,
		struct scenario_step *step)
{
	size_t index = 0;
	int error = take_subject(document, node, "start", walk, step, &index);

	if (!error)
		walk->states[index] = WORKLOAD_STARTED;
	return error;
}

int parse_stop(const struct document *document, int node, struct walk *walk,
	       struct scenario_step *step)
{
	size_t index = 0;
	int error = take_subject(document, node, "stop", walk, step, &index);

	if (!error)
		walk->states[index] = WORKLOAD_STOPPED;
	return error;
}

/* `touch: victim`, or `touch: {workload: victim, by: store}`. */
int parse_touch(const struct document *document, int node, struct walk *walk,
		struct scenario_step *step)
{
	static const char *const own_keys[] = {"workload", NULL};
	bool whole = document_is_mapping(document, node);
	int subject = whole ? document_find(document, node, "workload") : node;
	size_t index = 0;
	int error = whole ? check_arguments(document, node, "touch", own_keys, touch_table,
					    &step->arguments)
			  : 0;
	const struct scenario_workload *workload;
	const char *way;

	if (!error && !subject)
		error = document_fail(document, node, -EINVAL,
				      "'touch' needs a workload; add workload: NAME");
	if (!error)
		error = take_subject(document, subject, "touch", walk, step, &index);
	if (error)
		return error;
	workload = &walk->scenario->workloads[index];
	way = whole ? param_text(step->arguments, "by") : param_text(workload->arguments, "touch");
	if (!workload_find(workload->kind)->touch || (way && strcmp(way, "none") == 0))
		return document_fail(document, node, -EINVAL,
				     "touch of '%s', which is declared not to touch its memory; "
				     "give it a 'touch' or remove this step",
				     workload->name);
	return 0;
}

static int check_source(const struct document *document, int node, const char *name,
			const struct walk *walk)
{
	__cleanup_json json_t *known = json_array();

	for (size_t i = 0; i < witness_count(); i++)
		json_array_append_new(known, json_string(witness_at(i)->name));
	for (size_t i = 0; i < ARRAY_SIZE(other_sources); i++)
		json_array_append_new(known, json_string(other_sources[i]));
	for (size_t i = 0; i < ARRAY_SIZE(guest_sources); i++) {
		if (strcmp(guest_sources[i], name) == 0 && walk->scenario->guest_count == 0)
			return document_fail(
				document, node, -EINVAL,
				"'%s' reports on guests, and there is none; declare one "
				"under 'guests'",
				name);
		if (walk->scenario->guest_count)
			json_array_append_new(known, json_string(guest_sources[i]));
	}
	if (json_has_text(known, name))
		return 0;
	return document_unknown(document, node, "witness", name, known);
}

int parse_wait(const struct document *document, int node, struct walk *walk,
	       struct scenario_step *step)
{
	static const char *const keys[] = {"for", "match", "guest", "within", NULL};
	int source = document_find(document, node, "for");
	int match = document_find(document, node, "match");
	int guest = document_find(document, node, "guest");
	const char *name, *regex;
	size_t index;
	int error = document_check_keys(document, node, "wait", keys, NULL);

	if (error)
		return error;
	if (!source || !match)
		return document_fail(document, node, -EINVAL,
				     "'wait' has no '%s'; write wait: {for: WITNESS, match: REGEX, "
				     "within: 5s}",
				     source ? "match" : "for");
	error = document_text(document, source, "for", &name)
		?: check_source(document, source, name, walk)
		?: document_text(document, match, "match", &regex)
		?: check_regex(document, match, "match", regex);
	if (!error && guest)
		error = take_guest(document, guest, node, "wait", walk, step, &index);
	if (!error)
		error = take_within(document, document_find(document, node, "within"), node,
				    DEFAULT_WITHIN_NS, walk, step);
	if (error)
		return error;
	step->subject = xstrdup(name);
	step->arguments = json_pack("{s:s}", "match", regex);
	return 0;
}

/*
 * The firmware model checks its calls itself; here only their form is checked. Numbers are handed
 * on as text, like all arguments.
 */
int parse_firmware(const struct document *document, int node, struct walk *walk,
		   struct scenario_step *step)
{
	int call = document_find(document, node, "call");
	json_t *request = json_object();

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
	step->kind = step_kind_find(name);
	step->line = document_line(document, node);
	if (step->kind)
		return step->kind->parse(document, document_value(document, node, 0), walk, step);
	for (size_t i = 0; i < step_kind_count(); i++)
		json_array_append_new(known, json_string(step_kind_at(i)->name));
	return document_unknown(document, key, "step", name, known);
}

/* A workload without a step that starts it is an error. */
static int check_unused(const struct document *document, const struct walk *walk)
{
	int workloads = document_find(document, 1, "workloads");

	for (size_t i = 0; i < walk->scenario->workload_count; i++)
		if (walk->states[i] == WORKLOAD_DECLARED)
			return document_fail(document, document_key(document, workloads, i),
					     -EINVAL,
					     "no step starts workload '%s'; add - start: %s or "
					     "remove it",
					     walk->scenario->workloads[i].name,
					     walk->scenario->workloads[i].name);
	return 0;
}

/* A guest without a workload or a step is an error. */
static int check_guests(const struct document *document, const struct walk *walk)
{
	const struct scenario *scenario = walk->scenario;
	int guests = document_find(document, 1, "guests");
	size_t index;

	for (size_t i = 0; i < scenario->workload_count; i++) {
		const char *guest = scenario->workloads[i].guest;

		for (index = 0; guest && index < scenario->guest_count; index++)
			if (strcmp(scenario->guests[index].name, guest) == 0)
				walk->guests[index].used = true;
	}
	for (index = 0; index < scenario->guest_count; index++)
		if (!walk->guests[index].used)
			return document_fail(document, document_key(document, guests, index),
					     -EINVAL,
					     "guest '%s' is not used; run a workload in it (in: "
					     "%s), name it in a step, or remove it",
					     scenario->guests[index].name,
					     scenario->guests[index].name);
	return 0;
}

/** steps_count - how many steps of a scenario inject, migrate and touch */
struct steps_count steps_count(const struct scenario *scenario)
{
	struct steps_count count = {0};

	for (size_t i = 0; i < scenario->step_count; i++) {
		count.injects += scenario->steps[i].kind->injects;
		count.migrates += scenario->steps[i].kind->migrates;
		count.touches += scenario->steps[i].kind->touches;
	}
	return count;
}

/** names_step - whether a list of steps has one of that kind; for what must be known before they are checked */
bool names_step(const struct document *document, int steps, const char *name)
{
	if (!document_is_sequence(document, steps))
		return false;
	for (size_t i = 0; i < document_count(document, steps); i++)
		if (document_find(document, document_item(document, steps, i), name))
			return true;
	return false;
}

/**
 * parse_steps - check the steps of a scenario, and that each is possible at its turn
 * @document: borrowed
 * @node:     list of one-key mappings
 * @scenario: with its guests and workloads; receives the steps
 *
 * Return: 0 or -errno with the place and the message.
 */
int parse_steps(const struct document *document, int node, struct scenario *scenario)
{
	__cleanup_free enum workload_state *states =
		xcalloc(scenario->workload_count + 1, sizeof(*states));
	__cleanup_free struct guest_walk *guests =
		xcalloc(scenario->guest_count + 1, sizeof(*guests));
	struct walk walk = {.scenario = scenario, .states = states, .guests = guests};
	size_t count = document_count(document, node);
	int error = 0;

	if (!document_is_sequence(document, node) || count == 0)
		return document_fail(document, node, -EINVAL,
				     "'steps' must be a list with at least one step, such as - "
				     "start: victim");
	scenario->steps = xcalloc(count, sizeof(*scenario->steps));
	for (size_t i = 0; !error && i < count; i++)
		error = parse_step(document, document_item(document, node, i), &walk,
				   &scenario->steps[scenario->step_count++]);
	return error ?: check_unused(document, &walk) ?: check_guests(document, &walk);
}
