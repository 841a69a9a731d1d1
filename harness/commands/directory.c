// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kinds of directories that commands make: those of comparisons and nights hold the directories of their runs.
 */
#include "harness/commands/directory.h"
#include "harness/compare/rounds.h"
#include "harness/nightly/nightly.h"

/** directory_kind - what a directory holds: a run, unless it has the plan of something else */
enum directory_kind directory_kind(const char *directory)
{
	static const char *const plans[] = {
		[DIRECTORY_COMPARISON] = COMPARISON_FILE, [DIRECTORY_NIGHT] = NIGHT_FILE};

	for (size_t i = DIRECTORY_COMPARISON; i < ARRAY_SIZE(plans); i++) {
		__cleanup_free char *path = format_text("%s/%s", directory, plans[i]);

		if (access(path, F_OK) == 0)
			return (enum directory_kind)i;
	}
	return DIRECTORY_RUN;
}

/**
 * directory_is_run - refuse a directory that holds runs instead of being one
 * @command:   for the message, which names the directories of its runs
 * @directory: that it was given
 *
 * Return: true also for what is nothing: opening it explains what is missing.
 */
bool directory_is_run(const char *command, const char *directory)
{
	enum directory_kind kind = directory_kind(directory);

	if (kind == DIRECTORY_COMPARISON)
		log_error("%s: '%s' is a comparison or a calibration: give one of its runs, such "
			  "as %s/round-1/01-a",
			  command, directory, directory);
	if (kind == DIRECTORY_NIGHT)
		log_error("%s: '%s' is a night: give one of its steps, which 'brinell show %s' "
			  "lists",
			  command, directory, directory);
	return kind == DIRECTORY_RUN;
}
