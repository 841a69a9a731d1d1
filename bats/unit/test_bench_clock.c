// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: an agent reports only its own witnesses; the offset of a host's clock comes from its fastest answer, and only the clock of a host of the rig is set.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "harness/bench/bench.h"
#include "harness/rig/profile.h"

#include <cmocka.h>

#define BEHIND_NS (700 * NSEC_PER_MSEC)
#define SLOW_MS 100

/*
 * A host whose clock is BEHIND_NS behind. All of its answers but one are slow, on the way back, so that half of their way is
 * no good guess.
 */
static struct {
	struct channel *channel;
	pthread_t thread;
	atomic_int asked, steps;
	int64_t behind_ns;
	int quick;
	bool refuses;
} host;

static json_t *answer(const json_t *request)
{
	json_int_t id = (json_int_t)json_number(request, "id", 0);
	int64_t step = json_number(json_object_get(request, "args"), "step_ns", 0);
	int64_t now;

	if (host.refuses)
		return json_pack("{s:I, s:{s:i, s:s}}", "id", id, "error", "errno", -ENOSYS, "text",
				 "no such call");
	if (step) {
		host.behind_ns -= step;
		atomic_fetch_add(&host.steps, 1);
	}
	now = now_realtime_ns() - host.behind_ns;
	if (!step && atomic_fetch_add(&host.asked, 1) % 8 != host.quick)
		(void)poll(NULL, 0, SLOW_MS);
	return json_pack("{s:I, s:{s:I}}", "id", id, "ok", "time_ns", (json_int_t)now);
}

static void *serve(void *nothing)
{
	struct pollfd state = {.fd = channel_fd(host.channel), .events = POLLIN};
	struct reason why;
	json_t *request;

	while (poll(&state, 1, -1) >= 0 && channel_fill(host.channel) >= 0)
		while (channel_next(host.channel, &request, &why) == 1) {
			__cleanup_json json_t *reply = answer(request);

			json_decref(request);
			if (channel_send(host.channel, reply, 60000))
				return nothing;
		}
	return nothing;
}

static void take_event(void *context, json_t *event)
{
	json_array_append_new(context, event);
}

struct fixture {
	struct bench bench;
	struct bench_ops ops;
	json_t *events;
};

static int open_fixture(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	fixture->events = json_array();
	fixture->bench = (struct bench){
		.next = &fixture->bench,
		.ops = &fixture->ops,
		.host = "h0",
		.state = HOST_UP,
		.out_of_band_fd = -1,
		.errors_fd = -1,
		.agent = channel_new(ends[0], ends[0]),
		.options = {.event = take_event, .context = fixture->events},
	};
	host.channel = channel_new(ends[1], ends[1]);
	host.behind_ns = BEHIND_NS;
	host.quick = 5;
	host.refuses = false;
	host.asked = host.steps = 0;
	assert_int_equal(pthread_create(&host.thread, NULL, serve, NULL), 0);
	*state = fixture;
	return 0;
}

static int close_fixture(void **state)
{
	struct fixture *fixture = *state;

	channel_free(fixture->bench.agent);
	pthread_join(host.thread, NULL);
	channel_free(host.channel);
	json_decref(fixture->events);
	free(fixture);
	return 0;
}

static const json_t *clock_event(const struct fixture *fixture)
{
	const json_t *event = json_array_get(fixture->events, 0);

	assert_int_equal(json_array_size(fixture->events), 1);
	assert_string_equal(json_text(event, "witness", ""), "bench");
	assert_string_equal(json_text(json_object_get(event, "data"), "event", ""), "clock");
	return json_object_get(event, "data");
}

/* An answer as fast as the best one before ends the series of calls. */
static void a_warm_host_gets_fewer_calls(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(bench_compare_clocks(&fixture->bench, true, NULL), 0);
	assert_int_equal(host.asked, 8);
	fixture->bench.clock_way_ns = 10 * NSEC_PER_SEC;
	assert_int_equal(bench_compare_clocks(&fixture->bench, false, NULL), 0);
	assert_int_equal(host.asked, 9);
	/* The answer that was quick enough is the measure of the next ones. */
	assert_true(fixture->bench.clock_way_ns < 10 * NSEC_PER_SEC);
}

