// SPDX-License-Identifier: GPL-2.0-only
/*
 * The course of a trial: which guest was heard on which host and when it was not, and through which stages its migrations
 * went. Only told, never judged.
 */
#include <string.h>

#include "reports/course.h"
#include "reports/story.h"
#include "reports/text.h"

/* A report of heartbeats tells of the second before it. */
#define REPORT_NS NSEC_PER_SEC
/* A beat that is later than this is a silence. */
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

/* No trial lasts for centuries; beyond that spans can not be added without care. */
#define OFFSET_MOST_NS (INT64_MAX / 16)

/** course_time - when a record was written; 0 for a time that can not be one */
int64_t course_time(const struct course *course, const json_t *record)
{
	int64_t offset;

	if (__builtin_sub_overflow(json_number(record, "time_ns", 0), course->zero_ns, &offset) ||
	    offset > OFFSET_MOST_NS || offset < -OFFSET_MOST_NS)
		return 0;
	return offset;
}

/* A length of time as it is told; -1 for one that can not be. */
static int64_t told_span(const json_t *data, const char *key)
{
	int64_t span = json_number(data, key, 0);

	return span >= 0 && span <= OFFSET_MOST_NS ? span : -1;
}

/** course_event - the body of a record that is an event of a witness, else NULL */
const json_t *course_event(const json_t *record)
{
	return strcmp(json_text(record, "type", ""), "event") == 0 ? json_object_get(record, "body")
								   : NULL;
}

