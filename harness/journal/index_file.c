// SPDX-License-Identifier: GPL-2.0-only
/*
 * The index beside the journal, so that one trial of a hundred thousand is shown at once. A plain file: it is written once and
 * searched once, which needs no database. It is no evidence: judge and reports read the journal, and records found
 * through it are checked by their checksums.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/journal/index_file.h"

#define INDEX_MAGIC "brinell1"

/* The file: one header, and an entry a trial. A journal that differs in any field of the header needs another. */
struct index_header {
	char magic[8];
	uint64_t device, inode, size;
	int64_t modified_ns, changed_ns;
	uint64_t count;
	uint64_t checksum;
};

struct index_entry {
	char id[24];
	uint64_t begin, end, sequence;
	uint32_t number, finished;
};

static int64_t stamp_ns(struct timespec time)
{
	return (int64_t)time.tv_sec * NSEC_PER_SEC + time.tv_nsec;
}

static int describe(int fd, struct index_header *header)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -errno;
	*header = (struct index_header){
		.device = status.st_dev,
		.inode = status.st_ino,
		.size = (uint64_t)status.st_size,
		.modified_ns = stamp_ns(status.st_mtim),
		.changed_ns = stamp_ns(status.st_ctim),
	};
	memcpy(header->magic, INDEX_MAGIC, sizeof(header->magic));
	return 0;
}

static bool fill(struct index_entry *entry, const struct journal_index *index,
		 const struct journal_trial *trial)
{
	*entry = (struct index_entry){
		.begin = trial->begin,
		.end = trial->end,
		.sequence = trial->sequence,
		.number = trial->number,
		.finished = index->ended || trial->judged,
	};
	return (size_t)snprintf(entry->id, sizeof(entry->id), "%s", trial->id) < sizeof(entry->id);
}

/**
 * index_file_write - store an index beside its journal
 *
 * The index is optional: without it the journal is read each time. A damaged journal gets no index, so that its losses are
 * reported each time.
 */
void index_file_write(const char *directory, const struct journal_index *index)
{
	struct stat owner;
	size_t size = sizeof(struct index_header) + index->count * sizeof(struct index_entry);
	__cleanup_free struct index_header *header = malloc(size);
	struct index_entry *entries = (struct index_entry *)(header + 1);
	bool whole = !index->damage.torn_bytes && !index->mark_count;
	bool fits = whole && header && describe(index->fd, header) == 0 &&
		    header->size == index->length;

	/* Nothing is written into the directory of another user, not even by root. */
	if (stat(directory, &owner) < 0 || owner.st_uid != geteuid())
		return;

	for (size_t i = 0; fits && i < index->count; i++)
		fits = fill(&entries[i], index, &index->trials[i]);
	if (!fits)
		return;
	header->count = index->count;
	header->checksum = crc32c(0, entries, size - sizeof(*header));
	(void)write_file_atomically(directory, JOURNAL_INDEX_FILE, header, size);
}

static struct index_header *read_index(const char *directory, int journal)
{
	__cleanup_free char *path = format_text("%s/%s", directory, JOURNAL_INDEX_FILE);
	__cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	__cleanup_free struct index_header *header = NULL;
	struct index_header expected;
	struct stat status;
	size_t size;

	if (fd < 0 || describe(journal, &expected) || fstat(fd, &status) < 0 ||
	    !S_ISREG(status.st_mode) || status.st_size < (off_t)sizeof(*header))
		return NULL;
	size = (size_t)status.st_size;
	header = malloc(size);
	if (!header || read(fd, header, size) != (ssize_t)size)
		return NULL;
	expected.count = (size - sizeof(*header)) / sizeof(struct index_entry);
	expected.checksum = crc32c(0, header + 1, size - sizeof(*header));
	return memcmp(header, &expected, sizeof(expected)) == 0 ? steal(header) : NULL;
}

static const struct index_entry *find_entry(const struct index_header *header, const char *wanted)
{
	const struct index_entry *entries = (const struct index_entry *)(header + 1);

	for (size_t i = 0; i < header->count; i++)
		if (memchr(entries[i].id, '\0', sizeof(entries[i].id)) &&
		    journal_id_matches(entries[i].id, wanted))
			return &entries[i];
	return NULL;
}

/**
 * journal_lookup - the records of one trial, found by the index beside the journal
 * @directory: of the run
 * @wanted:    id of the trial, as a user writes it
 * @id:        receives the id; owned by the caller
 * @records:   receives what journal_index_records() gives; owned by the caller
 *
 * Return: 0; -ENOENT when there is no index of this very journal, or the trial is not in it or has not ended: then the journal
 * must be read.
 */
int journal_lookup(const char *directory, const char *wanted, char **id, json_t **records)
{
	__cleanup_free struct index_header *header = NULL;
	__cleanup_json json_t *all = NULL;
	__cleanup_close int fd = -1;
	const struct index_entry *entry;
	struct journal_reader reader = {0};
	struct reason why;
	const char *text;
	size_t length;

	if (journal_open_file(directory, O_RDONLY, &fd, &why))
		return -ENOENT;
	header = read_index(directory, fd);
	entry = header ? find_entry(header, wanted) : NULL;
	if (!entry || !entry->finished || entry->begin >= entry->end || entry->end > header->size ||
	    journal_map(fd, &text, &length, &why))
		return -ENOENT;
	if (entry->end <= length) {
		reader = (struct journal_reader){
			.text = text + entry->begin,
			.length = entry->end - entry->begin,
			.number = entry->number - 1,
			.sequence = entry->sequence - 1,
		};
		all = journal_window(&reader, entry->id);
		*id = xstrdup(entry->id);
	}
	journal_unmap(text, length);
	*records = steal(all);
	return *records ? 0 : -ENOENT;
}
