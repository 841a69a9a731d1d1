// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: journals of many trials, multiplied from a real one, and what a command costs on them.
 *
 *	scale multiply JOURNAL-DIR TRIALS DIR	the trials of a run again and again
 *	scale crc FILE				one pass of CRC-32C
 *	scale measure COMMAND...		seconds, processor seconds and peak memory in kB of a command
 *
 * rooms: harness/journal
 */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "harness/journal/index.h"
#include "harness/journal/line.h"

struct copying {
	const struct journal_index *index;
	FILE *out;
	uint64_t sequence;
	int64_t shift_ns;
	char *line;
	size_t length;
};

static void seal(struct copying *copying, FILE *stream)
{
	fflush(stream);
	fwrite(copying->line, 1, copying->length, copying->out);
	fprintf(copying->out, ",\"crc\":\"%08" PRIx32 "\"}\n",
		crc32c(0, copying->line, copying->length));
	fclose(stream);
	free(copying->line);
	copying->line = NULL;
}

static FILE *begin(struct copying *copying, const struct journal_line *line)
{
	FILE *stream = open_memstream(&copying->line, &copying->length);

	if (!stream)
		abort();
	fprintf(stream, "{\"seq\":%" PRIu64 ",\"time_ns\":%" PRId64 ",\"type\":\"%.*s\"",
		++copying->sequence, line->time_ns + copying->shift_ns, (int)line->type.length,
		line->type.text);
	return stream;
}

/* A time of the run, of nineteen digits. */
static bool is_time(const struct copying *copying, struct span rest, int64_t *time)
{
	const struct span number = {rest.text, strspn(rest.text, "0123456789")};

	return number.length == 19 && number.length < rest.length && scan_number(number, time) &&
	       *time >= copying->index->first_ns - 3600 * NSEC_PER_SEC &&
	       *time <= copying->index->last_ns + 3600 * NSEC_PER_SEC;
}

/* The body with the id of another trial and at another time. */
static void put_body(struct copying *copying, FILE *stream, struct span body, const char *old,
		     const char *id)
{
	__cleanup_free char *named = format_text("\"trial\":\"%s\"", old);
	size_t length = strlen(named);
	int64_t time;

	for (size_t at = 0; at < body.length; at++) {
		const struct span rest = {body.text + at, body.length - at};
		bool number = body.text[at] >= '0' && body.text[at] <= '9' &&
			      (body.text[at - 1] < '0' || body.text[at - 1] > '9');

		if (rest.length > length && memcmp(rest.text, named, length) == 0) {
			fprintf(stream, "\"trial\":\"%s\"", id);
			at += length - 1;
		} else if (number && is_time(copying, rest, &time)) {
			fprintf(stream, "%" PRId64, time + copying->shift_ns);
			at += 18;
		} else {
			putc_unlocked(body.text[at], stream);
		}
	}
}

static void copy_trial(struct copying *copying, const struct journal_trial *trial, const char *id)
{
	struct journal_reader reader = {
		.text = copying->index->text + trial->begin,
		.length = trial->end - trial->begin,
		.sequence = trial->sequence - 1,
	};
	struct journal_line line;

	while (journal_next(&reader, &line)) {
		FILE *stream = begin(copying, &line);

		if (line.trial.text)
			fprintf(stream, ",\"trial\":\"%s\"", id);
		fputs(",\"body\":", stream);
		put_body(copying, stream, line.body, trial->id, id);
		seal(copying, stream);
	}
	journal_reader_close(&reader);
}

