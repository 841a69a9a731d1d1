// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: whole migrations by the trial engine, without libvirt: the agents of both hosts and of the guest are real, each a
 * process of its own, and only the hypervisor is fake. The guest arrives at the target, is asked there, and dies there.
 */
/* rooms: harness/guestd */
#include <sys/stat.h>

#include "bats/unit/engine_test.h"
#include "bats/unit/fake_hypervisor.h"
#include "harness/agent/agent.h"
#include "harness/judge/judge.h"

#define MIGRATE "  - migrate: g1\n  - when: \"migration.stage == pre-copy\"\n"
#define LIMIT "  - limit: {guest: g1, bandwidth: 1M}\n"
#define ENDED "  - when: {condition: migration.ended, within: 10s}\n"

/* Directory of the machines: h0, h1, and g1 for the guest. */
static char machines[64];
/* Of the guest: its stream, and how often it has moved. */
static volatile sig_atomic_t stream, moves;

static void use_machine(const char *name)
{
	snprintf(root, sizeof(root), "%.60s/%.2s", machines, name);
	system_root_set(root);
}

static void serve_host(const struct bench *bench, struct channel *channel)
{
	__cleanup_free char *comm = format_text("/proc/%d/comm", (int)machine.process);

	use_machine(bench->host);
	make_machine();
	put_expendable();
	put(comm, "qemu-fake\n");
	machine.iterations = 3;
	(void)agent_serve(channel);
}

static void leave_host(int number)
{
	(void)number;
	moves++;
	shutdown(stream, SHUT_RDWR);
}

/* As harness/guestd/guestd.c, but the guest is called instead of dialling. */
_Noreturn static void be_guest(const int *listeners)
{
	struct agent *agent;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGUSR1, leave_host);
	use_machine("g1");
	agent = agent_new(AGENT_GUEST);
	for (;;) {
		struct channel *channel;

		stream = accept4(listeners[moves % 2], NULL, NULL, SOCK_CLOEXEC);
		if (stream < 0)
			_exit(1);
		channel = channel_new(stream, stream);
		agent_attach(agent, channel);
		while (!agent_turn(agent, -1))
			;
		agent_detach(agent);
		channel_free(channel);
	}
}

static int set_up_guest(void **state)
{
	static const char *const names[] = {"h0", "h1", "g1"};
	int listeners[2];

	if (set_up(state) || make_root(state))
		return -1;
	strcpy(machines, root);
	fake.serve = serve_host;
	/* The most; it ends as soon as the guest is known to live. */
	fake.settle = "10s";
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		use_machine(names[i]);
		assert_int_equal(mkdir(root, 0700), 0);
		/* A kernel log that stays silent. */
		assert_int_equal(mkdir(place("dev"), 0700), 0);
		assert_int_equal(mkfifo(place("dev/kmsg"), 0600), 0);
		if (i < 2)
			listeners[i] = fake_listen("serial");
	}
	system_root_set("");
	machine.process = fork();
	if (machine.process == 0)
		be_guest(listeners);
	for (size_t i = 0; i < 2; i++)
		close(listeners[i]);
	return 0;
}

static int tear_down_guest(void **state)
{
	kill(machine.process, SIGKILL);
	waitpid(machine.process, NULL, 0);
	strcpy(root, machines);
	return remove_root(state) || tear_down(state);
}

static const json_t *verdict(const struct fixture *fixture)
{
	return find_record(fixture, "verdict");
}

/* The host where the guest has said hello after it had moved, or "". */
static const char *arrived_at(const struct fixture *fixture)
{
	const json_t *record;
	size_t index;

	json_array_foreach (fixture->records, index, record) {
		const json_t *body = json_object_get(record, "body");

		if (strcmp(json_text(record, "type", ""), "guest") == 0 &&
		    json_object_get(body, "arrived"))
			return json_text(body, "host", "");
	}
	return "";
}

static void check(const struct fixture *fixture, const char *guest, const char *migration)
{
	const json_t *axes = json_object_get(verdict(fixture), "axes");

	if (strcmp(json_text(verdict(fixture), "verdict", ""), "pass") != 0)
		fail_msg("%s: %s", json_text(verdict(fixture), "code", ""),
			 json_text(verdict(fixture), "reason", ""));
	assert_string_equal(json_text(axes, "guest", ""), guest);
	assert_string_equal(json_text(axes, "migration", ""), migration);
	assert_string_equal(arrived_at(fixture), "h1");
}

static void test_dies_where_it_has_arrived(void **state)
{
	struct fixture *fixture = *state;

	run(fixture, "fake-pair",
	    "  - start: victim\n" MIGRATE LIMIT ENDED "  - touch: victim\n"
	    "  - inject: {with: kill, what: qemu, guest: g1, on: target}\n"
	    "expect: {guest: killed, migration: completed}\n",
	    1);
	check(fixture, "killed", "completed");
}

static void test_arrives_at_the_second_attempt(void **state)
{
	struct fixture *fixture = *state;

	run(fixture, "fake-pair",
	    "  - start: victim\n" MIGRATE "  - cancel: g1\n" ENDED MIGRATE LIMIT ENDED
	    "  - touch: victim\n"
	    "expect: {delivered: false, guest: unharmed, migration: completed, events: {migration: "
	    "["
	    "cancelled, completed], hypervisor: [\"lifecycle stopped failed\"]}}\n",
	    1);
	check(fixture, "unharmed", "completed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_dies_where_it_has_arrived, set_up_guest,
						tear_down_guest),
		cmocka_unit_test_setup_teardown(test_arrives_at_the_second_attempt, set_up_guest,
						tear_down_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
