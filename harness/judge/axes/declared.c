// SPDX-License-Identifier: GPL-2.0-only
/*
 * Declarations of witnesses: the format of their texts, and the fields of their events that are evidence of an error (struct
 * witness_proof). The `witnesses` record holds them, so that the judge needs no names of witnesses.
 */
#include <string.h>

#include "harness/judge/axes/axes.h"

/**
 * struct declaration - one field of a witness that is evidence
 * @witness, @group, @field: borrowed
 * @grows:  only growth of a counter counts, else any change
 * @host_only: not evidence when a guest reports it
 * @nature: of the error
 */
struct declaration {
	const char *witness, *group, *field;
	bool grows;
	struct nature nature;
	bool host_only;
};

/* For journals from before witnesses declared this. */
static const struct declaration undeclared[] = {
	{"meminfo", "meminfo", "HardwareCorrupted", false, {KIND_MEMORY, SEVERITY_ANY}, false},
	{"interrupts",
	 "interrupts",
	 "MCE",
	 true,
	 {KIND_MACHINE_CHECK, SEVERITY_UNCORRECTED},
	 false},
	{"interrupts", "interrupts", "THR", true, {KIND_MACHINE_CHECK, SEVERITY_ANY}, false},
	{"interrupts",
	 "interrupts",
	 "DFR",
	 true,
	 {KIND_MACHINE_CHECK, SEVERITY_UNCORRECTED},
	 false},
	{"pageflags", "pageflags", "hwpoison-changed", false, {KIND_MEMORY, SEVERITY_ANY}, true},
};

/* Sources outside the agents, and witnesses of journals from before the formats were recorded. */
static const struct {
	const char *name;
	enum format format;
	bool older;
} formats[] = {
	{"console", FORMAT_KERNEL_LOG, false},
	{"guest-console", FORMAT_KERNEL_LOG, false},
	{"kmsg", FORMAT_KERNEL_LOG, true},
	{"trace", FORMAT_TRACE_EVENT, true},
};

/**
 * format_declared - the format of the texts of a source
 * @declared: `formats` of a `witnesses` record; NULL: an old journal
 * @name:     of the source
 */
enum format format_declared(const json_t *declared, const char *name)
{
	const char *word = json_text(declared, name, "");

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (strcmp(formats[i].name, name) == 0 && (!declared || !formats[i].older))
			return formats[i].format;
	return strcmp(word, "kernel-log") == 0	  ? FORMAT_KERNEL_LOG
	       : strcmp(word, "trace-event") == 0 ? FORMAT_TRACE_EVENT
						  : FORMAT_OTHER;
}

/** case_format - the format of the text of an event */
enum format case_format(const struct trial_case *trial, const struct record *record)
{
	return format_declared(record->guest ? trial->guest_formats : trial->host_formats,
			       record->event.witness);
}

/**
 * case_console_is_alone - whether only the console has this line
 *
 * Every program with a terminal can write to a console, in the form of the kernel's lines too. What the kernel shows there its
 * log has as well, unless it went down and nothing could read the log.
 */
bool case_console_is_alone(const struct trial_case *trial, const struct record *record)
{
	if (record->event.source == SOURCE_CONSOLE)
		return trial->log_followed && !trial->host_lost;
	return record->event.source == SOURCE_GUEST_CONSOLE && trial->guest_log_followed &&
	       !trial->guest_lost;
}

/**
 * case_log_has_all - whether lines that are missing from a console are in the log
 *
 * A serial line is slow, and leaves out lines of a busy kernel that its log has. The witness that follows the log has delivered
 * them if it reports anything later, or the agent answers when all is over.
 */
bool case_log_has_all(const struct trial_case *trial, const struct record *record)
{
	if (!case_console_is_alone(trial, record))
		return false;
	for (const struct record *later = record + 1; later < trial->records + trial->record_count;
	     later++)
		if (record_same_machine(record, later) &&
		    (later->type == RECORD_USAGE ||
		     (later->type == RECORD_EVENT && later->event.source != record->event.source &&
		      case_format(trial, later) == FORMAT_KERNEL_LOG)))
			return true;
	return false;
}

/* A "#" stands for digits. */
static bool is_field(const char *declared, const char *field)
{
	size_t before = strcspn(declared, "#"), digits;

	if (!declared[before])
		return strcmp(declared, field) == 0;
	if (strncmp(declared, field, before) != 0)
		return false;
	digits = strspn(field + before, "0123456789");
	return digits && strcmp(declared + before + 1, field + before + digits) == 0;
}

/*
 * Counters are {"before", "after"}; of other fields `true` is evidence. A counter that falls, and a page that is no longer
 * poisoned, show the end of an error.
 */
static bool is_evidence(const struct trial_case *trial, const struct record *record,
			const struct declaration *declaration, bool *repaired)
{
	const char *field;
	json_t *value;

	json_object_foreach ((json_t *)record->event.data, field, value) {
		int64_t difference = json_is_true(value);

		if (is_field(declaration->field, field) &&
		    (!json_is_object(value) ||
		     case_change(trial, record, field, value, &difference)) &&
		    (declaration->grows ? difference > 0 && json_is_object(value)
					: difference != 0)) {
			*repaired = difference < 0 ||
				    json_is_false(json_object_get(record->event.data, "hwpoison"));
			return true;
		}
	}
	return false;
}

/* Return: whether the declaration is of this witness. */
static bool weigh(struct trial_case *trial, const struct record *record,
		  const struct declaration *declaration)
{
	const json_t *data = record->event.data;
	bool in_guest = record->guest != NULL;
	struct kernel_line line = {.meaning = MEANS_HARDWARE_ERROR};
	struct nature nature = declaration->nature;
	bool repaired;

	if (strcmp(record->event.witness, declaration->witness) != 0)
		return false;
	if (!is_evidence(trial, record, declaration, &repaired))
		return true;
	if (repaired)
		nature.severities = SEVERITY_REPAIRED;
	line.has_pfn = json_object_get(data, "pfn") != NULL;
	line.pfn = (uint64_t)json_number(data, "pfn", 0);
	line.has_pid = json_object_get(data, "pid") != NULL;
	line.pid = json_number(data, "pid", 0);
	case_weigh(trial, case_group(trial, declaration->group, in_guest), record,
		   scope_relation(in_guest ? &trial->in_guest : &trial->on_host, &line), nature);
	return true;
}

/**
 * case_read_declared - proof by a field that its witness declares as evidence, of the host or of the subject
 *
 * Return: false when the witness declares nothing.
 */
bool case_read_declared(struct trial_case *trial, const struct record *record)
{
	const json_t *proofs = record->guest ? trial->guest_proofs : trial->host_proofs;
	bool declared = false, known = false;
	json_t *each;
	size_t index;

	json_array_foreach (proofs, index, each) {
		struct declaration declaration = {
			.witness = json_text(each, "witness", ""),
			.group = json_text(each, "group", ""),
			.field = json_text(each, "field", ""),
			.grows = json_is_true(json_object_get(each, "grows")),
		};

		nature_add_word(&declaration.nature, json_text(each, "kind", ""));
		nature_add_word(&declaration.nature, json_text(each, "severity", ""));
		declared |= weigh(trial, record, &declaration);
	}
	for (size_t i = 0; !declared && i < ARRAY_SIZE(undeclared); i++)
		if (!undeclared[i].host_only || !record->guest)
			known |= weigh(trial, record, &undeclared[i]);
	return known || declared;
}
