// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a scenario expects of its guests, and of a migration.
 */
#include <string.h>

#include "harness/judge/expect/expect.h"

static const char *guest_name(int axis)
{
	return guest_axis_name((enum guest_axis)axis);
}

static const char *migration_name(int axis)
{
	return migration_axis_name((enum migration_axis)axis);
}

static const char *verb(enum guest_axis axis)
{
	return axis == GUEST_HUNG ? "hangs" : axis == GUEST_KILLED ? "was killed" : "is harmed";
}

/* A dead host takes its guests along: an expectation of the one includes the other. */
static bool is_host_to_die(const struct trial_case *trial)
{
	return json_is(trial->expect, "host", "died");
}

/* A guest that does not live on is harm, although the scenario expects nothing of it. */
static void expect_survival(struct trial_case *trial, const struct guest_outcome *guest,
			    enum code code)
{
	if (guest->axis == GUEST_KILLED || guest->axis == GUEST_HUNG)
		harmed(trial, code, "guest '%s' %s: %s", guest->name, verb(guest->axis),
		       guest->reason.text);
}

/* Of several outcomes that are all fine, the one that came about, else the first. */
static const char *expected_of(const json_t *expect, enum guest_axis axis)
{
	const json_t *choices = json_object_get(expect, "guest");

	if (json_has_text(choices, guest_axis_name(axis)))
		return guest_axis_name(axis);
	return json_string_value(json_is_array(choices) ? json_array_get(choices, 0) : choices);
}

void expect_guest(struct trial_case *trial)
{
	const struct guest_outcome *guest = &trial->guests[0];
	const char *expected = expected_of(trial->expect, guest->axis);
	const char *why = guest->reason.text;
	int wanted = expected ? axis_of(expected, guest_name, GUEST_CORRUPTED + 1) : -1;

	if (expected && strcmp(expected, "none") == 0)
		expected = NULL;
	if (trial->guest_count == 0) {
		if (expected)
			unknown(trial, CODE_NO_WITNESS,
				"guest '%s' is expected, and no witness reports on a guest",
				expected);
		return;
	}
	/* Never acceptable, whatever was expected. */
	if (guest->axis == GUEST_CORRUPTED)
		return harmed(trial, CODE_GUEST_CORRUPTED,
			      "guest '%s' read data that it did not write%s%s", guest->name,
			      *why ? ": " : "", why);
	if (!expected && is_host_to_die(trial))
		return;
	if (!expected)
		return expect_survival(trial, guest, guest->code);
	if (wanted < 0)
		return unknown(trial, CODE_BAD_EXPECTATION,
			       "the scenario expects guest '%s', which is no value of that axis",
			       expected);
	if (guest->axis == GUEST_UNKNOWN)
		return unknown(trial, guest->code, "the state of guest '%s' is not known: %s",
			       guest->name, why);
	if ((int)guest->axis == wanted)
		return met(trial);
	if ((int)guest->axis > wanted)
		return harmed(trial, guest->code, "guest '%s' is %s, expected %s%s%s", guest->name,
			      guest_axis_name(guest->axis), expected, *why ? ": " : "", why);
	broken(trial, guest->code, "guest '%s' is %s, expected %s%s%s", guest->name,
	       guest_axis_name(guest->axis), expected, *why ? ": " : "", why);
}

/* The guests that the fault was not meant for: what becomes of them is harm. */
void expect_bystanders(struct trial_case *trial)
{
	for (size_t i = 1; i < trial->guest_count; i++) {
		const struct guest_outcome *guest = &trial->guests[i];

		if (guest->axis == GUEST_CORRUPTED)
			harmed(trial, CODE_BYSTANDER_CORRUPTED,
			       "guest '%s' read data that it did not write: %s", guest->name,
			       guest->reason.text);
		else if (!is_host_to_die(trial))
			expect_survival(trial, guest,
					guest->axis == GUEST_HUNG ? CODE_BYSTANDER_HUNG
								  : CODE_BYSTANDER_KILLED);
	}
}

void expect_migration(struct trial_case *trial)
{
	const struct migration_outcome *migration = &trial->migration;
	const char *expected = json_text(trial->expect, "migration", NULL);
	const char *seen = migration_axis_name(migration->axis), *why = migration->reason.text;

	if (migration->axis == MIGRATION_AXIS_LOST)
		return harmed(trial, migration->code, "the guest is lost: %s", why);
	if (!expected)
		return;
	if (axis_of(expected, migration_name, MIGRATION_AXIS_LOST + 1) < 0)
		return unknown(
			trial, CODE_BAD_EXPECTATION,
			"the scenario expects migration '%s', which is no value of that axis",
			expected);
	if (strcmp(expected, seen) == 0) {
		if (migration->axis != MIGRATION_AXIS_NONE)
			met(trial);
		return;
	}
	if (migration->axis == MIGRATION_AXIS_UNKNOWN)
		return unknown(trial, migration->code,
			       "the outcome of the migration is not known: %s", why);
	if (migration->axis == MIGRATION_AXIS_NONE)
		return unknown(trial, CODE_NO_WITNESS,
			       "migration '%s' is expected, and no witness reports on one",
			       expected);
	broken(trial, migration->code, "the migration is %s, expected %s%s%s", seen, expected,
	       *why ? ": " : "", why);
}
