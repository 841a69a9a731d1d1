// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the host's end of a guest's stream, against guests that lie, flood, stop in the middle of a line, fall silent,
 * or die. Each is an event; none crashes, and none costs more than a bounded piece of memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <linux/close_range.h>
#include <linux/vm_sockets.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "harness/lib/protocol.h"
#include "harness/link/internal.h"

#include <cmocka.h>

/* A test that waits for what must come fails after this. */
#define PATIENCE_NS (60 * NSEC_PER_SEC)

#define HELLO(boot, pid)                                                                           \
	"{\"event\":\"hello\",\"protocol\":1,\"guest\":true,\"boot_id\":\"" boot                   \
	"\",\"pid\":" #pid "}\n"

/* @guest: the guest's end of the stream; @forgets: the guest that is forgotten at each answer, or NULL */
struct fixture {
	struct guest_link *link;
	int guest;
	json_t *events;
	int answers;
	int answer_error;
	json_t *answer;
	char answer_text[1024];
	const char *forgets;
};

static const struct guest_limits limits = {
	/* Slower than the slowest machine reads, or a flood would be none. */
	.bytes_per_second = 1000,
	.bytes_burst = 1u << 20,
	.lines_per_second = 1,
	.lines_burst = 50,
	.rubbish = 20,
	.hello_ns = 300 * NSEC_PER_MSEC,
	.silence_ns = 300 * NSEC_PER_MSEC,
	.refuse_ns = NSEC_PER_SEC,
};

static void on_event(void *context, json_t *event)
{
	json_array_append_new(((struct fixture *)context)->events, event);
}

static void on_answer(void *context, void *cookie, int error, json_t *reply,
		      const struct reason *why)
{
	struct fixture *fixture = context;

	assert_ptr_equal(cookie, &fixture->answers);
	fixture->answers++;
	fixture->answer_error = error;
	json_decref(fixture->answer);
	fixture->answer = reply;
	snprintf(fixture->answer_text, sizeof(fixture->answer_text), "%s", why ? why->text : "");
	if (fixture->forgets)
		(void)guest_link_forget(fixture->link, fixture->forgets, NULL);
}

static int dial(struct fixture *fixture, const char *name)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(guest_link_adopt(fixture->link, name, ends[0], NULL), 0);
	return ends[1];
}

static int make_link(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	signal(SIGPIPE, SIG_IGN);
	fixture->events = json_array();
	fixture->link = guest_link_new(&(struct guest_link_user){.event = on_event,
								 .answer = on_answer,
								 .context = fixture},
				       &limits);
	fixture->guest = dial(fixture, "g1");
	*state = fixture;
	return 0;
}

static int free_link(void **state)
{
	struct fixture *fixture = *state;

	if (fixture->guest >= 0)
		close(fixture->guest);
	guest_link_free(fixture->link);
	json_decref(fixture->events);
	json_decref(fixture->answer);
	free(fixture);
	return 0;
}

static void turn(struct fixture *fixture, int timeout_ms)
{
	struct pollfd fds[16];
	size_t count = guest_link_watch(fixture->link, fds, ARRAY_SIZE(fds));

	if (poll(fds, count, timeout_ms) > 0)
		guest_link_dispatch(fixture->link);
}

static const json_t *find(const struct fixture *fixture, const char *what)
{
	const json_t *event, *found = NULL;
	size_t index;

	json_array_foreach (fixture->events, index, event)
		if (!found && strcmp(json_text(event, "what", ""), what) == 0)
			found = event;
	return found;
}

static size_t count(const struct fixture *fixture, const char *what)
{
	const json_t *event;
	size_t index, found = 0;

	json_array_foreach (fixture->events, index, event)
		found += strcmp(json_text(event, "what", ""), what) == 0;
	return found;
}

static const json_t *await(struct fixture *fixture, const char *what)
{
	int64_t until = now_monotonic_ns() + PATIENCE_NS;

	while (!find(fixture, what) && now_monotonic_ns() < until)
		turn(fixture, 100);
	if (!find(fixture, what))
		fail_msg("no event '%s' came", what);
	return find(fixture, what);
}

static void await_count(struct fixture *fixture, const char *what, size_t events)
{
	int64_t until = now_monotonic_ns() + PATIENCE_NS;

	while (count(fixture, what) < events && now_monotonic_ns() < until)
		turn(fixture, 100);
	assert_int_equal(count(fixture, what), events);
}

static void await_answer(struct fixture *fixture, int answers)
{
	int64_t until = now_monotonic_ns() + PATIENCE_NS;

	while (fixture->answers < answers && now_monotonic_ns() < until)
		turn(fixture, 100);
	assert_int_equal(fixture->answers, answers);
}

static void say(const struct fixture *fixture, const char *text)
{
	assert_int_equal(write_all(fixture->guest, text, strlen(text)), 0);
}

static void greet(struct fixture *fixture)
{
	say(fixture, HELLO("boot-1", 7));
	(void)await(fixture, "hello");
	json_array_clear(fixture->events);
}

static int call(struct fixture *fixture, const char *guest, int64_t timeout_ms, struct reason *why)
{
	return guest_link_call(fixture->link, guest, "ping", NULL, timeout_ms, &fixture->answers,
			       why);
}

