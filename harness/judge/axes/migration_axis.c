// SPDX-License-Identifier: GPL-2.0-only
/*
 * The migration axis, by three witnesses: the source, the hypervisor of the target, and the guest's hello at its new host.
 * The end at the source does not prove the arrival, and a domain that waits at the target is not yet the guest.
 */
#include <string.h>

#include "harness/judge/axes/axes.h"

/** case_open_migration - find the last migration step and its guest */
void case_open_migration(const struct trial_case *trial, struct observation *seen)
{
	struct migration_seen *migration = &seen->migration;
	const char *name = json_text(case_step(trial, "migrate"), "guest", NULL);

	*migration = (struct migration_seen){
		.hypervisor_downtime_ns = -1, .time_ns = -1, .iterations = -1};
	for_each_record (trial, record)
		if (record->type == RECORD_STEP && strcmp(record->step.kind, "migrate") == 0)
			migration->step = record;
	for (size_t i = 0; i < seen->guest_count; i++)
		if (!migration->guest || (name && strcmp(seen->guests[i].name, name) == 0))
			migration->guest = &seen->guests[i];
}

/* Milliseconds in the hypervisor's own statistics (VIR_DOMAIN_JOB_DOWNTIME and others). */
static void take_statistics(struct migration_seen *migration, const json_t *statistics)
{
	int64_t downtime = json_number(statistics, "downtime", -1);
	int64_t elapsed = json_number(statistics, "time_elapsed", -1);
	int64_t iteration = json_number(statistics, "memory_iteration", -1);

	if (migration->hypervisor_downtime_ns < 0 && downtime >= 0 && downtime < INT32_MAX)
		migration->hypervisor_downtime_ns = downtime * NSEC_PER_MSEC;
	if (migration->time_ns < 0 && elapsed >= 0 && elapsed < INT32_MAX)
		migration->time_ns = elapsed * NSEC_PER_MSEC;
	if (iteration > migration->iterations)
		migration->iterations = iteration;
}

/** case_read_migration - an event of the agent of the source, or the hypervisor's statistics of a job that completed */
void case_read_migration(const struct trial_case *trial, struct observation *seen,
			 const struct record *record)
{
	struct migration_seen *migration = &seen->migration;
	const struct migration_report *report = &record->event.migration;

	if (!record->guest || !migration->guest ||
	    strcmp(record->guest, migration->guest->name) != 0 ||
	    (migration->step && record < migration->step))
		return;
	if (record->event.source == SOURCE_HYPERVISOR) {
		if (event_is_named(record, "job-completed"))
			take_statistics(migration, record->event.domain.statistics);
		return;
	}
	migration->begun = true;
	migration->post_copy |= strcmp(report->stage, "post-copy") == 0;
	migration->source = record->host;
	if (report->iteration > migration->iterations)
		migration->iterations = report->iteration;
	if (!event_is_named(record, "end"))
		return;
	migration->end = record;
	migration->outcome = report->outcome;
	migration->local = report->local;
	migration->hypervisor_downtime_ns = report->downtime_ns;
	migration->time_ns = report->elapsed_ns;
	take_statistics(migration, report->statistics);
}

/**
 * struct course - a migration with its two ends
 * @source, @target: the guest there; @target NULL: no event of it came from there
 * @arrivals: number of witnesses that show its completion
 * @hypervisor_arrived, @guest_arrived: the hypervisor of the target, and the guest there
 * @arrived:  enough of them
 * @stays:    the guest runs at the source after the end
 */
struct course {
	const struct migration_seen *migration;
	const struct guest_side *source, *target;
	int arrivals;
	bool hypervisor_arrived, guest_arrived, arrived, stays;
};

static void find_sides(struct course *course, const struct guest_seen *guest)
{
	const char *source = course->migration->source;
	size_t from = 0;

	for (size_t i = 0; source && i < guest->side_count; i++)
		if (strcmp(guest->sides[i].host, source) == 0)
			from = i;
	course->source = guest->side_count ? &guest->sides[from] : NULL;
	course->target = guest->side_count == 2 ? &guest->sides[1 - from] : NULL;
}

