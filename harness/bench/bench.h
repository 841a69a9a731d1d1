/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_BENCH_BENCH_H
#define BRINELL_BENCH_BENCH_H

#include "harness/lib/lines.h"
#include "harness/lib/protocol.h"
#include "harness/lib/registry.h"
#include "harness/lib/util.h"

struct bench;

/* One piece of evidence in the shape of the journal's `event` body (docs/journal.md); @event is stolen. */
typedef void (*bench_event_fn)(void *context, json_t *event);

/* Progress of a long operation: @fraction 0 to 1, or below 0 if unknown. */
typedef void (*bench_progress_fn)(void *context, const char *what, double fraction);

/**
 * struct bench_options - how to open a bench
 * @artifacts:   directory for consoles
 * @kernel:      bzImage for a rig host, or NULL
 * @modules:     its modules, or NULL
 * @rig:         the `rig` section of a scenario ({"einj-revision", "memory", ...}) or NULL
 * @guests:      scenarios have guests: the agent must be linked with a hypervisor
 * @deadline_s:  lifetime of a rig host in seconds
 * @event:       receives evidence, with @context
 * @progress:    receives progress, with @context; may be NULL
 * @interrupted: set by a signal handler; every wait then ends with -EINTR; may be NULL
 */
struct bench_options {
	const char *artifacts;
	const char *kernel;
	const char *modules;
	const json_t *rig;
	bool guests;
	unsigned int deadline_s;
	bench_event_fn event;
	bench_progress_fn progress;
	void *context;
	const volatile int *interrupted;
};

/**
 * struct bench_ops - a kind of bench
 * @name:     as in `--bench NAME`; the part before a colon if it takes an address ("ssh:HOST")
 * @summary:  one line
 * @hosts:    number of hosts; 0: one for each comma-separated address
 * @limited:  its hosts end at the deadline of the options
 * @return_s: maximum time in seconds for a host to return after it went down; 0: @start is sufficient
 * @is_rig:   its hosts are emulated and private: their clocks may be set
 * @local_migration: guests can migrate to the host that they are on
 * @slowness: how many times longer everything may take than elsewhere; 0 is 1. The clock of such a host is slow, too: what comes from
 *            it gets the time of its arrival
 * @start:    boots the host (again) and sets @agent; bench_greet() then waits for the hello
 * @dispatch: reads out-of-band events (console, power) from @out_of_band_fd; may be NULL
 * @firmware: passes a request to the firmware model; NULL where firmware is real
 * @ready:    waits after the hello until the host can start guests; NULL: no wait is needed
 * @reach:    how the other host of a pair reaches this one for a migration: the URI of its hypervisor and the address for QEMU's
 *            stream; both owned by the caller. NULL: not reachable
 * @stop:     releases the host; a rig host ends
 */
struct bench_ops {
	const char *name;
	const char *summary;
	unsigned int hosts;
	bool limited;
	unsigned int return_s;
	bool is_rig, local_migration;
	unsigned int slowness;
	int (*start)(struct bench *bench, struct reason *why);
	void (*dispatch)(struct bench *bench);
	int (*firmware)(struct bench *bench, const json_t *request, struct reason *why);
	int (*ready)(struct bench *bench, struct reason *why);
	void (*reach)(const struct bench *bench, char **uri, char **address);
	void (*stop)(struct bench *bench);
};

REGISTRY(bench_ops)

/**
 * enum host_state - state of the host as known to the controller
 * @HOST_DOWN: not started, or ended
 * @HOST_UP:   its agent has sent hello
 * @HOST_LOST: the agent is gone, the host may be alive
 * @HOST_DIED: the host certainly went down by itself
 * @HOST_TAKEN: the bench ended the host, or lost it: it is down, and nothing is known about it
 */
enum host_state {
	HOST_DOWN,
	HOST_UP,
	HOST_LOST,
	HOST_DIED,
	HOST_TAKEN,
};

