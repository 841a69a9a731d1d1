// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a trial measured: times of its own records, its migration, and what workloads reported. Each metric has a unit, a
 * direction, its raw samples, and the host and boot that it comes from.
 */
#include <string.h>

#include "harness/judge/read/case.h"

static void append(json_t *metric, const char *key, const char *text)
{
	if (text)
		json_object_set_new(metric, key, json_string(text));
}

/* The boot of a host at a place in the journal: the last one before it, else the first. */
static const char *boot_at(const struct trial_case *trial, const char *host, size_t place)
{
	const char *boot = NULL;
	size_t index;
	json_t *record;

	json_array_foreach (trial->records, index, record) {
		const json_t *body = record_body(record);
		const char *name = json_text(body, "host", NULL);

		if (boot && index > place)
			break;
		if (record_is(record, "boot") && (!host || !name || strcmp(name, host) == 0))
			boot = json_text(body, "boot_id", boot);
	}
	return boot;
}

static json_t *new_metric(const struct trial_case *trial, const char *unit, const char *direction,
			  const char *host, size_t place)
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

static const char *direction_of(const json_t *sample)
{
	const char *better = json_text(sample, "better", "");

	return strcmp(better, "lower") == 0 || strcmp(better, "higher") == 0 ? better : "none";
}

/* The metric that a sample belongs to. Another boot is another machine, and its samples are a metric of their own. */
static json_t *workload_metric(const struct trial_case *trial, json_t *metrics,
			       const json_t *record, size_t place, const char *name,
			       const json_t *sample)
{
	const json_t *body = record_body(record), *data = event_data(record);
	const char *workload = json_text(data, "workload", json_text(data, "injector", "workload"));
	const char *host = json_text(body, "host", NULL), *boot = boot_at(trial, host, place);
	__cleanup_free char *first = format_text("%s.%s", workload, name);
	__cleanup_free char *other = format_text("%s.%s@%s", workload, name, boot ?: "");
	json_t *metric = json_object_get(metrics, first);
	bool same = !metric || !boot || strcmp(json_text(metric, "boot", boot), boot) == 0;

	if (!same)
		metric = json_object_get(metrics, other);
	if (metric)
		return metric;
	metric =
		new_metric(trial, json_text(sample, "unit", ""), direction_of(sample), host, place);
	append(metric, "guest", event_guest(record));
	append(metric, "workload", workload);
	json_object_set_new(metrics, same ? first : other, metric);
	return metric;
}

static void take_samples(const struct trial_case *trial, json_t *metrics, const json_t *record,
			 size_t place)
{
	const char *name;
	json_t *sample;

	json_object_foreach (json_object_get(event_data(record), "metrics"), name, sample) {
		json_t *value = json_object_get(sample, "value");

		if (json_is_number(value))
			json_array_append(json_object_get(workload_metric(trial, metrics, record,
									  place, name, sample),
							  "samples"),
					  value);
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
		json_object_set_new(metric, "value", json_real(sum));
	}
}

/*
 * A workload, and those who use what an injector works on, report what it measured in each interval (`metrics`), or in all at its end or at a touch; the sum of intervals
 * is no further sample of them.
 */
static void take_workloads(const struct trial_case *trial, json_t *metrics)
{
	__cleanup_json json_t *intervals = json_object();
	__cleanup_json json_t *totals = json_object();
	size_t index;
	json_t *record;

	json_array_foreach (trial->records, index, record) {
		const char *event = json_text(event_data(record), "event", "");
		const char *source = event_witness(record);

		if (record_is(record, "event") &&
		    (strcmp(source, "workload") == 0 || strcmp(source, "users") == 0))
			take_samples(trial, strcmp(event, "metrics") == 0 ? intervals : totals,
				     record, index);
	}
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
	int64_t start = record_time(trial->start), intent = record_time(trial->intent);
	int64_t close = record_time(trial->close);

	take_span(trial, metrics, "trial_time", start, close);
	take_span(trial, metrics, "injector_time", intent, record_time(trial->outcome));
	take_span(trial, metrics, "intent_to_evidence", intent, trial->first_proof_ns);
	take_span(trial, metrics,
		  trial->victim_guest ? "intent_to_guest_signal" : "intent_to_signal", intent,
		  trial->first_signal_ns);
	take_span(trial, metrics, "intent_to_close", intent, close);
	if (trial->migration.axis != MIGRATION_AXIS_NONE)
		take_migration(trial, metrics);
	take_workloads(trial, metrics);
	return metrics;
}
