// SPDX-License-Identifier: GPL-2.0-only
/*
 * EINJ: the firmware injects the fault on request of the kernel's einj driver, through debugfs. Files, formats and errors are
 * those of drivers/acpi/apei/einj-core.c of Linux 6.1 to 7.x; the types are those of ACPI 6.5, tables 18.30 to 18.33.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "inject/einj.h"
#include "harness/host/machine.h"
#include "inject/injector.h"

#define EINJ_TABLE "/sys/firmware/acpi/tables/EINJ"
#define EINJ_PAGE_MASK 0xfffffffffffff000ull
#define COMPONENT_LIMIT 32
#define VENDOR_BIT 0x80000000u

enum {
	FLAG_APIC_ID = 1,
	FLAG_MEMORY = 2,
	FLAG_SBDF = 4,
	FLAG_V2 = 8,
};

/* The subject of an error type determines the parameters for the firmware. */
enum einj_subject {
	ABOUT_PROCESSOR,
	ABOUT_MEMORY,
	ABOUT_PCIE,
	ABOUT_PLATFORM,
	ABOUT_VENDOR,
};

struct einj_type {
	const char *name;
	uint32_t bit;
	bool v2;
	enum einj_subject subject;
};

static const struct einj_type types[] = {
	{"processor-correctable", 1u << 0, false, ABOUT_PROCESSOR},
	{"processor-uncorrectable-nonfatal", 1u << 1, false, ABOUT_PROCESSOR},
	{"processor-uncorrectable-fatal", 1u << 2, false, ABOUT_PROCESSOR},
	{"memory-correctable", 1u << 3, false, ABOUT_MEMORY},
	{"memory-uncorrectable-nonfatal", 1u << 4, false, ABOUT_MEMORY},
	{"memory-uncorrectable-fatal", 1u << 5, false, ABOUT_MEMORY},
	{"pcie-correctable", 1u << 6, false, ABOUT_PCIE},
	{"pcie-uncorrectable-nonfatal", 1u << 7, false, ABOUT_PCIE},
	{"pcie-uncorrectable-fatal", 1u << 8, false, ABOUT_PCIE},
	{"platform-correctable", 1u << 9, false, ABOUT_PLATFORM},
	{"platform-uncorrectable-nonfatal", 1u << 10, false, ABOUT_PLATFORM},
	{"platform-uncorrectable-fatal", 1u << 11, false, ABOUT_PLATFORM},
	{"v2-processor", 1u << 0, true, ABOUT_PROCESSOR},
	{"v2-memory", 1u << 1, true, ABOUT_MEMORY},
	{"v2-pcie", 1u << 2, true, ABOUT_PCIE},
	{"vendor", VENDOR_BIT, false, ABOUT_VENDOR},
};

static const char *const type_names[] = {
	"processor-correctable",
	"processor-uncorrectable-nonfatal",
	"processor-uncorrectable-fatal",
	"memory-correctable",
	"memory-uncorrectable-nonfatal",
	"memory-uncorrectable-fatal",
	"pcie-correctable",
	"pcie-uncorrectable-nonfatal",
	"pcie-uncorrectable-fatal",
	"platform-correctable",
	"platform-uncorrectable-nonfatal",
	"platform-uncorrectable-fatal",
	"v2-processor",
	"v2-memory",
	"v2-pcie",
	"vendor",
	NULL,
};

_Static_assert(ARRAY_SIZE(type_names) == ARRAY_SIZE(types) + 1, "every type has its name");

