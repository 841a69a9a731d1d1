/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_REPORTS_COURSE_H
#define BRINELL_REPORTS_COURSE_H

#include "harness/evidence/record.h"

/* All times are nanoseconds from the intent, on the controller's clock; all texts and JSON are borrowed from the records. */

/**
 * struct course_stage - a stage of a migration, or one iteration of it
 * @name:      "setup", "pre-copy", "switchover", "post-copy"
 * @iteration: of pre-copy, from 1; 0 when it is not known
 * @remaining: bytes that were left when it began, -1 when it is not known
 */
struct course_stage {
	const char *name;
	int64_t iteration;
	int64_t from_ns, to_ns;
	int64_t remaining;
};

/**
 * struct course_migration - one migration of a guest
 * @source:      host that sends
 * @target:      host on which the guest showed a sign of life afterwards, or NULL
 * @outcome:     "completed", "cancelled", "failed", "refused"; NULL when its end was never reported
 * @reason:      why it failed, or ""
 * @downtime_ns: as the hypervisor reports, -1 when it does not
 */
struct course_migration {
	const char *guest, *source, *target, *outcome, *reason;
	struct course_stage *stages;
	size_t stage_count;
	int64_t from_ns, to_ns, downtime_ns;
};

/**
 * struct course_stay - a time with signs of life of a guest on one host
 * @longest_ns: between two heartbeats
 */
struct course_stay {
	const char *host;
	int64_t from_ns, to_ns;
	int64_t beats, missed, longest_ns;
};

enum course_hole_kind {
	COURSE_GAP,
	COURSE_MOVE,
	COURSE_SILENT
};

/**
 * struct course_hole - a time without a sign of life of a guest
 * @kind:   a gap between two heartbeats on one host; from the last on one host to the first on another; or a silence
 * @open:   a silence that never ended
 * @clocks: the advance of the guest's own clocks meanwhile, or NULL
 * @downtime_ns: of a move: the part of it in which the guest was stopped, as measured by the judge; 0 when it was not measured
 */
struct course_hole {
	enum course_hole_kind kind;
	const char *host, *next;
	int64_t from_ns, to_ns;
	bool open;
	const json_t *clocks;
	int64_t downtime_ns;
};

/**
 * struct course_guest - what is known of a guest
 * @record: its first guest record, or NULL
 */
struct course_guest {
	const char *name;
	const struct record *record;
	struct course_stay *stays;
	size_t stay_count;
	struct course_hole *holes;
	size_t hole_count;
	/* Of the last stay: it ended in silence, or its stream broke. */
	bool silent, ended;
};

/**
 * struct course - what happened in the last attempt of a trial
 * @records, @record_count: of the attempt, in order
 * @fired:   time zero is an intent; else the first record
 * @end_ns:  of the last record
 */
struct course {
	struct record *records;
	size_t record_count;
	int64_t zero_ns, end_ns;
	bool fired;
	const char **hosts;
	size_t host_count;
	struct course_guest *guests;
	size_t guest_count;
	struct course_migration *migrations;
	size_t migration_count;
};

struct course *course_new(const json_t *records, const json_t *result);
void course_free(struct course *course);
int64_t course_offset(const struct course *course, int64_t time_ns);
int64_t course_time(const struct course *course, const struct record *record);
const struct record *course_find(const struct course *course, enum record_type type);
int64_t course_first(const struct course *course);
bool course_is_liveness(const struct record *record);
int64_t course_stage_ns(const struct course_migration *migration, const char *name,
			int64_t *from_ns);

static inline void cleanup_course(struct course **course)
{
	course_free(*course);
}

#define __cleanup_course __attribute__((cleanup(cleanup_course)))

#endif
