// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: Linux as a guest of Xen: its hypercall is found in the memory of the domain and replaced, also at the edge of a piece of it,
 * and nothing else that looks alike; the kernel of an HVM guest is unpacked beside its initramfs; and a guest that suspends itself is recognised.
 *
 * rooms: harness/hypervisor
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Compiled here, against the fake headers: this machine may have none of Xen's. */
#include <harness/hypervisor/xen/linux.c>

#include <cmocka.h>

#define DOMAIN 5
#define PAGES (KERNEL_FIRST_PAGE + 3 * PIECE_PAGES + 1)

/*
 * @memory: of the domain, from KERNEL_FIRST_PAGE on; @open: handles, mappings and images; @feature: of the guest; NULL: none
 * @image:  of a kernel; its contents are there when it is parsed; @known: the kinds of guests of Xen are; @damaged: it can not be parsed
 */
static struct {
	uint8_t memory[(PAGES - KERNEL_FIRST_PAGE) * XEN_PAGE_BYTES];
	int open;
	struct xc_dom_image image;
	bool known, damaged;
	const char *feature;
} xen;

int xen_domain_info(xc_interface *control, uint32_t domain, xc_domaininfo_t *info)
{
	*info = (xc_domaininfo_t){.domain = domain, .tot_pages = PAGES};
	return domain == DOMAIN ? 0 : -ESRCH;
}

int xen_fail(const struct xen_session *session, struct reason *why, int error, const char *format,
	     ...)
{
	return error;
}

char *xen_store_read(uint32_t domain, const char *name)
{
	assert_string_equal(name, "control/feature-suspend");
	return xen.feature ? xstrdup(xen.feature) : NULL;
}

xenforeignmemory_handle *xenforeignmemory_open(void *logger, unsigned int flags)
{
	xen.open++;
	return (xenforeignmemory_handle *)&xen;
}

int xenforeignmemory_close(xenforeignmemory_handle *handle)
{
	xen.open--;
	return 0;
}

void *xenforeignmemory_map(xenforeignmemory_handle *handle, uint32_t domain, int protection,
			   size_t pages, const xen_pfn_t *pfns, int *errors)
{
	assert_true(protection & PROT_WRITE);
	assert_true(pfns[0] >= KERNEL_FIRST_PAGE && pfns[pages - 1] < PAGES);
	xen.open++;
	return xen.memory + (pfns[0] - KERNEL_FIRST_PAGE) * XEN_PAGE_BYTES;
}

int xenforeignmemory_unmap(xenforeignmemory_handle *handle, void *address, size_t pages)
{
	xen.open--;
	return 0;
}

struct xc_dom_image *xc_dom_allocate(xc_interface *control, const char *command_line,
				     const char *features)
{
	xen.open++;
	xen.image = (struct xc_dom_image){0};
	return &xen.image;
}

int xc_dom_kernel_file(struct xc_dom_image *image, const char *path)
{
	return strcmp(path, "/boot/vmlinuz") == 0 ? 0 : -1;
}

int xc_dom_boot_xen_init(struct xc_dom_image *image, xc_interface *control, domid_t domain)
{
	xen.known = true;
	return 0;
}

int xc_dom_parse_image(struct xc_dom_image *image)
{
	assert_true(xen.known);
	/* The other container is that of PV guests, which need another entry. */
	assert_int_equal(image->container_type, XC_DOM_HVM_CONTAINER);
	image->kernel_blob = xen.memory;
	image->kernel_size = sizeof(xen.memory);
	return xen.damaged ? -1 : 0;
}

void xc_dom_release(struct xc_dom_image *image)
{
	xen.open--;
}

/* Both functions, and what a kernel has besides: a hypercall of another hypervisor, and alternatives. */
static void put_kernel(size_t at, size_t apart, uint8_t end_amd, uint8_t end_intel)
{
	static const uint8_t alternatives[] = {0x0f, 0x01, 0xc1, 0x0f, 0x01, 0xd9, 0xe9};

	memset(xen.memory, 0x90, sizeof(xen.memory));
	memcpy(xen.memory + 64, vmcall, sizeof(vmcall));
	xen.memory[64 + sizeof(vmcall)] = 0x5b;
	memcpy(xen.memory + 128, alternatives, sizeof(alternatives));
	memcpy(xen.memory + at, vmmcall, sizeof(vmmcall));
	xen.memory[at + sizeof(vmmcall)] = end_amd;
	memcpy(xen.memory + at + apart, vmcall, sizeof(vmcall));
	xen.memory[at + apart + sizeof(vmcall)] = end_intel;
}

