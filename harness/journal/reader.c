// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the bytes of a journal to its lines, one at a time: memory does not grow with the file. Whatever the bytes are, reading
 * ends: with the records that can be trusted, and a mark where others were lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "harness/journal/line.h"
#include "harness/journal/reader.h"

/* Pages that were read are released in pieces of this size. */
#define DROP_BYTES (8u << 20)

static bool checksum_holds(const char *line, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	char seal[] = ",\"crc\":\"xxxxxxxx\"}";
	uint32_t sum;

	if (length <= JOURNAL_SEAL)
		return false;
	length -= JOURNAL_SEAL;
	sum = crc32c(0, line, length);
	for (unsigned int i = 0; i < 8; i++)
		seal[8 + i] = digits[sum >> (28 - 4 * i) & 15];
	return memcmp(line + length, seal, JOURNAL_SEAL) == 0;
}

/*
 * Takes `NAME` and what stands up to @stop off the front of a text. Inline, for it is done with every record, and the length of a
 * constant is one.
 */
static inline __attribute__((always_inline)) bool take_field(struct span *rest, const char *name,
							     char stop, struct span *value)
{
	size_t length = strlen(name);
	const char *end;

	if (rest->length < length || memcmp(rest->text, name, length) != 0)
		return false;
	end = memchr(rest->text + length, stop, rest->length - length);
	if (!end)
		return false;
	*value = (struct span){rest->text + length, (size_t)(end - rest->text) - length};
	*rest = (struct span){end, rest->length - (size_t)(end - rest->text)};
	return true;
}

/* The same of a string without escapes. */
static inline __attribute__((always_inline)) bool take_string(struct span *rest, const char *name,
							      struct span *value)
{
	return take_field(rest, name, '"', value) &&
	       scan_plain(value->text, value->length) == value->length;
}

/* A line as journal_encode() writes it, without its seal. */
static bool read_encoded(struct span rest, struct journal_line *line)
{
	struct span sequence, time_ns;
	int64_t number;

	if (!take_field(&rest, "{\"seq\":", ',', &sequence) ||
	    !take_field(&rest, ",\"time_ns\":", ',', &time_ns) ||
	    !take_string(&rest, ",\"type\":\"", &line->type))
		return false;
	line->trial = (struct span){NULL, 0};
	if (rest.length > 3 && rest.text[2] == '"' && rest.text[3] == 't' &&
	    !take_string(&rest, "\",\"trial\":\"", &line->trial))
		return false;
	if (rest.length < 10 || memcmp(rest.text, "\",\"body\":{", 10) != 0 ||
	    rest.text[rest.length - 1] != '}')
		return false;
	line->body = (struct span){rest.text + 9, rest.length - 9};
	if (!scan_number(sequence, &number) || number <= 0 || !scan_number(time_ns, &line->time_ns))
		return false;
	line->sequence = (uint64_t)number;
	return true;
}

/* A line of another program: in another order, with other keys, with escapes. */
static bool read_foreign(struct span text, struct journal_line *line)
{
	__cleanup_json json_t *record =
		json_loadb(text.text, text.length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	const json_t *trial = json_object_get(record, "trial");
	const json_t *type = json_object_get(record, "type");

	if (json_integer_value(json_object_get(record, "seq")) <= 0 ||
	    !json_is_integer(json_object_get(record, "time_ns")) || !json_is_string(type) ||
	    !json_is_object(json_object_get(record, "body")) || (trial && !json_is_string(trial)))
		return false;
	json_object_del(record, "crc");
	journal_rename_older(record);
	line->sequence = (uint64_t)json_integer_value(json_object_get(record, "seq"));
	line->time_ns = json_integer_value(json_object_get(record, "time_ns"));
	line->type = (struct span){json_string_value(type), json_string_length(type)};
	line->trial = (struct span){json_string_value(trial), json_string_length(trial)};
	line->body = scan_member(text, "body");
	line->record = steal(record);
	return true;
}

static bool read_line(const char *text, size_t length, struct journal_line *line)
{
	if (!checksum_holds(text, length))
		return false;
	return read_encoded((struct span){text, length - JOURNAL_SEAL}, line) ||
	       read_foreign((struct span){text, length}, line);
}

/* A line whose record was not fetched. */
static void forget(struct journal_line *line)
{
	json_decref(line->record);
	line->record = NULL;
}

/** journal_drop - release the pages of a mapped journal between two offsets; they are read again when they are needed */
void journal_drop(const char *text, size_t begin, size_t end)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = ((uintptr_t)text + begin) & ~(page - 1);
	uintptr_t to = ((uintptr_t)text + end) & ~(page - 1);

	if (to > from)
		(void)madvise((void *)from, to - from, MADV_DONTNEED);
}

