// SPDX-License-Identifier: GPL-2.0-only
/*
 * Linux as a guest: the file of its kernel for a device model, the instruction of its hypercalls, and whether it has the drivers of Xen.
 */
#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "harness/hypervisor/xen/stream/stream.h"
#include "harness/hypervisor/xen/xen.h"
/* Need definitions of xenctrl.h. */
#include <xenforeignmemory.h>
#include <xenguest.h>

#define KERNEL_FILE "kernel"
#define SEGMENTS_MOST 16

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

/* Return: whether it is there. */
static bool replace_in_code(uint8_t *code, size_t length)
{
	uint8_t *found = find_vmcall(code, length);

	if (found)
		memcpy(found, vmmcall, sizeof(vmmcall));
	return found;
}

static int no_vmcall(struct reason *why)
{
	return fail(why, -EOPNOTSUPP,
		    "this processor has SVM and is not of AMD, and the guest's kernel has no "
		    "VMCALL of Linux (since 6.12) to replace by its VMMCALL: take another kernel");
}

/* Replace it in a piece of the domain's memory, which overlaps the next one. Return: whether it is there. */
static bool replace_in(xenforeignmemory_handle *memory, uint32_t domain, uint64_t first)
{
	xen_pfn_t pages[PIECE_PAGES + 1];
	int errors[ARRAY_SIZE(pages)];
	uint8_t *code;
	bool found;

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		pages[i] = first + i;
	code = xenforeignmemory_map(memory, domain, PROT_READ | PROT_WRITE, ARRAY_SIZE(pages),
				    pages, errors);
	if (!code)
		return false;
	found = replace_in_code(code, ARRAY_SIZE(pages) * XEN_PAGE_BYTES);
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
	return found ? 0 : no_vmcall(why);
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

/*
 * Give an ELF file the headers of a 32-bit one. Firmware starts it in 32-bit mode, and xen-qemu-system-i386 loads no other
 * (I386_ELF_MACHINE in target/i386/cpu.h of QEMU). The new headers are smaller, and segments stay where they are.
 *
 * Return: whether it is such a file, with all segments below 4 GiB.
 */
static bool take_32_bit_headers(uint8_t *file, size_t length)
{
	Elf64_Phdr segments[SEGMENTS_MOST];
	Elf64_Ehdr header;
	Elf32_Ehdr made;

	if (length < sizeof(header))
		return false;
	memcpy(&header, file, sizeof(header));
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phoff != sizeof(header) ||
	    header.e_phentsize != sizeof(*segments) || header.e_phnum > SEGMENTS_MOST ||
	    length - sizeof(header) < header.e_phnum * sizeof(*segments))
		return false;
	memcpy(segments, file + sizeof(header), header.e_phnum * sizeof(*segments));
	made = (Elf32_Ehdr){.e_type = ET_EXEC,
			    .e_machine = EM_386,
			    .e_version = EV_CURRENT,
			    .e_entry = (Elf32_Addr)header.e_entry,
			    .e_phoff = sizeof(made),
			    .e_ehsize = sizeof(made),
			    .e_phentsize = sizeof(Elf32_Phdr),
			    .e_phnum = header.e_phnum};
	memcpy(made.e_ident, header.e_ident, sizeof(made.e_ident));
	made.e_ident[EI_CLASS] = ELFCLASS32;
	memcpy(file, &made, sizeof(made));
	for (size_t i = 0; i < header.e_phnum; i++) {
		const Elf64_Phdr *segment = &segments[i];
		const Elf32_Phdr small = {.p_type = segment->p_type,
					  .p_offset = (Elf32_Off)segment->p_offset,
					  .p_vaddr = (Elf32_Addr)segment->p_vaddr,
					  .p_paddr = (Elf32_Addr)segment->p_paddr,
					  .p_filesz = (Elf32_Word)segment->p_filesz,
					  .p_memsz = (Elf32_Word)segment->p_memsz,
					  .p_flags = segment->p_flags,
					  .p_align = (Elf32_Word)segment->p_align};

		if ((segment->p_paddr | segment->p_offset | segment->p_memsz) > UINT32_MAX)
			return false;
		memcpy(file + sizeof(made) + i * sizeof(small), &small, sizeof(small));
	}
	return true;
}

static int write_kernel(const struct xc_dom_image *image, const char *directory, struct reason *why)
{
	int error = write_file_atomically(directory, KERNEL_FILE, image->kernel_blob,
					  image->kernel_size);

	return error ? fail_errno(why, error, "write %s/" KERNEL_FILE, directory) : 0;
}

static int unpack(struct xen_session *session, const char *kernel, const char *directory,
		  bool mixed, struct reason *why)
{
	struct xc_dom_image *image = xc_dom_allocate(session->control, NULL, NULL);
	int error;

	if (image)
		image->container_type = XC_DOM_HVM_CONTAINER;
	/* What Xen runs is compared with the kind of the kernel. */
	if (!image || xc_dom_kernel_file(image, kernel) ||
	    xc_dom_boot_xen_init(image, session->control, DOMID_INVALID) ||
	    xc_dom_parse_image(image))
		error = xen_fail(session, why, -EINVAL, "unpack the kernel %s", kernel);
	else if (!take_32_bit_headers(image->kernel_blob, image->kernel_size))
		error = fail(why, -EINVAL, "unpack the kernel %s: it holds no 64-bit ELF file",
			     kernel);
	else if (mixed && !replace_in_code(image->kernel_blob, image->kernel_size))
		error = no_vmcall(why);
	else
		error = write_kernel(image, directory, why);
	if (image)
		xc_dom_release(image);
	return error;
}

/**
 * xen_unpack_linux - write the kernel of an HVM guest as a device model can load it, beside its initramfs
 * @description: of xen_plan(); receives the path. Nothing is changed for other guests
 *
 * Its firmware starts an ELF file with the registers of a PVH guest. A bzImage has one, compressed; libxenguest unpacks it, as for a PVH
 * guest. Its hypercall is fitted to this processor, see xen_fit_linux(). The device model of the target of a migration opens the file again.
 *
 * Return: 0 or -errno.
 */
int xen_unpack_linux(struct xen_session *session, json_t *description, struct reason *why)
{
	const char *initramfs = json_text(description, "initramfs", NULL);
	__cleanup_free char *directory = NULL;
	int error;

	if (!initramfs || !json_is(description, "machine", "hvm"))
		return 0;
	directory = format_text("%.*s", (int)(strrchr(initramfs, '/') - initramfs), initramfs);
	error = unpack(session, json_text(description, "kernel", ""), directory,
		       is_mixed_processor(), why);
	json_object_set_new(description, "kernel", json_sprintf("%s/" KERNEL_FILE, directory));
	return error;
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