/**
 * struct bench - one host under test and its channels; the hosts of a bench are linked in a ring
 * @next:           the next host of the same bench; itself if it is the only one
 * @ops:            its kind
 * @name:           as given by the user
 * @address:        of this host: from the part of @name behind a colon, or NULL; owned
 * @number:         of this host, from 0
 * @host:           its name in the journal, "h0"
 * @emulator:       program and version that emulates it; NULL: not an emulated host; owned
 * @options:        as opened
 * @agent:          channel to the agent, or NULL
 * @out_of_band_fd: to poll for @ops->dispatch, or -1
 * @errors_fd:      standard error of the program that leads to the agent, or -1
 * @errors:         the bytes of it that are no whole line yet
 * @last_line:      its last line
 * @shown:          number of lines of it that were passed on
 * @hello:          the agent's last hello; owned
 * @state:          see enum host_state
 * @clock_offset_ns: to be added to the host's CLOCK_REALTIME to get the controller's
 * @clock_way_ns: quickest answer to a question for that clock in this boot
 * @powered_ns:     CLOCK_REALTIME at which the present boot was powered on; 0: not known
 * @boot_ns:        time from there to the hello of the agent; 0: not known
 * @clock_names_boot: the answer to that question was from the boot of @hello
 * @boots:          number of boots seen
 * @ready_boot:     the boot for which @ops->ready has succeeded
 * @recorded_boot:  the boot whose machine is recorded
 * @opened_ns:      CLOCK_MONOTONIC
 * @started_ns:     CLOCK_MONOTONIC of the last start
 * @refusal:        errno in the agent's answer to the last call, or 0
 * @awaited_id, @answers: first of the calls under way, and the answers so far; NULL: none is under way
 */
struct bench {
	struct bench *next;
	const struct bench_ops *ops;
	char *name;
	char *address;
	unsigned int number;
	char host[12];
	char *emulator;
	struct bench_options options;
	struct channel *agent;
	int out_of_band_fd;
	int errors_fd;
	struct lines errors;
	char last_line[512];
	unsigned int shown;
	json_t *hello;
	enum host_state state;
	int64_t clock_offset_ns, clock_way_ns;
	int64_t powered_ns, boot_ns;
	bool clock_names_boot;
	unsigned int boots;
	unsigned int ready_boot;
	unsigned int recorded_boot;
	int64_t opened_ns, started_ns;
	int refusal;
	uint64_t next_id;
	uint64_t awaited_id;
	json_t *answers;
	void *private;
};

/**
 * struct bench_request - one of several calls that need not wait for each other
 * @call, @arguments: as of bench_call(); @arguments is freed by bench_call_all()
 * @reply:   receives the answer; owned by the caller; NULL after an error
 * @error:   receives the result, as of bench_call()
 * @refusal: receives the errno in the agent's answer, or 0
 * @why:     receives the reason of a failure
 */
struct bench_request {
	const char *call;
	json_t *arguments;
	json_t *reply;
	int error, refusal;
	struct reason why;
};

/* Each @host of a bench, whose hosts are linked in a circle, from @first on; ends before one at which @error is set. */
#define bench_foreach(host, first, error)                                                          \
	for (struct bench *host = (first), *end_##host = NULL; host != end_##host && !(error);     \
	     end_##host = (first), host = host->next)

const struct bench_ops *bench_kind(const char *name);
int bench_open(const char *name, const struct bench_options *options, struct bench **bench,
	       struct reason *why);
int bench_start(struct bench *bench, struct reason *why);
int bench_greet(struct bench *bench, struct reason *why);
int bench_firmware(struct bench *bench, const json_t *request, struct reason *why);
int bench_boot(struct bench *bench, struct reason *why);
int bench_compare_clocks(struct bench *bench, bool set, struct reason *why);
int bench_ready(struct bench *bench, struct reason *why);
int64_t bench_span_ns(const struct bench_ops *ops, int64_t span_ns);
int64_t bench_time_left_ns(const struct bench *bench);
struct bench *bench_host(struct bench *bench, const char *host);
int bench_call(struct bench *bench, const char *call, const json_t *arguments,
	       unsigned int timeout_ms, json_t **reply, struct reason *why);
int bench_call_all(struct bench *bench, struct bench_request *requests, size_t count,
		   unsigned int timeout_ms, struct reason *why);
int bench_pump(struct bench *bench, int64_t until_ns);
void bench_close(struct bench *bench);

void bench_report(struct bench *bench, const char *witness, int64_t time_ns, const char *text,
		  json_t *data);
void bench_host_ended(struct bench *bench, int status, int signal);
void bench_host_taken(struct bench *bench, const char *text);
int bench_spawn_agent(struct bench *bench, const char *const *argv, struct reason *why);
void bench_reap_agent(struct bench *bench);
void bench_hear_errors(struct bench *bench);
int bench_end_reason(struct bench *bench, const char *call, struct reason *why);

#endif