static void drop_pages(struct journal_reader *reader)
{
	if (!reader->drop || reader->held.begin < reader->dropped + DROP_BYTES)
		return;
	journal_drop(reader->text, reader->dropped, reader->held.begin);
	reader->dropped = reader->held.begin;
}

/* Reads up to the next good line, which is held; false at the end. */
static bool read_ahead(struct journal_reader *reader)
{
	reader->bad = reader->bad_marked = 0;
	reader->gap = NULL;
	while (reader->at < reader->length) {
		const char *text = reader->text + reader->at;
		const char *newline = memchr(text, '\n', reader->length - reader->at);
		struct journal_line *held = &reader->held;
		uint64_t expected = reader->sequence + 1 + reader->bad;

		/* The torn tail of a write that a crash cut off. */
		if (!newline)
			break;
		*held = (struct journal_line){.number = ++reader->number, .begin = reader->at};
		reader->at += (size_t)(newline - text) + 1;
		held->end = reader->at;
		if (!read_line(text, (size_t)(newline - text), held)) {
			if (!reader->bad++)
				reader->bad_first = held->number;
			continue;
		}
		if (held->sequence != expected)
			reader->gap = held->sequence > expected ? "gap" : "order";
		drop_pages(reader);
		return true;
	}
	reader->ended = true;
	return false;
}

static bool mark_damage(struct journal_reader *reader, struct journal_line *line,
			unsigned int number, const char *what)
{
	*line = (struct journal_line){
		.damage = what,
		.number = number,
		.begin = reader->good_end,
		.end = reader->holds ? reader->held.begin : reader->at,
		.time_ns = reader->time_ns,
		.sequence = reader->holds && *what != 'c' ? reader->held.sequence : 0,
	};
	return true;
}

/**
 * journal_next - the next record, or the next mark of damage
 * @reader: {.text, .length} at the start
 * @line:   receives it; valid until the next call
 *
 * A last line without its newline is left out. A whole line with a wrong checksum is damage wherever it stands behind a good
 * one.
 *
 * Return: false at the end.
 */
bool journal_next(struct journal_reader *reader, struct journal_line *line)
{
	if (!reader->holds && !reader->ended) {
		forget(&reader->held);
		reader->holds = read_ahead(reader);
	}
	if (reader->bad_marked < reader->bad && (reader->holds || reader->sequence))
		return mark_damage(reader, line, reader->bad_first + reader->bad_marked++,
				   "checksum");
	if (!reader->holds)
		return false;
	if (reader->gap)
		return mark_damage(reader, line, reader->held.number, steal(reader->gap));
	*line = reader->held;
	reader->holds = false;
	reader->good_end = line->end;
	reader->time_ns = line->time_ns;
	reader->sequence = line->sequence > reader->sequence ? line->sequence : reader->sequence;
	return true;
}

/** journal_reader_close - free what the reader holds */
void journal_reader_close(struct journal_reader *reader)
{
	forget(&reader->held);
}

/**
 * journal_record - a line of journal_next() as a record
 *
 * Return: {"seq", "time_ns", "type", "trial", "body"}, owned by the caller; NULL when its body is no JSON. A mark is a record
 * of type JOURNAL_DAMAGE.
 */
