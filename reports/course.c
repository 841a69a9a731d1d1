// SPDX-License-Identifier: GPL-2.0-only
/*
 * The course of a trial: which guest showed signs of life on which host and when not, and through which stages its migrations
 * went. Nothing is judged here.
 */
#include <string.h>
#include <sys/param.h>

#include "reports/course.h"
#include "reports/story.h"
#include "reports/text.h"

/* A report of heartbeats covers the second before it. */
#define REPORT_NS NSEC_PER_SEC
/* A heartbeat that is late by more than this is a silence. */
#define LATE_NS NSEC_PER_SEC

/* Makes room for one more element of an array that has as many as @count says. */
static void *one_more(void *array, size_t count, size_t size)
{
	if (count && (count & (count - 1)))
		return array;
	array = xreallocarray(array, count ? count * 2 : 1, size);
	return array;
}

#define APPEND(array, count, ...)                                                                  \
	({                                                                                         \
		(array) = one_more((array), (count), sizeof(*(array)));                            \
		(array)[(count)] = (__VA_ARGS__);                                                  \
		&(array)[(count)++];                                                               \
	})

/* A larger span is invalid, and could overflow in a sum. */
#define OFFSET_MOST_NS (INT64_MAX / 16)

/** course_offset - a time relative to the zero of the course; 0 when it is out of range */
int64_t course_offset(const struct course *course, int64_t time_ns)
{
	int64_t offset;

	if (__builtin_sub_overflow(time_ns, course->zero_ns, &offset) || offset > OFFSET_MOST_NS ||
	    offset < -OFFSET_MOST_NS)
		return 0;
	return offset;
}

/** course_time - when a record was written, relative to the zero of the course; 0 when it is out of range */
int64_t course_time(const struct course *course, const struct record *record)
{
	return course_offset(course, record->written_ns);
}

/** course_find - the first record of a type; NULL: there is none */
const struct record *course_find(const struct course *course, enum record_type type)
{
	for_each_record (course, record)
		if (record->type == type)
			return record;
	return NULL;
}

/* A reported length of time; -1 when it is out of range. */
static int64_t valid_span(int64_t span)
{
	return span >= 0 && span <= OFFSET_MOST_NS ? span : -1;
}

/** course_is_liveness - whether a record is drawn as a stay, a hole or a stage instead of a mark of its own */
bool course_is_liveness(const struct record *record)
{
	if (!record->guest)
		return false;
	return event_is_from(record, SOURCE_MIGRATION) ||
	       (event_is_from(record, SOURCE_HEARTBEAT) &&
		is_one_of(record->event.beat.what, "heartbeat", "gap", "silent", "heard", "now"));
}

static const char *note_host(struct course *course, const char *name)
{
	if (!name || !*name)
		return NULL;
	for (size_t i = 0; i < course->host_count; i++)
		if (strcmp(course->hosts[i], name) == 0)
			return course->hosts[i];
	return *APPEND(course->hosts, course->host_count, name);
}

static struct course_guest *note_guest(struct course *course, const char *name)
{
	for (size_t i = 0; i < course->guest_count; i++)
		if (strcmp(course->guests[i].name, name) == 0)
			return &course->guests[i];
	return APPEND(course->guests, course->guest_count, (struct course_guest){.name = name});
}

static struct course_stay *last_stay(struct course_guest *guest)
{
	return guest->stay_count ? &guest->stays[guest->stay_count - 1] : NULL;
}

static struct course_hole *last_hole(struct course_guest *guest)
{
	return guest->hole_count ? &guest->holes[guest->hole_count - 1] : NULL;
}

/*
 * A sign of life of a guest on a host at @at, which shows that it has been alive since @since. On another host it is a move:
 * the hole begins with the last sign of life on the host before.
 */
static struct course_stay *note_alive(struct course_guest *guest, const char *host, int64_t since,
				      int64_t at)
{
	struct course_stay *stay = last_stay(guest);
	struct course_hole *hole = last_hole(guest);

	if (stay && strcmp(stay->host, host) == 0 && !guest->silent) {
		stay->to_ns = at > stay->to_ns ? at : stay->to_ns;
		guest->ended = false;
		return stay;
	}
	if (stay && since < stay->to_ns)
		since = stay->to_ns;
	/* The sign of life ends a silence, on whichever host. */
	if (hole && hole->open) {
		hole->open = false;
		hole->to_ns = since;
		hole->next = host;
		hole->kind = strcmp(hole->host, host) ? COURSE_MOVE : COURSE_GAP;
	} else if (stay && strcmp(stay->host, host) != 0) {
		APPEND(guest->holes, guest->hole_count,
		       (struct course_hole){.kind = COURSE_MOVE,
					    .host = stay->host,
					    .next = host,
					    .from_ns = stay->to_ns,
					    .to_ns = since});
	}
	guest->silent = guest->ended = false;
	return APPEND(guest->stays, guest->stay_count,
		      (struct course_stay){.host = host, .from_ns = since, .to_ns = at});
}

