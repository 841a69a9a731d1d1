// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell shrink: reduce a failed storm, as long as it fails with the same code. Each pass is one run of several candidates, which
 * ends at the first one that still fails.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/commands/directory.h"
#include "harness/compare/self.h"
#include "harness/evidence/record.h"
#include "harness/journal/journal.h"
#include "harness/lib/param.h"
#include "harness/lib/registry.h"
#include "harness/lib/spawn.h"
#include "harness/scenario/scenario.h"

#define BUDGET "10min"
#define STORM "gmem-storm"
/* Longest list of operations in a scenario file. */
#define OPERATIONS_MOST 2000
#define TRIES_MOST 100

static const char usage[] =
	"usage: brinell shrink [--budget TIME] [--tries N] DIR TRIAL\n"
	"\n"
	"Replays the " STORM
	" of a trial that did not pass, from its seed, with fewer operations,\n"
	"threads, users and faults, as long as it ends with the same reason code. The smallest\n"
	"schedule is written to DIR/shrunk-TRIAL: scenario.yaml and a README for a report.\n"
	"\n"
	"  --budget TIME     start no new pass after this time (default " BUDGET ")\n"
	"  --tries N         run each schedule up to N times, for failures that do not occur\n"
	"                    each time (default 1)\n";

/**
 * struct shrink - state of the reduction
 * @directory: of the run; @place: of the result
 * @trial:     record of the trial; borrowed from @records
 * @code:      reason code of a failing candidate
 * @spec:      smallest so far; owned
 * @step:      injecting step of @spec; borrowed
 * @kernel:    release that it ran on
 * @failed_at: last operation before the first violation, or -1
 * @tries:     runs of a candidate before it counts as passing
 */
struct shrink {
	const char *directory;
	char *place;
	json_t *records;
	const json_t *trial;
	char *code;
	json_t *spec, *step;
	const char *kernel;
	int64_t failed_at, until_ns;
	unsigned int passes;
	uint64_t tries;
};

static json_t *storm_step(json_t *spec)
{
	json_t *each;
	size_t index;

	json_array_foreach (json_object_get(spec, "steps"), index, each) {
		json_t *inject = json_object_get(each, "inject");

		if (strcmp(json_text(inject, "with", ""), STORM) == 0)
			return inject;
	}
	return NULL;
}

static void take_record(struct shrink *shrink, const json_t *json, const char *trial)
{
	struct record record;

	record_read(&record, json);
	if (strcmp(record.trial ?: "", trial) != 0)
		return;
	if (record.type == RECORD_TRIAL)
		shrink->trial = record.body;
	if (record.type == RECORD_BOOT)
		shrink->kernel = record.boot.kernel ?: "unknown";
	if (event_is_from(&record, SOURCE_USERS) && shrink->failed_at < 0)
		shrink->failed_at = json_number(record.event.data, "operation", -1);
}

/* Return: the result of a trial, or of the first trial with @code, in the results of a run; borrowed. */
static const json_t *find_result(const json_t *results, const char *trial, const char *code)
{
	json_t *each;
	size_t index;

	json_array_foreach (json_object_get(results, "trials"), index, each)
		if (trial ? strcmp(json_text(each, "trial", ""), trial) == 0
			  : strcmp(json_text(each, "code", ""), code) == 0)
			return each;
	return NULL;
}

static json_t *load_results(const char *directory)
{
	__cleanup_free char *path = format_text("%s/results.json", directory);

	return json_load_file(path, 0, NULL);
}

static int open_trial(struct shrink *shrink, const char *trial, struct reason *why)
{
	__cleanup_json json_t *results = load_results(shrink->directory);
	const json_t *result = find_result(results, trial, NULL);
	struct journal_damage damage;
	json_t *record;
	size_t index;
	int error = journal_load(shrink->directory, &shrink->records, &damage, why);

	if (error)
		return error;
	json_array_foreach (shrink->records, index, record)
		take_record(shrink, record, trial);
	if (!result || !shrink->trial)
		return fail(why, -ENOENT, "%s has no trial %s", shrink->directory, trial);
	if (strcmp(json_text(result, "verdict", ""), "pass") == 0)
		return fail(why, -EINVAL, "trial %s passed: there is nothing to shrink", trial);
	shrink->code = xstrdup(json_text(result, "code", ""));
	shrink->spec = json_deep_copy(json_object_get(shrink->trial, "spec"));
	shrink->step = storm_step(shrink->spec);
	if (!shrink->step)
		return fail(why, -EINVAL, "trial %s has no step that injects " STORM, trial);
	json_object_set_new(shrink->step, "seed",
			    json_sprintf("%" PRId64, json_number(shrink->trial, "seed", 0)));
	json_object_del(shrink->spec, "known-failure");
	return 0;
}

