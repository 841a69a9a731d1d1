// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steps that are done to a guest: migrations and what may happen to them, and the balloon.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "harness/rig/profile.h"
#include "harness/scenario/condition.h"
#include "harness/scenario/steps.h"

#define WHEN_WITHIN_NS (60 * NSEC_PER_SEC)
#define BALLOON_WITHIN_NS (30 * NSEC_PER_SEC)
#define CHANNELS_MAX 255
#define DOWNTIME_MAX_NS (2000 * NSEC_PER_SEC)

static const char *const modes[] = {"pre-copy", "post-copy", "checkpoint", NULL};

static const char *const holds[] = {"none", "sent", "last", "arrived", "bytes", "checkpoint", NULL};

static const struct param migrate_table[] = {
	{"mode", PARAM_CHOICE,
	 "post-copy: may be switched by a step; checkpoint: the target gets the guest again and "
	 "again, and goes on when the source is given up",
	 "pre-copy", modes, false},
	{"multifd", PARAM_NUMBER, "channels; 0: one stream", "0", NULL, false},
	{"auto-converge", PARAM_BOOL, "slow the guest down when it writes too fast", "false", NULL,
	 false},
	{"bandwidth", PARAM_SIZE, "bytes a second; 0: no limit", "0", NULL, false},
	{"post-copy-bandwidth", PARAM_SIZE, "the same, after the switch to post-copy", "0", NULL,
	 false},
	{"downtime", PARAM_DURATION, "for how long the guest may stand still", "300ms", NULL,
	 false},
	{"uri", PARAM_STRING, "hypervisor of the target, when it is not the bench's other host",
	 NULL, NULL, false},
	{"address", PARAM_STRING, "to which QEMU sends, when it is not the bench's other host",
	 NULL, NULL, false},
	{"hold", PARAM_CHOICE,
	 "where it stands still until a release: when the iteration has carried the page, before "
	 "the "
	 "last iteration, when the guest is at the target and does not run yet, after so many "
	 "bytes, or after the first checkpoint",
	 NULL, holds, false},
	{"page", PARAM_STRING, "workload whose page is inspected", NULL, NULL, false},
	{"iteration", PARAM_NUMBER, "that carries the page, for hold: sent; from 1", NULL, NULL,
	 false},
	{"bytes", PARAM_SIZE, "of the stream, for hold: bytes", NULL, NULL, false},
	{"video", PARAM_BOOL, "the page is tracked as video memory is, while the migration runs",
	 NULL, NULL, false},
	{"reserve", PARAM_BOOL, "no: the target sets no huge pages aside for the guest", NULL, NULL,
	 false},
	{0},
};

static const struct param limit_table[] = {
	{"bandwidth", PARAM_SIZE, "bytes a second; 0: no limit", NULL, NULL, false},
	{"downtime", PARAM_DURATION, "for how long the guest may stand still", NULL, NULL, false},
	{0},
};

static const struct param balloon_table[] = {
	{"memory", PARAM_SIZE, "that the guest keeps", NULL, NULL, true},
	{0},
};

static const char *const guest_key[] = {"guest", NULL};

/**
 * take_guest - the guest that a step works on
 * @document: borrowed
 * @node:     value that names it, or 0: the only one
 * @place:    of the message when it is not named
 * @step:     name of the step
 * @walk:     the guest is marked as used
 * @entry:    receives its name
 * @index:    receives its number
 *
 * Return: 0 or -errno with the place and the message.
 */
int take_guest(const struct document *document, int node, int place, const char *step,
	       struct walk *walk, struct scenario_step *entry, size_t *index)
{
	const struct scenario *scenario = walk->scenario;
	int error;

	*index = 0;
	if (!node && !scenario->guest_count)
		return document_fail(
			document, place, -EINVAL,
			"'%s' without a guest; declare one: guests: {g1: {kind: micro}}", step);
	if (!node && scenario->guest_count > 1) {
		__cleanup_json json_t *names = json_array();
		__cleanup_free char *all = NULL;

		for (size_t i = 0; i < scenario->guest_count; i++)
			json_array_append_new(names, json_string(scenario->guests[i].name));
		all = join_names(names);
		return document_fail(document, place, -EINVAL,
				     "'%s' needs a guest; add guest: NAME, one of: %s", step, all);
	}
	error = node ? find_guest(document, node, "guest", scenario, index) : 0;
	if (error)
		return error;
	walk->guests[*index].used = true;
	entry->guest = xstrdup(scenario->guests[*index].name);
	return 0;
}

