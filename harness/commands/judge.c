// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell judge: judge a run again, by its journal.
 */
#include <errno.h>
#include <string.h>

#include "harness/commands/directory.h"
#include "harness/lib/registry.h"
#include "harness/judge/judge.h"
#include "harness/store/run_directory.h"
#include "harness/store/store.h"
#include "reports/table.h"
#include "reports/text.h"

static const char usage[] =
	"usage: brinell judge DIR\n"
	"\n"
	"Judges the journal of a run again, writes its results and reports again, and shows the\n"
	"verdicts that differ from the recorded ones. Runs nothing, and accesses no host. Exits as "
	"a\n"
	"run with these results.\n";

/* Output while the trials are judged: the table, then lines about verdicts that differ. */
struct output {
	struct table table;
	FILE *differences;
};

static int report_trial(void *context, const struct judged *judged)
{
	struct output *output = context;
	const char *verdict = json_text(judged->result, "verdict", "");
	const char *before = judged->trial->recorded;

	table_row(&output->table, judged->result);
	if (!*before || strcmp(before, verdict) == 0)
		return 0;
	text_line(output->differences, "trial %s: %s, recorded was %s: %s", judged->trial->id,
		  verdict, before, json_text(judged->result, "reason", ""));
	return 0;
}

static void print_flaws(const json_t *results)
{
	size_t index;
	json_t *flaw;

	json_array_foreach (json_object_get(results, "flaws"), index, flaw)
		text_line(stdout, "The journal is incomplete: %s.", json_string_value(flaw));
}

static int judge(const char *directory, const struct journal_index *index)
{
	__cleanup_free char *differences = NULL;
	__cleanup_json json_t *summary = NULL;
	struct reason why = {""};
	struct output output;
	size_t length;
	int error;

	output.differences = open_memstream(&differences, &length);
	if (!output.differences)
		abort();
	table_begin(&output.table, stdout, journal_index_widest(index));
	error = store_write_reports(
		directory,
		(struct rendering){
			.index = index, .again = true, .each = report_trial, .context = &output},
		&summary, &why);
	fclose(output.differences);
	if (error) {
		log_error("%s", why.text);
		return error == -EPERM ? EXIT_USAGE : EXIT_INFRA;
	}
	table_end(&output.table, summary);
	print_flaws(summary);
	fputs(*differences ? differences : "No verdict differs from a recorded one.\n", stdout);
	return judge_exit_code(summary);
}

static int run(int argc, char **argv)
{
	__cleanup_index struct journal_index *index = NULL;
	struct reason why = {""};

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return EXIT_PASSED;
	}
	if (argc != 2 || argv[1][0] == '-') {
		log_error("judge: give the one directory of the run; see brinell judge --help");
		return EXIT_USAGE;
	}
	if (!directory_is_run("judge", argv[1]))
		return EXIT_USAGE;
	if (run_directory_open(argv[1], &index, &why)) {
		log_error("%s", why.text);
		return EXIT_USAGE;
	}
	return judge(argv[1], index);
}

REGISTERED(command, command_judge) = {
	.name = "judge",
	.summary = "judge the journal of a run again",
	.usage = usage,
	.run = run,
};
