// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell check: validate scenario files.
 */
#include "harness/lib/registry.h"
#include "harness/scenario/scenario.h"
#include "reports/text.h"

static const char usage[] =
	"usage: brinell check FILE...\n"
	"\n"
	"Validates scenario files as `brinell run` does, and names each mistake with line and\n"
	"column. Exits 0 when all are valid, else 2.\n";

static int run(int argc, char **argv)
{
	int code = EXIT_PASSED;

	if (argc < 2) {
		log_error("check: which files? See brinell check --help");
		return EXIT_USAGE;
	}
	for (int i = 1; i < argc; i++) {
		__cleanup_json json_t *settings = json_object();
		struct scenario *scenario;
		struct reason why = {""};

		if (scenario_load(argv[i], settings, &scenario, &why)) {
			log_error("%s", why.text);
			code = EXIT_USAGE;
			continue;
		}
		text_line(stdout, "%s: valid, scenario %s", argv[i], scenario->name);
		scenario_free(scenario);
	}
	return code;
}

REGISTERED(command, command_check) = {
	.name = "check",
	.summary = "validate scenario files",
	.usage = usage,
	.run = run,
};
