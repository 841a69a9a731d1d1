// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell resume: finish an interrupted run. No trial is lost or counted twice, and no fault with a recorded intent is fired
 * again.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>

#include "harness/commands/compare_command.h"
#include "harness/commands/directory.h"
#include "harness/compare/rounds.h"
#include "harness/lib/registry.h"
#include "harness/store/store.h"
#include "harness/trial/session.h"

#define WRITER_S 30

static const char usage[] = "usage: brinell resume DIR\n"
			    "\n"
			    "Finishes the interrupted run, comparison or calibration in DIR. A "
			    "trial with a recorded intent\n"
			    "is closed from its evidence and not run again, as is one whose intent "
			    "may be in damaged lines.\n"
			    "A trial without an intent is run. Trials with a verdict keep it.\n";

/*
 * Whether damaged lines may have held an intent of this trial. Trials are written one after the other: it is possible if the
 * last trial before the damage is not a later one, and the first after it not an earlier one. If there is no later trial, only
 * the trial before the damage, or the next one, can be affected.
 */
static bool may_have_fired(const struct journal_index *index, size_t trial)
{
	if (index->trials[trial].fired)
		return true;
	for (size_t i = 0; i < index->mark_count; i++) {
		const struct journal_mark *mark = &index->marks[i];
		size_t last = mark->after == SIZE_MAX ? mark->before + 1 : mark->after;

		if (mark->before <= trial && trial <= last)
			return true;
	}
	return false;
}

static int close_interrupted(struct journal *journal, const struct journal_index *index,
			     struct plan *plan)
{
	__cleanup_json json_t *closed = json_array();
	int error = 0;

	for (size_t i = 0; i < plan->count && !error; i++) {
		struct planned_trial *trial = &plan->trials[i];
		__cleanup_json json_t *records = NULL;

		if (trial->done || !may_have_fired(index, i))
			continue;
		records = journal_index_records(index, &index->trials[i]);
		error = engine_close_from_evidence(journal, records, &index->trials[i]);
		trial->done = true;
		json_array_append_new(closed, json_string(trial->id));
		log_info("trial %s (%s) was interrupted after its intent: closed from its evidence",
			 trial->id, trial->scenario->name);
	}
	if (!error)
		error = journal_append(journal, "resume", NULL,
				       json_pack("{s:O}", "closed", closed));
	return error;
}

static void warn_of_damage(const struct journal_damage *damage)
{
	if (damage->torn_bytes)
		log_warning("the journal ended in the middle of a record: %zu bytes were removed "
			    "and saved beside it",
			    damage->torn_bytes);
	if (damage->bad_lines)
		log_warning("the journal is damaged in %u lines (the first is line %u): trials "
			    "around them can not pass",
			    damage->bad_lines, damage->first_bad);
}

/* The handler makes the alarm interrupt flock(). */
static void wake(int signal)
{
	(void)signal;
}

/* A run whose controller was killed gets a signal, and takes a while to stop its hosts. journal_open() refuses a later one. */
static int await_writer(const char *directory, struct reason *why)
{
	const struct sigaction action = {.sa_handler = wake};
	__cleanup_close int fd = -1;
	int error = journal_open_file(directory, O_RDONLY, &fd, why);

	if (error || flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
		return error;
	log_info("waiting up to %d s for another brinell to end this run", WRITER_S);
	sigaction(SIGALRM, &action, NULL);
	alarm(WRITER_S);
	(void)flock(fd, LOCK_EX);
	alarm(0);
	return 0;
}

static int resume_comparison(const char *directory)
{
	__cleanup_json json_t *plan = NULL;
	struct reason why = {0};

	if (rounds_load(directory, &plan, &why) || rounds_check_sides(plan, &why)) {
		log_error("%s", why.text);
		return EXIT_USAGE;
	}
	return json_is_true(json_object_get(plan, "calibrate"))
		       ? calibrate_finish(directory, plan, false)
		       : compare_finish(directory, plan, false);
}

static int resume(int argc, char **argv)
{
	__cleanup_index struct journal_index *index = NULL;
	struct journal_damage damage = {0};
	struct journal *journal = NULL;
	struct plan plan = {0};
	struct reason why = {0};
	int code = EXIT_USAGE;
	int error;

	if (argc != 2) {
		log_error("resume: give the one directory of the run; see brinell resume --help");
		return EXIT_USAGE;
	}
	switch (directory_kind(argv[1])) {
	case DIRECTORY_COMPARISON:
		return resume_comparison(argv[1]);
	case DIRECTORY_NIGHT:
		log_error("resume: '%s' is a night: 'brinell nightly FILE' continues it", argv[1]);
		return EXIT_USAGE;
	case DIRECTORY_RUN:
		break;
	}
	error = store_check_owner(argv[1], &why)
		?: await_writer(argv[1], &why)
		?: journal_open(argv[1], &journal, &damage, &why)
		?: journal_index_open(argv[1], &index, &why)
		?: plan_from_index(&plan, index, &why);
	if (!error) {
		warn_of_damage(&damage);
		error = close_interrupted(journal, index, &plan);
		if (error)
			fail_errno(&why, error, "the journal can not be written");
		code = EXIT_INFRA;
	}
	if (error) {
		log_error("%s", why.text);
		if (journal)
			journal_close(journal);
	} else {
		const json_t *run = json_object_get(json_array_get(index->about, 0), "body");
		const struct session_options options = {.kernel = json_text(run, "kernel", NULL),
							.modules = json_text(run, "modules", NULL)};

		code = session_run(argv[1], journal, &plan, &options);
	}
	plan_free(&plan);
	return code;
}

REGISTERED(command, command_resume) = {
	.name = "resume",
	.summary = "finish an interrupted run",
	.usage = usage,
	.run = resume,
};
