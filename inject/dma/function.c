// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI functions of this machine: look-up, checks, and binding to vfio-pci and back
 * (Documentation/ABI/testing/sysfs-bus-pci).
 */
#include <dirent.h>

#include "harness/host/machine.h"
#include "inject/dma/driver.h"

#define PCI_DEVICES "/sys/bus/pci/devices"
#define PCI_DRIVERS "/sys/bus/pci/drivers"
#define VFIO_PCI PCI_DRIVERS "/vfio-pci"
#define GROUPS "/sys/kernel/iommu_groups"

#define CLASS_BRIDGE 0x06

static char *canonical(const char *name, char sbdf[static 16])
{
	unsigned int domain = 0, bus, slot, function;
	int used = 0;

	if (sscanf(name, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &used) != 4 ||
	    name[used]) {
		domain = 0;
		used = 0;
		if (sscanf(name, "%2x:%2x.%1x%n", &bus, &slot, &function, &used) != 3 || name[used])
			return NULL;
	}
	snprintf(sbdf, 16, "%04x:%02x:%02x.%x", domain & 0xffff, bus & 0xff, slot & 0x1f,
		 function & 7);
	return sbdf;
}

/**
 * dma_check_name - check that a text names a driver of this directory or has the form of a PCI function
 * @parameter: that has the text, for the reason
 *
 * Return: 0 or -EINVAL.
 */
int dma_check_name(const char *parameter, const char *name, struct reason *why)
{
	char sbdf[16];

	if (dma_driver_find(name) || canonical(name, sbdf))
		return 0;
	return fail(why, -EINVAL,
		    "'%s' is '%s'; write nvme, edu, or a PCI function such as 0000:00:04.0",
		    parameter, name);
}

static bool read_register(const char *sbdf, const char *name, uint32_t *value)
{
	__cleanup_free char *file = format_text(PCI_DEVICES "/%s/%s", sbdf, name);
	__cleanup_free char *text = NULL;
	char path[4096];

	*value = 0;
	if (read_small_file(system_path(path, file), &text, NULL))
		return false;
	*value = (uint32_t)strtoul(text, NULL, 16);
	return true;
}

/* Read the last component of the target of a link of the function; "" without the link. */
static void read_link(const char *sbdf, const char *name, char *target, int size)
{
	__cleanup_free char *file = format_text(PCI_DEVICES "/%s/%s", sbdf, name);
	char path[4096], whole[4096];
	ssize_t length = readlink(system_path(path, file), whole, sizeof(whole) - 1);
	const char *slash;

	whole[length < 0 ? 0 : length] = '\0';
	slash = strrchr(whole, '/');
	snprintf(target, (size_t)size, "%.*s", size - 1, slash ? slash + 1 : whole);
}

static bool look_up(const char *sbdf, struct dma_function *function)
{
	uint32_t vendor, device, class;
	char group[16];

	*function = (struct dma_function){.group = -1};
	snprintf(function->sbdf, sizeof(function->sbdf), "%s", sbdf);
	if (!read_register(sbdf, "vendor", &vendor) || !read_register(sbdf, "device", &device))
		return false;
	(void)read_register(sbdf, "class", &class);
	for (size_t i = 0; i < dma_driver_count() && !function->driver; i++)
		if (dma_driver_at(i)->drives(vendor, device, class))
			function->driver = dma_driver_at(i);
	read_link(sbdf, "driver", function->bound, sizeof(function->bound));
	read_link(sbdf, "iommu_group", group, sizeof(group));
	if (*group)
		function->group = atoi(group);
	return true;
}

static char *driver_names(void)
{
	char *all = xstrdup("");

	for (size_t i = 0; i < dma_driver_count(); i++)
		append_text(&all, ", ", "%s", dma_driver_at(i)->name);
	return all;
}

static int find_function(const char *sbdf, struct dma_function *function, struct reason *why)
{
	__cleanup_free char *names = driver_names();

	if (!look_up(sbdf, function))
		return fail(why, -ENODEV, "this machine has no PCI function %s; lspci lists them",
			    sbdf);
	if (!function->driver)
		return fail(why, -EOPNOTSUPP, "brinell has no driver for the DMA of %s; it has: %s",
			    sbdf, names);
	return 0;
}

