// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell doctor: what can be injected and witnessed on a bench; what is missing, why, and how to get it.
 */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "harness/base/registry.h"
#include "harness/bench/bench.h"

static const char usage[] =
	"usage: brinell doctor [--bench NAME] [--json]\n"
	"\n"
	"Tells what can be injected and witnessed on a bench, in the order in which things fail\n"
	"on real machines. Changes nothing there.\n"
	"\n"
	"  --bench NAME   a rig profile, ssh:HOST, or local, which is this machine (default);\n"
	"                 of two hosts the first\n"
	"  --json         for programs\n"
	"\n"
	"A host other than the rig's is only ever broken when its /etc/brinell/expendable holds\n"
	"its own hostname.\n";

static void ignore_event(void *context, json_t *event)
{
	(void)context;
	json_decref(event);
}

static void tell_progress(void *context, const char *what, double fraction)
{
	(void)context;
	if (fraction < 0)
		log_debug("%s", what);
}

static void print_findings(const json_t *hello, const json_t *findings)
{
	const json_t *finding;
	size_t index, missing = 0;

	printf("%s, Linux %s\n\n", json_text(hello, "hostname", "?"),
	       json_text(hello, "kernel", "?"));
	json_array_foreach ((json_t *)findings, index, finding) {
		bool ok = json_is_true(json_object_get(finding, "ok"));

		printf("  %-8s %s\n", ok ? "ok" : "missing", json_text(finding, "name", "?"));
		if (ok)
			continue;
		missing++;
		printf("           why: %s\n", json_text(finding, "reason", "unknown"));
		if (json_text(finding, "remedy", NULL))
			printf("           do:  %s\n", json_text(finding, "remedy", ""));
	}
	printf("\n%zu found, %zu missing\n", index - missing, missing);
}

static int examine(struct bench *bench, bool as_json)
{
	__cleanup_json json_t *reply = NULL;
	struct reason why = {0};
	const json_t *findings;

	if (bench_boot(bench, &why) || bench_call(bench, "probe", NULL, 30000, &reply, &why)) {
		log_error("bench %s: %s", bench->name, why.text);
		return EXIT_INFRA;
	}
	findings = json_object_get(reply, "findings");
	if (as_json) {
		__cleanup_json json_t *all = json_pack("{s:s, s:O, s:O}", "bench", bench->name,
						       "host", bench->hello, "findings", findings);

		json_dumpf(all, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_findings(bench->hello, findings);
	}
	return EXIT_PASSED;
}

static int doctor(int argc, char **argv)
{
	static const struct option options[] = {
		{"bench", required_argument, NULL, 'b'}, {"json", no_argument, NULL, 'j'}, {0}};
	const char *name = "local";
	struct bench *bench;
	struct reason why = {0};
	bool as_json = false;
	int option, code;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'b')
			name = optarg;
		else if (option == 'j')
			as_json = true;
		else
			return EXIT_USAGE;
	}
	if (optind != argc) {
		log_error("doctor: unexpected '%s'; see brinell doctor --help", argv[optind]);
		return EXIT_USAGE;
	}
	if (bench_open(name,
		       &(struct bench_options){.event = ignore_event,
					       .progress = tell_progress,
					       .guests = true,
					       .deadline_s = 300},
		       &bench, &why)) {
		log_error("%s", why.text);
		return EXIT_USAGE;
	}
	code = examine(bench, as_json);
	bench_close(bench);
	return code;
}

static const struct command command_doctor = {
	.name = "doctor",
	.summary = "what can be injected and witnessed on a bench, and what is missing",
	.usage = usage,
	.run = doctor,
};

REGISTER(command, command_doctor);
