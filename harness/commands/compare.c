// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell compare: find metrics that became slower, and scenarios that fail more often, between runs.
 */
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <string.h>
#include <time.h>

#include "harness/commands/compare_command.h"
#include "harness/compare/calibration.h"
#include "harness/compare/rounds.h"
#include "harness/history/history.h"
#include "harness/lib/registry.h"
#include "reports/text.h"

/* Runs of the history on a page. */
#define STRIP_RUNS 50

static const char usage[] =
	"usage: brinell compare [OPTIONS] DIR_A DIR_B\n"
	"       brinell compare [OPTIONS] --a SPEC... --b SPEC... SCENARIO...\n"
	"\n"
	"Compares the metrics and the rates of failure of two sides: A is the base, B is new. The\n"
	"first form compares two runs. The second one makes the runs: the sides take turns, each "
	"run\n"
	"boots its hosts, and a second round confirms regressions. 'brinell resume DIR' finishes "
	"an\n"
	"interrupted comparison.\n"
	"\n"
	"  --a SPEC, --b SPEC  configuration of a side; repeatable. Without one a side is "
	"unchanged\n"
	"      kernel=FILE, modules=DIR  as --kernel and --modules of brinell run\n"
	"      argument=TEXT             added to the kernel command line of rig hosts\n"
	"      set=KEY=VALUE             a value of the scenarios, as --set\n"
	"      bench=NAME                where to run\n"
	"      qemu=DIR                  the emulator of rig hosts is DIR/qemu-system-x86_64\n"
	"  --boots N         runs of each side (default 8); auto: the number that the calibration "
	"of\n"
	"                    the bench requires, see 'brinell calibrate'\n"
	"  --samples N       trials of each scenario in a run (default 1)\n"
	"  --out DIR         directory of the runs (default brinell-runs/compare-DATE)\n"
	"  --dry-run         check both sides, and print how long the runs take; make none\n"
	"\n"
	"  --budget PERCENT  the smallest change that matters (default 5)\n"
	"  --alpha P         probability of a false alarm in the whole comparison (default 0.05)\n"
	"  --across PARTS    parts in which the runs may differ: bench, platform, machine, "
	"kernel,\n"
	"                    kernel-build, config, command-line, mitigations, cpu, microcode,\n"
	"                    processors, smt, governor, numa, memory, firmware, guest-kernel, and\n"
	"                    software by its name, such as qemu\n"
	"  --seed N          of the bootstrap (default 1)\n"
	"  --html FILE       write a page with every sample; the second form always\n"
	"                    writes one (default DIR/report.html)\n"
	"  --index FILE      history of which the page shows the last 50 runs (default\n"
	"                    brinell-runs/history.db)\n"
	"  --json            print JSON, not a table\n"
	"\n"
	"Exit: 0 nothing regressed, 1 something did, 2 bad usage or no run, 3 nothing can be\n"
	"compared, 4 a run failed.\n";

static bool read_number(const char *command, const char *option, const char *text, double least,
			double most, double *value)
{
	char *end;

	*value = strtod(text, &end);
	if (end != text && !*end && *value >= least && *value <= most)
		return true;
	log_error("%s: --%s '%s' is not a number from %g to %g", command, option, text, least,
		  most);
	return false;
}

static int exit_code(const json_t *comparison)
{
	const json_t *counts = json_object_get(comparison, "counts");

	if (json_number(counts, "regressed", 0))
		return EXIT_FAILED;
	return json_number(counts, "improved", 0) || json_number(counts, "no-change-shown", 0) ||
			       json_number(counts, "too-noisy", 0)
		       ? EXIT_PASSED
		       : EXIT_INCONCLUSIVE;
}

/* Add the medians of the last runs on its bench to each row of a comparison, if there is an index. */
static void add_history(const char *index, json_t *comparison)
{
	struct history *history;
	json_t *row, *series, *points;
	size_t at;

	if (access(index, F_OK) || history_open(index, &history, NULL))
		return;
	json_array_foreach (json_object_get(comparison, "metrics"), at, row) {
		if (history_series(history, json_text(row, "scenario", ""),
				   json_text(row, "metric", ""), json_text(row, "bench", ""),
				   &series, NULL))
			continue;
		while (json_array_size(series) > STRIP_RUNS)
			json_array_remove(series, 0);
		if (trend_points(series, &points, NULL) == 0)
			json_object_set_new(row, "history",
					    json_pack("{s:O, s:o}", "series", series, "points",
						      points));
		json_decref(series);
	}
	history_close(history);
}

