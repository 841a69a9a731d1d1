// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a person sees while a run goes on: on a terminal one line that is drawn anew twice a second, with the time the
 * trial has taken and the time it took last; elsewhere KTAP, and plain lines for what takes long.
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "harness/store/durations.h"
#include "harness/store/store.h"
#include "harness/trial/live.h"
#include "reports/ktap.h"
#include "reports/text.h"

#define REFRESH_NS (500 * NSEC_PER_MSEC)
#define PLAIN_PROGRESS_NS (10 * NSEC_PER_SEC)

/*
 * struct live - the state of the display
 * @lock:      guards all below against the thread that redraws
 * @wake:      ends that thread
 * @durations: of durations_load(); kept between runs
 * @expected: milliseconds that the trial took last, 0: it was not run here
 * @earlier:   journal of a run that is resumed, as it was before; NULL for a new one
 * @reported:      trials whose results are printed as KTAP, or have none
 */
struct live {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool terminal, colour, ending;
	size_t total, index;
	char scenario[128];
	char what[160];
	double fraction;
	int64_t trial_began, what_began, last_plain;
	json_t *durations;
	int64_t expected;
	const struct plan *plan;
	const struct journal_index *earlier;
	size_t reported;
};

static double seconds_since(int64_t began)
{
	return (double)(now_monotonic_ns() - began) / (double)NSEC_PER_SEC;
}

static int width(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

static void draw(struct live *live)
{
	char line[512];
	int used;

	if (!live->terminal || !live->scenario[0])
		return;
	used = snprintf(line, sizeof(line), "[%zu/%zu] %s  %s", live->index + 1, live->total,
			live->scenario, live->what);
	if (live->fraction >= 0)
		used += snprintf(line + used, sizeof(line) - (size_t)used, " %.0f %%, %.0f s",
				 live->fraction * 100, seconds_since(live->what_began));
	else if (live->expected)
		used += snprintf(line + used, sizeof(line) - (size_t)used,
				 "  %.1f s of about %.1f s", seconds_since(live->trial_began),
				 (double)live->expected / 1000);
	else
		used += snprintf(line + used, sizeof(line) - (size_t)used, "  %.1f s",
				 seconds_since(live->trial_began));
	fputs("\r\033[K", stdout);
	line[(size_t)width() < sizeof(line) ? (size_t)width() - 1 : sizeof(line) - 1] = '\0';
	text_one_line(stdout, line, "");
	fflush(stdout);
}

static void *redraw(void *context)
{
	struct live *live = context;

	pthread_mutex_lock(&live->lock);
	while (!live->ending) {
		struct timespec until;

		draw(live);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += REFRESH_NS;
		if (until.tv_nsec >= NSEC_PER_SEC) {
			until.tv_sec++;
			until.tv_nsec -= NSEC_PER_SEC;
		}
		pthread_cond_timedwait(&live->wake, &live->lock, &until);
	}
	pthread_mutex_unlock(&live->lock);
	return NULL;
}

/* Block signals in this thread, so that they interrupt the waiting one. */
static int start_redraw(struct live *live)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&live->thread, NULL, redraw, live);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

static void on_started(void *context, const struct planned_trial *trial, size_t index)
{
	struct live *live = context;

	pthread_mutex_lock(&live->lock);
	live->index = index;
	live->trial_began = now_monotonic_ns();
	live->expected = durations_of(live->durations, trial->scenario->name, trial->bench);
	live->fraction = -1;
	live->what[0] = '\0';
	snprintf(live->scenario, sizeof(live->scenario), "%s", trial->scenario->name);
	draw(live);
	pthread_mutex_unlock(&live->lock);
}

static void on_doing(void *context, const char *what)
{
	struct live *live = context;

	pthread_mutex_lock(&live->lock);
	snprintf(live->what, sizeof(live->what), "%s", what);
	live->fraction = -1;
	draw(live);
	pthread_mutex_unlock(&live->lock);
}

static void on_progress(void *context, const char *what, double fraction)
{
	struct live *live = context;
	bool changed;

	pthread_mutex_lock(&live->lock);
	changed = strcmp(live->what, what) != 0;
	if (changed)
		live->what_began = now_monotonic_ns();
	snprintf(live->what, sizeof(live->what), "%s", what);
	live->fraction = fraction;
	draw(live);
	if (!live->terminal &&
	    (changed || now_monotonic_ns() - live->last_plain > PLAIN_PROGRESS_NS)) {
		live->last_plain = now_monotonic_ns();
		if (fraction >= 0)
			log_info("%s (%.0f %%)", what, fraction * 100);
		else
			log_info("%s", what);
	}
	pthread_mutex_unlock(&live->lock);
}