/* The id of the call that the guest has got. */
static int64_t hear_call(const struct fixture *fixture, const char *expected)
{
	struct pollfd ready = {.fd = fixture->guest, .events = POLLIN};
	char line[512];
	ssize_t got = poll(&ready, 1, PATIENCE_NS / NSEC_PER_MSEC) == 1
			      ? read(fixture->guest, line, sizeof(line) - 1)
			      : -1;
	__cleanup_json json_t *message = NULL;

	assert_true(got > 0);
	message = json_loadb(line, (size_t)got, JSON_DISABLE_EOF_CHECK, NULL);
	assert_string_equal(json_text(message, "call", ""), expected);
	return json_number(message, "id", 0);
}

static int64_t hear(const struct fixture *fixture)
{
	return hear_call(fixture, "ping");
}

static void a_guest_sends_hello_and_answers(void **state)
{
	struct fixture *fixture = *state;
	__cleanup_free char *answer = NULL;
	struct reason why = {0};
	const json_t *event;

	say(fixture, HELLO("boot-1", 7) "{\"event\":\"witness\",\"witness\":\"kmsg\",\"text\":"
					"\"oops\",\"number\":0}\n");
	event = await(fixture, "hello");
	assert_string_equal(json_text(event, "event", ""), "guest");
	assert_string_equal(json_text(event, "guest", ""), "g1");
	assert_string_equal(json_text(event, "boot_id", ""), "boot-1");
	event = json_object_get(await(fixture, "said"), "said");
	assert_string_equal(json_text(event, "witness", ""), "kmsg");
	assert_int_equal(call(fixture, "g1", 60000, &why), 0);
	turn(fixture, 0);
	answer = format_text("{\"id\":%lld,\"ok\":{\"fine\":1}}\n", (long long)hear(fixture));
	say(fixture, answer);
	await_answer(fixture, 1);
	assert_int_equal(fixture->answer_error, 0);
	assert_int_equal(json_number(fixture->answer, "fine", 0), 1);
	assert_null(find(fixture, "lost"));
	assert_null(find(fixture, "rubbish"));
}

static void errors_of_a_guest_are_passed_on(void **state)
{
	static const char *const said[] = {"{\"errno\":-1,\"text\":\"no\"}", "{\"errno\":5}",
					   "{\"errno\":-99999999}", "\"what\""};
	static const int expected[] = {-EPERM, -EIO, -EIO, -EIO};
	struct fixture *fixture = *state;

	greet(fixture);
	for (size_t i = 0; i < ARRAY_SIZE(said); i++) {
		__cleanup_free char *answer = NULL;

		assert_int_equal(call(fixture, "g1", 60000, NULL), 0);
		answer = format_text("{\"id\":%lld,\"error\":%s}\n", (long long)hear(fixture),
				     said[i]);
		say(fixture, answer);
		await_answer(fixture, (int)i + 1);
		assert_int_equal(fixture->answer_error, expected[i]);
	}
}

static void calls_that_can_not_be_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct reason why = {0};

	assert_int_equal(call(fixture, "nobody", 1000, &why), -ENOENT);
	assert_int_equal(call(fixture, "g1", 1000, &why), -ENOTCONN);
	assert_non_null(strstr(why.text, "hello"));
	greet(fixture);
	assert_int_equal(call(fixture, "g1", 200, &why), 0);
	await_answer(fixture, 1);
	assert_int_equal(fixture->answer_error, -ETIMEDOUT);
}

static void a_guest_that_goes_ends_its_calls(void **state)
{
	struct fixture *fixture = *state;

	greet(fixture);
	assert_int_equal(call(fixture, "g1", 60000, NULL), 0);
	say(fixture, "{\"id\":1,\"ok");
	close(fixture->guest);
	fixture->guest = -1;
	await_answer(fixture, 1);
	assert_int_equal(fixture->answer_error, -ECONNRESET);
	assert_non_null(strstr(fixture->answer_text, "not known"));
	assert_non_null(find(fixture, "gone"));
	assert_null(find(fixture, "rubbish"));
	/* It dials again, and all is well. */
	fixture->guest = dial(fixture, "g1");
	greet(fixture);
	assert_int_equal(call(fixture, "g1", 60000, NULL), 0);
	/* A link that ends answers too. */
	assert_int_equal(guest_link_forget(fixture->link, "g1", NULL), 0);
	assert_int_equal(fixture->answers, 2);
	assert_int_equal(guest_link_forget(fixture->link, "g1", NULL), -ENOENT);
}

/* How a guest's calls end while three of them wait. */
static void end_by_answer(struct fixture *fixture)
{
	__cleanup_free char *answer = format_text("{\"id\":%lld,\"ok\":{}}\n{\"event\":\"more\"}\n",
						  (long long)hear(fixture));

	say(fixture, answer);
}

static void end_by_hanging_up(struct fixture *fixture)
{
	close(fixture->guest);
	fixture->guest = -1;
}

static void end_by_time(struct fixture *fixture)
{
	(void)fixture;
}

static void end_by_flood(struct fixture *fixture)
{
	for (int i = 0; i < 25; i++)
		say(fixture, "rubbish\n");
}

