// SPDX-License-Identifier: GPL-2.0-only
/*
 * The agent's serial line of an emulator over TCP, as the supervisor passes it on.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "harness/rig/image/image.h"
#include "harness/rig/host/supervisor_internal.h"

#include <cmocka.h>

static struct reason why;

/**
 * struct line - a supervisor with such a line
 * @agent: the end of the line that the host has
 */
struct line {
	struct supervisor supervisor;
	char directory[64];
	int agent;
};

static void open_line(struct line *line)
{
	int ends[2];

	memset(line, 0, sizeof(*line));
	line->supervisor.port_listener = -1;
	line->supervisor.to_agent.from = line->supervisor.to_agent.to = -1;
	line->supervisor.from_agent.from = line->supervisor.from_agent.to = -1;
	strcpy(line->directory, "/tmp/brinell-port-XXXXXX");
	assert_non_null(mkdtemp(line->directory));
	line->supervisor.directory = line->directory;
	assert_true(sd_event_new(&line->supervisor.loop) >= 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	line->agent = ends[0];
	assert_int_equal(port_serve(&line->supervisor, ends[1], &why), 0);
	close(ends[1]);
}

static void close_line(struct line *line)
{
	port_end(&line->supervisor);
	sd_event_unref(line->supervisor.loop);
	close(line->agent);
	image_remove_tree(line->directory, NULL);
}

/* Until nothing is left to be done. */
static void turn(struct line *line)
{
	while (sd_event_run(line->supervisor.loop, 0) > 0)
		;
}

static int connect_peer(struct line *line)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/" SUPERVISOR_AGENT,
		 line->directory);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	turn(line);
	return fd;
}

static void say(struct line *line, int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	turn(line);
}

/* @text: all that has come; "" is nothing, NULL the end of the stream */
static void hears(int fd, const char *text)
{
	char heard[256];
	ssize_t got = recv(fd, heard, sizeof(heard) - 1, MSG_DONTWAIT);

	heard[got > 0 ? got : 0] = '\0';
	assert_int_equal(got == 0, !text);
	assert_string_equal(heard, text ?: "");
}

static void test_nothing_is_sent_before_the_hello(void **state)
{
	struct line line;
	int peer;

	(void)state;
	open_line(&line);
	peer = connect_peer(&line);
	say(&line, peer, "hello\n");
	hears(line.agent, "");
	say(&line, line.agent, "\n");
	hears(line.agent, "hello\n");
	hears(peer, "\n");
	say(&line, line.agent, "answer\n");
	hears(peer, "answer\n");
	close(peer);
	close_line(&line);
}

static void test_a_peer_gets_whole_lines(void **state)
{
	struct line line;
	int first, second;

	(void)state;
	open_line(&line);
	say(&line, line.agent, "\nnobody hears this, and");
	first = connect_peer(&line);
	say(&line, line.agent, " not the end of it\none\ntw");
	hears(first, "one\ntw");
	second = connect_peer(&line);
	hears(first, NULL);
	say(&line, line.agent, "o");
	hears(second, "");
	say(&line, line.agent, "\nthree\n");
	hears(second, "three\n");
	say(&line, second, "question\n");
	hears(line.agent, "question\n");
	close(first);
	close(second);
	close_line(&line);
}

static void test_a_slow_peer_loses_nothing(void **state)
{
	enum {
		BYTES = 4 << 20
	};
	struct line line;
	size_t sent = 0, heard = 0;
	char chunk[4096];
	int peer;

	(void)state;
	memset(chunk, 'x', sizeof(chunk));
	open_line(&line);
	say(&line, line.agent, "\n");
	peer = connect_peer(&line);
	while (heard < BYTES) {
		ssize_t put =
			sent < BYTES ? send(line.agent, chunk, sizeof(chunk), MSG_DONTWAIT) : 0;
		ssize_t got;

		sent += put > 0 ? (size_t)put : 0;
		turn(&line);
		/* Only when no more goes into the line. */
		if (put > 0)
			continue;
		got = recv(peer, chunk, sizeof(chunk), MSG_DONTWAIT);
		assert_true(got > 0);
		heard += (size_t)got;
	}
	assert_int_equal(heard, sent);
	close(peer);
	close_line(&line);
}

static void test_the_end_of_the_emulator_ends_the_talk(void **state)
{
	struct line line;
	int peer;

	(void)state;
	open_line(&line);
	peer = connect_peer(&line);
	port_end(&line.supervisor);
	hears(peer, NULL);
	close(peer);
	close_line(&line);
}

static void test_the_emulator_is_awaited(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	unsigned int number;
	int listener, fd = -1, stranger;
	pid_t child = fork();

	(void)state;
	if (child == 0)
		_exit(0);
	assert_int_equal(port_listen(&listener, &number, &why), 0);
	/* An emulator that ends before it connects is noticed. */
	assert_int_equal(port_accept(listener, child, &fd, &why), -EPIPE);
	waitpid(child, NULL, 0);
	child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	address.sin_port = htons((uint16_t)number);
	stranger = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(stranger, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(port_accept(listener, child, &fd, &why), 0);
	assert_true(fd >= 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(fd);
	close(stranger);
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_sent_before_the_hello),
		cmocka_unit_test(test_a_peer_gets_whole_lines),
		cmocka_unit_test(test_a_slow_peer_loses_nothing),
		cmocka_unit_test(test_the_end_of_the_emulator_ends_the_talk),
		cmocka_unit_test(test_the_emulator_is_awaited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
