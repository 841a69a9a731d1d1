// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the pattern workload. Memory is corrupted on purpose in each way, in this process and from outside in that of
 * the workload, and each way must be named. Nothing here poisons anything.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "bats/unit/workload_test.h"
#include "workloads/pattern.h"

#define PAGES 32
#define PAGE 7

static int make_pattern(void **state)
{
	struct pattern *pattern = calloc(1, sizeof(*pattern));
	void *memory = mmap(NULL, PAGES * PATTERN_PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_int_equal(pattern_open(pattern, memory, PAGES * PATTERN_PAGE, 42), 0);
	*state = pattern;
	return 0;
}

static int free_pattern(void **state)
{
	struct pattern *pattern = *state;

	munmap(pattern->base, PAGES * PATTERN_PAGE);
	pattern_close(pattern);
	free(pattern);
	return 0;
}

/* The verifier must stop at the page, and at no other; then the page is examined. */
static struct pattern_mismatch expect(struct pattern *pattern, enum pattern_fault fault)
{
	struct pattern_mismatch mismatch;

	if (fault != PATTERN_BOOKKEEPING) {
		assert_int_equal(pattern_verify(pattern, 0, PAGES), PAGE);
		assert_int_equal(pattern_verify(pattern, PAGE + 1, PAGES - PAGE - 1), PAGES);
		assert_int_equal(pattern_verify(pattern, PAGE, 1), PAGE);
	}
	assert_string_equal(pattern_fault_names[pattern_examine(pattern, PAGE, &mismatch)],
			    pattern_fault_names[fault]);
	assert_int_equal(mismatch.fault, fault);
	assert_int_equal(mismatch.page, PAGE);
	return mismatch;
}

static unsigned char *page_of(const struct pattern *pattern, size_t page)
{
	return pattern->base + page * PATTERN_PAGE;
}

static void what_was_written_is_intact(void **state)
{
	struct pattern *pattern = *state;
	struct pattern_mismatch mismatch;

	assert_int_equal(pattern_verify(pattern, 0, PAGES), PAGES);
	for (int i = 0; i < 100; i++)
		pattern_write(pattern, PAGE);
	assert_int_equal(pattern_verify(pattern, 0, PAGES), PAGES);
	assert_int_equal(pattern_examine(pattern, PAGE, &mismatch), PATTERN_INTACT);
	assert_int_equal(mismatch.expected_generation, 101);
}

/* What is filled and what is expected line by line come from two pieces of code. */
static void lines_describe_themselves(void **state)
{
	struct pattern *pattern = *state;

	for (unsigned int line = 0; line < PATTERN_LINES; line++) {
		uint64_t words[PATTERN_WORDS];

		pattern_line(words, pattern->seed, PAGE, 1, line);
		assert_memory_equal(words, page_of(pattern, PAGE) + line * PATTERN_LINE,
				    sizeof(words));
		assert_int_equal(words[0], 0x6272ull << 48 | PAGE << 8 | line);
		assert_int_equal(words[1], 1ull << 32 | pattern->seed);
	}
}

static void every_flipped_bit_is_seen(void **state)
{
	struct pattern *pattern = *state;

	for (size_t bit = 0; bit < PATTERN_PAGE * 8; bit++) {
		unsigned char *byte = page_of(pattern, PAGE) + bit / 8;

		*byte ^= 1u << bit % 8;
		if (pattern_verify(pattern, 0, PAGES) != PAGE)
			fail_msg("a flip of bit %zu went unseen", bit);
		*byte ^= 1u << bit % 8;
	}
	assert_int_equal(pattern_verify(pattern, 0, PAGES), PAGES);
}

static void a_flipped_bit_is_named(void **state)
{
	struct pattern *pattern = *state;
	struct pattern_mismatch mismatch;

	page_of(pattern, PAGE)[1234] ^= 0x10;
	mismatch = expect(pattern, PATTERN_WRONG_BYTE);
	assert_int_equal(mismatch.offset, 1234);
	assert_int_equal(mismatch.bits, 1);
	assert_int_equal(mismatch.lines, 1);
	assert_int_equal(mismatch.expected ^ mismatch.found, 0x10ull << 1234 % 8 * 8);
}

/* Bits of the words that carry the address and the generation are no claim of another page. */
static void a_flip_in_the_header_of_a_line_is_a_flip(void **state)
{
	struct pattern *pattern = *state;

	page_of(pattern, PAGE)[1] ^= 1;
	(void)expect(pattern, PATTERN_WRONG_BYTE);
	page_of(pattern, PAGE)[1] ^= 1;
	page_of(pattern, PAGE)[12] ^= 2;
	(void)expect(pattern, PATTERN_WRONG_BYTE);
}

static void a_stale_page_is_named(void **state)
{
	struct pattern *pattern = *state;
	unsigned char old[PATTERN_PAGE];
	struct pattern_mismatch mismatch;

	pattern_write(pattern, PAGE);
	memcpy(old, page_of(pattern, PAGE), sizeof(old));
	pattern_write(pattern, PAGE);
	memcpy(page_of(pattern, PAGE), old, sizeof(old));
	mismatch = expect(pattern, PATTERN_STALE);
	assert_int_equal(mismatch.expected_generation, 3);
	assert_int_equal(mismatch.found_generation, 2);
	assert_int_equal(mismatch.lines, PATTERN_LINES);
}

static void a_torn_page_is_named_by_its_wrong_lines(void **state)
{
	struct pattern *pattern = *state;
	unsigned char old[PATTERN_PAGE];
	struct pattern_mismatch mismatch;

	memcpy(old, page_of(pattern, PAGE), sizeof(old));
	pattern_write(pattern, PAGE);
	memcpy(page_of(pattern, PAGE) + 2048, old + 2048, 2048);
	mismatch = expect(pattern, PATTERN_STALE);
	assert_int_equal(mismatch.lines, PATTERN_LINES / 2);
	assert_int_equal(mismatch.offset / PATTERN_LINE, PATTERN_LINES / 2);
}

static void a_newer_page_is_named(void **state)
{
	struct pattern *pattern = *state;

	pattern_fill(page_of(pattern, PAGE), pattern->seed, PAGE, 9);
	assert_int_equal(expect(pattern, PATTERN_NEWER).found_generation, 9);
}

static void a_page_of_another_address_is_named(void **state)
{
	struct pattern *pattern = *state;
	struct pattern_mismatch mismatch;

	memcpy(page_of(pattern, PAGE), page_of(pattern, 20), PATTERN_PAGE);
	mismatch = expect(pattern, PATTERN_FOREIGN);
	assert_int_equal(mismatch.found_page, 20);
	assert_int_equal(mismatch.found_generation, 1);
	assert_int_equal(mismatch.found_seed, pattern->seed);
}

static void a_line_in_the_wrong_place_is_named(void **state)
{
	struct pattern *pattern = *state;

	memcpy(page_of(pattern, PAGE) + 3 * PATTERN_LINE, page_of(pattern, PAGE) + 4 * PATTERN_LINE,
	       PATTERN_LINE);
	assert_int_equal(expect(pattern, PATTERN_FOREIGN).found_page, PAGE);
}

static void the_page_of_another_pattern_is_named(void **state)
{
	struct pattern *pattern = *state;

	pattern_fill(page_of(pattern, PAGE), pattern_seed(43), PAGE, 1);
	assert_int_equal(expect(pattern, PATTERN_FOREIGN).found_seed, pattern_seed(43));
}

static void a_zero_page_is_named(void **state)
{
	struct pattern *pattern = *state;

	memset(page_of(pattern, PAGE), 0, PATTERN_PAGE);
	assert_int_equal(expect(pattern, PATTERN_ZERO).lines, PATTERN_LINES);
}

static void garbage_is_named(void **state)
{
	struct pattern *pattern = *state;

	memset(page_of(pattern, PAGE), 0xa5, PATTERN_PAGE);
	(void)expect(pattern, PATTERN_GARBAGE);
}

static void a_poisoned_table_makes_no_claim_about_the_page(void **state)
{
	struct pattern *pattern = *state;

	pattern->written[PAGE] ^= 0x100;
	(void)expect(pattern, PATTERN_BOOKKEEPING);
	pattern->written[PAGE] ^= 0x100;
	pattern->guard[PAGE] ^= 1;
	(void)expect(pattern, PATTERN_BOOKKEEPING);
}

static void the_table_is_in_another_mapping(void **state)
{
	struct pattern *pattern = *state;
	uintptr_t base = (uintptr_t)pattern->base, end = base + PAGES * PATTERN_PAGE;

	assert_true((uintptr_t)pattern->written >= end || (uintptr_t)pattern->written < base);
	assert_true((uintptr_t)pattern->guard >= end || (uintptr_t)pattern->guard < base);
	assert_true((uintptr_t)pattern->guard / PATTERN_PAGE !=
		    (uintptr_t)pattern->written / PATTERN_PAGE);
}

static void poke(const struct activity *run, uint64_t address, const void *bytes, size_t length)
{
	__cleanup_free char *path = format_text("/proc/%d/mem", run->pid);
	__cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, length, (off_t)address), length);
}

