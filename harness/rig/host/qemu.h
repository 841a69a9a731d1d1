/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_RIG_QEMU_H
#define BRINELL_RIG_QEMU_H

#include "harness/rig/host/rig.h"

/**
 * struct qemu_config - configuration of an emulated host of QEMU
 * @program:    qemu-system-x86_64
 * @profile:    kind of host
 * @memory_mib: RAM
 * @processors: number of virtual processors
 * @ram:        path of the file that backs the RAM
 * @disk:       path of the file that backs the disk of the NVMe controller, "scratch" in the devices of @profile
 * @kernel:     path of the bzImage
 * @initramfs:  path of the archive
 * @hypervisor: path of the multiboot image that boots below the kernel, or NULL
 * @system:     path of the disk with the root file system; NULL: the profile has none
 * @state:      path of the file with a saved state to start from; NULL: it boots
 * @seed:       for the host's random numbers, 2 * SEED_BYTES hexadecimal digits; NULL: none
 * @link:       prefix of the socket paths of the pair's network, to which ".1" and ".2" are appended; or NULL
 * @host_number: of a pair, 1 or 2; 0: no network
 * @arguments:  kernel command line
 * @qmp:        path of the QMP socket, which QEMU creates
 * @counted:    its time is the number of executed instructions
 * @agent:      path of the agent's socket, which QEMU creates
 * @firmware:   NULL-terminated arguments of the firmware model; may be NULL
 */
struct qemu_config {
	const char *program;
	const struct rig_profile *profile;
	unsigned int memory_mib;
	unsigned int processors;
	const char *ram;
	const char *disk;
	const char *kernel;
	const char *initramfs;
	const char *hypervisor;
	const char *system;
	const char *state;
	const char *seed;
	const char *link;
	unsigned int host_number;
	const char *arguments;
	const char *qmp;
	bool counted;
	const char *agent;
	char *const *firmware;
};

uint64_t qemu_firmware_region(unsigned int memory_mib);
#define QEMU_FIRMWARE_REGION_SIZE (1u << 20)

/* Sparse: unwritten parts take no memory. */
#define QEMU_DISK_SIZE (16 << 20)

char *qemu_kernel_arguments(const struct rig_profile *profile, unsigned int memory_mib,
			    unsigned int host_number, const char *shell, bool verbose, bool counted,
			    const char *more);
char **qemu_arguments(const struct qemu_config *config);
void qemu_arguments_free(char **arguments);

#endif