/* The error is reported, and is less than that of a slow answer. */
static void the_quickest_answer_counts(void **state)
{
	struct fixture *fixture = *state;
	int64_t error, offset;

	assert_int_equal(bench_compare_clocks(&fixture->bench, true, NULL), 0);
	offset = json_number(clock_event(fixture), "offset_ns", 0);
	error = json_number(clock_event(fixture), "error_ns", -1);
	assert_int_equal(offset, fixture->bench.clock_offset_ns);
	assert_true(error >= 0 && error < SLOW_MS * NSEC_PER_MSEC / 2);
	assert_true(llabs(offset - BEHIND_NS) <= error + NSEC_PER_MSEC);
	/* It is none of the rig. */
	assert_int_equal(host.steps, 0);
}

static void a_host_of_the_rig_is_set_right(void **state)
{
	struct fixture *fixture = *state;

	fixture->ops.is_rig = true;
	/* Not in the middle of a trial, though. */
	assert_int_equal(bench_compare_clocks(&fixture->bench, false, NULL), 0);
	assert_int_equal(host.steps, 0);
	json_array_clear(fixture->events);
	assert_int_equal(bench_compare_clocks(&fixture->bench, true, NULL), 0);
	assert_int_equal(host.steps, 1);
	assert_true(llabs(host.behind_ns) < SLOW_MS * NSEC_PER_MSEC / 2);
	assert_true(llabs(json_number(clock_event(fixture), "offset_ns", INT64_MAX)) <
		    SLOW_MS * NSEC_PER_MSEC);
}

/* An agent without the call leaves the offset unchanged. */
static void a_host_without_a_clock_is_not_corrected(void **state)
{
	struct fixture *fixture = *state;

	host.refuses = true;
	fixture->bench.clock_offset_ns = 42;
	assert_int_equal(bench_compare_clocks(&fixture->bench, true, NULL), -ENOSYS);
	assert_int_equal(fixture->bench.clock_offset_ns, 42);
	assert_int_equal(json_array_size(fixture->events), 0);
}

/* The answer takes longer than the caller allows a bench that is not slow. */
static void a_slow_bench_gets_more_time(void **state)
{
	struct fixture *fixture = *state;
	struct reason why = {""};

	assert_int_equal(bench_call(&fixture->bench, "clock", NULL, SLOW_MS / 4, NULL, &why),
			 -ETIMEDOUT);
	fixture->ops.slowness = 40;
	assert_int_equal(bench_call(&fixture->bench, "clock", NULL, SLOW_MS / 4, NULL, &why), 0);
}

/* The clock of a slow host lags more and more behind: an event happened at its arrival, at the latest. */
static void a_slow_bench_reports_no_times(void **state)
{
	struct fixture *fixture = *state;

	for (unsigned int slowness = 0; slowness < 2; slowness++) {
		__cleanup_json json_t *word =
			json_pack("{s:s, s:s, s:I, s:s, s:{}}", "event", "witness", "witness",
				  "kmsg", "time_ns", (json_int_t)NSEC_PER_SEC, "text", "a line",
				  "data");
		int64_t before = now_realtime_ns(), told_ns;

		fixture->ops.slowness = slowness;
		json_array_clear(fixture->events);
		assert_int_equal(channel_send(host.channel, word, 1000), 0);
		assert_int_equal(bench_pump(&fixture->bench, now_monotonic_ns() + NSEC_PER_SEC), 0);
		told_ns = json_number(json_array_get(fixture->events, 0), "host_time_ns", 0);
		assert_int_equal(slowness ? told_ns >= before && told_ns <= now_realtime_ns()
					  : told_ns == NSEC_PER_SEC,
				 true);
	}
}

static void benches_of_the_rig_are_as_their_profiles(void **state)
{
	(void)state;
	for (const struct rig_profile *const *profile = rig_profiles; *profile; profile++) {
		const struct bench_ops *ops = bench_kind((*profile)->name);

		assert_non_null(ops);
		assert_true(ops->is_rig);
		assert_int_equal(ops->hosts, (*profile)->hosts);
		assert_int_equal(ops->slowness, (*profile)->slowness);
		assert_int_equal(ops->local_migration, (*profile)->local_migration);
		assert_int_equal(ops->ready != NULL, (*profile)->ready != NULL);
		assert_int_equal(ops->firmware == NULL, (*profile)->bochs != NULL);
	}
}

