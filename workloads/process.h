/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_WORKLOADS_PROCESS_H
#define BRINELL_WORKLOADS_PROCESS_H

#include <signal.h>

#include "workloads/workload.h"

/* Every process of a workload understands this request; others are its own business. */
#define PROCESS_QUIT 'Q'

/**
 * enum process_report_kind - what a report says; each workload goes on from PROCESS_OWN
 * @PROCESS_READY:  what was asked for is there
 * @PROCESS_FAILED: it can not be: error and text
 * @PROCESS_SIGNAL: a signal came: signal, code, lsb, address
 */
enum process_report_kind {
	PROCESS_READY,
	PROCESS_FAILED,
	PROCESS_SIGNAL,
	PROCESS_OWN,
};

/**
 * struct process_report - how every packet begins that the process of a workload sends
 *
 * Plain bytes and not JSON: a signal handler sends it too, while the heap is in any state.
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
 * struct process_kind - what a workload does with its process
 * @name:        of the workload, for messages
 * @report_size: bytes of each packet; it begins with a struct process_report
 * @quit_ms:     it may take so long to quit before it is killed, when it has others to end first; it must then listen while
 *               it touches, too. 0: a second, and none in the middle of a touch
 * @body:        the process itself, which ends with its socket; it inherits nothing else but the standard streams
 * @ready:       fills the facts, beyond "pid"
 * @report:      handles a packet that is neither PROCESS_READY nor PROCESS_FAILED
 */
struct process_kind {
	const char *name;
	size_t report_size;
	int quit_ms;
	void (*body)(int socket, const void *options) __attribute__((noreturn));
	void (*ready)(struct workload_run *run, const void *report);
	void (*report)(struct workload_run *run, const void *report);
};

/**
 * struct process - the agent's side of a workload's process, which never waits for it without a bound
 * @socket:   SOCK_SEQPACKET: requests of one byte out, reports in; -1 when it was closed
 * @pidfd:    of the process
 * @timer:    of the touch that is under way
 * @touching: it was told to touch, and has not said that it is done
 * @packet:   room for a report; the last one that came
 */
struct process {
	const struct process_kind *kind;
	int socket, pidfd, timer;
	bool touching;
	void *packet;
};

int process_start(struct workload_run *run, struct process *process,
		  const struct process_kind *kind, const void *options, int64_t ready_ns,
		  struct reason *why);
void process_stop(struct workload_run *run, struct process *process);
void process_dispatch(struct workload_run *run, struct process *process);
int process_request(const struct workload_run *run, const struct process *process, char request,
		    struct reason *why);
int process_touch(struct workload_run *run, struct process *process, char request,
		  struct reason *why);
void process_touched(struct process *process);
int process_await(struct process *process, int64_t until);

void process_emit(struct workload_run *run, const char *event, const struct process_report *report,
		  json_t *data, const char *text);
void process_emit_signal(struct workload_run *run, const struct process_report *report,
			 json_t *data);
void process_emit_exit(struct workload_run *run, pid_t pid, int status, int number);
void process_fact(struct workload_run *run, const char *name, uint64_t value);

size_t process_choice(const json_t *arguments, const char *name, const char *const *choices);
extern const char *const process_mce_kills[];
int process_mce_kill(const json_t *arguments);

/* Below: for the process itself. */
void process_begin(void);
void process_set_mce_kill(int policy);
bool process_say(int socket, struct process_report *report, size_t size, int flags);
void process_note_signal(struct process_report *report, int number, const siginfo_t *info);

#endif