static const struct param einj_params[] = {
	{"type", PARAM_CHOICE, "error type", NULL, type_names, true},
	{"address", PARAM_NUMBER, "physical address (memory types; default: of the target)", NULL,
	 NULL, false},
	{"mask", PARAM_NUMBER, "mask of the address: a page or finer", "0xfffffffffffff000", NULL,
	 false},
	{"flags", PARAM_NUMBER,
	 "which parameters are valid: 1 APIC ID, 2 address, 4 PCIe (default: by type)", NULL, NULL,
	 false},
	{"apic-id", PARAM_NUMBER, "APIC ID of the processor", NULL, NULL, false},
	{"sbdf", PARAM_STRING, "PCIe function, such as 0000:00:04.0", NULL, NULL, false},
	{"notrigger", PARAM_BOOL, "leave the fault latent until it is consumed", "false", NULL,
	 false},
	{"vendor-type", PARAM_NUMBER, "lower 31 bits of the type, for type vendor", NULL, NULL,
	 false},
	{"vendor-flags", PARAM_NUMBER, "flags of a vendor type", NULL, NULL, false},
	{"component-id", PARAM_LIST, "components to hit, 128-bit hexadecimal (v2 types)", NULL,
	 NULL, false},
	{"component-syndrome", PARAM_LIST, "their syndromes, in the same order (v2 types)", NULL,
	 NULL, false},
	{"param3", PARAM_NUMBER, "raw value instead of the APIC ID", NULL, NULL, false},
	{"param4", PARAM_NUMBER, "raw value instead of the PCIe function", NULL, NULL, false},
	{0},
};

/* Values to write, computed from the arguments before any write. */
struct einj_plan {
	const struct einj_type *type;
	uint64_t flags;
	uint64_t param1, param2, param3, param4;
	const json_t *ids, *syndromes;
	char component[40];
};

static const struct einj_type *find_type(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i].name, name) == 0)
			return &types[i];
	return NULL;
}

/**
 * einj_parse_sbdf - parse a PCIe function into the form of EINJ
 * @text: SEGMENT:BUS:DEVICE.FUNCTION in hexadecimal, or one 0x number
 * @sbdf: receives segment << 24 | bus << 16 | device << 11 | function << 8 (ACPI 6.5, table 18.31)
 *
 * Return: 0 or -EINVAL.
 */
int einj_parse_sbdf(const char *text, uint64_t *sbdf)
{
	unsigned int segment, bus, device, function;
	int end = 0;

	/* glibc takes a bare "0x" for a zero, so its x must be kept out. */
	if (!strchr(text, 'x') &&
	    sscanf(text, "%x:%x:%x.%x%n", &segment, &bus, &device, &function, &end) == 4 &&
	    !text[end] && segment <= 0xff && bus <= 0xff && device <= 0x1f && function <= 7) {
		*sbdf = (uint64_t)segment << 24 | bus << 16 | device << 11 | function << 8;
		return 0;
	}
	if (text[0] != '0' || (text[1] | 32) != 'x' || parse_number(text, sbdf) ||
	    *sbdf > UINT32_MAX)
		return -EINVAL;
	return 0;
}

/**
 * einj_explain - explain an errno of the write to error_inject
 * @error:       negative errno
 * @duration_ns: of the write: EIO means a timeout if it took a second
 *
 * Arguments that the kernel refuses were checked before, so these errors come from the firmware.
 *
 * Return: a sentence, static.
 */
const char *einj_explain(int error, int64_t duration_ns)
{
	switch (error) {
	case -EBUSY:
		return "the firmware tried and reported that it failed (command status 1); it may "
		       "be busy with an earlier error, try again, or look into the firmware's log";
	case -EINVAL:
		return "the firmware called it an invalid access (command status 2), or its "
		       "trigger "
		       "table is broken or overlaps memory in use; the kernel log has a line of "
		       "'EINJ:' or 'APEI:' in the second case";
	case -EIO:
		if (duration_ns >= 900 * NSEC_PER_MSEC)
			return "the firmware did not respond in time: its busy flag was still set "
			       "after the second that the kernel waits; its error handler hangs, "
			       "or "
			       "the BIOS switch for error injection is half on";
		return "the memory of the trigger table can not be claimed or mapped ('Can not "
		       "request' in the kernel log); another driver owns it";
	case -EADDRINUSE:
		return "the address is the kernel's zero page, which all processes share; choose "
		       "another page";
	case -ENOENT:
		return "the firmware's EINJ table has no instruction for an action that this error "
		       "needs; the table is incomplete, update the BIOS";
	case -EPERM:
	case -EACCES:
		return "the kernel refuses: it is locked down (Secure Boot), or brinell is not "
		       "root";
	case -ENODEV:
	case -ENXIO:
		return "the einj driver is no longer bound to an EINJ table";
	case -ENOMEM:
		return "the kernel has no memory for the request";
	default:
		return "an errno that the einj driver does not document; see the kernel log";
	}
}

