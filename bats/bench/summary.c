// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: summary DIR
 * The figures of a run: verdicts, turnaround, what the agent used at its first, middle and last trial; with guests, what
 * starting them took of the run, and with migrations, how long guests did not run.
 */
#include <stdio.h>
#include <string.h>

#include "bats/bench/figures.h"
#include "harness/journal/journal.h"
#include "harness/judge/judge.h"

/* Of a heartbeat every 10 ms. */
#define RESOLUTION_MS 10

static void print_spread(const char *name, double *values, size_t count)
{
	if (!count)
		return;
	qsort(values, count, sizeof(double), figures_compare);
	printf("%-20s median %8.1f ms, 99th percentile %8.1f ms, max %8.1f ms (%zu trials)\n", name,
	       values[count / 2], values[count * 99 / 100], values[count - 1], count);
}

static void print_metric(const json_t *trials, const char *name)
{
	double *values = calloc(json_array_size(trials) + 1, sizeof(double));
	const json_t *trial;
	size_t index, count = 0;

	json_array_foreach ((json_t *)trials, index, trial) {
		const json_t *metric = json_object_get(json_object_get(trial, "metrics"), name);

		if (metric)
			values[count++] = json_number_value(json_object_get(metric, "value")) / 1e6;
	}
	print_spread(name, values, count);
	free(values);
}

/* From the intent, when it is about to be made durable, to the verdict when it is: its own fdatasync is not in it. */
static void print_turnaround(const json_t *records)
{
	double *values = calloc(json_array_size(records) + 1, sizeof(double));
	const json_t *record;
	size_t index, count = 0;
	int64_t intent = 0;

	json_array_foreach ((json_t *)records, index, record) {
		const char *type = json_text(record, "type", "");
		int64_t time_ns = json_number(record, "time_ns", 0);

		if (strcmp(type, "intent") == 0)
			intent = time_ns;
		if (strcmp(type, "verdict") != 0 || !intent)
			continue;
		values[count++] = (double)(time_ns - intent) / 1e6;
		intent = 0;
	}
	print_spread("intent_to_verdict", values, count);
	if (count)
		printf("%-20s %.0f times faster than a trial every 4 s\n", "turnaround",
		       4000 / values[count / 2]);
	free(values);
}

static bool metric_of(const json_t *trial, const char *name, double *value_ms)
{
	const json_t *metric = json_object_get(json_object_get(trial, "metrics"), name);

	*value_ms = json_number_value(json_object_get(metric, "value")) /
		    (strcmp(json_text(metric, "unit", "ns"), "us") == 0 ? 1e3 : 1e6);
	return metric != NULL;
}

/**
 * struct downtimes - of each trial that has them, in ms
 * @difference: that of the guest, less that of libvirt without what the clocks of its two hosts are apart
 * @to_stop:    from the last beat to QEMU's word that the guest is stopped
 * @to_beat:    from QEMU's word that it goes on to the first beat
 * @libvirt:    that of libvirt, less that between these two words
 */
struct downtimes {
	double *difference, *to_stop, *to_beat, *libvirt;
	size_t count, divided;
};

static void take_downtime(struct downtimes *downtimes, const json_t *trial)
{
	double guest, libvirt, apart, qemu, *difference = &downtimes->difference[downtimes->count];

	if (!metric_of(trial, "guest_downtime", &guest) ||
	    !metric_of(trial, "hypervisor_downtime", &libvirt))
		return;
	(void)metric_of(trial, "clock_difference", &apart);
	*difference = guest - libvirt + apart;
	printf("round %s %s: guest %.1f ms, libvirt %.1f ms, clocks of the hosts %.1f ms apart: "
	       "difference %.1f ms",
	       json_text(trial, "scenario", "?"), json_text(trial, "trial", "?"), guest, libvirt,
	       apart, *difference);
	downtimes->count++;
	if (metric_of(trial, "qemu_downtime", &qemu) &&
	    metric_of(trial, "beat_to_stop", &downtimes->to_stop[downtimes->divided]) &&
	    metric_of(trial, "resume_to_beat", &downtimes->to_beat[downtimes->divided])) {
		downtimes->libvirt[downtimes->divided] = libvirt - apart - qemu;
		printf(" (last beat to STOP %.1f, STOP to RESUME %.1f, RESUME to first beat %.1f)",
		       downtimes->to_stop[downtimes->divided], qemu,
		       downtimes->to_beat[downtimes->divided]);
		downtimes->divided++;
	}
	putchar('\n');
}

static void print_differences(const double *differences, size_t count)
{
	size_t near = 0;
	double worst = 0;

	for (size_t i = 0; i < count; i++) {
		double off = differences[i] < 0 ? -differences[i] : differences[i];

		near += off <= RESOLUTION_MS;
		worst = off > worst ? off : worst;
	}
	printf("%-20s %zu of %zu agree within %d ms, the worst is off by %.1f ms\n", "downtimes",
	       near, count, RESOLUTION_MS, worst);
}

