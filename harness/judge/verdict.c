// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verdict of one trial. Nothing passes because nothing was seen.
 */
#include <string.h>

#include "harness/judge/expect/expect.h"
#include "harness/judge/judge.h"

/**
 * struct ruling - verdict and the first thing that decided it
 */
struct ruling {
	const char *verdict;
	enum code code;
	struct reason reason;
};

#define rule(ruling, word, why, ...)                                                               \
	((ruling)->verdict = (word), give_reason(ruling, why, __VA_ARGS__))

static char *witness_names(const struct trial_case *trial)
{
	char *all = xstrdup("");

	for (size_t i = 0; i < GROUP_COUNT + trial->declared_group_count; i++) {
		const char *name = i < GROUP_COUNT ? group_name((enum group_index)i)
						   : trial->declared_groups[i - GROUP_COUNT];

		if (case_proofs(trial) & 1u << i)
			append_text(&all, ", ", "%s", name);
	}
	return all;
}

static const char *close_reason(const struct trial_case *trial, const char *fallback)
{
	const char *reason = trial->close ? trial->close->close.reason : "";

	return *reason ? reason : fallback;
}

/* Endings that leave nothing to be judged. */
static bool rule_by_end(const struct trial_case *trial, struct ruling *ruling)
{
	enum end_cause cause = trial->cause;
	/* An intent may be among the lines that were lost. */
	bool before_fault =
		!trial->intent && !trial->faultless && trial->close && !trial->damaged_line;
	bool cut_off = cause == CAUSE_AGENT_LOST || cause == CAUSE_HOST_DIED ||
		       cause == CAUSE_INTERRUPTED || cause == CAUSE_DEADLINE;

	if (cause == CAUSE_SKIP && trial->intent)
		rule(ruling, "infra", CODE_UNFINISHED_AFTER_FAULT,
		     "the trial could not be finished after its fault: %s",
		     close_reason(trial, "no reason recorded"));
	else if (cause == CAUSE_SKIP)
		rule(ruling, "skip", CODE_NOT_APPLICABLE, "%s",
		     close_reason(trial, "skipped without a reason"));
	else if (cause == CAUSE_INFRA)
		rule(ruling, "infra", CODE_BENCH_FAILED, "%s",
		     close_reason(trial, "the bench failed"));
	else if (before_fault && cut_off)
		rule(ruling, "infra", CODE_ENDED_BEFORE_FAULT,
		     "ended before the fault was fired (%s): %s", cause_name(cause),
		     close_reason(trial, "no reason recorded"));
	else
		return false;
	return true;
}

static bool rule_by_finding(const struct trial_case *trial, struct ruling *ruling, enum state state,
			    bool harm_only)
{
	for (size_t i = 0; i < trial->finding_count; i++) {
		const struct finding *finding = &trial->findings[i];

		if (finding->state != state || (harm_only && !finding->harm))
			continue;
		rule(ruling, state == STATE_BROKEN ? "fail" : "inconclusive", finding->code, "%s",
		     finding->reason.text);
		return true;
	}
	return false;
}

static bool rule_undelivered(const struct trial_case *trial, struct ruling *ruling)
{
	const struct outcome_record *outcome = trial->outcome ? &trial->outcome->outcome : NULL;

	if (!case_expects_delivery(trial) ||
	    (case_is_delivered(trial) && case_witness_count(trial) >= 2))
		return false;
	if (!case_is_delivered(trial) && trial->foreign[0])
		rule(ruling, "inconclusive", CODE_FOREIGN_EVIDENCE,
		     "the evidence is about another page or process than the fault: %s",
		     trial->foreign);
	else if (!case_is_delivered(trial) && trial->noise)
		rule(ruling, "inconclusive", CODE_ALREADY_NOISY,
		     "errors of this kind were reported before the fault, so that no such report "
		     "proves it: %s",
		     record_quote(trial->noise));
	else if (!case_is_delivered(trial) && trial->other_error[0])
		rule(ruling, "inconclusive", CODE_OTHER_ERROR,
		     "the evidence is about an error of another kind or severity than the fault: "
		     "%s",
		     trial->other_error);
	else if (!case_is_delivered(trial) && trial->mismatch)
		rule(ruling, "inconclusive", CODE_OTHER_ERROR,
		     "what was reported of the victim is an error of another kind or severity than "
		     "the fault: %s",
		     record_quote(trial->mismatch));
	else if (!case_is_delivered(trial) && outcome && outcome->error)
		rule(ruling, "inconclusive", CODE_INJECTOR_FAILED,
		     "the fault was not delivered: %s reported %s%s%s",
		     outcome->injector ?: "the injector", outcome->error_name,
		     *outcome->reason ? ": " : "", outcome->reason);
	else if (!case_is_delivered(trial) && case_hint(trial))
		rule(ruling, "inconclusive", CODE_DELIVERED_NOT_PROVEN,
		     "the fault is not proven delivered: what was reported leaves open of which "
		     "kind of error it is, and no witness names the kind");
	else if (!case_is_delivered(trial))
		rule(ruling, "inconclusive", CODE_DELIVERED_NOT_PROVEN,
		     "the fault is not proven delivered: no witness but the injector saw it");
	else {
		__cleanup_free char *names = witness_names(trial);

		rule(ruling, "inconclusive", CODE_ONE_WITNESS,
		     "the fault was seen by only one independent witness (%s); two must agree",
		     names);
	}
	return true;
}

