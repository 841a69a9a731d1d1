// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls guest.migrate and guest.migration, on the source of a migration. The operation of the hypervisor returns at the
 * end of the migration, and sends statistics meanwhile.
 */
#include <errno.h>
#include <string.h>

#include "harness/hypervisor/service.h"
#include "harness/hypervisor/stages.h"

/* A migration has no timeout: guest.migration cancels it. */
#define NO_TIMEOUT_MS (1000LL * 60 * 60 * 24 * 365)
#define CONTROL_TIMEOUT_MS 10000
/* Time after which guest.migrate is answered even if no memory was sent yet. */
#define BEGIN_TIMEOUT_NS (30 * NSEC_PER_SEC)
/* Final statistics come in an event of their own, about when the operation returns. */
#define STATISTICS_TIMEOUT_NS NSEC_PER_SEC
#define CHANNELS_MOST 255

/**
 * struct migration - migration of a guest of this host
 * @ticket:    of guest.migrate; its id is NULL after the answer
 * @cancelled: guest.migration cancelled it
 * @local:     to the same host; @stays: the guest is still on it
 * @over:      the operation has returned; @end_ns: timeout of its final statistics
 * @reason:    of a failure; owned
 */
struct migration {
	struct migration_track track;
	struct agent_ticket ticket;
	bool cancelled, local, stays, over;
	int64_t begin_by_ns, ended_ns, end_by_ns;
	json_t *statistics;
	char *reason;
};

static void report(struct agent *agent, struct domain_guest *guest, enum migration_news news)
{
	struct migration *migration = guest->migration;
	__cleanup_free char *text = NULL;

	if (!news)
		return;
	text = migration_track_text(&migration->track, guest->name);
	agent_emit(agent, "migration", now_realtime_ns(), text,
		   migration_track_data(&migration->track, guest->name,
					news == MIGRATION_NEWS_STAGE ? "stage" : "progress",
					now_monotonic_ns()));
}

static void answer_begun(struct agent *agent, struct migration *migration, const char *state)
{
	if (migration->ticket.id)
		agent_answer(agent, &migration->ticket, 0, json_pack("{s:s}", "state", state),
			     NULL);
}

static void answer_ended(struct agent *agent, struct migration *migration)
{
	if (migration->ticket.id)
		agent_answer(agent, &migration->ticket, 0,
			     json_pack("{s:s, s:s, s:s}", "state", "ended", "outcome",
				       migration_stage_name(migration->track.stage), "reason",
				       migration->reason ? migration->reason : ""),
			     NULL);
}

static char *end_text(const struct migration *migration, const char *guest)
{
	const char *outcome = migration_stage_name(migration->track.stage);
	double seconds =
		(double)(migration->ended_ns - migration->track.began_ns) / (double)NSEC_PER_SEC;

	if (migration->track.stage != MIGRATION_COMPLETED)
		return format_text("%s: migration %s: %s", guest, outcome,
				   migration->reason ? migration->reason : "");
	return format_text("%s: migration completed in %.2f s, %lld iterations, downtime %lld ms",
			   guest, seconds, (long long)migration->track.iteration,
			   (long long)json_number(migration->statistics, "downtime", -1));
}

/* Report events of the stream beside statistics: the inspected page, and a held stream. */
static void report_stream(struct agent *agent, const struct domain_guest *guest,
			  const json_t *event)
{
	static const char prefix[] = "migration-";
	const char *what = json_text(event, "event", prefix) + strlen(prefix);
	const char *place = json_text(event, "place", ""), *type = json_text(event, "type", NULL);
	int64_t pfn = json_number(event, "pfn", 0), iteration = json_number(event, "iteration", 0);
	__cleanup_free char *text =
		type ? format_text("%s: page 0x%llx is %s in the %s, iteration %lld", guest->name,
				   (unsigned long long)pfn, type, place, (long long)iteration)
		     : format_text("%s: migration %s%s%s", guest->name, what, *place ? ": " : "",
				   place);
	/* The target does not track the migration. */
	json_t *data = guest->migration
			       ? migration_track_data(&guest->migration->track, guest->name, what,
						      now_monotonic_ns())
			       : json_pack("{s:s, s:s}", "guest", guest->name, "event", what);

	if (type)
		json_object_update_new(data, json_pack("{s:s, s:s, s:I, s:I}", "place", place,
						       "type", type, "pfn", (json_int_t)pfn,
						       "iteration", (json_int_t)iteration));
	else if (*place)
		json_object_set_new(data, "place", json_string(place));
	agent_emit(agent, "migration", json_number(event, "time_ns", now_realtime_ns()), text,
		   data);
}

