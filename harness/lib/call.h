/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_LIB_CALL_H
#define BRINELL_LIB_CALL_H

#include "harness/lib/protocol.h"

/* Receives (borrowed) each message that comes before an answer. */
typedef void (*call_other_fn)(void *context, json_t *message);

json_t *call_request(int64_t id, const char *call, const json_t *arguments);
json_t *call_reply(json_t *id, int error, json_t *reply, const struct reason *why);
json_t *call_ignored(const char *text);
int call_result(const json_t *answer, json_t **reply, struct reason *why);
int call_await(struct channel *channel, const json_t *request, unsigned int timeout_ms,
	       call_other_fn other, void *context, json_t **reply, struct reason *why);

#endif
