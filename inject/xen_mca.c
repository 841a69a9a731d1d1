// SPDX-License-Identifier: GPL-2.0-only
/*
 * xen-mca: machine checks that Xen simulates (XEN_MC_msrinject, XEN_MC_mceinject, XEN_MC_inject_v2 of
 * xen/include/public/arch-x86/xen-mca.h) at a page of a guest, the mark of a broken page (XEN_DOMCTL_set_broken_page_p2m), and
 * taking frames out of use (XEN_SYSCTL_page_offline_op).
 * Xen's handler runs unchanged: it reads the registers of the machine check from interposed values. No memory breaks.
 * An emulated machine can raise a real machine check, with the registers of its processor.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "inject/injector.h"
#include "inject/xen_control.h"

/* Name of a guest's domain, as in harness/hypervisor. */
#define DOMAIN_OF_GUEST "brinell-%s"

#define MSR_MCG_STATUS 0x17a
#define MSR_MC0_STATUS 0x401
#define MSRS_OF_BANK 4

/* IA32_MCG_CAP, Intel SDM volume 3B, 16.3.1.1 */
#define CAP_BANKS 0xff
#define CAP_CMCI (1ull << 10)
#define CAP_RECOVERY (1ull << 24)
#define CAP_LOCAL (1ull << 27)

/* IA32_MCG_STATUS: RIPV and MCIP, and LMCE_S */
#define CHECK_IN_PROGRESS 5
#define CHECK_LOCAL 8

/* IA32_MCi_MISC: a physical address (mode 2 in bits 8:6), valid down to bit 6. */
#define MISC_PHYSICAL_LINE 0x86

static const char *const kind_names[] = {"srao",    "lmce",	     "ucna",
					 "fatal",   "machine-check", "set-broken",
					 "offline", "offline-free",  NULL};

/*
 * Statuses: VAL, UC, EN, MISCV, ADDRV, S and an explicit write-back of the last level cache (0x17a), which with the patrol scrub
 * is an asynchronous memory error for Xen (is_async_memerror() of mce_intel.c); PCC makes it fatal. Without S it is
 * a UCNA, which CMCI reports. The last one is not simulated: the emulator of the machine raises it.
 */
static const struct kind {
	uint64_t status, mcgstatus;
	enum xen_raise raise;
	uint64_t needs;
	const char *lacks;
} kinds[] = {
	{0xbd2000008000017a, CHECK_IN_PROGRESS, XEN_RAISE_EXCEPTION, CAP_RECOVERY,
	 "recovery from machine checks (MCG_SER_P)"},
	{0xbd2000008000017a, CHECK_IN_PROGRESS | CHECK_LOCAL, XEN_RAISE_LOCAL,
	 CAP_RECOVERY | CAP_LOCAL, "local machine checks (MCG_LMCE_P)"},
	{0xbc20000080000136, 0, XEN_RAISE_CMCI, CAP_CMCI, "interrupts for corrected errors (CMCI)"},
	{0xbf2000008000017a, CHECK_IN_PROGRESS, XEN_RAISE_EXCEPTION, 0, NULL},
	{0, 0, XEN_RAISE_EXCEPTION, CAP_RECOVERY, "recovery from machine checks (MCG_SER_P)"},
};

#define KIND_MACHINE_CHECK (ARRAY_SIZE(kinds) - 1)
#define KIND_SET_BROKEN ARRAY_SIZE(kinds)
#define KIND_OFFLINE (KIND_SET_BROKEN + 1)
#define KIND_OFFLINE_FREE (KIND_SET_BROKEN + 2)

#define VENDOR_FILE "/sys/class/dmi/id/sys_vendor"
#define NO_EMULATOR "this machine is not emulated by QEMU, which could raise a machine check"

static const struct param xen_mca_params[] = {
	{"kind", PARAM_CHOICE, "kind of error", NULL, kind_names, true},
	{"guest", PARAM_STRING, "name of the guest", NULL, NULL, true},
	{"gpa", PARAM_NUMBER, "physical address in the guest (default: of the target)", NULL, NULL,
	 false},
	{"cpu", PARAM_NUMBER, "number of the machine's processor", "0", NULL, false},
	{"bank", PARAM_NUMBER, "machine check bank", "7", NULL, false},
	{0},
};

/* One injection between prepare and restore. */
struct xen_mca {
	const struct xen_control *xen;
	void *handle;
	struct xen_domain domain;
	uint64_t frame;
};