/* Knobs depend on each other, such as touchers on vCPUs, and a run with one invalid scenario starts nothing: check each. */
static bool is_valid(const json_t *spec)
{
	__cleanup_free char *text = json_dumps(spec, 0);
	__cleanup_json json_t *settings = json_object();
	struct scenario *scenario;
	struct reason why;

	if (scenario_parse("candidate", text, strlen(text), settings, &scenario, &why))
		return false;
	scenario_free(scenario);
	return true;
}

/* Add a copy of the spec with another value of a knob; NULL removes it. Invalid ones are not added. @value: stolen. */
static void add_candidate(const struct shrink *shrink, json_t *candidates, const char *knob,
			  json_t *value)
{
	json_t *spec = json_deep_copy(shrink->spec), *step = storm_step(spec);

	if (value)
		json_object_set_new(step, knob, value);
	else
		json_object_del(step, knob);
	if (is_valid(spec))
		json_array_append(candidates, spec);
	json_decref(spec);
}

static json_t *list_of_range(const json_t *list, size_t from, size_t to, bool inside)
{
	json_t *part = json_array(), *each;
	size_t index;

	json_array_foreach ((json_t *)list, index, each)
		if ((index >= from && index < to) == inside)
			json_array_append(part, each);
	return part;
}

/* Add candidates without one item of the list of users or faults. */
static void add_shorter_lists(const struct shrink *shrink, json_t *candidates, const char *knob)
{
	const json_t *list = json_object_get(shrink->step, knob);
	const char *refuser = json_text(shrink->step, "refuser", "");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *name = json_string_value(json_array_get(list, i));

		if (json_array_size(list) > 1 && strcmp(name, refuser) != 0)
			add_candidate(shrink, candidates, knob,
				      list_of_range(list, i, i + 1, false));
	}
}

/* Add candidates with the simplest value of a knob, and with one halfway to it. @unit: what a size is a multiple of. */
static void add_smaller_number(const struct shrink *shrink, json_t *candidates, const char *knob,
			       uint64_t simple, uint64_t unit)
{
	uint64_t now = simple, half;

	if (parse_number(json_text(shrink->step, knob, ""), &now) || now <= simple)
		return;
	half = (simple + (now - simple) / 2) / unit * unit;
	add_candidate(shrink, candidates, knob, json_sprintf("%" PRIu64, simple));
	if (half > simple)
		add_candidate(shrink, candidates, knob, json_sprintf("%" PRIu64, half));
}

static json_t *simpler_knobs(const struct shrink *shrink)
{
	static const struct {
		const char *name;
		uint64_t simple, unit;
	} numbers[] = {
		{"converters", 1, 1},	{"vms", 1, 1},	 {"touchers", 0, 1},
		{"by-guest", 0, 1},	{"vcpus", 1, 1}, {"range", 4096, 4096},
		{"memory", 4096, 4096},
	};
	static const char *const switches[] = {"signals", "overlap", "prefault", "allocate",
					       "meanwhile"};
	json_t *candidates = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		add_smaller_number(shrink, candidates, numbers[i].name, numbers[i].simple,
				   numbers[i].unit);
	for (size_t i = 0; i < ARRAY_SIZE(switches); i++)
		if (param_bool(shrink->step, switches[i]))
			add_candidate(shrink, candidates, switches[i], json_string("false"));
	if (json_object_get(shrink->step, "refuser"))
		add_candidate(shrink, candidates, "refuser", NULL);
	if (json_array_size(json_object_get(shrink->step, "faults")) == 1)
		add_candidate(shrink, candidates, "faults", NULL);
	add_shorter_lists(shrink, candidates, "faults");
	add_shorter_lists(shrink, candidates, "users");
	return candidates;
}