static bool outcome_is(const struct migration_seen *migration, const char *word)
{
	return migration->outcome && strcmp(migration->outcome, word) == 0;
}

/* Source and target are one host: any sign of life of the guest shows that it is where the migration left it. */
static void follow_local(struct course *course, const struct guest_seen *guest)
{
	const struct migration_seen *migration = course->migration;
	const struct guest_side *side = course->source;
	int64_t begin_ns = migration->step ? migration->step->written_ns : 0;
	bool completed = outcome_is(migration, "completed");
	bool runs =
		side && side->state == GUEST_STATE_RUNNING && side->state_record >= migration->step;
	bool greeted = side && !side->other_boot && guest->boot_id && side->hello &&
		       side->hello->seen_ns > begin_ns;

	course->target = completed ? side : NULL;
	course->hypervisor_arrived = completed && runs;
	course->guest_arrived = completed && greeted;
	course->stays = !completed && side &&
			((runs && side->state_record > migration->end) ||
			 side->last_ns > (migration->end ? migration->end->seen_ns : 0));
	course->arrivals = completed + course->hypervisor_arrived + course->guest_arrived;
	course->arrived = course->arrivals >= 2;
}

static void follow(struct course *course, const struct guest_seen *guest)
{
	const struct migration_seen *migration = course->migration;
	const struct guest_side *source, *target;
	int64_t begin_ns = migration->step ? migration->step->written_ns : 0, end_ns = 0;

	find_sides(course, guest);
	if (migration->local) {
		follow_local(course, guest);
		return;
	}
	source = course->source;
	target = course->target;
	if (migration->end)
		end_ns = migration->end->seen_ns;
	course->hypervisor_arrived = target && target->state == GUEST_STATE_RUNNING &&
				     target->state_record >= migration->step;
	course->guest_arrived = target && !target->other_boot && guest->boot_id &&
				((target->hello && target->hello->seen_ns > begin_ns) ||
				 target->last_ns > begin_ns);
	course->stays =
		source && migration->end &&
		((source->state == GUEST_STATE_RUNNING && source->state_record > migration->end) ||
		 (source->last_ns > end_ns + JUDGE_MARGIN_NS && !source->down));
	course->arrivals = outcome_is(migration, "completed") + course->hypervisor_arrived +
			   course->guest_arrived;
	/* In post-copy the guest runs at the target long before its memory is there. */
	course->arrived = course->arrivals >= 2 &&
			  (!migration->post_copy || outcome_is(migration, "completed"));
}

static void cite_course(struct trial_case *trial, const struct course *course)
{
	const struct guest_side *target = course->target, *source = course->source;

	if (course->migration->end)
		case_cite(trial, course->migration->end, "migration");
	if (course->hypervisor_arrived)
		case_cite(trial, target->state_record, "migration");
	if (course->guest_arrived && (target->hello || target->last_record))
		case_cite(trial, target->hello ?: target->last_record, "migration");
	if (course->stays && source->state == GUEST_STATE_RUNNING)
		case_cite(trial, source->state_record, "migration");
	if (course->stays && source->last_record)
		case_cite(trial, source->last_record, "migration");
}

static bool struck_by_kill(const struct trial_case *trial, const struct guest_seen *guest)
{
	const struct record *intent = trial->intent;

	if (strcmp(case_kills(trial), "qemu") != 0 ||
	    strcmp(json_text(intent->intent.arguments, "guest", guest->name), guest->name) != 0)
		return false;
	/* The QEMU that waits at the target has no guest yet: its death is no harm. */
	for (size_t i = 0; i < guest->side_count; i++)
		if (strcmp(guest->sides[i].host, intent->host ?: "") == 0)
			return guest->sides[i].lived;
	return false;
}

/*
 * Whether the fault or the guest itself explains the end of the guest: then the migration did not lose it.
 */