static bool took_all_steps(const struct trial_case *trial)
{
	size_t planned = json_array_size(case_section(trial, "steps")), taken = 0;

	for_each_record (trial, record)
		taken += record->type == RECORD_STEP;
	return planned && taken >= planned && (trial->outcome || trial->faultless);
}

static bool read_wrong_data(const struct trial_case *trial)
{
	for (size_t i = 0; i < trial->guest_count; i++)
		if (trial->guests[i].axis == GUEST_CORRUPTED)
			return true;
	return trial->process == PROCESS_CORRUPTED ||
	       trial->conversion.axis == CONVERSION_AXIS_CORRUPTED;
}

/* The engine saw that the page of a guest was elsewhere when the fault had been fired. */
static const char *moved_under_fault(const struct trial_case *trial)
{
	for_each_record (trial, record)
		if (trial->intent && record > trial->intent &&
		    event_is_from(record, SOURCE_ENGINE) &&
		    event_is_named(record, EVENT_MOVED_UNDER_FAULT))
			return *record->event.text ? record->event.text : "the page moved";
	return NULL;
}

/* What the journal or the fault lacks, so that the expectations can not be judged. */
static bool rule_unclear(const struct trial_case *trial, struct ruling *ruling)
{
	const char *moved = moved_under_fault(trial);

	if (moved)
		rule(ruling, "inconclusive", CODE_MOVED_UNDER_FAULT,
		     "the fault did not reach the guest: %s", moved);
	else if (trial->repeated)
		rule(ruling, "inconclusive", CODE_FIRED_TWICE,
		     "the trial was started again although its fault had been fired before");
	else if (!trial->start)
		rule(ruling, "inconclusive", CODE_START_MISSING,
		     "the expectations of the trial are not known: its first record is missing");
	else if (!trial->close && !trial->settled_view)
		rule(ruling, "inconclusive", CODE_CLOSE_MISSING,
		     "the journal ends before the trial does: its close is missing");
	else if (trial->close && trial->cause == CAUSE_NONE)
		rule(ruling, "inconclusive", CODE_CUT_SHORT,
		     "the trial ended in a way unknown to this version: '%.60s'",
		     trial->close->close.word);
	else if (trial->cause == CAUSE_TRIGGER_MISSED)
		rule(ruling, "inconclusive", CODE_TRIGGER_MISSED, "the fault was not fired: %s",
		     close_reason(trial, "its moment did not come"));
	else if (!trial->intent && trial->damaged_line)
		rule(ruling, "inconclusive", CODE_JOURNAL_DAMAGED,
		     "journal damaged at line %d: whether a fault was fired is not known",
		     trial->damaged_line);
	else if (!trial->intent && !trial->faultless)
		rule(ruling, "inconclusive", CODE_NOT_FIRED, "no fault was fired");
	else if (trial->process_contradicted)
		rule(ruling, "inconclusive", CODE_VICTIM_CONTRADICTED, "%s",
		     trial->process_reason.text);
	/* Where a host went down, the injector could not report any more. */
	else if (trial->intent && !trial->outcome && trial->cause == CAUSE_DONE &&
		 !trial->host_lost)
		rule(ruling, "inconclusive", CODE_INJECTOR_SILENT,
		     "the outcome of the fault is not known: its record is missing");
	else
		return false;
	return true;
}

static bool rule_incomplete(const struct trial_case *trial, struct ruling *ruling)
{
	if (trial->damaged_line)
		rule(ruling, "inconclusive", CODE_JOURNAL_DAMAGED, "journal damaged at line %d",
		     trial->damaged_line);
	else if (trial->cause == CAUSE_AGENT_LOST ||
		 (trial->cause == CAUSE_INTERRUPTED && !took_all_steps(trial)))
		rule(ruling, "inconclusive", CODE_CUT_SHORT, "the trial was cut short (%s): %s",
		     cause_name(trial->cause), close_reason(trial, "no reason recorded"));
	else
		return false;
	return true;
}