static void put_plan(const struct journal_index *index, FILE *stream, struct span plan,
		     size_t trials)
{
	struct span entries[1000], entry;
	size_t count = 0;

	while (count < ARRAY_SIZE(entries) && scan_next(&plan, '[', NULL, &entry))
		entries[count++] = entry;
	if (count != index->planned)
		abort();
	for (size_t i = 0; i < trials; i++) {
		struct span rest = entries[i % count], key, value;

		fprintf(stream, "%c{\"trial\":\"%04zu\"", i ? ',' : '[', i + 1);
		while (scan_next(&rest, '{', &key, &value))
			if (!span_is(key, "trial"))
				fprintf(stream, ",\"%.*s\":%.*s", (int)key.length, key.text,
					(int)value.length, value.text);
		fputc('}', stream);
	}
	fputc(']', stream);
}

static void copy_run(struct copying *copying, size_t trials)
{
	struct span rest = copying->index->run, key, value;
	const struct journal_line line = {.type = {"run", 3}, .time_ns = copying->index->first_ns};
	FILE *stream = begin(copying, &line);
	char separator = '{';

	fputs(",\"body\":", stream);
	while (scan_next(&rest, '{', &key, &value)) {
		fprintf(stream, "%c\"%.*s\":", separator, (int)key.length, key.text);
		separator = ',';
		if (span_is(key, "plan"))
			put_plan(copying->index, stream, value, trials);
		else
			fwrite(value.text, 1, value.length, stream);
	}
	fputc('}', stream);
	seal(copying, stream);
}

static void copy_end(struct copying *copying, size_t trials)
{
	const struct journal_line line = {.type = {"end", 3}, .time_ns = copying->index->last_ns};
	FILE *stream = begin(copying, &line);
	size_t passed = 0;

	for (size_t i = 0; i < trials; i++)
		passed += strcmp(copying->index->trials[i % copying->index->count].recorded,
				 "pass") == 0;
	fprintf(stream, ",\"body\":{\"verdicts\":{\"pass\":%zu,\"other\":%zu}}", passed,
		trials - passed);
	seal(copying, stream);
}

static int multiply(const char *from, size_t trials, const char *to)
{
	__cleanup_index struct journal_index *index = NULL;
	__cleanup_free char *path = format_text("%s/%s", to, JOURNAL_FILE);
	struct copying copying = {0};
	struct reason why;
	int64_t length;

	if (make_directories(to) || journal_index_open(from, &index, &why) ||
	    !(copying.out = fopen(path, "we")))
		return 1;
	copying.index = index;
	length = index->last_ns - index->first_ns;
	copy_run(&copying, trials);
	for (size_t i = 0; i < trials; i++) {
		char id[24];

		snprintf(id, sizeof(id), "%04zu", i + 1);
		copying.shift_ns = (int64_t)(i / index->count) * length;
		copy_trial(&copying, &index->trials[i % index->count], id);
	}
	copy_end(&copying, trials);
	return fclose(copying.out) != 0;
}

static int check(const char *path)
{
	static char buffer[1 << 20];
	__cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint32_t sum = 0;
	ssize_t got;

	while ((got = read(fd, buffer, sizeof(buffer))) > 0)
		sum = crc32c(sum, buffer, (size_t)got);
	printf("%08" PRIx32 "\n", sum);
	return fd < 0;
}

static int measure(char **command)
{
	int64_t began = now_monotonic_ns();
	pid_t child = fork();
	struct rusage usage;
	int status;

	if (child == 0) {
		dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
		execvp(command[0], command);
		_exit(127);
	}
	if (wait4(child, &status, 0, &usage) < 0)
		return 1;
	printf("%.2f %.2f %ld\n", (double)(now_monotonic_ns() - began) / 1e9,
	       (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
	       usage.ru_maxrss);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "multiply") == 0)
		return multiply(argv[2], strtoul(argv[3], NULL, 10), argv[4]);
	if (argc == 3 && strcmp(argv[1], "crc") == 0)
		return check(argv[2]);
	if (argc > 2 && strcmp(argv[1], "measure") == 0)
		return measure(argv + 2);
	fprintf(stderr,
		"usage: scale multiply DIR TRIALS DIR, scale crc FILE, scale measure COMMAND...\n");
	return 2;
}
