// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell compare: did anything become slower, or fail more often, from one run to another?
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <string.h>

#include "harness/compare/compare.h"
#include "harness/lib/registry.h"

static const char usage[] =
	"usage: brinell compare DIR_A DIR_B [--budget PERCENT] [--across PART,...] [--json]\n"
	"\n"
	"Compares the metrics and the rates of failure of two runs: A is the base, B is new.\n"
	"\n"
	"  --budget PERCENT  the smallest change that matters (default 5)\n"
	"  --alpha P         probability of a false alarm in the whole comparison (default 0.05)\n"
	"  --across PARTS    what the runs may differ in: bench, kernel, kernel-build, cpu,\n"
	"                    processors, guest-kernel, qemu, libvirt\n"
	"  --seed N          of the bootstrap (default 1)\n"
	"  --json            print JSON, not a table\n"
	"\n"
	"Exit: 0 nothing regressed, 1 something did, 2 bad usage or no run, 3 nothing can be\n"
	"compared.\n";

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

static int compare(char *const directories[2], const struct compare_options *options, bool as_json)
{
	__cleanup_json json_t *a = NULL;
	__cleanup_json json_t *b = NULL;
	__cleanup_json json_t *comparison = NULL;
	struct reason why = {""};

	if (compare_load(directories[0], &a, &why) || compare_load(directories[1], &b, &why)) {
		log_error("%s", why.text);
		return EXIT_USAGE;
	}
	comparison = compare_runs(a, b, options);
	if (!comparison) {
		log_error("compare: no memory");
		return EXIT_INFRA;
	}
	if (as_json) {
		json_dumpf(comparison, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(12));
		putchar('\n');
	} else {
		compare_print(stdout, comparison);
	}
	if (fflush(stdout) || ferror(stdout)) {
		log_error("compare: writing the comparison: %s", strerror(errno));
		return EXIT_INFRA;
	}
	return exit_code(comparison);
}

static int run(int argc, char **argv)
{
	static const struct option known[] = {
		{"budget", required_argument, NULL, 'b'}, {"alpha", required_argument, NULL, 'a'},
		{"across", required_argument, NULL, 'x'}, {"seed", required_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'},	  {0}};
	struct compare_options options = {.budget = 5, .alpha = 0.05, .seed = 1};
	struct reason why = {""};
	bool as_json = false;
	double seed;
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'b':
			if (!read_number("budget", optarg, 0, 1e6, &options.budget))
				return EXIT_USAGE;
			break;
		case 'a':
			if (!read_number("alpha", optarg, 1e-9, 0.5, &options.alpha))
				return EXIT_USAGE;
			break;
		case 'x':
			options.across = optarg;
			break;
		case 's':
			if (!read_number("seed", optarg, 0, 1e15, &seed))
				return EXIT_USAGE;
			options.seed = (uint64_t)seed;
			break;
		case 'j':
			as_json = true;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind != argc - 2) {
		log_error("compare: give the directories of two runs; see brinell compare --help");
		return EXIT_USAGE;
	}
	if (compare_check_across(options.across, &why)) {
		log_error("compare: %s", why.text);
		return EXIT_USAGE;
	}
	return compare(argv + optind, &options, as_json);
}

static const struct command command_compare = {
	.name = "compare",
	.summary = "compare the metrics and failures of two runs",
	.usage = usage,
	.run = run,
};

REGISTER(command, command_compare);
