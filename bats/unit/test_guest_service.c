// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the calls about guests, on a fake hypervisor: a host takes back what it has prepared for a guest
 * that was to come, with its domain, and only after that; a guest is started, resolved and migrated.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "harness/hypervisor/service.h"
#include "bats/unit/fake_hypervisor.h"

#define UUID FAKE_UUID
#define RECEIVE                                                                                    \
	"{\"id\":1,\"call\":\"guest.receive\",\"args\":{\"name\":\"g1\",\"uuid\":\"" UUID "\"%s}}"
#define START "{\"id\":5,\"call\":\"guest.start\",\"args\":{\"name\":\"g1\"}}"
#define STOP "{\"id\":2,\"call\":\"guest.stop\",\"args\":{\"name\":\"g1\"}}"
#define RESOLVE                                                                                    \
	"{\"id\":6,\"call\":\"guest.resolve\",\"args\":{\"name\":\"g1\",\"gpa\":4096,\"timeout_"   \
	"ms\":%d}}"

/* @events: of the agent, in their order; @reply: of the last call */
struct fixture {
	struct agent *agent;
	struct channel *ends[2];
	json_t *events, *reply;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	int fds[2];

	machine.here = machine.runs = machine.stuck = machine.torn = false;
	machine.slow_ms = machine.destroyed = 0;
	machine.iterations = 3;
	strcpy(machine.uuid, UUID);
	if (make_root(state) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return -1;
	make_machine();
	for (int i = 0; i < 2; i++)
		fixture->ends[i] = channel_new(fds[i], fds[i]);
	fixture->events = json_array();
	fixture->agent = agent_new(AGENT_HOST);
	agent_attach(fixture->agent, fixture->ends[0]);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	if (fixture->agent)
		agent_free(fixture->agent);
	end_guest();
	channel_free(fixture->ends[0]);
	channel_free(fixture->ends[1]);
	json_decref(fixture->events);
	json_decref(fixture->reply);
	free(fixture);
	return remove_root(state);
}

/* Whether the host has the files of the guest. */
static bool has_files(void)
{
	return access(place(DOMAIN_DIRECTORY "/g1"), F_OK) == 0;
}

/* Takes what the agent has sent. Return: the answer to the call of @id, owned by the caller; or NULL. */
static json_t *take_messages(struct fixture *fixture, const json_t *id)
{
	struct pollfd ready = {.fd = channel_fd(fixture->ends[1]), .events = POLLIN};
	json_t *message, *answer = NULL;

	assert_int_equal(agent_turn(fixture->agent, 100), 0);
	if (poll(&ready, 1, 0) > 0)
		assert_true(channel_fill(fixture->ends[1]) >= 0);
	while (channel_next(fixture->ends[1], &message, NULL) > 0) {
		if (id && json_equal(json_object_get(message, "id"), id))
			answer = json_incref(message);
		else
			json_array_append(fixture->events, message);
		json_decref(message);
	}
	return answer;
}

/* The answer to a call: NULL when it is fine, else the name of its error. */
static char *ask(struct fixture *fixture, const char *call)
{
	__cleanup_json json_t *request = json_loads(call, 0, NULL);
	int64_t until = now_monotonic_ns() + 10 * NSEC_PER_SEC;

	assert_non_null(request);
	assert_int_equal(channel_send(fixture->ends[1], request, 1000), 0);
	while (now_monotonic_ns() < until) {
		__cleanup_json json_t *answer =
			take_messages(fixture, json_object_get(request, "id"));
		const char *name = json_text(json_object_get(answer, "error"), "name", NULL);

		if (!answer)
			continue;
		json_decref(fixture->reply);
		fixture->reply = json_incref(json_object_get(answer, "ok"));
		return name ? strdup(name) : NULL;
	}
	fail_msg("no answer to %s", call);
	return NULL;
}

static void ok(struct fixture *fixture, const char *call)
{
	__cleanup_free char *error = ask(fixture, call);

	if (error)
		fail_msg("%s: %s", call, error);
}

static void refused(struct fixture *fixture, const char *call, const char *name)
{
	__cleanup_free char *error = ask(fixture, call);

	assert_non_null(error);
	assert_string_equal(error, name);
}

static void receive(struct fixture *fixture, const char *more)
{
	__cleanup_free char *call = format_text(RECEIVE, more);

	ok(fixture, call);
}

static void one_that_never_came_is_taken_back(void **state)
{
	receive(*state, "");
	assert_true(has_files());
	ok(*state, STOP);
	assert_false(has_files());
	assert_int_equal(machine.destroyed, 0);
	refused(*state, STOP, "ENOENT");
	/* And it can be awaited anew. */
	receive(*state, "");
	ok(*state, STOP);
}

/* Its domain is here, and no event has said so yet. */
static void one_that_has_just_come_is_ended(void **state)
{
	receive(*state, "");
	machine.here = true;
	ok(*state, STOP);
	assert_int_equal(machine.destroyed, 1);
	assert_false(has_files());
	assert_false(machine.torn);
}

static void one_of_the_user_is_left_alone(void **state)
{
	receive(*state, ",\"kind\":\"domain\",\"domain\":\"mine\"");
	machine.here = true;
	ok(*state, STOP);
	assert_int_equal(machine.destroyed, 0);
	assert_true(machine.here);
}

/* What could not be ended is still awaited, and neither runs here nor is forgotten. */
static void one_that_can_not_be_ended_stays(void **state)
{
	receive(*state, "");
	machine.stuck = true;
	refused(*state, STOP, "EIO");
	assert_true(has_files());
	machine.stuck = false;
	refused(*state,
		"{\"id\":4,\"call\":\"guest.resolve\",\"args\":{\"name\":\"g1\",\"gpa\":0}}",
		"ENOENT");
	ok(*state, STOP);
	assert_false(has_files());
}

static void another_kind_of_machine_is_refused(void **state)
{
	refused(*state,
		"{\"id\":1,\"call\":\"guest.start\",\"args\":{\"name\":\"g1\",\"machine\":"
		"\"hvm\"}}",
		"EOPNOTSUPP");
	assert_false(has_files());
}

static void one_can_be_announced_twice(void **state)
{
	receive(*state, "");
	receive(*state, "");
	assert_true(has_files());
	/* With other pages behind it, it is made ready anew. */
	receive(*state, ",\"backing\":\"thp\"");
	assert_true(has_files());
	refused(*state, "{\"id\":1,\"call\":\"guest.start\",\"args\":{\"name\":\"g1\"}}", "EEXIST");
}

/* At the target there is no migration to follow, but a page to look at. */
static void a_page_is_looked_at_where_it_arrives(void **state)
{
	struct fixture *fixture = *state;
	const json_t *event;
	bool found = false;
	size_t index;

	receive(fixture, ",\"page\":4097");
	ok(fixture, STOP);
	json_array_foreach (fixture->events, index, event)
		found |= strcmp(json_text(event, "text", ""),
				"g1: page 0x1001 is broken in the target, iteration 0") == 0;
	assert_true(found);
}

static void an_agent_that_ends_takes_all_back(void **state)
{
	struct fixture *fixture = *state;

	receive(fixture, "");
	machine.here = true;
	agent_free(fixture->agent);
	fixture->agent = NULL;
	assert_int_equal(machine.destroyed, 1);
	assert_false(has_files());
}

/* The value of @key of each event of the witness @name that has one, with a comma behind each; owned by the caller. */
static char *values_of(const struct fixture *fixture, const char *name, const char *key)
{
	char *list = strdup("");
	json_t *event;
	size_t index;

	json_array_foreach (fixture->events, index, event) {
		const char *value = json_text(json_object_get(event, "data"), key, NULL);
		char *longer;

		if (!value || strcmp(json_text(event, "witness", ""), name) != 0)
			continue;
		longer = format_text("%s%s,", list, value);
		free(list);
		list = longer;
	}
	return list;
}

static void await_value(struct fixture *fixture, const char *name, const char *key,
			const char *expected)
{
	int64_t until = now_monotonic_ns() + 10 * NSEC_PER_SEC;
	__cleanup_free char *list = NULL;

	while (now_monotonic_ns() < until) {
		assert_null(take_messages(fixture, NULL));
		free(list);
		list = values_of(fixture, name, key);
		if (strstr(list, expected))
			return;
	}
	fail_msg("no event of %s has %s %s: %s", name, key, expected, list);
}

static void one_starts_and_its_page_is_found(void **state)
{
	struct fixture *fixture = *state;
	__cleanup_free char *resolve = format_text(RESOLVE, 5000);
	__cleanup_free char *hurried = format_text(RESOLVE, 50);

	ok(fixture, START);
	assert_string_equal(json_text(fixture->reply, "boot_id", ""), FAKE_BOOT);
	assert_string_equal(json_text(json_object_get(fixture->reply, "software"), "fake", ""),
			    "1.2.3");
	ok(fixture, resolve);
	assert_string_equal(json_text(fixture->reply, "hva", ""), "0x201000");
	assert_string_equal(json_text(fixture->reply, "pfn", ""), "0x77");
	/* A hypervisor that does not answer keeps the agent from nothing else. */
	machine.slow_ms = 500;
	refused(fixture, hurried, "ETIMEDOUT");
	ok(fixture, STOP);
	assert_false(has_files());
}

static void one_is_migrated_by_stages(void **state)
{
	struct fixture *fixture = *state;
	__cleanup_free char *stages = NULL;

	ok(fixture, START);
	ok(fixture, "{\"id\":7,\"call\":\"guest.migrate\",\"args\":{\"name\":\"g1\","
		    "\"uri\":\"fake://h1\"}}");
	assert_string_equal(json_text(fixture->reply, "state", ""), "begun");
	/* It is held there. */
	await_value(fixture, "migration", "stage", "setup,pre-copy,");
	assert_true(machine.here);
	ok(fixture, "{\"id\":8,\"call\":\"guest.migration\",\"args\":{\"name\":\"g1\","
		    "\"action\":\"limit\",\"bandwidth\":0}}");
	await_value(fixture, "migration", "outcome", "completed");
	stages = values_of(fixture, "migration", "stage");
	assert_non_null(strstr(stages, ",switchover,completed,"));
	ok(fixture, STOP);
	assert_int_equal(machine.destroyed, 0);
}

/* What only a stream that passes the agent has is refused, and not left out. */
static void what_the_stream_would_need_is_refused(void **state)
{
	static const char *const needs[] = {"\"hold\":\"sent\"", "\"page\":1", "\"video\":true"};
	struct fixture *fixture = *state;

	ok(fixture, START);
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
		__cleanup_free char *call =
			format_text("{\"id\":7,\"call\":\"guest.migrate\",\"args\":{\"name\":"
				    "\"g1\",\"uri\":\"fake://h1\",%s}}",
				    needs[i]);

		refused(fixture, call, "EOPNOTSUPP");
	}
	refused(fixture,
		"{\"id\":8,\"call\":\"guest.migrate\",\"args\":{\"name\":\"g1\",\"uri\":"
		"\"fake://h1\",\"mode\":\"checkpoint\"}}",
		"EINVAL");
	ok(fixture, STOP);
}

int main(void)
{
#define SERVICE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		SERVICE_TEST(one_that_never_came_is_taken_back),
		SERVICE_TEST(one_that_has_just_come_is_ended),
		SERVICE_TEST(one_of_the_user_is_left_alone),
		SERVICE_TEST(one_that_can_not_be_ended_stays),
		SERVICE_TEST(another_kind_of_machine_is_refused),
		SERVICE_TEST(one_can_be_announced_twice),
		SERVICE_TEST(a_page_is_looked_at_where_it_arrives),
		SERVICE_TEST(an_agent_that_ends_takes_all_back),
		SERVICE_TEST(one_starts_and_its_page_is_found),
		SERVICE_TEST(one_is_migrated_by_stages),
		SERVICE_TEST(what_the_stream_would_need_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
