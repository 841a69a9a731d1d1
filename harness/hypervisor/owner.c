// SPDX-License-Identifier: GPL-2.0-only
/*
 * The agent that a domain belongs to. Domains of a killed agent are destroyed; those of a running agent are not. The
 * description of a domain names the agent that created it. It moves with the guest to another host, where it is meaningless.
 * The agent that receives the guest therefore writes its own identity to the guest's directory.
 */
#include <errno.h>
#include <string.h>

#include "harness/hypervisor/domain.h"

#define BOOT_ID_LENGTH 36
#define NAME_MAX_LENGTH 48

/**
 * domain_name_is_valid - whether a text is valid as the name of a guest
 * @name: becomes part of paths and of the domain's name
 */
bool domain_name_is_valid(const char *name)
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
 * domain_owner - identity of a process that is unique across reuse of its PID, boots and machines
 *
 * Return: "brinell-agent PID START BOOT-ID" with its start time of /proc/PID/stat, owned by the caller; NULL if it has
 * ended.
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
	/* The name in parentheses may contain any character; the start time is the 20th field after it (proc(5)). */
	at = strrchr(text, ')');
	for (int field = 0; at && field < 20; field++)
		at = strchr(at + 1, ' ');
	if (!at || sscanf(at, " %llu", &start) != 1)
		return NULL;
	read_boot_id(boot_id);
	return format_text("brinell-agent %d %llu %s", (int)pid, start, boot_id);
}

/**
 * domain_is_orphan - whether @owner identifies an agent of this machine that has ended
 *
 * Return: false also for a text that is no identity, and for one of another machine or of an earlier boot: whether that agent
 * runs is not known.
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

/** domain_claim - record this agent as the receiver of a guest, until domain_disclaim(). Return: 0 or -errno */
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

/** domain_disclaim - undo domain_claim() */
void domain_disclaim(const char *guest)
{
	__cleanup_free char *file = receiver_path(guest);
	char path[4096];

	unlink(system_path(path, file));
}

/**
 * domain_agent - find the agent that the domain of a guest belongs to on this machine
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