static void a_callback_may_remove_the_guest(void **state)
{
	static void (*const ends[])(struct fixture * fixture) = {end_by_answer, end_by_hanging_up,
								 end_by_time, end_by_flood};
	struct fixture *fixture = *state;
	int other, first = fixture->guest;

	fixture->guest = other = dial(fixture, "g2");
	greet(fixture);
	fixture->guest = first;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		json_array_clear(fixture->events);
		fixture->answers = 0;
		if (i > 0) {
			if (fixture->guest >= 0)
				close(fixture->guest);
			fixture->guest = dial(fixture, "g1");
		}
		greet(fixture);
		for (int calls = 0; calls < 3; calls++)
			assert_int_equal(
				call(fixture, "g1", ends[i] == end_by_time ? 200 : 60000, NULL), 0);
		fixture->forgets = "g1";
		ends[i](fixture);
		await_answer(fixture, 3);
		fixture->forgets = NULL;
		assert_int_equal(guest_link_forget(fixture->link, "g1", NULL), -ENOENT);
		assert_null(find(fixture, "said"));
	}
	/* The other guest goes on. */
	if (fixture->guest >= 0)
		close(fixture->guest);
	fixture->guest = other;
	greet(fixture);
}

static void a_newer_stream_takes_the_place_of_the_older(void **state)
{
	struct fixture *fixture = *state;
	int older = fixture->guest;
	const json_t *event;
	char byte;

	greet(fixture);
	fixture->guest = dial(fixture, "g1");
	assert_int_equal(read(older, &byte, 1), 0);
	close(older);
	say(fixture, HELLO("boot-1", 7));
	event = await(fixture, "hello");
	assert_true(json_is_false(json_object_get(event, "rebooted")));
	assert_true(json_is_false(json_object_get(event, "restarted")));
	json_array_clear(fixture->events);
	say(fixture, HELLO("boot-1", 8));
	event = await(fixture, "hello");
	assert_true(json_is_true(json_object_get(event, "restarted")));
	json_array_clear(fixture->events);
	say(fixture, HELLO("boot-2", 8));
	assert_true(json_is_true(json_object_get(await(fixture, "hello"), "rebooted")));
}

static void rubbish_is_shown_then_counted_then_cut_off(void **state)
{
	struct fixture *fixture = *state;

	greet(fixture);
	say(fixture, "\x01\xff rubbish\n[]\n{\"a\":1,\"a\":2}\n");
	for (int i = 0; i < 10; i++)
		say(fixture, "more\n");
	say(fixture, "{\"event\":\"still\",\"number\":0}\n");
	(void)await(fixture, "said");
	assert_int_equal(count(fixture, "rubbish"), 5);
	for (int i = 0; i < 10; i++)
		say(fixture, "more\n");
	assert_int_equal(json_number(await(fixture, "flood"), "rubbish", 0), 21);
	assert_int_equal(count(fixture, "rubbish"), 5);
}

static void invalid_messages_are_rubbish(void **state)
{
	static const char *const lies[] = {
		"{\"id\":5,\"ok\":{}}\n",
		"{\"id\":\"x\",\"error\":{\"errno\":-1}}\n",
		"{\"id\":5}\n",
		"{}\n",
		"{\"event\":7}\n",
		"{\"event\":\"hello\",\"protocol\":1,\"boot_id\":\"b\"}\n",
		"{\"event\":\"hello\",\"protocol\":1,\"guest\":true,\"boot_id\":\"a b\"}\n",
		"{\"event\":\"hello\",\"protocol\":1,\"guest\":true,\"boot_id\":[]}\n",
	};
	struct fixture *fixture = *state;

	greet(fixture);
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		json_array_clear(fixture->events);
		say(fixture, lies[i]);
		say(fixture, "{\"event\":\"mark\"}\n");
		(void)await(fixture, "said");
		assert_int_equal(count(fixture, "said"), 1);
		assert_int_equal(count(fixture, "rubbish"), i < 5);
		assert_null(find(fixture, "hello"));
	}
}

static void an_answer_to_the_call_of_another_is_a_lie(void **state)
{
	struct fixture *fixture = *state;
	__cleanup_free char *answer = NULL;
	int other;

	greet(fixture);
	assert_int_equal(call(fixture, "g1", 60000, NULL), 0);
	answer = format_text("{\"id\":%lld,\"ok\":{}}\n", (long long)hear(fixture));
	other = dial(fixture, "g2");
	assert_int_equal(write_all(other, HELLO("boot-9", 1), strlen(HELLO("boot-9", 1))), 0);
	assert_int_equal(write_all(other, answer, strlen(answer)), 0);
	assert_string_equal(json_text(await(fixture, "rubbish"), "guest", ""), "g2");
	assert_int_equal(fixture->answers, 0);
	say(fixture, answer);
	await_answer(fixture, 1);
	close(other);
}

static void events_before_the_hello_are_dropped(void **state)
{
	struct fixture *fixture = *state;

	say(fixture, "{\"event\":\"witness\"}\n{\"event\":\"heartbeat\",\"seq\":1}\n");
	(void)await(fixture, "rubbish");
	assert_null(find(fixture, "said"));
	/* One without a hello is closed. */
	(void)await(fixture, "mute");
}

static void another_protocol_is_refused(void **state)
{
	struct fixture *fixture = *state;

	say(fixture, "{\"event\":\"hello\",\"protocol\":2,\"guest\":true,\"boot_id\":\"b\"}\n");
	assert_non_null(strstr(json_text(await(fixture, "protocol"), "text", ""), "protocol 2"));
}

