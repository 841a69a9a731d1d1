// SPDX-License-Identifier: GPL-2.0-only
/*
 * mce-inject: the kernel's machine check injector, through debugfs (arch/x86/kernel/cpu/mce/inject.c). Mode sw passes a
 * synthetic record to the decoders; hw, df and th raise the machine check, or the interrupt, on a processor.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "harness/evidence/bank_status.h"
#include "harness/host/machine.h"
#include "inject/injector.h"

#define MCE_DIRECTORY "/sys/kernel/debug/mce-inject"
#define FAKE_PANIC "/sys/kernel/debug/mce/fake_panic"

#define WITH_ADDRESS (STATUS_VALID | STATUS_MISC_VALID | STATUS_ADDRESS_VALID)
#define UNCORRECTED (WITH_ADDRESS | STATUS_UNCORRECTED | STATUS_ENABLED)

static const struct preset {
	const char *name;
	uint64_t status;
} presets[] = {
	{"corrected", WITH_ADDRESS | STATUS_COUNT_ONE | CODE_MEMORY_READ},
	{"corrected-overflow",
	 WITH_ADDRESS | STATUS_OVERFLOW | STATUS_COUNT_ONE | CODE_MEMORY_READ},
	{"deferred", WITH_ADDRESS | STATUS_DEFERRED | CODE_MEMORY_READ},
	{"ucna", UNCORRECTED | CODE_MEMORY_READ},
	{"srao", UNCORRECTED | STATUS_SIGNALED | CODE_PATROL_SCRUB},
	{"srao-write-back", UNCORRECTED | STATUS_SIGNALED | CODE_LLC_WRITE_BACK},
	{"srar", UNCORRECTED | STATUS_SIGNALED | STATUS_ACTION_REQUIRED | CODE_DATA_LOAD},
	{"srar-instruction",
	 UNCORRECTED | STATUS_SIGNALED | STATUS_ACTION_REQUIRED | CODE_INSTRUCTION_FETCH},
	{"fatal", UNCORRECTED | STATUS_CONTEXT_CORRUPT | CODE_MEMORY_READ},
};

static const char *const preset_names[] = {
	"corrected", "corrected-overflow", "deferred", "ucna", "srao", "srao-write-back",
	"srar",	     "srar-instruction",   "fatal",    NULL,
};

_Static_assert(ARRAY_SIZE(preset_names) == ARRAY_SIZE(presets) + 1, "every preset has its name");

static const char *const modes[] = {"sw", "hw", "df", "th", NULL};

static const struct param mce_params[] = {
	{"preset", PARAM_CHOICE, "kind of error: sets status and misc", NULL, preset_names, false},
	{"mode", PARAM_CHOICE,
	 "sw: decode a record; hw: machine check; df: deferred interrupt; th: threshold interrupt",
	 "sw", modes, false},
	{"cpu", PARAM_NUMBER, "logical number of the processor", "0", NULL, false},
	{"bank", PARAM_NUMBER, "machine check bank", "5", NULL, false},
	{"status", PARAM_NUMBER, "raw MCi_STATUS, instead of a preset", NULL, NULL, false},
	{"address", PARAM_NUMBER, "MCi_ADDR (default: of the target)", NULL, NULL, false},
	{"misc", PARAM_NUMBER, "raw MCi_MISC", NULL, NULL, false},
	{"synd", PARAM_NUMBER, "MCi_SYND (AMD)", NULL, NULL, false},
	{"fake-panic", PARAM_BOOL, "let the kernel print a panic instead of making it", "false",
	 NULL, false},
	{"allow-panic", PARAM_BOOL, "allow a raw status with PCC in mode hw", "false", NULL, false},
	{0},
};

static const struct preset *find_preset(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_SIZE(presets); i++)
		if (strcmp(presets[i].name, name) == 0)
			return &presets[i];
	return NULL;
}

static uint64_t status_of(const json_t *arguments)
{
	const struct preset *preset = find_preset(param_text(arguments, "preset"));
	uint64_t status = preset ? preset->status : param_number(arguments, "status");

	/* Without an address ADDRV must be clear. */
	if (preset && !param_given(arguments, "address"))
		status &= ~STATUS_ADDRESS_VALID;
	return status;
}

