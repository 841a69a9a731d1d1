// SPDX-License-Identifier: GPL-2.0-only
/*
 * The journal against a bare loop of write and fdatasync of the same bytes on the same file system, turn by turn in one
 * run, so that a disk that grows slower slows both. Prints one ratio a round and their median.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "harness/journal/journal.h"

#define ROUNDS 9
#define RECORDS 200
#define TURN 10

static json_t *outcome(int index)
{
	return json_pack("{s:s, s:i, s:s, s:{s:s, s:i}}", "injector", "einj", "error", 0, "reason",
			 "", "result", "address", "0x12345000", "index", index);
}

static int64_t time_journal(struct journal *journal, int count)
{
	int64_t began = now_monotonic_ns();

	for (int i = 0; i < count; i++)
		if (journal_append(journal, "outcome", "0001", outcome(i)))
			exit(1);
	return now_monotonic_ns() - began;
}

static int64_t time_bare(int fd, const char *line, int count)
{
	int64_t began = now_monotonic_ns();

	for (int i = 0; i < count; i++)
		if (write_all(fd, line, strlen(line)) || fdatasync(fd))
			exit(1);
	return now_monotonic_ns() - began;
}

static int compare(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return a < b ? -1 : a > b;
}

int main(int argc, char **argv)
{
	const char *directory = argc > 1 ? argv[1] : ".";
	__cleanup_free char *bare = format_text("%s/bare.jsonl", directory);
	__cleanup_json json_t *body = outcome(0);
	__cleanup_free char *line = journal_encode(1, now_realtime_ns(), "outcome", "0001", body);
	__cleanup_close int fd = open(bare, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	double ratios[ROUNDS];
	struct journal *journal;
	struct reason why = {0};

	if (fd < 0 || journal_create(directory, &journal, &why)) {
		fprintf(stderr, "%s: %s\n", directory, why.text);
		return 1;
	}
	(void)time_journal(journal, RECORDS);
	(void)time_bare(fd, line, RECORDS);
	for (int round = 0; round < ROUNDS; round++) {
		int64_t ours = 0, theirs = 0;

		/* In short turns, so that a disk that is slow for a moment slows both. */
		for (int done = 0; done < RECORDS; done += TURN) {
			theirs += time_bare(fd, line, TURN);
			ours += time_journal(journal, TURN);
		}
		ratios[round] = (double)theirs / (double)ours;
		printf("round %d: %.0f records/s by the journal, %.0f bare, ratio %.2f\n",
		       round + 1, RECORDS * 1e9 / (double)ours, RECORDS * 1e9 / (double)theirs,
		       ratios[round]);
	}
	journal_close(journal);
	qsort(ratios, ROUNDS, sizeof(ratios[0]), compare);
	printf("journal rate / bare rate: median %.2f (min %.2f, max %.2f), %d rounds of %d "
	       "records\n",
	       ratios[ROUNDS / 2], ratios[0], ratios[ROUNDS - 1], ROUNDS, RECORDS);
	return 0;
}
