// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the program inside a guest, run here as an ordinary process: its stream may break at any time, and what it
 * watches goes on.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "harness/lib/protocol.h"
#include "harness/guestd/guestd.h"
#include "harness/witness/witness.h"
#include "bats/unit/agent_talk.h"
#include "bats/unit/fake_root.h"

/* @listener: where the program dials; @host: the host's end of its stream */
struct fixture {
	char directory[64];
	struct sockaddr_un here;
	int listener;
	struct channel *host;
	pid_t pid;
};

static void accept_program(struct fixture *fixture)
{
	struct pollfd state = {.fd = fixture->listener, .events = POLLIN};
	int fd;

	assert_int_equal(poll(&state, 1, 60000), 1);
	fd = accept4(fixture->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	channel_free(fixture->host);
	fixture->host = channel_new(fd, fd);
}

static int start_program(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	pid_t parent = getpid();

	strcpy(fixture->directory, "/tmp/brinell-guest.XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	fixture->here.sun_family = AF_UNIX;
	snprintf(fixture->here.sun_path, sizeof(fixture->here.sun_path), "%s/host",
		 fixture->directory);
	fixture->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fixture->listener, (struct sockaddr *)&fixture->here,
			      sizeof(fixture->here)),
			 0);
	assert_int_equal(listen(fixture->listener, 4), 0);
	fixture->pid = fork();
	if (fixture->pid == 0) {
		char name[] = "brinell-guest", option[] = "--socket";
		char *argv[] = {name, option, fixture->here.sun_path, NULL};

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		close(fixture->listener);
		_exit(guest_main(3, argv));
	}
	accept_program(fixture);
	*state = fixture;
	return 0;
}

static int stop_program(void **state)
{
	struct fixture *fixture = *state;

	channel_free(fixture->host);
	close(fixture->listener);
	if (fixture->pid > 0) {
		kill(fixture->pid, SIGKILL);
		waitpid(fixture->pid, NULL, 0);
	}
	unlink(fixture->here.sun_path);
	rmdir(fixture->directory);
	free(fixture);
	return 0;
}

static void it_sends_its_identity(void **state)
{
	struct fixture *fixture = *state;
	__cleanup_json json_t *hello = await(fixture->host, "event", "hello");
	__cleanup_json json_t *usage = ask(fixture->host, "usage", NULL);
	__cleanup_json json_t *ping = ask(fixture->host, "ping", NULL);

	assert_true(json_is_true(json_object_get(hello, "guest")));
	assert_int_equal(json_number(hello, "protocol", 0), PROTOCOL_VERSION);
	assert_int_equal(json_number(hello, "pid", 0), fixture->pid);
	assert_int_equal(json_number(hello, "connection", 0), 1);
	assert_true(json_number(hello, "memory_kb", 0) > 1024);
	assert_true(strlen(json_text(hello, "boot_id", "")) > 8);
	assert_true(json_number(json_object_get(usage, "ok"), "fds", 0) > 2);
	assert_true(json_number(json_object_get(ping, "ok"), "monotonic_ns", 0) > 0);
}

/* Calls of a host's agent, and those that could harm a guest that is not ours. */
static void it_refuses_what_is_not_for_a_guest(void **state)
{
	static const char *const unknown[] = {"inject.prepare", "inject.fire", "guest.listen",
					      "probe"};
	struct fixture *fixture = *state;
	__cleanup_json json_t *power = ask(fixture->host, "poweroff", NULL);

	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		__cleanup_json json_t *answer = ask(fixture->host, unknown[i], NULL);

		assert_int_equal(json_number(json_object_get(answer, "error"), "errno", 0),
				 -ENOSYS);
	}
	assert_int_equal(json_number(json_object_get(power, "error"), "errno", 0), -EPERM);
}

/* Events without a stream are sent on the next one, and none is missing. */
static void it_outlives_its_stream(void **state)
{
	struct fixture *fixture = *state;
	__cleanup_json json_t *answer = NULL, *event = NULL, *hello = NULL;
	int64_t number;
	pid_t victim;

	answer = ask(fixture->host, "workload.start",
		     json_pack("{s:s, s:s, s:{s:s}}", "name", "data", "kind", "pattern",
			       "arguments", "size", "64K"));
	victim = (pid_t)json_number(json_object_get(json_object_get(answer, "ok"), "facts"), "pid",
				    0);
	assert_true(victim > 0);
	ask_well(fixture->host, "heartbeat.start", NULL);
	json_decref(await(fixture->host, "event", "heartbeat"));
	event = await(fixture->host, "event", "witness");
	number = json_number(event, "number", -1);
	json_decref(event);
	channel_free(fixture->host);
	fixture->host = NULL;
	kill(victim, SIGKILL);
	accept_program(fixture);
	hello = await(fixture->host, "event", "hello");
	assert_int_equal(json_number(hello, "connection", 0), 2);
	assert_int_equal(json_number(hello, "pid", 0), fixture->pid);
	do {
		event = await(fixture->host, "number", NULL);
		assert_int_equal(json_number(event, "number", -1), ++number);
		answer = (json_decref(answer), json_incref(json_object_get(event, "data")));
		json_decref(event);
		event = NULL;
	} while (strcmp(json_text(answer, "event", ""), "exit") != 0);
	assert_int_equal(json_number(answer, "signal", 0), SIGKILL);
	/* The heartbeats continue, and each is counted. */
	event = await(fixture->host, "event", "heartbeat");
	assert_true(json_number(event, "seq", 0) > 1);
}

