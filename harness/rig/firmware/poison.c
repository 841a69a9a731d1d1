// SPDX-License-Identifier: GPL-2.0-only
/*
 * Poisoned lines: the model's side of the page shared with the TCG plugin.
 *
 * A line stays poisoned until it is overwritten completely, cleared by a call, or retired: some time after an uncorrected
 * error in it was signalled, the kernel has unmapped its page, and comparing every access with it would only cost time.
 * (Real memory stays bad for ever; {"call": "retire", "ms": 0} does the same.)
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <linux/futex.h>

#include "harness/rig/firmware/internal.h"

/* Timeout for the plugin to discard all translated code and acknowledge it. */
#define ACKNOWLEDGE_MS 500
#define QMP_TIMEOUT_MS 2000
/*
 * Time that a machine without poison stays instrumented: every change discards all translated code, and the next trial would
 * have to translate it again.
 */
#define LINGER_MS 5000
/* Time for stores to overwrite a line completely; else the first one counts as a partial store. */
#define PARTIAL_STORE_NS (20 * NSEC_PER_MSEC)

static void set_offsets(struct firmware *firmware)
{
	uint64_t offsets = 0;

	for (int i = 0; i < POISON_LINES; i++)
		if (atomic_load(&firmware->page->lines[i].kind))
			offsets |= UINT64_C(1)
				   << (atomic_load(&firmware->page->lines[i].address) >> 6 & 63);
	atomic_store(&firmware->page->offsets, offsets);
}

static bool wait_for_plugin(struct firmware *firmware, uint32_t generation)
{
	int64_t deadline = now_monotonic_ns() + ACKNOWLEDGE_MS * NSEC_PER_MSEC;

	for (;;) {
		struct pollfd wait = {.fd = firmware->notify_fd, .events = POLLIN};
		int64_t left = deadline - now_monotonic_ns();
		char drain[16];

		if (atomic_load(&firmware->page->acknowledged) == generation)
			return true;
		if (left <= 0)
			return false;
		if (poll(&wait, 1, (int)(left / NSEC_PER_MSEC) + 1) > 0)
			(void)!recv(firmware->notify_fd, drain, sizeof(drain), MSG_DONTWAIT);
	}
}

/* Make the plugin read the page: it does so whenever the machine is stopped. */
static int synchronise(struct firmware *firmware, bool instrument)
{
	uint32_t generation = atomic_load(&firmware->page->generation);
	__cleanup_json json_t *status = NULL;
	bool acknowledged;
	int error;

	/* Odd: instrument. Always a new number, so that an old acknowledgement does not match. */
	generation = (generation | 1) + (instrument ? 2 : 1);
	atomic_store(&firmware->page->generation, generation);
	if (!atomic_load(&firmware->page->present)) {
		atomic_store(&firmware->page->acknowledged, generation);
		return 0;
	}
	if (!firmware->qmp)
		return -ENOTCONN;
	error = qmp_execute(firmware->qmp, "query-status", NULL, QMP_TIMEOUT_MS, &status);
	if (!error && !json_is_true(json_object_get(status, "running")))
		error = -EHOSTDOWN;
	if (error)
		return error;
	error = qmp_execute(firmware->qmp, "stop", NULL, QMP_TIMEOUT_MS, NULL);
	if (error)
		return error;
	error = qmp_execute(firmware->qmp, "cont", NULL, QMP_TIMEOUT_MS, NULL);
	acknowledged = wait_for_plugin(firmware, generation);
	return error ?: acknowledged ? 0 : -ETIME;
}

/* Whether the plugin compares every access with the page already. */
static bool is_instrumented(const struct firmware *firmware)
{
	uint32_t generation = atomic_load(&firmware->page->generation);

	return generation & 1 && atomic_load(&firmware->page->acknowledged) == generation;
}

static bool any_armed(const struct firmware *firmware)
{
	for (int i = 0; i < POISON_LINES; i++)
		if (atomic_load(&firmware->page->lines[i].kind))
			return true;
	return false;
}