static void what_is_too_deep_or_too_large_is_dropped(void **state)
{
	struct fixture *fixture = *state;
	char *large = malloc(200000);

	greet(fixture);
	strcpy(large, "{\"event\":\"x\",\"deep\":");
	memset(large + strlen(large), '[', 500);
	strcpy(large + 20 + 500, "");
	memset(large + 520, ']', 500);
	strcpy(large + 1020, "}\n");
	say(fixture, large);
	assert_non_null(strstr(json_text(await(fixture, "rubbish"), "text", ""), "nested"));
	json_array_clear(fixture->events);
	strcpy(large, "{\"event\":\"x\",\"large\":\"");
	memset(large + 22, 'x', 100000);
	strcpy(large + 100022, "\"}\n");
	say(fixture, large);
	assert_non_null(strstr(json_text(await(fixture, "rubbish"), "text", ""), "bytes"));
	/* What counts is its size in a message to the controller, where a character of four bytes has twelve. */
	json_array_clear(fixture->events);
	strcpy(large, "{\"event\":\"x\",\"large\":\"");
	for (int i = 0; i < 10000; i++)
		strcpy(large + 22 + 4 * i, "\xf0\x9f\x98\x80");
	strcpy(large + 40022, "\"}\n");
	say(fixture, large);
	assert_non_null(strstr(json_text(await(fixture, "rubbish"), "text", ""), "bytes"));
	assert_null(find(fixture, "said"));
	free(large);
}

/* A GiB of rubbish from another process, for as long as the host takes it. Return: how much it took. */
static uint64_t flood(struct fixture *fixture, const char *piece)
{
	uint64_t *taken = mmap(NULL, sizeof(*taken), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t result;
	pid_t pid = fork();

	if (pid == 0) {
		static char block[65536];
		size_t length = strlen(piece);

		/* Who holds the other end too never sees it closed. */
		dup2(fixture->guest, 3);
		(void)close_range(4, ~0u, 0);

		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = piece[i % length];
		while (*taken < 1u << 30) {
			ssize_t wrote = write(3, block, sizeof(block));

			if (wrote <= 0)
				break;
			*taken += (uint64_t)wrote;
		}
		_exit(0);
	}
	close(fixture->guest);
	fixture->guest = -1;
	(void)await(fixture, "flood");
	waitpid(pid, NULL, 0);
	result = *taken;
	munmap(taken, sizeof(*taken));
	return result;
}

static void a_flood_is_cut_off(void **state)
{
	static const char *const pieces[] = {"x", "rubbish\n", "{\"event\":\"x\"}\n", "[[[[[[[[\n",
					     "{\"event\":\"heartbeat\",\"time_ns\":1}\n"};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		__cleanup_free char *name = format_text("flood-%zu", i);
		struct rusage before, after;

		if (fixture->guest >= 0)
			close(fixture->guest);
		fixture->guest = dial(fixture, name);
		greet(fixture);
		getrusage(RUSAGE_SELF, &before);
		assert_true(flood(fixture, pieces[i]) < 4u << 20);
		getrusage(RUSAGE_SELF, &after);
#ifndef __SANITIZE_ADDRESS__
		assert_true(after.ru_maxrss - before.ru_maxrss < 16 << 10);
#endif
		assert_int_equal(count(fixture, "flood"), 1);
		/* The messages of the flood must not become events. */
		assert_true(json_array_size(fixture->events) < 100);
	}
}

static void a_guest_that_was_cut_off_is_refused_for_a_while(void **state)
{
	struct fixture *fixture = *state;
	int64_t begin, until;
	int dials = 0;

	greet(fixture);
	begin = now_monotonic_ns();
	until = begin + PATIENCE_NS;
	(void)flood(fixture, "rubbish\n");
	json_array_clear(fixture->events);
	while (!find(fixture, "connected") && now_monotonic_ns() < until) {
		if (fixture->guest >= 0) {
			char byte;

			assert_int_equal(read(fixture->guest, &byte, 1), 0);
			close(fixture->guest);
			turn(fixture, 10);
		}
		fixture->guest = dial(fixture, "g1");
		dials++;
	}
	assert_true(now_monotonic_ns() - begin >= limits.refuse_ns);
	assert_true(dials > 1);
	assert_int_equal(json_number(await(fixture, "connected"), "refusals", 0), dials - 1);
	/* The first is reported, the others are counted. */
	assert_int_equal(count(fixture, "refused"), 1);
	greet(fixture);
}

static void a_flood_of_one_guest_does_not_block_the_others(void **state)
{
	struct fixture *fixture = *state;
	int good = dial(fixture, "good");
	const json_t *event;
	size_t index;
	bool heard = false;

	assert_int_equal(write_all(good, HELLO("boot-2", 2), strlen(HELLO("boot-2", 2))), 0);
	greet(fixture);
	assert_int_equal(write_all(good, "{\"event\":\"here\"}\n", 17), 0);
	(void)flood(fixture, "rubbish\n");
	json_array_foreach (fixture->events, index, event)
		heard = heard || (strcmp(json_text(event, "guest", ""), "good") == 0 &&
				  strcmp(json_text(event, "what", ""), "said") == 0);
	assert_true(heard);
	close(good);
}

/* Calls to a guest that reads nothing. */
static void a_guest_that_does_not_listen_costs_little(void **state)
{
	struct fixture *fixture = *state;
	char *large = calloc(1, 600000);
	__cleanup_json json_t *arguments = NULL;
	int error = 0, calls = 0;

	memset(large, 'x', 599999);
	arguments = json_pack("{s:s}", "data", large);
	free(large);
	greet(fixture);
	while (!error && calls < 100) {
		error = guest_link_call(fixture->link, "g1", "file.put", arguments, 60000,
					&fixture->answers, NULL);
		calls += !error;
	}
	assert_int_equal(error, -EAGAIN);
	assert_true(calls < 8);
	assert_int_equal(guest_link_forget(fixture->link, "g1", NULL), 0);
	assert_int_equal(fixture->answers, calls);
}

