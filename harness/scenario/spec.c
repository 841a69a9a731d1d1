// SPDX-License-Identifier: GPL-2.0-only
/*
 * A checked scenario in the shape of its own file, as the journal keeps it.
 */
#include <inttypes.h>

#include "harness/scenario/steps.h"

static void set_text(json_t *object, const char *key, const char *text)
{
	if (text)
		json_object_set_new(object, key, json_string(text));
}

/* {"name": arguments...} in one object: arguments are the table's, extra keys are ours. */
static json_t *merged(json_t *first, const json_t *arguments)
{
	if (arguments)
		json_object_update_missing(first, (json_t *)arguments);
	return first;
}

static json_t *duration(int64_t nanoseconds)
{
	return json_sprintf("%" PRId64 "ns", nanoseconds);
}

/** inject_to_json - the value of the step inject */
json_t *inject_to_json(const struct scenario_step *step)
{
	json_t *inner = json_pack("{s:s}", "with", step->injector);

	set_text(inner, "at", step->subject);
	set_text(inner, "guest", step->guest);
	set_text(inner, "on", step->host);
	return merged(inner, step->arguments);
}

/** wait_to_json - the value of the step wait */
json_t *wait_to_json(const struct scenario_step *step)
{
	json_t *inner = json_object();

	set_text(inner, "for", step->subject);
	set_text(inner, "guest", step->guest);
	json_object_set_new(inner, "within", duration(step->within_ns));
	return merged(inner, step->arguments);
}

/** guest_step_to_json - a guest, the arguments of the step's table, and its time if it has one */
json_t *guest_step_to_json(const struct scenario_step *step)
{
	json_t *inner = json_pack("{s:s}", "guest", step->guest);

	if (step->within_ns)
		json_object_set_new(inner, "within", duration(step->within_ns));
	return merged(inner, step->arguments);
}

/** subject_to_json - a step whose value is a workload or an injector */
json_t *subject_to_json(const struct scenario_step *step)
{
	return json_string(step->subject);
}

/** touch_to_json - a touch, in the way of the workload or in its own */
json_t *touch_to_json(const struct scenario_step *step)
{
	return step->arguments
		       ? merged(json_pack("{s:s}", "workload", step->subject), step->arguments)
		       : subject_to_json(step);
}

/** guest_to_json - a step whose value is a guest */
json_t *guest_to_json(const struct scenario_step *step)
{
	return json_string(step->guest);
}

/** arguments_to_json - a step whose value is its arguments */
json_t *arguments_to_json(const struct scenario_step *step)
{
	return json_incref(step->arguments);
}

static json_t *workload_to_json(const struct scenario_workload *workload)
{
	json_t *inner = json_pack("{s:s}", "kind", workload->kind);

	set_text(inner, "in", workload->guest);
	return merged(inner, workload->arguments);
}

/**
 * scenario_to_json - the whole scenario in the shape of its own file, with every default written out
 * @scenario: checked
 *
 * Return: to be released by the caller.
 */
json_t *scenario_to_json(const struct scenario *scenario)
{
	json_t *spec = json_object(), *steps = json_array();
	json_t *guests = json_object(), *workloads = json_object();

	set_text(spec, "scenario", scenario->name);
	set_text(spec, "title", scenario->title);
	set_text(spec, "objective", scenario->objective);
	set_text(spec, "exercises", scenario->exercises);
	set_text(spec, "reference", scenario->reference);
	set_text(spec, "bench", scenario->bench);
	if (scenario->rig)
		json_object_set(spec, "rig", scenario->rig);
	json_object_set(spec, "tags", scenario->tags);
	json_object_set(spec, "requires", scenario->requires);
	json_object_set_new(spec, "fresh-boot", json_boolean(scenario->fresh_boot));
	json_object_set_new(spec, "deadline", duration(scenario->deadline_ns));
	json_object_set_new(spec, "settle", duration(scenario->settle_ns));
	for (size_t i = 0; i < scenario->guest_count; i++)
		json_object_set(guests, scenario->guests[i].name, scenario->guests[i].arguments);
	if (scenario->guest_count)
		json_object_set(spec, "guests", guests);
	json_decref(guests);
	for (size_t i = 0; i < scenario->workload_count; i++)
		json_object_set_new(workloads, scenario->workloads[i].name,
				    workload_to_json(&scenario->workloads[i]));
	json_object_set_new(spec, "workloads", workloads);
	for (size_t i = 0; i < scenario->step_count; i++)
		json_array_append_new(
			steps, json_pack("{s:o}", scenario->steps[i].kind->name,
					 scenario->steps[i].kind->to_json(&scenario->steps[i])));
	json_object_set_new(spec, "steps", steps);
	json_object_set(spec, "expect", scenario->expect);
	if (scenario->versions)
		json_object_set(spec, "versions", scenario->versions);
	if (scenario->known_failure)
		json_object_set(spec, "known-failure", scenario->known_failure);
	if (scenario->cell)
		json_object_set(spec, "cell", scenario->cell);
	if (scenario->metrics)
		json_object_set(spec, "metrics", scenario->metrics);
	return spec;
}