/** course_is_pulse - whether a record is drawn as life, hole or stage instead of as a mark of its own */
bool course_is_pulse(const json_t *record)
{
	const json_t *event = course_event(record);
	const char *witness = json_text(event, "witness", "");
	const char *what = json_text(json_object_get(event, "data"), "what", "");

	if (!json_object_get(event, "guest"))
		return false;
	return strcmp(witness, "migration") == 0 ||
	       (strcmp(witness, "heartbeat") == 0 &&
		is_one_of(what, "heartbeat", "gap", "silent", "heard", "now"));
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

static struct course_life *life_of(struct course_guest *guest)
{
	return guest->life_count ? &guest->lives[guest->life_count - 1] : NULL;
}

static struct course_hole *hole_of(struct course_guest *guest)
{
	return guest->hole_count ? &guest->holes[guest->hole_count - 1] : NULL;
}

/*
 * Something was heard of a guest on a host, at @at; it had been alive since @since. On another host it is a move: the guest
 * was away from its last sign of life until now.
 */
static struct course_life *hear(struct course_guest *guest, const char *host, int64_t since,
				int64_t at)
{
	struct course_life *life = life_of(guest);
	struct course_hole *hole = hole_of(guest);

	if (life && strcmp(life->host, host) == 0 && !guest->silent) {
		life->to_ns = at > life->to_ns ? at : life->to_ns;
		guest->ended = false;
		return life;
	}
	if (life && since < life->to_ns)
		since = life->to_ns;
	/* A silence that ends is as long as until now, on whichever host. */
	if (hole && hole->open) {
		hole->open = false;
		hole->to_ns = since;
		hole->next = host;
		hole->kind = strcmp(hole->host, host) ? COURSE_MOVE : COURSE_GAP;
	} else if (life && strcmp(life->host, host) != 0) {
		APPEND(guest->holes, guest->hole_count,
		       (struct course_hole){.kind = COURSE_MOVE,
					    .host = life->host,
					    .next = host,
					    .from_ns = life->to_ns,
					    .to_ns = since});
	}
	guest->silent = guest->ended = false;
	return APPEND(guest->lives, guest->life_count,
		      (struct course_life){.host = host, .from_ns = since, .to_ns = at});
}

/*
 * How long a gap was: between two arrivals, or longer as the guest has measured it, whose last beat before it may have come
 * late. A beat that is late by a second is a silence, so a guest is not believed more than that.
 */
static int64_t gap_length(const json_t *data)
{
	static const char *const clocks[] = {"host", "boottime", "monotonic"};
	int64_t length = told_span(data, "arrival_ns"), inside = 0;

	for (size_t i = 0; i < ARRAY_SIZE(clocks) && inside <= 0; i++)
		inside = json_number(json_object_get(data, "guest_clocks"), clocks[i], 0);
	if (length >= 0 && length < LATE_NS && inside > length && inside < length + LATE_NS)
		return inside;
	return length;
}

static void take_gap(struct course_guest *guest, const char *host, const json_t *data, int64_t at)
{
	int64_t length = gap_length(data), from = at - length;
	struct course_hole *hole = hole_of(guest);
	struct course_life *life;

	if (length < 0)
		return;
	/* The first beat that a host hears ends no hole that is not known already. */
	if (!length && !(hole && hole->open)) {
		hear(guest, host, at, at);
		return;
	}
	/* The end of a silence is told twice, as heard and as gap; the latter knows more. */
	if (hole && hole->kind != COURSE_SILENT && hole->to_ns >= from && hole->from_ns < at &&
	    strcmp(hole->next ?: hole->host, host) == 0) {
		if (json_is_object(json_object_get(data, "guest_clocks")))
			hole->clocks = json_object_get(data, "guest_clocks");
		hear(guest, host, at, at);
		return;
	}
	if (hole && hole->open) {
		hear(guest, host, at, at);
		return;
	}
	if (life_of(guest) && strcmp(life_of(guest)->host, host) != 0) {
		hear(guest, host, at, at);
	} else {
		life = hear(guest, host, from, at);
		if (from < life->from_ns)
			life->from_ns = from;
		APPEND(guest->holes, guest->hole_count,
		       (struct course_hole){
			       .kind = COURSE_GAP, .host = host, .from_ns = from, .to_ns = at});
	}
	if (json_is_object(json_object_get(data, "guest_clocks")))
		hole_of(guest)->clocks = json_object_get(data, "guest_clocks");
}

static void take_silence(struct course_guest *guest, const char *host, const json_t *data,
			 int64_t at)
{
	struct course_life *life = life_of(guest);
	int64_t since = told_span(data, "since_ns"), from = at - since;

	/* What the source misses after the move is no news. */
	if (since < 0 || guest->silent || (life && strcmp(life->host, host) != 0))
		return;
	if (life && from < life->from_ns)
		from = life->from_ns;
	if (life)
		life->to_ns = from;
	APPEND(guest->holes, guest->hole_count,
	       (struct course_hole){.kind = COURSE_SILENT,
				    .host = host,
				    .from_ns = from,
				    .to_ns = at,
				    .open = true});
	guest->silent = true;
}

/* When the last beat came before a report was made: the report itself tells, or it is as old as that. */
static int64_t last_arrival(const json_t *data, int64_t at)
{
	int64_t age = told_span(data, "age_ns");

	return age > 0 ? at - age : at;
}

static void take_heartbeat(struct course_guest *guest, const char *host, const json_t *data,
			   int64_t at)
{
	const char *what = json_text(data, "what", "");
	int64_t longest = json_number(data, "longest_ns", 0), age = json_number(data, "age_ns", 0);
	int64_t heard = last_arrival(data, at);
	struct course_life *life = life_of(guest);

	if (strcmp(what, "gap") == 0 || strcmp(what, "heard") == 0) {
		take_gap(guest, host, data, at);
	} else if (strcmp(what, "silent") == 0) {
		take_silence(guest, host, data, at);
	} else if (strcmp(what, "heartbeat") == 0) {
		/* A last report of the source may come after the guest was heard elsewhere. */
		if (life && strcmp(life->host, host) != 0 && at - life->to_ns < 2 * REPORT_NS &&
		    !guest->ended && !guest->silent)
			return;
		life = hear(guest, host, life ? heard : heard - REPORT_NS, heard);
		life->beats = number_sum(life->beats, json_number(data, "beats", 0));
		life->missed = number_sum(life->missed, json_number(data, "missed", 0));
		life->longest_ns = longest > life->longest_ns ? longest : life->longest_ns;
	} else if (strcmp(what, "now") == 0 && json_is_true(json_object_get(data, "connected")) &&
		   age >= 0 && age < REPORT_NS && !guest->silent &&
		   (!life || strcmp(life->host, host) == 0)) {
		hear(guest, host, at - age, at - age);
	}
}

static void take_link(struct course_guest *guest, const char *host, const json_t *data, int64_t at)
{
	const char *what = json_text(data, "what", "");
	int64_t heard = last_arrival(data, at);
	struct course_life *life = life_of(guest);

	if (strcmp(what, "hello") == 0)
		hear(guest, host, at, at);
	if (strcmp(what, "gone") != 0 || !life || strcmp(life->host, host) != 0)
		return;
	/* While its stream stands and no silence is told, a guest beats. */
	if (!guest->silent && !guest->ended && heard - life->to_ns < 2 * REPORT_NS &&
	    heard > life->to_ns)
		life->to_ns = heard;
	guest->ended = true;
}

static struct course_migration *migration_of(struct course *course, const char *guest)
{
	for (size_t i = course->migration_count; i-- > 0;)
		if (strcmp(course->migrations[i].guest, guest) == 0)
			return &course->migrations[i];
	return NULL;
}

static bool is_end(const char *stage)
{
	return strcmp(stage, "completed") == 0 || strcmp(stage, "cancelled") == 0 ||
	       strcmp(stage, "failed") == 0 || strcmp(stage, "refused") == 0;
}

static void end_migration(struct course_migration *migration, const json_t *data,
			  const char *outcome, int64_t at)
{
	if (!migration->outcome) {
		migration->outcome = outcome;
		migration->to_ns = at;
		if (migration->stage_count)
			migration->stages[migration->stage_count - 1].to_ns = at;
	}
	if (*json_text(data, "reason", ""))
		migration->reason = json_text(data, "reason", "");
	if (json_is_integer(json_object_get(data, "downtime_ns")))
		migration->downtime_ns = json_number(data, "downtime_ns", -1);
}

/** course_remaining - bytes left to send, as a migration tells; -1 before the hypervisor has counted the memory */
int64_t course_remaining(const json_t *data)
{
	return json_number(data, "total", -1) == 0 ? -1 : json_number(data, "remaining", -1);
}

static void take_migration(struct course *course, struct course_guest *guest, const char *host,
			   const json_t *data, int64_t at)
{
	struct course_migration *migration = migration_of(course, guest->name);
	const char *event = json_text(data, "event", "");
	bool end = strcmp(event, "end") == 0;
	const char *stage = json_text(data, end ? "outcome" : "stage", "");
	int64_t iteration = json_number(data, "iteration", 0);
	struct course_stage *last;

	if (!*stage)
		return;
	end = end || is_end(stage);
	/* After the end only the end is told again. */
	if (!migration || (migration->outcome && !end))
		migration = APPEND(course->migrations, course->migration_count,
				   (struct course_migration){.guest = guest->name,
							     .source = host,
							     .reason = "",
							     .from_ns = at,
							     .to_ns = at,
							     .downtime_ns = -1});
	if (end) {
		end_migration(migration, data, stage, at);
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
					     .remaining = course_remaining(data)});
	else if (last->remaining < 0)
		last->remaining = course_remaining(data);
}

