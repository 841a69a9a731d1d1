// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a scenario expects of the victim: the process that the fault was meant for, on the host or in a guest.
 */
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "harness/judge/expect/expect.h"

static const char *process_name(int axis)
{
	return process_axis_name((enum process_axis)axis);
}

/* The codes stand in the order of the axis. */
static enum code victim_code(enum process_axis axis)
{
	return CODE_VICTIM_UNHARMED + (enum code)axis;
}

void expect_process(struct trial_case *trial)
{
	const char *expected = json_text(trial->expect, "process", NULL);
	const char *seen = process_axis_name(trial->process);
	const char *proof = trial->process_proof ? trial->process_proof->event.text : "";
	int wanted;

	/* Never acceptable, whatever was expected. */
	if (trial->process == PROCESS_CORRUPTED)
		return harmed(trial, CODE_VICTIM_CORRUPTED,
			      "the victim read data that it did not write%s%s", *proof ? ": " : "",
			      proof);
	if (trial->process_contradicted)
		return unknown(trial, CODE_VICTIM_CONTRADICTED, "%s", trial->process_reason.text);
	if (!expected)
		return;
	wanted = axis_of(expected, process_name, PROCESS_CORRUPTED + 1);
	if (wanted < 0)
		return unknown(trial, CODE_BAD_EXPECTATION,
			       "the scenario expects process '%s', which is no value of that axis",
			       expected);
	if (trial->process == PROCESS_UNKNOWN)
		return unknown(trial, CODE_VICTIM_SILENT,
			       "the victim did not report what happened to it, expected %s",
			       expected);
	if ((int)trial->process == wanted)
		return met(trial);
	if ((int)trial->process > wanted)
		return harmed(trial, victim_code(trial->process),
			      "the victim is %s, expected %s%s%s", seen, expected,
			      *proof ? ": " : "", proof);
	broken(trial, victim_code(trial->process), "the victim is %s, expected %s%s%s", seen,
	       expected, *proof ? ": " : "", proof);
}

/* Empty when a signal is as expected, or what differs. */
static void compare_signal(const struct trial_case *trial, const struct work_report *seen,
			   struct reason *differs)
{
	const struct scope *scope = trial->victim_guest ? &trial->in_guest : &trial->on_host;
	const char *name = json_text(trial->expect, "signal", NULL);
	const char *code = json_text(trial->expect, "code", NULL);
	const char *address = json_text(trial->expect, "address", NULL);
	const char *seen_name = seen->signal_name ?: "no name";
	const char *seen_code = seen->code_name ?: "no name";
	int64_t lsb = json_number(trial->expect, "lsb", -1);

	differs->text[0] = '\0';
	if (name && strcmp(name, seen_name) != 0)
		fail(differs, 0, "the signal is %s, expected %s", seen_name, name);
	else if (code && strcmp(code, seen_code) != 0)
		fail(differs, 0, "si_code is %s, expected %s", seen_code, code);
	else if (lsb >= 0 && lsb != seen->lsb)
		fail(differs, 0, "si_addr_lsb is %" PRId64 ", expected %" PRId64, seen->lsb, lsb);
	else if (address && strcmp(address, "match") == 0 &&
		 (!seen->address || !scope->address_count ||
		  !case_owns_address(trial, seen->address, seen->lsb)))
		fail(differs, 0, "si_addr is 0x%" PRIx64 ", which is not in the victim's page",
		     seen->address);
}

void expect_signal(struct trial_case *trial)
{
	const char *name = json_text(trial->expect, "signal", NULL);
	bool none = name && strcmp(name, "none") == 0, any = false;
	struct reason differs = {""};

	if (!name && !case_expects(trial, "code") && !case_expects(trial, "lsb") &&
	    !case_expects(trial, "address"))
		return;
	for_each_record (trial, record) {
		if (!case_counts(trial, record) || !case_victim_event(trial, record, "signal"))
			continue;
		if (none)
			return harmed(trial, CODE_VICTIM_SIGNALLED,
				      "the victim got a signal, expected none: %s",
				      record->event.text);
		any = true;
		compare_signal(trial, &record->event.work, &differs);
		if (!differs.text[0])
			return met(trial);
	}
	if (any)
		return broken(trial, CODE_SIGNAL_DIFFERS, "%s", differs.text);
	/*
	 * Without a handler there is no report but the end of the process, which shows the signal
	 * alone.
	 */
	if (name && strcmp(name, "SIGBUS") == 0 && trial->ended_by == SIGBUS)
		return case_expects(trial, "code") || case_expects(trial, "lsb") ||
				       case_expects(trial, "address")
			       ? unknown(trial, CODE_VICTIM_SILENT,
					 "SIGBUS ended the victim, which could not report "
					 "its details")
			       : met(trial);
	if (none && trial->ended_by)
		return harmed(trial, CODE_VICTIM_SIGNALLED,
			      "the victim was ended by signal %d, expected none", trial->ended_by);
	if (none && trial->kernel_signalled)
		return unknown(trial, CODE_VICTIM_CONTRADICTED,
			       "the kernel log shows a signal to the victim, which received none");
	if (none && trial->touched)
		return met(trial);
	if (trial->victim_reported && ran_its_course(trial))
		return none ? unknown(trial, CODE_VICTIM_SILENT,
				      "the victim did not touch its page after the fault")
			    : broken(trial, CODE_SIGNAL_MISSING, "the victim got no signal");
	unknown(trial, CODE_VICTIM_SILENT, "the victim did not report a signal");
}

void expect_error(struct trial_case *trial)
{
	const char *expected = json_text(trial->expect, "error", NULL), *seen = NULL;

	if (!expected)
		return;
	for_each_record (trial, record) {
		if (!case_counts(trial, record) || !case_victim_event(trial, record, "error"))
			continue;
		seen = record->event.work.error_name ?: "?";
		if (strcmp(seen, expected) == 0)
			return met(trial);
	}
	if (seen)
		return broken(trial, CODE_ERROR_DIFFERS,
			      "the victim's system call failed with %s, expected %s", seen,
			      expected);
	if (trial->victim_reported && ran_its_course(trial))
		return broken(trial, CODE_ERROR_MISSING,
			      "no system call of the victim failed, expected %s", expected);
	unknown(trial, CODE_VICTIM_SILENT, "the victim did not report an error, expected %s",
		expected);
}

void expect_data(struct trial_case *trial)
{
	const char *expected = json_text(trial->expect, "data", NULL);

	if (!expected)
		return;
	if (!trial->touched_data)
		return unknown(trial, CODE_VICTIM_SILENT,
			       "the victim did not report what it read, expected data %s",
			       expected);
	if (strcmp(trial->touched_data, expected) == 0)
		return met(trial);
	broken(trial, CODE_DATA_DIFFER, "the victim read data '%s', expected '%s'",
	       trial->touched_data, expected);
}
