// SPDX-License-Identifier: GPL-2.0-only
/*
 * Xen through libxenctrl.
 */
#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

#include <xenctrl.h>
#include <xenstore.h>
#include <xen/arch-x86/xen-mca.h>

#include "harness/host/machine.h"
#include "inject/xen/xen.h"

#define MSR_MCG_CAP 0x179

/* In libxenctrl (tools/libs/ctrl/xc_private.c), but in none of its headers. */
int xc_get_pfn_type_batch(xc_interface *xch, uint32_t dom, unsigned int num, xen_pfn_t *arr);

static void *control_open(struct reason *why)
{
	return xen_open(why);
}

static void control_close(void *handle)
{
	xc_interface_close(handle);
}

/* Machine check capabilities of the first processor, as Xen reports them. */
static int read_cap(xc_interface *xen, struct xen_machine *machine)
{
	DECLARE_HYPERCALL_BUFFER(xen_mc_logical_cpu_t, cpus);
	struct xen_mc mc = {.cmd = XEN_MC_physcpuinfo,
			    .interface_version = XEN_MCA_INTERFACE_VERSION};
	int error = xc_mca_op(xen, &mc) < 0 ? -errno : 0;
	uint32_t count = error ? 0 : mc.u.mc_physcpuinfo.ncpus;

	if (!count)
		return error ? error : -ENODATA;
	cpus = xc_hypercall_buffer_alloc(xen, cpus, count * sizeof(*cpus));
	if (!cpus)
		return -ENOMEM;
	set_xen_guest_handle(mc.u.mc_physcpuinfo.info, cpus);
	if (xc_mca_op(xen, &mc) < 0)
		error = -errno;
	machine->processors = count;
	for (uint32_t i = 0; !error && i < (uint32_t)cpus[0].mc_nmsrvals; i++)
		if (cpus[0].mc_msrvalues[i].reg == MSR_MCG_CAP)
			machine->cap = cpus[0].mc_msrvalues[i].value;
	machine->intel = strncmp((const char *)cpus[0].mc_vendorid, "GenuineIntel", 12) == 0;
	xc_hypercall_buffer_free(xen, cpus);
	return error;
}

/* Paths of the device model of Debian and of Xen's own build; libxl uses one of them, and does not report it. */
static bool has_hvm(xc_interface *xen)
{
	xc_physinfo_t machine = {0};

	return xc_physinfo(xen, &machine) == 0 && machine.capabilities & XEN_SYSCTL_PHYSCAP_hvm &&
	       (machine_has_file("/usr/libexec/xen-qemu-system-i386") ||
		machine_has_file("/usr/lib/xen/bin/qemu-system-i386"));
}

/* A Linux guest has the kernel of its host. */
static bool has_kernel(void)
{
	struct utsname system;
	__cleanup_free char *kernel = NULL;

	uname(&system);
	kernel = machine_find_kernel(system.release);
	return kernel;
}

static int control_machine(void *handle, struct xen_machine *machine, struct reason *why)
{
	int error;

	*machine = (struct xen_machine){.hvm = has_hvm(handle), .kernel = has_kernel()};
	error = read_cap(handle, machine);
	return error ? fail(why, error, "Xen does not describe the processors: %s",
			    strerror(-error))
		     : 0;
}

/* The number of the domain of a name, or -errno. */
static int64_t number_of(const char *name)
{
	struct xs_handle *store = xs_open(0);
	unsigned int count = 0, length;
	int64_t number = -ESRCH;
	char **domains = store ? xs_directory(store, XBT_NULL, "/local/domain", &count) : NULL;

	for (unsigned int i = 0; i < count && number < 0; i++) {
		__cleanup_free char *path = format_text("/local/domain/%s/name", domains[i]);
		__cleanup_free char *found = xs_read(store, XBT_NULL, path, &length);

		if (found && strcmp(found, name) == 0)
			number = strtoll(domains[i], NULL, 10);
	}
	if (!store || !domains)
		number = -errno;
	free(domains);
	if (store)
		xs_close(store);
	return number;
}

static int control_find(void *handle, const char *name, struct xen_domain *domain,
			struct reason *why)
{
	int64_t number = number_of(name);
	xc_domaininfo_t info;
	xen_pfn_t last = 0;

	if (number == -ESRCH)
		return fail(why, -ESRCH, "xenstore has no domain %s", name);
	if (number < 0)
		return fail(why, (int)number, "xenstore does not answer: %s",
			    strerror((int)-number));
	if (xc_domain_getinfolist(handle, (uint32_t)number, 1, &info) != 1 || info.domain != number)
		return fail(why, -ESRCH, "Xen has no domain %lld, whose name in xenstore is %s",
			    (long long)number, name);
	if (xc_domain_maximum_gpfn(handle, (uint32_t)number, &last) < 0)
		return fail(why, -errno, "the size of domain %s: %s", name, strerror(errno));
	*domain = (struct xen_domain){
		.id = (uint32_t)number,
		.hvm = info.flags & XEN_DOMINF_hvm_guest,
		.dying = info.flags & XEN_DOMINF_dying,
		.ended = info.flags & XEN_DOMINF_shutdown,
		.reason = info.flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask,
		.pfns = last + 1,
	};
	return 0;
}