static void peek(const struct activity *run, uint64_t address, void *bytes, size_t length)
{
	__cleanup_free char *path = format_text("/proc/%d/mem", run->pid);
	__cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_int_equal(pread(fd, bytes, length, (off_t)address), length);
}

static void expect_process(const char *kind, uint64_t at, const void *bytes, size_t length)
{
	struct activity run;
	const json_t *event;
	uint64_t page, address;

	if (start(&run, "pattern", json_pack("{s:s, s:s}", "size", "1M", "rate", "0")))
		fail_msg("%s", why.text);
	address = fact(&run, "address");
	page = fact(&run, "victim");
	assert_int_equal(address, fact(&run, "region") + page * PATTERN_PAGE);
	assert_int_equal(page, 128);
	poke(&run, address + at, bytes, length);
	event = await(&run, "corrupted");
	assert_string_equal(json_text(event, "kind", ""), kind);
	assert_int_equal(json_number(event, "page", 0), page);
	assert_int_equal(json_number(event, "expected_generation", 0), 1);
	/* Told once, not at each walk. */
	assert_int_equal(run.workload->touch(&run, &why), 0);
	event = await(&run, "touched");
	assert_true(json_is_false(json_object_get(event, "value_ok")));
	event = await(&run, "checked");
	assert_int_equal(json_number(event, "wrong", 0), 1);
	event = json_object_get(json_object_get(event, "totals"), "mismatches");
	assert_int_equal(json_number(event, kind, 0), 1);
	assert_int_equal(json_object_size(event), 1);
	finish(&run);
}

