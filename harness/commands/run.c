// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell run: scenarios in, verdicts out.
 */
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <time.h>

#include "harness/lib/param.h"
#include "harness/lib/registry.h"
#include "harness/bench/bench.h"
#include "harness/store/store.h"
#include "harness/trial/order.h"
#include "harness/trial/session.h"
#include "reports/environment.h"

struct run_options {
	const char *bench;
	const char *out;
	const char *kernel;
	const char *modules;
	uint64_t trials;
	uint64_t seed;
	json_t *settings;
	int dry_run, fail_on_skip, stop_on_fail, shuffle;
};

static const char usage[] =
	"usage: brinell run [OPTIONS] SCENARIO...\n"
	"\n"
	"SCENARIO is a name from `brinell list`, a pattern such as 'einj/*', a tag such as @demo,\n"
	"or a path to a file. Scenarios of one pattern or tag that want the same host and\n"
	"guests run one after the other.\n"
	"\n"
	"  --bench NAME      where to run: a rig profile, local, ssh:HOST, or for migrations\n"
	"                    ssh:HOST,HOST (default: what the scenario asks for)\n"
	"  --trials N        how often each scenario is run (default 1)\n"
	"  --seed N          seed of all random choices (default: a random one, recorded)\n"
	"  --out DIR         directory of the results (default brinell-runs/DATE-ID)\n"
	"  --set KEY=VALUE   change a value of the scenario, such as victim.page=thp; repeatable\n"
	"  --kernel PATH     boot rig hosts with this bzImage instead of Debian's newest\n"
	"  --modules DIR     modules of that kernel (its lib/modules/RELEASE)\n"
	"  --dry-run         print the trials that would run, in order, and run none\n"
	"  --shuffle         run the trials in a random order, which the seed decides\n"
	"  --stop-on-fail    run no further trial after one that failed\n"
	"  --fail-on-skip    exit 1 when a trial was skipped and all others passed\n"
	"\n"
	"Standard output carries a table on a terminal, KTAP elsewhere; messages go to standard\n"
	"error. Faults are real: a host other than the rig's must be declared expendable, see\n"
	"`brinell doctor`.\n";

static int add_setting(json_t *settings, const char *text)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text) {
		log_error("--set %s: it must be KEY=VALUE, such as victim.page=thp", text);
		return -EINVAL;
	}
	__cleanup_free char *key = xstrndup(text, (size_t)(equals - text));

	return json_object_set_new(settings, key, json_string(equals + 1)) ? -EINVAL : 0;
}

static int read_number(const char *option, const char *text, uint64_t least, uint64_t most,
		       uint64_t *number)
{
	if (parse_number(text, number) == 0 && *number >= least && *number <= most)
		return 0;
	log_error("--%s %s: it must be a whole number from %llu to %llu", option, text,
		  (unsigned long long)least, (unsigned long long)most);
	return -EINVAL;
}

static int read_options(int argc, char **argv, struct run_options *options)
{
	const struct option known[] = {{"bench", required_argument, NULL, 'b'},
				       {"trials", required_argument, NULL, 't'},
				       {"seed", required_argument, NULL, 's'},
				       {"out", required_argument, NULL, 'o'},
				       {"set", required_argument, NULL, 'S'},
				       {"kernel", required_argument, NULL, 'k'},
				       {"modules", required_argument, NULL, 'm'},
				       {"dry-run", no_argument, &options->dry_run, 1},
				       {"shuffle", no_argument, &options->shuffle, 1},
				       {"stop-on-fail", no_argument, &options->stop_on_fail, 1},
				       {"fail-on-skip", no_argument, &options->fail_on_skip, 1},
				       {0}};
	int option, error = 0;

	while (!error && (option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'b':
			options->bench = optarg;
			break;
		case 't':
			error = read_number("trials", optarg, 1, 9999, &options->trials);
			break;
		case 's':
			error = read_number("seed", optarg, 0, INT64_MAX, &options->seed);
			break;
		case 'o':
			options->out = optarg;
			break;
		case 'S':
			error = add_setting(options->settings, optarg);
			break;
		case 'k':
			options->kernel = optarg;
			break;
		case 'm':
			options->modules = optarg;
			break;
		case 0:
			break;
		default:
			error = -EINVAL;
		}
	}
	if (!error && optind == argc) {
		log_error("run: which scenario? `brinell list scenarios` shows them");
		error = -EINVAL;
	}
	if (!error && options->kernel && access(options->kernel, R_OK) != 0) {
		log_error("--kernel %s: %s", options->kernel, strerror(errno));
		error = -EINVAL;
	}
	return error;
}