/**
 * poison_arm - poison a line
 * @firmware: model
 * @address:  physical; its line is poisoned
 * @kind:     error that a processor consumes there
 * @line:     receives the index of the line
 *
 * In an instrumented machine this takes effect at the next access. Else the plugin must start the instrumentation first.
 *
 * Return: 0 when every access is compared with the line; -ENOSPC when POISON_LINES are armed, -ETIME when the plugin does not
 * answer, -ENOTCONN without a running QEMU, or another -errno. On an error nothing is armed.
 */
int poison_arm(struct firmware *firmware, uint64_t address, enum poison_kind kind, int *line)
{
	static const char *const kinds[] = {[POISON_UNCORRECTED] = "uncorrected",
					    [POISON_FATAL] = "fatal",
					    [POISON_CORRECTED] = "corrected",
					    [POISON_CACHED] = "cached"};
	uint64_t start = address & ~(uint64_t)(POISON_LINE_SIZE - 1);
	struct poison_line *shared;
	int unused = -1, error;

	*line = -1;
	for (int i = POISON_LINES - 1; i >= 0; i--) {
		if (!atomic_load(&firmware->page->lines[i].kind))
			unused = i;
		else if (atomic_load(&firmware->page->lines[i].address) == start)
			*line = i;
	}
	if (*line < 0)
		*line = unused;
	if (*line < 0)
		return -ENOSPC;
	shared = &firmware->page->lines[*line];
	firmware->lines[*line] = (struct line_state){0};
	atomic_store(&shared->address, start);
	atomic_store(&shared->stored, 0);
	atomic_fetch_add(&shared->armed, 1);
	atomic_store(&shared->kind, kind);
	set_offsets(firmware);
	firmware->linger_due = 0;
	error = is_instrumented(firmware) ? 0 : synchronise(firmware, true);
	if (error) {
		poison_disarm(firmware, *line);
		*line = -1;
		return error;
	}
	firmware_event(firmware, json_pack("{s:s, s:o, s:s, s:b}", "event", "poisoned", "address",
					   json_hex(start), "kind", kinds[kind], "watched",
					   (int)atomic_load(&firmware->page->present) != 0));
	return 0;
}

/**
 * poison_disarm - remove a poisoned line; some time after the last one the instrumentation ends
 * @firmware: model
 * @line:     index, or -1 for none
 */
void poison_disarm(struct firmware *firmware, int line)
{
	if (line < 0)
		return;
	atomic_store(&firmware->page->lines[line].kind, 0);
	firmware->lines[line] = (struct line_state){0};
	set_offsets(firmware);
	if (!any_armed(firmware) && atomic_load(&firmware->page->generation) & 1)
		firmware->linger_due = now_monotonic_ns() + LINGER_MS * NSEC_PER_MSEC;
}

/** poison_disarm_all - remove all lines without the plugin, because its QEMU does not run */
void poison_disarm_all(struct firmware *firmware)
{
	uint32_t generation = atomic_load(&firmware->page->generation);

	for (int i = 0; i < POISON_LINES; i++)
		atomic_store(&firmware->page->lines[i].kind, 0);
	memset(firmware->lines, 0, sizeof(firmware->lines));
	firmware->linger_due = 0;
	set_offsets(firmware);
	generation += generation & 1;
	atomic_store(&firmware->page->generation, generation);
	atomic_store(&firmware->page->acknowledged, generation);
	atomic_store(&firmware->page->hold, 0);
	atomic_store(&firmware->page->raising, 0);
	firmware->posts_taken = atomic_load(&firmware->page->posted);
}

/* A machine check has reported the line to the kernel. */
static void reported(struct firmware *firmware, int line)
{
	firmware->lines[line].reported = true;
	firmware->lines[line].partial_due = 0;
	if (firmware->retire_ms)
		firmware->lines[line].retire_due =
			now_monotonic_ns() + firmware->retire_ms * NSEC_PER_MSEC;
}

