// SPDX-License-Identifier: GPL-2.0-only
/*
 * The workloads of the guest program, with the same names as elsewhere: memory (three pages, the middle one is the victim) and
 * pattern (many pages, rewritten at a rate and verified). Every word of a page contains page number and generation, so that
 * lost, old and foreign content differs from the written one.
 */
#include "guest.h"

#define WORKS 4u
#define NAME_BYTES 49u
#define MEMORY_PAGES 3u
#define SIGNAL_BUS 7u
#define CODE_ACTION_REQUIRED 4u
#define CODE_ACTION_OPTIONAL 5u
#define STATUS_ACTION_REQUIRED (1ull << 55)
#define STATUS_ADDRESS_VALID (1ull << 58)
#define SHOWN 16u
#define SECOND 1000000000ull
#define MOST_WRITES 256u

enum touch {
	TOUCH_NONE,
	TOUCH_LOAD,
	TOUCH_STORE
};

/*
 * @base, @pages: its memory; @victim: number of the target page of a fault, at @offset
 * @generation: of the victim, or of all pages of a pattern before @next
 * @rate:  pages to write in a second, 0: none; @begun: start of writing, @written: number of pages since then
 * @shown: number of reported mismatches
 */
struct work {
	char name[NAME_BYTES];
	bool pattern;
	enum touch touch;
	volatile uint64_t *base;
	uint64_t pages, victim, offset, rate;
	uint64_t generation, next, begun, written;
	unsigned int shown;
};

static struct work works[WORKS];
static uint64_t numbers;

static struct work *find_work(const char *name)
{
	for (unsigned int i = 0; i < WORKS; i++)
		if (works[i].base && text_is(works[i].name, name))
			return &works[i];
	return NULL;
}

static volatile uint64_t *page_of(const struct work *work, uint64_t number)
{
	return work->base + number * (PAGE_BYTES / 8);
}

static uint64_t value_of(volatile uint64_t *word, uint64_t generation)
{
	return ((uint64_t)word ^ generation << 32) * 0x9e3779b97f4a7c15ull | 1;
}

static uint64_t generation_of(const struct work *work, uint64_t number)
{
	if (work->pattern)
		return work->generation + (number < work->next);
	return number == work->victim ? work->generation : 0;
}

static void fill(const struct work *work, uint64_t number, uint64_t generation)
{
	volatile uint64_t *page = page_of(work, number);

	for (unsigned int i = 0; i < PAGE_BYTES / 8; i++)
		page[i] = value_of(&page[i], generation);
}

/** work_event_begin - the beginning of an event: its data is open, out_event_end() closes it */
static void event_begin(const struct work *work, const char *event, const char *text)
{
	out_begin();
	out("{\"event\":\"witness\",\"witness\":\"workload\",\"number\":%lu,\"time_ns\":%lu,"
	    "\"text\":\"%s: %s\",\"data\":{\"workload\":\"%s\",\"event\":\"%s\",\"pid\":1",
	    numbers++, now_ns(), work->name, text, work->name, event);
}

static void event_end(void)
{
	out("}}");
	out_end();
}

static void report(const struct work *work, const char *event, const char *text)
{
	event_begin(work, event, text);
	event_end();
}

static bool report_mismatch(struct work *work, volatile uint64_t *word, uint64_t found,
			    uint64_t expected)
{
	if (found == expected)
		return false;
	if (work->shown++ >= SHOWN)
		return true;
	event_begin(work, "corrupted", "a word differs from what was written");
	out(",\"address\":\"0x%lx\",\"found\":\"0x%lx\",\"expected\":\"0x%lx\"", (uint64_t)word,
	    found, expected);
	event_end();
	return true;
}

/* Verify all words of a page. Return: false after a mismatch or a machine check. */
static bool verify(struct work *work, uint64_t number)
{
	volatile uint64_t *page = page_of(work, number);
	uint64_t generation = generation_of(work, number);
	bool fine = true;

	if (TOUCH_INTERRUPTED())
		return false;
	touch_begin();
	for (unsigned int i = 0; fine && i < PAGE_BYTES / 8; i++)
		fine = !report_mismatch(work, &page[i], page[i], value_of(&page[i], generation));
	touch_end();
	return fine;
}

static bool read_word(volatile uint64_t *word, uint64_t *value)
{
	if (TOUCH_INTERRUPTED())
		return false;
	touch_begin();
	*value = *word;
	touch_end();
	return true;
}

static bool write_word(volatile uint64_t *word, uint64_t value)
{
	if (TOUCH_INTERRUPTED())
		return false;
	touch_begin();
	*word = value;
	touch_end();
	return true;
}

