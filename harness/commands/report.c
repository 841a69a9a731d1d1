// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell report: print the results of a run in a format.
 */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "harness/store/render.h"
#include "harness/store/run_directory.h"

static const char usage[] =
	"usage: brinell report DIR --format FORMAT [--output FILE]\n"
	"\n"
	"Prints the results of a run from its journal. A verdict that this version of brinell\n"
	"recorded is not judged again; 'brinell judge' does that.\n"
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

static int write_to(const char *path, const struct report *report,
		    const struct journal_index *index)
{
	FILE *out = path ? fopen(path, "we") : stdout;
	__cleanup_json json_t *summary = NULL;
	int error;

	if (!out) {
		log_error("writing '%s': %s", path, strerror(errno));
		return EXIT_USAGE;
	}
	error = render(
		&(struct rendering){.index = index, .reports = &report, .outs = &out, .count = 1},
		&summary);
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

static int run(int argc, char **argv)
{
	static const struct option known[] = {{"format", required_argument, NULL, 'f'},
					      {"output", required_argument, NULL, 'o'},
					      {"help", no_argument, NULL, 'h'},
					      {0}};
	const char *format = NULL, *output = NULL;
	__cleanup_index struct journal_index *index = NULL;
	const struct report *report;
	struct reason why = {""};
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
	if (run_directory_open(argv[optind], &index, &why)) {
		log_error("%s", why.text);
		return EXIT_USAGE;
	}
	return write_to(output, report, index);
}

REGISTERED(command, command_report) = {
	.name = "report",
	.summary = "print the results of a run as KTAP, JUnit, JSON or HTML",
	.usage = usage,
	.run = run,
};
