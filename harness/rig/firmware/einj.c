// SPDX-License-Identifier: GPL-2.0-only
/*
 * The register protocol of EINJ (ACPI 6.5 section 18.6) from the firmware's side.
 *
 * The guest writes the registers, possibly at the same time on another processor: each field is copied once, and the copy is
 * checked.
 */
#include <errno.h>
#include <string.h>

#include "harness/rig/firmware/internal.h"

/* IA32_MCi_STATUS and IA32_MCG_STATUS, SDM volume 3 sections 17.3.2.2 and 17.9. */
#define STATUS_FATAL_MEMORY UINT64_C(0xbe00000000000090)
#define STATUS_FATAL_PROCESSOR UINT64_C(0xb200000000000400)
#define MCG_MCIP 4

/* Parameters of SET_ERROR_TYPE_WITH_ADDRESS, as the kernel writes them; no padding. */
struct parameters {
	uint32_t type;
	uint32_t vendor_extension;
	uint32_t flags;
	uint32_t apic;
	uint64_t address;
	uint64_t range;
	uint32_t sbdf;
	uint32_t v2_length;
	uint16_t v2_revision;
	uint16_t v2_count;
	struct einj_component component[EINJV2_COMPONENTS];
} __attribute__((packed));

_Static_assert(sizeof(struct einj_component) == EINJV2_COMPONENT_SIZE, "EINJv2 component");
_Static_assert(offsetof(struct parameters, v2_length) == 36, "EINJv2 extension");

#define V2_EXTENSION_SIZE (8 + EINJV2_COMPONENTS * EINJV2_COMPONENT_SIZE)

static uint8_t *at(const struct firmware *firmware, enum einj_layout offset)
{
	return firmware->ram + firmware->config.region + offset;
}

static void put64(const struct firmware *firmware, enum einj_layout offset, uint64_t value)
{
	__atomic_store_n((uint64_t *)at(firmware, offset), value, __ATOMIC_RELEASE);
}

/** einj_set_types - write the available error types for the guest */
void einj_set_types(struct firmware *firmware)
{
	bool v2 = firmware->config.einj_revision >= 2;

	if (!firmware->config.region_size)
		return;
	put64(firmware, EINJ_AT_AVAILABLE, firmware->available | (v2 ? EINJ_TYPE_V2 : 0));
	put64(firmware, EINJ_AT_AVAILABLE_V2, v2 ? firmware->available_v2 : 0);
}

/* State at power-on: registers idle, tables in place, parameters zero. */
void einj_reset_registers(struct firmware *firmware)
{
	bool v2 = firmware->config.einj_revision >= 2;
	struct parameters parameters = {0};

	firmware->command.valid = false;
	if (!firmware->config.region_size)
		return;
	memset(at(firmware, 0), 0, FIRMWARE_REGION_MINIMUM);
	einj_set_types(firmware);
	put64(firmware, EINJ_AT_TRIGGER_POINTER, firmware->config.region + EINJ_AT_TRIGGER);
	/* Nominal time in the low half, maximum in the high half, in microseconds. */
	put64(firmware, EINJ_AT_TIMINGS, UINT64_C(1000000) << 32 | 10000);
	put64(firmware, GHES_AT_POINTER, firmware->config.region + GHES_AT_BLOCK);
	if (v2) {
		parameters.v2_length = V2_EXTENSION_SIZE;
		parameters.v2_revision = 1;
	}
	memcpy(at(firmware, EINJ_AT_PARAMETERS), &parameters, sizeof(parameters));
	acpi_einj_trigger(&(struct bytes){.data = at(firmware, EINJ_AT_TRIGGER), .size = 64});
	firmware->answer_due = 0;
}

/* An error type has exactly one bit set; other values are not specified. */
static int decode_type(const struct firmware *firmware, struct einj_request *request)
{
	static const enum cper_section sections[] = {CPER_PROCESSOR, CPER_MEMORY, CPER_PCIE};
	static const enum cper_severity severities[] = {CPER_CORRECTED, CPER_RECOVERABLE,
							CPER_FATAL};
	uint32_t type = request->type;
	int bit;

	request->v2 = request->flags & EINJ_FLAG_V2;
	if (request->v2) {
		type &= ~EINJ_TYPE_V2;
		if (firmware->config.einj_revision < 2 || !(type & firmware->available_v2))
			return -EOPNOTSUPP;
	} else if (!(type & firmware->available)) {
		return -EOPNOTSUPP;
	}
	if (__builtin_popcount(type) != 1)
		return -EINVAL;
	bit = __builtin_ctz(type);
	if (bit >= (request->v2 ? 3 : 9))
		return -EOPNOTSUPP;
	request->section = sections[request->v2 ? bit : bit / 3];
	/* In EINJv2 the syndrome determines the severity: here an uncorrected error that is recoverable. */
	request->severity = request->v2 ? CPER_RECOVERABLE : severities[bit % 3];
	return 0;
}