static void corruption_from_outside_is_reported(void **state)
{
	static const unsigned char zeros[PATTERN_PAGE];
	unsigned char page[PATTERN_PAGE];

	(void)state;
	expect_process("garbage", 64, "sixteen wrong bytes", 16);
	expect_process("wrong-byte", 100, "x", 1);
	expect_process("zero", 0, zeros, sizeof(zeros));
	pattern_fill(page, pattern_seed(1), 5, 1);
	expect_process("foreign", 0, page, sizeof(page));
	pattern_fill(page, pattern_seed(1), 128, 0);
	expect_process("stale", 0, page, sizeof(page));
}

/* A page that is put back as it was before it was written anew: the fault of a lost write, or of a bad migration. */
static void a_lost_write_is_reported_while_pages_are_written(void **state)
{
	unsigned char old[PATTERN_PAGE], new[PATTERN_PAGE];
	struct activity run;
	const json_t *event = NULL;
	int64_t until = now_monotonic_ns() + 60 * NSEC_PER_SEC;
	bool well = false;
	uint64_t address;

	(void)state;
	/* Each page is written once in more than a second, and verified many times in between. */
	assert_int_equal(start(&run, "pattern",
			       json_pack("{s:s, s:s, s:s, s:s}", "size", "1M", "rate", "200",
					 "victim", "3", "interval", "100ms")),
			 0);
	address = fact(&run, "address");
	/* On a busy machine the page may be written between the two, which heals it. */
	while (!event && now_monotonic_ns() < until) {
		peek(&run, address, old, sizeof(old));
		do {
			json_array_clear(events);
			(void)await(&run, "metrics");
			peek(&run, address, new, sizeof(new));
		} while (memcmp(old, new, sizeof(old)) == 0);
		poke(&run, address, old, sizeof(old));
		for (int i = 0; i < 2 && !event; i++) {
			json_array_clear(events);
			(void)await(&run, "metrics");
			event = find_event("corrupted");
		}
	}
	assert_non_null(event);
	assert_string_equal(json_text(event, "kind", ""), "stale");
	assert_true(json_number(event, "found_generation", 0) <
		    json_number(event, "expected_generation", 0));
	/* Once it is written anew all is well again. */
	while (!well && now_monotonic_ns() < until) {
		json_array_clear(events);
		assert_int_equal(run.workload->touch(&run, &why), 0);
		well = json_is_true(json_object_get(await(&run, "touched"), "value_ok"));
	}
	assert_true(well);
	finish(&run);
}

