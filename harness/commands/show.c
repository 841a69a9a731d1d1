// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell show: print the records of a trial, in the order in which they reached the controller.
 */
#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#include "harness/commands/compare_command.h"
#include "harness/commands/directory.h"
#include "harness/lib/registry.h"
#include "harness/judge/judge.h"
#include "harness/nightly/nightly.h"
#include "harness/store/render.h"
#include "harness/store/run_directory.h"
#include "reports/story.h"
#include "reports/table.h"
#include "reports/text.h"

static const char usage[] =
	"usage: brinell show DIR [TRIAL] [--json]\n"
	"\n"
	"Without TRIAL: the table of the run; of a comparison or calibration its table with the\n"
	"verdicts, of a night its summary. With the id of a trial (such as "
	"0003 or 3): its events in\n"
	"order, with their time before (-) or after (+) the moment in which "
	"the fault was about to be\n"
	"fired, and the evidence for its verdict.\n"
	"\n"
	"  --json   the same for programs: the results of the run, or "
	"'result' and 'events' of the trial\n";

static void print_witness(const json_t *line)
{
	const char *witness = json_text(line, "witness", "");
	size_t columns = text_columns(witness);

	text_one_line(stdout, witness, "");
	printf("%*s ", columns < 13 ? (int)(13 - columns) : 0, "");
}

static void print_story(const json_t *records, const char *id)
{
	__cleanup_json json_t *story = story_of(records, id);
	json_t *line;
	size_t index;

	json_array_foreach (story, index, line) {
		int64_t offset = json_number(line, "offset_ns", 0);
		char time[32];

		text_duration(time, offset < 0 ? -offset : offset);
		/* "µ" takes two bytes and one column. */
		printf("%c%*s%s  ", offset < 0 ? '-' : '+', (int)(9 - text_columns(time)), "",
		       time);
		print_witness(line);
		text_one_line(stdout, json_text(line, "text", ""), "");
		putchar('\n');
	}
}

static void print_verdict(const json_t *result)
{
	char axes[256];
	json_t *line;
	size_t index;

	text_axes(axes, result);
	putchar('\n');
	text_line(stdout, "verdict:   %s", json_text(result, "verdict", "?"));
	text_line(stdout, "code:      %s", json_text(result, "code", "none"));
	text_line(stdout, "reason:    %s", json_text(result, "reason", ""));
	printf("delivered: %s\noutcome:   %s\nevidence:\n",
	       json_is_true(json_object_get(result, "delivered")) ? "yes" : "no", axes);
	json_array_foreach (json_object_get(result, "evidence"), index, line) {
		fputs("  ", stdout);
		print_witness(line);
		text_one_line(stdout, json_text(line, "guest", ""), "");
		fputs(json_text(line, "guest", NULL) ? ": " : "", stdout);
		text_one_line(stdout, json_text(line, "text", ""), "");
		printf("  (%s)\n", json_text(line, "proves", ""));
	}
	if (!json_array_size(json_object_get(result, "evidence")))
		puts("  none");
}

static int show_row(void *context, const struct judged *judged)
{
	table_row(context, judged->result);
	return 0;
}

static int show_run(const char *directory, bool json)
{
	__cleanup_index struct journal_index *index = NULL;
	__cleanup_json json_t *summary = NULL;
	const struct report *report = report_find("json");
	struct reason why = {""};
	struct table table;

	if (run_directory_open(directory, &index, &why)) {
		log_error("%s", why.text);
		return EXIT_USAGE;
	}
	if (json)
		return render(&(struct rendering){.index = index,
						  .reports = &report,
						  .outs = &stdout,
						  .count = 1},
			      &summary)
			       ? EXIT_INFRA
			       : EXIT_PASSED;
	table_begin(&table, stdout, journal_index_widest(index));
	judge_run(index, &(struct judge_options){0}, show_row, &table, &summary);
	table_end(&table, summary);
	return EXIT_PASSED;
}

static void print_lines(const char *text)
{
	__cleanup_free char *copy = xstrdup(text);
	char *rest;

	for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		text_line(stdout, "%s", line);
}

