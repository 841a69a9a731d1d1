// SPDX-License-Identifier: GPL-2.0-only
/*
 * results.json: the results of the judge with the names of the tests and their environment.
 */
#include <errno.h>

#include "reports/environment.h"
#include "reports/report.h"

static int write_json(FILE *out, const json_t *results, const json_t *records)
{
	__cleanup_json json_t *named = json_deep_copy(results);
	__cleanup_json json_t *names = test_names_of(records);
	json_t *result;
	size_t index;

	json_object_set_new(named, "environment", environment_of(records));
	json_array_foreach (json_object_get(named, "trials"), index, result)
		json_object_set_new(result, "name", json_string(test_name(names, result)));
	if (json_dumpf(named, out, JSON_INDENT(1)) < 0)
		return -EIO;
	fputc('\n', out);
	return 0;
}

static const struct report report_json = {
	.name = "json",
	.summary = "the results with all evidence and metrics, for programs",
	.file = "results.json",
	.write = write_json,
};

REGISTER(report, report_json);
