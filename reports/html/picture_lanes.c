// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lanes of a timeline, and which record is a mark on which: one a witness; with guests under the name of the guest or
 * host that they are about.
 */
#include <string.h>

#include "reports/html/picture.h"

#define WITNESS_HEIGHT 30
#define HEADING_HEIGHT 36
#define STAY_HEIGHT 38

static bool same(const char *one, const char *other)
{
	return one && other ? strcmp(one, other) == 0 : one == other;
}

/* The judge quotes a record with its witness and its time. */
static bool is_proof(const struct picture *picture, const struct record *record)
{
	json_t *cited;
	size_t index;

	json_array_foreach (json_object_get(picture->result, "evidence"), index, cited)
		if (json_number(cited, "time_ns", -1) == record->written_ns &&
		    json_is(cited, "witness", record->event.witness))
			return true;
	return false;
}

static bool tells_death(const struct event_record *event)
{
	return is_one_of(event->name, "panicked", "crashed", "host-died") ||
	       strstr(event->text, "Kernel panic - not syncing") != NULL;
}

static void mark_event(const struct picture *picture, const struct record *record,
		       struct mark *mark)
{
	const struct event_record *event = &record->event;
	bool of_host;

	mark->name = event->witness;
	mark->guest = record->guest;
	mark->host = record->host;
	mark->proof = is_proof(picture, record);
	mark->shape = tells_death(event)		 ? MARK_DEATH
		      : event_is_named(record, "signal") ? MARK_SIGNAL
							 : MARK_EVENT;
	if (event->source == SOURCE_ENGINE) {
		mark->name = "harness";
		mark->guest = mark->host = NULL;
	}
	if (mark->guest && mark->host &&
	    (event->source == SOURCE_GUEST_LINK || event->source == SOURCE_HEARTBEAT)) {
		mark->name = NULL;
		return;
	}
	/* An event of the guest program belongs to the guest on any host; an event of a host about the guest belongs to that host. */
	of_host = event->source == SOURCE_HYPERVISOR || event->source == SOURCE_GUEST_CONSOLE;
	if (mark->guest && !(of_host && picture->course->host_count > 1))
		mark->host = NULL;
}

/**
 * mark_of - how a record is drawn
 *
 * Return: false when it is no mark: it is reported otherwise, or it is no moment of the trial.
 */
bool mark_of(const struct picture *picture, const struct record *record, struct mark *mark)
{
	*mark = (struct mark){.name = "harness", .at_ns = course_time(picture->course, record)};
	switch (record->type) {
	case RECORD_STEP:
		mark->shape = same(record->step.kind, "touch") ? MARK_TOUCH : MARK_STEP;
		break;
	case RECORD_CLOSE:
		mark->shape = MARK_STEP;
		break;
	case RECORD_BOOT:
		mark->shape = MARK_STEP;
		mark->name = "boot";
		mark->host = record->host;
		break;
	case RECORD_EVENT:
		if (course_is_liveness(record))
			return false;
		mark_event(picture, record, mark);
		break;
	default:
		return false;
	}
	if (!picture->grouped)
		mark->guest = mark->host = NULL;
	return true;
}

/** lane_of - the lane of a mark, or NULL when there was no room for one */
const struct lane *lane_of(const struct picture *picture, const struct mark *mark)
{
	for (size_t i = 0; i < picture->lane_count; i++) {
		const struct lane *lane = &picture->lanes[i];

		if (mark->name ? lane->kind == LANE_WITNESS && same(lane->name, mark->name)
			       : lane->kind == LANE_STAY)
			if (same(lane->guest, mark->guest) && same(lane->host, mark->host))
				return lane;
	}
	return NULL;
}