/* Report the end of a migration, exactly once. */
static void finish(struct agent *agent, struct domain_guest *guest)
{
	struct migration *migration = steal(guest->migration);
	__cleanup_free char *text = end_text(migration, guest->name);
	json_t *data =
		migration_track_data(&migration->track, guest->name, "end", migration->ended_ns);
	int64_t downtime = json_number(migration->statistics, "downtime", -1);

	json_object_set_new(data, "outcome",
			    json_string(migration_stage_name(migration->track.stage)));
	json_object_set_new(data, "reason", json_string(migration->reason ?: ""));
	if (migration->local)
		json_object_set_new(data, "local", json_true());
	if (downtime >= 0)
		json_object_set_new(data, "downtime_ns", json_integer(downtime * NSEC_PER_MSEC));
	if (migration->statistics)
		json_object_set(data, "statistics", migration->statistics);
	agent_emit(agent, "migration", now_realtime_ns(), text, data);
	answer_ended(agent, migration);
	if (migration->track.stage == MIGRATION_COMPLETED && guest->stage == DOMAIN_RUNNING &&
	    !migration->stays) {
		snprintf(guest->ending, sizeof(guest->ending), "migrated");
		guest->stage = DOMAIN_GONE;
	}
	json_decref(migration->statistics);
	json_decref(migration->ticket.id);
	free(migration->reason);
	free(migration);
}

/** domain_is_leaving - whether a guest is stopped on this host, to run on another one */
bool domain_is_leaving(const struct domain_guest *guest)
{
	return guest->migration && guest->migration->track.stage >= MIGRATION_SWITCHOVER &&
	       guest->migration->track.stage <= MIGRATION_COMPLETED;
}

/** domain_is_of_stream - whether an event is about the stream of a migration: it is reported as an event of the migration */
bool domain_is_of_stream(const char *what)
{
	return is_one_of(what, "migration-sample", "migration-page", "migration-devices",
			 "migration-held", "migration-released");
}

/** domain_migration_event - handle an event about a guest, which may be in a migration */
void domain_migration_event(struct agent *agent, struct domain_guest *guest, const json_t *event)
{
	struct migration *migration = guest->migration;
	const char *what = json_text(event, "event", "");
	enum migration_news news = MIGRATION_NO_NEWS;
	int64_t now = now_monotonic_ns();

	if (!migration) {
		if (strcmp(what, "migration-page") == 0)
			report_stream(agent, guest, event);
		return;
	}
	if (strcmp(what, "job-completed") == 0) {
		json_decref(migration->statistics);
		migration->statistics = json_incref(json_object_get(event, "statistics"));
		if (migration->over)
			finish(agent, guest);
		return;
	}
	if (migration->over)
		return;
	if (strcmp(what, "migration-sample") == 0)
		news = migration_track_sample(&migration->track,
					      json_object_get(event, "statistics"), now);
	else if (domain_is_of_stream(what))
		report_stream(agent, guest, event);
	else if (strcmp(what, "migration-iteration") == 0)
		news = migration_track_iteration(&migration->track,
						 json_number(event, "iteration", 0), now);
	else
		news = migration_track_lifecycle(&migration->track, json_text(event, "state", ""),
						 json_text(event, "detail", ""), now);
	report(agent, guest, news);
	if (migration->track.active)
		answer_begun(agent, migration, "begun");
}

