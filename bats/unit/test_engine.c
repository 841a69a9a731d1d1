// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the trial engine with hosts made up for it: a guest is started and kept, its page is found on the host
 * before the fault and looked for again when it moves, and a migration is followed from one host to the other.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "harness/bench/bench.h"
#include "harness/scenario/scenario.h"
#include "harness/trial/engine.h"

#include <cmocka.h>

/*
 * struct fake - how the made-up hosts behave, and what they were asked; shared by nobody: each host is a process of its own
 * that is forked with these settings
 * @moves:  how often the page of the guest moves
 * @dies:   the guest ends at its touch
 * @refuses: QEMU refuses the migration
 * @poisons: a page that was struck is not found again
 * @call:    of the host, or of the guest through it, that is answered with @error, but for the first @late times
 */
static struct {
	int moves;
	bool dies, refuses, poisons;
	const char *requires;
	const char *call;
	int error, late;
	char calls[64];
} fake;

static void say(struct channel *channel, json_t *message)
{
	if (channel_send(channel, message, 1000))
		_exit(1);
	json_decref(message);
}

static void say_text(struct channel *channel, const char *text)
{
	json_t *message = json_loads(text, 0, NULL);

	if (!message)
		_exit(2);
	say(channel, message);
}

static void say_workload(struct channel *channel, const char *data)
{
	__cleanup_free char *text = format_text("{\"event\":\"guest\",\"guest\":\"g1\",\"what\":"
						"\"said\",\"time_ns\":1,\"said\":{\"event\":"
						"\"witness\",\"witness\":\"workload\",\"time_ns\":"
						"2,\"text\":\"victim\",\"data\":%s}}",
						data);

	say_text(channel, text);
}

static const char *answer_guest(struct channel *channel, const char *call)
{
	if (strcmp(call, "workload.start") == 0)
		return "{\"facts\":{\"pid\":\"0x9\",\"address\":\"0x7000\",\"pfn\":\"0x100\","
		       "\"physical\":\"0x100000\","
		       "\"page_size\":\"0x1000\"}}";
	if (strcmp(call, "workload.touch") != 0)
		return "{}";
	if (fake.dies) {
		say_text(channel, "{\"event\":\"witness\",\"witness\":\"libvirt\",\"time_ns\":1,"
				  "\"text\":\"g1: crashed\",\"data\":"
				  "{\"guest\":\"g1\",\"event\":\"crashed\",\"state\":\"stopped\","
				  "\"detail\":\"failed\"}}");
		return "{}";
	}
	say_workload(channel, "{\"workload\":\"victim\",\"event\":\"signal\",\"signal\":7}");
	say_workload(channel, "{\"workload\":\"victim\",\"event\":\"checked\"}");
	return "{}";
}

static void say_migration(struct channel *channel, const char *rest)
{
	__cleanup_free char *text = format_text("{\"event\":\"witness\",\"witness\":\"migration\","
						"\"time_ns\":1,\"text\":\"m\",\"data\":{\"guest\":"
						"\"g1\",%s}}",
						rest);

	say_text(channel, text);
}

static const char *answer_migrate(struct channel *channel)
{
	if (fake.refuses) {
		say_migration(channel,
			      "\"event\":\"end\",\"stage\":\"refused\",\"outcome\":\"refused\"");
		return "{\"state\":\"ended\",\"outcome\":\"refused\",\"reason\":\"poison\"}";
	}
	for (int i = 1; i <= 3; i++) {
		__cleanup_free char *stage = format_text("\"event\":\"stage\",\"stage\":\"pre-"
							 "copy\",\"iteration\":%d,\"remaining\":%d",
							 i, 4096 * (4 - i));

		say_migration(channel, stage);
	}
	say_migration(channel,
		      "\"event\":\"end\",\"stage\":\"completed\",\"outcome\":\"completed\"");
	return "{\"state\":\"begun\"}";
}

