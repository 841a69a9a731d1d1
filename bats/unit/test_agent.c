// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the agent with an injector and a witness made up for it: what was set is put back however the agent ends,
 * a fault is fired once, and bytes that are no text do not silence it.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "harness/agent/agent.h"
#include "harness/witness/witness.h"
#include "inject/injector.h"

#include <cmocka.h>

/* Shared with the process of the agent. */
static struct {
	volatile int set, fired, restored;
} * seen;

static const struct param no_params[] = {{0}};

static void probe_nothing(json_t *findings)
{
	(void)findings;
}

static int fake_prepare(struct injection *injection, struct reason *why)
{
	(void)injection;
	(void)why;
	seen->set = 1;
	return 0;
}

static int fake_fire(struct injection *injection, struct reason *why)
{
	(void)injection;
	(void)why;
	seen->fired++;
	return 0;
}

static int fake_restore(struct injection *injection, struct reason *why)
{
	(void)injection;
	(void)why;
	seen->restored++;
	return 0;
}

static const struct injector fake_injector = {
	.name = "fake",
	.summary = "counts",
	.params = no_params,
	.probe = probe_nothing,
	.prepare = fake_prepare,
	.fire = fake_fire,
	.restore = fake_restore,
};

REGISTER(injector, fake_injector);

static int fake_start(struct witness_run *run, struct reason *why)
{
	(void)run;
	(void)why;
	return 0;
}

static void fake_collect(struct witness_run *run)
{
	run->emit(run->context, "fake", 1, "DIMM \xff\xc3 \xc3\xa9", NULL);
}

static void fake_stop(struct witness_run *run)
{
	(void)run;
}

static const struct witness fake_witness = {
	.name = "fake",
	.summary = "says what is no UTF-8",
	.probe = probe_nothing,
	.start = fake_start,
	.collect = fake_collect,
	.stop = fake_stop,
};

REGISTER(witness, fake_witness);

struct fixture {
	char root[32];
	pid_t agent;
	struct channel *channel;
};

static void write_expendable(const char *root)
{
	__cleanup_free char *directory = format_text("%s/etc/brinell", root);
	char host[256] = "";

	gethostname(host, sizeof(host) - 1);
	assert_int_equal(make_directories(directory), 0);
	assert_int_equal(write_file_atomically(directory, "expendable", host, strlen(host)), 0);
}

static int open_fixture(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	int ends[2];

	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	strcpy(fixture->root, "/tmp/brinell-agent.XXXXXX");
	assert_non_null(mkdtemp(fixture->root));
	write_expendable(fixture->root);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	fixture->agent = fork();
	if (fixture->agent == 0) {
		char name[] = "agent";
		char *argv[] = {name, NULL};

		close(ends[0]);
		dup2(ends[1], STDIN_FILENO);
		dup2(ends[1], STDOUT_FILENO);
		close(ends[1]);
		system_root_set(fixture->root);
		_exit(agent_main(1, argv));
	}
	close(ends[1]);
	fixture->channel = channel_new(ends[0], ends[0]);
	*state = fixture;
	return 0;
}

static int close_fixture(void **state)
{
	struct fixture *fixture = *state;
	__cleanup_free char *file = format_text("%s/etc/brinell/expendable", fixture->root);
	__cleanup_free char *directory = format_text("%s/etc/brinell", fixture->root);
	__cleanup_free char *etc = format_text("%s/etc", fixture->root);

	channel_free(fixture->channel);
	if (fixture->agent > 0) {
		kill(fixture->agent, SIGKILL);
		waitpid(fixture->agent, NULL, 0);
	}
	unlink(file);
	rmdir(directory);
	rmdir(etc);
	rmdir(fixture->root);
	munmap(seen, sizeof(*seen));
	free(fixture);
	return 0;
}

/* The next message that holds @key, owned by the caller. */
static json_t *await(struct fixture *fixture, const char *key, const char *value)
{
	int64_t deadline = now_monotonic_ns() + 60 * NSEC_PER_SEC;
	struct pollfd state = {.fd = channel_fd(fixture->channel), .events = POLLIN};

	while (now_monotonic_ns() < deadline) {
		json_t *message = NULL;
		struct reason why;

		while (channel_next(fixture->channel, &message, &why) == 1) {
			if (json_object_get(message, key) &&
			    (!value || strcmp(json_text(message, key, ""), value) == 0))
				return message;
			json_decref(message);
		}
		(void)poll(&state, 1, 1000);
		if (channel_fill(fixture->channel) < 0)
			break;
	}
	fail_msg("no message with '%s'", key);
	return NULL;
}

