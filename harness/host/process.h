/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_HOST_PROCESS_H
#define BRINELL_HOST_PROCESS_H

#include <signal.h>

#include "harness/host/activity.h"

/* Every process ends at this request; each kind defines its other requests. */
#define PROCESS_QUIT 'Q'

/**
 * enum process_report_kind - meaning of a report; each kind of process continues from PROCESS_OWN
 * @PROCESS_READY:  the process is ready
 * @PROCESS_FAILED: the request failed: error and text
 * @PROCESS_SIGNAL: the process caught a signal: signal, code, lsb, address
 */
enum process_report_kind {
	PROCESS_READY,
	PROCESS_FAILED,
	PROCESS_SIGNAL,
	PROCESS_OWN,
};

/**
 * struct process_report - head of every packet of a process
 *
 * Plain bytes instead of JSON: a signal handler sends it too, while the heap is in any state.
 */
struct process_report {
	int32_t kind;
	int32_t pid;
	int32_t error;
	int32_t signal, code, lsb;
	int64_t time_ns, monotonic_ns;
	uint64_t address;
	char text[200];
};

/**
 * struct process_kind - a kind of process
 * @name:        of the workload or injector, for messages
 * @report_size: bytes of each packet; it begins with a struct process_report
 * @quit_ms:     time to quit before it is killed, for a process that ends its own children first; such a process also
 *               listens during a touch. 0: a second, and none during a touch
 * @body:        the process itself, which ends with its socket; it inherits the standard streams and nothing else
 * @ready:       adds facts beyond "pid"
 * @report:      handles a packet that is neither PROCESS_READY nor PROCESS_FAILED
 */
struct process_kind {
	const char *name;
	size_t report_size;
	int quit_ms;
	void (*body)(int socket, const void *options) __attribute__((noreturn));
	void (*ready)(struct activity *run, const void *report);
	void (*report)(struct activity *run, const void *report);
};

/**
 * struct process - the agent's side of a process; every wait for it has a bound
 * @socket:   SOCK_SEQPACKET: requests of one byte out, reports in; -1 after its end was closed
 * @pidfd:    of the process
 * @timer:    deadline of the current touch
 * @touching: a touch is in progress
 * @packet:   buffer of the last report
 */
struct process {
	const struct process_kind *kind;
	int socket, pidfd, timer;
	bool touching;
	void *packet;
};

int process_start(struct activity *run, struct process *process, const struct process_kind *kind,
		  const void *options, int64_t ready_ns, struct reason *why);
void process_stop(struct activity *run, struct process *process);
void process_dispatch(struct activity *run, struct process *process);
int process_request(const struct activity *run, const struct process *process, char request,
		    struct reason *why);
int process_touch(struct activity *run, struct process *process, char request, struct reason *why);
void process_touched(struct process *process);
int process_await(struct process *process, int64_t until);

void process_emit(struct activity *run, const char *event, const struct process_report *report,
		  json_t *data, const char *text);
void process_emit_signal(struct activity *run, const struct process_report *report, json_t *data);
void process_emit_error(struct activity *run, const struct process_report *report,
			const char *call);
void process_emit_exit(struct activity *run, pid_t pid, int status, int number);
void process_fact(struct activity *run, const char *name, uint64_t value);

size_t process_choice(const json_t *arguments, const char *name, const char *const *choices);
extern const char *const process_mce_kills[];
int process_mce_kill(const json_t *arguments);

/* Below: for the process itself. */
void process_begin(void);
void process_set_mce_kill(int policy);
bool process_say(int socket, struct process_report *report, size_t size, int flags);
void process_note_signal(struct process_report *report, int number, const siginfo_t *info);

#endif
