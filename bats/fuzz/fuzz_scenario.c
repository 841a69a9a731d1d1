// SPDX-License-Identifier: GPL-2.0-only
/*
 * Any file as a scenario: the parser neither crashes nor leaks, reports why it refuses a file, and what
 * it accepts reads back from its own spec as the same scenario.
 *
 * rooms: harness/trial
 */
#include <stdlib.h>

#include "harness/scenario/scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static json_t *settings;
	struct scenario *scenario, *again;
	struct reason why = {""};

	if (!settings)
		settings =
			json_pack("{s:s, s:s}", "victim.page", "thp", "steps.1.type", "v2-memory");
	if (scenario_parse("-", (const char *)data, size, settings, &scenario, &why) == 0)
		scenario_free(scenario);
	else if (!why.text[0])
		abort();
	why.text[0] = '\0';
	if (scenario_parse("-", (const char *)data, size, NULL, &scenario, &why)) {
		if (!why.text[0])
			abort();
		return 0;
	}
	if (scenario_from_spec(scenario->spec, &again, &why) ||
	    !json_equal(scenario->spec, again->spec)) {
		fprintf(stderr, "reads back differently: %s\n", why.text);
		abort();
	}
	scenario_free(again);
	scenario_free(scenario);
	return 0;
}
