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

#define TYPE_SNP 4
#define TYPE_TDX 5

#define REBUILD                                                                                    \
	"use a kernel with CONFIG_KVM_SW_PROTECTED_VM; docs/rig.md has a way to rebuild the two "  \
	"modules of Debian's stock kernel"

/* @needs: the feature without which this one can not be there; the first of the chain that is missing is the reason. */
static const struct {
	const char *name, *missing, *remedy;
	int needs;
} features[] = {
	[GMEM_HAS_KVM] = {"gmem:kvm", "there is no usable /dev/kvm",
			  "load kvm-amd or kvm-intel (virtualization on in the firmware), and run "
			  "as root",
			  -1},
	[GMEM_HAS_MEMFD] = {"gmem:guest-memfd", "KVM has no guest_memfd",
			    "use Linux 6.8 or newer with CONFIG_KVM_GUEST_MEMFD", GMEM_HAS_KVM},
	[GMEM_HAS_PROTECTED] = {"gmem:protected", "KVM has no VMs of type KVM_X86_SW_PROTECTED_VM",
				REBUILD, GMEM_HAS_MEMFD},
	[GMEM_HAS_ATTRIBUTES] = {"gmem:attributes",
				 "KVM has no memory attributes for a VM of type "
				 "KVM_X86_SW_PROTECTED_VM",
				 REBUILD, GMEM_HAS_PROTECTED},
	[GMEM_HAS_MAPPABLE] = {"gmem:mappable",
			       "guest_memfd can not be mapped by the host (MMAP, INIT_SHARED)",
			       "use Linux 6.18 or newer", GMEM_HAS_MEMFD},
	[GMEM_HAS_IN_PLACE] =
		{"gmem:in-place",
		 "guest_memfd has no KVM_SET_MEMORY_ATTRIBUTES2: this kernel does not "
		 "convert in place",
		 "use a kernel that converts in place", GMEM_HAS_PROTECTED},
	[GMEM_HAS_SNP] = {"gmem:snp", "KVM has no VMs of type KVM_X86_SNP_VM",
			  "none for storms, which run in VMs of software; for guests, a processor "
			  "with SEV-SNP, enabled in the firmware",
			  GMEM_HAS_KVM},
	[GMEM_HAS_TDX] = {"gmem:tdx", "KVM has no VMs of type KVM_X86_TDX_VM",
			  "none for storms, which run in VMs of software; for guests, a processor "
			  "with TDX, enabled in the firmware, and a kernel with "
			  "CONFIG_KVM_INTEL_TDX",
			  GMEM_HAS_KVM},
};

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

static unsigned int bit(enum gmem_feature feature, bool has)
{
	return (unsigned int)has << feature;
}

static unsigned int probe_protected(int vm)
{
	if (vm < 0)
		return 0;
	return bit(GMEM_HAS_PROTECTED, true) | bit(GMEM_HAS_MEMFD, can_create(vm, 0)) |
	       bit(GMEM_HAS_ATTRIBUTES, ioctl(vm, KVM_CHECK_EXTENSION, GMEM_CAP_ATTRIBUTES) > 0) |
	       bit(GMEM_HAS_IN_PLACE, converts_in_place(vm));
}

/* Return: a bit set of enum gmem_feature. */
static unsigned int probe_kvm(void)
{
	char path[4096];
	__cleanup_close int system = open(system_path(path, "/dev/kvm"), O_RDWR | O_CLOEXEC);
	__cleanup_close int plain = -1;
	__cleanup_close int protected = -1;
	int types;

	if (system < 0)
		return 0;
	plain = ioctl(system, KVM_CREATE_VM, 0);
	protected = ioctl(system, KVM_CREATE_VM, GMEM_TYPE_PROTECTED);
	types = ioctl(system, KVM_CHECK_EXTENSION, GMEM_CAP_VM_TYPES);
	return bit(GMEM_HAS_KVM, true) | probe_protected(protected) |
	       bit(GMEM_HAS_MEMFD, plain >= 0 && can_create(plain, 0)) |
	       bit(GMEM_HAS_MAPPABLE,
		   plain >= 0 && can_create(plain, GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED)) |
	       bit(GMEM_HAS_SNP, types > 0 && types >> TYPE_SNP & 1) |
	       bit(GMEM_HAS_TDX, types > 0 && types >> TYPE_TDX & 1);
}

/* Return: the feature for whose lack @feature is missing, or -1: it is there. */
static int find_missing(unsigned int has, int feature)
{
	int cause = features[feature].needs < 0 ? -1 : find_missing(has, features[feature].needs);

	return cause >= 0 ? cause : has & 1u << feature ? -1 : feature;
}

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

/**
 * gmem_add_features - add a finding for each feature of KVM
 * @has: bit set of enum gmem_feature
 */
void gmem_add_features(json_t *findings, unsigned int has)
{
	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		int cause = find_missing(has, (int)i);

		finding_add(findings, features[i].name, cause < 0,
			    cause < 0 ? "" : features[cause].missing,
			    cause < 0 ? "" : features[cause].remedy);
	}
}

/** gmem_probe_findings - add findings about KVM for storms, in the order in which a storm fails without them */
void gmem_probe_findings(json_t *findings)
{
	struct reason why = {0};
	bool limits = gmem_group_probe(&why) == 0;

	gmem_add_features(findings, probe_kvm());
	finding_add(findings, "gmem:memory-limit", limits, why.text,
		    "mount cgroup2 on /sys/fs/cgroup, and use a kernel with CONFIG_MEMCG");
	add_failure(findings, "gmem:failslab", GMEM_FAIL_SLAB, "CONFIG_FAILSLAB");
	add_failure(findings, "gmem:fail-function", GMEM_FAIL_FUNCTION, "CONFIG_FAIL_FUNCTION");
}

/**
 * gmem_check_features - check whether a KVM can run VMs of a shape
 * @has: bit set of enum gmem_feature
 *
 * Return: 0, -ENOENT without KVM, or -EOPNOTSUPP, with the reason.
 */
int gmem_check_features(unsigned int has, const struct gmem_shape *shape, struct reason *why)
{
	enum gmem_feature needed = GMEM_HAS_IN_PLACE;
	int cause;

	if (shape->workload == GMEM_FLIP || (shape->workload == GMEM_MAPPED && shape->protected))
		needed = GMEM_HAS_ATTRIBUTES;
	else if (shape->workload == GMEM_MAPPED)
		needed = GMEM_HAS_MAPPABLE;
	cause = find_missing(has, (int)needed);
	/* Also for a protected VM: only with MMAP is guest_memfd the only memory of a slot. */
	if (cause < 0 && shape->workload == GMEM_MAPPED)
		cause = find_missing(has, GMEM_HAS_MAPPABLE);
	if (cause < 0)
		return 0;
	return fail(why, cause == GMEM_HAS_KVM ? -ENOENT : -EOPNOTSUPP, "%s: %s",
		    features[cause].missing, features[cause].remedy);
}

/** gmem_probe - check whether this machine can run VMs of that shape; as gmem_check_features() */
int gmem_probe(const struct gmem_shape *shape, struct reason *why)
{
	return gmem_check_features(probe_kvm(), shape, why);
}