/* The whole plan is made and checked before anything is started. */
static int make_plan(struct plan *plan, const struct run_options *options, int count, char **names)
{
	__cleanup_json json_t *paths = json_array();
	struct reason why = {0};
	const json_t *path;
	size_t index;
	int error = 0;

	for (int i = 0; i < count && !error; i++) {
		size_t from = json_array_size(paths);

		error = scenario_select(names[i], paths, &why)
				?: order_paths(paths, from, options->settings, &why);
	}
	for (uint64_t round = 0; round < options->trials && !error; round++) {
		json_array_foreach (paths, index, path) {
			struct scenario *scenario;
			const char *bench;

			error = scenario_load(json_string_value(path), options->settings, &scenario,
					      &why);
			if (error)
				break;
			bench = options->bench ? options->bench : scenario->bench;
			if (!bench_kind(bench)) {
				fail(&why, -ENOENT,
				     "there is no bench '%s'; `brinell list benches` shows them",
				     bench);
				scenario_free(scenario);
				error = -ENOENT;
				break;
			}
			error = plan_add(plan, scenario, bench,
					 plan_seed(options->seed, plan->count));
			if (error == -E2BIG)
				fail(&why, error, "more than 9999 trials in one run");
			if (error)
				break;
		}
	}
	if (error)
		log_error("%s", why.text);
	else if (options->shuffle)
		plan_shuffle(plan, options->seed);
	return error;
}

static json_t *run_record(const struct plan *plan, const struct run_options *options,
			  json_t *arguments)
{
	struct utsname name;
	uint32_t random[2] = {0};
	char id[64];
	time_t now = time(NULL);
	struct tm date;

	(void)!getrandom(random, sizeof(random), 0);
	gmtime_r(&now, &date);
	snprintf(id, sizeof(id), "%04d%02d%02dT%02d%02d%02dZ-%08x%08x", date.tm_year + 1900,
		 date.tm_mon + 1, date.tm_mday, date.tm_hour, date.tm_min, date.tm_sec, random[0],
		 random[1]);
	uname(&name);
	return json_pack("{s:i, s:s, s:s, s:o, s:I, s:s*, s:s*, s:{s:s, s:s, s:i}, s:o}", "journal",
			 JOURNAL_VERSION, "run", id, "version", BRINELL_VERSION, "argv", arguments,
			 "seed", (json_int_t)options->seed, "kernel", options->kernel, "modules",
			 options->modules, "host", "hostname", name.nodename, "kernel",
			 name.release, "processors", (int)sysconf(_SC_NPROCESSORS_ONLN), "plan",
			 plan_to_json(plan));
}

static bool has_skipped(const char *directory)
{
	__cleanup_free char *path = format_text("%s/results.json", directory);
	__cleanup_json json_t *results = json_load_file(path, 0, NULL);

	return json_number(json_object_get(results, "counts"), "skip", 0) > 0;
}

static int start(const struct run_options *options, struct plan *plan, json_t *arguments)
{
	__cleanup_free char *directory = NULL;
	struct journal *journal;
	struct reason why = {0};
	int error;

	error = store_create_run(options->out, &directory, &why);
	if (error) {
		log_error("%s", why.text);
		return options->out || error == -EEXIST ? EXIT_USAGE : EXIT_INFRA;
	}
	error = journal_create(directory, &journal, &why)
			?: journal_append(journal, "run", NULL,
					  run_record(plan, options, json_incref(arguments)));
	if (error) {
		log_error("%s", why.text[0] ? why.text : strerror(-error));
		return EXIT_INFRA;
	}
	error = session_run(directory, journal, plan,
			    &(struct session_options){.kernel = options->kernel,
						      .modules = options->modules,
						      .stop_on_fail = options->stop_on_fail});
	if (error != EXIT_PASSED || !options->fail_on_skip || !has_skipped(directory))
		return error;
	log_error("a trial was skipped, which --fail-on-skip does not allow");
	return EXIT_FAILED;
}

static void print_plan(const struct plan *plan)
{
	__cleanup_json json_t *planned = plan_to_json(plan), *names = test_names(planned);

	for (size_t i = 0; i < plan->count; i++)
		printf("%s  %s  on %s  seed %llu\n", plan->trials[i].id,
		       json_text(names, plan->trials[i].id, ""), plan->trials[i].bench,
		       (unsigned long long)plan->trials[i].seed);
}

static int run(int argc, char **argv)
{
	__cleanup_json json_t *settings = json_object();
	__cleanup_json json_t *arguments = json_array();
	struct run_options options = {.trials = 1, .settings = settings};
	struct plan plan = {0};
	int code = EXIT_USAGE;

	(void)!getrandom(&options.seed, sizeof(options.seed), 0);
	options.seed >>= 32;
	for (int i = 0; i < argc; i++)
		json_array_append_new(arguments, json_string(argv[i]));
	if (read_options(argc, argv, &options) == 0 &&
	    make_plan(&plan, &options, argc - optind, argv + optind) == 0) {
		if (options.dry_run) {
			print_plan(&plan);
			code = EXIT_PASSED;
		} else {
			code = start(&options, &plan, arguments);
		}
	}
	plan_free(&plan);
	return code;
}

static const struct command command_run = {
	.name = "run",
	.summary = "run scenarios and judge what happened",
	.usage = usage,
	.run = run,
};

REGISTER(command, command_run);