static void missing_events_are_counted(void **state)
{
	struct fixture *fixture = *state;

	greet(fixture);
	say(fixture, "{\"event\":\"a\",\"number\":0}\n{\"event\":\"b\",\"number\":4}\n");
	assert_int_equal(json_number(await(fixture, "lost"), "lost", 0), 3);
	json_array_clear(fixture->events);
	/* A repeated number is no loss, and no number overflows. */
	say(fixture, "{\"event\":\"a\",\"number\":4}\n{\"event\":\"b\",\"number\":5}\n"
		     "{\"event\":\"c\",\"number\":-3}\n{\"event\":\"d\",\"number\":1e99}\n"
		     "{\"event\":\"e\",\"number\":9223372036854775807}\n");
	await_count(fixture, "said", 5);
	assert_null(find(fixture, "lost"));
}

/* Events that were sent to the source host are not missing here. */
static void a_guest_that_was_moved_counts_on(void **state)
{
	struct fixture *fixture = *state;

	say(fixture, "{\"event\":\"hello\",\"protocol\":1,\"guest\":true,\"boot_id\":\"boot-1\","
		     "\"pid\":7,\"connection\":2}\n{\"event\":\"a\",\"number\":15}\n"
		     "{\"event\":\"b\",\"number\":16}\n");
	await_count(fixture, "said", 2);
	assert_null(find(fixture, "lost"));
	say(fixture, "{\"event\":\"c\",\"number\":18}\n");
	assert_int_equal(json_number(await(fixture, "lost"), "lost", 0), 1);
}

static json_t *make_beat(int64_t seq, int64_t time_ns)
{
	return json_pack("{s:s, s:I, s:I, s:i, s:i, s:i}", "event", "heartbeat", "seq",
			 (json_int_t)seq, "time_ns", (json_int_t)time_ns, "interval_ns", 10000000,
			 "late_ns", 5, "beats", 1);
}

static void beat(const struct fixture *fixture, int64_t seq, int64_t time_ns)
{
	__cleanup_json json_t *message = make_beat(seq, time_ns);
	__cleanup_free char *line = json_dumps(message, JSON_COMPACT);
	__cleanup_free char *text = format_text("%s\n", line);

	say(fixture, text);
}

/* A beat that arrives at  of the host's clock, however busy this machine is. */
static void take(struct fixture *fixture, struct guest_peer *peer, int64_t seq, int64_t guest_ns,
		 int64_t now)
{
	__cleanup_json json_t *message = make_beat(seq, guest_ns);

	guest_pulse_take(fixture->link, peer, message, now);
}

static void heartbeats_are_summed_up(void **state)
{
	struct fixture *fixture = *state;
	struct guest_peer peer = {.name = "g2"};
	int64_t begin = 1000 * NSEC_PER_SEC, now = begin;
	const json_t *event;

	for (int i = 1; i <= 73; i++, now += 20 * NSEC_PER_MSEC) {
		take(fixture, &peer, i, now, now);
		guest_pulse_tick(fixture->link, &peer, limits.silence_ns, now);
		/* The first report comes soon, the second in its time. */
		if (i != 14)
			continue;
		event = await(fixture, "heartbeat");
		assert_int_equal(json_number(event, "beats", 0), 14);
		json_array_clear(fixture->events);
	}
	event = await(fixture, "heartbeat");
	assert_int_equal(json_number(event, "beats", 0), 50);
	assert_int_equal(json_number(event, "seq", 0), 64);
	assert_int_equal(json_number(event, "late_ns", 0), 5);
	assert_int_equal(json_number(event, "longest_ns", 0), 20 * NSEC_PER_MSEC);
	assert_int_equal(json_number(event, "age_ns", -1), 0);
	assert_int_equal(count(fixture, "heartbeat"), 1);
	assert_null(find(fixture, "clock"));
	assert_null(find(fixture, "gap"));
	assert_null(find(fixture, "silent"));
	/* The rest comes in its time, although no beat does. */
	json_array_clear(fixture->events);
	guest_pulse_tick(fixture->link, &peer, limits.silence_ns, begin + 3 * NSEC_PER_SEC);
	event = await(fixture, "heartbeat");
	assert_int_equal(json_number(event, "beats", 0), 9);
	assert_int_equal(json_number(event, "age_ns", -1), 1560 * NSEC_PER_MSEC);
}

/* Three beats that were under way for 7, 2 and 9 ms; the clock of the guest is 5 s behind. */
static void the_promptest_beat_is_reported(void **state)
{
	static const int ways_ms[] = {7, 2, 9};
	struct fixture *fixture = *state;
	struct guest_peer peer = {.name = "g2"};
	int64_t now = 1000 * NSEC_PER_SEC, behind = 5 * NSEC_PER_SEC;
	const json_t *prompt;

	for (size_t i = 0; i < ARRAY_SIZE(ways_ms); i++, now += 100 * NSEC_PER_MSEC)
		take(fixture, &peer, (int64_t)i + 1, now - behind - ways_ms[i] * NSEC_PER_MSEC,
		     now);
	guest_pulse_report(fixture->link, &peer, now);
	prompt = json_object_get(await(fixture, "heartbeat"), "prompt");
	assert_int_equal(json_number(prompt, "age_ns", -1), 200 * NSEC_PER_MSEC);
	assert_int_equal(json_number(prompt, "guest_ns", 0),
			 now - 200 * NSEC_PER_MSEC - behind - 2 * NSEC_PER_MSEC);
	/* A report counts its own heartbeats only, and there is none without heartbeats. */
	json_array_clear(fixture->events);
	guest_pulse_report(fixture->link, &peer, now);
	assert_null(find(fixture, "heartbeat"));
	take(fixture, &peer, 4, now - behind - 8 * NSEC_PER_MSEC, now);
	guest_pulse_report(fixture->link, &peer, now);
	prompt = json_object_get(await(fixture, "heartbeat"), "prompt");
	assert_int_equal(json_number(prompt, "age_ns", -1), 0);
}

