// SPDX-License-Identifier: GPL-2.0-only
/*
 * Damage that a kernel reports of itself: oopses, BUGs, sanitizer reports, warnings; and stalls of machines whose axis has no
 * value for them. It fails a trial whatever panic_on_oops is, unless the scenario has a pattern for the line in `log` or
 * `guest-log`. Where the scenario expects the machine to go down, warnings and stalls are no harm; but a bug of the kernel is
 * not how a hardware error takes it down.
 */
#include <string.h>

#include "harness/judge/expect/expect.h"

static bool expects_the_worst(const struct trial_case *trial, bool of_guest)
{
	const char *host = json_text(trial->expect, "host", "");
	const char *guest = json_text(trial->expect, "guest", "");
	bool host_goes = strcmp(host, "died") == 0 || strcmp(host, "hung") == 0;

	return host_goes ||
	       (of_guest && (strcmp(guest, "killed") == 0 || strcmp(guest, "hung") == 0));
}

static bool is_bug(const struct trial_case *trial, const struct record *record)
{
	const struct kernel_line *line = case_line(trial, record);

	return line->meaning == MEANS_OOPS || line->meaning == MEANS_ENDED ||
	       case_is_other_panic(trial, line);
}

/* A pattern that any panic matches does not ask for this one. */
static bool has_pattern(const struct trial_case *trial, const struct record *record)
{
	const char *key = record->guest ? "guest-log" : "log";
	struct reason why = {""};
	size_t index;
	json_t *pattern;

	json_array_foreach (json_object_get(trial->expect, key), index, pattern)
		if (json_is_string(pattern) &&
		    regex_matches(json_string_value(pattern), record->event.text, &why) &&
		    !regex_matches(json_string_value(pattern),
				   "Kernel panic - not syncing: ", &why))
			return true;
	return false;
}

/* What was lost may have reported damage. */
static void expect_whole_logs(struct trial_case *trial)
{
	bool of_guest = trial->guest_loss && !expects_the_worst(trial, true);
	const struct record *loss = of_guest ? trial->guest_loss
				    : expects_the_worst(trial, false)
					    ? NULL
					    : trial->loss ?: trial->other_loss;

	if (loss) {
		__cleanup_free char *why = format_text(
			"records of the kernel log of %s were lost: a report of damage could be "
			"among them",
			of_guest		   ? "the guest"
			: loss != trial->other_loss ? "the host"
						   : loss->guest ?: loss->host);

		unknown_for_loss(trial, loss, why);
	}
	if (trial->host_watched && !trial->log_followed && !expects_the_worst(trial, false))
		unknown(trial, CODE_LOG_NOT_SEEN,
			"no witness follows the kernel log of the host: a report of damage would "
			"not be seen");
}

/** is_harm - whether a line of damage is neither expected nor asked for */
bool is_harm(const struct trial_case *trial, const struct record *record)
{
	return !(expects_the_worst(trial, record->guest != NULL) && !is_bug(trial, record)) &&
	       !has_pattern(trial, record);
}

/** expect_no_damage - a kernel reports no damage of its own */
void expect_no_damage(struct trial_case *trial)
{
	expect_whole_logs(trial);
	if (trial->damaged_before)
		unknown(trial, CODE_KERNEL_DAMAGED,
			"the kernel was damaged before the fault, so that nothing shows what the "
			"fault does to a whole one: %s",
			record_quote(trial->damaged_before));
	for (size_t i = 0; i < trial->damage_count; i++) {
		const struct record *record = trial->damage[i];

		if (!is_harm(trial, record))
			continue;
		case_cite(trial, record, "kernel");
		return harmed(trial, CODE_KERNEL_DAMAGED, "the kernel of %s reports damage: %s",
			      record->guest ?: record->host ?: "the host",
			      record_quote(record));
	}
}
