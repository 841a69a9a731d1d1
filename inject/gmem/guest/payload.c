// SPDX-License-Identifier: GPL-2.0-only
/*
 * The payload of the storm's guests: 64 bit code without an operating system, loaded at GUEST_CODE. Each vCPU starts at
 * _start with its mailbox in RDI, executes the command of the mailbox, writes to a port, and repeats.
 */
#include "inject/gmem/command.h"

void payload(struct guest_mailbox *box);

__asm__(".section .text.startup, \"ax\"\n"
	".globl _start\n"
	"_start:\n"
	"	cld\n"
	"	call payload\n"
	"	ud2\n"
	".previous\n");

static void *page_at(void *context, uint64_t number)
{
	(void)context;
	return (void *)(GUEST_REGION + number * GMEM_PAGE_SIZE);
}

/* RAX: number, RBX: address, RCX: pages, RDX: attributes. */
static int64_t hypercall(void *context, struct guest_mailbox *box)
{
	uint64_t address = GUEST_REGION + box->first * GMEM_PAGE_SIZE;
	uint64_t attributes = box->to_private ? GUEST_MAP_ENCRYPTED : 0;
	int64_t answer = GUEST_HC_MAP_GPA_RANGE;

	(void)context;
	if (box->intel)
		__asm__ volatile("vmcall"
				 : "+a"(answer)
				 : "b"(address), "c"(box->count), "d"(attributes)
				 : "memory");
	else
		__asm__ volatile("vmmcall"
				 : "+a"(answer)
				 : "b"(address), "c"(box->count), "d"(attributes)
				 : "memory");
	return answer;
}

void payload(struct guest_mailbox *box)
{
	const struct guest_view view = {
		.model = (const gmem_page *)GUEST_MODEL,
		.page = page_at,
		.hypercall = hypercall,
	};

	for (;;) {
		if (box->command == GUEST_CRASH)
			__asm__ volatile("ud2");
		guest_execute(box, &view);
		__asm__ volatile("outb %%al, %1" : : "a"(0), "i"(GUEST_PORT) : "memory");
	}
}
