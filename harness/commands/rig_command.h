/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_COMMANDS_RIG_COMMAND_H
#define BRINELL_COMMANDS_RIG_COMMAND_H

#include "harness/lib/protocol.h"
#include "harness/rig/host/supervisor.h"
#include "harness/rig/image/image.h"

/**
 * struct rig_command_line - the command line of a subcommand
 * @options: for the rig
 * @target:  profile or name, or NULL
 * @files:   NULL-terminated LOCAL[:REMOTE]
 * @command: argv of COMMAND, or NULL
 * @timeout_ms: for @command
 * @all:     --all
 */
struct rig_command_line {
	struct rig_options options;
	const char *target;
	const char **files;
	size_t file_count;
	char **command;
	unsigned int timeout_ms;
	bool all;
};

enum rig_option {
	OPTION_KERNEL = 256,
	OPTION_MODULES,
	OPTION_APPEND,
	OPTION_MEMORY,
	OPTION_PROCESSORS,
	OPTION_EINJ,
	OPTION_COUNT,
	OPTION_ARTIFACTS,
	OPTION_DEADLINE,
	OPTION_TIMEOUT,
	OPTION_VERBOSE_BOOT,
	OPTION_REFRESH,
	OPTION_FILE,
	OPTION_ALL,
};

/* Which options a subcommand takes, as the numbers of enum rig_option. */
#define BIT(option) (1u << ((option)-OPTION_KERNEL))
#define HOST_OPTIONS                                                                               \
	(BIT(OPTION_KERNEL) | BIT(OPTION_MODULES) | BIT(OPTION_APPEND) | BIT(OPTION_MEMORY) |      \
	 BIT(OPTION_PROCESSORS) | BIT(OPTION_EINJ) | BIT(OPTION_COUNT) | BIT(OPTION_ARTIFACTS) |   \
	 BIT(OPTION_DEADLINE) | BIT(OPTION_VERBOSE_BOOT) | BIT(OPTION_REFRESH))

int rig_bad_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
int rig_failed(int error, const struct reason *why);
int rig_parse(int argc, char **argv, unsigned int allowed, bool takes_command,
	      struct rig_command_line *line);
int rig_check_files(const struct rig_command_line *line);
int rig_want_profile(struct rig_command_line *line);

struct channel *rig_open_agent(struct rig *rig, struct reason *why);
int rig_await_ready(struct rig *rig, struct channel *agent, int *id, struct reason *why);
int rig_find_or_boot(struct rig_command_line *line, struct rig **rig, bool *booted);

int rig_run(int argc, char **argv);
int rig_shell(int argc, char **argv);

#endif