/* How long guests did not run while they were moved: by their heartbeats, and by the hypervisor. */
static void print_downtimes(const json_t *trials)
{
	size_t most = json_array_size(trials) + 1, index;
	struct downtimes downtimes = {.difference = calloc(most, sizeof(double)),
				      .to_stop = calloc(most, sizeof(double)),
				      .to_beat = calloc(most, sizeof(double)),
				      .libvirt = calloc(most, sizeof(double))};
	const json_t *trial;

	json_array_foreach ((json_t *)trials, index, trial)
		take_downtime(&downtimes, trial);
	if (downtimes.count) {
		print_metric(trials, "guest_downtime");
		print_metric(trials, "hypervisor_downtime");
		print_metric(trials, "qemu_downtime");
		figures_print_spread("downtime of the guest, less that of libvirt",
				     downtimes.difference, downtimes.count, " ms");
		print_differences(downtimes.difference, downtimes.count);
	}
	if (downtimes.divided) {
		figures_print_spread("last beat to STOP", downtimes.to_stop, downtimes.divided,
				     " ms");
		figures_print_spread("RESUME to first beat", downtimes.to_beat, downtimes.divided,
				     " ms");
		figures_print_spread("downtime of libvirt, less STOP to RESUME", downtimes.libvirt,
				     downtimes.divided, " ms");
	}
	free(downtimes.difference);
	free(downtimes.to_stop);
	free(downtimes.to_beat);
	free(downtimes.libvirt);
}

/* What the starts of guests took of a run, from its first record to its last. */
static void print_guests(const json_t *records)
{
	const json_t *record;
	size_t index, started = 0, kept = 0;
	double taken = 0, made = 0, whole;

	json_array_foreach ((json_t *)records, index, record) {
		const json_t *body = json_object_get(record, "body");
		const json_t *facts = json_object_get(body, "facts");

		if (strcmp(json_text(record, "type", ""), "guest") != 0 ||
		    json_is_true(json_object_get(body, "arrived")))
			continue;
		if (json_is_true(json_object_get(body, "warm"))) {
			kept++;
			continue;
		}
		started++;
		taken += (double)json_number(facts, "hello_ns", 0) / 1e9;
		made += (double)json_number(facts, "made_ns", 0) / 1e9;
	}
	if (!started)
		return;
	whole = (double)(json_number(json_array_get(records, json_array_size(records) - 1),
				     "time_ns", 0) -
			 json_number(json_array_get(records, 0), "time_ns", 0)) /
		1e9;
	printf("%-20s %zu started, %.1f s of %.1f s (%.0f %%), libvirt %.1f s of it; kept from one "
	       "trial to the next %zu times\n",
	       "guests", started, taken, whole, 100 * taken / whole, made, kept);
}

static void print_usage(const json_t *records)
{
	const json_t *record, *usage[3] = {0};
	size_t index, count = 0, middle;

	json_array_foreach ((json_t *)records, index, record)
		count += strcmp(json_text(record, "type", ""), "usage") == 0;
	if (!count)
		return;
	middle = count / 2;
	count = 0;
	json_array_foreach ((json_t *)records, index, record) {
		if (strcmp(json_text(record, "type", ""), "usage") != 0)
			continue;
		usage[2] = json_object_get(record, "body");
		if (count == 0)
			usage[0] = usage[2];
		if (count++ == middle)
			usage[1] = usage[2];
	}
	/* Buffers grow to what a trial needs; what still grows after the middle is a leak, in a run long enough (some 200 trials). */
	printf("%-20s", "agent");
	for (size_t i = 0; i < ARRAY_SIZE(usage); i++) {
		static const char *const when[] = {"first", "middle", "last"};

		printf(" %s trial %lld file descriptors, %lld kB;", when[i],
		       (long long)json_number(usage[i], "fds", 0),
		       (long long)json_number(usage[i], "resident_kb", 0));
	}
	putchar('\n');
}

static int collect(void *context, const struct judged *judged)
{
	return json_array_append(context, judged->result);
}

int main(int argc, char **argv)
{
	__cleanup_index struct journal_index *index = NULL;
	__cleanup_json json_t *records = NULL;
	__cleanup_json json_t *results = NULL;
	__cleanup_json json_t *trials = json_array();
	struct journal_damage damage;
	struct reason why = {0};
	const char *verdict;
	json_t *count;

	if (argc != 2 || journal_load(argv[1], &records, &damage, &why) ||
	    journal_index_open(argv[1], &index, &why)) {
		fprintf(stderr, "usage: summary DIR: %s\n", why.text);
		return 1;
	}
	judge_run(index, &(struct judge_options){0}, collect, trials, &results);
	printf("%-20s", "verdicts");
	json_object_foreach (json_object_get(results, "counts"), verdict, count)
		if (json_integer_value(count))
			printf(" %s %lld", verdict, (long long)json_integer_value(count));
	putchar('\n');
	print_turnaround(records);
	print_metric(trials, "intent_to_evidence");
	print_metric(trials, "intent_to_signal");
	print_metric(trials, "intent_to_guest_signal");
	print_downtimes(trials);
	print_guests(records);
	print_usage(records);
	return 0;
}
