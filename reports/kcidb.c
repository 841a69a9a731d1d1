// SPDX-License-Identifier: GPL-2.0-only
/*
 * KCIDB I/O schema 5.3 (kernelci/kcidb-io, kcidb_io/schema/v05_03.py): the trials of a run for the database of KernelCI. A
 * trial that has not ended is a test without status, which a later report of the same run completes. A test has one number: each
 * metric is a test of its own.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "reports/environment.h"
#include "reports/measured.h"
#include "reports/report.h"
#include "reports/text.h"

#define ORIGIN "brinell"
/* The schema allows 16384 characters. */
#define EXCERPT_BYTES 16000

/*
 * FAIL: the tested code is at fault. ERROR: the test has no result. MISS: it was never started. The exact verdict is
 * in misc.verdict and misc.code.
 */
static const char *status_of(const json_t *result)
{
	const char *verdict = json_text(result, "verdict", "inconclusive");

	if (strcmp(verdict, "pass") == 0)
		return "PASS";
	if (strcmp(verdict, "fail") == 0)
		return "FAIL";
	if (strcmp(verdict, "skip") == 0)
		return "SKIP";
	return strcmp(json_text(result, "code", ""), "never-started") == 0 ? "MISS" : "ERROR";
}

/* Of a path between its dots, and of the part of an id that the origin makes. */
static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

/* "brinell.einj.single" */
static char *path_of(const char *scenario)
{
	char *path = format_text(ORIGIN ".%s", *scenario ? scenario : "unknown");

	for (char *at = path + strlen(ORIGIN) + 1; *at; at++)
		if (*at == '/' && at[1] && at[1] != '/' && at[-1] != '.')
			*at = '.';
		else if (!strchr(allowed, *at))
			*at = '_';
	return path;
}

static json_t *id_of(const char *run, const char *trial)
{
	__cleanup_free char *id = format_text(ORIGIN ":%s%s%s", run, *trial ? "-" : "", trial);

	for (char *at = id + strlen(ORIGIN) + 1; *at; at++)
		if (!strchr(allowed, *at))
			*at = '_';
	return json_string(id);
}

static json_t *time_of(int64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / NSEC_PER_SEC);
	struct tm date;
	char text[64];

	if (time_ns <= 0 || !gmtime_r(&seconds, &date) || date.tm_year > 9999 - 1900 ||
	    !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S+00:00", &date))
		return NULL;
	return json_string(text);
}

static json_t *start_of(const json_t *records)
{
	json_t *record;
	size_t index;

	json_array_foreach ((json_t *)records, index, record)
		if (strcmp(json_text(record, "type", ""), "trial") == 0)
			return time_of(json_number(record, "time_ns", 0));
	return NULL;
}

static json_t *excerpt_of(const json_t *result)
{
	char *text = NULL;
	size_t length, index;
	FILE *out = open_memstream(&text, &length);
	json_t *line, *excerpt;

	if (!out)
		abort();
	json_array_foreach (json_object_get(result, "evidence"), index, line) {
		const char *said = json_text(line, "text", "");

		fflush(out);
		if (length + strlen(said) > EXCERPT_BYTES)
			break;
		text_line(out, "%s: %s", json_text(line, "witness", "?"), said);
	}
	if (fclose(out) != 0)
		abort();
	excerpt = *text ? json_string(text) : NULL;
	free(text);
	return excerpt;
}

static json_t *test_of(const char *run, const char *trial, const char *scenario)
{
	__cleanup_free char *path = path_of(scenario);

	return json_pack("{s:o, s:s, s:o, s:s}", "id", id_of(run, trial), "origin", ORIGIN,
			 "build_id", id_of(run, ""), "path", path);
}

static json_t *misc_of(const json_t *result, const char *name)
{
	static const char *const keys[] = {"verdict",	"code", "reason", "known", "bench",
					   "delivered", "axes", "seed",	  "fixed"};
	json_t *misc = json_pack("{s:s}", "name", name);

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (json_object_get(result, keys[i]))
			json_object_set(misc, keys[i], json_object_get(result, keys[i]));
	return misc;
}

/* {"value", "unit", "prefix"}: with a prefix, a viewer scales the value; times are in seconds. */
static json_t *number_of(const json_t *metric)
{
	const json_t *value = json_object_get(metric, "value");
	const char *unit = json_text(metric, "unit", "");
	json_t *number;

	if (strcmp(unit, "ns") == 0)
		return json_pack("{s:f, s:s, s:s}", "value",
				 json_number_value(value) / (double)NSEC_PER_SEC, "unit", "s",
				 "prefix", "metric");
	number = json_pack("{s:O}", "value", value);
	if (*unit && strcmp(unit, "count") != 0)
		json_object_set_new(number, "unit", json_string(unit));
	return number;
}