/* A night: its summary, and the directories of its steps. */
static int show_night(const char *directory, bool json)
{
	__cleanup_json json_t *night = NULL;
	struct reason why = {""};
	json_t *step, *code;
	size_t index;

	if (night_load(directory, &night, &why)) {
		log_error("%s", why.text);
		return EXIT_USAGE;
	}
	if (json) {
		text_json(stdout, night);
		return EXIT_PASSED;
	}
	if (json_is_true(json_object_get(night, "complete")))
		print_lines(json_text(night, "summary", ""));
	else
		text_line(stdout, "%s was interrupted: 'brinell nightly FILE' continues it",
			  directory);
	json_array_foreach (json_object_get(night, "steps"), index, step) {
		code = json_object_get(step, "code");
		if (json_is_integer(code))
			text_line(stdout, "%s: exit code %d", json_text(step, "directory", ""),
				  (int)json_integer_value(code));
		else
			text_line(stdout, "%s: not run: %s", json_text(step, "directory", ""),
				  json_text(step, "step", ""));
	}
	return EXIT_PASSED;
}

static int show_directory(const char *directory, bool json)
{
	switch (directory_kind(directory)) {
	case DIRECTORY_COMPARISON:
		return compare_show(directory, json);
	case DIRECTORY_NIGHT:
		return show_night(directory, json);
	case DIRECTORY_RUN:
		break;
	}
	return show_run(directory, json);
}

static void show_result(json_t *result, const json_t *records, bool json)
{
	const char *id = json_text(result, "trial", "");

	if (json) {
		__cleanup_json json_t *both =
			json_pack("{s:O, s:o}", "result", result, "events", story_of(records, id));

		json_dumpf(both, stdout, JSON_INDENT(1) | JSON_ENSURE_ASCII);
		putchar('\n');
		return;
	}
	text_line(stdout, "trial %s  %s  on %s  seed %" PRId64, id,
		  json_text(result, "scenario", ""), json_text(result, "bench", ""),
		  json_number(result, "seed", 0));
	putchar('\n');
	print_story(records, id);
	print_verdict(result);
}

/* For a trial that is not in the index beside the journal, or a journal without an index. */
static int search_trial(const char *directory, const char *wanted, bool json)
{
	__cleanup_index struct journal_index *index = NULL;
	struct judged judged = {0};
	struct reason why = {""};

	if (run_directory_open(directory, &index, &why)) {
		log_error("%s", why.text);
		return EXIT_USAGE;
	}
	judged.trial = journal_index_find(index, wanted);
	if (!judged.trial || judge_is_pending(index, judged.trial)) {
		log_error(
			"there is no trial '%s' with a result in %s; 'brinell show %s' lists them",
			wanted, directory, directory);
		return EXIT_USAGE;
	}
	judge_result(index, &(struct judge_options){.again = true}, &judged);
	show_result(judged.result, judged.records, json);
	judged_free(&judged);
	return EXIT_PASSED;
}

static int show_trial(const char *directory, const char *wanted, bool json)
{
	__cleanup_json json_t *records = NULL;
	__cleanup_json json_t *result = NULL;
	__cleanup_free char *id = NULL;

	if (!directory_is_run("show", directory))
		return EXIT_USAGE;
	if (journal_lookup(directory, wanted, &id, &records))
		return search_trial(directory, wanted, json);
	result = judge_trial(records, id);
	show_result(result, records, json);
	return EXIT_PASSED;
}

static int run(int argc, char **argv)
{
	static const struct option known[] = {{"json", no_argument, NULL, 'j'}, {0}};
	bool json = false;
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option != 'j')
			return EXIT_USAGE;
		json = true;
	}
	if (optind == argc || argc - optind > 2) {
		log_error(
			"show: give the directory of the run, and optionally a trial; see brinell "
			"show --help");
		return EXIT_USAGE;
	}
	return argv[optind + 1] ? show_trial(argv[optind], argv[optind + 1], json)
				: show_directory(argv[optind], json);
}

REGISTERED(command, command_show) = {
	.name = "show",
	.summary = "show the events of a trial, with the evidence for its verdict",
	.usage = usage,
	.run = run,
};
