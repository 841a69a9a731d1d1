// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the journal survives what can happen to it: a kill at any byte, flipped bits, a full
 * disk, a second writer, a later version.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "harness/journal/index.h"

#include <cmocka.h>

static int make_directory(void **state)
{
	static char directory[64];

	strcpy(directory, "/tmp/brinell-test-XXXXXX");
	*state = mkdtemp(directory);
	log_level_set(2);
	return *state ? 0 : -1;
}

static int remove_directory(void **state)
{
	__cleanup_free char *command = format_text("rm -rf '%s'", (char *)*state);

	return system(command);
}

static void write_records(const char *directory, int count)
{
	struct journal *journal;
	struct reason why;

	assert_int_equal(journal_create(directory, &journal, &why), 0);
	for (int i = 0; i < count; i++)
		assert_int_equal(journal_append(journal, i ? "event" : "run", i ? "0001" : NULL,
						json_pack("{s:i, s:i}", "journal", 1, "number", i)),
				 0);
	assert_int_equal(journal_close(journal), 0);
}

static char *read_journal(const char *directory, size_t *length)
{
	__cleanup_free char *path = format_text("%s/%s", directory, JOURNAL_FILE);
	char *text = NULL;

	assert_int_equal(read_small_file(path, &text, length), 0);
	return text;
}

static void what_is_written_is_read(void **state)
{
	__cleanup_json json_t *records = NULL;
	struct journal_damage damage;
	struct reason why;

	write_records(*state, 5);
	assert_int_equal(journal_load(*state, &records, &damage, &why), 0);
	assert_int_equal(json_array_size(records), 5);
	for (int i = 0; i < 5; i++) {
		const json_t *record = json_array_get(records, (size_t)i);

		assert_int_equal(json_number(record, "seq", 0), i + 1);
		assert_int_equal(json_number(json_object_get(record, "body"), "number", -1), i);
	}
	assert_int_equal(damage.torn_bytes + damage.bad_lines + damage.gaps, 0);
}

static void a_line_has_its_documented_form(void **state)
{
	__cleanup_json json_t *body = json_pack("{s:s}", "text", "a\n\"b\"\x01");
	__cleanup_free char *line = journal_encode(7, 42, "event", "0001", body);
	uint32_t sum = crc32c(0, line, strlen(line) - 19);
	__cleanup_free char *expected =
		format_text("{\"seq\":7,\"time_ns\":42,\"type\":\"event\",\"trial\":\"0001\","
			    "\"body\":{\"text\":\"a\\n\\\"b\\\"\\u0001\"},\"crc\":\"%08" PRIx32
			    "\"}\n",
			    sum);

	(void)state;
	assert_string_equal(line, expected);
}

/*
 * A crash can leave any part of the last write: every prefix must give exactly the whole records
 * before it.
 */
static void every_torn_tail_is_cut(void **state)
{
	__cleanup_free char *text = NULL;
	struct reason why;
	size_t length, whole = 0;

	write_records(*state, 3);
	text = read_journal(*state, &length);
	for (size_t cut = 0; cut <= length; cut++) {
		__cleanup_json json_t *records = NULL;
		struct journal_damage damage = {0};
		int error = journal_parse(text, cut, &records, &damage, &why);

		if (cut && text[cut - 1] == '\n')
			whole++;
		if (!whole) {
			assert_int_equal(error, -ENODATA);
			continue;
		}
		assert_int_equal(error, 0);
		assert_int_equal(json_array_size(records), whole);
		assert_int_equal(damage.bad_lines, 0);
		assert_int_equal(damage.torn_bytes == 0, text[cut - 1] == '\n');
	}
}

