// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: summary DIR
 * The figures of a run of many trials of one scenario: verdicts, turnaround, and what the agent used at its first, middle and
 * last trial.
 */
#include <stdio.h>
#include <string.h>

#include "harness/journal/journal.h"
#include "harness/judge/judge.h"

static int compare(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return a < b ? -1 : a > b;
}

static void print_spread(const char *name, double *values, size_t count)
{
	if (!count)
		return;
	qsort(values, count, sizeof(double), compare);
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

int main(int argc, char **argv)
{
	__cleanup_json json_t *records = NULL;
	__cleanup_json json_t *results = NULL;
	struct journal_damage damage;
	struct reason why = {0};
	const char *verdict;
	json_t *count;

	if (argc != 2 || journal_load(argv[1], &records, &damage, &why)) {
		fprintf(stderr, "usage: summary DIR: %s\n", why.text);
		return 1;
	}
	results = judge_run(records);
	printf("%-20s", "verdicts");
	json_object_foreach (json_object_get(results, "counts"), verdict, count)
		if (json_integer_value(count))
			printf(" %s %lld", verdict, (long long)json_integer_value(count));
	putchar('\n');
	print_turnaround(records);
	print_metric(json_object_get(results, "trials"), "intent_to_evidence");
	print_metric(json_object_get(results, "trials"), "intent_to_signal");
	print_usage(records);
	return 0;
}