static const char *answer(struct channel *channel, const char *call, const json_t *arguments)
{
	static const char *const resolved[] = {"0x2000", "0x3000"};
	static char text[256];
	static int resolves;
	static bool struck;

	if (strcmp(call, "hello") == 0) {
		snprintf(text, sizeof(text),
			 "{\"protocol\":%d,\"boot_id\":\"boot\",\"kernel\":\"7.2.12\",\"pid\":5,"
			 "\"time_ns\":%lld}",
			 PROTOCOL_VERSION, (long long)now_realtime_ns());
		return text;
	}
	if (strcmp(call, "probe") == 0)
		return "{\"findings\":[{\"name\":\"kill:libvirtd\",\"ok\":true}]}";
	if (strcmp(call, "witness.start") == 0)
		return "{\"started\":[\"kmsg\"],\"missing\":[]}";
	if (strcmp(call, "guest.start") == 0)
		return "{\"kind\":\"micro\",\"pid\":77,\"domain\":\"brinell-g1\",\"uuid\":\"u\","
		       "\"qemu\":\"10.0.2\"}";
	if (strcmp(call, "guest.status") == 0)
		return "{\"state\":\"running\",\"connected\":true}";
	if (strcmp(call, "guest.call") == 0)
		return answer_guest(channel, json_text(arguments, "call", ""));
	if (strcmp(call, "guest.resolve") == 0 && struck && fake.poisons)
		return "{\"pid\":77,\"present\":false,\"poisoned\":true,\"gpa\":\"0x100000\"}";
	if (strcmp(call, "guest.resolve") == 0) {
		const char *pfn = resolved[resolves++ < fake.moves ? resolves % 2 : 0];

		snprintf(text, sizeof(text),
			 "{\"pid\":77,\"present\":true,\"gpa\":\"0x100000\",\"hva\":"
			 "\"0x7f0000000000\",\"pfn\":\"%s\",\"hpa\":"
			 "\"%s000\"}",
			 pfn, pfn);
		return text;
	}
	if (strcmp(call, "guest.receive") == 0)
		say_text(channel,
			 "{\"event\":\"guest\",\"guest\":\"g1\",\"what\":\"hello\",\"time_ns\":3}");
	if (strcmp(call, "guest.migrate") == 0)
		return answer_migrate(channel);
	if (strcmp(call, "inject.fire") == 0) {
		struck = true;
		return "{\"error\":0,\"reason\":\"\",\"result\":{},\"writes\":[],\"duration_ns\":"
		       "1}";
	}
	return "{}";
}

static void note(const struct bench *bench, const char *call, const json_t *arguments)
{
	__cleanup_free char *path = format_text("%s/calls", fake.calls);
	__cleanup_free char *text = json_dumps(arguments ? arguments : json_null(),
					       JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	FILE *out = fopen(path, "a");

	if (!out)
		_exit(3);
	fprintf(out, "%s %s %s\n", bench->host, call, text);
	fclose(out);
}

static bool is_refused(const char *call, const json_t *arguments)
{
	static int asked;

	if (!fake.call)
		return false;
	if (strcmp(call, "guest.call") == 0)
		call = json_text(arguments, "call", "");
	return strcmp(call, fake.call) == 0 && asked++ >= fake.late;
}

_Noreturn static void be_host(const struct bench *bench, int fd)
{
	struct channel *channel = channel_new(fd, fd);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	note(bench, "boot", NULL);
	for (;;) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		json_t *request;

		if (poll(&ready, 1, -1) < 0 || channel_fill(channel) < 0)
			_exit(0);
		while (channel_next(channel, &request, NULL) > 0) {
			const json_t *arguments = json_object_get(request, "args");
			const char *call = json_text(request, "call", "");

			note(bench, call, arguments);
			if (is_refused(call, arguments))
				say(channel, json_pack("{s:O, s:{s:i, s:s}}", "id",
						       json_object_get(request, "id"), "error",
						       "errno", fake.error, "text", "not now"));
			else
				say(channel, json_pack("{s:O, s:o}", "id",
						       json_object_get(request, "id"), "ok",
						       json_loads(answer(channel, call, arguments),
								  0, NULL)));
			json_decref(request);
		}
	}
}

