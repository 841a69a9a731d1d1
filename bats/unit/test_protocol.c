// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the line protocol against a peer that is slow, floods, sends rubbish, or dies in the middle of a line.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include "harness/lib/protocol.h"

#include <cmocka.h>

static int make_pair(void **state)
{
	static int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	*state = ends;
	return 0;
}

static int close_pair(void **state)
{
	int *ends = *state;

	if (ends[1] >= 0)
		close(ends[1]);
	return 0;
}

static void say(int fd, const char *text)
{
	assert_int_equal(write_all(fd, text, strlen(text)), 0);
}

static void half_lines_wait(void **state)
{
	int *ends = *state;
	struct channel *channel = channel_new(ends[0], ends[0]);
	struct reason why = {0};
	json_t *message;

	say(ends[1], "{\"id\":");
	assert_true(channel_fill(channel) > 0);
	assert_int_equal(channel_next(channel, &message, &why), 0);
	say(ends[1], "7}\r\n\n{\"id\":8}\n{\"id\"");
	assert_true(channel_fill(channel) > 0);
	assert_int_equal(channel_next(channel, &message, &why), 1);
	assert_int_equal(json_number(message, "id", 0), 7);
	json_decref(message);
	assert_int_equal(channel_next(channel, &message, &why), 1);
	assert_int_equal(json_number(message, "id", 0), 8);
	json_decref(message);
	assert_int_equal(channel_next(channel, &message, &why), 0);
	assert_int_equal(channel_fill(channel), 0);
	close(ends[1]);
	ends[1] = -1;
	assert_int_equal(channel_fill(channel), -EPIPE);
	channel_free(channel);
}

static void rubbish_is_skipped(void **state)
{
	static const char rubbish[] = "\x01\xff not json\n[1,2]\n{\"a\":1,\"a\":2}\n\"text\"\n";
	int *ends = *state;
	struct channel *channel = channel_new(ends[0], ends[0]);
	struct reason why = {0};
	json_t *message = NULL;

	say(ends[1], rubbish);
	say(ends[1], "{\"good\":true}\n");
	assert_true(channel_fill(channel) > 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(channel_next(channel, &message, &why), -EBADMSG);
		assert_null(message);
	}
	assert_int_equal(channel_next(channel, &message, &why), 1);
	assert_true(json_is_true(json_object_get(message, "good")));
	json_decref(message);
	channel_free(channel);
}

static void flood_is_dropped_once(void **state)
{
	int *ends = *state;
	struct channel *channel = channel_new(ends[0], ends[0]);
	static char block[65536];
	struct reason why = {0};
	json_t *message;
	int complaints = 0;

	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 64; i++) {
		channel_feed(channel, block, sizeof(block));
		if (channel_next(channel, &message, &why) == -EMSGSIZE)
			complaints++;
	}
	assert_int_equal(complaints, 1);
	channel_feed(channel, "\n{\"id\":1}\n", 10);
	assert_int_equal(channel_next(channel, &message, &why), 1);
	json_decref(message);
	channel_free(channel);
}

static void deaf_peer_does_not_hold_us(void **state)
{
	int *ends = *state;
	struct channel *channel = channel_new(ends[0], ends[0]);
	__cleanup_json json_t *large = json_object();
	static char text[1 << 20];
	int64_t before = now_monotonic_ns();
	int error = 0;

	memset(text, 'y', sizeof(text) - 1);
	json_object_set_new(large, "text", json_string(text));
	for (int i = 0; i < 64 && !error; i++)
		error = channel_send(channel, large, 50);
	assert_int_equal(error, -ETIMEDOUT);
	assert_true(now_monotonic_ns() - before >= 50 * NSEC_PER_MSEC);
	channel_free(channel);
}

static void what_is_sent_arrives(void **state)
{
	int *ends = *state;
	struct channel *one = channel_new(ends[0], ends[0]);
	struct channel *other = channel_new(ends[1], ends[1]);
	__cleanup_json json_t *sent = json_pack(
		"{s:s, s:I}", "text", "line\nwith \x01 and \xc3\xbc", "n", (json_int_t)1 << 62);
	struct reason why = {0};
	json_t *message;

	assert_int_equal(channel_send(one, sent, 1000), 0);
	assert_true(channel_fill(other) > 0);
	assert_int_equal(channel_next(other, &message, &why), 1);
	assert_true(json_equal(message, sent));
	json_decref(message);
	channel_free(one);
	channel_free(other);
	ends[1] = -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(half_lines_wait, make_pair, close_pair),
		cmocka_unit_test_setup_teardown(rubbish_is_skipped, make_pair, close_pair),
		cmocka_unit_test_setup_teardown(flood_is_dropped_once, make_pair, close_pair),
		cmocka_unit_test_setup_teardown(deaf_peer_does_not_hold_us, make_pair, close_pair),
		cmocka_unit_test_setup_teardown(what_is_sent_arrives, make_pair, close_pair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