static bool is_hexadecimal(const char *text)
{
	size_t digits;

	if (text[0] == '0' && (text[1] | 32) == 'x')
		text += 2;
	digits = strspn(text, "0123456789abcdefABCDEF");
	return digits >= 1 && digits <= 32 && !text[digits];
}

static int check_components(const json_t *arguments, const struct einj_type *type,
			    struct reason *why)
{
	static const char *const names[] = {"component-id", "component-syndrome"};
	size_t counts[2] = {0};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const json_t *list = json_object_get(arguments, names[i]);
		const json_t *item;
		size_t index;

		counts[i] = json_array_size(list);
		if (counts[i] && !type->v2)
			return fail(why, -EINVAL, "'%s' is for the v2 types, not for '%s'",
				    names[i], type->name);
		json_array_foreach ((json_t *)list, index, item)
			if (!is_hexadecimal(json_string_value(item)))
				return fail(why, -EINVAL,
					    "'%s' is '%s': it must be 1 to 32 hexadecimal digits",
					    names[i], json_string_value(item));
	}
	if (counts[1] > counts[0])
		return fail(why, -EINVAL,
			    "there are %zu values of 'component-syndrome' for %zu of "
			    "'component-id'",
			    counts[1], counts[0]);
	if (counts[0] > COMPONENT_LIMIT)
		return fail(why, -EINVAL, "%zu components are more than the %d that can be given",
			    counts[0], COMPONENT_LIMIT);
	return 0;
}

static int einj_check(const json_t *arguments, enum injector_target target, struct reason *why)
{
	const struct einj_type *type = find_type(param_text(arguments, "type"));
	const char *sbdf = param_text(arguments, "sbdf");
	uint64_t number;

	if (!type)
		return fail(why, -EINVAL, "'type' is missing");
	if ((type->subject == ABOUT_MEMORY || param_number(arguments, "flags") & FLAG_MEMORY) &&
	    target == TARGET_NONE && !param_given(arguments, "address"))
		return fail(why, -EINVAL,
			    "'%s' needs an address: give a target with 'at', or 'address'",
			    type->name);
	if (sbdf && einj_parse_sbdf(sbdf, &number))
		return fail(why, -EINVAL,
			    "'sbdf' is '%s': it must be SEGMENT:BUS:DEVICE.FUNCTION such as "
			    "0000:00:04.0, or a 0x number of 32 bits",
			    sbdf);
	if (type->subject == ABOUT_VENDOR && !param_number(arguments, "vendor-type"))
		return fail(why, -EINVAL, "type 'vendor' needs 'vendor-type'");
	if (param_number(arguments, "vendor-type") >= VENDOR_BIT)
		return fail(why, -EINVAL, "'vendor-type' must fit into 31 bits");
	if (param_number(arguments, "apic-id") > UINT32_MAX)
		return fail(why, -EINVAL, "'apic-id' must fit into 32 bits");
	return check_components(arguments, type, why);
}

static uint32_t default_flags(const json_t *arguments, const struct einj_type *type)
{
	switch (type->subject) {
	case ABOUT_PROCESSOR:
		return param_given(arguments, "apic-id") || type->v2 ? FLAG_APIC_ID : 0;
	case ABOUT_MEMORY:
		return FLAG_MEMORY;
	case ABOUT_PCIE:
		return param_given(arguments, "sbdf") || type->v2 ? FLAG_SBDF : 0;
	default:
		return 0;
	}
}

