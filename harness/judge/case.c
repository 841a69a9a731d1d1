// SPDX-License-Identifier: GPL-2.0-only
/*
 * A trial as the judge sees it: its own records out of the journal, and the pages, addresses and
 * processes that the fault was meant for. Evidence about others is no proof.
 */
#include <inttypes.h>
#include <string.h>

#include "harness/journal/journal.h"
#include "harness/judge/case.h"

/** record_type - type of a record, "" when it has none; borrowed */
const char *record_type(const json_t *record)
{
	return json_text(record, "type", "");
}

/** record_body - body of a record, NULL when it has none; borrowed */
const json_t *record_body(const json_t *record)
{
	return json_object_get(record, "body");
}

/** record_time - when the controller wrote a record, CLOCK_REALTIME in nanoseconds */
int64_t record_time(const json_t *record)
{
	return json_number(record, "time_ns", 0);
}

static bool has_type(const json_t *record, const char *type)
{
	return strcmp(record_type(record), type) == 0;
}

static void add_range(struct range *ranges, size_t *count, uint64_t first, uint64_t length)
{
	uint64_t end;

	if (*count == RANGE_LIMIT)
		return;
	if (__builtin_add_overflow(first, length, &end))
		end = UINT64_MAX;
	ranges[(*count)++] = (struct range){first, end};
}

static bool in_ranges(const struct range *ranges, size_t count, uint64_t value)
{
	for (size_t i = 0; i < count; i++)
		if (value >= ranges[i].first && value < ranges[i].end)
			return true;
	return false;
}

static bool read_number(const json_t *object, const char *key, uint64_t *number)
{
	*number = (uint64_t)json_number(object, key, 0);
	return *number != 0;
}

/* A page of 2^n bytes; anything else that calls itself a page size is taken for 4 KiB. */
static uint64_t page_size_of(const json_t *facts)
{
	uint64_t size = (uint64_t)json_number(facts, "page_size", 4096);

	return size >= 4096 && size <= 1ull << 30 && (size & (size - 1)) == 0 ? size : 4096;
}

static void add_pids(struct trial_case *trial, const json_t *value)
{
	size_t index;
	json_t *each;

	if (json_is_integer(value) && trial->pid_count < RANGE_LIMIT)
		trial->pids[trial->pid_count++] = json_integer_value(value);
	json_array_foreach (value, index, each)
		if (json_is_integer(each) && trial->pid_count < RANGE_LIMIT)
			trial->pids[trial->pid_count++] = json_integer_value(each);
}

/* What belongs to a workload: its page frames, its addresses, its processes and threads. */
static void add_facts(struct trial_case *trial, const json_t *facts)
{
	static const char *const pid_keys[] = {"pid", "pids", "tid", "tids", "threads", "children"};
	uint64_t size = page_size_of(facts), pages = size / 4096, number;

	if (read_number(facts, "pfn", &number))
		add_range(trial->pfns, &trial->pfn_count, number & ~(pages - 1), pages);
	if (read_number(facts, "physical", &number))
		add_range(trial->pfns, &trial->pfn_count, number >> 12 & ~(pages - 1), pages);
	if (read_number(facts, "address", &number))
		add_range(trial->addresses, &trial->address_count, number & ~(size - 1), size);
	for (size_t i = 0; i < ARRAY_SIZE(pid_keys); i++)
		add_pids(trial, json_object_get(facts, pid_keys[i]));
}

/*
 * What the fault was aimed at. An injector's "address" is physical or virtual, by its kind; reading
 * it both ways is harmless, because no virtual address of a process is the number of a page frame
 * that exists.
 */
static void add_aim(struct trial_case *trial, const json_t *aim)
{
	static const char *const address_keys[] = {"address", "physical", "param1"};
	uint64_t number;

	if (read_number(aim, "pfn", &number))
		add_range(trial->pfns, &trial->pfn_count, number, 1);
	for (size_t i = 0; i < ARRAY_SIZE(address_keys); i++)
		if (read_number(aim, address_keys[i], &number))
			add_range(trial->pfns, &trial->pfn_count, number >> 12, 1);
}

static const char *target_of(const struct trial_case *trial)
{
	return json_text(record_body(trial->intent), "target", NULL);
}

static bool names_target(const struct trial_case *trial, const json_t *body)
{
	const char *target = target_of(trial);
	const char *name = json_text(body, "workload", NULL);

	return !target || !name || strcmp(target, name) == 0;
}

/*
 * Evidence that carries no trial's id (console, boot) counts for the trial during which it came, if
 * the host is right.
 */
static bool belongs(const json_t *record, const char *id)
{
	const char *trial = json_text(record, "trial", NULL);

	if (trial)
		return strcmp(trial, id) == 0;
	return has_type(record, "event") || has_type(record, "boot") ||
	       has_type(record, JOURNAL_DAMAGE);
}