static double rate_of(const json_t *event, const char *name)
{
	const json_t *metrics = json_object_get(event, "metrics");

	return json_number_value(json_object_get(json_object_get(metrics, name), "value"));
}

/* It is stopped for a while, and may make up for no more than a tenth of a second. A busy machine may be late in some intervals. */
static void it_keeps_its_rates(void **state)
{
	const int64_t stopped_ns = 500 * NSEC_PER_MSEC;
	int64_t begin = now_monotonic_ns(), until = begin + 60 * NSEC_PER_SEC;
	struct activity run;
	bool kept = false;
	int status;

	(void)state;
	assert_int_equal(start(&run, "pattern",
			       json_pack("{s:s, s:s, s:s, s:s, s:s}", "size", "1M", "rate", "2000",
					 "verify-rate", "5000", "interval", "500ms", "order",
					 "random")),
			 0);
	(void)await(&run, "metrics");
	kill(run.pid, SIGSTOP);
	assert_int_equal(waitpid(run.pid, &status, WUNTRACED), run.pid);
	(void)poll(NULL, 0, (int)(stopped_ns / NSEC_PER_MSEC));
	kill(run.pid, SIGCONT);
	while (!kept && now_monotonic_ns() < until) {
		const json_t *event, *totals;
		double passed;

		json_array_clear(events);
		event = await(&run, "metrics");
		totals = json_object_get(event, "totals");
		passed = (double)(now_monotonic_ns() - begin - stopped_ns) / NSEC_PER_SEC + 0.1;
		assert_true((double)json_number(totals, "written", 0) <= 2000 * passed);
		assert_true((double)json_number(totals, "verified", 0) <= 5000 * passed);
		assert_int_equal(json_object_size(json_object_get(totals, "mismatches")), 0);
		assert_int_equal(json_number(totals, "unreported", -1), 0);
		kept = rate_of(event, "pattern_written_pages") > 1800 &&
		       rate_of(event, "pattern_verified_pages") > 4500;
	}
	assert_true(kept);
	finish(&run);
}

/* The file behind a shared mapping, cut short from outside: reading beyond its end is a SIGBUS with its address. */
static void cut_memory(const struct activity *run, off_t size)
{
	__cleanup_free char *place = format_text("/proc/%d/map_files", run->pid);
	DIR *files = opendir(place);
	struct dirent *entry;
	bool cut = false;

	assert_non_null(files);
	while (!cut && (entry = readdir(files))) {
		__cleanup_free char *path = format_text("%s/%s", place, entry->d_name);
		char target[256] = "";

		if (readlink(path, target, sizeof(target) - 1) > 0 &&
		    strstr(target, "brinell-pattern")) {
			__cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC);

			cut = fd >= 0 && ftruncate(fd, size) == 0;
		}
	}
	closedir(files);
	assert_true(cut);
}

static void a_lost_page_is_reported_and_skipped(void **state)
{
	struct activity run;
	const json_t *event;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(start(&run, "pattern",
			       json_pack("{s:s, s:s, s:s, s:s, s:s}", "size", "64K", "page",
					 "shared", "rate", "0", "verify", "on-demand", "victim",
					 "15")),
			 0);
	cut_memory(&run, 15 * PATTERN_PAGE);
	assert_int_equal(run.workload->touch(&run, &why), 0);
	event = await(&run, "signal");
	assert_string_equal(json_text(event, "signal_name", ""), "SIGBUS");
	assert_string_equal(json_text(event, "code_name", ""), "BUS_ADRERR");
	assert_string_equal(json_text(event, "address", ""), json_text(run.facts, "address", "-"));
	assert_int_equal(json_number(event, "page", 0), 15);
	assert_int_equal(json_number(await(&run, "checked"), "lost", 0), 1);
	/* The rest is still read, and is well; and a page is lost once. */
	json_array_clear(events);
	assert_int_equal(run.workload->touch(&run, &why), 0);
	event = await(&run, "touched");
	assert_true(json_is_true(json_object_get(event, "value_ok")));
	event = await(&run, "checked");
	assert_int_equal(json_number(event, "lost", -1), 0);
	assert_int_equal(json_number(json_object_get(event, "totals"), "lost", 0), 1);
	finish(&run);
}