/* `cancel: g1`, `cancel: {guest: g1}`, or with one guest `cancel: {}`. */
static int take_short_guest(const struct document *document, int node, const char *step,
			    struct walk *walk, struct scenario_step *entry, size_t *index)
{
	if (!document_is_mapping(document, node))
		return take_guest(document, node, node, step, walk, entry, index);
	return document_check_keys(document, node, step, guest_key, NULL)
		       ?: take_guest(document, document_find(document, node, "guest"), node, step,
				     walk, entry, index);
}

/* A time that a step may take: the usual one if it fits into the trial, or the one that is named and must fit. */
int take_within(const struct document *document, int node, int place, int64_t usual_ns,
		const struct walk *walk, struct scenario_step *entry)
{
	int64_t deadline_ns = walk->scenario->deadline_ns;
	int error = 0;

	entry->within_ns = usual_ns;
	if (node)
		error = check_duration(document, node, "within", &entry->within_ns);
	if (error || entry->within_ns <= deadline_ns)
		return error;
	return document_fail(document, node ?: place, -EINVAL,
			     "the wait may last longer than the trial's deadline of %" PRId64
			     " ms; make one of them fit",
			     (int64_t)(deadline_ns / NSEC_PER_MSEC));
}

static int check_downtime(const struct document *document, int node, const json_t *arguments)
{
	int64_t downtime_ns = param_duration_ns(arguments, "downtime");

	if (!node || (downtime_ns >= NSEC_PER_MSEC && downtime_ns <= DOWNTIME_MAX_NS))
		return 0;
	return document_fail(document, node, -ERANGE,
			     "'downtime' is '%s'; it must be at least 1ms and at most 2000s",
			     document_scalar(document, node));
}

static int check_two_hosts(const struct document *document, int node, const struct walk *walk)
{
	const char *bench = walk->scenario->bench;
	const struct rig_profile *profile = bench ? rig_profile_find(bench) : NULL;

	if (!profile || profile->hosts > 1 || profile->local_migration)
		return 0;
	return document_fail(document, node, -EINVAL,
			     "a migration needs a second host, and '%s' has one; write bench: "
			     "kvm-pair",
			     bench);
}

/* The inspected page is that of a started workload in the guest, because its address must be known. */
static int check_hold(const struct document *document, int node, const struct walk *walk,
		      const struct scenario_step *step)
{
	const char *hold = param_text(step->arguments, "hold") ?: "none";
	const char *mode = param_text(step->arguments, "mode");
	int page = document_find(document, node, "page");
	size_t index;
	int error;

	if (strcmp(hold, "checkpoint") == 0 && strcmp(mode, "checkpoint") != 0)
		return document_fail(document, node, -EINVAL,
				     "'hold: checkpoint' waits for what never comes; add mode: "
				     "checkpoint");
	if ((strcmp(hold, "bytes") == 0) != param_given(step->arguments, "bytes"))
		return document_fail(
			document, node, -EINVAL,
			"'hold: bytes' and 'bytes' need each other; write hold: bytes, "
			"bytes: 10M");
	if (!page && param_given(step->arguments, "video") && param_bool(step->arguments, "video"))
		return document_fail(document, node, -EINVAL,
				     "'video' needs a page; add page: WORKLOAD");
	if (!page)
		return strcmp(hold, "sent") == 0
			       ? document_fail(document, node, -EINVAL,
					       "'hold: sent' needs a page; add page: "
					       "WORKLOAD")
			       : 0;
	error = scenario_find_workload(document, page, param_text(step->arguments, "page"),
				       walk->scenario, &index);
	if (error)
		return error;
	if (walk->states[index] == WORKLOAD_STARTED && walk->scenario->workloads[index].guest &&
	    strcmp(walk->scenario->workloads[index].guest, step->guest) == 0)
		return 0;
	return document_fail(document, page, -EINVAL,
			     "'page' must name a workload that was started in guest '%s'",
			     step->guest);
}

int parse_migrate(const struct document *document, int node, struct walk *walk,
		  struct scenario_step *step)
{
	bool whole = document_is_mapping(document, node);
	int multifd = document_find(document, node, "multifd");
	struct guest_walk *guest;
	size_t index;
	int error = check_two_hosts(document, node, walk);