static void collect(struct trial_case *trial, const json_t *records, const char *id)
{
	size_t first = json_array_size(records), last = 0, index;
	bool fired_before = false, fired = false;
	json_t *record;

	json_array_foreach (records, index, record) {
		const char *of = json_text(record, "trial", NULL);

		if (!of || strcmp(of, id) != 0)
			continue;
		if (has_type(record, "trial")) {
			trial->attempts++;
			fired_before = fired_before || fired;
			first = index;
		} else if (first > index) {
			first = index;
		}
		fired = fired || has_type(record, "intent");
		if (!has_type(record, "verdict"))
			last = index;
	}
	trial->repeated = fired_before;
	for (index = first; index <= last && index < json_array_size(records); index++) {
		record = json_array_get(records, index);
		if (!belongs(record, id) || has_type(record, "verdict"))
			continue;
		if (has_type(record, JOURNAL_DAMAGE)) {
			if (!trial->damaged_line)
				trial->damaged_line =
					(int)json_number(record_body(record), "line", 1);
			continue;
		}
		json_array_append(trial->records, record);
		if (has_type(record, "close"))
			break;
	}
	/*
	 * A lost line next to the trial belongs to it when the record that should stand there is
	 * missing: its start or its end.
	 */
	record = first ? json_array_get(records, first - 1) : NULL;
	if (record && has_type(record, JOURNAL_DAMAGE) && trial->attempts == 0)
		trial->damaged_line = (int)json_number(record_body(record), "line", 1);
	record = json_array_get(records, last + 1);
	if (record && has_type(record, JOURNAL_DAMAGE) &&
	    !has_type(json_array_get(trial->records, json_array_size(trial->records) - 1), "close"))
		trial->damaged_line = (int)json_number(record_body(record), "line", 1);
}

/**
 * case_open - gather what the journal holds about a trial
 * @trial:   to be filled; give it to case_close()
 * @records: of the journal, borrowed for as long as the case is open
 * @id:      of the trial
 *
 * The last attempt counts. Records behind the close of an attempt are none of its evidence.
 */
void case_open(struct trial_case *trial, const json_t *records, const char *id)
{
	size_t index;
	json_t *record;

	*trial = (struct trial_case){.process = PROCESS_UNKNOWN, .host = HOST_UNKNOWN};
	trial->records = json_array();
	trial->evidence = json_array();
	collect(trial, records, id);
	trial->intent_at = json_array_size(trial->records);
	json_array_foreach (trial->records, index, record) {
		if (has_type(record, "trial") && !trial->start)
			trial->start = record;
		if (has_type(record, "intent") && !trial->intent) {
			trial->intent = record;
			trial->intent_at = index;
		}
		if (has_type(record, "outcome") && trial->intent)
			trial->outcome = record;
		if (has_type(record, "close"))
			trial->close = record;
	}
	json_array_foreach (trial->records, index, record) {
		const json_t *body = record_body(record);

		if (has_type(record, "facts") && names_target(trial, body))
			add_facts(trial, json_object_get(body, "facts"));
		if (has_type(record, "intent")) {
			add_aim(trial, body);
			add_aim(trial, json_object_get(body, "arguments"));
		}
		if (has_type(record, "outcome") && trial->intent)
			add_aim(trial, json_object_get(body, "result"));
	}
	record = json_object_get(record_body(trial->start), "expect");
	trial->expect = json_is_object(record) ? json_incref(record) : json_object();
}

/** case_close - free what case_open() and the judging allocated */
void case_close(struct trial_case *trial)
{
	json_decref(trial->records);
	json_decref(trial->expect);
	json_decref(trial->evidence);
}

/** case_after_intent - is the record at an index later than the durable intent to fire? */
bool case_after_intent(const struct trial_case *trial, size_t index)
{
	return trial->intent && index > trial->intent_at;
}

/**
 * case_change - by how much a counter has changed since the intent
 * @trial:      the case
 * @witness:    that counts
 * @name:       of the counter
 * @change:     {"before", "after"} as the witness told it: since it was started
 * @difference: receives the change
 *
 * What the witness had told before the intent is none of the fault's doing.
 *
 * Return: false for counters that make no sense.
 */
bool case_change(const struct trial_case *trial, const char *witness, const char *name,
		 const json_t *change, int64_t *difference)
{
	int64_t before = json_number(change, "before", 0);
	json_t *record;
	size_t index;

	json_array_foreach (trial->records, index, record) {
		const json_t *body = record_body(record);
		const json_t *told = json_object_get(json_object_get(body, "data"), name);

		if (index >= trial->intent_at)
			break;
		if (has_type(record, "event") &&
		    strcmp(json_text(body, "witness", ""), witness) == 0)
			before = json_number(told, "after", before);
	}
	return !__builtin_sub_overflow(json_number(change, "after", 0), before, difference);
}

/** case_owns_pfn - is a page frame one that the fault was meant for? */
bool case_owns_pfn(const struct trial_case *trial, uint64_t pfn)
{
	return in_ranges(trial->pfns, trial->pfn_count, pfn);
}

/** case_owns_pid - is a process, or a thread, one of the victim? */
bool case_owns_pid(const struct trial_case *trial, int64_t pid)
{
	for (size_t i = 0; i < trial->pid_count; i++)
		if (trial->pids[i] == pid)
			return true;
	return false;
}