static void opening_keeps_the_torn_tail_beside(void **state)
{
	__cleanup_free char *path = format_text("%s/%s", (char *)*state, JOURNAL_FILE);
	__cleanup_free char *torn = format_text("%s/%s.torn-4", (char *)*state, JOURNAL_FILE);
	__cleanup_free char *kept = NULL;
	__cleanup_json json_t *records = NULL;
	struct journal_damage damage;
	struct journal *journal;
	struct reason why;
	FILE *file;

	write_records(*state, 3);
	file = fopen(path, "ae");
	fputs("{\"seq\":4,\"ti", file);
	fclose(file);
	assert_int_equal(journal_open(*state, &journal, &damage, &why), 0);
	assert_int_equal(damage.torn_bytes, 12);
	assert_int_equal(journal_append(journal, "resume", NULL, json_object()), 0);
	assert_int_equal(journal_close(journal), 0);
	assert_int_equal(read_small_file(torn, &kept, NULL), 0);
	assert_string_equal(kept, "{\"seq\":4,\"ti");
	assert_int_equal(journal_load(*state, &records, &damage, &why), 0);
	assert_int_equal(json_array_size(records), 4);
	assert_int_equal(damage.torn_bytes + damage.bad_lines + damage.gaps, 0);
}

static void a_foreign_file_is_left_alone(void **state)
{
	struct journal *journal;
	struct reason why;
	__cleanup_free char *text = NULL;
	size_t length;

	write_file_atomically(*state, JOURNAL_FILE, "my diary\nday 2\n", 15);
	assert_int_equal(journal_open(*state, &journal, NULL, &why), -ENODATA);
	text = read_journal(*state, &length);
	assert_int_equal(length, 15);
}

/* Any single flipped bit is noticed; the records around it still count. */
static void every_flipped_bit_is_noticed(void **state)
{
	__cleanup_free char *text = NULL;
	struct reason why;
	size_t length;

	write_records(*state, 3);
	text = read_journal(*state, &length);
	for (size_t bit = 0; bit < length * 8; bit++) {
		__cleanup_json json_t *records = NULL;
		struct journal_damage damage = {0};
		int error;

		text[bit / 8] ^= (char)(1 << bit % 8);
		error = journal_parse(text, length, &records, &damage, &why);
		text[bit / 8] ^= (char)(1 << bit % 8);
		assert_true(error || damage.bad_lines || damage.torn_bytes || damage.gaps);
	}
}

/* What was written whole can not be torn: a trial whose intent it was must not run again. */
static void damage_in_the_last_line_is_no_torn_tail(void **state)
{
	__cleanup_json json_t *records = NULL;
	__cleanup_free char *text = NULL;
	struct journal_damage damage = {0};
	struct reason why;
	size_t length;

	write_records(*state, 3);
	text = read_journal(*state, &length);
	text[length - 20] ^= 1;
	assert_int_equal(journal_parse(text, length, &records, &damage, &why), 0);
	assert_int_equal(damage.torn_bytes, 0);
	assert_int_equal(damage.bad_lines, 1);
	assert_int_equal(damage.first_bad, 3);
	assert_string_equal(json_text(json_array_get(records, 2), "type", ""), JOURNAL_DAMAGE);
}

static void damage_in_the_middle_names_its_line(void **state)
{
	__cleanup_json json_t *records = NULL;
	__cleanup_free char *text = NULL;
	struct journal_damage damage;
	struct reason why;
	size_t length;

	write_records(*state, 4);
	text = read_journal(*state, &length);
	*(strstr(text, "\"number\":2") + 9) = '7';
	assert_int_equal(journal_parse(text, length, &records, &damage, &why), 0);
	assert_int_equal(damage.bad_lines, 1);
	assert_int_equal(damage.first_bad, 3);
	assert_int_equal(json_array_size(records), 4);
	assert_string_equal(json_text(json_array_get(records, 2), "type", ""), JOURNAL_DAMAGE);
}

static void a_missing_line_is_a_gap(void **state)
{
	__cleanup_json json_t *records = NULL;
	__cleanup_free char *text = NULL;
	struct journal_damage damage;
	struct reason why;
	char *second, *third;
	size_t length;

	write_records(*state, 4);
	text = read_journal(*state, &length);
	second = strchr(text, '\n') + 1;
	third = strchr(second, '\n') + 1;
	memmove(second, third, strlen(third) + 1);
	assert_int_equal(journal_parse(text, strlen(text), &records, &damage, &why), 0);
	assert_int_equal(damage.gaps, 1);
}

static void a_later_version_is_refused(void **state)
{
	__cleanup_json json_t *body = json_pack("{s:i}", "journal", JOURNAL_VERSION + 1);
	__cleanup_free char *line = journal_encode(1, 1, "run", NULL, body);
	json_t *records = NULL;
	struct reason why;

	(void)state;
	assert_int_equal(journal_parse(line, strlen(line), &records, NULL, &why), -ENOTSUP);
	assert_non_null(strstr(why.text, "version 2"));
}