static void heartbeats_behind_a_blocked_stream_are_counted(void **state)
{
	struct fixture *fixture = *state;
	int64_t seq = 0, beats = 0, most = 0;
	int64_t until = now_monotonic_ns() + 60 * NSEC_PER_SEC;

	ask_well(fixture->host, "heartbeat.start", json_pack("{s:i}", "interval_ns", 1000000));
	/* Nobody reads meanwhile: the stream is full long before the end of it, if the program gets a processor. */
	for (int hold = 1500; most <= 100 && now_monotonic_ns() < until; hold *= 2) {
		(void)poll(NULL, 0, hold);
		for (int64_t upto = seq + hold + 1000; seq < upto;) {
			__cleanup_json json_t *event = await(fixture->host, "event", "heartbeat");
			int64_t reported = json_number(event, "beats", 0);

			assert_true(json_number(event, "seq", 0) > seq);
			seq = json_number(event, "seq", 0);
			beats += reported + json_number(event, "missed", 0);
			assert_int_equal(beats, seq);
			most = reported > most ? reported : most;
		}
	}
	assert_true(most > 100);
	ask_well(fixture->host, "heartbeat.stop", NULL);
}

/* The program stands still, as a guest does in the downtime of a migration. */
static void heartbeats_report_a_gap(void **state)
{
	struct fixture *fixture = *state;
	int64_t until = now_monotonic_ns() + 60 * NSEC_PER_SEC;
	int64_t missed = 0, gap = 0;
	int status;

	ask_well(fixture->host, "heartbeat.start", NULL);
	json_decref(await(fixture->host, "event", "heartbeat"));
	kill(fixture->pid, SIGSTOP);
	assert_int_equal(waitpid(fixture->pid, &status, WUNTRACED), fixture->pid);
	(void)poll(NULL, 0, 400);
	kill(fixture->pid, SIGCONT);
	/* A busy machine makes gaps of its own. */
	while (gap < 390 * NSEC_PER_MSEC && now_monotonic_ns() < until) {
		__cleanup_json json_t *event = await(fixture->host, "event", "heartbeat");
		const json_t *clocks = json_object_get(event, "gap");

		missed = json_number(event, "missed", 0);
		gap = json_number(clocks, "monotonic", 0);
		if (gap >= 390 * NSEC_PER_MSEC)
			assert_true(llabs(json_number(clocks, "realtime", 0) - gap) <
				    200 * NSEC_PER_MSEC);
	}
	assert_true(gap >= 390 * NSEC_PER_MSEC);
	assert_true(missed >= 38);
}

/* The report of the gap is lost with the stream, as in a migration: the next stream begins with it. */
static void heartbeats_report_the_gaps_before_a_stream(void **state)
{
	struct fixture *fixture = *state;
	__cleanup_json json_t *event = NULL, *later = NULL;
	int64_t before = INT64_MAX;
	const json_t *gaps;
	json_t *gap;
	size_t index;
	int status;

	ask_well(fixture->host, "heartbeat.start", NULL);
	event = await(fixture->host, "event", "heartbeat");
	assert_null(json_object_get(event, "gaps"));
	json_decref(event);
	event = NULL;
	kill(fixture->pid, SIGSTOP);
	assert_int_equal(waitpid(fixture->pid, &status, WUNTRACED), fixture->pid);
	(void)poll(NULL, 0, 400);
	kill(fixture->pid, SIGCONT);
	channel_free(fixture->host);
	fixture->host = NULL;
	accept_program(fixture);
	event = await(fixture->host, "event", "heartbeat");
	gaps = json_object_get(event, "gaps");
	assert_in_range(json_array_size(gaps), 1, 16);
	assert_true(json_number(json_array_get(gaps, 0), "monotonic", 0) >= 390 * NSEC_PER_MSEC);
	json_array_foreach ((json_t *)gaps, index, gap) {
		int64_t length = json_number(gap, "monotonic", 0);

		assert_true(length <= before && length > 15 * NSEC_PER_MSEC);
		assert_true(json_number(gap, "after_ns", 0) > 0);
		before = length;
	}
	later = await(fixture->host, "event", "heartbeat");
	assert_null(json_object_get(later, "gaps"));
}

static void invalid_intervals_of_heartbeats_are_refused(void **state)
{
	static const json_int_t bad[] = {0, -1, 1000, 1000000000000};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		__cleanup_json json_t *answer = ask(fixture->host, "heartbeat.start",
						    json_pack("{s:I}", "interval_ns", bad[i]));

		assert_int_equal(json_number(json_object_get(answer, "error"), "errno", 0),
				 -EINVAL);
	}
	ask_well(fixture->host, "heartbeat.start", NULL);
	ask_well(fixture->host, "heartbeat.start", NULL);
	ask_well(fixture->host, "heartbeat.stop", NULL);
	ask_well(fixture->host, "heartbeat.stop", NULL);
}