/* What a guest says itself is a sign of life, between the reports of its heartbeats too. */
static void take_word(struct course_guest *guest, const char *host, const char *witness, int64_t at)
{
	static const char *const own[] = {"kmsg", "trace", "workload", "interrupts", "meminfo"};
	const struct course_life *life = life_of(guest);

	if (guest->silent || (life && strcmp(life->host, host) != 0))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (strcmp(witness, own[i]) == 0)
			hear(guest, host, at, at);
}

static void take_event(struct course *course, const json_t *event, int64_t at)
{
	const char *name = json_text(event, "guest", NULL), *witness;
	const char *host = note_host(course, json_text(event, "host", NULL));
	const json_t *data = json_object_get(event, "data");
	struct course_guest *guest;

	if (!name)
		return;
	guest = note_guest(course, name);
	witness = json_text(event, "witness", "");
	if (!host)
		return;
	if (strcmp(witness, "heartbeat") == 0)
		take_heartbeat(guest, host, data, at);
	else if (strcmp(witness, "guest-link") == 0)
		take_link(guest, host, data, at);
	else if (strcmp(witness, "migration") == 0)
		take_migration(course, guest, host, data, at);
	else
		take_word(guest, host, witness, at);
}

static void take_record(struct course *course, const json_t *record)
{
	const char *type = json_text(record, "type", "");
	const json_t *body = json_object_get(record, "body");
	struct course_guest *guest;

	if (strcmp(type, "event") == 0) {
		take_event(course, body, course_time(course, record));
	} else if (strcmp(type, "boot") == 0) {
		note_host(course, json_text(body, "host", NULL));
	} else if (strcmp(type, "guest") == 0 && json_text(body, "guest", NULL)) {
		note_host(course, json_text(body, "host", NULL));
		guest = note_guest(course, json_text(body, "guest", NULL));
		if (!guest->record)
			guest->record = body;
	}
}

