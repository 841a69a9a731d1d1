// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a trial measured: times of its own records, its migration, and what workloads reported. Each metric has a unit, a
 * direction, its raw samples, and the host and boot that it comes from.
 */
#include <string.h>

#include "harness/judge/read/case.h"

/* When a record was written; 0: there is none. */
static int64_t written(const struct record *record)
{
	return record ? record->written_ns : 0;
}

static void append(json_t *metric, const char *key, const char *text)
{
	if (text)
		json_object_set_new(metric, key, json_string(text));
}

/* The boot of a host at a place in the journal: the last one before it, else the first. */
static const char *boot_at(const struct trial_case *trial, const char *host,
			   const struct record *place)
{
	const char *boot = NULL;

	for_each_record (trial, record) {
		if (boot && record > place)
			break;
		if (record->type == RECORD_BOOT &&
		    (!host || !record->host || strcmp(record->host, host) == 0))
			boot = record->boot.boot_id ?: boot;
	}
	return boot;
}

static json_t *new_metric(const struct trial_case *trial, const char *unit, const char *direction,
			  const char *host, const struct record *place)
{
	json_t *metric =
		json_pack("{s:s, s:s, s:[]}", "unit", unit, "direction", direction, "samples");

	append(metric, "host", host);
	append(metric, "boot", boot_at(trial, host, place));
	return metric;
}

static void take_value(const struct trial_case *trial, json_t *metrics, const char *name,
		       int64_t value, const char *unit, const char *direction)
{
	json_t *metric = new_metric(trial, unit, direction, trial->host_name, trial->from);

	json_object_set_new(metric, "value", json_integer(value));
	json_array_append_new(json_object_get(metric, "samples"), json_integer(value));
	json_object_set_new(metrics, name, metric);
}

static void take_known(const struct trial_case *trial, json_t *metrics, const char *name,
		       int64_t value, const char *unit)
{
	if (value >= 0)
		take_value(trial, metrics, name, value, unit, "lower");
}

static void take_span(const struct trial_case *trial, json_t *metrics, const char *name,
		      int64_t from, int64_t to)
{
	int64_t value;

	if (from && to && !__builtin_sub_overflow(to, from, &value))
		take_known(trial, metrics, name, value, "ns");
}

static void take_migration(const struct trial_case *trial, json_t *metrics)
{
	const struct migration_outcome *migration = &trial->migration;

	if (migration->downtime_ns > 0)
		take_known(trial, metrics, "guest_downtime", migration->downtime_ns, "ns");
	take_known(trial, metrics, "hypervisor_downtime", migration->hypervisor_downtime_ns, "ns");
	take_known(trial, metrics, "qemu_downtime", migration->qemu_downtime_ns, "ns");
	take_known(trial, metrics, "beat_to_stop", migration->before_stop_ns, "ns");
	take_known(trial, metrics, "resume_to_beat", migration->after_resume_ns, "ns");
	if (migration->axis == MIGRATION_AXIS_COMPLETED && migration->clocks_known)
		take_value(trial, metrics, "clock_difference",
			   migration->clock_difference_ns / 1000, "us", "none");
	take_known(trial, metrics, "migration_time", migration->time_ns, "ns");
	take_known(trial, metrics, "iterations", migration->iterations, "count");
}

/* Of the first host, if it was booted for the trial: on the clock of the controller, and on that of its kernel. */
static void take_boot(const struct trial_case *trial, json_t *metrics)
{
	for_each_record (trial, record) {
		int64_t boot_ns = json_number(record->body, "boot_ns", -1);

		if (record->type != RECORD_BOOT || boot_ns < 0)
			continue;
		take_known(trial, metrics, "power_on_to_agent", boot_ns, "ns");
		take_known(trial, metrics, "kernel_to_agent",
			   json_number(record->boot.facts, "monotonic_ns", -1), "ns");
		return;
	}
}

/* What a storm did to guests beside it: the longest time between two of their beats. */
static void take_neighbours(const struct trial_case *trial, json_t *metrics)
{
	int64_t longest = -1, intent = written(trial->intent);

	for_each_record (trial, record)
		if (event_is_from(record, SOURCE_HEARTBEAT) && written(record) > intent &&
		    record->event.beat.longest_ns > longest)
			longest = record->event.beat.longest_ns;
	if (longest > 0)
		take_known(trial, metrics, "guest_longest_gap", longest, "ns");
}

static const char *direction_of(const json_t *sample)
{
	const char *better = json_text(sample, "better", "");

	return strcmp(better, "lower") == 0 || strcmp(better, "higher") == 0 ? better : "none";
}

