/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_RIG_KEEPER_INTERNAL_H
#define BRINELL_RIG_KEEPER_INTERNAL_H

#include <pthread.h>
#include <systemd/sd-event.h>

#include "harness/lib/protocol.h"
#include "harness/rig/firmware/firmware.h"
#include "harness/rig/host/keeper.h"
#include "harness/rig/host/keeper_console.h"
#include "harness/rig/host/qemu.h"
#include "harness/rig/qmp.h"

struct keeper;

/**
 * struct keeper_client - one that speaks the control protocol
 * @keeper:   its keeper
 * @channel:  what comes in; owns the socket
 * @source:   of the socket
 * @out:      what could not be sent yet
 * @length:   of @out
 * @lost:     events that were dropped because the client does not read
 * @owner:    the process that started the rig: its end is the rig's end, unless detached
 */
struct keeper_client {
	struct keeper *keeper;
	struct channel *channel;
	sd_event_source *source;
	char *out;
	size_t length;
	unsigned long long lost;
	bool owner;
	struct keeper_client *next;
};

/**
 * struct keeper_terminal - somebody at the serial console
 * @keeper:  its keeper
 * @fd:      socket
 * @source:  of the socket
 * @waiting: typed, and not yet taken by QEMU
 * @length:  of @waiting
 */
struct keeper_terminal {
	struct keeper *keeper;
	int fd;
	sd_event_source *source;
	char waiting[4096];
	size_t length;
	struct keeper_terminal *next;
};

/**
 * struct keeper - one emulated host and what belongs to it
 * @loop:          event loop; everything but the firmware's and QMP's callbacks runs in it
 * @config:        as it came from the starter
 * @directory:     private directory of the rig
 * @profile:       kind of host
 * @ram, @kernel, @initramfs, @system: open files that QEMU gets; so neither a cleaned cache nor a killed
 *                            keeper matters
 * @host_number:   of a pair, or 0
 * @lock:          of @directory
 * @listener:      control socket;  @console_listener: serial console
 * @log:           console.log
 * @qemu:          pid or 0
 * @input:         QEMU's standard input: what is typed at the serial console
 * @output:        QEMU's standard output: the serial console
 * @complaints:    QEMU's standard error
 * @boots:         times it was powered on
 * @powered_ns:    CLOCK_REALTIME of the last power-on
 * @complaint:     last line of @complaints
 * @mutex:         guards @mail and @cause
 * @mail:          events of other threads
 * @mail_fd:       eventfd: there is mail
 * @cause:         reason of QMP's SHUTDOWN event
 */
struct keeper {
	sd_event *loop;
	json_t *config;
	const char *directory;
	const struct rig_profile *profile;
	unsigned int memory_mib;
	unsigned int processors;
	unsigned int host_number;
	int ram, kernel, initramfs, system, lock;
	int listener, console_listener;
	int log;
	struct firmware_config firmware_config;
	struct firmware *firmware;
	struct qmp *qmp;
	char *arguments;
	pid_t qemu;
	int input, output, complaints;
	sd_event_source *qemu_source, *output_source, *complaint_source, *input_source;
	unsigned int boots;
	int64_t powered_ns;
	int64_t deadline_ns;
	char complaint[512];
	struct console console;
	struct console complaint_lines;
	struct keeper_client *clients;
	struct keeper_terminal *terminals;
	pthread_mutex_t mutex;
	json_t *mail;
	int mail_fd;
	char cause[64];
	bool detached;
};

int keeper_power_on(struct keeper *keeper, struct reason *why);
void keeper_power_off(struct keeper *keeper, const char *cause);

int keeper_listen(struct keeper *keeper, struct reason *why);
int keeper_add_client(struct keeper *keeper, int fd, bool owner);
void keeper_client_send(struct keeper_client *client, json_t *message, bool droppable);
void keeper_broadcast(struct keeper *keeper, json_t *event);
void keeper_terminal_output(struct keeper *keeper, const void *data, size_t length);
void keeper_drop_clients(struct keeper *keeper);
int keeper_serve(struct keeper *keeper, const char *call, const json_t *arguments, json_t **reply,
		 struct reason *why);

#endif
