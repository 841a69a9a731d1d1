// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kinds of emulated hosts. Adding one is adding a struct here.
 */
#include <string.h>

#include "harness/rig/rig.h"

static const char *const host_modules[] = {
	"virtio_pci",	   "virtio_console", "einj", "mce-inject",
	"hwpoison-inject", "loop",	     "ext4", NULL};

/*
 * The machine check grading of Linux and the broadcast of QEMU's mce command both want an Intel
 * processor (arch/x86/kernel/cpu/mce/severity.c; target/i386/helper.c): 6/106/6 is an Ice Lake
 * server.
 */
static const char *const intel_devices[] = {
	"-device",   "intel-iommu,intremap=on,caching-mode=on",
	"-blockdev", "driver=null-co,node-name=scratch,size=1048576,read-zeroes=on",
	"-device",   "nvme,serial=RIG0,drive=scratch,addr=4",
	NULL,
};

static const struct rig_profile intel = {
	.name = "intel",
	.summary =
		"Intel server with EINJ firmware, machine checks, IOMMU (DMAR) and one NVMe device",
	.processors = 2,
	.memory_mib = 2048,
	.processor = "max,vendor=GenuineIntel,family=6,model=106,stepping=6",
	.modules = host_modules,
	.arguments = "intel_iommu=on",
	.devices = intel_devices,
};

const struct rig_profile *const rig_profiles[] = {&intel, NULL};

/**
 * rig_profile_find - a profile by its name
 * @name: NULL is the default, "intel"
 *
 * Return: the profile, or NULL.
 */
const struct rig_profile *rig_profile_find(const char *name)
{
	if (!name)
		return rig_profiles[0];
	for (const struct rig_profile *const *profile = rig_profiles; *profile; profile++)
		if (strcmp((*profile)->name, name) == 0)
			return *profile;
	return NULL;
}
