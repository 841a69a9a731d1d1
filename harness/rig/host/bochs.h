/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_RIG_BOCHS_H
#define BRINELL_RIG_BOCHS_H

#include "harness/rig/host/rig.h"

/**
 * struct bochs_config - configuration of an emulated host of Bochs
 * @emulator:   directory with Bochs and its libraries (make-system)
 * @profile:    kind of host
 * @memory_mib: RAM of the host
 * @directory:  of the rig; receives the configuration and the disk
 * @hypervisor: open file of the multiboot image that boots below the kernel
 * @kernel:     open file of the bzImage
 * @initramfs:  open file of the archive
 * @arguments:  kernel command line
 * @console_port: TCP port on 127.0.0.1 to which Bochs connects its first serial line
 * @agent_port: the same of the second serial line
 */
struct bochs_config {
	const char *emulator;
	const struct rig_profile *profile;
	unsigned int memory_mib;
	const char *directory;
	int hypervisor, kernel, initramfs;
	const char *arguments;
	unsigned int console_port, agent_port;
};

char *bochs_menu(const struct bochs_config *config, const int64_t *sizes);
char **bochs_prepare(const struct bochs_config *config, struct reason *why);

#endif
