// SPDX-License-Identifier: GPL-2.0-only
/*
 * The XML of domains: written for micro guests, and parsed for domains of the user.
 */
#include <string.h>

#include "harness/lib/text.h"
#include "harness/hypervisor/libvirt/libvirt.h"

/**
 * domain_make_xml - build the XML of a micro guest
 * @plan: borrowed
 *
 * The timer tsc-deadline is disabled, because with it half of the guests hang when their host is emulated. The domain of a
 * guest that panics or restarts ends; its console so far is the evidence. Only warnings of the boot are printed, because a
 * serial line is slow; brinell-guest turns on all messages at its start.
 *
 * Return: the XML, owned by the caller.
 */
char *domain_make_xml(const struct domain_plan *plan)
{
	char *xml = NULL;
	size_t length;
	FILE *out = open_memstream(&xml, &length);

	if (!out)
		abort();
	text_xml_format(out,
			"<domain type='kvm'>\n"
			"  <name>" DOMAIN_PREFIX "%s</name>\n"
			"  <uuid>%s</uuid>\n"
			"  <description>%s</description>\n"
			"  <memory unit='MiB'>%u</memory>\n",
			plan->guest, plan->uuid, plan->owner, plan->memory_mib);
	if (plan->huge_pages)
		fputs("  <memoryBacking><hugepages/></memoryBacking>\n", out);
	text_xml_format(
		out,
		"  <vcpu>%u</vcpu>\n"
		"  <os>\n"
		"    <type arch='x86_64' machine='q35'>hvm</type>\n"
		"    <kernel>%s</kernel>\n"
		"    <initrd>%s</initrd>\n"
		"    <cmdline>console=ttyS0 loglevel=4 panic=-1 brinell.port=%u%s%s</cmdline>\n"
		"  </os>\n"
		"  <features><acpi/><apic/></features>\n"
		"  <cpu mode='host-passthrough'><feature policy='disable' name='tsc-deadline'/>"
		"</cpu>\n"
		"  <on_poweroff>destroy</on_poweroff>\n"
		"  <on_reboot>destroy</on_reboot>\n"
		"  <on_crash>destroy</on_crash>\n"
		"  <devices>\n"
		"    <controller type='usb' model='none'/>\n"
		"    <serial type='pipe'><source path='%s'/><target port='0'/></serial>\n"
		"    <vsock model='virtio'><cid auto='yes'/></vsock>\n"
		"    <memballoon model='virtio'/>\n"
		"    <panic model='isa'/>\n"
		"  </devices>\n"
		"</domain>\n",
		plan->processors, plan->kernel, plan->initramfs, plan->port,
		*plan->arguments ? " " : "", plan->arguments, plan->console);
	if (fclose(out) != 0)
		abort();
	return mend_text(xml);
}

/* Return: value of an attribute of the element at @element, owned by the caller; NULL: it has none. */
static char *attribute(const char *element, const char *name)
{
	const char *end = strchr(element, '>');
	__cleanup_free char *key = format_text(" %s=", name);
	const char *at = strstr(element, key);
	const char *close;

	if (!end || !at || at > end)
		return NULL;
	at += strlen(key);
	close = *at == '\'' || *at == '"' ? strchr(at + 1, *at) : NULL;
	return close && close < end ? xstrndup(at + 1, (size_t)(close - at - 1)) : NULL;
}

/**
 * domain_cid - parse the vsock address of a running domain
 * @xml: of libvirt, virDomainGetXMLDesc()
 *
 * Return: the CID, or 0 if the domain has no vsock.
 */
unsigned int domain_cid(const char *xml)
{
	const char *vsock = strstr(xml, "<vsock");
	const char *end = vsock ? strstr(vsock, "</vsock>") : NULL;
	const char *cid = vsock ? strstr(vsock, "<cid ") : NULL;
	__cleanup_free char *text = cid && end && cid < end ? attribute(cid, "address") : NULL;
	unsigned long number;
	char *rest;

	if (!text || *text < '0' || *text > '9')
		return 0;
	number = strtoul(text, &rest, 10);
	return *rest || number < 3 || number >= UINT32_MAX ? 0 : (unsigned int)number;
}

/**
 * domain_serial_socket - parse the Unix socket of a virtio serial port of a running domain
 * @xml:  of libvirt
 * @port: name of the port in the guest
 *
 * Return: its path, owned by the caller; NULL if there is no such port, or QEMU does not listen on a socket for it.
 */
char *domain_serial_socket(const char *xml, const char *port)
{
	const char *channel = xml;

	while ((channel = strstr(channel, "<channel "))) {
		const char *end = strstr(channel, "</channel>");
		const char *source = strstr(channel, "<source ");
		const char *target = strstr(channel, "<target ");
		__cleanup_free char *kind = attribute(channel, "type");
		__cleanup_free char *name =
			target && end && target < end ? attribute(target, "name") : NULL;
		__cleanup_free char *mode =
			source && end && source < end ? attribute(source, "mode") : NULL;

		if (name && kind && mode && strcmp(name, port) == 0 && strcmp(kind, "unix") == 0 &&
		    strcmp(mode, "bind") == 0)
			return attribute(source, "path");
		channel += strlen("<channel ");
	}
	return NULL;
}