static void rule_pass(const struct trial_case *trial, struct ruling *ruling)
{
	__cleanup_free char *names = witness_names(trial);

	if (case_expects_delivery(trial))
		rule(ruling, "pass", CODE_AS_EXPECTED, "delivered (%s), and all is as expected",
		     names);
	else if (trial->faultless)
		rule(ruling, "pass", CODE_WITHOUT_FAULT,
		     "no fault was asked for, and all is as expected");
	else if (case_expects(trial, "refused"))
		rule(ruling, "pass", CODE_REFUSED, "refused with %s, and nothing was harmed",
		     json_text(trial->expect, "refused", ""));
	else
		rule(ruling, "pass", CODE_WITHOUT_EFFECT, "without effect, and nothing was harmed");
}

/* docs/verdicts.md: the order of decision */
static void rule_trial(const struct trial_case *trial, struct ruling *ruling)
{
	/* Wrong data are the subject's failure, however the bench ended. */
	if (read_wrong_data(trial) && rule_by_finding(trial, ruling, STATE_BROKEN, true))
		return;
	if (!rule_by_end(trial, ruling) && !rule_by_finding(trial, ruling, STATE_BROKEN, true) &&
	    !rule_unclear(trial, ruling) && !rule_undelivered(trial, ruling) &&
	    !rule_by_finding(trial, ruling, STATE_BROKEN, false) &&
	    !rule_by_finding(trial, ruling, STATE_UNKNOWN, false) &&
	    !rule_incomplete(trial, ruling))
		rule_pass(trial, ruling);
}

static json_t *axes_of(const struct trial_case *trial)
{
	bool fired = trial->intent != NULL || trial->faultless;
	bool victim = fired && (case_expects(trial, "process") ||
				trial->process != PROCESS_UNKNOWN || trial->process_contradicted);
	const char *iommu = trial->iommu.ours || trial->iommu.failure ? "fault"
			    : trial->iommu.lost			      ? "unknown"
								      : "quiet";
	const char *guest = trial->guest_count || case_expects(trial, "guest")
				    ? guest_axis_name(case_guest_axis(trial))
				    : "none";
	const char *migration =
		trial->migration.axis == MIGRATION_AXIS_NONE && case_expects(trial, "migration")
			? "unknown"
			: migration_axis_name(trial->migration.axis);

	const char *conversion =
		trial->conversion.axis == CONVERSION_AXIS_NONE && case_expects(trial, "conversion")
			? "unknown"
			: conversion_axis_name(trial->conversion.axis);

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "guest", guest, "migration", migration,
			 "iommu", fired ? iommu : "none", "host",
			 fired ? host_axis_name(trial->host.axis) : "none", "conversion",
			 conversion, "process",
			 victim ? process_axis_name(trial->process) : "none");
}

/* The order of time, in which a reader follows what happened. */
static json_t *evidence_in_order(const json_t *evidence)
{
	json_t *ordered = json_array();

	while (json_array_size(ordered) < json_array_size(evidence)) {
		int64_t last = json_number(json_array_get(ordered, json_array_size(ordered) - 1),
					   "place", INT64_MIN);
		const json_t *next = NULL;
		json_t *each;
		size_t index;

		json_array_foreach (evidence, index, each) {
			int64_t place = json_number(each, "place", 0);

			if (place > last && (!next || place < json_number(next, "place", 0)))
				next = each;
		}
		if (!next)
			break;
		json_array_append(ordered, (json_t *)next);
	}
	return ordered;
}

/*
 * Every expectation with its state, not only the first that decided.
 */
static json_t *checks_of(const struct trial_case *trial)
{
	static const char *const states[] = {"met", "broken", "unknown"};
	json_t *checks = json_array();

	for (size_t i = 0; i < trial->finding_count; i++) {
		const struct finding *finding = &trial->findings[i];

		json_array_append_new(
			checks, json_pack("{s:s, s:s, s:s, s:s*}", "check", finding->what, "state",
					  states[finding->state], "reason", finding->reason.text,
					  "code", finding->code ? code_name(finding->code) : NULL));
	}
	return checks;
}

/* The metrics that the scenario is about, and the change of each that matters, in percent. */
static void add_budgets(json_t *result, const json_t *declared)
{
	json_t *budgets, *budget;
	const char *name;

	if (!json_object_size(declared))
		return;
	budgets = json_object();
	json_object_foreach ((json_t *)declared, name, budget)
		json_object_set_new(budgets, name,
				    json_real(strtod(json_string_value(budget) ?: "0", NULL)));
	json_object_set_new(result, "budgets", budgets);
}