/*
 * The length of a gap: between two arrivals, or longer by the guest's own clocks, because the last heartbeat before it may
 * have arrived late. A delay of a second is a silence, so the clocks of the guest can add less than a second.
 */
static int64_t gap_length(const struct beat_report *beat)
{
	static const char *const clocks[] = {"host", "boottime", "monotonic"};
	int64_t length = valid_span(beat->arrival_ns), inside = 0;

	for (size_t i = 0; i < ARRAY_SIZE(clocks) && inside <= 0; i++)
		inside = json_number(beat->clocks, clocks[i], 0);
	if (length >= 0 && length < LATE_NS && inside > length && inside < length + LATE_NS)
		return inside;
	return length;
}

static void take_gap(struct course_guest *guest, const char *host, const struct beat_report *beat,
		     int64_t at)
{
	int64_t length = gap_length(beat), from = at - length;
	struct course_hole *hole = last_hole(guest);
	struct course_stay *stay;

	if (length < 0)
		return;
	/* The first heartbeat on a host begins a stay: it ends a hole only if one is open. */
	if (!length && !(hole && hole->open)) {
		note_alive(guest, host, at, at);
		return;
	}
	/* The end of a silence is reported twice, as "heard" and as "gap"; "gap" has the clocks. */
	if (hole && hole->kind != COURSE_SILENT && hole->to_ns >= from && hole->from_ns < at &&
	    strcmp(hole->next ?: hole->host, host) == 0) {
		hole->clocks = beat->clocks ?: hole->clocks;
		note_alive(guest, host, at, at);
		return;
	}
	if (hole && hole->open) {
		note_alive(guest, host, at, at);
		return;
	}
	if (last_stay(guest) && strcmp(last_stay(guest)->host, host) != 0) {
		note_alive(guest, host, at, at);
	} else {
		stay = note_alive(guest, host, from, at);
		if (from < stay->from_ns)
			stay->from_ns = from;
		APPEND(guest->holes, guest->hole_count,
		       (struct course_hole){
			       .kind = COURSE_GAP, .host = host, .from_ns = from, .to_ns = at});
	}
	if (beat->clocks)
		last_hole(guest)->clocks = beat->clocks;
}

static void take_silence(struct course_guest *guest, const char *host, int64_t since, int64_t at)
{
	struct course_stay *stay = last_stay(guest);
	int64_t from = at - since;

	/* A silence on the source after the move is no hole. */
	if (since < 0 || guest->silent || (stay && strcmp(stay->host, host) != 0))
		return;
	if (stay && from < stay->from_ns)
		from = stay->from_ns;
	if (stay)
		stay->to_ns = from;
	APPEND(guest->holes, guest->hole_count,
	       (struct course_hole){.kind = COURSE_SILENT,
				    .host = host,
				    .from_ns = from,
				    .to_ns = at,
				    .open = true});
	guest->silent = true;
}

/* The arrival of the last heartbeat before a report: the report has its age. */
static int64_t last_arrival(const struct beat_report *beat, int64_t at)
{
	int64_t age = valid_span(beat->age_ns);

	return age > 0 ? at - age : at;
}

static void take_heartbeat(struct course_guest *guest, const char *host,
			   const struct beat_report *beat, int64_t at)
{
	int64_t arrival = last_arrival(beat, at), age = at - arrival;
	struct course_stay *stay = last_stay(guest);

	if (is_one_of(beat->what, "gap", "heard")) {
		take_gap(guest, host, beat, at);
	} else if (strcmp(beat->what, "silent") == 0) {
		take_silence(guest, host, valid_span(beat->since_ns), at);
	} else if (strcmp(beat->what, "heartbeat") == 0) {
		/* The last report of the source may come after the first sign of life at the target. */
		if (stay && strcmp(stay->host, host) != 0 && at - stay->to_ns < 2 * REPORT_NS &&
		    !guest->ended && !guest->silent)
			return;
		stay = note_alive(guest, host, stay ? arrival : arrival - REPORT_NS, arrival);
		stay->beats = number_sum(stay->beats, beat->beats);
		stay->missed = number_sum(stay->missed, beat->missed);
		stay->longest_ns = MAX(stay->longest_ns, beat->longest_ns);
	} else if (strcmp(beat->what, "now") == 0 && beat->connected && beat->age_ns >= 0 &&
		   age < REPORT_NS && !guest->silent && (!stay || strcmp(stay->host, host) == 0)) {
		note_alive(guest, host, arrival, arrival);
	}
}

