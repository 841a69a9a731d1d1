// SPDX-License-Identifier: GPL-2.0-only
/*
 * pattern: a process that owns much memory, and writes and verifies it continuously. Every line of it contains its place.
 * This is the agent's side, whose every wait for the process has a timeout.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "workloads/pattern.h"

/* Timeout to fill its memory, and a second more for each @READY_BYTES: an emulated guest is slow. */
#define READY_NS (8 * NSEC_PER_SEC)
#define READY_BYTES (32u << 20)

static const char *const backings[] = {[BACKING_ANONYMOUS] = "anonymous",
				       [BACKING_THP] = "thp",
				       [BACKING_SHARED] = "shared",
				       NULL};
static const char *const verifies[] = {"continuous", "on-demand", NULL};
static const char *const orders[] = {"sequential", "random", NULL};

static const struct param pattern_params[] = {
	{"size", PARAM_SIZE, "of the memory; whole pages of 4 KiB", "64M", NULL, false},
	{"page", PARAM_CHOICE, "kind of its pages", "anonymous", backings, false},
	{"rate", PARAM_NUMBER, "pages written anew, a second; 0 for none", "1000", NULL, false},
	{"order", PARAM_CHOICE, "in which they are written", "sequential", orders, false},
	{"verify", PARAM_CHOICE, "all the time, or only when touched", "continuous", verifies,
	 false},
	{"verify-rate", PARAM_NUMBER, "pages verified, a second; 0 for as fast as it goes", "0",
	 NULL, false},
	{"seed", PARAM_NUMBER, "of the pattern and of a random order", "1", NULL, false},
	{"victim", PARAM_STRING,
	 "page that the facts name: its number, or the one of the lowest or highest physical "
	 "address",
	 "middle", NULL, false},
	{"victim-dirty", PARAM_BOOL, "the victim is among the pages that are written anew", "yes",
	 NULL, false},
	{"lock", PARAM_BOOL, "mlock(2)", "false", NULL, false},
	{"mce-kill", PARAM_CHOICE, "prctl(PR_MCE_KILL): early, late, or the host's default",
	 "default", process_mce_kills, false},
	{"interval", PARAM_DURATION, "between two reports of its figures", "1s", NULL, false},
	{"shown", PARAM_NUMBER, "mismatches and signals that are reported individually", "16", NULL,
	 false},
	{"deadline", PARAM_DURATION, "a touch that takes longer is reported as hung", "30s", NULL,
	 false},
	{0},
};

/* @before: the totals of the last report, and @before_ns when that was. */
struct pattern_run {
	struct process process;
	struct pattern_options options;
	struct pattern_totals before;
	int64_t before_ns;
};

/* MemAvailable of /proc/meminfo in bytes; UINT64_MAX when it is not known. */
static uint64_t available_bytes(void)
{
	__cleanup_free char *text = NULL;
	unsigned long long kilobytes;
	char path[4096];
	const char *at;

	if (read_small_file(system_path(path, "/proc/meminfo"), &text, NULL))
		return UINT64_MAX;
	at = strstr(text, "MemAvailable:");
	return at && sscanf(at, "MemAvailable: %llu", &kilobytes) == 1 ? kilobytes << 10
								       : UINT64_MAX;
}

/* The page with the lowest or highest address is found when the memory is mapped. */
static int take_victim(const json_t *arguments, struct pattern_options *options, struct reason *why)
{
	static const char *const places[] = {[PLACE_NUMBER] = "",
					     [PLACE_LOWEST] = "lowest",
					     [PLACE_HIGHEST] = "highest",
					     [PLACE_MIDDLE] = "middle",
					     NULL};
	const char *text = param_text(arguments, "victim");
	uint64_t pages = options->size / PATTERN_PAGE;

	options->place = (enum pattern_place)process_choice(arguments, "victim", places);
	if (places[options->place] && options->place != PLACE_NUMBER) {
		options->victim = pages / 2;
		return 0;
	}
	options->place = PLACE_NUMBER;
	if (parse_number(text, &options->victim))
		return fail(why, -EINVAL,
			    "'victim' is '%s': it must be lowest, highest, middle, or the number "
			    "of a page",
			    text);
	if (options->victim >= pages)
		return fail(why, -EINVAL,
			    "'victim' is %" PRIu64 ", but there are %" PRIu64 " pages",
			    options->victim, pages);
	return 0;
}

static int take_options(const json_t *arguments, struct pattern_options *options,
			struct reason *why)
{
	uint64_t pages, available = available_bytes();