static void rubbish_of_a_host_does_not_end_it(void **state)
{
	struct fixture *fixture = *state;
	static const char rubbish[] = "\xff\xff\n{\"call\":7}\n[[[[\n{}\n";

	assert_int_equal(write_all(channel_fd(fixture->host), rubbish, sizeof(rubbish) - 1), 0);
	ask_well(fixture->host, "ping", NULL);
}

static void a_signal_ends_it_and_its_workloads(void **state)
{
	struct fixture *fixture = *state;
	__cleanup_json json_t *answer = ask(fixture->host, "workload.start",
					    json_pack("{s:s, s:s}", "name", "m", "kind", "memory"));
	pid_t victim = (pid_t)json_number(json_object_get(json_object_get(answer, "ok"), "facts"),
					  "pid", 0);
	int status;

	assert_true(victim > 0);
	kill(fixture->pid, SIGTERM);
	assert_int_equal(waitpid(fixture->pid, &status, 0), fixture->pid);
	fixture->pid = 0;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_PASSED);
	assert_int_equal(kill(victim, 0), -1);
}

/* Looked at and not started, for its witnesses would look at this machine. */
static void its_witnesses_are_those_of_guests(void **state)
{
	static const struct {
		const char *name;
		bool in_guests;
	} witnesses[] = {{"interrupts", true},
			 {"kmsg", true},
			 {"meminfo", true},
			 {"trace", true},
			 {"pageflags", false}};
	__cleanup_free char *program = NULL;
	size_t length;

	(void)state;
	assert_int_equal(read_small_file("build/brinell-guest", &program, &length), 0);
	for (size_t i = 0; i < ARRAY_SIZE(witnesses); i++) {
		const char *summary = witness_find(witnesses[i].name)->summary;

		assert_non_null(memmem(program, length, summary, strlen(summary)));
		if (witness_find(witnesses[i].name)->host_only == witnesses[i].in_guests)
			fail_msg("witness '%s'", witnesses[i].name);
	}
}

static void the_kernel_command_line_names_the_port(void **state)
{
	static const struct {
		const char *line;
		unsigned int port;
	} lines[] = {
		{NULL, GUEST_VSOCK_PORT},
		{"", GUEST_VSOCK_PORT},
		{"quiet brinell.port=4000 ro\n", 4000},
		{"brinell.port=4000\n", 4000},
		{"xbrinell.port=4000", GUEST_VSOCK_PORT},
		{"brinell.port=x brinell.port=77", 77},
		{"brinell.port=4000x", GUEST_VSOCK_PORT},
		{"brinell.port=0", GUEST_VSOCK_PORT},
		{"brinell.port=99999999999", GUEST_VSOCK_PORT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_int_equal(guest_port_of(lines[i].line), lines[i].port);
}

static void the_serial_port_is_found_by_its_name(void **state)
{
	__cleanup_free char *found = NULL;

	(void)state;
	assert_null(guest_find_serial());
	put("/sys/class/virtio-ports/vport1p1/name", "brinell.agent\n");
	put("/sys/class/virtio-ports/vport1p2/name", "brinell.guest\n");
	found = guest_find_serial();
	assert_string_equal(found, place("/dev/vport1p2"));
}

static void bad_usage_is_refused(void **state)
{
	static char *const bad[][3] = {{"brinell-guest", "--port", "x"},
				       {"brinell-guest", "--cid", "-1"},
				       {"brinell-guest", "what", NULL}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			char *argv[] = {bad[i][0], bad[i][1], bad[i][2], NULL};

			(void)!freopen("/dev/null", "w", stderr);
			_exit(guest_main(bad[i][2] ? 3 : 2, argv));
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(WEXITSTATUS(status), EXIT_USAGE);
	}
}

int main(void)
{
#define WITH_PROGRAM(test) cmocka_unit_test_setup_teardown(test, start_program, stop_program)
	const struct CMUnitTest tests[] = {
		WITH_PROGRAM(it_sends_its_identity),
		WITH_PROGRAM(it_refuses_what_is_not_for_a_guest),
		WITH_PROGRAM(it_outlives_its_stream),
		WITH_PROGRAM(heartbeats_behind_a_blocked_stream_are_counted),
		WITH_PROGRAM(heartbeats_report_a_gap),
		WITH_PROGRAM(heartbeats_report_the_gaps_before_a_stream),
		WITH_PROGRAM(invalid_intervals_of_heartbeats_are_refused),
		WITH_PROGRAM(rubbish_of_a_host_does_not_end_it),
		WITH_PROGRAM(a_signal_ends_it_and_its_workloads),
		cmocka_unit_test(its_witnesses_are_those_of_guests),
		cmocka_unit_test(the_kernel_command_line_names_the_port),
		WITH_ROOT(the_serial_port_is_found_by_its_name),
		cmocka_unit_test(bad_usage_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
