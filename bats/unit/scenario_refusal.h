/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of scenario files share: texts that must be taken, and texts that must be refused at a place.
 */
#ifndef BRINELL_UNIT_SCENARIO_REFUSAL_H
#define BRINELL_UNIT_SCENARIO_REFUSAL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include "harness/scenario/steps.h"

#include <cmocka.h>

struct refusal {
	const char *text, *place, *message;
};

static inline int parse(const char *text, size_t length, const json_t *settings,
			struct scenario **scenario, struct reason *why)
{
	return scenario_parse("t.yaml", text, length, settings, scenario, why);
}

static inline struct scenario *parse_good(const char *text, const json_t *settings)
{
	struct scenario *scenario = NULL;
	struct reason why = {""};

	if (parse(text, strlen(text), settings, &scenario, &why))
		fail_msg("must be accepted: %s", why.text);
	return scenario;
}

static inline void expect_refusal(const char *text, size_t length, const char *place,
				  const char *message)
{
	struct scenario *scenario = NULL;
	struct reason why = {""};
	__cleanup_free char *prefix = format_text("t.yaml:%s: ", place);
	int error = parse(text, length, NULL, &scenario, &why);

	if (!error) {
		scenario_free(scenario);
		fail_msg("must be refused at %s with '%s':\n%.400s", place, message, text);
	}
	if (strncmp(why.text, prefix, strlen(prefix)) != 0 || !strstr(why.text, message))
		fail_msg("expected '%s... %s', got '%s'", prefix, message, why.text);
}

static inline void expect_refusals(const struct refusal *refusals, size_t count)
{
	for (size_t i = 0; i < count; i++)
		expect_refusal(refusals[i].text, strlen(refusals[i].text), refusals[i].place,
			       refusals[i].message);
}

#endif
