// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: Linux as a guest of Xen: its hypercall is found in the memory of the domain and replaced, also at the edge of a piece of it,
 * and nothing else that looks alike; and a guest that suspends itself is recognised.
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

/* @memory: of the domain, from KERNEL_FIRST_PAGE on; @open: handles and mappings; @feature: of the guest; NULL: none */
static struct {
	uint8_t memory[(PAGES - KERNEL_FIRST_PAGE) * XEN_PAGE_BYTES];
	int open;
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
		cmocka_unit_test(a_guest_says_that_it_suspends_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