/* JSON with single quotes. Return: owned by the caller */
static json_t *quoted(const char *text)
{
	__cleanup_free char *copy = strdup(text);
	json_t *value;

	for (char *quote = copy; (quote = strchr(quote, '\''));)
		*quote = '"';
	value = json_loads(copy, 0, NULL);
	assert_non_null(value);
	return value;
}

/* The first names of the witness "hypervisor" and of the versions of software, wherever a journal has them. */
static void names_of_an_older_journal_are_converted(void **state)
{
	static const struct {
		const char *type, *older, *current;
	} cases[] = {
		{"run", "{'journal': 1}", "{'journal': 1}"},
		{"event", "{'witness': 'libvirt'}", "{'witness': 'hypervisor'}"},
		{"event", "{'witness': 'kmsg', 'text': 'libvirt'}",
		 "{'witness': 'kmsg', 'text': 'libvirt'}"},
		{"intent", "{'injector': 'x', 'echoed-by': 'libvirt'}",
		 "{'injector': 'x', 'echoed-by': 'hypervisor'}"},
		{"intent", "{'injector': 'x', 'echoed-by': 'kmsg'}",
		 "{'injector': 'x', 'echoed-by': 'kmsg'}"},
		{"trial",
		 "{'spec': {'steps': [{'wait': {'for': 'libvirt'}}], 'expect': {'events': "
		 "{'libvirt': ['a']}}, 'when': {'libvirt': '>=1'}}}",
		 "{'spec': {'steps': [{'wait': {'for': 'hypervisor'}}], 'expect': {'events': "
		 "{'hypervisor': ['a']}}, 'when': {'libvirt': '>=1'}}}"},
		{"guest", "{'facts': {'qemu': '9', 'libvirt': '11'}}",
		 "{'facts': {'qemu': '9', 'libvirt': '11', 'software': {'qemu': '9', "
		 "'libvirt': '11'}}}"},
		{"guest", "{'facts': {'qemu': '9', 'software': {'xen': '4'}}}",
		 "{'facts': {'qemu': '9', 'software': {'xen': '4'}}}"},
	};
	__cleanup_json json_t *records = NULL;
	struct journal *journal;
	struct reason why;

	assert_int_equal(journal_create(*state, &journal, &why), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(journal_append(journal, cases[i].type, i ? "0001" : NULL,
						quoted(cases[i].older)),
				 0);
	assert_int_equal(journal_close(journal), 0);
	assert_int_equal(journal_load(*state, &records, NULL, &why), 0);
	assert_int_equal(json_array_size(records), ARRAY_SIZE(cases));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		__cleanup_json json_t *body = quoted(cases[i].current);

		assert_true(json_equal(json_object_get(json_array_get(records, i), "body"), body));
	}
}

static void a_second_writer_is_kept_out(void **state)
{
	struct journal *journal, *second;
	struct reason why;

	assert_int_equal(journal_create(*state, &journal, &why), 0);
	assert_int_equal(journal_append(journal, "run", NULL, json_object()), 0);
	assert_int_equal(journal_create(*state, &second, &why), -EEXIST);
	assert_int_equal(journal_open(*state, &second, NULL, &why), -EBUSY);
	assert_non_null(strstr(why.text, "another brinell"));
	journal_close(journal);
}

static void a_full_disk_ends_the_run(void **state)
{
	struct rlimit limit, small = {.rlim_cur = 600, .rlim_max = RLIM_INFINITY};
	__cleanup_json json_t *records = NULL;
	struct journal_damage damage;
	struct journal *journal;
	struct reason why;
	int error = 0, written = 0;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	small.rlim_max = limit.rlim_max;
	assert_int_equal(journal_create(*state, &journal, &why), 0);
	setrlimit(RLIMIT_FSIZE, &small);
	while (!error && written < 100) {
		error = journal_append(journal, "event", "0001",
				       json_pack("{s:i}", "number", written));
		written += !error;
	}
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_true(error == -ENOSPC || error == -EFBIG);
	assert_in_range(written, 3, 20);
	/* There is room again, but what was lost stays lost. */
	assert_int_equal(journal_append(journal, "event", "0001", json_object()), error);
	assert_non_null(strstr(journal_failure(journal), "disk"));
	assert_int_equal(journal_close(journal), error);
	assert_int_equal(journal_load(*state, &records, &damage, &why), 0);
	assert_int_equal(json_array_size(records), written);
}

