// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz: a journal of any bytes is read, judged and reported without a crash or a leak. The input is
 * tried twice: as the bytes of a file, and, so that the fuzzer need not guess checksums, as JSON
 * bodies that are sealed here: each line is a record {"type", "trial", "body", "time_ns"}.
 *
 * rooms: reports/html
 */
#include <string.h>

#include "bats/unit/judge_records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge_and_report(const json_t *records, const char *text, size_t length)
{
	__cleanup_json json_t *results = judge_journal(text, length);
	__cleanup_free char *table = NULL;
	size_t size;
	FILE *out = open_memstream(&table, &size);

	(void)judge_exit_code(results);
	(void)judge_is_settled(records, "0001");
	for (size_t i = 0; i < report_count(); i++)
		free(render_journal(report_at(i), text, length));
	print_table(out, results);
	fclose(out);
}

static void try_bytes(const char *text, size_t length)
{
	__cleanup_json json_t *records = NULL;
	struct journal_damage damage;
	struct reason why;

	if (journal_parse(text, length, &records, &damage, &why) == 0)
		judge_and_report(records, text, length);
}

static void append_sealed(FILE *out, uint64_t sequence, const char *line, size_t length)
{
	__cleanup_json json_t *given = json_loadb(line, length, JSON_ALLOW_NUL, NULL);
	__cleanup_json json_t *empty = json_object();
	const json_t *body = json_object_get(given, "body");
	__cleanup_free char *sealed = NULL;

	sealed = journal_encode(sequence, json_number(given, "time_ns", 0),
				json_text(given, "type", "event"), json_text(given, "trial", NULL),
				json_is_object(body) ? body : empty);
	if (sealed)
		fputs(sealed, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	__cleanup_free char *sealed = NULL;
	uint64_t sequence = 0;
	size_t length;
	FILE *out;

	try_bytes(text, size);
	out = open_memstream(&sealed, &length);
	for (size_t at = 0; at < size;) {
		const char *newline = memchr(text + at, '\n', size - at);
		size_t line = newline ? (size_t)(newline - text) - at : size - at;

		append_sealed(out, ++sequence, text + at, line);
		at += line + 1;
	}
	fclose(out);
	try_bytes(sealed, length);
	return 0;
}
