// SPDX-License-Identifier: GPL-2.0-only
/*
 * A comparison that makes its own runs. Each run is one boot of the hosts and a normal run directory. The sides take turns
 * (A B B A ...), so that a drift of the bench affects both. A second round confirms the regressions of the first.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "harness/compare/calibration.h"
#include "harness/compare/profile.h"
#include "harness/compare/rounds.h"
#include "harness/compare/self.h"
#include "harness/compare/table.h"
#include "harness/lib/text.h"
#include "harness/store/durations.h"
#include "harness/store/run_directory.h"

#define PLAN_VERSION 1

/**
 * struct rounds - the runs of a comparison
 * @done: number of complete runs of this round
 * @made: number of these that this process made
 */
struct rounds {
	const char *directory;
	const json_t *plan;
	int64_t began;
	unsigned int done, made, planned;
};

static const json_t *arguments_of(const struct rounds *rounds, char side)
{
	return json_object_get(rounds->plan, side == 'a' ? "a" : "b");
}

static char *run_directory(const struct rounds *rounds, unsigned int round, unsigned int boot,
			   char side)
{
	return format_text("%s/round-%u/%02u-%c", rounds->directory, round, boot, side);
}

static bool is_complete(const char *directory)
{
	__cleanup_free char *path = format_text("%s/results.json", directory);
	__cleanup_json json_t *results = json_load_file(path, 0, NULL);

	return json_is_true(json_object_get(results, "complete"));
}

static json_t *run_arguments(const struct rounds *rounds, char side, unsigned int boot,
			     const json_t *scenarios, char **path)
{
	json_t *argv = json_pack(
		"[s, s, s, o, s, o]", "brinell", "run", "--seed",
		json_sprintf("%lld", (long long)json_number(rounds->plan, "seed", 1) + boot),
		"--trials",
		json_sprintf("%lld", (long long)json_number(rounds->plan, "samples", 1)));

	side_arguments(arguments_of(rounds, side), argv, path);
	json_array_extend(argv, (json_t *)scenarios);
	return argv;
}

/* Parse a trial of `brinell run --dry-run`: "0001  perf/host-cpu 2  on kvm  seed 1". */
static json_t *read_trial(const char *line)
{
	const char *bench = strstr(line, "  on ");
	char scenario[256] = "";

	if (!bench || sscanf(line, "%*s %255s", scenario) != 1)
		return NULL;
	bench += strlen("  on ");
	return json_pack("{s:s, s:s%}", "scenario", scenario, "bench", bench,
			 (int)strcspn(bench, " \n"));
}

/* Check a side by `brinell run --dry-run`, and read its trials. */
static int check_side(const struct rounds *rounds, char side, json_t *trials, struct reason *why)
{
	__cleanup_free char *path = NULL;
	__cleanup_json json_t *argv =
		run_arguments(rounds, side, 0, json_object_get(rounds->plan, "scenarios"), &path);
	__cleanup_file FILE *out = tmpfile();
	__cleanup_free char *line = NULL;
	size_t size = 0;
	int code;

	if (!out)
		return fail_errno(why, -errno, "a temporary file");
	json_array_insert_new(argv, 2, json_string("--dry-run"));
	code = self_run(argv, path, fileno(out), STDERR_FILENO, why);
	if (code)
		return fail(why, code < 0 ? code : -EINVAL,
			    "side %c can not be run; nothing was started", side - 'a' + 'A');
	rewind(out);
	while (getline(&line, &size, out) >= 0) {
		json_t *trial = read_trial(line);

		if (trial)
			json_array_append_new(trials, trial);
	}
	return 0;
}