static int write_page(const char *path, const json_t *comparison)
{
	FILE *out = fopen(path, "we");
	int error = out ? 0 : -errno;

	if (out) {
		compare_page(out, comparison);
		if (fclose(out) != 0)
			error = -errno;
	}
	if (error)
		log_error("compare: writing %s: %s", path, strerror(-error));
	return error;
}

/* @page: file that receives the page; NULL: none. */
static int show(json_t *comparison, bool as_json, const char *page, const char *index)
{
	if (page) {
		add_history(index, comparison);
		if (write_page(page, comparison))
			return EXIT_INFRA;
	}
	if (as_json)
		text_json(stdout, comparison);
	else
		compare_print(stdout, comparison);
	return exit_code(comparison);
}

/**
 * compare_calibration - find the last calibration of a bench, beside the runs or in the default directory of runs
 * @directory: of the runs
 * @bench:     name of the bench
 * @scenarios: {NAME: ...}: the calibration must have one of these
 *
 * Return: owned by the caller; NULL: there is none.
 */
json_t *compare_calibration(const char *directory, const char *bench, const json_t *scenarios)
{
	__cleanup_free char *copy = xstrdup(directory);
	const char *const places[] = {dirname(copy), "brinell-runs"};

	return calibration_find(places, ARRAY_SIZE(places), bench, scenarios);
}

/* Return: names of the scenarios of trials, or of rows. */
static json_t *scenarios_of(const json_t *list)
{
	json_t *scenarios = json_object(), *each;
	size_t index;

	json_array_foreach ((json_t *)list, index, each)
		json_object_set_new(scenarios, json_text(each, "scenario", ""), json_true());
	return scenarios;
}

static void apply_calibration(const char *directory, bool in_turns, json_t *comparison)
{
	const json_t *fingerprint =
		json_object_get(json_object_get(comparison, "a"), "fingerprint");
	void *bench = json_object_iter(json_object_get(fingerprint, "bench"));
	__cleanup_json json_t *scenarios = scenarios_of(json_object_get(comparison, "metrics"));
	__cleanup_json json_t *calibration =
		bench ? compare_calibration(directory, json_object_iter_key(bench), scenarios)
		      : NULL;

	if (calibration)
		calibration_apply(calibration, in_turns, comparison);
}

static int compare_directories(char *const directories[2], const struct compare_request *request)
{
	__cleanup_json json_t *a = NULL;
	__cleanup_json json_t *b = NULL;
	__cleanup_json json_t *comparison = NULL;
	const char *first = directories[0], *second = directories[1];
	struct reason why = {""};

	if (compare_load(first, &first, 1, &a, &why) ||
	    compare_load(second, &second, 1, &b, &why)) {
		log_error("%s", why.text);
		return EXIT_USAGE;
	}
	comparison = compare_runs(a, b, &request->options);
	if (!comparison) {
		log_error("compare: out of memory");
		return EXIT_INFRA;
	}
	apply_calibration(second, false, comparison);
	return show(comparison, request->as_json, request->html, request->index);
}

/**
 * compare_finish - make the missing runs of a comparison, and print it
 * @directory: of the comparison
 * @plan:      of rounds_create() or rounds_load()
 * @as_json:   print JSON instead of a table
 *
 * Return: an exit code.
 */
int compare_finish(const char *directory, const json_t *plan, bool as_json)
{
	__cleanup_free char *page = format_text("%s/report.html", directory);
	__cleanup_json json_t *comparison = NULL;
	__cleanup_json json_t *stored = NULL;
	struct reason why = {""};

	if (rounds_run(directory, plan, &comparison, &why)) {
		log_error("compare: %s", why.text);
		return EXIT_INFRA;
	}
	apply_calibration(directory, true, comparison);
	if (write_json_atomically(directory, COMPARED_FILE, comparison)) {
		log_error("compare: %s/" COMPARED_FILE " can not be written", directory);
		return EXIT_INFRA;
	}
	/* What `brinell show` and `brinell report` print later. */
	if (rounds_result(directory, plan, &stored, &why)) {
		log_error("compare: %s", why.text);
		return EXIT_INFRA;
	}
	return show(stored, as_json, json_text(plan, "html", page),
		    json_text(plan, "index", HISTORY_FILE));
}

/**
 * compare_draw - write the page of a stored comparison
 * @out:        stream
 * @plan:       of rounds_load()
 * @comparison: of rounds_result(); receives the history of its metrics, as far as there is one
 */