static void load(struct work *work)
{
	volatile uint64_t *word = page_of(work, work->victim) + work->offset / 8;
	uint64_t expected = value_of(word, work->generation), found;
	const char *data;

	if (!read_word(word, &found))
		return;
	data = found == expected ? "intact" : found ? "other" : "zero";
	event_begin(work, "touched", data);
	out(",\"value_ok\":%s,\"data\":\"%s\",\"found\":\"0x%lx\",\"expected\":\"0x%lx\"",
	    found == expected ? "true" : "false", data, found, expected);
	event_end();
}

/* Write the next generation to the page, and read it back. */
static void store(struct work *work)
{
	volatile uint64_t *page = page_of(work, work->victim);
	uint64_t found;

	work->generation++;
	for (unsigned int i = 0; i < PAGE_BYTES / 8; i++)
		if (!write_word(&page[i], value_of(&page[i], work->generation)))
			return;
	if (!read_word(&page[work->offset / 8], &found))
		return;
	report(work, "touched", "done");
	(void)report_mismatch(work, &page[work->offset / 8], found,
			      value_of(&page[work->offset / 8], work->generation));
}

static void touch(struct work *work, enum touch how)
{
	bool fine = true;

	if (how == TOUCH_LOAD)
		load(work);
	else if (how == TOUCH_STORE)
		store(work);
	for (uint64_t i = 0; i < work->pages; i++)
		if (work->pattern || i != work->victim)
			fine &= verify(work, i);
	report(work, "checked",
	       fine ? "all other pages were read again" : "a page is lost or wrong");
}

static void answer_error(uint64_t id, int number, const char *name, const char *text)
{
	out_begin();
	out("{\"id\":%lu,\"error\":{\"errno\":-%lu,\"name\":\"%s\",\"text\":\"%s\"}}", id,
	    (uint64_t)number, name, text);
	out_end();
}

static enum touch touch_named(const char *name)
{
	return text_is(name, "store") || text_is(name, "full-store") ? TOUCH_STORE
	       : text_is(name, "load")				     ? TOUCH_LOAD
								     : TOUCH_NONE;
}

/* Allocate after the memory in use. Return: NULL: there is not enough. */
static volatile uint64_t *take_pages(uint64_t pages)
{
	uint64_t at = POOL_BEGIN;

	for (unsigned int i = 0; i < WORKS; i++) {
		uint64_t end = (uint64_t)works[i].base + works[i].pages * PAGE_BYTES;

		if (works[i].base && end > at)
			at = end;
	}
	return pages && pages <= (platform_pool_end() - at) / PAGE_BYTES && at < platform_pool_end()
		       ? (volatile uint64_t *)at
		       : NULL;
}

static void answer_facts(const struct work *work, uint64_t id)
{
	uint64_t address = (uint64_t)page_of(work, work->victim);

	out_begin();
	out("{\"id\":%lu,\"ok\":{\"facts\":{\"pid\":1,\"address\":\"0x%lx\",\"page_size\":"
	    "\"0x1000\","
	    "\"offset\":\"0x%lx\",\"region\":\"0x%lx\",\"region_size\":\"0x%lx\",\"pfn\":\"0x%lx\","
	    "\"physical\":\"0x%lx\"}}}",
	    id, address, work->offset, (uint64_t)work->base, work->pages * PAGE_BYTES,
	    address / PAGE_BYTES, address + work->offset);
	out_end();
}

static void take_arguments(struct work *work, const char *line)
{
	char text[NAME_BYTES];
	uint64_t size;

	work->pages = MEMORY_PAGES;
	work->victim = 1;
	work->offset = 0x400;
	if (json_find_number(line, "offset", &work->offset))
		work->offset &= PAGE_BYTES - 8;
	if (json_find_text(line, "touch", text, sizeof(text)))
		work->touch = touch_named(text);
	if (!work->pattern)
		return;
	work->touch = TOUCH_LOAD;
	if (json_find_number(line, "size", &size))
		work->pages = size / PAGE_BYTES;
	(void)json_find_number(line, "rate", &work->rate);
	work->victim = work->pages / 2;
}

