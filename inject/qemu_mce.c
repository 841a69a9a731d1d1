// SPDX-License-Identifier: GPL-2.0-only
/*
 * qemu-mce: a machine check in a guest, raised by QEMU: the command `mce` of its human monitor
 * (target/i386/monitor.c, target/i386/helper.c). No memory is broken, and the host's kernel is not involved.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "inject/guest_monitor.h"
#include "harness/evidence/bank_status.h"
#include "harness/host/machine.h"
#include "inject/injector.h"

#define COMMAND_TIMEOUT_MS 5000

#define RECORD (STATUS_VALID | STATUS_ENABLED | STATUS_MISC_VALID | STATUS_ADDRESS_VALID)
#define UNCORRECTED (RECORD | STATUS_UNCORRECTED)

/* Of the APM: a bus error at a read of memory. */
#define CODE_AMD_BUS_READ 0x0813

/* IA32_MCG_STATUS */
#define RESTART_IP_VALID 1
#define ERROR_IP_VALID 2
#define IN_PROGRESS 4

enum vendor {
	VENDOR_INTEL,
	VENDOR_AMD,
};

static const char *const vendor_names[] = {"intel", "amd", NULL};
static const char *const kind_names[] = {"corrected", "srao", "srar", "fatal", NULL};

/*
 * By vendor. AMD has no S and no AR: deferred (bit 44) corresponds to Intel's action optional, and Linux uses the address only
 * of a record with the poison bit (43) (amd_mce_usable_address()).
 */
static const struct kind {
	uint64_t status[2];
	uint64_t mcgstatus;
	bool at_address;
} kinds[] = {
	{{(RECORD & ~STATUS_ENABLED) | STATUS_COUNT_ONE | CODE_MEMORY_READ,
	  (RECORD & ~STATUS_ENABLED) | STATUS_CORRECTED_ECC | CODE_AMD_BUS_READ},
	 0,
	 false},
	{{UNCORRECTED | STATUS_SIGNALED | CODE_PATROL_SCRUB,
	  RECORD | STATUS_DEFERRED | STATUS_POISON | CODE_AMD_BUS_READ},
	 IN_PROGRESS | RESTART_IP_VALID,
	 true},
	{{UNCORRECTED | STATUS_SIGNALED | STATUS_ACTION_REQUIRED | CODE_DATA_LOAD,
	  UNCORRECTED | STATUS_POISON | CODE_DATA_LOAD},
	 IN_PROGRESS | RESTART_IP_VALID | ERROR_IP_VALID,
	 true},
	{{UNCORRECTED | STATUS_CONTEXT_CORRUPT | CODE_MEMORY_READ,
	  UNCORRECTED | STATUS_CONTEXT_CORRUPT | CODE_AMD_BUS_READ},
	 IN_PROGRESS,
	 false},
};

_Static_assert(ARRAY_SIZE(kind_names) == ARRAY_SIZE(kinds) + 1, "every kind has its name");

static const struct param qemu_mce_params[] = {
	{"guest", PARAM_STRING, "name of the guest", NULL, NULL, true},
	{"kind", PARAM_CHOICE, "kind of error: sets status, mcgstatus and misc", NULL, kind_names,
	 false},
	{"gpa", PARAM_NUMBER, "physical address in the guest (default: of the target)", NULL, NULL,
	 false},
	{"cpu", PARAM_NUMBER, "number of the guest's processor", "0", NULL, false},
	{"broadcast", PARAM_BOOL, "the other processors get a machine check too", "false", NULL,
	 false},
	{"vendor", PARAM_CHOICE, "vendor of the guest's processor (default: of the host's)", NULL,
	 vendor_names, false},
	{"bank", PARAM_NUMBER, "machine check bank", "9", NULL, false},
	{"status", PARAM_NUMBER, "raw MCi_STATUS, instead of a kind", NULL, NULL, false},
	{"mcgstatus", PARAM_NUMBER, "raw MCG_STATUS", NULL, NULL, false},
	{"misc", PARAM_NUMBER, "raw MCi_MISC", NULL, NULL, false},
	{0},
};

