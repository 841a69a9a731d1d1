// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the workload stress-ng, with a fake program whose output and end the tests control.
 */
#include <signal.h>
#include <sys/stat.h>

#include "bats/unit/workload_test.h"
#include "bats/unit/fake_root.h"

/* The words that it was given are left in a file; --yaml is the one before the name of the file of figures. */
static const char fake[] =
	"#!/bin/sh\n"
	"echo \"$@\" >ROOT/words\n"
	"while [ \"$1\" != --yaml ]; do shift; done\n"
	"yaml=$2\n"
	"[ -e ROOT/refuse ] && { echo \"unrecognized option '--cup'\"; echo \"Try 'stress-ng "
	"--help'\"; exit 1; }\n"
	"finish() {\n"
	"	printf -- '---\\nsystem-info:\\n      cpus: 2\\n\\nmetrics:\\n    - stressor: "
	"cpu\\n' >$yaml\n"
	"	printf '      bogo-ops: 42\\n      bogo-ops-per-second-real-time: 10.5\\n' "
	">>$yaml\n"
	"	printf '      user-time: 1.25\\n      note: none\\n\\n...\\n' >>$yaml\n"
	"	[ -e ROOT/fail ] && echo 'stress-ng: fail:  [2] cpu: wrong sum'\n"
	"	exit $(cat ROOT/status 2>/dev/null || echo 0)\n"
	"}\n"
	"trap finish INT\n"
	"sleep 100 & echo $! >ROOT/stressor\n"
	"echo 'stress-ng: info:  [1] dispatching hogs: 1 cpu'\n"
	"[ -e ROOT/run ] && { while :; do wait; done; }\n"
	"finish\n";

static int setup(void **state)
{
	__cleanup_free char *script = NULL;
	size_t size;
	FILE *out = open_memstream(&script, &size);

	assert_int_equal(make_root(state), 0);
	for (const char *at = fake; *at; at++) {
		if (strncmp(at, "ROOT", 4) == 0) {
			fputs(root, out);
			at += 3;
		} else {
			fputc(*at, out);
		}
	}
	fclose(out);
	put("usr/bin/stress-ng", script);
	assert_int_equal(chmod(place("usr/bin/stress-ng"), 0755), 0);
	return 0;
}

/* Neither it nor what it started is left: the pid of the latter is in a file. */
static void assert_nothing_left(void)
{
	__cleanup_free char *pid = content("stressor");

	assert_int_equal(kill(atoi(pid), 0), -1);
	assert_int_equal(errno, ESRCH);
}

static double figure(const json_t *event, const char *name)
{
	const json_t *metrics = json_object_get(event, "metrics");

	return json_number_value(json_object_get(json_object_get(metrics, name), "value"));
}

static void it_gets_its_arguments(void **state)
{
	struct activity run;
	__cleanup_free char *words = NULL;

	(void)state;
	assert_int_equal(start(&run, "stress-ng",
			       json_pack("{s:s, s:s, s:s, s:s, s:[s, s]}", "stressor", "vm",
					 "instances", "3", "time", "5s", "ops", "7", "options",
					 "--vm-bytes", "64M")),
			 0);
	(void)await(&run, "exit");
	words = content("words");
	assert_non_null(strstr(words, "--vm 3 --vm-ops 7 --timeout 5 --verify --metrics-brief "
				      "--yaml /proc/self/fd/"));
	assert_non_null(strstr(words, "--vm-bytes 64M\n"));
	assert_string_equal(json_text(run.facts, "stressor", ""), "vm");
	finish(&run);
	assert_nothing_left();
}

static void figures_come_with_its_end(void **state)
{
	struct activity run;
	const json_t *event;

	(void)state;
	assert_int_equal(start(&run, "stress-ng",
			       json_pack("{s:s, s:s}", "stressor", "cpu", "time", "1s")),
			 0);
	event = await(&run, "exit");
	assert_int_equal(json_number(event, "status", -1), 0);
	assert_int_equal(
		json_number(event, "pid", 0),
		json_integer_value(json_array_get(json_object_get(run.facts, "children"), 0)));
	event = find_event("touched");
	assert_true(json_is_true(json_object_get(event, "value_ok")));
	assert_string_equal(json_text(event, "data", ""), "intact");
	event = find_event("checked");
	assert_int_equal(json_number(event, "status", -1), 0);
	assert_true(figure(event, "stress_ng_cpu_bogo_ops") == 42);
	assert_true(figure(event, "stress_ng_cpu_bogo_ops_per_second_real_time") == 10.5);
	assert_true(figure(event, "stress_ng_cpu_user_time") == 1.25);
	assert_int_equal(json_object_size(json_object_get(event, "metrics")), 3);
	assert_null(find_event("corrupted"));
	/* A later touch reports the same, but no second end. */
	json_array_clear(events);
	assert_int_equal(run.workload->touch(&run, &why), 0);
	assert_true(figure(await(&run, "checked"), "stress_ng_cpu_bogo_ops") == 42);
	run.workload->dispatch(&run);
	assert_null(find_event("exit"));
	finish(&run);
	assert_nothing_left();
}

static void one_that_runs_for_ever_ends_at_a_touch(void **state)
{
	struct activity run;

	(void)state;
	put("run", "");
	assert_int_equal(start(&run, "stress-ng", json_pack("{s:s}", "stressor", "cpu")), 0);
	run.workload->dispatch(&run);
	assert_null(find_event("checked"));
	assert_int_equal(run.workload->touch(&run, &why), 0);
	assert_true(figure(await(&run, "checked"), "stress_ng_cpu_bogo_ops") == 42);
	(void)await(&run, "exit");
	finish(&run);
	assert_nothing_left();
}

