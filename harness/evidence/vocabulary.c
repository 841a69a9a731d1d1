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