	*options = (struct pattern_options){
		.backing = (enum pattern_backing)process_choice(arguments, "page", backings),
		.size = param_number(arguments, "size"),
		.seed = param_number(arguments, "seed"),
		.dirty_rate = param_number(arguments, "rate"),
		.verify_rate = param_number(arguments, "verify-rate"),
		.continuous = process_choice(arguments, "verify", verifies) == 0,
		.random = process_choice(arguments, "order", orders) == 1,
		.lock = param_bool(arguments, "lock"),
		.spare_victim = !param_bool(arguments, "victim-dirty"),
		.interval_ns = param_duration_ns(arguments, "interval"),
		.shown = param_number(arguments, "shown"),
		.mce_kill = process_mce_kill(arguments),
	};
	pages = options->size / PATTERN_PAGE;
	if (!pages || options->size % PATTERN_PAGE || pages >= PATTERN_PAGES_MAX)
		return fail(why, -EINVAL, "'size' is %" PRIu64 ": it must be whole pages of 4 KiB",
			    options->size);
	if (options->dirty_rate > NSEC_PER_SEC || options->verify_rate > NSEC_PER_SEC)
		return fail(why, -EINVAL, "'rate' and 'verify-rate' are at most 1000000000");
	if (options->interval_ns < 10 * NSEC_PER_MSEC)
		return fail(why, -EINVAL, "'interval' must be 10 ms at least");
	if (options->size > available / 10 * 9)
		return fail(why, -ENOMEM,
			    "'size' is %" PRIu64 " MiB: more than nine tenths of the %" PRIu64
			    " MiB available would invoke the OOM killer",
			    options->size >> 20, available >> 20);
	return take_victim(arguments, options, why);
}

static void emit_signal(struct activity *run, const struct pattern_report *report)
{
	json_t *data = json_object();

	if (report->mismatch.page != UINT64_MAX)
		json_object_set_new(data, "page", json_integer((json_int_t)report->mismatch.page));
	json_object_set(data, "expected_address", json_object_get(run->facts, "address"));
	process_emit_signal(run, &report->base, data);
}

static void emit_mismatch(struct activity *run, const struct pattern_report *report)
{
	const struct pattern_mismatch *seen = &report->mismatch;
	const char *kind = pattern_fault_names[seen->fault % PATTERN_FAULTS];
	__cleanup_free char *text = format_text(
		"%s: page %" PRIu64 " at 0x%" PRIx64 " (%u of %d lines) holds 0x%" PRIx64
		" instead of 0x%" PRIx64 ", generation %u instead of %u",
		kind, seen->page, report->base.address, seen->lines, PATTERN_LINES, seen->found,
		seen->expected, seen->found_generation, seen->expected_generation);
	json_t *data = json_pack("{s:s, s:I, s:o, s:o, s:o, s:I, s:I, s:I, s:I}", "kind", kind,
				 "page", (json_int_t)seen->page, "address",
				 json_sprintf("0x%" PRIx64, report->base.address), "found",
				 json_sprintf("0x%" PRIx64, seen->found), "expected",
				 json_sprintf("0x%" PRIx64, seen->expected), "expected_generation",
				 (json_int_t)seen->expected_generation, "found_generation",
				 (json_int_t)seen->found_generation, "lines",
				 (json_int_t)seen->lines, "bits", (json_int_t)seen->bits);

	if (seen->fault == PATTERN_FOREIGN) {
		json_object_set_new(data, "found_page", json_integer((json_int_t)seen->found_page));
		json_object_set_new(data, "found_seed", json_integer(seen->found_seed));
	}
	process_emit(run, "corrupted", &report->base, data, text);
}

static json_t *totals_json(const struct pattern_totals *totals)
{
	json_t *found = json_object();

	for (size_t i = PATTERN_INTACT + 1; i < PATTERN_FAULTS; i++)
		if (totals->found[i])
			json_object_set_new(found, pattern_fault_names[i],
					    json_integer((json_int_t)totals->found[i]));
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "verified", (json_int_t)totals->verified,
			 "written", (json_int_t)totals->written, "passes",
			 (json_int_t)totals->passes, "lost", (json_int_t)totals->lost, "unreported",
			 (json_int_t)totals->unreported, "mismatches", found);
}

static json_t *metric(double value, const char *unit, const char *better)
{
	return json_pack("{s:f, s:s, s:s}", "value", value, "unit", unit, "better", better);
}

