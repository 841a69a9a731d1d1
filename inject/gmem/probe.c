// SPDX-License-Identifier: GPL-2.0-only
/*
 * Features of this machine's KVM, by the results of its calls, never by a version.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

#include "harness/host/machine.h"
#include "inject/gmem/kvm.h"

#define CREATE_SIZE (16 * GMEM_PAGE_SIZE)

/**
 * struct offer - features of KVM
 * @kvm:        /dev/kvm can be opened; @error: errno if it can not
 * @memfd:      guest_memfd can be made
 * @attributes: pages of a protected VM have attributes
 * @protected:  VMs of type KVM_X86_SW_PROTECTED_VM can be made
 * @mappable:   the host can map guest_memfd that begins shared
 * @in_place:   guest_memfd converts in place
 * @types:      bit set of VM types; those of SEV-SNP and TDX are reported only
 */
struct offer {
	bool kvm, memfd, attributes, protected, mappable, in_place;
	int types, error;
};

#define TYPE_SNP 4
#define TYPE_TDX 5

static bool can_create(int vm, uint64_t flags)
{
	struct gmem_create create = {.size = CREATE_SIZE, .flags = flags};
	int fd = ioctl(vm, GMEM_CREATE, &create);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* With a size of zero the ioctl fails with EINVAL where it exists, and with ENOTTY where it does not. */
static bool converts_in_place(int vm)
{
	struct gmem_create create = {.size = CREATE_SIZE};
	struct gmem_attributes2 nothing = {0};
	__cleanup_close int fd = ioctl(vm, GMEM_CREATE, &create);

	return fd >= 0 && ioctl(fd, GMEM_SET_ATTRIBUTES2, &nothing) < 0 && errno == EINVAL;
}

static struct offer probe_kvm(void)
{
	char path[4096];
	__cleanup_close int system = open(system_path(path, "/dev/kvm"), O_RDWR | O_CLOEXEC);
	__cleanup_close int plain = -1;
	__cleanup_close int protected = -1;
	struct offer offer = {.kvm = system >= 0, .error = errno};

	if (system < 0)
		return offer;
	plain = ioctl(system, KVM_CREATE_VM, 0);
	protected = ioctl(system, KVM_CREATE_VM, GMEM_TYPE_PROTECTED);
	offer.memfd = plain >= 0 &&
		      (can_create(plain, 0) || (protected >= 0 && can_create(protected, 0)));
	offer.mappable = plain >= 0 && can_create(plain, GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED);
	offer.protected = protected >= 0;
	offer.attributes =
		protected >= 0 && ioctl(protected, KVM_CHECK_EXTENSION, GMEM_CAP_ATTRIBUTES) > 0;
	offer.types = ioctl(system, KVM_CHECK_EXTENSION, GMEM_CAP_VM_TYPES);
	offer.in_place = protected >= 0 && converts_in_place(protected);
	return offer;
}

#define REBUILD                                                                                    \
	"use a kernel with CONFIG_KVM_SW_PROTECTED_VM; docs/rig.md has a way to rebuild the two "  \
	"modules of Debian's stock kernel"

static void add_failure(json_t *findings, const char *name, enum gmem_failure failure,
			const char *option)
{
	__cleanup_free char *remedy = format_text(
		"use a kernel with %s and CONFIG_FAULT_INJECTION_DEBUG_FS, and mount debugfs",
		option);
	struct reason why = {0};
	bool can = gmem_probe_failure(failure, &why) == 0;

	finding_add(findings, name, can, why.text, remedy);
}

/** gmem_probe_findings - add findings about KVM for storms, in the order in which a storm fails without them */
void gmem_probe_findings(json_t *findings)
{
	struct offer offer = probe_kvm();
	__cleanup_free char *closed = format_text("/dev/kvm: %s", strerror(offer.error));

	finding_add(
		findings, "gmem:kvm", offer.kvm, closed,
		"load kvm-amd or kvm-intel (virtualization on in the firmware), and run as root");
	finding_add(findings, "gmem:guest-memfd", offer.memfd, "KVM has no guest_memfd",
		    "use Linux 6.8 or newer with CONFIG_KVM_GUEST_MEMFD");
	finding_add(findings, "gmem:protected", offer.protected,
		    "KVM has no VMs of type KVM_X86_SW_PROTECTED_VM", REBUILD);
	finding_add(findings, "gmem:attributes", offer.attributes,
		    "KVM has no memory attributes for such a VM", REBUILD);
	finding_add(findings, "gmem:mappable", offer.mappable,
		    "guest_memfd can not be mapped by the host (MMAP, INIT_SHARED)",
		    "use Linux 6.18 or newer");
	finding_add(findings, "gmem:in-place", offer.in_place,
		    "guest_memfd has no KVM_SET_MEMORY_ATTRIBUTES2",
		    "use a kernel that converts in place");
	finding_add(findings, "gmem:snp", offer.types > 0 && offer.types >> TYPE_SNP & 1,
		    "KVM has no VMs of type KVM_X86_SNP_VM",
		    "none for storms, which run in VMs of software; for guests, a processor with "
		    "SEV-SNP, enabled in the firmware");
	finding_add(findings, "gmem:tdx", offer.types > 0 && offer.types >> TYPE_TDX & 1,
		    "KVM has no VMs of type KVM_X86_TDX_VM",
		    "none for storms, which run in VMs of software; for guests, a processor with "
		    "TDX, enabled in the firmware, and a kernel with CONFIG_KVM_INTEL_TDX");
	add_failure(findings, "gmem:failslab", GMEM_FAIL_SLAB, "CONFIG_FAILSLAB");
	add_failure(findings, "gmem:fail-function", GMEM_FAIL_FUNCTION, "CONFIG_FAIL_FUNCTION");
}

/**
 * gmem_probe - check whether this machine can run VMs of that shape
 *
 * Return: 0, -ENOENT without KVM, or -EOPNOTSUPP, with the reason.
 */
int gmem_probe(const struct gmem_shape *shape, struct reason *why)
{
	struct offer offer = probe_kvm();

	if (!offer.kvm)
		return fail(why, -ENOENT, "/dev/kvm: %s", strerror(offer.error));
	if (!offer.memfd)
		return fail(why, -EOPNOTSUPP, "KVM has no guest_memfd (Linux 6.8 has it)");
	if (shape->protected && !offer.protected)
		return fail(why, -EOPNOTSUPP,
			    "KVM has no VMs of type KVM_X86_SW_PROTECTED_VM: " REBUILD);
	if (shape->workload == GMEM_FLIP && !offer.attributes)
		return fail(why, -EOPNOTSUPP, "KVM has no memory attributes: " REBUILD);
	if (shape->workload == GMEM_MAPPED && !shape->protected && !offer.mappable)
		return fail(why, -EOPNOTSUPP, "guest_memfd can not be mapped by the host");
	if (shape->workload == GMEM_INPLACE && !offer.in_place)
		return fail(why, -EOPNOTSUPP,
			    "guest_memfd has no KVM_SET_MEMORY_ATTRIBUTES2: this kernel does not "
			    "convert "
			    "in place");
	return 0;
}
