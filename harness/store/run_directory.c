// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading the directory of a run for the commands that look at one.
 */
#include "harness/store/run_directory.h"

/**
 * run_directory_open - the journal of a run, with a warning about each kind of damage
 * @directory: of the run
 * @index:     receives where its trials are; journal_index_free()
 * @why:       filled on an error
 *
 * Return: what journal_index_open() returns.
 */
int run_directory_open(const char *directory, struct journal_index **index, struct reason *why)
{
	struct journal_damage damage;
	int error = journal_index_open(directory, index, why);

	if (error)
		return error;
	damage = (*index)->damage;
	if (damage.torn_bytes)
		log_warning("the journal in %s ends in the middle of a record (%zu bytes are left "
			    "out); "
			    "'brinell resume' continues it",
			    directory, damage.torn_bytes);
	if (damage.bad_lines)
		log_warning("the journal in %s is damaged: %u lines, the first is line %u; trials "
			    "around "
			    "them can not pass",
			    directory, damage.bad_lines, damage.first_bad);
	if (damage.gaps)
		log_warning("the journal in %s lacks %u records; trials around them can not pass",
			    directory, damage.gaps);
	return 0;
}

/**
 * run_directory_begun - whether a run that was cut off has begun, so that it is to be resumed
 * @directory: where it would be
 *
 * Before its first record is whole, nothing of a run was started: what is there of its journal is removed, so that the run can be
 * begun anew.
 */
bool run_directory_begun(const char *directory)
{
	__cleanup_free char *path = format_text("%s/%s", directory, JOURNAL_FILE);
	__cleanup_file FILE *journal = fopen(path, "re");
	int c;

	if (!journal)
		return false;
	while ((c = getc(journal)) != EOF)
		if (c == '\n')
			return true;
	unlink(path);
	return false;
}