void compare_draw(FILE *out, const json_t *plan, json_t *comparison)
{
	add_history(json_text(plan, "index", HISTORY_FILE), comparison);
	compare_page(out, comparison);
}

/* A comparison without a result. */
static void show_unfinished(json_t *plan, bool as_json, const struct reason *why)
{
	if (as_json) {
		json_object_set_new(plan, "complete", json_false());
		text_json(stdout, plan);
		return;
	}
	text_line(stdout, "%s", why->text);
}

static void show_comparison(const char *directory, const json_t *comparison)
{
	text_line(stdout, "%s: %s", directory, json_text(comparison, "command", "a comparison"));
	compare_print(stdout, comparison);
	text_line(stdout, "'brinell show %s/round-1/01-a' shows a run.", directory);
}

/**
 * compare_show - print a stored comparison or calibration
 * @directory: of it
 * @as_json:   print JSON instead of a table
 *
 * Return: an exit code; EXIT_PASSED whatever the verdicts, as for a run.
 */
int compare_show(const char *directory, bool as_json)
{
	__cleanup_json json_t *plan = NULL;
	__cleanup_json json_t *result = NULL;
	struct reason why = {""};
	int error = rounds_load(directory, &plan, &why)
			    ?: rounds_result(directory, plan, &result, &why);

	if (error && error != -ENODATA) {
		log_error("%s", why.text);
		return EXIT_USAGE;
	}
	if (error)
		show_unfinished(plan, as_json, &why);
	else if (as_json)
		text_json(stdout, result);
	else if (json_is_true(json_object_get(plan, "calibrate")))
		calibration_print(stdout, result);
	else
		show_comparison(directory, result);
	return EXIT_PASSED;
}

/**
 * compare_plan - build and check the plan of a comparison
 * @command: for messages
 * @request: options of the command
 * @names:   of the scenarios
 * @out:     receives the directory; owned by the caller
 *
 * Return: the plan, owned by the caller; NULL after a message.
 */
json_t *compare_plan(const char *command, const struct compare_request *request, int count,
		     char *const *names, char **out)
{
	__cleanup_json json_t *scenarios = json_array();
	__cleanup_json json_t *plan = NULL;
	struct reason why = {""};

	for (int i = 0; i < count; i++)
		json_array_append_new(scenarios, json_string(names[i]));
	plan = json_pack("{s:O, s:O, s:O, s:I, s:I, s:I, s:f, s:f, s:s*, s:s*, s:s*}", "a",
			 request->a, "b", request->b, "scenarios", scenarios, "boots",
			 (json_int_t)request->boots, "samples", (json_int_t)request->samples,
			 "seed", (json_int_t)request->seed, "budget", request->options.budget,
			 "alpha", request->options.alpha, "across", request->options.across, "html",
			 request->html, "index", request->index);
	if (!plan || rounds_check(plan, &why)) {
		log_error("%s: %s", command, plan ? why.text : "an argument is not UTF-8");
		return NULL;
	}
	if (request->out) {
		*out = xstrdup(request->out);
	} else {
		__cleanup_free char *date = format_utc(time(NULL), "%Y%m%d-%H%M%S");

		*out = format_text("brinell-runs/%s-%s", command, date);
	}
	return steal(plan);
}

/** compare_begin - create the directory of a plan. Return: 0 or -errno, after a message */
int compare_begin(const char *command, const char *out, json_t *plan)
{
	struct reason why = {""};
	int error = rounds_create(out, plan, &why);

	if (error)
		log_error("%s: %s", command, why.text);
	return error;
}

static const char *name_of(const json_t *row)
{
	return json_text(row, "metric", "?");
}

/* Print the number of boots that the calibration requires, and use it if none was given. Return: whether there is a number. */
static bool take_calibration(const char *out, json_t *plan, unsigned int boots)
{
	const json_t *trials = json_object_get(json_object_get(plan, "trials"), "a");
	const char *bench = json_text(json_array_get(trials, 0), "bench", "");
	__cleanup_json json_t *scenarios = scenarios_of(trials);
	__cleanup_json json_t *calibration = compare_calibration(out, bench, scenarios);
	__cleanup_json json_t *beyond = NULL;
	json_t *trial;
	size_t index, wanted = 0;

	if (calibration)
		wanted = calibration_boots(calibration, scenarios,
					   json_number_value(json_object_get(plan, "alpha")),
					   &beyond);
	if (wanted)
		log_info("%zu boots of each side show the budgets, by the calibration %s", wanted,
			 json_text(calibration, "directory", ""));
	else
		log_info("the number of boots that is needed is not known: 'brinell calibrate' "
			 "finds it");
	json_array_foreach (beyond, index, trial)
		log_info("no number of boots shows the budget of %s %s: it is too noisy here",
			 json_text(trial, "scenario", ""), name_of(trial));
	json_object_set_new(plan, "boots", json_integer((json_int_t)(boots ?: wanted)));
	return boots || wanted;
}