static int fake_start(struct bench *bench, struct reason *why)
{
	int ends[2];
	pid_t pid;

	(void)why;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return -errno;
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		be_host(bench, ends[1]);
	}
	close(ends[1]);
	bench->agent = channel_new(ends[0], ends[0]);
	bench->private = (void *)(intptr_t)pid;
	return 0;
}

static void fake_stop(struct bench *bench)
{
	pid_t pid = (pid_t)(intptr_t)bench->private;

	channel_free(bench->agent);
	bench->agent = NULL;
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	bench->private = NULL;
}

static int fake_ready(struct bench *bench, struct reason *why)
{
	(void)why;
	note(bench, "ready", NULL);
	return 0;
}

static void fake_reach(const struct bench *bench, char **uri, char **address)
{
	*uri = format_text("qemu+tcp://%s/system", bench->host);
	*address = format_text("tcp://%s", bench->host);
}

static const struct bench_ops fake_one = {.name = "fake",
					  .summary = "one",
					  .hosts = 1,
					  .start = fake_start,
					  .ready = fake_ready,
					  .stop = fake_stop};
static const struct bench_ops fake_two = {.name = "fake-pair",
					  .summary = "two",
					  .hosts = 2,
					  .start = fake_start,
					  .reach = fake_reach,
					  .stop = fake_stop};

REGISTER(bench_ops, fake_one);
REGISTER(bench_ops, fake_two);

struct fixture {
	char directory[64];
	struct journal *journal;
	json_t *records;
	char *calls;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	memset(&fake, 0, sizeof(fake));
	snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/brinell-test-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fake.calls, sizeof(fake.calls), "%s", fixture->directory);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	__cleanup_free char *journal = format_text("%s/" JOURNAL_FILE, fixture->directory);
	__cleanup_free char *calls = format_text("%s/calls", fixture->directory);

	unlink(journal);
	unlink(calls);
	rmdir(fixture->directory);
	json_decref(fixture->records);
	free(fixture->calls);
	free(fixture);
	return 0;
}

#define GUEST "guests: {g1: {kind: micro}}\nworkloads:\n  victim: {kind: memory, in: g1}\n"
#define STRIKE "  - inject: {with: hwpoison, at: victim, method: corrupt-pfn}\n"

/* Runs one scenario some times, and reads what was asked of the hosts and what is on record. */
static void run(struct fixture *fixture, const char *bench, const char *steps, size_t trials)
{
	__cleanup_free char *calls = format_text("%s/calls", fixture->directory);
	__cleanup_free char *text = format_text(
		"scenario: test\ntitle: t\nbench: %s\ndeadline: 20s\nsettle: 10ms\n%s" GUEST
		"steps:\n%s",
		bench, fake.requires ? fake.requires : "", steps);
	struct planned_trial plan[2] = {0};
	struct journal_damage damage;
	struct reason why = {0};

	assert_int_equal(journal_create(fixture->directory, &fixture->journal, &why), 0);
	for (size_t i = 0; i < trials; i++) {
		snprintf(plan[i].id, sizeof(plan[i].id), "%04zu", i + 1);
		plan[i].bench = (char *)bench;
		if (scenario_parse("test.yaml", text, strlen(text), NULL, &plan[i].scenario, &why))
			fail_msg("%s", why.text);
	}
	if (engine_run(&(struct engine_options){.journal = fixture->journal}, plan, trials, &why))
		fail_msg("%s", why.text);
	journal_close(fixture->journal);
	for (size_t i = 0; i < trials; i++)
		scenario_free(plan[i].scenario);
	assert_int_equal(journal_load(fixture->directory, &fixture->records, &damage, &why), 0);
	assert_int_equal(read_small_file(calls, &fixture->calls, NULL), 0);
}