/* Run one boot of one side. An interrupted run is resumed; a complete one is not repeated. */
static int run_boot(struct rounds *rounds, unsigned int round, unsigned int boot, char side,
		    const json_t *scenarios, struct reason *why)
{
	__cleanup_free char *directory = run_directory(rounds, round, boot, side);
	__cleanup_free char *log = format_text("%s.log", directory);
	__cleanup_free char *path = NULL;
	__cleanup_json json_t *argv = NULL;
	__cleanup_close int out = -1;
	int code;

	if (is_complete(directory))
		return 0;
	argv = run_arguments(rounds, side, boot, scenarios, &path);
	if (run_directory_begun(directory)) {
		json_decref(argv);
		argv = json_pack("[s, s, s]", "brinell", "resume", directory);
	} else {
		json_array_insert_new(argv, 2, json_string("--out"));
		json_array_insert_new(argv, 3, json_string(directory));
	}
	code = make_directories(directory);
	if (!code)
		out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (code || out < 0)
		return fail(why, code ?: -errno, "%s: %s", directory,
			    strerror(code ? -code : errno));
	rounds->made++;
	code = self_run(argv, path, out, out, why);
	if (code < 0 || code == EXIT_USAGE || code == EXIT_INFRA)
		return fail(why, -EIO,
			    "the run %s failed, see %s; 'brinell resume %s' continues it",
			    directory, log, rounds->directory);
	return 0;
}

/* The estimate uses only the runs of this process. */
static void show_progress(struct rounds *rounds, unsigned int round)
{
	int64_t left;

	rounds->done++;
	if (!rounds->made)
		return;
	left = (now_monotonic_ns() - rounds->began) / rounds->made *
	       (rounds->planned - rounds->done);
	log_info("round %u: %u of %u runs done, about %lld min %02lld s to go", round, rounds->done,
		 rounds->planned, (long long)(left / NSEC_PER_SEC / 60),
		 (long long)(left / NSEC_PER_SEC % 60));
}

static unsigned int boots_of(const json_t *plan)
{
	return (unsigned int)json_number(plan, "boots", 1);
}

static char side_at(unsigned int boot, unsigned int turn)
{
	return (boot + turn) % 2 ? 'a' : 'b';
}

static int load_side(const struct rounds *rounds, unsigned int round, char side, json_t **loaded,
		     struct reason *why)
{
	unsigned int boots = boots_of(rounds->plan);
	__cleanup_free char **directories = xzalloc(boots * sizeof(*directories));
	__cleanup_free char *name = NULL;
	json_t *argument;
	size_t index;
	int error;

	for (unsigned int i = 0; i < boots; i++)
		directories[i] = run_directory(rounds, round, i + 1, side);
	json_array_foreach ((json_t *)arguments_of(rounds, side), index, argument)
		append_text(&name, " ", "%s", json_string_value(argument));
	error = compare_load(name ?: "unchanged", (const char *const *)directories, boots, loaded,
			     why);
	for (unsigned int i = 0; i < boots; i++)
		free(directories[i]);
	return error;
}

static int make_runs(struct rounds *rounds, unsigned int round, struct reason *why)
{
	unsigned int boots = boots_of(rounds->plan);
	int error = 0;

	rounds->began = now_monotonic_ns();
	rounds->done = rounds->made = 0;
	rounds->planned = 2 * boots;
	for (unsigned int boot = 1; boot <= boots && !error; boot++) {
		for (unsigned int turn = 0; turn < 2 && !error; turn++) {
			error = run_boot(rounds, round, boot, side_at(boot, turn),
					 json_object_get(rounds->plan, "scenarios"), why);
			if (!error)
				show_progress(rounds, round);
		}
	}
	return error;
}

static int run_round(struct rounds *rounds, unsigned int round, const json_t *only,
		     json_t **comparison, struct reason *why)
{
	__cleanup_free char *across =
		side_across(arguments_of(rounds, 'a'), arguments_of(rounds, 'b'),
			    json_text(rounds->plan, "across", NULL));
	const struct compare_options options = {
		.budget = json_number_value(json_object_get(rounds->plan, "budget")),
		.alpha = json_number_value(json_object_get(rounds->plan, "alpha")),
		.seed = (uint64_t)json_number(rounds->plan, "seed", 1),
		.across = across,
		.only = only};
	__cleanup_json json_t *a = NULL;
	__cleanup_json json_t *b = NULL;
	int error = make_runs(rounds, round, why);

	if (!error)
		error = load_side(rounds, round, 'a', &a, why);
	if (!error)
		error = load_side(rounds, round, 'b', &b, why);
	if (error)
		return error;
	*comparison = compare_runs(a, b, &options);
	return *comparison ? 0 : fail(why, -ENOMEM, "no memory to compare");
}

