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

static void set_physical(struct kernel_line *line, uint64_t address)
{
	line->has_pfn = address != 0;
	line->pfn = address >> 12;
}

static unsigned char severity_of(const char *text)
{
	if (strstr(text, "ncorrect") || strstr(text, "Fatal") || strstr(text, "atal error") ||
	    strstr(text, "ecoverable") || strstr(text, "Deferred"))
		return SEVERITY_UNCORRECTED;
	return strstr(text, "orrected") ? SEVERITY_CORRECTED : SEVERITY_ANY;
}

static void read_machine_check(const json_t *fields, const char *text, struct kernel_line *line)
{
	uint64_t status, ipid, address, misc;
	bool has_misc = json_object_get(fields, "misc") != NULL;

	(void)read_value(fields, "status", text, "MCi_STATUS: ", &status);
	(void)read_value(fields, "ipid", text, "IPID: ", &ipid);
	(void)read_value(fields, "misc", text, "MISC: ", &misc);
	(void)read_value(fields, "addr", text, "ADDR: ", &address);
	line->nature = nature_of_machine_check(status, ipid);
	line->has_bank = json_object_get(fields, "cpu") && json_object_get(fields, "bank");
	line->cpu = (uint64_t)json_number(fields, "cpu", 0);
	line->bank = (uint64_t)json_number(fields, "bank", 0);
	if (machine_check_has_address(status, ipid, misc, has_misc))
		set_physical(line, address);
}

static void read_memory_controller(const json_t *fields, const char *text, struct kernel_line *line)
{
	uint64_t address;

	line->nature = (struct nature){KIND_MEMORY, severity_of(text)};
	if (!read_value(fields, "address", text, "address:0x", &address))
		(void)number_after(text, "address: 0x", &address);
	set_physical(line, address);
}

static void read_extended_log(const json_t *fields, const char *text, struct kernel_line *line)
{
	uint64_t address;

	line->nature = (struct nature){KIND_MEMORY, severity_of(text)};
	if (read_value(fields, "pa", text, "physical addr: ", &address))
		set_physical(line, address == UINT64_MAX ? 0 : address);
}

static void read_memory_failure(const json_t *fields, const char *text, struct kernel_line *line)
{
	line->nature = (struct nature){KIND_MEMORY, SEVERITY_UNCORRECTED};
	line->has_pfn = read_value(fields, "pfn", text, "pfn 0x", &line->pfn) && line->pfn;
}

static void read_aer(const json_t *fields, const char *text, struct kernel_line *line)
{
	const char *device = json_text(fields, "dev_name", NULL);
	const char *end = strstr(text, " PCIe Bus Error");

	line->nature = (struct nature){KIND_PCIE, severity_of(text)};
	if (device)
		snprintf(line->device, sizeof(line->device), "%s", device);
	else if (end && end - text >= 12)
		snprintf(line->device, sizeof(line->device), "%.12s", end - 12);
}

static void read_arm(const json_t *fields, const char *text, struct kernel_line *line)
{
	line->nature = (struct nature){KIND_PROCESSOR, SEVERITY_ANY};
}

/*
 * drivers/cxl/core/trace.h: records of the informational log are no errors, cxl_poison lists what is known already, and
 * cxl_overflow reports lost records.
 */
static void read_cxl(const json_t *fields, const char *text, struct kernel_line *line)
{
	if (strncmp(text, "cxl_overflow:", 13) == 0)
		line->meaning = MEANS_LOST;
	else if (strncmp(text, "cxl_poison:", 11) == 0 || strstr(text, "log=Informational"))
		line->meaning = MEANS_NOTHING;
	line->nature = (struct nature){KIND_CXL, severity_of(text)};
}

/* "IOMMU:%s %s iova=0x%016llx flags=0x%04x": driver and function. VT-d has no such event; AMD-Vi fires it before its log is limited. */
static void read_io_page_fault(const json_t *fields, const char *text, struct kernel_line *line)
{
	const char *device = json_text(fields, "device", NULL);
	const char *end = strstr(text, " iova=0x");

	line->nature = (struct nature){KIND_IOMMU, SEVERITY_ANY};
	line->has_iova = read_value(fields, "iova", text, "iova=0x", &line->iova);
	if (device)
		snprintf(line->device, sizeof(line->device), "%s", device);
	else if (end && end - text >= 12)
		snprintf(line->device, sizeof(line->device), "%.12s", end - 12);
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
	};

	uint64_t severity;

	/* GHES_SEV_CORRECTED, _RECOVERABLE and _PANIC of include/acpi/ghes.h */
	(void)read_value(fields, "sev", text, "severity: ", &severity);
	line->nature = (struct nature){KIND_ANY, severity == 1	 ? SEVERITY_CORRECTED
						 : severity >= 2 ? SEVERITY_UNCORRECTED
								 : SEVERITY_ANY};
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		if (strstr(text, sections[i].type))
			line->nature.kinds = sections[i].kind;
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
		events[i].read(json_object_get(data, "fields"), text, &line);
		break;
	}
	return line;
}