static const json_t *find_record(const struct fixture *fixture, const char *type)
{
	const json_t *record;
	size_t index;

	json_array_foreach (fixture->records, index, record)
		if (strcmp(json_text(record, "type", ""), type) == 0)
			return json_object_get(record, "body");
	return NULL;
}

static int count_records(const struct fixture *fixture, const char *type)
{
	const json_t *record;
	size_t index;
	int count = 0;

	json_array_foreach (fixture->records, index, record)
		count += strcmp(json_text(record, "type", ""), type) == 0;
	return count;
}

static int count_calls(const struct fixture *fixture, const char *call)
{
	int count = 0;

	for (const char *at = fixture->calls; (at = strstr(at, call)); at++)
		count++;
	return count;
}

static void refuse(const char *call, int error)
{
	fake.call = call;
	fake.error = error;
}

static const char *cause(const struct fixture *fixture)
{
	return json_text(find_record(fixture, "close"), "cause", "");
}

static void test_strike(void **state)
{
	struct fixture *fixture = *state;
	const json_t *intent;

	run(fixture, "fake", "  - start: victim\n" STRIKE "  - touch: victim\n", 1);
	intent = find_record(fixture, "intent");
	assert_string_equal(cause(fixture), "done");
	assert_string_equal(json_text(intent, "guest", ""), "g1");
	assert_string_equal(json_text(intent, "gpa", ""), "0x100000");
	assert_string_equal(json_text(intent, "pfn", ""), "0x2000");
	assert_string_equal(json_text(intent, "host", ""), "h0");
	/* The frame of the host, and QEMU's process, are what the host's witnesses look at. */
	assert_non_null(strstr(fixture->calls, "witness.focus {\"pfn\":\"0x2000\",\"pids\":[77]}"));
	assert_non_null(strstr(fixture->calls, "\"pfn\":\"0x2000\"},\"injector\":\"hwpoison\""));
	assert_int_equal(count_calls(fixture, "inject.fire"), 1);
}

static void test_page_moves(void **state)
{
	struct fixture *fixture = *state;

	/* Once between the look-up and the fault: it is aimed at again, where it is then. */
	fake.moves = 1;
	run(fixture, "fake", "  - start: victim\n" STRIKE, 1);
	assert_string_equal(cause(fixture), "done");
	assert_string_equal(json_text(find_record(fixture, "intent"), "pfn", ""), "0x2000");
	assert_int_equal(count_calls(fixture, "inject.prepare"), 2);
	assert_int_equal(count_calls(fixture, "inject.restore"), 2);
	assert_int_equal(count_calls(fixture, "inject.fire"), 1);
}

static void test_page_never_rests(void **state)
{
	struct fixture *fixture = *state;

	fake.moves = 100;
	run(fixture, "fake", "  - start: victim\n" STRIKE, 1);
	assert_int_equal(count_calls(fixture, "inject.fire"), 0);
	assert_null(find_record(fixture, "intent"));
	assert_string_equal(cause(fixture), "infra");
}

/* A poisoned page is none of QEMU's any more; a second fault is aimed at where it was, and it is for the host to refuse it. */
static void test_same_page_twice(void **state)
{
	struct fixture *fixture = *state;

	fake.poisons = true;
	run(fixture, "fake", "  - start: victim\n" STRIKE STRIKE, 1);
	assert_string_equal(cause(fixture), "done");
	assert_int_equal(count_calls(fixture, "inject.fire"), 2);
	assert_int_equal(count_calls(fixture, "\"pfn\":\"0x2000\"},\"injector\":\"hwpoison\""), 2);
}

static void test_guest_is_kept(void **state)
{
	struct fixture *fixture = *state;

	run(fixture, "fake", "  - start: victim\n" STRIKE "  - touch: victim\n", 2);
	/* The judge finds too little evidence here to call the guest well: it is not trusted again. */
	assert_int_equal(count_calls(fixture, "guest.start"), 2);
	assert_int_equal(count_calls(fixture, "guest.stop"), 2);
}

