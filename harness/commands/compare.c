// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell compare: did anything become slower, or fail more often, from one run to another?
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "harness/commands/compare_command.h"
#include "harness/compare/rounds.h"
#include "harness/lib/registry.h"

static const char usage[] =
	"usage: brinell compare [OPTIONS] DIR_A DIR_B\n"
	"       brinell compare [OPTIONS] --a SPEC... --b SPEC... SCENARIO...\n"
	"\n"
	"Compares the metrics and the rates of failure of two sides: A is the base, B is new. The\n"
	"first form compares two runs. The second one makes the runs: the sides take turns, each "
	"run\n"
	"boots its hosts, and a second round confirms what regressed. 'brinell resume DIR' "
	"finishes\n"
	"a comparison that was cut off.\n"
	"\n"
	"  --a SPEC, --b SPEC  what a side runs with; repeatable. Without one a side is as it is\n"
	"      kernel=FILE, modules=DIR  as --kernel and --modules of brinell run\n"
	"      argument=TEXT             added to the kernel command line of rig hosts\n"
	"      set=KEY=VALUE             a value of the scenarios, as --set\n"
	"      bench=NAME                where to run\n"
	"      qemu=DIR                  the emulator of rig hosts is DIR/qemu-system-x86_64\n"
	"  --boots N         runs of each side (default 8)\n"
	"  --samples N       trials of each scenario in a run (default 1)\n"
	"  --out DIR         directory of the runs (default brinell-runs/compare-DATE)\n"
	"\n"
	"  --budget PERCENT  the smallest change that matters (default 5)\n"
	"  --alpha P         probability of a false alarm in the whole comparison (default 0.05)\n"
	"  --across PARTS    what the runs may differ in: bench, kernel, kernel-build, cpu,\n"
	"                    processors, guest-kernel, and software by its name, such as qemu\n"
	"  --seed N          of the bootstrap (default 1)\n"
	"  --json            print JSON, not a table\n"
	"\n"
	"Exit: 0 nothing regressed, 1 something did, 2 bad usage or no run, 3 nothing can be\n"
	"compared, 4 a run failed.\n";

static bool read_number(const char *option, const char *text, double least, double most,
			double *value)
{
	char *end;

	*value = strtod(text, &end);
	if (end != text && !*end && *value >= least && *value <= most)
		return true;
	log_error("compare: --%s '%s' is no number from %g to %g", option, text, least, most);
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

static int show(const json_t *comparison, bool as_json)
{
	if (!comparison) {
		log_error("compare: no memory");
		return EXIT_INFRA;
	}
	if (as_json) {
		json_dumpf(comparison, stdout,
			   JSON_INDENT(1) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(12));
		putchar('\n');
	} else {
		compare_print(stdout, comparison);
	}
	return exit_code(comparison);
}

static int compare_directories(char *const directories[2], const struct compare_options *options,
			       bool as_json)
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
	comparison = compare_runs(a, b, options);
	return show(comparison, as_json);
}

/**
 * compare_finish - make the runs of a comparison that are not there yet, and print it
 * @directory: of the comparison
 * @plan:      of rounds_create() or rounds_load()
 * @as_json:   no table
 *
 * Return: an exit code.
 */
int compare_finish(const char *directory, const json_t *plan, bool as_json)
{
	__cleanup_json json_t *comparison = NULL;
	struct reason why = {""};

	if (rounds_run(directory, plan, &comparison, &why)) {
		log_error("compare: %s", why.text);
		return EXIT_INFRA;
	}
	return show(comparison, as_json);
}

struct request {
	struct compare_options options;
	json_t *a, *b;
	const char *out;
	double boots, samples, seed;
	bool as_json;
};

static int make_runs(const struct request *request, int count, char *const *names)
{
	__cleanup_json json_t *scenarios = json_array();
	__cleanup_json json_t *plan = NULL;
	__cleanup_free char *out = request->out ? strdup(request->out) : NULL;
	struct reason why = {""};

	if (!out)
		out = format_utc(time(NULL), "brinell-runs/compare-%Y%m%d-%H%M%S");
	for (int i = 0; i < count; i++)
		json_array_append_new(scenarios, json_string(names[i]));
	plan = json_pack("{s:O, s:O, s:O, s:I, s:I, s:I, s:f, s:f, s:s*}", "a", request->a, "b",
			 request->b, "scenarios", scenarios, "boots", (json_int_t)request->boots,
			 "samples", (json_int_t)request->samples, "seed", (json_int_t)request->seed,
			 "budget", request->options.budget, "alpha", request->options.alpha,
			 "across", request->options.across);
	if (!plan || rounds_create(out, plan, &why)) {
		log_error("compare: %s", plan ? why.text : "an argument is no UTF-8");
		return EXIT_USAGE;
	}
	return compare_finish(out, plan, request->as_json);
}

static bool read_option(int option, struct request *request)
{
	switch (option) {
	case 'A':
		return json_array_append_new(request->a, json_string(optarg)) == 0;
	case 'B':
		return json_array_append_new(request->b, json_string(optarg)) == 0;
	case 'n':
		return read_number("boots", optarg, 1, 99, &request->boots);
	case 'k':
		return read_number("samples", optarg, 1, 999, &request->samples);
	case 'o':
		request->out = optarg;
		return true;
	case 'b':
		return read_number("budget", optarg, 0, 1e6, &request->options.budget);
	case 'p':
		return read_number("alpha", optarg, 1e-9, 0.5, &request->options.alpha);
	case 'x':
		request->options.across = optarg;
		return true;
	case 's':
		return read_number("seed", optarg, 0, 1e15, &request->seed);
	case 'j':
		request->as_json = true;
		return true;
	default:
		return false;
	}
}

static int compare(struct request *request, int argc, char **argv)
{
	static const struct option known[] = {{"a", required_argument, NULL, 'A'},
					      {"b", required_argument, NULL, 'B'},
					      {"boots", required_argument, NULL, 'n'},
					      {"samples", required_argument, NULL, 'k'},
					      {"out", required_argument, NULL, 'o'},
					      {"budget", required_argument, NULL, 'b'},
					      {"alpha", required_argument, NULL, 'p'},
					      {"across", required_argument, NULL, 'x'},
					      {"seed", required_argument, NULL, 's'},
					      {"json", no_argument, NULL, 'j'},
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
	return compare_directories(argv + optind, &request->options, request->as_json);
}

static int run(int argc, char **argv)
{
	__cleanup_json json_t *a = json_array();
	__cleanup_json json_t *b = json_array();
	struct request request = {.options = {.budget = 5, .alpha = 0.05},
				  .a = a,
				  .b = b,
				  .boots = 8,
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
