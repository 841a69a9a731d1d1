/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_TRIAL_ENGINE_INTERNAL_H
#define BRINELL_TRIAL_ENGINE_INTERNAL_H

#include <regex.h>

#include "harness/bench/bench.h"
#include "harness/scenario/condition.h"
#include "harness/scenario/steps.h"
#include "harness/trial/engine.h"

#define CALL_TIMEOUT_MS 10000
/* Hosts and guests get ready. */
#define START_TIMEOUT_NS (300 * NSEC_PER_SEC)
#define CLEAN_UP_TIMEOUT_NS (60 * NSEC_PER_SEC)

/**
 * struct engine_guest - a virtual machine that a trial has started; kept for the next trials while it is well
 * @arguments: as its scenario has them; another scenario takes the guest over when it has the same
 * @host:     where it runs, as far as is known: its last hello came from there
 * @source:   where it ran when its migration began; NULL without one
 * @facts:    facts of its start from the host; owned
 * @linked:   its stream stands
 * @gone:     its end was seen
 * @used:     by the trial that runs now
 * @view:     what is known of its migration
 * @stage:    holds the name of @view.stage
 * @outcome:  how its migration ended, "" before
 */
struct engine_guest {
	struct engine_guest *next;
	char *name;
	json_t *arguments;
	struct bench *host, *source;
	json_t *facts;
	bool linked, gone, used;
	struct migration_view view;
	char stage[16], outcome[16];
};

/**
 * struct engine - a run
 * @budget: what each source of evidence has put into the journal in this trial; see budget.c
 * @met: the last bench whose hosts were up in this run
 */
struct engine {
	const struct engine_options *options;
	struct bench *bench;
	json_t *rig;
	json_t *findings;
	unsigned int findings_boot, findings_ready;
	const char *met;
	bool wants_guests;
	int journal_error;
	json_t *budget;
	struct engine_guest *guests;

	/* Of the trial that runs now. */
	const struct planned_trial *trial;
	json_t *records;
	json_t *facts;
	json_t *struck; /* by host and workload: where the page was; a poisoned one is not found again */
	int64_t deadline;
	size_t step;
	bool news;
	bool intended;
	bool decisive;		/* without a fault: the steps that the trial is about have begun */
	struct bench *prepared; /* where an injector has set what it must restore, or NULL */
	json_t *fault;		/* that runs: begin of its outcome; NULL: none */
	bool closed;		/* the trial has its verdict: what comes now belongs to none */
};

void engine_journal(struct engine *engine, const char *type, json_t *body);
void engine_take_event(void *context, json_t *event);
void engine_take_progress(void *context, const char *what, double fraction);
void engine_tell(struct engine *engine, const struct engine_guest *guest, const char *event,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));
void engine_doing(struct engine *engine, const char *what);
int64_t engine_until(const struct engine *engine, int64_t span_ns);
int engine_call(struct engine *engine, struct bench *host, const char *name, json_t *arguments,
		unsigned int timeout_ms, json_t **reply, struct reason *why);
int engine_call_guest(struct engine *engine, struct bench *host, const char *name,
		      json_t *arguments, unsigned int timeout_ms, json_t **reply,
		      struct reason *why);
bool engine_lost_host(int error);
bool engine_any_host_up(const struct engine *engine);
void drain_console_after_death(struct bench *host);
int engine_restore_injector(struct engine *engine, struct reason *why);

bool fold_takes(struct engine *engine, json_t *account, json_t *event);
void fold_end(struct engine *engine, json_t *account);
void budget_begin(struct engine *engine);
bool budget_allows(struct engine *engine, json_t *event);
void budget_end(struct engine *engine);

int hosts_prepare(struct engine *engine, struct reason *why);
int hosts_reset_firmware(struct engine *engine, struct reason *why);
int hosts_await_ready(struct engine *engine, struct reason *why);
int hosts_check(struct engine *engine, struct reason *why);

int steps_run(struct engine *engine, struct reason *why);

struct engine_guest *guest_find(const struct engine *engine, const char *name);
int guests_prepare(struct engine *engine, struct reason *why);
int guests_watch(struct engine *engine, struct reason *why);
void guests_collect(struct engine *engine);
void guests_clean_up(struct engine *engine, const json_t *result);
void guests_forget_host(struct engine *engine, const struct bench *host);
void guests_free(struct engine *engine);
void guests_take_event(struct engine *engine, const json_t *body);
int guest_call(struct engine *engine, struct engine_guest *guest, const char *call,
	       json_t *arguments, unsigned int timeout_ms, json_t **reply, struct reason *why);
int guest_resolve(struct engine *engine, struct engine_guest *guest, struct bench *host,
		  const char *workload, const char *gpa, json_t **page, struct reason *why);
bool guest_may_be_heard(const struct engine_guest *guest);
struct engine_guest *guest_of_step(const struct engine *engine, const struct scenario_step *step);
json_t *guest_arguments(const struct engine_guest *guest);

struct engine_guest *workload_guest(const struct engine *engine, const char *name);
json_t *engine_focus_of(const json_t *facts);
unsigned int engine_time_left_ms(const struct engine *engine, unsigned int most);
void injection_take_event(struct engine *engine, const json_t *event);
int injection_stop_fault(struct engine *engine, struct reason *why);
step_run_fn step_inject, step_migrate, step_when, step_limit, step_post_copy, step_release,
	step_cut, step_flip, step_cancel, step_balloon;
void migration_take_event(struct engine_guest *guest, const json_t *data);
void migration_compare_clocks(struct engine_guest *guest);

#endif
