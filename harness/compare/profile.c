// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a confirmed regression spends its time on: one more run of each side in which perf samples the host, and both profiles as
 * one flame graph.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "harness/compare/profile.h"
#include "harness/compare/rounds.h"
#include "harness/compare/self.h"
#include "harness/evidence/record.h"
#include "harness/journal/journal.h"
#include "harness/judge/judge.h"
#include "harness/store/run_directory.h"

#define WORKLOAD "profile"
/* A night that sees everything regress does not need a picture of everything. */
#define SCENARIOS_MOST 4
#define CHANGES_SHOWN 5

/* What is looked for in the trials of a run: the scenario as it was run, or the stacks that were sampled. */
struct search {
	const char *scenario;
	json_t *spec, *stacks;
};

static int look(void *context, const struct judged *judged)
{
	struct search *search = context;
	struct record record;
	const json_t *stacks;
	json_t *each;
	size_t index;

	json_array_foreach (judged->records, index, each) {
		record_read(&record, each);
		if (record.type == RECORD_TRIAL && !search->spec &&
		    strcmp(record.start.scenario, search->scenario) == 0)
			search->spec = json_deep_copy(record.start.spec);
		if (!event_is_from(&record, SOURCE_WORKLOAD))
			continue;
		stacks = json_object_get(record.event.data, "stacks");
		if (!search->stacks && json_object_size(stacks))
			search->stacks = json_deep_copy(stacks);
	}
	return 0;
}

static int search_run(const char *directory, struct search *search, struct reason *why)
{
	__cleanup_index struct journal_index *index = NULL;
	__cleanup_json json_t *summary = NULL;
	int error = run_directory_open(directory, &index, why);

	return error
		       ?: judge_run(index, &(struct judge_options){.again = true}, look, search,
				    &summary);
}

/* The scenario of the first run of a side, with a workload that samples from its first step to its last. */
static int write_scenario(const char *directory, char side, const char *scenario, const char *path,
			  struct reason *why)
{
	__cleanup_free char *run = format_text("%s/round-1/01-%c", directory, side);
	struct search search = {.scenario = scenario};
	__cleanup_json json_t *spec = NULL;
	json_t *steps;
	int error = search_run(run, &search, why);

	json_decref(search.stacks);
	spec = search.spec;
	if (error || !spec)
		return error ?: fail(why, -ENOENT, "%s has no trial of %s", run, scenario);
	steps = json_object_get(spec, "steps");
	json_array_insert_new(steps, 0, json_pack("{s:s}", "start", WORKLOAD));
	json_array_append_new(steps, json_pack("{s:s}", "touch", WORKLOAD));
	json_object_set_new(json_object_get(spec, "workloads"), WORKLOAD,
			    json_pack("{s:s}", "kind", "perf-record"));
	return json_dump_file(spec, path, JSON_INDENT(1)) ? fail(why, -EIO, "cannot write %s", path)
							  : 0;
}

static int sample(const char *directory, const char *name, const json_t *plan, char side,
		  const char *scenario, json_t **stacks, struct reason *why)
{
	__cleanup_free char *run = format_text("%s/profile/%s-%c", directory, name, side);
	__cleanup_free char *file = format_text("%s.yaml", run);
	__cleanup_free char *log = format_text("%s.log", run);
	__cleanup_free char *path = NULL;
	__cleanup_free char *journal = format_text("%s/%s", run, JOURNAL_FILE);
	__cleanup_json json_t *argv = NULL;
	__cleanup_close int out = -1;
	struct search search = {.scenario = scenario};
	int code, error = write_scenario(directory, side, scenario, file, why);

	if (error)
		return error;
	out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (out < 0)
		return fail_errno(why, -errno, "%s", log);
	/* A comparison that was cut off has it already, or a part of it. */
	if (access(journal, F_OK) == 0) {
		argv = json_pack("[s, s, s]", "brinell", "resume", run);
	} else {
		argv = json_pack("[s, s, s, s]", "brinell", "run", "--out", run);
		side_arguments(json_object_get(plan, side == 'a' ? "a" : "b"), argv, &path);
		json_array_append_new(argv, json_string(file));
	}
	code = self_run(argv, path, out, out, why);
	error = code < 0 ? code : search_run(run, &search, why);
	json_decref(search.spec);
	*stacks = search.stacks;
	if (error || *stacks)
		return error;
	return fail(why, -ENODATA, "no samples came, see %s: the host needs the program perf", log);
}

static int profile(const char *directory, const json_t *plan, const char *scenario, json_t *list,
		   struct reason *why)
{
	__cleanup_free char *name = xstrdup(scenario);
	__cleanup_free char *picture = NULL;
	__cleanup_json json_t *a = NULL;
	__cleanup_json json_t *b = NULL;
	__cleanup_file FILE *out = NULL;
	int error;

	for (char *slash = name; (slash = strchr(slash, '/'));)
		*slash = '-';
	picture = format_text("%s/profile/%s.svg", directory, name);
	error = sample(directory, name, plan, 'a', scenario, &a, why)
			?: sample(directory, name, plan, 'b', scenario, &b, why);
	if (error)
		return error;
	out = fopen(picture, "we");
	if (!out)
		return fail_errno(why, -errno, "%s", picture);
	flame_write(out, scenario, a, b);
	json_array_append_new(list,
			      json_pack("{s:s, s:s, s:o}", "scenario", scenario, "picture", picture,
					"changes", flame_changes(a, b, CHANGES_SHOWN)));
	return 0;
}

static const char *regressed(const json_t *row)
{
	return json_is(row, "verdict", "regressed") ? json_text(row, "scenario", NULL) : NULL;
}

/**
 * profile_regressions - sample both sides of each scenario with a metric that regressed
 * @directory:  of the comparison
 * @plan:       of it
 * @comparison: its confirmed result; gets "profiles": [{"scenario", "picture", "changes": of flame_changes()}]
 *
 * A host without perf is no failure of the comparison: a warning says why there is no picture.
 */
void profile_regressions(const char *directory, const json_t *plan, json_t *comparison)
{
	__cleanup_free char *own = format_text("%s/profile", directory);
	__cleanup_json json_t *done = json_object();
	json_t *list = json_array(), *row;
	struct reason why = {""};
	size_t index;

	json_object_set_new(comparison, "profiles", list);
	json_array_foreach (json_object_get(comparison, "metrics"), index, row) {
		const char *scenario = regressed(row);

		if (!scenario || json_object_get(done, scenario) ||
		    json_object_size(done) == SCENARIOS_MOST)
			continue;
		json_object_set_new(done, scenario, json_true());
		log_info("%s: one run of each side with perf shows where the time goes", scenario);
		if (make_directories(own) || profile(directory, plan, scenario, list, &why))
			log_warning("no profile of %s: %s", scenario, why.text);
	}
}
