// SPDX-License-Identifier: GPL-2.0-only
/*
 * How much a source of evidence may put into the journal during one trial. A host or a guest that floods is an outcome of
 * the trial: the controller keeps its memory, its deadlines and the records of its own.
 */
#include "harness/evidence/evidence.h"
#include "harness/evidence/vocabulary.h"
#include "harness/trial/engine_internal.h"

/* What follows is for a trial of less than that; a longer one has as much again for each such time. */
#define SPAN_NS (120 * NSEC_PER_SEC)
/* A machine check storm on a host of metal is some hundred lines; a busy trace some thousand. */
#define SOURCE_EVENTS 10000
#define SOURCE_BYTES (4 << 20)
/* All that the agent of a host reports, its guests included. */
#define AGENT_EVENTS 40000
#define AGENT_BYTES (16 << 20)
/* Beyond all that, of each source: how the kernel itself fares. */
#define RESERVED_EVENTS 100
#define RESERVED_BYTES (64 << 10)

/* The controller's own view of a host: it comes from no agent, and the fate of the host depends on it. */
static bool is_out_of_band(const char *witness)
{
	return is_one_of(witness, OUTSIDE_SOURCES(TABLE_WORD) NULL);
}

static json_t *account_of(json_t *budget, const char *name)
{
	json_t *account = json_object_get(budget, name);

	if (!account) {
		account = json_object();
		json_object_set_new(budget, name, account);
	}
	return account;
}

static bool spend(const struct engine *engine, json_t *account, json_int_t bytes,
		  json_int_t events_max, json_int_t bytes_max)
{
	json_int_t spans = 1 + engine->trial->scenario->deadline_ns / SPAN_NS;

	if (json_number(account, "events", 0) >= events_max * spans ||
	    json_number(account, "bytes", 0) + bytes > bytes_max * spans)
		return false;
	json_add(account, "events", 1);
	json_add(account, "bytes", bytes);
	return true;
}

/* The fate of a machine is in the last lines of its log, when the errors before them have used up the budget. */
static bool fits_reserve(struct engine *engine, const json_t *event, const char *source,
			 json_int_t bytes)
{
	enum meaning meaning = kernel_line_read(json_text(event, "text", "")).meaning;
	__cleanup_free char *reserve = NULL;

	if (meaning != MEANS_PANIC && meaning != MEANS_OOPS && meaning != MEANS_STUCK)
		return false;
	reserve = format_text("%s reserve", source);
	return spend(engine, account_of(engine->budget, reserve), bytes, RESERVED_EVENTS,
		     RESERVED_BYTES);
}

/* The first loss of a source is evidence of that source: the judge takes its silence for no answer from here on. */
static void report_loss(struct engine *engine, const json_t *event, const char *source)
{
	__cleanup_free char *text = format_text(
		"the trial's budget for %s is used up: what follows is counted, not kept", source);

	engine_journal(engine, "event",
		       json_pack("{s:s, s:s*, s:s*, s:I, s:s, s:{s:s, s:i}}", "witness",
				 json_text(event, "witness", ""), "host",
				 json_text(event, "host", NULL), "guest",
				 json_text(event, "guest", NULL), "host_time_ns",
				 (json_int_t)now_realtime_ns(), "text", text, "data", "event",
				 "over-budget", "lost", 1));
}

/**
 * budget_allows - whether an event of the bench still fits into the budget of its source
 * @engine: its @budget keeps the accounts of the trial
 * @event:  as the journal will have it; borrowed
 *
 * An event that does not fit is counted. The first one of a source leaves an event of that source on record, with
 * "lost": 1. Later lines that show a panic, an oops or a machine that is stuck have a reserve.
 */
bool budget_allows(struct engine *engine, json_t *event)
{
	const char *witness = json_text(event, "witness", "");
	const char *host = json_text(event, "host", "");
	__cleanup_free char *source =
		format_text("%s%s%s %s", host, json_text(event, "guest", NULL) ? "/" : "",
			    json_text(event, "guest", ""), witness);
	json_t *account = account_of(engine->budget, source);
	json_int_t bytes = (json_int_t)json_dumpb(event, NULL, 0, JSON_COMPACT);

	if (fold_takes(engine, account, event))
		return false;
	if (!json_object_get(account, "dropped") &&
	    spend(engine, account, bytes, SOURCE_EVENTS, SOURCE_BYTES) &&
	    (is_out_of_band(witness) ||
	     spend(engine, account_of(engine->budget, host), bytes, AGENT_EVENTS, AGENT_BYTES)))
		return true;
	if (!json_object_get(account, "dropped")) {
		report_loss(engine, event, source);
		json_add(account, "dropped", 0);
		json_add(account, "dropped_bytes", 0);
	}
	if (fits_reserve(engine, event, source, bytes))
		return true;
	json_add(account, "dropped", 1);
	json_add(account, "dropped_bytes", bytes);
	return false;
}

/** budget_begin - open the accounts of a trial */
void budget_begin(struct engine *engine)
{
	json_decref(engine->budget);
	engine->budget = json_object();
}

/** budget_end - put on record how much of which source was not kept */
void budget_end(struct engine *engine)
{
	const char *source;
	json_t *account;

	json_object_foreach (engine->budget, source, account)
		fold_end(engine, account);
	json_object_foreach (engine->budget, source, account)
		if (json_object_get(account, "dropped"))
			engine_journal(engine, "dropped",
				       json_pack("{s:s, s:O, s:O}", "source", source, "events",
						 json_object_get(account, "dropped"), "bytes",
						 json_object_get(account, "dropped_bytes")));
}
