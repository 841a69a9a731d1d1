// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell run: run scenarios, and judge them.
 */
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>

#include "harness/lib/param.h"
#include "harness/lib/registry.h"
#include "harness/bench/bench.h"
#include "harness/commands/compare_command.h"
#include "harness/commands/dry_run.h"
#include "harness/compare/calibration.h"
#include "harness/store/durations.h"
#include "harness/store/store.h"
#include "harness/trial/order.h"
#include "harness/trial/session.h"

/* Number of trials of --until-fail without --trials. */
#define UNTIL_FAIL_TRIALS 1000

struct run_options {
	const char *bench;
	const char *out;
	const char *kernel;
	const char *modules;
	uint64_t trials;
	uint64_t seed;
	int64_t deadline_ns;
	json_t *settings;
	int dry_run, fail_on_skip, stop_on_fail, until_fail, shuffle;
};

static const char usage[] =
	"usage: brinell run [OPTIONS] SCENARIO...\n"
	"\n"
	"SCENARIO is a name from `brinell list`, a pattern such as 'einj/*', a tag such as @demo,\n"
	"or a path to a file. Scenarios of one pattern or tag that need the same host and\n"
	"guests run one after the other.\n"
	"\n"
	"  --bench NAME      where to run: a rig profile, local, ssh:HOST, or for migrations\n"
	"                    ssh:HOST,HOST (default: the bench of the scenario)\n"
	"  --trials N        trials of each scenario (default 1)\n"
	"  --seed N          seed of all random choices (default: a random one, recorded)\n"
	"  --out DIR         directory of the results (default brinell-runs/DATE-ID)\n"
	"  --set KEY=VALUE   change a value of the scenario, such as victim.page=thp; repeatable\n"
	"  --kernel PATH     boot rig hosts with this bzImage instead of Debian's newest\n"
	"  --modules DIR     modules of that kernel (its lib/modules/RELEASE)\n"
	"  --dry-run         print the trials in order, with the reason of each skip or failure;\n"
	"                    probes hosts, boots no emulated one, and runs no trial\n"
	"  --shuffle         run the trials in a random order, determined by the seed\n"
	"  --stop-on-fail    end the run after the first failed trial\n"
	"  --until-fail      repeat the scenarios until a trial fails, --trials N times at most\n"
	"                    (default: as often as 1000 trials allow)\n"
	"  --deadline TIME   end the run after this time, such as 90m; resume runs the rest\n"
	"  --fail-on-skip    exit 1 if a trial was skipped and all others passed\n"
	"\n"
	"Standard output is a table on a terminal, KTAP elsewhere; messages go to standard\n"
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

static int read_deadline(const char *text, int64_t *deadline_ns)
{
	if (parse_duration(text, deadline_ns) == 0 && *deadline_ns > 0)
		return 0;
	log_error("--deadline %s: it must be a time such as 90s, 45m or 8h", text);
	return -EINVAL;
}

/* open() of a FIFO would block. */
static int check_place(const char *option, const char *path, mode_t type)
{
	struct stat status;

	if (!path)
		return 0;
	if (stat(path, &status) < 0 || access(path, R_OK) < 0) {
		log_error("--%s %s: %s", option, path, strerror(errno));
		return -EINVAL;
	}
	if ((status.st_mode & S_IFMT) == type)
		return 0;
	log_error("--%s %s: it is not a %s", option, path,
		  type == S_IFDIR ? "directory" : "regular file");
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
				       {"deadline", required_argument, NULL, 'd'},
				       {"until-fail", no_argument, &options->until_fail, 1},
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
			error = read_number("trials", optarg, 1, PLAN_MOST, &options->trials);
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
		case 'd':
			error = read_deadline(optarg, &options->deadline_ns);
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
	if (!error)
		error = check_place("kernel", options->kernel, S_IFREG);
	if (!error)
		error = check_place("modules", options->modules, S_IFDIR);
	return error;
}

static const char *bench_of(const struct run_options *options, const struct scenario *scenario)
{
	return options->bench ?: scenario->bench;
}

static int load_scenario(struct plan *plan, const struct run_options *options, const char *path,
			 struct reason *why)
{
	struct scenario *scenario;
	int error = scenario_load(path, options->settings, &scenario, why);

	if (error)
		return error;
	plan_take(plan, scenario);
	if (!bench_kind(bench_of(options, scenario)))
		return fail(why, -ENOENT,
			    "there is no bench '%s'; `brinell list benches` shows them",
			    bench_of(options, scenario));
	return 0;
}

/* Return: trials of each scenario. */
static uint64_t rounds(const struct run_options *options, size_t scenarios)
{
	if (options->trials)
		return options->trials;
	return options->until_fail && scenarios < UNTIL_FAIL_TRIALS ? UNTIL_FAIL_TRIALS / scenarios
								    : 1;
}

/* Add each scenario once. */
static int add_round(struct plan *plan, const struct run_options *options, struct reason *why)
{
	int error = 0;

	for (size_t i = 0; i < plan->scenario_count && !error; i++)
		error = plan_add(plan, plan->scenarios[i], bench_of(options, plan->scenarios[i]),
				 plan_seed(options->seed, plan->count));
	return error == -E2BIG ? fail(why, error, "more than %d trials in one run", PLAN_MOST)
			       : error;
}