static int no_dots(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* Find the first function of a kind that passes the check, else the first one of the kind. */
static int find_kind(const char *name, struct dma_function *function, struct reason *why)
{
	struct dma_function candidate;
	struct dirent **entries = NULL;
	char path[4096];
	int count = scandir(system_path(path, PCI_DEVICES), &entries, no_dots, alphasort);
	bool found = false, good = false;

	for (int i = 0; i < count; i++) {
		if (!good && look_up(entries[i]->d_name, &candidate) && candidate.driver &&
		    strcmp(candidate.driver->name, name) == 0) {
			good = dma_check(&candidate, NULL) == 0;
			if (!found || good)
				*function = candidate;
			found = true;
		}
		free(entries[i]);
	}
	free(entries);
	return found ? 0
		     : fail(why, -ENODEV, "this machine has no device that the driver '%s' drives",
			    name);
}

/**
 * dma_find - find a device
 * @name:     of a driver ("nvme"), for its first device that dma_check() passes; or a PCI function ("0000:00:04.0")
 * @function: receives it
 * @why:      reason of a failure
 *
 * Return: 0, -ENODEV when there is none, -EOPNOTSUPP when no driver supports it.
 */
int dma_find(const char *name, struct dma_function *function, struct reason *why)
{
	char sbdf[16];

	if (dma_driver_find(name))
		return find_kind(name, function, why);
	if (canonical(name, sbdf))
		return find_function(sbdf, function, why);
	return fail(why, -ENODEV,
		    "'%s' is neither a driver nor a PCI function such as 0000:00:04.0", name);
}

/* Bridges may share a group with their devices: VFIO allows their drivers. */
static char *others_of_group(const struct dma_function *function)
{
	__cleanup_free char *directory = format_text(GROUPS "/%d/devices", function->group);
	struct dirent **entries = NULL;
	char path[4096];
	int count = scandir(system_path(path, directory), &entries, no_dots, alphasort);
	char *others = xstrdup("");

	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		uint32_t class;

		if (strcmp(name, function->sbdf) != 0 && read_register(name, "class", &class) &&
		    class >> 16 != CLASS_BRIDGE)
			append_text(&others, ", ", "%s", name);
		free(entries[i]);
	}
	free(entries);
	return others;
}

/**
 * dma_check - whether a device can be unbound from its driver without harm to this machine
 * @why: names the obstacle
 *
 * Return: 0, -ENODEV without an IOMMU, -ENOTUNIQ when its IOMMU group has other devices, -EBUSY when it is in use.
 */
int dma_check(const struct dma_function *function, struct reason *why)
{
	__cleanup_free char *others = NULL;
	char user[256];

	if (function->group < 0)
		return fail(why, -ENODEV,
			    "%s is in no IOMMU group: no IOMMU is in use, and its DMA would reach "
			    "all memory; enable VT-d or AMD-Vi in the firmware, and boot with "
			    "intel_iommu=on",
			    function->sbdf);
	others = others_of_group(function);
	if (*others)
		return fail(why, -ENOTUNIQ,
			    "%s shares IOMMU group %d with %s, which could be reached through it; "
			    "use a device in a slot with ACS",
			    function->sbdf, function->group, others);
	if (in_use_by(function->sbdf, user))
		return fail(why, -EBUSY, "%s is in use: %s; unmount it, or use another device",
			    function->sbdf, user);
	return 0;
}

/**
 * dma_take - unbind a device from its driver, and bind it to vfio-pci
 * @function: that dma_check() passed
 * @sticky:   receives the steps back, for sticky_restore() after the last user of the device has ended
 * @change:   holds the lock
 * @why:      reason of a failure
 *
 * Return: 0 or -errno of a write. The caller must call sticky_restore() in both cases.
 */
int dma_take(const struct dma_function *function, struct sticky *sticky, struct change *change,
	     struct reason *why)
{
	const char *sbdf = function->sbdf;
	__cleanup_free char *override = format_text(PCI_DEVICES "/%s/driver_override", sbdf);
	__cleanup_free char *unbind = format_text(PCI_DRIVERS "/%s/unbind", function->bound);
	__cleanup_free char *bind = format_text(PCI_DRIVERS "/%s/bind", function->bound);
	char now[32];
	int error = 0;

	if (!change->dry_run)
		error = machine_load_module("vfio-pci", VFIO_PCI, why)
				?: (function->iommu == DMA_IOMMUFD
					    ? machine_load_module("iommufd", "/dev/iommu", why)
					    : machine_load_module("vfio_iommu_type1",
								  "/sys/module/vfio_iommu_type1",
								  why));
	if (!error && *function->bound)
		error = sticky_undo(sticky, change, bind, sbdf, why)
				?: change_write(change, unbind, sbdf, why);
	if (!error && !sticky_save(sticky, override, STICKY_OVERRIDE))
		error = fail(why, -E2BIG, "too many files to set");
	error = error ?: sticky_set(sticky, change, override, "vfio-pci", why)
				 ?: sticky_undo(sticky, change, VFIO_PCI "/unbind", sbdf, why)
				 ?: change_write(change, "/sys/bus/pci/drivers_probe", sbdf, why);
	if (error || change->dry_run)
		return error;
	read_link(sbdf, "driver", now, sizeof(now));
	return strcmp(now, "vfio-pci") == 0
		       ? 0
		       : fail(why, -EIO,
			      "%s was bound to vfio-pci and has the driver '%s'; see the kernel "
			      "log",
			      sbdf, now);
}

/** dma_returned - check that a device has its driver again. Return: 0 or -EIO */
int dma_returned(const struct dma_function *function, struct reason *why)
{
	char now[32];

	read_link(function->sbdf, "driver", now, sizeof(now));
	return strcmp(now, function->bound) == 0
		       ? 0
		       : fail(why, -EIO, "%s was unbound from the driver '%s', and has '%s' now",
			      function->sbdf, function->bound, now);
}

/** dma_address_bits - width of the addresses that a device can emit */
unsigned int dma_address_bits(const struct dma_function *function)
{
	return function->driver->address_bits;
}
