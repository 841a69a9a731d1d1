// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a scenario expects of these versions of the software, and which of its failures are known.
 */
#include <string.h>

#include "harness/judge/expect/expect.h"
#include "harness/lib/key.h"
#include "harness/lib/version.h"

#define KNOWN "known-failure"

/* The kernel is that of the target host; the other software is that which started the subject. */
static void find_versions(struct trial_case *trial)
{
	for_each_record (trial, record) {
		if (record->type == RECORD_BOOT && case_on_host(trial, record) &&
		    !json_object_get(trial->versions, "kernel"))
			json_object_set(trial->versions, "kernel",
					json_object_get(record->body, "kernel"));
		if (record->type == RECORD_GUEST && record->guest && trial->guest_name &&
		    strcmp(record->guest, trial->guest_name) == 0)
			json_object_update_missing(trial->versions,
						   json_object_get(record->guest_start.facts,
								   "software"));
	}
}

/**
 * struct match - whether conditions on versions hold
 * @unknown: software of a condition with unknown version; NULL: none
 * @differs: software of another version; NULL: none
 */
struct match {
	const char *unknown, *differs;
};

static struct match match_versions(const struct trial_case *trial, const json_t *conditions)
{
	struct match match = {NULL, NULL};
	const char *name;
	json_t *condition;

	json_object_foreach ((json_t *)conditions, name, condition) {
		const char *text = json_string_value(condition);
		const char *version = json_text(trial->versions, name, NULL);

		if (!version)
			match.unknown = name;
		else if (!text || version_check(text, NULL) || !version_holds(text, version))
			match.differs = name;
	}
	return match;
}

/* Not compared with anything: a reader has to know which expectations these are. */
static struct reason *note(struct trial_case *trial)
{
	struct finding *finding = add_finding(trial, STATE_MET, false, CODE_NONE);

	finding->what = "versions";
	return &finding->reason;
}

static void apply(struct trial_case *trial, const json_t *entry, size_t index)
{
	const json_t *conditions = json_object_get(entry, "when");
	__cleanup_free char *text = json_dumps(conditions, JSON_COMPACT | JSON_ENCODE_ANY);
	__cleanup_json json_t *changes = keys_hyphenated(json_object_get(entry, "expect"));

	json_object_update(trial->expect, changes);
	(void)fail(note(trial), 0, "entry %zu of 'versions' applies: %.200s", index + 1,
		   text ? text : "");
}

/**
 * case_read_versions - what the trial ran with, and the expectations that hold for it
 * @trial: its expectations are changed by the first entry of `versions` whose conditions all hold
 *
 * No condition on an unknown version holds; the checks report it.
 */
void case_read_versions(struct trial_case *trial)
{
	const json_t *entries = case_section(trial, "versions"), *entry;
	size_t index;

	find_versions(trial);
	if (json_object_get(case_section(trial, KNOWN), "match"))
		(void)fail(note(trial), 0,
			   "the 'known-failure' of this journal is not read: it has 'match', where "
			   "this version reads 'code'");
	json_array_foreach (entries, index, entry) {
		const json_t *conditions = json_object_get(entry, "when");
		struct match match = match_versions(trial, conditions);

		if (match.unknown)
			(void)fail(
				note(trial), 0,
				"entry %zu of 'versions' does not apply: the version of %s is not "
				"known",
				index + 1, match.unknown);
		else if (!match.differs && json_object_size(conditions))
			return apply(trial, entry, index);
	}
}

/*
 * The entries of `known-failure` that hold in these versions; owned by the caller. Journals of versions before reason codes compared
 * the reason's text (`match`); nothing is known of their failures.
 */
static json_t *entries_here(const struct trial_case *trial)
{
	static const char *const others[] = {"match", "code", "evidence", "rare", "reason"};
	json_t *known = (json_t *)case_section(trial, KNOWN), *each, *here = json_array();
	__cleanup_json json_t *list =
		json_is_array(known) ? json_incref(known) : json_pack("[O*]", known);
	size_t index;

	json_array_foreach (list, index, each) {
		__cleanup_json json_t *conditions = json_copy(each);
		struct match match;

		for (size_t i = 0; i < ARRAY_SIZE(others); i++)
			json_object_del(conditions, others[i]);
		match = match_versions(trial, conditions);
		if (json_object_get(each, "code") && !match.unknown && !match.differs)
			json_array_append(here, each);
	}
	return here;
}

