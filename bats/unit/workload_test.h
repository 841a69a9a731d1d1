/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_UNIT_WORKLOAD_TEST_H
#define BRINELL_UNIT_WORKLOAD_TEST_H

/* What tests of workloads have in common: a workload that is run as an agent would, and its events. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>

#include "workloads/workload.h"

#include <cmocka.h>

static json_t *events;
static struct reason why;

static inline void keep_event(void *context, json_t *event)
{
	(void)context;
	json_array_append_new(events, event);
}

/* @given is stolen. */
static inline int start(struct activity *run, const char *kind, json_t *given)
{
	const struct workload *workload = workload_find(kind);
	int error;

	assert_non_null(workload);
	why.text[0] = '\0';
	*run = (struct activity){.workload = workload,
				 .name = strdup("victim"),
				 .facts = json_object(),
				 .fd = -1,
				 .emit = keep_event};
	events = json_array();
	error = param_check(workload->params, given, &run->arguments, &why);
	json_decref(given);
	return error ? error : workload->start(run, &why);
}

static inline void finish(struct activity *run)
{
	run->workload->stop(run);
	json_decref(run->arguments);
	json_decref(run->facts);
	json_decref(events);
	free(run->name);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static inline const json_t *find_event(const char *name)
{
	const json_t *event;
	size_t index;

	json_array_foreach (events, index, event)
		if (strcmp(json_text(event, "event", ""), name) == 0)
			return event;
	return NULL;
}

/* The first event of that name; fails when none comes. */
static inline const json_t *await(struct activity *run, const char *name)
{
	int64_t until = now_monotonic_ns() + 60 * NSEC_PER_SEC;

	while (!find_event(name) && now_monotonic_ns() < until) {
		struct pollfd state = {.fd = run->fd, .events = POLLIN};

		(void)poll(&state, 1, 1000);
		run->workload->dispatch(run);
	}
	if (!find_event(name))
		fail_msg("no event '%s' came: %s", name, json_dumps(events, 0));
	return find_event(name);
}

static inline uint64_t fact(const struct activity *run, const char *name)
{
	uint64_t value = 0;

	if (parse_number(json_text(run->facts, name, ""), &value))
		fail_msg("no fact '%s': %s", name, json_dumps(run->facts, 0));
	return value;
}

#endif