static void the_hypercall_is_replaced(void **state)
{
	static const size_t places[] = {0x200, PIECE_PAGES * XEN_PAGE_BYTES - 16,
					(2 * PIECE_PAGES + 7) * XEN_PAGE_BYTES};
	static uint8_t before[sizeof(xen.memory)];
	struct xen_session session = {0};
	struct reason why = {0};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		put_kernel(places[i], 32, JUMP, JUMP);
		memcpy(before, xen.memory, sizeof(before));
		assert_int_equal(replace_vmcall(&session, DOMAIN, &why), 0);
		memcpy(before + places[i] + 32, vmmcall, sizeof(vmmcall));
		assert_memory_equal(xen.memory, before, sizeof(before));
		assert_int_equal(xen.open, 0);
	}
	put_kernel(0x200, 16, RETURN, RETURN);
	assert_int_equal(replace_vmcall(&session, DOMAIN, &why), 0);
}

static void another_kernel_is_refused(void **state)
{
	static const struct {
		size_t apart;
		uint8_t end_amd, end_intel;
	} kernels[] = {{32, JUMP, RETURN}, {40, JUMP, JUMP}, {APART_MOST + 16, JUMP, JUMP}};
	static uint8_t before[sizeof(xen.memory)];
	struct xen_session session = {0};
	struct reason why = {0};

	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		put_kernel(0x200, kernels[i].apart, kernels[i].end_amd, kernels[i].end_intel);
		memcpy(before, xen.memory, sizeof(before));
		assert_int_equal(replace_vmcall(&session, DOMAIN, &why), -EOPNOTSUPP);
		assert_non_null(strstr(why.text, "another kernel"));
		assert_memory_equal(xen.memory, before, sizeof(before));
		assert_int_equal(xen.open, 0);
	}
	assert_int_equal(replace_vmcall(&session, DOMAIN + 1, &why), -ESRCH);
}

static const Elf64_Phdr segments[] = {
	{.p_type = PT_LOAD,
	 .p_offset = 0x200000,
	 .p_vaddr = 0xffffffff81000000,
	 .p_paddr = 0x1000000,
	 .p_filesz = 0x1000,
	 .p_memsz = 0x2000,
	 .p_flags = PF_R | PF_X,
	 .p_align = 0x200000},
	{.p_type = PT_NOTE,
	 .p_offset = 0x300,
	 .p_paddr = 0x1000300,
	 .p_filesz = 0x24,
	 .p_align = 4},
};

/* The headers of a kernel as it is in a bzImage, in the first bytes of the memory. */
static void put_headers(uint64_t address)
{
	Elf64_Ehdr header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
					 ELFDATA2LSB, EV_CURRENT},
			     .e_type = ET_EXEC,
			     .e_machine = EM_X86_64,
			     .e_version = EV_CURRENT,
			     .e_entry = 0x1000000,
			     .e_phoff = sizeof(header),
			     .e_shoff = 0x400,
			     .e_phentsize = sizeof(*segments),
			     .e_phnum = ARRAY_SIZE(segments),
			     .e_shnum = 3};
	Elf64_Phdr changed[ARRAY_SIZE(segments)];

	memcpy(changed, segments, sizeof(changed));
	changed[0].p_paddr = address;
	memcpy(xen.memory, &header, sizeof(header));
	memcpy(xen.memory + sizeof(header), changed, sizeof(changed));
}

static int unpack_into(const char *directory, const char *kernel, bool mixed, struct reason *why)
{
	struct xen_session session = {0};
	int error = unpack(&session, kernel, directory, mixed, why);

	assert_int_equal(xen.open, 0);
	return error;
}

