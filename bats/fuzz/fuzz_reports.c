// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz: a journal that was cut off, edited by hand or put together from several is judged and shown in every format. Whatever
 * it says, pages and XML stay well-formed, JSON can be read again, KTAP stays KTAP, nothing is drawn at no number, and no
 * report grows out of proportion.
 *
 * Input: lines of records {"type", "trial", "time_ns", "body"}, which are sealed here. They are changed as records: left out,
 * doubled, moved, and with other values in them.
 *
 * rooms: reports/html
 */
#include <string.h>

#include "bats/unit/judge_records.h"
#include "harness/journal/journal.h"
#include "harness/judge/judge.h"
#include "reports/report.h"
#include "reports/story.h"
#include "reports/table.h"

#define DEPTH_MOST 64
/* What a page has before its first trial, and what a byte of the journal may become: a short event is a mark in four pictures. */
#define SIZE_LEAST (256u << 10)
#define SIZE_GROWTH 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

static void die(const char *what, const char *output, const char *at)
{
	fprintf(stderr, "%s: ...%.*s\n", what, 400, at - output > 200 ? at - 200 : output);
	abort();
}

static bool is_void(const char *name, size_t length)
{
	static const char *const names[] = {"meta", "br", "!doctype", "?xml"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i]) == length && strncasecmp(name, names[i], length) == 0)
			return true;
	return false;
}

/* The end of a tag: '>' outside of what is quoted. */
static const char *end_of_tag(const char *output, const char *at)
{
	char quote = 0;
	const char *from = at;

	for (; *at && (quote || *at != '>'); at++) {
		if (*at == '<' && at > from)
			die("a tag in a tag", output, at);
		if (quote ? *at == quote : *at == '"' || *at == '\'')
			quote = quote ? 0 : *at;
	}
	if (!*at)
		die("a tag without an end", output, from);
	return at;
}

static void check_attributes(const char *output, const char *tag, const char *end)
{
	static const char *const wrong[] = {"=\"nan\"", "=\"-nan\"", "=\"inf\"", "=\"-inf\"",
					    "d=\"Mnan", "d=\"M-nan", "d=\"Minf", "d=\"M-inf"};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (memmem(tag, (size_t)(end - tag), wrong[i], strlen(wrong[i])))
			die("no number", output, tag);
}

/* Every element ends, in order. */
static void check_markup(const char *output)
{
	struct {
		const char *name;
		size_t length;
	} open[DEPTH_MOST];
	size_t depth = 0;

	for (const char *at = strchr(output, '<'); at; at = strchr(at, '<')) {
		const char *end = end_of_tag(output, at), *name = at + 1 + (at[1] == '/');
		size_t length = strcspn(name, " \n\t/>");

		check_attributes(output, at, end);
		if (at[1] == '/') {
			if (!depth || open[depth - 1].length != length ||
			    strncmp(open[depth - 1].name, name, length) != 0)
				die("an end of another element", output, at);
			depth--;
		} else if (end[-1] != '/' && !is_void(name, length)) {
			if (depth == DEPTH_MOST)
				die("too deep", output, at);
			open[depth].name = name;
			open[depth++].length = length;
		}
		at = end;
		if (length == 6 && strncmp(name, "script", 6) == 0 && name[-1] == '<')
			at = strstr(end, "</script>");
	}
	if (depth)
		die("an element without an end", output, open[depth - 1].name);
}

static void check_ktap(const char *output)
{
	static const char *const begins[] = {"KTAP version 1\n", "1..", "ok ", "not ok ", "# "};

	for (const char *line = output; *line; line = strchr(line, '\n') + 1) {
		size_t i = 0;

		while (i < ARRAY_SIZE(begins) && strncmp(line, begins[i], strlen(begins[i])) != 0)
			i++;
		if (i == ARRAY_SIZE(begins) || !strchr(line, '\n'))
			die("no line of KTAP", output, line);
	}
}