static int write_candidate(const struct shrink *shrink, const json_t *spec, const char *name,
			   struct reason *why)
{
	__cleanup_free char *text = json_dumps(spec, JSON_INDENT(1));
	int error = write_file_atomically(shrink->place, name, text, strlen(text));

	return error ? fail(why, error, "cannot write %s/%s: %s", shrink->place, name,
			    strerror(-error))
		     : 0;
}

static int run_candidates(const struct shrink *shrink, const char *out, json_t *files,
			  struct reason *why)
{
	__cleanup_json json_t *arguments =
		json_pack("[s, s, s, s, s, s, s]", "brinell", "run", "--stop-on-fail", "--bench",
			  json_text(shrink->trial, "bench", "gmem"), "--out", out);
	int code;

	json_array_extend(arguments, files);
	code = self_run(arguments, NULL, SPAWN_NULL, STDERR_FILENO, why);
	if (code == -EINTR)
		return fail(why, code, "a signal ended the run %s", out);
	return code < 0 ? code : 0;
}

/* Return: index of the first failing candidate; -1: none; or -errno - 1. */
static int try_pass(struct shrink *shrink, const json_t *candidates, struct reason *why)
{
	__cleanup_free char *out = format_text("%s/pass-%u", shrink->place, ++shrink->passes);
	__cleanup_json json_t *files = json_array();
	__cleanup_json json_t *results = NULL;
	size_t count = json_array_size(candidates);
	const json_t *found;
	int error = 0;

	for (size_t i = 0; i < count * shrink->tries && !error; i++) {
		__cleanup_free char *name = format_text("candidate-%u-%zu.yaml", shrink->passes, i);

		/* brinell run runs a file that is named twice only once. */
		error = write_candidate(shrink, json_array_get(candidates, i % count), name, why);
		json_array_append_new(files, json_sprintf("%s/%s", shrink->place, name));
	}
	if (!error)
		error = run_candidates(shrink, out, files, why);
	if (error)
		return error - 1;
	results = load_results(out);
	found = find_result(results, NULL, shrink->code);
	return found ? (atoi(json_text(found, "trial", "1")) - 1) % (int)count : -1;
}

static bool has_time(const struct shrink *shrink)
{
	return now_monotonic_ns() < shrink->until_ns;
}

/* Run one pass. @candidates: stolen. Return: 1: one of them fails, and is the new spec; 0: none; or -errno. */
static int take_smaller(struct shrink *shrink, json_t *candidates, const char *what,
			struct reason *why)
{
	__cleanup_json json_t *owned = candidates;
	int which;

	if (!json_array_size(candidates) || !has_time(shrink))
		return 0;
	log_info("shrink: pass %u, %zu candidates with %s, %lld s of the budget left",
		 shrink->passes + 1, json_array_size(candidates), what,
		 (shrink->until_ns - now_monotonic_ns()) / NSEC_PER_SEC);
	which = try_pass(shrink, candidates, why);
	if (which < 0)
		return which + 1;
	json_decref(shrink->spec);
	shrink->spec = json_incref(json_array_get(candidates, (size_t)which));
	shrink->step = storm_step(shrink->spec);
	return 1;
}

static int cut_after_failure(struct shrink *shrink, struct reason *why)
{
	json_t *candidates = json_array();
	int64_t count = shrink->failed_at + 1;

	if (shrink->failed_at >= 0) {
		/* Only complete rounds can be executed. */
		count += (int64_t)param_number(shrink->step, "converters");
		add_candidate(shrink, candidates, "operations", json_sprintf("%" PRId64, count));
	}
	return take_smaller(shrink, candidates, "the operations up to the failure", why);
}

static int simplify(struct shrink *shrink, struct reason *why)
{
	int got = 1;

	while (got == 1)
		got = take_smaller(shrink, simpler_knobs(shrink), "one thread, user or fault less",
				   why);
	return got;
}

static json_t *parts_of(const struct shrink *shrink, size_t parts)
{
	const json_t *only = json_object_get(shrink->step, "only");
	size_t size = json_array_size(only), width = (size + parts - 1) / parts;
	json_t *candidates = json_array();

	for (int inside = 1; inside >= 0; inside--)
		for (size_t from = 0; from < size; from += width) {
			/* With two parts, the complement of one is the other. */
			if ((!inside && parts == 2) || (inside && parts > 2))
				continue;
			add_candidate(shrink, candidates, "only",
				      list_of_range(only, from, from + width, inside));
		}
	return candidates;
}