/* From one stream come only the witnesses that live in the agent: nothing of it can prove the death of its own host. */
static void an_agent_reports_only_its_own_witnesses(void **state)
{
	static const char *const outside[] = {"console", "bench", "engine", "firmware", "protocol"};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(outside); i++) {
		__cleanup_json json_t *lie =
			json_pack("{s:s, s:s, s:I, s:s, s:{s:s}}", "event", "witness", "witness",
				  outside[i], "time_ns", (json_int_t)1, "text", "it died", "data",
				  "event", "host-died");
		const json_t *event;

		json_array_clear(fixture->events);
		assert_int_equal(channel_send(host.channel, lie, 1000), 0);
		assert_int_equal(bench_pump(&fixture->bench, now_monotonic_ns() + NSEC_PER_SEC), 0);
		assert_int_equal(json_array_size(fixture->events), 1);
		event = json_array_get(fixture->events, 0);
		assert_string_equal(json_text(event, "witness", ""), "protocol");
		assert_string_equal(json_text(json_object_get(event, "data"), "event", ""),
				    "refused");
		assert_non_null(strstr(json_text(event, "text", ""), outside[i]));
	}
}

/* A guest is no witness of its host: an event of another witness is recorded as a message only. */
static void a_guest_reports_only_its_own_witnesses(void **state)
{
	static const struct {
		const char *named, *taken;
	} words[] = {{"workload", "workload"},
		     {"machine-check", "machine-check"},
		     {"kmsg", "kmsg"},
		     {"pageflags", "guest-link"},
		     {"console", "guest-link"}};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		__cleanup_json json_t *word =
			json_pack("{s:s, s:s, s:s, s:I, s:{s:s, s:s, s:s, s:{}}}", "event", "guest",
				  "guest", "g1", "what", "said", "time_ns", (json_int_t)1, "said",
				  "event", "witness", "witness", words[i].named, "text", "it broke",
				  "data");

		json_array_clear(fixture->events);
		assert_int_equal(channel_send(host.channel, word, 1000), 0);
		assert_int_equal(bench_pump(&fixture->bench, now_monotonic_ns() + NSEC_PER_SEC), 0);
		assert_int_equal(json_array_size(fixture->events), 1);
		assert_string_equal(json_text(json_array_get(fixture->events, 0), "witness", ""),
				    words[i].taken);
	}
}

/* A boot ends every stream but that of an emulated host: a hello of another boot in the same one is a lie. */
static void a_stream_has_one_boot(void **state)
{
	struct fixture *fixture = *state;
	__cleanup_json json_t *hello =
		json_pack("{s:s, s:s, s:i}", "event", "hello", "boot_id", "b-2", "pid", 1);
	size_t index;
	json_t *event;

	fixture->bench.hello = json_pack("{s:s, s:i}", "boot_id", "b-1", "pid", 1);
	assert_int_equal(channel_send(host.channel, hello, 1000), 0);
	assert_int_equal(bench_pump(&fixture->bench, now_monotonic_ns() + NSEC_PER_SEC), 0);
	assert_true(json_array_size(fixture->events) > 0);
	assert_string_equal(json_text(json_array_get(fixture->events, 0), "witness", ""),
			    "protocol");
	json_array_foreach (fixture->events, index, event)
		if (strcmp(json_text(event, "witness", ""), "bench") == 0)
			assert_string_equal(json_text(json_object_get(event, "data"), "event", ""),
					    "agent-lost");
	json_decref(fixture->bench.hello);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_fixture, close_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_quickest_answer_counts),
		TEST(a_warm_host_gets_fewer_calls),
		TEST(a_host_of_the_rig_is_set_right),
		TEST(a_host_without_a_clock_is_not_corrected),
		TEST(a_stream_has_one_boot),
		TEST(an_agent_reports_only_its_own_witnesses),
		TEST(a_guest_reports_only_its_own_witnesses),
		TEST(a_slow_bench_gets_more_time),
		TEST(a_slow_bench_reports_no_times),
		cmocka_unit_test(benches_of_the_rig_are_as_their_profiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
