// SPDX-License-Identifier: GPL-2.0-only
/*
 * What `brinell run` and `brinell resume` share: from an open journal and a plan to the last report.
 */
#include <errno.h>
#include <signal.h>
#include <sys/time.h>

#include "harness/judge/judge.h"
#include "harness/store/store.h"
#include "harness/trial/live.h"
#include "harness/trial/session.h"
#include "reports/table.h"

static volatile int interrupted;

/* The signal that ended the run. */
static void on_signal(int signal)
{
	interrupted = signal;
}

/* No SA_RESTART: a wait ends at once, the trial is closed, and what was set is restored. */
static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGALRM};

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &action, NULL);
}

static void set_deadline(int64_t deadline_ns)
{
	const struct itimerval timer = {.it_value = {.tv_sec = deadline_ns / NSEC_PER_SEC,
						     .tv_usec = deadline_ns % NSEC_PER_SEC / 1000}};

	setitimer(ITIMER_REAL, &timer, NULL);
}

/**
 * struct session - state of a session while trials run
 * @live:   display
 * @view:   of it
 * @counts: of the verdicts of the whole run so far
 */
struct session {
	struct live *live;
	struct engine_view view;
	json_t *counts;
};

static void on_started(void *context, const struct planned_trial *trial, size_t index)
{
	const struct session *session = context;

	session->view.started(session->view.context, trial, index);
}

static void on_doing(void *context, const char *what)
{
	const struct session *session = context;

	session->view.doing(session->view.context, what);
}

static void on_progress(void *context, const char *what, double fraction)
{
	const struct session *session = context;

	session->view.progress(session->view.context, what, fraction);
}

/* Only a comparison would show a metric whose name has a typing error. */
static void warn_of_missing(const struct scenario *scenario, const json_t *result)
{
	json_t *measured = json_object_get(result, "metrics"), *value;
	__cleanup_free char *names = NULL;
	const char *name;

	json_object_foreach (measured, name, value)
		append_text(&names, ", ", "%s", name);
	json_object_foreach (scenario->metrics, name, value)
		if (json_is(result, "verdict", "pass") && !json_object_get(measured, name))
			log_warning("%s: the metric '%s' was not measured; there is: %s",
				    scenario->name, name, names ?: "none");
}

static void on_finished(void *context, const struct planned_trial *trial, size_t index,
			const json_t *result)
{
	const struct session *session = context;

	judge_count(session->counts, result);
	warn_of_missing(trial->scenario, result);
	session->view.finished(session->view.context, trial, index, result);
}

/* The trials of a run that is resumed, which are judged already; NULL for a new run. */
static struct journal_index *count_earlier(const char *directory, const struct plan *plan,
					   json_t *counts)
{
	struct journal_index *index = NULL;
	struct reason why;
	size_t done = 0;

	while (done < plan->count && !plan->trials[done].done)
		done++;
	if (done == plan->count || journal_index_open(directory, &index, &why))
		return NULL;
	for (size_t i = done; i < plan->count; i++) {
		struct judged judged = {.trial = &index->trials[i]};

		if (!plan->trials[i].done)
			continue;
		judge_result(index, &(struct judge_options){.wanted = judge_is_brief}, &judged);
		judge_count(counts, judged.result);
		judged_free(&judged);
	}
	return index;
}

static int add_row(void *context, const struct judged *judged)
{
	table_row(context, judged->result);
	return 0;
}

/* Every trial was judged when it ended: the reports take the verdicts from the journal. */
static int write_reports(const char *directory, json_t **summary)
{
	__cleanup_index struct journal_index *index = NULL;
	bool terminal = isatty(STDOUT_FILENO);
	struct reason why = {0};
	struct table table;
	int error = journal_index_open(directory, &index, &why);

	*summary = NULL;
	if (!error && terminal)
		table_begin(&table, stdout, journal_index_widest(index));
	if (!error)
		error = store_write_reports(directory,
					    (struct rendering){.index = index,
							       .each = terminal ? add_row : NULL,
							       .context = &table},
					    summary, &why);
	if (error) {
		log_error("%s", why.text);
	} else if (terminal) {
		table_end(&table, *summary);
		printf("\nResults: %s   the story of a trial: brinell show %s TRIAL\n", directory,
		       directory);
	} else {
		log_info("results in %s", directory);
	}
	return error;
}

static int run_trials(const char *directory, struct journal *journal, struct plan *plan,
		      const struct session_options *options, struct reason *why)
{
	__cleanup_free char *artifacts = format_text("%s/artifacts", directory);
	__cleanup_json json_t *counts = judge_counts();
	__cleanup_index struct journal_index *earlier = count_earlier(directory, plan, counts);
	struct session session = {.live = live_open(plan, earlier), .counts = counts};
	int error;

	session.view = live_view(session.live);
	error = engine_run(
		&(struct engine_options){
			.journal = journal,
			.artifacts = artifacts,
			.kernel = options->kernel,
			.modules = options->modules,
			.stop_on_fail = options->stop_on_fail,
			.view = {.started = on_started,
				 .doing = on_doing,
				 .progress = on_progress,
				 .finished = on_finished,
				 .context = &session},
			.interrupted = &interrupted,
		},
		plan->trials, plan->count, why);
	live_close(session.live);
	return error
		       ?: journal_append(journal, "end", NULL,
					 json_pack("{s:O}", "verdicts", counts));
}

static int exit_code(const json_t *summary, const struct session_options *options)
{
	int code = (int)judge_exit_code(summary);

	if (code != EXIT_PASSED || !options->fail_on_skip ||
	    !json_number(json_object_get(summary, "counts"), "skip", 0))
		return code;
	log_error("a trial was skipped, which --fail-on-skip does not allow");
	return EXIT_FAILED;
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
	__cleanup_json json_t *summary = NULL;
	struct reason why = {0};
	int error;

	catch_signals();
	set_deadline(options->deadline_ns);
	error = run_trials(directory, journal, plan, options, &why);
	journal_close(journal);
	if (error == -EINTR)
		log_warning("%s; everything is stopped. `brinell resume %s` goes on",
			    interrupted == SIGALRM ? "the deadline of the run is over"
						   : "interrupted",
			    directory);
	else if (error == -ECANCELED)
		log_warning("stopped after a failure. `brinell resume %s` runs the other trials",
			    directory);
	else if (error)
		log_error("%s", why.text);
	if (write_reports(directory, &summary))
		return EXIT_INFRA;
	if (error == -EINTR && judge_exit_code(summary) != EXIT_FAILED)
		return EXIT_INCONCLUSIVE;
	return error && error != -ECANCELED && error != -EINTR ? EXIT_INFRA
							       : exit_code(summary, options);
}
