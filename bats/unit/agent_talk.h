/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_UNIT_AGENT_TALK_H
#define BRINELL_UNIT_AGENT_TALK_H

/*
 * The other end of an agent's stream, that of a controller or of the host of a guest. To be included after all headers of the
 * project.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "harness/agent/agent.h"
#include "harness/lib/protocol.h"

#include <cmocka.h>

/* A test that waits for what must come fails after this. */
#define TALK_PATIENCE_MS 60000

/* Starts an agent in a process of its own. */
static inline pid_t start_agent(struct channel **channel)
{
	int ends[2];
	pid_t agent;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	agent = fork();
	if (agent == 0) {
		char name[] = "agent";
		char *argv[] = {name, NULL};

		close(ends[0]);
		dup2(ends[1], STDIN_FILENO);
		dup2(ends[1], STDOUT_FILENO);
		close(ends[1]);
		_exit(agent_main(1, argv));
	}
	close(ends[1]);
	*channel = channel_new(ends[0], ends[0]);
	return agent;
}

/* The next message with @key (of @value); what comes before it is dropped. Owned by the caller. */
static inline json_t *await(struct channel *channel, const char *key, const char *value)
{
	int64_t until = now_monotonic_ns() + TALK_PATIENCE_MS * NSEC_PER_MSEC;
	struct pollfd state = {.fd = channel_fd(channel), .events = POLLIN};

	while (now_monotonic_ns() < until) {
		json_t *message = NULL;
		struct reason why;

		while (channel_next(channel, &message, &why) == 1) {
			if (json_object_get(message, key) &&
			    (!value || strcmp(json_text(message, key, ""), value) == 0))
				return message;
			json_decref(message);
		}
		(void)poll(&state, 1, 1000);
		if (channel_fill(channel) < 0)
			break;
	}
	fail_msg("no message with '%s' (%s)", key, value ? value : "any");
	return NULL;
}

/* @arguments are stolen, and may be NULL. Return: the answer, owned by the caller. */
static inline json_t *ask(struct channel *channel, const char *call, json_t *arguments)
{
	static int id;
	__cleanup_json json_t *request =
		json_pack("{s:i, s:s, s:o*}", "id", ++id, "call", call, "args", arguments);

	assert_int_equal(channel_send(channel, request, TALK_PATIENCE_MS), 0);
	return await(channel, "id", NULL);
}

static inline void ask_well(struct channel *channel, const char *call, json_t *arguments)
{
	__cleanup_json json_t *answer = ask(channel, call, arguments);

	if (!json_object_get(answer, "ok"))
		fail_msg("%s: %s", call,
			 json_text(json_object_get(answer, "error"), "text", "no answer"));
}

#endif