static void consumed(struct firmware *firmware, const struct poison_post *post, int line,
		     uint32_t kind)
{
	bool fatal = kind == POISON_FATAL;
	uint64_t status = fatal			      ? POISON_STATUS_FATAL
			  : post->act == POISON_FETCH ? POISON_STATUS_SRAR_FETCH
						      : POISON_STATUS_SRAR_LOAD;
	json_t *event = json_pack("{s:s, s:s, s:s, s:i, s:o, s:o, s:b}", "event", "delivered",
				  "kind", fatal ? "fatal" : "SRAR", "act",
				  post->act == POISON_FETCH ? "fetch" : "load", "cpu",
				  (int)post->processor, "address", json_hex(post->address),
				  "status", json_hex(status), "precise", (int)(post->raised != 0));

	json_object_set_new(event, "time_ns", json_integer((json_int_t)post->time_ns));
	if (fatal)
		firmware->counts.fatal++;
	else
		firmware->counts.srar++;
	if (!post->raised && firmware->qmp) {
		/* The plugin holds its processor for a short time until this. */
		qmp_human(firmware->qmp, QMP_TIMEOUT_MS, NULL, "mce %u %d 0x%llx 0x%x 0x%llx 0x%x",
			  post->processor, POISON_BANK, (unsigned long long)status,
			  fatal ? POISON_MCG_LOCAL_FATAL : POISON_MCG_LOCAL,
			  (unsigned long long)post->address, POISON_MISC);
		firmware->last_check = now_monotonic_ns();
	}
	reported(firmware, line);
	firmware_event(firmware, event);
}

static void written_back(struct firmware *firmware, const struct poison_post *post, int line)
{
	struct machine_check check = {.kind = "SRAO",
				      .processor = post->processor,
				      .status = POISON_STATUS_SRAO_WRITE_BACK,
				      .mcg_status = MCG_RIPV_MCIP,
				      .address = post->address,
				      .misc = MISC_PAGE,
				      .line = line};

	if (!post->raised) {
		deliver_check(firmware, &check);
		return;
	}
	firmware->counts.srao++;
	reported(firmware, line);
	firmware_event(firmware,
		       json_pack("{s:s, s:s, s:s, s:i, s:o, s:o, s:I}", "event", "delivered",
				 "kind", "SRAO", "act", "write-back", "cpu", (int)post->processor,
				 "address", json_hex(post->address), "status",
				 json_hex(check.status), "time_ns", (json_int_t)post->time_ns));
}

static void take_post(struct firmware *firmware, const struct poison_post *post)
{
	struct poison_line *shared;
	struct line_state *state;
	uint32_t kind;
	int line;

	if (post->line >= POISON_LINES || post->processor >= firmware->config.processors)
		return;
	line = (int)post->line;
	shared = &firmware->page->lines[line];
	state = &firmware->lines[line];
	kind = atomic_load(&shared->kind);
	if (post->armed != atomic_load(&shared->armed))
		return;
	switch (post->act) {
	case POISON_LOAD:
	case POISON_FETCH:
		if (kind && kind != POISON_CORRECTED) {
			consumed(firmware, post, line, kind);
		} else {
			deliver_record(firmware, &(struct cper_record){
							 .section = CPER_MEMORY,
							 .severity = CPER_CORRECTED,
							 .address_valid = true,
							 .address = post->address,
							 .mask = UINT64_MAX,
						 });
			poison_disarm(firmware, line);
		}
		break;
	case POISON_WRITE_BACK:
		written_back(firmware, post, line);
		break;
	case POISON_PARTIAL_STORE:
		if (kind && !state->reported && !state->partial_due)
			state->partial_due = now_monotonic_ns() + PARTIAL_STORE_NS;
		break;
	case POISON_OVERWRITE:
		firmware->counts.overwritten++;
		firmware_event(
			firmware,
			json_pack("{s:s, s:o, s:i}", "event", "cleared-by-store", "address",
				  json_hex(post->address & ~(uint64_t)(POISON_LINE_SIZE - 1)),
				  "cpu", (int)post->processor));
		poison_disarm(firmware, line);
		break;
	default:
		break;
	}
}

