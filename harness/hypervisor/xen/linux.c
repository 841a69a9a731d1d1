// SPDX-License-Identifier: GPL-2.0-only
/*
 * Linux as a guest: the instruction of its hypercalls, and whether it has the drivers of Xen.
 */
#include <cpuid.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "harness/hypervisor/xen/stream/stream.h"
#include "harness/hypervisor/xen/xen.h"
/* Needs definitions of xenctrl.h. */
#include <xenforeignmemory.h>

/* Bit of CPUID 0x80000001.ECX */
#define CPUID_SVM (1u << 2)
#define CPUID_EXTENDED 0x80000001u
/* A kernel begins at 16 MiB (CONFIG_PHYSICAL_START). */
#define KERNEL_FIRST_PAGE 0x1000u
#define PIECE_PAGES 256u
/* Alignment of functions of the kernel, and the most that its two functions are apart. */
#define FUNCTION_BYTES 16u
#define APART_MOST 64u
#define RETURN 0xc3
#define JUMP 0xe9

static const uint8_t vmcall[] = {0x0f, 0x01, 0xc1}, vmmcall[] = {0x0f, 0x01, 0xd9};

/* Whether the processor has SVM and is none of those that Linux knows to have it. */
static bool is_mixed_processor(void)
{
	unsigned int eax, ebx, ecx, edx;
	char vendor[12];

	if (!__get_cpuid(CPUID_EXTENDED, &eax, &ebx, &ecx, &edx) || !(ecx & CPUID_SVM) ||
	    !__get_cpuid(0, &eax, &ebx, &ecx, &edx))
		return false;
	memcpy(vendor, &ebx, 4);
	memcpy(vendor + 4, &edx, 4);
	memcpy(vendor + 8, &ecx, 4);
	return memcmp(vendor, "AuthenticAMD", 12) != 0 && memcmp(vendor, "HygonGenuine", 12) != 0;
}

/*
 * Find the hypercall of Linux on processors of Intel in a part of its code: xen_hypercall_amd() and xen_hypercall_intel()
 * (arch/x86/xen/xen-head.S) are two functions, one behind the other, of one instruction and the same return.
 *
 * Return: the VMCALL of the second one; NULL: this part has none.
 */
static uint8_t *find_vmcall(uint8_t *code, size_t length)
{
	uint8_t *at = code, *end = code + length;

	for (; (at = memmem(at, (size_t)(end - at), vmcall, sizeof(vmcall))); at++) {
		size_t apart = FUNCTION_BYTES;

		if (at + sizeof(vmcall) == end ||
		    (at[sizeof(vmcall)] != RETURN && at[sizeof(vmcall)] != JUMP))
			continue;
		for (; apart <= APART_MOST && apart <= (size_t)(at - code); apart += FUNCTION_BYTES)
			if (memcmp(at - apart, vmmcall, sizeof(vmmcall)) == 0 &&
			    at[sizeof(vmcall)] == at[sizeof(vmcall) - apart])
				return at;
	}
	return NULL;
}

/* Replace it in a piece of the domain's memory, which overlaps the next one. Return: whether it is there. */
static bool replace_in(xenforeignmemory_handle *memory, uint32_t domain, uint64_t first)
{
	xen_pfn_t pages[PIECE_PAGES + 1];
	int errors[ARRAY_SIZE(pages)];
	uint8_t *code, *found;

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		pages[i] = first + i;
	code = xenforeignmemory_map(memory, domain, PROT_READ | PROT_WRITE, ARRAY_SIZE(pages),
				    pages, errors);
	if (!code)
		return false;
	found = find_vmcall(code, ARRAY_SIZE(pages) * XEN_PAGE_BYTES);
	if (found)
		memcpy(found, vmmcall, sizeof(vmmcall));
	xenforeignmemory_unmap(memory, code, ARRAY_SIZE(pages));
	return found;
}

static int replace_vmcall(struct xen_session *session, uint32_t domain, struct reason *why)
{
	xenforeignmemory_handle *memory;
	xc_domaininfo_t info;
	bool found = false;

	if (xen_domain_info(session->control, domain, &info))
		return xen_fail(session, why, -ESRCH, "read the size of the guest");
	memory = xenforeignmemory_open(session->logger, 0);
	for (uint64_t page = KERNEL_FIRST_PAGE;
	     memory && !found && page + PIECE_PAGES < info.tot_pages; page += PIECE_PAGES)
		found = replace_in(memory, domain, page);
	if (memory)
		xenforeignmemory_close(memory);
	return found ? 0
		     : fail(why, -EOPNOTSUPP,
			    "this processor has SVM and is not of AMD, and the guest's kernel has "
			    "no VMCALL of Linux (since 6.12) to replace by its VMMCALL: take "
			    "another kernel");
}

/**
 * xen_fit_linux - let the kernel of a domain that has not run yet make its hypercalls by the instruction of this processor
 * @domain: a PVH guest
 *
 * Linux takes VMMCALL for AMD's vendors, and VMCALL for all others (xen_hypercall_setfunc() in arch/x86/xen/enlighten.c). The rig has
 * a processor of Intel with SVM, where VMCALL is undefined. No server has; there nothing is changed.
 *
 * Return: 0 or -errno.
 */
int xen_fit_linux(struct xen_session *session, uint32_t domain, struct reason *why)
{
	return is_mixed_processor() ? replace_vmcall(session, domain, why) : 0;
}

/**
 * xen_suspends_itself - whether a guest obeys the toolstack's request to suspend
 *
 * Linux announces it (setup_shutdown_watcher() in drivers/xen/manage.c).
 */
bool xen_suspends_itself(uint32_t domain)
{
	__cleanup_free char *feature = xen_store_read(domain, "control/feature-suspend");

	return feature && strcmp(feature, "1") == 0;
}