/** domain_migration_tick - handle timeouts of a migration at @now */
void domain_migration_tick(struct agent *agent, struct domain_guest *guest, int64_t now)
{
	struct migration *migration = guest->migration;

	if (!migration)
		return;
	if (migration->over && now > migration->end_by_ns)
		finish(agent, guest);
	else if (!migration->over && now > migration->begin_by_ns)
		answer_begun(agent, migration, "setup");
}

static void take_end(struct agent *agent, struct domain_guest *guest, bool worked,
		     const char *reason)
{
	struct migration *migration = guest->migration;

	migration_track_end(&migration->track, worked, migration->cancelled);
	migration->over = true;
	migration->ended_ns = now_monotonic_ns();
	migration->end_by_ns = migration->ended_ns + STATISTICS_TIMEOUT_NS;
	if (!worked)
		migration->reason = xstrdup(reason);
	if (!worked || migration->statistics)
		finish(agent, guest);
}

/* After a local migration the guest has another stream: link it again. */
static void stay_here(struct agent *agent, struct domain_guest *guest,
		      const struct hypervisor_job *job)
{
	struct reason why;

	guest->migration->stays = true;
	domain_take_description(guest, job);
	if (domain_link(agent, guest, job->reply, &why))
		log_warning("guest '%s': %s", guest->name, why.text);
}

static void done_migrate(struct agent *agent, struct hypervisor_job *job)
{
	struct domain_guest *guest = domain_guest_of_job(agent, job);

	if (!guest || !guest->migration || guest->migration->over)
		return;
	if (!job->error && job->reply)
		stay_here(agent, guest, job);
	take_end(agent, guest, !job->error, job->why.text);
}

static void give_up_migrate(struct agent *agent, struct hypervisor_job *job,
			    const struct reason *why)
{
	struct domain_guest *guest = domain_guest_of_job(agent, job);

	if (guest && guest->migration && !guest->migration->over)
		take_end(agent, guest, false, why->text);
}

/** domain_migration_free - end the migration of a guest that is removed, and report that */
void domain_migration_free(struct agent *agent, struct domain_guest *guest)
{
	if (guest->migration && !guest->migration->over)
		take_end(agent, guest, false, "the guest was stopped during its migration");
	if (guest->migration)
		finish(agent, guest);
}

static int take_number(const char *call, const json_t *arguments, const char *key, int64_t most,
		       struct reason *why)
{
	int64_t number = json_number(arguments, key, 0);

	if (number < 0 || number > most)
		return fail(why, -EINVAL, "%s: '%s' is %lld, it must be 0 to %lld", call, key,
			    (long long)number, (long long)most);
	return 0;
}

static int check_arguments(const json_t *arguments, struct reason *why)
{
	static const char *const of_stream[] = {"hold", "page", "video"};
	const char *mode = json_text(arguments, "mode", "pre-copy");

	for (size_t i = 0; i < ARRAY_SIZE(of_stream); i++)
		if (json_object_get(arguments, of_stream[i]) && !hypervisor_here()->stream &&
		    !json_is(arguments, of_stream[i], "none"))
			return fail(
				why, -EOPNOTSUPP,
				"guest.migrate: '%s': the migration stream of this hypervisor does "
				"not pass through the agent",
				of_stream[i]);
	if (!*json_text(arguments, "uri", "") && !hypervisor_here()->local)
		return fail(
			why, -EINVAL,
			"guest.migrate: 'uri' is missing: that of the hypervisor of the target, "
			"such as qemu+tcp://HOST/system");
	if (!is_one_of(mode, "pre-copy", hypervisor_here()->stream ? "checkpoint" : "post-copy"))
		return fail(why, -EINVAL, "guest.migrate: 'mode' must be \"pre-copy\" or \"%s\"",
			    hypervisor_here()->stream ? "checkpoint" : "post-copy");
	return take_number("guest.migrate", arguments, "multifd", CHANNELS_MOST, why)
		?: take_number("guest.migrate", arguments, "bandwidth", INT64_MAX, why)
		?: take_number("guest.migrate", arguments, "post_copy_bandwidth", INT64_MAX, why)
		?: take_number("guest.migrate", arguments, "downtime_ms", INT32_MAX, why);
}