static void emit_totals(struct activity *run, const struct pattern_report *report)
{
	struct pattern_run *pattern = run->private;
	double seconds = (double)(report->base.monotonic_ns - pattern->before_ns) / NSEC_PER_SEC;
	const struct pattern_totals *now = &report->totals, *before = &pattern->before;
	double verified = seconds > 0 ? (double)(now->verified - before->verified) / seconds : 0;
	double written = seconds > 0 ? (double)(now->written - before->written) / seconds : 0;
	__cleanup_free char *text =
		format_text("%.0f pages/s verified, %.0f pages/s written", verified, written);

	process_emit(run, "metrics", &report->base,
		     json_pack("{s:o, s:{s:o, s:o, s:o}}", "totals", totals_json(now), "metrics",
			       "pattern_verified_pages", metric(verified, "pages/s", "higher"),
			       "pattern_verified_bytes",
			       metric(verified * PATTERN_PAGE, "bytes/s", "higher"),
			       "pattern_written_pages", metric(written, "pages/s", "higher")),
		     text);
	pattern->before = *now;
	pattern->before_ns = report->base.monotonic_ns;
}

/* The end of a touch: all pages were read. */
static void emit_verified(struct activity *run, const struct pattern_report *report)
{
	struct pattern_run *pattern = run->private;
	uint32_t wrong = report->mismatch.bits, lost = report->mismatch.lines;
	__cleanup_free char *text = format_text(
		"all pages were read: %u differ from what was written, %u were lost in this touch",
		wrong, lost);

	process_touched(&pattern->process);
	/* A page that was lost at this touch has a signal, so the touch is not reported as correct. */
	if (!lost)
		process_emit(run, "touched", &report->base,
			     json_pack("{s:b, s:s}", "value_ok", wrong == 0, "data",
				       wrong ? "other" : "intact"),
			     text);
	process_emit(run, "checked", &report->base,
		     json_pack("{s:I, s:I, s:o}", "wrong", (json_int_t)wrong, "lost",
			       (json_int_t)lost, "totals", totals_json(&report->totals)),
		     text);
}

static void handle_report(struct activity *run, const void *packet)
{
	const struct pattern_report *report = packet;

	switch (report->base.kind) {
	case PROCESS_SIGNAL:
		emit_signal(run, report);
		break;
	case PATTERN_MISMATCH:
		emit_mismatch(run, report);
		break;
	case PATTERN_TOTALS:
		emit_totals(run, report);
		break;
	case PATTERN_VERIFIED:
		emit_verified(run, report);
		break;
	default:
		break;
	}
}

static void note_facts(struct activity *run, const void *packet)
{
	struct pattern_run *pattern = run->private;
	const struct pattern_options *options = &pattern->options;
	const struct pattern_report *ready = packet;

	process_fact(run, "address", ready->base.address);
	process_fact(run, "page_size", PATTERN_PAGE);
	process_fact(run, "region", ready->region);
	process_fact(run, "region_size", options->size);
	json_object_set_new(run->facts, "victim", json_sprintf("0x%" PRIx64, ready->mismatch.page));
	process_fact(run, "seed", options->seed);
	process_fact(run, "pfn", ready->pfn);
	process_fact(run, "physical", ready->pfn << 12);
	json_object_set_new(run->facts, "page", json_string(backings[options->backing]));
	pattern->before = ready->totals;
	pattern->before_ns = ready->base.monotonic_ns;
}

static int prepare(struct activity *run, int64_t *ready_ns, struct reason *why)
{
	struct pattern_run *pattern = run->private;
	int error = take_options(run->arguments, &pattern->options, why);

	*ready_ns += (int64_t)(pattern->options.size / READY_BYTES) * NSEC_PER_SEC;
	return error;
}

/* A touch verifies all pages at once. */
static const struct process_workload owner = {
	.kind = {.name = "pattern",
		 .report_size = sizeof(struct pattern_report),
		 .body = pattern_process,
		 .ready = note_facts,
		 .report = handle_report},
	.size = sizeof(struct pattern_run),
	.options = offsetof(struct pattern_run, options),
	.ready_ns = READY_NS,
	.request = PATTERN_VERIFY,
	.prepare = prepare,
};

REGISTERED(workload, pattern) = {
	.name = "pattern",
	.summary = "a process that owns much memory, and writes and verifies it continuously",
	.params = pattern_params,
	.process = &owner,
	PROCESS_WORKLOAD,
};
