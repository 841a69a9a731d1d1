// SPDX-License-Identifier: GPL-2.0-only
/*
 * Profiles of a confirmed regression: one more run of each side samples the host and the guests with workloads. Each of them
 * gives a differential flame graph.
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
#include "harness/lib/param.h"
#include "harness/store/run_directory.h"

/* Workload of the host; that of a guest is WORKLOAD-GUEST. */
#define WORKLOAD "profile"
/* Bounds the time if everything regressed. */
#define SCENARIOS_MOST 4
#define CHANGES_SHOWN 5
/* What is looked for may take only some milliseconds of a trial. */
#define FREQUENCY 499
#define LONGER_NS (120 * NSEC_PER_SEC)

/* Search of the trials of a run: for the scenario as it was run, or for the samples, {WORKLOAD: stacks}. */
struct search {
	const char *scenario;
	json_t *spec, *stacks;
};

/* Stacks come in several events. */
static void add_stacks(json_t *all, const char *workload, const json_t *stacks)
{
	const char *stack;
	json_t *samples, *sums;

	if (!json_object_size(stacks))
		return;
	if (!json_object_get(all, workload))
		json_object_set_new(all, workload, json_object());
	sums = json_object_get(all, workload);
	json_object_foreach ((json_t *)stacks, stack, samples)
		json_add(sums, stack, json_integer_value(samples));
}

static int look(void *context, const struct judged *judged)
{
	struct search *search = context;
	struct record record;
	json_t *each;
	size_t index;

	json_array_foreach (judged->records, index, each) {
		record_read(&record, each);
		if (record.type == RECORD_TRIAL && !search->spec &&
		    strcmp(record.start.scenario, search->scenario) == 0)
			search->spec = json_deep_copy(record.start.spec);
		if (!event_is_from(&record, SOURCE_WORKLOAD))
			continue;
		add_stacks(search->stacks, json_text(record.event.data, "workload", WORKLOAD),
			   json_object_get(record.event.data, "stacks"));
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

static char *workload_name(const char *guest)
{
	return guest ? format_text(WORKLOAD "-%s", guest) : xstrdup(WORKLOAD);
}

/* Add sampling of the host, or of a guest, from the first step to the last. */
static void add_workload(json_t *spec, const char *guest)
{
	__cleanup_free char *name = workload_name(guest);
	json_t *steps = json_object_get(spec, "steps");

	json_array_insert_new(steps, 0, json_pack("{s:s}", "start", name));
	json_array_append_new(steps, json_pack("{s:s}", "touch", name));
	json_object_set_new(json_object_get(spec, "workloads"), name,
			    json_pack("{s:s, s:i, s:s*}", "kind", "perf-record", "frequency",
				      FREQUENCY, "in", guest));
}

/* Reading symbols of an emulated kernel takes seconds, in its guests more. */
static void extend_deadline(json_t *spec)
{
	int64_t deadline;

	if (parse_duration(json_text(spec, "deadline", ""), &deadline) == 0)
		json_object_set_new(spec, "deadline",
				    json_sprintf("%lldns", (long long)(deadline + LONGER_NS)));
}

/* Add the guests with workloads, each once. */
static void add_guests(json_t *guests, const json_t *spec)
{
	json_t *workload;
	const char *name;

	json_object_foreach (json_object_get(spec, "workloads"), name, workload) {
		json_t *guest = json_object_get(workload, "in");

		if (guest && !json_has_text(guests, json_string_value(guest)))
			json_array_append(guests, guest);
	}
}

/* Write the scenario of the first run of a side with sampling workloads. @guests: receives the sampled guests. */
static int write_scenario(const char *directory, char side, const char *scenario, const char *path,
			  json_t *guests, struct reason *why)
{
	__cleanup_free char *run = format_text("%s/round-1/01-%c", directory, side);
	struct search search = {.scenario = scenario};
	__cleanup_json json_t *spec = NULL;
	__cleanup_json json_t *own = json_array();
	json_t *guest;
	size_t index;
	int error = search_run(run, &search, why);

	spec = search.spec;
	if (error || !spec)
		return error ?: fail(why, -ENOENT, "%s has no trial of %s", run, scenario);
	add_guests(own, spec);
	add_guests(guests, spec);
	extend_deadline(spec);
	add_workload(spec, NULL);
	json_array_foreach (own, index, guest)
		add_workload(spec, json_string_value(guest));
	return json_dump_file(spec, path, JSON_INDENT(1)) ? fail(why, -EIO, "cannot write %s", path)
							  : 0;
}

/* @stacks: receives {WORKLOAD: stacks}; @guests: as of write_scenario(). */
static int sample(const char *directory, const char *name, const json_t *plan, char side,
		  const char *scenario, json_t *stacks, json_t *guests, struct reason *why)
{
	__cleanup_free char *run = format_text("%s/profile/%s-%c", directory, name, side);
	__cleanup_free char *file = format_text("%s.yaml", run);
	__cleanup_free char *log = format_text("%s.log", run);
	__cleanup_free char *path = NULL;
	__cleanup_free char *journal = format_text("%s/%s", run, JOURNAL_FILE);
	__cleanup_json json_t *argv = NULL;
	__cleanup_close int out = -1;
	struct search search = {.scenario = scenario, .stacks = stacks};
	int code, error = write_scenario(directory, side, scenario, file, guests, why);

	if (error)
		return error;
	out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (out < 0)
		return fail_errno(why, -errno, "%s", log);
	/* An interrupted comparison may have started it. */
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
	if (error || json_object_size(stacks))
		return error;
	return fail(why, -ENODATA, "there are no samples, see %s", log);
}

/* Draw the flame graph of the host, or of a guest, which may be on one side only. */
static void draw(const char *directory, const char *name, const char *scenario, const char *guest,
		 const json_t *a, const json_t *b, json_t *list)
{
	__cleanup_free char *workload = workload_name(guest);
	__cleanup_free char *picture = format_text("%s/profile/%s%s%s.svg", directory, name,
						   guest ? "-" : "", guest ?: "");
	__cleanup_free char *title = format_text("%s, %s", scenario, guest ?: "host");
	__cleanup_file FILE *out = NULL;

	a = json_object_get(a, workload);
	b = json_object_get(b, workload);
	if (!a || !b) {
		log_warning("no profile of %s: side %c has no samples of %s", scenario,
			    a ? 'B' : 'A', guest ?: "the host");
		return;
	}
	out = fopen(picture, "we");
	if (!out) {
		log_warning("%s: %s", picture, strerror(errno));
		return;
	}
	flame_write(out, title, a, b);
	json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}", "scenario", scenario, "where",
					      guest ?: "host", "picture", picture, "changes",
					      flame_changes(a, b, CHANGES_SHOWN)));
}