int serve_guest_migrate(struct agent *agent, const json_t *arguments, json_t **reply,
			struct reason *why)
{
	struct domain_guest *guest = domain_guest_find(agent, arguments, "guest.migrate", why);
	struct hypervisor_job *job;
	int error;

	if (!guest)
		return -ENOENT;
	if (guest->stage != DOMAIN_RUNNING || guest->migration)
		return fail(why, -EBUSY, "guest.migrate: guest '%s' is %s", guest->name,
			    guest->migration ? "migrating already"
					     : "not running yet, or stopping");
	error = check_arguments(arguments, why);
	if (error)
		return error;
	guest->migration = xzalloc(sizeof(*guest->migration));
	migration_track_begin(&guest->migration->track, now_monotonic_ns());
	guest->migration->begin_by_ns = now_monotonic_ns() + BEGIN_TIMEOUT_NS;
	guest->migration->ticket = agent_later(agent);
	report(agent, guest, MIGRATION_NEWS_STAGE);
	guest->migration->local = !*json_text(arguments, "uri", "");
	job = job_new(guest, hypervisor_here()->migrate);
	job->request = json_deep_copy(arguments);
	job->done = done_migrate;
	job->given_up = give_up_migrate;
	error = job_start(job, NO_TIMEOUT_MS, why);
	/* An event reported its start: report its end. */
	if (error)
		take_end(agent, guest, false, why->text);
	return AGENT_LATER;
}

/* The outcome of a cancelled migration is known when its operation returns. */
static void done_cancel(struct agent *agent, struct hypervisor_job *job)
{
	struct domain_guest *guest = domain_guest_of_job(agent, job);

	if (job->error && guest && guest->migration)
		guest->migration->cancelled = false;
	agent_answer(agent, &job->ticket, job->error, NULL, &job->why);
}

static void give_up_control(struct agent *agent, struct hypervisor_job *job,
			    const struct reason *why)
{
	agent_answer(agent, &job->ticket, -ETIMEDOUT, NULL, why);
}

int serve_guest_migration(struct agent *agent, const json_t *arguments, json_t **reply,
			  struct reason *why)
{
	const char *action = json_text(arguments, "action", "");
	struct domain_guest *guest = domain_guest_find(agent, arguments, "guest.migration", why);
	bool cancel = strcmp(action, "cancel") == 0;
	struct hypervisor_job *job;
	int error;

	if (!guest)
		return -ENOENT;
	if (!is_one_of(action, "cancel", "post-copy", "limit", "release", "cut", "flip"))
		return fail(
			why, -EINVAL,
			"guest.migration: 'action' must be cancel, post-copy, limit, release, cut "
			"or flip");
	error = take_number("guest.migration", arguments, "bandwidth", INT64_MAX, why)
			?: take_number("guest.migration", arguments, "downtime_ms", INT32_MAX, why);
	if (error)
		return error;
	if (!guest->migration || guest->migration->over)
		return fail(why, -ESRCH, "guest.migration: guest '%s' is not migrating",
			    guest->name);
	job = job_new(guest, hypervisor_here()->control);
	job->request = json_deep_copy(arguments);
	job->number = guest->migration->track.stage == MIGRATION_POST_COPY;
	if (!cancel)
		return job_answered(agent, job, CONTROL_TIMEOUT_MS, why);
	guest->migration->cancelled = true;
	job->done = done_cancel;
	job->given_up = give_up_control;
	job->ticket = agent_later(agent);
	error = job_start(job, CONTROL_TIMEOUT_MS, why);
	if (error)
		guest->migration->cancelled = false;
	return error ?: AGENT_LATER;
}
