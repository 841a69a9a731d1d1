// SPDX-License-Identifier: GPL-2.0-only
/*
 * How conversions of guest memory went: by what the users of that memory found, against the kernel's own count.
 */
#include <string.h>

#include "harness/judge/axes/axes.h"

static bool grew(const struct trial_case *trial, const struct record *record, const char *field)
{
	const json_t *value = json_object_get(record->event.data, field);
	int64_t difference;

	return value && case_change(trial, record, field, value, &difference) && difference > 0;
}

static void read_counts(struct trial_case *trial, struct conversion_seen *seen,
			const struct record *record)
{
	seen->converted = record->event.work.converted;
	seen->refused = record->event.work.refused;
	seen->counts = record;
	if (seen->converted + seen->refused && !(trial->witnesses & GROUP_USERS))
		case_prove(trial, GROUP_USERS, record, RELATION_ANONYMOUS);
}

static void read_users(struct trial_case *trial, struct conversion_seen *seen,
		       const struct record *record)
{
	const char *event = record->event.name;
	const struct {
		const char *event;
		const struct record **record;
	} first[] = {
		{"torn", &seen->torn}, {"corrupted", &seen->corrupted},	  {"broken", &seen->broken},
		{"hung", &seen->hung}, {"leak", &trial->conversion.leak},
	};

	for (size_t i = 0; i < ARRAY_SIZE(first); i++)
		if (strcmp(event, first[i].event) == 0 && !*first[i].record)
			*first[i].record = record;
	if (strcmp(event, "metrics") == 0 || strcmp(event, "checked") == 0)
		read_counts(trial, seen, record);
	seen->ended |= strcmp(event, "checked") == 0 || strcmp(event, "hung") == 0;
}

/** case_read_conversion - an event of the users of converted memory, or of the kernel's count of conversions */
void case_read_conversion(struct trial_case *trial, struct conversion_seen *seen,
			  const struct record *record)
{
	if (record->event.source == SOURCE_USERS)
		return read_users(trial, seen, record);
	if (strcmp(record->event.witness, "conversions") != 0 ||
	    (!grew(trial, record, "attributes_set") && !grew(trial, record, "fallocate_calls")))
		return;
	seen->counted = record;
}

static void give(struct trial_case *trial, enum conversion_axis axis, enum code code,
		 const struct record *record)
{
	trial->conversion.axis = axis;
	case_cite(trial, record, "conversion");
	give_reason(&trial->conversion, code, "%s", record_quote(record));
}

/** case_decide_conversion - the conversion axis, when all evidence is read */
void case_decide_conversion(struct trial_case *trial, const struct conversion_seen *seen)
{
	struct conversion_outcome *outcome = &trial->conversion;

	if (!seen->counts && !seen->torn && !seen->corrupted && !seen->broken && !seen->hung)
		return;
	/* Without a storm, other programs made these conversions. */
	if (seen->counted)
		case_prove(trial, GROUP_CONVERSIONS, seen->counted, RELATION_ANONYMOUS);
	outcome->axis = CONVERSION_AXIS_UNKNOWN;
	if (seen->corrupted)
		give(trial, CONVERSION_AXIS_CORRUPTED, CODE_CONVERSION_CORRUPTED, seen->corrupted);
	else if (!seen->counted && seen->converted)
		give_reason(outcome, CODE_CONVERSION_ONE_WITNESS,
			    "only the users report that memory was converted: the kernel counted "
			    "nothing");
	else if (seen->torn)
		give(trial, CONVERSION_AXIS_REFUSED_TORN, CODE_CONVERSION_TORN, seen->torn);
	else if (seen->broken)
		give_reason(outcome, CODE_CONVERSION_UNEXPLAINED, "%s", record_quote(seen->broken));
	else if (!seen->ended || !(seen->converted + seen->refused))
		give_reason(outcome, CODE_CONVERSION_SILENT,
			    "no user reported the state of the memory at the end");
	else if (seen->refused)
		give(trial, CONVERSION_AXIS_REFUSED_INTACT, CODE_CONVERSION_REFUSED, seen->counts);
	else
		give(trial, CONVERSION_AXIS_DONE, CODE_CONVERSION_DONE, seen->counts);
}
