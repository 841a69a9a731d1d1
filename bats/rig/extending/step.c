// SPDX-License-Identifier: GPL-2.0-only
/*
 * A step in one file: it puts a remark on record.
 */
#include <errno.h>

#include "harness/scenario/steps.h"
#include "harness/trial/engine_internal.h"

static int parse_added(const struct document *document, int node, struct walk *walk,
		       struct scenario_step *step)
{
	const char *text;
	int error = document_text(document, node, "added-step", &text);

	(void)walk;
	if (error)
		return error;
	step->arguments = json_string(text);
	return step->arguments ? 0 : -ENOMEM;
}

static int run_added(struct engine *engine, const struct scenario_step *step, struct reason *why)
{
	(void)why;
	engine_tell(engine, NULL, "remark", "%s", json_string_value(step->arguments));
	return 0;
}

REGISTERED(step_kind, kind_added) = {
	.name = "added-step",
	.summary = "a step in one file",
	.parse = parse_added,
	.to_json = arguments_to_json,
	.run = run_added,
};