/* Return: rows that regressed: {SCENARIO: {METRIC: true}}. */
static json_t *regressed_rows(const json_t *comparison)
{
	static const char *const lists[] = {"metrics", "rates"};
	json_t *only = json_object(), *row;
	size_t index;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		json_array_foreach (json_object_get(comparison, lists[i]), index, row) {
			const char *scenario = json_text(row, "scenario", "");

			if (!json_is(row, "verdict", "regressed"))
				continue;
			if (!json_object_get(only, scenario))
				json_object_set_new(only, scenario, json_object());
			json_object_set_new(json_object_get(only, scenario),
					    json_text(row, "metric", "failures"), json_true());
		}
	}
	return only;
}

/* A regression that the second round does not find is noise, whatever its p in the first. */
static void confirm(json_t *first, const json_t *second)
{
	static const char *const lists[] = {"metrics", "rates"};
	json_t *counts = json_object_get(first, "counts"), *row;
	size_t index;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		json_array_foreach (json_object_get(first, lists[i]), index, row) {
			json_t *again;

			if (!json_is(row, "verdict", "regressed"))
				continue;
			again = table_row_like(json_object_get(second, lists[i]), row);
			if (again)
				json_object_set(row, "confirmation", again);
			if (json_is(again, "verdict", "regressed")) {
				json_object_set_new(row, "note",
						    json_string("confirmed by a second round"));
				continue;
			}
			json_object_set_new(row, "verdict", json_string("too-noisy"));
			json_object_set_new(row, "note",
					    json_string("regressed in the first round, not in the "
							"second"));
			json_add(counts, "regressed", -1);
			json_add(counts, "too-noisy", 1);
		}
	}
}

static int run_confirmation(struct rounds *rounds, json_t *first, struct reason *why)
{
	__cleanup_json json_t *only = regressed_rows(first);
	__cleanup_json json_t *second = NULL;
	int error;

	if (!json_object_size(only))
		return 0;
	log_info("%zu scenarios regressed: running a second round to confirm it",
		 json_object_size(only));
	error = run_round(rounds, 2, only, &second, why);
	if (!error)
		confirm(first, second);
	return error;
}

/** rounds_check_sides - check the arguments of both sides of a plan. Return: 0 or -EINVAL */
int rounds_check_sides(const json_t *plan, struct reason *why)
{
	return side_check(json_object_get(plan, "a"), why)
		       ?: side_check(json_object_get(plan, "b"), why);
}

/**
 * rounds_check - check the plan of a comparison, and find the trials of a run
 * @plan: {"a", "b": arguments of the sides, "scenarios": as for `brinell run`, "boots", "samples", "seed", "budget", "alpha",
 *        "across", "calibrate": the sides are equal}; receives "trials": {"a", "b": [{"scenario", "bench"}]} of a run
 * @why:  filled on an error
 *
 * Return: 0, or -EINVAL for a plan that can not be run.
 */
int rounds_check(json_t *plan, struct reason *why)
{
	struct rounds rounds = {.plan = plan};
	__cleanup_json json_t *trials = json_pack("{s:[], s:[]}", "a", "b");
	int error = rounds_check_sides(plan, why)
			    ?: check_side(&rounds, 'a', json_object_get(trials, "a"), why)
			    ?: check_side(&rounds, 'b', json_object_get(trials, "b"), why);

	json_object_set(plan, "trials", trials);
	return error;
}

