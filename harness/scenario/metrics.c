// SPDX-License-Identifier: GPL-2.0-only
/*
 * The `metrics` section: what a scenario measures, and the change of each metric that matters.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "harness/scenario/parse.h"

static int take_budget(const struct document *document, int node, const char *name, json_t *metrics)
{
	const char *text;
	char *end;
	double budget;
	int error = document_text(document, node, name, &text);

	if (error)
		return error;
	budget = strtod(text, &end);
	if (end == text || strcmp(end, "%") != 0 || !isfinite(budget) || budget < 0)
		return document_fail(document, node, -EINVAL,
				     "the budget of '%s' is '%s'; write the smallest change that "
				     "matters, such as 10%%",
				     name, text);
	json_object_set_new(metrics, name, json_string(text));
	return 0;
}

/**
 * parse_metrics - check the `metrics` section
 * @document: borrowed
 * @node:     mapping, or 0 when the scenario has none
 * @scenario: receives {NAME: "10%"}, and starts from a fresh boot then
 *
 * Return: 0 or -errno with the place and the message.
 */
int parse_metrics(const struct document *document, int node, struct scenario *scenario)
{
	int error;

	if (!node)
		return 0;
	error = document_check_keys(document, node, "metrics", NULL, NULL);
	if (error)
		return error;
	scenario->metrics = json_object();
	/* Faults leave residue, and samples of one boot are not independent. */
	scenario->fresh_boot = true;
	for (size_t i = 0; i < document_count(document, node) && !error; i++)
		error = take_budget(document, document_value(document, node, i),
				    document_scalar(document, document_key(document, node, i)),
				    scenario->metrics);
	return error;
}