/* All but the first page: more signals than are shown, each page once. */
static void many_lost_pages_are_counted(void **state)
{
	struct activity run;
	const json_t *event;
	size_t index, signals = 0;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(start(&run, "pattern",
			       json_pack("{s:s, s:s, s:s, s:s}", "size", "1M", "page", "shared",
					 "rate", "100000", "shown", "4")),
			 0);
	cut_memory(&run, PATTERN_PAGE);
	do {
		json_array_clear(events);
		assert_int_equal(run.workload->touch(&run, &why), 0);
		(void)await(&run, "checked");
		json_array_foreach (events, index, event)
			signals += strcmp(json_text(event, "event", ""), "signal") == 0;
		event = json_object_get(await(&run, "checked"), "totals");
	} while (json_number(event, "lost", 0) < 255);
	assert_int_equal(json_number(event, "lost", 0), 255);
	assert_true(signals <= 4);
	finish(&run);
}

static void its_death_is_reported(void **state)
{
	struct activity run;

	(void)state;
	assert_int_equal(start(&run, "pattern", json_pack("{s:s}", "size", "1M")), 0);
	kill(run.pid, SIGKILL);
	assert_int_equal(json_number(await(&run, "exit"), "signal", 0), SIGKILL);
	assert_int_equal(run.workload->touch(&run, &why), 0);
	(void)await(&run, "gone");
	finish(&run);
}

static void a_hung_process_is_reported(void **state)
{
	struct activity run;

	(void)state;
	assert_int_equal(start(&run, "pattern",
			       json_pack("{s:s, s:s}", "size", "1M", "deadline", "200ms")),
			 0);
	kill(run.pid, SIGSTOP);
	assert_int_equal(run.workload->touch(&run, &why), 0);
	(void)await(&run, "hung");
	assert_int_equal(run.workload->touch(&run, &why), -EBUSY);
	finish(&run);
}

/* The pages' frames in pagemap of this machine: no other page of the pattern is beyond the victim. */
static void expect_extreme(const char *place, bool highest)
{
	struct activity run;
	__cleanup_free char *path = NULL;
	uint64_t pfn, pfns[256];
	int error = start(&run, "pattern",
			  json_pack("{s:s, s:s, s:s}", "size", "1M", "victim", place, "rate", "0"));
	int fd;

	if (error)
		fail_msg("%s", why.text);
	pfn = fact(&run, "pfn");
	assert_int_equal(fact(&run, "physical"), pfn << 12);
	assert_int_equal(fact(&run, "address"),
			 fact(&run, "region") + fact(&run, "victim") * PATTERN_PAGE);
	path = format_text("/proc/%d/pagemap", run.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, pfns, sizeof(pfns), (off_t)(fact(&run, "region") / 4096 * 8)),
			 sizeof(pfns));
	close(fd);
	for (size_t i = 0; i < ARRAY_SIZE(pfns); i++) {
		uint64_t other = pfns[i] & ((1ull << 55) - 1);

		assert_true(highest ? other <= pfn : other >= pfn);
		assert_true((other == pfn) == (i == fact(&run, "victim")));
	}
	finish(&run);
}

static void the_extreme_page_is_found(void **state)
{
	uint64_t entry = 0;
	__cleanup_close int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	(void)state;
	(void)!pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)&entry / 4096 * 8));
	if (!(entry & ((1ull << 55) - 1)))
		skip();
	expect_extreme("lowest", false);
	expect_extreme("highest", true);
}