/** rounds_show - print number of runs and trials of a plan of rounds_check(), including existing ones, and their expected duration */
void rounds_show(const json_t *plan)
{
	const json_t *trials = json_object_get(plan, "trials");
	__cleanup_json json_t *both = json_array();
	__cleanup_free char *expected = NULL;

	json_array_extend(both, json_object_get(trials, "a"));
	json_array_extend(both, json_object_get(trials, "b"));
	expected = durations_expect(both, boots_of(plan));
	log_info("%u runs of each side, A B B A; each boots its hosts. %zu trials: %s",
		 boots_of(plan), json_array_size(both) * boots_of(plan), expected);
}

/**
 * rounds_create - create the directory of a comparison
 * @directory: must not exist
 * @plan:      checked by rounds_check(); receives the version of its format
 * @why:       filled on an error
 *
 * Return: 0, -EEXIST, -errno.
 */
int rounds_create(const char *directory, json_t *plan, struct reason *why)
{
	int error;

	if (access(directory, F_OK) == 0)
		return fail(why, -EEXIST,
			    "'%s' exists already: give another with --out, or finish a comparison "
			    "with 'brinell resume %s'",
			    directory, directory);
	error = make_directories(directory);
	json_object_set_new(plan, "comparison", json_integer(PLAN_VERSION));
	if (!error)
		error = write_json_atomically(directory, COMPARISON_FILE, plan);
	return error ? fail_errno(why, error, "%s", directory) : 0;
}

/**
 * rounds_load - load the plan of a comparison
 * @directory: of it
 * @plan:      receives it; owned by the caller
 * @why:       filled on an error
 *
 * Return: 0, -EINVAL for a plan of another format, or another -errno.
 */
int rounds_load(const char *directory, json_t **plan, struct reason *why)
{
	__cleanup_free char *path = format_text("%s/%s", directory, COMPARISON_FILE);
	json_error_t problem;
	__cleanup_json json_t *loaded = json_load_file(path, JSON_REJECT_DUPLICATES, &problem);

	if (!loaded)
		return fail(why, -EINVAL, "%s, line %d: %s", path, problem.line, problem.text);
	if (json_number(loaded, "comparison", 0) != PLAN_VERSION ||
	    !json_is_array(json_object_get(loaded, "a")) ||
	    !json_is_array(json_object_get(loaded, "b")) ||
	    !json_is_array(json_object_get(loaded, "scenarios")) ||
	    json_number(loaded, "boots", 0) < 1 || json_number(loaded, "boots", 0) > BOOTS_MOST)
		return fail(why, -EINVAL, "%s has a format that brinell %s can not read", path,
			    BRINELL_VERSION);
	*plan = steal(loaded);
	return 0;
}

/**
 * rounds_make - make the missing runs of a plan, without a comparison
 * @directory: of rounds_create()
 * @plan:      of rounds_create() or rounds_load()
 * @why:       filled on an error
 *
 * Return: 0 or -errno: a run failed, and can be resumed.
 */
int rounds_make(const char *directory, const json_t *plan, struct reason *why)
{
	struct rounds rounds = {.directory = directory, .plan = plan};

	rounds_show(plan);
	return make_runs(&rounds, 1, why);
}

/** rounds_directories - directories of the runs of rounds_make(), in the order of time. Return: owned by the caller */
json_t *rounds_directories(const char *directory, const json_t *plan)
{
	struct rounds rounds = {.directory = directory, .plan = plan};
	json_t *directories = json_array();

	for (unsigned int boot = 1; boot <= boots_of(plan); boot++) {
		for (unsigned int turn = 0; turn < 2; turn++) {
			__cleanup_free char *path =
				run_directory(&rounds, 1, boot, side_at(boot, turn));

			json_array_append_new(directories, json_string(path));
		}
	}
	return directories;
}

static unsigned int count_complete(const char *directory, const json_t *plan)
{
	__cleanup_json json_t *directories = rounds_directories(directory, plan);
	unsigned int complete = 0;
	json_t *each;
	size_t index;

	json_array_foreach (directories, index, each)
		complete += is_complete(json_string_value(each));
	return complete;
}

