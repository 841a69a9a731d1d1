// SPDX-License-Identifier: GPL-2.0-only
/*
 * The meaning of trace events of errors: include/trace/events/mce.h, include/ras/ras_event.h,
 * include/trace/events/memory-failure.h, include/trace/events/iommu.h. Fields have the names that the event's format file gives them; agents that did
 * not read the format sent the text alone, in which the same values stand.
 */
#include <string.h>

#include "harness/evidence/evidence.h"

static bool number_after(const char *text, const char *before, uint64_t *number)
{
	const char *at = strstr(text, before);
	char *end;

	if (!at)
		return false;
	at += strlen(before);
	*number = strtoull(at, &end, 16);
	return end > at;
}

/* By the name of the field, else by the text before the value. */
static bool read_value(const json_t *fields, const char *field, const char *text,
		       const char *before, uint64_t *number)
{
	*number = 0;
	if (!json_object_get(fields, field))
		return number_after(text, before, number);
	*number = (uint64_t)json_number(fields, field, 0);
	return true;
}

/* @length: how much of the memory from @address on the error can be in */
static void set_physical(struct kernel_line *line, uint64_t address, uint64_t length)
{
	line->has_pfn = address >> 12 != 0;
	line->pfn = address >> 12;
	line->pages = length >> 12;
}

static unsigned char severity_of_words(const char *text, size_t length)
{
	__cleanup_free char *words = xstrndup(text, length);

	if (strstr(words, "ncorrect") || strstr(words, "atal") || strstr(words, "ecoverable") ||
	    strstr(words, "eferred"))
		return SEVERITY_UNCORRECTED;
	return strstr(words, "orrect") ? SEVERITY_CORRECTED : SEVERITY_ANY;
}

/* Of the words between the name of the event and the next colon: messages of firmware and labels of boards follow. */
static unsigned char severity_of(const char *text)
{
	const char *at = strchr(text, ':');

	at = at ? at + 1 : text;
	return severity_of_words(at, strcspn(at, ":"));
}

/* What firmware reports for information is no error. */
static void set_severity(struct kernel_line *line, unsigned char severity, bool information)
{
	line->nature.severities = severity;
	if (information)
		line->meaning = MEANS_NOTHING;
}

/* The same words: "1 Info error", "{1} info error". A count of 0 is no error either. */
static bool is_information(const char *text)
{
	const char *error = strstr(text, "nfo error");
	const char *at = strchr(text, ':');

	if (strncmp(text, "mc_event: 0 ", 12) == 0)
		return true;
	return at && error > at && error < at + 1 + strcspn(at + 1, ":");
}

/* ", MC7: 8c00004000010090", but not ", MCGc/s: ", which comes before. Return: the number of the bank; NULL: there is none */
static const char *bank_of(const char *text)
{
	const char *at = text;

	while ((at = strstr(at, ", MC")) && !(at[4] >= '0' && at[4] <= '9'))
		at++;
	return at ? at + 4 : NULL;
}

/* Decimal, by the name of the field, else at this place in the text. */
static bool read_index(const json_t *fields, const char *field, const char *at, uint64_t *number)
{
	bool known = json_object_get(fields, field) != NULL;

	*number = known ? (uint64_t)json_number(fields, field, 0) : at ? strtoull(at, NULL, 10) : 0;
	return known || at;
}

/* Older kernels have "ADDR/MISC/SYND: 11a3f4000/8c/0" and "PROCESSOR: 0:606a6". */
static void read_machine_check(const json_t *fields, const char *text, struct kernel_line *line)
{
	struct machine_check check = {.vendor = MACHINE_CHECK_VENDOR_UNKNOWN};
	const char *bank = bank_of(text), *cpu = strstr(text, "CPU: ");
	const char *group = strstr(text, "ADDR/MISC/SYND: ");
	uint64_t vendor;

	if (read_value(fields, "cpuvendor", text, ", vendor: ", &vendor) ||
	    number_after(text, "PROCESSOR: ", &vendor))
		check.vendor = (int64_t)vendor;
	(void)read_value(fields, "status", bank ?: "", ": ", &check.status);
	(void)read_value(fields, "ipid", text, "IPID: ", &check.ipid);
	check.has_address = read_value(fields, "addr", text, ", ADDR: ", &check.address) ||
			    number_after(text, "ADDR/MISC/SYND: ", &check.address);
	check.has_misc =
		read_value(fields, "misc", text, ", MISC: ", &check.misc) ||
		(group && number_after(group + strlen("ADDR/MISC/SYND: "), "/", &check.misc));
	line->nature = nature_of_machine_check(&check);
	line->has_bank =
		read_index(fields, "cpu", cpu ? cpu + strlen("CPU: ") : NULL, &line->cpu) &&
		read_index(fields, "bank", bank, &line->bank);
	if (machine_check_has_page(&check))
		set_physical(line, check.address, 0);
}