static int check_target(const struct firmware *firmware, struct einj_request *request)
{
	const struct firmware_config *config = &firmware->config;

	if (request->flags & EINJ_FLAG_APIC && request->apic >= config->processors)
		return -ENXIO;
	if (request->section == CPER_MEMORY && !(request->flags & EINJ_FLAG_ADDRESS))
		return -EDESTADDRREQ;
	if (!(request->flags & EINJ_FLAG_ADDRESS))
		return 0;
	/* The firmware may choose the bits outside of the mask: it keeps those of the address, as most firmware does. */
	if (request->address >= config->ram_size ||
	    (request->address >= config->region &&
	     request->address < config->region + config->region_size))
		return -EFAULT;
	return 0;
}

/**
 * einj_read_request - copy and check the request of the guest
 * @firmware: model
 * @request:  receives it, also after an error
 *
 * Return: 0; -EOPNOTSUPP for a type that is not offered, -EINVAL for several types at once or an invalid component
 * array, -ENXIO for a processor that does not exist, -EDESTADDRREQ for memory without an address, -EFAULT for an
 * address that is no RAM.
 */
int einj_read_request(const struct firmware *firmware, struct einj_request *request)
{
	struct parameters parameters;
	int error;

	memcpy(&parameters, at(firmware, EINJ_AT_PARAMETERS), sizeof(parameters));
	*request = (struct einj_request){
		.type = parameters.type,
		.flags = parameters.flags,
		.apic = parameters.apic,
		.sbdf = parameters.sbdf,
		.address = parameters.address,
		.mask = parameters.range,
	};
	error = decode_type(firmware, request);
	if (error)
		return error;
	if (request->v2) {
		if (parameters.v2_revision != 1 || parameters.v2_length != V2_EXTENSION_SIZE ||
		    parameters.v2_count > EINJV2_COMPONENTS)
			return -EINVAL;
		request->components = parameters.v2_count;
		memcpy(request->component, parameters.component,
		       parameters.v2_count * sizeof(parameters.component[0]));
	}
	return check_target(firmware, request);
}

static json_t *hex_bytes(const uint8_t bytes[static 16])
{
	char text[33];

	/* Linux reads and prints a 128-bit number, most significant byte first. */
	for (int i = 0; i < 16; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[15 - i]);
	return json_string(text);
}

static json_t *request_event(const struct einj_request *request, const char *answer)
{
	json_t *event =
		json_pack("{s:s, s:o, s:o, s:o, s:i, s:i, s:o, s:b, s:s}", "event", "einj-execute",
			  "type", json_hex(request->type), "address", json_hex(request->address),
			  "mask", json_hex(request->mask), "flags", (int)request->flags, "apic",
			  (int)request->apic, "sbdf", json_hex(request->sbdf), "v2",
			  (int)request->v2, "answer", answer);
	json_t *components = json_array();

	for (unsigned int i = 0; i < request->components; i++)
		json_array_append_new(components,
				      json_pack("{s:o, s:o}", "id",
						hex_bytes(request->component[i].id), "syndrome",
						hex_bytes(request->component[i].syndrome)));
	if (request->components)
		json_object_set(event, "components", components);
	json_decref(components);
	return event;
}

/* End the command: write the status, then clear busy. */
void einj_answer(struct firmware *firmware, uint32_t status)
{
	/* Bit 0 of the status register is reserved, the status itself is in bits 8:1. */
	put64(firmware, EINJ_AT_STATUS, (uint64_t)(status & 0xff) << 1);
	put64(firmware, EINJ_AT_BUSY, 0);
	firmware->answer_due = 0;
}

static bool counted(int64_t *count)
{
	return *count > 0 && --*count == 0;
}

/**
 * einj_execute - answer EXECUTE
 * @firmware: model
 *
 * After success the error is armed: memory is poisoned from now on, and TRIGGER delivers other errors.
 */
void einj_execute(struct firmware *firmware)
{
	static const char *const names[] = {"success", "failure", "invalid-access"};
	struct einj_request request;
	uint32_t status = EINJ_SUCCESS;
	const char *reason = NULL;
	int error, line = -1;
	json_t *event;

	firmware->counts.execute++;
	firmware->command.valid = false;
	firmware->answer_due = 0;
	error = einj_read_request(firmware, &request);
	if (firmware->answer.name) {
		status = firmware->answer.status;
		event = request_event(&request, firmware->answer.name);
		if (firmware->answer.never) {
			firmware_event(firmware, event);
			if (counted(&firmware->answer.count))
				firmware->answer.name = NULL;
			return;
		}
		if (counted(&firmware->answer.count))
			firmware->answer.name = NULL;
		/* Linux treats any reserved status as success, and triggers. */
		if (status == EINJ_FAILURE || status == EINJ_INVALID_ACCESS)
			goto answer;
		json_decref(event);
	}
	if (error) {
		status = EINJ_INVALID_ACCESS;
		reason = error_name(error);
	} else if (request.section == CPER_MEMORY ||
		   (request.section == CPER_PROCESSOR && request.severity == CPER_RECOVERABLE &&
		    request.flags & EINJ_FLAG_ADDRESS)) {
		error = poison_arm(firmware, request.address,
				   request.section == CPER_PROCESSOR	? POISON_CACHED
				   : request.severity == CPER_CORRECTED ? POISON_CORRECTED
				   : request.severity == CPER_FATAL	? POISON_FATAL
									: POISON_UNCORRECTED,
				   &line);
		if (error) {
			status = EINJ_FAILURE;
			reason = error_name(error);
		}
	}
	event = request_event(&request, status < ARRAY_SIZE(names) ? names[status] : "reserved");
	if (reason)
		json_object_set_new(event, "reason", json_string(reason));
	firmware->command.valid = !error;
	firmware->command.request = request;
	firmware->command.line = line;
	/* The guest may have overwritten the trigger table: write it again. */
	acpi_einj_trigger(&(struct bytes){.data = at(firmware, EINJ_AT_TRIGGER), .size = 64});
	put64(firmware, EINJ_AT_TRIGGER_POINTER, firmware->config.region + EINJ_AT_TRIGGER);
answer:
	firmware_event(firmware, event);
	if (firmware->delay.ms) {
		firmware->answer_due = now_monotonic_ns() + firmware->delay.ms * NSEC_PER_MSEC;
		firmware->answer_status = status;
		if (counted(&firmware->delay.count))
			firmware->delay.ms = 0;
		return;
	}
	einj_answer(firmware, status);
}