/** xen_is_alive - whether a domain exists, and is not being destroyed */
bool xen_is_alive(xc_interface *xen, uint32_t domain)
{
	xc_domaininfo_t info;

	return xc_domain_getinfolist(xen, domain, 1, &info) == 1 && info.domain == domain &&
	       !(info.flags & XEN_DOMINF_dying);
}

/** xen_page_type - the type of a page; see struct xen_control */
int xen_page_type(xc_interface *xen, uint32_t domain, uint64_t pfn, enum xen_page *page,
		  struct reason *why)
{
	xen_pfn_t type = pfn;

	if (xc_get_pfn_type_batch(xen, domain, 1, &type) < 0)
		return fail(why, -errno, "the type of page 0x%llx of domain %u: %s",
			    (unsigned long long)pfn, domain, strerror(errno));
	switch (type & XEN_DOMCTL_PFINFO_LTAB_MASK) {
	case XEN_DOMCTL_PFINFO_BROKEN:
		*page = XEN_PAGE_BROKEN;
		break;
	case XEN_DOMCTL_PFINFO_XTAB:
	case XEN_DOMCTL_PFINFO_XALLOC:
		*page = XEN_PAGE_HOLE;
		break;
	default:
		*page = XEN_PAGE_USED;
	}
	return 0;
}

static int control_page(void *handle, uint32_t domain, uint64_t pfn, enum xen_page *page,
			struct reason *why)
{
	return xen_page_type(handle, domain, pfn, page, why);
}

static int inject_msrs(xc_interface *xen, const struct xen_mc_msrinject *msrs, struct reason *why)
{
	struct xen_mc mc = {.cmd = XEN_MC_msrinject,
			    .interface_version = XEN_MCA_INTERFACE_VERSION,
			    .u.mc_msrinject = *msrs};

	return xc_mca_op(xen, &mc) < 0
		       ? fail(why, -errno, "Xen refuses the registers of the machine check: %s",
			      strerror(errno))
		       : 0;
}

static int control_write_msrs(void *handle, unsigned int processor, const struct xen_msr *msrs,
			      size_t count, struct reason *why)
{
	struct xen_mc_msrinject inject = {.mcinj_cpunr = processor,
					  .mcinj_flags = MC_MSRINJ_F_INTERPOSE,
					  .mcinj_count = (uint32_t)count,
					  .mcinj_domid = DOMID_SELF};

	if (count > MC_MSRINJ_MAXMSRS)
		return -E2BIG;
	for (size_t i = 0; i < count; i++)
		inject.mcinj_msr[i] =
			(xen_mcinfo_msr_t){.reg = msrs[i].number, .value = msrs[i].value};
	return inject_msrs(handle, &inject, why);
}

/** xen_write_address - interpose the address of an error; see struct xen_control */
int xen_write_address(void *handle, unsigned int processor, uint32_t number, uint32_t domain,
		      uint64_t gpa, struct reason *why)
{
	struct xen_mc_msrinject inject = {.mcinj_cpunr = processor,
					  .mcinj_flags = MC_MSRINJ_F_INTERPOSE | MC_MSRINJ_F_GPADDR,
					  .mcinj_count = 1,
					  .mcinj_domid = (domid_t)domain,
					  .mcinj_msr = {{.reg = number, .value = gpa}}};

	return inject_msrs(handle, &inject, why);
}

static int control_raise(void *handle, unsigned int processor, enum xen_raise raise,
			 struct reason *why)
{
	struct xen_mc mc = {.cmd = XEN_MC_mceinject,
			    .interface_version = XEN_MCA_INTERFACE_VERSION,
			    .u.mc_mceinject.mceinj_cpunr = processor};
	uint8_t map[8] = {0};
	int failed;

	if (raise == XEN_RAISE_EXCEPTION) {
		failed = xc_mca_op(handle, &mc);
	} else {
		map[processor / 8 % sizeof(map)] = (uint8_t)(1u << processor % 8);
		failed = xc_mca_op_inject_v2(handle,
					     raise == XEN_RAISE_CMCI ? XEN_MC_INJECT_TYPE_CMCI
								     : XEN_MC_INJECT_TYPE_LMCE,
					     map, 8 * sizeof(map));
	}
	return failed < 0 ? fail(why, -errno, "Xen refuses the machine check: %s", strerror(errno))
			  : 0;
}

static int control_break_page(void *handle, uint32_t domain, uint64_t pfn, struct reason *why)
{
	return xc_set_broken_page_p2m(handle, domain, pfn) < 0
		       ? fail(why, -errno, "Xen does not mark page 0x%llx of domain %u: %s",
			      (unsigned long long)pfn, domain, strerror(errno))
		       : 0;
}

static const struct xen_control control = {
	.name = "libxenctrl",
	.open = control_open,
	.close = control_close,
	.machine = control_machine,
	.find = control_find,
	.page = control_page,
	.write_msrs = control_write_msrs,
	.write_address = xen_write_address,
	.raise = control_raise,
	.frame = xen_frame,
	.break_page = control_break_page,
	.offline = xen_offline,
	.frame_state = xen_frame_state,
	.free_frame = xen_free_frame,
	.watch_frame = frame_state_watch,
	.watch = page_type_watch,
};

REGISTER(xen_control, control);