static void take_link(struct course_guest *guest, const char *host, const struct beat_report *beat,
		      int64_t at)
{
	int64_t arrival = last_arrival(beat, at);
	struct course_stay *stay = last_stay(guest);

	if (strcmp(beat->what, "hello") == 0)
		note_alive(guest, host, at, at);
	if (strcmp(beat->what, "gone") != 0 || !stay || strcmp(stay->host, host) != 0)
		return;
	/* A guest with a stream and without a reported silence has sent heartbeats. */
	if (!guest->silent && !guest->ended && arrival - stay->to_ns < 2 * REPORT_NS &&
	    arrival > stay->to_ns)
		stay->to_ns = arrival;
	guest->ended = true;
}

static struct course_migration *migration_of(struct course *course, const char *guest)
{
	for (size_t i = course->migration_count; i-- > 0;)
		if (strcmp(course->migrations[i].guest, guest) == 0)
			return &course->migrations[i];
	return NULL;
}

static void end_migration(struct course_migration *migration, const struct migration_report *report,
			  const char *outcome, int64_t at)
{
	if (!migration->outcome) {
		migration->outcome = outcome;
		migration->to_ns = at;
		if (migration->stage_count)
			migration->stages[migration->stage_count - 1].to_ns = at;
	}
	if (*report->reason)
		migration->reason = report->reason;
	if (report->downtime_ns >= 0)
		migration->downtime_ns = report->downtime_ns;
}

static void take_migration(struct course *course, struct course_guest *guest, const char *host,
			   const struct event_record *event, int64_t at)
{
	struct course_migration *migration = migration_of(course, guest->name);
	const struct migration_report *report = &event->migration;
	bool end = strcmp(event->name, "end") == 0;
	const char *stage = end ? report->outcome : report->stage;
	int64_t iteration = MAX(report->iteration, 0);
	struct course_stage *last;

	if (!*stage)
		return;
	end = end || is_one_of(stage, "completed", "cancelled", "failed", "refused");
	/* After the end only the end is reported again. */
	if (!migration || (migration->outcome && !end))
		migration = APPEND(course->migrations, course->migration_count,
				   (struct course_migration){.guest = guest->name,
							     .source = host,
							     .reason = "",
							     .from_ns = at,
							     .to_ns = at,
							     .downtime_ns = -1});
	if (end) {
		end_migration(migration, report, stage, at);
		return;
	}
	migration->to_ns = at;
	last = migration->stage_count ? &migration->stages[migration->stage_count - 1] : NULL;
	if (last)
		last->to_ns = at;
	if (!last || strcmp(last->name, stage) != 0 ||
	    (strcmp(stage, "pre-copy") == 0 && iteration != last->iteration))
		APPEND(migration->stages, migration->stage_count,
		       (struct course_stage){.name = stage,
					     .iteration = iteration,
					     .from_ns = at,
					     .to_ns = at,
					     .remaining = report->remaining});
	else if (last->remaining < 0)
		last->remaining = report->remaining;
}

/* An event of the guest program is a sign of life between two reports of heartbeats. */
static void take_guest_report(struct course_guest *guest, const char *host, const char *witness,
			      int64_t at)
{
	const struct course_stay *stay = last_stay(guest);

	if (guest->silent || (stay && strcmp(stay->host, host) != 0))
		return;
	if (is_one_of(witness, "kmsg", "trace", "workload", "interrupts", "meminfo"))
		note_alive(guest, host, at, at);
}

static void take_event(struct course *course, const struct record *record)
{
	const char *host = note_host(course, record->host);
	const struct event_record *event = &record->event;
	int64_t at = course_time(course, record);
	struct course_guest *guest;

	if (!record->guest)
		return;
	guest = note_guest(course, record->guest);
	if (!host)
		return;
	if (event->source == SOURCE_HEARTBEAT)
		take_heartbeat(guest, host, &event->beat, at);
	else if (event->source == SOURCE_GUEST_LINK)
		take_link(guest, host, &event->beat, at);
	else if (event->source == SOURCE_MIGRATION)
		take_migration(course, guest, host, event, at);
	else
		take_guest_report(guest, host, event->witness, at);
}

static void take_record(struct course *course, const struct record *record)
{
	struct course_guest *guest;

	if (record->type == RECORD_EVENT) {
		take_event(course, record);
	} else if (record->type == RECORD_BOOT) {
		note_host(course, record->host);
	} else if (record->type == RECORD_GUEST && record->guest) {
		note_host(course, record->host);
		guest = note_guest(course, record->guest);
		if (!guest->record)
			guest->record = record;
	}
}