static const char *colour_of(const char *verdict)
{
	return strcmp(verdict, "pass") == 0   ? "\033[32m"
	       : strcmp(verdict, "fail") == 0 ? "\033[31m"
					      : "\033[33m";
}

/* What was judged before a run was resumed is part of its one document: the results up to the trial @until. */
static void report_earlier(struct live *live, size_t until)
{
	for (; live->reported < until; live->reported++) {
		struct judged judged = {0};

		if (!live->earlier || !live->plan->trials[live->reported].done)
			continue;
		judged.trial = &live->earlier->trials[live->reported];
		judge_result(live->earlier, &(struct judge_options){0}, &judged);
		ktap_result(stdout, live->reported + 1, judged.name, judged.result);
		judged_free(&judged);
	}
}

static void on_finished(void *context, const struct planned_trial *trial, size_t index,
			const json_t *result)
{
	struct live *live = context;
	const char *verdict = json_text(result, "verdict", "?");

	pthread_mutex_lock(&live->lock);
	/* A skipped trial, or one whose bench failed, has ended early. */
	if (!is_one_of(verdict, "skip", "infra"))
		durations_note(live->durations, trial->scenario->name, trial->bench,
			       (now_monotonic_ns() - live->trial_began) / NSEC_PER_MSEC);
	if (live->terminal) {
		printf("\r\033[K%s%-12s%s %s  %.1f s%s", live->colour ? colour_of(verdict) : "",
		       verdict, live->colour ? "\033[0m" : "", trial->scenario->name,
		       seconds_since(live->trial_began), strcmp(verdict, "pass") == 0 ? "" : "  ");
		text_one_line(stdout,
			      strcmp(verdict, "pass") == 0 ? "" : json_text(result, "reason", ""),
			      "");
		putchar('\n');
		live->scenario[0] = '\0';
	} else {
		__cleanup_free char *name = plan_trial_name(trial);

		report_earlier(live, index);
		ktap_result(stdout, index + 1, name, result);
		live->reported = index + 1;
	}
	fflush(stdout);
	pthread_mutex_unlock(&live->lock);
}

/**
 * live_open - begin to show a run
 * @plan:    borrowed while the display exists
 * @earlier: journal that holds the trials that are done, or NULL; borrowed. When all are, nothing is printed.
 *
 * Return: the display; live_close() ends it.
 */
struct live *live_open(const struct plan *plan, const struct journal_index *earlier)
{
	struct live *live = xzalloc(sizeof(*live));
	const char *no_colour = getenv("NO_COLOR");

	live->plan = plan;
	live->total = plan->count;
	live->earlier = earlier;
	while (live->reported < plan->count && plan->trials[live->reported].done)
		live->reported++;
	if (live->reported < plan->count)
		live->reported = 0;
	live->fraction = -1;
	live->terminal = isatty(STDOUT_FILENO);
	live->colour = live->terminal && !(no_colour && *no_colour);
	pthread_mutex_init(&live->lock, NULL);
	pthread_cond_init(&live->wake, NULL);
	live->durations = durations_load();
	if (live->terminal && start_redraw(live))
		live->terminal = false;
	if (!live->terminal && live->reported < plan->count)
		ktap_begin(stdout, KTAP_VERSION, plan->count);
	fflush(stdout);
	return live;
}

/** live_view - callbacks of the engine */
struct engine_view live_view(struct live *live)
{
	return (struct engine_view){
		.started = on_started,
		.doing = on_doing,
		.progress = on_progress,
		.finished = on_finished,
		.context = live,
	};
}

/** live_close - end the display and keep the durations for the next run */
void live_close(struct live *live)
{
	if (live->terminal) {
		pthread_mutex_lock(&live->lock);
		live->ending = true;
		pthread_cond_signal(&live->wake);
		pthread_mutex_unlock(&live->lock);
		pthread_join(live->thread, NULL);
		fputs("\r\033[K", stdout);
		fflush(stdout);
	} else {
		report_earlier(live, live->plan->count);
	}
	durations_save(live->durations);
	json_decref(live->durations);
	pthread_mutex_destroy(&live->lock);
	pthread_cond_destroy(&live->wake);
	free(live);
}