static bool is_explained(const struct trial_case *trial, const struct guest_seen *guest,
			 const struct guest_outcome *outcome)
{
	bool host_struck = trial->intent && trial->host.axis == HOST_AXIS_DIED &&
			   trial->host_name && outcome->dead_host &&
			   strcmp(outcome->dead_host, trial->host_name) == 0;

	if (guest->panic || guest->reboot || guest->qemu_struck || host_struck ||
	    struck_by_kill(trial, guest))
		return true;
	for (size_t i = 0; i < guest->side_count; i++)
		if (guest->sides[i].lived && guest->sides[i].state == GUEST_STATE_ENDED &&
		    (guest->sides[i].end == END_PANIC || guest->sides[i].end == END_SHUT_DOWN))
			return true;
	return false;
}

static bool is_dead_everywhere(const struct course *course, const struct guest_seen *guest,
			       const struct guest_outcome *outcome)
{
	const struct migration_seen *migration = course->migration;

	if (outcome->axis == GUEST_HUNG && migration->post_copy && !course->stays &&
	    !outcome_is(migration, "completed"))
		return true;
	for (size_t i = 0; i < guest->side_count; i++)
		if (guest->sides[i].state == GUEST_STATE_RUNNING && outcome->axis != GUEST_KILLED)
			return false;
	return outcome->axis == GUEST_KILLED || outcome->axis == GUEST_HUNG;
}

/* A post-copy that broke: the target has a part of the memory, and the source, which had the rest, has ended. */
static bool is_torn(const struct course *course)
{
	const struct migration_seen *migration = course->migration;

	return migration->post_copy && migration->end && !outcome_is(migration, "completed") &&
	       !course->stays && course->source && course->source->state == GUEST_STATE_ENDED;
}

/* The codes of lost guests name the same causes as those of killed ones, in the same order; and one that hangs. */
static enum code lost_code(const struct guest_outcome *outcome)
{
	_Static_assert(CODE_GUEST_LOST_GONE - CODE_GUEST_LOST_HOST_CRASH ==
			       CODE_GUEST_KILLED_GONE - CODE_GUEST_KILLED_HOST_CRASH,
		       "each cause of a death has a code of a loss");
	return outcome->axis == GUEST_HUNG
		       ? CODE_GUEST_LOST_HUNG
		       : outcome->code - CODE_GUEST_KILLED_HOST_CRASH + CODE_GUEST_LOST_HOST_CRASH;
}

/* The guest runs on no host: killed by the fault meanwhile, or lost between the hosts. */
static void decide_dead(struct trial_case *trial, const struct guest_seen *guest,
			const struct guest_outcome *outcome)
{
	struct migration_outcome *migration = &trial->migration;

	if (is_explained(trial, guest, outcome)) {
		migration->axis = MIGRATION_AXIS_FAILED;
		give_reason(migration, CODE_MIGRATION_GUEST_KILLED,
			    "the guest was killed meanwhile: %s", outcome->reason.text);
	} else {
		migration->axis = MIGRATION_AXIS_LOST;
		give_reason(migration, lost_code(outcome), "the guest runs on no host: %s",
			    outcome->reason.text);
	}
}

static void decide_stay(struct trial_case *trial, const struct course *course)
{
	struct migration_outcome *migration = &trial->migration;
	const char *outcome = course->migration->outcome;

	if (!course->stays) {
		give_reason(migration, CODE_MIGRATION_SOURCE_SILENT,
			    "the migration ended as %s, and no evidence shows the guest running at "
			    "the source",
			    outcome);
		return;
	}
	for (enum migration_axis i = MIGRATION_AXIS_REFUSED; i <= MIGRATION_AXIS_FAILED; i++)
		if (strcmp(outcome, migration_axis_name(i)) == 0)
			migration->axis = i;
	/* The codes stand in the order of the axis. */
	if (migration->axis == MIGRATION_AXIS_UNKNOWN)
		give_reason(migration, CODE_MIGRATION_END_UNKNOWN,
			    "the migration ended as '%s', which is no outcome", outcome);
	else
		give_reason(migration,
			    CODE_MIGRATION_COMPLETED + (migration->axis - MIGRATION_AXIS_COMPLETED),
			    "%s", record_quote(course->migration->end));
}