/* Each line is a comment or a sample, and the last is "# EOF". */
static void check_openmetrics(const char *output)
{
	const char *line = output, *next;

	for (; (next = strchr(line, '\n')) && next[1]; line = next + 1)
		if (*line != '#' && strncmp(line, "brinell_", 8) != 0)
			die("no line of OpenMetrics", output, line);
	if (strcmp(line, "# EOF\n") != 0)
		die("no end", output, line);
}

static void check(const char *format, const char *output, size_t length)
{
	__cleanup_json json_t *readable = json_stringn(output, length);

	if (!readable)
		die("no UTF-8", output, output);
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)output[i] < ' ' && output[i] != '\n' && output[i] != '\t' &&
		    !(output[i] == '\r' && is_one_of(format, "csv", "otava")))
			die("a control character", output, output + i);
	if (strcmp(format, "html") == 0 || strcmp(format, "junit") == 0)
		check_markup(output);
	if (strcmp(format, "openmetrics") == 0)
		check_openmetrics(output);
	if (strcmp(format, "ktap") == 0)
		check_ktap(output);
	if (strcmp(format, "json") == 0) {
		__cleanup_json json_t *again = json_loadb(output, length, 0, NULL);

		if (!again)
			die("no JSON", output, output);
	}
}

static void report(const json_t *records, const char *journal, size_t size)
{
	__cleanup_json json_t *results = judge_journal(journal, size);
	const json_t *result;
	size_t length, index;

	for (size_t i = 0; i < report_count(); i++) {
		__cleanup_free char *text = render_journal(report_at(i), journal, size);

		if (!text)
			die(report_at(i)->name, "not written", "not written");
		length = strlen(text);
		if (length > SIZE_LEAST + size * SIZE_GROWTH)
			die("far too long", text, text);
		check(report_at(i)->name, text, length);
	}
	json_array_foreach (json_object_get(results, "trials"), index, result) {
		__cleanup_json json_t *story = story_of(records, json_text(result, "trial", ""));

		if (!json_is_array(story))
			abort();
	}
	{
		__cleanup_free char *text = NULL;
		FILE *out = open_memstream(&text, &length);

		print_table(out, results);
		fclose(out);
	}
}

/* Lines that are no records are left out. */
static json_t *read_lines(const char *text, size_t size)
{
	json_t *lines = json_array();

	for (size_t at = 0; at < size;) {
		const char *newline = memchr(text + at, '\n', size - at);
		size_t length = newline ? (size_t)(newline - text) - at : size - at;
		json_t *line = json_loadb(text + at, length, 0, NULL);

		if (json_is_object(line))
			json_array_append(lines, line);
		json_decref(line);
		at += length + 1;
	}
	return lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	__cleanup_json json_t *lines = read_lines((const char *)data, size);
	__cleanup_json json_t *empty = json_object();
	__cleanup_json json_t *records = NULL;
	__cleanup_free char *journal = NULL;
	struct journal_damage damage;
	struct reason why;
	const json_t *line;
	size_t index, length;
	FILE *out = open_memstream(&journal, &length);

	json_array_foreach (lines, index, line) {
		const json_t *body = json_object_get(line, "body");
		__cleanup_free char *sealed =
			journal_encode(index + 1, json_number(line, "time_ns", 0),
				       json_text(line, "type", "event"),
				       json_text(line, "trial", NULL),
				       json_is_object(body) ? body : empty);

		if (sealed)
			fputs(sealed, out);
	}
	fclose(out);
	if (journal_parse(journal, length, &records, &damage, &why) == 0)
		report(records, journal, length);
	return 0;
}

static uint64_t state;

static size_t random_below(size_t limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return limit ? (size_t)(state % limit) : 0;
}