/* A guest was away for as long as it stood still at least, also where its last beat is not known that exactly. */
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
	for (size_t i = 0; i < guest->life_count; i++)
		if (guest->lives[i].host == hole->host && guest->lives[i].from_ns < hole->from_ns &&
		    guest->lives[i].to_ns <= hole->to_ns)
			guest->lives[i].to_ns = hole->from_ns;
}

/* Where a guest was heard after a migration; and for how long it stood still, where the judge has measured it. */
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

/* Of a guest whose host died nobody tells that it is silent. */
static void end_guest(struct course *course, struct course_guest *guest)
{
	const struct course_life *life = life_of(guest);
	struct course_hole *hole = hole_of(guest);

	if (hole && hole->open)
		hole->to_ns = course->end_ns;
	else if (life && course->end_ns - life->to_ns > 2 * REPORT_NS)
		APPEND(guest->holes, guest->hole_count,
		       (struct course_hole){.kind = COURSE_SILENT,
					    .host = life->host,
					    .from_ns = life->to_ns,
					    .to_ns = course->end_ns,
					    .open = true});
}

static void set_zero(struct course *course)
{
	const json_t *zero = json_array_get(course->records, 0);
	json_t *record;
	size_t index;

	json_array_foreach (course->records, index, record)
		if (strcmp(json_text(record, "type", ""), "intent") == 0) {
			course->fired = true;
			zero = record;
			break;
		}
	course->zero_ns = json_number(zero, "time_ns", 0);
}

/**
 * course_new - the course of the last attempt of a trial
 * @records: of the journal; borrowed while the course lives
 * @result:  of the trial, for its id and for the downtime that was measured
 *
 * Return: owned by the caller, for course_free().
 */
struct course *course_new(const json_t *records, const json_t *result)
{
	struct course *course = xzalloc(sizeof(*course));
	int64_t downtime = metric_ns(result, "guest_downtime");
	json_t *record;
	size_t index;

	course->records = story_records(records, json_text(result, "trial", ""));
	set_zero(course);
	json_array_foreach (course->records, index, record) {
		take_record(course, record);
		course->end_ns = course_time(course, record);
	}
	/* The metric is of one move: with more than one guest or migration nobody knows of which. */
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
		free(course->guests[i].lives);
		free(course->guests[i].holes);
	}
	for (size_t i = 0; i < course->migration_count; i++)
		free(course->migrations[i].stages);
	free(course->guests);
	free(course->migrations);
	free(course->hosts);
	json_decref(course->records);
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
