/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_RIG_HOST_RIG_H
#define BRINELL_RIG_HOST_RIG_H

#include "harness/rig/profile.h"

struct rig;

int rig_start(const struct rig_options *options, struct rig **rig, struct reason *why);
int rig_connect(const char *name, struct rig **rig, struct reason *why);
int rig_control_fd(const struct rig *rig);
int rig_receive(struct rig *rig, json_t **event, struct reason *why);
int rig_call(struct rig *rig, const char *call, const json_t *arguments, unsigned int timeout_ms,
	     json_t **reply, struct reason *why);
const char *rig_name(const struct rig *rig);
const char *rig_agent_path(const struct rig *rig);
const char *rig_console_path(const struct rig *rig);
const char *rig_link_path(const struct rig *rig);
int rig_stop(struct rig *rig);
void rig_disconnect(struct rig *rig);

/*
 * Below: the parts that the rig is made of.
 */

unsigned int rig_processors(unsigned int wanted, unsigned int version);
unsigned int rig_qemu_version(const struct rig *rig);
int rig_find_qemu(char **path, unsigned int *version, struct reason *why);

#endif