	if (!error)
		error = take_guest(document, whole ? document_find(document, node, "guest") : node,
				   node, "migrate", walk, step, &index);
	if (error)
		return error;
	if (whole) {
		error = check_arguments(document, node, "migrate", guest_key, migrate_table,
					&step->arguments);
	} else {
		step->arguments = json_object();
		error = param_finish(migrate_table, step->arguments, document->why);
	}
	if (!error && multifd && param_number(step->arguments, "multifd") > CHANNELS_MAX)
		error = document_fail(document, multifd, -ERANGE,
				      "'multifd' must be a number of channels up to %d",
				      CHANNELS_MAX);
	if (!error)
		error = check_downtime(document, document_find(document, node, "downtime"),
				       step->arguments);
	if (!error)
		error = check_hold(document, node, walk, step);
	if (error)
		return error;
	guest = &walk->guests[index];
	if (guest->migrating)
		return document_fail(document, node, -EINVAL,
				     "the migration of '%s' before this one may still run; put - "
				     "when: migration.ended between them",
				     step->guest);
	guest->migrated = guest->migrating = walk->migrated = true;
	guest->post_copy = strcmp(param_text(step->arguments, "mode"), "post-copy") == 0;
	guest->held = param_given(step->arguments, "hold") &&
		      strcmp(param_text(step->arguments, "hold"), "none") != 0;
	return 0;
}

static int check_migrated(const struct document *document, int node, const char *name,
			  const struct scenario_step *step, const struct guest_walk *guest)
{
	if (guest->migrated)
		return 0;
	return document_fail(document, node, -EINVAL,
			     "'%s' of '%s', which no step before this one migrates; put - migrate: "
			     "{guest: %s} above",
			     name, step->guest, step->guest);
}

/* limit, post-copy and cancel do something to a migration that runs. */
static int check_migrating(const struct document *document, int node, const char *name,
			   const struct scenario_step *step, const struct guest_walk *guest)
{
	int error = check_migrated(document, node, name, step, guest);

	if (error || guest->migrating)
		return error;
	return document_fail(document, node, -EINVAL,
			     "'%s' of '%s', whose migration has ended at this step; move it above "
			     "the step that ends it",
			     name, step->guest);
}

/* What can be seen of the condition before anything runs. */
static int check_condition(const struct document *document, int node, const char *text,
			   struct guest_walk *guest)
{
	static const char *const ends[] = {"completed", "cancelled", "failed", "refused"};
	struct condition condition;
	struct reason why = {""};
	int error = condition_parse(text, &condition, &why);

	if (error)
		return document_fail(document, node, error, "%s", why.text);
	if (!guest->post_copy && condition_wants_stage(&condition, "post-copy"))
		return document_fail(document, node, -EINVAL,
				     "the migration before this step never comes to post-copy; add "
				     "mode: post-copy to it");
	if (condition.field == CONDITION_HELD && !guest->held)
		return document_fail(
			document, node, -EINVAL,
			"the migration before this step never stands still; add hold: to "
			"it");
	if (condition.field == CONDITION_ENDED)
		guest->migrating = false;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (condition_wants_stage(&condition, ends[i]))
			guest->migrating = false;
	return 0;
}

int parse_when(const struct document *document, int node, struct walk *walk,
	       struct scenario_step *step)
{
	static const char *const keys[] = {"condition", "guest", "within", NULL};
	int condition = node, guest = 0, within = 0, error = 0;
	int64_t usual_ns = WHEN_WITHIN_NS;
	const char *text;
	size_t index;

	if (document_is_mapping(document, node)) {
		error = document_check_keys(document, node, "when", keys, NULL);
		condition = document_find(document, node, "condition");
		guest = document_find(document, node, "guest");
		within = document_find(document, node, "within");
	}
	if (error)
		return error;
	if (!condition)
		return document_fail(document, node, -EINVAL,
				     "'when' has no 'condition'; write when: {condition: "
				     "\"migration.iteration >= 2\", within: 60s}");
	if (walk->scenario->deadline_ns < usual_ns)
		usual_ns = walk->scenario->deadline_ns;
	error = take_guest(document, guest, node, "when", walk, step, &index)
		?: document_text(document, condition, "condition", &text)
		?: check_migrated(document, node, "when", step, &walk->guests[index])
		?: check_condition(document, condition, text, &walk->guests[index])
		?: take_within(document, within, node, usual_ns, walk, step);
	if (error)
		return error;
	step->arguments = json_pack("{s:s}", "condition", text);
	return 0;
}