/* One machine check, as an argument of QEMU's command. */
struct check {
	enum vendor vendor;
	uint64_t status, mcgstatus, misc, address;
};

static size_t index_of(const char *const *names, const char *name)
{
	size_t index = 0;

	while (names[index] && strcmp(names[index], name) != 0)
		index++;
	return index;
}

static const struct kind *find_kind(const json_t *arguments)
{
	const char *name = param_text(arguments, "kind");

	return name ? &kinds[index_of(kind_names, name)] : NULL;
}

/* A guest has the vendor of its host unless its configuration has the model of another processor. */
static enum vendor find_vendor(const json_t *arguments)
{
	const char *given = param_text(arguments, "vendor");
	__cleanup_free char *text = NULL;
	char path[4096];

	if (given)
		return (enum vendor)index_of(vendor_names, given);
	if (read_small_file(system_path(path, "/proc/cpuinfo"), &text, NULL))
		return VENDOR_INTEL;
	return strstr(text, "AuthenticAMD") || strstr(text, "HygonGenuine") ? VENDOR_AMD
									    : VENDOR_INTEL;
}

static int qemu_mce_check(const json_t *arguments, enum injector_target target, struct reason *why)
{
	const struct kind *kind = find_kind(arguments);
	bool needs_address =
		kind ? kind->at_address : param_number(arguments, "status") & STATUS_ADDRESS_VALID;

	if (target == TARGET_WORKLOAD)
		return fail(
			why, -EINVAL,
			"'qemu-mce' has a guest as its target, and the workload at 'at' runs on "
			"the host: name one that is declared with 'in'");
	if (!kind == !param_given(arguments, "status"))
		return fail(why, -EINVAL, "give one of 'kind' and 'status'");
	if (needs_address && target == TARGET_NONE && !param_given(arguments, "gpa"))
		return fail(why, -EINVAL,
			    "this machine check has an address: give a workload in the guest with "
			    "'at', or 'gpa'");
	return 0;
}

static void plan_check(const json_t *arguments, struct check *check)
{
	const struct kind *kind = find_kind(arguments);

	*check = (struct check){
		.vendor = find_vendor(arguments),
		.status = param_number(arguments, "status"),
		.address = param_number(arguments, "gpa"),
	};
	if (kind) {
		check->status = kind->status[check->vendor];
		check->mcgstatus = kind->mcgstatus;
		check->misc = MISC_PHYSICAL_PAGE;
		/* Without an address ADDRV must be clear. */
		if (!param_given(arguments, "gpa"))
			check->status &= ~STATUS_ADDRESS_VALID;
	} else if (check->status & STATUS_UNCORRECTED) {
		check->mcgstatus = IN_PROGRESS | RESTART_IP_VALID;
	}
	if (param_given(arguments, "mcgstatus"))
		check->mcgstatus = param_number(arguments, "mcgstatus");
	if (param_given(arguments, "misc"))
		check->misc = param_number(arguments, "misc");
}

static char *make_command(const json_t *arguments)
{
	struct check check;

	plan_check(arguments, &check);
	return format_text("mce %s%" PRIu64 " %" PRIu64 " 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64
			   " 0x%" PRIx64,
			   param_bool(arguments, "broadcast") ? "-b " : "",
			   param_number(arguments, "cpu"), param_number(arguments, "bank"),
			   check.status, check.mcgstatus, check.address, check.misc);
}

/* QEMU does not report an error for a missing processor. */
static int check_processor(struct injection *injection, const struct guest_monitor *monitor,
			   struct reason *why)
{
	const char *guest = param_text(injection->arguments, "guest");
	uint64_t cpu = param_number(injection->arguments, "cpu");
	__cleanup_free char *wanted = format_text("CPU #%" PRIu64 ":", cpu);
	__cleanup_free char *answer = NULL;
	int error = monitor->command(injection->agent, guest, "info cpus", COMMAND_TIMEOUT_MS,
				     &answer, why);

	if (error)
		return error;
	if (!strstr(answer, wanted))
		return fail(why, -EINVAL, "guest '%s' has no processor %" PRIu64, guest, cpu);
	return 0;
}

