// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell calibrate: the changes that a bench can show, from runs without any change.
 */
#include <errno.h>
#include <getopt.h>

#include "harness/commands/compare_command.h"
#include "harness/compare/calibration.h"
#include "harness/compare/rounds.h"
#include "harness/lib/registry.h"
#include "reports/text.h"

static const char usage[] =
	"usage: brinell calibrate [OPTIONS] SCENARIO...\n"
	"\n"
	"Runs the same scenarios repeatedly, and compares the runs with each other. Prints for "
	"each\n"
	"metric the change that this bench can show with a number of boots, and the rate of false\n"
	"alarms. 'brinell compare' uses the result, from the directories beside its own and in\n"
	"brinell-runs: it prints the number of boots that it needs, and warns of many false "
	"alarms.\n"
	"'brinell resume DIR' finishes an interrupted calibration.\n"
	"\n"
	"  --with SPEC       configuration of the runs, as --a of brinell compare; repeatable\n"
	"  --boots N         runs of each of the two sides, 4 to 99 (default 14)\n"
	"  --samples N       trials of each scenario in a run (default 1)\n"
	"  --out DIR         directory of the runs (default brinell-runs/calibrate-DATE)\n"
	"  --dry-run         check the runs, and print how long they take; make none\n"
	"  --budget PERCENT  the smallest change that matters, of metrics without one (default 5)\n"
	"  --alpha P         probability of a false alarm in a whole comparison (default 0.05)\n"
	"  --seed N          of the first run (default 1)\n"
	"  --json            print JSON, not a table\n"
	"\n"
	"Exit: 0 at most 5 % false alarms with the sides in turns, 1 more, 2 bad usage, 3 nothing\n"
	"was measured, 4 a run failed.\n";

static int show(const json_t *calibration, bool as_json)
{
	const json_t *share = json_object_get(calibration, "in_turns");

	if (as_json)
		text_json(stdout, calibration);
	else
		calibration_print(stdout, calibration);
	return json_number_value(json_object_get(share, "percent")) > CALIBRATION_LIMIT_PERCENT
		       ? EXIT_FAILED
		       : EXIT_PASSED;
}

/**
 * calibrate_finish - make the missing runs of a calibration, and print it
 * @directory: of the calibration
 * @plan:      of rounds_create() or rounds_load()
 * @as_json:   print JSON instead of a table
 *
 * Return: an exit code.
 */
int calibrate_finish(const char *directory, const json_t *plan, bool as_json)
{
	__cleanup_json json_t *calibration = NULL;
	struct reason why = {""};
	int error = rounds_make(directory, plan, &why);

	if (!error)
		error = calibration_make(directory, plan, &calibration, &why);
	if (error) {
		log_error("calibrate: %s", why.text);
		return error == -ENODATA ? EXIT_INCONCLUSIVE : EXIT_INFRA;
	}
	return show(calibration, as_json);
}

static int run(int argc, char **argv)
{
	static const struct option known[] = {
		{"with", required_argument, NULL, 'w'}, COMPARE_OPTIONS, {0}};
	__cleanup_json json_t *words = json_array();
	struct compare_request request = {.options = {.budget = COMPARE_BUDGET, .alpha = 0.05},
					  .boots = 14,
					  .samples = 1,
					  .seed = 1};
	__cleanup_json json_t *plan = NULL;
	__cleanup_free char *out = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'w')
			json_array_append_new(words, json_string(optarg));
		else if (!compare_read_option("calibrate", option, &request))
			return EXIT_USAGE;
	}
	if (optind == argc || request.boots < CALIBRATION_WINDOW) {
		log_error(optind == argc ? "calibrate: which scenario? 'brinell list scenarios' "
					   "shows them"
					 : "calibrate: fewer than 4 boots can not show a change");
		return EXIT_USAGE;
	}
	request.a = request.b = words;
	plan = compare_plan("calibrate", &request, argc - optind, argv + optind, &out);
	if (!plan)
		return EXIT_USAGE;
	if (request.dry_run) {
		rounds_show(plan);
		return EXIT_PASSED;
	}
	json_object_set_new(plan, "calibrate", json_true());
	return compare_begin("calibrate", out, plan) ? EXIT_USAGE
						     : calibrate_finish(out, plan, request.as_json);
}

REGISTERED(command, command_calibrate) = {
	.name = "calibrate",
	.summary = "measure the changes that a bench can show, and its rate of false alarms",
	.usage = usage,
	.run = run,
};