static size_t find_kind(const json_t *arguments)
{
	const char *name = param_text(arguments, "kind");
	size_t kind = 0;

	while (strcmp(kind_names[kind], name) != 0)
		kind++;
	return kind;
}

static int xen_mca_check(const json_t *arguments, enum injector_target target, struct reason *why)
{
	if (target == TARGET_WORKLOAD)
		return fail(why, -EINVAL,
			    "'xen-mca' has a guest as its target, and the workload at 'at' runs on "
			    "the host: name one that is declared with 'in'");
	if (target == TARGET_NONE && !param_given(arguments, "gpa"))
		return fail(why, -EINVAL,
			    "'xen-mca' has no address: give a workload in the guest with 'at', or "
			    "'gpa'");
	return 0;
}

static int check_machine(const struct xen_mca *mca, const json_t *arguments, struct reason *why)
{
	uint64_t cpu = param_number(arguments, "cpu"), bank = param_number(arguments, "bank");
	struct xen_machine machine;
	int error = mca->xen->machine(mca->handle, &machine, why);

	if (error)
		return error;
	if (cpu >= machine.processors)
		return fail(why, -EINVAL, "xen-mca: this machine has no processor %" PRIu64, cpu);
	if (bank >= (machine.cap & CAP_BANKS))
		return fail(why, -EINVAL,
			    "xen-mca: this processor has %u machine check banks, and no bank "
			    "%" PRIu64,
			    (unsigned int)(machine.cap & CAP_BANKS), bank);
	return 0;
}

static int check_domain(struct xen_mca *mca, const char *guest, struct reason *why)
{
	__cleanup_free char *name = format_text(DOMAIN_OF_GUEST, guest);
	struct xen_domain *domain = &mca->domain;
	int error = mca->xen->find(mca->handle, name, domain, why);

	if (error)
		return error;
	if (!domain->hvm)
		return fail(why, -EOPNOTSUPP,
			    "xen-mca: domain %s is PV: Xen would treat the address as one of the "
			    "machine, and hit any other domain",
			    name);
	if (domain->dying || domain->ended)
		return fail(why, -ESHUTDOWN, "xen-mca: domain %s (%u) %s", name, domain->id,
			    domain->dying ? "is being destroyed" : "has shut down");
	return 0;
}

static int check_page(const struct xen_mca *mca, uint64_t gpa, struct reason *why)
{
	uint64_t pfn = gpa >> 12;
	enum xen_page page;
	int error;

	if (pfn >= mca->domain.pfns)
		return fail(why, -ERANGE,
			    "xen-mca: domain %u has no page 0x%" PRIx64 ": its last one is "
			    "0x%" PRIx64,
			    mca->domain.id, pfn, mca->domain.pfns - 1);
	error = mca->xen->page(mca->handle, mca->domain.id, pfn, &page, why);
	if (error)
		return error;
	if (page == XEN_PAGE_HOLE)
		return fail(why, -EFAULT,
			    "xen-mca: page 0x%" PRIx64 " of domain %u is a hole: it was never "
			    "there, or is ballooned out",
			    pfn, mca->domain.id);
	if (page == XEN_PAGE_BROKEN)
		return fail(why, -EHWPOISON, "xen-mca: page 0x%" PRIx64 " of domain %u is broken",
			    pfn, mca->domain.id);
	return 0;
}

static int open_xen(struct injection *injection, struct reason *why)
{
	struct xen_mca *mca;

	if (!xen_control_count())
		return fail(why, -EOPNOTSUPP, XEN_CONTROL_MISSING ": " XEN_CONTROL_REMEDY);
	mca = xzalloc(sizeof(*mca));
	mca->xen = xen_control_at(0);
	mca->handle = mca->xen->open(why);
	injection->private = mca;
	return mca->handle ? 0 : -EOPNOTSUPP;
}

static int xen_mca_restore(struct injection *injection, struct reason *why)
{
	struct xen_mca *mca = injection->private;

	if (mca && mca->handle)
		mca->xen->close(mca->handle);
	return injection_finish(injection, why);
}

static bool is_emulated(void)
{
	__cleanup_free char *vendor = NULL;
	char path[4096];

	return !read_small_file(system_path(path, VENDOR_FILE), &vendor, NULL) &&
	       strncmp(vendor, "QEMU", strlen("QEMU")) == 0;
}

static uint32_t status_register(const json_t *arguments)
{
	return MSR_MC0_STATUS + MSRS_OF_BANK * (uint32_t)param_number(arguments, "bank");
}