/* Both hosts can not be right. Return: whether they contradict each other. */
static bool contradicts(struct trial_case *trial, const struct course *course)
{
	const struct migration_seen *migration = course->migration;
	struct migration_outcome *result = &trial->migration;

	if (course->stays && (course->hypervisor_arrived || outcome_is(migration, "completed")))
		give_reason(result, CODE_MIGRATION_CONTRADICTED,
			    "conflicting evidence: the guest runs at the source, and %s: %s",
			    course->hypervisor_arrived
				    ? "the hypervisor reports it as running at the target"
				    : "the migration ended",
			    record_quote(course->hypervisor_arrived ? course->target->state_record
								    : migration->end));
	else if (migration->end && !outcome_is(migration, "completed") &&
		 (course->hypervisor_arrived || course->guest_arrived))
		give_reason(result, CODE_MIGRATION_CONTRADICTED,
			    "conflicting evidence: the source reports that the migration ended as "
			    "%s, and %s",
			    migration->outcome,
			    course->guest_arrived
				    ? "the guest reports from the target"
				    : "the hypervisor reports it as running at the target");
	else
		return false;
	return true;
}

static void decide_course(struct trial_case *trial, const struct course *course,
			  const struct guest_seen *guest, const struct guest_outcome *outcome)
{
	const struct migration_seen *seen = course->migration;
	struct migration_outcome *migration = &trial->migration;

	if (course->target && course->target->other_boot) {
		migration->axis = MIGRATION_AXIS_LOST;
		case_cite(trial, course->target->hello, "migration");
		give_reason(migration, CODE_GUEST_LOST_ANOTHER_BOOT,
			    "another boot of the guest reports from the target: %s",
			    record_quote(course->target->hello));
	} else if (is_dead_everywhere(course, guest, outcome) && !course->arrived) {
		decide_dead(trial, guest, outcome);
	} else if (is_torn(course)) {
		migration->axis = MIGRATION_AXIS_LOST;
		case_cite(trial, course->source->end_record, "migration");
		give_reason(migration, CODE_GUEST_LOST_TORN,
			    "the source ended in post-copy, and the target lacks the rest of the "
			    "memory: "
			    "%s",
			    record_quote(seen->end));
	} else if (contradicts(trial, course)) {
		return;
	} else if (course->arrived) {
		migration->axis = MIGRATION_AXIS_COMPLETED;
		give_reason(migration, CODE_MIGRATION_COMPLETED, "%s",
			    record_quote(seen->end ?: course->target->state_record));
	} else if (!seen->end) {
		give_reason(migration, CODE_MIGRATION_END_UNKNOWN,
			    "no event reports the end of the migration");
	} else if (outcome_is(seen, "completed")) {
		give_reason(migration, CODE_MIGRATION_NOT_PROVEN,
			    "only the source reports that the migration completed; no evidence "
			    "comes from the target");
	} else {
		decide_stay(trial, course);
	}
}

/** case_decide_migration - the migration axis, when the guests are decided */
void case_decide_migration(struct trial_case *trial, const struct observation *seen)
{
	const struct migration_seen *migration = &seen->migration;
	struct migration_outcome *result = &trial->migration;
	struct course course = {.migration = migration};

	*result = (struct migration_outcome){.axis = MIGRATION_AXIS_NONE,
					     .hypervisor_downtime_ns =
						     migration->hypervisor_downtime_ns,
					     .time_ns = migration->time_ns,
					     .iterations = migration->iterations,
					     .qemu_downtime_ns = -1,
					     .before_stop_ns = -1,
					     .after_resume_ns = -1};
	if (!migration->step && !migration->begun)
		return;
	result->axis = MIGRATION_AXIS_UNKNOWN;
	if (!migration->guest) {
		give_reason(result, CODE_MIGRATION_END_UNKNOWN,
			    "the journal does not name the guest that migrates");
		return;
	}
	follow(&course, migration->guest);
	cite_course(trial, &course);
	decide_course(trial, &course, migration->guest,
		      &trial->guests[migration->guest - seen->guests]);
	if (result->axis != MIGRATION_AXIS_COMPLETED)
		result->hypervisor_downtime_ns = -1;
	else if (course.source && course.target && !migration->local)
		case_measure_downtime(trial, migration, course.source, course.target);
}