/* A writer is killed over and over; each time the journal is read, opened and gone on with. */
static void a_kill_at_any_moment_leaves_a_journal(void **state)
{
	for (int round = 0; round < 20; round++) {
		__cleanup_json json_t *records = NULL;
		struct journal_damage damage;
		struct journal *journal;
		struct reason why;
		int ready[2];
		char byte;
		pid_t writer;

		assert_int_equal(pipe(ready), 0);
		writer = fork();
		if (writer == 0) {
			if ((round ? journal_open(*state, &journal, NULL, &why)
				   : journal_create(*state, &journal, &why)) != 0)
				_exit(1);
			for (int i = 0;; i++) {
				journal_append(journal, "event", "0001",
					       json_pack("{s:i}", "number", i));
				if (i == 10 * round)
					(void)!write(ready[1], "x", 1);
			}
		}
		close(ready[1]);
		assert_int_equal(read(ready[0], &byte, 1), 1);
		close(ready[0]);
		kill(writer, SIGKILL);
		waitpid(writer, NULL, 0);
		assert_int_equal(journal_load(*state, &records, &damage, &why), 0);
		assert_true(json_array_size(records) > (size_t)(10 * round));
		assert_int_equal(damage.bad_lines + damage.gaps, 0);
	}
}

/* Two trials, the second in two attempts, with records of none between them. */
static void write_trials(const char *directory)
{
	static const struct {
		const char *type, *trial, *body;
	} records[] = {
		{"run", NULL,
		 "{\"journal\":1,\"plan\":[{\"trial\":\"0001\",\"scenario\":\"a\",\"bench\":\"b\","
		 "\"seed\":5},{\"trial\":\"0002\",\"scenario\":\"a\"},{\"trial\":\"0003\"}]}"},
		{"trial", "0001", "{}"},
		{"boot", "0001", "{\"kernel\":\"7\",\"boot_id\":\"x\"}"},
		{"intent", "0001", "{}"},
		{"close", "0001", "{\"cause\":\"done\"}"},
		{"verdict", "0001", "{\"verdict\":\"pass\"}"},
		{"event", NULL, "{\"text\":\"none\"}"},
		{"trial", "0002", "{}"},
		{"boot", "0002", "{\"kernel\":\"7\",\"boot_id\":\"y\"}"},
		{"close", "0002", "{\"cause\":\"infra\"}"},
		{"trial", "0002", "{}"},
		{"event", NULL, "{\"text\":\"none\"}"},
		{"close", "0002", "{\"cause\":\"skip\"}"},
		{"end", NULL, "{\"verdicts\":{}}"},
	};
	struct journal *journal;
	struct reason why;

	assert_int_equal(journal_create(directory, &journal, &why), 0);
	for (size_t i = 0; i < ARRAY_SIZE(records); i++)
		assert_int_equal(journal_append(journal, records[i].type, records[i].trial,
						json_loads(records[i].body, 0, NULL)),
				 0);
	assert_int_equal(journal_close(journal), 0);
}

static void an_index_finds_each_trial(void **state)
{
	__cleanup_index struct journal_index *index = NULL;
	__cleanup_json json_t *records = NULL;
	const struct journal_trial *trial;
	struct reason why;

	write_trials(*state);
	assert_int_equal(journal_index_open(*state, &index, &why), 0);
	assert_int_equal(index->count, 3);
	assert_int_equal(index->planned, 3);
	assert_non_null(index->ended);
	/* The run, and one kind of machine: both boots are of it. */
	assert_int_equal(json_array_size(index->about), 2);
	trial = &index->trials[0];
	assert_int_equal(trial->seed, 5);
	assert_int_equal(trial->records, 4);
	assert_string_equal(trial->recorded, "pass");
	assert_true(trial->closed && trial->intended && !trial->damaged);
	trial = journal_index_find(index, "2");
	assert_string_equal(trial->id, "0002");
	assert_int_equal(trial->turn, 2);
	assert_int_equal(trial->attempts, 2);
	assert_int_equal(trial->records, 2);
	assert_true(trial->skipped && !trial->intended && !trial->judged);
	records = journal_index_records(index, trial);
	assert_int_equal(json_array_size(records), 6);
	assert_int_equal(index->trials[2].begin, index->trials[2].end);
	assert_null(journal_index_find(index, "4"));
}