static void without_frames_the_extreme_page_is_refused(void **state)
{
	struct activity run;

	(void)state;
	system_root_set("/nonexistent");
	assert_int_equal(start(&run, "pattern",
			       json_pack("{s:s, s:s}", "size", "1M", "victim", "highest")),
			 -ENOTSUP);
	assert_non_null(strstr(why.text, "CAP_SYS_ADMIN"));
	finish(&run);
	system_root_set("");
}

/* All pages are written a few times over: the one page that is spared keeps its first generation. */
static void a_spared_victim_is_never_written_anew(void **state)
{
	struct activity run;
	uint32_t generations[2];

	(void)state;
	assert_int_equal(start(&run, "pattern",
			       json_pack("{s:s, s:s, s:s, s:s, s:s}", "size", "64K", "rate",
					 "10000", "victim", "3", "victim-dirty", "no", "interval",
					 "50ms")),
			 0);
	while (json_number(json_object_get(await(&run, "metrics"), "totals"), "written", 0) < 64)
		json_array_clear(events);
	peek(&run, fact(&run, "address") + 12, &generations[0], sizeof(generations[0]));
	peek(&run, fact(&run, "address") + PATTERN_PAGE + 12, &generations[1],
	     sizeof(generations[1]));
	assert_int_equal(generations[0], 1);
	assert_true(generations[1] > 1);
	assert_int_equal(run.workload->touch(&run, &why), 0);
	assert_true(json_is_true(json_object_get(await(&run, "touched"), "value_ok")));
	finish(&run);
}

static void what_can_not_be_is_refused(void **state)
{
	const struct {
		const char *key, *value;
		int error;
	} bad[] = {{"size", "0", -EINVAL},	     {"size", "1000", -EINVAL},
		   {"size", "100000G", -ENOMEM},     {"victim", "16384", -EINVAL},
		   {"victim", "nearest", -EINVAL},   {"interval", "1ms", -EINVAL},
		   {"rate", "10000000000", -EINVAL}, {"page", "imaginary", -EINVAL},
		   {"sise", "1M", -ENOENT}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct activity run;

		if (start(&run, "pattern", json_pack("{s:s}", bad[i].key, bad[i].value)) !=
		    bad[i].error)
			fail_msg("%s: %s: %s", bad[i].key, bad[i].value, why.text);
		assert_true(why.text[0]);
		finish(&run);
	}
}

int main(void)
{
#define WITH_PATTERN(test) cmocka_unit_test_setup_teardown(test, make_pattern, free_pattern)
	const struct CMUnitTest tests[] = {
		WITH_PATTERN(what_was_written_is_intact),
		WITH_PATTERN(lines_describe_themselves),
		WITH_PATTERN(every_flipped_bit_is_seen),
		WITH_PATTERN(a_flipped_bit_is_named),
		WITH_PATTERN(a_flip_in_the_header_of_a_line_is_a_flip),
		WITH_PATTERN(a_stale_page_is_named),
		WITH_PATTERN(a_torn_page_is_named_by_its_wrong_lines),
		WITH_PATTERN(a_newer_page_is_named),
		WITH_PATTERN(a_page_of_another_address_is_named),
		WITH_PATTERN(a_line_in_the_wrong_place_is_named),
		WITH_PATTERN(the_page_of_another_pattern_is_named),
		WITH_PATTERN(a_zero_page_is_named),
		WITH_PATTERN(garbage_is_named),
		WITH_PATTERN(a_poisoned_table_makes_no_claim_about_the_page),
		WITH_PATTERN(the_table_is_in_another_mapping),
		cmocka_unit_test(corruption_from_outside_is_reported),
		cmocka_unit_test(a_lost_write_is_reported_while_pages_are_written),
		cmocka_unit_test(it_keeps_its_rates),
		cmocka_unit_test(a_lost_page_is_reported_and_skipped),
		cmocka_unit_test(many_lost_pages_are_counted),
		cmocka_unit_test(its_death_is_reported),
		cmocka_unit_test(a_hung_process_is_reported),
		cmocka_unit_test(the_extreme_page_is_found),
		cmocka_unit_test(without_frames_the_extreme_page_is_refused),
		cmocka_unit_test(a_spared_victim_is_never_written_anew),
		cmocka_unit_test(what_can_not_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