/* The directory may have been moved since. */
static void find_pictures(const char *directory, json_t *result)
{
	json_t *profile;
	size_t index;

	json_array_foreach (json_object_get(result, "profiles"), index, profile) {
		const char *picture = json_text(profile, "picture", "");
		const char *slash = strrchr(picture, '/');

		json_object_set_new(profile, "picture",
				    json_sprintf("%s/profile/%s", directory,
						 slash ? slash + 1 : picture));
	}
}

/**
 * rounds_result - load the result of a comparison, or of a calibration, that has ended
 * @directory: of it
 * @plan:      of rounds_load()
 * @result:    receives what --json printed; owned by the caller
 * @why:       filled on an error
 *
 * Return: 0, -ENODATA when there is none yet, or -EINVAL.
 */
int rounds_result(const char *directory, const json_t *plan, json_t **result, struct reason *why)
{
	bool calibrates = json_is_true(json_object_get(plan, "calibrate"));
	__cleanup_free char *path =
		format_text("%s/%s", directory, calibrates ? CALIBRATION_FILE : COMPARED_FILE);
	json_error_t problem;
	__cleanup_json json_t *loaded = NULL;

	if (access(path, F_OK))
		return fail(why, -ENODATA,
			    "'%s' has no result yet, %u of the %u runs of its first round are "
			    "complete; 'brinell resume %s' finishes it",
			    directory, count_complete(directory, plan), 2 * boots_of(plan),
			    directory);
	loaded = json_load_file(path, JSON_REJECT_DUPLICATES, &problem);
	if (!loaded)
		return fail(why, -EINVAL, "%s, line %d: %s; 'brinell resume %s' makes it again",
			    path, problem.line, problem.text, directory);
	if (!json_is_array(json_object_get(loaded, "metrics")))
		return fail(why, -EINVAL,
			    "%s: there is no array 'metrics'; 'brinell resume %s' makes it again",
			    path, directory);
	find_pictures(directory, loaded);
	*result = steal(loaded);
	return 0;
}

static void append_arguments(char **text, const char *option, const json_t *arguments)
{
	json_t *argument;
	size_t index;

	json_array_foreach ((json_t *)arguments, index, argument) {
		if (option)
			append_shell_word(text, option);
		append_shell_word(text, json_string_value(argument));
	}
}

/* Return: command that repeats the comparison, owned by the caller. */
static char *command_of(const json_t *plan)
{
	double budget = json_number_value(json_object_get(plan, "budget"));
	double alpha = json_number_value(json_object_get(plan, "alpha"));
	long long samples = json_number(plan, "samples", 1);
	char *text = format_text("brinell compare --boots %lld",
				 (long long)json_number(plan, "boots", 0));

	if (samples > 1)
		append_text(&text, " ", "--samples %lld", samples);
	append_text(&text, " ", "--budget %g --alpha %g", budget, alpha);
	if (json_text(plan, "across", NULL)) {
		append_shell_word(&text, "--across");
		append_shell_word(&text, json_text(plan, "across", ""));
	}
	append_arguments(&text, "--a", json_object_get(plan, "a"));
	append_arguments(&text, "--b", json_object_get(plan, "b"));
	append_arguments(&text, NULL, json_object_get(plan, "scenarios"));
	return text;
}

/**
 * rounds_run - make the missing runs of a comparison, and compare
 * @directory:  of rounds_create()
 * @plan:       of rounds_create() or rounds_load()
 * @comparison: receives the result of compare_runs(), with regressions confirmed by a second round; owned by the caller
 * @why:        filled on an error
 *
 * Return: 0 or -errno: a run failed, and can be resumed.
 */
int rounds_run(const char *directory, const json_t *plan, json_t **comparison, struct reason *why)
{
	struct rounds rounds = {.directory = directory, .plan = plan};
	__cleanup_json json_t *first = NULL;
	__cleanup_free char *command = NULL;
	int error;

	rounds_show(plan);
	error = run_round(&rounds, 1, NULL, &first, why) ?: run_confirmation(&rounds, first, why);
	if (error)
		return error;
	profile_regressions(directory, plan, first);
	command = command_of(plan);
	json_object_set_new(first, "command", json_string(command));
	*comparison = steal(first);
	return 0;
}