int parse_limit(const struct document *document, int node, struct walk *walk,
		struct scenario_step *step)
{
	size_t index;
	int error =
		check_arguments(document, node, "limit", guest_key, limit_table, &step->arguments);

	if (!error)
		error = take_guest(document, document_find(document, node, "guest"), node, "limit",
				   walk, step, &index);
	if (!error)
		error = check_downtime(document, document_find(document, node, "downtime"),
				       step->arguments);
	if (error)
		return error;
	if (json_object_size(step->arguments) == 0)
		return document_fail(document, node, -EINVAL,
				     "'limit' limits nothing; give it a bandwidth or a downtime");
	return check_migrating(document, node, "limit", step, &walk->guests[index]);
}

int parse_post_copy(const struct document *document, int node, struct walk *walk,
		    struct scenario_step *step)
{
	size_t index;
	int error =
		take_short_guest(document, node, "post-copy", walk, step, &index)
			?: check_migrating(document, node, "post-copy", step, &walk->guests[index]);

	if (!error && !walk->guests[index].post_copy)
		error = document_fail(document, node, -EINVAL,
				      "the migration of '%s' can not be switched; add mode: "
				      "post-copy to it",
				      step->guest);
	return error;
}

int parse_cancel(const struct document *document, int node, struct walk *walk,
		 struct scenario_step *step)
{
	size_t index;
	int error =
		take_short_guest(document, node, "cancel", walk, step, &index)
			?: check_migrating(document, node, "cancel", step, &walk->guests[index]);

	if (!error)
		walk->guests[index].migrating = false;
	return error;
}

int parse_release(const struct document *document, int node, struct walk *walk,
		  struct scenario_step *step)
{
	size_t index;
	int error = take_short_guest(document, node, "release", walk, step, &index);

	if (!error)
		error = check_migrating(document, node, "release", step, &walk->guests[index]);
	if (!error && !walk->guests[index].held)
		error = document_fail(document, node, -EINVAL,
				      "the migration of '%s' never stands still; add hold: to it",
				      step->guest);
	if (!error)
		walk->guests[index].held = false;
	return error;
}

/* It hits the stream where that stands still, and ends the hold. */
static int parse_hit(const struct document *document, int node, const char *name, struct walk *walk,
		     struct scenario_step *step)
{
	size_t index;
	int error = take_short_guest(document, node, name, walk, step, &index)
			    ?: check_migrating(document, node, name, step, &walk->guests[index]);

	if (!error && !walk->guests[index].held)
		error = document_fail(
			document, node, -EINVAL,
			"the migration of '%s' never stands still, so that '%s' would "
			"hit it anywhere; add hold: to it",
			step->guest, name);
	walk->guests[index].held = false;
	return error;
}

int parse_cut(const struct document *document, int node, struct walk *walk,
	      struct scenario_step *step)
{
	return parse_hit(document, node, "cut", walk, step);
}

int parse_flip(const struct document *document, int node, struct walk *walk,
	       struct scenario_step *step)
{
	return parse_hit(document, node, "flip", walk, step);
}

int parse_balloon(const struct document *document, int node, struct walk *walk,
		  struct scenario_step *step)
{
	static const char *const own_keys[] = {"guest", "within", NULL};
	int64_t usual_ns = BALLOON_WITHIN_NS;
	int memory = document_find(document, node, "memory");
	const json_t *arguments;
	size_t index;
	int error = check_arguments(document, node, "balloon", own_keys, balloon_table,
				    &step->arguments)
		?: take_guest(document, document_find(document, node, "guest"), node, "balloon",
			      walk, step, &index)
		?: check_memory(document, memory, param_number(step->arguments, "memory"));

	if (error)
		return error;
	arguments = walk->scenario->guests[index].arguments;
	if (param_given(arguments, "memory") &&
	    param_number(step->arguments, "memory") > param_number(arguments, "memory"))
		return document_fail(document, memory, -ERANGE,
				     "'memory' is more than guest '%s' has; a balloon only takes",
				     step->guest);
	if (walk->scenario->deadline_ns < usual_ns)
		usual_ns = walk->scenario->deadline_ns;
	return take_within(document, document_find(document, node, "within"), node, usual_ns, walk,
			   step);
}
