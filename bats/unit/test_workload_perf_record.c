// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the workload perf-record, with a program in the place of perf that has seen what the tests want.
 */
#include <signal.h>
#include <sys/stat.h>

#include "bats/unit/workload_test.h"
#include "bats/unit/made_up_root.h"

static const char fake[] =
	"#!/bin/bash\n"
	"[ \"$1\" = script ] && exec cat\n"
	"for word; do [[ $word == --control=fd:* ]] && fds=${word#*fd:}; done\n"
	"[[ \" $* \" != *' -e refused '* ]] || { echo 'event syntax error' >&2; exit 1; }\n"
	"read -r ping <&${fds%,*}\n"
	"[ \"$ping\" = ping ] || exit 1\n"
	"trap 'cat ${0%/*}/samples; exit' INT\n"
	"echo ack >&${fds#*,}\n"
	"while :; do read -r -t 10 ping <&${fds%,*}; done\n";

static const char samples[] =
	"cat \n\t    1234 leaf\n\t    99 middle\n\tffff root+part\n\n"
	"dog  12\n\t    77 [unknown]\n\t    78 [unknown]\n\t  79 main\n\t  79 main\n\n"
	"cat \n\t    1236 leaf\n\t    99 middle\n\tffff root+part\n\n"
	"bare \n\n";

static int setup(void **state)
{
	assert_int_equal(make_root(state), 0);
	put("usr/bin/perf", fake);
	put("usr/bin/samples", samples);
	return chmod(place("usr/bin/perf"), 0755);
}

static void stacks_are_folded_and_counted(void **state)
{
	struct activity run;
	const json_t *stacks;

	(void)state;
	if (start(&run, "perf-record", json_object()))
		fail_msg("%s", why.text);
	assert_int_equal(run.workload->touch(&run, &why), 0);
	assert_int_equal(json_number(await(&run, "checked"), "samples", 0), 4);
	assert_null(json_object_get(find_event("checked"), "error"));
	stacks = json_object_get(find_event("checked"), "stacks");
	assert_int_equal(json_object_size(stacks), 3);
	assert_int_equal(json_number(stacks, "cat;root+part;middle;leaf", 0), 2);
	assert_int_equal(json_number(stacks, "dog;main;[unknown]", 0), 1);
	assert_int_equal(json_number(stacks, "bare", 0), 1);
	finish(&run);
}

/* An event is a line of the protocol, which has an end: what is seldom is together. */
static void much_is_cut(void **state)
{
	__cleanup_free char *text = NULL;
	const json_t *stacks;
	struct activity run;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	for (int i = 0; i < 3000; i++)
		fprintf(out, "cat \n\t 1 %0240d\n\n", i);
	fprintf(out, "cat \n\t 1 %0240d\n\n", 2999);
	fclose(out);
	put("usr/bin/samples", text);
	if (start(&run, "perf-record", json_object()))
		fail_msg("%s", why.text);
	assert_int_equal(run.workload->touch(&run, &why), 0);
	assert_int_equal(json_number(await(&run, "checked"), "samples", 0), 3001);
	stacks = json_object_get(find_event("checked"), "stacks");
	assert_in_range(json_number(stacks, "[rest]", 0), 1000, 2999);
	assert_int_equal(json_number(stacks, "[rest]", 0) + (int)json_object_size(stacks), 3001);
	finish(&run);
}

static void expect_refusal(json_t *given, int error, const char *text)
{
	struct activity run;
	int got = start(&run, "perf-record", given);

	if (got != error || !strstr(why.text, text))
		fail_msg("%d: %s", got, why.text);
	finish(&run);
}

static void what_can_not_be_is_refused(void **state)
{
	(void)state;
	expect_refusal(json_pack("{s:s}", "event", "refused"), -ENOTSUP, "event syntax error");
	expect_refusal(json_pack("{s:s}", "event", "-v"), -EINVAL, "perf list");
	expect_refusal(json_pack("{s:s}", "frequency", "0"), -EINVAL, "1 to 10000");
	assert_int_equal(remove(place("usr/bin/perf")), 0);
	expect_refusal(json_object(), -ENOTSUP, "linux-perf");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(stacks_are_folded_and_counted, setup, remove_root),
		cmocka_unit_test_setup_teardown(much_is_cut, setup, remove_root),
		cmocka_unit_test_setup_teardown(what_can_not_be_is_refused, setup, remove_root),
	};

	signal(SIGPIPE, SIG_IGN); /* as the agent */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
