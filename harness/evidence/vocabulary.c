// SPDX-License-Identifier: GPL-2.0-only
/*
 * Words of the tables.
 */
#include <string.h>

#include "harness/evidence/vocabulary.h"

static const char *const codes[] = {
#define REASON_CODE(id, name, meaning) [CODE_##id] = name,
	REASON_CODES(REASON_CODE)
#undef REASON_CODE
};

/** code_name - word of a reason code, as in results */
const char *code_name(enum code code)
{
	return codes[code];
}

/** code_find - reason code by its word; CODE_COUNT: there is none such */
enum code code_find(const char *name)
{
	enum code code = CODE_NONE;

	while (code < CODE_COUNT && strcmp(codes[code], name) != 0)
		code++;
	return code;
}

#define NAME_FUNCTION(function, type, table, missing)                                              \
	const char *function(enum type value)                                                      \
	{                                                                                          \
		static const char *const words[] = {table(TABLE_WORD)};                            \
                                                                                                   \
		return value < 0 ? (missing) : words[value];                                       \
	}

NAME_FUNCTION(process_axis_name, process_axis, PROCESS_AXIS, "unknown")
NAME_FUNCTION(host_axis_name, host_axis, HOST_AXIS, "unknown")
NAME_FUNCTION(guest_axis_name, guest_axis, GUEST_AXIS, "unknown")
NAME_FUNCTION(migration_axis_name, migration_axis, MIGRATION_AXIS, "unknown")
NAME_FUNCTION(conversion_axis_name, conversion_axis, CONVERSION_AXIS, "unknown")
NAME_FUNCTION(cause_name, end_cause, END_CAUSES, "none")

/** cause_find - cause of an end by its word; CAUSE_NONE: there is none such */
enum end_cause cause_find(const char *name)
{
	static const char *const words[] = {END_CAUSES(TABLE_WORD)};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i], name) == 0)
			return (enum end_cause)i;
	return CAUSE_NONE;
}

/** group_name - name of a group of witnesses, for people */
const char *group_name(enum group_index group)
{
	static const char *const words[] = {EVIDENCE_GROUPS(TABLE_WORD)};

	return words[group];
}
