// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell judge: the verdicts of a run anew, from its journal alone.
 */
#include <string.h>

#include "harness/lib/registry.h"
#include "harness/judge/judge.h"
#include "harness/store/run_directory.h"
#include "harness/store/store.h"
#include "reports/table.h"
#include "reports/text.h"

static const char usage[] = "usage: brinell judge DIR\n"
			    "\n"
			    "Judges the journal of a run again, writes its results and reports "
			    "anew, and tells where a\n"
			    "verdict differs from the recorded one. Nothing is run, no host is "
			    "asked. Exits as a run with\n"
			    "these results would.\n";

/* The verdicts as they were recorded during the run: {TRIAL: VERDICT}. */
static json_t *recorded_verdicts(const json_t *records)
{
	json_t *recorded = json_object(), *record;
	size_t index;

	json_array_foreach (records, index, record) {
		const char *trial = json_text(record, "trial", NULL);

		if (trial && strcmp(json_text(record, "type", ""), "verdict") == 0)
			json_object_set(recorded, trial,
					json_object_get(json_object_get(record, "body"),
							"verdict"));
	}
	return recorded;
}

static unsigned int tell_differences(const json_t *records, const json_t *results)
{
	__cleanup_json json_t *recorded = recorded_verdicts(records);
	unsigned int differences = 0;
	json_t *result;
	size_t index;

	json_array_foreach (json_object_get(results, "trials"), index, result) {
		const char *trial = json_text(result, "trial", "");
		const char *verdict = json_text(result, "verdict", "");
		const char *before = json_text(recorded, trial, NULL);
		__cleanup_free char *line = NULL;

		if (!before || strcmp(before, verdict) == 0)
			continue;
		line = format_text("trial %s: %s, recorded was %s: %s", trial, verdict, before,
				   json_text(result, "reason", ""));
		text_one_line(stdout, line, "");
		putchar('\n');
		differences++;
	}
	return differences;
}

static void tell_flaws(const json_t *results)
{
	size_t index;
	json_t *flaw;

	json_array_foreach (json_object_get(results, "flaws"), index, flaw)
		printf("The journal is not whole: %s.\n", json_string_value(flaw));
}

static int run(int argc, char **argv)
{
	__cleanup_json json_t *records = NULL;
	__cleanup_json json_t *results = NULL;
	struct reason why = {""};

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return EXIT_PASSED;
	}
	if (argc != 2 || argv[1][0] == '-') {
		log_error("judge: give the one directory of the run; see brinell judge --help");
		return EXIT_USAGE;
	}
	if (run_directory_load(argv[1], &records, &why)) {
		log_error("%s", why.text);
		return EXIT_USAGE;
	}
	results = judge_run(records);
	if (store_write_reports(argv[1], results, records, &why)) {
		log_error("%s", why.text);
		return EXIT_INFRA;
	}
	table_print(stdout, results);
	tell_flaws(results);
	if (!tell_differences(records, results))
		puts("No verdict differs from a recorded one.");
	return judge_exit_code(results);
}

static const struct command command_judge = {
	.name = "judge",
	.summary = "judge the journal of a run again",
	.usage = usage,
	.run = run,
};

REGISTER(command, command_judge);