/* The gaps before a stream are in its first heartbeat, unless they exceed the limit of a guest. */
static void the_first_beat_has_the_gaps_before(void **state)
{
	struct fixture *fixture = *state;
	int64_t now = 1000 * NSEC_PER_SEC;

	for (int count = 16; count <= 1000; count += 984) {
		struct guest_peer peer = {.name = "g2"};
		__cleanup_json json_t *message = make_beat(1, now);
		json_t *gaps = json_array();
		const json_t *heard;

		for (int i = 0; i < count; i++)
			json_array_append_new(gaps, json_pack("{s:i, s:i}", "after_ns", i,
							      "monotonic", 1000 + i));
		json_object_set_new(message, "gaps", gaps);
		json_array_clear(fixture->events);
		guest_pulse_take(fixture->link, &peer, message, now);
		heard = await(fixture, "heard");
		assert_int_equal(json_number(heard, "interval_ns", 0), 10000000);
		assert_int_equal(json_array_size(json_object_get(heard, "gaps")),
				 count == 16 ? 16 : 0);
	}
}

static void a_gap_and_silence_are_reported(void **state)
{
	struct fixture *fixture = *state;
	struct guest_peer peer = {.name = "g2"};
	int64_t now = 1000 * NSEC_PER_SEC;
	const json_t *event;

	take(fixture, &peer, 1, now, now);
	now += 25 * NSEC_PER_MSEC;
	take(fixture, &peer, 2, now, now);
	assert_null(find(fixture, "gap"));
	guest_pulse_tick(fixture->link, &peer, limits.silence_ns, now + limits.silence_ns);
	assert_null(find(fixture, "silent"));
	for (int i = 1; i < 3; i++)
		guest_pulse_tick(fixture->link, &peer, limits.silence_ns,
				 now + limits.silence_ns + i);
	event = await(fixture, "silent");
	assert_int_equal(json_number(event, "seq", 0), 2);
	assert_int_equal(json_number(event, "since_ns", 0), limits.silence_ns + 1);
	now += 400 * NSEC_PER_MSEC;
	take(fixture, &peer, 3, now, now);
	event = await(fixture, "gap");
	assert_int_equal(json_number(event, "arrival_ns", 0), 400 * NSEC_PER_MSEC);
	assert_int_equal(count(fixture, "silent"), 1);
	assert_int_equal(count(fixture, "heard"), 2);
	/* One more than two and a half of its intervals is a gap. */
	take(fixture, &peer, 4, now + 25 * NSEC_PER_MSEC + 1, now + 25 * NSEC_PER_MSEC + 1);
	assert_int_equal(count(fixture, "gap"), 2);
	assert_null(find(fixture, "clock"));
}

/* The same, by a stream and the clock of this machine. */
static void silence_of_a_guest_is_reported(void **state)
{
	struct fixture *fixture = *state;

	greet(fixture);
	beat(fixture, 1, now_monotonic_ns());
	assert_true(json_number(await(fixture, "silent"), "since_ns", 0) >= limits.silence_ns);
	beat(fixture, 2, now_monotonic_ns());
	assert_true(json_number(await(fixture, "gap"), "arrival_ns", 0) >= limits.silence_ns);
	assert_int_equal(count(fixture, "heard"), 2);
	assert_null(find(fixture, "said"));
	(void)await(fixture, "heartbeat");
}

static void hold(struct fixture *fixture, int milliseconds)
{
	int64_t until = now_monotonic_ns() + milliseconds * NSEC_PER_MSEC;

	while (now_monotonic_ns() < until)
		turn(fixture, 5);
}

/* The hole is from the last heartbeat on one host to the first on the other. */
static void the_first_and_the_last_beat_are_reported(void **state)
{
	struct fixture *fixture = *state;
	const json_t *event;

	greet(fixture);
	beat(fixture, 1, now_monotonic_ns());
	event = await(fixture, "heard");
	assert_true(json_is_true(json_object_get(event, "first")));
	hold(fixture, 40);
	assert_int_equal(count(fixture, "heard"), 1);
	close(fixture->guest);
	fixture->guest = -1;
	event = await(fixture, "gone");
	assert_true(json_number(event, "age_ns", -1) >= 40 * NSEC_PER_MSEC);
}

static void a_clock_that_jumps_is_reported(void **state)
{
	static const int64_t times[] = {0, -1, INT64_MIN, INT64_MAX, 1111 * NSEC_PER_MSEC};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		struct guest_peer peer = {.name = "g2"};
		int64_t now = 1000 * NSEC_PER_SEC, guest_ns = NSEC_PER_SEC;

		json_array_clear(fixture->events);
		take(fixture, &peer, 1, guest_ns, now);
		take(fixture, &peer, 2, guest_ns + 109 * NSEC_PER_MSEC, now + 10 * NSEC_PER_MSEC);
		assert_null(find(fixture, "clock"));
		take(fixture, &peer, 3, times[i], now + 20 * NSEC_PER_MSEC);
		assert_int_equal(count(fixture, "clock"), times[i] != 1111 * NSEC_PER_MSEC);
	}
}