static void add_lane(struct picture *picture, enum lane_kind kind, const char *name,
		     const char *guest, const char *host)
{
	static const int heights[] = {
		[LANE_HEADING] = HEADING_HEIGHT,
		[LANE_WITNESS] = WITNESS_HEIGHT,
		[LANE_STAY] = STAY_HEIGHT,
	};
	int height = kind == LANE_MIGRATION ? bands_height(picture, guest) : heights[kind];

	if (picture->lane_count == LANE_LIMIT)
		return;
	picture->lanes[picture->lane_count++] = (struct lane){
		.kind = kind,
		.name = name,
		.guest = guest,
		.host = host,
		.y = picture->bottom + height / 2,
		.height = height,
	};
	picture->bottom += height;
}

/*
 * A lane for each witness of a guest or a host that has a mark in the time that is drawn. Without @host those that are about
 * the guest wherever it is.
 */
static void add_witnesses(struct picture *picture, const char *guest, const char *host)
{
	for_each_record (picture->course, record) {
		struct mark mark;

		if (!mark_of(picture, record, &mark) || !mark.name ||
		    !picture_sees(picture, mark.at_ns, mark.at_ns) || !same(mark.guest, guest) ||
		    !same(mark.host, host) || lane_of(picture, &mark))
			continue;
		add_lane(picture, LANE_WITNESS, mark.name, mark.guest, mark.host);
	}
}

static bool stays_on(const struct picture *picture, const struct course_guest *guest,
		     const char *host)
{
	for (size_t i = 0; i < guest->stay_count; i++)
		if (same(guest->stays[i].host, host) &&
		    picture_sees(picture, guest->stays[i].from_ns, guest->stays[i].to_ns))
			return true;
	for (size_t i = 0; i < guest->hole_count; i++)
		if (same(guest->holes[i].host, host) &&
		    picture_sees(picture, guest->holes[i].from_ns, guest->holes[i].to_ns))
			return true;
	for_each_record (picture->course, record) {
		struct mark mark;

		if (mark_of(picture, record, &mark) && !mark.name &&
		    same(mark.guest, guest->name) && same(mark.host, host) &&
		    picture_sees(picture, mark.at_ns, mark.at_ns))
			return true;
	}
	return false;
}

/* Removes a heading without lanes. */
static void end_group(struct picture *picture)
{
	if (picture->lanes[picture->lane_count - 1].kind != LANE_HEADING)
		return;
	picture->lane_count--;
	picture->bottom -= HEADING_HEIGHT;
}

static void add_guest(struct picture *picture, const struct course_guest *guest)
{
	const struct course *course = picture->course;

	add_lane(picture, LANE_HEADING, guest->name, guest->name, NULL);
	for (size_t i = 0; i < course->migration_count; i++)
		if (same(course->migrations[i].guest, guest->name) &&
		    picture_sees(picture, course->migrations[i].from_ns,
				 course->migrations[i].to_ns)) {
			add_lane(picture, LANE_MIGRATION, "migration", guest->name, NULL);
			break;
		}
	for (size_t i = 0; i < course->host_count; i++)
		if (stays_on(picture, guest, course->hosts[i]))
			add_lane(picture, LANE_STAY, NULL, guest->name, course->hosts[i]);
	for (size_t i = 0; i < course->host_count; i++)
		add_witnesses(picture, guest->name, course->hosts[i]);
	add_witnesses(picture, guest->name, NULL);
	end_group(picture);
}

/** lanes_find - the lanes of what there is to see in the time of a picture */
void lanes_find(struct picture *picture)
{
	const struct course *course = picture->course;

	picture->lane_count = 0;
	picture->bottom = picture->top;
	if (!picture->grouped)
		add_lane(picture, LANE_WITNESS, "harness", NULL, NULL);
	add_witnesses(picture, NULL, NULL);
	if (!picture->grouped)
		return;
	for (size_t i = 0; i < course->guest_count; i++)
		add_guest(picture, &course->guests[i]);
	for (size_t i = 0; i < course->host_count; i++) {
		add_lane(picture, LANE_HEADING, course->hosts[i], NULL, course->hosts[i]);
		add_witnesses(picture, NULL, course->hosts[i]);
		end_group(picture);
	}
}