/* The metric that a sample belongs to. Another boot is another machine, and its samples are a metric of their own. */
static json_t *workload_metric(const struct trial_case *trial, json_t *metrics,
			       const struct record *record, const char *name, const json_t *sample)
{
	const char *workload = record->event.work.workload
				       ?: json_text(record->event.data, "injector", "workload");
	const char *boot = boot_at(trial, record->host, record);
	__cleanup_free char *first = format_text("%s.%s", workload, name);
	__cleanup_free char *other = format_text("%s.%s@%s", workload, name, boot ?: "");
	json_t *metric = json_object_get(metrics, first);
	bool same = !metric || !boot || strcmp(json_text(metric, "boot", boot), boot) == 0;

	if (!same)
		metric = json_object_get(metrics, other);
	if (metric)
		return metric;
	metric = new_metric(trial, json_text(sample, "unit", ""), direction_of(sample),
			    record->host, record);
	append(metric, "guest", record->guest);
	append(metric, "workload", workload);
	json_object_set_new(metrics, same ? first : other, metric);
	return metric;
}

/* The least share of its time in which a counter counted: 0 for one that this machine does not have. */
static void note_share(json_t *metric, const json_t *sample)
{
	const json_t *share = json_object_get(sample, "counted"), *least;

	least = json_object_get(metric, "counted");
	if (share && (!least || json_number_value(share) < json_number_value(least)))
		json_object_set(metric, "counted", (json_t *)share);
}

static void take_samples(const struct trial_case *trial, json_t *metrics,
			 const struct record *record)
{
	const char *name;
	json_t *sample;

	json_object_foreach ((json_t *)record->event.work.metrics, name, sample) {
		json_t *value = json_object_get(sample, "value"), *metric;

		if (!json_is_number(value) && !json_is_number(json_object_get(sample, "counted")))
			continue;
		metric = workload_metric(trial, metrics, record, name, sample);
		note_share(metric, sample);
		if (json_is_number(value))
			json_array_append(json_object_get(metric, "samples"), value);
	}
}

static void take_means(json_t *metrics)
{
	const char *name;
	json_t *metric, *sample;
	size_t index;

	json_object_foreach (metrics, name, metric) {
		const json_t *samples = json_object_get(metric, "samples");
		double sum = 0;

		json_array_foreach (samples, index, sample)
			sum += json_number_value(sample) / (double)json_array_size(samples);
		json_object_set_new(metric, "value",
				    json_array_size(samples) ? json_real(sum) : json_null());
	}
}

/*
 * Workloads, and users of what an injector works on, report what they measured in each interval (`metrics`), or in all at its end or at a touch; the sum of intervals
 * is no further sample of them.
 */
static void take_workloads(const struct trial_case *trial, json_t *metrics)
{
	__cleanup_json json_t *intervals = json_object();
	__cleanup_json json_t *totals = json_object();

	for_each_record (trial, record)
		if (event_is_from(record, SOURCE_WORKLOAD) || event_is_from(record, SOURCE_USERS))
			take_samples(trial, event_is_named(record, "metrics") ? intervals : totals,
				     record);
	json_object_update_missing(intervals, totals);
	take_means(intervals);
	json_object_update(metrics, intervals);
}

/**
 * case_metrics - what a trial measured
 * @trial: case whose axes have been read
 *
 * Return: {NAME: {"value", "unit", "direction", "samples", "host", "boot"}} (docs/verdicts.md), owned by the caller.
 */
json_t *case_metrics(const struct trial_case *trial)
{
	json_t *metrics = json_object();
	int64_t start = written(trial->start), intent = written(trial->intent);
	int64_t close = written(trial->close);

	take_span(trial, metrics, "trial_time", start, close);
	take_span(trial, metrics, "injector_time", intent, written(trial->outcome));
	if (trial->outcome)
		take_known(trial, metrics, "fire_time",
			   json_number(trial->outcome->outcome.result, "duration_ns", -1), "ns");
	take_span(trial, metrics, "intent_to_evidence", intent, trial->first_proof_ns);
	take_span(trial, metrics,
		  trial->victim_guest ? "intent_to_guest_signal" : "intent_to_signal", intent,
		  trial->first_signal_ns);
	take_span(trial, metrics, "intent_to_close", intent, close);
	take_boot(trial, metrics);
	if (trial->migration.axis != MIGRATION_AXIS_NONE)
		take_migration(trial, metrics);
	if (trial->conversion.axis != CONVERSION_AXIS_NONE)
		take_neighbours(trial, metrics);
	take_workloads(trial, metrics);
	return metrics;
}