/* One trial is found without reading the journal, and only in the very file that the index is of. */
static void a_stale_index_finds_nothing(void **state)
{
	__cleanup_free char *path = format_text("%s/%s", (char *)*state, JOURNAL_FILE);
	__cleanup_free char *file = format_text("%s/%s", (char *)*state, JOURNAL_INDEX_FILE);
	__cleanup_index struct journal_index *index = NULL;
	__cleanup_json json_t *records = NULL;
	__cleanup_free char *id = NULL;
	struct reason why;
	FILE *journal;

	write_trials(*state);
	assert_int_equal(journal_lookup(*state, "1", &id, &records), -ENOENT);
	assert_int_equal(journal_index_open(*state, &index, &why), 0);
	assert_int_equal(journal_lookup(*state, "1", &id, &records), 0);
	assert_string_equal(id, "0001");
	assert_int_equal(json_array_size(records), 4);
	json_decref(records);
	records = NULL;
	assert_int_equal(journal_lookup(*state, "3", &id, &records), -ENOENT);
	journal = fopen(path, "ae");
	fputs("torn", journal);
	fclose(journal);
	assert_int_equal(journal_lookup(*state, "1", &id, &records), -ENOENT);
	/* Of a journal that is damaged there is none. */
	unlink(file);
	journal_index_free(index);
	index = NULL;
	assert_int_equal(journal_index_open(*state, &index, &why), 0);
	assert_int_not_equal(access(file, F_OK), 0);
}

/* Whatever is in the file: a trial is found in it, or it is no index. */
static void a_broken_index_finds_nothing(void **state)
{
	__cleanup_free char *path = format_text("%s/%s", (char *)*state, JOURNAL_INDEX_FILE);
	__cleanup_index struct journal_index *index = NULL;
	__cleanup_free char *text = NULL;
	struct reason why;
	size_t length;

	write_trials(*state);
	assert_int_equal(journal_index_open(*state, &index, &why), 0);
	assert_int_equal(read_small_file(path, &text, &length), 0);
	for (size_t i = 0; i < length; i++) {
		json_t *records = NULL;
		char *id = NULL;

		text[i] ^= 4;
		assert_int_equal(write_file_atomically(*state, JOURNAL_INDEX_FILE, text, length),
				 0);
		assert_int_equal(journal_lookup(*state, "1", &id, &records), -ENOENT);
		text[i] ^= 4;
		assert_int_equal(write_file_atomically(*state, JOURNAL_INDEX_FILE, text, i), 0);
		assert_int_equal(journal_lookup(*state, "1", &id, &records), -ENOENT);
	}
}

static void no_journal_has_a_remedy(void **state)
{
	json_t *records = NULL;
	struct reason why;

	assert_int_equal(journal_load(*state, &records, NULL, &why), -ENOENT);
	assert_non_null(strstr(why.text, "brinell run"));
	assert_int_equal(journal_load("/nowhere/at/all", &records, NULL, &why), -ENOENT);
}

#define test(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(what_is_written_is_read),
		test(a_line_has_its_documented_form),
		test(every_torn_tail_is_cut),
		test(opening_keeps_the_torn_tail_beside),
		test(a_foreign_file_is_left_alone),
		test(every_flipped_bit_is_noticed),
		test(damage_in_the_last_line_is_no_torn_tail),
		test(damage_in_the_middle_names_its_line),
		test(a_missing_line_is_a_gap),
		test(a_later_version_is_refused),
		test(names_of_an_older_journal_are_converted),
		test(a_second_writer_is_kept_out),
		test(a_full_disk_ends_the_run),
		test(a_kill_at_any_moment_leaves_a_journal),
		test(an_index_finds_each_trial),
		test(a_stale_index_finds_nothing),
		test(a_broken_index_finds_nothing),
		test(no_journal_has_a_remedy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
