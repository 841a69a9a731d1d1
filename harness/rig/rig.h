/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_RIG_RIG_H
#define BRINELL_RIG_RIG_H

#include "harness/base/util.h"

/**
 * struct rig_profile - one kind of emulated host
 * @name:         word on the command line
 * @summary:      one line of what it is good for
 * @processors:   number of virtual processors
 * @memory_mib:   RAM; below 2.5 GiB so that all of it lies below 4 GiB in one piece (gpa == offset
 *                in the RAM file)
 * @processor:    value of QEMU's -cpu
 * @modules:      NULL-terminated kernel modules, loaded in this order (after what they depend on)
 *                before the agent
 * @arguments:    kernel command line besides what every rig host gets
 * @devices:      NULL-terminated further QEMU arguments
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
};

extern const struct rig_profile *const rig_profiles[];
const struct rig_profile *rig_profile_find(const char *name);

#define RIG_MEMORY_MIN_MIB 512
#define RIG_MEMORY_MAX_MIB 2560

/*
 * What a long-running part is doing: @what is a short text, @fraction 0 to 1, or below 0 when it is
 * not known.
 */
typedef void (*rig_progress_fn)(void *context, const char *what, double fraction);

/**
 * struct rig_options - what to start
 * @profile:       name of the profile; NULL is "intel"
 * @kernel:        bzImage of the user, or NULL for Debian's newest
 * @modules:       directory with modules of that kernel (a /lib/modules/RELEASE or a build tree),
 *                 or NULL
 * @artifacts:     directory that receives console.log; NULL keeps it with the rig, to vanish with
 *                 it
 * @memory_mib:    0: as the profile says
 * @processors:    0: as the profile says
 * @einj_revision: 1, or 2 for a table with EINJv2; 0 is 1
 * @deadline_s:    the host is ended after so many seconds; 0 is one hour
 * @detached:      lives on after the process that started it
 * @shell:         a root shell on the serial console: NULL none, "once" (its end powers the host
 *                 off), "again"
 * @verbose:       the whole boot on the console, not only warnings
 * @arguments:     more for the kernel command line, or NULL
 * @refresh:       ask for a newer kernel even when the last answer is fresh
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
	const char *arguments;
	bool refresh;
	rig_progress_fn progress;
	void *context;
};

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
int rig_stop(struct rig *rig);
void rig_disconnect(struct rig *rig);

/*
 * Below: the parts that the rig is made of.
 */

int rig_find_file(const char *name, char **path);
unsigned int rig_processors(unsigned int wanted, unsigned int version);
int rig_find_qemu(char **path, unsigned int *version, struct reason *why);

#endif
