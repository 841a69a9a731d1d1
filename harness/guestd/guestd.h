/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_GUESTD_GUESTD_H
#define BRINELL_GUESTD_GUESTD_H

#include "harness/lib/protocol.h"

/**
 * struct guest_address - where the host may be found; each way is tried in turn
 * @cid:    of the host in AF_VSOCK; 0 to leave this way out
 * @port:   there
 * @serial: device of a virtio serial port, or NULL: look for one that is named GUEST_SERIAL_NAME
 * @socket: path of a Unix socket, or NULL; used instead of both
 */
struct guest_address {
	unsigned int cid;
	unsigned int port;
	const char *serial;
	const char *socket;
};

int guest_dial(const struct guest_address *address, struct reason *why);
unsigned int guest_port_of(const char *command_line);
char *guest_find_serial(void);

_Noreturn void guest_init(int argc, char **argv);
bool guest_is_micro(void);
bool guest_power_requested(void);
_Noreturn void guest_power_off(void);

int guest_main(int argc, char **argv);

#endif
