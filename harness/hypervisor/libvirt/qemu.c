// SPDX-License-Identifier: GPL-2.0-only
/*
 * QEMU of a domain: its process, its monitor through libvirt, and its mapping of the guest's memory.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <libvirt/libvirt-qemu.h>

#include "harness/hypervisor/libvirt/libvirt.h"

#define PAGE_BYTES 4096u

/* Whether the arguments of a process contain "-uuid" followed by @uuid. */
static bool has_uuid(const char *arguments, size_t length, const char *uuid)
{
	const char *end = arguments + length;

	for (const char *at = arguments; at < end; at += strlen(at) + 1)
		if (strcmp(at, "-uuid") == 0 && at + 6 < end && strcmp(at + 6, uuid) == 0)
			return true;
	return false;
}

/**
 * qemu_find - find the process that runs a domain
 * @domain: its name
 * @uuid:   its UUID, which must be in the arguments of the process
 * @pid:    receives it
 *
 * libvirt has no call for it; the path of its pid file has not changed since its beginning (qemu_process.c).
 *
 * Return: 0, or -ESRCH when it does not run, or its PID was reused.
 */
int qemu_find(const char *domain, const char *uuid, pid_t *pid, struct reason *why)
{
	__cleanup_free char *file = format_text("/run/libvirt/qemu/%s.pid", domain);
	__cleanup_free char *arguments = NULL;
	__cleanup_free char *place = NULL;
	__cleanup_free char *text = NULL;
	char path[4096];
	size_t length;
	long number;
	int error = read_small_file(system_path(path, file), &text, NULL);

	if (error)
		return fail(why, -ESRCH, "find QEMU of domain %s: read %s: %s", domain, file,
			    strerror(-error));
	number = strtol(text, NULL, 10);
	place = format_text("/proc/%ld/cmdline", number);
	if (number <= 0 || read_small_file(system_path(path, place), &arguments, &length))
		return fail(why, -ESRCH, "QEMU of domain %s, process %ld, is gone", domain, number);
	if (!has_uuid(arguments, length, uuid))
		return fail(why, -ESRCH,
			    "process %ld of %s is not the QEMU of domain %s (-uuid %s): that has "
			    "ended, and its PID was reused",
			    number, file, domain, uuid);
	*pid = (pid_t)number;
	return 0;
}

/**
 * monitor_take_hva - parse the answer of QEMU's monitor to gpa2hva
 * @text: the answer; not trusted
 * @gpa:  of the request
 * @hva:  receives the address in QEMU
 *
 * The formats are those of gpa2hva in QEMU's monitor/hmp-target.c.
 *
 * Return: 0; -EFAULT when the guest has no memory there; -EPROTO when the answer can not be parsed.
 */
int monitor_take_hva(const char *text, uint64_t gpa, uint64_t *hva, struct reason *why)
{
	static const char begin[] = "Host virtual address for 0x";
	const char *is = NULL, *at = text;
	uint64_t requested, found;
	char *end;

	if (strstr(text, "is not RAM") || strstr(text, "No memory is mapped"))
		return fail(why, -EFAULT, "the guest has no memory at 0x%" PRIx64 ": %.200s", gpa,
			    text);
	/* The last match, because the name of the memory region comes before it, and may contain the same text. */
	while ((at = strstr(at, " is 0x")))
		is = at++;
	if (strncmp(text, begin, strlen(begin)) != 0 || !is)
		return fail(why, -EPROTO, "QEMU gives no address of 0x%" PRIx64 ": '%.200s'", gpa,
			    text);
	errno = 0;
	requested = strtoull(text + strlen(begin), &end, 16);
	if (end == text + strlen(begin) || *end != ' ' || requested != gpa)
		return fail(why, -EPROTO,
			    "QEMU answers for another address than 0x%" PRIx64 ": '%.200s'", gpa,
			    text);
	found = strtoull(is + strlen(" is 0x"), &end, 16);
	if (errno || end == is + strlen(" is 0x") || strspn(end, "\r\n") != strlen(end) || !found ||
	    found % PAGE_BYTES != gpa % PAGE_BYTES)
		return fail(why, -EPROTO,
			    "QEMU gives an invalid address of 0x%" PRIx64 ": '%.200s'", gpa, text);
	*hva = found;
	return 0;
}

static int ask(void *connection, struct hypervisor_job *job, const char *command,
	       unsigned int flags, char **answer)
{
	__cleanup_domain virDomainPtr domain = domain_of_job(connection, job);

	if (!domain)
		return job->error;
	if (virDomainQemuMonitorCommand(domain, command, answer, flags) < 0)
		return virt_fail(&job->why, "command of QEMU of guest '%s': %.100s", job->guest,
				 command);
	return 0;
}

/** virt_command - a job: execute a command of QEMU's monitor: QMP or, with @number, HMP */
int virt_command(void *connection, struct hypervisor_job *job)
{
	return ask(connection, job, job->text,
		   job->number ? VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP
			       : VIR_DOMAIN_QEMU_MONITOR_COMMAND_DEFAULT,
		   &job->answer);
}

/** virt_address - a job: translate a guest-physical address to one of QEMU */
int virt_address(void *connection, struct hypervisor_job *job)
{
	__cleanup_free char *command = format_text("gpa2hva 0x%" PRIx64, job->number);
	__cleanup_free char *answer = NULL;

	return ask(connection, job, command, VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP, &answer)
		       ?: monitor_take_hva(answer, job->number, &job->number, &job->why);
}