static void plan_injection(const json_t *arguments, struct einj_plan *plan)
{
	const char *sbdf = param_text(arguments, "sbdf");

	*plan = (struct einj_plan){
		.type = find_type(param_text(arguments, "type")),
		.param1 = param_number(arguments, "address"),
		.param2 = param_number(arguments, "mask"),
		.param3 = param_number(arguments,
				       param_given(arguments, "param3") ? "param3" : "apic-id"),
		.ids = json_object_get(arguments, "component-id"),
		.syndromes = json_object_get(arguments, "component-syndrome"),
	};
	plan->flags = param_given(arguments, "flags") ? param_number(arguments, "flags")
						      : default_flags(arguments, plan->type);
	if (param_given(arguments, "param4"))
		plan->param4 = param_number(arguments, "param4");
	else if (sbdf)
		(void)einj_parse_sbdf(sbdf, &plan->param4);
	/* EINJv2 names processors and functions as components; the kernel passes it neither param3 nor param4. */
	if (plan->type->v2 && !json_array_size(plan->ids)) {
		if (plan->type->subject == ABOUT_PROCESSOR && param_given(arguments, "apic-id"))
			snprintf(plan->component, sizeof(plan->component), "%" PRIx64,
				 plan->param3);
		if (plan->type->subject == ABOUT_PCIE && sbdf)
			snprintf(plan->component, sizeof(plan->component), "%" PRIx64,
				 plan->param4);
	}
}

/* The checks of einj_error_inject(), repeated here because there all of them return EINVAL. */
static int check_plan(const struct einj_plan *plan, bool dry_run, struct reason *why)
{
	bool memory = plan->type->subject == ABOUT_MEMORY || plan->flags & FLAG_MEMORY;
	uint64_t base = plan->param1 & plan->param2, page_flags;

	if (plan->flags & ~(uint64_t)(FLAG_APIC_ID | FLAG_MEMORY | FLAG_SBDF | FLAG_V2))
		return fail(why, -EINVAL,
			    "flags 0x%" PRIx64
			    ": the kernel accepts only 1 (APIC ID), 2 (address), 4 (PCIe) "
			    "and 8 (v2)",
			    plan->flags);
	if (!memory)
		return 0;
	if ((plan->param2 & EINJ_PAGE_MASK) != EINJ_PAGE_MASK)
		return fail(why, -EINVAL,
			    "mask 0x%" PRIx64 " leaves more than a page to the firmware's choice; "
			    "the kernel takes 0x%llx or finer",
			    plan->param2, EINJ_PAGE_MASK);
	if (dry_run)
		return 0;
	if (machine_memory_kind(base) == MEMORY_DEVICE)
		return fail(why, -EINVAL,
			    "address 0x%" PRIx64 " is no RAM of this machine (/proc/iomem); the "
			    "kernel injects into memory only",
			    base);
	if (machine_page_flags(base >> 12, &page_flags) == 0 &&
	    page_flags >> PAGE_FLAG_ZERO_PAGE & 1)
		return fail(why, -EADDRINUSE,
			    "address 0x%" PRIx64
			    " is the kernel's zero page, which all processes share; let the target "
			    "write to its page first",
			    base);
	return 0;
}

static bool read_available(uint32_t *v1, uint32_t *v2)
{
	__cleanup_free char *text = NULL;
	char path[4096];
	char *rest, *line;

	*v1 = *v2 = 0;
	if (read_small_file(system_path(path, EINJ_DIRECTORY "/available_error_type"), &text, NULL))
		return false;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		bool second = strncmp(line, "V2_", 3) == 0;
		uint32_t bits = (uint32_t)strtoul(line + (second ? 3 : 0), NULL, 16);

		if (second)
			*v2 |= bits;
		else
			*v1 |= bits;
	}
	return true;
}

static int check_machine(const struct einj_plan *plan, struct reason *why)
{
	uint32_t v1, v2;
	int error;

	if (!machine_has_file(EINJ_TABLE))
		return fail(why, -ENODEV,
			    "the firmware has no EINJ table (%s is missing); turn on 'WHEA' and "
			    "'Error Injection' in the BIOS",
			    EINJ_TABLE);
	if (machine_is_locked_down())
		return fail(why, -EPERM,
			    "the kernel is locked down and refuses writes to %s; turn Secure Boot "
			    "off, or remove lockdown= from the kernel's command line",
			    EINJ_DIRECTORY);
	error = machine_load_module("einj", EINJ_DIRECTORY "/error_inject", why);
	if (error)
		return error;
	if (!read_available(&v1, &v2))
		return fail(why, -EIO, "%s/available_error_type can not be read", EINJ_DIRECTORY);
	/* Vendor types are not listed by the firmware. */
	if (plan->type->subject != ABOUT_VENDOR && !((plan->type->v2 ? v2 : v1) & plan->type->bit))
		return fail(why, -EINVAL,
			    "this firmware does not offer '%s' (%s/available_error_type has no "
			    "%s0x%08x)",
			    plan->type->name, EINJ_DIRECTORY, plan->type->v2 ? "V2_" : "",
			    plan->type->bit);
	if (plan->flags && !machine_has_file(EINJ_DIRECTORY "/param1"))
		return fail(
			why, -ENOENT,
			"this firmware takes no address or other parameter (ACPI 4 table "
			"without SET_ERROR_TYPE_WITH_ADDRESS); the fault would hit any address; "
			"some accept them after 'modprobe einj param_extension=1'");
	return 0;
}

