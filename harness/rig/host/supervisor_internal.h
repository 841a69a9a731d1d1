/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_RIG_SUPERVISOR_INTERNAL_H
#define BRINELL_RIG_SUPERVISOR_INTERNAL_H

#include <pthread.h>
#include <systemd/sd-event.h>

#include "harness/lib/protocol.h"
#include "harness/rig/firmware/firmware.h"
#include "harness/rig/host/supervisor.h"
#include "harness/rig/host/supervisor_console.h"
#include "harness/rig/host/qemu.h"
#include "harness/rig/qmp.h"

struct supervisor;

/**
 * struct supervisor_client - a client of the control protocol
 * @supervisor: back pointer
 * @channel:  its stream; owns the socket
 * @source:   of the socket
 * @lost:     number of events that were dropped because the client does not read
 * @owner:    the process that started the rig: the rig ends with it, unless detached
 */
struct supervisor_client {
	struct supervisor *supervisor;
	struct channel *channel;
	sd_event_source *source;
	unsigned long long lost;
	bool owner;
	struct supervisor_client *next;
};

/**
 * struct supervisor_terminal - a terminal connected to the serial console
 * @supervisor: back pointer
 * @fd:      socket
 * @source:  of the socket
 * @waiting: input that QEMU has not read yet
 * @length:  of @waiting
 */
struct supervisor_terminal {
	struct supervisor *supervisor;
	int fd;
	sd_event_source *source;
	char waiting[4096];
	size_t length;
	struct supervisor_terminal *next;
};

/**
 * struct relay - forwards bytes in one direction
 * @from, @to: sockets of its own, or -1
 * @waiting:   read, and not yet forwarded
 * @length:    of @waiting
 * @midline:   the last byte that was read is not the end of a line
 * @skips:     @to was opened in the middle of a line; the rest of that line is dropped
 */
struct relay {
	struct supervisor *supervisor;
	int from, to;
	sd_event_source *readable, *writable;
	char waiting[16384];
	size_t length;
	bool midline, skips;
};

/**
 * struct supervisor - one emulated host and its resources
 * @loop:          event loop; all code but the callbacks of the firmware and of QMP runs in it
 * @config:        from the process that started the supervisor
 * @directory:     private directory of the rig
 * @profile:       kind of host
 * @ram, @disk, @kernel, @initramfs, @system, @hypervisor: open files that QEMU inherits, so that neither a cleaned cache nor a
 *                            killed supervisor affects it
 * @host_number:   of a pair, or 0
 * @lock:          of @directory
 * @listener:      control socket;  @console_listener: serial console
 * @log:           console.log
 * @qemu:          pid or 0
 * @input:         QEMU's standard input: input of the serial console
 * @output:        QEMU's standard output: output of the serial console
 * @errors:        QEMU's standard error
 * @port_listener: of Bochs: the socket for the peer of the agent, or -1
 * @to_agent, @from_agent: relays between that peer and the serial line of the agent
 * @agent_open:    the agent has opened its end of the line
 * @ready:         the host has started all services
 * @boots:         number of power-ons
 * @powered_ns:    CLOCK_REALTIME of the last power-on
 * @last_error:    last line of @errors
 * @mutex:         guards @mail and @cause
 * @mail:          events of other threads
 * @mail_fd:       eventfd, signalled when @mail is not empty
 * @cause:         reason of QMP's SHUTDOWN event
 */
struct supervisor {
	sd_event *loop;
	json_t *config;
	const char *directory;
	const struct rig_profile *profile;
	unsigned int memory_mib;
	unsigned int processors;
	unsigned int host_number;
	int ram, disk, kernel, initramfs, system, hypervisor, lock;
	int listener, console_listener;
	int log;
	struct firmware_config firmware_config;
	struct firmware *firmware;
	struct qmp *qmp;
	char *arguments;
	pid_t qemu;
	int input, output, errors;
	sd_event_source *qemu_source, *output_source, *error_source, *input_source;
	int port_listener;
	sd_event_source *port_source;
	struct relay to_agent, from_agent;
	bool agent_open;
	bool ready;
	unsigned int boots;
	int64_t powered_ns;
	int64_t deadline_ns;
	char last_error[512];
	struct console console;
	struct console error_lines;
	struct supervisor_client *clients;
	struct supervisor_terminal *terminals;
	pthread_mutex_t mutex;
	json_t *mail;
	int mail_fd;
	char cause[64];
	bool detached;
};

char **supervisor_qemu_command(const struct supervisor *supervisor, int incoming, const char *seed);
int supervisor_read_output(struct supervisor *supervisor);

int port_listen(int *fd, unsigned int *number, struct reason *why);
int port_accept(int listener, pid_t emulator, int *fd, struct reason *why);
int port_serve(struct supervisor *supervisor, int fd, struct reason *why);
void port_end(struct supervisor *supervisor);

int snapshot_open(const struct supervisor *supervisor);
void snapshot_remove(const struct supervisor *supervisor);
int snapshot_resume(struct supervisor *supervisor, struct reason *why);
int snapshot_make(struct supervisor *supervisor, struct reason *why);

int supervisor_listen(struct supervisor *supervisor, struct reason *why);
int supervisor_listen_on(struct supervisor *supervisor, const char *name, int *listener,
			 sd_event_source **source, sd_event_io_handler_t handler,
			 struct reason *why);
int supervisor_add_client(struct supervisor *supervisor, int fd, bool owner);
void supervisor_broadcast(struct supervisor *supervisor, json_t *event);
void supervisor_terminal_output(struct supervisor *supervisor, const void *data, size_t length);
void supervisor_drop_clients(struct supervisor *supervisor);
int supervisor_serve(struct supervisor *supervisor, const char *call, const json_t *arguments,
		     json_t **reply, struct reason *why);

#endif
