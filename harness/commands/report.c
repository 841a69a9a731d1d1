// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell report: print the results of a run in a format.
 */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "harness/commands/compare_command.h"
#include "harness/commands/directory.h"
#include "harness/compare/rounds.h"
#include "harness/store/render.h"
#include "harness/store/run_directory.h"
#include "reports/text.h"

static const char usage[] =
	"usage: brinell report DIR --format FORMAT [--output FILE]\n"
	"\n"
	"Prints the results of a run from its journal. A verdict that this version of brinell\n"
	"recorded is not judged again; 'brinell judge' does that. DIR may be a comparison, for "
	"html,\n"
	"json, junit, github, kcidb, lava and gobench, or a calibration, for json.\n"
	"\n"
	"  --format FORMAT   ktap, junit, json, html, tap, csv, github, kcidb, "
	"lava, gobench, otava,\n"
	"                    openmetrics: see 'brinell list reports'\n"
	"  --output FILE     write there instead of standard output\n";

static void log_bad_format(const char *name)
{
	__cleanup_free char *known = NULL;

	for (size_t i = 0; i < report_count(); i++)
		append_text(&known, ", ", "%s", report_at(i)->name);
	if (name)
		log_error("there is no report format '%s'; there are %s", name, known);
	else
		log_error("report: which --format? There are %s", known);
}

/* @path: NULL: standard output. Return: NULL after a message */
static FILE *open_output(const char *path)
{
	FILE *out = path ? fopen(path, "we") : stdout;

	if (!out)
		log_error("writing '%s': %s", path, strerror(errno));
	return out;
}

static int close_output(FILE *out, const char *path, int error)
{
	/* What is still in the buffer of standard output is checked at the end of every command. */
	if (path && fclose(out) != 0 && !error)
		error = -errno;
	if (error)
		log_error("writing %s%s%s: %s", path ? "'" : "", path ?: "standard output",
			  path ? "'" : "", strerror(-error));
	if (error && !path)
		clearerr(stdout);
	return error ? EXIT_INFRA : EXIT_PASSED;
}

static int report_run(const char *directory, const struct report *report, const char *path)
{
	__cleanup_index struct journal_index *index = NULL;
	__cleanup_json json_t *summary = NULL;
	struct reason why = {""};
	FILE *out;

	if (!directory_is_run("report", directory))
		return EXIT_USAGE;
	if (run_directory_open(directory, &index, &why)) {
		log_error("%s", why.text);
		return EXIT_USAGE;
	}
	out = open_output(path);
	if (!out)
		return EXIT_USAGE;
	return close_output(out, path,
			    render(&(struct rendering){.index = index,
						       .reports = &report,
						       .outs = &out,
						       .count = 1},
				   &summary));
}

static bool draws(const struct report *report)
{
	return strcmp(report->name, "html") == 0;
}

/* Whether the result of a comparison or calibration has a format: of calibrations only JSON. */
static bool has_format(bool calibrates, const struct report *report)
{
	return strcmp(report->name, "json") == 0 ||
	       (!calibrates && (draws(report) || compare_has(report)));
}

static void log_no_format(const char *directory, bool calibrates)
{
	__cleanup_free char *known = NULL;

	for (size_t i = 0; i < report_count(); i++)
		if (has_format(calibrates, report_at(i)))
			append_text(&known, ", ", "%s", report_at(i)->name);
	log_error(
		"report: '%s' is a %s, which has the formats %s; each of its runs has all, such as "
		"%s/round-1/01-a",
		directory, calibrates ? "calibration" : "comparison", known, directory);
}

static int report_comparison(const char *directory, const struct report *report, const char *path)
{
	__cleanup_json json_t *plan = NULL;
	__cleanup_json json_t *result = NULL;
	bool calibrates;
	struct reason why = {""};
	int error = 0;
	FILE *out;

	if (rounds_load(directory, &plan, &why) || rounds_result(directory, plan, &result, &why)) {
		log_error("report: %s", why.text);
		return EXIT_USAGE;
	}
	calibrates = json_is_true(json_object_get(plan, "calibrate"));
	if (!has_format(calibrates, report)) {
		log_no_format(directory, calibrates);
		return EXIT_USAGE;
	}
	out = open_output(path);
	if (!out)
		return EXIT_USAGE;
	if (draws(report))
		compare_draw(out, plan, result);
	else if (compare_has(report))
		error = compare_report(out, result, report);
	else
		text_json(out, result);
	return close_output(out, path, error);
}

static int run(int argc, char **argv)
{
	static const struct option known[] = {{"format", required_argument, NULL, 'f'},
					      {"output", required_argument, NULL, 'o'},
					      {"help", no_argument, NULL, 'h'},
					      {0}};
	const char *format = NULL, *output = NULL;
	const struct report *report;
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'f':
			format = optarg;
			break;
		case 'o':
			output = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_PASSED;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind != argc - 1) {
		log_error("report: give the one directory of the run; see brinell report --help");
		return EXIT_USAGE;
	}
	report = format ? report_find(format) : NULL;
	if (!report) {
		log_bad_format(format);
		return EXIT_USAGE;
	}
	return directory_kind(argv[optind]) == DIRECTORY_COMPARISON
		       ? report_comparison(argv[optind], report, output)
		       : report_run(argv[optind], report, output);
}

REGISTERED(command, command_report) = {
	.name = "report",
	.summary = "print the results of a run as KTAP, JUnit, JSON or HTML",
	.usage = usage,
	.run = run,
};