static int set(struct injection *injection, const char *name, struct reason *why,
	       const char *format, uint64_t value)
{
	char path[128], text[48];

	snprintf(path, sizeof(path), EINJ_DIRECTORY "/%s", name);
	/* A dry run shows all files of the interface; a machine may have fewer. */
	if (!injection->change.dry_run && !machine_has_file(path))
		return value ? fail(why, -ENOENT,
				    "%s is missing: this einj driver does not have it", path)
			     : 0;
	snprintf(text, sizeof(text), format, value);
	return injection_set(injection, path, STICKY_TEXT, text, why);
}

static int set_component(struct injection *injection, const char *kind, size_t index,
			 const char *text, struct reason *why)
{
	char path[128];

	snprintf(path, sizeof(path), EINJ_DIRECTORY "/component_%s%zu", kind, index);
	if (!injection->change.dry_run && !machine_has_file(path)) {
		if (!text)
			return 0;
		return fail(why, -EINVAL,
			    "%s is missing: this firmware takes fewer components at a time", path);
	}
	if (!text && injection->change.dry_run)
		return 0;
	/* An empty line makes the entry invalid, which ends the array. */
	return injection_set(injection, path, STICKY_LINE, text ?: "", why);
}

static const char *component_at(const json_t *list, size_t index)
{
	const char *text = json_string_value(json_array_get(list, index));

	if (text && text[0] == '0' && (text[1] | 32) == 'x')
		text += 2;
	return text;
}

static int set_components(struct injection *injection, const struct einj_plan *plan,
			  struct reason *why)
{
	size_t given = json_array_size(plan->ids);
	int error = 0;

	if (!plan->type->v2)
		return 0;
	if (!given && plan->component[0]) {
		error = set_component(injection, "id", 0, plan->component, why)
				?: set_component(injection, "syndrome", 0, "0", why);
		given = 1;
	} else {
		for (size_t i = 0; i < given && !error; i++) {
			const char *syndrome = component_at(plan->syndromes, i);

			error = set_component(injection, "id", i, component_at(plan->ids, i), why)
					?: set_component(injection, "syndrome", i, syndrome ?: "0",
							 why);
		}
	}
	return error ?: set_component(injection, "id", given, NULL, why);
}

static int set_all(struct injection *injection, const struct einj_plan *plan, struct reason *why)
{
	const json_t *arguments = injection->arguments;
	uint64_t type = plan->type->bit | param_number(arguments, "vendor-type");
	bool vendor = plan->type->subject == ABOUT_VENDOR;
	int error;

	error = set(injection, "error_type", why, plan->type->v2 ? "V2_0x%" PRIx64 : "0x%" PRIx64,
		    type)
			?: set(injection, "flags", why, "0x%" PRIx64, plan->flags)
			?: set(injection, "param1", why, "0x%" PRIx64, plan->param1);
	/* A firmware without parameters has no mask. */
	if (!error && (injection->change.dry_run || machine_has_file(EINJ_DIRECTORY "/param2")))
		error = set(injection, "param2", why, "0x%" PRIx64, plan->param2);
	if (error)
		return error;
	error = set(injection, "param3", why, "0x%" PRIx64, plan->param3)
		?: set(injection, "param4", why, "0x%" PRIx64, plan->param4)
		?: set(injection, "notrigger", why, "%" PRIu64, param_bool(arguments, "notrigger"));
	if (!error && (vendor || param_given(arguments, "vendor-flags")))
		error = set(injection, "vendor_flags", why, "0x%" PRIx64,
			    param_number(arguments, "vendor-flags"));
	return error ?: set_components(injection, plan, why);
}