static void read_memory_controller(const json_t *fields, const char *text, struct kernel_line *line)
{
	const char *grain = strstr(text, " grain:");
	uint64_t address;

	line->nature.kinds = KIND_MEMORY;
	set_severity(line, severity_of(text), is_information(text));
	if (!read_value(fields, "address", text, "address:0x", &address))
		(void)number_after(text, "address: 0x", &address);
	set_physical(line, address, grain ? strtoull(grain + 7, NULL, 10) : 0);
}

static void read_extended_log(const json_t *fields, const char *text, struct kernel_line *line)
{
	uint64_t address, low_bits = 0;

	line->nature.kinds = KIND_MEMORY;
	set_severity(line, severity_of(text), is_information(text));
	(void)read_value(fields, "pa_mask_lsb", text, "mask lsb: ", &low_bits);
	if (read_value(fields, "pa", text, "physical addr: ", &address) && address != UINT64_MAX)
		set_physical(line, address, low_bits < 48 ? 1ull << low_bits : 0);
}

static void read_memory_failure(const json_t *fields, const char *text, struct kernel_line *line)
{
	line->nature = (struct nature){KIND_MEMORY, SEVERITY_UNCORRECTED};
	line->has_pfn = read_value(fields, "pfn", text, "pfn 0x", &line->pfn) && line->pfn;
}

/* The word before @end, which is what the event is of. */
static void set_device(struct kernel_line *line, const json_t *fields, const char *field,
		       const char *text, const char *end)
{
	const char *device = json_text(fields, field, NULL), *begin = end;

	while (begin && begin > text && begin[-1] != ' ')
		begin--;
	if (device)
		snprintf(line->device, sizeof(line->device), "%s", device);
	else if (end)
		snprintf(line->device, sizeof(line->device), "%.*s", (int)(end - begin), begin);
}

/* "%s %s Bus Error: severity=%s, %s, ...": the bus is PCIe, since Linux 7 also CXL; flags such as "Advisory Non-Fatal" follow the severity. */
static void read_aer(const json_t *fields, const char *text, struct kernel_line *line)
{
	static const char severity[] = " Bus Error: severity=";
	const char *bus = strstr(text, severity);

	line->nature = (struct nature){KIND_PCIE, SEVERITY_ANY};
	if (!bus || bus - text < 5)
		return;
	if (strncmp(bus - 4, " CXL", 4) == 0)
		line->nature.kinds = KIND_CXL | KIND_PCIE;
	line->nature.severities = severity_of_words(bus + sizeof(severity) - 1,
						    strcspn(bus + sizeof(severity) - 1, ","));
	set_device(line, fields, "dev_name", text, bus - strlen(" CXL") - (bus[-4] != ' '));
}

/* GHES_SEV_CORRECTED, _RECOVERABLE and _PANIC of include/acpi/ghes.h */
static unsigned char severity_of_ghes(uint64_t severity)
{
	return severity == 1   ? SEVERITY_CORRECTED
	       : severity >= 2 ? SEVERITY_UNCORRECTED
			       : SEVERITY_ANY;
}

static void read_arm(const json_t *fields, const char *text, struct kernel_line *line)
{
	bool known = json_object_get(fields, "sev") != NULL;
	uint64_t severity = (uint64_t)json_number(fields, "sev", 0);

	line->nature.kinds = KIND_PROCESSOR;
	set_severity(line, severity_of_ghes(severity), known && !severity);
}

/*
 * drivers/cxl/core/trace.h: records of the informational log are no errors, cxl_poison lists what is known already, and
 * cxl_overflow reports lost records. Records of media are errors of memory: those that the device could not correct have a flag
 * for it, and the address in the memory of the host if it is known.
 */
static void read_cxl(const json_t *fields, const char *text, struct kernel_line *line)
{
	bool media =
		strncmp(text, "cxl_general_media:", 18) == 0 || strncmp(text, "cxl_dram:", 9) == 0;
	uint64_t address;

	if (strncmp(text, "cxl_overflow:", 13) == 0)
		line->meaning = MEANS_LOST;
	else if (strncmp(text, "cxl_poison:", 11) == 0 || strstr(text, "log=Informational"))
		line->meaning = MEANS_NOTHING;
	line->nature = (struct nature){KIND_CXL, SEVERITY_ANY};
	if (strstr(text, "aer_correctable_error:"))
		line->nature.severities = SEVERITY_CORRECTED;
	else if (strstr(text, "aer_uncorrectable_error:") || strstr(text, "log=Fatal") ||
		 strstr(text, "UNCORRECTABLE_EVENT") || strstr(text, "UNCORRECTABLE EVENT"))
		line->nature.severities = SEVERITY_UNCORRECTED;
	if (!media)
		return;
	line->nature.kinds = KIND_CXL | KIND_MEMORY;
	if (line->nature.severities == SEVERITY_ANY && strstr(text, "descriptor='"))
		line->nature.severities = SEVERITY_CORRECTED;
	if (read_value(fields, "hpa", text, " hpa=", &address) && address != UINT64_MAX)
		set_physical(line, address, 0);
}