static int qemu_mce_prepare(struct injection *injection, struct reason *why)
{
	const struct guest_monitor *monitor;
	int error = qemu_mce_check(injection->arguments, TARGET_NONE, why);

	if (error || injection->change.dry_run)
		return error;
	error = machine_is_expendable(why);
	if (error)
		return error;
	monitor = guest_monitor_here(why);
	if (!monitor)
		return -EOPNOTSUPP;
	return check_processor(injection, monitor, why) ?: change_lock(&injection->change, why);
}

/* Error messages of QEMU. An empty answer is success. */
static int judge_answer(const char *answer, struct injection *injection, struct reason *why)
{
	static const struct {
		const char *text;
		int error;
		const char *means;
	} known[] = {
		{"injection not supported", -EOPNOTSUPP,
		 "the guest's processor has no machine "
		 "check architecture (mcg_cap is 0)"},
		{"Invalid MCE bank", -EINVAL, "the guest's processor has fewer banks"},
		{"Invalid MCE status", -EINVAL, "a status must have bit 63, VAL"},
		{"does not support MCA broadcast", -EOPNOTSUPP,
		 "no processor of AMD has it, nor one of Intel before family 6 model 14"},
		{"reporting disabled", -ENODATA,
		 "the guest's kernel has turned off the reporting of uncorrected errors (MCG_CTL), "
		 "or "
		 "that of this bank (MCi_CTL)"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strstr(answer, known[i].text))
			return fail(why, known[i].error, "qemu-mce: QEMU answers '%s': %s", answer,
				    known[i].means);
	/* The guest was hit harder than requested. */
	if (strstr(answer, "triple fault")) {
		json_object_set_new(injection->result, "triple_fault", json_true());
		return 0;
	}
	return fail(why, -EPROTO, "qemu-mce: QEMU answers '%.200s'", answer);
}

static void note_check(struct injection *injection)
{
	struct check check;

	plan_check(injection->arguments, &check);
	json_object_set_new(injection->result, "vendor", json_string(vendor_names[check.vendor]));
	json_object_set_new(injection->result, "status", json_sprintf("0x%" PRIx64, check.status));
	json_object_set_new(injection->result, "mcgstatus",
			    json_sprintf("0x%" PRIx64, check.mcgstatus));
}

static int qemu_mce_fire(struct injection *injection, struct reason *why)
{
	const char *guest = param_text(injection->arguments, "guest");
	const struct guest_monitor *monitor = guest_monitor_here(NULL);
	__cleanup_free char *command = make_command(injection->arguments);
	__cleanup_free char *place = format_text("monitor of guest '%s'", guest);
	__cleanup_free char *answer = NULL;
	struct reason reason = {0};
	int64_t before;
	int error;

	json_array_append_new(injection->change.writes,
			      json_pack("{s:s, s:s}", "path", place, "text", command));
	note_check(injection);
	if (injection->change.dry_run)
		return 0;
	before = now_monotonic_ns();
	error = monitor->command(injection->agent, guest, command, COMMAND_TIMEOUT_MS, &answer,
				 &reason);
	json_object_set_new(injection->result, "duration_ns",
			    json_integer(now_monotonic_ns() - before));
	if (error)
		return fail(why, error, "qemu-mce: %s", reason.text);
	answer[strcspn(answer, "\r\n")] = '\0';
	if (!*answer)
		return 0;
	json_object_set_new(injection->result, "answer", json_string(mend_text(answer)));
	return judge_answer(answer, injection, why);
}

static void qemu_mce_probe(json_t *findings)
{
	finding_add(findings, "qemu-mce", guest_monitor_here(NULL) != NULL, GUEST_MONITOR_MISSING,
		    GUEST_MONITOR_REMEDY);
}

REGISTERED(injector, qemu_mce) = {
	.name = "qemu-mce",
	.fault_of = nature_of_bank_record,
	/* QEMU reports each machine check of its monitor as an event. */
	.echoed_by = "hypervisor",
	.summary = "QEMU raises a machine check in a guest",
	.params = qemu_mce_params,
	.check = qemu_mce_check,
	.probe = qemu_mce_probe,
	.prepare = qemu_mce_prepare,
	.fire = qemu_mce_fire,
	.restore = injection_finish,
};