static int einj_prepare(struct injection *injection, struct reason *why)
{
	struct einj_plan plan;
	int error;

	error = einj_check(injection->arguments, TARGET_NONE, why);
	if (error)
		return error;
	plan_injection(injection->arguments, &plan);
	error = check_plan(&plan, true, why);
	if (error)
		return error;
	if (!injection->change.dry_run)
		error = machine_is_expendable(why) ?: check_machine(&plan, why)
						   ?: check_plan(&plan, false, why);
	if (error)
		return error;
	error = change_lock(&injection->change, why) ?: set_all(injection, &plan, why);
	if (error)
		(void)injection_finish(injection, NULL);
	return error;
}

static int einj_fire(struct injection *injection, struct reason *why)
{
	struct reason reason = {0};
	int64_t before, duration;
	int error;

	before = now_monotonic_ns();
	error = change_write(&injection->change, EINJ_DIRECTORY "/error_inject", "1", &reason);
	duration = now_monotonic_ns() - before;
	json_object_set_new(injection->result, "duration_ns", json_integer(duration));
	if (error)
		return fail(why, error, "einj: %s: %s", reason.text, einj_explain(error, duration));
	return 0;
}

static void probe_types(json_t *findings, const char *unread)
{
	uint32_t v1 = 0, v2 = 0;
	bool known = !unread && read_available(&v1, &v2);

	if (!unread && !known)
		unread = "available_error_type can not be read";
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		__cleanup_free char *name = format_text("einj:%s", types[i].name);

		if (types[i].subject == ABOUT_VENDOR)
			continue;
		finding_add(findings, name, (types[i].v2 ? v2 : v1) & types[i].bit,
			    unread ? unread : "the firmware does not offer this error type",
			    unread ? "see the finding 'einj' above"
				   : "look for further switches of error injection in the BIOS, or "
				     "a newer BIOS");
	}
}

static void einj_probe(json_t *findings)
{
	bool table = machine_has_file(EINJ_TABLE);
	bool module = machine_module_available("einj");
	struct reason why = {0};
	bool works;

	finding_add(
		findings, "einj:table", table,
		"the firmware has no EINJ table (/sys/firmware/acpi/tables/EINJ)",
		"turn on 'WHEA' and 'Error Injection' (often below 'Advanced', 'RAS' or 'APEI') "
		"in the BIOS; some machines need 'ACPI 5.0 support' too");
	finding_add(findings, "einj:module", module, "this kernel has no module einj",
		    "use a kernel with CONFIG_ACPI_APEI_EINJ, or install the package of its "
		    "modules");
	probe_debugfs(findings);
	works = machine_has_file(EINJ_DIRECTORY "/error_inject");
	if (!works && table && module)
		works = machine_load_module("einj", EINJ_DIRECTORY "/error_inject", &why) == 0;
	finding_add(findings, "einj", works,
		    !table	? "there is no EINJ table"
		    : !module	? "there is no module einj"
		    : *why.text ? why.text
				: "the einj driver's files are missing",
		    "modprobe einj; then look for 'EINJ:' in the kernel log");
	finding_add(findings, "einj:parameters",
		    works && machine_has_file(EINJ_DIRECTORY "/param1"),
		    works ? "the firmware takes no address (no SET_ERROR_TYPE_WITH_ADDRESS)"
			  : "the einj driver does not run",
		    works ? "turn on 'ACPI 5.0 support' in the BIOS, or try modprobe einj "
			    "param_extension=1"
			  : "see the finding 'einj' above");
	probe_types(findings, works ? NULL : "the einj driver does not run");
}

REGISTERED(injector, einj) = {
	.name = "einj",
	.fault_of = nature_of_error_type,
	.summary = "the firmware injects an error (ACPI EINJ, versions 1 and 2)",
	.params = einj_params,
	.check = einj_check,
	.probe = einj_probe,
	.prepare = einj_prepare,
	.fire = einj_fire,
	.restore = injection_finish,
};
