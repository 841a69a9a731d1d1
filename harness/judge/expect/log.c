// SPDX-License-Identifier: GPL-2.0-only
/*
 * Expected and forbidden lines: in the kernel log of the host, in that of the guest, and in the texts of other witnesses.
 */
#include <string.h>

#include "harness/judge/axes/axes.h"
#include "harness/judge/expect/expect.h"

/**
 * struct lines - where lines are looked for
 * @name:      for people
 * @witness:   source of the lines; NULL: all sources that show the kernel's log
 * @of_guest:  lines of the guest that the trial is about; else of the host that was struck
 * @of_any:    of any host and guest
 * @seen:      it was followed, or at least one line is on record
 * @lost:      lines of it were lost
 * @complete:  its writer lived to the end of the trial
 */
struct lines {
	const char *name;
	const char *witness;
	bool of_guest, of_any;
	bool seen, lost, complete;
};

static struct lines host_log(const struct trial_case *trial)
{
	return (struct lines){
		.name = "the kernel log",
		.seen = trial->log_seen,
		.lost = trial->loss || trial->log_folded,
		.complete = ran_its_course(trial),
	};
}

static struct lines guest_log(const struct trial_case *trial)
{
	enum guest_axis axis = case_guest_axis(trial);

	return (struct lines){
		.name = "the guest's kernel log",
		.of_guest = true,
		.seen = trial->guest_log_seen,
		.lost = trial->guest_loss,
		.complete = ran_its_course(trial) &&
			    (axis == GUEST_UNHARMED || axis == GUEST_CONTAINED),
	};
}

static struct lines events_of(const struct trial_case *trial, const char *witness)
{
	bool of_guest = !is_one_of(witness, GUEST_SOURCES(TABLE_WORD) NULL);
	bool of_host = is_one_of(witness, BELOW_SOURCES(TABLE_WORD) NULL);

	return (struct lines){
		.name = witness,
		.witness = witness,
		/* The trace is one that hosts have too: here it is that of the guest. */
		.of_guest = of_guest && !of_host,
		.of_any = !of_guest,
		.lost = trial->hypervisor_lost && strcmp(witness, "hypervisor") == 0,
		.complete = ran_its_course(trial),
	};
}

static bool is_of(const struct trial_case *trial, const struct lines *source,
		  const struct record *record)
{
	if (source->of_any)
		return true;
	if (source->of_guest)
		return record->guest && trial->guest_name &&
		       strcmp(record->guest, trial->guest_name) == 0;
	return !record->guest && case_on_host(trial, record);
}

static bool is_line(const struct trial_case *trial, const struct lines *source,
		    const struct record *record)
{
	if (record->type != RECORD_EVENT || !is_of(trial, source, record))
		return false;
	if (source->witness)
		return strcmp(record->event.witness, source->witness) == 0;
	return case_format(trial, record) == FORMAT_KERNEL_LOG && case_is_of_kernel(trial, record);
}

/* A domain may have no console: a source without any line in this trial proves no absence. */
static bool has_lines(const struct trial_case *trial, const struct lines *source)
{
	for_each_record (trial, record)
		if (is_line(trial, source, record))
			return true;
	return false;
}

/* A line about another page or process, or one that a program wrote to a console, meets no expectation. */
static bool can_show(const struct trial_case *trial, const struct lines *source,
		     const struct record *record)
{
	const struct kernel_line *line = case_line(trial, record);

	return source->witness ||
	       (!case_console_is_alone(trial, record) &&
		(!kernel_line_is_error(line->meaning) ||
		 scope_relation(source->of_guest ? &trial->in_guest : &trial->on_host, line) !=
			 RELATION_FOREIGN));
}

static const struct record *find_line(const struct trial_case *trial, const struct lines *source,
				      const char *pattern, bool forbidden, struct reason *why)
{
	if (regex_check(pattern, why))
		return NULL;
	for_each_record (trial, record)
		if (case_counts(trial, record) && is_line(trial, source, record) &&
		    regex_matches(pattern, record->event.text, why) &&
		    (forbidden || can_show(trial, source, record)) && !case_is_older(trial, record))
			return record;
	return NULL;
}

static void expect_line(struct trial_case *trial, const struct lines *source, const char *pattern,
			const struct record *line)
{
	if (line)
		met(trial);
	else if (source->seen && !source->lost && source->complete)
		broken(trial, CODE_LINE_MISSING, "no line of %s matches '%.200s'", source->name,
		       pattern);
	else
		unknown(trial, CODE_LINE_NOT_SEEN, "no line of %s matches '%.200s'%s", source->name,
			pattern, source->lost ? ", and some were lost" : "");
}

static void expect_no_line(struct trial_case *trial, const struct lines *source,
			   const char *pattern, const struct record *line)
{
	if (line)
		harmed(trial, CODE_FORBIDDEN_LINE, "%s holds what it must not: %.300s",
		       source->name, line->event.text);
	else if (source->lost)
		unknown(trial, CODE_LOG_LOST,
			"records of %s were lost: '%.200s' could be among them", source->name,
			pattern);
	else if (!source->seen)
		unknown(trial, CODE_LOG_NOT_SEEN,
			"no line of %s was seen: whether '%.200s' is missing from it is not known",
			source->name, pattern);
	else
		met(trial);
}

/* @key: of the expectation; its evidence is cited under it. */
static void expect_patterns(struct trial_case *trial, const char *key, const json_t *patterns,
			    struct lines source)
{
	bool forbidden = strncmp(key, "not-", strlen("not-")) == 0;

	for (size_t i = 0; i < json_array_size(patterns); i++) {
		const char *pattern = json_string_value(json_array_get(patterns, i)) ?: "(";
		struct reason why = {""};
		const struct record *line = find_line(trial, &source, pattern, forbidden, &why);

		if (line)
			case_cite(trial, line, key);
		if (!line && why.text[0])
			unknown(trial, CODE_BAD_PATTERN, "%s", why.text);
		else if (forbidden)
			expect_no_line(trial, &source, pattern, line);
		else
			expect_line(trial, &source, pattern, line);
	}
}

void expect_log(struct trial_case *trial)
{
	expect_patterns(trial, "log", json_object_get(trial->expect, "log"), host_log(trial));
}

void expect_not_log(struct trial_case *trial)
{
	expect_patterns(trial, "not-log", json_object_get(trial->expect, "not-log"),
			host_log(trial));
}

void expect_guest_log(struct trial_case *trial)
{
	expect_patterns(trial, "guest-log", json_object_get(trial->expect, "guest-log"),
			guest_log(trial));
}

void expect_not_guest_log(struct trial_case *trial)
{
	expect_patterns(trial, "not-guest-log", json_object_get(trial->expect, "not-guest-log"),
			guest_log(trial));
}

void expect_events(struct trial_case *trial)
{
	const char *witness;
	json_t *patterns;

	json_object_foreach (json_object_get(trial->expect, "events"), witness, patterns) {
		struct lines source = events_of(trial, witness);

		source.seen = has_lines(trial, &source);
		expect_patterns(trial, "events", patterns, source);
	}
}
