/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_LIB_PROTOCOL_H
#define BRINELL_LIB_PROTOCOL_H

#include "harness/lib/util.h"

#define PROTOCOL_VERSION 1
/* Where guest and host meet: the host's vsock port, unless the kernel command line has another; or a virtio serial port. */
#define GUEST_VSOCK_PORT 25202
#define GUEST_SERIAL_NAME "brinell.guest"
#define PROTOCOL_LINE_MAX (1u << 20)

struct channel;

struct channel *channel_new(int in, int out);
void channel_free(struct channel *channel);
int channel_fd(const struct channel *channel);
int channel_fill(struct channel *channel);
int channel_feed(struct channel *channel, const char *bytes, size_t length);
int channel_next(struct channel *channel, json_t **message, struct reason *why);
size_t channel_pending(const struct channel *channel);
int channel_flush(struct channel *channel);
int channel_queue(struct channel *channel, const json_t *message, size_t limit);
int channel_send(struct channel *channel, const json_t *message, unsigned int timeout_ms);

#endif
