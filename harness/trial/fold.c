// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reports of the kernel about memory that can not be charged: a hundred lines each, and hundreds of them when a fault keeps a
 * memory cgroup at its limit. Of all but the first ones, the lines that no verdict could rest on are counted and left out.
 */
#include <ctype.h>
#include <string.h>

#include "harness/evidence/evidence.h"
#include "harness/trial/engine_internal.h"

/* Reports of a source in one trial that are kept whole. */
#define REPORTS_WHOLE 10

/* "NAME NUMBER" (mm/memcontrol.c, memory_stat_format()) */
static bool is_count(const char *message)
{
	size_t name = strspn(message, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return name && message[name] == ' ' && isdigit((unsigned char)message[name + 1]) &&
	       message[name + 1 + strspn(message + name + 1, "0123456789")] == '\0';
}

/* "RAX: ", "R10: ", "CS:  " (arch/x86/kernel/process_64.c, __show_regs()) */
static bool is_register(const char *message)
{
	size_t name = strspn(message, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");

	return name >= 2 && name <= 4 && message[name] == ':' && message[name + 1] == ' ';
}

/* "[    218]     0   218 ...", a line of the table of tasks (mm/oom_kill.c, dump_task()) */
static bool is_task(const char *message)
{
	size_t number = *message == '[' ? strspn(message + 1, " 0123456789") : 0;

	return number && message[1 + number] == ']';
}

/* The body of a report: a stack, registers, counts, a table (mm/oom_kill.c, dump_header()). */
static bool is_body(const char *message)
{
	static const char *const begins[] = {
		" ",
		"CPU: ",
		"Tainted: ",
		"Hardware name: ",
		"Call Trace",
		"Code: ",
		"memory: usage",
		"memory+swap: usage",
		"swap: usage",
		"kmem: usage",
		"Memory cgroup stats for ",
		"Memory cgroup min protection",
		"Tasks state ",
	};

	for (size_t i = 0; i < ARRAY_SIZE(begins); i++)
		if (strncmp(message, begins[i], strlen(begins[i])) == 0)
			return true;
	return is_count(message) || is_register(message) || is_task(message);
}

/** fold_end - put on record how many lines of the report that is being read are left out */
void fold_end(struct engine *engine, json_t *account)
{
	const json_t *begin = json_object_get(account, "report");
	json_int_t folded = json_number(account, "folded", 0);
	__cleanup_free char *text = NULL;

	if (folded) {
		text = format_text("%lld lines of this report are left out", (long long)folded);
		engine_journal(engine, "event",
			       json_pack("{s:s, s:s*, s:O, s:s, s:{s:s, s:I, s:i}}", "witness",
					 json_text(begin, "witness", ""), "host",
					 json_text(begin, "host", NULL), "host_time_ns",
					 json_object_get(begin, "host_time_ns"), "text", text,
					 "data", "event", "folded", "lines", folded, "facility",
					 1));
	}
	json_object_del(account, "folded");
	json_object_del(account, "report");
}

/**
 * fold_takes - whether an event is a line of a long report that is counted in place of it
 * @engine:  of the trial
 * @account: of the source of the event, for the trial
 * @event:   as the journal will have it; borrowed
 *
 * The first line of a report, the line after it and all lines with a meaning are kept. An event "folded" of the same source has the
 * number of the lines that are missing.
 */
bool fold_takes(struct engine *engine, json_t *account, json_t *event)
{
	const char *message = kernel_message(json_text(event, "text", ""));

	if (json_object_get(event, "guest") ||
	    !is_one_of(json_text(event, "witness", ""), "kmsg", "console"))
		return false;
	if (json_object_get(account, "report")) {
		if (is_body(message) && kernel_line_read(message).meaning == MEANS_NOTHING) {
			json_add(account, "folded", 1);
			return true;
		}
		/* A line of another kind may begin a report of its own, whose lines look the same. */
		fold_end(engine, account);
	}
	if (strstr(message, " invoked oom-killer: ")) {
		json_int_t reports = json_number(account, "reports", 0) + 1;

		json_object_set_new(account, "reports", json_integer(reports));
		if (reports > REPORTS_WHOLE)
			json_object_set(account, "report", event);
	}
	return false;
}