json_t *journal_record(const struct journal_line *line)
{
	json_t *body, *record;

	if (line->damage)
		return json_pack("{s:I, s:I, s:s, s:{s:i, s:s}}", "seq", (json_int_t)0, "time_ns",
				 (json_int_t)line->time_ns, "type", JOURNAL_DAMAGE, "body", "line",
				 (int)line->number, "what", line->damage);
	if (line->record)
		return json_incref(line->record);
	body = scan_decode(line->body, NULL);
	if (!body)
		return NULL;
	record = json_object();
	json_object_set_new_nocheck(record, "seq", json_integer((json_int_t)line->sequence));
	json_object_set_new_nocheck(record, "time_ns", json_integer(line->time_ns));
	json_object_set_new_nocheck(record, "type",
				    json_stringn_nocheck(line->type.text, line->type.length));
	if (line->trial.text)
		json_object_set_new_nocheck(record, "trial",
					    json_stringn_nocheck(line->trial.text,
								 line->trial.length));
	json_object_set_new_nocheck(record, "body", body);
	journal_rename_older(record);
	return record;
}

/**
 * journal_check_version - refuse the journal of a later brinell
 * @body: of the run record
 *
 * Return: 0 or -ENOTSUP.
 */
int journal_check_version(struct span body, struct reason *why)
{
	int64_t version;

	if (!scan_number(scan_member(body, "journal"), &version) || version <= JOURNAL_VERSION)
		return 0;
	return fail(why, -ENOTSUP,
		    "the journal has version %" PRId64
		    "; this brinell reads up to version %d: use a later one",
		    version, JOURNAL_VERSION);
}

/**
 * journal_open_file - open the journal of a run
 * @directory: of the run
 * @flags:     of open(2)
 * @fd:        receives it
 * @why:       filled on an error
 *
 * Return: 0; -ENOENT when there is no such directory or no journal in it; -EINVAL for what is no file; -errno.
 */
int journal_open_file(const char *directory, int flags, int *fd, struct reason *why)
{
	__cleanup_free char *path = format_text("%s/%s", directory, JOURNAL_FILE);
	__cleanup_close int opened = open(path, flags | O_CLOEXEC | O_NONBLOCK);
	struct stat status;

	if (opened < 0 && (errno == ENOENT || errno == ENOTDIR))
		return fail(
			why, -errno,
			"'%s' is no directory of a run: there is no %s in it; give the directory "
			"that 'brinell run' named",
			directory, JOURNAL_FILE);
	if ((opened < 0 && errno == EISDIR) ||
	    (opened >= 0 && (fstat(opened, &status) < 0 || !S_ISREG(status.st_mode))))
		return fail(why, -EINVAL, "%s is no regular file", path);
	if (opened < 0)
		return fail(why, -errno, "opening %s: %s", path, strerror(errno));
	*fd = opened;
	opened = -1;
	return 0;
}

/**
 * journal_map - the bytes of a journal, as long as it is now
 * @fd:     of the journal
 * @text:   receives the mapped file; journal_unmap() ends it
 * @length: receives its length
 * @why:    filled on an error
 *
 * A run that goes on only appends.
 *
 * Return: 0 or -errno.
 */
int journal_map(int fd, const char **text, size_t *length, struct reason *why)
{
	struct stat status;
	void *bytes;

	*text = "";
	*length = 0;
	if (fstat(fd, &status) < 0)
		return fail(why, -errno, "reading the journal: %s", strerror(errno));
	if (!status.st_size)
		return 0;
	bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return fail(why, -errno, "reading the journal: %s", strerror(errno));
	(void)madvise(bytes, (size_t)status.st_size, MADV_SEQUENTIAL);
	*text = bytes;
	*length = (size_t)status.st_size;
	return 0;
}

/** journal_unmap - end journal_map() */
void journal_unmap(const char *text, size_t length)
{
	if (length)
		munmap((void *)text, length);
}