/* The hole of a move is at least as long as the downtime, even if the time of the last heartbeat is less exact. */
static void note_downtime(const struct course_guest *guest, struct course_hole *hole,
			  int64_t downtime_ns)
{
	if (downtime_ns <= 0)
		return;
	if (downtime_ns < hole->to_ns - hole->from_ns) {
		hole->downtime_ns = downtime_ns;
		return;
	}
	if (__builtin_sub_overflow(hole->to_ns, downtime_ns, &hole->from_ns))
		return;
	for (size_t i = 0; i < guest->stay_count; i++)
		if (guest->stays[i].host == hole->host && guest->stays[i].from_ns < hole->from_ns &&
		    guest->stays[i].to_ns <= hole->to_ns)
			guest->stays[i].to_ns = hole->from_ns;
}

/* The target of a migration: the host of the first sign of life after it. Notes the downtime, if it was measured. */
static void find_target(struct course *course, struct course_migration *migration,
			int64_t downtime_ns)
{
	const struct course_guest *guest = note_guest(course, migration->guest);

	for (size_t i = 0; i < guest->hole_count; i++) {
		struct course_hole *hole = &guest->holes[i];

		if (hole->kind != COURSE_MOVE || hole->to_ns < migration->from_ns ||
		    strcmp(hole->host, migration->source) != 0 || migration->target)
			continue;
		migration->target = hole->next;
		note_downtime(guest, hole, downtime_ns);
	}
}

/* No host reports the silence of a guest whose host died. */
static void end_guest(struct course *course, struct course_guest *guest)
{
	const struct course_stay *stay = last_stay(guest);
	struct course_hole *hole = last_hole(guest);

	if (hole && hole->open)
		hole->to_ns = course->end_ns;
	else if (stay && course->end_ns - stay->to_ns > 2 * REPORT_NS)
		APPEND(guest->holes, guest->hole_count,
		       (struct course_hole){.kind = COURSE_SILENT,
					    .host = stay->host,
					    .from_ns = stay->to_ns,
					    .to_ns = course->end_ns,
					    .open = true});
}

static void set_zero(struct course *course)
{
	const struct record *intent = course_find(course, RECORD_INTENT);

	course->fired = intent != NULL;
	if (intent)
		course->zero_ns = intent->written_ns;
	else if (course->record_count)
		course->zero_ns = course->records[0].written_ns;
}

/**
 * course_new - the course of the last attempt of a trial
 * @records: of the journal; borrowed until course_free()
 * @result:  of the trial, for its id and for the downtime that was measured
 *
 * Return: owned by the caller, for course_free().
 */
struct course *course_new(const json_t *records, const json_t *result)
{
	struct course *course = xzalloc(sizeof(*course));
	int64_t downtime = metric_ns(result, "guest_downtime");

	course->record_count =
		story_records(records, json_text(result, "trial", ""), &course->records);
	set_zero(course);
	for_each_record (course, record) {
		take_record(course, record);
		course->end_ns = course_time(course, record);
	}
	/* The metric does not name its migration: with more than one it is not used. */
	for (size_t i = 0; i < course->migration_count; i++)
		find_target(course, &course->migrations[i],
			    course->migration_count == 1 ? downtime : -1);
	for (size_t i = 0; i < course->guest_count; i++)
		end_guest(course, &course->guests[i]);
	return course;
}

void course_free(struct course *course)
{
	if (!course)
		return;
	for (size_t i = 0; i < course->guest_count; i++) {
		free(course->guests[i].stays);
		free(course->guests[i].holes);
	}
	for (size_t i = 0; i < course->migration_count; i++)
		free(course->migrations[i].stages);
	free(course->guests);
	free(course->migrations);
	free(course->hosts);
	free(course->records);
	free(course);
}

/** course_first - when what is worth drawing begins: the first migration or the intent */
int64_t course_first(const struct course *course)
{
	int64_t first = course->fired || !course->migration_count ? 0 : INT64_MAX;

	for (size_t i = 0; i < course->migration_count; i++)
		if (course->migrations[i].from_ns < first)
			first = course->migrations[i].from_ns;
	return first;
}

/**
 * course_stage_ns - how long a stage of a migration took, all of its iterations together
 * @from_ns: receives when it began; may be NULL
 *
 * Return: nanoseconds, -1 when it never began.
 */
int64_t course_stage_ns(const struct course_migration *migration, const char *name,
			int64_t *from_ns)
{
	int64_t sum = -1;

	for (size_t i = 0; i < migration->stage_count; i++) {
		if (strcmp(migration->stages[i].name, name) != 0)
			continue;
		if (sum < 0 && from_ns)
			*from_ns = migration->stages[i].from_ns;
		sum = (sum < 0 ? 0 : sum) + migration->stages[i].to_ns -
		      migration->stages[i].from_ns;
	}
	return sum;
}