static void one_that_runs_is_stopped_with_all_its_processes(void **state)
{
	struct activity run;

	(void)state;
	put("run", "");
	assert_int_equal(start(&run, "stress-ng", json_pack("{s:s}", "stressor", "cpu")), 0);
	finish(&run);
	assert_nothing_left();
}

/* A stop right after a touch still reports the result of the touch, and leaves no process. */
static void a_stop_waits_for_the_end_that_a_touch_began(void **state)
{
	struct activity run;

	(void)state;
	put("run", "");
	assert_int_equal(start(&run, "stress-ng", json_pack("{s:s}", "stressor", "cpu")), 0);
	assert_int_equal(run.workload->touch(&run, &why), 0);
	run.workload->stop(&run);
	assert_true(figure(find_event("checked"), "stress_ng_cpu_bogo_ops") == 42);
	assert_non_null(find_event("touched"));
	finish(&run);
	assert_nothing_left();
}

static void a_stop_ends_what_a_touch_waits_for(void **state)
{
	struct activity run;

	(void)state;
	put("run", "");
	assert_int_equal(start(&run, "stress-ng",
			       json_pack("{s:s, s:s}", "stressor", "cpu", "time", "1000s")),
			 0);
	assert_int_equal(run.workload->touch(&run, &why), 0);
	run.workload->stop(&run);
	assert_null(find_event("checked"));
	finish(&run);
	assert_nothing_left();
}

static void wrong_data_are_reported(void **state)
{
	struct activity run;
	const json_t *event;

	(void)state;
	put("fail", "");
	put("status", "2");
	assert_int_equal(start(&run, "stress-ng",
			       json_pack("{s:s, s:s}", "stressor", "cpu", "time", "1s")),
			 0);
	event = await(&run, "corrupted");
	assert_non_null(strstr(json_text(event, "text", ""), "wrong sum"));
	assert_int_equal(json_number(await(&run, "exit"), "status", 0), 2);
	assert_null(find_event("touched"));
	assert_int_equal(json_number(find_event("checked"), "status", 0), 2);
	finish(&run);
	/* Without verify no data are reported as wrong. */
	assert_int_equal(start(&run, "stress-ng",
			       json_pack("{s:s, s:s, s:s}", "stressor", "cpu", "time", "1s",
					 "verify", "no")),
			 0);
	(void)await(&run, "exit");
	assert_null(find_event("corrupted"));
	assert_non_null(find_event("error"));
	finish(&run);
	assert_nothing_left();
}

static void without_verify_no_data_are_confirmed(void **state)
{
	struct activity run;

	(void)state;
	assert_int_equal(start(&run, "stress-ng",
			       json_pack("{s:s, s:s, s:s}", "stressor", "cpu", "time", "1s",
					 "verify", "no")),
			 0);
	(void)await(&run, "exit");
	assert_non_null(find_event("touched"));
	assert_null(json_object_get(find_event("touched"), "value_ok"));
	assert_null(json_object_get(find_event("touched"), "data"));
	finish(&run);
}

static void another_end_is_no_wrong_data(void **state)
{
	struct activity run;

	(void)state;
	put("status", "3");
	assert_int_equal(start(&run, "stress-ng",
			       json_pack("{s:s, s:s}", "stressor", "cpu", "time", "1s")),
			 0);
	assert_int_equal(json_number(await(&run, "exit"), "status", 0), 3);
	assert_null(find_event("corrupted"));
	assert_null(find_event("touched"));
	finish(&run);
	assert_nothing_left();
}

static void expect_refusal(json_t *given, int error, const char *text)
{
	struct activity run;
	int got = start(&run, "stress-ng", given);

	if (got != error || !strstr(why.text, text))
		fail_msg("%d: %s", got, why.text);
	finish(&run);
}

static void what_can_not_be_is_refused(void **state)
{
	(void)state;
	put("refuse", "");
	expect_refusal(json_pack("{s:s}", "stressor", "cup"), -EINVAL,
		       "status 1 before its stressors began: unrecognized option '--cup'");
	expect_refusal(json_pack("{s:s}", "stressor", "cpu --all"), -EINVAL,
		       "stress-ng --stressors");
	expect_refusal(json_pack("{s:s, s:s}", "stressor", "cpu", "time", "1500ms"), -EINVAL,
		       "whole seconds");
	expect_refusal(json_object(), -EINVAL, "stressor");
	system_root_set("/nonexistent");
	expect_refusal(json_pack("{s:s}", "stressor", "cpu"), -ENOTSUP, "install the package");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, remove_root)
	const struct CMUnitTest tests[] = {
		TEST(it_gets_its_arguments),
		TEST(figures_come_with_its_end),
		TEST(one_that_runs_for_ever_ends_at_a_touch),
		TEST(one_that_runs_is_stopped_with_all_its_processes),
		TEST(a_stop_waits_for_the_end_that_a_touch_began),
		TEST(a_stop_ends_what_a_touch_waits_for),
		TEST(wrong_data_are_reported),
		TEST(without_verify_no_data_are_confirmed),
		TEST(another_end_is_no_wrong_data),
		TEST(what_can_not_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
