// SPDX-License-Identifier: GPL-2.0-only
/*
 * perf-stat: counts kernel and processor events, of all processors or of another workload.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>

#include "harness/host/machine.h"
#include "harness/host/counters.h"
#include "harness/host/process.h"
#include "workloads/workload.h"

static const struct param perf_params[] = {
	{"of", PARAM_STRING, "name of a workload that runs; without it: all processors", NULL, NULL,
	 false},
	{"events", PARAM_LIST,
	 "as in perf list, SYSTEM:EVENT/FILTER/, kvm/exits; the usual ones that there are", NULL,
	 NULL, false},
	{"interval", PARAM_DURATION, "between two reports", "1s", NULL, false},
	{0},
};

static const char *const usual[] = {"context-switches", "cpu-migrations", "page-faults",  "cycles",
				    "instructions",	"cache-misses",	  "branch-misses"};

/* @before: what was counted at the last report, at @before_ns; @begin_ns: when all began; @touched: the next one is since the begin. */
struct perf_run {
	struct counter counters[COUNTERS_MOST];
	size_t count;
	double before[COUNTERS_MOST];
	int64_t begin_ns, before_ns;
	bool touched;
};

static void perf_stop(struct activity *run)
{
	struct perf_run *perf = run->private;

	if (!perf)
		return;
	for (size_t i = 0; i < perf->count; i++)
		counter_close(&perf->counters[i]);
	if (run->fd >= 0)
		close(run->fd);
	run->fd = -1;
	run->pid = 0;
	free(perf);
	run->private = NULL;
}

static int add_counter(struct perf_run *perf, const char *name, struct counted where,
		       struct reason *why)
{
	int error;

	if (perf->count == COUNTERS_MOST)
		return fail(why, -E2BIG, "perf-stat: 'events' are more than %d", COUNTERS_MOST);
	error = counter_open(&perf->counters[perf->count], name, where, why);
	if (error)
		counter_close(&perf->counters[perf->count]);
	else
		perf->count++;
	return error;
}

/* Events of the default set may be missing. */
static int add_usual(struct activity *run, struct counted where, struct reason *why)
{
	struct perf_run *perf = run->private;
	json_t *missing = json_array();
	int error = add_counter(perf, where.pid ? "task-clock" : "cpu-clock", where, why);

	json_object_set_new(run->facts, "unsupported", missing);
	for (size_t i = 0; !error && i < ARRAY_SIZE(usual); i++) {
		error = add_counter(perf, usual[i], where, why);
		if (error != -ENOTSUP)
			continue;
		json_array_append_new(missing, json_string(usual[i]));
		error = 0;
	}
	return error;
}

static int add_counters(struct activity *run, struct counted where, struct reason *why)
{
	const json_t *events = json_object_get(run->arguments, "events"), *event;
	size_t index;
	int error = 0;

	if (!json_array_size(events))
		return add_usual(run, where, why);
	json_array_foreach (events, index, event)
		if (!error)
			error = add_counter(run->private, json_string_value(event), where, why);
	return error;
}

static int find_place(struct activity *run, struct counted *where, struct reason *why)
{
	const char *name = param_text(run->arguments, "of");
	const struct activity *other = name && run->find ? run->find(run->context, name) : NULL;

	*where = (struct counted){0};
	if (!name)
		return 0;
	if (!other)
		return fail(
			why, -ENOENT,
			"perf-stat: no workload '%s' runs on this machine: start it before this "
			"one",
			name);
	if (other->pid <= 0)
		return fail(why, -ESRCH, "perf-stat: '%s' has no process", name);
	where->pid = other->pid;
	return 0;
}

static int arm(struct activity *run, int64_t first_ns, struct reason *why)
{
	int64_t interval = param_duration_ns(run->arguments, "interval");
	struct itimerspec time = {.it_interval = {.tv_sec = interval / NSEC_PER_SEC,
						  .tv_nsec = interval % NSEC_PER_SEC},
				  .it_value = {.tv_sec = first_ns / NSEC_PER_SEC,
					       .tv_nsec = first_ns % NSEC_PER_SEC}};

	if (timerfd_settime(run->fd, 0, &time, NULL) < 0)
		return fail_errno(why, -errno, "perf-stat: timerfd_settime");
	return 0;
}

static int start_timer(struct activity *run, struct reason *why)
{
	int64_t interval = param_duration_ns(run->arguments, "interval");

	if (interval < 10 * NSEC_PER_MSEC)
		return fail(why, -EINVAL, "'interval' must be 10 ms at least");
	run->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (run->fd < 0)
		return fail_errno(why, -errno, "perf-stat: timerfd_create");
	return arm(run, interval, why);
}

