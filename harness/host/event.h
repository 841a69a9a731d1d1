/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_HOST_EVENT_H
#define BRINELL_HOST_EVENT_H

#include <linux/perf_event.h>

#include "harness/lib/util.h"

/**
 * struct event - arguments of perf_event_open(2)
 * @processors: those that count it, as "0,28-29"; "": all
 * @filter:     of a trace event, or ""
 * @unit:       of its value
 * @scale:      from what the kernel counts to that
 */
struct event {
	struct perf_event_attr attributes;
	char processors[256];
	char filter[96];
	char unit[16];
	double scale;
};

int event_describe(const char *name, struct event *event, struct reason *why);
bool event_is_on(const struct event *event, int processor);

#endif