/* Delta debugging (A. Zeller, "Yesterday, my program worked. Today, it does not. Why?", 1999). */
static int drop_operations(struct shrink *shrink, struct reason *why)
{
	uint64_t operations = param_number(shrink->step, "operations");
	size_t parts = 2;
	int got = 0;

	if (!operations || operations > OPERATIONS_MOST)
		return 0;
	if (!json_object_get(shrink->step, "only")) {
		json_t *all = json_array();

		for (uint64_t i = 0; i < operations; i++)
			json_array_append_new(all, json_sprintf("%" PRIu64, i));
		json_object_set_new(shrink->step, "only", all);
	}
	for (;;) {
		size_t size = json_array_size(json_object_get(shrink->step, "only"));

		if (size < 2 || !has_time(shrink))
			return 0;
		got = take_smaller(shrink, parts_of(shrink, parts), "fewer operations", why);
		if (got < 0)
			return got;
		if (!got && parts >= size)
			return 0;
		parts = got ? 2 : parts * 2 < size ? parts * 2 : size;
	}
}

static int write_result(struct shrink *shrink, const char *trial, struct reason *why)
{
	__cleanup_free char *text =
		format_text("The smallest schedule of trial %s (%s) that still ends with '%s'.\n\n"
			    "kernel: %s\nbench:  %s\nseed:   %s\n\n"
			    "    brinell run --bench %s %s/scenario.yaml\n",
			    trial, json_text(shrink->trial, "scenario", ""), shrink->code,
			    shrink->kernel ? shrink->kernel : "unknown",
			    json_text(shrink->trial, "bench", ""),
			    json_text(shrink->step, "seed", ""),
			    json_text(shrink->trial, "bench", ""), shrink->place);
	int error = write_candidate(shrink, shrink->spec, "scenario.yaml", why);

	if (!error)
		error = write_file_atomically(shrink->place, "README", text, strlen(text));
	if (!error)
		printf("%s", text);
	return error;
}

static int shrink_trial(struct shrink *shrink, const char *trial, struct reason *why)
{
	int error = open_trial(shrink, trial, why);

	if (error)
		return error;
	if (mkdir(shrink->place, 0777) < 0)
		return fail(why, -errno, "cannot make %s: %s", shrink->place, strerror(errno));
	error = cut_after_failure(shrink, why);
	if (error >= 0)
		error = drop_operations(shrink, why);
	if (error >= 0)
		error = simplify(shrink, why);
	return error < 0 ? error : write_result(shrink, trial, why);
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {{"budget", required_argument, NULL, 'b'},
						{"tries", required_argument, NULL, 't'},
						{0}};
	struct shrink shrink = {.failed_at = -1, .tries = 1};
	struct reason why = {""};
	int64_t budget;
	int option, error;

	(void)parse_duration(BUDGET, &budget);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (option == 't'
			    ? parse_number(optarg, &shrink.tries) || !shrink.tries ||
				      shrink.tries > TRIES_MOST
			    : option != 'b' || parse_duration(optarg, &budget) || budget <= 0) {
			log_error("shrink: see brinell shrink --help");
			return EXIT_USAGE;
		}
	if (argc - optind != 2) {
		log_error("shrink: which run, and which trial? See brinell shrink --help");
		return EXIT_USAGE;
	}
	if (!directory_is_run("shrink", argv[optind]))
		return EXIT_USAGE;
	shrink.directory = argv[optind];
	shrink.place = format_text("%s/shrunk-%s", shrink.directory, argv[optind + 1]);
	shrink.until_ns = now_monotonic_ns() + budget;
	error = shrink_trial(&shrink, argv[optind + 1], &why);
	if (error)
		log_error("shrink: %s", why.text);
	json_decref(shrink.records);
	json_decref(shrink.spec);
	free(shrink.code);
	free(shrink.place);
	return error ? error == -EINVAL || error == -ENOENT ? EXIT_USAGE : EXIT_INFRA : EXIT_PASSED;
}

static const struct command command_shrink = {
	.name = "shrink",
	.summary = "find the smallest storm that still fails",
	.usage = usage,
	.run = run,
};

REGISTER(command, command_shrink);