static json_t *ask(struct fixture *fixture, const char *call, json_t *arguments)
{
	static int id;
	__cleanup_json json_t *request =
		json_pack("{s:i, s:s, s:o*}", "id", ++id, "call", call, "args", arguments);

	assert_int_equal(channel_send(fixture->channel, request, 60000), 0);
	return await(fixture, "id", NULL);
}

static void ask_well(struct fixture *fixture, const char *call, json_t *arguments)
{
	__cleanup_json json_t *answer = ask(fixture, call, arguments);

	if (!json_object_get(answer, "ok"))
		fail_msg("%s: %s", call,
			 json_text(json_object_get(answer, "error"), "text", "no answer"));
}

static void await_exit(struct fixture *fixture)
{
	int status = -1;

	assert_int_equal(waitpid(fixture->agent, &status, 0), fixture->agent);
	fixture->agent = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_PASSED);
}

static void what_was_set_is_restored_when_the_controller_is_gone(void **state)
{
	struct fixture *fixture = *state;

	ask_well(fixture, "inject.prepare", json_pack("{s:s}", "injector", "fake"));
	assert_int_equal(seen->set, 1);
	channel_free(fixture->channel);
	fixture->channel = NULL;
	await_exit(fixture);
	assert_int_equal(seen->restored, 1);
}

/* So the kernel tells the agent that its controller was killed, and sshd that the line is dead. */
static void what_was_set_is_restored_at_a_signal(void **state)
{
	struct fixture *fixture = *state;

	ask_well(fixture, "inject.prepare", json_pack("{s:s}", "injector", "fake"));
	kill(fixture->agent, SIGTERM);
	await_exit(fixture);
	assert_int_equal(seen->restored, 1);
}

static void what_was_prepared_is_fired_once(void **state)
{
	struct fixture *fixture = *state;
	__cleanup_json json_t *again = NULL;

	ask_well(fixture, "inject.prepare", json_pack("{s:s}", "injector", "fake"));
	ask_well(fixture, "inject.fire", NULL);
	again = ask(fixture, "inject.fire", NULL);
	assert_string_equal(json_text(json_object_get(again, "error"), "name", ""), "EALREADY");
	assert_int_equal(seen->fired, 1);
	ask_well(fixture, "inject.restore", NULL);
	ask_well(fixture, "inject.prepare", json_pack("{s:s}", "injector", "fake"));
	ask_well(fixture, "inject.fire", NULL);
	assert_int_equal(seen->fired, 2);
}

static void evidence_that_is_no_text_is_not_lost(void **state)
{
	struct fixture *fixture = *state;
	__cleanup_json json_t *event = NULL;
	__cleanup_json json_t *collect =
		json_pack("{s:i, s:s}", "id", 99, "call", "witness.collect");

	ask_well(fixture, "witness.start", NULL);
	assert_int_equal(channel_send(fixture->channel, collect, 60000), 0);
	event = await(fixture, "witness", "fake");
	assert_string_equal(json_text(event, "text", ""), "DIMM ?? \xc3\xa9");
	ask_well(fixture, "usage", NULL);
}

static void a_program_that_closes_its_output_does_not_hold_the_agent_up(void **state)
{
	struct fixture *fixture = *state;
	__cleanup_json json_t *answer =
		ask(fixture, "run",
		    json_pack("{s:[s, s, s], s:i}", "argv", "sh", "-c",
			      "exec >&- 2>&-; exec sleep 30", "timeout_ms", 200));
	const json_t *ok = json_object_get(answer, "ok");

	assert_true(json_is_true(json_object_get(ok, "timed_out")));
	assert_int_equal(json_number(ok, "signal", 0), SIGKILL);
}

static void a_program_gets_its_status_and_its_text(void **state)
{
	struct fixture *fixture = *state;
	__cleanup_json json_t *answer = ask(fixture, "run",
					    json_pack("{s:[s, s, s]}", "argv", "sh", "-c",
						      "printf 'a\\377\\000b'; exit 3"));
	const json_t *ok = json_object_get(answer, "ok");

	assert_int_equal(json_number(ok, "status", 0), 3);
	assert_false(json_is_true(json_object_get(ok, "timed_out")));
	assert_string_equal(json_text(ok, "stdout", ""), "a??b");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_fixture, close_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_set_is_restored_when_the_controller_is_gone),
		TEST(what_was_set_is_restored_at_a_signal),
		TEST(what_was_prepared_is_fired_once),
		TEST(evidence_that_is_no_text_is_not_lost),
		TEST(a_program_that_closes_its_output_does_not_hold_the_agent_up),
		TEST(a_program_gets_its_status_and_its_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