static void trigger_memory(struct firmware *firmware, const struct einj_request *request, int line)
{
	struct cper_record record = {
		.section = CPER_MEMORY,
		.severity = CPER_CORRECTED,
		.address_valid = true,
		.address = request->address,
		.mask = request->mask,
	};
	struct machine_check check = {
		.kind = "SRAO",
		.processor = request->flags & EINJ_FLAG_APIC ? request->apic : 0,
		.status = STATUS_SRAO_SCRUB,
		.mcg_status = MCG_RIPV_MCIP,
		.address = request->address,
		.misc = MISC_PAGE,
		.line = line,
	};

	switch (request->severity) {
	case CPER_CORRECTED:
		/* The trigger reads the line and writes it back: no poison remains. */
		poison_disarm(firmware, line);
		deliver_record(firmware, &record);
		return;
	case CPER_RECOVERABLE:
		if (!firmware->config.single)
			break;
		/* Firmware first, as on AMD servers: their machine checks have no address that Linux uses here. */
		record.severity = CPER_RECOVERABLE;
		deliver_record(firmware, &record);
		return;
	case CPER_FATAL:
		check.kind = "fatal";
		check.status = STATUS_FATAL_MEMORY;
		check.mcg_status = MCG_MCIP;
		break;
	}
	deliver_check(firmware, &check);
}

static void trigger_processor(struct firmware *firmware, const struct einj_request *request,
			      int line)
{
	struct cper_record record = {
		.section = CPER_PROCESSOR,
		.severity = request->severity,
		.processor = request->flags & EINJ_FLAG_APIC ? request->apic : 0,
	};
	struct machine_check check = {
		.kind = "fatal",
		.processor = record.processor,
		.status = STATUS_FATAL_PROCESSOR,
		.mcg_status = MCG_MCIP,
		.line = line,
	};

	if (request->severity == CPER_RECOVERABLE && line >= 0) {
		/* A poisoned line in the last-level cache, detected when it is written back. */
		check.kind = "SRAO";
		check.status = POISON_STATUS_SRAO_WRITE_BACK;
		check.mcg_status = MCG_RIPV_MCIP;
		check.address = request->address;
		check.misc = MISC_PAGE;
	} else if (request->severity != CPER_FATAL) {
		deliver_record(firmware, &record);
		return;
	}
	deliver_check(firmware, &check);
}

/**
 * einj_trigger - deliver the armed error, after the guest executed the trigger table
 * @firmware: model
 */
void einj_trigger(struct firmware *firmware)
{
	struct einj_request *request = &firmware->command.request;
	int line = firmware->command.line;

	if (!firmware->command.valid) {
		/* Any program with I/O rights can write to the port: only each doubling of the count is reported, to bound the journal. */
		firmware->counts.stray++;
		if (!(firmware->counts.stray & (firmware->counts.stray - 1)))
			firmware_event(firmware, json_pack("{s:s, s:i}", "event", "stray-trigger",
							   "count", (int)firmware->counts.stray));
		return;
	}
	firmware->counts.trigger++;
	firmware->command.valid = false;
	firmware_event(firmware,
		       json_pack("{s:s, s:o, s:o}", "event", "einj-trigger", "type",
				 json_hex(request->type), "address", json_hex(request->address)));
	switch (request->section) {
	case CPER_MEMORY:
		trigger_memory(firmware, request, line);
		break;
	case CPER_PROCESSOR:
		trigger_processor(firmware, request, line);
		break;
	case CPER_PCIE:
		deliver_record(firmware,
			       &(struct cper_record){
				       .section = CPER_PCIE,
				       .severity = request->severity,
				       .sbdf = request->flags & EINJ_FLAG_SBDF ? request->sbdf : 0,
			       });
		break;
	}
}