static int find_frame(struct injection *injection, struct reason *why)
{
	const json_t *arguments = injection->arguments;
	struct xen_mca *mca = injection->private;
	int error;

	if (find_kind(arguments) == KIND_OFFLINE_FREE)
		error = mca->xen->free_frame(mca->handle, &mca->frame, why);
	else
		error = mca->xen->frame(mca->handle, (unsigned int)param_number(arguments, "cpu"),
					status_register(arguments) + 1, mca->domain.id,
					param_number(arguments, "gpa") >> 12, &mca->frame, why);
	if (!error)
		json_object_set_new(injection->result, "frame",
				    json_sprintf("0x%" PRIx64, mca->frame));
	return error;
}

/* The emulator needs a machine address. */
static int find_emulated_frame(struct injection *injection, struct reason *why)
{
	if (!injection->agent)
		return fail(
			why, -EOPNOTSUPP,
			"xen-mca: only a run can request a machine check of the emulator: use a "
			"scenario");
	if (!is_emulated())
		return fail(why, -EOPNOTSUPP, "xen-mca: " NO_EMULATOR);
	return find_frame(injection, why);
}

static int find_offline_frame(struct injection *injection, struct reason *why)
{
	struct xen_mca *mca = injection->private;
	unsigned int state = 0;
	int error = find_frame(injection, why)
			    ?: mca->xen->frame_state(mca->handle, mca->frame, &state, why);

	if (!error && state)
		error = fail(why, -EALREADY,
			     "xen-mca: frame 0x%" PRIx64 " is out of use already, or will be",
			     mca->frame);
	if (!error)
		mca->xen->watch_frame(mca->frame, state);
	return error;
}

static int find_target(struct injection *injection, struct reason *why)
{
	const json_t *arguments = injection->arguments;
	struct xen_mca *mca = injection->private;
	uint64_t gpa = param_number(arguments, "gpa");
	size_t kind = find_kind(arguments);
	int error = check_machine(mca, arguments, why);

	if (!error)
		error = check_domain(mca, param_text(arguments, "guest"), why);
	if (!error)
		error = check_page(mca, gpa, why);
	if (!error && kind == KIND_MACHINE_CHECK)
		error = find_emulated_frame(injection, why);
	if (!error && kind >= KIND_OFFLINE)
		error = find_offline_frame(injection, why);
	if (error)
		return error;
	json_object_set_new(injection->result, "domain", json_integer(mca->domain.id));
	json_object_set_new(injection->result, "gpa", json_sprintf("0x%" PRIx64, gpa));
	mca->xen->watch(mca->domain.id, gpa >> 12);
	return 0;
}

static int xen_mca_prepare(struct injection *injection, struct reason *why)
{
	int error;

	if (!param_given(injection->arguments, "gpa"))
		return fail(why, -EINVAL, "'xen-mca' has no address: give 'gpa'");
	if (injection->change.dry_run)
		return 0;
	error = machine_is_expendable(why) ?: open_xen(injection, why)
					   ?: find_target(injection, why)
					   ?: change_lock(&injection->change, why);
	if (error)
		xen_mca_restore(injection, &(struct reason){""});
	return error;
}

static int raise_check(const struct xen_mca *mca, const json_t *arguments, const struct kind *kind,
		       struct reason *why)
{
	unsigned int cpu = (unsigned int)param_number(arguments, "cpu");
	uint32_t status = status_register(arguments);
	const struct xen_msr msrs[] = {{MSR_MCG_STATUS, kind->mcgstatus},
				       {status, kind->status},
				       {status + 2, MISC_PHYSICAL_LINE}};
	/* Only Xen's handler ends an interposition; no call does. A bank without VAL is ignored. */
	const struct xen_msr none[] = {{MSR_MCG_STATUS, CHECK_IN_PROGRESS}, {status, 0}};
	int error = mca->xen->write_msrs(mca->handle, cpu, msrs, ARRAY_SIZE(msrs), why)
			    ?: mca->xen->write_address(mca->handle, cpu, status + 1, mca->domain.id,
						       param_number(arguments, "gpa"), why)
			    ?: mca->xen->raise(mca->handle, cpu, kind->raise, why);

	if (error)
		(void)mca->xen->write_msrs(mca->handle, cpu, none, ARRAY_SIZE(none), NULL);
	return error;
}