/** work_start - the call workload.start. Return: true */
bool work_start(const char *line, uint64_t id)
{
	struct work work = {.begun = now_ns()}, *free = NULL;
	char kind[NAME_BYTES];

	for (unsigned int i = 0; i < WORKS; i++)
		if (!works[i].base)
			free = &works[i];
	if (!json_find_text(line, "name", work.name, sizeof(work.name)) ||
	    !json_find_text(line, "kind", kind, sizeof(kind))) {
		answer_error(id, 22, "EINVAL", "workload.start: name or kind is missing");
		return true;
	}
	work.pattern = text_is(kind, "pattern");
	if ((!work.pattern && !text_is(kind, "memory")) || find_work(work.name) || !free) {
		answer_error(id, 95, "EOPNOTSUPP",
			     "workload.start: this guest has the kinds memory and pattern, four at "
			     "most, each name once");
		return true;
	}
	take_arguments(&work, line);
	work.base = take_pages(work.pages);
	if (!work.base) {
		answer_error(id, 12, "ENOMEM", "workload.start: this guest has too little memory");
		return true;
	}
	*free = work;
	for (uint64_t i = 0; i < work.pages; i++)
		fill(free, i, 0);
	answer_facts(free, id);
	return true;
}

static struct work *work_of_call(const char *line, uint64_t id)
{
	char name[NAME_BYTES];
	struct work *work =
		json_find_text(line, "name", name, sizeof(name)) ? find_work(name) : NULL;

	if (!work)
		answer_error(id, 2, "ENOENT", "no workload of that name was started");
	return work;
}

static void answer_done(uint64_t id)
{
	out_begin();
	out("{\"id\":%lu,\"ok\":{}}", id);
	out_end();
}

/** work_touch - the call workload.touch; "by" instead of the touch that it was started with. Return: true */
bool work_touch(const char *line, uint64_t id)
{
	struct work *work = work_of_call(line, id);
	char by[NAME_BYTES];

	if (!work)
		return true;
	answer_done(id);
	console_flush();
	touch(work, json_find_text(line, "by", by, sizeof(by)) ? touch_named(by) : work->touch);
	return true;
}

/** work_stop - the call workload.stop. Return: true */
bool work_stop(const char *line, uint64_t id)
{
	struct work *work = work_of_call(line, id);

	if (!work)
		return true;
	work->base = NULL;
	answer_done(id);
	return true;
}

static void rewrite(struct work *work)
{
	uint64_t due = (now_ns() - work->begun) / 1000 * work->rate / (SECOND / 1000);

	/* Bound the number of late pages to catch up. */
	if (due > work->written + MOST_WRITES)
		work->written = due - MOST_WRITES;
	for (; work->written < due; work->written++) {
		(void)verify(work, work->next);
		fill(work, work->next, work->generation + 1);
		if (++work->next == work->pages) {
			work->next = 0;
			work->generation++;
		}
	}
}

/** work_step - write the pages of patterns that are due */
void work_step(void)
{
	for (unsigned int i = 0; i < WORKS; i++)
		if (works[i].base && works[i].pattern && works[i].rate)
			rewrite(&works[i]);
}

/* Report like the signal that Linux sends to the owner of the page. */
static void report_signal(const struct work *work, const struct machine_check *check)
{
	bool required = (check->status & STATUS_ACTION_REQUIRED) != 0;

	event_begin(work, "signal", required ? "SIGBUS BUS_MCEERR_AR" : "SIGBUS BUS_MCEERR_AO");
	out(",\"signal\":%lu,\"signal_name\":\"SIGBUS\",\"code\":%lu,\"code_name\":\"%s\","
	    "\"address\":\"0x%lx\",\"lsb\":%lu",
	    (uint64_t)SIGNAL_BUS,
	    (uint64_t)(required ? CODE_ACTION_REQUIRED : CODE_ACTION_OPTIONAL),
	    required ? "BUS_MCEERR_AR" : "BUS_MCEERR_AO", check->address, check->misc & 63);
	event_end();
}

/** work_machine_check - report a machine check, also for the workload that owns its page */
void work_machine_check(const struct machine_check *check)
{
	out_begin();
	out("{\"event\":\"witness\",\"witness\":\"machine-check\",\"number\":%lu,\"time_ns\":%lu,"
	    "\"text\":\"machine check: bank %lu, status 0x%lx, address 0x%lx, misc 0x%lx, global "
	    "0x%lx\",\"data\":{\"seen\":true,\"pfn\":%lu,\"bank\":%lu,\"status\":\"0x%lx\","
	    "\"address\":\"0x%lx\",\"during_touch\":%s}}",
	    numbers++, now_ns(), (uint64_t)check->bank, check->status, check->address, check->misc,
	    check->global, check->address / PAGE_BYTES, (uint64_t)check->bank, check->status,
	    check->address, check->during_touch ? "true" : "false");
	out_end();
	if (!(check->status & STATUS_ADDRESS_VALID))
		return;
	for (unsigned int i = 0; i < WORKS; i++)
		if (works[i].base && check->address >= (uint64_t)works[i].base &&
		    check->address < (uint64_t)page_of(&works[i], works[i].pages))
			report_signal(&works[i], check);
}