static int mce_check(const json_t *arguments, enum injector_target target, struct reason *why)
{
	const char *mode = param_text(arguments, "mode");
	const char *preset = param_text(arguments, "preset");

	if (!preset == !param_given(arguments, "status"))
		return fail(why, -EINVAL, "give one of 'preset' and 'status'");
	if (param_given(arguments, "status") &&
	    param_number(arguments, "status") & STATUS_CONTEXT_CORRUPT && mode &&
	    strcmp(mode, "hw") == 0 && !param_bool(arguments, "fake-panic") &&
	    !param_bool(arguments, "allow-panic"))
		return fail(why, -EINVAL,
			    "this status has PCC (bit 57): in mode hw it panics the host; set "
			    "'allow-panic' to allow that, or 'fake-panic' to print the panic "
			    "only");
	if (preset && strcmp(preset, "deferred") == 0 && mode && strcmp(mode, "hw") == 0)
		return fail(why, -EINVAL,
			    "a deferred error comes with its own interrupt: use mode df or sw");
	return 0;
}

static int check_processor(uint64_t cpu, struct reason *why)
{
	__cleanup_free char *text = NULL;
	char path[4096], name[96];

	snprintf(name, sizeof(name), "/sys/devices/system/cpu/cpu%" PRIu64, cpu);
	if (!machine_has_file(name))
		return fail(why, -EINVAL, "there is no processor %" PRIu64 " on this machine", cpu);
	snprintf(name, sizeof(name), "/sys/devices/system/cpu/cpu%" PRIu64 "/online", cpu);
	/* The first processor has no such file on most machines. */
	if (read_small_file(system_path(path, name), &text, NULL) == 0 && text[0] == '0')
		return fail(why, -EINVAL,
			    "processor %" PRIu64 " is offline; write 1 to %s, or choose another",
			    cpu, name);
	return 0;
}

static int check_machine(const json_t *arguments, struct reason *why)
{
	int error = check_processor(param_number(arguments, "cpu"), why);

	if (error)
		return error;
	if (machine_is_locked_down())
		return fail(why, -EPERM,
			    "the kernel is locked down and refuses writes to %s; turn Secure Boot "
			    "off, or remove lockdown= from the kernel's command line",
			    MCE_DIRECTORY);
	return machine_load_module("mce-inject", MCE_DIRECTORY "/bank", why);
}

static int set_number(struct injection *injection, const char *name, uint64_t value,
		      struct reason *why)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), MCE_DIRECTORY "/%s", name);
	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	return injection_set(injection, path, STICKY_BARE_HEX, text, why);
}

static int set_mode(struct injection *injection, struct reason *why)
{
	const char *mode = param_text(injection->arguments, "mode");
	struct reason reason = {0};
	int error;

	/* The kernel overwrites the last byte of this file unconditionally: it must be a newline. */
	error = injection_set(injection, MCE_DIRECTORY "/flags", STICKY_LINE, mode, &reason);

	if (error == -EINVAL && strcmp(mode, "sw") != 0)
		return fail(why, error,
			    "%s: this processor ignores writes to the registers of its banks "
			    "(hypervisor, or AMD's McStatusWrEn locked by the BIOS): only mode sw "
			    "works here",
			    reason.text);
	return error ? fail(why, error, "%s", reason.text) : 0;
}

static int set_all(struct injection *injection, struct reason *why)
{
	const json_t *arguments = injection->arguments;
	bool preset = param_given(arguments, "preset");
	uint64_t misc = param_given(arguments, "misc") ? param_number(arguments, "misc")
			: preset		       ? MISC_PHYSICAL_PAGE
						       : 0;
	bool synd = injection->change.dry_run ? param_given(arguments, "synd")
					      : machine_has_file(MCE_DIRECTORY "/synd");
	char cpu[24];
	int error;

	snprintf(cpu, sizeof(cpu), "%" PRIu64, param_number(arguments, "cpu"));
	error = injection_set(injection, MCE_DIRECTORY "/cpu", STICKY_TEXT, cpu, why)
		?: set_mode(injection, why)
		?: set_number(injection, "status", status_of(arguments), why)
		?: set_number(injection, "addr", param_number(arguments, "address"), why)
		?: set_number(injection, "misc", misc, why);
	if (!error && synd)
		error = set_number(injection, "synd", param_number(arguments, "synd"), why);
	if (!error && param_bool(arguments, "fake-panic"))
		error = injection_set(injection, FAKE_PANIC, STICKY_TEXT, "1", why);
	return error;
}

