// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell doctor: check what can be injected and observed on a bench, with a reason and a remedy for each missing part.
 */
#include <getopt.h>

#include "harness/lib/registry.h"
#include "harness/bench/bench.h"
#include "harness/trial/requirements.h"
#include "reports/text.h"

/* Injectors may load a module each, on an emulated host. */
#define PROBE_TIMEOUT_MS 30000
/* Deadline of the rig's hosts. */
#define RIG_DEADLINE_S 600

static const char usage[] =
	"usage: brinell doctor [--bench NAME] [--json]\n"
	"\n"
	"Shows what can be injected and observed on a bench, in the order in which things fail\n"
	"on real machines. Changes nothing there, except that it loads kernel modules\n"
	"of injectors on an expendable machine. Ends with the scenarios of the library that would\n"
	"run there, and the others with the reason.\n"
	"\n"
	"  --bench NAME   a rig profile, ssh:HOST, or local, which is this machine (default);\n"
	"                 each of its hosts is probed\n"
	"  --json         for programs\n"
	"\n"
	"Faults are injected only into hosts of the rig, and into hosts whose\n"
	"/etc/brinell/expendable contains their own hostname.\n";

static void ignore_event(void *context, json_t *event)
{
	json_decref(event);
}

static void show_progress(void *context, const char *what, double fraction)
{
	if (fraction < 0)
		log_debug("%s", what);
}

static void print_findings(const struct bench *host, const json_t *findings)
{
	const json_t *finding;
	size_t index, missing = 0;

	if (host->next != host)
		printf("%s: ", host->host);
	text_line(stdout, "%s, Linux %s", json_text(host->hello, "hostname", "?"),
		  json_text(host->hello, "kernel", "?"));
	putchar('\n');
	json_array_foreach ((json_t *)findings, index, finding) {
		bool ok = json_is_true(json_object_get(finding, "ok"));

		text_line(stdout, "%s%s", ok ? "  ok       " : "  missing  ",
			  json_text(finding, "name", "?"));
		if (ok)
			continue;
		missing++;
		text_line(stdout, "           why: %s", json_text(finding, "reason", "unknown"));
		if (json_text(finding, "remedy", NULL))
			text_line(stdout, "           do:  %s", json_text(finding, "remedy", ""));
	}
	printf("\n%zu found, %zu missing\n", index - missing, missing);
	if (host->next->number)
		putchar('\n');
}

static void log_failure(const struct bench *host, const struct reason *why)
{
	if (host->next == host)
		log_error("bench %s: %s", host->name, why->text);
	else
		log_error("bench %s, host %s: %s", host->name, host->host, why->text);
}

/* Probe a host after its hypervisor has started, because findings depend on it. */
static int probe(struct bench *host, json_t **reply)
{
	struct reason why = {0};
	int error = bench_greet(host, &why), unready;

	if (error) {
		log_failure(host, &why);
		return error;
	}
	unready = bench_ready(host, &why);
	if (unready)
		log_failure(host, &why);
	error = bench_call(host, "probe", NULL, PROBE_TIMEOUT_MS, reply, &why);
	if (error)
		log_failure(host, &why);
	return error ?: unready;
}

/* Prints names as lines below 100 columns. */
static void print_names(const json_t *names)
{
	size_t column = 0, index;
	json_t *name;

	json_array_foreach (names, index, name) {
		const char *text = json_string_value(name);

		if (column + text_columns(text) > 96) {
			putchar('\n');
			column = 0;
		}
		fputs(column ? " " : "  ", stdout);
		text_one_line(stdout, text, "");
		column += text_columns(text) + 1;
	}
	if (column)
		putchar('\n');
}

/* Return: [{"name", "runs", "reason"}] of the library; unreadable files are skipped. */
static json_t *predict(const struct bench *bench, const json_t *findings)
{
	__cleanup_json json_t *paths = json_array();
	json_t *scenarios = json_array();
	struct reason why = {""};
	const json_t *path;
	size_t index;

	(void)scenario_select("*", paths, &why);
	json_array_foreach (paths, index, path) {
		struct scenario *scenario;
		int error;

		if (scenario_load(json_string_value(path), NULL, &scenario, &why))
			continue;
		error = requirements_of_bench(scenario, bench, &why)
				?: requirements_of_host(scenario, findings, &why);
		json_array_append_new(scenarios,
				      json_pack("{s:s, s:b, s:s*}", "name", scenario->name, "runs",
						!error, "reason", error ? why.text : NULL));
		scenario_free(scenario);
	}
	return scenarios;
}

static void print_scenarios(const json_t *scenarios)
{
	__cleanup_json json_t *runs = json_array();
	__cleanup_json json_t *reasons = json_object();
	json_t *scenario, *names;
	const char *reason;
	size_t index;

	json_array_foreach ((json_t *)scenarios, index, scenario) {
		reason = json_text(scenario, "reason", NULL);
		if (reason && !json_object_get(reasons, reason))
			json_object_set_new(reasons, reason, json_array());
		json_array_append(reason ? json_object_get(reasons, reason) : runs,
				  json_object_get(scenario, "name"));
	}
	printf("\n%zu of %zu scenarios would run here\n", json_array_size(runs), index);
	print_names(runs);
	json_object_foreach (reasons, reason, names) {
		text_line(stdout, "%zu would skip: %s", json_array_size(names), reason);
		print_names(names);
	}
}

static void add_findings(const struct bench *host, const json_t *findings, json_t *report)
{
	__cleanup_json json_t *own = json_deep_copy(findings);
	json_t *about = json_deep_copy(host->hello);
	json_t *finding;
	size_t index;

	json_object_set_new(about, "host", json_string(host->host));
	json_array_append_new(json_object_get(report, "hosts"), about);
	json_array_foreach (own, index, finding)
		json_object_set_new(finding, "host", json_string(host->host));
	json_array_extend(json_object_get(report, "findings"), own);
}

/* A failure of one host does not prevent the probe of the other one. */
static int examine(struct bench *bench, bool as_json)
{
	__cleanup_json json_t *report =
		json_pack("{s:s, s:[], s:[]}", "bench", bench->name, "hosts", "findings");
	__cleanup_json json_t *scenarios = NULL;
	int error = 0;

	bench_foreach (host, bench, false) {
		struct reason why = {0};

		/* The hosts boot at the same time. */
		if (bench_start(host, &why)) {
			log_failure(host, &why);
			return EXIT_INFRA;
		}
	}
	bench_foreach (host, bench, false) {
		__cleanup_json json_t *reply = NULL;
		const json_t *findings;
		int failure = probe(host, &reply);

		error = error ?: failure;
		findings = json_object_get(reply, "findings");
		if (findings && host == bench)
			scenarios = predict(bench, findings);
		if (findings && as_json)
			add_findings(host, findings, report);
		else if (findings)
			print_findings(host, findings);
	}
	if (scenarios && !as_json)
		print_scenarios(scenarios);
	if (as_json) {
		json_object_set(report, "scenarios", scenarios);
		json_dumpf(report, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
		putchar('\n');
	}
	return error ? EXIT_INFRA : EXIT_PASSED;
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
					       .progress = show_progress,
					       .guests = true,
					       .deadline_s = RIG_DEADLINE_S},
		       &bench, &why)) {
		log_error("%s", why.text);
		return EXIT_USAGE;
	}
	code = examine(bench, as_json);
	bench_close(bench);
	return code;
}

REGISTERED(command, command_doctor) = {
	.name = "doctor",
	.summary = "check what can be injected and observed on a bench, and what is missing",
	.usage = usage,
	.run = doctor,
};