static void test_guest_dies(void **state)
{
	struct fixture *fixture = *state;

	fake.dies = true;
	run(fixture, "fake", "  - start: victim\n" STRIKE "  - touch: victim\n  - touch: victim\n",
	    1);
	/* The end of a guest is an outcome, and not the end of the trial. */
	assert_string_equal(cause(fixture), "done");
	assert_int_equal(count_calls(fixture, "workload.touch"), 1);
}

static void test_migration(void **state)
{
	struct fixture *fixture = *state;

	run(fixture, "fake-pair",
	    "  - start: victim\n  - migrate: {guest: g1, bandwidth: 2M}\n  - when: "
	    "\"migration.iteration >= 2\"\n" STRIKE
	    "  - when: migration.ended\n  - touch: victim\n",
	    1);
	assert_string_equal(cause(fixture), "done");
	assert_non_null(strstr(fixture->calls,
			       "h1 guest.receive {\"arguments\":\"\",\"backing\":\"anonymous\""));
	assert_non_null(strstr(fixture->calls, "h0 guest.migrate {\"address\":\"tcp://h1\""));
	assert_non_null(strstr(fixture->calls, "\"bandwidth\":2097152"));
	/* It has said hello at the target: from then on it is asked there. */
	assert_non_null(strstr(
		fixture->calls,
		"h1 guest.call {\"args\":{\"name\":\"victim\"},\"call\":\"workload.touch\""));
	assert_int_equal(count_calls(fixture, "h1 guest.stop"), 1);
	assert_int_equal(count_calls(fixture, "h0 guest.stop"), 1);
}

/* The page that a guest has left behind is looked for where it was. */
static void test_page_at_the_source(void **state)
{
	struct fixture *fixture = *state;

	run(fixture, "fake-pair",
	    "  - start: victim\n  - migrate: g1\n  - when: migration.ended\n  - inject: {with: "
	    "hwpoison, at: victim, method: corrupt-pfn, on: source}\n",
	    1);
	assert_string_equal(cause(fixture), "done");
	assert_non_null(strstr(fixture->calls, "h0 guest.resolve"));
	assert_null(strstr(fixture->calls, "h1 guest.resolve"));
	assert_non_null(strstr(fixture->calls, "h0 inject.fire"));
}

static void test_trigger_is_missed(void **state)
{
	struct fixture *fixture = *state;

	fake.refuses = true;
	run(fixture, "fake-pair",
	    "  - start: victim\n  - migrate: {guest: g1}\n  - when: \"migration.iteration >= "
	    "2\"\n" STRIKE,
	    1);
	assert_int_equal(count_calls(fixture, "inject.fire"), 0);
	assert_string_equal(cause(fixture), "trigger-missed");
}

static void test_one_host_can_not_migrate(void **state)
{
	struct fixture *fixture = *state;

	run(fixture, "fake", "  - start: victim\n  - migrate: {guest: g1}\n" STRIKE, 1);
	assert_string_equal(cause(fixture), "skip");
}

static void test_balloon(void **state)
{
	struct fixture *fixture = *state;

	refuse("guest.balloon", -ETIMEDOUT);
	run(fixture, "fake",
	    "  - start: victim\n" STRIKE
	    "  - balloon: {guest: g1, memory: 128M, within: 2s}\n  - touch: victim\n",
	    1);
	assert_non_null(strstr(fixture->calls, "\"timeout_ms\":2000"));
	/* A guest that keeps its memory is an outcome, and not the end of the trial. */
	assert_string_equal(cause(fixture), "done");
	assert_int_equal(count_calls(fixture, "workload.touch"), 1);
}