/* The segments are where they were. */
static void assert_32_bit_headers(const char *file)
{
	const Elf32_Ehdr *header = (const Elf32_Ehdr *)file;
	const Elf32_Phdr *made = (const Elf32_Phdr *)(file + header->e_phoff);

	assert_memory_equal(header->e_ident, ELFMAG, SELFMAG);
	assert_int_equal(header->e_ident[EI_CLASS], ELFCLASS32);
	assert_int_equal(header->e_machine, EM_386);
	assert_int_equal(header->e_phentsize, sizeof(*made));
	assert_int_equal(header->e_phnum, ARRAY_SIZE(segments));
	assert_int_equal(header->e_shnum, 0);
	for (size_t i = 0; i < ARRAY_SIZE(segments); i++) {
		assert_int_equal(made[i].p_type, segments[i].p_type);
		assert_int_equal(made[i].p_offset, segments[i].p_offset);
		assert_int_equal(made[i].p_paddr, segments[i].p_paddr);
		assert_int_equal(made[i].p_filesz, segments[i].p_filesz);
		assert_int_equal(made[i].p_memsz, segments[i].p_memsz);
		assert_int_equal(made[i].p_align, segments[i].p_align);
	}
}

static void a_kernel_is_unpacked(void **state)
{
	char directory[] = "/tmp/brinell-kernel-XXXXXX";
	__cleanup_free char *path = NULL;
	__cleanup_free char *text = NULL;
	struct reason why = {0};
	size_t length;

	assert_non_null(mkdtemp(directory));
	path = format_text("%s/kernel", directory);
	xen.damaged = true;
	assert_int_equal(unpack_into(directory, "/boot/vmlinuz", false, &why), -EINVAL);
	xen.damaged = false;
	assert_int_equal(unpack_into(directory, "/boot/none", false, &why), -EINVAL);
	memset(xen.memory, 0x90, sizeof(xen.memory));
	assert_int_equal(unpack_into(directory, "/boot/vmlinuz", false, &why), -EINVAL);
	assert_non_null(strstr(why.text, "64-bit"));
	put_headers(UINT64_C(1) << 32);
	assert_int_equal(unpack_into(directory, "/boot/vmlinuz", false, &why), -EINVAL);
	put_headers(0x1000000);
	assert_int_equal(unpack_into(directory, "/boot/vmlinuz", true, &why), -EOPNOTSUPP);
	assert_int_not_equal(access(path, F_OK), 0);
	put_headers(0x1000000);
	assert_int_equal(unpack_into(directory, "/boot/vmlinuz", false, &why), 0);
	put_kernel(0x200, 32, JUMP, JUMP);
	put_headers(0x1000000);
	assert_int_equal(unpack_into(directory, "/boot/vmlinuz", true, &why), 0);
	assert_int_equal(read_small_file(path, &text, &length), 0);
	assert_int_equal(length, sizeof(xen.memory));
	assert_memory_equal(text + 0x220, vmmcall, sizeof(vmmcall));
	assert_32_bit_headers(text);
	unlink(path);
	put_headers(0x1000000);
	assert_int_equal(unpack_into("/nowhere", "/boot/vmlinuz", false, &why), -ENOENT);
	assert_non_null(strstr(why.text, "/nowhere/kernel"));
	rmdir(directory);
}

/* Others have no device model, or no kernel of the host. */
static void only_a_device_model_needs_it(void **state)
{
	static const char *const descriptions[] = {
		"{\"machine\": \"pvh\", \"kernel\": \"/k\", \"initramfs\": \"/nowhere/initramfs\"}",
		"{\"machine\": \"hvm\", \"kernel\": \"/k\"}"};
	struct xen_session session = {0};
	struct reason why = {0};

	for (size_t i = 0; i < ARRAY_SIZE(descriptions); i++) {
		__cleanup_json json_t *description = json_loads(descriptions[i], 0, NULL);

		assert_int_equal(xen_unpack_linux(&session, description, &why), 0);
		assert_true(json_is(description, "kernel", "/k"));
	}
	/* A domain of the user has no description. */
	assert_int_equal(xen_unpack_linux(&session, NULL, &why), 0);
}

static void a_guest_says_that_it_suspends_itself(void **state)
{
	assert_false(xen_suspends_itself(DOMAIN));
	/* The toolstack makes the key, and the guest sets it. */
	xen.feature = "";
	assert_false(xen_suspends_itself(DOMAIN));
	xen.feature = "1";
	assert_true(xen_suspends_itself(DOMAIN));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hypercall_is_replaced),
		cmocka_unit_test(another_kernel_is_refused),
		cmocka_unit_test(a_kernel_is_unpacked),
		cmocka_unit_test(only_a_device_model_needs_it),
		cmocka_unit_test(a_guest_says_that_it_suspends_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