static int make_runs(const struct compare_request *request, int count, char *const *names)
{
	__cleanup_free char *out = NULL;
	__cleanup_json json_t *plan = compare_plan("compare", request, count, names, &out);

	if (!plan)
		return EXIT_USAGE;
	if (!take_calibration(out, plan, (unsigned int)request->boots)) {
		log_error("compare: --boots auto needs a calibration of the bench with these "
			  "scenarios");
		return EXIT_USAGE;
	}
	if (request->dry_run) {
		rounds_show(plan);
		return EXIT_PASSED;
	}
	return compare_begin("compare", out, plan) ? EXIT_USAGE
						   : compare_finish(out, plan, request->as_json);
}

/**
 * compare_read_option - take an option that compare and calibrate share
 * @command: for messages
 * @option:  of getopt_long(), its argument in optarg
 *
 * Return: false after a message, or for another option.
 */
bool compare_read_option(const char *command, int option, struct compare_request *request)
{
	switch (option) {
	case 'n':
		return read_number(command, "boots", optarg, 1, BOOTS_MOST, &request->boots);
	case 'k':
		return read_number(command, "samples", optarg, 1, 999, &request->samples);
	case 'o':
		request->out = optarg;
		return true;
	case 'b':
		return read_number(command, "budget", optarg, 0, 1e6, &request->options.budget);
	case 'p':
		return read_number(command, "alpha", optarg, 1e-9, 0.5, &request->options.alpha);
	case 's':
		return read_number(command, "seed", optarg, 0, 1e15, &request->seed);
	case 'j':
		request->as_json = true;
		return true;
	case 'd':
		request->dry_run = true;
		return true;
	default:
		return false;
	}
}

static bool read_option(int option, struct compare_request *request)
{
	switch (option) {
	case 'A':
		return json_array_append_new(request->a, json_string(optarg)) == 0;
	case 'B':
		return json_array_append_new(request->b, json_string(optarg)) == 0;
	case 'x':
		request->options.across = optarg;
		return true;
	case 'H':
		request->html = optarg;
		return true;
	case 'i':
		request->index = optarg;
		return true;
	case 'n':
		if (strcmp(optarg, "auto") == 0) {
			request->boots = 0;
			return true;
		}
		/* fall through */
	default:
		return compare_read_option("compare", option, request);
	}
}

static int compare(struct compare_request *request, int argc, char **argv)
{
	static const struct option known[] = {{"a", required_argument, NULL, 'A'},
					      {"b", required_argument, NULL, 'B'},
					      {"across", required_argument, NULL, 'x'},
					      {"html", required_argument, NULL, 'H'},
					      {"index", required_argument, NULL, 'i'},
					      COMPARE_OPTIONS,
					      {0}};
	struct reason why = {""};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
		if (!read_option(option, request))
			return EXIT_USAGE;
	request->options.seed = (uint64_t)request->seed;
	if (compare_check_across(request->options.across, &why)) {
		log_error("compare: %s", why.text);
		return EXIT_USAGE;
	}
	if (json_array_size(request->a) + json_array_size(request->b)) {
		if (optind < argc)
			return make_runs(request, argc - optind, argv + optind);
		log_error("compare: which scenario? 'brinell list scenarios' shows them");
		return EXIT_USAGE;
	}
	if (optind != argc - 2) {
		log_error(
			"compare: give the directories of two runs, or --a and --b and scenarios; "
			"see brinell compare --help");
		return EXIT_USAGE;
	}
	return compare_directories(argv + optind, request);
}

static int run(int argc, char **argv)
{
	__cleanup_json json_t *a = json_array();
	__cleanup_json json_t *b = json_array();
	struct compare_request request = {.options = {.budget = COMPARE_BUDGET, .alpha = 0.05},
					  .a = a,
					  .b = b,
					  .boots = 8,
					  .index = HISTORY_FILE,
					  .samples = 1,
					  .seed = 1};

	return compare(&request, argc, argv);
}

REGISTERED(command, command_compare) = {
	.name = "compare",
	.summary = "compare the metrics and failures of two runs",
	.usage = usage,
	.run = run,
};
