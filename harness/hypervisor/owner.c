// SPDX-License-Identifier: GPL-2.0-only
/*
 * The agent that a domain belongs to. Domains of an agent that was killed are destroyed, domains of an agent that runs are
 * not. The description of a domain names the agent that created it, and moves with the guest to another host, where it is
 * meaningless. The agent that receives the guest therefore writes its own name beside the files that it makes for the guest.
 */
#include <errno.h>
#include <string.h>

#include "harness/hypervisor/domain.h"

#define BOOT_ID_LENGTH 36
#define NAME_MAX_LENGTH 48

/**
 * domain_name_is_fine - whether a guest may be called so
 * @name: it becomes a part of paths and of its domain's name
 */
bool domain_name_is_fine(const char *name)
{
	size_t length = strlen(name);

	return length && length <= NAME_MAX_LENGTH && name[0] != '.' && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       length;
}

static void read_boot_id(char boot_id[static BOOT_ID_LENGTH + 1])
{
	__cleanup_free char *text = NULL;
	char path[4096];

	if (read_small_file(system_path(path, "/proc/sys/kernel/random/boot_id"), &text, NULL))
		text = xstrdup("unknown");
	snprintf(boot_id, BOOT_ID_LENGTH + 1, "%.*s", (int)strcspn(text, "\n"), text);
}

/**
 * domain_owner - a name for a process that no later one with its number has, and none of another machine
 *
 * Return: "brinell-agent PID START BOOT-ID" with its start time of /proc/PID/stat, owned by the caller; NULL when it is
 * gone.
 */
char *domain_owner(pid_t pid)
{
	__cleanup_free char *place = format_text("/proc/%d/stat", (int)pid);
	__cleanup_free char *text = NULL;
	char boot_id[BOOT_ID_LENGTH + 1];
	unsigned long long start;
	char path[4096];
	const char *at;

	if (read_small_file(system_path(path, place), &text, NULL))
		return NULL;
	/* The name in parentheses may hold anything; the start is the 20th field behind it (proc(5)). */
	at = strrchr(text, ')');
	for (int field = 0; at && field < 20; field++)
		at = strchr(at + 1, ' ');
	if (!at || sscanf(at, " %llu", &start) != 1)
		return NULL;
	read_boot_id(boot_id);
	return format_text("brinell-agent %d %llu %s", (int)pid, start, boot_id);
}

/**
 * domain_is_orphan - whether @owner names an agent of this machine that is gone
 *
 * A text that names no agent is no orphan's, nor is one that names an agent of another machine, or of an earlier boot of
 * this one: whether that agent runs is not known here.
 */
bool domain_is_orphan(const char *owner)
{
	__cleanup_free char *now = NULL;
	char boot_id[BOOT_ID_LENGTH + 1], here[BOOT_ID_LENGTH + 1];
	int pid;

	if (sscanf(owner, "brinell-agent %d %*u %36s", &pid, boot_id) != 2 || pid <= 0)
		return false;
	read_boot_id(here);
	if (strcmp(here, boot_id) != 0)
		return false;
	now = domain_owner(pid);
	return !now || strcmp(now, owner) != 0;
}

static char *receiver_path(const char *guest)
{
	return format_text(DOMAIN_DIRECTORY "/%s/receiver", guest);
}

/** domain_claim - this agent takes in a guest that comes from another host, until domain_disclaim(). Return: 0 or -errno */
int domain_claim(const char *guest)
{
	__cleanup_free char *directory = format_text(DOMAIN_DIRECTORY "/%s", guest);
	__cleanup_free char *owner = domain_owner(getpid());
	char path[4096];

	if (!owner)
		return -ESRCH;
	return write_file_atomically(system_path(path, directory), "receiver", owner,
				     strlen(owner));
}

/** domain_disclaim - undo domain_claim(): the guest is gone, or does not come */
void domain_disclaim(const char *guest)
{
	__cleanup_free char *file = receiver_path(guest);
	char path[4096];

	unlink(system_path(path, file));
}

/**
 * domain_agent - the agent that the domain of a guest belongs to on this machine
 * @guest:       its name
 * @description: of the domain; may be NULL
 *
 * Return: the agent that received the guest, else the one that created the domain, else NULL; owned by the caller.
 */
char *domain_agent(const char *guest, const char *description)
{
	__cleanup_free char *file = receiver_path(guest);
	char *text = NULL;
	char path[4096];

	if (read_small_file(system_path(path, file), &text, NULL) == 0)
		return text;
	return description ? xstrdup(description) : NULL;
}