static void a_guest_is_named_by_its_cid(void **state)
{
	struct fixture *fixture = *state;
	struct reason why = {0};
	__cleanup_json json_t *list = NULL;

	assert_int_equal(guest_link_expect(fixture->link, "g5", 5, &why), 0);
	assert_int_equal(guest_link_expect(fixture->link, "g5", 5, &why), 0);
	assert_int_equal(guest_link_expect(fixture->link, "g6", 5, &why), -EEXIST);
	assert_int_equal(guest_link_expect(fixture->link, "g5", 6, &why), 0);
	list = guest_link_list(fixture->link);
	assert_int_equal(json_array_size(list), 2);
	for (int i = 0; i < 100; i++) {
		__cleanup_free char *name = format_text("more-%d", i);
		int error = guest_link_expect(fixture->link, name, 100 + (unsigned int)i, &why);

		assert_int_equal(error, i < 62 ? 0 : -ENOSPC);
	}
}

/* Its stream may come before the hypervisor reports its CID. */
static void a_guest_that_was_not_named_yet_is_not_lost(void **state)
{
	struct fixture *fixture = *state;
	struct reason why = {0};
	const json_t *event;

	close(fixture->guest);
	fixture->guest = dial(fixture, "cid-7");
	guest_link_find(fixture->link, "cid-7")->cid = 7;
	greet(fixture);
	assert_int_equal(guest_link_expect(fixture->link, "g7", 7, &why), 0);
	event = find(fixture, "hello");
	assert_non_null(event);
	assert_string_equal(json_text(event, "guest", ""), "g7");
	assert_string_equal(json_text(event, "boot_id", ""), "boot-1");
	assert_string_equal(json_text(json_object_get(event, "said"), "boot_id", ""), "boot-1");
	assert_int_equal(call(fixture, "g7", 60000, &why), 0);
	/* Its end is the end of its name, too: the next one from there has not rebooted. */
	assert_int_equal(guest_link_forget(fixture->link, "g7", NULL), 0);
	close(fixture->guest);
	fixture->guest = dial(fixture, "cid-7");
	guest_link_find(fixture->link, "cid-7")->cid = 7;
	greet(fixture);
	close(fixture->guest);
	(void)await(fixture, "gone");
	assert_int_equal(guest_link_expect(fixture->link, "g8", 7, &why), 0);
	fixture->guest = dial(fixture, "g8");
	json_array_clear(fixture->events);
	say(fixture, HELLO("boot-2", 9));
	event = await(fixture, "hello");
	assert_string_equal(json_text(event, "guest", ""), "g8");
	assert_true(json_is_false(json_object_get(event, "rebooted")));
}

static void a_socket_is_retried_until_it_accepts(void **state)
{
	struct fixture *fixture = *state;
	struct sockaddr_un here = {.sun_family = AF_UNIX};
	char directory[] = "/tmp/brinell-link.XXXXXX";
	__cleanup_close int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct reason why = {0};

	assert_non_null(mkdtemp(directory));
	snprintf(here.sun_path, sizeof(here.sun_path), "%s/port", directory);
	assert_int_equal(guest_link_connect(fixture->link, "serial", here.sun_path, false, &why),
			 0);
	hold(fixture, 150);
	json_array_clear(fixture->events);
	assert_int_equal(bind(listener, (struct sockaddr *)&here, sizeof(here)), 0);
	assert_int_equal(listen(listener, 4), 0);
	(void)await(fixture, "connected");
	close(fixture->guest);
	fixture->guest = accept(listener, NULL, NULL);
	json_array_clear(fixture->events);
	greet(fixture);
	/* The guest reboots: its port is closed, and opened again. */
	close(fixture->guest);
	(void)await(fixture, "gone");
	json_array_clear(fixture->events);
	(void)await(fixture, "connected");
	fixture->guest = accept(listener, NULL, NULL);
	greet(fixture);
	unlink(here.sun_path);
	rmdir(directory);
}

/* Return: the other end of a new terminal, which the guest link opens. */
static int open_console(struct fixture *fixture, bool arrives)
{
	int console = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct reason why = {0};

	assert_true(console >= 0);
	assert_int_equal(unlockpt(console), 0);
	make_terminal_raw(console);
	assert_int_equal(
		guest_link_connect(fixture->link, "console", ptsname(console), arrives, &why), 0);
	(void)await(fixture, "connected");
	return console;
}

static void answer_hello(struct fixture *fixture)
{
	int64_t id = hear_call(fixture, "hello");
	__cleanup_free char *answer = format_text(
		"{\"id\":%lld,\"ok\":{\"event\":\"hello\",\"protocol\":1,\"guest\":true,"
		"\"boot_id\":\"boot-1\",\"pid\":7}}\n",
		(long long)id);

	say(fixture, answer);
}

static void a_guest_does_not_notice_another_terminal(void **state)
{
	static const char witness[] = "{\"event\":\"witness\",\"text\":\"oops\",\"number\":0}\n";
	struct fixture *fixture = *state;

	close(fixture->guest);
	(void)await(fixture, "gone");
	/* It is there before the guest's kernel runs. */
	fixture->guest = open_console(fixture, false);
	hold(fixture, 400);
	assert_null(find(fixture, "mute"));
	greet(fixture);
	/* Restored under another number, it has another terminal. Nothing that it says is lost. */
	close(fixture->guest);
	(void)await(fixture, "gone");
	json_array_clear(fixture->events);
	fixture->guest = open_console(fixture, false);
	say(fixture, witness);
	(void)await(fixture, "said");
	assert_null(find(fixture, "rubbish"));
	answer_hello(fixture);
	assert_false(json_is_true(json_object_get(await(fixture, "hello"), "rebooted")));
	assert_int_equal(fixture->answers, 0);
}