/* The result of a case whose axes and findings are there; owned by the caller. */
static json_t *make_result(struct trial_case *trial, const char *id)
{
	static const struct start_record missing = {.scenario = "unknown", .bench = "unknown"};
	const struct start_record *start = trial->start ? &trial->start->start : &missing;
	struct ruling ruling = {.verdict = "inconclusive"};
	__cleanup_json json_t *evidence = evidence_in_order(trial->evidence);
	json_t *result, *each;
	bool fixed;
	const char *known;
	size_t index;

	rule_trial(trial, &ruling);
	known = case_known_failure(trial, ruling.code, &fixed);
	if (strcmp(ruling.verdict, "fail") != 0)
		known = NULL;
	fixed = fixed && strcmp(ruling.verdict, "pass") == 0;
	json_array_foreach (evidence, index, each)
		json_object_del(each, "place");
	result = json_pack(
		"{s:s, s:s, s:s*, s:s, s:I, s:I, s:b, s:o, s:s, s:s, s:s, s:s*, s:O, s:o, s:o}",
		"trial", id, "scenario", start->scenario, "title", start->title, "bench",
		start->bench, "seed", (json_int_t)start->seed, "attempts",
		(json_int_t)trial->attempts, "delivered", case_is_delivered(trial), "axes",
		axes_of(trial), "verdict", ruling.verdict, "code", code_name(ruling.code), "reason",
		ruling.reason.text, "cause",
		trial->close && *trial->close->close.word ? trial->close->close.word : NULL,
		"evidence", evidence, "checks", checks_of(trial), "metrics", case_metrics(trial));
	if (trial->iommu.ours || trial->iommu.others)
		json_object_set_new(result, "iommu",
				    json_pack("{s:i, s:i, s:b}", "faults", (int)trial->iommu.ours,
					      "of-others", (int)trial->iommu.others, "at-least",
					      (int)trial->iommu.lost));
	add_budgets(result, case_section(trial, "metrics"));
	if (known)
		json_object_set_new(result, "known", json_string(known));
	if (fixed)
		json_object_set_new(result, "fixed", json_true());
	return result;
}

/*
 * Of several faults each is proven by itself: what proves one is no proof of another. One that was refused is for the
 * expectation `refused`.
 */
static void expect_each_fault(struct trial_case *trial, const json_t *records, const char *id)
{
	struct trial_case each;
	int faults = 0;

	for_each_record (trial, record)
		faults += record->type == RECORD_INTENT;
	for (int fault = 0; faults > 1 && case_expects_delivery(trial) && fault < faults; fault++) {
		case_open(&each, records, id, fault);
		each.settled_view = trial->settled_view;
		case_read_axes(&each);
		if (!(each.outcome && each.outcome->outcome.error) &&
		    case_witness_count(&each) < 2) {
			unknown(trial, CODE_DELIVERED_NOT_PROVEN,
				"fault %d of %d is not proven delivered by two independent "
				"witnesses",
				fault + 1, faults);
			trial->findings[trial->finding_count - 1].what = "delivered";
		}
		case_close(&each);
	}
}

static json_t *judge(const json_t *records, const char *id, bool settled_view)
{
	struct trial_case trial;
	json_t *result;

	case_open(&trial, records, id, -1);
	trial.settled_view = settled_view;
	case_read_axes(&trial);
	case_compare(&trial);
	expect_each_fault(&trial, records, id);
	result = make_result(&trial, id);
	case_close(&trial);
	return result;
}

/**
 * judge_trial - judge one trial
 * @records: of a journal, as journal_parse() gives them; borrowed
 * @trial:   id
 *
 * Pure: the same records always give the same result. Records of other trials do not matter.
 *
 * Return: the trial's object of results.json, owned by the caller.
 */
json_t *judge_trial(const json_t *records, const char *trial)
{
	return judge(records, trial, false);
}

/**
 * judge_is_settled - would the trial pass if it ended now?
 * @records: so far; borrowed
 * @trial:   id
 *
 * The engine closes a trial early when this holds: every expectation is met and no evidence
 * contradicts one. It never holds for a trial that could only fail or that misses evidence: such a
 * trial gets all the time that it has.
 *
 * Return: true when there is nothing more to wait for.
 */
bool judge_is_settled(const json_t *records, const char *trial)
{
	__cleanup_json json_t *result = judge(records, trial, true);

	return json_is(result, "verdict", "pass");
}
