/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_RIG_QMP_H
#define BRINELL_RIG_QMP_H

#include <jansson.h>

struct qmp;

/* An asynchronous QMP event ("SHUTDOWN", "GUEST_PANICKED", ...); borrowed by the callee; runs on the thread of qmp. */
typedef void (*qmp_event_fn)(void *context, const json_t *event);

int qmp_connect(const char *path, unsigned int timeout_ms, qmp_event_fn event, void *context,
		struct qmp **qmp);
int qmp_execute(struct qmp *qmp, const char *command, json_t *arguments, unsigned int timeout_ms,
		json_t **reply);
int qmp_human(struct qmp *qmp, unsigned int timeout_ms, char **text, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void qmp_close(struct qmp *qmp);

#endif