static void a_guest_that_arrives_on_a_terminal_is_asked(void **state)
{
	struct fixture *fixture = *state;

	close(fixture->guest);
	(void)await(fixture, "gone");
	/* It has sent its hello to another host, and does not notice that it has moved. */
	fixture->guest = open_console(fixture, false);
	say(fixture, "{\"event\":\"witness\",\"text\":\"oops\",\"number\":41}\n");
	(void)await(fixture, "said");
	answer_hello(fixture);
	assert_false(json_is_true(json_object_get(await(fixture, "hello"), "rebooted")));
	assert_null(find(fixture, "rubbish"));
	assert_null(find(fixture, "lost"));
	say(fixture, "{\"event\":\"witness\",\"text\":\"oops\",\"number\":43}\n");
	assert_int_equal(json_number(await(fixture, "lost"), "lost", 0), 1);
}

static void a_silent_guest_that_arrives_on_a_terminal_is_asked(void **state)
{
	struct fixture *fixture = *state;

	close(fixture->guest);
	(void)await(fixture, "gone");
	json_array_clear(fixture->events);
	fixture->guest = open_console(fixture, true);
	turn(fixture, 0);
	answer_hello(fixture);
	assert_false(json_is_true(json_object_get(await(fixture, "hello"), "rebooted")));
	assert_null(find(fixture, "rubbish"));
	/* Its earlier events went to the other host. */
	say(fixture, "{\"event\":\"witness\",\"text\":\"oops\",\"number\":41}\n");
	(void)await(fixture, "said");
	assert_null(find(fixture, "lost"));
}

static void guests_dial_over_vsock(void **state)
{
	struct fixture *fixture = *state;
	struct sockaddr_vm there = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_LOCAL};
	struct timeval patience = {.tv_usec = 200000};
	struct reason why = {0};
	unsigned int port = 0, same = 0;
	int fd;

	if (guest_link_listen(fixture->link, &port, &why)) {
		print_message("skipped: %s\n", why.text);
		skip();
	}
	assert_int_equal(guest_link_listen(fixture->link, &same, &why), -EALREADY);
	assert_int_equal(same, port);
	guest_link_listen_no_more(fixture->link);
	assert_int_equal(guest_link_listen(fixture->link, &same, &why), 0);
	assert_int_equal(same, port);
	there.svm_port = port;
	fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&there, sizeof(there)) < 0) {
		print_message("skipped: this machine has no vsock_loopback: %s\n", strerror(errno));
		close(fd);
		skip();
	}
	close(fixture->guest);
	fixture->guest = fd;
	greet(fixture);
	assert_int_equal(guest_link_expect(fixture->link, "local", VMADDR_CID_LOCAL, &why), 0);
	assert_int_equal(call(fixture, "local", 60000, &why), 0);
}

int main(void)
{
#define WITH_LINK(test) cmocka_unit_test_setup_teardown(test, make_link, free_link)
	const struct CMUnitTest tests[] = {
		WITH_LINK(a_guest_sends_hello_and_answers),
		WITH_LINK(errors_of_a_guest_are_passed_on),
		WITH_LINK(calls_that_can_not_be_are_refused),
		WITH_LINK(a_guest_that_goes_ends_its_calls),
		WITH_LINK(a_callback_may_remove_the_guest),
		WITH_LINK(a_newer_stream_takes_the_place_of_the_older),
		WITH_LINK(rubbish_is_shown_then_counted_then_cut_off),
		WITH_LINK(invalid_messages_are_rubbish),
		WITH_LINK(an_answer_to_the_call_of_another_is_a_lie),
		WITH_LINK(events_before_the_hello_are_dropped),
		WITH_LINK(another_protocol_is_refused),
		WITH_LINK(what_is_too_deep_or_too_large_is_dropped),
		WITH_LINK(a_flood_is_cut_off),
		WITH_LINK(a_guest_that_was_cut_off_is_refused_for_a_while),
		WITH_LINK(a_flood_of_one_guest_does_not_block_the_others),
		WITH_LINK(a_guest_that_does_not_listen_costs_little),
		WITH_LINK(missing_events_are_counted),
		WITH_LINK(a_guest_that_was_moved_counts_on),
		WITH_LINK(heartbeats_are_summed_up),
		WITH_LINK(the_promptest_beat_is_reported),
		WITH_LINK(the_first_beat_has_the_gaps_before),
		WITH_LINK(a_gap_and_silence_are_reported),
		WITH_LINK(silence_of_a_guest_is_reported),
		WITH_LINK(the_first_and_the_last_beat_are_reported),
		WITH_LINK(a_clock_that_jumps_is_reported),
		WITH_LINK(a_guest_is_named_by_its_cid),
		WITH_LINK(a_guest_that_was_not_named_yet_is_not_lost),
		WITH_LINK(a_guest_does_not_notice_another_terminal),
		WITH_LINK(a_guest_that_arrives_on_a_terminal_is_asked),
		WITH_LINK(a_silent_guest_that_arrives_on_a_terminal_is_asked),
		WITH_LINK(a_socket_is_retried_until_it_accepts),
		WITH_LINK(guests_dial_over_vsock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