/* What an agent says of a guest, or of libvirt, in the words of the bench: none of it means that the host was lost. */
static void test_host_that_answers_is_not_lost(void **state)
{
	static const int errors[] = {-ETIMEDOUT, -EHOSTDOWN, -ECONNRESET, -EINTR};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		tear_down(state);
		set_up(state);
		refuse("workload.touch", errors[i]);
		run(*state, "fake", "  - start: victim\n" STRIKE "  - touch: victim\n", 2);
		assert_string_equal(cause(*state), "done");
		assert_int_equal(count_calls(*state, "inject.fire"), 2);
		assert_int_equal(count_calls(*state, " boot "), 1);

		/* The page is looked for twice for each fault. */
		tear_down(state);
		set_up(state);
		refuse("guest.resolve", errors[i]);
		fake.late = 2;
		run(*state, "fake", "  - start: victim\n" STRIKE STRIKE "  - touch: victim\n", 1);
		assert_string_equal(cause(*state), "done");
		assert_int_equal(count_calls(*state, "workload.touch"), 1);
	}
}

/* Before the fault such an answer is a failure of the bench, and the trial is tried again: not the deadline of a host. */
static void test_host_that_answers_before_the_fault(void **state)
{
	struct fixture *fixture = *state;

	refuse("guest.resolve", -ETIMEDOUT);
	run(fixture, "fake", "  - start: victim\n" STRIKE, 1);
	assert_string_equal(cause(fixture), "infra");
	assert_int_equal(count_records(fixture, "trial"), 2);
}

/* An injector that gives up is an outcome, with its own error, and not the end of the trial. */
static void test_injector_refuses(void **state)
{
	struct fixture *fixture = *state;

	refuse("inject.prepare", -ETIMEDOUT);
	run(fixture, "fake", "  - start: victim\n" STRIKE, 1);
	assert_string_equal(cause(fixture), "done");
	assert_int_equal(count_calls(fixture, "inject.fire"), 0);
	assert_int_equal(json_number(find_record(fixture, "outcome"), "error", 0), -ETIMEDOUT);
}

/* Whoever waits for a guest gives up before the deadline of the trial does: 20 s, here. */
static void test_guest_is_awaited_within_the_deadline(void **state)
{
	struct fixture *fixture = *state;
	const char *at;

	run(fixture, "fake", "  - start: victim\n" STRIKE, 1);
	at = strstr(fixture->calls, "\"call\":\"workload.start\"");
	assert_non_null(at);
	at = strstr(at, "\"timeout_ms\":");
	assert_non_null(at);
	assert_in_range(atoi(at + strlen("\"timeout_ms\":")), 1, 15000);
}

/* What a host has is asked for when libvirt is up: before that, some of it is not there or is there twice. */
static void test_libvirt_is_up_before_the_host_is_probed(void **state)
{
	struct fixture *fixture = *state;

	fake.requires = "requires: [kill:libvirtd]\n";
	run(fixture, "fake", "  - start: victim\n" STRIKE, 1);
	assert_string_equal(cause(fixture), "done");
	assert_int_equal(count_calls(fixture, " ready "), 1);
	assert_int_equal(count_calls(fixture, " probe "), 1);
	assert_true(strstr(fixture->calls, " ready ") < strstr(fixture->calls, " probe "));
}

static void test_no_address(void **state)
{
	struct bench *bench = NULL;
	struct reason why = {0};

	(void)state;
	assert_int_equal(bench_open("fake-pair:x", &(struct bench_options){0}, &bench, &why),
			 -ENOENT);
	assert_null(bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_strike, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_page_moves, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_page_never_rests, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_same_page_twice, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_page_at_the_source, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_guest_is_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_guest_dies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_migration, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_trigger_is_missed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_host_can_not_migrate, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_balloon, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_host_that_answers_is_not_lost, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_host_that_answers_before_the_fault, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_injector_refuses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_guest_is_awaited_within_the_deadline, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_libvirt_is_up_before_the_host_is_probed,
						set_up, tear_down),
		cmocka_unit_test(test_no_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