static json_t *odd_value(const json_t *lines, const json_t *before)
{
	static const int64_t numbers[] = {0,	     1,		-1,	    7,
					  1000,	     1000000,	1000000000, -1000000000,
					  INT32_MAX, INT64_MAX, INT64_MIN};
	static const char *const texts[] = {"",
					    "g1",
					    "h0",
					    "h1",
					    "0001",
					    "0002",
					    "victim",
					    "gap",
					    "beat",
					    "silent",
					    "clock",
					    "hello",
					    "heartbeat",
					    "migration",
					    "end",
					    "stage",
					    "progress",
					    "post-copy",
					    "pre-copy",
					    "switchover",
					    "completed",
					    "<b>&amp;\"'",
					    "]]>-->",
					    "\x01\x1b[31m\r\n# not ok",
					    "\xef\xbf\xbf",
					    "%s%n",
					    "0x7f00"};
	const json_t *other = json_array_get(lines, random_below(json_array_size(lines)));

	switch (random_below(12)) {
	case 0:
		return json_null();
	case 1:
		return json_pack("[{s:s}, i]", "event", "stage", 1);
	case 2:
		return json_real(random_below(2) ? 1e308 : -0.5);
	case 3:
		return json_boolean(random_below(2));
	case 4:
		return json_deep_copy(json_object_get(other, "body"));
	case 5:
		return json_deep_copy(json_object_get(other, "time_ns"));
	case 6:
		return json_sprintf("%0*d", (int)random_below(600), 7);
	case 7:
	case 8:
		return json_string(texts[random_below(ARRAY_SIZE(texts))]);
	default:
		break;
	}
	if (json_is_integer(before) && random_below(2))
		return json_integer((json_int_t)((uint64_t)json_integer_value(before) +
						 (uint64_t)random_below(4000000000) - 2000000000u));
	return json_integer(numbers[random_below(ARRAY_SIZE(numbers))]);
}

/* Another value, or none, somewhere in a record. */
static void change_value(const json_t *lines, json_t *in)
{
	for (;;) {
		size_t size = json_is_object(in) ? json_object_size(in) : json_array_size(in);
		size_t wanted = random_below(size), at = 0;
		json_t *value = json_array_get(in, wanted), *odd;
		void *member = json_is_object(in) ? json_object_iter(in) : NULL;

		if (!size)
			return;
		while (member && at++ < wanted)
			member = json_object_iter_next(in, member);
		value = member ? json_object_iter_value(member) : value;
		if ((json_is_object(value) || json_is_array(value)) && random_below(8)) {
			in = value;
			continue;
		}
		if (member && !random_below(8)) {
			json_object_del(in, json_object_iter_key(member));
			return;
		}
		odd = odd_value(lines, value);
		if (member && odd)
			json_object_iter_set_new(in, member, odd);
		else if (odd)
			json_array_set_new(in, wanted, odd);
		return;
	}
}

static void change(json_t *lines)
{
	size_t count = json_array_size(lines), at = random_below(count);
	json_t *line = json_array_get(lines, at);

	switch (random_below(8)) {
	case 0:
		json_array_remove(lines, at);
		return;
	case 1:
		json_array_insert_new(lines, random_below(count + 1), json_deep_copy(line));
		return;
	case 2:
		json_incref(line);
		json_array_remove(lines, at);
		json_array_insert_new(lines, random_below(count), line);
		return;
	default:
		change_value(lines, line);
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned int seed)
{
	__cleanup_json json_t *lines = read_lines((const char *)data, size);
	__cleanup_free char *text = NULL;
	const json_t *line;
	size_t index, length;
	FILE *out;

	state = (uint64_t)seed * 0x9e3779b97f4a7c15 + 1;
	if (!json_array_size(lines) || !random_below(20))
		return LLVMFuzzerMutate(data, size, most);
	for (size_t i = random_below(4) + 1; i && json_array_size(lines); i--)
		change(lines);
	out = open_memstream(&text, &length);
	json_array_foreach (lines, index, line) {
		(void)json_dumpf(line, out, JSON_COMPACT);
		fputc('\n', out);
	}
	fclose(out);
	if (length > most)
		return LLVMFuzzerMutate(data, size, most);
	memcpy(data, text, length);
	return length;
}
