// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a scenario expects to read, or not to read: in the kernel log of the host, in that of the guest, and in what other
 * witnesses tell of guests.
 */
#include <string.h>

#include "harness/judge/axes/axes.h"
#include "harness/judge/expect/expect.h"

/**
 * struct source - where lines are looked for
 * @name:      for people
 * @witness:   whose texts are its lines; NULL: all that show the kernel's log
 * @of_guest:  lines of the guest that the trial is about; else of the host that was struck
 * @of_any:    of any host and guest
 * @seen:      it was followed, or at least one line was heard
 * @lost:      lines of it were lost
 * @complete:  whoever writes it lived to the end of the trial
 */
struct source {
	const char *name;
	const char *witness;
	bool of_guest, of_any;
	bool seen, lost, complete;
};

static struct source host_log(const struct trial_case *trial)
{
	return (struct source){
		.name = "the kernel log",
		.seen = trial->log_seen,
		.lost = trial->log_lost,
		.complete = ran_its_course(trial),
	};
}

static struct source guest_log(const struct trial_case *trial)
{
	enum guest_axis axis = case_guest_axis(trial);

	return (struct source){
		.name = "the guest's kernel log",
		.of_guest = true,
		.seen = trial->guest_log_seen,
		.lost = trial->guest_log_lost,
		.complete = ran_its_course(trial) &&
			    (axis == GUEST_UNHARMED || axis == GUEST_CONTAINED),
	};
}

static bool is_source_about_guests(const char *name)
{
	static const char *const names[] = {GUEST_SOURCES(TABLE_WORD)};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static struct source events_of(const struct trial_case *trial, const char *witness)
{
	/* The others of them look on hosts too. */
	bool of_guest = !is_source_about_guests(witness);

	return (struct source){
		.name = witness,
		.witness = witness,
		.of_guest = of_guest,
		.of_any = !of_guest,
		.lost = trial->hypervisor_lost && strcmp(witness, "hypervisor") == 0,
		.complete = ran_its_course(trial),
	};
}

static bool is_of(const struct trial_case *trial, const struct source *source, const json_t *record)
{
	const char *guest = event_guest(record);

	if (source->of_any)
		return true;
	if (source->of_guest)
		return guest && trial->guest_name && strcmp(guest, trial->guest_name) == 0;
	return !guest && case_on_host(trial, record_body(record));
}

static bool is_line(const struct trial_case *trial, const struct source *source,
		    const json_t *record)
{
	if (!record_is(record, "event") || !is_of(trial, source, record))
		return false;
	if (source->witness)
		return strcmp(event_witness(record), source->witness) == 0;
	return case_format(trial, record) == FORMAT_KERNEL_LOG && event_is_of_kernel(record);
}

/* A domain without a console shows nothing on it: silence of who never spoke in this trial is no answer. */
static bool has_spoken(const struct trial_case *trial, const struct source *source)
{
	size_t index;
	json_t *record;

	json_array_foreach (trial->records, index, record)
		if (is_line(trial, source, record))
			return true;
	return false;
}

static const json_t *find_line(const struct trial_case *trial, const struct source *source,
			       const char *pattern, struct reason *why)
{
	size_t index;
	json_t *record;

	if (regex_check(pattern, why))
		return NULL;
	json_array_foreach (trial->records, index, record)
		if (case_counts(trial, index) && is_line(trial, source, record) &&
		    regex_matches(pattern, record_text(record), why))
			return record;
	return NULL;
}

static void expect_line(struct trial_case *trial, const struct source *source, const char *pattern,
			const json_t *line)
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

static void expect_no_line(struct trial_case *trial, const struct source *source,
			   const char *pattern, const json_t *line)
{
	if (line)
		harmed(trial, CODE_FORBIDDEN_LINE, "%s holds what it must not: %.300s",
		       source->name, record_text(line));
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
			    struct source source)
{
	bool forbidden = strncmp(key, "not-", strlen("not-")) == 0;

	for (size_t i = 0; i < json_array_size(patterns); i++) {
		const char *pattern = json_string_value(json_array_get(patterns, i)) ?: "(";
		struct reason why = {""};
		const json_t *line = find_line(trial, &source, pattern, &why);

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
		struct source source = events_of(trial, witness);

		source.seen = has_spoken(trial, &source);
		expect_patterns(trial, "events", patterns, source);
	}
}