static int take_out_of_use(struct injection *injection, struct reason *why)
{
	const struct xen_mca *mca = injection->private;
	unsigned int state = 0;
	int error = mca->xen->offline(mca->handle, mca->frame, &state, why);

	if (!error)
		json_object_set_new(injection->result, "frame-state",
				    json_string(state & XEN_FRAME_OFFLINE   ? "offline"
						: state & XEN_FRAME_PENDING ? "pending"
									    : "in use"));
	return error;
}

static int xen_mca_fire(struct injection *injection, struct reason *why)
{
	const json_t *arguments = injection->arguments;
	const struct xen_mca *mca = injection->private;
	uint64_t gpa = param_number(arguments, "gpa");
	size_t kind = find_kind(arguments);

	json_array_append_new(injection->change.writes,
			      json_pack("{s:s, s:o}", "path", "Xen", "text",
					json_sprintf("%s at 0x%" PRIx64 " of guest %s",
						     kind_names[kind], gpa,
						     param_text(arguments, "guest"))));
	if (injection->change.dry_run)
		return 0;
	if (kind == KIND_SET_BROKEN)
		return mca->xen->break_page(mca->handle, mca->domain.id, gpa >> 12, why);
	if (kind >= KIND_OFFLINE)
		return take_out_of_use(injection, why);
	if (kind == KIND_MACHINE_CHECK) {
		injection_ask_firmware(injection,
				       json_pack("{s:s, s:I}", "call", "machine-check", "address",
						 (json_int_t)(mca->frame << 12 | (gpa & 0xfff))));
		return 0;
	}
	json_object_set_new(injection->result, "status",
			    json_sprintf("0x%" PRIx64, kinds[kind].status));
	return raise_check(mca, arguments, &kinds[kind], why);
}

/* Xen accepts all kinds on every machine. Return: why its handler ignores a kind here, owned by the caller; NULL: it acts. */
static char *why_without_effect(const struct xen_control *xen, void *handle, size_t kind,
				const struct xen_machine *machine)
{
	uint64_t needs = kind < KIND_SET_BROKEN ? kinds[kind].needs : 0;
	uint64_t frame = 0;
	unsigned int state;
	struct reason why;

	if (needs && !machine->intel)
		return xstrdup("Xen acts on machine checks of Intel processors only; it passes "
			       "others to its first domain");
	if ((machine->cap & needs) != needs)
		return format_text("this processor lacks %s", kinds[kind].lacks);
	if (kind == KIND_MACHINE_CHECK && !is_emulated())
		return xstrdup(NO_EMULATOR);
	/* Xen reports frame states only where it can take frames out of use. */
	if (kind >= KIND_OFFLINE && (xen->free_frame(handle, &frame, &why) ||
				     xen->frame_state(handle, frame, &state, &why)))
		return xstrdup(why.text);
	return NULL;
}

static void xen_mca_probe(json_t *findings)
{
	const struct xen_control *xen = xen_control_count() ? xen_control_at(0) : NULL;
	struct reason why = {XEN_CONTROL_MISSING};
	struct xen_machine machine;
	void *handle = xen ? xen->open(&why) : NULL;
	bool ok = handle && xen->machine(handle, &machine, &why) == 0;

	finding_add(findings, "xen-mca", ok, why.text, XEN_CONTROL_REMEDY);
	finding_add(findings, "guest:hvm", ok && machine.hvm,
		    ok ? "Xen has no HVM on this processor, or no device model is installed"
		       : "xen-mca is missing, see there",
		    "install qemu-system-xen, or use the rig's profile xen");
	finding_add(findings, "guest:linux", ok && machine.kernel,
		    ok ? "there is no kernel for guests in /boot" : "xen-mca is missing, see there",
		    "install the kernel of this host there, or use the rig's profile xen");
	for (size_t kind = 0; kind_names[kind]; kind++) {
		__cleanup_free char *name = format_text("xen-mca:%s", kind_names[kind]);
		__cleanup_free char *without = ok ? why_without_effect(xen, handle, kind, &machine)
						  : xstrdup("xen-mca is missing, see there");

		finding_add(findings, name, !without, without,
			    "use another machine; the rig's profile xen has srao");
	}
	if (handle)
		xen->close(handle);
}

static const struct injector xen_mca = {
	.name = "xen-mca",
	.summary = "Xen takes a simulated machine check at a page of a guest, marks the page as "
		   "broken, or takes a frame out of use",
	.params = xen_mca_params,
	.fault_of = nature_of_bank_record,
	.check = xen_mca_check,
	.probe = xen_mca_probe,
	.prepare = xen_mca_prepare,
	.fire = xen_mca_fire,
	.restore = xen_mca_restore,
};

REGISTER(injector, xen_mca);