/* Build and check the whole plan before anything is started. */
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
	json_array_foreach (paths, index, path)
		if (!error)
			error = load_scenario(plan, options, json_string_value(path), &why);
	for (uint64_t round = 0; !error && round < rounds(options, json_array_size(paths)); round++)
		error = add_round(plan, options, &why);
	if (error)
		log_error("%s", why.text);
	else if (options->shuffle)
		plan_shuffle(plan, options->seed);
	return error;
}

/* Summary of the bench's last calibration, for every report. */
static void note_calibration(const struct plan *plan, const struct run_options *options,
			     json_t *head)
{
	const char *place = options->out ?: "brinell-runs/this";

	for (size_t i = 0; i < plan->count; i++) {
		__cleanup_json json_t *scenarios =
			json_pack("{s:b}", plan->trials[i].scenario->name, 1);
		__cleanup_json json_t *calibration = NULL;
		__cleanup_json json_t *brief = NULL;
		__cleanup_free char *warning = NULL;

		if (!plan->trials[i].scenario->metrics)
			continue;
		calibration = compare_calibration(place, plan->trials[i].bench, scenarios);
		brief = calibration ? calibration_brief(calibration, false) : NULL;
		warning = calibration_warning(brief);
		if (warning)
			json_object_set_new(head, "calibration", json_string(warning));
		return;
	}
}

/* Return: body of the run record, owned by the caller. */
static char *run_record(const struct plan *plan, const struct run_options *options,
			json_t *arguments)
{
	__cleanup_json json_t *head = NULL;
	struct utsname name;
	uint32_t random[2] = {0};
	char *text = NULL;
	size_t length;
	FILE *out;
	__cleanup_free char *date = format_utc(time(NULL), "%Y%m%dT%H%M%SZ");
	__cleanup_free char *id = NULL;

	(void)!getrandom(random, sizeof(random), 0);
	id = format_text("%s-%08x%08x", date, random[0], random[1]);
	uname(&name);
	head = json_pack("{s:i, s:s, s:s, s:O, s:I, s:s*, s:s*, s:{s:s, s:s, s:i}}", "journal",
			 JOURNAL_VERSION, "run", id, "version", BRINELL_VERSION, "argv", arguments,
			 "seed", (json_int_t)options->seed, "kernel", options->kernel, "modules",
			 options->modules, "host", "hostname", name.nodename, "kernel",
			 name.release, "processors", (int)sysconf(_SC_NPROCESSORS_ONLN));
	note_calibration(plan, options, head);
	out = open_memstream(&text, &length);
	if (!out)
		abort();
	fputc('{', out);
	json_dumpf(head, out, JSON_COMPACT | JSON_EMBED);
	fputc(',', out);
	plan_write(plan, out);
	fputc('}', out);
	if (fclose(out) != 0)
		abort();
	return text;
}

static void log_expected_time(const struct plan *plan)
{
	__cleanup_json json_t *trials = json_array();
	__cleanup_free char *expected = NULL;

	for (size_t i = 0; i < plan->count; i++)
		json_array_append_new(trials, json_pack("{s:s, s:s}", "scenario",
							plan->trials[i].scenario->name, "bench",
							plan->trials[i].bench));
	expected = durations_expect(trials, 1);
	log_info("%zu trials: %s", plan->count, expected);
}

static int start(const struct run_options *options, struct plan *plan, json_t *arguments)
{
	__cleanup_free char *directory = NULL;
	__cleanup_free char *record = run_record(plan, options, arguments);
	struct journal *journal;
	struct reason why = {0};
	int error;

	log_expected_time(plan);
	error = store_create_run(options->out, &directory, &why);
	if (error) {
		log_error("%s", why.text);
		return options->out || error == -EEXIST ? EXIT_USAGE : EXIT_INFRA;
	}
	error = journal_create(directory, &journal, &why)
			?: journal_append_text(journal, "run", record);
	if (error) {
		log_error("%s", why.text[0] ? why.text : strerror(-error));
		return EXIT_INFRA;
	}
	return session_run(directory, journal, plan,
			   &(struct session_options){.kernel = options->kernel,
						     .modules = options->modules,
						     .stop_on_fail = options->stop_on_fail ||
								     options->until_fail,
						     .deadline_ns = options->deadline_ns,
						     .fail_on_skip = options->fail_on_skip});
}

static int run(int argc, char **argv)
{
	__cleanup_json json_t *settings = json_object();
	__cleanup_json json_t *arguments = json_array();
	struct run_options options = {.settings = settings};
	struct plan plan = {0};
	int code = EXIT_USAGE;

	(void)!getrandom(&options.seed, sizeof(options.seed), 0);
	options.seed >>= 32;
	for (int i = 0; i < argc; i++)
		json_array_append_new(arguments, json_string(argv[i]));
	if (read_options(argc, argv, &options) == 0 &&
	    make_plan(&plan, &options, argc - optind, argv + optind) == 0) {
		if (options.dry_run) {
			code = dry_run(&plan);
		} else {
			code = start(&options, &plan, arguments);
		}
	}
	plan_free(&plan);
	return code;
}

REGISTERED(command, command_run) = {
	.name = "run",
	.summary = "run scenarios and judge what happened",
	.usage = usage,
	.run = run,
};
