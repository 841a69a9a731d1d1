// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fields of the journal's records.
 */
#include <string.h>

#include "harness/evidence/record.h"

#define TIME_LIMIT (INT64_MAX / 4)

/** record_type - type of a record, "" when it has none; borrowed */
const char *record_type(const json_t *record)
{
	return json_text(record, "type", "");
}

/** record_is - whether a record is of a type */
bool record_is(const json_t *record, const char *type)
{
	return strcmp(record_type(record), type) == 0;
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

/** record_text - text of an event, "" when it has none; borrowed */
const char *record_text(const json_t *record)
{
	return json_text(record_body(record), "text", "");
}

/** record_told - text of an event for a reason, which is never empty; borrowed */
const char *record_told(const json_t *record)
{
	const char *text = record_text(record);

	return *text ? text : "an event without text";
}

/** event_witness - who tells an event; borrowed */
const char *event_witness(const json_t *record)
{
	return json_text(record_body(record), "witness", "");
}

/** event_guest - the guest that an event is from or about; NULL: it is the host's own; borrowed */
const char *event_guest(const json_t *record)
{
	return json_text(record_body(record), "guest", NULL);
}

/** event_data - fields of an event; NULL when it has none; borrowed */
const json_t *event_data(const json_t *record)
{
	return json_object_get(record_body(record), "data");
}

/**
 * event_time - when an event was seen, on the controller's clock
 *
 * Not later than it was written down, whatever the clock of its host says; and so far from the ends of its type that spans
 * can be added and subtracted.
 */
int64_t event_time(const json_t *record)
{
	int64_t written = record_time(record);
	int64_t seen = json_number(record_body(record), "host_time_ns", written);

	if (seen > written)
		seen = written;
	return seen < 0 ? 0 : seen > TIME_LIMIT ? TIME_LIMIT : seen;
}

/* What journals did not record before injectors declared it. */
static const struct {
	const char *injector, *kills, *echoed_by;
	struct nature fault;
	struct nature (*fault_of)(const json_t *arguments);
} undeclared[] = {
	{"kill", "what", NULL, {KIND_OTHER, SEVERITY_ANY}, NULL},
	{"panic", NULL, NULL, {KIND_OTHER, SEVERITY_ANY}, NULL},
	{"hwpoison", NULL, NULL, {KIND_MEMORY, SEVERITY_ANY}, NULL},
	{"dma", NULL, NULL, {KIND_IOMMU, SEVERITY_ANY}, NULL},
	{"einj", NULL, NULL, {0, 0}, nature_of_error_type},
	{"mce-inject", NULL, NULL, {0, 0}, nature_of_bank_record},
	{"qemu-mce", NULL, "hypervisor", {0, 0}, nature_of_bank_record},
};

/** intent_kills - what the fault of an intent kills ("qemu", a daemon); "" for none; borrowed */
const char *intent_kills(const json_t *record)
{
	const json_t *intent = record_body(record),
		     *arguments = json_object_get(intent, "arguments");
	const char *kills = json_text(intent, "kills", NULL);

	for (size_t i = 0; !kills && i < ARRAY_SIZE(undeclared); i++)
		if (undeclared[i].kills &&
		    strcmp(json_text(intent, "injector", ""), undeclared[i].injector) == 0)
			kills = json_text(arguments, undeclared[i].kills, NULL);
	return kills ?: "";
}

/** intent_echoed_by - witness that reports the injector's own command, so that it proves nothing; "" for none; borrowed */
const char *intent_echoed_by(const json_t *record)
{
	const json_t *intent = record_body(record);
	const char *witness = json_text(intent, "echoed-by", NULL);

	for (size_t i = 0; !witness && i < ARRAY_SIZE(undeclared); i++)
		if (strcmp(json_text(intent, "injector", ""), undeclared[i].injector) == 0)
			witness = undeclared[i].echoed_by;
	return witness ?: "";
}

/** intent_nature - kind and severity of the fault of an intent; any for an injector that declares none */
struct nature intent_nature(const json_t *record)
{
	const json_t *intent = record_body(record), *words = json_object_get(intent, "fault"),
		     *word;
	struct nature nature = {0, 0};
	size_t index;

	json_array_foreach (words, index, word)
		nature_add_word(&nature, json_string_value(word) ? json_string_value(word) : "");
	if (words)
		return nature;
	for (size_t i = 0; i < ARRAY_SIZE(undeclared); i++)
		if (strcmp(json_text(intent, "injector", ""), undeclared[i].injector) == 0)
			return undeclared[i].fault_of
				       ? undeclared[i].fault_of(
						 json_object_get(intent, "arguments"))
				       : undeclared[i].fault;
	return (struct nature){KIND_ANY | KIND_IOMMU, SEVERITY_ANY};
}

/**
 * event_is_of_kernel - whether the kernel itself wrote a record of its log
 *
 * Programs can write to /dev/kmsg, where their records have another facility than 0 (Documentation/ABI/testing/dev-kmsg). A
 * log daemon that forwards to it puts "kernel: " before lines of the kernel, which printk never does. A console shows no
 * facility.
 */
bool event_is_of_kernel(const json_t *record)
{
	return json_number(event_data(record), "facility", 0) == 0 &&
	       strncmp(record_text(record), "kernel: ", 8) != 0;
}

/**
 * is_memory_error_signal - is a workload's signal one that the kernel only sends for broken memory?
 */
bool is_memory_error_signal(const json_t *data)
{
	const char *code = json_text(data, "code_name", "");

	return json_is(data, "signal_name", "SIGBUS") &&
	       (strcmp(code, "BUS_MCEERR_AR") == 0 || strcmp(code, "BUS_MCEERR_AO") == 0);
}
