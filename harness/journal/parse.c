// SPDX-License-Identifier: GPL-2.0-only
/*
 * A journal as an array of all its records: for journals that are small.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "harness/journal/index_file.h"
#include "harness/journal/line.h"

/** journal_count_damage - count a mark of damage that the reader came upon */
void journal_count_damage(struct journal_damage *found, const struct journal_reader *reader,
			  const struct journal_line *mark)
{
	uint64_t expected = reader->sequence + 1 + reader->bad, missing = 1;

	if (strcmp(mark->damage, "checksum") == 0) {
		if (!found->bad_lines++)
			found->first_bad = mark->number;
		return;
	}
	if (mark->sequence > expected)
		missing = mark->sequence - expected;
	found->gaps += missing > 1000000 ? 1000000 : (unsigned int)missing;
}

/* A body that is no JSON was not written by brinell: its record is lost like one with a wrong checksum. */
static void append_record(json_t *records, struct journal_line *line, struct journal_damage *found)
{
	json_t *record = journal_record(line);

	if (!record) {
		line->damage = "checksum";
		if (!found->bad_lines++)
			found->first_bad = line->number;
		record = journal_record(line);
	}
	json_array_append_new(records, record);
}

/**
 * journal_scan - go through the bytes of a journal
 * @text:    content of the file; need not end in NUL
 * @length:  its length
 * @records: array that gets the records in file order, without their checksums; where lines in the
 *           middle were damaged or are missing a record of type JOURNAL_DAMAGE with their line. NULL: not wanted
 * @damage:  receives what was wrong; may be NULL
 * @end:     receives the state behind the last good record
 * @why:     filled on an error
 *
 * Return: 0, or -ENOTSUP for a journal of a later version of brinell.
 */
int journal_scan(const char *text, size_t length, json_t *records, struct journal_damage *damage,
		 struct journal_end *end, struct reason *why)
{
	struct journal_reader reader = {.text = text, .length = length, .drop = !records};
	struct journal_damage found = {0};
	struct journal_line line;
	int error = 0;

	while (!error && journal_next(&reader, &line)) {
		if (line.damage)
			journal_count_damage(&found, &reader, &line);
		else if (span_is(line.type, "run"))
			error = journal_check_version(line.body, why);
		if (records && !error)
			append_record(records, &line, &found);
	}
	journal_reader_close(&reader);
	/* Whole lines that are wrong were written whole and damaged later: no crash does that. */
	*end = (struct journal_end){reader.sequence ? reader.at : 0, reader.sequence};
	if (end->sequence)
		end->sequence += reader.bad;
	found.torn_bytes = length - end->bytes;
	if (damage)
		*damage = found;
	return error;
}

/**
 * journal_parse - read the records of a journal from memory
 * @text:    content of the file; need not end in NUL
 * @length:  its length in bytes
 * @records: receives an array of records; owned by the caller. Lost lines leave a record of type
 *           JOURNAL_DAMAGE.
 * @damage:  receives what was wrong; may be NULL
 * @why:     filled on an error
 *
 * Return: 0; -ENODATA when there is not one whole record; -ENOTSUP for a later version.
 */
int journal_parse(const char *text, size_t length, json_t **records, struct journal_damage *damage,
		  struct reason *why)
{
	__cleanup_json json_t *all = json_array();
	struct journal_end end;
	int error = journal_scan(text, length, all, damage, &end, why);

	if (error)
		return error;
	if (end.bytes == 0)
		return fail(
			why, -ENODATA,
			"the journal holds no whole record (%zu bytes, none with a right checksum)",
			length);
	*records = steal(all);
	return 0;
}

/**
 * journal_load - read the journal of a run; changes nothing on disk
 * @directory: of the run
 * @records:   receives an array of records; owned by the caller
 * @damage:    receives what was wrong; may be NULL
 * @why:       filled on an error
 *
 * Return: 0; -ENOENT when there is no such directory or no journal in it; what journal_parse()
 * returns; -errno.
 */
int journal_load(const char *directory, json_t **records, struct journal_damage *damage,
		 struct reason *why)
{
	__cleanup_close int fd = -1;
	struct reason inner = {""};
	const char *text;
	size_t length;
	int error = journal_open_file(directory, O_RDONLY, &fd, why);

	if (!error)
		error = journal_map(fd, &text, &length, why);
	if (error)
		return error;
	error = journal_parse(text, length, records, damage, &inner);
	journal_unmap(text, length);
	return error ? fail(why, error, "%s/%s: %s", directory, JOURNAL_FILE, inner.text) : 0;
}
