// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether this machine uses a device: its block devices with their users, and its network interfaces.
 */
#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>

#include "inject/dma/driver.h"

#define BLOCK "/sys/class/block"
#define NET "/sys/class/net"
#define SUBSYSTEMS "/sys/class/nvme-subsystem"

/* Whether a link resolves to a path below the function. */
static bool leads_to(const char *link, const char *sbdf)
{
	__cleanup_free char *part = format_text("/%s/", sbdf);
	char path[4096];
	__cleanup_free char *real = realpath(system_path(path, link), NULL);

	return real && strstr(real, part);
}

/* With NVMe multipath, a disk belongs to a subsystem, which links to its controllers. */
static bool is_of_subsystem(const char *link, const char *sbdf)
{
	char path[4096];
	__cleanup_free char *real = realpath(system_path(path, link), NULL);
	const char *name = real ? strstr(real, "/nvme-subsystem/") : NULL;
	__cleanup_directory DIR *controllers = NULL;
	__cleanup_free char *directory = NULL;
	struct dirent *entry;
	bool found = false;

	if (!name)
		return false;
	name += strlen("/nvme-subsystem/");
	directory = format_text(SUBSYSTEMS "/%.*s", (int)strcspn(name, "/"), name);
	controllers = opendir(system_path(path, directory));
	while (controllers && !found && (entry = readdir(controllers))) {
		__cleanup_free char *controller = format_text("%s/%s", directory, entry->d_name);

		found = entry->d_name[0] != '.' && leads_to(controller, sbdf);
	}
	return found;
}

/* Return: the line of a table in /proc that names the device by number or by path; owned by the caller, or NULL. */
static char *find_line(const char *table, const char *number, const char *device)
{
	__cleanup_free char *text = NULL;
	char path[4096], *rest, *line;

	if (read_small_file(system_path(path, table), &text, NULL))
		return NULL;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		__cleanup_free char *words = format_text(" %s ", line);

		if ((*number && strstr(words, number)) || strstr(words, device))
			return xstrdup(line);
	}
	return NULL;
}

static bool is_mounted(const char *name, char user[static 256])
{
	__cleanup_free char *file = format_text(BLOCK "/%s/dev", name);
	__cleanup_free char *device = format_text(" /dev/%s ", name);
	__cleanup_free char *dev = NULL, *number = NULL, *line = NULL;
	char path[4096], place[128] = "?";

	if (read_small_file(system_path(path, file), &dev, NULL) == 0)
		dev[strcspn(dev, "\n")] = '\0';
	number = dev ? format_text(" %s ", dev) : xstrdup("");
	line = find_line("/proc/self/mountinfo", number, device);
	if (!line)
		return false;
	(void)sscanf(line, "%*s %*s %*s %*s %127s", place);
	snprintf(user, 256, "%s is mounted on %s", name, place);
	return true;
}

static bool is_swap(const char *name, char user[static 256])
{
	__cleanup_free char *device = format_text(" /dev/%s ", name);
	__cleanup_free char *line = find_line("/proc/swaps", "", device);

	if (line)
		snprintf(user, 256, "%s is swap space", name);
	return line != NULL;
}

/* Device mapper and md are holders of their members. */
static bool is_held(const char *name, char user[static 256])
{
	__cleanup_free char *directory = format_text(BLOCK "/%s/holders", name);
	char path[4096];
	__cleanup_directory DIR *holders = opendir(system_path(path, directory));
	struct dirent *entry;
	bool held = false;

	while (holders && !held && (entry = readdir(holders))) {
		held = entry->d_name[0] != '.';
		if (held)
			snprintf(user, 256, "%.100s is part of %.100s", name, entry->d_name);
	}
	return held;
}

/* Exclusive users that no table lists, such as a ZFS pool. */
static bool is_claimed(const char *name, char user[static 256])
{
	__cleanup_free char *device = format_text("/dev/%s", name);
	char path[4096];
	__cleanup_close int fd =
		open(system_path(path, device), O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 || errno != EBUSY)
		return false;
	snprintf(user, 256, "%s is claimed by the kernel or a program", name);
	return true;
}

static bool is_used_disk(const char *name, char user[static 256])
{
	return is_mounted(name, user) || is_swap(name, user) || is_held(name, user) ||
	       is_claimed(name, user);
}

static bool is_used_interface(const char *name, char user[static 256])
{
	__cleanup_free char *file = format_text(NET "/%s/flags", name);
	__cleanup_free char *flags = NULL;
	char path[4096];

	if (read_small_file(system_path(path, file), &flags, NULL) ||
	    !(strtoul(flags, NULL, 16) & IFF_UP))
		return false;
	snprintf(user, 256, "the network interface %s is up", name);
	return true;
}

static bool any_used(const char *class, const char *sbdf,
		     bool (*is_used)(const char *name, char user[static 256]),
		     char user[static 256])
{
	char path[4096];
	__cleanup_directory DIR *directory = opendir(system_path(path, class));
	struct dirent *entry;
	bool used = false;

	while (directory && !used && (entry = readdir(directory))) {
		__cleanup_free char *link = format_text("%s/%s", class, entry->d_name);

		used = entry->d_name[0] != '.' &&
		       (leads_to(link, sbdf) || is_of_subsystem(link, sbdf)) &&
		       is_used(entry->d_name, user);
	}
	return used;
}

/**
 * in_use_by - find a user of a device
 * @sbdf: PCI function
 * @user: receives its description
 *
 * Return: @user, or NULL when the device is not in use.
 */
const char *in_use_by(const char *sbdf, char user[static 256])
{
	return any_used(BLOCK, sbdf, is_used_disk, user) ||
			       any_used(NET, sbdf, is_used_interface, user)
		       ? user
		       : NULL;
}
