// SPDX-License-Identifier: GPL-2.0-only
/*
 * Expected counters and page flags of the target host.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "harness/judge/expect/expect.h"

/* "4", ">=4", ">0", "<=2", "<3", "==4". */
static bool compare_count(const char *condition, int64_t value, bool *holds)
{
	static const char *const operators[] = {">=", "<=", "==", ">", "<", "="};
	size_t which = ARRAY_SIZE(operators) - 1;
	const char *digits = condition;
	int64_t limit;
	char *end;

	for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
		if (strncmp(condition, operators[i], strlen(operators[i])) != 0)
			continue;
		which = i;
		digits += strlen(operators[i]);
		break;
	}
	errno = 0;
	limit = strtoll(digits, &end, 10);
	if (errno || end == digits || *end)
		return false;
	*holds = which == 0   ? value >= limit
		 : which == 1 ? value <= limit
		 : which == 3 ? value > limit
		 : which == 4 ? value < limit
			      : value == limit;
	return true;
}

/* Whether this witness was started. If the `witnesses` record is missing, it is assumed. */
static bool looked(const struct trial_case *trial, const char *witness)
{
	const json_t *started = NULL;

	for_each_record (trial, record)
		if (record->type == RECORD_WITNESSES && !record->guest &&
		    case_on_host(trial, record))
			started = record->witnesses.started;
	return !started || json_has_text(started, witness);
}

/* What a guest counts is none of the host's. */
static bool is_of_host(const struct trial_case *trial, const struct record *record)
{
	return record->type == RECORD_EVENT && !record->guest && case_on_host(trial, record) &&
	       case_counts(trial, record);
}

static void compare_delta(struct trial_case *trial, const char *witness, const char *name,
			  const json_t *condition, const char *unit)
{
	__cleanup_free char *wanted =
		json_is_integer(condition)
			? format_text("%" JSON_INTEGER_FORMAT, json_integer_value(condition))
			: xstrdup(json_string_value(condition) ? json_string_value(condition) : "");
	const struct record *from = NULL;
	const json_t *change = NULL;
	bool holds = false;
	int64_t difference;

	for_each_record (trial, record) {
		const json_t *of;

		if (!is_of_host(trial, record) || strcmp(record->event.witness, witness) != 0)
			continue;
		of = json_object_get(record->event.data, name);
		if (of) {
			change = of;
			from = record;
		}
	}
	if (!wanted || !compare_count(wanted, 0, &holds))
		return unknown(trial, CODE_BAD_EXPECTATION,
			       "the scenario expects %s '%s', which is no count such as '>=1'",
			       name, wanted ?: "");
	/*
	 * These witnesses report only changes; silence of a host that answers
	 * means zero.
	 */
	if (!change && holds && trial->host.axis == HOST_AXIS_UP && looked(trial, witness))
		return met(trial);
	if (!change)
		return unknown(trial, CODE_COUNTER_SILENT, "%s did not report %s, expected %s%s",
			       witness, name, wanted, unit);
	if (!case_change(trial, from, name, change, &difference))
		return unknown(trial, CODE_COUNTER_SILENT, "%s reports nonsense about %s", witness,
			       name);
	compare_count(wanted, difference, &holds);
	case_cite(trial, from, witness);
	if (holds)
		return met(trial);
	broken(trial, CODE_COUNTER_DIFFERS, "%s changed by %" PRId64 "%s, expected %s", name,
	       difference, unit, wanted);
}

void expect_interrupts(struct trial_case *trial)
{
	const char *name;
	json_t *condition;

	json_object_foreach (json_object_get(trial->expect, "interrupts"), name, condition)
		compare_delta(trial, "interrupts", name, condition, "");
}

void expect_corrupted_kb(struct trial_case *trial)
{
	const json_t *condition = json_object_get(trial->expect, "corrupted-kb");

	if (condition)
		compare_delta(trial, "meminfo", "HardwareCorrupted", condition, " kB");
}

/* The flags of the page that the fault was meant for. */
static bool shows_page(const struct trial_case *trial, const struct record *record)
{
	const json_t *data = is_of_host(trial, record) ? record->event.data : NULL;

	return json_is_boolean(json_object_get(data, "hwpoison")) &&
	       (!trial->on_host.pfn_count ||
		scope_owns_pfn(&trial->on_host, (uint64_t)json_number(data, "pfn", 0)));
}

void expect_page(struct trial_case *trial)
{
	const char *expected = json_text(trial->expect, "page", NULL);
	const struct record *last = NULL;
	bool poisoned;

	if (!expected)
		return;
	if (strcmp(expected, "poisoned") != 0 && strcmp(expected, "intact") != 0)
		return unknown(trial, CODE_BAD_EXPECTATION,
			       "the scenario expects page '%s': it can be poisoned or intact",
			       expected);
	for_each_record (trial, record)
		if (shows_page(trial, record))
			last = record;
	if (!last && strcmp(expected, "intact") == 0 && trial->touched_fine)
		return met(trial);
	if (!last)
		return unknown(trial, CODE_PAGE_NOT_SEEN,
			       "no witness reported the flags of the page, expected %s", expected);
	poisoned = json_is_true(json_object_get(last->event.data, "hwpoison"));
	case_cite(trial, last, "page");
	if (poisoned == (strcmp(expected, "poisoned") == 0))
		return met(trial);
	if (poisoned)
		return harmed(trial, CODE_PAGE_POISONED,
			      "the page is poisoned, expected intact: %s", last->event.text);
	broken(trial, CODE_PAGE_INTACT, "the page is intact, expected poisoned: %s",
	       last->event.text);
}
