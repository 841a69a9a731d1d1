/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_RIG_PROFILE_H
#define BRINELL_RIG_PROFILE_H

#include "harness/lib/util.h"

/**
 * struct rig_system - a root file system made of Debian packages, for hosts that need more than
 *                     busybox
 * @name:     of its entry in the cache; must not be a prefix of another name
 * @suite:    of Debian
 * @packages: NULL-terminated; their dependencies are added
 * @unused:   NULL-terminated prefixes of packages that are not fetched
 * @keep:     NULL-terminated paths below the root, files and directories, that make up the file system together
 *            with the libraries that their programs are linked with
 * @hypervisor: path below the root: a compressed multiboot image that boots below the kernel of the host; NULL: none
 * @sysroot:  NULL-terminated paths below the root: headers and libraries to build the agent with; NULL: none
 * @here:     for a program that runs on this machine: a directory with @keep and the libraries instead of a file system, and a
 *            boot loader ("loader")
 */
struct rig_system {
	const char *name;
	const char *suite;
	const char *const *packages;
	const char *const *unused;
	const char *const *keep;
	const char *hypervisor;
	const char *const *sysroot;
	bool here;
};

/**
 * struct rig_profile - one kind of emulated host
 * @name:         as on the command line
 * @summary:      one line
 * @processors:   number of virtual processors
 * @memory_mib:   RAM; below 2.5 GiB, so that all of it is contiguous below 4 GiB (gpa == offset in the RAM file)
 * @processor:    value of QEMU's -cpu, or Bochs's CPU model
 * @modules:      NULL-terminated kernel modules, loaded in this order (after their dependencies) before the agent
 * @arguments:    kernel command line beside that of every rig host
 * @devices:      NULL-terminated further QEMU arguments
 * @system:       root file system of packages, on a disk; NULL: in memory, of busybox only
 * @guest_modules: NULL-terminated modules for guests of this host, or NULL
 * @start:        script of brinell that the host runs beside the agent, or NULL
 * @ready:        NULL-terminated argv of a command on the host that ends when the services of @start accept calls
 *                (status 0), or failed to start (another status); or NULL
 * @qemu_least:   oldest QEMU that supports @processor and @devices, major * 100 + minor; 0: any
 * @agent:        agent program of the host, NULL: brinell-agent; another one needs a @system
 * @agent_sources: NULL-terminated directories of brinell: the sources of @agent that are built with the sysroot of
 *                @system. NULL: @agent comes with brinell
 * @agent_libraries: NULL-terminated libraries of @system that @agent is linked with
 * @hypervisor_arguments: command line of the hypervisor of @system
 * @guests:       NULL-terminated programs for guests of this host, or NULL: it runs none
 * @private_vms:  KVM's modules are rebuilt with private memory for VMs (make-kvm); Debian's kernel only
 * @hosts:        1, or 2 for a pair on a private network
 * @snapshot:     its hosts start from a snapshot of a booted host; all its devices can be saved
 * @local_migration: guests of its only host can migrate to the same host
 * @bochs:        packages of the emulator Bochs; NULL: the hosts are QEMU's
 * @slowness:     factor on all timeouts, compared with hosts of QEMU
 * @one_thread:   one thread of QEMU runs all processors, in turn
 * @boot_s:       seconds from power-on to the agent on an idle machine, for the progress of a slow boot; 0: not slow
 */
struct rig_profile {
	const char *name;
	const char *summary;
	unsigned int processors;
	unsigned int memory_mib;
	const char *processor;
	const char *const *modules;
	const char *arguments;
	const char *const *devices;
	const struct rig_system *system;
	const char *const *guest_modules;
	const char *start;
	const char *const *ready;
	unsigned int qemu_least;
	const char *agent;
	const char *const *agent_sources;
	const char *const *agent_libraries;
	const char *hypervisor_arguments;
	const char *const *guests;
	bool private_vms;
	unsigned int hosts;
	bool snapshot;
	bool local_migration;
	const struct rig_system *bochs;
	unsigned int slowness;
	bool one_thread;
	unsigned int boot_s;
};

extern const struct rig_profile *const rig_profiles[];
const struct rig_profile *rig_profile_find(const char *name);

#define RIG_MEMORY_MIN_MIB 512
#define RIG_MEMORY_MAX_MIB 2560

/*
 * Progress of a long operation: @what is a short text, @fraction 0 to 1, or below 0 when unknown.
 */
typedef void (*rig_progress_fn)(void *context, const char *what, double fraction);

/**
 * struct rig_options - options of a rig
 * @profile:       name of the profile; NULL: "intel"
 * @kernel:        bzImage of the user, or NULL for Debian's newest
 * @modules:       directory with modules of that kernel (a /lib/modules/RELEASE or a build tree),
 *                 or NULL
 * @artifacts:     directory that receives console.log; NULL: it is in the rig's directory, and removed with it
 * @memory_mib:    0: that of the profile
 * @processors:    0: those of the profile
 * @einj_revision: 1, or 2 for a table with EINJv2; 0: 1
 * @deadline_s:    the host is killed after so many seconds; 0: one hour
 * @detached:      the rig survives the process that started it
 * @shell:         a root shell on the serial console: NULL none, "once" (its end powers the host
 *                 off), "again"
 * @verbose:       the whole boot on the console, not only warnings
 * @counts_instructions: the host's time is the number of instructions that it executed, not the time of this machine
 * @arguments:     appended to the kernel command line, or NULL
 * @host_number:   of a pair, 1 or 2; 0: a host without a network
 * @link:          rig_link_path() of host 1, for host 2; NULL otherwise
 * @refresh:       look for a newer kernel even if the last look-up is recent
 * @progress:      called while the image is made; may be NULL
 * @context:       for @progress
 */
struct rig_options {
	const char *profile;
	const char *kernel;
	const char *modules;
	const char *artifacts;
	unsigned int memory_mib;
	unsigned int processors;
	unsigned int einj_revision;
	unsigned int deadline_s;
	bool detached;
	const char *shell;
	bool verbose;
	bool counts_instructions;
	const char *arguments;
	unsigned int host_number;
	const char *link;
	bool refresh;
	rig_progress_fn progress;
	void *context;
};

int rig_find_file(const char *name, char **path);
char *qemu_quote(const char *text);

#endif
