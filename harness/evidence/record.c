// SPDX-License-Identifier: GPL-2.0-only
/*
 * The journal's records, decoded once for judge, reports and `show`.
 */
#include <string.h>

#include "harness/evidence/evidence.h"
#include "harness/evidence/record.h"

#define TIME_LIMIT (INT64_MAX / 4)

static bool flag(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

static int64_t seen_at(const json_t *body, int64_t written_ns)
{
	int64_t seen_ns = json_number(body, "host_time_ns", written_ns);

	if (seen_ns > written_ns)
		seen_ns = written_ns;
	return seen_ns < 0 ? 0 : seen_ns > TIME_LIMIT ? TIME_LIMIT : seen_ns;
}

static void read_beat(struct beat_report *beat, const json_t *data)
{
	const json_t *prompt = json_object_get(data, "prompt");
	const json_t *clocks = json_object_get(data, "guest_clocks");

	*beat = (struct beat_report){
		.what = json_text(data, "what", ""),
		.boot_id = json_text(data, "boot_id",
				     json_text(json_object_get(data, "said"), "boot_id", NULL)),
		.age_ns = json_number(data, "age_ns", -1),
		.since_ns = json_number(data, "since_ns", 0),
		.arrival_ns = json_number(data, "arrival_ns", 0),
		.beats = json_number(data, "beats", 0),
		.missed = json_number(data, "missed", 0),
		.longest_ns = json_number(data, "longest_ns", 0),
		.guest_ns = json_number(data, "guest_ns", 0),
		.prompt_age_ns = json_number(prompt, "age_ns", -1),
		.prompt_guest_ns = json_number(prompt, "guest_ns", 0),
		.interval_ns = json_number(data, "interval_ns", 0),
		.gaps = json_object_get(data, "gaps"),
		.clocks = json_is_object(clocks) ? clocks : NULL,
		.first = flag(data, "first"),
		.connected = flag(data, "connected"),
		.rebooted = flag(data, "rebooted"),
	};
}

static void read_domain(struct domain_report *domain, const json_t *data)
{
	*domain = (struct domain_report){
		.state = json_text(data, "state", ""),
		.detail = json_text(data, "detail", ""),
		.uuid = json_text(data, "uuid", NULL),
		.action = json_text(data, "action", ""),
		.statistics = json_object_get(data, "statistics"),
	};
}

static void read_migration(struct migration_report *migration, const json_t *data)
{
	bool counted = json_number(data, "total", -1) != 0;

	*migration = (struct migration_report){
		.stage = json_text(data, "stage", ""),
		.outcome = json_text(data, "outcome", ""),
		.reason = json_text(data, "reason", ""),
		.iteration = json_number(data, "iteration", -1),
		.downtime_ns = json_number(data, "downtime_ns", -1),
		.elapsed_ns = json_number(data, "elapsed_ns", -1),
		.remaining = counted ? json_number(data, "remaining", -1) : -1,
		.statistics = json_object_get(data, "statistics"),
		.local = flag(data, "local"),
	};
}

static void read_work(struct work_report *work, const json_t *data)
{
	const json_t *value = json_object_get(data, "value_ok");

	*work = (struct work_report){
		.workload = json_text(data, "workload", NULL),
		.signal_name = json_text(data, "signal_name", NULL),
		.code_name = json_text(data, "code_name", NULL),
		.error_name = json_text(data, "errno_name", NULL),
		.call = json_text(data, "call", NULL),
		.address_text = json_text(data, "address", NULL),
		.data = json_text(data, "data", NULL),
		.signal = json_number(data, "signal", 0),
		.status = json_number(data, "status", 0),
		.lsb = json_number(data, "lsb", -1),
		.pid = json_number(data, "pid", -1),
		.converted = json_number(data, "converted", 0),
		.refused = json_number(data, "refused", 0),
		.address = (uint64_t)json_number(data, "address", 0),
		.value = json_is_true(value)	? CHECKED_FINE
			 : json_is_false(value) ? CHECKED_WRONG
						: CHECKED_NOTHING,
		.metrics = json_object_get(data, "metrics"),
	};
}

static void read_event(struct event_record *event, const json_t *body)
{
	const json_t *data = json_object_get(body, "data");

	event->witness = json_text(body, "witness", "");
	event->source = source_find(event->witness);
	event->name = json_text(data, "event", "");
	event->text = json_text(body, "text", "");
	event->lost = json_number(data, "lost", 0);
	event->guest_time_ns = json_number(data, "guest_time_ns", 0);
	event->data = data;
	if (event->source == SOURCE_HEARTBEAT || event->source == SOURCE_GUEST_LINK)
		read_beat(&event->beat, data);
	else if (event->source == SOURCE_HYPERVISOR)
		read_domain(&event->domain, data);
	else if (event->source == SOURCE_MIGRATION)
		read_migration(&event->migration, data);
	else if (is_one_of(event->witness, RUN_SOURCES(TABLE_WORD) NULL))
		read_work(&event->work, data);
}

/* What journals did not record before injectors declared it. */
static const struct {
	const char *injector, *kills, *echoed_by;
	struct nature fault;
	struct nature (*fault_of)(const json_t *arguments);
} undeclared[] = {
	{"kill", "what", NULL, {KIND_OTHER, SEVERITY_ANY}, NULL},
	{"panic", NULL, NULL, {KIND_OTHER, SEVERITY_ANY}, NULL},
	{"hwpoison", NULL, NULL, {0, 0}, nature_of_page_method},
	{"dma", NULL, NULL, {KIND_IOMMU, SEVERITY_ANY}, NULL},
	{"einj", NULL, NULL, {0, 0}, nature_of_error_type},
	{"mce-inject", NULL, NULL, {0, 0}, nature_of_bank_record},
	{"qemu-mce", NULL, "hypervisor", {0, 0}, nature_of_bank_record},
};

static struct nature read_fault(const json_t *words)
{
	struct nature nature = {0, 0};
	json_t *word;
	size_t index;

	json_array_foreach (words, index, word)
		nature_add_word(&nature, json_string_value(word) ?: "");
	return nature;
}

static void read_intent(struct intent_record *intent, const json_t *body)
{
	const json_t *arguments = json_object_get(body, "arguments");
	const json_t *fault = json_object_get(body, "fault");
	const char *kills = json_text(body, "kills", NULL);
	const char *echoed_by = json_text(body, "echoed-by", NULL);

	*intent = (struct intent_record){
		.injector = json_text(body, "injector", NULL),
		.target = json_text(body, "target", NULL),
		.boot_id = json_text(body, "boot_id", NULL),
		.fault = fault ? read_fault(fault)
			       : (struct nature){KIND_ANY | KIND_IOMMU, SEVERITY_ANY},
		.arguments = arguments,
		.prepared = json_object_get(body, "prepared"),
	};
	for (size_t i = 0; i < ARRAY_SIZE(undeclared); i++) {
		if (strcmp(intent->injector ?: "", undeclared[i].injector) != 0)
			continue;
		if (!kills && undeclared[i].kills)
			kills = json_text(arguments, undeclared[i].kills, NULL);
		echoed_by = echoed_by ?: undeclared[i].echoed_by;
		if (!fault)
			intent->fault = undeclared[i].fault_of ? undeclared[i].fault_of(arguments)
							       : undeclared[i].fault;
	}
	intent->kills = kills ?: "";
	intent->echoed_by = echoed_by ?: "";
}

static void read_outcome(struct outcome_record *outcome, const json_t *body)
{
	int64_t error = json_number(body, "error", 0);
	const json_t *result = json_object_get(body, "result");

	*outcome = (struct outcome_record){
		.injector = json_text(body, "injector", NULL),
		.error_name = json_text(body, "error_name", error ? error_name((int)error) : NULL),
		.reason = json_text(body, "reason", ""),
		.memory = json_text(result, "memory", NULL),
		.error = error,
		.result = result,
		.ended = flag(result, "ended"),
	};
}

static void read_guest(struct guest_record *guest, const json_t *body)
{
	const json_t *facts = json_object_get(body, "facts");

	*guest = (struct guest_record){
		.uuid = json_text(facts, "uuid", NULL),
		.boot_id = json_text(facts, "boot_id", NULL),
		.kernel = json_text(facts, "kernel", NULL),
		.facts = facts,
		.arrived = flag(body, "arrived"),
		.warm = flag(body, "warm"),
	};
}

static void read_start(struct start_record *start, const json_t *body)
{
	*start = (struct start_record){
		.scenario = json_text(body, "scenario", "unknown"),
		.title = json_text(body, "title", NULL),
		.bench = json_text(body, "bench", "unknown"),
		.seed = json_number(body, "seed", 0),
		.spec = json_object_get(body, "spec"),
		.expect = json_object_get(body, "expect"),
	};
}

static void read_boot(struct boot_record *boot, const json_t *body)
{
	*boot = (struct boot_record){
		.boot_id = json_text(body, "boot_id", NULL),
		.kernel = json_text(body, "kernel", NULL),
		.facts = json_object_get(body, "facts"),
	};
}

static void read_witnesses(struct witnesses_record *witnesses, const json_t *body)
{
	*witnesses = (struct witnesses_record){
		.started = json_object_get(body, "started"),
		.formats = json_object_get(body, "formats"),
		.proofs = json_object_get(body, "proofs"),
	};
}

static void read_facts(struct facts_record *facts, const json_t *body, const json_t *values)
{
	*facts = (struct facts_record){
		.workload = json_text(body, "workload", NULL),
		.facts = values,
	};
}

static void read_step(struct step_record *step, const json_t *body)
{
	*step = (struct step_record){
		.kind = json_text(body, "step", ""),
		.text = json_text(body, "text", ""),
	};
}

static void read_close(struct close_record *close, const json_t *body)
{
	*close = (struct close_record){
		.cause = cause_find(json_text(body, "cause", "")),
		.word = json_text(body, "cause", ""),
		.reason = json_text(body, "reason", ""),
	};
}

static void read_body(struct record *record)
{
	const json_t *body = record->body;

	switch (record->type) {
	case RECORD_TRIAL:
		return read_start(&record->start, body);
	case RECORD_BOOT:
		return read_boot(&record->boot, body);
	case RECORD_WITNESSES:
		return read_witnesses(&record->witnesses, body);
	case RECORD_GUEST:
		return read_guest(&record->guest_start, body);
	case RECORD_FACTS:
		return read_facts(&record->facts, body, json_object_get(body, "facts"));
	case RECORD_RESOLVED:
		return read_facts(&record->facts, body, body);
	case RECORD_STEP:
		return read_step(&record->step, body);
	case RECORD_INTENT:
		return read_intent(&record->intent, body);
	case RECORD_OUTCOME:
		return read_outcome(&record->outcome, body);
	case RECORD_EVENT:
		return read_event(&record->event, body);
	case RECORD_CLOSE:
		return read_close(&record->close, body);
	case RECORD_DAMAGE:
		record->line = json_number(body, "line", 1);
		return;
	default:
		return;
	}
}

/**
 * record_read - decode a record
 * @record: to be filled
 * @json:   as journal_parse() gives it; borrowed for as long as @record is used. NULL is a record of no type.
 */
void record_read(struct record *record, const json_t *json)
{
	const json_t *body = json_object_get(json, "body");
	const char *type = json_text(json, "type", "");

	*record = (struct record){
		.type = record_type_find(type),
		.type_name = type,
		.trial = json_text(json, "trial", NULL),
		.host = json_text(body, "host", NULL),
		.guest = json_text(body, "guest", NULL),
		.written_ns = json_number(json, "time_ns", 0),
		.body = body,
	};
	record->seen_ns = seen_at(body, record->written_ns);
	read_body(record);
}

/** record_quote - text of an event for a reason, never empty; borrowed */
const char *record_quote(const struct record *record)
{
	return record && record->type == RECORD_EVENT && *record->event.text
		       ? record->event.text
		       : "an event without text";
}

/** event_is_from - whether a record is an event of a source */
bool event_is_from(const struct record *record, enum source source)
{
	return record->type == RECORD_EVENT && record->event.source == source;
}

/** event_is_named - whether a record is the event of that name */
bool event_is_named(const struct record *record, const char *name)
{
	return record->type == RECORD_EVENT && strcmp(record->event.name, name) == 0;
}

/*
 * Lines of the kernel that only quote others: kernel/audit.c, kauditd_printk_skb(); drivers/usb/core/hub.c, show_string();
 * drivers/input/input.c, input_register_device(); init/main.c; fs/exec.c, about an executable stack.
 */
static bool quotes_others(const char *text)
{
	static const char *const begins[] = {"audit: ",
					     "audit(",
					     "input: ",
					     "Kernel command line: ",
					     "Command line: ",
					     "Malformed early option ",
					     "Unknown kernel command line parameters ",
					     "process '"};
	static const char *const strings[] = {
		": Product: ", ": Manufacturer: ", ": SerialNumber: "};

	for (size_t i = 0; i < ARRAY_SIZE(begins); i++)
		if (strncmp(text, begins[i], strlen(begins[i])) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
		if (strncmp(text, "usb ", 4) == 0 && strstr(text, strings[i]))
			return true;
	return false;
}

/* "(d1) ...": Xen shows what a guest writes, other than that which controls it (xen/drivers/char/console.c, guest_console_write()) */
static bool is_of_domain(const char *text)
{
	size_t digits = strncmp(text, "(d", 2) == 0 ? strspn(text + 2, "0123456789") : 0;

	return digits && text[2 + digits] == ')' && !(digits == 1 && text[2] == '0');
}

/* "systemd[1]: ...", but not "a.out[412]: segfault at ..." */
static bool is_of_program(const char *text)
{
	size_t name = strcspn(text, " :[");
	size_t digits = text[name] == '[' ? strspn(text + name + 1, "0123456789") : 0;
	const char *end = text + name + 1 + digits;

	return name && digits && strncmp(end, "]: ", 3) == 0 &&
	       strncmp(end, "]: segfault ", 12) != 0;
}

/** event_is_of_console - whether a record is a line of the console of a host or a guest */
bool event_is_of_console(const struct record *record)
{
	return record->type == RECORD_EVENT && (record->event.source == SOURCE_CONSOLE ||
						record->event.source == SOURCE_GUEST_CONSOLE);
}

/** record_same_machine - whether two records are of the same host, or of the same guest on it */
bool record_same_machine(const struct record *one, const struct record *other)
{
	return strcmp(one->host ?: "", other->host ?: "") == 0 &&
	       strcmp(one->guest ?: "", other->guest ?: "") == 0;
}

/**
 * event_is_of_kernel - whether the kernel itself wrote an event of its log, in words of its own
 *
 * Programs can write to /dev/kmsg, where their records have another facility than 0 (Documentation/ABI/testing/dev-kmsg). A
 * log daemon that forwards to it puts "kernel: " before lines of the kernel, which printk never does. A console shows no
 * facility, and earlier agents did not record it, but programs such as systemd begin their lines with their name and number, and Xen
 * begins those of its guests with the number of the domain.
 */
bool event_is_of_kernel(const struct record *record)
{
	const char *text = kernel_message(record->event.text);
	bool console = event_is_of_console(record);
	bool unknown = console || !json_object_get(record->event.data, "facility");

	return json_number(record->event.data, "facility", 0) == 0 &&
	       strncmp(text, "kernel: ", 8) != 0 && !quotes_others(text) &&
	       !(unknown && is_of_program(text)) && !(console && is_of_domain(text));
}

/** intent_bank - the processor and the bank into which a record of a machine check is written; false: they are not known */
bool intent_bank(const struct record *record, uint64_t *cpu, uint64_t *bank)
{
	const json_t *arguments = record->intent.arguments;

	*cpu = (uint64_t)json_number(arguments, "cpu", 0);
	*bank = (uint64_t)json_number(arguments, "bank", 0);
	return strcmp(record->intent.injector ?: "", "mce-inject") == 0 &&
	       json_object_get(arguments, "cpu") && json_object_get(arguments, "bank");
}

/** is_memory_error_signal - whether a workload's signal is one that the kernel only sends for broken memory */
bool is_memory_error_signal(const struct work_report *report)
{
	return strcmp(report->signal_name ?: "", "SIGBUS") == 0 &&
	       is_one_of(report->code_name ?: "", "BUS_MCEERR_AR", "BUS_MCEERR_AO");
}
