// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell nightly: runs and comparisons of a night, with a summary.
 */
#include <errno.h>
#include <getopt.h>
#include <glob.h>
#include <string.h>

#include "harness/history/history.h"
#include "harness/lib/registry.h"
#include "harness/nightly/nightly.h"

static const char usage[] =
	"usage: brinell nightly [--continue | --dry-run] FILE\n"
	"\n"
	"Runs the steps of FILE, adds the runs to a history, and prints a summary of at most 40\n"
	"lines: changes that are new, persist or are gone, and failed steps. The next call "
	"continues\n"
	"an interrupted night, for example after a reboot.\n"
	"\n"
	"FILE has one setting or step a line:\n"
	"\n"
	"  out DIR          directory of the nights, DIR/DATE, and of the index, DIR/history.db\n"
	"  keep N           number of nights to keep (default 14)\n"
	"  budget TIME      start no step after this time, such as 6h (default: no limit)\n"
	"  run ...          as 'brinell run ...', without --out\n"
	"  compare ...      as 'brinell compare ...', without --out\n"
	"  calibrate ...    as 'brinell calibrate ...', without --out\n"
	"\n"
	"  --continue  only continue an interrupted night: begin none\n"
	"  --dry-run   check FILE and each of its steps, and run none\n"
	"\n"
	"Exit: 0 nothing new and every step succeeded, 1 something is new or a step failed, 2 "
	"bad\n"
	"usage or a bad file, 4 the night could not be run.\n";

/* A run that can not be read is left out. */
static int add_run(struct history *history, const char *directory, struct reason *why)
{
	struct reason refused = {""};
	bool added;
	int error = history_add(history, directory, &added, &refused);

	if (error == -EIO || error == -EBUSY)
		return fail(why, error, "%s", refused.text);
	if (error)
		log_warning("nightly: %s: not added to the history", refused.text);
	return 0;
}

/* Add the runs of a night to the history. Runs of comparisons are not added. */
static int add_runs(struct history *history, const json_t *outcome, struct reason *why)
{
	json_t *step;
	size_t index;
	int error = 0;

	json_array_foreach ((json_t *)outcome, index, step)
		if (!error && json_is(step, "kind", "run") &&
		    json_number(step, "code", EXIT_USAGE) != EXIT_USAGE)
			error = add_run(history, json_text(step, "directory", ""), why);
	return error;
}

/* Add the runs of all nights. */
static int add_nights(struct history *history, const char *out, struct reason *why)
{
	__cleanup_free char *pattern = format_text("%s/*T*Z/*-run", out);
	glob_t runs = {0};
	int error = 0;

	if (glob(pattern, 0, NULL, &runs) == 0)
		for (size_t i = 0; i < runs.gl_pathc && !error; i++)
			error = add_run(history, runs.gl_pathv[i], why);
	globfree(&runs);
	return error;
}

/* @outcome: NULL: of all nights, for a new index */
static int check_history(const char *index, const struct nightly *nightly, const char *night,
			 const json_t *outcome, json_t **report, struct reason *why)
{
	struct history *history;
	int error = history_open(index, &history, why);

	if (error)
		return error;
	error = (outcome ? add_runs(history, outcome, why) : add_nights(history, nightly->out, why))
			?: history_check(history, strrchr(night, '/') + 1, report, why);
	history_close(history);
	return error;
}

/* The index may be damaged, or of another version. It is replaced when there is a new one: a disk may be full. */
static int check_or_rebuild(const struct nightly *nightly, const char *night, const json_t *outcome,
			    json_t **report, struct reason *why)
{
	__cleanup_free char *index = format_text("%s/history.db", nightly->out);
	__cleanup_free char *bad = format_text("%s.bad", index);
	__cleanup_free char *fresh = format_text("%s.new", index);
	int error = check_history(index, nightly, night, outcome, report, why);

	if (error != -EIO && error != -EINVAL)
		return error;
	log_warning("nightly: %s; it is kept as %s, and made again", why->text, bad);
	(void)unlink(fresh);
	error = check_history(fresh, nightly, night, NULL, report, why);
	if (!error && (rename(index, bad) || rename(fresh, index)))
		error = fail_errno(why, -errno, "%s", index);
	return error;
}

static int report_night(const struct nightly *nightly, const char *night, const json_t *outcome,
			struct reason *why)
{
	__cleanup_free char *summary = NULL;
	__cleanup_json json_t *report = NULL;
	int error = check_or_rebuild(nightly, night, outcome, &report, why);

	if (error)
		return error;
	summary = night_summary(night, outcome, report);
	error = write_file_atomically(night, "summary.txt", summary, strlen(summary));
	if (error)
		return fail(why, error, "%s/summary.txt: %s", night, strerror(-error));
	fputs(summary, stdout);
	return night_is_bad(outcome, report) ? 1 : 0;
}

static int run_night(struct nightly *nightly, bool only_continue)
{
	__cleanup_free char *interrupted = only_continue ? night_interrupted(nightly) : NULL;
	__cleanup_free char *night = NULL;
	__cleanup_json json_t *outcome = NULL;
	struct reason why = {""};
	int error;

	if (only_continue && !interrupted) {
		log_info("nightly: no night in %s was interrupted", nightly->out);
		return EXIT_PASSED;
	}
	error = night_run(nightly, &night, &outcome, &why)
			?: report_night(nightly, night, outcome, &why);
	if (error < 0)
		log_error("nightly: %s", why.text);
	return error < 0 ? EXIT_INFRA : error ? EXIT_FAILED : EXIT_PASSED;
}

static int run(int argc, char **argv)
{
	static const struct option known[] = {
		{"continue", no_argument, NULL, 'c'}, {"dry-run", no_argument, NULL, 'd'}, {0}};
	struct nightly nightly;
	struct reason why = {""};
	int option, mode = 0, code;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == '?')
			return EXIT_USAGE;
		mode = option;
	}
	if (optind != argc - 1) {
		log_error("nightly: give the one file of the night; see brinell nightly --help");
		return EXIT_USAGE;
	}
	if (nightly_read(argv[optind], &nightly, &why)) {
		log_error("nightly: %s", why.text);
		code = EXIT_USAGE;
	} else if (mode == 'd') {
		code = night_check(&nightly, argv[optind]) ? EXIT_PASSED : EXIT_USAGE;
	} else {
		code = run_night(&nightly, mode == 'c');
	}
	nightly_free(&nightly);
	return code;
}

static const struct command command_nightly = {
	.name = "nightly",
	.summary = "run the scenarios and comparisons of a night",
	.usage = usage,
	.run = run,
};

REGISTER(command, command_nightly);