/* A rare failure does not occur in each trial: a pass is no sign that it is gone. */
static bool is_gone_in_a_pass(const json_t *entries)
{
	json_t *each;
	size_t index;

	json_array_foreach ((json_t *)entries, index, each)
		if (json_is_true(json_object_get(each, "rare")))
			return false;
	return json_array_size(entries) > 0;
}

static bool names_code(const json_t *entry, enum code code)
{
	json_t *each;
	size_t index;

	json_array_foreach (json_object_get(entry, "code"), index, each)
		if (json_is_string(each) && strcmp(json_string_value(each), code_name(code)) == 0)
			return true;
	return false;
}

static bool is_cited(const struct trial_case *trial, const char *pattern)
{
	struct reason why = {""};
	json_t *cited;
	size_t index;

	json_array_foreach (trial->evidence, index, cited)
		if (regex_matches(pattern, json_text(cited, "text", ""), &why))
			return true;
	return false;
}

/*
 * The entry for a code. @text: line that its pattern must match; NULL: any line of the quoted evidence. Borrowed; NULL: there is none.
 */
static const json_t *find_entry(const struct trial_case *trial, const json_t *entries,
				enum code code, const char *text)
{
	struct reason why = {""};
	json_t *each;
	size_t index;

	json_array_foreach ((json_t *)entries, index, each) {
		const char *pattern = json_text(each, "evidence", NULL);

		if (names_code(each, code) &&
		    (!pattern ||
		     (text ? regex_matches(pattern, text, &why) : is_cited(trial, pattern))))
			return each;
	}
	return NULL;
}

/*
 * Whether something else is harmed than what is known: a host or a bystander does not go down because a guest is known to. The ends
 * of the process, the guest and its migration imply each other.
 */
static bool is_harmed_otherwise(const struct trial_case *trial, const json_t *entries)
{
	for (size_t i = 0; i < trial->finding_count; i++) {
		const struct finding *finding = &trial->findings[i];

		if (finding->state == STATE_BROKEN && finding->harm &&
		    is_one_of(finding->what, "kernel", "host", "guests", "conversion", "iommu",
			      "dma", "not-log", "not-guest-log") &&
		    !find_entry(trial, entries, finding->code, NULL))
			return true;
	}
	return false;
}

/* The result quotes one line of damage, and one violation of a storm; the others must be known, too. */
static bool is_more_reported(const struct trial_case *trial, const json_t *entries)
{
	static const struct {
		const char *event;
		enum code code;
	} violations[] = {
		{"torn", CODE_CONVERSION_TORN},
		{"corrupted", CODE_CONVERSION_CORRUPTED},
		{"broken", CODE_CONVERSION_UNEXPLAINED},
	};

	for (size_t i = 0; i < trial->damage_count; i++)
		if (is_harm(trial, trial->damage[i]) &&
		    !find_entry(trial, entries, CODE_KERNEL_DAMAGED,
				record_quote(trial->damage[i])))
			return true;
	for_each_record (trial, record)
		for (size_t i = 0; i < ARRAY_SIZE(violations); i++)
			if (event_is_from(record, SOURCE_USERS) &&
			    strcmp(record->event.name, violations[i].event) == 0 &&
			    !find_entry(trial, entries, violations[i].code, record_quote(record)))
				return true;
	return false;
}

/**
 * case_known_failure - whether the scenario names a failure as known
 * @code:    of the verdict
 * @fixed_if_passed: receives whether a pass means that it is gone: it is known of these versions, and not rare
 *
 * Return: what is broken, when @code, and the evidence if a pattern is given, are what is known, and no other harm was done; else NULL.
 * Borrowed from the records.
 */
const char *case_known_failure(const struct trial_case *trial, enum code code,
			       bool *fixed_if_passed)
{
	__cleanup_json json_t *entries = entries_here(trial);
	const json_t *entry = find_entry(trial, entries, code, NULL);

	*fixed_if_passed = is_gone_in_a_pass(entries);
	if (!entry || is_harmed_otherwise(trial, entries) || is_more_reported(trial, entries))
		return NULL;
	return json_text(entry, "reason", "no reason given");
}