/* "IOMMU:%s %s iova=0x%016llx flags=0x%04x": driver and function. VT-d has no such event; AMD-Vi fires it before its log is limited. */
static void read_io_page_fault(const json_t *fields, const char *text, struct kernel_line *line)
{
	line->nature = (struct nature){KIND_IOMMU, SEVERITY_ANY};
	line->has_iova = read_value(fields, "iova", text, "iova=0x", &line->iova);
	set_device(line, fields, "device", text, strstr(text, " iova=0x"));
}

/*
 * Sections of CPER that Linux has no decoder for: "severity: %d; sec type:%pU". %pU prints the bytes of the type in their
 * order, so its first three parts are swapped (UEFI specification 2.10, appendix A).
 */
static void read_non_standard(const json_t *fields, const char *text, struct kernel_line *line)
{
	static const struct {
		const char *type;
		unsigned char kind;
	} sections[] = {
		{"adcc7698-47b4-db4b-b65e-16f193c4f3db", KIND_PROCESSOR},
		{"b0a03edc-44a1-9747-b95b-53fa242b6e1d", KIND_PROCESSOR},
		{"163d9ee1-11bc-e411-9caa-c2051d5d46b0", KIND_PROCESSOR},
		{"1411bca5-646f-de4e-b863-3e83ed7c83b1", KIND_MEMORY},
		{"fc04ec61-e648-13d8-25c9-8daa44750b12", KIND_MEMORY},
		{"54e995d9-c1bb-0f43-ad91-b44dcb3c6f35", KIND_PCIE},
		{"b4efb980-b552-e34d-a777-68784b771048", KIND_CXL},
		{"770acdfb-60c2-7f41-85a9-088b1621eba6", KIND_CXL | KIND_MEMORY},
		{"b3cb1d60-069c-ab4e-b8af-4e9bfb5c9624", KIND_CXL | KIND_MEMORY},
		{"757492fe-59dd-3943-a586-79bab113b774", KIND_CXL},
	};

	uint64_t severity;
	bool known;

	known = read_value(fields, "sev", text, "severity: ", &severity);
	line->nature.kinds = KIND_ANY;
	set_severity(line, severity_of_ghes(severity), known && !severity);
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		if (strstr(text, sections[i].type))
			line->nature.kinds = sections[i].kind;
}

/* Texts of earlier agents begin with the process and the time, as trace_pipe has them: "memory-412 [000] d..1. 12.345678: mce_record: ..." */
static const char *skip_head(const char *event, const char *text)
{
	const char *name = strchr(event, ':'), *at;
	__cleanup_free char *begin = format_text(": %s:", name ? name + 1 : event);

	if (strncmp(text, begin + 2, strlen(begin) - 2) == 0)
		return text;
	at = strstr(text, begin);
	return at ? at + 2 : text;
}

/**
 * trace_event_read - the meaning of a trace event
 * @data: of the event record: "event", "fields"
 * @text: of the event, in the format of its print fmt
 *
 * Return: its meaning, the nature of the error, and the page or device that it names.
 */
struct kernel_line trace_event_read(const json_t *data, const char *text)
{
	static const struct {
		const char *event;
		void (*read)(const json_t *fields, const char *text, struct kernel_line *line);
	} events[] = {
		{"mce:mce_record", read_machine_check},
		{"ras:mc_event", read_memory_controller},
		{"ras:memory_failure_event", read_memory_failure},
		{"memory_failure:memory_failure_event", read_memory_failure},
		{"ras:extlog_mem_event", read_extended_log},
		{"ras:aer_event", read_aer},
		{"ras:arm_event", read_arm},
		{"ras:non_standard_event", read_non_standard},
		{"cxl:", read_cxl},
		{"iommu:io_page_fault", read_io_page_fault},
	};
	const char *event = json_text(data, "event", "");
	struct kernel_line line = {.meaning = MEANS_NOTHING};

	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		size_t length = strlen(events[i].event);
		bool system = events[i].event[length - 1] == ':';

		if (system ? strncmp(event, events[i].event, length) != 0
			   : strcmp(event, events[i].event) != 0)
			continue;
		line.meaning = events[i].read == read_io_page_fault ? MEANS_IOMMU_FAULT
								    : MEANS_HARDWARE_ERROR;
		events[i].read(json_object_get(data, "fields"), skip_head(event, text), &line);
		break;
	}
	return line;
}