static int mce_prepare(struct injection *injection, struct reason *why)
{
	int error = mce_check(injection->arguments, TARGET_NONE, why);

	if (error)
		return error;
	if (!injection->change.dry_run)
		error = machine_is_expendable(why) ?: check_machine(injection->arguments, why);
	if (error)
		return error;
	error = change_lock(&injection->change, why) ?: set_all(injection, why);
	if (error)
		(void)injection_finish(injection, NULL);
	return error;
}

static int mce_fire(struct injection *injection, struct reason *why)
{
	struct reason reason = {0};
	int64_t before;
	char bank[24];
	int error;

	snprintf(bank, sizeof(bank), "%" PRIu64, param_number(injection->arguments, "bank"));
	before = now_monotonic_ns();
	error = change_write(&injection->change, MCE_DIRECTORY "/bank", bank, &reason);
	json_object_set_new(injection->result, "duration_ns",
			    json_integer(now_monotonic_ns() - before));
	json_object_set_new(injection->result, "status",
			    json_sprintf("0x%" PRIx64, status_of(injection->arguments)));
	if (error == -EINVAL)
		return fail(why, error,
			    "mce-inject: %s: processor %" PRIu64 " has no bank %s, or the bank is "
			    "not populated; /sys/devices/system/machinecheck/machinecheck0/bank* "
			    "lists them",
			    reason.text, param_number(injection->arguments, "cpu"), bank);
	if (error == -EPERM || error == -EACCES)
		return fail(why, error,
			    "mce-inject: %s: the kernel is locked down (Secure Boot), or brinell "
			    "is not root",
			    reason.text);
	return error ? fail(why, error, "mce-inject: %s", reason.text) : 0;
}

static bool is_amd_smca(void)
{
	__cleanup_free char *text = NULL;
	char path[4096];

	return read_small_file(system_path(path, "/proc/cpuinfo"), &text, NULL) == 0 &&
	       strstr(text, "AuthenticAMD") && strstr(text, " smca");
}

static void mce_probe(json_t *findings)
{
	bool module = machine_module_available("mce-inject");
	struct reason why = {0};
	bool works;

	finding_add(findings, "mce-inject:module", module, "this kernel has no module mce-inject",
		    "use a kernel with CONFIG_X86_MCE_INJECT, or install the package of its "
		    "modules");
	probe_debugfs(findings);
	works = machine_has_file(MCE_DIRECTORY "/bank");
	if (!works && module)
		works = machine_load_module("mce-inject", MCE_DIRECTORY "/bank", &why) == 0;
	finding_add(findings, "mce-inject", works,
		    *why.text ? why.text : "the files of mce-inject are missing",
		    "modprobe mce-inject");
	/* Whether the banks accept writes shows only when hw is used. Deferred error interrupts exist on AMD only. */
	finding_add(findings, "mce-inject:hw", works, "mce-inject does not run",
		    "see the finding 'mce-inject' above");
	finding_add(findings, "mce-inject:df", works && is_amd_smca(),
		    works ? "only scalable MCA of AMD raises deferred error interrupts"
			  : "mce-inject does not run",
		    "use an AMD machine of family 17h or later");
	finding_add(findings, "mce-inject:fake-panic", machine_has_file(FAKE_PANIC),
		    "mce/fake_panic is missing in debugfs",
		    "use a kernel with CONFIG_X86_MCE and debugfs");
}

REGISTERED(injector, mce_inject) = {
	.name = "mce-inject",
	.fault_of = nature_of_bank_record,
	.summary = "the kernel raises a machine check, or decodes a synthetic one",
	.params = mce_params,
	.check = mce_check,
	.probe = mce_probe,
	.prepare = mce_prepare,
	.fire = mce_fire,
	.restore = injection_finish,
};
