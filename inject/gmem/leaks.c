// SPDX-License-Identifier: GPL-2.0-only
/*
 * Leaks of a storm: the kernel's counts of this machine before the storm and after the end of its process. Free memory is no
 * such count, because every program of the machine changes it.
 */
#include <ctype.h>
#include <dirent.h>
#include <string.h>

#include "inject/gmem/leaks.h"

#define SLABS "/sys/kernel/slab/"
#define VMS "/sys/kernel/debug/kvm"

static int64_t count_of(const char *path, const char *name)
{
	char buffer[4096];
	__cleanup_free char *text = NULL;
	__cleanup_free char *key = format_text("%s ", name);
	const char *at;

	if (read_small_file(system_path(buffer, path), &text, NULL))
		return -1;
	at = *name ? strstr(text, key) : text;
	return at ? strtoll(at + (*name ? strlen(key) : 0), NULL, 10) : -1;
}

static int64_t stat_count(const char *name, pid_t storm)
{
	return count_of("/proc/vmstat", name);
}

/* Pins acquired less pins released. */
static int64_t pin_count(const char *name, pid_t storm)
{
	int64_t taken = stat_count("nr_foll_pin_acquired", storm);
	int64_t given = stat_count("nr_foll_pin_released", storm);

	return taken < 0 || given < 0 ? -1 : taken - given;
}

/* Exact only after the per-CPU caches are flushed. A merged cache, which is a link, counts objects of others. */
static int64_t slab_count(const char *name, pid_t storm)
{
	__cleanup_free char *directory = format_text(SLABS "%s", name);
	__cleanup_free char *shrink = format_text("%s/shrink", directory);
	__cleanup_free char *objects = format_text("%s/objects", directory);
	char path[4096], target[8];

	if (readlink(system_path(path, directory), target, sizeof(target)) > 0)
		return -1;
	(void)write_small_file(system_path(path, shrink), "1");
	return count_of(objects, "");
}

/* Each VM has a directory "PID-FD" until KVM has freed it. */
static int64_t vm_count(pid_t storm, bool others)
{
	char path[4096];
	__cleanup_directory DIR *directory = opendir(system_path(path, VMS));
	struct dirent *entry;
	int64_t count = 0;

	while (directory && (entry = readdir(directory))) {
		pid_t pid = atoi(entry->d_name);

		if (isdigit((unsigned char)*entry->d_name) && strchr(entry->d_name, '-'))
			count += (pid == storm || pid == getpid()) != others;
	}
	return directory ? count : -1;
}

static int64_t own_count(const char *name, pid_t storm)
{
	return vm_count(storm, false);
}

/*
 * @allowed: growth by other programs; @alone: other VMs change the count too, so it is used only without them.
 * Unevictable pages are those of guest_memfd and locked memory. Shared memory includes files in tmpfs, such as logs.
 */
static const struct {
	int64_t (*count)(const char *name, pid_t storm);
	const char *name, *what;
	int64_t allowed;
	bool alone;
} kept[] = {
	{pin_count, "", "pins of pages", 0, false},
	{own_count, "", "VMs", 0, false},
	{stat_count, "nr_unevictable", "unevictable pages", 64, false},
	{stat_count, "nr_shmem", "pages of shared memory", 512, false},
	{stat_count, "nr_sec_page_table_pages", "page tables of VMs", 0, true},
	{slab_count, "kvm_vcpu", "objects of kvm_vcpu", 0, true},
	{slab_count, "kvm_gmem_inode_cache", "objects of kvm_gmem_inode_cache", 0, true},
};

_Static_assert(ARRAY_SIZE(kept) <= LEAKS_MOST, "every count has its place");

/**
 * leaks_count - count what the kernel holds
 * @leaks: receives it
 * @storm: process of the storm, whose VMs count as its own beside those of this process; 0: not yet started
 */
void leaks_count(struct leaks *leaks, pid_t storm)
{
	char path[4096];

	/* The kernel folds per-CPU counters lazily (mm/vmstat.c). */
	(void)write_small_file(system_path(path, "/proc/sys/vm/stat_refresh"), "1");
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		leaks->counts[i] = kept[i].count(kept[i].name, storm);
	leaks->others = vm_count(storm, true);
}

/** leaks_find - describe what is held after and was not before. Return: a text, owned by the caller; NULL: no leak */
char *leaks_find(const struct leaks *before, const struct leaks *after)
{
	bool alone = before->others == 0 && after->others == 0;
	char *text = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		int64_t more = after->counts[i] - before->counts[i];

		if (before->counts[i] < 0 || after->counts[i] < 0 || (kept[i].alone && !alone) ||
		    more <= kept[i].allowed)
			continue;
		text = text ?: xstrdup("");
		append_text(&text, ", ", "%lld %s", (long long)more, kept[i].what);
	}
	return text;
}
