// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the host's agent and libvirt's events of a guest that starts, with a fake: which guest they are
 * about, and the reason for a guest that ends before its hello. No libvirt needs to run.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "harness/lib/hypervisor_summary.h"
#include "harness/hypervisor/libvirt/libvirt.h"
#include "harness/hypervisor/service.h"
#include "bats/unit/fake_root.h"

#define NAME "unit-test-of-start"
#define UUID "11111111-2222-3333-4444-555555555555"
#define EARLIER "66666666-7777-8888-9999-000000000000"

/* @other: the controller's end of the agent's stream; @console: where the guest would write */
struct fixture {
	struct agent *agent;
	struct channel *own, *other;
	int console;
};

static int start_agent(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	int ends[2];

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(make_root(state), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	fixture->own = channel_new(ends[0], ends[0]);
	fixture->other = channel_new(ends[1], ends[1]);
	fixture->agent = agent_new(AGENT_HOST);
	agent_attach(fixture->agent, fixture->own);
	fixture->console = -1;
	*state = fixture;
	return 0;
}

static int end_agent(void **state)
{
	struct fixture *fixture = *state;

	agent_free(fixture->agent);
	channel_free(fixture->own);
	channel_free(fixture->other);
	if (fixture->console >= 0)
		close(fixture->console);
	free(fixture);
	return remove_root(state);
}

/* A guest whose domain runs, and whose start is not answered. */
static struct domain_guest *add_guest(struct fixture *fixture, enum domain_stage stage)
{
	struct domain_guest *guest = domain_add(fixture->agent, NAME, true, "");
	__cleanup_free char *path = format_text("%s/console", root);
	__cleanup_free char *out = format_text("%s.out", path);

	strcpy(guest->uuid, UUID);
	guest->stage = stage;
	guest->until_ns = INT64_MAX;
	guest->ticket = agent_later(fixture->agent);
	guest->ticket.id = json_integer(5);
	guest->console = console_open(path, NULL);
	assert_non_null(guest->console);
	fixture->console = open(out, O_WRONLY | O_CLOEXEC);
	assert_true(fixture->console >= 0);
	return guest;
}

static void send_event(struct fixture *fixture, const char *uuid, const char *state,
		       const char *detail)
{
	__cleanup_json json_t *event = json_pack("{s:s, s:s, s:s, s:s}", "uuid", uuid, "event",
						 "lifecycle", "state", state, "detail", detail);

	domain_on_event(fixture->agent, event);
}

/* The answer to the call of @id that is there; NULL when there is none. Owned by the caller. */
static json_t *answer_now(struct fixture *fixture, int id)
{
	struct pollfd state = {.fd = channel_fd(fixture->other), .events = POLLIN};
	json_t *message;

	while (poll(&state, 1, 0) > 0 && channel_fill(fixture->other) > 0)
		;
	while (channel_next(fixture->other, &message, NULL) == 1) {
		if (json_number(message, "id", 0) == id)
			return message;
		json_decref(message);
	}
	return NULL;
}

static json_t *await_answer(struct fixture *fixture, int id)
{
	int64_t until = now_monotonic_ns() + 60 * NSEC_PER_SEC;
	json_t *answer;

	while (!(answer = answer_now(fixture, id)) && now_monotonic_ns() < until)
		assert_int_equal(agent_turn(fixture->agent, 1000), 0);
	assert_non_null(answer);
	return answer;
}

static const char *error_of(const json_t *answer, const char *name)
{
	const json_t *error = json_object_get(answer, "error");

	assert_string_equal(json_text(error, "name", "none"), name);
	return json_text(error, "text", "");
}

static void a_guest_that_ends_early_has_a_reason(void **state)
{
	struct fixture *fixture = *state;
	__cleanup_json json_t *answer = NULL;
	const char *text;

	add_guest(fixture, DOMAIN_GREETING);
	put(DOMAIN_LOG_BEGIN DOMAIN_PREFIX NAME ".log",
	    "qemu-system-x86_64: terminating on signal 15 from pid 7\n");
	dprintf(fixture->console, "booting\nKernel panic - not syncing: no init\n");
	for (int i = 0; i < 130; i++)
		dprintf(fixture->console, "%-150s frame %d\n", "more than one read takes", i);
	send_event(fixture, UUID, "shutdown", "guest");
	answer = answer_now(fixture, 5);
	assert_null(answer);
	send_event(fixture, UUID, "stopped", "shutdown");
	answer = answer_now(fixture, 5);
	assert_non_null(answer);
	text = error_of(answer, "EHOSTDOWN");
	assert_non_null(strstr(text, "ended before its hello (shutdown by the guest)"));
	assert_non_null(strstr(text, "Kernel panic - not syncing: no init"));
	assert_non_null(strstr(text, "frame 129"));
	assert_non_null(strstr(text, "terminating on signal 15 from pid 7"));
	assert_null(domain_find(fixture->agent, NAME));
}

static void an_end_without_output_is_reported(void **state)
{
	struct fixture *fixture = *state;
	__cleanup_json json_t *answer = NULL;

	add_guest(fixture, DOMAIN_GREETING);
	send_event(fixture, UUID, "shutdown", "finished");
	send_event(fixture, UUID, "stopped", "shutdown");
	answer = answer_now(fixture, 5);
	assert_non_null(strstr(error_of(answer, "EHOSTDOWN"),
			       "its hello (shutdown); its console has shown nothing"));
}

/* The one before it had the same name and the same CID. */
static void late_events_of_an_earlier_guest_are_not_its_own(void **state)
{
	struct fixture *fixture = *state;
	struct domain_guest *guest = add_guest(fixture, DOMAIN_GREETING);
	__cleanup_json json_t *answer = NULL;

	send_event(fixture, EARLIER, "shutdown", "guest");
	send_event(fixture, EARLIER, "stopped", "shutdown");
	send_event(fixture, EARLIER, "stopped", "destroyed");
	answer = answer_now(fixture, 5);
	assert_null(answer);
	assert_int_equal(guest->stage, DOMAIN_GREETING);
	assert_string_equal(guest->shutdown_by, "");
}

/* Who starts it once more would find the domain there. */
static void a_failed_start_is_answered_when_the_domain_is_gone(void **state)
{
	struct fixture *fixture = *state;
	struct domain_guest *guest = add_guest(fixture, DOMAIN_GREETING);
	__cleanup_json json_t *early = NULL;
	__cleanup_json json_t *answer = NULL;
	const struct reason why = {"no hello in time"};

	domain_fail_start(fixture->agent, guest, -ETIMEDOUT, &why);
	assert_int_equal(guest->stage, DOMAIN_DESTROYING);
	early = answer_now(fixture, 5);
	assert_null(early);
	answer = await_answer(fixture, 5);
	assert_non_null(strstr(error_of(answer, "ETIMEDOUT"), "no hello in time"));
	guest = domain_find(fixture->agent, NAME);
	/* A libvirt that does not run can not report the end of a guest. */
	assert_true(!guest || guest->stage == DOMAIN_RUNNING);
}

/* Events come by another way than the results of jobs. */
static void an_end_that_overtakes_the_start_is_not_lost(void **state)
{
	static const char request[] =
		"{\"id\":8,\"call\":\"guest.start\",\"args\":{\"name\":\"" NAME
		"\",\"kind\":\"domain\",\"domain\":\"" NAME "\"}}";
	struct fixture *fixture = *state;
	__cleanup_json json_t *message = json_loads(request, 0, NULL);
	__cleanup_json json_t *answer = NULL;

	assert_int_equal(channel_send(fixture->other, message, 1000), 0);
	assert_int_equal(agent_turn(fixture->agent, 1000), 0);
	assert_non_null(domain_find(fixture->agent, NAME));
	assert_int_equal(domain_find(fixture->agent, NAME)->stage, DOMAIN_MAKING);
	/* The UUID of a domain that is looked up is not known yet. */
	send_event(fixture, "", "stopped", "crashed");
	answer = await_answer(fixture, 8);
	assert_non_null(strstr(error_of(answer, "EHOSTDOWN"), "ended before its hello (crashed)"));
	assert_null(domain_find(fixture->agent, NAME));
}

static void it_is_listed(void **state)
{
	(void)state;
	assert_non_null(hypervisor_summary_find(hypervisor_here()->name));
}

int main(void)
{
#define WITH_AGENT(test) cmocka_unit_test_setup_teardown(test, start_agent, end_agent)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_listed),
		WITH_AGENT(a_guest_that_ends_early_has_a_reason),
		WITH_AGENT(an_end_without_output_is_reported),
		WITH_AGENT(late_events_of_an_earlier_guest_are_not_its_own),
		WITH_AGENT(a_failed_start_is_answered_when_the_domain_is_gone),
		WITH_AGENT(an_end_that_overtakes_the_start_is_not_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