static void note_facts(struct activity *run, struct counted where)
{
	const struct perf_run *perf = run->private;
	json_t *events = json_array();

	for (size_t i = 0; i < perf->count; i++)
		json_array_append_new(events, json_string(perf->counters[i].name));
	json_object_set_new(run->facts, "events", events);
	json_object_set_new(run->facts, "places",
			    json_integer((json_int_t)perf->counters[0].count));
	if (where.pid)
		json_object_set_new(run->facts, "counted", json_integer(where.pid));
}

static int perf_start(struct activity *run, struct reason *why)
{
	struct perf_run *perf = xzalloc(sizeof(*perf));
	struct counted where;
	int error;

	run->private = perf;
	error = find_place(run, &where, why)
		?: start_timer(run, why)
		?: add_counters(run, where, why);
	if (error) {
		perf_stop(run);
		return error;
	}
	perf->begin_ns = perf->before_ns = now_monotonic_ns();
	note_facts(run, where);
	process_emit(run, "ready", NULL, json_object(), "ready");
	return 0;
}

/* @share: of the time in which it counted. An event that was never counted has no value. */
static json_t *make_metric(const struct counter *counter, double value, double share)
{
	json_t *metric = json_pack("{s:s, s:s}", "unit", counter->unit, "better", "lower");

	if (share > 0)
		json_object_set_new(metric, "value", json_real(value));
	if (share < 1)
		json_object_set_new(metric, "counted", json_real(share));
	return metric;
}

static char *metric_name(const char *event)
{
	char *name = format_text("perf_%s", event);

	for (char *letter = name; letter && *letter; letter++)
		if (!isalnum((unsigned char)*letter))
			*letter = '_';
	for (size_t length = strlen(name); name[length - 1] == '_'; length--)
		name[length - 1] = '\0';
	return name;
}

/* An event that can not be counted is in the results without a value. */
static void add_unsupported(const struct activity *run, json_t *metrics)
{
	json_t *event;
	size_t index;

	json_array_foreach (json_object_get(run->facts, "unsupported"), index, event) {
		__cleanup_free char *name = metric_name(json_string_value(event));

		json_object_set_new(metrics, name,
				    json_pack("{s:s, s:s, s:i}", "unit", "count", "better", "lower",
					      "counted", 0));
	}
}

/* @since_begin: all counts; else those since the last report. */
static void emit_counts(struct activity *run, const char *event, bool since_begin)
{
	struct perf_run *perf = run->private;
	int64_t now = now_monotonic_ns();
	int64_t since = now - (since_begin ? perf->begin_ns : perf->before_ns);
	json_t *metrics = json_object();
	__cleanup_free char *text = NULL;

	for (size_t i = 0; i < perf->count; i++) {
		__cleanup_free char *name = metric_name(perf->counters[i].name);
		double value, share;

		if (counter_read(&perf->counters[i], &value, &share))
			continue;
		json_object_set_new(metrics, name,
				    make_metric(&perf->counters[i],
						since_begin ? value : value - perf->before[i],
						share));
		if (!since_begin)
			perf->before[i] = value;
	}
	if (!since_begin)
		perf->before_ns = now;
	text = format_text("%zu events counted for %.3f s", json_object_size(metrics),
			   (double)since / NSEC_PER_SEC);
	add_unsupported(run, metrics);
	process_emit(run, event, NULL,
		     json_pack("{s:o, s:I}", "metrics", metrics, "since_ns", (json_int_t)since),
		     text);
}

static void perf_dispatch(struct activity *run)
{
	struct perf_run *perf = run->private;
	uint64_t expirations;

	if (!perf || read(run->fd, &expirations, sizeof(expirations)) != sizeof(expirations))
		return;
	emit_counts(run, perf->touched ? "checked" : "metrics", perf->touched);
	perf->touched = false;
}

/* The report of a touch is sent after its answer. */
static int perf_touch(struct activity *run, struct reason *why)
{
	((struct perf_run *)run->private)->touched = true;
	return arm(run, 1, why);
}

static void perf_probe(json_t *findings)
{
	static const char *const samples[] = {"cpu-clock", "cycles"};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct reason why = {0};
		struct counter counter;
		int error = counter_open(&counter, samples[i], (struct counted){0}, &why);

		counter_close(&counter);
		finding_add(findings, i ? "perf-stat:hardware" : "perf-stat:software", error == 0,
			    why.text,
			    i ? "run on metal, or give the virtual machine a PMU; events of the "
				"kernel are counted without it"
			      : "run as root, on a kernel with CONFIG_PERF_EVENTS");
	}
}

REGISTERED(workload, perf_stat) = {
	.name = "perf-stat",
	.summary = "counts events of kernel and processor, of all processors or of a workload",
	.params = perf_params,
	.start = perf_start,
	.touch = perf_touch,
	.dispatch = perf_dispatch,
	.stop = perf_stop,
	.probe = perf_probe,
};