/* @test: of the trial, which has the environment. */
static json_t *metric_test(const char *run, const json_t *result, const json_t *test,
			   const char *name, const json_t *metric)
{
	__cleanup_free char *trial = format_text("%s-%s", json_text(result, "trial", ""), name);
	__cleanup_free char *plain = measured_name(name);
	__cleanup_free char *scenario =
		format_text("%s/%s", json_text(result, "scenario", ""), plain);
	static const char *const keys[] = {"direction", "samples", "host", "boot"};
	json_t *measured = test_of(run, trial, scenario);
	json_t *misc =
		json_pack("{s:s, s:s}", "name", name, "trial", json_text(result, "trial", ""));

	json_object_set_new(measured, "status", json_string("DONE"));
	json_object_set_new(measured, "number", number_of(metric));
	json_object_set_new(measured, "comment",
			    json_sprintf("%s, %s", json_text(test, "comment", ""), name));
	if (json_object_get(test, "start_time"))
		json_object_set(measured, "start_time", json_object_get(test, "start_time"));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (json_object_get(metric, keys[i]))
			json_object_set(misc, keys[i], json_object_get(metric, keys[i]));
	json_object_set_new(measured, "misc", misc);
	return measured;
}

/* Times of a trial that did not pass are times of something else. A scenario may declare which metrics count. */
static bool is_reported(const json_t *result, const char *name, const json_t *metric)
{
	const json_t *budgets = json_object_get(result, "budgets");
	__cleanup_free char *plain = measured_name(name);

	return json_is(result, "verdict", "pass") && *name &&
	       json_is_number(json_object_get(metric, "value")) &&
	       (!json_object_size(budgets) || json_object_get(budgets, plain));
}

static json_t *finished_test(const char *run, const struct report_trial *trial, json_t *environment)
{
	const json_t *result = trial->result;
	const char *scenario = json_text(result, "scenario", "");
	json_t *test =
		test_of(run, json_text(result, "trial", ""), json_text(result, "path", scenario));
	json_t *start = start_of(trial->records), *excerpt = excerpt_of(result);
	int64_t duration = metric_ns(result, "trial_time");

	json_object_set_new(test, "status", json_string(status_of(result)));
	json_object_set_new(test, "comment", json_string(trial->name));
	if (start)
		json_object_set_new(test, "start_time", start);
	if (duration >= 0)
		json_object_set_new(test, "duration",
				    json_real((double)duration / (double)NSEC_PER_SEC));
	if (excerpt)
		json_object_set_new(test, "log_excerpt", excerpt);
	json_object_set_new(test, "environment", json_pack("{s:O}", "misc", environment));
	json_object_set_new(test, "misc", misc_of(result, trial->name));
	return test;
}

/* The summary comes when all trials are written. */
static const char *name_of(const struct report_run *run)
{
	json_t *record;
	size_t index;

	json_array_foreach (run->about, index, record)
		if (json_is(record, "type", "run"))
			return json_text(json_object_get(record, "body"), "run", "unknown");
	return "unknown";
}

static int write_object(FILE *out, json_t *object, const char *separator)
{
	int error;

	fputs(separator, out);
	error = json_dumpf(object, out, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(object);
	return error < 0 ? -EIO : 0;
}

/* The kernel under test, as far as the run has recorded it. */
static int write_head(FILE *out, const struct report_run *run)
{
	__cleanup_json json_t *environment = environment_of(run->about);
	const char *kernel = json_text(environment, "kernel", "unknown");
	json_t *checkout = json_pack("{s:o, s:s, s:s}", "id", id_of(name_of(run), ""), "origin",
				     ORIGIN, "comment", kernel);
	json_t *build =
		json_pack("{s:o, s:o, s:s, s:s}", "id", id_of(name_of(run), ""), "checkout_id",
			  id_of(name_of(run), ""), "origin", ORIGIN, "comment", kernel);
	int error = write_object(out, checkout,
				 "{\"version\":{\"major\":5,\"minor\":3},\n\"checkouts\":[")
			    ?: write_object(out, build, "],\n\"builds\":[");

	fputs("],\n\"tests\":[", out);
	return error;
}

static int write_trial(FILE *out, const struct report_run *run, const struct report_trial *trial)
{
	__cleanup_json json_t *environment = environment_of(run->about);
	__cleanup_json json_t *test = finished_test(name_of(run), trial, environment);
	int error = write_object(out, json_incref(test), trial->number == 1 ? "\n" : ",\n");
	const char *name;
	json_t *metric;

	json_object_foreach (json_object_get(trial->result, "metrics"), name, metric)
		if (!error && is_reported(trial->result, name, metric))
			error = write_object(
				out, metric_test(name_of(run), trial->result, test, name, metric),
				",\n");
	return error;
}

static int write_tail(FILE *out, const struct report_run *run)
{
	const json_t *pending = json_object_get(run->summary, "pending");
	size_t written = run->trials - json_array_size(pending), index;
	json_t *each;
	int error = 0;

	json_array_foreach ((json_t *)pending, index, each)
		if (!error)
			error = write_object(
				out, test_of(name_of(run), json_string_value(each), "pending"),
				written + index ? ",\n" : "\n");
	fputs("]}\n", out);
	return error;
}

REGISTERED(report, report_kcidb) = {
	.name = "kcidb",
	.tests = true,
	.summary = "KCIDB I/O schema 5.3, for the database of KernelCI",
	.needs = REPORT_EVIDENCE | REPORT_DETAILS | REPORT_RECORDS,
	.counts_first = true,
	.head = write_head,
	.trial = write_trial,
	.tail = write_tail,
};