static int profile(const char *directory, const json_t *plan, const char *scenario, json_t *list,
		   struct reason *why)
{
	__cleanup_free char *own = format_text("%s/profile", directory);
	__cleanup_free char *name = xstrdup(scenario);
	__cleanup_json json_t *guests = json_array();
	__cleanup_json json_t *a = json_object(), *b = json_object();
	json_t *guest;
	size_t index;
	int error;

	for (char *slash = name; (slash = strchr(slash, '/'));)
		*slash = '-';
	error = make_directories(own);
	if (error)
		return fail_errno(why, error, "%s", own);
	error = sample(directory, name, plan, 'a', scenario, a, guests, why)
			?: sample(directory, name, plan, 'b', scenario, b, guests, why);
	if (error)
		return error;
	draw(directory, name, scenario, NULL, a, b, list);
	json_array_foreach (guests, index, guest)
		draw(directory, name, scenario, json_string_value(guest), a, b, list);
	return 0;
}

static const char *regressed(const json_t *row)
{
	return json_is(row, "verdict", "regressed") ? json_text(row, "scenario", NULL) : NULL;
}

/**
 * profile_regressions - sample both sides of each scenario with a metric that regressed
 * @directory:  of the comparison
 * @plan:       of the comparison
 * @comparison: its confirmed result; receives "profiles": [{"scenario", "where": "host" or a guest, "picture", "changes": of
 *              flame_changes()}]
 *
 * A machine that can not be sampled does not fail the comparison: a warning has the reason.
 */
void profile_regressions(const char *directory, const json_t *plan, json_t *comparison)
{
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
		log_info("%s: sampling one run of each side", scenario);
		if (profile(directory, plan, scenario, list, &why))
			log_warning("no profile of %s: %s", scenario, why.text);
	}
}