/** poison_take_posts - handle the posts of the plugin since the last call */
void poison_take_posts(struct firmware *firmware)
{
	uint64_t posted = atomic_load(&firmware->page->posted);

	if (posted - firmware->posts_taken > POISON_POSTS) {
		firmware->counts.lost +=
			(unsigned int)(posted - firmware->posts_taken - POISON_POSTS);
		firmware->posts_taken = posted - POISON_POSTS;
	}
	while (firmware->posts_taken != posted) {
		uint64_t sequence = firmware->posts_taken + 1;
		struct poison_post *shared = &firmware->page->posts[sequence % POISON_POSTS];
		struct poison_post post;

		/* Not complete yet: its notification follows. */
		if (atomic_load_explicit(&shared->sequence, memory_order_acquire) != sequence)
			break;
		memcpy(&post, shared, sizeof(post));
		firmware->posts_taken = sequence;
		take_post(firmware, &post);
		atomic_store(&firmware->page->answered, sequence);
		syscall(SYS_futex, &firmware->page->answered, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
	}
}

/** poison_expire - report partial stores, retire reported lines and end the instrumentation, if due at @now */
void poison_expire(struct firmware *firmware, int64_t now)
{
	if (firmware->linger_due && firmware->linger_due <= now) {
		firmware->linger_due = 0;
		(void)synchronise(firmware, false);
	}
	for (int i = 0; i < POISON_LINES; i++) {
		struct line_state *state = &firmware->lines[i];
		uint64_t address = atomic_load(&firmware->page->lines[i].address);

		if (state->partial_due && state->partial_due <= now) {
			state->partial_due = 0;
			state->reported = true;
			deliver_record(firmware, &(struct cper_record){
							 .section = CPER_MEMORY,
							 .severity = CPER_RECOVERABLE,
							 .address_valid = true,
							 .address = address,
							 .mask = UINT64_MAX,
						 });
		}
		if (state->retire_due && state->retire_due <= now) {
			poison_disarm(firmware, i);
			firmware_event(firmware, json_pack("{s:s, s:o}", "event", "retired",
							   "address", json_hex(address)));
		}
	}
}

static int64_t earlier(int64_t one, int64_t other)
{
	return !one ? other : !other ? one : one < other ? one : other;
}

/** poison_next_due - next time that poison_expire() has something to do. Return: CLOCK_MONOTONIC in ns; 0: never */
int64_t poison_next_due(const struct firmware *firmware)
{
	int64_t due = firmware->linger_due;

	for (int i = 0; i < POISON_LINES; i++) {
		due = earlier(due, firmware->lines[i].partial_due);
		due = earlier(due, firmware->lines[i].retire_due);
	}
	return due;
}

/**
 * poison_scrub - a pass of the patrol scrubber, which finds poison that is not consumed yet
 *
 * Return: the number of lines found.
 */
int poison_scrub(struct firmware *firmware)
{
	int found = 0;

	for (int i = 0; i < POISON_LINES; i++) {
		uint32_t kind = atomic_load(&firmware->page->lines[i].kind);
		uint64_t address = atomic_load(&firmware->page->lines[i].address);

		if (!kind || kind == POISON_CACHED || firmware->lines[i].reported)
			continue;
		found++;
		firmware->lines[i].reported = true;
		if (kind == POISON_CORRECTED) {
			poison_disarm(firmware, i);
			deliver_record(firmware, &(struct cper_record){
							 .section = CPER_MEMORY,
							 .severity = CPER_CORRECTED,
							 .address_valid = true,
							 .address = address,
							 .mask = UINT64_MAX,
						 });
			continue;
		}
		/* The scrubber does not consume the data: its errors are never fatal. */
		deliver_check(firmware, &(struct machine_check){.kind = "SRAO",
								.status = STATUS_SRAO_SCRUB,
								.mcg_status = MCG_RIPV_MCIP,
								.address = address,
								.misc = MISC_PAGE,
								.line = i});
	}
	return found;
}

/** poison_list - the armed lines as JSON, owned by the caller */
json_t *poison_list(const struct firmware *firmware)
{
	json_t *list = json_array();

	for (int i = 0; i < POISON_LINES; i++) {
		const struct poison_line *line = &firmware->page->lines[i];

		if (atomic_load(&line->kind))
			json_array_append_new(
				list, json_pack("{s:o, s:i, s:o, s:b}", "address",
						json_hex(atomic_load(&line->address)), "kind",
						(int)atomic_load(&line->kind), "stored",
						json_hex(atomic_load(&line->stored)), "reported",
						(int)firmware->lines[i].reported));
	}
	return list;
}
