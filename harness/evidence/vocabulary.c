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

#define FIND_FUNCTION(function, type, ...)                                                         \
	enum type function(const char *name)                                                       \
	{                                                                                          \
		static const char *const words[] = {__VA_ARGS__};                                  \
                                                                                                   \
		for (size_t i = 0; i < ARRAY_SIZE(words); i++)                                     \
			if (strcmp(words[i], name) == 0)                                           \
				return (enum type)i;                                               \
		return (enum type) - 1;                                                            \
	}

FIND_FUNCTION(cause_find, end_cause, END_CAUSES(TABLE_WORD))
FIND_FUNCTION(record_type_find, record_type, RECORD_TYPES(TABLE_WORD))
FIND_FUNCTION(source_find, source,
	      RUN_SOURCES(TABLE_WORD) OUTSIDE_SOURCES(TABLE_WORD) CONTROLLER_SOURCES(TABLE_WORD)
		      GUEST_SOURCES(TABLE_WORD))

/** group_name - name of a group of witnesses, for people */
const char *group_name(enum group_index group)
{
	static const char *const words[] = {EVIDENCE_GROUPS(TABLE_WORD)};

	return words[group];
}