/**
 * case_owns_address - is a virtual address in the page of the victim?
 * @trial:   the case
 * @address: si_addr
 * @lsb:     si_addr_lsb: the kernel reports the address only as exactly as 2^lsb bytes
 *
 * Return: true when it is, and when the victim never named its address.
 */
bool case_owns_address(const struct trial_case *trial, uint64_t address, int64_t lsb)
{
	uint64_t mask = lsb > 12 && lsb <= 30 ? ~((1ull << lsb) - 1) : ~0ull;

	if (trial->address_count == 0 || in_ranges(trial->addresses, trial->address_count, address))
		return true;
	for (size_t i = 0; i < trial->address_count; i++)
		if ((trial->addresses[i].first & mask) == (address & mask))
			return true;
	return false;
}

/** case_victim_event - is a record this event of the workload that the fault was meant for? */
bool case_victim_event(const struct trial_case *trial, const json_t *record, const char *event)
{
	const json_t *body = record_body(record);
	const json_t *data = json_object_get(body, "data");

	return has_type(record, "event") &&
	       strcmp(json_text(body, "witness", ""), "workload") == 0 &&
	       strcmp(json_text(data, "event", ""), event) == 0 && names_target(trial, data);
}

/**
 * is_memory_error_signal - is a workload's signal one that the kernel only sends for broken memory?
 */
bool is_memory_error_signal(const json_t *data)
{
	const char *code = json_text(data, "code_name", "");

	return strcmp(json_text(data, "signal_name", ""), "SIGBUS") == 0 &&
	       (strcmp(code, "BUS_MCEERR_AR") == 0 || strcmp(code, "BUS_MCEERR_AO") == 0);
}

/* Workloads report fields; people read sentences. */
static char *describe(const json_t *body)
{
	const json_t *data = json_object_get(body, "data");
	const char *text = json_text(body, "text", "");
	const char *event = json_text(data, "event", "");

	if (*text)
		return strdup(text);
	if (strcmp(event, "signal") == 0)
		return format_text("%s: %s %s at %s, lsb %" PRId64,
				   json_text(data, "workload", "workload"),
				   json_text(data, "signal_name", "signal"),
				   json_text(data, "code_name", "?"),
				   json_text(data, "address", "?"), json_number(data, "lsb", 0));
	if (strcmp(event, "error") == 0)
		return format_text("%s: %s failed with %s", json_text(data, "workload", "workload"),
				   json_text(data, "call", "a system call"),
				   json_text(data, "errno_name", "?"));
	if (strcmp(event, "touched") == 0)
		return format_text("%s: touched, data %s", json_text(data, "workload", "workload"),
				   json_text(data, "data",
					     json_is_true(json_object_get(data, "value_ok"))
						     ? "intact"
						     : "wrong"));
	if (strcmp(event, "exit") == 0)
		return format_text("%s: ended, status %" PRId64 ", signal %" PRId64,
				   json_text(data, "workload", "workload"),
				   json_number(data, "status", 0), json_number(data, "signal", 0));
	return format_text("%s%s%s", json_text(data, "workload", ""),
			   json_text(data, "workload", NULL) ? ": " : "", *event ? event : "event");
}

/**
 * case_cite - quote a record in the result
 * @trial:  the case
 * @record: an event, boot, outcome or close record
 * @proves: what it proves: "delivered" or the name of an axis; a record is quoted once, for the
 *          first
 */
void case_cite(struct trial_case *trial, const json_t *record, const char *proves)
{
	const json_t *body = record_body(record);
	const char *type = record_type(record);
	json_int_t sequence = 0;
	__cleanup_free char *text = NULL;
	size_t index;
	json_t *cited;

	/*
	 * A quote is known by its record's place: records that the engine still holds have no
	 * number yet.
	 */
	json_array_foreach (trial->records, index, cited)
		if (cited == record)
			sequence = (json_int_t)index;
	json_array_foreach (trial->evidence, index, cited)
		if (json_number(cited, "place", 0) == sequence)
			return;
	if (json_array_size(trial->evidence) >= EVIDENCE_LIMIT)
		return;
	if (strcmp(type, "event") == 0)
		text = describe(body);
	else if (strcmp(type, "boot") == 0)
		text = format_text("boot %s of %s", json_text(body, "boot_id", "?"),
				   json_text(body, "host", "the host"));
	else if (strcmp(type, "outcome") == 0)
		text = format_text("%s: %s%s%s", json_text(body, "injector", "injector"),
				   json_text(body, "error_name",
					     json_number(body, "error", 0) ? "error" : "done"),
				   *json_text(body, "reason", "") ? ": " : "",
				   json_text(body, "reason", ""));
	else
		text = strdup(json_text(body, "reason", type));
	json_array_append_new(
		trial->evidence,
		json_pack("{s:s, s:I, s:s*, s:s, s:I}", "witness",
			  strcmp(type, "event") == 0	 ? json_text(body, "witness", "event")
			  : strcmp(type, "outcome") == 0 ? json_text(body, "injector", "injector")
							 : type,
			  "time_ns", (json_int_t)record_time(record), "text", text, "proves",
			  proves, "place", sequence));
}
