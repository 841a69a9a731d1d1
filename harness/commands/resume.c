// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell resume: finish a run that was cut off, without losing a trial, counting one twice, or firing a fault again
 * whose intent was on record.
 */
#include <errno.h>
#include <string.h>

#include "harness/commands/compare_command.h"
#include "harness/compare/rounds.h"
#include "harness/lib/registry.h"
#include "harness/trial/session.h"

static const char usage[] =
	"usage: brinell resume DIR\n"
	"\n"
	"Finishes the run, or the comparison, in DIR that was cut off. A trial whose intent was on "
	"record is closed\n"
	"from its evidence and not run again, as is one whose intent may be among damaged lines; "
	"a\n"
	"trial that had not come so far is run; those with a verdict keep it.\n";

static bool has_record(const json_t *records, const char *trial, const char *type)
{
	const json_t *record;
	size_t index;

	json_array_foreach ((json_t *)records, index, record)
		if (strcmp(json_text(record, "trial", ""), trial) == 0 &&
		    strcmp(json_text(record, "type", ""), type) == 0)
			return true;
	return false;
}

static size_t place_of(const struct plan *plan, const json_t *record)
{
	const char *id = json_text(record, "trial", "");

	for (size_t i = 0; i < plan->count; i++)
		if (strcmp(plan->trials[i].id, id) == 0)
			return i;
	return plan->count;
}

/*
 * Could an intent of this trial be among lines that were lost? Trials are written one after the other, so it could if
 * the last trial before the damage is not a later one, and the first behind it not an earlier one.
 */
static bool may_have_fired(const json_t *records, const struct plan *plan, size_t trial)
{
	size_t before = 0, index;
	bool damaged = false;
	const json_t *record;

	if (has_record(records, plan->trials[trial].id, "intent") ||
	    has_record(records, plan->trials[trial].id, "outcome"))
		return true;
	json_array_foreach ((json_t *)records, index, record) {
		size_t place = place_of(plan, record);

		if (strcmp(json_text(record, "type", ""), JOURNAL_DAMAGE) == 0) {
			damaged = true;
		} else if (place < plan->count) {
			if (damaged && before <= trial && trial <= place)
				return true;
			damaged = false;
			before = place;
		}
	}
	/* Nothing of a later trial is there: only the one that ran then, or the next, can have been hit. */
	return damaged && before <= trial && trial <= before + 1;
}

static const json_t *run_body(const json_t *records)
{
	return json_object_get(json_array_get(records, 0), "body");
}

static int close_cut_off(struct journal *journal, const json_t *records, struct plan *plan)
{
	__cleanup_json json_t *closed = json_array();
	int error = 0;

	for (size_t i = 0; i < plan->count && !error; i++) {
		struct planned_trial *trial = &plan->trials[i];

		if (trial->done || !may_have_fired(records, plan, i))
			continue;
		error = engine_close_from_evidence(journal, records, trial->id);
		trial->done = true;
		json_array_append_new(closed, json_string(trial->id));
		log_info("trial %s (%s) was cut off after its intent: closed from its evidence",
			 trial->id, trial->scenario->name);
	}
	if (!error)
		error = journal_append(journal, "resume", NULL,
				       json_pack("{s:O}", "closed", closed));
	return error;
}

static void tell_damage(const struct journal_damage *damage)
{
	if (damage->torn_bytes)
		log_warning("the journal ended in the middle of a record: %zu bytes were cut off "
			    "and kept beside it",
			    damage->torn_bytes);
	if (damage->bad_lines)
		log_warning("the journal is damaged in %u lines (the first is line %u): trials "
			    "around them can not pass",
			    damage->bad_lines, damage->first_bad);
}

static int resume_comparison(const char *directory)
{
	__cleanup_json json_t *plan = NULL;
	struct reason why = {0};

	if (rounds_load(directory, &plan, &why)) {
		log_error("%s", why.text);
		return EXIT_USAGE;
	}
	return compare_finish(directory, plan, false);
}

static int resume(int argc, char **argv)
{
	__cleanup_json json_t *records = NULL;
	__cleanup_free char *comparison = NULL;
	struct journal_damage damage = {0};
	struct journal *journal = NULL;
	struct plan plan = {0};
	struct reason why = {0};
	int code = EXIT_USAGE;
	int error;

	if (argc != 2) {
		log_error("resume: give the one directory of the run; see brinell resume --help");
		return EXIT_USAGE;
	}
	comparison = format_text("%s/%s", argv[1], COMPARISON_FILE);
	if (access(comparison, F_OK) == 0)
		return resume_comparison(argv[1]);
	error = journal_open(argv[1], &journal, &damage, &why)
		?: journal_load(argv[1], &records, &damage, &why)
		?: plan_from_records(&plan, records, &why);
	if (!error) {
		tell_damage(&damage);
		error = close_cut_off(journal, records, &plan);
		if (error)
			fail(&why, error, "the journal can not be written: %s", strerror(-error));
		code = EXIT_INFRA;
	}
	if (error) {
		log_error("%s", why.text);
		if (journal)
			journal_close(journal);
	} else {
		const struct session_options options = {
			.kernel = json_text(run_body(records), "kernel", NULL),
			.modules = json_text(run_body(records), "modules", NULL)};

		code = session_run(argv[1], journal, &plan, &options);
	}
	plan_free(&plan);
	return code;
}

static const struct command command_resume = {
	.name = "resume",
	.summary = "finish a run that was cut off",
	.usage = usage,
	.run = resume,
};

REGISTER(command, command_resume);
