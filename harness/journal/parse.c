// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the bytes of a journal to its records. Whatever the bytes are, reading ends: with the
 * records that can be trusted, a mark where others were lost, and a count of the damage.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/journal/line.h"

static bool hexadecimal(const char *text, size_t length, uint32_t *value)
{
	*value = 0;
	for (size_t i = 0; i < length; i++) {
		unsigned int digit;

		if (text[i] >= '0' && text[i] <= '9')
			digit = (unsigned int)(text[i] - '0');
		else if (text[i] >= 'a' && text[i] <= 'f')
			digit = (unsigned int)(text[i] - 'a') + 10;
		else
			return false;
		*value = *value << 4 | digit;
	}
	return true;
}

static bool checksum_holds(const char *line, size_t length)
{
	uint32_t written;

	if (length <= JOURNAL_SEAL)
		return false;
	const char *seal = line + length - JOURNAL_SEAL;

	return memcmp(seal, ",\"crc\":\"", 8) == 0 && memcmp(seal + 16, "\"}", 2) == 0 &&
	       hexadecimal(seal + 8, 8, &written) &&
	       written == crc32c(0, line, length - JOURNAL_SEAL);
}

/* A record of one line without its newline, or NULL when it can not be trusted. */
static json_t *parse_line(const char *line, size_t length)
{
	__cleanup_json json_t *record = NULL;
	const json_t *trial;

	if (!checksum_holds(line, length))
		return NULL;
	record = json_loadb(line, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	trial = json_object_get(record, "trial");
	if (json_integer_value(json_object_get(record, "seq")) <= 0 ||
	    !json_is_integer(json_object_get(record, "time_ns")) ||
	    !json_is_string(json_object_get(record, "type")) ||
	    !json_is_object(json_object_get(record, "body")) || (trial && !json_is_string(trial)))
		return NULL;
	json_object_del(record, "crc");
	journal_rename_older(record);
	return steal(record);
}

static void note_damage(json_t *records, unsigned int line, int64_t time_ns, const char *what)
{
	json_array_append_new(records,
			      json_pack("{s:I, s:I, s:s, s:{s:i, s:s}}", "seq", (json_int_t)0,
					"time_ns", (json_int_t)time_ns, "type", JOURNAL_DAMAGE,
					"body", "line", (int)line, "what", what));
}

/**
 * journal_scan - split the bytes of a journal into records
 * @text:    content of the file; need not end in NUL
 * @length:  its length
 * @records: receives an array of records in file order, without their checksums; owned by the
 *           caller. Where lines in the middle were damaged or are missing stands a record of type
 *           JOURNAL_DAMAGE with their line.
 * @damage:  receives what was wrong; may be NULL
 * @end:     receives the state behind the last good record
 * @why:     filled on an error
 *
 * A last line without its newline is the torn tail of a write that a crash cut off: it is counted and
 * left out. A whole line with a wrong checksum is damage wherever it stands.
 *
 * Return: 0, or -ENOTSUP for a journal of a later version of brinell.
 */
int journal_scan(const char *text, size_t length, json_t **records, struct journal_damage *damage,
		 struct journal_end *end, struct reason *why)
{
	__cleanup_json json_t *all = json_array();
	struct journal_damage found = {0};
	unsigned int line_number = 0, pending_bad = 0, pending_first = 0;
	size_t whole_lines = 0;
	int64_t time_ns = 0;

	*end = (struct journal_end){0};
	for (size_t at = 0; at < length;) {
		const char *line = text + at;
		const char *newline = memchr(line, '\n', length - at);
		size_t line_length = newline ? (size_t)(newline - line) : length - at;
		__cleanup_json json_t *record = newline ? parse_line(line, line_length) : NULL;

		line_number++;
		if (!newline)
			break;
		at += line_length + 1;
		whole_lines = at;
		if (!record) {
			if (!pending_bad++)
				pending_first = line_number;
			continue;
		}
		uint64_t sequence = (uint64_t)json_number(record, "seq", 0);
		uint64_t expected = end->sequence + 1 + pending_bad;

		for (unsigned int i = 0; i < pending_bad; i++)
			note_damage(all, pending_first + i, time_ns, "checksum");
		if (pending_bad && !found.bad_lines)
			found.first_bad = pending_first;
		found.bad_lines += pending_bad;
		pending_bad = 0;
		if (sequence != expected) {
			uint64_t missing = sequence > expected ? sequence - expected : 1;

			found.gaps += missing > 1000000 ? 1000000 : (unsigned int)missing;
			note_damage(all, line_number, time_ns,
				    sequence > expected ? "gap" : "order");
		}
		if (strcmp(json_text(record, "type", ""), "run") == 0) {
			int64_t version =
				json_number(json_object_get(record, "body"), "journal", 0);

			if (version > JOURNAL_VERSION)
				return fail(why, -ENOTSUP,
					    "the journal has version %" PRId64
					    ", this brinell reads up to version %d: use a later "
					    "brinell for it",
					    version, JOURNAL_VERSION);
		}
		time_ns = json_number(record, "time_ns", 0);
		if (sequence > end->sequence)
			end->sequence = sequence;
		end->bytes = at;
		json_array_append(all, record);
	}
	/* Whole lines that are wrong were written whole and damaged later: no crash does that. */
	for (unsigned int i = 0; end->bytes && i < pending_bad; i++)
		note_damage(all, pending_first + i, time_ns, "checksum");
	if (end->bytes && pending_bad) {
		if (!found.bad_lines)
			found.first_bad = pending_first;
		found.bad_lines += pending_bad;
		end->sequence += pending_bad;
		end->bytes = whole_lines;
	}
	found.torn_bytes = length - end->bytes;
	if (damage)
		*damage = found;
	*records = steal(all);
	return 0;
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
	struct journal_end end;
	int error = journal_scan(text, length, records, damage, &end, why);

	if (error)
		return error;
	if (end.bytes == 0) {
		json_decref(*records);
		*records = NULL;
		return fail(
			why, -ENODATA,
			"the journal holds no whole record (%zu bytes, none with a right checksum)",
			length);
	}
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
	__cleanup_free char *path = format_text("%s/%s", directory, JOURNAL_FILE);
	__cleanup_free char *text = NULL;
	struct reason inner = {""};
	struct stat status;
	size_t length = 0;
	int error;

	if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
		return fail(why, -EINVAL, "%s is no regular file", path);
	error = read_small_file(path, &text, &length);
	if (error == -ENOENT || error == -ENOTDIR)
		return fail(
			why, error,
			"'%s' is no directory of a run: there is no %s in it; give the directory "
			"that 'brinell run' named",
			directory, JOURNAL_FILE);
	if (error)
		return fail(why, error, "reading %s: %s", path, strerror(-error));
	error = journal_parse(text, length, records, damage, &inner);
	if (error)
		return fail(why, error, "%s: %s", path, inner.text);
	return 0;
}
