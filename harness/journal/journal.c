// SPDX-License-Identifier: GPL-2.0-only
/*
 * The journal's writer: one JSON line a record, one write(2) a line, durable where a crash must not
 * lose it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>

#include "harness/journal/line.h"
#include "harness/journal/reader.h"

/**
 * struct journal - an open journal
 * @directory: of the run
 * @fd:        of the file, with the lock against a second writer
 * @sequence:  number of the last record
 * @failure:   why no more is written; empty without an error
 * @error:     -errno that goes with @failure
 */
struct journal {
	char *directory;
	int fd;
	uint64_t sequence;
	struct reason failure;
	int error;
};

/* The records that must be on the disk before the run continues. */
static bool durable(const char *type)
{
	return is_one_of(type, "intent", "outcome", "close", "verdict", "run", "resume", "end");
}

/*
 * A JSON string literal. Names and ids need no escaping, which spares the slow way for nearly all
 * of them.
 */
static char *quoted(const char *text)
{
	__cleanup_json json_t *string = NULL;
	char *dumped = NULL;

	if (text[strspn(text,
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./")] ==
	    '\0')
		return format_text("\"%s\"", text);
	string = json_string(text);
	if (string)
		dumped = json_dumps(string, JSON_ENCODE_ANY | JSON_COMPACT);
	return dumped ? dumped : strdup("\"?\"");
}

/* A line with its checksum and newline, of a body that is JSON already. */
static char *encode_text(uint64_t sequence, int64_t time_ns, const char *type, const char *trial,
			 const char *content)
{
	__cleanup_free char *kind = quoted(type);
	__cleanup_free char *id = trial ? quoted(trial) : NULL;
	char *line, *seal, sum[9];

	/* The seal is filled in below: its own bytes are not part of the sum. */
	line = format_text("{\"seq\":%" PRIu64 ",\"time_ns\":%" PRId64
			   ",\"type\":%s%s%s,\"body\":%s,\"crc\":\"xxxxxxxx\"}\n",
			   sequence, time_ns, kind, id ? ",\"trial\":" : "", id ? id : "", content);
	seal = line + strlen(line) - 1 - JOURNAL_SEAL;
	snprintf(sum, sizeof(sum), "%08" PRIx32, crc32c(0, line, (size_t)(seal - line)));
	memcpy(seal + 8, sum, 8);
	return line;
}

/**
 * journal_encode - one line of a journal
 * @sequence: number of the record, from 1
 * @time_ns:  CLOCK_REALTIME of the controller
 * @type:     of the record
 * @trial:    id, or NULL for a record of the whole run
 * @body:     JSON object
 *
 * Return: the line with its checksum and newline, owned by the caller; NULL when @body can not be
 * written as JSON.
 */
char *journal_encode(uint64_t sequence, int64_t time_ns, const char *type, const char *trial,
		     const json_t *body)
{
	__cleanup_free char *content = json_dumps(body, JSON_COMPACT);

	return content ? encode_text(sequence, time_ns, type, trial, content) : NULL;
}

static int sync_directory(const char *directory)
{
	__cleanup_close int folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return folder < 0 || fsync(folder) < 0 ? -errno : 0;
}

static void journal_free(struct journal *journal)
{
	if (!journal)
		return;
	if (journal->fd >= 0)
		close(journal->fd);
	free(journal->directory);
	free(journal);
}

static void cleanup_journal(struct journal **journal)
{
	journal_free(*journal);
}

static struct journal *journal_new(const char *directory)
{
	struct journal *journal = xzalloc(sizeof(*journal));

	journal->fd = -1;
	journal->directory = xstrdup(directory);
	return journal;
}

static int lock(const struct journal *journal, const char *path, struct reason *why)
{
	if (flock(journal->fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return fail(why, -EBUSY,
			    "%s is being written by another brinell: wait until it has ended, or "
			    "end it",
			    path);
	return fail(why, -errno, "locking %s: %s", path, strerror(errno));
}

/**
 * journal_create - begin the journal of a new run
 * @directory: of the run; it must exist and hold no journal
 * @journal:   receives the journal, to be given to journal_close()
 * @why:       filled on an error
 *
 * File and directory entry are on the disk when it returns, and no second writer can open the
 * journal.
 *
 * Return: 0; -EEXIST when there is one already; -EBUSY when another brinell has it; -errno.
 */
int journal_create(const char *directory, struct journal **journal, struct reason *why)
{
	__attribute__((cleanup(cleanup_journal))) struct journal *created = journal_new(directory);
	__cleanup_free char *path = format_text("%s/%s", directory, JOURNAL_FILE);
	int error;

	created->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (created->fd < 0 && errno == EEXIST)
		return fail(
			why, -EEXIST,
			"%s holds a run already: give another directory, or finish that run with "
			"'brinell resume %s'",
			directory, directory);
	if (created->fd < 0)
		return fail(why, -errno, "creating %s: %s", path, strerror(errno));
	error = lock(created, path, why);
	if (error)
		return error;
	if (fsync(created->fd) < 0)
		return fail(why, -errno, "writing %s to the disk: %s", path, strerror(errno));
	error = sync_directory(directory);
	if (error)
		return fail(why, error, "writing the directory %s to the disk: %s", directory,
			    strerror(-error));
	*journal = steal(created);
	return 0;
}

/*
 * Moves a torn tail into a file of its own beside the journal. Evidence is never discarded, not
 * even an incomplete record.
 */
static int cut_torn_tail(const struct journal *journal, const char *path, const char *text,
			 size_t length, const struct journal_end *end, struct reason *why)
{
	__cleanup_free char *name = NULL;
	int error;

	for (unsigned int copy = 0;; copy++) {
		__cleanup_free char *taken = NULL;

		free(name);
		name = copy ? format_text("%s.torn-%" PRIu64 ".%u", JOURNAL_FILE, end->sequence + 1,
					  copy)
			    : format_text("%s.torn-%" PRIu64, JOURNAL_FILE, end->sequence + 1);
		taken = format_text("%s/%s", journal->directory, name);
		if (access(taken, F_OK) != 0)
			break;
	}
	error = write_file_atomically(journal->directory, name, text + end->bytes,
				      length - end->bytes);
	if (error)
		return fail(why, error, "keeping the torn end of %s as %s: %s", path, name,
			    strerror(-error));
	if (ftruncate(journal->fd, (off_t)end->bytes) < 0 || fsync(journal->fd) < 0)
		return fail(why, -errno, "cutting the torn end off %s: %s", path, strerror(errno));
	return 0;
}

/**
 * journal_open - continue the journal of a run that was cut off
 * @directory: of the run
 * @journal:   receives the journal, to be given to journal_close()
 * @damage:    receives its damage; may be NULL
 * @why:       filled on an error
 *
 * A torn tail is cut off and kept beside as journal.jsonl.torn-SEQ, SEQ being the number of the
 * record that it was to be. The lock is taken before the file is read: a record that a running writer
 * is writing is no torn tail.
 *
 * Return: 0; -ENOENT; -EBUSY; what journal_parse() returns; -errno.
 */
int journal_open(const char *directory, struct journal **journal, struct journal_damage *damage,
		 struct reason *why)
{
	__attribute__((cleanup(cleanup_journal))) struct journal *opened = journal_new(directory);
	__cleanup_free char *path = format_text("%s/%s", directory, JOURNAL_FILE);
	struct reason inner = {""};
	struct journal_end end;
	const char *text;
	size_t length;
	int error;

	error = journal_open_file(directory, O_RDWR | O_APPEND, &opened->fd, why)
			?: lock(opened, path, why)
			?: journal_map(opened->fd, &text, &length, why);
	if (error)
		return error;
	error = journal_scan(text, length, NULL, damage, &end, &inner);
	if (error)
		fail(why, error, "%s: %s", path, inner.text);
	else if (end.bytes == 0)
		error = fail(why, -ENODATA,
			     "%s holds no whole record: nothing of that run was started, or it is "
			     "no journal; "
			     "it was left as it is. Begin a new run",
			     path);
	else if (end.bytes < length)
		error = cut_torn_tail(opened, path, text, length, &end, why);
	journal_unmap(text, length);
	if (error)
		return error;
	opened->sequence = end.sequence;
	*journal = steal(opened);
	return 0;
}

static int stop(struct journal *journal, int error, const char *what)
{
	journal->error = error;
	fail(&journal->failure, error,
	     "%s record %" PRIu64
	     " of %s/%s failed: %s; the run ends here, because what it would do next "
	     "could not be recorded. Look at the disk (space, health), then 'brinell resume %s'",
	     what, journal->sequence + 1, journal->directory, JOURNAL_FILE, strerror(-error),
	     journal->directory);
	log_error("%s", journal->failure.text);
	return error;
}

static int append_line(struct journal *journal, const char *type, const char *line)
{
	size_t length = strlen(line);
	int error = write_all(journal->fd, line, length);

	if (error)
		return stop(journal, error, "writing");
	if (durable(type) && fdatasync(journal->fd) < 0)
		return stop(journal, -errno, "storing");
	journal->sequence++;
	return 0;
}

/**
 * journal_append_at - write one record
 * @journal: open journal
 * @time_ns: of the record, CLOCK_REALTIME
 * @type:    of the record (docs/journal.md)
 * @trial:   id, or NULL for a record of the whole run
 * @body:    JSON object; its reference is taken over, also on an error, and it must not be changed
 *           any more
 *
 * Records that a crash must not undo (run, resume, intent, outcome, close, verdict, end) are on the
 * disk when it returns; fdatasync() takes all records before them along. After one failed write
 * nothing more is written: a page that could not be stored may be marked clean, so that a second
 * sync could succeed without the data on disk.
 *
 * Return: 0; -EINVAL for a body that is no object; the first -errno of the disk from then on.
 */
int journal_append_at(struct journal *journal, int64_t time_ns, const char *type, const char *trial,
		      json_t *body)
{
	__cleanup_json json_t *content = body;
	__cleanup_free char *line = NULL;

	if (journal->error)
		return journal->error;
	if (!json_is_object(content))
		return -EINVAL;
	line = journal_encode(journal->sequence + 1, time_ns, type, trial, content);
	return line ? append_line(journal, type, line) : -EINVAL;
}

/**
 * journal_append_text - write one record of the whole run, whose body is text
 * @journal: open journal
 * @type:    of the record
 * @body:    a JSON object; borrowed
 *
 * Return: as journal_append_at().
 */
int journal_append_text(struct journal *journal, const char *type, const char *body)
{
	__cleanup_free char *line =
		encode_text(journal->sequence + 1, now_realtime_ns(), type, NULL, body);

	return journal->error ? journal->error : append_line(journal, type, line);
}

/** journal_append - write one record of now; as journal_append_at() */
int journal_append(struct journal *journal, const char *type, const char *trial, json_t *body)
{
	return journal_append_at(journal, now_realtime_ns(), type, trial, body);
}

/**
 * journal_failure - why the journal takes no more records
 *
 * Return: text for the user, borrowed; NULL without an error.
 */
const char *journal_failure(const struct journal *journal)
{
	return journal->error ? journal->failure.text : NULL;
}

/**
 * journal_close - store all records, release the lock and free the journal
 * @journal: may be NULL
 *
 * Return: 0, or the -errno with which the disk had failed.
 */
int journal_close(struct journal *journal)
{
	int error;

	if (!journal)
		return 0;
	error = journal->error;
	if (!error && fdatasync(journal->fd) < 0)
		error = stop(journal, -errno, "storing");
	journal_free(journal);
	return error;
}
