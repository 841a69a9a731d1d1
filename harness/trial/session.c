// SPDX-License-Identifier: GPL-2.0-only
/*
 * What `brinell run` and `brinell resume` share: from an open journal and a plan to the last report.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "harness/judge/judge.h"
#include "harness/store/store.h"
#include "harness/trial/live.h"
#include "harness/trial/session.h"
#include "reports/table.h"

static volatile int interrupted;

static void on_signal(int signal)
{
	(void)signal;
	interrupted = 1;
}

/* No SA_RESTART: a wait ends at once, the trial is closed, and what was set is restored. */
static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &action, NULL);
}

static void announce_end(const char *directory, const json_t *results)
{
	if (isatty(STDOUT_FILENO)) {
		table_print(stdout, results);
		printf("\nResults: %s   the story of a trial: brinell show %s TRIAL\n", directory,
		       directory);
	} else {
		log_info("results in %s", directory);
	}
}

/* {TRIAL: RESULT} of a run that is resumed; NULL for a new one. */
static json_t *earlier_results(const char *directory, const struct plan *plan)
{
	__cleanup_json json_t *records = NULL;
	__cleanup_json json_t *results = NULL;
	struct journal_damage damage;
	json_t *earlier, *result;
	struct reason why;
	size_t done = 0, index;

	while (done < plan->count && !plan->trials[done].done)
		done++;
	if (done == plan->count || journal_load(directory, &records, &damage, &why))
		return NULL;
	results = judge_run(records);
	earlier = json_object();
	json_array_foreach (json_object_get(results, "trials"), index, result)
		json_object_set(earlier, json_text(result, "trial", ""), result);
	return earlier;
}

/**
 * session_run - run what is left of a plan, and write all reports
 * @directory: of the run
 * @journal:   open; closed here
 * @plan:      trials; those that are done are left alone
 * @options:   how
 *
 * Return: an enum brinell_exit.
 */
int session_run(const char *directory, struct journal *journal, struct plan *plan,
		const struct session_options *options)
{
	__cleanup_free char *artifacts = format_text("%s/artifacts", directory);
	__cleanup_json json_t *earlier = earlier_results(directory, plan);
	struct live *live = live_open(plan, earlier);
	__cleanup_json json_t *records = NULL;
	__cleanup_json json_t *results = NULL;
	struct journal_damage damage;
	struct reason why = {0};
	int error;

	catch_signals();
	error = engine_run(
		&(struct engine_options){
			.journal = journal,
			.artifacts = artifacts,
			.kernel = options->kernel,
			.modules = options->modules,
			.stop_on_fail = options->stop_on_fail,
			.view = live_view(live),
			.interrupted = &interrupted,
		},
		plan->trials, plan->count, &why);
	live_close(live);
	if (!error) {
		json_t *counts;

		if (journal_load(directory, &records, &damage, &why) == 0)
			results = judge_run(records);
		counts = json_object_get(results, "counts");
		error = journal_append(journal, "end", NULL,
				       json_pack("{s:O*}", "verdicts", counts));
	}
	journal_close(journal);
	if (error == -EINTR)
		log_warning("interrupted; everything is stopped. `brinell resume %s` goes on",
			    directory);
	else if (error == -ECANCELED)
		log_warning("stopped after a failure. `brinell resume %s` runs the other trials",
			    directory);
	else if (error)
		log_error("%s", why.text);
	json_decref(records);
	json_decref(results);
	records = results = NULL;
	if (journal_load(directory, &records, &damage, &why)) {
		log_error("%s", why.text);
		return EXIT_INFRA;
	}
	results = judge_run(records);
	if (store_write_reports(directory, results, records, &why)) {
		log_error("%s", why.text);
		return EXIT_INFRA;
	}
	announce_end(directory, results);
	if (error == -EINTR)
		return EXIT_INCONCLUSIVE;
	return error && error != -ECANCELED ? EXIT_INFRA : (int)judge_exit_code(results);
}
