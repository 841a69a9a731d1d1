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
 * struct supervisor_client - one that speaks the control protocol
 * @supervisor:   its supervisor
 * @channel:  what comes in; owns the socket
 * @source:   of the socket
 * @lost:     events that were dropped because the client does not read
 * @owner:    the process that started the rig: its end is the rig's end, unless detached
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
 * struct supervisor_terminal - a terminal at the serial console
 * @supervisor:  its supervisor
 * @fd:      socket
 * @source:  of the socket
 * @waiting: typed, and not yet taken by QEMU
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
 * struct relay - bytes that are passed on in one direction
 * @from, @to: sockets of its own, or -1
 * @waiting:   read, and not yet passed on
 * @length:    of @waiting
 * @midline:   the last byte that was read is not the end of a line
 * @skips:     @to was opened in the middle of a line, whose rest it does not get
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
 * struct supervisor - one emulated host and what belongs to it
 * @loop:          event loop; everything but the firmware's and QMP's callbacks runs in it
 * @config:        as it came from the starter
 * @directory:     private directory of the rig
 * @profile:       kind of host
 * @ram, @disk, @kernel, @initramfs, @system, @hypervisor: open files that QEMU gets; so neither a cleaned cache nor a killed
 *                            supervisor matters
 * @host_number:   of a pair, or 0
 * @lock:          of @directory
 * @listener:      control socket;  @console_listener: serial console
 * @log:           console.log
 * @qemu:          pid or 0
 * @input:         QEMU's standard input: what is typed at the serial console
 * @output:        QEMU's standard output: the serial console
 * @complaints:    QEMU's standard error
 * @port_listener: of Bochs: the socket for the peer of the agent, or -1
 * @to_agent, @from_agent: between its peer and the serial line of the agent
 * @agent_speaks:  the agent has opened its end of the line
 * @ready:         the host has started everything
 * @boots:         times it was powered on
 * @powered_ns:    CLOCK_REALTIME of the last power-on
 * @complaint:     last line of @complaints
 * @mutex:         guards @mail and @cause
 * @mail:          events of other threads
 * @mail_fd:       eventfd: there is mail
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
	int input, output, complaints;
	sd_event_source *qemu_source, *output_source, *complaint_source, *input_source;
	int port_listener;
	sd_event_source *port_source;
	struct relay to_agent, from_agent;
	bool agent_speaks;
	bool ready;
	unsigned int boots;
	int64_t powered_ns;
	int64_t deadline_ns;
	char complaint[512];
	struct console console;
	struct console complaint_lines;
	struct supervisor_client *clients;
	struct supervisor_terminal *terminals;
	pthread_mutex_t mutex;
	json_t *mail;
	int mail_fd;
	char cause[64];
	bool detached;
};

int supervisor_power_on(struct supervisor *supervisor, struct reason *why);
void supervisor_power_off(struct supervisor *supervisor, const char *cause);

char **supervisor_qemu_command(const struct supervisor *supervisor, int incoming, const char *seed);
int supervisor_read_output(struct supervisor *supervisor);

int port_listen(int *fd, unsigned int *number, struct reason *why);
int port_accept(int listener, pid_t emulator, int *fd, struct reason *why);
int port_serve(struct supervisor *supervisor, int fd, struct reason *why);
void port_end(struct supervisor *supervisor);

int snapshot_open(const struct supervisor *supervisor);
void snapshot_forget(const struct supervisor *supervisor);
int snapshot_resume(struct supervisor *supervisor, struct reason *why);
int snapshot_make(struct supervisor *supervisor, struct reason *why);

int supervisor_listen(struct supervisor *supervisor, struct reason *why);
int supervisor_listen_on(struct supervisor *supervisor, const char *name, int *listener,
			 sd_event_source **source, sd_event_io_handler_t handler,
			 struct reason *why);
int supervisor_add_client(struct supervisor *supervisor, int fd, bool owner);
void supervisor_client_send(struct supervisor_client *client, json_t *message, bool droppable);
void supervisor_broadcast(struct supervisor *supervisor, json_t *event);
void supervisor_terminal_output(struct supervisor *supervisor, const void *data, size_t length);
void supervisor_drop_clients(struct supervisor *supervisor);
int supervisor_serve(struct supervisor *supervisor, const char *call, const json_t *arguments,
		     json_t **reply, struct reason *why);

#endif
